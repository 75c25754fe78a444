"""Contacts of a robot's shapes with the terrain, written straight into MuJoCo Warp's contact list.

MuJoCo's own height-field collision knows no vertical walls and is the slowest part of a rough-terrain step. Here every
shape is tested against the terrain's own triangles:

* a sphere touches at the closest surface point, and also at faces that it meets from another direction (a foot in the
  corner of tread and riser has two contacts);
* a capsule is its two end spheres plus the convex terrain edges that press against the cylinder between them;
* a box is its eight corners plus the convex terrain edges that cut into it, so a stair nose carries a trunk;
* a convex hull is its vertices plus such edges, in kernels of its own (`hull_contact`).
"""

from __future__ import annotations

import copy
import functools
import itertools
from typing import NamedTuple

import mujoco
import mujoco_warp as mjw
import numpy as np
import warp as wp
from scipy.spatial.transform import Rotation

from isaacgym.engine.contacts import (  # noqa: F401  the engines import what they need of these from here
    CONTACT_ARRAYS,
    MIN_FRICTION,
    ContactList,
    Material,
    Surfaces,
    add_contact,
    contact_list,
    material_of,
    vec5,
)
from isaacgym.engine.hull_contact import find_hulls, hull_edges, hull_vertex_kernel
from isaacgym.engine.model import CONTACT_SOLIMP, CONTACT_STEPS
from isaacgym.engine.terrain import (
    EDGE_DIAGONAL,
    EDGE_X,
    EDGE_Y,
    Grid,
    Mesh,
    Plane,
    Terrain,
    TerrainData,
    upload,
)
from isaacgym.engine.terrain_query import (
    FAR,
    MIN_LENGTH,
    cell_range,
    closest_on_segments,
    edge_end,
    edge_outward,
    inside_interval,
    sphere_on_grid,
    sphere_on_mesh,
    sphere_on_plane,
)

SPHERE = int(mujoco.mjtGeom.mjGEOM_SPHERE)
CAPSULE = int(mujoco.mjtGeom.mjGEOM_CAPSULE)
BOX = int(mujoco.mjtGeom.mjGEOM_BOX)
HULL = int(mujoco.mjtGeom.mjGEOM_MESH)

MAX_BOX_EDGES = wp.constant(8)  # terrain edges that one box may rest on
LEAVING_COSINE = wp.constant(0.3)  # an edge pushes a box only along axes that lead out of the ground

# ---- terrain edges against a capsule or a box --------------------------------------------------------------------


@wp.func
def capsule_edges(
    terrain: TerrainData,
    contacts: ContactList,
    world: int,
    geom: int,
    start: wp.vec3,
    end: wp.vec3,
    radius: float,
    material: Material,
):
    """The terrain edge that presses deepest against the cylinder between the end spheres."""
    range_i = cell_range(terrain, wp.min(start[0], end[0]) - radius, wp.max(start[0], end[0]) + radius, 0)
    range_j = cell_range(terrain, wp.min(start[1], end[1]) - radius, wp.max(start[1], end[1]) + radius, 1)
    lowest = wp.min(start[2], end[2]) - radius
    depth = float(0.0)
    pos = wp.vec3(0.0)
    normal = wp.vec3(0.0)
    for i in range(range_i[0], range_i[1] + 1):
        for j in range(range_j[0], range_j[1] + 1):
            flags = int(terrain.flags[i, j])
            for edge in range(3):
                if (flags >> edge) & 1:
                    a = terrain.vertices[i, j]
                    b = edge_end(terrain, i, j, edge)
                    if wp.max(a[2], b[2]) > lowest:
                        st = closest_on_segments(start, end, a, b)
                        on_axis = start + (end - start) * st[0]
                        delta = on_axis - (a + (b - a) * st[1])
                        distance = wp.length(delta)
                        between = st[0] > 0.01 and st[0] < 0.99
                        if between and distance > MIN_LENGTH and radius - distance > depth:
                            if wp.dot(delta, edge_outward(terrain, i, j, edge)) > 0.0:
                                depth = radius - distance
                                normal = delta / distance
                                pos = on_axis - normal * (radius - 0.5 * depth)
    if wp.length_sq(normal) > 0.0:
        add_contact(contacts, world, geom, depth, pos, normal, material)


