"""What a run's folder tells about the run: its config, where it came from, and who is writing into it."""

import argparse
import contextlib
import fcntl
import functools
import importlib.metadata
import itertools
import json
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO, Any, NamedTuple

import torch

from legged_gym import INSTALLED, LEGGED_GYM_ROOT_DIR
from legged_gym.cli import program
from legged_gym.utils.helpers import class_to_dict
from legged_gym.utils.shipped import POLICIES
from rsl_rl.runners.summaries import RunDescription
from rsl_rl.utils import ranks
from rsl_rl.utils.files import write_whole

PACKAGES = ("torch", "numpy", "mujoco", "mujoco-warp", "warp-lang", "himloco")
DEVICE_FLAGS = ("sim_device", "rl_device", "pipeline")
RUN_FLAGS = (*DEVICE_FLAGS, "engine", "fusion", "deterministic", "task_module")  # flags that are not in the configs
ROBOT_SECTIONS = ("asset", "control", "init_state", "normalization", "sim")  # what a policy's body and senses depend on
PLACES = ("asset.file", "asset.name")  # which differ between machines and stand for the robot's name
# Keys that came later than runs that may be read, and what these runs did.
NEWER = {
    "control": {"target_margin": None},
    "commands": {"keep_direction": False, "standing_fraction": 0.0},
    "terrain": {"lowest_level_again": 0},
}
GIT_TIMEOUT_S = 20


class RunConfig(NamedTuple):
    """All that `train.py --config` needs to repeat a run."""

    task: str
    flags: dict[str, str]  # RUN_FLAGS
    env: dict[str, Any]
    train: dict[str, Any]


def record_run(folder: Path, args: argparse.Namespace, env_cfg: Any, train_cfg: Any, resumed_from: str | None) -> None:
    """Write config.json, run.json and, if the code is not as committed, uncommitted.diff.

    A run that goes on in its folder adds files of its own, numbered: config_2.json and so on.
    """
    session = 1 + len(list(folder.glob("run*.json")))
    suffix = "" if session == 1 else f"_{session}"
    flags = {name: getattr(args, name) for name in RUN_FLAGS if getattr(args, name, None) is not None}
    config = RunConfig(args.task, flags, class_to_dict(env_cfg), class_to_dict(train_cfg))
    commit, status, diff = _git("rev-parse", "HEAD"), _git("status", "-s"), _git("diff", "HEAD")
    record = {
        "command": shlex.join([*program(sys.argv[0], ranks.launcher()), *sys.argv[1:]]),
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "resumed_from": resumed_from,
        "seed": env_cfg.seed,
        "ranks": ranks.num_ranks(),
        "devices": {name: _device_name(getattr(args, name)) for name in ("sim_device", "rl_device")},
        "versions": {"python": platform.python_version(), **_package_versions()},
        "git": None
        if commit is None
        else {"commit": commit.strip(), "status": None if status is None else status.splitlines()},
    }
    _write_json(folder / f"config{suffix}.json", config._asdict())
    if diff:
        write_whole(folder / f"uncommitted{suffix}.diff", diff.encode())
    _write_json(folder / f"run{suffix}.json", record)


def describe_run(task: str, env_cfg: Any, train_cfg: Any) -> RunDescription:
    """For TensorBoard: what one tunes as hyper-parameters, and both configs as text."""
    env, learner = class_to_dict(env_cfg), class_to_dict(train_cfg)
    hyper_parameters = {"task": task, "seed": env["seed"], "num_envs": env["env"]["num_envs"]}
    if ranks.num_ranks() > 1:
        hyper_parameters["ranks"] = ranks.num_ranks()
    hyper_parameters["num_steps_per_env"] = learner["runner"]["num_steps_per_env"]
    hyper_parameters |= {f"reward.{name}": scale for name, scale in env["rewards"]["scales"].items() if scale}
    for section in ("algorithm", "policy"):
        hyper_parameters |= {f"{section}.{name}": _scalar(value) for name, value in learner[section].items()}
    texts = {f"config/{name}": f"```\n{_json(values)}\n```" for name, values in (("env", env), ("train", learner))}
    return RunDescription(hyper_parameters, texts)


