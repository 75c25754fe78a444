"""Tensor helpers of the Isaac Gym API. Quaternions are xyzw and, unless said otherwise, of unit length.

Much code gets `np` and `torch` from `from isaacgym.torch_utils import *`, so both are imported here and there is no
`__all__`. TorchScript compiles every function of tensors here, alone or called from others' scripted code.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor


def to_torch(x: Any, dtype: torch.dtype = torch.float, device: str = "cuda:0", requires_grad: bool = False) -> Tensor:
    """A new tensor from data. Note the CUDA default, which is Isaac Gym's."""
    return torch.tensor(x, dtype=dtype, device=device, requires_grad=requires_grad)


# --- Vectors --------------------------------------------------------------------------------------------------------


def normalize(x: Tensor, eps: float = 1e-9) -> Tensor:
    """Scale to unit length along the last dimension; vectors shorter than eps are divided by eps. (..., n)."""
    return x / x.norm(p=2, dim=-1).clamp(min=eps, max=None).unsqueeze(-1)


def get_axis_params(
    value: float, axis_idx: int, x_value: float = 0.0, dtype: type = float, n_dims: int = 3
) -> list[float]:
    """[x_value, 0, ...] with `value` at axis_idx, as a Python list. Axis 0 is always overwritten by x_value."""
    params = np.zeros(n_dims)
    if axis_idx >= n_dims:
        raise ValueError(f"axis_idx {axis_idx} is outside the {n_dims} dimensions")
    params[axis_idx] = value
    params[0] = x_value
    return params.astype(dtype).tolist()


def tensor_clamp(t: Tensor, min_t: Tensor, max_t: Tensor) -> Tensor:
    """Clamp elementwise between tensors; where they cross, max_t wins."""
    return torch.min(torch.max(t, min_t), max_t)


