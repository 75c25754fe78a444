"""Columns, noise and history of the observations."""

import pytest
import torch

from legged_gym.envs.aliengo.aliengo_config import AliengoRoughCfg
from legged_gym.envs.base.observations import (
    RobotState,
    add_uniform_noise,
    build_frame,
    configured_layout,
    frame_layout,
    noise_half_widths,
    pushed_history,
)

CFG = AliengoRoughCfg()
LAYOUT = configured_layout(CFG)


def robot_state() -> RobotState:
    """Two robots; every quantity has its own constant."""
    n, dofs, points = 2, 12, 187
    return RobotState(
        commands=torch.tensor([[2.0, 3.0, 5.0, 99.0]]).repeat(n, 1),
        base_ang_vel=torch.full((n, 3), 7.0),
        projected_gravity=torch.full((n, 3), 0.11),
        dof_offset=torch.full((n, dofs), 0.13),
        dof_vel=torch.full((n, dofs), 17.0),
        actions=torch.full((n, dofs), 0.19),
        base_lin_vel=torch.full((n, 3), 23.0),
        disturbance=torch.full((n, 3), 29.0),
        base_height=torch.tensor([1.0, 4.0]),
        measured_heights=torch.full((n, points), 0.31),
    )


def test_sizes_are_those_of_the_published_networks() -> None:
    assert (LAYOUT.num_actor, LAYOUT.num_critic) == (45, 238)


@pytest.mark.parametrize(
    ("name", "first", "last", "value"),
    [
        ("base_ang_vel", 3, 6, 7.0 * 0.25),
        ("projected_gravity", 6, 9, 0.11),
        ("dof_pos", 9, 21, 0.13),
        ("dof_vel", 21, 33, 17.0 * 0.05),
        ("actions", 33, 45, 0.19),
        ("base_lin_vel", 45, 48, 23.0 * 2),
        ("disturbance", 48, 51, 29.0),
        ("heights", 51, 238, (1.0 - 0.5 - 0.31) * 5),
    ],
)
def test_columns_hold_the_scaled_quantity(name: str, first: int, last: int, value: float) -> None:
    frame = build_frame(robot_state(), CFG.normalization.obs_scales)
    assert LAYOUT.columns[name] == slice(first, last)
    assert frame[0, first:last] == pytest.approx(torch.full((last - first,), value))


def test_commands_are_scaled_per_column() -> None:
    frame = build_frame(robot_state(), CFG.normalization.obs_scales)
    assert frame[0, :3].tolist() == [4.0, 6.0, 1.25]


def test_height_columns_are_clipped_at_one_metre() -> None:
    frame = build_frame(robot_state(), CFG.normalization.obs_scales)
    assert frame[1, LAYOUT.columns["heights"]].unique().tolist() == [5.0]


def test_noise_has_the_published_half_widths() -> None:
    widths = noise_half_widths(LAYOUT, CFG.noise, CFG.normalization.obs_scales, "cpu")
    expected = [0.0] * 3 + [0.05] * 3 + [0.05] * 3 + [0.01] * 12 + [0.075] * 12 + [0.0] * 18 + [0.5] * 187
    assert widths == pytest.approx(torch.tensor(expected))


def test_noise_level_scales_all_noise() -> None:
    cfg = AliengoRoughCfg()
    cfg.noise.noise_level = 3.0
    widths = noise_half_widths(LAYOUT, cfg.noise, cfg.normalization.obs_scales, "cpu")
    assert widths[21] == pytest.approx(0.225)


def test_noise_is_uniform_within_its_half_width() -> None:
    torch.manual_seed(0)
    noise = add_uniform_noise(torch.zeros(4000, 2), torch.tensor([0.0, 0.6]))
    assert noise[:, 0].abs().max() == 0
    assert noise[:, 1].min() < -0.59 and noise[:, 1].max() > 0.59 and noise[:, 1].abs().max() <= 0.6
    assert noise[:, 1].std().item() == pytest.approx(0.6 / 3**0.5, rel=0.03)


def test_history_shifts_and_keeps_the_newest_frame_first() -> None:
    history = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])  # three frames of two columns
    pushed = pushed_history(history, torch.tensor([[7.0, 8.0]]), torch.tensor([False]))
    assert pushed.tolist() == [[7, 8, 1, 2, 3, 4]]


def test_history_of_a_new_episode_holds_its_first_frame_everywhere() -> None:
    history = torch.arange(12.0).view(2, 6)
    pushed = pushed_history(history, torch.tensor([[70.0, 80.0], [90.0, 91.0]]), torch.tensor([False, True]))
    assert pushed.tolist() == [[70, 80, 0, 1, 2, 3], [90, 91, 90, 91, 90, 91]]


def test_a_robot_with_other_joints_gets_its_own_columns() -> None:
    layout = frame_layout(num_actions=3, num_height_points=0)
    assert layout.columns["actions"] == slice(15, 18)
    assert (layout.num_actor, layout.num_critic) == (18, 24)
