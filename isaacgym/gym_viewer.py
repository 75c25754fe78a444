"""The gym's calls on a viewer. There is none yet, so calls that only draw do nothing."""

from __future__ import annotations

from typing import Any

from isaacgym.gym_types import ActionEvent, CameraProperties, KeyboardInput, Vec3
from isaacgym.simulation import Env, Simulation


class ViewerCalls:
    """Mixin of `gymapi.Gym`."""

    def create_viewer(self, sim: Simulation, props: CameraProperties) -> None:
        """No window can be opened yet; None stands for the viewer in the other calls."""

    def destroy_viewer(self, viewer: None) -> None: ...

    def subscribe_viewer_keyboard_event(self, viewer: None, key: KeyboardInput, action: str) -> None: ...

    def query_viewer_has_closed(self, viewer: None) -> bool:
        return False

    def query_viewer_action_events(self, viewer: None) -> list[ActionEvent]:
        return []

    def viewer_camera_look_at(self, viewer: None, env: Env | None, position: Vec3, target: Vec3) -> None: ...

    def step_graphics(self, sim: Simulation) -> None: ...

    def draw_viewer(self, viewer: None, sim: Simulation, render_collision: bool = True) -> None: ...

    def sync_frame_time(self, sim: Simulation) -> None: ...

    def poll_viewer_events(self, viewer: None) -> None: ...

    def clear_lines(self, viewer: None) -> None: ...

    def add_lines(self, viewer: None, env: Env | None, num_lines: int, vertices: Any, colors: Any) -> bool:
        return True
