"""What an MJCF file or a script says of a robot and a `RobotDescription` does not hold: said, for that counts."""

import mujoco
import numpy as np

from isaacgym.assets.notices import Notices
from isaacgym.gym_types import AssetOptions

TILT = 0.02  # [rad] of a root that is said to be tilted
DECOMPOSING = ("vhacd_enabled", "convex_decomposition_from_submeshes")  # options


def say_what_is_lost(model: mujoco.MjModel, options: AssetOptions, notices: Notices) -> None:
    """Add to the notices. model: the robot, its root being body 1."""
    wanted = " and ".join(name for name in DECOMPOSING if getattr(options, name))
    is_hull = (model.geom_type == mujoco.mjtGeom.mjGEOM_MESH) & ((model.geom_contype | model.geom_conaffinity) != 0)
    for mesh in np.unique(model.geom_dataid[is_hull]) if wanted else ():
        notices.add(
            f"AssetOptions.{wanted}: without effect in MJCF, these collision meshes are their convex hulls; take them "
            "apart, one geom a part: {}",
            f"'{model.mesh(mesh).name}'",
        )
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
