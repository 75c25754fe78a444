"""Boxes, balls and capsules as robots of one body."""

from __future__ import annotations

import numpy as np

from isaacgym.assets.description import Body, RobotDescription, Shape, ShapeKind
from isaacgym.gym_types import AssetOptions

UPRIGHT = np.array([0.0, 0.0, 0.0, 1.0])
ALONG_X = np.array([0.0, np.sqrt(0.5), 0.0, np.sqrt(0.5)])  # z turned to x


def box(sides: tuple[float, float, float], options: AssetOptions) -> RobotDescription:
    """sides: along x, y and z [m]."""
    _check("box", sides)
    x, y, z = sides
    squares = np.square(sides)
    return _body("box", (x / 2, y / 2, z / 2), UPRIGHT, x * y * z, (squares.sum() - squares) / 12.0, options)


def sphere(radius: float, options: AssetOptions) -> RobotDescription:
    """radius: [m]."""
    _check("sphere", (radius,))
    volume = 4.0 / 3.0 * np.pi * radius**3
    return _body("sphere", (radius, 0.0, 0.0), UPRIGHT, volume, np.full(3, 0.4 * radius**2), options)


def capsule(radius: float, length: float, options: AssetOptions) -> RobotDescription:
    """Along x. length: of the cylindrical part [m]."""
    _check("capsule", (radius, length))
    half = length / 2.0
    cylinder, caps = np.pi * radius**2 * length, 4.0 / 3.0 * np.pi * radius**3
    along = cylinder * radius**2 / 2.0 + caps * 0.4 * radius**2
    # a half ball's centre is 3r/8 above its base
    across = cylinder * (radius**2 / 4.0 + half**2 / 3.0) + caps * (0.4 * radius**2 + half**2 + 0.75 * radius * half)
    volume = cylinder + caps
    moments = np.array([along, across, across]) / volume
    return _body("capsule", (radius, half, 0.0), ALONG_X, volume, moments, options)


def _check(kind: str, lengths: tuple[float, ...]) -> None:
    if not all(0.0 < length < np.inf for length in lengths):
        raise ValueError(
            f"a {kind} of {' × '.join(f'{length:g}' for length in lengths)} m cannot be; lengths are positive"
        )


def _body(
    kind: ShapeKind,
    size: tuple[float, float, float],
    quat: np.ndarray,
    volume: float,
    moments: np.ndarray,
    options: AssetOptions,
) -> RobotDescription:
    """moments: of inertia of a unit of mass."""
    mass = options.density * volume
    if mass <= 0.0 and not options.fix_base_link:
        raise ValueError(f"the {kind} has no mass: AssetOptions.density is {options.density}; set it or fix_base_link")
    shape = Shape(kind, size, np.zeros(3), quat)
    body = Body(kind, -1, np.zeros(3), UPRIGHT, mass, np.zeros(3), mass * np.diag(moments), [shape])
    return RobotDescription(kind, [body])
