"""What a robot's file suggests for its config: which bodies are feet, how it may stand, how stiff its joints may be.

Guesses, for a person to check: names help where they are usual, geometry decides.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy.optimize import least_squares

from isaacgym.assets.description import Joint, RobotDescription
from legged_gym.robots.kinematics import body_poses, lowest_points, stance

FOOT_HINT = re.compile("foot|feet|toe|sole|ankle", re.IGNORECASE)
LEG_DEPTH = 0.7  # an end that reaches down at least this share of the deepest one belongs to a leg
SAMPLES = 100  # random poses that show how far limbs reach
BENT = 0.75  # height of the hips above the feet when standing, as a share of the straight leg's length
STARTS = 4  # best of the samples, from which a pose is sought
POSE_WEIGHT = 0.02  # [m/rad] of staying near joint position 0
TILT_WEIGHT = 0.2  # [m] of keeping a foot's sole level, for legs of four and more joints
STIFFNESS_PER_KG = 2.5  # [N·m/rad/kg]: 40 N·m/rad for 16 kg, 125 for 50 kg
DAMPING_RATIO = 0.03  # [s] damping over stiffness
MAX_DAMPING = 3.0  # [N·m·s/rad] what an armature of 0.01 kg·m² and 200 Hz bear
CLEARANCE = 0.03  # [m] above the standing height, for the start


class Leg(NamedTuple):
    """One leg."""

    end: int  # the last body that moves
    foot: int  # the body that stands on the ground
    joints: list[Joint]  # from the root on, without a wheel's
    wheel: str  # name of a wheel's joint; "": none


class Guess(NamedTuple):
    """Numbers and names for a config."""

    base: str
    feet: list[str]
    foot_name: str  # part of the feet's names and of no other body's
    other_bodies: list[str]  # that should not touch anything
    joint_angles: dict[str, float]  # [rad], [m]: the default pose
    height: float  # of the base in it [m]
    feet_z: float  # of the feet in the base's frame [m]
    stiffness: float  # [N·m/rad]
    damping: float  # [N·m·s/rad]
    joint_name: str  # part of all joints' names
    wheels: list[str]  # joints that turn without end at the end of a leg
    sides: dict[str, str]  # part of the names of left joints: of right ones; empty if names do not tell
    mirror_reversed: list[str]  # parts of names of joints that turn the other way in a mirror


def guess(robot: RobotDescription) -> Guess:
    """A robot's config, guessed; a ValueError of one sentence if it has no legs. robot: read without collapse."""
    legs = find_legs(robot)
    pose = standing_pose(robot, legs)
    feet = [robot.bodies[leg.foot].name for leg in legs]
    stands = stance(robot, pose, feet)
    if stands is None:
        raise ValueError(f"robot '{robot.name}': its legs have no collision shapes to stand on; add them to the file")
    sides = _sides(robot, feet, pose)
    root = robot.bodies[0].name
    others = [body.name for body in robot.bodies[1:] if body.shapes and body.joints and body.name not in feet]
    stiffness = float(np.clip(round(STIFFNESS_PER_KG * robot.mass), 10, 300))
    return Guess(
        base=root,
        feet=feet,
        # bodies that collapse into others, such as a foot's motor, lose their names
        foot_name=common_part(feet, [root, *(b.name for b in robot.bodies if b.joints and b.name not in feet)]),
        other_bodies=others,
        joint_angles=pose,
        height=stands.height,
        feet_z=stands.feet_z,
        stiffness=stiffness,
        damping=round(min(DAMPING_RATIO * stiffness, MAX_DAMPING), 2),
        joint_name=common_part(robot.dof_names, []),
        wheels=[leg.wheel for leg in legs if leg.wheel],
        sides=sides,
        mirror_reversed=_reversed(robot, sides, pose),
    )


