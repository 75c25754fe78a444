"""Small tensor helpers that Isaac Gym's torch_utils lack. Quaternions are xyzw, body to world."""

import torch
from torch import Tensor


def over_robots(values: Tensor, reduction: str) -> Tensor:
    """Reduce the last axis, that of the robots, by "sum" or "amin".

    torch.compile would do it in a single thread block of a GPU, together with all that leads up to the values: from 60
    to 800 us, depending on what looked fastest in one trial. So it is an operator of ours, which it leaves alone.
    """
    if torch.compiler.is_compiling():
        return torch.ops.legged_gym.over_robots(values, reduction)
    return _reduce(values, reduction)


def _reduce(values: Tensor, reduction: str) -> Tensor:
    return getattr(torch, reduction)(values, dim=-1)


torch.library.custom_op("legged_gym::over_robots", _reduce, mutates_args=()).register_fake(_reduce)


def write_where(buffer: Tensor, mask: Tensor, values: Tensor | float) -> None:
    """Write values into the buffer where the mask is set. The mask is broadcast from its first dimensions."""
    mask = mask.view(*mask.shape, *[1] * (buffer.dim() - mask.dim()))
    if not isinstance(values, Tensor):
        buffer.masked_fill_(mask, values)
    elif buffer.is_contiguous():
        torch.where(mask, values, buffer, out=buffer)
    else:  # torch.compile knows no such `out`
        buffer.copy_(torch.where(mask, values, buffer))


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
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        return low + (high - low) * torch.rand(shape, device=device)
    return torch.empty(shape, device=device).uniform_(low, high)


def wrap_to_pi(angles: Tensor) -> Tensor:
    """The same angles [rad] in [-pi, pi)."""
    return torch.remainder(angles + torch.pi, 2 * torch.pi) - torch.pi


def yaw_cos_sin(quat: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and sine of the yaw left when x and y of the quaternion are dropped. quat: (N, 4); results: (N,)."""
    z, w = quat[:, 2], quat[:, 3]
    squares = z * z, w * w
    norm = squares[0] + squares[1]
    return (squares[1] - squares[0]) / norm, 2 * z * w / norm


def heading_w(quat: Tensor) -> Tensor:
    """Direction of the base's x axis in the world's horizontal plane [rad]. quat: (N, 4); result: (N,)."""
    x, y, z, w = quat.unbind(dim=1)
    return torch.atan2(2 * (x * y + w * z), 1 - 2 * (y * y + z * z))


def rotate_points(quat: Tensor, vectors_b: Tensor) -> Tensor:
    """Express K vectors per robot of its base frame in the world. quat: (N, 4); vectors and result: (N, K, 3)."""
    return _turned(quat[:, None, :3], quat[:, None, 3:], vectors_b)


def rotate_inverse_points(quat: Tensor, vectors_w: Tensor) -> Tensor:
    """Express K world vectors per robot in its base frame. quat: (N, 4); vectors and result: (N, K, 3)."""
    return _turned(-quat[:, None, :3], quat[:, None, 3:], vectors_w)


def _turned(xyz: Tensor, w: Tensor, vectors: Tensor) -> Tensor:
    """xyz: (N, 1, 3); w: (N, 1, 1); vectors and result: (N, K, 3)."""
    xyz = xyz.expand_as(vectors)
    twice = 2 * torch.linalg.cross(xyz, vectors)
    return vectors + w * twice + torch.linalg.cross(xyz, twice)
