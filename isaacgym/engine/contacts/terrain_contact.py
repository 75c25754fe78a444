"""Contacts of a robot's shapes with the terrain, written straight into MuJoCo Warp's contact list.

MuJoCo's own height-field collision knows no vertical walls and is the slowest part of a rough-terrain step. Here every
shape is tested against the terrain's own triangles:

* a sphere touches at the closest surface point, and also at faces that it meets from another direction (a foot in the
  corner of tread and riser has two contacts);
* a capsule is its two end spheres plus the convex terrain edges that press against the cylinder between them;
* a box is its eight corners plus the convex terrain edges that cut into it, so a stair nose carries a trunk;
* a convex hull is its vertices plus such edges, in kernels of its own (`hull_contact`).

All kernels loop over what the broad phase found near the ground.
"""

from __future__ import annotations

import copy
import functools
from typing import Any

import mujoco
import numpy as np
import warp as wp

from isaacgym.engine.contacts.broad_phase import (
    BOX,
    CAPSULE,
    HULL,
    Candidates,
    HighestGround,
    Shape,
    candidates_kernel,
    find_probes,
    find_shapes,
    hidden_geoms,
    highest_ground,
)
from isaacgym.engine.contacts.contact_list import ContactList, Material, Surfaces, add_contact, material_of, vec5
from isaacgym.engine.contacts.hull_contact import find_hulls, hull_edges, hull_vertex_kernel
from isaacgym.engine.contacts.terrain_query import (
    FAR,
    LEAVING_COSINE,
    MIN_LENGTH,
    cell_range,
    closest_on_segments,
    edge_end,
    edge_outward,
    edge_pushes,
    inside_interval,
    sphere_on_grid,
    sphere_on_mesh,
    sphere_on_plane,
)
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
from isaacgym.engine.variants import Variants

PROBE_THREADS, EDGE_THREADS = 32, 64  # of a GPU, per world
PROBE_LANES = 8  # threads of a GPU that share the triangles around a probe
EDGE_LANES = 32  # threads of a GPU that share the cells under a box
MAX_BOX_EDGES = wp.constant(8)  # terrain edges that one box may rest on

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
    lane: int,
    lanes: int,
    found: wp.array(dtype=int),
    row: int,
):
    """Terrain edges inside the box push it out of the ground, along the axis of the box that needs the least way.

    Looks at every one of `lanes` cells. found[row]: contacts that all lanes have made.
    """
    extent = wp.vec3(0.0)
    for k in range(3):
        extent[k] = wp.abs(rot[k, 0]) * half[0] + wp.abs(rot[k, 1]) * half[1] + wp.abs(rot[k, 2]) * half[2]
    range_i = cell_range(terrain, center[0] - extent[0], center[0] + extent[0], 0)
    range_j = cell_range(terrain, center[1] - extent[1], center[1] + extent[1], 1)
    rows = wp.max(range_i[1] - range_i[0] + 1, 0)
    cols = wp.max(range_j[1] - range_j[0] + 1, 0)
    for cell in range(lane, rows * cols, lanes):
        i = range_i[0] + cell // cols
        j = range_j[0] + cell % cols
        flags = int(terrain.flags[i, j])
        for edge in range(3):
            if (flags >> edge) & 1:
                a = terrain.vertices[i, j]
                b = edge_end(terrain, i, j, edge)
                if wp.max(a[2], b[2]) > center[2] - extent[2]:
                    local_a = wp.transpose(rot) * (a - center)
                    local_b = wp.transpose(rot) * (b - center)
                    t = inside_interval(local_a, local_b, half)
                    if t[0] < t[1]:
                        middle = local_a + (local_b - local_a) * (0.5 * (t[0] + t[1]))
                        depth = float(FAR)
                        shortest = float(FAR)
                        normal = wp.vec3(0.0)
                        outward = wp.transpose(rot) * edge_outward(terrain, i, j, edge)
                        for k in range(3):
                            # leaving along +axis k, the edge comes out of the face at -half[k]
                            sign = wp.where(outward[k] > 0.0, 1.0, -1.0)
                            face_depth = half[k] + sign * middle[k]
                            shortest = wp.min(shortest, half[k] - wp.abs(middle[k]))
                            if wp.abs(outward[k]) > LEAVING_COSINE and face_depth < depth:
                                depth = face_depth
                                normal = wp.vec3(sign * rot[0, k], sign * rot[1, k], sign * rot[2, k])
                        if edge_pushes(depth, shortest) and wp.atomic_add(found, row, 1) < MAX_BOX_EDGES:
                            pos = center + rot * middle - normal * (0.5 * depth)
                            add_contact(contacts, world, geom, depth, pos, normal, material)


# ---- kernels, with any number of threads ------------------------------------------------------------------------


