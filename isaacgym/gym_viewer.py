"""The gym's calls on a viewer: a page (`isaacgym.viewer`) or, for headless scripts, nothing at all."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from isaacgym.actors import Env
from isaacgym.gym_types import (
    ActionEvent,
    CameraProperties,
    KeyboardInput,
    Quat,
    Transform,
    Vec2,
    Vec3,
)
from isaacgym.headless_viewer import Viewer
from isaacgym.simulation import Simulation
from isaacgym.viewer.picture import ViewerPictures
from isaacgym.viewer.viewer import open_viewer

Z_FORWARD = Quat(0.5, 0.5, 0.5, 0.5)  # its x, y and z are y, z and x of a camera that looks along x


class ViewerCalls:
    """Mixin of `gymapi.Gym`. Viewer calls also take None, for code that runs without a viewer."""

    def create_viewer(self, sim: Simulation, props: CameraProperties) -> Viewer:
        """A page on this machine, whose address is printed; without one if the simulation has no graphics device.

        See `SimParams.viewer`, `viewer_host` and `viewer_port`. The size in `props` is the browser's own. The viewer of
        a simulation that has one already is the same one.
        """
        if sim.viewer is None or sim.viewer.closed:
            sim.viewer = open_viewer(sim)
            sim.viewer.pictures = ViewerPictures(sim, sim.viewer, props)
        return sim.viewer

    def destroy_viewer(self, viewer: Viewer | None) -> None:
        """Close its page."""
        if viewer is not None:
            viewer.close()

    def subscribe_viewer_keyboard_event(self, viewer: Viewer | None, key: KeyboardInput, action: str) -> None:
        """The action gets a button on the page; letters, digits and some other keys work there as well."""
        if viewer is not None:
            viewer.subscribe(KeyboardInput(key), action)

    def subscribe_viewer_mouse_event(self, viewer: Viewer | None, button: Any, action: str) -> None:
        """Never reported: the mouse turns the page's camera."""

    def query_viewer_has_closed(self, viewer: Viewer | None) -> bool:
        """After `destroy_viewer`. Closing the browser ends nothing: the page can be opened again."""
        return viewer is not None and viewer.closed

    def query_viewer_action_events(self, viewer: Viewer | None) -> list[ActionEvent]:
        """A press and a release of every button used since the last call."""
        return [] if viewer is None else viewer.take_events()

    def viewer_camera_look_at(self, viewer: Viewer | None, env: Env | None, position: Vec3, target: Vec3) -> None:
        """Points count from the origin of `env`, or from the world's if it is None."""
        if viewer is not None:
            origin = Vec3() if env is None else Vec3(*env.origin)
            viewer.look_at(Vec3(*position) + origin, Vec3(*target) + origin)

    def get_viewer_camera_transform(self, viewer: Viewer | None, env: Env | None) -> Transform:
        """The camera of the page, or where `viewer_camera_look_at` put it if no browser shows it.

        It looks along its z axis, as scripts that throw things from it take for granted, with y up (unverified).
        """
        camera = Transform() if viewer is None else viewer.current_camera()
        origin = Vec3() if env is None else Vec3(*env.origin)
        return Transform(camera.p - origin, camera.r * Z_FORWARD)

    def get_viewer_size(self, viewer: Viewer | None) -> Vec2:
        """[pixels] as they are by default: a browser's window has any size, and pictures none."""
        size = CameraProperties()
        return Vec2(size.width, size.height)

    def get_viewer_mouse_position(self, viewer: Viewer | None) -> Vec2:
        """The middle of the window, as shares of its size: where the mouse is on the page is not reported."""
        return Vec2(0.5, 0.5)

    def set_light_parameters(
        self, sim: Simulation, light_index: int, intensity: Vec3, ambient: Vec3, direction: Vec3
    ) -> None:
        """Without effect: pictures and the page have a light of their own."""

    def step_graphics(self, sim: Simulation) -> None:
        """Nothing to do: `draw_viewer` reads the state itself."""

    def draw_viewer(self, viewer: Viewer | None, sim: Simulation, render_collision: bool = True) -> None:
        """Send the state after the last `simulate` to the page, if a browser shows it; waits while it is paused there.

        Bodies are drawn by their visuals, whatever `render_collision` says, and by collision shapes if they have none.
        """
        if viewer is not None:
            viewer.draw()

    def sync_frame_time(self, sim: Simulation) -> None:
        """Wait for real time, or what the page makes of it; does not wait if no browser shows the page."""
        if sim.viewer is not None:
            sim.viewer.wait()

    def poll_viewer_events(self, viewer: Viewer | None) -> None:
        """Nothing to do: the page reports events by itself."""

    def write_viewer_image_to_file(self, viewer: Viewer | None, filename: str) -> None:
        """What the viewer's camera sees, in the size and with the lens given to `create_viewer`, of the first 50 envs,
        which all have to hold the same actors.

        Ray-traced: 1600 × 900 pixels take two CPU cores half a second. Without a viewer it warns and writes nothing.
        """
        if viewer is None or viewer.pictures is None:
            warnings.warn(
                "write_viewer_image_to_file: there is no viewer, so no file is written", RuntimeWarning, stacklevel=2
            )
        else:
            viewer.pictures.write(filename)

    def clear_lines(self, viewer: Viewer | None) -> None:
        """Of `add_lines`."""
        if viewer is not None:
            viewer.clear_lines()

    def add_lines(self, viewer: Viewer | None, env: Env | None, num_lines: int, vertices: Any, colors: Any) -> bool:
        """Lines that stay until `clear_lines`.

        vertices: two ends per line, float32 or Vec3 records, from the origin of `env` or, if it is None, the world's;
        colors: RGB in 0 to 1 per line, likewise.
        """
        if viewer is not None:
            ends, rgb = _numbers(vertices), _numbers(colors)
            if ends.size != 6 * num_lines or rgb.size != 3 * num_lines:
                raise ValueError(
                    f"add_lines: num_lines = {num_lines} means {6 * num_lines} coordinates and {3 * num_lines} colour "
                    f"values, got {ends.size} and {rgb.size}"
                )
            origin = np.zeros(3) if env is None else np.array(env.origin)
            viewer.add_lines(ends.reshape(-1, 2, 3) + origin, rgb.reshape(-1, 3))
        return True


def _numbers(values: Any) -> np.ndarray:
    """Floats of an array of numbers or of Vec3 records, flat."""
    values = np.asarray(values)
    if values.dtype.names:
        values = np.stack([values[name] for name in values.dtype.names], axis=-1)
    return values.astype(np.float64).ravel()
