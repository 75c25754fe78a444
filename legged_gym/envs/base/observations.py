"""What the networks see: the columns of one frame, its noise, and the actor's history of frames."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

BASE_HEIGHT_OFFSET = 0.5  # [m] the height columns are centred on ground this far below the base
HEIGHT_CLIP = 1.0  # [m] bound of the height columns, before their scale


class FrameLayout(NamedTuple):
    """Columns of one observation frame. The actor sees the first `num_actor` columns, the critic all `num_critic`."""

    columns: dict[str, slice]
    num_actor: int
    num_critic: int


class RobotState(NamedTuple):
    """The quantities a frame is made of, before scaling."""

    commands: Tensor  # (N, >= 3) vx, vy [m/s], yaw rate [rad/s], base frame
    base_ang_vel: Tensor  # (N, 3) [rad/s], base frame
    projected_gravity: Tensor  # (N, 3) unit vector, base frame
    dof_offset: Tensor  # (N, num_dof) joint position minus default [rad]
    dof_vel: Tensor  # (N, num_dof) [rad/s]
    actions: Tensor  # (N, num_actions)
    base_lin_vel: Tensor  # (N, 3) [m/s], base frame
    disturbance: Tensor  # (N, 3) force on the base [N], base frame
    base_height: Tensor  # (N,) z of the base in the world [m]
    measured_heights: Tensor  # (N, num_height_points) terrain heights in the world [m]


def frame_layout(num_actions: int, num_height_points: int) -> FrameLayout:
    """Name the columns of a frame, in order. Every observation size in the project derives from here."""
    actor = {
        "commands": 3,
        "base_ang_vel": 3,
        "projected_gravity": 3,
        "dof_pos": num_actions,
        "dof_vel": num_actions,
        "actions": num_actions,
    }
    privileged = {"base_lin_vel": 3, "disturbance": 3, "heights": num_height_points}
    columns, start = {}, 0
    for name, width in (actor | privileged).items():
        columns[name] = slice(start, start + width)
        start += width
    return FrameLayout(columns, num_actor=sum(actor.values()), num_critic=start)


def configured_layout(cfg: Any) -> FrameLayout:
    """The frame of an environment's config."""
    scan = cfg.terrain
    num_points = len(scan.measured_points_x) * len(scan.measured_points_y) if scan.measure_heights else 0
    return frame_layout(cfg.env.num_actions, num_points)


def build_frame(state: RobotState, scales: Any) -> Tensor:
    """One noise-free critic frame per robot, columns as in `frame_layout`. Result: (N, num_critic)."""
    height_above = state.base_height[:, None] - BASE_HEIGHT_OFFSET - state.measured_heights
    return torch.cat(
        (
            state.commands[:, :2] * scales.lin_vel,
            state.commands[:, 2:3] * scales.ang_vel,
            state.base_ang_vel * scales.ang_vel,
            state.projected_gravity,
            state.dof_offset * scales.dof_pos,
            state.dof_vel * scales.dof_vel,
            state.actions,
            state.base_lin_vel * scales.lin_vel,
            state.disturbance,
            height_above.clip(-HEIGHT_CLIP, HEIGHT_CLIP) * scales.height_measurements,
        ),
        dim=1,
    )


def noise_half_widths(layout: FrameLayout, noise: Any, scales: Any, device: str) -> Tensor:
    """Half-width of the uniform noise on each column, in observation scale. Result: (num_critic,)."""
    widths = {
        "base_ang_vel": noise.noise_scales.ang_vel * scales.ang_vel,
        "projected_gravity": noise.noise_scales.gravity,
        "dof_pos": noise.noise_scales.dof_pos * scales.dof_pos,
        "dof_vel": noise.noise_scales.dof_vel * scales.dof_vel,
        "base_lin_vel": noise.noise_scales.lin_vel * scales.lin_vel,
        "heights": noise.noise_scales.height_measurements * scales.height_measurements,
    }
    half_widths = torch.zeros(layout.num_critic, device=device)
    for name, width in widths.items():
        half_widths[layout.columns[name]] = width * noise.noise_level
    return half_widths


def add_uniform_noise(frame: Tensor, half_widths: Tensor) -> Tensor:
    """Add independent uniform noise to every value. frame: (N, C); half_widths: (C,). Result: (N, C)."""
    return frame + torch.empty_like(frame).uniform_(-1, 1) * half_widths


def pushed_history(history: Tensor, frame: Tensor, refill_mask: Tensor) -> Tensor:
    """The history after one more frame, newest first; robots in `refill_mask` start over with the frame everywhere.

    history: (N, T * C); frame: (N, C); refill_mask: (N,) bool. Result: (N, T * C).
    """
    num_frames = history.shape[1] // frame.shape[1]
    shifted = torch.cat((frame, history[:, : -frame.shape[1]]), dim=1)
    return torch.where(refill_mask[:, None], frame.repeat(1, num_frames), shifted)
