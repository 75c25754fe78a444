"""A robot whose joints have the limits that a script gave them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from isaacgym.assets.description import Body, Joint, RobotDescription

LIMITS = ("hasLimits", "lower", "upper")  # columns of DofProperties
NARROWEST = 1e-5  # [rad] or [m]; MuJoCo wants a range where a script locks a joint


def same_limits(properties: np.ndarray, others: np.ndarray) -> bool:
    """Whether two arrays of DofProperties have the same limits."""
    return all(np.array_equal(properties[name], others[name]) for name in LIMITS)


def with_limits(robot: RobotDescription, properties: np.ndarray, of_file: np.ndarray) -> RobotDescription:
    """The robot with the limits in `properties` where they differ from those `of_file`; both are DofProperties."""
    if same_limits(properties, of_file):
        return robot
    rows = iter(zip(properties, of_file, strict=True))
    return replace(robot, bodies=[_limited(body, [_range(*next(rows)) for _ in body.joints]) for body in robot.bodies])


def _range(given: np.void, of_file: np.void) -> tuple[float, float] | None:
    if all(given[name] == of_file[name] for name in LIMITS):
        return None
    if not given["hasLimits"]:
        return -np.inf, np.inf
    return float(given["lower"]), max(float(given["upper"]), float(given["lower"]) + NARROWEST)


def _limited(body: Body, ranges: list[tuple[float, float] | None]) -> Body:
    def changed(joint: Joint, limits: tuple[float, float] | None) -> Joint:
        return joint if limits is None else replace(joint, lower=limits[0], upper=limits[1])

    return replace(body, joints=tuple(map(changed, body.joints, ranges)))
