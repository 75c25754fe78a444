"""Watching a robot in C MuJoCo: a window in real time, or a film, which needs no display."""

import importlib.util
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import mujoco

from legged_gym.deploy.mujoco_robot import Robot
from legged_gym.deploy.mujoco_world import VIDEO_SIZE
from legged_gym.files import make_folder

VIDEO_FPS = 25
FILM_SUFFIXES = (".mp4", ".gif", ".avi", ".mkv", ".mov")
NO_OPENGL = (
    "no OpenGL to film with: install Mesa's libraries (Debian, Ubuntu: apt install libegl1 libgl1-mesa-dri, or "
    "libosmesa6), or run where there is a display"
)

OnStep = Callable[[mujoco.MjData], None]


class WindowClosedError(Exception):
    """The user closed the window."""


def follow(camera: mujoco.MjvCamera) -> None:
    """Look at the robot from its right, a little from behind, 2.2 m away."""
    camera.type, camera.trackbodyid = mujoco.mjtCamera.mjCAMERA_TRACKING, 1
    camera.distance, camera.azimuth, camera.elevation = 2.2, 65.0, -18.0  # [m], [deg], [deg]


@contextmanager
def viewer(robot: Robot) -> Iterator[OnStep]:
    """MuJoCo's window, in real time; yields what is to be called after every control step."""
    import mujoco.viewer  # needs a display

    bare = {"show_left_ui": False, "show_right_ui": False}  # Tab and Shift-Tab show MuJoCo's panels
    with mujoco.viewer.launch_passive(robot.model, robot.data, **bare) as window:
        follow(window.cam)
        next_frame = time.perf_counter()

        def show(data: mujoco.MjData) -> None:
            nonlocal next_frame
            if not window.is_running():
                raise WindowClosedError
            window.sync()
            now = time.perf_counter()
            next_frame = max(next_frame + robot.controller.control_period_s, now)
            time.sleep(next_frame - now)

        yield show


def check_film(path: str) -> None:
    """A ValueError if a film of that name cannot be written; to be asked before long work."""
    if Path(path).suffix.lower() not in FILM_SUFFIXES:
        raise ValueError(f"--video {path}: end the name in .mp4 or .gif")
    make_folder(Path(path).resolve().parent)


@contextmanager
def video(robot: Robot, path: Path) -> Iterator[OnStep]:
    """Films the robot; yields what is to be called after every control step."""
    if importlib.util.find_spec("imageio") is None or importlib.util.find_spec("imageio_ffmpeg") is None:
        raise ValueError('no encoder for the video: pip install "imageio[ffmpeg]"')
    import imageio

    height, width = VIDEO_SIZE
    camera = mujoco.MjvCamera()
    follow(camera)
    every = round(1 / (VIDEO_FPS * robot.controller.control_period_s))  # control steps per frame
    steps = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        open_renderer(robot.model, height, width) as renderer,
        imageio.get_writer(path, fps=VIDEO_FPS) as writer,
    ):

        def film(data: mujoco.MjData) -> None:
            nonlocal steps
            if steps % every == 0:
                renderer.update_scene(data, camera)
                writer.append_data(renderer.render())
            steps += 1

        yield film


def open_renderer(model: mujoco.MjModel, height: int, width: int) -> mujoco.Renderer:
    """MuJoCo's off-screen renderer; a ValueError if there is no OpenGL."""
    if not hasattr(mujoco, "GLContext"):  # the library that MUJOCO_GL names could not be loaded
        raise ValueError(NO_OPENGL)
    try:
        return mujoco.Renderer(model, height, width)
    except (mujoco.FatalError, ImportError, AttributeError, RuntimeError) as error:  # as the kind of failure goes
        raise ValueError(NO_OPENGL) from error
