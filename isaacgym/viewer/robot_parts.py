"""What robots look like: few meshes, each drawn once for every body that looks like it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import trimesh
from scipy.spatial.transform import Rotation

from isaacgym.assets.description import Body, Rgba, RobotDescription, Shape
from isaacgym.assets.mesh_files import load_hull

ROUND_SECTIONS = 20  # sides of a cylinder, and of a capsule around its axis
SPHERE_SUBDIVISIONS = 2  # of an icosahedron: 320 triangles
READ_BY_TRIMESH = (".obj", ".stl", ".ply", ".glb", ".gltf")  # other files' visuals show as their convex hull
Color = tuple[int, int, int]


class Part(NamedTuple):
    """One mesh in the frame of each body that it belongs to."""

    vertices: np.ndarray  # (V, 3) [m]
    faces: np.ndarray  # (F, 3)
    color: Color  # RGB, 0 to 255
    bodies: list[int]  # indices of the bodies that look like it


def robot_parts(robot: RobotDescription) -> list[Part]:
    """Visuals of all bodies, or collision shapes of bodies without; equal meshes of several bodies are one part.

    A body whose visual mesh is not there shows its collision shapes, too, and a line says so.
    """
    missing = {str(shape.mesh_file) for body in robot.bodies for shape in body.visuals if not _is_readable(shape)}
    if missing:
        print(f"Viewer: collision shapes stand for {len(missing)} missing visual meshes, such as {min(missing)}")
    parts: dict[tuple[bytes, bytes, Color], Part] = {}
    for index, body in enumerate(robot.bodies):
        for color, mesh in _meshes_by_color(body).items():
            vertices, faces = mesh.vertices.astype(np.float32), mesh.faces.astype(np.uint32)
            key = (vertices.tobytes(), faces.tobytes(), color)
            parts.setdefault(key, Part(vertices, faces, color, [])).bodies.append(index)
    return list(parts.values())


def _meshes_by_color(body: Body) -> dict[Color, trimesh.Trimesh]:
    """One mesh per colour, in the body's frame."""
    meshes: dict[Color, list[trimesh.Trimesh]] = {}
    complete = body.visuals and all(_is_readable(shape) for shape in body.visuals)
    for shape in body.visuals if complete else body.shapes:
        meshes.setdefault(_color(shape.rgba), []).append(shape_mesh(shape))
    return {color: _joined(group) for color, group in meshes.items()}


def _is_readable(shape: Shape) -> bool:
    return shape.mesh_file is None or shape.mesh_file.is_file()


def _joined(meshes: list[trimesh.Trimesh]) -> trimesh.Trimesh:
    first = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes[:-1])])
    faces = [mesh.faces + start for mesh, start in zip(meshes, first, strict=True)]
    return trimesh.Trimesh(np.concatenate([mesh.vertices for mesh in meshes]), np.concatenate(faces), process=False)


def _color(rgba: Rgba) -> Color:
    red, green, blue = (round(255 * min(max(value, 0.0), 1.0)) for value in rgba[:3])
    return red, green, blue


def shape_mesh(shape: Shape) -> trimesh.Trimesh:
    """The surface of a shape, in the frame of its body."""
    radius, half_length, _ = shape.size
    match shape.kind:
        case "box":
            mesh = trimesh.creation.box(extents=2.0 * np.array(shape.size))
        case "sphere":
            mesh = trimesh.creation.icosphere(subdivisions=SPHERE_SUBDIVISIONS, radius=radius)
        case "cylinder":
            mesh = trimesh.creation.cylinder(radius=radius, height=2.0 * half_length, sections=ROUND_SECTIONS)
        case "capsule":
            count = [ROUND_SECTIONS, ROUND_SECTIONS]
            mesh = trimesh.creation.capsule(radius=radius, height=2.0 * half_length, count=count)
        case "mesh":
            mesh = _file_mesh(shape)
    placed = np.eye(4)
    placed[:3, :3], placed[:3, 3] = Rotation.from_quat(shape.quat).as_matrix(), shape.pos
    return mesh.apply_transform(placed)


def _file_mesh(shape: Shape) -> trimesh.Trimesh:
    """Of a visual the file's triangles; of a collision shape the hull that stands for it."""
    if shape.vertices is None and shape.mesh_file is not None:
        if shape.mesh_file.suffix.lower() in READ_BY_TRIMESH:
            mesh = trimesh.load_mesh(shape.mesh_file)
            return trimesh.Trimesh(mesh.vertices * np.array(shape.mesh_scale), mesh.faces)
        return trimesh.Trimesh(load_hull(shape.mesh_file, shape.mesh_scale)).convex_hull
    return trimesh.Trimesh(shape.vertices).convex_hull
