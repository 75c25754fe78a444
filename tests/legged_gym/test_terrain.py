"""Tiles by formula, the map's layout, origins and its errors."""

import numpy as np
import pytest

from legged_gym.envs.base.legged_robot_config import LeggedRobotCfg
from legged_gym.utils.helpers import set_seed
from legged_gym.utils.terrain import Terrain

ALL_TYPES = [0.125] * 8  # but waves
VERTICAL_SCALE = 0.005
CENTRE, TILE = 40, 80  # samples


def terrain_cfg(**changes: object) -> LeggedRobotCfg.terrain:
    cfg = LeggedRobotCfg().terrain
    cfg.mesh_type, cfg.num_rows, cfg.num_cols, cfg.border_size = "heightfield", 2, 4, 1.0
    for name, value in changes.items():
        setattr(cfg, name, value)
    return cfg


def tile(choice: float, difficulty: float, proportions: list[float] = ALL_TYPES) -> tuple[np.ndarray, str]:
    """Heights [raw units] and name of one tile."""
    set_seed(3)
    terrain = Terrain(terrain_cfg(num_rows=1, num_cols=1, terrain_proportions=proportions), 1)
    sub_terrain, name = terrain.make_terrain(choice, difficulty)
    return sub_terrain.height_field_raw, name


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        (0.01, "smooth_slope"),
        (0.124, "smooth_slope"),
        (0.126, "rough_slope"),
        (0.26, "stairs_up"),
        (0.38, "stairs_down"),
        (0.51, "discrete"),
        (0.63, "stepping_stones"),
        (0.76, "gap"),
        (0.88, "pit"),
    ],
)
def test_choice_picks_the_type_by_cumulative_share(choice: float, name: str) -> None:
    assert tile(choice, 0.5)[1] == name


def test_smooth_slopes_are_valleys_first_and_hills_second() -> None:
    valley, hill = tile(0.01, 0.5)[0], tile(0.1, 0.5)[0]
    # Slope 0.2 over the 2.5 m from the edge to the platform, on both axes' product.
    top = hill[CENTRE, CENTRE]
    assert hill.max() == top > 0 and hill[0].max() == 0
    assert np.array_equal(valley, -hill)


def test_slope_grows_with_difficulty() -> None:
    hill = tile(0.1, 0.5)[0]
    # Along the middle line one sample further in is 0.2 * 0.1 m = 4 units higher.
    assert hill[10, CENTRE] - hill[5, CENTRE] == pytest.approx(5 * 4, abs=1)


def test_rough_slope_bumps_stay_in_their_bounds() -> None:
    flat, steep = tile(0.2, 0.0)[0], tile(0.2, 1.0)[0]
    assert np.abs(flat).max() == 2 and len(np.unique(flat)) > 3  # +-0.01 m
    assert np.abs(steep).max() > 16


@pytest.mark.parametrize(("choice", "sign"), [(0.3, -1), (0.45, 1)])
def test_stairs_have_the_step_height_of_their_difficulty(choice: float, sign: int) -> None:
    stairs = tile(choice, 0.5)[0]
    step = int(0.14 / VERTICAL_SCALE)  # 0.05 + 0.18 / 2
    line = stairs[:CENTRE, CENTRE]
    assert set(np.unique(np.diff(line))) == {0, sign * step}
    assert (line[0:3] == 0).all() and (line[3:6] == sign * step).all()
    platform = stairs[CENTRE - 13 : CENTRE + 13, CENTRE - 13 : CENTRE + 13]
    assert (platform == line[-1]).all()


