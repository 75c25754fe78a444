"""sim2sim.py --matrix: one policy on stairs under every combination of friction, contacts, payload and direction."""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

from legged_gym.deploy.courses import Course
from legged_gym.deploy.mujoco_trials import Setup, Trial, Trials, run_in_processes, summary

FRICTIONS = (0.4, 0.8, 1.2)
IMPRATIOS = (1.0, 10.0, 100.0)  # of elliptic cones
PAYLOADS = (0.0, 3.0)  # [kg]
SPEEDS = {"forwards": 1.0, "backwards": -1.0}  # [m/s]
VARIED = ("friction", "cone", "impratio", "payload", "command", "terrain")  # what the command line may not set as well


class Cell(NamedTuple):
    """One combination."""

    friction: float
    impratio: float
    payload: float  # [kg]
    direction: str  # one of SPEEDS


CELLS = [Cell(*values) for values in itertools.product(FRICTIONS, IMPRATIOS, PAYLOADS, SPEEDS)]


def run_matrix(setup: Setup, trials: Trials, workers: int, on_trials: Callable[[int], None]) -> dict[Cell, list[Trial]]:
    """The trials of each combination, half of which start below a flight of stairs and half above one.

    setup: whose course has the step height that is asked for; the rest of what a combination states is replaced.
    """
    plans = []
    for cell in CELLS:
        physics = setup.physics._replace(
            friction=cell.friction, cone="elliptic", impratio=cell.impratio, payload=cell.payload
        )
        stairs = Course("stairs", setup.course.step_height)
        command = (SPEEDS[cell.direction], 0.0, 0.0)
        plans.append((setup._replace(course=stairs, physics=physics), trials._replace(command=command)))
    return dict(zip(CELLS, run_in_processes(plans, workers, on_trials), strict=True))


def matrix_rows(results: dict[Cell, list[Trial]]) -> list[dict[str, Any]]:
    """A summary of each combination, with the shares that crossed upwards and downwards."""
    rows = []
    for cell, trials in results.items():
        crossed = {}
        for name, is_up in (("up", True), ("down", False)):
            own = [trial.end == "crossed" for trial in trials if (trial.start == 0.0) == is_up]
            crossed[f"crossed_{name}"] = sum(own) / len(own) if own else None
        rows.append(cell._asdict() | summary(trials) | crossed)
    return rows


def worst_row(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The combination in which the fewest crossed; of several, the one with most falls."""
    return min(rows, key=lambda row: (row["crossed"]["mean"], -row["fell"]["mean"]))


def matrix_table(rows: list[dict[str, Any]]) -> list[str]:
    """Markdown."""
    lines = [
        "| friction | impratio | payload [kg] | direction | crossed | up | down | fell | stuck "
        "| trunk touches per 100 m | leg touches per 100 m | linear error [m/s] |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        shares = (row["crossed"]["mean"], row["crossed_up"], row["crossed_down"])
        ends = (*shares, row["fell"]["mean"], row["stuck"]["mean"])
        numbers = (row["trunk_touches"], row["leg_touches"])
        cells = [f"{row[name]:g}" for name in ("friction", "impratio", "payload")] + [row["direction"]]
        cells += ["–" if share is None else f"{100 * share:.0f} %" for share in ends]
        cells += ["–" if number is None else f"{number:.1f}" for number in numbers]
        error = row["lin_vel_error"]["mean"]
        cells.append("–" if error is None else f"{error:.3f}")
        lines.append(f"| {' | '.join(cells)} |")
    return lines
