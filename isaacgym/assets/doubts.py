"""What of a robot can hardly be meant: numbers in other units than SI, and what exporters write for want of knowledge.

Such files load, and the robot moves as no robot does. The bounds are wide: no robot that the numbers describe rightly
comes near them.
"""

from collections.abc import Iterator

import numpy as np
from scipy.spatial.transform import Rotation

from isaacgym.assets.description import Body, RobotDescription, Shape
from isaacgym.assets.notices import listed

MAX_TURNS = 4 * np.pi  # [rad] beyond which a limit is an angle in degrees: cables bear two turns
MIN_RANGE = 0.1  # [rad] below which no joint's range is one if all of the robot's are so
MAX_EXTENT = 10.0  # [m] from a link's origin to where its shapes end
MIN_EXTENT = 5e-3  # [m] in which not even the largest link of a robot fits
MAX_DENSITY = 1e5  # [kg/m³] of the shapes of a robot; lead has 1.1e4
GYRATION = 3.0  # radii of gyration beyond this many times the link's reach and MARGIN
MARGIN = 0.2  # [m] by which a link may reach further than its shapes say


def doubts(robot: RobotDescription) -> Iterator[str]:
    """A sentence for each kind of doubt, which names bodies or joints."""
    turning = [joint for joint in robot.dofs if joint.kind == "revolute" and joint.has_limits]
    wide = [joint for joint in turning if max(-joint.lower, joint.upper) > MAX_TURNS]
    if wide:
        limits = listed([f"'{joint.name}' {joint.lower:g} to {joint.upper:g}" for joint in wide])
        yield f"limits of joints are radians; these are several turns, so perhaps degrees: {limits}"
    if len(turning) > 1 and all(joint.upper - joint.lower < MIN_RANGE for joint in turning):
        limits = listed([f"'{joint.name}' {joint.lower:.3g} to {joint.upper:.3g}" for joint in turning])
        yield f"no joint turns further than {MIN_RANGE} rad, as if radians had been taken for degrees: {limits}"
    reaches = {body.name: _reach(body) for body in robot.bodies if body.shapes}
    large = [f"'{name}' {reach:.3g} m" for name, reach in reaches.items() if reach > MAX_EXTENT]
    if large:
        yield f"shapes reach this far, so perhaps meshes are in millimetres and lack scale=0.001: {listed(large)}"
    if reaches and max(reaches.values()) < MIN_EXTENT:
        yield f"no shape is larger than {1000 * MIN_EXTENT:g} mm, so perhaps meshes were scaled twice"
        return  # what follows compares masses with sizes
    volume = sum(_box_volume(body) for body in robot.bodies)
    if volume > 0.0 and robot.mass > MAX_DENSITY * volume:
        yield f"masses are kg; with {robot.mass:.3g} kg it is denser than any metal, so perhaps these are grams"
        return
    yield from _inertias(robot)


def _inertias(robot: RobotDescription) -> Iterator[str]:
    below: dict[int, list[np.ndarray]] = {}  # where joints and links are that a body carries
    for body in robot.bodies:
        below.setdefault(body.parent, []).append(body.pos)
    spread = []
    for index, body in enumerate(robot.bodies):
        if body.mass <= 0.0 or not body.joints:
            continue  # of what is fixed, placeholders do no harm
        gyration = float(np.sqrt(max(0.0, 0.5 * np.trace(body.inertia)) / body.mass))
        reach = max(_reach(body), *(float(np.linalg.norm(pos)) for pos in below.get(index, [np.zeros(3)])))
        reach += float(np.linalg.norm(body.com))
        if gyration > GYRATION * reach + MARGIN:
            spread.append(f"'{body.name}' {body.mass:.3g} kg at a radius of {gyration:.3g} m")
    if spread:
        yield (
            "moments of inertia are kg·m²; these bodies would be far larger than they look, so perhaps the numbers are "
            f"of other units or stand for unknown ones: {listed(spread)}"
        )


def _reach(body: Body) -> float:
    """Distance from the body's origin to the end of its shapes and visuals, at most [m]."""
    shapes = [*body.shapes, *(visual for visual in body.visuals if visual.kind != "mesh")]
    return max(
        (float(np.linalg.norm(shape.pos)) + float(np.linalg.norm(_extent(shape))) for shape in shapes), default=0.0
    )


def _extent(shape: Shape) -> np.ndarray:
    """Half sides of a box about the shape, along its axes and about its origin, (3,) [m]."""
    radius, half_length, _ = shape.size
    match shape.kind:
        case "sphere":
            return np.full(3, radius)
        case "capsule":
            return np.array([radius, radius, half_length + radius])
        case "cylinder":
            return np.array([radius, radius, half_length])
        case "box":
            return np.array(shape.size)
    assert shape.vertices is not None, "a collision mesh has vertices"
    return np.abs(shape.vertices).max(axis=0)


def _box_volume(body: Body) -> float:
    """Of the box about all shapes of a body [m³]; 0 without any."""
    if not body.shapes:
        return 0.0
    turns = [np.abs(Rotation.from_quat(shape.quat).as_matrix()) @ _extent(shape) for shape in body.shapes]
    low = np.min([shape.pos - turn for shape, turn in zip(body.shapes, turns, strict=True)], axis=0)
    high = np.max([shape.pos + turn for shape, turn in zip(body.shapes, turns, strict=True)], axis=0)
    return float(np.prod(high - low))
