"""Velocity commands: how they are drawn and how a heading becomes a yaw rate."""

from typing import NamedTuple

import torch
from torch import Tensor

from legged_gym.utils.math import heading_w, uniform, wrap_to_pi
from rsl_rl.utils import ranks

HIGH_VEL_FRACTION = 0.2  # share of robots (the first ids, over all ranks) that draw the full forward-speed range
LATERAL_CUTOFF = 1.0  # [m/s] a fast robot does not also walk sideways
SMALL_COMMAND = 0.2  # [m/s] slower commands become "stand still"
HEADING_GAIN = 0.5  # [1/s] yaw rate per heading error
MAX_HEADING_YAW_RATE = 2.0  # [rad/s]


class CommandRanges(NamedTuple):
    """Bounds (low, high), each a pair of floats or a tensor of shape (2,)."""

    lin_vel_x: Tensor | list[float]  # [m/s] ordinary robots
    lin_vel_x_high: Tensor | list[float]  # [m/s] high-speed robots; the curriculum widens it
    lin_vel_y: Tensor | list[float]  # [m/s]
    ang_vel_yaw: Tensor | list[float]  # [rad/s]
    heading: Tensor | list[float]  # [rad]


def high_velocity_mask(num_envs: int, device: str) -> Tensor:
    """Which robots belong to the high-speed group. Result: (num_envs,) bool."""
    return ranks.global_ids(num_envs, device) < HIGH_VEL_FRACTION * num_envs * ranks.num_ranks()


def alternating_signs(num_envs: int, device: str) -> Tensor:
    """+1 and -1 in turn over the robots of all ranks, so that every terrain column has as many of both. (num_envs,)."""
    return 1.0 - 2.0 * (ranks.global_ids(num_envs, device) % 2)


def draw_commands(ranges: CommandRanges, high_mask: Tensor, vx_signs: Tensor | None = None) -> Tensor:
    """One new command per robot: vx, vy [m/s], yaw rate [rad/s], heading [rad].

    Args:
        high_mask: (N,) bool, the high-speed group.
        vx_signs: (N,); +1 draws from the part of the range that points forwards, -1 from the one that points
            backwards, 0 from all of it, and so do all where the range has no such part. None: 0 for all.

    Returns: (N, 4).
    """
    num, device = len(high_mask), str(high_mask.device)

    def towards(bounds: Tensor | list[float]) -> Tensor | list[float]:
        if vx_signs is None:
            return bounds
        low, high = (torch.zeros(num, device=device) + bound for bound in bounds)  # nothing that a CUDA graph refuses
        forwards, backwards = (vx_signs > 0) & (high > 0), (vx_signs < 0) & (low < 0)
        return torch.stack(
            (torch.where(forwards, low.clip(min=0), low), torch.where(backwards, high.clip(max=0), high))
        )

    def draw(bounds: Tensor | list[float]) -> Tensor:
        return uniform(bounds[0], bounds[1], (num,), device)

    vx = torch.where(high_mask, draw(towards(ranges.lin_vel_x_high)), draw(towards(ranges.lin_vel_x)))
    vy, yaw_rate, heading = draw(ranges.lin_vel_y), draw(ranges.ang_vel_yaw), draw(ranges.heading)
    return apply_speed_rules(torch.stack((vx, vy, yaw_rate, heading), dim=1), high_mask)


def apply_speed_rules(commands: Tensor, high_mask: Tensor) -> Tensor:
    """Drop the sideways speed of fast high-speed robots and commands too small to walk. (N, 4), (N,) -> (N, 4)."""
    vx, vy = commands[:, 0], commands[:, 1]
    vy = torch.where(high_mask & (vx.abs() >= LATERAL_CUTOFF), 0.0, vy)
    moving = torch.hypot(vx, vy) > SMALL_COMMAND
    return torch.cat((torch.stack((vx * moving, vy * moving), dim=1), commands[:, 2:]), dim=1)


def turn(commands: Tensor, turning_mask: Tensor, on_the_spot_mask: Tensor) -> Tensor:
    """Let some robots turn at a yaw rate that a heading could ask for, those on the spot without walking.

    commands: (N, 4); the masks: (N,) bool, on_the_spot_mask a part of turning_mask. Returns: (N, 4).
    """
    yaw_rate = uniform(-MAX_HEADING_YAW_RATE, MAX_HEADING_YAW_RATE, (len(commands),), str(commands.device))
    walked = commands[:, :2] * ~on_the_spot_mask[:, None]
    turning = torch.cat((walked, yaw_rate[:, None], commands[:, 3:]), dim=1)
    return torch.where(turning_mask[:, None], turning, commands)


def stand(commands: Tensor, standing_mask: Tensor) -> Tensor:
    """Let some robots stand, neither walking nor turning. (N, 4), (N,) bool -> (N, 4)."""
    still = torch.cat((torch.zeros_like(commands[:, :3]), commands[:, 3:]), dim=1)
    return torch.where(standing_mask[:, None], still, commands)


def heading_yaw_rate(heading_command: Tensor, base_quat: Tensor) -> Tensor:
    """Yaw rate [rad/s] that turns the robots to their commanded heading [rad]. (N,), (N, 4) xyzw -> (N,)."""
    error = wrap_to_pi(heading_command - heading_w(base_quat))
    return (HEADING_GAIN * error).clip(-MAX_HEADING_YAW_RATE, MAX_HEADING_YAW_RATE)
