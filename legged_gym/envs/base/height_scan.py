"""Terrain heights at points around the robots."""

import torch
from torch import Tensor

from legged_gym.utils.math import yaw_cos_sin


def grid_points(xs: list[float], ys: list[float], device: str) -> Tensor:
    """All pairs of xs and ys as points with z = 0, y running fastest. Result: (len(xs) * len(ys), 3) [m]."""
    grid_x, grid_y = torch.meshgrid(torch.tensor(xs, device=device), torch.tensor(ys, device=device), indexing="ij")
    return torch.stack((grid_x.flatten(), grid_y.flatten(), torch.zeros_like(grid_x).flatten()), dim=1)


def points_under_robots(points_yaw: Tensor, base_quat: Tensor, base_pos: Tensor) -> Tensor:
    """Horizontal world positions of points given in each robot's yaw-aligned frame.

    points_yaw: (K, 3); base_quat: (N, 4) xyzw; base_pos: (N, 3) [m]. Result: (N, K, 2) [m].
    """
    cos, sin = (part[:, None] for part in yaw_cos_sin(base_quat))
    x, y = points_yaw[:, 0], points_yaw[:, 1]
    # half the time of a product with N matrices of 2 × 2
    x_w = torch.addcmul(torch.addcmul(base_pos[:, 0:1], x, cos), y, sin, value=-1)
    y_w = torch.addcmul(torch.addcmul(base_pos[:, 1:2], x, sin), y, cos)
    return torch.stack((x_w, y_w), dim=-1)


def lowest_heights(height_samples: Tensor, vertical_scale: float) -> Tensor:
    """Of every cell, the lowest of its corner and the corner's x and y neighbours [m].

    height_samples: (rows, cols) int16 of `vertical_scale` m. Result: (rows - 1, cols - 1).
    """
    own, next_x, next_y = height_samples[:-1, :-1], height_samples[1:, :-1], height_samples[:-1, 1:]
    return torch.minimum(own, torch.minimum(next_x, next_y)) * vertical_scale


def sample_heights(points_w: Tensor, height_map: Tensor, border_size: float, horizontal_scale: float) -> Tensor:
    """Terrain height [m] at horizontal world points: that of the cell they are in.

    points_w: (..., 2) [m]; height_map: of `lowest_heights`, the map's corner lying at (-border_size, -border_size).
    Points beyond the map get its edge's height. Result: (...).
    """
    rows, cols = height_map.shape
    indices = ((points_w + border_size) / horizontal_scale).int()
    i, j = indices[..., 0].clip(0, rows - 1), indices[..., 1].clip(0, cols - 1)
    # a quarter of the time that height_map[i, j] takes on a CPU
    return height_map.view(-1).index_select(0, (i * cols + j).view(-1)).view(i.shape)


class HeightScan:
    """Mixin: heights that the robot which inherits it reads off the terrain."""

    def _get_heights(self, env_ids: Tensor | None = None) -> Tensor:
        """Terrain heights [m] at the scan points of all robots or some, (robots, num_height_points); 0 on a plane."""
        return self._scan(self.height_points, self.root_states if env_ids is None else self.root_states[env_ids])

    def _get_base_heights(self) -> Tensor:
        """Mean height [m] of the bases above the ground under them, (num_envs,)."""
        return self.root_states[:, 2] - self._scan(self.base_height_points, self.root_states).mean(dim=1)

    def _scan(self, points_yaw: Tensor, root: Tensor) -> Tensor:
        if self.height_map is None:
            return torch.zeros(len(root), len(points_yaw), device=self.device)
        return self._ground_heights(points_under_robots(points_yaw, root[:, 3:7], root[:, :3]))

    def _ground_heights(self, points_w: Tensor) -> Tensor:
        """Terrain height [m] at horizontal world points [m]; 0 on a plane. (..., 2) -> (...)."""
        cfg = self.cfg.terrain
        if self.height_map is None:
            return torch.zeros_like(points_w[..., 0])
        return sample_heights(points_w, self.height_map, cfg.border_size, cfg.horizontal_scale)
