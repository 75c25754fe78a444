"""What the robots stand on: a plane, a grid of triangles (height field, converted mesh) or any triangle mesh.

Grid topology is the one of `terrain_utils.convert_heightfield_to_trimesh`: vertex (i, j) has index i * cols + j, and
cell (i, j) consists of the triangles (v00, v11, v01) and (v00, v10, v11), where v10 = (i + 1, j). Vertices may be moved
sideways by at most one cell, which turns steep faces into vertical walls.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import warp as wp
from scipy.ndimage import maximum_filter

EDGE_X, EDGE_Y, EDGE_DIAGONAL = 1, 2, 4  # convex edges that cell (i, j) owns: v00-v10, v00-v01, v00-v11
MOVED_NEAR = 8  # a vertex that can reach into this cell was moved sideways
CONVEX_ANGLE = np.radians(5.0)  # flatter edges need no contacts of their own: the faces beside them support a shape
AHEAD = 0.005  # [m] before an edge, where there has to be air
OVER = 1.0e-3  # a point counts as over a triangle from so far beside it, relative to its sides
MAX_SHIFT_CELLS = 1.0  # sideways movement of vertices that the grid search allows for


@dataclass(frozen=True)
class Plane:
    """Infinite plane: points with normal · p = offset."""

    normal: tuple[float, float, float] = (0.0, 0.0, 1.0)
    offset: float = 0.0
    friction: float = 1.0
    restitution: float = 0.0


@dataclass(frozen=True)
class Grid:
    """Triangles on a regular grid.

    Attributes:
        vertices: world positions, (rows, cols, 3) float32.
        origin: world x, y of the unmoved vertex (0, 0) [m].
        scale: distance between unmoved vertices [m].
        flags: EDGE_* and MOVED_NEAR bits of each cell, (rows, cols) uint8; the last row and column are empty.
        top: highest vertex that a sphere of half a cell over cell (i, j) may touch, (rows, cols) float32 [m].
        point_top: highest vertex of the triangles over or under cell (i, j), (rows, cols) float32 [m].
    """

    vertices: np.ndarray
    origin: tuple[float, float]
    scale: float
    flags: np.ndarray
    top: np.ndarray
    point_top: np.ndarray
    friction: float = 1.0
    restitution: float = 0.0

    @staticmethod
    def from_heights(heights: np.ndarray, origin: tuple[float, float, float], scale: float, **material) -> Grid:
        """heights: (rows, cols) [m]; vertex (i, j) stands at origin + (i, j) * scale."""
        i, j = np.meshgrid(np.arange(heights.shape[0]), np.arange(heights.shape[1]), indexing="ij")
        vertices = np.stack([origin[0] + i * scale, origin[1] + j * scale, origin[2] + heights], axis=-1)
        return Grid._from_vertices(vertices.astype(np.float32), origin[:2], scale, moved=None, **material)

    @staticmethod
    def from_mesh(vertices: np.ndarray, triangles: np.ndarray, offset: np.ndarray, **material) -> Grid | None:
        """The grid behind a converted height field, or None if the mesh is not one.

        vertices: (n, 3) in the frame of the mesh; triangles: (m, 3); offset: position of that frame in the world.
        """
        shape = _grid_shape(vertices, triangles)
        if shape is None:
            return None
        local = vertices.reshape(*shape, 3)
        span = shape[0] // 2  # one cell is too short: float32 rounds 0.1 m by 8 µm at 100 m, times thousands of cells
        scale = float(np.median(local[span:, :, 0] - local[:-span, :, 0])) / span
        if scale <= 0.0:
            return None
        i, j = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
        first = np.median(local[:, :, :2] - scale * np.stack([i, j], axis=-1), axis=(0, 1))
        shift = local[:, :, :2] / scale - np.stack([i, j], axis=-1) - first / scale
        if np.abs(shift).max() > MAX_SHIFT_CELLS + 1e-3:
            return None
        origin = (float(first[0] + offset[0]), float(first[1] + offset[1]))
        world = (local + offset).astype(np.float32)
        return Grid._from_vertices(world, origin, scale, moved=np.abs(shift).max(axis=-1) > 1e-3, **material)

    @staticmethod
    def _from_vertices(
        vertices: np.ndarray, origin: tuple[float, float], scale: float, moved: np.ndarray | None, **material
    ) -> Grid:
        flags = _convex_edges(vertices, origin, scale)
        height = vertices[:, :, 2]
        point_top = highest_around(height, 0)
        if moved is not None:
            # triangles of a cell's neighbours reach into it only if one of the vertices i - 1 ... i + 2 was moved
            moved_near = highest_around(moved, 1)
            flags |= MOVED_NEAR * moved_near.astype(np.uint8)
            point_top = np.where(moved_near, highest_around(height, 1), point_top)
        return Grid(vertices, origin, scale, flags, highest_around(height, 2), point_top, **material)


@dataclass(frozen=True)
class Mesh:
    """Any other triangle mesh, searched through a bounding-volume hierarchy. vertices (n, 3), triangles (m, 3)."""

    vertices: np.ndarray
    triangles: np.ndarray
    friction: float = 1.0
    restitution: float = 0.0


Terrain = Plane | Grid | Mesh


@dataclass(frozen=True)
class Grounds:
    """Several terrains at once, or none at all. Where two of them lie in one place, both push."""

    parts: tuple[Terrain, ...] = ()


def parts_of(ground: Terrain | Grounds | None) -> tuple[Terrain, ...]:
    if ground is None:
        return ()
    return ground.parts if isinstance(ground, Grounds) else (ground,)


def merged_triangles(terrains: Sequence[Grid | Mesh]) -> tuple[np.ndarray, np.ndarray]:
    """As `terrain_triangles`, of one terrain at least."""
    meshes = [terrain_triangles(terrain) for terrain in terrains]
    first = np.cumsum([0, *(len(vertices) for vertices, _ in meshes[:-1])])
    faces = [triangles + start for (_, triangles), start in zip(meshes, first.astype(np.int32), strict=True)]
    return np.concatenate([vertices for vertices, _ in meshes]), np.concatenate(faces)


def terrain_triangles(terrain: Grid | Mesh) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (n, 3) float32 in the world [m] and triangles (m, 3) int32."""
    if isinstance(terrain, Mesh):
        return terrain.vertices.astype(np.float32), terrain.triangles.astype(np.int32)
    return terrain.vertices.reshape(-1, 3), grid_triangles(*terrain.vertices.shape[:2])