def read_run_config(path: str | Path) -> RunConfig:
    """What `record_run` wrote, with NEWER keys where it is older; anything else is a ValueError."""
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
        config = RunConfig(**{name: kind(values[name]) for name, kind in _KINDS.items()})
        older = {name: _mapping(config.env[name]) for name in NEWER if name in config.env}
        return config._replace(env=config.env | {name: keys | (NEWER[name] | keys) for name, keys in older.items()})
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"{path} is not the config.json of a run ({type(error).__name__}: {error}); restore or delete it, or "
            "take that of another run"
        ) from error
    except OSError as error:
        raise ValueError(f"cannot read the config {path}: {error.strerror}") from error


def sessions_of(checkpoint: str | Path) -> list[str]:
    """How the files of the sessions end that led to a checkpoint of a run: "", "_2" and so on.

    One that went on from a later iteration, or began after the checkpoint was written, had no part in it.
    """
    path = Path(checkpoint)
    names = (re.fullmatch(r"run_(\d+)", record.stem) for record in path.parent.glob("run_*.json"))
    numbers = sorted(int(name[1]) for name in names if name)
    return ["", *(f"_{number}" for number in numbers if _led_to(path, path.with_name(f"run_{number}.json")))]


def _led_to(checkpoint: Path, record: Path) -> bool:
    """Whether the session of this record did; True if it does not tell."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        session = json.loads(record.read_text(encoding="utf-8"))
        started = datetime.fromisoformat(session["started"]).timestamp()
        if checkpoint.is_file() and checkpoint.stat().st_mtime < started:
            return False
        start, end = (int(Path(path).stem.removeprefix("model_")) for path in (session["resumed_from"], checkpoint))
        return start < end
    return True


def config_of(checkpoint: str | Path) -> Path:
    """The config.json, or config_2.json and so on, of the session that a checkpoint was trained in last."""
    return Path(checkpoint).with_name(f"config{sessions_of(checkpoint)[-1]}.json")


def trained_robot(checkpoint: str | Path) -> str | None:
    """Name of the robot that a checkpoint's run trained, or that it comes with the project for; None: not known."""
    folder = Path(checkpoint).resolve().parent
    if folder.parent == POLICIES:
        return folder.name
    path = config_of(Path(checkpoint).resolve())
    return read_run_config(path).env.get("asset", {}).get("name") if path.is_file() else None


def robot_as_trained(checkpoints: Sequence[str | Path], env_cfg: Any) -> None:
    """Give a config, in place, the settings of the robot that checkpoints were trained with, and say which in a line.

    Where checkpoints differ among themselves, or are of another robot, it stays as it is, and a line for each says so.
    """
    changes = [changes_since(path, env_cfg) for path in checkpoints]
    own_robot, are_strangers = env_cfg.asset.name, False
    for path in checkpoints:
        robot = trained_robot(path)
        if robot not in (None, own_robot):
            print(f"{path} was trained on '{robot}', not '{own_robot}': judge it with care.")
            are_strangers = True
    if are_strangers:
        return
    told = ["; ".join(f"{name} {value}, not {_value(env_cfg, name)}" for name, value in own.items()) for own in changes]
    if len(set(told)) > 1:
        for path, text in zip(checkpoints, told, strict=True):
            if text:
                print(f"{Path(path).name} was trained with {text}: judge it with care.")
    elif told and told[0]:
        adopt(env_cfg, changes[0])
        is_known = any(config_of(path).is_file() for path in checkpoints)
        source = "as in training" if is_known else f"as of old, for no config.json lies beside {checkpoints[0]}"
        print(f"The robot {source}: {told[0]}. --set overrides.")


def changes_since(checkpoint: str | Path, env_cfg: Any, sections: Sequence[str] = ROBOT_SECTIONS) -> dict[str, Any]:
    """Settings by which a checkpoint's run differed from a config, by dotted name; without config.json: NEWER."""
    path = config_of(checkpoint)
    env: Mapping[str, Any] = read_run_config(path).env if path.is_file() else NEWER
    changes: dict[str, Any] = {}
    pending = [(name, env[name], getattr(env_cfg, name)) for name in sections if name in env]
    while pending:
        name, value, own = pending.pop(0)
        if isinstance(value, Mapping) and not isinstance(own, Mapping):
            pending += [(f"{name}.{key}", part, getattr(own, key)) for key, part in value.items() if hasattr(own, key)]
        elif value != json.loads(_json(own)) and name not in PLACES:
            changes[name] = value
    return changes