def test_waves_are_smooth_and_leave_centre_and_edge_flat() -> None:
    raw, name = tile(0.5, 0.5, {"waves": 1.0})
    heights = raw * VERTICAL_SCALE
    assert name == "waves"
    assert (heights[CENTRE - 10 : CENTRE + 11, CENTRE - 10 : CENTRE + 11] == 0).all()
    assert (heights[0] == 0).all() and (heights[:, 0] == 0).all()
    # full strength from 2 m to 3 m beside the centre: cosines of 0.065 m along each axis, 1.33 m long
    x, y = 2.5, np.arange(-20, 21) / 10
    expected = 0.065 * (np.cos(2 * np.pi * x / 1.33) + np.cos(2 * np.pi * y / 1.33))
    np.testing.assert_allclose(heights[CENTRE + 25, CENTRE - 20 : CENTRE + 21], expected, atol=0.0026)
    for axis in (0, 1):  # 0.065 * 2 pi / 1.33 = 0.31, and steps of 5 mm on 10 cm
        assert np.abs(np.diff(heights, axis=axis)).max() / 0.1 < 0.31 + 0.05
    steepest = tile(0.5, 0.9, {"waves": 1.0})[0] * VERTICAL_SCALE
    assert np.abs(np.diff(steepest, axis=0)).max() / 0.1 < LeggedRobotCfg.terrain.slope_treshold  # no walls


def test_training_has_no_waves() -> None:
    cfg = terrain_cfg(num_cols=20, terrain_proportions=LeggedRobotCfg.terrain.terrain_proportions)
    assert "waves" not in set(Terrain(cfg, 1).tile_types.ravel())


def test_discrete_obstacles_spare_the_platform() -> None:
    heights = tile(0.55, 0.5)[0]
    assert set(np.unique(heights)) <= {-20, -10, 0, 10, 20}  # +-0.1 m and half of it
    assert not heights[26:54, 26:54].any() and heights.any()


def test_stepping_stones_leave_gaps_and_a_wide_platform() -> None:
    heights = tile(0.7, 0.5)[0]
    assert heights.min() < -500 and not heights[21:59, 21:59].any()


def test_gap_is_a_moat_around_a_three_metre_platform() -> None:
    line = tile(0.8, 0.5)[0][:, CENTRE]
    assert (line[CENTRE - 15 : CENTRE + 15] == 0).all()
    assert (line[CENTRE - 20 : CENTRE - 15] == -1000).all() and (line[CENTRE + 15 : CENTRE + 20] == -1000).all()
    assert line[CENTRE - 21] == 0 and line[CENTRE + 20] == 0


def test_gap_without_difficulty_is_flat() -> None:
    assert not tile(0.8, 0.0)[0].any()


def test_pit_is_four_metres_wide_and_as_deep_as_difficult() -> None:
    heights = tile(0.9, 0.3)[0]
    assert (heights[20:60, 20:60] == -60).all()
    assert (heights != 0).sum() == 40 * 40


def test_levels_rise_along_x_and_types_along_y() -> None:
    terrain = Terrain(terrain_cfg(terrain_proportions=[0, 0, 0.5, 0.5]), 8)
    assert terrain.tile_types.tolist() == [["stairs_up", "stairs_up", "stairs_down", "stairs_down"]] * 2
    step_easy, step_hard = 10, int((0.05 + 0.18 * 0.5) / VERTICAL_SCALE)
    border = 10
    middle = border + CENTRE + 2 * TILE
    assert terrain.height_field_raw[border + 4, middle] == step_easy
    assert terrain.height_field_raw[border + TILE + 4, middle] == step_hard


def test_map_is_int16_with_a_flat_border() -> None:
    terrain = Terrain(terrain_cfg(), 8)
    heights = terrain.height_field_raw
    assert heights.dtype == np.int16 and heights.shape == (2 * TILE + 20, 4 * TILE + 20)
    assert heights[10:-10, 10:-10].any()
    heights = heights.copy()
    heights[10:-10, 10:-10] = 0
    assert not heights.any()


def test_origins_are_the_tiles_centres_on_the_highest_ground_near() -> None:
    terrain = Terrain(terrain_cfg(terrain_proportions=[0, 0, 0.5, 0.5]), 8)
    x, y, z = terrain.env_origins[1, 3]
    assert (x, y) == (12.0, 28.0)
    centre = terrain.height_field_raw[10 + TILE + CENTRE, 10 + 3 * TILE + CENTRE]
    assert z == pytest.approx(centre * VERTICAL_SCALE) and z > 0.5
    assert terrain.env_origins[1, 0, 2] < -0.5


