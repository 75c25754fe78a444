"""Which checkpoint --load_run and --checkpoint mean."""

import os
from pathlib import Path

from rsl_rl.runners.checkpoint import checkpoint_files

SHORT = 0.5  # a newest run with less than this share of the longest one's iterations may be a mere test
MANY = 12  # names that an error lists


def get_load_path(root: str | os.PathLike, load_run: str | int = -1, checkpoint: str | int = -1) -> str:
    """Path of a checkpoint.

    Args:
        root: folder of an experiment, holding one folder per run.
        load_run: a run's folder, by name under `root` or by path, or a checkpoint file; -1: the run that wrote last.
        checkpoint: iteration; -1: the last one in the run. ValueError beside a file.
    """
    if str(load_run).endswith(".pt"):
        if str(checkpoint) != "-1":
            raise ValueError(f"--load_run {load_run} is a file already; leave out --checkpoint {checkpoint}")
        return _named_file(Path(root), str(load_run))
    run = _newest_run(Path(root)) if str(load_run) == "-1" else _named_run(Path(root), str(load_run))
    if str(checkpoint) != "-1":
        path = run / f"model_{checkpoint}.pt"
        if not path.is_file():
            raise FileNotFoundError(
                f"--checkpoint: no checkpoint '{path}'; {checkpoints_at(path) or 'nor another checkpoint'}"
            )
        return str(path)
    checkpoints = checkpoint_files(run)
    if not checkpoints:
        raise FileNotFoundError(f"--load_run: run '{run}' holds no model_<iteration>.pt yet; choose another")
    return str(checkpoints[-1])


def _runs(root: Path) -> list[Path]:
    """Folders under root that hold checkpoints, oldest first by their newest checkpoint."""
    runs = [path for path in root.iterdir() if path.is_dir() and checkpoint_files(path)] if root.is_dir() else []
    return sorted(runs, key=lambda run: max(path.stat().st_mtime for path in checkpoint_files(run)))


def _newest_run(root: Path) -> Path:
    runs = _runs(root)
    if not runs:
        raise FileNotFoundError(f"no run with a checkpoint under '{root}'; train first, or choose --experiment_name")
    newest, longest = runs[-1], max(runs, key=_iterations)
    if _iterations(newest) < SHORT * _iterations(longest):
        print(
            f"Taking the newest run, {newest.name}, up to iteration {_iterations(newest)}; {longest.name} goes up to "
            f"{_iterations(longest)}: --load_run {longest.name}"
        )
    return newest


def _iterations(run: Path) -> int:
    """Of a run's last checkpoint."""
    return int(checkpoint_files(run)[-1].stem.removeprefix("model_"))


def _named_run(root: Path, name: str) -> Path:
    for run in (root / name, Path(name)):
        if run.is_dir():
            return run
    if any(path.is_file() for path in (root / name, Path(name))):
        raise FileNotFoundError(f"--load_run: '{name}' is no checkpoint; give a run's folder or a model_<iteration>.pt")
    known = _newest_names(_runs(root))
    raise FileNotFoundError(f"--load_run: no run '{name}' under '{root}'; runs with checkpoints: {known}")


def _named_file(root: Path, name: str) -> str:
    places = Path(name), root / name
    for path in places:
        if path.is_file():
            return str(path)
    there = checkpoints_at(*places) or f"runs with checkpoints under '{root}': {_newest_names(_runs(root))}"
    raise FileNotFoundError(f"--load_run: no checkpoint '{name}'; {there}")


def checkpoints_at(*places: Path) -> str:
    """What an error tells of the first of these folders, or folders of missing files, that has checkpoints, or ""."""
    found = (checkpoint_files(path if path.is_dir() else path.parent) for path in places)
    return next((f"checkpoints there: {_newest_names(files)}" for files in found if files), "")


def _newest_names(paths: list[Path]) -> str:
    """paths: the oldest first."""
    older = "…, " if len(paths) > MANY else ""
    return older + ", ".join(path.name for path in paths[-MANY:]) or "none"
