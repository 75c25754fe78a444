"""Where the bodies of a robot are for given joint positions; for set-up, on the host."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from isaacgym.assets.description import Body, RobotDescription


def body_poses(robot: RobotDescription, root: np.ndarray, dof_positions: np.ndarray) -> np.ndarray:
    """Positions and quaternions xyzw, (num_bodies, 7). root: the pose of the root, (7,); dof_positions: (num_dofs,)."""
    poses = np.zeros((len(robot.bodies), 7))
    first = 0
    for index, body in enumerate(robot.bodies):
        parent = root if body.parent < 0 else poses[body.parent]
        pos, turn = np.array(parent[:3]), Rotation.from_quat(parent[3:])
        if body.parent >= 0:
            pos, turn = pos + turn.apply(body.pos), turn * Rotation.from_quat(body.quat)
        for joint, value in zip(body.joints, dof_positions[first:], strict=False):
            if joint.kind == "prismatic":
                pos = pos + turn.apply(value * joint.axis)
            else:
                about = turn.apply(joint.anchor)
                turn = turn * Rotation.from_rotvec(value * joint.axis)
                pos = pos + about - turn.apply(joint.anchor)
        first += len(body.joints)
        poses[index] = [*pos, *turn.as_quat()]
    return poses


def dof_states(robot: RobotDescription, bodies: np.ndarray) -> np.ndarray:
    """Positions and velocities of the DOFs that body states mean, (num_dofs, 2).

    bodies: (num_bodies, 13), pose, velocity of the centre of mass, angular velocity. Of a body with several joints,
    which body states do not tell apart, the DOFs are 0.
    """
    states = np.zeros((len(robot.dofs), 2))
    first = 0
    for index, body in enumerate(robot.bodies):
        if len(body.joints) == 1:
            states[first] = _dof_state(robot, bodies, index)
        first += len(body.joints)
    return states


def _dof_state(robot: RobotDescription, bodies: np.ndarray, index: int) -> tuple[float, float]:
    body, own = robot.bodies[index], bodies[index]
    above, joint = bodies[body.parent], body.joints[0]
    turn, turn_above = Rotation.from_quat(own[3:7]), Rotation.from_quat(above[3:7])
    axis_w = turn.apply(joint.axis)
    if joint.kind == "prismatic":
        rest = above[:3] + turn_above.apply(body.pos)
        slid = own[:3] - rest
        speed = _origin_velocity(body, own) - _origin_velocity(robot.bodies[body.parent], above)
        speed -= np.cross(above[10:13], own[:3] - above[:3])
        return float(slid @ axis_w), float(speed @ axis_w)
    moved = (turn_above * Rotation.from_quat(body.quat)).inv() * turn
    x, y, z, w = moved.as_quat()
    angle = 2.0 * np.arctan2(np.dot((x, y, z), joint.axis), w)
    angle = (angle + np.pi) % (2.0 * np.pi) - np.pi
    return float(angle), float((own[10:13] - above[10:13]) @ axis_w)


def _origin_velocity(body: Body, state: np.ndarray) -> np.ndarray:
    return state[7:10] - np.cross(state[10:13], Rotation.from_quat(state[3:7]).apply(body.com))
