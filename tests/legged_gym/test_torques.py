"""Torques of the three kinds of control, by hand."""

from types import SimpleNamespace

import pytest
import torch

from legged_gym.envs import LeggedRobot

TOLERANCE = 1e-5  # float32 values of order 1 that took another path of the same arithmetic


def robot_for_torques(control_type: str = "P") -> LeggedRobot:
    """Two robots with a hip and a thigh joint, no simulator."""
    robot = LeggedRobot.__new__(LeggedRobot)
    control = SimpleNamespace(control_type=control_type, action_scale=0.5, hip_reduction=0.6)
    control.stiffness, control.damping, control.decimation = {"hip": 30.0, "joint": 40.0}, {"joint": 2.0}, 4
    angles = {"FL_hip_joint": 0.1, "FL_thigh_joint": 0.8}
    robot.cfg = SimpleNamespace(control=control, init_state=SimpleNamespace(default_joint_angles=angles))
    robot.num_envs, robot.device, robot.dof_names = 2, "cpu", list(angles)
    robot.sim_params = SimpleNamespace(dt=0.005)
    robot._init_control()
    robot.dof_pos = torch.tensor([[0.2, 0.5], [0.3, 0.9]])
    robot.dof_vel = torch.tensor([[1.0, -2.0], [3.0, 0.5]])
    robot.last_dof_vel = torch.tensor([[0.9, -2.1], [3.0, 0.5]])
    robot.torque_limits = torch.tensor([33.5, 15.0])
    robot.Kp_factors, robot.Kd_factors = torch.tensor([[1.1], [1.0]]), torch.tensor([[0.9], [1.0]])
    robot.motor_strength_factors = torch.tensor([[0.95], [1.0]])
    return robot


ACTIONS = torch.tensor([[1.0, -0.4], [0.0, 2.0]])


def test_position_control_follows_the_pd_law() -> None:
    first = 0.95 * (30 * 1.1 * (0.1 + 0.3 - 0.2) - 2 * 0.9 * 1.0)  # hip: action x 0.5 x 0.6
    second = 0.95 * (40 * 1.1 * (0.8 - 0.2 - 0.5) - 2 * 0.9 * -2.0)
    third = 30 * (0.1 - 0.3) - 2 * 3.0
    torques = robot_for_torques()._compute_torques(ACTIONS)
    assert torques[0].tolist() == pytest.approx([first, second], rel=TOLERANCE)
    assert torques[1].tolist() == pytest.approx([third, 15.0], rel=TOLERANCE)  # 40 * 0.9 - 1 is clipped


def test_velocity_control_damps_the_acceleration() -> None:
    torques = robot_for_torques("V")._compute_torques(ACTIONS)
    expected = 0.95 * (30 * 1.1 * (0.3 - 1.0) - 2 * 0.9 * (0.1 / 0.005))
    assert torques[0, 0].item() == pytest.approx(max(expected, -33.5), rel=TOLERANCE)
    assert torques[1].tolist() == pytest.approx([-33.5, 15.0])  # 30 * (0 - 3) and 40 * (1 - 0.5), clipped


def test_torque_control_scales_the_action() -> None:
    torques = robot_for_torques("T")._compute_torques(ACTIONS)
    assert torques.flatten().tolist() == pytest.approx([0.95 * 0.3, 0.95 * -0.2, 0.0, 1.0], rel=TOLERANCE)
