"""A picture of what all robots do at one moment of a training."""

import io
from typing import Any, NamedTuple

import numpy as np

PANEL_SIZE, DPI = (4.5, 3.7), 80  # [inch], [pixels per inch]
MARKER_SIZE, OPAQUE_MARKERS = 4, 150  # of more robots each one is drawn fainter
MIN_ALPHA = 0.15


class StateSample(NamedTuple):
    """One moment of N robots, on the host."""

    commands: np.ndarray  # (N, 3) vx, vy [m/s], yaw rate [rad/s], base frame
    lin_vel: np.ndarray  # (N, 3) [m/s] base frame
    ang_vel: np.ndarray  # (N, 3) [rad/s] base frame
    levels: dict[str, list[int]]  # terrain type: level of each of its robots; empty without a curriculum
    num_levels: int


def draw_state(sample: StateSample) -> bytes:
    """Measured against commanded velocities, and a histogram of terrain levels, as PNG."""
    from matplotlib.figure import Figure  # slow to import, and only needed here

    rows, columns = (2, 2) if sample.levels else (1, 3)
    size = (columns * PANEL_SIZE[0], rows * PANEL_SIZE[1])
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    axes = figure.subplots(rows, columns).ravel()
    measured = np.column_stack((sample.lin_vel[:, :2], sample.ang_vel[:, 2]))
    for axis, column, name, unit in zip(
        axes, range(3), ("Forward", "Lateral", "Yaw"), ("m/s", "m/s", "rad/s"), strict=False
    ):
        _draw_tracking(axis, sample.commands[:, column], measured[:, column], name, unit)
    if sample.levels:
        _draw_levels(axes[3], sample.levels, sample.num_levels)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _draw_tracking(axis: Any, commanded: np.ndarray, measured: np.ndarray, name: str, unit: str) -> None:
    """A point per robot; on the line it does what it is told."""
    alpha = min(1.0, max(MIN_ALPHA, OPAQUE_MARKERS / len(commanded)))
    axis.plot(commanded, measured, ".", markersize=MARKER_SIZE, alpha=alpha, markeredgewidth=0)
    axis.axline((0, 0), slope=1, color="black", linewidth=0.8)
    error = np.abs(measured - commanded).mean()
    axis.set(title=f"{name}: mean error {error:.2f} {unit}", xlabel=f"commanded [{unit}]", ylabel=f"measured [{unit}]")
    axis.grid(alpha=0.3)


def _draw_levels(axis: Any, levels: dict[str, list[int]], num_levels: int) -> None:
    """Robots at each level, stacked by terrain type."""
    edges = np.arange(num_levels + 1) - 0.5
    axis.hist(list(levels.values()), bins=edges, stacked=True, label=[name.replace("_", " ") for name in levels])
    axis.set(title="Terrain levels", xlabel="level", ylabel="robots", xticks=range(num_levels))
    axis.legend()