@wp.func
def box_edges(
    terrain: TerrainData,
    contacts: ContactList,
    world: int,
    geom: int,
    center: wp.vec3,
    rot: wp.mat33,
    half: wp.vec3,
    material: Material,
):
    """Terrain edges inside the box push it out of the ground, along the axis of the box that needs the least way."""
    extent = wp.vec3(0.0)
    for k in range(3):
        extent[k] = wp.abs(rot[k, 0]) * half[0] + wp.abs(rot[k, 1]) * half[1] + wp.abs(rot[k, 2]) * half[2]
    range_i = cell_range(terrain, center[0] - extent[0], center[0] + extent[0], 0)
    range_j = cell_range(terrain, center[1] - extent[1], center[1] + extent[1], 1)
    found = int(0)
    for i in range(range_i[0], range_i[1] + 1):
        for j in range(range_j[0], range_j[1] + 1):
            flags = int(terrain.flags[i, j])
            for edge in range(3):
                if (flags >> edge) & 1 and found < MAX_BOX_EDGES:
                    a = terrain.vertices[i, j]
                    b = edge_end(terrain, i, j, edge)
                    if wp.max(a[2], b[2]) > center[2] - extent[2]:
                        local_a = wp.transpose(rot) * (a - center)
                        local_b = wp.transpose(rot) * (b - center)
                        t = inside_interval(local_a, local_b, half)
                        if t[0] < t[1]:
                            middle = local_a + (local_b - local_a) * (0.5 * (t[0] + t[1]))
                            depth = float(FAR)
                            normal = wp.vec3(0.0)
                            outward = wp.transpose(rot) * edge_outward(terrain, i, j, edge)
                            for k in range(3):
                                # leaving along +axis k, the edge comes out of the face at -half[k]
                                sign = wp.where(outward[k] > 0.0, 1.0, -1.0)
                                face_depth = half[k] + sign * middle[k]
                                if wp.abs(outward[k]) > LEAVING_COSINE and face_depth < depth:
                                    depth = face_depth
                                    normal = wp.vec3(sign * rot[0, k], sign * rot[1, k], sign * rot[2, k])
                            if depth < FAR:
                                pos = center + rot * middle - normal * (0.5 * depth)
                                add_contact(contacts, world, geom, depth, pos, normal, material)
                                found += 1


# ---- kernels: one thread per probe or shape, and world ------------------------------------------------------------


class Probes(NamedTuple):
    """The spheres that stand for all shapes: spheres themselves, ends of capsules, corners of boxes (radius 0)."""

    geom: np.ndarray  # (num_probes,)
    offset: np.ndarray  # (num_probes, 3) in the shape's frame [m]
    radius: np.ndarray  # (num_probes,) [m]


def find_probes(model: mujoco.MjModel, geoms: list[int]) -> Probes:
    """Probes of some geoms, those of the same kind next to each other so that neighbouring threads do the same work."""
    probes = []
    for geom in sorted(geoms, key=lambda geom: int(model.geom_type[geom])):
        x, y, z = model.geom_size[geom]
        if model.geom_type[geom] == SPHERE:
            probes.append((geom, (0.0, 0.0, 0.0), x))
        elif model.geom_type[geom] == CAPSULE:
            probes += [(geom, (0.0, 0.0, end), x) for end in (-y, y)]
        else:
            probes += [(geom, corner, 0.0) for corner in itertools.product((-x, x), (-y, y), (-z, z))]
    geom, offset, radius = zip(*probes, strict=True) if probes else ((), (), ())
    return Probes(np.array(geom, dtype=np.int32), np.array(offset, dtype=np.float32).reshape(-1, 3), np.array(radius))


def hidden_geoms(model: mujoco.MjModel) -> set[int]:
    """Geoms that lie inside a box of the same body, such as a sensor's housing: they can touch nothing first."""
    hidden = set()
    for outer in np.flatnonzero(model.geom_type == BOX):
        turn = Rotation.from_quat(model.geom_quat[outer], scalar_first=True).inv()
        for inner in np.flatnonzero(model.geom_bodyid == model.geom_bodyid[outer]):
            center = np.abs(turn.apply(model.geom_pos[inner] - model.geom_pos[outer]))
            if inner != outer and (center + model.geom_rbound[inner] <= model.geom_size[outer]).all():
                hidden.add(int(inner))
    return hidden


@functools.cache
def probe_kernel(kind: type[Terrain]) -> wp.Kernel:
    """Kernel of all probes, (num_probes, num_worlds) threads, specialised for one kind of terrain."""
    sphere_on_terrain = {Plane: sphere_on_plane, Grid: sphere_on_grid, Mesh: sphere_on_mesh}[kind]

    @wp.kernel(module="unique", enable_backward=False)
    def probe_contacts(
        terrain: TerrainData,
        probe_geom: wp.array(dtype=int),
        probe_offset: wp.array(dtype=wp.vec3),
        probe_radius: wp.array(dtype=float),
        geom_xpos: wp.array2d(dtype=wp.vec3),
        geom_xmat: wp.array2d(dtype=wp.mat33),
        surfaces: Surfaces,
        contacts: ContactList,
    ):
        probe, world = wp.tid()
        geom = probe_geom[probe]
        radius = probe_radius[probe]
        center = geom_xpos[world, geom] + geom_xmat[world, geom] * probe_offset[probe]
        touch = sphere_on_terrain(terrain, center, radius)
        for k in range(touch.count):
            normal = touch.normals[k]
            depth = touch.depth[k]
            pos = center - normal * (radius - 0.5 * depth)
            add_contact(contacts, world, geom, depth, pos, normal, material_of(surfaces, terrain, world, geom))

    return probe_contacts


