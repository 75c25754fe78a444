"""Policies that come with the project: resources/policies/<robot>/ holds model.pt, policy.pt, policy.onnx and how they
were made and judged, results.json."""

from pathlib import Path

from legged_gym import LEGGED_GYM_ROOT_DIR
from legged_gym.cli import example
from legged_gym.utils.load_path import checkpoints_at, get_load_path

POLICIES = Path(LEGGED_GYM_ROOT_DIR) / "resources" / "policies"


def named_checkpoint(name: str) -> str:
    """Path of a checkpoint, given by its path or by the name of a robot whose policy comes with the project."""
    for path in (Path(name), POLICIES / name / "model.pt"):
        if path.is_file():
            return str(path)
    there = "; ".join(filter(None, (checkpoints_at(Path(name)), _known())))
    raise FileNotFoundError(f"--checkpoint_path: no checkpoint '{name}'; {there}")


def compared_checkpoint(root: Path, name: str) -> str:
    """Path of a checkpoint, given by its path, its run, or the name of a robot whose policy comes with the project.

    root: folder of the experiment whose runs may be named.
    """
    try:
        return get_load_path(root, name)
    except FileNotFoundError as error:
        shipped = POLICIES / name / "model.pt"
        if shipped.is_file():
            return str(shipped)
        problem = str(error).removeprefix("--load_run: ")
        raise FileNotFoundError(f"--checkpoints: {problem}; or name a robot ({_known()})") from error


def find_checkpoint(root: Path, load_run: str | int, checkpoint: str | int, robot: str, task: str) -> str:
    """Path of a checkpoint to play or to judge: what `get_load_path` finds; before there is any run, the policy that
    comes with the project for this robot, and a line that says so.

    Args:
        root, load_run, checkpoint: as in `get_load_path`.
        robot: asset.name of the task.
        task: named in the hint how to train one.
    """
    try:
        return get_load_path(root, load_run, checkpoint)
    except FileNotFoundError as error:
        if (str(load_run), str(checkpoint)) != ("-1", "-1"):
            raise
        shipped = POLICIES / robot / "model.pt"
        if shipped.is_file():
            print(f"No run under '{root}' yet: taking the policy of {robot} that comes with the project.")
            return str(shipped)
        train = f"{example('train')} --task {task} --headless"
        raise FileNotFoundError(
            f"no run with a checkpoint under '{root}'; train with `{train}`, choose another --experiment_name, or give "
            f"a file, to play.py with --checkpoint_path, to evaluate.py with --checkpoints ({_known()})"
        ) from error


def _known() -> str:
    names = ", ".join(path.parent.name for path in sorted(POLICIES.glob("*/model.pt")))
    return f"policies in resources/policies: {names or 'none'}"
