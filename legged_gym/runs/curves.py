"""Curves of runs, read from their event files, and runs of the same config put together."""

import json
import logging
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rsl_rl.runners.curve_file import TIME_SUFFIX

EVENT_FILES = "events.out.tfevents.*"
# Settings that do not change what is trained; the rest of config.json says which runs repeat each other.
IGNORED_RUNNER_KEYS = {
    *("run_name", "resume", "load_run", "checkpoint", "resume_path", "max_iterations"),
    *("save_interval", "keep", "export", "figure_interval"),
}
ITERATION_TIMES = ("Perf/collection time", "Perf/learning_time")  # [s]; together an iteration's duration


class Curve(NamedTuple):
    """Values over increasing x."""

    x: np.ndarray  # (P,) iterations or hours
    values: np.ndarray  # (P,)


class Run(NamedTuple):
    """One run's folder."""

    folder: Path
    curves: dict[str, Curve]  # by TensorBoard tag, over iterations
    config: str | None  # equal for runs that differ in nothing but the seed; None without config.json
    seed: int | None


class Group(NamedTuple):
    """Runs of the same config, drawn as one."""

    label: str
    runs: list[Run]


class Spread(NamedTuple):
    """A quantity of several runs."""

    x: np.ndarray  # (P,)
    mean: np.ndarray  # (P,)
    low: np.ndarray  # (P,) of the lowest run
    high: np.ndarray  # (P,)


# --- Reading ---------------------------------------------------------------------------------------------------------


def find_runs(path: Path) -> list[Path]:
    """The folder itself if it holds curves, else the folders in it that do."""
    if not path.is_dir():
        raise FileNotFoundError(f"there is no folder {path}")
    if any(path.glob(EVENT_FILES)):
        return [path]
    runs = sorted({file.parent for file in path.glob(f"*/{EVENT_FILES}")})
    if not runs:
        raise FileNotFoundError(f"no curves in {path}: give a run's folder (logs/<experiment>/<run>) or one of runs")
    return runs


def read_run(folder: Path) -> Run:
    """All curves over iterations of a run, which may still be training; none if it has just begun."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logging.getLogger("tensorboard").setLevel(logging.ERROR)  # it warns of the cut that a resumed run makes
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 1, "tensors": 1}).Reload()
    curves = {}
    for tag in [tag for tag in events.Tags()["scalars"] if not tag.endswith(TIME_SUFFIX)]:
        points = {event.step: event.value for event in events.Scalars(tag)}  # of equal steps the last one
        steps = sorted(points)
        curves[tag] = Curve(np.array(steps, dtype=float), np.array([points[step] for step in steps]))
    config, seed = _read_config(folder)
    return Run(folder, curves, config, seed)


def _read_config(folder: Path) -> tuple[str | None, int | None]:
    """What is trained, as a text without the seed, and the seed; of the newest session."""
    paths = sorted(folder.glob("config*.json"), key=lambda path: path.stat().st_mtime)
    if not paths:
        return None, None
    try:
        config = json.loads(paths[-1].read_text(encoding="utf-8"))
        env, train = dict(config["env"]), dict(config["train"])
        seed = env.pop("seed")
        train.pop("seed", None)
        train["runner"] = {key: value for key, value in train["runner"].items() if key not in IGNORED_RUNNER_KEYS}
        return json.dumps([config["task"], env, train], sort_keys=True), seed
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{paths[-1]} is not the config.json of a run ({type(error).__name__}: {error})") from error


# --- Putting together ------------------------------------------------------------------------------------------------


def group_runs(runs: list[Run]) -> list[Group]:
    """Runs of the same config and different seeds together, in the order of the first of each.

    A run without config.json stays by itself. One that goes on with another in a folder of its own is no repetition.
    """
    members: dict[Any, list[Run]] = {}
    for run in runs:
        start = min(curve.x[0] for curve in run.curves.values())
        same = [other for group in members.values() for other in group if (other.config, other.seed) == run[2:]]
        key = run.folder if run.config is None else (run.config, start, len(same))
        members.setdefault(key, []).append(run)
    return [Group(_label(group), group) for group in members.values()]


def _label(runs: list[Run]) -> str:
    first = runs[0].folder.resolve()
    name = f"{first.parent.name}/{first.name}"
    if len(runs) == 1:
        return name
    return f"{name} and {len(runs) - 1} more (seeds {', '.join(str(run.seed) for run in runs)})"


def over_time(run: Run, curve: Curve) -> Curve:
    """The curve over hours of collecting and learning, pauses between sessions left out."""
    missing = [tag for tag in ITERATION_TIMES if tag not in run.curves]
    if missing:
        raise ValueError(f"{run.folder} has no curve '{missing[0]}' to tell the time by; draw over iterations instead")
    collection, learning = (run.curves[tag] for tag in ITERATION_TIMES)
    steps, collected, learned = np.intersect1d(collection.x, learning.x, return_indices=True)
    hours = np.cumsum(collection.values[collected] + learning.values[learned]) / 3600
    _, own, timed = np.intersect1d(curve.x, steps, return_indices=True)
    return Curve(hours[timed], curve.values[own])


def spread(curves: list[Curve]) -> Spread:
    """Mean, lowest and highest of runs, from where all have begun to where the first ends, interpolated linearly."""
    x = np.unique(np.concatenate([curve.x for curve in curves]))
    x = x[(x >= max(curve.x[0] for curve in curves)) & (x <= min(curve.x[-1] for curve in curves))]
    values = np.stack([np.interp(x, curve.x, curve.values) for curve in curves])
    return Spread(x, values.mean(axis=0), values.min(axis=0), values.max(axis=0))
