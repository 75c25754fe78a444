"""The visible surface of a robot as triangles that the ray tracer draws, each vertex in the frame of its body."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from isaacgym.assets.description import RobotDescription

SMOOTH_ANGLE = np.radians(30.0)  # between triangles that look like one curved face


class Surface(NamedTuple):
    """All of a robot: n vertices and m triangles. Vertices on sharp edges appear once for each face beside them."""

    vertices: np.ndarray  # (n, 3) in the frames of their bodies [m]
    normals: np.ndarray  # (n, 3) unit vectors, outwards
    faces: np.ndarray  # (m, 3) indices of vertices
    bodies: np.ndarray  # (n,) index of the vertex's body
    colours: np.ndarray  # (n, 3) rgb from 0 to 1


def robot_surface(robot: RobotDescription) -> Surface:
    """Triangles of what is to be seen of a robot."""
    import trimesh  # optional, see `check_video`

    from isaacgym.viewer.robot_parts import robot_parts  # needs it as well

    pieces: list[Surface] = []
    first = 0
    for part in robot_parts(robot):
        mesh = trimesh.graph.smooth_shade(trimesh.Trimesh(part.vertices, part.faces), angle=SMOOTH_ANGLE)
        n, colour = len(mesh.vertices), np.array(part.color) / 255
        for body in part.bodies:
            faces, bodies = mesh.faces + first, np.full(n, body)
            pieces.append(Surface(mesh.vertices, mesh.vertex_normals, faces, bodies, np.tile(colour, (n, 1))))
            first += n
    if not pieces:
        raise ValueError(f"the robot '{robot.name}' cannot be drawn: it has neither visuals nor collision shapes")
    return Surface(*(np.concatenate(arrays) for arrays in zip(*pieces, strict=True)))
