"""The gym's calls on a viewer and on camera sensors, without a display.

Nothing is drawn: calls that only draw, place a camera or wait for keys do nothing, so that code written for a window
runs. A call whose result would be a picture says so: reading a camera raises, writing a file warns.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
from scipy.spatial.transform import Rotation

from isaacgym.gym_types import (
    ActionEvent,
    CameraFollowMode,
    CameraProperties,
    ImageType,
    KeyboardInput,
    MeshType,
    Quat,
    Transform,
    Vec3,
)
from isaacgym.simulation import Env, Simulation


@dataclass
class Viewer:
    """A window that never opens; it remembers where its camera is."""

    camera: Transform = field(default_factory=Transform)


class ViewerCalls:
    """Mixin of `gymapi.Gym`. Viewer calls also take None, for code that runs without a viewer."""

    def create_viewer(self, sim: Simulation, props: CameraProperties) -> Viewer:
        """A viewer without a window: it is never closed and reports no keys."""
        return Viewer()

    def destroy_viewer(self, viewer: Viewer | None) -> None: ...

    def subscribe_viewer_keyboard_event(self, viewer: Viewer | None, key: KeyboardInput, action: str) -> None: ...

    def subscribe_viewer_mouse_event(self, viewer: Viewer | None, button: Any, action: str) -> None: ...

    def query_viewer_has_closed(self, viewer: Viewer | None) -> bool:
        return False

    def query_viewer_action_events(self, viewer: Viewer | None) -> list[ActionEvent]:
        return []

    def viewer_camera_look_at(self, viewer: Viewer | None, env: Env | None, position: Vec3, target: Vec3) -> None:
        """Points count from the origin of `env`, or from the world's if it is None."""
        if viewer is not None:
            origin = Vec3() if env is None else Vec3(*env.origin)
            viewer.camera = _looking_at(Vec3(*position) + origin, Vec3(*target) + origin)

    def get_viewer_camera_transform(self, viewer: Viewer | None, env: Env | None) -> Transform:
        """Where `viewer_camera_look_at` put the camera, which looks along its x axis with z up (unverified axes)."""
        camera = Transform() if viewer is None else viewer.camera.copy()
        return camera if env is None else Transform(camera.p - Vec3(*env.origin), camera.r)

    def step_graphics(self, sim: Simulation) -> None: ...

    def draw_viewer(self, viewer: Viewer | None, sim: Simulation, render_collision: bool = True) -> None: ...

    def sync_frame_time(self, sim: Simulation) -> None:
        """Does not wait: without a window nobody watches in real time."""

    def poll_viewer_events(self, viewer: Viewer | None) -> None: ...

    def write_viewer_image_to_file(self, viewer: Viewer | None, filename: str) -> None:
        """Writes no file and warns."""
        warnings.warn(
            "write_viewer_image_to_file: there is no picture, so no file is written", RuntimeWarning, stacklevel=2
        )

    def clear_lines(self, viewer: Viewer | None) -> None: ...

    def add_lines(self, viewer: Viewer | None, env: Env | None, num_lines: int, vertices: Any, colors: Any) -> bool:
        return True

    def set_rigid_body_color(self, env: Env, actor: int, body: int, mesh_type: MeshType, color: Vec3) -> None:
        """Drawn nowhere yet."""

    # ---- camera sensors ------------------------------------------------------------------------------------------

    def create_camera_sensor(self, env: Env, props: CameraProperties) -> int:
        """A handle that the placement calls take. There is no picture to read."""
        return 0

    def destroy_camera_sensor(self, sim: Simulation, env: Env, camera: int) -> None: ...

    def set_camera_location(self, camera: int, env: Env, position: Vec3, target: Vec3) -> None: ...

    def set_camera_transform(self, camera: int, env: Env, transform: Transform) -> None: ...

    def attach_camera_to_body(
        self, camera: int, env: Env, body: int, local_transform: Transform, mode: CameraFollowMode
    ) -> None: ...

    def render_all_camera_sensors(self, sim: Simulation) -> None: ...

    def start_access_image_tensors(self, sim: Simulation) -> None: ...

    def end_access_image_tensors(self, sim: Simulation) -> None: ...

    def get_camera_transform(self, sim: Simulation, env: Env, camera: int) -> NoReturn:
        _no_cameras("get_camera_transform")

    def get_camera_image(self, sim: Simulation, env: Env, camera: int, image_type: ImageType) -> NoReturn:
        _no_cameras("get_camera_image")

    def get_camera_image_gpu_tensor(self, sim: Simulation, env: Env, camera: int, image_type: ImageType) -> NoReturn:
        _no_cameras("get_camera_image_gpu_tensor")


def _no_cameras(call: str) -> NoReturn:
    raise NotImplementedError(f"{call}: camera sensors are not supported yet; they can be placed but see nothing")


def _looking_at(position: Vec3, target: Vec3) -> Transform:
    """Camera at `position` with x towards `target` and z as far up as possible."""
    forward = (target - position).normalize()
    left = Vec3(0.0, 0.0, 1.0).cross(forward).normalize()
    if left.length() == 0.0:  # straight up or down
        left = Vec3(0.0, 1.0, 0.0)
    if forward.length() == 0.0:
        return Transform(position)
    axes = np.column_stack([tuple(forward), tuple(left), tuple(forward.cross(left))])
    return Transform(position, Quat(*Rotation.from_matrix(axes).as_quat()))
