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

    A body whose visual mesh is not there or cannot be read shows its collision shapes, too, and a line says so.
    """
    missing: set[str] = set()
    parts: dict[tuple[bytes, bytes, Color], Part] = {}
    for index, body in enumerate(robot.bodies):
        for color, mesh in _meshes_by_color(body, missing).items():
            vertices, faces = mesh.vertices.astype(np.float32), mesh.faces.astype(np.uint32)
            key = (vertices.tobytes(), faces.tobytes(), color)
            parts.setdefault(key, Part(vertices, faces, color, [])).bodies.append(index)
    if missing:
        print(f"Viewer: collision shapes stand for {len(missing)} missing visual meshes, such as {min(missing)}")
    return list(parts.values())


def _meshes_by_color(body: Body, missing: set[str]) -> dict[Color, trimesh.Trimesh]:
    """One mesh per colour, in the body's frame. Files that are not there or cannot be read are added to `missing`."""
    looks = [(shape, _visual_mesh(shape)) for shape in body.visuals]
    missing |= {str(shape.mesh_file) for shape, mesh in looks if mesh is None}
    complete = [(shape, mesh) for shape, mesh in looks if mesh is not None]
    if not looks or len(complete) < len(looks):
        complete = [(shape, shape_mesh(shape)) for shape in body.shapes]
    meshes: dict[Color, list[trimesh.Trimesh]] = {}
    for shape, mesh in complete:
        meshes.setdefault(_color(shape.rgba), []).append(mesh)
    return {color: _joined(group) for color, group in meshes.items()}


def _visual_mesh(shape: Shape) -> trimesh.Trimesh | None:
    """None if its file is not there, empty or cannot be read."""
    if shape.mesh_file is None:
        return shape_mesh(shape)
    try:
        mesh = shape_mesh(shape)
    except Exception:  # readers of meshes fail in any way on broken files, and looks must not stop a program
        return None
    return mesh if len(mesh.faces) else None


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
