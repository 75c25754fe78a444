"""Whether two descriptions are of one robot, so that envs may share a model of it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np

from isaacgym.assets.description import Body, Joint, RobotDescription, Shape

TOLERANCE = 1e-6  # [m], [rad] of numbers that were written and read in different ways


def difference_of(robot: RobotDescription, other: RobotDescription) -> str | None:
    """The first difference that a model shows, in words, or None. Masses and joint properties may differ, and looks.

    Robots that are built alike and differ in the files of their meshes are the same.
    """
    if robot.body_names != other.body_names:
        return f"its bodies are {_listed(robot.body_names)}, not {_listed(other.body_names)}"
    if robot.dof_names != other.dof_names:
        return f"its joints are {_listed(robot.dof_names)}, not {_listed(other.dof_names)}"
    if robot.couplings != other.couplings or robot.fixed_tendons != other.fixed_tendons:
        return "its joints follow each other in another way"
    for own, theirs in zip(robot.bodies, other.bodies, strict=True):
        if own.parent != theirs.parent or _differ(_place(own), _place(theirs)):
            return f"'{own.name}' is elsewhere"
        if len(own.shapes) != len(theirs.shapes):
            return f"'{own.name}' has {len(own.shapes)} collision shapes, not {len(theirs.shapes)}"
        for joint, their_joint in zip(own.joints, theirs.joints, strict=True):
            if joint.kind != their_joint.kind or _differ(_motion(joint), _motion(their_joint)):
                return f"joint '{joint.name}' moves otherwise"
        for shape, their_shape in zip(own.shapes, theirs.shapes, strict=True):
            if shape.kind != their_shape.kind or _differ(_form(shape), _form(their_shape)):
                return f"a collision shape of '{own.name}' has another size, form or place"
    return None


def signature_of(robot: RobotDescription) -> Hashable:
    """The same for robots between which `difference_of` finds nothing, but for numbers that rounding parts."""
    numbers: list[np.ndarray] = []
    kinds: list[Hashable] = []
    for body in robot.bodies:
        kinds.append((body.name, body.parent, len(body.joints), len(body.shapes)))
        numbers += [np.ravel(value) for value in _place(body)]
        for joint in body.joints:
            kinds.append((joint.name, joint.kind, joint.has_limits))
            numbers += [np.ravel(value) for value in _motion(joint)]
        for shape in body.shapes:
            numbers += [np.ravel(value) for value in _form(shape)]
            kinds.append((shape.kind, len(numbers[-1])))
    rounded = np.round(np.concatenate(numbers) / TOLERANCE) + 0.0  # no -0.0
    return tuple(kinds), robot.couplings, robot.fixed_tendons, rounded.tobytes()


def _listed(names: list[str]) -> str:
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "") if names else "none"


def _place(body: Body) -> list[Any]:
    return [body.pos, body.quat]


def _motion(joint: Joint) -> list[Any]:
    spring = joint.stiffness, joint.spring_rest
    return [joint.axis, joint.anchor, *spring, *([joint.lower, joint.upper] if joint.has_limits else [])]


def _form(shape: Shape) -> list[Any]:
    return [shape.size, shape.pos, shape.quat, [] if shape.vertices is None else shape.vertices]


def _differ(values: Iterable[Any], others: Iterable[Any]) -> bool:
    own, theirs = (np.concatenate([np.ravel(value) for value in side]) for side in (values, others))
    return own.shape != theirs.shape or not np.allclose(own, theirs, rtol=0.0, atol=TOLERANCE)
