"""What robots tell for the curves of a training, against their states."""

import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from small_envs import NUM_ENVS

from legged_gym.envs import LeggedRobot
from legged_gym.runs.state_figure import StateSample, draw_state

TOLERANCE = 1e-5  # float32 sums in another order


def test_every_reward_term_has_one_group() -> None:
    terms = sorted(name.removeprefix("_reward_") for name in dir(LeggedRobot) if name.startswith("_reward_"))
    assert sorted(name for names in LeggedRobot.reward_groups.values() for name in names) == terms


def test_reward_rates_are_those_of_the_step(flat_env: Any) -> None:
    flat_env.reset()
    flat_env.episode_length_buf[:] = 0
    result = flat_env.step(torch.zeros(NUM_ENVS, 12))
    log = result.extras["log"]
    assert not result.dones.any() and not flat_env.cfg.rewards.only_positive_rewards
    assert sum(log.values()).item() == pytest.approx(result.rewards.mean().item() / flat_env.dt, rel=TOLERANCE)
    expected = -2.0 * flat_env.base_lin_vel[:, 2].square().mean()
    assert log["Reward/motion/lin_vel_z"].item() == pytest.approx(expected.item(), rel=TOLERANCE)


def test_a_term_of_a_subclass_is_not_lost(flat_env: Any) -> None:
    assert flat_env._tag_of_reward("backflips") == "Reward/other/backflips"


def test_the_layout_covers_the_groups_in_use(flat_env: Any, rough_env: Any) -> None:
    groups = ["tracking", "motion", "joints", "gait", "limits"]  # of weights that are not zero
    assert flat_env.curve_layout == {"Reward per second": {group: [f"Reward/{group}/.*"] for group in groups}}
    assert list(rough_env.curve_layout) == ["Reward per second", "Terrain level"]


def test_levels_are_sorted_by_the_type_of_the_robots_tile(rough_env: Any) -> None:
    rough_env.reset()
    levels = rough_env.terrain_levels.clone()
    rough_env.terrain_levels[:] = torch.arange(NUM_ENVS) % 3
    columns = rough_env.terrain_types.tolist()
    expected: dict[str, list[int]] = {}
    for robot, column in enumerate(columns):
        expected.setdefault(rough_env.terrain.tile_types[0][column], []).append(robot % 3)
    assert rough_env._levels_by_type() == expected
    rough_env.terrain_levels[:] = levels


@pytest.mark.parametrize(("name", "panels"), [("flat_env", (3, 1)), ("rough_env", (2, 2))])
def test_the_picture_shows_the_state_and_changes_nothing(
    name: str, panels: tuple[int, int], request: pytest.FixtureRequest
) -> None:
    env = request.getfixturevalue(name)
    env.reset()
    before = env.get_state()["tensors"]
    ((tag, png),) = env.figures().items()
    after = env.get_state()["tensors"]
    assert [key for key in before if not torch.equal(before[key].nan_to_num(), after[key].nan_to_num())] == []
    assert tag == "State/commands_and_levels"
    width, height = Image.open(io.BytesIO(png)).size
    assert width / height == pytest.approx(panels[0] * 4.5 / (panels[1] * 3.7), rel=0.01)


def blue_centre(commanded: float, measured: float) -> tuple[float, float]:
    """Where the first panel has the points of robots that all do the same: row and column, as shares of the picture.

    Two robots far off, on the diagonal, hold the axes fixed.
    """
    commands, lin_vel = np.zeros((2, 102, 3))
    commands[:100, 0], lin_vel[:100, 0] = commanded, measured
    commands[100:, 0] = lin_vel[100:, 0] = (-2.0, 2.0)
    png = draw_state(StateSample(commands, lin_vel, np.zeros((102, 3)), {}, 0))
    pixels = np.asarray(Image.open(io.BytesIO(png)))[..., :3].astype(int)
    third = pixels[:, : pixels.shape[1] // 3]
    is_blue = third[..., 2] - third[..., 0] > 60
    rows, columns = np.nonzero(is_blue)
    return np.median(rows) / third.shape[0], np.median(columns) / third.shape[1]


def test_points_lie_where_command_and_velocity_put_them() -> None:
    row, column = blue_centre(commanded=1.0, measured=-1.0)
    other_row, other_column = blue_centre(commanded=-1.0, measured=1.0)
    assert column - other_column > 0.3 and row - other_row > 0.3  # rows count downwards
