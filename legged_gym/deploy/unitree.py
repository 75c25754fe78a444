"""Policies on Unitree robots through an SDK of Unitree's own, whose joints are ordered FR, FL, RR, RL.

The functions take the SDK's messages as they come (field names of unitree_sdk2); nothing is imported from the SDK. Go2
needs no SDK: go2.py. A1, Go1 and Aliengo have the older unitree_legged_sdk; README.md says how its names differ.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from legged_gym.deploy.controller import Array, PolicyController, gravity_in_base
from legged_gym.deploy.messages import GO2_JOINTS, SERVO

UNITREE_JOINTS = list(GO2_JOINTS)  # of A1, Go1 and Aliengo too


def control_step(controller: PolicyController, command: Any, low_state: Any, low_cmd: Any) -> Array:
    """Read `low_state`, step the policy, write `low_cmd`; call it every `controller.control_period_s`.

    Args:
        controller: built with joint_order=UNITREE_JOINTS.
        command: vx, vy [m/s], yaw rate [rad/s].
        low_state: imu_state.gyroscope [rad/s], imu_state.quaternion (w, x, y, z), motor_state[0:12].q and .dq.
        low_cmd: motor_cmd[0:12], changed in place.

    Returns:
        Joint targets [rad] in the SDK's order, (12,).
    """
    w, x, y, z = low_state.imu_state.quaternion
    motors = low_state.motor_state[: len(UNITREE_JOINTS)]
    targets = controller.step(
        command,
        base_ang_vel=np.array(low_state.imu_state.gyroscope),
        projected_gravity=gravity_in_base((x, y, z, w)),
        joint_pos=np.array([motor.q for motor in motors]),
        joint_vel=np.array([motor.dq for motor in motors]),
    )
    write_targets(controller, targets, low_cmd)
    return targets


def write_targets(controller: PolicyController, targets: Array, low_cmd: Any) -> None:
    """Ask the motors to hold joint targets [rad] (SDK's order) with the policy's gains."""
    for i, target in enumerate(targets):
        motor = low_cmd.motor_cmd[i]
        motor.mode, motor.q, motor.dq, motor.tau = SERVO, float(target), 0.0, 0.0
        motor.kp, motor.kd = float(controller.kp[i]), float(controller.kd[i])
