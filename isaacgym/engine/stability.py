"""Which joints are so light that explicit steps may not hold them.

The velocities' own forces (Coriolis, centrifugal) are taken at the start of a step, as in MuJoCo. A light link that an
impact whips through a radian or more within a step gains speed from them, and ends in NaN: humanoids with fingers of
some grams, dropped from 1.5 m, do so in double precision and in C MuJoCo as well, with steps of 1/120 s and still with
1/480 s, not with 1 ms. Inertia of the joint (armature) holds them, and so does damping, which acts at the end of a
step. Measured with fingers of 3 to 20 g, self-collision on and off, 24 drops each: without armature 12 end in NaN, with
3e-5 and 1e-4 kg·m² one each, with 3e-4 and 1e-3 none, and none with a damping of 0.012 N·m·s/rad.
"""

from __future__ import annotations

import mujoco
import numpy as np

from isaacgym.engine.drives import DofParameters
from isaacgym.engine.variants import Variants

LIGHT = 1e-4  # [kg·m²]
ENOUGH = 3e-4  # [kg·m²]
SHORT_STEP = 1.0 / 1000.0  # [s] that none of them was too light for


def light_joints(variants: Variants, hinges: np.ndarray, dofs: DofParameters) -> list[str]:
    """Names of hinges that move less than LIGHT, with armature and damping, in any world.

    hinges: MuJoCo's velocity of each DOF, (num_dofs,).
    """
    model = variants.models[0]
    step = model.opt.timestep
    if step <= SHORT_STEP or len(hinges) == 0:
        return []
    held = dofs.armature + step * (dofs.damping + step * dofs.stiffness)
    inertia = variants.values("dof_M0") - variants.values("dof_armature")
    lightest = (inertia[:, hinges] + held.cpu().numpy()).min(axis=0)
    is_hinge = model.jnt_type[model.dof_jntid[hinges]] == mujoco.mjtJoint.mjJNT_HINGE
    joints = model.dof_jntid[hinges[is_hinge & (lightest < LIGHT)]]
    return [model.joint(int(joint)).name for joint in joints]