def grid_triangles(rows: int, cols: int) -> np.ndarray:
    """Vertex indices of a grid's triangles, cell by cell, (2 * (rows - 1) * (cols - 1), 3) int32."""
    v00 = (np.arange(rows - 1)[:, None] * cols + np.arange(cols - 1)).reshape(-1, 1).astype(np.int32)
    cell = np.array([0, cols + 1, 1, 0, cols, cols + 1], dtype=np.int32)
    return (v00 + cell).reshape(-1, 3)


def highest_around(values: np.ndarray, margin: int) -> np.ndarray:
    """Maximum over the four vertices of each cell and `margin` more on every side."""
    return maximum_filter(values, size=2 * margin + 2, origin=-1, mode="nearest")


def edge_tops(grid: Grid) -> np.ndarray:
    """Height of the upper end of the highest convex edge that starts at each vertex, -inf without any. (rows, cols)."""
    height = np.pad(grid.vertices[:, :, 2], ((0, 1), (0, 1)), mode="edge")
    start, along_x, along_y, across = height[:-1, :-1], height[1:, :-1], height[:-1, 1:], height[1:, 1:]
    tops = np.full(grid.flags.shape, -np.inf, dtype=np.float32)
    for bit, end in ((EDGE_X, along_x), (EDGE_Y, along_y), (EDGE_DIAGONAL, across)):
        tops = np.where(grid.flags & bit, np.maximum(tops, np.maximum(start, end)), tops)
    return tops


def _grid_shape(vertices: np.ndarray, triangles: np.ndarray) -> tuple[int, int] | None:
    """(rows, cols) if the triangles connect the vertices as a grid's cells do."""
    cols = int(triangles[0, 1]) - 1 if len(triangles) else 0
    if cols < 2 or len(vertices) % cols:
        return None
    rows = len(vertices) // cols
    if rows < 2 or len(triangles) != 2 * (rows - 1) * (cols - 1):
        return None
    return (rows, cols) if np.array_equal(triangles, grid_triangles(rows, cols)) else None


def _convex_edges(vertices: np.ndarray, origin: tuple[float, float], scale: float) -> np.ndarray:
    """EDGE_* bits of the edges that stick out by more than CONVEX_ANGLE, (rows, cols) uint8."""
    v00, v01 = vertices[:-1, :-1], vertices[:-1, 1:]
    v10, v11 = vertices[1:, :-1], vertices[1:, 1:]
    normal_a, normal_b = _normals(v00, v11, v01), _normals(v00, v10, v11)
    flags = np.zeros(vertices.shape[:2], dtype=np.uint8)
    # the neighbours across v00-v10 and v00-v01 are triangle a of cell (i, j - 1) and triangle b of cell (i - 1, j)
    for bit, cells, own, other, inwards, end in (
        (EDGE_DIAGONAL, np.s_[:-1, :-1], normal_a, normal_b, v10 - v00, v11),
        (EDGE_X, np.s_[:-1, 1:-1], normal_b[:, 1:], normal_a[:, :-1], v00[:, :-1] - v00[:, 1:], v10[:, 1:]),
        (EDGE_Y, np.s_[1:-1, :-1], normal_a[1:], normal_b[:-1], v00[:-1] - v00[1:], v01[1:]),
    ):
        convex = _convex(own, other, inwards)
        # at the corners of stairs some faces have no area, and walls beside them are folded inside out
        odd = convex & (_is_zero(own) | _is_zero(other))
        outward = own[odd] + other[odd]  # the normal of the one that has an area, zero without any
        ahead = 0.5 * (vertices[cells][odd] + end[odd]) + AHEAD * outward
        convex[odd] = outward.any(axis=-1) & (ahead[:, 2] > _highest_surface(vertices, origin, scale, ahead))
        flags[cells] |= bit * convex.astype(np.uint8)
    return flags


