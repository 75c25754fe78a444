"""Actuators of an MJCF file as Isaac Gym tells scripts about them. They do not act: scripts do."""

from __future__ import annotations

import mujoco
import numpy as np

from isaacgym.gym_types import ActuatorProperties


def actuator_properties(model: mujoco.MjModel) -> list[ActuatorProperties]:
    """In the order of the file, of actuators on joints."""
    on_joints = np.isin(model.actuator_trntype, (mujoco.mjtTrn.mjTRN_JOINT, mujoco.mjtTrn.mjTRN_JOINTINPARENT))
    return [_properties(model, int(index)) for index in np.flatnonzero(on_joints)]


def _properties(model: mujoco.MjModel, index: int) -> ActuatorProperties:
    joint = model.joint(int(model.actuator_trnid[index, 0])).name
    gain, bias = model.actuator_gainprm[index], model.actuator_biasprm[index]
    is_motor = model.actuator_biastype[index] == mujoco.mjtBias.mjBIAS_NONE
    kp, kv = (0.0, 0.0) if is_motor else (-bias[1], -bias[2])  # force = gain · control + bias · (1, length, velocity)
    kind = "motor" if is_motor else "position" if kp else "velocity"
    properties = ActuatorProperties(
        control_limited=model.actuator_ctrllimited[index],
        force_limited=model.actuator_forcelimited[index],
        joint=joint,
        kp=kp,
        kv=kv,
        # a motor's force at control 1
        motor_effort=abs(model.actuator_gear[index, 0] * (gain[0] if is_motor else 1.0)),
        name=model.actuator(index).name or f"{joint}_{kind}",
        type=kind,
    )
    if model.actuator_ctrllimited[index]:
        properties.lower_control_limit, properties.upper_control_limit = model.actuator_ctrlrange[index]
    if model.actuator_forcelimited[index]:
        properties.lower_force_limit, properties.upper_force_limit = model.actuator_forcerange[index]
    return properties
