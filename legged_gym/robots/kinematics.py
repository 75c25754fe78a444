"""Where a robot's bodies are, given its joints; and how it stands on level ground."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from isaacgym.assets.description import Body, RobotDescription, Shape

UPRIGHT = (0.0, 0.0, 0.0, 1.0)  # quaternion xyzw


class Poses(NamedTuple):
    """Of all bodies, in the frame that the root's pose is given in."""

    positions: np.ndarray  # (num_bodies, 3) of their origins [m]
    rotations: list[Rotation]


def body_poses(
    robot: RobotDescription, joints: Mapping[str, float], root_rot: tuple[float, ...] | list[float] = UPRIGHT
) -> Poses:
    """Poses of the bodies with the root's origin at 0. joints: [rad] or [m] by name, 0 for those not named."""
    positions: list[np.ndarray] = []
    rotations: list[Rotation] = []
    for body in robot.bodies:
        if body.parent < 0:
            at, turn = np.zeros(3), Rotation.from_quat(root_rot)
        else:
            at, turn = positions[body.parent], rotations[body.parent]
            at = at + turn.apply(body.pos)
            turn = turn * Rotation.from_quat(body.quat)
        for joint in body.joints:
            value = joints.get(joint.name, 0.0)
            if joint.kind == "prismatic":
                at = at + turn.apply(value * joint.axis)
                continue
            anchor = np.array(joint.anchor)
            turned = turn * Rotation.from_rotvec(value * joint.axis)
            at, turn = at + turn.apply(anchor) - turned.apply(anchor), turned
        positions.append(at)
        rotations.append(turn)
    return Poses(np.array(positions), rotations)


def lowest_points(robot: RobotDescription, poses: Poses) -> np.ndarray:
    """z of the lowest point of every body's collision shapes [m], (num_bodies,); inf for a body without any."""
    lowest = np.full(len(robot.bodies), np.inf)
    for index, body in enumerate(robot.bodies):
        for shape in body.shapes:
            lowest[index] = min(lowest[index], _lowest(shape, poses.positions[index], poses.rotations[index]))
    return lowest


def _lowest(shape: Shape, at: np.ndarray, turn: Rotation) -> float:
    turn_of_shape = turn * Rotation.from_quat(shape.quat)
    down = np.abs(turn_of_shape.as_matrix()[2])  # vertical part of the shape's axes
    z = float((at + turn.apply(shape.pos))[2])
    radius, half_length, _ = shape.size
    match shape.kind:
        case "sphere":
            return z - radius
        case "capsule":
            return z - radius - half_length * down[2]
        case "cylinder":
            return z - radius * np.hypot(down[0], down[1]) - half_length * down[2]
        case "box":
            return z - float(down @ shape.size)
    assert shape.vertices is not None, "a collision mesh has vertices"
    return z + float((turn_of_shape.as_matrix()[2] @ shape.vertices.T).min())


class Stance(NamedTuple):
    """How a robot stands in a pose, level ground touching its lowest point."""

    height: float  # of the root's origin above the ground [m]
    feet_z: float  # mean height of the feet's origins in the root's level frame [m]
    feet_lowest: float  # height of the lowest point of the feet above the ground [m]: 0 if it stands on them
    lowest_body: str


def stance(
    robot: RobotDescription,
    joints: Mapping[str, float],
    feet: list[str],
    root_rot: tuple[float, ...] | list[float] = UPRIGHT,
) -> Stance | None:
    """How the robot stands; None if nothing of it collides. feet: names of bodies."""
    poses = body_poses(robot, joints, root_rot)
    lowest = lowest_points(robot, poses)
    foot_ids = [index for index, body in enumerate(robot.bodies) if body.name in feet]
    if not np.isfinite(lowest).any() or not foot_ids:
        return None
    bottom = lowest.min()
    return Stance(
        height=-float(bottom),
        feet_z=float(poses.positions[foot_ids, 2].mean()),
        feet_lowest=float(lowest[foot_ids].min() - bottom),
        lowest_body=robot.bodies[int(lowest.argmin())].name,
    )


def chain(robot: RobotDescription, body: int) -> list[Body]:
    """The bodies from the root to this one."""
    above = robot.bodies[body].parent
    return [*(chain(robot, above) if above >= 0 else []), robot.bodies[body]]
