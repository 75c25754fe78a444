"""What a robot's file suggests for its config: which bodies are feet, how it may stand, how stiff its joints may be.

Guesses, for a person to check: names help where they are usual, geometry decides.
"""

import re
from itertools import product
from typing import NamedTuple

import numpy as np
from scipy.optimize import OptimizeResult, least_squares
from scipy.spatial.transform import Rotation

from isaacgym.assets.description import Joint, RobotDescription, Shape
from legged_gym.robots.kinematics import Poses, body_poses, stance
from legged_gym.robots.legs import (
    Leg,
    chain_of,
    coupled,
    ends_of,
    find_legs,
    range_of,
    rigid_with,
    zero_pose,
)
from legged_gym.robots.mirror import mirror_names
from legged_gym.robots.names import common_part, foot_pattern, joint_parts, pattern_of

FRONT = re.compile(r"(?<![A-Za-z])(front|fore|[FL]F|F[LR]|RF|lf|rf|fl|fr)(?![a-z])")
REAR = re.compile(r"(?<![A-Za-z])(rear|hind|back|[LR]H|H[LR]|R[LR]|B[LR]|lh|rh|hl|hr|rl|rr|bl|br)(?![a-z])")
LEFT = re.compile(r"(?<![A-Za-z])(left|Left|L|l|FL|RL|HL|BL|LF|LH|fl|rl|hl|bl|lf|lh)(?![A-Za-z])")
RIGHT = re.compile(r"(?<![A-Za-z])(right|Right|R|r|FR|RR|HR|BR|RF|RH|fr|rr|hr|br|rf|rh)(?![A-Za-z])")
MANY_SAMPLES = 1000  # random poses that show how far limbs reach, if names contradict the few
SAMPLES = 100  # random poses of a leg, among which one stands best
BENT = 0.75  # height of the hips above the feet when standing, as a share of the straight leg's length
STARTS = 4  # best of the samples, from which a pose is sought
POSE_WEIGHT = 0.02  # [m/rad] of staying near joint position 0
TILT_WEIGHT = 0.2  # [m] of keeping a foot's sole level, for legs of four and more joints
SAG = 0.13  # [rad] by which the most loaded joint gives way under the weight: 40 N·m/rad for a Go2 of 16 kg
STIFFNESS_RANGE = (5, 500)  # [N·m/rad]
GRAVITY = 9.81  # [m/s²]
MIN_LIMB = 0.03  # [m]
FAR = 0.05  # [m] of the root's origin from the body that it stands for
NEGLIGIBLE = 1e-3  # mass of a root, as a share of that of the body that it carries
DAMPING_RATIO = 0.03  # [s] damping over stiffness
MAX_DAMPING = 3.0  # [N·m·s/rad] what robots of up to 50 kg bear; of heavier links
DAMPING_PER_INERTIA = 300.0  # [1/s] what torques that are computed 200 times a second bear; at 400 they diverge
CLEARANCE = 0.03  # [m] above the standing height, for the start


class Guess(NamedTuple):
    """Numbers and names for a config."""

    base: str
    feet: list[str]
    foot_name: str  # pattern that fits the feet's names and no other body's
    trunk: list[str]  # patterns of the base and of the bodies with shapes that are fixed to it
    other_bodies: list[str]  # patterns of those that should not touch anything
    joint_angles: dict[str, float]  # [rad], [m]: the default pose
    height: float  # of the base in it [m]
    feet_z: float  # of the feet in the base's frame [m]
    stiffness: float  # [N·m/rad]
    damping: float  # [N·m·s/rad]
    joint_names: list[str]  # parts of names, at least one in each joint's
    wheels: list[str]  # joints that turn without end at the end of a leg
    slides: list[str]  # joints that slide, whose gains are not guessed
    followers: list[str]  # joints that others move, as <mimic> says
    no_legs: list[str]  # joints that are no leg's: of arms, heads, and rods of loops that are cut
    footprint: str  # what the base's frame is away from, if that is far: a body, and how far; "": nothing
    weak: list[str]  # joints that cannot carry the robot: "'name' 1 of 12 N·m"
    sides: dict[str, str]  # part of the names of left joints: of right ones; empty if names do not tell
    mirror_reversed: list[str]  # parts of names of joints that turn the other way in a mirror
    turned_base: str  # what contradicts a base whose x points forwards and z up; "": nothing


