"""Which joints are left, right and reversed in a mirror at a robot's plane of symmetry, by their names."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from isaacgym.assets.description import Joint, RobotDescription
from legged_gym.robots.kinematics import body_poses


class MirrorNames(NamedTuple):
    """For a config's `left_names`, `right_names` and `mirror_reversed`; all empty if names do not tell."""

    sides: dict[str, str]  # part of the names of left joints: of right ones
    is_reversed: list[str]  # parts of names of joints that turn the other way


def partner(name: str, sides: dict[str, str], names: list[str]) -> str | None:
    """The joint on the other side; the joint itself if it is in the middle; None if the robot has no such joint."""
    swapped = sides | {right: left for left, right in sides.items()}
    part = next((part for part in swapped if part in name), None)
    if part is None:
        return name
    # once, or wherever the part stands, as in "hip_fl_to_thigh_fl"
    partners = (name.replace(part, swapped[part], 1), name.replace(part, swapped[part]))
    return next((other for other in partners if other in names), None)


def mirror_names(
    robot: RobotDescription, pairs: list[tuple[list[Joint], list[Joint]]], pose: dict[str, float]
) -> MirrorNames:
    """Guess the parts of names. pairs: the joints of each left leg and of the right one, from the root on."""
    names = robot.dof_names
    wanted = {left.name: right.name for legs in pairs for left, right in zip(*legs, strict=False)}
    for sides in _candidates(list(wanted.items())):
        partners = {name: partner(name, sides, names) for name in names}
        if (
            all(partners[partners[name] or ""] == name for name in names if partners[name])
            and all(partners.values())
            and all(partners[left] == right for left, right in wanted.items())
        ):
            parts = _reversed(robot, partners, sides, pose)
            if parts is not None:
                return MirrorNames(sides, parts)
    return MirrorNames({}, [])


def _candidates(pairs: list[tuple[str, str]]) -> Iterator[dict[str, str]]:
    """Parts in which left names differ from right ones: whole words, less of them, more of them."""
    found = []
    for left, right in pairs:
        words = [re.split("([^A-Za-z0-9]+)", name) for name in (left, right)]
        differing = next((i for i, (a, b) in enumerate(zip(*words, strict=False)) if a != b), None)
        if differing is None:
            return
        found.append((*words, differing))
    for before, after in ((0, 0), (0, 1), (1, 0), (1, 1)):
        yield {
            "".join(left[max(0, i - before) : i + 1 + after]): "".join(right[max(0, i - before) : i + 1 + after])
            for left, right, i in found
        }
    letters = {}
    for left, right, i in found:  # such as LHip and RHip
        a, b = left[i], right[i]
        while len(a) > 1 and len(b) > 1 and a[-1] == b[-1]:
            a, b = a[:-1], b[:-1]
        letters[a] = b
    yield letters


def _reversed(
    robot: RobotDescription, partners: dict[str, str | None], sides: dict[str, str], pose: dict[str, float]
) -> list[str] | None:
    """Parts of the names of the joints whose angles change sign; None if no parts name these alone.

    A rotation about an axis (x, y, z) is seen in the mirror as one about (-x, y, -z), a slide along it as one along
    (x, -y, z).
    """
    rotations = body_poses(robot, pose).rotations
    axes = {joint.name: rotations[joint.body].apply(joint.axis) for joint in robot.dofs}
    turned = []
    for joint in robot.dofs:
        seen = axes[joint.name] * ([1.0, -1.0, 1.0] if joint.kind == "prismatic" else [-1.0, 1.0, -1.0])
        if seen @ axes[partners[joint.name] or joint.name] < 0.0:
            turned.append(joint.name)
    words = [*sides, *sides.values()]
    short = []
    for name in turned:
        word = next((word for word in words if word in name), None)
        short.append(name if word is None else name.rpartition(word)[2].strip("_") or name)
    for parts in (list(dict.fromkeys(short)), turned):
        if {name for name in robot.dof_names if any(part in name for part in parts)} == set(turned):
            return parts
    return None
