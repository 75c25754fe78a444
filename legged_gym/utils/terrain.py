"""The map the robots walk on: a grid of tiles, levels along x and terrain types along y, inside a flat border."""

import difflib
import inspect
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from isaacgym import terrain_utils
from isaacgym.terrain_utils import SubTerrain
from legged_gym.deploy.courses import Course

PLATFORM_SIZE = 3.0  # [m] flat square in the middle of a tile
WIDE_PLATFORM_SIZE = 4.0  # [m] the same on stepping stones and in pits
STEP_WIDTH = 0.301  # [m] means 0.30: terrain_utils truncate to samples, and 0.30 / 0.1 is 2.9999... in floats
GAP_DEPTH = 5.0  # [m]
WAVE_LENGTH = 1.33  # [m] from crest to crest: longer than the robots, and several on a tile
ORIGIN_RADIUS = 1.0  # [m] robots start above the highest ground this near to the tile's centre
RANDOM_DIFFICULTIES = (0.5, 0.75, 0.9)
REPORTED_TILES = 50  # larger maps take seconds, so their construction is announced


class TileRecipe(NamedTuple):
    """A terrain type: `build(tile, difficulty in [0, 1))` shapes a flat tile."""

    name: str
    build: Callable[[SubTerrain, float], Any]


def smooth_slope_up(tile: SubTerrain, difficulty: float) -> None:
    """Pyramid whose centre is lowest."""
    terrain_utils.pyramid_sloped_terrain(tile, slope=-0.4 * difficulty, platform_size=PLATFORM_SIZE)


def smooth_slope_down(tile: SubTerrain, difficulty: float) -> None:
    """Pyramid whose centre is highest."""
    terrain_utils.pyramid_sloped_terrain(tile, slope=0.4 * difficulty, platform_size=PLATFORM_SIZE)


def rough_slope(tile: SubTerrain, difficulty: float) -> None:
    """Pyramid with its centre highest, under random bumps."""
    smooth_slope_down(tile, difficulty)
    bump = 0.01 + 0.07 * difficulty
    terrain_utils.random_uniform_terrain(tile, min_height=-bump, max_height=bump, step=0.005, downsampled_scale=0.2)


def stairs_up(tile: SubTerrain, difficulty: float) -> None:
    """Stairs that the robot climbs to leave the centre."""
    _stairs(tile, -(0.05 + 0.18 * difficulty))


def stairs_down(tile: SubTerrain, difficulty: float) -> None:
    """Stairs that the robot descends to leave the centre."""
    _stairs(tile, 0.05 + 0.18 * difficulty)


def _stairs(tile: SubTerrain, step_height: float) -> None:
    """Pyramid of stairs; a negative height [m] digs it into the ground."""
    terrain_utils.pyramid_stairs_terrain(tile, STEP_WIDTH, step_height, platform_size=PLATFORM_SIZE)


def discrete_obstacles(tile: SubTerrain, difficulty: float) -> None:
    """Twenty rectangular blocks and holes."""
    height = 0.05 + 0.1 * difficulty
    terrain_utils.discrete_obstacles_terrain(tile, height, 1.0, 2.0, 20, platform_size=PLATFORM_SIZE)


def stepping_stones(tile: SubTerrain, difficulty: float) -> None:
    """Square stones above a drop."""
    size, distance = 1.5 * (1.05 - difficulty), 0.05 if difficulty == 0 else 0.1
    terrain_utils.stepping_stones_terrain(tile, size, distance, max_height=0.0, platform_size=WIDE_PLATFORM_SIZE)


def gap(tile: SubTerrain, difficulty: float) -> None:
    """A moat around the centre."""
    gap_terrain(tile, gap_size=difficulty, platform_size=PLATFORM_SIZE)


def pit(tile: SubTerrain, difficulty: float) -> None:
    """A square hole that the robot starts in."""
    pit_terrain(tile, depth=difficulty, platform_size=WIDE_PLATFORM_SIZE)


