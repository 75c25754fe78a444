"""When a robot has to be stopped, judged from one of its states."""

from __future__ import annotations

import math
from typing import Any, Mapping, NamedTuple, Sequence

import numpy as np

from legged_gym.deploy.controller import Array, gravity_in_base
from legged_gym.deploy.messages import GO2_JOINTS, NUM_MOTORS

MAX_TILT = 50.0  # [deg]
LIMIT_MARGIN = 0.02  # [rad] nearer to its stop than this, a joint must not move towards it
LIMIT_SPEED = 5.0  # [rad/s] of such a movement; slower ones are noise or a robot that lies on its folded legs
SPEED_MARGIN = 1.2  # on the joints' speed limits: noise, and impacts
MAX_TEMPERATURE = 80  # [°C] of a motor
MAX_STATE_AGE_S = 0.05
LIMIT_KEYS = ("joint_pos_limits", "joint_vel_limits")  # of a policy's metadata; old files lack them
MAX_POLICY_S = 0.015  # from a state to the policy's answer


class Limits(NamedTuple):
    """Of the joints, in the SDK's order for `danger`, (n,) each."""

    low: Array  # [rad]
    high: Array  # [rad]
    speed: Array  # [rad/s]


class Readings(NamedTuple):
    """What a policy and its guard see of a robot's state; joints in the SDK's order."""

    quat: Array  # w, x, y, z, base to world
    gyroscope: Array  # [rad/s] base frame
    joint_pos: Array  # [rad] (12,)
    joint_vel: Array  # [rad/s] (12,)
    temperature: Array  # [°C] (12,)


def readings_of(state: np.ndarray) -> Readings:
    """state: a LOW_STATE record."""
    imu, motors = state["imu_state"], state["motor_state"][:NUM_MOTORS]
    return Readings(
        np.array(imu["quaternion"]),
        np.array(imu["gyroscope"]),
        np.array(motors["q"]),
        np.array(motors["dq"]),
        np.array(motors["temperature"]),
    )


def limits_of(metadata: Mapping[str, Any], joints: Sequence[str] = GO2_JOINTS) -> Limits:
    """Of a policy's metadata, for joints in this order."""
    names = metadata["joint_names"]
    order = [names.index(name) for name in joints]
    positions, speeds = (np.array(metadata[key], np.float32)[order] for key in LIMIT_KEYS)
    return Limits(*positions.T, speeds)


def strained_joints(pos: Array, vel: Array, limits: Limits) -> tuple[Array, Array]:
    """Masks (n,) of joints that run into their stops, and of those that are too fast. pos [rad], vel [rad/s]: (n,)."""
    inwards = (pos < limits.low + LIMIT_MARGIN) & (vel < -LIMIT_SPEED)
    outwards = (pos > limits.high - LIMIT_MARGIN) & (vel > LIMIT_SPEED)
    return inwards | outwards, np.abs(vel) > SPEED_MARGIN * limits.speed


def danger(readings: Readings, limits: Limits) -> str:
    """Why the robot has to be damped at once; empty: it need not."""
    for name in ("quat", "gyroscope", "joint_pos", "joint_vel"):
        if not np.isfinite(getattr(readings, name)).all():
            return f"the robot's {name} is not finite"
    norm = float(np.linalg.norm(readings.quat))
    if not 0.9 < norm < 1.1:
        return f"the IMU's quaternion has length {norm:.2f} instead of 1"
    tilt = math.degrees(math.acos(min(1.0, max(-1.0, -float(gravity_in_base(readings.quat[[1, 2, 3, 0]])[2])))))
    if tilt > MAX_TILT:
        return f"tilted by {tilt:.0f}°, more than {MAX_TILT:g}°"
    pos, vel = readings.joint_pos, readings.joint_vel
    at_stops, too_fast = strained_joints(pos, vel, limits)
    for j in np.flatnonzero(at_stops):
        return f"{GO2_JOINTS[j]} runs into its limit: at {pos[j]:.2f} rad with {vel[j]:.1f} rad/s"
    for j in np.flatnonzero(too_fast):
        return f"{GO2_JOINTS[j]} moves with {vel[j]:.1f} rad/s, its limit is {limits.speed[j]:.1f}"
    for j in np.flatnonzero(readings.temperature > MAX_TEMPERATURE):
        return f"the motor of {GO2_JOINTS[j]} has {readings.temperature[j]} °C, more than {MAX_TEMPERATURE}"
    return ""
