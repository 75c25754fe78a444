"""MJCF's tendons over joints, which act as in MuJoCo. Those along paths between sites are read only if they do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mujoco
import numpy as np

from isaacgym.assets.description import FixedTendon
from isaacgym.gym_types import TendonProperties, TendonType


def fixed_tendons(path: Path, model: mujoco.MjModel, joint_name: Callable[[int], str]) -> tuple[FixedTendon, ...]:
    """All that are over joints; a ValueError names one that would act and cannot."""
    tendons = []
    for index in range(model.ntendon):
        limited = bool(model.tendon_limited[index])
        lower, upper = model.tendon_range[index].tolist() if limited else (-np.inf, np.inf)
        parts = model.tendon_adr[index] + np.arange(model.tendon_num[index])
        tendon = FixedTendon(
            name=model.tendon(index).name or f"tendon_{index}",
            joints=tuple((joint_name(int(model.wrap_objid[k])), float(model.wrap_prm[k])) for k in parts),
            lower=lower,
            upper=upper,
            stiffness=float(model.tendon_stiffness[index]),
            damping=float(model.tendon_damping[index]),
            friction=float(model.tendon_frictionloss[index]),
            rest=tuple(model.tendon_lengthspring[index].tolist()),
        )
        over_joints = (model.wrap_type[parts] == mujoco.mjtWrap.mjWRAP_JOINT).all()
        if model.tendon_armature[index] > 0.0 or (tendon.acts and not over_joints):
            raise ValueError(
                f"{path}: tendon '{tendon.name}' has an armature or is a <spatial> one that exerts a force; remove it, "
                "or make it a <fixed> one"
            )
        if over_joints:
            tendons.append(tendon)
    return tuple(tendons)


def tendon_properties(model: mujoco.MjModel, limit_stiffness: float) -> list[TendonProperties]:
    """What scripts are told of all tendons, in the order of the file. limit_stiffness: of the asset options."""
    properties = []
    for index in range(model.ntendon):
        is_fixed = model.wrap_type[model.tendon_adr[index]] == mujoco.mjtWrap.mjWRAP_JOINT
        tendon = TendonProperties(
            name=model.tendon(index).name or f"tendon_{index}",
            type=TendonType.TENDON_FIXED if is_fixed else TendonType.TENDON_SPATIAL,
            stiffness=model.tendon_stiffness[index],
            damping=model.tendon_damping[index],
            limit_stiffness=limit_stiffness,
        )
        if is_fixed:
            tendon.num_joints = model.tendon_num[index]
            tendon.is_fixed_limited = model.tendon_limited[index]
            tendon.fixed_lower_limit, tendon.fixed_upper_limit = model.tendon_range[index]
            tendon.fixed_spring_rest_length = model.tendon_lengthspring[index, 0]
        else:
            tendon.num_attachments = model.tendon_num[index]
        properties.append(tendon)
    return properties
