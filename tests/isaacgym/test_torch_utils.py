"""Quaternion helpers against scipy, the rest against hand-computed values."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from isaacgym import gymtorch
from isaacgym import torch_utils as tu
from isaacgym.gym_types import Tensor

TOL = 2e-6  # float32
N = 64


@pytest.fixture
def samples():
    rng = np.random.default_rng(3)
    rotations = [Rotation.from_quat(rng.normal(size=(N, 4))) for _ in range(2)]
    vectors = rng.normal(size=(N, 3))
    return *rotations, vectors, *(t32(r.as_quat()) for r in rotations), t32(vectors)


def t32(x):
    return torch.tensor(np.asarray(x), dtype=torch.float32)


def close(result, expected, tol=TOL):
    np.testing.assert_allclose(result.numpy(), expected, atol=tol)


def same_rotation(result, rotation):
    """Quaternions up to sign."""
    expected = rotation.as_quat()
    sign = np.sign((result.numpy() * expected).sum(-1, keepdims=True))
    np.testing.assert_allclose(sign * result.numpy(), expected, atol=TOL)


def test_rotations_equal_scipys(samples):
    ra, _, v, qa, _, tv = samples
    close(tu.quat_apply(qa, tv), ra.apply(v))
    close(tu.quat_rotate(qa, tv), ra.apply(v))
    close(tu.get_basis_vector(qa, tv), ra.apply(v))
    close(tu.tf_vector(qa, tv), ra.apply(v))
    close(tu.quat_rotate_inverse(qa, tv), ra.inv().apply(v))


def test_axes_and_angles_between_rotations_equal_scipys(samples):
    ra, rb, _, qa, qb, _ = samples
    for axis in range(3):
        close(tu.quat_axis(qa, axis), ra.as_matrix()[:, :, axis])
    close(tu.quat_diff_rad(qa, qb), (ra * rb.inv()).magnitude(), tol=2e-3)  # asin is steep near π


def test_heading_and_up_of_a_torso_turned_about_z():
    """It started on its side (rolled by 90°), has turned by 0.5 rad since, and its target is ahead of the start."""
    start, turn = Rotation.from_euler("x", 90, degrees=True), Rotation.from_euler("z", 0.5)
    torso, back = (t32(rotation.as_quat())[None] for rotation in (turn * start, start.inv()))
    x, z = t32([[1, 0, 0]]), t32([[0, 0, 1]])
    rotation, up, heading, up_vec, heading_vec = tu.compute_heading_and_up(torso, back, 7.0 * x, x, z, 2)
    close(rotation, turn.as_quat()[None])
    close(up, [1.0])
    close(heading, [math.cos(0.5)])
    close(up_vec, [[0, 0, 1]])
    close(heading_vec, [[math.cos(0.5), math.sin(0.5), 0]])
    v, w, roll, pitch, yaw, angle = tu.compute_rot(rotation, x, z, t32([[3, 9, 3]]), t32([[1, 9, 1]]))
    close(v, [[math.cos(0.5), -math.sin(0.5), 0]])
    close(w, [[0, 0, 1]])
    close(torch.stack([roll, pitch, yaw, angle]), [[0], [0], [0.5], [math.pi / 4 - 0.5]])


def test_quat_apply_has_the_vectors_shape():
    q = t32(Rotation.from_rotvec([[0.1, 0.2, 0.3]]).as_quat()).repeat(1, 6)  # as quat_apply_yaw's callers do
    v = torch.randn(2, 3, 3)
    assert tu.quat_apply(q.view(-1, 4)[:6], v).shape == (2, 3, 3)


def test_products_and_inverses_equal_scipys(samples):
    ra, rb, v, qa, qb, tv = samples
    same_rotation(tu.quat_mul(qa, qb), ra * rb)
    same_rotation(tu.quat_conjugate(qa), ra.inv())
    same_rotation(tu.quat_unit(3.0 * qa), ra)
    with pytest.raises(ValueError, match="equal shapes"):
        tu.quat_mul(qa, qb[:1])


def test_transforms_equal_scipys(samples):
    ra, rb, v, qa, qb, tv = samples
    shift = t32([2.0, 3.0, 5.0]).repeat(N, 1)
    close(tu.tf_apply(qa, shift, tv), ra.apply(v) + [2, 3, 5])
    close(tu.tf_apply(*tu.tf_inverse(qa, shift), tu.tf_apply(qa, shift, tv)), v, tol=1e-5)
    q, t = tu.tf_combine(qa, shift, qb, tv)
    same_rotation(q, ra * rb)
    close(t, ra.apply(v) + [2, 3, 5])


def test_quaternion_from_angle_and_axis_equals_scipys(samples):
    _, _, v, *_, tv = samples
    angle = np.linspace(-3, 3, N)
    expected = Rotation.from_rotvec(angle[:, None] * v / np.linalg.norm(v, axis=1, keepdims=True))
    same_rotation(tu.quat_from_angle_axis(t32(angle), tv), expected)


def test_euler_angles_equal_scipys(samples):
    rng = np.random.default_rng(4)
    angles = rng.uniform([-3, -1.5, -3], [3, 1.5, 3], size=(N, 3))
    rotation = Rotation.from_euler("xyz", angles)
    same_rotation(tu.quat_from_euler_xyz(*t32(angles).unbind(-1)), rotation)
    result = tu.get_euler_xyz(t32(rotation.as_quat()))
    assert isinstance(result, tuple)
    for angle, expected in zip(result, angles.T, strict=True):
        assert (angle >= 0).all() and (angle < 2 * math.pi + 1e-6).all()
        close(angle, expected % (2 * np.pi), tol=2e-3)  # asin loses half of float32's digits near ±π/2


def test_pitch_survives_rounding_at_a_right_angle():
    q = t32([[0.0, math.sin(math.pi / 4) + 1e-7, 0.0, math.cos(math.pi / 4) + 1e-7]])
    assert tu.get_euler_xyz(q)[1].item() == pytest.approx(math.pi / 2, abs=1e-3)


def test_normalize_leaves_zero_at_zero():
    close(tu.normalize(t32([[3.0, 4.0], [0.0, 0.0]])), [[0.6, 0.8], [0.0, 0.0]])


def test_axis_params_overwrite_the_first_element():
    assert tu.get_axis_params(-1.0, 2) == [0.0, 0.0, -1.0]
    assert tu.get_axis_params(5.0, 1, x_value=7.0, n_dims=2) == [7.0, 5.0]
    assert tu.get_axis_params(5.0, 0) == [0.0, 0.0, 0.0]
    assert isinstance(tu.get_axis_params(1.0, 1), list)


def test_scale_and_unscale_are_inverse():
    x, low, high = t32([-1.0, 0.0, 1.0]), t32([2.0] * 3), t32([6.0] * 3)
    close(tu.scale(x, low, high), [2, 4, 6])
    close(tu.unscale(tu.scale(x, low, high), low, high), x.numpy())


def test_small_helpers():
    close(tu.tensor_clamp(t32([-5, 0.5, 5]), t32([-1, 0, 0]), t32([1, 1, 2])), [-1, 0.5, 2])
    close(tu.normalize_angle(t32([3 * math.pi / 2, -3 * math.pi / 2])), [-math.pi / 2, math.pi / 2])
    close(tu.copysign(-2.0, t32([3.0, -0.1])), [2.0, -2.0])
    assert tu.to_torch([1, 2], device="cpu").dtype == torch.float32


def test_random_floats_fill_their_range():
    torch.manual_seed(0)
    x = tu.torch_rand_float(-2.0, 3.0, (1000, 2), device="cpu")
    assert x.shape == (1000, 2) and -2 <= x.min() < -1.9 and 2.9 < x.max() < 3
    torch.manual_seed(0)
    torch.testing.assert_close(x, 5.0 * torch.rand(1000, 2) - 2.0)
    close(tu.torch_random_dir_2((10, 1), device="cpu").norm(dim=-1), np.ones(10))


def test_a_star_import_brings_np_and_torch():
    space = {}
    exec("from isaacgym.torch_utils import *", space)
    assert space["np"] is np and space["torch"] is torch
    exec("from isaacgym.gymtorch import *", space)
    assert gymtorch.torch is torch and gymtorch.np is np


# --- gymtorch -------------------------------------------------------------------------------------------------------


def test_wrapping_shares_memory():
    buffer = torch.zeros(4, 13)
    view = gymtorch.wrap_tensor(Tensor(buffer), counts=(4, 13))
    buffer[2, 3] = 7.0
    assert view[2, 3] == 7.0 and view.data_ptr() == buffer.data_ptr()


def test_unwrapping_keeps_a_temporary_alive():
    descriptor = gymtorch.unwrap_tensor(torch.full((2, 3), 5.0))
    assert descriptor.shape == (2, 3) and (descriptor.tensor == 5.0).all()


def test_unwrapping_refuses_what_is_not_contiguous():
    with pytest.raises(ValueError, match=r"pass tensor.contiguous\(\)"):
        gymtorch.unwrap_tensor(torch.zeros(4, 6)[:, ::2])
    with pytest.raises(TypeError, match="torch tensor, got ndarray"):
        gymtorch.unwrap_tensor(np.zeros(3))


@pytest.mark.parametrize("order", ["import isaacgym, torch", "import torch, isaacgym"])
def test_import_order_does_not_matter(order):
    import subprocess
    import sys

    subprocess.run([sys.executable, "-c", order + "; from isaacgym import gymtorch, gymutil"], check=True)
