"""Actuators of an MJCF file: as Isaac Gym tells scripts about them, and as drives, which scripts give targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import mujoco
import numpy as np

from isaacgym.gym_types import ActuatorProperties, DofDriveMode


class Drive(NamedTuple):
    """What the actuators of a file make of a DOF."""

    mode: DofDriveMode
    stiffness: float  # [N·m/rad] or [N/m]
    damping: float  # [N·m·s/rad] or [N·s/m]


def drive_of(joint: str, actuators: Sequence[ActuatorProperties]) -> Drive:
    """Servos are drives, of position if one of them is; motors alone leave the DOF to efforts."""
    own = [actuator for actuator in actuators if actuator.joint == joint]
    # of a servo motor_effort is the gear, which multiplies lengths and forces
    stiffness = float(sum(actuator.kp * actuator.motor_effort**2 for actuator in own))
    damping = float(sum(actuator.kv * actuator.motor_effort**2 for actuator in own))
    if stiffness > 0.0:
        return Drive(DofDriveMode.DOF_MODE_POS, stiffness, damping)
    if damping > 0.0:
        return Drive(DofDriveMode.DOF_MODE_VEL, 0.0, damping)
    return Drive(DofDriveMode.DOF_MODE_EFFORT if own else DofDriveMode.DOF_MODE_NONE, 0.0, 0.0)


def actuator_properties(model: mujoco.MjModel) -> list[ActuatorProperties]:
    """In the order of the file, of actuators on joints."""
    on_joints = np.isin(model.actuator_trntype, (mujoco.mjtTrn.mjTRN_JOINT, mujoco.mjtTrn.mjTRN_JOINTINPARENT))
    return [_properties(model, int(index)) for index in np.flatnonzero(on_joints)]


def _properties(model: mujoco.MjModel, index: int) -> ActuatorProperties:
    joint = model.joint(int(model.actuator_trnid[index, 0])).name
    gain, bias = model.actuator_gainprm[index], model.actuator_biasprm[index]
    is_motor = model.actuator_biastype[index] != mujoco.mjtBias.mjBIAS_AFFINE
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
