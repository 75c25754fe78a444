"""What `create_viewer` returns: a viewer with a page if the script wants to show something, else one without."""

from importlib.util import find_spec

from isaacgym.headless_viewer import Viewer
from isaacgym.simulation import Simulation

KINDS = ("auto", "web", "none")  # of SimParams.viewer
MISSING = 'the viewer needs the package viser: pip install -e ".[viewer]"'


def open_viewer(sim: Simulation) -> Viewer:
    """A page for a simulation with graphics, unless its parameters say none; viser missing is said in one line."""
    kind = sim.params.viewer
    if kind not in KINDS:
        raise ValueError(f"SimParams.viewer is '{kind}', but must be one of: {', '.join(KINDS)}")
    if kind == "none" or not sim.has_graphics:
        return Viewer()
    if find_spec("viser") is None:
        if kind == "web":
            raise ValueError(MISSING)
        print(f"Running without a viewer; {MISSING}")
        return Viewer()
    from isaacgym.viewer.web_viewer import WebViewer  # imports viser

    return WebViewer(sim)