@wp.kernel(enable_backward=False)
def edge_contacts(
    terrain: TerrainData,
    geoms: wp.array(dtype=int),
    geom_type: wp.array(dtype=int),
    geom_size: wp.array2d(dtype=wp.vec3),
    geom_xpos: wp.array2d(dtype=wp.vec3),
    geom_xmat: wp.array2d(dtype=wp.mat33),
    surfaces: Surfaces,
    contacts: ContactList,
):
    """Convex edges of a grid against capsules and boxes, (num_geoms, num_worlds) threads."""
    shape, world = wp.tid()
    geom = geoms[shape]
    size = geom_size[0, geom]
    center = geom_xpos[world, geom]
    rot = geom_xmat[world, geom]
    material = material_of(surfaces, terrain, world, geom)
    if geom_type[geom] == wp.static(CAPSULE):
        axis = wp.vec3(rot[0, 2], rot[1, 2], rot[2, 2]) * size[1]
        capsule_edges(terrain, contacts, world, geom, center + axis, center - axis, size[0], material)
    else:
        box_edges(terrain, contacts, world, geom, center, rot, size, material)


class TerrainContacts:
    """Finds the contacts of a model's shapes with a terrain, in all worlds."""

    def __init__(
        self,
        model: mujoco.MjModel,
        terrain: Terrain,
        num_worlds: int,
        friction: wp.array,
        restitution: wp.array,
        max_depenetration_velocity: float,
    ) -> None:
        """friction, restitution: live arrays (num_worlds, num_geoms - 1); the terrain's are averaged in.

        Depths are clipped to what a critically damped contact resolves at `max_depenetration_velocity` [m/s].
        """
        self._terrain, self._terrain_owner = upload(terrain, str(wp.get_device()))
        hidden = hidden_geoms(model)
        geoms = [geom for geom in range(1, model.ngeom) if geom not in hidden]
        hulls = [geom for geom in geoms if model.geom_type[geom] == HULL]
        geoms = [geom for geom in geoms if geom not in hulls]
        probes = find_probes(model, geoms)
        self._probes = [
            wp.array(probes.geom, dtype=int),
            wp.array(probes.offset, dtype=wp.vec3),
            wp.array(probes.radius, dtype=float),
        ]
        has_edges = [geom for geom in geoms if model.geom_type[geom] != SPHERE] if isinstance(terrain, Grid) else []
        self._edge_geoms = wp.array(sorted(has_edges, key=lambda geom: int(model.geom_type[geom])), dtype=int)
        self._hulls = find_hulls(model, hulls)
        self._hull_kernels = [hull_vertex_kernel(type(terrain))] if hulls else []
        self._hull_kernels += [hull_edges] if hulls and isinstance(terrain, Grid) else []
        self._num_worlds = num_worlds
        self._kernel = probe_kernel(type(terrain))
        self._surfaces = Surfaces()
        self._friction, self._restitution = friction, restitution
        self._surfaces.friction, self._surfaces.restitution = friction, restitution
        self._surfaces.contact_time = CONTACT_STEPS * model.opt.timestep
        self._surfaces.solimp = vec5(*CONTACT_SOLIMP)
        # v = depth · stiffness / damping = depth / (2 · time constant)
        self._surfaces.max_depth = 2.0 * self._surfaces.contact_time * max_depenetration_velocity

    def of_worlds(self, worlds: slice) -> TerrainContacts:
        """The same for a range of worlds, numbered from 0, with views of their friction and restitution."""
        part = copy.copy(self)
        part._num_worlds = worlds.stop - worlds.start
        part._surfaces = surfaces = Surfaces()
        for name in ("contact_time", "solimp", "max_depth"):
            setattr(surfaces, name, getattr(self._surfaces, name))
        surfaces.friction, surfaces.restitution = rows_of(self._friction, worlds), rows_of(self._restitution, worlds)
        return part

    def detect(self, model: mjw.Model, data: mjw.Data, contacts: ContactList) -> None:
        """Append the contacts of the poses in `data` to `contacts`."""
        poses = [data.geom_xpos, data.geom_xmat]
        inputs = [self._terrain, *self._probes, *poses, self._surfaces, contacts]
        wp.launch(self._kernel, dim=(self._probes[0].size, self._num_worlds), inputs=inputs)
        if self._edge_geoms.size:
            shapes = [self._edge_geoms, model.geom_type, model.geom_size]
            inputs = [self._terrain, *shapes, *poses, self._surfaces, contacts]
            wp.launch(edge_contacts, dim=(self._edge_geoms.size, self._num_worlds), inputs=inputs)
        for kernel in self._hull_kernels:
            inputs = [self._terrain, self._hulls, *poses, self._surfaces, contacts]
            wp.launch(kernel, dim=(self._hulls.geom.size, self._num_worlds), inputs=inputs)


def rows_of(values: wp.array, worlds: slice) -> wp.array:
    """A view of the rows of a range of worlds; a single row is shared by all, and nothing is in an empty array."""
    return values if values.shape[0] == 1 or values.size == 0 else values[worlds]


EDGE_BITS = (EDGE_X, EDGE_Y, EDGE_DIAGONAL)
assert EDGE_BITS == (1, 2, 4), "the kernels test edge k of a cell with bit k of its flags"