def _highest_surface(vertices: np.ndarray, origin: tuple[float, float], scale: float, points: np.ndarray) -> np.ndarray:
    """Height of the highest triangle over each point, -inf where there is none. points: (n, 3); returns (n,)."""
    height = np.full(len(points), -np.inf)
    cell = np.floor((points[:, :2] - origin) / scale).astype(int)
    for di, dj, k in itertools.product((-1, 0, 1), (-1, 0, 1), (0, 1)):
        i = np.clip(cell[:, 0] + di, 0, vertices.shape[0] - 2)
        j = np.clip(cell[:, 1] + dj, 0, vertices.shape[1] - 2)
        corners = vertices[i, j], vertices[i + 1, j + 1 - k], vertices[i + k, j + 1]
        a, b, c = (corner.astype(float) for corner in corners)
        ab, ac, ap = (side[:, :2] for side in (b - a, c - a, points - a))
        area = _twice_area(ab, ac)
        has_top = np.abs(area) > 1e-6  # is not a wall
        area = np.where(has_top, area, 1.0)
        u, v = _twice_area(ap, ac) / area, _twice_area(ab, ap) / area
        over = has_top & (u > -OVER) & (v > -OVER) & (u + v < 1.0 + OVER)
        surface = a[:, 2] + u * (b - a)[:, 2] + v * (c - a)[:, 2]
        height = np.where(over, np.maximum(height, surface), height)
    return height


def _twice_area(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Of triangles with these sides in the plane, signed; (n, 2) each."""
    return p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]


def _normals(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Unit normals of the triangles a, b, c; zero for triangles without area."""
    normal = np.cross(b - a, c - a)
    length = np.sqrt(_dot(normal, normal))[..., None]
    return np.divide(normal, length, out=np.zeros_like(normal), where=length > 1e-9)


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Over the last axis, which is short: NumPy is slow to sum along such an axis."""
    return np.einsum("...i,...i->...", a, b)


def _is_zero(vectors: np.ndarray) -> np.ndarray:
    return (vectors[..., 0] == 0) & (vectors[..., 1] == 0) & (vectors[..., 2] == 0)


def _convex(normal: np.ndarray, other: np.ndarray, towards_other: np.ndarray) -> np.ndarray:
    """Whether the surface bends down across an edge. towards_other: from the edge to a vertex of the other face."""
    bends = _dot(normal, other) < np.cos(CONVEX_ANGLE)
    flat = _is_zero(normal)  # a collapsed face says nothing: keep the edge if the other face is not flat
    down = _dot(normal, towards_other) < 0.0
    return bends & (down | flat)


def device_mesh(vertices: np.ndarray, triangles: np.ndarray, device: str) -> wp.Mesh:
    """vertices: (n, 3); triangles: (m, 3)."""
    points = wp.array(vertices, dtype=wp.vec3, device=device)
    return wp.Mesh(points=points, indices=wp.array(triangles.ravel(), dtype=int, device=device))


@wp.struct
class TerrainData:
    """Device arrays of a terrain; what its kind does not use stays empty."""

    normal: wp.vec3
    offset: float
    vertices: wp.array2d(dtype=wp.vec3)
    flags: wp.array2d(dtype=wp.uint8)
    top: wp.array2d(dtype=float)
    point_top: wp.array2d(dtype=float)
    origin: wp.vec2
    scale: float
    mesh: wp.uint64
    friction: float
    restitution: float


def upload(terrain: Terrain, device: str) -> tuple[TerrainData, object]:
    """Device copy of a terrain, and an object that must live as long as the copy is used."""
    data = TerrainData()
    data.friction = terrain.friction
    data.restitution = terrain.restitution
    data.vertices = wp.empty((0, 0), dtype=wp.vec3, device=device)
    data.flags = wp.empty((0, 0), dtype=wp.uint8, device=device)
    data.top = data.point_top = wp.empty((0, 0), dtype=float, device=device)
    keep_alive = None
    if isinstance(terrain, Plane):
        data.normal = wp.vec3(*terrain.normal)
        data.offset = terrain.offset
    elif isinstance(terrain, Grid):
        data.vertices = wp.array(terrain.vertices, dtype=wp.vec3, device=device)
        data.flags = wp.array(terrain.flags, dtype=wp.uint8, device=device)
        data.top = wp.array(terrain.top, dtype=float, device=device)
        data.point_top = wp.array(terrain.point_top, dtype=float, device=device)
        data.origin = wp.vec2(*terrain.origin)
        data.scale = terrain.scale
    else:
        keep_alive = device_mesh(*terrain_triangles(terrain), device)
        data.mesh = keep_alive.id
    return data, keep_alive
