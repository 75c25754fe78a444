"""What an MJCF file says of a robot and a `RobotDescription` does not hold: said, for the robot moves otherwise."""

import mujoco
import numpy as np

from isaacgym.assets.notices import Notices

TILT = 0.02  # [rad] of a root that is said to be tilted


def say_what_is_lost(model: mujoco.MjModel, notices: Notices) -> None:
    """Add to the notices. model: the robot, its root being body 1."""
    for body in np.flatnonzero(model.body_gravcomp):
        notices.add("gravity is not compensated, as the file wants for these bodies: {}", f"'{model.body(body).name}'")
    curved = model.jnt_stiffnesspoly.any(axis=1) | model.dof_dampingpoly[model.jnt_dofadr].any(axis=1)
    for joint in np.flatnonzero(curved):
        notices.add(
            "of stiffness and damping that are polynomials, the first number counts: {}", f"'{model.joint(joint).name}'"
        )
    for joint in np.flatnonzero((model.jnt_range[:, 0] > model.jnt_range[:, 1]) & (model.jnt_limited == 0)):
        notices.add("ranges whose end is below their begin are no limits: {}", f"'{model.joint(joint).name}'")
    free = model.jnt_type[0] == mujoco.mjtJoint.mjJNT_FREE if model.njnt else False
    for name in ("damping", "armature", "frictionloss"):
        if free and getattr(model, f"dof_{name}")[:6].any():
            notices.add("what the free joint has beside freedom is left out: {}", name)
    up = np.zeros(3)
    mujoco.mju_rotVecQuat(up, np.array([0.0, 0.0, 1.0]), model.body_quat[1])
    if np.arccos(np.clip(up[2], -1.0, 1.0)) > TILT:
        w, x, y, z = (f"{number:.4g}" for number in model.body_quat[1])
        notices.add(
            "the file tilts its root, but robots start with the pose that create_actor gets: turn that by the "
            "quaternion (x y z w) {}",
            f"{x} {y} {z} {w}",
        )