def test_random_layout_uses_the_three_difficulties() -> None:
    set_seed(1)
    cfg = terrain_cfg(curriculum=False, num_rows=4, terrain_proportions=[0, 0, 0, 1.0])
    terrain = Terrain(cfg, 8)
    steps = {terrain.height_field_raw[10 + row * TILE + 4, 10 + col * TILE + CENTRE] for row, col in np.ndindex(4, 4)}
    assert steps == {int((0.05 + 0.18 * d) / VERTICAL_SCALE) for d in (0.5, 0.75, 0.9)}


@pytest.mark.parametrize(
    "kwargs",
    [
        {"type": "pyramid_stairs_terrain", "step_width": 0.5, "step_height": 0.1, "platform_size": 2.0},
        {"type": "terrain_utils.pyramid_stairs_terrain", "terrain_kwargs": {"step_width": 0.5, "step_height": 0.1}},
        {"type": "pit_terrain", "depth": 0.4},
    ],
)
def test_selected_type_fills_every_tile_and_keeps_the_config(kwargs: dict) -> None:
    cfg = terrain_cfg(selected=True, terrain_kwargs=dict(kwargs))
    terrain = Terrain(cfg, 8)
    tiles = terrain.height_field_raw[10:-10, 10:-10].reshape(2, TILE, 4, TILE).swapaxes(1, 2).reshape(8, TILE, TILE)
    assert tiles.any() and (tiles == tiles[0]).all()
    assert cfg.terrain_kwargs == kwargs


def test_trimesh_has_two_triangles_per_cell_and_vertical_walls() -> None:
    terrain = Terrain(terrain_cfg(mesh_type="trimesh", num_cols=1, terrain_proportions=[0, 0, 0, 1.0]), 1)
    rows, cols = terrain.height_field_raw.shape
    assert terrain.vertices.shape == (rows * cols, 3)
    assert terrain.triangles.shape == (2 * (rows - 1) * (cols - 1), 3)
    x = terrain.vertices[:, 0].reshape(rows, cols)
    middle, first_step = 10 + CENTRE, 10 + TILE + 3  # of the harder row
    # The lower vertex in front of the step is moved under the higher one.
    assert x[first_step - 1, middle] == x[first_step, middle] == pytest.approx(9.3)


def test_same_seed_gives_the_same_map() -> None:
    maps = []
    for seed in (5, 5, 6):
        set_seed(seed)
        maps.append(Terrain(terrain_cfg(curriculum=False), 8).height_field_raw)
    assert np.array_equal(maps[0], maps[1]) and not np.array_equal(maps[0], maps[2])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"terrain_proportions": [0.5, 0.6]}, "sum to at most 1, but sum to 1.1"),
        ({"terrain_proportions": [-0.5, 0.6]}, "non-negative"),
        ({"terrain_proportions": [0.0] * 99}, "1 to [0-9]+ non-negative shares"),
        ({"terrain_proportions": {}}, "1 to [0-9]+ non-negative shares"),
        ({"terrain_proportions": {"stairs": 1.0}}, "no terrain type 'stairs'; did you mean 'stairs_up'"),
        ({"terrain_proportions": {"moon": 1.0}}, "no terrain type 'moon'; known: smooth_slope, rough_slope"),
        ({"terrain_proportions": [0.0, 0.0]}, "all zero"),
        ({"selected": True}, "must be one of: random_uniform_terrain"),
        ({"selected": True, "terrain_kwargs": {"type": "pit_terrain", "hole": 1}}, "do not fit pit_terrain"),
    ],
)
def test_impossible_terrain_is_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Terrain(terrain_cfg(**changes), 1)


def test_what_the_shares_leave_goes_to_the_last_type_with_a_share() -> None:
    assert tile(0.95, 0.5, [0.0, 0.2, 0.3, 0.0])[1] == "stairs_up"


def test_shares_may_be_given_by_name() -> None:
    terrain = Terrain(terrain_cfg(terrain_proportions={"pit": 0.25, "stairs_up": 0.75}), 8)
    assert terrain.tile_types.tolist() == [["stairs_up", "stairs_up", "stairs_up", "pit"]] * 2
