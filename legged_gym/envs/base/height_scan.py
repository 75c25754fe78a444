"""Terrain heights at points around the robots."""

import torch
from torch import Tensor

from legged_gym.utils.math import quat_apply_yaw


def grid_points(xs: list[float], ys: list[float], device: str) -> Tensor:
    """All pairs of xs and ys as points with z = 0, y running fastest. Result: (len(xs) * len(ys), 3) [m]."""
    grid_x, grid_y = torch.meshgrid(torch.tensor(xs, device=device), torch.tensor(ys, device=device), indexing="ij")
    return torch.stack((grid_x.flatten(), grid_y.flatten(), torch.zeros_like(grid_x).flatten()), dim=1)


def points_under_robots(points_yaw: Tensor, base_quat: Tensor, base_pos: Tensor) -> Tensor:
    """World positions of points given in each robot's yaw-aligned frame.

    points_yaw: (K, 3); base_quat: (N, 4) xyzw; base_pos: (N, 3) [m]. Result: (N, K, 3) [m].
    """
    return quat_apply_yaw(base_quat, points_yaw.expand(len(base_quat), -1, -1)) + base_pos[:, None]


def sample_heights(
    points_w: Tensor, height_samples: Tensor, border_size: float, horizontal_scale: float, vertical_scale: float
) -> Tensor:
    """Terrain height [m] at world points: the lowest of the sample's cell corner and its x and y neighbours.

    points_w: (..., 3) [m]; height_samples: (rows, cols) int16 of `vertical_scale` m, the map's corner lying at
    (-border_size, -border_size). Points beyond the map get its edge's height. Result: (...).
    """
    indices = ((points_w[..., :2] + border_size) / horizontal_scale).long()
    i = indices[..., 0].clip(0, height_samples.shape[0] - 2)
    j = indices[..., 1].clip(0, height_samples.shape[1] - 2)
    lowest = torch.minimum(height_samples[i, j], torch.minimum(height_samples[i + 1, j], height_samples[i, j + 1]))
    return lowest * vertical_scale