def guess(robot: RobotDescription) -> Guess:
    """A robot's config, guessed; a ValueError of one sentence if it has no legs. robot: read without collapse."""
    _refuse_degrees(robot)
    _refuse_y_up(robot)
    legs = _legs(robot)
    feet = [robot.bodies[leg.foot].name for leg in legs]
    pose = standing_pose(robot, legs)
    stands = stance(robot, pose, feet)
    if stands is None:
        raise ValueError(f"robot '{robot.name}': its legs have no collision shapes to stand on; add them to the file")
    mirror = mirror_names(robot, _leg_pairs(robot, legs, pose), pose)
    root = robot.bodies[0].name
    others = [body.name for body in robot.bodies[1:] if body.shapes and body.joints and body.name not in feet]
    trunk = [root, *(robot.bodies[index].name for index in rigid_with(robot, 0)[1:] if robot.bodies[index].shapes)]
    torques = _standing_torques(robot, legs, pose)
    stiffness = float(np.clip(round(max(torques.values(), default=0.0) / SAG), *STIFFNESS_RANGE))
    of_legs = [name for leg in legs for name in (leg.wheel, *(joint.name for joint in leg.joints))]
    max_damping = max(MAX_DAMPING, DAMPING_PER_INERTIA * _least_inertia(robot, pose))
    return Guess(
        base=root,
        feet=feet,
        foot_name=foot_pattern(feet, _lasting_names(robot, feet)),
        trunk=[pattern_of(name, robot.body_names) for name in trunk],
        other_bodies=[pattern_of(name, robot.body_names) for name in others],
        joint_angles=pose,
        height=stands.height,
        feet_z=stands.feet_z,
        stiffness=stiffness,
        damping=round(min(DAMPING_RATIO * stiffness, max_damping), 2),
        joint_names=joint_parts(robot.dof_names),
        wheels=[leg.wheel for leg in legs if leg.wheel],
        slides=[joint.name for joint in robot.dofs if joint.kind == "prismatic"],
        followers=[coupling.joint for coupling in robot.couplings],
        no_legs=[name for name in robot.dof_names if name not in of_legs],
        footprint=_footprint(robot),
        weak=[
            f"'{joint.name}' {joint.effort:g} of {torques[joint.name]:.3g} N·m"
            for joint in robot.dofs
            if joint.effort < torques.get(joint.name, 0.0)
        ],
        sides=mirror.sides,
        mirror_reversed=mirror.is_reversed,
        turned_base=_turned_base(robot, legs, pose),
    )


def _legs(robot: RobotDescription) -> list[Leg]:
    """The legs; if names contradict a few samples of how far limbs reach, by many."""
    legs = find_legs(robot)
    feet = [robot.bodies[leg.foot].name for leg in legs]
    try:
        common_part(feet, _lasting_names(robot, feet))
    except ValueError:  # a leg that did not reach as far as the others has a foot of such a name
        return find_legs(robot, MANY_SAMPLES)
    return legs


def _lasting_names(robot: RobotDescription, feet: list[str]) -> list[str]:
    """Names of bodies that are no feet; those that collapse into others, such as a foot's motor, lose theirs."""
    return [robot.bodies[0].name, *(body.name for body in robot.bodies if body.joints and body.name not in feet)]


def standing_pose(robot: RobotDescription, legs: list[Leg]) -> dict[str, float]:
    """Joint angles with every foot under its hip, knees bent; joints that are no leg's stay at 0 or next to it."""
    pose = coupled(robot, zero_pose(robot))
    knees_forward = len(legs) == 2
    for leg in legs:
        pose = coupled(robot, pose | _leg_pose(robot, leg, pose, knees_forward))
    return {name: round(float(value), 2) + 0.0 for name, value in pose.items()}