def find_legs(robot: RobotDescription) -> list[Leg]:
    """The limbs that reach the ground, in the robot's order."""
    ends = [index for index in _moving(robot) if not any(_above(robot, other, index) for other in _moving(robot))]
    rng = np.random.default_rng(0)
    poses = [_zero_pose(robot)]
    poses += [{joint.name: rng.uniform(*_range(joint)) for joint in robot.dofs} for _ in range(SAMPLES)]
    depths = np.zeros(len(ends))
    for pose in poses:
        lowest = lowest_points(robot, body_poses(robot, pose))
        depths = np.minimum(depths, [min(lowest[i] for i in _rigid(robot, end)) for end in ends])
    legs = []
    for end, depth in zip(ends, depths, strict=True):
        joints = [joint for body in _chain(robot, end) for joint in robot.bodies[body].joints]
        if len(joints) >= 2 and depth <= LEG_DEPTH * depths.min() < 0.0:
            rolls = len(joints) > 3 and joints[-1].kind == "continuous"
            wheel = joints.pop().name if rolls else ""
            legs.append(Leg(end, _foot(robot, end), joints, wheel))
    if not legs:
        raise ValueError(
            f"robot '{robot.name}' has no legs: no chain of two or more joints reaches below its root with a collision "
            "shape at the end"
        )
    return legs


def _foot(robot: RobotDescription, end: int) -> int:
    """Of the bodies fixed to a leg's end: the one named a foot, else the one that reaches lowest, if it has shapes."""
    lowest = lowest_points(robot, body_poses(robot, _zero_pose(robot)))
    fixed = [index for index in _rigid(robot, end) if robot.bodies[index].shapes]
    named = [index for index in fixed if FOOT_HINT.search(robot.bodies[index].name)]
    return min(named or fixed or [end], key=lambda index: lowest[index])


def standing_pose(robot: RobotDescription, legs: list[Leg]) -> dict[str, float]:
    """Joint angles with every foot under its hip, knees bent; joints that are no leg's stay at 0 or next to it."""
    pose = _zero_pose(robot)
    knees_forward = len(legs) == 2
    for leg in legs:
        pose |= _leg_pose(robot, leg, pose, knees_forward)
    return {name: round(float(value), 2) + 0.0 for name, value in pose.items()}