@functools.cache
def probe_kernel(kind: type[Terrain], lanes: int) -> wp.Kernel:
    """Kernel of the candidates' probes, specialised for one kind of terrain; any multiple of `lanes` threads.

    lanes: threads that share a probe.
    """
    sphere_on_terrain = {Plane: sphere_on_plane, Grid: sphere_on_grid(lanes), Mesh: sphere_on_mesh}[kind]

    @wp.kernel(module="unique", enable_backward=False)
    def probe_contacts(
        num_threads: int,
        terrain: TerrainData,
        shapes: wp.array(dtype=Shape),
        probe_offset: wp.array(dtype=wp.vec3),
        probe_radius: wp.array(dtype=float),
        candidates: Candidates,
        surfaces: Surfaces,
        contacts: ContactList,
    ):
        lane = wp.tid() % lanes
        for item in range(wp.tid() // lanes, candidates.count[1], num_threads // lanes):
            probe = candidates.probe[item]
            c = candidates.probe_of[item]
            radius = probe_radius[probe]
            center = candidates.center[c] + candidates.rot[c] * probe_offset[probe]
            touch = sphere_on_terrain(terrain, center, radius, lane)
            if lane == 0 and touch.count > 0:
                world = candidates.world[c]
                geom = shapes[candidates.shape[c]].geom
                material = material_of(surfaces, terrain, world, geom)
                for n in range(touch.count):
                    normal = touch.normals[n]
                    depth = touch.depth[n]
                    pos = center - normal * (radius - 0.5 * depth)
                    add_contact(contacts, world, geom, depth, pos, normal, material)

    return probe_contacts


@wp.kernel(enable_backward=False)
def edge_contacts(
    num_threads: int,
    lanes: int,
    terrain: TerrainData,
    shapes: wp.array(dtype=Shape),
    candidates: Candidates,
    surfaces: Surfaces,
    contacts: ContactList,
):
    """Convex edges of a grid against capsules and boxes near them, any number of threads; `lanes` share a box."""
    for item in range(wp.tid(), candidates.count[2] * lanes, num_threads):
        row = item // lanes
        lane = item % lanes
        c = candidates.edge_of[row]
        shape = shapes[candidates.shape[c]]
        world = candidates.world[c]
        center = candidates.center[c]
        rot = candidates.rot[c]
        if shape.type == wp.static(BOX):
            material = material_of(surfaces, terrain, world, shape.geom)
            found = candidates.edges_found
            box_edges(terrain, contacts, world, shape.geom, center, rot, shape.size, material, lane, lanes, found, row)
        elif lane == 0:
            material = material_of(surfaces, terrain, world, shape.geom)
            axis = wp.vec3(rot[0, 2], rot[1, 2], rot[2, 2]) * shape.size[1]
            capsule_edges(terrain, contacts, world, shape.geom, center + axis, center - axis, shape.size[0], material)


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
        deterministic: bool = False,
        variants: Variants | None = None,
    ) -> None:
        """friction, restitution: live arrays (num_worlds, num_geoms - 1); the terrain's are averaged in.

        variants: models of other sizes, of which `model` is the first; None: all worlds have the same.

        Depths are clipped to what a critically damped contact resolves at `max_depenetration_velocity` [m/s]. A box on
        more than MAX_BOX_EDGES edges keeps those that are found first; with `deterministic` one thread looks for them.
        """
        device = wp.get_device()
        self._threads_of_box = EDGE_LANES if device.is_cuda and not deterministic else 1
        probe_lanes = PROBE_LANES if device.is_cuda and isinstance(terrain, Grid) else 1
        self._terrain, self._terrain_owner = upload(terrain, str(device))
        models = [model] if variants is None else variants.models
        hidden = set.intersection(*map(hidden_geoms, models))
        geoms = [geom for geom in range(1, model.ngeom) if geom not in hidden]
        # neighbouring threads do the same work
        geoms.sort(key=lambda geom: int(model.geom_type[geom]))
        hulls = [geom for geom in geoms if model.geom_type[geom] == HULL]
        probes = [find_probes(each, geoms) for each in models]
        self._highest, margins = HighestGround(), np.zeros(len(models) * len(geoms))
        if isinstance(terrain, Grid) and geoms:
            self._highest, margins = highest_ground(terrain, np.ravel([each.geom_rbound[geoms] for each in models]))
        shapes: list[Any] = []  # of all variants; annotation: wp.struct is no type
        for each, own, its_margins in zip(models, probes, np.split(margins, len(models)), strict=True):
            found = find_shapes(each, geoms, own, its_margins, hulls)
            for shape in found:
                shape.first_probe += len(shapes) // max(1, len(geoms)) * len(own.radius)
            shapes += found
        self._shapes = wp.array(shapes, dtype=Shape)
        self._num_shapes, self._num_probes = len(geoms), len(probes[0].radius)  # of a world
        self._first_shape = None if variants is None else wp.array(variants.of_world * len(geoms), dtype=int)
        offsets, radii = (np.concatenate([getattr(own, name) for own in probes]) for name in ("offset", "radius"))
        self._probes = [wp.array(offsets, dtype=wp.vec3), wp.array(radii, dtype=float)]
        self._has_edges = isinstance(terrain, Grid) and any(shape.type in (CAPSULE, BOX) for shape in shapes)
        self._hulls = find_hulls(model, hulls)
        self._hull_kernels = [hull_vertex_kernel(type(terrain))] if hulls else []
        self._hull_kernels += [hull_edges] if hulls and isinstance(terrain, Grid) else []
        self._set_worlds(num_worlds)
        finding = candidates_kernel(type(terrain), variants is not None)
        self._kernels = finding, probe_kernel(type(terrain), probe_lanes)
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
        if self._first_shape is not None:
            part._first_shape = self._first_shape[worlds]
        part._set_worlds(worlds.stop - worlds.start)
        part._surfaces = surfaces = Surfaces()
        for name in ("contact_time", "solimp", "max_depth"):
            setattr(surfaces, name, getattr(self._surfaces, name))
        surfaces.friction, surfaces.restitution = rows_of(self._friction, worlds), rows_of(self._restitution, worlds)
        return part

    def share_count(self, count: wp.array) -> None:
        """Count candidates in this array, (3,) int, from the next `launches` on."""
        self._candidates.count = count

    def _set_worlds(self, num_worlds: int) -> None:
        """Room for all shapes of all worlds, and the threads that share the work: many on a GPU, one on a CPU."""
        self._num_worlds = num_worlds
        capacity = num_worlds * self._num_shapes
        self._candidates = candidates = Candidates()
        candidates.num_shapes = self._num_shapes
        if self._first_shape is not None:
            candidates.first_shape = self._first_shape
        candidates.count = wp.zeros(3, dtype=int)
        for name in ("shape", "world", "edge_of", "edges_found"):
            setattr(candidates, name, wp.empty(capacity, dtype=int))
        candidates.center, candidates.rot = wp.empty(capacity, dtype=wp.vec3), wp.empty(capacity, dtype=wp.mat33)
        num_probes = num_worlds * self._num_probes
        candidates.probe, candidates.probe_of = (wp.empty(num_probes, dtype=int) for _ in range(2))
        on_gpu = wp.get_device().is_cuda
        self._lanes = self._num_shapes if on_gpu else 1
        self._probe_threads = num_worlds * PROBE_THREADS if on_gpu else 1
        self._edge_threads = num_worlds * EDGE_THREADS if on_gpu else 1

    def detect(self, xpos: wp.array, xquat: wp.array, contacts: ContactList) -> None:
        """Append the contacts of some poses of the bodies, (num_worlds, 1 + num_bodies) vec3 and wxyz."""
        self._candidates.count.zero_()
        for launch in self.launches(xpos, xquat, contacts):
            launch.launch()

    def launches(self, xpos: wp.array, xquat: wp.array, contacts: ContactList) -> list[wp.Launch]:
        """The kernels of `detect`, to be launched many times; `candidates_count` is to be zero before."""
        if not self._shapes.size:
            return []

        def record(kernel: wp.Kernel, threads: int | tuple[int, int], *arguments: object) -> wp.Launch:
            return wp.launch(kernel, dim=threads, inputs=arguments, record_cmd=True)

        lanes, probing, edging = self._lanes, self._probe_threads, self._edge_threads
        terrain, shapes, found, out = self._terrain, self._shapes, self._candidates, (self._surfaces, contacts)
        finding, probing_kernel = self._kernels
        bodies = (shapes, *self._probes, xpos, xquat)
        launches = [
            record(finding, (lanes, self._num_worlds), lanes, terrain, self._highest, *bodies, found),
            record(probing_kernel, probing, probing, terrain, shapes, *self._probes, found, *out),
        ]
        for kernel in self._hull_kernels:
            launches.append(record(kernel, edging, edging, terrain, self._hulls, shapes, found, *out))
        if self._has_edges:
            launches.append(record(edge_contacts, edging, edging, self._threads_of_box, terrain, shapes, found, *out))
        return launches

    @property
    def candidates_count(self) -> wp.array:
        return self._candidates.count


def rows_of(values: wp.array, worlds: slice) -> wp.array:
    """A view of the rows of a range of worlds; a single row is shared by all, and nothing is in an empty array."""
    return values if values.shape[0] == 1 or values.size == 0 else values[worlds]


EDGE_BITS = (EDGE_X, EDGE_Y, EDGE_DIAGONAL)
assert EDGE_BITS == (1, 2, 4), "the kernels test edge k of a cell with bit k of its flags"
