"""A viewer without a page, which is also what all viewers answer to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from isaacgym.gym_types import ActionEvent, KeyboardInput, Quat, Transform, Vec3

if TYPE_CHECKING:
    from isaacgym.viewer.picture import ViewerPictures

UP = Vec3(0.0, 0.0, 1.0)


class Viewer:
    """A viewer without a page: it draws nothing, is never closed, reports no keys, and remembers its camera."""

    def __init__(self) -> None:
        self.camera = Transform()  # looks along its x axis, z up
        self.pictures: ViewerPictures | None = None  # set by `create_viewer`

    @property
    def watched(self) -> bool:
        """Somebody looks at what is drawn."""
        return False

    @property
    def closed(self) -> bool:
        return False

    def look_at(self, position: Vec3, target: Vec3) -> None:
        """Points in the world [m]."""
        self.camera = looking_at(position, target)

    def current_camera(self) -> Transform:
        return self.camera.copy()

    def subscribe(self, key: KeyboardInput, action: str) -> None:
        """Report `action` when `key` is pressed."""

    def take_events(self) -> list[ActionEvent]:
        """What happened since the last call."""
        return []

    def draw(self) -> None:
        """Show the present state, if somebody watches."""

    def wait(self) -> None:
        """Wait for real time to catch up, if somebody watches."""

    def add_lines(self, ends: np.ndarray, colors: np.ndarray) -> None:
        """ends: (N, 2, 3) in the world [m]; colors: (N, 3) RGB, 0 to 1."""

    def clear_lines(self) -> None: ...

    def close(self) -> None: ...


def looking_at(position: Vec3, target: Vec3, up: Vec3 = UP) -> Transform:
    """Camera at `position` with x towards `target` and z as far along `up` as possible."""
    forward = (target - position).normalize()
    left = up.cross(forward).normalize()
    if left.length() == 0.0:  # straight up or down
        left = Vec3(0.0, 1.0, 0.0) if up.y == 0.0 else Vec3(1.0, 0.0, 0.0)
    if forward.length() == 0.0:
        return Transform(position)
    axes = np.column_stack([tuple(forward), tuple(left), tuple(forward.cross(left))])
    return Transform(position, Quat(*Rotation.from_matrix(axes).as_quat()))
