"""Command drawing, speed rules and heading control."""

import math

import pytest
import torch

from legged_gym.envs.base.commands import (
    CommandRanges,
    alternating_signs,
    apply_speed_rules,
    draw_commands,
    heading_yaw_rate,
    high_velocity_mask,
    turn,
)

TOLERANCE = 1e-5  # float32 angles


def yaw_quat(yaw: float) -> torch.Tensor:
    return torch.tensor([[0.0, 0.0, math.sin(yaw / 2), math.cos(yaw / 2)]])


@pytest.mark.parametrize(("num_envs", "expected"), [(10, 2), (11, 3), (4096, 820), (1, 1)])
def test_first_fifth_of_the_robots_is_fast(num_envs: int, expected: int) -> None:
    mask = high_velocity_mask(num_envs, "cpu")
    assert mask.sum() == expected and mask[:expected].all()


def test_groups_draw_from_their_own_ranges() -> None:
    ranges = CommandRanges([-1.0, 1.0], torch.tensor([2.0, 3.0]), [0.3, 0.6], [-0.9, -0.7], [1.1, 1.3])
    drawn = draw_commands(ranges, high_velocity_mask(1000, "cpu"))
    fast, ordinary = drawn[:200], drawn[200:]
    assert fast[:, 0].min() >= 2 and fast[:, 0].max() <= 3
    assert ordinary[:, 0].min() >= -1 and ordinary[:, 0].max() <= 1
    assert (fast[:, 1] == 0).all()  # all of them run
    assert ordinary[:, 1].min() >= 0.3 and ordinary[:, 1].max() <= 0.6
    assert drawn[:, 2].min() >= -0.9 and drawn[:, 2].max() <= -0.7
    assert drawn[:, 3].min() >= 1.1 and drawn[:, 3].max() <= 1.3


def test_robots_with_a_direction_draw_from_its_part_of_the_range() -> None:
    ranges = CommandRanges([-0.5, 1.0], torch.tensor([-3.0, 2.0]), [0.0, 0.0], [0.0, 0.0], [0.0, 0.0])
    high = torch.arange(4000) < 2000
    vx = draw_commands(ranges, high, alternating_signs(4000, "cpu"))[:, 0]
    forwards = torch.arange(4000) % 2 == 0
    assert vx[forwards].min() >= 0 and vx[~forwards].max() <= 0
    for mask, bound in ((high & forwards, 2), (high & ~forwards, -3), (~high & forwards, 1), (~high & ~forwards, -0.5)):
        # uniform up to the bound: 1000 draws, a mean of half of it but for what is too slow to walk (0.2 m/s)
        fast = vx[mask & (vx != 0)].abs()
        assert fast.min() > 0.2 and fast.max() <= abs(bound)
        assert fast.mean().item() == pytest.approx((abs(bound) + 0.2) / 2, abs=0.06 * abs(bound))


@pytest.mark.parametrize("vx_range", [[0.3, 1.0], [-1.0, -0.3], [0.5, 0.5], [0.0, 1.0]])
def test_robots_with_a_direction_that_the_range_lacks_draw_from_all_of_it(vx_range: list[float]) -> None:
    still = [0.0, 0.0]
    signs = alternating_signs(2000, "cpu")
    vx = draw_commands(CommandRanges(vx_range, vx_range, still, still, still), torch.arange(2000) < 400, signs)[:, 0]
    low, high = vx_range
    for own in (vx[signs > 0], vx[signs < 0]):
        moving = own[own != 0]  # those slower than 0.2 m/s stand
        assert moving.min() >= low - TOLERANCE and moving.max() <= high + TOLERANCE
        assert len(moving) / len(own) == pytest.approx(1.0 if low * high > 0 else 0.8, abs=0.05)


def test_without_a_direction_draws_are_as_before() -> None:
    ranges = CommandRanges([-1.0, 1.0], [-2.0, 2.0], [-1.0, 1.0], [-1.0, 1.0], [-3.0, 3.0])
    mask = high_velocity_mask(1000, "cpu")
    torch.manual_seed(3)
    free = draw_commands(ranges, mask, torch.zeros(1000))
    torch.manual_seed(3)
    assert torch.allclose(draw_commands(ranges, mask), free, atol=TOLERANCE)


def test_fast_robots_do_not_walk_sideways_when_running() -> None:
    commands = torch.tensor([[-1.0, 0.7, 3.0, 4.0], [0.99, 0.7, 3.0, 4.0], [1.5, 0.7, 3.0, 4.0]])
    ruled = apply_speed_rules(commands, torch.tensor([True, True, False]))
    assert ruled[:, 1].tolist() == pytest.approx([0.0, 0.7, 0.7])
    assert torch.equal(ruled[:, [0, 2, 3]], commands[:, [0, 2, 3]])


def test_small_commands_become_standing_and_keep_the_yaw_rate() -> None:
    commands = torch.tensor([[0.11, 0.16, 3.0, 4.0], [0.13, 0.16, 3.0, 4.0]])  # norms 0.194 and 0.206
    ruled = apply_speed_rules(commands, torch.tensor([False, False]))
    assert ruled[0].tolist() == [0.0, 0.0, 3.0, 4.0]
    assert torch.equal(ruled[1], commands[1])


def test_turning_robots_stand_or_walk_and_draw_a_rate_that_headings_ask_for() -> None:
    drawn = torch.rand(3000, 4)
    on_the_spot, circling, straight = (torch.arange(3000) % 3 == k for k in range(3))
    commands = turn(drawn, on_the_spot | circling, on_the_spot)
    assert torch.equal(commands[straight], drawn[straight])
    assert torch.equal(commands[:, 3], drawn[:, 3])
    assert (commands[on_the_spot, :2] == 0).all() and torch.equal(commands[circling, :2], drawn[circling, :2])
    for rates in (commands[on_the_spot, 2], commands[circling, 2]):
        # uniform in ±2: of 1000, the standard deviation is 2/√3 ± 0.02
        assert rates.abs().max() <= 2
        assert rates.std().item() == pytest.approx(2 / math.sqrt(3), abs=0.08)


@pytest.mark.parametrize(
    ("command", "yaw", "expected"),
    [
        (1.0, 0.2, 0.4),
        (3.0, -3.0, 0.5 * (6 - 2 * math.pi)),  # the short way round
        (0.0, 3.1, -1.55),
    ],
)
def test_heading_error_becomes_a_yaw_rate(command: float, yaw: float, expected: float) -> None:
    rate = heading_yaw_rate(torch.tensor([command]), yaw_quat(yaw))
    assert rate.item() == pytest.approx(expected, abs=TOLERANCE)


def test_heading_follows_the_nose_of_a_pitched_robot() -> None:
    yaw, pitch = 0.8, 0.9
    half = (math.cos(yaw / 2), math.sin(yaw / 2), math.cos(pitch / 2), math.sin(pitch / 2))
    cy, sy, cp, sp = half
    quat = torch.tensor([[-sy * sp, cy * sp, sy * cp, cy * cp]])  # yaw then pitch
    assert heading_yaw_rate(torch.tensor([1.0]), quat).item() == pytest.approx(0.1, abs=TOLERANCE)
