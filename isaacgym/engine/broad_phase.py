"""The shapes of a robot, and which of them are near the ground: the broad phase of terrain contacts.

A shape is near if its bounding sphere reaches below the highest ground around it. When a robot stands, most of its
shapes are not, and the kernels that look at triangles loop over the candidates only.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import mujoco
import numpy as np
import warp as wp
from scipy.spatial.transform import Rotation

from isaacgym.engine.state import rotation_xyzw
from isaacgym.engine.terrain import Grid, highest_around

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
    """Shapes near the ground, of all worlds."""

    count: wp.array(dtype=int)
    shape: wp.array(dtype=int)
    world: wp.array(dtype=int)
    center: wp.array(dtype=wp.vec3)
    rot: wp.array(dtype=wp.mat33)


@wp.kernel(enable_backward=False)
def find_candidates(
    lanes: int,
    shapes: wp.array(dtype=Shape),
    xpos: wp.array2d(dtype=wp.vec3),
    xquat: wp.array2d(dtype=wp.quat),
    normal: wp.vec3,
    offset: float,
    origin: wp.vec2,
    scale: float,
    highest: wp.array3d(dtype=float),
    candidates: Candidates,
):
    """Shapes that reach below the highest ground around them, (lanes, num_worlds) threads.

    highest: highest ground within each margin of each cell of a grid, (margins, rows, cols). Empty for a plane, which
    is normal · x = offset, and whose `normal` is zero for any other ground.
    """
    lane, world = wp.tid()
    for s in range(lane, shapes.shape[0], lanes):
        shape = shapes[s]
        turn = rotation_xyzw(xquat[world, shape.body])
        center = xpos[world, shape.body] + wp.quat_rotate(turn, shape.pos)
        near = bool(True)
        if highest.shape[0] > 0:
            i = int(wp.floor((center[0] - origin[0]) / scale))
            j = int(wp.floor((center[1] - origin[1]) / scale))
            i = wp.clamp(i, 0, highest.shape[1] - 1)
            j = wp.clamp(j, 0, highest.shape[2] - 1)
            near = center[2] - shape.radius < highest[shape.margin, i, j]
        elif wp.length_sq(normal) > 0.0:
            near = wp.dot(normal, center) - offset < shape.radius
        if near:
            slot = wp.atomic_add(candidates.count, 0, 1)
            candidates.shape[slot] = s
            candidates.world[slot] = world
            candidates.center[slot] = center
            candidates.rot[slot] = wp.quat_to_matrix(turn * shape.rot)


def highest_ground(grid: Grid, radii: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maps of the highest ground for shapes of some bounding radii [m].

    Returns maps (margins, rows, cols) [m] and, for each radius, which of them to use.
    """
    cells = np.ceil(radii / grid.scale).astype(int) + 1  # vertices of walls stand up to one cell beside their place
    rounded = 2 ** np.ceil(np.log2(cells)).astype(int)
    margins, index = np.unique(rounded, return_inverse=True)
    return np.stack([highest_around(grid.vertices[:, :, 2], int(margin)) for margin in margins]), index
