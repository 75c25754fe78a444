"""Files of what a viewer's camera sees, with a page or without."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from isaacgym.gym_types import CameraProperties
from isaacgym.headless_viewer import Viewer
from isaacgym.simulation import Simulation
from isaacgym.viewer.renderer import Renderer

MAX_DRAWN = 50  # envs, the first ones
MISSING = 'pictures need the package trimesh: pip install -e ".[video]"'


class ViewerPictures:
    """Draws the state after the last `simulate` by ray tracing: 1600 × 900 pixels take two CPU cores half a second."""

    def __init__(self, sim: Simulation, viewer: Viewer, properties: CameraProperties) -> None:
        self._sim, self._viewer, self._properties = sim, viewer, properties.copy()
        self._renderer: Renderer | None = None

    def write(self, filename: str) -> None:
        """In the format that the name's ending says, such as .png; makes its folder."""
        if find_spec("trimesh") is None:
            raise RuntimeError(MISSING)
        from matplotlib.image import imsave  # slow to import

        if self._sim.engine is None:
            self._sim.prepare()
        if self._renderer is None:
            lens = self._properties
            self._renderer = Renderer(self._sim, lens.width, lens.height, lens.horizontal_fov)
        image = self._renderer.render(self._viewer.current_camera(), range(min(MAX_DRAWN, len(self._sim.envs))))
        Path(filename).parent.mkdir(parents=True, exist_ok=True)
        imsave(filename, image)
