"""The shapes of a robot, and which parts of them are near the ground: the broad phase of terrain contacts.

A shape is near if its lowest point lies below the highest ground around it, near an edge if it lies below the highest
convex edge around it, and a probe is near if it may touch the triangles of its own cell. When a robot stands, most
parts are not near, and the kernels that look at triangles loop over lists of those that are.
"""

from __future__ import annotations

import functools
import itertools
from typing import NamedTuple

import mujoco
import numpy as np
import warp as wp
from scipy.spatial.transform import Rotation

from isaacgym.engine.contacts.terrain_query import may_touch_grid, may_touch_plane
from isaacgym.engine.state import rotation_xyzw
from isaacgym.engine.terrain import Grid, Mesh, Plane, Terrain, TerrainData, edge_tops, highest_around

SPHERE = int(mujoco.mjtGeom.mjGEOM_SPHERE)
CAPSULE = int(mujoco.mjtGeom.mjGEOM_CAPSULE)
BOX = int(mujoco.mjtGeom.mjGEOM_BOX)
HULL = int(mujoco.mjtGeom.mjGEOM_MESH)


@wp.struct
class Shape:
    geom: int
    body: int
    type: int
    size: wp.vec3
    pos: wp.vec3  # in the body's frame [m]
    rot: wp.quat  # xyzw
    radius: float  # of a sphere around its centre that holds it [m]
    margin: int  # which of the maps of highest ground suits the radius
    first_probe: int
    num_probes: int
    hull: int  # number among the hulls, -1: none


class Probes(NamedTuple):
    """The spheres that stand for all shapes but hulls: spheres, ends of capsules, corners of boxes (radius 0)."""

    geom: np.ndarray  # (num_probes,)
    offset: np.ndarray  # (num_probes, 3) in the shape's frame [m]
    radius: np.ndarray  # (num_probes,) [m]


def find_probes(model: mujoco.MjModel, geoms: list[int]) -> Probes:
    """Probes of some geoms, in their order."""
    probes = []
    for geom in geoms:
        x, y, z = model.geom_size[geom]
        if model.geom_type[geom] == SPHERE:
            probes.append((geom, (0.0, 0.0, 0.0), x))
        elif model.geom_type[geom] == CAPSULE:
            probes += [(geom, (0.0, 0.0, end), x) for end in (-y, y)]
        elif model.geom_type[geom] == BOX:
            probes += [(geom, corner, 0.0) for corner in itertools.product((-x, x), (-y, y), (-z, z))]
    geom, offset, radius = zip(*probes, strict=True) if probes else ((), (), ())
    return Probes(np.array(geom, dtype=np.int32), np.array(offset, dtype=np.float32).reshape(-1, 3), np.array(radius))


def find_shapes(
    model: mujoco.MjModel, geoms: list[int], probes: Probes, margins: np.ndarray, hulls: list[int]
) -> list[Shape]:
    """margins: (len(geoms),) see `Shape`; hulls: geoms in the order of their numbers."""
    shapes = []
    for geom, margin in zip(geoms, margins, strict=True):
        shape = Shape()
        shape.geom, shape.body, shape.type = geom, int(model.geom_bodyid[geom]), int(model.geom_type[geom])
        shape.size, shape.pos = model.geom_size[geom], model.geom_pos[geom]
        shape.rot = wp.quat(*np.roll(model.geom_quat[geom], -1).tolist())
        shape.radius, shape.margin = float(model.geom_rbound[geom]), int(margin)
        own = np.flatnonzero(probes.geom == geom)
        shape.first_probe, shape.num_probes = int(own[0]) if len(own) else 0, len(own)
        shape.hull = hulls.index(geom) if geom in hulls else -1
        shapes.append(shape)
    return shapes


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


@wp.struct
class Candidates:
    """What is near the ground, of all worlds. count: (3,), of shapes, of probes, and of shapes near convex edges."""

    count: wp.array(dtype=int)
    shape: wp.array(dtype=int)
    world: wp.array(dtype=int)
    center: wp.array(dtype=wp.vec3)
    rot: wp.array(dtype=wp.mat33)
    probe: wp.array(dtype=int)  # numbers of the near probes
    probe_of: wp.array(dtype=int)  # and which candidate they belong to
    first_shape: wp.array(dtype=int)  # of each world, if these differ
    num_shapes: int  # of a world
    edge_of: wp.array(dtype=int)  # candidates near convex edges
    edges_found: wp.array(dtype=int)  # contacts with edges of each of these


@wp.struct
class HighestGround:
    """Highest ground, and highest convex edge, within each margin of each cell, (margins, rows, cols) [m]."""

    ground: wp.array3d(dtype=float)
    edge: wp.array3d(dtype=float)