def waves(tile: SubTerrain, difficulty: float) -> None:
    """Smooth bumps and hollows between a flat centre and a flat edge."""
    x, y = ((np.arange(n) - n // 2) * tile.horizontal_scale for n in tile.height_field_raw.shape)
    x, y = x[:, None], y[None, :]
    from_centre = np.maximum(np.abs(x), np.abs(y))  # [m]
    reach = min(tile.height_field_raw.shape) // 2 * tile.horizontal_scale  # [m] from the centre to the nearest edge
    strength = _smooth_step(from_centre - ORIGIN_RADIUS) * _smooth_step(reach - from_centre)
    amplitude = 0.01 + 0.11 * difficulty  # [m] along each axis
    heights = amplitude * strength * (np.cos(2 * np.pi * x / WAVE_LENGTH) + np.cos(2 * np.pi * y / WAVE_LENGTH))
    tile.height_field_raw[:] = np.rint(heights / tile.vertical_scale)


def _smooth_step(metres: np.ndarray) -> np.ndarray:
    """From 0 at 0 m to 1 at 1 m, flat at both ends."""
    share = np.clip(metres, 0.0, 1.0)
    return share * share * (3 - 2 * share)


def gap_terrain(terrain: SubTerrain, gap_size: float, platform_size: float = 1.0) -> SubTerrain:
    """Surround a square platform of side `platform_size` [m] with a moat `gap_size` [m] wide."""
    inner = round(platform_size / terrain.horizontal_scale / 2)
    outer = inner + round(gap_size / terrain.horizontal_scale)
    heights, moat = terrain.height_field_raw, -round(GAP_DEPTH / terrain.vertical_scale)
    if outer > inner:
        heights[_centre_square(heights, outer)] = moat
        heights[_centre_square(heights, inner)] = 0
    return terrain


def pit_terrain(terrain: SubTerrain, depth: float, platform_size: float = 1.0) -> SubTerrain:
    """Sink a square of side `platform_size` [m] in the middle of the tile by `depth` [m]."""
    half_side = round(platform_size / terrain.horizontal_scale / 2)
    heights = terrain.height_field_raw
    heights[_centre_square(heights, half_side)] = -round(depth / terrain.vertical_scale)
    return terrain


def course_terrain(terrain: SubTerrain, course: str, step_height: float, slope: float) -> SubTerrain:
    """Ground of legged_gym/deploy/courses.py; the middle of the course lies on the tile's middle."""
    along_x = Course(course, step_height, slope).samples()
    skip = len(along_x) // 2 - terrain.width // 2
    heights = np.rint(along_x[skip : skip + terrain.width] / terrain.vertical_scale)
    terrain.height_field_raw[:] = heights.astype(np.int16)[:, None]
    return terrain


def _centre_square(heights: np.ndarray, half_side: int) -> tuple[slice, slice]:
    """Index of the square of 2 * half_side samples in the middle of a tile, cut at the tile's edge."""
    return tuple(slice(max(n // 2 - half_side, 0), n // 2 + half_side) for n in heights.shape)


# Every terrain type, in the order of terrain.terrain_proportions; recipes of one name share its proportion equally.
RECIPES = (
    TileRecipe("smooth_slope", smooth_slope_up),
    TileRecipe("smooth_slope", smooth_slope_down),
    TileRecipe("rough_slope", rough_slope),
    TileRecipe("stairs_up", stairs_up),
    TileRecipe("stairs_down", stairs_down),
    TileRecipe("discrete", discrete_obstacles),
    TileRecipe("stepping_stones", stepping_stones),
    TileRecipe("gap", gap),
    TileRecipe("pit", pit),
    TileRecipe("waves", waves),
)
TYPE_NAMES = tuple(dict.fromkeys(recipe.name for recipe in RECIPES))

# What `terrain_kwargs["type"]` may name when `terrain.selected` is set; the other entries are its arguments.
SELECTABLE = {
    function.__name__: function
    for function in (
        terrain_utils.random_uniform_terrain,
        terrain_utils.sloped_terrain,
        terrain_utils.pyramid_sloped_terrain,
        terrain_utils.discrete_obstacles_terrain,
        terrain_utils.wave_terrain,
        terrain_utils.stairs_terrain,
        terrain_utils.pyramid_stairs_terrain,
        terrain_utils.stepping_stones_terrain,
        gap_terrain,
        pit_terrain,
        course_terrain,
    )
}


class Terrain:
    """Height samples, triangles and robot origins of a map.

    Attributes:
        height_field_raw: (tot_rows, tot_cols) int16, units of `vertical_scale`; sample (i, j) lies at
            x = i * horizontal_scale - border_size, y likewise.
        heightsamples: the same array, by legged_gym's name.
        vertices: (V, 3) float32 [m], x and y counted from the map's corner; trimesh only, else None.
        triangles: (T, 3) uint32; trimesh only, else None.
        env_origins: (num_rows, num_cols, 3) [m], where robots start.
        tile_types: (num_rows, num_cols) names of the terrain types.
    """

    def __init__(self, cfg: Any, num_robots: int) -> None:
        """cfg: the `terrain` section. num_robots is legged_gym's argument; the map does not depend on it."""
        self.cfg = cfg
        self.type = cfg.mesh_type
        self.num_robots = num_robots
        self._thresholds = type_thresholds(cfg.terrain_proportions)
        self.length_per_env_pixels = round(cfg.terrain_length / cfg.horizontal_scale)
        self.width_per_env_pixels = round(cfg.terrain_width / cfg.horizontal_scale)
        self.border = round(cfg.border_size / cfg.horizontal_scale)
        self.tot_rows = cfg.num_rows * self.length_per_env_pixels + 2 * self.border
        self.tot_cols = cfg.num_cols * self.width_per_env_pixels + 2 * self.border
        self.height_field_raw = np.zeros((self.tot_rows, self.tot_cols), dtype=np.int16)
        self.env_origins = np.zeros((cfg.num_rows, cfg.num_cols, 3))
        self.tile_types = np.full((cfg.num_rows, cfg.num_cols), "", dtype=object)
        self._build()

    def _build(self) -> None:
        """Shape all tiles, then the triangles."""
        start = time.time()
        announce = self.cfg.num_rows * self.cfg.num_cols >= REPORTED_TILES
        if announce:
            print(f"Building terrain {self.cfg.num_rows} × {self.cfg.num_cols} tiles … ", end="", flush=True)
        if self.cfg.selected:
            self.selected_terrain()
        elif self.cfg.curriculum:
            self.curriculum()
        else:
            self.randomized_terrain()
        self.heightsamples = self.height_field_raw
        self.vertices, self.triangles = self._triangulate() if self.type == "trimesh" else (None, None)
        if announce:
            print(f"{time.time() - start:.1f} s")

    def _triangulate(self) -> tuple[np.ndarray, np.ndarray]:
        return terrain_utils.convert_heightfield_to_trimesh(
            self.height_field_raw, self.cfg.horizontal_scale, self.cfg.vertical_scale, self.cfg.slope_treshold
        )

    # -- layouts

    def curriculum(self) -> None:
        """Difficulty rises with the row, the type follows the column."""
        for row, col in np.ndindex(self.tile_types.shape):
            self._add(row, col, choice=col / self.cfg.num_cols + 0.001, difficulty=row / self.cfg.num_rows)

    def randomized_terrain(self) -> None:
        """Every tile has a random type and one of three difficulties."""
        for row, col in np.ndindex(self.tile_types.shape):
            self._add(row, col, choice=random.random(), difficulty=random.choice(RANDOM_DIFFICULTIES))

    def selected_terrain(self) -> None:
        """Every tile is of the type and has the arguments in `terrain_kwargs`; of a list, columns take one each."""
        wishes = self.cfg.terrain_kwargs
        wishes = wishes if isinstance(wishes, list) else [wishes]
        selected = [_selected_type(wish) for wish in wishes]
        for row, col in np.ndindex(self.tile_types.shape):
            name, function, arguments = selected[col % len(selected)]
            tile = self._flat_tile()
            function(tile, **arguments)
            self.add_terrain_to_map(tile, row, col, name)

    def _add(self, row: int, col: int, choice: float, difficulty: float) -> None:
        tile, name = self.make_terrain(choice, difficulty)
        self.add_terrain_to_map(tile, row, col, name)

    # -- tiles

    def make_terrain(self, choice: float, difficulty: float) -> tuple[SubTerrain, str]:
        """A tile of the type whose share of [0, 1] contains `choice`, and the type's name."""
        recipe = RECIPES[int(np.searchsorted(self._thresholds, choice, side="right"))]
        tile = self._flat_tile()
        recipe.build(tile, difficulty)
        return tile, recipe.name

    def _flat_tile(self) -> SubTerrain:
        """SubTerrain calls its first axis, our x, the width."""
        return SubTerrain(
            "terrain",
            width=self.length_per_env_pixels,
            length=self.width_per_env_pixels,
            vertical_scale=self.cfg.vertical_scale,
            horizontal_scale=self.cfg.horizontal_scale,
        )

    def add_terrain_to_map(self, terrain: SubTerrain, row: int, col: int, name: str = "") -> None:
        """Copy a tile into the map and note its origin: the centre, on the highest ground near it."""
        x0 = self.border + row * self.length_per_env_pixels
        y0 = self.border + col * self.width_per_env_pixels
        heights = terrain.height_field_raw
        self.height_field_raw[x0 : x0 + heights.shape[0], y0 : y0 + heights.shape[1]] = heights
        radius = round(ORIGIN_RADIUS / self.cfg.horizontal_scale)
        top = heights[_centre_square(heights, radius)].max() * self.cfg.vertical_scale
        self.env_origins[row, col] = (
            (row + 0.5) * self.cfg.terrain_length,
            (col + 0.5) * self.cfg.terrain_width,
            top,
        )
        self.tile_types[row, col] = name


def type_thresholds(proportions: Sequence[float] | Mapping[str, float]) -> np.ndarray:
    """Upper bounds of all recipes' shares but the last one's, in order; the last type also gets what the shares leave.

    proportions: of the types in the order of TYPE_NAMES, or by name. Result: non-decreasing, one entry per recipe up to
    the last with a share.
    """
    shares = _named_shares(proportions)
    if not shares or min(shares.values()) < 0 or len(proportions) > len(TYPE_NAMES):
        raise ValueError(
            f"terrain.terrain_proportions must hold 1 to {len(TYPE_NAMES)} non-negative shares, got {proportions}"
        )
    total = sum(shares.values())
    if total > 1 + 1e-6:
        raise ValueError(f"terrain.terrain_proportions must sum to at most 1, but sum to {total:g}")
    if total == 0:
        raise ValueError("terrain.terrain_proportions are all zero; give at least one terrain type a share")
    num_recipes = Counter(recipe.name for recipe in RECIPES)
    by_recipe = [shares.get(recipe.name, 0.0) / num_recipes[recipe.name] for recipe in RECIPES]
    return np.cumsum(np.trim_zeros(by_recipe, trim="b"))[:-1]


def _named_shares(proportions: Sequence[float] | Mapping[str, float]) -> dict[str, float]:
    if not isinstance(proportions, Mapping):
        return dict(zip(TYPE_NAMES, proportions, strict=False))
    for name in proportions:
        if name not in TYPE_NAMES:
            near = difflib.get_close_matches(str(name), TYPE_NAMES, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(TYPE_NAMES)}"
            raise ValueError(f"terrain.terrain_proportions: there is no terrain type '{name}'; {hint}")
    return dict(proportions)


def _selected_type(terrain_kwargs: dict[str, Any] | None) -> tuple[str, Callable, dict[str, Any]]:
    """Name, function and arguments of the terrain that `terrain_kwargs` selects."""
    arguments = dict(terrain_kwargs or {})
    name = str(arguments.pop("type", "")).removeprefix("terrain_utils.")
    if name not in SELECTABLE:
        raise ValueError(f"terrain.terrain_kwargs['type'] is '{name}', but must be one of: {', '.join(SELECTABLE)}")
    arguments = arguments.pop("terrain_kwargs", arguments)  # legged_gym nests them
    try:
        inspect.signature(SELECTABLE[name]).bind(None, **arguments)
    except TypeError as error:
        raise ValueError(f"terrain.terrain_kwargs do not fit {name}: {error}") from error
    return name, SELECTABLE[name], arguments
