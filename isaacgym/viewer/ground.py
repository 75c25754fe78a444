"""What the ground looks like, in portions that a browser can take.

A grid of 10 x 20 tiles has five million triangles. Near robots it is shown as it is, in square chunks; the rest is
shown from every STRIDE-th vertex. Other meshes are shown whole, or thinned if they have too many triangles.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from isaacgym.engine.terrain import Grid, Mesh, grid_triangles

CHUNK = 64  # cells along the side of a chunk; a multiple of STRIDE
STRIDE = 8  # cells between the vertices shown far from robots
MAX_CHUNKS = 64  # shown in detail: half a million triangles
REACH = 5.0  # [m] around a robot that is shown in detail
SKIRT = 0.6  # [m] that a chunk's edges hang down, over the cracks to its coarse surroundings
MAX_TRIANGLES = 500_000  # of a mesh that is no grid
ChunkId = tuple[int, int]


class Surface(NamedTuple):
    vertices: np.ndarray  # (V, 3) float32, world [m]
    faces: np.ndarray  # (F, 3) uint32


def chunk_surface(grid: Grid, chunk: ChunkId) -> Surface:
    """All triangles of one chunk, and a vertical skirt around it."""
    rows, cols = (np.arange(CHUNK * index, CHUNK * (index + 1) + 1) for index in chunk)
    rows, cols = rows[rows < grid.vertices.shape[0]], cols[cols < grid.vertices.shape[1]]
    vertices, faces = _sampled(grid, rows, cols)
    index = np.arange(len(vertices)).reshape(len(rows), len(cols))
    rim = np.concatenate([index[0, :-1], index[:-1, -1], index[-1, :0:-1], index[:0:-1, 0]])
    top, bottom = rim, len(vertices) + np.arange(len(rim))
    ends = np.roll(top, -1), np.roll(bottom, -1)
    skirt = np.stack([top, bottom, ends[0], ends[0], bottom, ends[1]], axis=1).reshape(-1, 3).astype(np.uint32)
    hem = vertices[rim] - np.array([0.0, 0.0, SKIRT], dtype=np.float32)
    return Surface(np.concatenate([vertices, hem]), np.concatenate([faces, skirt]))


class CoarseGrid:
    """The whole grid from every STRIDE-th vertex, with holes where chunks are shown in detail."""

    def __init__(self, grid: Grid) -> None:
        rows, cols = (_strided(size) for size in grid.vertices.shape[:2])
        self.surface = _sampled(grid, rows, cols)
        cells = np.meshgrid(rows[:-1] // CHUNK, cols[:-1] // CHUNK, indexing="ij")
        self._chunk_of_face = np.repeat(np.stack([axis.ravel() for axis in cells], axis=1), 2, axis=0)  # (F, 2)

    def faces_without(self, chunks: Iterable[ChunkId]) -> np.ndarray:
        """The faces outside of some chunks, (F, 3)."""
        hidden = np.zeros(self._chunk_of_face.max(axis=0) + 1, dtype=bool)
        for chunk in chunks:
            hidden[chunk] = True
        return self.surface.faces[~hidden[tuple(self._chunk_of_face.T)]]


def chunks_near(grid: Grid, points: np.ndarray) -> list[ChunkId]:
    """Chunks within about REACH of world points (N, 2 or 3), those of the first points first, at most MAX_CHUNKS."""
    last = (np.array(grid.vertices.shape[:2]) - 2) // CHUNK
    cells = (points[:, :2] - np.array(grid.origin)) / (grid.scale * CHUNK)
    reach = REACH / (grid.scale * CHUNK)
    low = np.clip(np.floor(cells - reach), 0, last).astype(int)
    high = np.clip(np.floor(cells + reach), 0, last).astype(int)
    found: dict[ChunkId, None] = {}  # an ordered set
    for (i_low, j_low), (i_high, j_high) in zip(low.tolist(), high.tolist(), strict=True):
        found |= {(i, j): None for i in range(i_low, i_high + 1) for j in range(j_low, j_high + 1)}
    return list(found)[:MAX_CHUNKS]


def mesh_surface(mesh: Mesh, max_triangles: int = MAX_TRIANGLES) -> Surface:
    """A mesh; with too many triangles, its vertices are merged within ever larger cells until they are few enough."""
    vertices, faces = mesh.vertices.astype(np.float32), mesh.triangles.astype(np.uint32)
    cell = float(np.ptp(vertices, axis=0).max()) / 1000.0
    while len(faces) > max_triangles:
        _, group = np.unique(np.floor(vertices / cell), axis=0, return_inverse=True)
        group = group.reshape(-1)
        count = np.bincount(group)
        vertices = np.stack([np.bincount(group, axis) / count for axis in vertices.T], axis=1).astype(np.float32)
        faces = group[faces].astype(np.uint32)
        faces = faces[(faces != np.roll(faces, 1, axis=1)).all(axis=1)]  # the others have lost their area
        cell *= 2.0
    return Surface(vertices, faces)


def _strided(size: int) -> np.ndarray:
    """Every STRIDE-th of `size` indices, and the last one."""
    return np.append(np.arange(0, size - 1, STRIDE), size - 1)


def _sampled(grid: Grid, rows: np.ndarray, cols: np.ndarray) -> Surface:
    """The grid's surface from these rows and columns of vertices."""
    vertices = grid.vertices[np.ix_(rows, cols)].reshape(-1, 3)
    return Surface(vertices.astype(np.float32), grid_triangles(len(rows), len(cols)).astype(np.uint32))