def scale(x: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    """Map [-1, 1] to [lower, upper]."""
    return 0.5 * (x + 1.0) * (upper - lower) + lower


def unscale(x: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    """Map [lower, upper] to [-1, 1]."""
    return (2.0 * x - upper - lower) / (upper - lower)


def scale_transform(x: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    """Map [lower, upper] to [-1, 1]; another name of `unscale`."""
    return unscale(x, lower, upper)


def unscale_transform(x: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    """Map [-1, 1] to [lower, upper]; another name of `scale`."""
    return scale(x, lower, upper)


def saturate(x: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    """Clamp elementwise between tensors; another name of `tensor_clamp`."""
    return tensor_clamp(x, lower, upper)


def normalize_angle(x: Tensor) -> Tensor:
    """The same angle in [-π, π]."""
    return torch.atan2(torch.sin(x), torch.cos(x))


def copysign(a: float, b: Tensor) -> Tensor:
    """|a| with the sign of each element of b."""
    return torch.abs(torch.tensor(a, device=b.device, dtype=torch.float)).repeat(b.shape) * torch.sign(b)


# --- Quaternions ----------------------------------------------------------------------------------------------------


def quat_mul(a: Tensor, b: Tensor) -> Tensor:
    """Hamilton product: rotate by b, then by a. (..., 4)."""
    if a.shape != b.shape:
        raise ValueError(f"quat_mul needs equal shapes, got {list(a.shape)} and {list(b.shape)}")
    ax, ay, az, aw = a[..., 0], a[..., 1], a[..., 2], a[..., 3]
    bx, by, bz, bw = b[..., 0], b[..., 1], b[..., 2], b[..., 3]
    return torch.stack(
        [
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
        ],
        dim=-1,
    )


def quat_conjugate(a: Tensor) -> Tensor:
    """The inverse rotation. (..., 4)."""
    return torch.cat([-a[..., :3], a[..., 3:]], dim=-1)


def quat_unit(a: Tensor) -> Tensor:
    """Scale to unit length. (..., 4)."""
    return normalize(a)


def quat_apply(a: Tensor, b: Tensor) -> Tensor:
    """Rotate b by a; as many quaternions (..., 4) as vectors (..., 3). The result has b's shape."""
    shape = b.shape
    a, b = a.reshape(-1, 4), b.reshape(-1, 3)
    axis = a[:, :3]
    t = 2.0 * torch.linalg.cross(axis, b, dim=-1)
    return (b + a[:, 3:] * t + torch.linalg.cross(axis, t, dim=-1)).view(shape)


def quat_rotate(q: Tensor, v: Tensor) -> Tensor:
    """Express body vectors in the world. q: (N, 4), body to world; v and result: (N, 3)."""
    return _rotate(q, v, 1.0)


def quat_rotate_inverse(q: Tensor, v: Tensor) -> Tensor:
    """Express world vectors in the body frame. q: (N, 4), body to world; v and result: (N, 3)."""
    return _rotate(q, v, -1.0)


def _rotate(q: Tensor, v: Tensor, direction: float) -> Tensor:
    axis, w = q[:, :3], q[:, 3:]
    along = axis * (axis * v).sum(dim=-1, keepdim=True)
    return v * (2.0 * w * w - 1.0) + direction * 2.0 * w * torch.linalg.cross(axis, v, dim=-1) + 2.0 * along


def quat_from_angle_axis(angle: Tensor, axis: Tensor) -> Tensor:
    """Rotation by angle (...) [rad] about axis (..., 3), which need not have unit length; result (..., 4)."""
    half = (0.5 * angle).unsqueeze(-1)
    return quat_unit(torch.cat([normalize(axis) * half.sin(), half.cos()], dim=-1))


def quat_from_euler_xyz(roll: Tensor, pitch: Tensor, yaw: Tensor) -> Tensor:
    """Rz(yaw) · Ry(pitch) · Rx(roll), angles (...) [rad]; result (..., 4)."""
    cr, sr = torch.cos(0.5 * roll), torch.sin(0.5 * roll)
    cp, sp = torch.cos(0.5 * pitch), torch.sin(0.5 * pitch)
    cy, sy = torch.cos(0.5 * yaw), torch.sin(0.5 * yaw)
    return torch.stack(
        [
            cy * sr * cp - sy * cr * sp,
            cy * cr * sp + sy * sr * cp,
            sy * cr * cp - cy * sr * sp,
            cy * cr * cp + sy * sr * sp,
        ],
        dim=-1,
    )


def get_euler_xyz(q: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(roll, pitch, yaw) of (N, 4), each (N,) in [0, 2π); the inverse of `quat_from_euler_xyz` up to whole turns."""
    x, y, z, w = q[..., 0], q[..., 1], q[..., 2], q[..., 3]
    roll = torch.atan2(2.0 * (w * x + y * z), w * w - x * x - y * y + z * z)
    sin_pitch = 2.0 * (w * y - z * x)
    pitch = torch.asin(sin_pitch.clamp(-1.0, 1.0))  # rounding may exceed 1 at ±π/2
    yaw = torch.atan2(2.0 * (w * z + x * y), w * w + x * x - y * y - z * z)
    return roll % (2.0 * math.pi), pitch % (2.0 * math.pi), yaw % (2.0 * math.pi)


def get_basis_vector(q: Tensor, v: Tensor) -> Tensor:
    """A body axis v (N, 3) in the world."""
    return quat_rotate(q, v)


def quat_axis(q: Tensor, axis: int = 0) -> Tensor:
    """A body axis, by its number, in the world. q: (N, 4); result (N, 3)."""
    unit = torch.zeros(q.shape[0], 3, device=q.device, dtype=q.dtype)
    unit[:, axis] = 1.0
    return quat_rotate(q, unit)


def quat_diff_rad(a: Tensor, b: Tensor) -> Tensor:
    """Angle between rotations (N, 4), in [0, π]; result (N,)."""
    return 2.0 * torch.asin(quat_mul(a, quat_conjugate(b))[:, :3].norm(p=2, dim=-1).clamp(max=1.0))


def compute_heading_and_up(
    torso_rotation: Tensor, inv_start_rot: Tensor, to_target: Tensor, vec0: Tensor, vec1: Tensor, up_idx: int
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """How upright a torso is, and how far it heads for a target.

    Args:
        torso_rotation: (N, 4); inv_start_rot: inverse of the rotation in which the torso is upright.
        to_target: (N, 3) of any length; vec0, vec1: forward and up of the upright torso, (N, 3).

    Returns:
        Rotation since the start (N, 4), component up_idx of up (N,), cosine between forward and to_target (N,), up and
        forward (N, 3).
    """
    torso_quat = quat_mul(torso_rotation, inv_start_rot)
    up_vec, heading_vec = quat_rotate(torso_quat, vec1), quat_rotate(torso_quat, vec0)
    heading_proj = (heading_vec * normalize(to_target)).sum(dim=-1)
    return torso_quat, up_vec[:, up_idx], heading_proj, up_vec, heading_vec


def compute_rot(
    torso_quat: Tensor, velocity: Tensor, ang_velocity: Tensor, targets: Tensor, torso_positions: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Velocities in the torso's frame (N, 3) each, roll, pitch, yaw in [0, 2π), and angle to the target (N,) [rad].

    The angle is that of the target in the plane of x and z, less yaw, as callers of that age have it (unverified).
    """
    roll, pitch, yaw = get_euler_xyz(torso_quat)
    way = targets - torso_positions
    angle_to_target = torch.atan2(way[:, 2], way[:, 0]) - yaw
    vel_loc, angvel_loc = quat_rotate_inverse(torso_quat, velocity), quat_rotate_inverse(torso_quat, ang_velocity)
    return vel_loc, angvel_loc, roll, pitch, yaw, angle_to_target


# --- Transforms: quaternion (..., 4) and position (..., 3) ----------------------------------------------------------


def tf_inverse(q: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """The inverse transform."""
    q_inv = quat_conjugate(q)
    return q_inv, -quat_apply(q_inv, t)


def tf_apply(q: Tensor, t: Tensor, v: Tensor) -> Tensor:
    """Transform points."""
    return quat_apply(q, v) + t


def tf_vector(q: Tensor, v: Tensor) -> Tensor:
    """Transform directions."""
    return quat_apply(q, v)


def tf_combine(q1: Tensor, t1: Tensor, q2: Tensor, t2: Tensor) -> tuple[Tensor, Tensor]:
    """Transform by 2, then by 1."""
    return quat_mul(q1, q2), quat_apply(q1, t2) + t1


# --- Random numbers -------------------------------------------------------------------------------------------------


def torch_rand_float(lower: float, upper: float, shape: tuple[int, int], device: str) -> Tensor:
    """Uniform samples in [lower, upper), float32; shape: (rows, columns)."""
    return (upper - lower) * torch.rand(shape, device=device) + lower


def torch_random_dir_2(shape: tuple[int, int], device: str) -> Tensor:
    """Uniformly distributed unit vectors in the plane; shape: (n, 1); result (n, 2)."""
    angle = torch_rand_float(-math.pi, math.pi, shape, device).squeeze(-1)
    return torch.stack([torch.cos(angle), torch.sin(angle)], dim=-1)
