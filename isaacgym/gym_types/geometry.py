"""Vectors, rotations and rigid transforms."""

import math
from typing import Any

import numpy as np

from isaacgym.gym_types.record import Record, Sequence


def numbers_of(buffer: Any, count: int) -> list[float]:
    """The numbers of a record or an array, of which there are `count`."""
    values = np.asarray(buffer)
    numbers = np.frombuffer(values.tobytes(), dtype=np.float32) if values.dtype.names else values.ravel()
    if len(numbers) != count:
        raise ValueError(f"expected {count} numbers, got {len(numbers)}")
    return [float(number) for number in numbers]


class Vec2(Sequence):
    """A point of a viewer's window."""

    x: float = 0.0
    y: float = 0.0


class Vec3(Sequence):
    """A vector, a point or an RGB colour."""

    dtype = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4")])

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0

    @staticmethod
    def from_buffer(buffer: Any) -> "Vec3":
        """From a record of `Vec3.dtype` or an array of its numbers in their order."""
        return Vec3(*numbers_of(buffer, 3))

    def __add__(self, other: "Vec3") -> "Vec3":
        return Vec3(self.x + other.x, self.y + other.y, self.z + other.z)

    def __sub__(self, other: "Vec3") -> "Vec3":
        return Vec3(self.x - other.x, self.y - other.y, self.z - other.z)

    def __mul__(self, scale: float) -> "Vec3":
        return Vec3(self.x * scale, self.y * scale, self.z * scale)

    __rmul__ = __mul__

    def __truediv__(self, scale: float) -> "Vec3":
        return Vec3(self.x / scale, self.y / scale, self.z / scale)

    def __neg__(self) -> "Vec3":
        return Vec3(-self.x, -self.y, -self.z)

    def dot(self, other: "Vec3") -> float:
        return self.x * other.x + self.y * other.y + self.z * other.z

    def cross(self, other: "Vec3") -> "Vec3":
        return Vec3(
            self.y * other.z - self.z * other.y,
            self.z * other.x - self.x * other.z,
            self.x * other.y - self.y * other.x,
        )

    def length_sq(self) -> float:
        return self.dot(self)

    def length(self) -> float:
        return math.sqrt(self.length_sq())

    def normalize(self) -> "Vec3":
        """The unit vector of the same direction; the zero vector stays zero."""
        length = self.length()
        return self / length if length > 0.0 else Vec3()


class Quat(Sequence):
    """A rotation as a quaternion, scalar last."""

    dtype = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("w", "<f4")])

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    w: float = 1.0

    @staticmethod
    def from_buffer(buffer: Any) -> "Quat":
        """From a record of `Quat.dtype` or an array of its numbers in their order."""
        return Quat(*numbers_of(buffer, 4))

    @staticmethod
    def from_axis_angle(axis: Vec3, angle: float) -> "Quat":
        """Rotation by `angle` [rad] about `axis`, which need not have unit length."""
        v = Vec3(*axis).normalize() * math.sin(0.5 * angle)
        return Quat(v.x, v.y, v.z, math.cos(0.5 * angle))

    @staticmethod
    def from_euler_zyx(roll: float, pitch: float, yaw: float) -> "Quat":
        """Rz(yaw) · Ry(pitch) · Rx(roll), angles in rad, arguments in the order x, y, z."""
        about = Quat.from_axis_angle
        return about(Vec3(0, 0, 1), yaw) * about(Vec3(0, 1, 0), pitch) * about(Vec3(1, 0, 0), roll)

    def to_euler_zyx(self) -> tuple[float, float, float]:
        """(roll, pitch, yaw) [rad], the inverse of `from_euler_zyx`."""
        x, y, z, w = self
        roll = math.atan2(2 * (w * x + y * z), w * w - x * x - y * y + z * z)
        pitch = math.asin(max(-1.0, min(1.0, 2 * (w * y - z * x))))
        yaw = math.atan2(2 * (w * z + x * y), w * w + x * x - y * y - z * z)
        return roll, pitch, yaw

    def __mul__(self, other: "Quat") -> "Quat":
        a, b = Vec3(self.x, self.y, self.z), Vec3(other.x, other.y, other.z)
        v = b * self.w + a * other.w + a.cross(b)
        return Quat(v.x, v.y, v.z, self.w * other.w - a.dot(b))

    def inverse(self) -> "Quat":
        norm_sq = sum(c * c for c in self)
        return Quat(-self.x / norm_sq, -self.y / norm_sq, -self.z / norm_sq, self.w / norm_sq)

    def normalize(self) -> "Quat":
        norm = math.sqrt(sum(c * c for c in self))
        return Quat(*(c / norm for c in self)) if norm > 0.0 else Quat()

    def rotate(self, v: Vec3) -> Vec3:
        """Rotate a vector; assumes unit length."""
        axis = Vec3(self.x, self.y, self.z)
        t = axis.cross(v) * 2.0
        return v + t * self.w + axis.cross(t)


class Transform(Record):
    """A rigid transform: rotate by `r`, then shift by `p`."""

    dtype = np.dtype([("p", Vec3.dtype), ("r", Quat.dtype)])

    p: Vec3 = Vec3()
    r: Quat = Quat()

    @staticmethod
    def from_buffer(buffer: Any) -> "Transform":
        """From a record of `Transform.dtype` or an array of its numbers, position before rotation."""
        numbers = numbers_of(buffer, 7)
        return Transform(Vec3(*numbers[:3]), Quat(*numbers[3:]))

    def transform_point(self, point: Vec3) -> Vec3:
        return self.r.rotate(point) + self.p

    def transform_vector(self, vector: Vec3) -> Vec3:
        return self.r.rotate(vector)

    def transform_points(self, points: np.ndarray) -> np.ndarray:
        """Transform an array of `Vec3.dtype` or of shape (..., 3); the result has the input's form."""
        xyz = points.view(np.float32).reshape(*points.shape, 3) if points.dtype == Vec3.dtype else np.asarray(points)
        return self._like(points, self._rotate(xyz) + np.array(self.p))

    def transform_vectors(self, vectors: np.ndarray) -> np.ndarray:
        """Rotate an array of `Vec3.dtype` or of shape (..., 3); the result has the input's form."""
        xyz = vectors.view(np.float32).reshape(*vectors.shape, 3) if vectors.dtype == Vec3.dtype else vectors
        return self._like(vectors, self._rotate(np.asarray(xyz)))

    def inverse(self) -> "Transform":
        r = self.r.inverse()
        return Transform(-r.rotate(self.p), r)

    def __mul__(self, other: "Transform") -> "Transform":
        return Transform(self.transform_point(other.p), self.r * other.r)

    def _rotate(self, xyz: np.ndarray) -> np.ndarray:
        axis = np.array(self.r[:3])
        t = 2.0 * np.cross(axis, xyz)
        return xyz + self.r.w * t + np.cross(axis, t)

    @staticmethod
    def _like(original: np.ndarray, xyz: np.ndarray) -> np.ndarray:
        if original.dtype != Vec3.dtype:
            return xyz
        return np.ascontiguousarray(xyz, dtype=np.float32).view(Vec3.dtype).reshape(original.shape)


class Mat33(Sequence):
    """A 3x3 matrix of rows x, y, z."""

    x: Vec3 = Vec3()
    y: Vec3 = Vec3()
    z: Vec3 = Vec3()
