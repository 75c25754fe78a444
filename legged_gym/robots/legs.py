"""Which limbs of a robot are its legs: those that reach the ground, without arms, fingers and rods of linkages."""

import re
from collections import Counter
from typing import NamedTuple

import numpy as np

from isaacgym.assets.description import Joint, RobotDescription
from legged_gym.robots.kinematics import body_poses, lowest_points

FOOT_HINT = re.compile("foot|feet|toe|sole|ankle", re.IGNORECASE)
LEG_DEPTH = 0.7  # an end that reaches down at least this share of the deepest one belongs to a leg
FEW_SAMPLES = 100  # random poses that show how far limbs reach
MIDDLE = 0.005  # [m] from the plane of symmetry


class Leg(NamedTuple):
    """One leg."""

    end: int  # the last body that moves
    foot: int  # the body that stands on the ground
    joints: list[Joint]  # from the root on, without a wheel's
    wheel: str  # name of a wheel's joint; "": none


def find_legs(robot: RobotDescription, samples: int = FEW_SAMPLES) -> list[Leg]:
    """The limbs that reach the ground, in the robot's order. samples: how many random poses show it."""
    ends = ends_of(robot)
    rng = np.random.default_rng(0)
    poses = [zero_pose(robot)]
    poses += [{joint.name: rng.uniform(*range_of(joint)) for joint in robot.dofs} for _ in range(samples)]
    depths = np.zeros(len(ends))
    for pose in poses:
        lowest = lowest_points(robot, body_poses(robot, coupled(robot, pose)))
        depths = np.minimum(depths, [min(lowest[i] for i in rigid_with(robot, end)) for end in ends])
    depth_of = dict(zip(ends, depths.tolist(), strict=True))
    limbs = []
    for end in sorted(ends, key=lambda end: (not _is_foot(robot, end), depth_of[end])):
        joints = [joint for body in chain_of(robot, end) for joint in robot.bodies[body].joints]
        if len(joints) >= 2 and depth_of[end] < 0.0:
            rolls = len(joints) > 3 and joints[-1].kind == "continuous"
            wheel = joints.pop().name if rolls else ""
            limbs.append(Leg(end, _foot(robot, end), joints, wheel))
    zero = body_poses(robot, zero_pose(robot)).positions
    limbs = _with_joints_of_their_own(_without_rods(robot, limbs, zero))
    # what is in the middle is an arm, a neck or a tail, however far down it reaches
    beside = [leg for leg in limbs if _is_foot(robot, leg.end) or abs(zero[leg.joints[0].body][1]) > MIDDLE]
    if len(beside) >= 4 or len(beside) >= 2 and any(_is_foot(robot, leg.end) for leg in beside):
        limbs = beside
    deepest = min((depth_of[leg.end] for leg in limbs), default=0.0)
    legs = [leg for leg in limbs if depth_of[leg.end] <= LEG_DEPTH * deepest]
    if sum(leg in beside for leg in legs) >= 2:
        legs = [leg for leg in legs if leg in beside]
    if not legs:
        raise ValueError(
            f"robot '{robot.name}' has no legs: no chain of two or more joints reaches below its root with a collision "
            "shape at the end"
        )
    return legs


def _without_rods(robot: RobotDescription, legs: list[Leg], zero: np.ndarray) -> list[Leg]:
    """Of limbs that part beside the plane of symmetry, the first: the others are rods of a linkage in the same leg.

    Legs part in the middle: at the root, or at a pelvis or a spine that moves. In the robot's order.
    """
    found: list[Leg] = []
    for leg in legs:
        chains = [chain_of(robot, other.end) for other in found]
        shared = [max(set(chain) & set(chain_of(robot, leg.end))) for chain in chains]
        if not any(robot.bodies[body].joints and abs(zero[body][1]) > MIDDLE for body in shared):
            found.append(leg)
    return sorted(found, key=lambda leg: leg.end)


def _with_joints_of_their_own(legs: list[Leg]) -> list[Leg]:
    """The legs without the joints that several of them share, such as a waist's; not those left with one: fingers."""
    counts = Counter(joint.name for leg in legs for joint in leg.joints)
    own = [leg._replace(joints=[joint for joint in leg.joints if counts[joint.name] == 1]) for leg in legs]
    return [leg for leg in own if len(leg.joints) >= 2]


def _is_foot(robot: RobotDescription, end: int) -> bool:
    """Whether a limb's end is named a foot."""
    return any(FOOT_HINT.search(robot.bodies[index].name) for index in rigid_with(robot, end))


def coupled(robot: RobotDescription, pose: dict[str, float]) -> dict[str, float]:
    """The pose with joints that follow others where these have them."""
    for _ in robot.couplings:  # a follower may be followed
        followers = {
            coupling.joint: float(np.polyval(coupling.coefficients[::-1], pose.get(coupling.other or "", 0.0)))
            for coupling in robot.couplings
        }
        pose = pose | followers
    return pose


def _foot(robot: RobotDescription, end: int) -> int:
    """Of the bodies fixed to a leg's end: the one named a foot, else the one that reaches lowest, if it has shapes."""
    lowest = lowest_points(robot, body_poses(robot, zero_pose(robot)))
    fixed = [index for index in rigid_with(robot, end) if robot.bodies[index].shapes]
    named = [index for index in fixed if FOOT_HINT.search(robot.bodies[index].name)]
    return min(named or fixed or [end], key=lambda index: lowest[index])


def range_of(joint: Joint) -> tuple[float, float]:
    """Positions that a sample or a pose may have."""
    if not joint.has_limits:
        return (-1.0, 1.0) if joint.kind == "prismatic" else (-np.pi / 2, np.pi / 2)
    return max(joint.lower, -np.pi), min(joint.upper, np.pi)


def zero_pose(robot: RobotDescription) -> dict[str, float]:
    return {joint.name: float(np.clip(0.0, joint.lower, joint.upper)) for joint in robot.dofs}


def ends_of(robot: RobotDescription) -> list[int]:
    """Moving bodies that carry no moving body."""
    moving = _moving(robot)
    return [index for index in moving if not any(_above(robot, other, index) for other in moving)]


def _moving(robot: RobotDescription) -> list[int]:
    return [index for index, body in enumerate(robot.bodies) if body.joints]


def chain_of(robot: RobotDescription, body: int) -> list[int]:
    """Indices from the root to a body."""
    above = robot.bodies[body].parent
    return [*(chain_of(robot, above) if above >= 0 else []), body]


def _above(robot: RobotDescription, body: int, ancestor: int) -> bool:
    return body != ancestor and ancestor in chain_of(robot, body)


def rigid_with(robot: RobotDescription, body: int) -> list[int]:
    """A body and those fixed to it, directly or through others."""
    fixed = [body]
    for index in range(body + 1, len(robot.bodies)):
        if robot.bodies[index].parent in fixed and not robot.bodies[index].joints:
            fixed.append(index)
    return fixed
