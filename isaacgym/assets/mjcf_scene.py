"""What an MJCF file has around the robot: lights, cameras, skins, floors, contact pairs. It goes before compiling.

MuJoCo compiles nothing that refers to what is not there, such as a light that follows another robot of the file.
"""

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation


def leave_out_scene(spec: mujoco.MjSpec) -> None:
    """Delete, in place, what is no part of the robot. Geoms that the file pairs for contact collide from now on."""
    for geom in list(spec.worldbody.geoms):
        spec.delete(geom)
    paired = {name for pair in spec.pairs for name in (pair.geomname1, pair.geomname2)}
    for geom in spec.geoms:
        if geom.name and geom.name in paired and not (geom.contype or geom.conaffinity):
            geom.contype = 1
    for element in (*spec.pairs, *spec.excludes, *spec.lights, *spec.cameras, *spec.skins, *spec.hfields):
        spec.delete(element)


def pose_at_zero(model: mujoco.MjModel, body: int) -> tuple[np.ndarray, Rotation] | None:
    """Position (3,) [m] and rotation of a body in its parent's frame with its joints at 0.

    MJCF states the pose with the joints at their `ref`. None if one of them, not at 0, turns or is turned by others, so
    that no pose of the body has the same effect.
    """
    pos, turn = model.body_pos[body].copy(), Rotation.from_quat(model.body_quat[body], scalar_first=True)
    before: list[int] = []  # types of the joints that act first
    for joint in model.body_jntadr[body] + np.arange(model.body_jntnum[body]):
        kind = model.jnt_type[joint]
        if kind == mujoco.mjtJoint.mjJNT_FREE:
            continue
        ref, axis = model.qpos0[model.jnt_qposadr[joint]], model.jnt_axis[joint]
        if ref != 0.0 and kind == mujoco.mjtJoint.mjJNT_SLIDE and set(before) <= {kind}:
            pos = pos - ref * turn.apply(axis)
        elif ref != 0.0 and not before:
            anchor = model.jnt_pos[joint]
            turned = turn * Rotation.from_rotvec(-ref * axis)
            pos, turn = pos + turn.apply(anchor) - turned.apply(anchor), turned
        elif ref != 0.0:
            return None
        before.append(kind)
    return pos, turn
