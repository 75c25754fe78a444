"""Volume, centre and inertia of collision shapes."""

import numpy as np
from scipy.spatial import ConvexHull

from isaacgym.assets.description import Shape


def solid(shape: Shape) -> tuple[float, np.ndarray, np.ndarray]:
    """Volume, centre and inertia about it, density 1, in the shape's frame."""
    a, b, c = shape.size
    if shape.kind == "box":
        volume = 8.0 * a * b * c
        moments = volume / 3.0 * np.array([b * b + c * c, a * a + c * c, a * a + b * b])
        return volume, np.zeros(3), np.diag(moments)
    if shape.kind == "sphere":
        volume = 4.0 / 3.0 * np.pi * a**3
        return volume, np.zeros(3), 0.4 * volume * a * a * np.eye(3)
    if shape.kind == "cylinder":
        volume = 2.0 * np.pi * a * a * b
        across = volume * (a * a / 4.0 + b * b / 3.0)
        return volume, np.zeros(3), np.diag([across, across, volume * a * a / 2.0])
    if shape.kind == "capsule":
        cylinder, caps = 2.0 * np.pi * a * a * b, 4.0 / 3.0 * np.pi * a**3
        # A half ball's COM is 3r/8 above its base; its inertia about a diameter of the base is 2mr²/5.
        across = cylinder * (a * a / 4.0 + b * b / 3.0) + caps * (0.4 * a * a + b * b + 0.75 * a * b)
        along = cylinder * a * a / 2.0 + caps * 0.4 * a * a
        return cylinder + caps, np.zeros(3), np.diag([across, across, along])
    # Convex hull: sum of tetrahedra between an inner point and the faces.
    vertices = shape.vertices
    assert vertices is not None, "a collision mesh has vertices"
    hull = ConvexHull(vertices)
    inner = vertices.mean(axis=0)
    corners = vertices[hull.simplices] - inner  # (faces, 3, 3)
    sums = corners.sum(axis=1)
    volumes = np.abs(np.linalg.det(corners)) / 6.0
    volume = volumes.sum()
    centre = volumes @ sums / (4.0 * volume)
    # Integral of x xᵀ over a tetrahedron with one corner at 0 and volume V: V/20 (Σ v vᵀ + (Σ v)(Σ v)ᵀ).
    second = np.einsum("f,fki,fkj->ij", volumes, corners, corners) + np.einsum("f,fi,fj->ij", volumes, sums, sums)
    second = second / 20.0 - volume * np.outer(centre, centre)
    return volume, inner + centre, np.trace(second) * np.eye(3) - second


def point_inertia(mass: float, offset: np.ndarray) -> np.ndarray:
    """Inertia of a point mass at `offset` about the origin."""
    return mass * (offset @ offset * np.eye(3) - np.outer(offset, offset))


def sphere_points(count: int) -> np.ndarray:
    """Points spread evenly over the unit sphere, (count, 3), with both poles and the ends of the other axes.

    The rest lie on a spiral from pole to pole that turns by the golden angle from point to point.
    """
    ends = np.concatenate([np.eye(3), -np.eye(3)])
    steps = np.arange(count - len(ends)) + 0.5
    z = 1.0 - 2.0 * steps / len(steps)
    angle = np.pi * (3.0 - np.sqrt(5.0)) * steps
    radius = np.sqrt(1.0 - z * z)
    return np.concatenate([ends, np.column_stack([radius * np.cos(angle), radius * np.sin(angle), z])])