def _leg_pose(robot: RobotDescription, leg: Leg, pose: dict[str, float], knees_forward: bool) -> dict[str, float]:
    names = [joint.name for joint in leg.joints]
    bounds = np.array([range_of(joint) for joint in leg.joints])
    zero = np.clip(np.zeros(len(names)), *bounds.T)
    start = body_poses(robot, pose)
    level = start.rotations[leg.foot]
    pitch = [joint for joint in leg.joints if abs(start.rotations[joint.body].apply(joint.axis)[1]) > 0.7]
    hip = start.positions[(pitch or leg.joints)[0].body]
    rng = np.random.default_rng(1)
    samples = [zero, *rng.uniform(*bounds.T, size=(SAMPLES, len(names)))]

    def foot_in(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        poses = body_poses(robot, coupled(robot, pose | dict(zip(names, values, strict=True))))
        knee = poses.positions[leg.end] if leg.foot != leg.end else poses.positions[leg.joints[-1].body]
        tilt = (level.inv() * poses.rotations[leg.foot]).as_rotvec()
        return _foot_at(robot, leg, poses), tilt, float(knee[0] - hip[0])

    below_hip = [i for i in chain_of(robot, leg.foot) if i > (pitch or leg.joints)[0].body]
    length = sum(np.linalg.norm(robot.bodies[i].pos) for i in below_hip) + np.linalg.norm(_foot_point(robot, leg))
    target = np.array([hip[0], _foot_at(robot, leg, start)[1], hip[2] - BENT * length])

    def error(values: np.ndarray) -> np.ndarray:
        foot, tilt, _ = foot_in(values)
        parts = [foot - target, POSE_WEIGHT * (values - zero)]
        if len(names) > 3:
            parts.append(TILT_WEIGHT * tilt)
        return np.concatenate(parts)

    nearest = sorted(samples, key=lambda values: float(np.square(error(values)).sum()))[:STARTS]
    margin = 1e-6 * (bounds[:, 1] - bounds[:, 0])

    def solved(values: np.ndarray) -> OptimizeResult:
        return least_squares(error, np.clip(values, bounds[:, 0] + margin, bounds[:, 1] - margin), bounds=bounds.T)

    found = [solved(values) for values in nearest]
    turns = np.where([joint in pitch for joint in leg.joints], -1.0, 1.0)
    found.append(solved(turns * min(found, key=lambda result: result.cost).x))  # bent the other way
    least = min(result.cost for result in found)
    good = [result.x for result in found if result.cost < least + 1e-3]
    # of two ways to bend, the one of most robots: knees of bipeds point forwards, those of others backwards
    best = min(good, key=lambda values: -foot_in(values)[2] if knees_forward else foot_in(values)[2])
    return dict(zip(names, best.tolist(), strict=True))


def _foot_at(robot: RobotDescription, leg: Leg, poses: Poses) -> np.ndarray:
    """Where a leg stands, (3,) [m]."""
    return poses.positions[leg.foot] + poses.rotations[leg.foot].apply(_foot_point(robot, leg))


def _foot_point(robot: RobotDescription, leg: Leg) -> np.ndarray:
    """The point of the foot's body on which a leg stands, (3,) [m] in its frame: its origin, or a shank's far end."""
    if leg.foot != leg.end or len(leg.joints) > 3:
        return np.zeros(3)
    points = np.concatenate([_corners(shape) for shape in robot.bodies[leg.foot].shapes] or [np.zeros((1, 3))])
    distances = np.linalg.norm(points, axis=1)
    return points[distances > 0.99 * distances.max()].mean(axis=0)


def _corners(shape: Shape) -> np.ndarray:
    """Points that show how far a shape reaches, (n, 3) [m] in its body's frame."""
    radius, half_length, _ = shape.size
    signs = np.array(list(product((-1.0, 1.0), repeat=3)))
    match shape.kind:
        case "sphere":
            points = np.zeros((1, 3))
        case "capsule" | "cylinder":
            points = np.array([[0.0, 0.0, half_length], [0.0, 0.0, -half_length]])
        case "box":
            points = signs * shape.size
        case _:
            assert shape.vertices is not None, "a collision mesh has vertices"
            points = shape.vertices
    return shape.pos + Rotation.from_quat(shape.quat).apply(points)


def _footprint(robot: RobotDescription) -> str:
    """What a root without mass and shapes carries, if its origin is away from it: base_footprint is on the ground."""
    root, carried = robot.bodies[0], [robot.bodies[index] for index in rigid_with(robot, 0)[1:]]
    heaviest = max(carried, key=lambda body: body.mass, default=root)
    away = float(np.linalg.norm(body_poses(robot, {}).positions[robot.bodies.index(heaviest)]))
    if root.shapes or root.mass > NEGLIGIBLE * heaviest.mass or away < FAR:
        return ""
    return f"'{heaviest.name}', by {away:.2f} m"


def _refuse_degrees(robot: RobotDescription) -> None:
    """Say that a joint can be nowhere within half a turn of 0, as if its limits were degrees."""
    beyond = [j for j in robot.dofs if j.kind == "revolute" and (j.lower > np.pi or j.upper < -np.pi)]
    if beyond:
        limits = ", ".join(f"'{joint.name}' {joint.lower:g} to {joint.upper:g}" for joint in beyond[:3])
        raise ValueError(
            f"robot '{robot.name}': limits of joints are radians, but {limits} is half a turn and more from 0; are "
            "these degrees? Correct the file"
        )


def _refuse_y_up(robot: RobotDescription) -> None:
    """Say that limbs hang along the file's y axis, as in files of programs whose y is up."""
    zero = body_poses(robot, zero_pose(robot)).positions
    limbs = [
        zero[end] - zero[next(i for i in chain_of(robot, end) if robot.bodies[i].joints)] for end in ends_of(robot)
    ]
    _, y, z = np.mean(limbs, axis=0) if limbs else np.zeros(3)
    if -y > abs(z) and -y > MIN_LIMB:
        raise ValueError(
            f"robot '{robot.name}': its limbs hang along -y, so y is up; robots here have z up and x forwards; join "
            'a root link without mass to the base by a fixed joint with rpy="1.5708 0 0" if x points forwards in the '
            'file, "1.5708 0 1.5708" if z does'
        )


def _leg_pairs(
    robot: RobotDescription, legs: list[Leg], pose: dict[str, float]
) -> list[tuple[list[Joint], list[Joint]]]:
    """The joints of each left leg and of the right one whose foot is nearest to its mirror image."""
    positions = body_poses(robot, pose).positions
    right = [leg for leg in legs if positions[leg.foot][1] < 0.0]
    mirrored = {leg.foot: positions[leg.foot] * [1.0, -1.0, 1.0] for leg in legs}
    return [
        (
            left.joints,
            min(right, key=lambda leg: float(np.linalg.norm(positions[leg.foot] - mirrored[left.foot]))).joints,
        )
        for left in legs
        if positions[left.foot][1] > 0.0 and right
    ]


def _turned_base(robot: RobotDescription, legs: list[Leg], pose: dict[str, float]) -> str:
    """What contradicts a base whose x points forwards, y to the left and z up, by the feet's names; "": nothing."""
    positions = body_poses(robot, pose).positions
    ends = [(robot.bodies[leg.foot].name, leg.joints[0].name, positions[leg.foot]) for leg in legs]
    for axis, towards, one, other in ((0, "in front of", FRONT, REAR), (1, "to the left of", LEFT, RIGHT)):
        ones, others = (
            [(foot, at[axis]) for foot, joint, at in ends if word.search(foot) or word.search(joint)]
            for word in (one, other)
        )
        if ones and others and np.mean([at for _, at in ones]) <= np.mean([at for _, at in others]):
            names = [", ".join(foot for foot, _ in feet) for feet in (ones, others)]
            return f"{names[0]} are not {towards} {names[1]}"
    return ""


def _standing_torques(robot: RobotDescription, legs: list[Leg], pose: dict[str, float]) -> dict[str, float]:
    """The torques [N·m] with which the legs' joints carry their leg's share of the weight in the pose, by joint."""
    poses = body_poses(robot, pose)
    share = np.array([0.0, 0.0, robot.mass * GRAVITY / len(legs)])
    torques = {}
    for leg in legs:
        for joint in leg.joints:
            turn = poses.rotations[joint.body]
            arm = _foot_at(robot, leg, poses) - poses.positions[joint.body] - turn.apply(np.array(joint.anchor))
            if joint.kind != "prismatic":
                torques[joint.name] = abs(float(turn.apply(joint.axis) @ np.cross(arm, share)))
    return torques


def _least_inertia(robot: RobotDescription, pose: dict[str, float]) -> float:
    """The least inertia [kg·m²] about a joint's axis of all that the joint moves."""
    poses = body_poses(robot, pose)
    least = np.inf
    for joint in robot.dofs:
        if joint.kind == "prismatic":
            continue
        inertia, axis = 0.0, poses.rotations[joint.body].apply(joint.axis)
        for index, body in enumerate(robot.bodies):
            if joint.body in chain_of(robot, index):
                turn = poses.rotations[index]
                arm = np.cross(axis, poses.positions[index] + turn.apply(body.com) - poses.positions[joint.body])
                axis_b = turn.inv().apply(axis)
                inertia += body.mass * float(arm @ arm) + float(axis_b @ body.inertia @ axis_b)
        least = min(least, inertia)
    return least