def tell_changed_robot(checkpoint: str | Path, env_cfg: Any) -> None:
    """Say in a line what is no longer as a checkpoint's run, whose config.json is known, had it."""
    changes = changes_since(checkpoint, env_cfg)
    if changes:
        told = "; ".join(f"{name} {_value(env_cfg, name)}, not {value}" for name, value in changes.items())
        print(f"The robot goes on with {told}. To keep what it had: --config {config_of(checkpoint)}")


def adopt(env_cfg: Any, changes: Mapping[str, Any]) -> None:
    """Set what `changes_since` returns in a config, in place."""
    for path, value in changes.items():
        section, _, name = path.rpartition(".")
        setattr(_value(env_cfg, section), name, value)


def _value(env_cfg: Any, path: str) -> Any:
    return functools.reduce(getattr, path.split("."), env_cfg)


def with_recorded_flags(argv: list[str]) -> list[str]:
    """Arguments that stand for --config FILE: the flags of that run, then `argv`, which wins."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name in ("config", *DEVICE_FLAGS):
        parser.add_argument(f"--{name}")
    given, _ = parser.parse_known_args(argv)
    if given.config is None:
        return argv
    config = read_run_config(given.config)
    chooses_device = any(getattr(given, name) is not None for name in DEVICE_FLAGS)
    names = [name for name in RUN_FLAGS if name in config.flags and not (chooses_device and name in DEVICE_FLAGS)]
    return ["--task", config.task, *(word for name in names for word in (f"--{name}", config.flags[name])), *argv]


def new_folder(wished: Path) -> Path:
    """Make a new run's folder. Where another run began in the same second and has it already, a number is added."""
    wished.parent.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        folder = wished if number == 1 else wished.with_name(f"{wished.name}_{number}")
        with contextlib.suppress(FileExistsError):
            folder.mkdir()  # which of several processes only one can do
            break
    return folder


def hold(folder: Path) -> IO[str]:
    """Claim a run's folder for this process, until the result is closed or the process ends."""
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / ".lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise ValueError(
            f"another process is training in {folder}; stop it first, or branch off with --run_name NAME"
        ) from None
    return file


def resume_command(argv: list[str], run: Path, seed: int, remaining_iterations: int) -> str:
    """The command line that goes on with a run where it stands."""
    dropped = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    dropped.add_argument("--resume", action="store_true")
    for flag in ("--load_run", "--checkpoint", "--max_iterations", "--seed", "--run_name"):
        dropped.add_argument(flag)
    _, kept = dropped.parse_known_args(argv[1:])
    added = {"--load_run": run, "--seed": seed, "--max_iterations": remaining_iterations}
    words = [str(word) for pair in added.items() for word in pair]
    return shlex.join([*program(argv[0], ranks.launcher()), *kept, "--resume", *words])


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"expected a section, found {value!r:.40}")
    return dict(value)


def _texts(value: Any) -> dict[str, str]:
    flags = _mapping(value)
    if not all(isinstance(flag, str) for flag in flags.values()):
        raise TypeError("flags must be texts")
    return flags


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a name, found {value!r:.40}")
    return value


_KINDS = {"task": _text, "flags": _texts, "env": _mapping, "train": _mapping}


def _scalar(value: Any) -> bool | float | str:
    """A setting as TensorBoard's table of hyper-parameters takes it."""
    return value if isinstance(value, bool | int | float | str) else str(value)


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    write_whole(path, f"{_json(values)}\n".encode())


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, indent=2, default=_plain)


def _plain(value: Any) -> Any:
    """Numbers and arrays of numpy and torch as Python's."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _git(*arguments: str) -> str | None:
    """What git says about this code; None without git or outside a repository of ours."""
    if INSTALLED:  # an environment may lie in the repository of something else
        return None
    command = ["git", "-C", LEGGED_GYM_ROOT_DIR, *arguments]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=GIT_TIMEOUT_S).stdout
    return None


def _package_versions() -> dict[str, str]:
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions


def _device_name(device: str) -> str:
    if not device.startswith("cuda"):
        return f"{device} ({platform.processor() or platform.machine()})"
    return f"{device} ({torch.cuda.get_device_name(device)})"
