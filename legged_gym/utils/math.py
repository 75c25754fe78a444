"""Small tensor helpers that Isaac Gym's torch_utils lack. Quaternions are xyzw, body to world."""

import torch
from torch import Tensor

from isaacgym.torch_utils import normalize, quat_apply, quat_rotate_inverse


def as_mask(env_ids: Tensor, num_envs: int) -> Tensor:
    """(num_envs,) bool mask of int64 ids; a mask stays what it is."""
    if env_ids.dtype == torch.bool:
        return env_ids
    return torch.zeros(num_envs, dtype=torch.bool, device=env_ids.device).index_fill(0, env_ids, True)


def actor_indices(env_ids: Tensor) -> Tensor:
    """Ids, or a (num_envs,) bool mask, as the simulator's indexed setters want them: int32, -1 to be skipped."""
    if env_ids.dtype != torch.bool:
        return env_ids.to(torch.int32)
    return torch.where(env_ids, torch.arange(len(env_ids), dtype=torch.int32, device=env_ids.device), -1)


def uniform(low: float | Tensor, high: float | Tensor, shape: tuple[int, ...], device: str) -> Tensor:
    """Uniform draws in [low, high); the bounds may be tensors that broadcast to `shape`."""
    return low + (high - low) * torch.rand(shape, device=device)


def wrap_to_pi(angles: Tensor) -> Tensor:
    """The same angles [rad] in [-pi, pi)."""
    return torch.remainder(angles + torch.pi, 2 * torch.pi) - torch.pi


def quat_apply_yaw(quat: Tensor, points_yaw: Tensor) -> Tensor:
    """Turn points from the yaw-aligned base frame to world axes. quat: (N, 4); points and result: (N, K, 3)."""
    yaw_quat = torch.cat((torch.zeros_like(quat[:, :2]), quat[:, 2:]), dim=1)
    return quat_apply(normalize(yaw_quat)[:, None].expand(-1, points_yaw.shape[1], -1), points_yaw)


def heading_w(quat: Tensor) -> Tensor:
    """Direction of the base's x axis in the world's horizontal plane [rad]. quat: (N, 4); result: (N,)."""
    x, y, z, w = quat.unbind(dim=1)
    return torch.atan2(2 * (x * y + w * z), 1 - 2 * (y * y + z * z))


def rotate_inverse_points(quat: Tensor, vectors_w: Tensor) -> Tensor:
    """Express K world vectors per robot in its base frame. quat: (N, 4); vectors and result: (N, K, 3)."""
    per_vector = quat[:, None].expand(-1, vectors_w.shape[1], -1).reshape(-1, 4)
    return quat_rotate_inverse(per_vector, vectors_w.reshape(-1, 3)).view(vectors_w.shape)
