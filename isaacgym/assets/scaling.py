"""A robot of another size and the same density."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from isaacgym.assets.description import Body, Joint, RobotDescription, Shape

MASS_POWER, INERTIA_POWER = 3, 5


def scaled(robot: RobotDescription, scale: float) -> RobotDescription:
    """Lengths grow with `scale`, masses with its third power, inertias with its fifth; joints keep their dynamics."""
    return robot if scale == 1.0 else replace(robot, bodies=[_body(body, scale) for body in robot.bodies])


def _body(body: Body, scale: float) -> Body:
    return replace(
        body,
        pos=scale * body.pos,
        mass=scale**MASS_POWER * body.mass,
        com=scale * body.com,
        inertia=scale**INERTIA_POWER * body.inertia,
        shapes=[_shape(shape, scale) for shape in body.shapes],
        visuals=[_shape(shape, scale) for shape in body.visuals],
        joints=tuple(_joint(joint, scale) for joint in body.joints),
    )


def _shape(shape: Shape, scale: float) -> Shape:
    return replace(
        shape,
        size=_times(scale, shape.size),
        pos=scale * shape.pos,
        mesh_scale=_times(scale, shape.mesh_scale),
        vertices=None if shape.vertices is None else scale * shape.vertices,
    )


def _joint(joint: Joint, scale: float) -> Joint:
    reach = scale if joint.kind == "prismatic" else 1.0
    return replace(
        joint,
        lower=reach * joint.lower,
        spring_rest=reach * joint.spring_rest,
        upper=reach * joint.upper,
        anchor=_times(scale, joint.anchor),
    )


def _times(scale: float, values: tuple[float, float, float]) -> tuple[float, float, float]:
    x, y, z = (scale * np.array(values)).tolist()
    return x, y, z