@wp.func
def reach(shape: Shape, rot: wp.mat33, direction: wp.vec3) -> float:
    """How far a shape extends from its centre along a unit vector, at most [m]."""
    if shape.type == wp.static(SPHERE):
        return shape.size[0]
    along = wp.transpose(rot) * direction
    if shape.type == wp.static(CAPSULE):
        return wp.abs(along[2]) * shape.size[1] + shape.size[0]
    if shape.type == wp.static(BOX):
        return wp.dot(wp.abs(along), shape.size)
    return shape.radius


@wp.func
def is_near_plane(
    terrain: TerrainData, highest: wp.array3d(dtype=float), shape: Shape, center: wp.vec3, rot: wp.mat33
) -> bool:
    return wp.dot(terrain.normal, center) - terrain.offset < reach(shape, rot, terrain.normal)


@wp.func
def is_near_grid(
    terrain: TerrainData, highest: wp.array3d(dtype=float), shape: Shape, center: wp.vec3, rot: wp.mat33
) -> bool:
    i = int(wp.floor((center[0] - terrain.origin[0]) / terrain.scale))
    j = int(wp.floor((center[1] - terrain.origin[1]) / terrain.scale))
    i = wp.clamp(i, 0, highest.shape[1] - 1)
    j = wp.clamp(j, 0, highest.shape[2] - 1)
    return center[2] - reach(shape, rot, wp.vec3(0.0, 0.0, 1.0)) < highest[shape.margin, i, j]


@wp.func
def is_near_mesh(
    terrain: TerrainData, highest: wp.array3d(dtype=float), shape: Shape, center: wp.vec3, rot: wp.mat33
) -> bool:
    return True


@wp.func
def may_touch_mesh(terrain: TerrainData, center: wp.vec3, radius: float) -> bool:
    return True


@functools.cache
def candidates_kernel(kind: type[Terrain], varied: bool = False) -> wp.Kernel:
    """Kernel that lists what is near, specialised for one kind of terrain; (lanes, num_worlds) threads.

    varied: worlds differ in the sizes of their shapes, so that each says which are its own.
    """
    is_near = {Plane: is_near_plane, Grid: is_near_grid, Mesh: is_near_mesh}[kind]
    may_touch = {Plane: may_touch_plane, Grid: may_touch_grid, Mesh: may_touch_mesh}[kind]

    @wp.kernel(module="unique", enable_backward=False)
    def find_candidates(
        lanes: int,
        terrain: TerrainData,
        highest: HighestGround,
        shapes: wp.array(dtype=Shape),
        probe_offset: wp.array(dtype=wp.vec3),
        probe_radius: wp.array(dtype=float),
        xpos: wp.array2d(dtype=wp.vec3),
        xquat: wp.array2d(dtype=wp.quat),
        candidates: Candidates,
    ):
        lane, world = wp.tid()
        first = int(0)  # noqa: UP018 -- a branch changes it
        end = shapes.shape[0]
        if wp.static(varied):
            first = candidates.first_shape[world]
            end = first + candidates.num_shapes
        for s in range(first + lane, end, lanes):
            shape = shapes[s]
            turn = rotation_xyzw(xquat[world, shape.body])
            center = xpos[world, shape.body] + wp.quat_rotate(turn, shape.pos)
            rot = wp.quat_to_matrix(turn * shape.rot)
            if is_near(terrain, highest.ground, shape, center, rot):
                slot = wp.atomic_add(candidates.count, 0, 1)
                candidates.shape[slot] = s
                candidates.world[slot] = world
                candidates.center[slot] = center
                candidates.rot[slot] = rot
                for probe in range(shape.first_probe, shape.first_probe + shape.num_probes):
                    if may_touch(terrain, center + rot * probe_offset[probe], probe_radius[probe]):
                        row = wp.atomic_add(candidates.count, 1, 1)
                        candidates.probe[row] = probe
                        candidates.probe_of[row] = slot
                if shape.type == wp.static(CAPSULE) or shape.type == wp.static(BOX):
                    if is_near(terrain, highest.edge, shape, center, rot):
                        row = wp.atomic_add(candidates.count, 2, 1)
                        candidates.edge_of[row] = slot
                        candidates.edges_found[row] = 0

    return find_candidates


def highest_ground(grid: Grid, radii: np.ndarray) -> tuple[HighestGround, np.ndarray]:
    """Maps for shapes of some bounding radii [m], and for each radius the number of the margin to use."""
    cells = np.ceil(radii / grid.scale).astype(int) + 1  # vertices of walls stand up to one cell beside their place
    rounded = 2 ** np.ceil(np.log2(cells)).astype(int)
    margins, index = np.unique(rounded, return_inverse=True)
    highest = HighestGround()
    for name, heights in (("ground", grid.vertices[:, :, 2]), ("edge", edge_tops(grid))):
        maps = np.stack([highest_around(heights, int(margin)) for margin in margins])
        setattr(highest, name, wp.array(maps, dtype=float))
    return highest, index
