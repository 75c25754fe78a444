"""The visible surface of a robot as triangles, each vertex in the frame of its body."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from isaacgym.assets.description import Body, RobotDescription, Shape

SLICES = 16  # of a circle


class Triangles(NamedTuple):
    """A surface; vertices on sharp edges appear once per face beside them, with that face's normal."""

    vertices: np.ndarray  # (n, 3) [m]
    normals: np.ndarray  # (n, 3) unit vectors, outwards
    faces: np.ndarray  # (m, 3) indices of vertices


class Surface(NamedTuple):
    """All shapes of a robot; of n vertices and m triangles."""

    vertices: np.ndarray  # (n, 3) in the frames of their bodies [m]
    normals: np.ndarray  # (n, 3)
    faces: np.ndarray  # (m, 3)
    bodies: np.ndarray  # (n,) index of the vertex's body
    colours: np.ndarray  # (n, 3) rgb from 0 to 1


def robot_surface(robot: RobotDescription) -> Surface:
    """Triangles of what is to be seen of a robot."""
    parts: list[Surface] = []
    first = 0
    for index, body in enumerate(robot.bodies):
        for shape in visible_shapes(body):
            triangles = shape_triangles(shape)
            n, turn = len(triangles.vertices), Rotation.from_quat(shape.quat)
            parts.append(
                Surface(
                    turn.apply(triangles.vertices) + shape.pos,
                    turn.apply(triangles.normals),
                    triangles.faces + first,
                    np.full(n, index),
                    np.tile(shape.rgba[:3], (n, 1)),
                )
            )
            first += n
    if not parts:
        raise ValueError(f"the robot '{robot.name}' cannot be drawn: it has neither visuals nor collision shapes")
    return Surface(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def visible_shapes(body: Body) -> list[Shape]:
    """A body's visuals, or its collision shapes if it has none or mesh files among them, whose faces are not read."""
    drawable = body.visuals and all(shape.kind != "mesh" for shape in body.visuals)
    return body.visuals if drawable else body.shapes


def shape_triangles(shape: Shape) -> Triangles:
    """The surface of one shape in its own frame; a mesh is the convex hull of its vertices."""
    radius, half_length, _ = shape.size
    match shape.kind:
        case "box":
            corners = np.array(np.meshgrid(*[(-1, 1)] * 3, indexing="ij")).reshape(3, -1).T
            return _hull(corners * shape.size)
        case "cylinder":
            return _turned([(0, half_length), (radius, half_length), (radius, -half_length), (0, -half_length)])
        case "sphere" | "capsule":
            angles = np.linspace(0.0, np.pi / 2, SLICES // 4 + 1)
            profile = np.column_stack((np.sin(angles), np.cos(angles)))  # upper half of the unit circle
            end = (0.0, half_length)  # 0 for a sphere
            points = np.concatenate((radius * profile + end, (radius * profile + end)[::-1] * (1, -1)))
            return _turned(points, np.concatenate((profile, profile[::-1] * (1, -1))))
        case _:
            if shape.vertices is None:
                raise ValueError(f"the mesh '{shape.mesh_file}' has no vertices to draw")
            return _hull(shape.vertices)


def _hull(points: np.ndarray) -> Triangles:
    """The convex hull of points, each triangle with its own normal."""
    hull = ConvexHull(points)
    corners = points[hull.simplices]  # (m, 3, 3)
    normals = hull.equations[:, :3]
    turned = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    inwards = (turned * normals).sum(axis=1) < 0.0
    corners[inwards] = corners[inwards, ::-1]
    return Triangles(corners.reshape(-1, 3), normals.repeat(3, axis=0), np.arange(3 * len(corners)).reshape(-1, 3))


def _turned(profile: np.ndarray | list[tuple[float, float]], normals: np.ndarray | None = None) -> Triangles:
    """A profile of (radius, z) from top to bottom, turned around z. normals: of its points; None: of its segments."""
    points = np.array(profile, dtype=float)
    if normals is None:
        along = np.diff(points, axis=0)
        normals = np.column_stack((-along[:, 1], along[:, 0]))
        normals = (normals / np.linalg.norm(normals, axis=1, keepdims=True)).repeat(2, axis=0)
        points = np.column_stack((points[:-1], points[1:])).reshape(-1, 2)
        starts = np.arange(0, len(points), 2)
    else:
        starts = np.arange(len(points) - 1)
    angles = np.linspace(0.0, 2.0 * np.pi, SLICES, endpoint=False)
    here = np.arange(SLICES)
    there = (here + 1) % SLICES
    top, bottom = starts[:, None] * SLICES, (starts[:, None] + 1) * SLICES
    upper = np.stack((top + here, bottom + here, top + there), axis=2)
    lower = np.stack((top + there, bottom + here, bottom + there), axis=2)
    faces = np.concatenate((upper.reshape(-1, 3), lower.reshape(-1, 3)))
    return Triangles(_spun(points, angles), _spun(normals, angles), faces)


def _spun(flat: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Points or vectors (radius, z), turned around z by all angles: (n, 2) to (n * angles, 3)."""
    radius, z = flat[:, :1], flat[:, 1:]
    around = np.stack((radius * np.cos(angles), radius * np.sin(angles), z + 0.0 * angles), axis=2)
    return around.reshape(-1, 3)
