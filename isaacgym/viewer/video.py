"""Videos of one robot, written while the simulation runs."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path

from isaacgym.simulation import Simulation
from isaacgym.viewer.follow_camera import FollowCamera
from isaacgym.viewer.renderer import Image, Renderer

FPS = 25
QUALITY = 7.0  # of imageio, from 0 to 10; about 1 MB for 10 s
BLOCK = 2  # [pixels] whose multiples width and height must be: colours have half the resolution
SIZE = (640, 480)  # [pixels] width and height
REPORT_S = 10.0  # [s] between lines on the progress


def check_video(path: str | Path) -> None:
    """Refuse, before anything long starts, what no video could be written to, or a missing encoder."""
    path = Path(path)
    if path.suffix != ".mp4":
        raise ValueError(f"the video '{path}' must be an .mp4 file")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise ValueError(f"the video '{path}' cannot be written: its folder does not exist or is read-only")
    try:
        import imageio.v2  # noqa: F401 -- optional, and only needed here
        import imageio_ffmpeg
        import trimesh  # noqa: F401

        imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:
        raise ValueError(f'videos need an encoder: pip install -e ".[video]" ({error})') from error


class VideoWriter:
    """Writes pictures to an .mp4 file, which is complete after `close`."""

    def __init__(self, path: str | Path, fps: int = FPS) -> None:
        import imageio.v2 as imageio  # optional, see `check_video`

        check_video(path)
        self._writer = imageio.get_writer(
            path, format="FFMPEG", fps=fps, codec="libx264", quality=QUALITY, macro_block_size=BLOCK
        )

    def add(self, picture: Image) -> None:
        """picture: (height, width, 3), the same size every time."""
        self._writer.append_data(picture)

    def close(self) -> None:
        self._writer.close()


class Film:
    """Follows one robot of a simulation and writes what is seen to a file, which is complete after `close`."""

    def __init__(
        self,
        sim: Simulation,
        env_id: int,
        path: str | Path,
        step_s: float,
        length_s: float,
        size: tuple[int, int] = SIZE,
    ) -> None:
        """step_s: simulated time between two calls of `step`. length_s: of the whole video, for reports only.

        size: width and height [pixels], rounded up to even numbers.
        """
        self._writer = VideoWriter(path)
        width, height = (-(-pixels // BLOCK) * BLOCK for pixels in size)
        self._camera = FollowCamera(Renderer(sim, width, height), env_id)
        self._step_s, self._length_s = step_s, length_s
        self._steps = self.num_frames = 0
        self._start = self._last_report = time.monotonic()

    def step(self) -> None:
        """Take a picture of the state after the last `simulate` whenever the next one is due."""
        self._steps += 1
        while self.num_frames < math.floor(round(self._steps * self._step_s * FPS, 6)):
            self._writer.add(self._camera.picture(1.0 / FPS))
            self.num_frames += 1
        now = time.monotonic()
        if now - self._last_report > REPORT_S:
            self._last_report = now
            filmed = self.num_frames / FPS
            print(f"Video: {filmed:.1f} of {self._length_s:g} s after {now - self._start:.0f} s", flush=True)

    def close(self) -> None:
        self._writer.close()
