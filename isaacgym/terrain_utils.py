"""Generators of height-field terrain, and its conversion to a triangle mesh with vertical walls.

Heights are int16 in units of vertical_scale; sample [i, j] lies at x = i·horizontal_scale, y = j·horizontal_scale.
Lengths are given in metres and become samples by truncation toward zero, `int()`, so that results equal Isaac Gym's
to the sample. Random numbers come from numpy's global generator in the documented order. Every generator changes the
terrain in place and returns it.
"""
# ruff: noqa: NPY002  callers seed numpy's global generator and expect its numbers

import numpy as np
from scipy.interpolate import RegularGridInterpolator


class SubTerrain:
    """One patch of terrain. width counts samples along x, length along y; scales are in metres."""

    def __init__(
        self,
        terrain_name: str = "terrain",
        width: int = 256,
        length: int = 256,
        vertical_scale: float = 1.0,
        horizontal_scale: float = 1.0,
    ) -> None:
        self.terrain_name = terrain_name
        self.vertical_scale = vertical_scale
        self.horizontal_scale = horizontal_scale
        self.width = width
        self.length = length
        self.height_field_raw = np.zeros((width, length), dtype=np.int16)


def random_uniform_terrain(
    terrain: SubTerrain,
    min_height: float,
    max_height: float,
    step: float = 1,
    downsampled_scale: float | None = None,
) -> SubTerrain:
    """Add noise: random heights on a coarse grid, interpolated linearly.

    Args:
        min_height, max_height: [m], both included.
        step: between possible heights [m].
        downsampled_scale: spacing of the coarse grid [m]; default: the terrain's own.
    """
    hs, vs = terrain.horizontal_scale, terrain.vertical_scale
    if downsampled_scale is None:
        downsampled_scale = hs
    low, high, step_units = int(min_height / vs), int(max_height / vs), int(step / vs)
    if step_units == 0:
        raise ValueError(f"step {step} m is below the vertical scale {vs} m; make it at least one unit")
    heights = np.arange(low, high + step_units, step_units)
    extent_x, extent_y = terrain.width * hs, terrain.length * hs
    coarse = np.random.choice(heights, (int(extent_x / downsampled_scale), int(extent_y / downsampled_scale)))

    def axes(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        return np.linspace(0, extent_x, shape[0]), np.linspace(0, extent_y, shape[1])

    x, y = axes(terrain.height_field_raw.shape)
    fine = RegularGridInterpolator(axes(coarse.shape), coarse.astype(float), method="linear")(
        tuple(np.meshgrid(x, y, indexing="ij"))
    )
    terrain.height_field_raw += np.rint(fine).astype(np.int16)
    return terrain


def sloped_terrain(terrain: SubTerrain, slope: float = 1) -> SubTerrain:
    """Add a plane that rises along x; slope is rise over run."""
    top = int(slope * (terrain.horizontal_scale / terrain.vertical_scale) * terrain.width)
    rise = (top * np.arange(terrain.width) / terrain.width).astype(np.int16)
    terrain.height_field_raw += rise[:, None]
    return terrain


def pyramid_sloped_terrain(terrain: SubTerrain, slope: float = 1, platform_size: float = 1.0) -> SubTerrain:
    """Add a pyramid (slope > 0) or a pit (slope < 0) with a flat square in the middle, platform_size [m] wide."""
    width, length = terrain.width, terrain.length
    center_x, center_y = int(width / 2), int(length / 2)
    toward_x = (center_x - np.abs(center_x - np.arange(width)))[:, None] / center_x
    toward_y = (center_y - np.abs(center_y - np.arange(length)))[None, :] / center_y
    top = int(slope * (terrain.horizontal_scale / terrain.vertical_scale) * (width / 2))
    terrain.height_field_raw += (top * toward_x * toward_y).astype(np.int16)
    half = int(platform_size / terrain.horizontal_scale / 2)
    platform = terrain.height_field_raw[width // 2 - half, length // 2 - half]
    terrain.height_field_raw = np.clip(terrain.height_field_raw, min(platform, 0), max(platform, 0))
    return terrain


def discrete_obstacles_terrain(
    terrain: SubTerrain,
    max_height: float,
    min_size: float,
    max_size: float,
    num_rects: int,
    platform_size: float = 1.0,
) -> SubTerrain:
    """Stamp num_rects random boxes and pits; the square in the middle, platform_size [m] wide, becomes 0.

    Heights are ±max_height or half of it [m]; sides are between min_size and max_size [m] in steps of 4 samples.
    """
    height = int(max_height / terrain.vertical_scale)
    sizes = range(int(min_size / terrain.horizontal_scale), int(max_size / terrain.horizontal_scale), 4)
    heights = [-height, -height // 2, height // 2, height]
    pick = np.random.choice
    for _ in range(num_rects):
        width, length = pick(sizes), pick(sizes)
        i = pick(range(0, terrain.width - width, 4))
        j = pick(range(0, terrain.length - length, 4))
        terrain.height_field_raw[i : i + width, j : j + length] = pick(heights)
    _clear_platform(terrain, platform_size)
    return terrain


def wave_terrain(terrain: SubTerrain, num_waves: int = 1, amplitude: float = 1.0) -> SubTerrain:
    """Add waves along both axes; amplitude [m] from trough to crest of one of them."""
    amplitude_units = int(0.5 * amplitude / terrain.vertical_scale)
    if num_waves > 0:
        divisor = terrain.length / (num_waves * np.pi * 2)
        along_y = amplitude_units * np.cos(np.arange(terrain.length) / divisor)[None, :]
        along_x = amplitude_units * np.sin(np.arange(terrain.width) / divisor)[:, None]
        terrain.height_field_raw += (along_y + along_x).astype(np.int16)
    return terrain


def stairs_terrain(terrain: SubTerrain, step_width: float, step_height: float) -> SubTerrain:
    """Add a staircase along x; step_width and step_height [m]."""
    width, height = _step_samples(terrain, step_width), int(step_height / terrain.vertical_scale)
    steps = np.arange(terrain.width) // width + 1
    steps[terrain.width // width * width :] = 0  # what is left after the last whole step stays as it is
    terrain.height_field_raw += (steps * height).astype(np.int16)[:, None]
    return terrain


def pyramid_stairs_terrain(
    terrain: SubTerrain, step_width: float, step_height: float, platform_size: float = 1.0
) -> SubTerrain:
    """Concentric square steps up to (step_height > 0) or down to (< 0) a platform; all sizes in metres.

    The outermost ring, one step wide, is left as it is.
    """
    width, step = _step_samples(terrain, step_width), int(step_height / terrain.vertical_scale)
    platform = int(platform_size / terrain.horizontal_scale)
    height, margin = 0, 0
    while min(terrain.width, terrain.length) - 2 * margin > platform:
        margin += width
        height += step
        terrain.height_field_raw[margin : terrain.width - margin, margin : terrain.length - margin] = height
    return terrain


def stepping_stones_terrain(
    terrain: SubTerrain,
    stone_size: float,
    stone_distance: float,
    max_height: float,
    platform_size: float = 1.0,
    depth: float = -10,
) -> SubTerrain:
    """Square stones in a pit of `depth` [m], in rows across the shorter side; the middle square becomes 0.

    Rows start at random offsets; stone heights are random up to ±max_height [m].
    """
    stone = int(stone_size / terrain.horizontal_scale)
    gap = int(stone_distance / terrain.horizontal_scale)
    height = int(max_height / terrain.vertical_scale)
    heights = np.arange(-height - 1, height, step=1)
    if stone == 0:
        raise ValueError(f"stone_size {stone_size} m is below the horizontal scale {terrain.horizontal_scale} m")
    terrain.height_field_raw[:] = int(depth / terrain.vertical_scale)
    # A view whose second axis is the longer side: rows of stones follow each other along it.
    field = terrain.height_field_raw if terrain.length >= terrain.width else terrain.height_field_raw.T
    across, along = field.shape
    pick = np.random.choice
    for row in range(0, along, stone + gap):
        columns = slice(row, min(along, row + stone))
        start = np.random.randint(0, stone)
        field[0 : max(0, start - gap), columns] = pick(heights)
        while start < across:
            field[start : min(across, start + stone), columns] = pick(heights)
            start += stone + gap
    _clear_platform(terrain, platform_size)
    return terrain


def convert_heightfield_to_trimesh(
    height_field_raw: np.ndarray,
    horizontal_scale: float,
    vertical_scale: float,
    slope_threshold: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Triangulate a height field.

    This is Isaac Gym's formula with its quirks: the foot of a straight wall also moves by a cell along the wall, and
    at inner corners on one of the two diagonals a triangle folds over and faces down.

    Args:
        height_field_raw: (rows, columns) in units of vertical_scale.
        slope_threshold: rise over run beyond which a slope becomes a vertical wall: its lower vertex moves sideways by
            one cell, under the upper one. None keeps all slopes.

    Returns:
        Vertices (rows·columns, 3) float32 [m], of which number i·columns + j belongs to sample [i, j], and triangles
        (2·(rows-1)·(columns-1), 3) uint32, counter-clockwise from above.
    """
    height = np.asarray(height_field_raw)
    rows, columns = height.shape
    x, y = np.meshgrid(
        np.linspace(0, (rows - 1) * horizontal_scale, rows),
        np.linspace(0, (columns - 1) * horizontal_scale, columns),
        indexing="ij",
    )
    if slope_threshold is not None:
        threshold = slope_threshold * (horizontal_scale / vertical_scale)
        wide = height.astype(np.int32) if height.dtype.kind in "iu" else height  # int16 differences could overflow
        move_x, move_y, move_both = (np.zeros((rows, columns), dtype=np.int8) for _ in range(3))
        rise = wide[1:, :] - wide[:-1, :]
        move_x[:-1, :] += rise > threshold
        move_x[1:, :] -= -rise > threshold
        rise = wide[:, 1:] - wide[:, :-1]
        move_y[:, :-1] += rise > threshold
        move_y[:, 1:] -= -rise > threshold
        rise = wide[1:, 1:] - wide[:-1, :-1]
        move_both[:-1, :-1] += rise > threshold
        move_both[1:, 1:] -= -rise > threshold
        x += (move_x + move_both * (move_x == 0)) * horizontal_scale
        y += (move_y + move_both * (move_y == 0)) * horizontal_scale

    vertices = np.empty((rows, columns, 3), dtype=np.float32)
    vertices[..., 0], vertices[..., 1], vertices[..., 2] = x, y, height * vertical_scale

    index = np.arange(rows * columns, dtype=np.uint32).reshape(rows, columns)
    corner, next_y, next_x, both = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    triangles = np.stack([corner, both, next_y, corner, next_x, both], axis=-1)
    return vertices.reshape(-1, 3), triangles.reshape(-1, 3)


def _step_samples(terrain: SubTerrain, step_width: float) -> int:
    samples = int(step_width / terrain.horizontal_scale)
    if samples < 1:
        raise ValueError(f"step_width {step_width} m is below the horizontal scale {terrain.horizontal_scale} m")
    return samples


def _clear_platform(terrain: SubTerrain, platform_size: float) -> None:
    """Set the square in the middle to 0."""
    size = int(platform_size / terrain.horizontal_scale)
    spans = (slice((n - size) // 2, (n + size) // 2) for n in (terrain.width, terrain.length))
    terrain.height_field_raw[tuple(spans)] = 0