def _leg_pose(robot: RobotDescription, leg: Leg, pose: dict[str, float], knees_forward: bool) -> dict[str, float]:
    names = [joint.name for joint in leg.joints]
    bounds = np.array([_range(joint) for joint in leg.joints])
    zero = np.clip(np.zeros(len(names)), *bounds.T)
    start = body_poses(robot, pose)
    level = start.rotations[leg.foot]
    pitch = [joint for joint in leg.joints if abs(start.rotations[joint.body].apply(joint.axis)[1]) > 0.7]
    hip = start.positions[(pitch or leg.joints)[0].body]
    rng = np.random.default_rng(1)
    samples = [zero, *rng.uniform(*bounds.T, size=(SAMPLES, len(names)))]

    def foot_in(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        poses = body_poses(robot, pose | dict(zip(names, values, strict=True)))
        knee = poses.positions[leg.end] if leg.foot != leg.end else poses.positions[leg.joints[-1].body]
        tilt = (level.inv() * poses.rotations[leg.foot]).as_rotvec()
        return poses.positions[leg.foot], tilt, float(knee[0] - hip[0])

    below_hip = [i for i in _chain(robot, leg.foot) if i > (pitch or leg.joints)[0].body]
    length = sum(np.linalg.norm(robot.bodies[i].pos) for i in below_hip)
    target = np.array([hip[0], start.positions[leg.foot][1], hip[2] - BENT * length])

    def error(values: np.ndarray) -> np.ndarray:
        foot, tilt, _ = foot_in(values)
        parts = [foot - target, POSE_WEIGHT * (values - zero)]
        if len(names) > 3:
            parts.append(TILT_WEIGHT * tilt)
        return np.concatenate(parts)

    nearest = sorted(samples, key=lambda values: float(np.square(error(values)).sum()))[:STARTS]
    margin = 1e-6 * (bounds[:, 1] - bounds[:, 0])
    found = [
        least_squares(error, np.clip(values, bounds[:, 0] + margin, bounds[:, 1] - margin), bounds=bounds.T)
        for values in nearest
    ]
    least = min(result.cost for result in found)
    good = [result.x for result in found if result.cost < least + 1e-3]
    # of two ways to bend, the one of most robots: knees of bipeds point forwards, those of others backwards
    best = min(good, key=lambda values: -foot_in(values)[2] if knees_forward else foot_in(values)[2])
    return dict(zip(names, best.tolist(), strict=True))


def _sides(robot: RobotDescription, feet: list[str], pose: dict[str, float]) -> dict[str, str]:
    """Words by which the names of left feet differ from those of right ones, and all joints' names likewise.

    Empty if there is a joint for which they do not lead to a partner.
    """
    positions = body_poses(robot, pose).positions
    at = {foot: positions[robot.body_names.index(foot)] for foot in feet}
    sides = {}
    for left in (foot for foot in feet if at[foot][1] > 0.0):
        right = min(feet, key=lambda foot: float(np.linalg.norm(at[foot] - at[left] * [1.0, -1.0, 1.0])))
        words = [re.split("[^A-Za-z0-9]+", name) for name in (left, right)]
        differing = [pair for pair in zip(*words, strict=False) if pair[0] != pair[1]]
        if len(words[0]) != len(words[1]) or len(differing) != 1:
            return {}
        sides[differing[0][0]] = differing[0][1]
    swapped = sides | {right: left for left, right in sides.items()}
    for name in robot.dof_names:
        word = next((word for word in swapped if word in name), None)
        if word is not None and name.replace(word, swapped[word], 1) not in robot.dof_names:
            return {}
    return sides


def _reversed(robot: RobotDescription, sides: dict[str, str], pose: dict[str, float]) -> list[str]:
    """Parts of names of the joints whose angles change sign in a mirror at the robot's plane of symmetry.

    A rotation about an axis (x, y, z) is seen there as one about (-x, y, -z), a slide along it as one along (x, -y, z).
    """
    rotations = body_poses(robot, pose).rotations
    axes = {joint.name: rotations[joint.body].apply(joint.axis) for joint in robot.dofs}
    parts: dict[str, bool] = {}
    for joint in robot.dofs:
        word = next((word for word in sides if word in joint.name), None)
        partner = joint.name if word is None else joint.name.replace(word, sides[word], 1)
        if word is None and any(word in joint.name for word in sides.values()):
            continue  # a right one
        seen = axes[joint.name] * ([1.0, -1.0, 1.0] if joint.kind == "prismatic" else [-1.0, 1.0, -1.0])
        part = joint.name if word is None else joint.name.partition(word)[2].strip("_") or joint.name
        parts[part] = parts.get(part, False) or bool(seen @ axes[partner] < 0.0)
    return [part for part, is_reversed in parts.items() if is_reversed]


def common_part(names: Iterable[str], others: Iterable[str]) -> str:
    """The longest text that all names contain and no other one does; a ValueError if there is none.

    One that begins and ends with words is taken before any other.
    """
    names, others = list(names), list(others)
    first = min(names, key=len)
    parts = {first[i:j] for i in range(len(first)) for j in range(i + 1, len(first) + 1)}
    fitting = [p for p in parts if all(p in name for name in names) and not any(p in name for name in others)]
    if not fitting:
        raise ValueError(f"the names {', '.join(names)} share nothing that others have not; rename them in the file")

    def is_word(part: str) -> bool:
        word = re.compile(rf"(?<![A-Za-z0-9]){re.escape(part)}(?![A-Za-z0-9])")
        return part[0].isalnum() and part[-1].isalnum() and all(word.search(name) for name in names)

    return max(fitting, key=lambda part: (is_word(part), len(part), part))


def _range(joint: Joint) -> tuple[float, float]:
    """Positions that a sample or a pose may have."""
    if not joint.has_limits:
        return (-1.0, 1.0) if joint.kind == "prismatic" else (-np.pi / 2, np.pi / 2)
    return max(joint.lower, -np.pi), min(joint.upper, np.pi)


def _zero_pose(robot: RobotDescription) -> dict[str, float]:
    return {joint.name: float(np.clip(0.0, joint.lower, joint.upper)) for joint in robot.dofs}


def _moving(robot: RobotDescription) -> list[int]:
    return [index for index, body in enumerate(robot.bodies) if body.joints]


def _chain(robot: RobotDescription, body: int) -> list[int]:
    """Indices from the root to a body."""
    above = robot.bodies[body].parent
    return [*(_chain(robot, above) if above >= 0 else []), body]


def _above(robot: RobotDescription, body: int, ancestor: int) -> bool:
    return body != ancestor and ancestor in _chain(robot, body)


def _rigid(robot: RobotDescription, body: int) -> list[int]:
    """A body and those fixed to it, directly or through others."""
    fixed = [body]
    for index in range(body + 1, len(robot.bodies)):
        if robot.bodies[index].parent in fixed and not robot.bodies[index].joints:
            fixed.append(index)
    return fixed
