"""Put a trained policy in the box: python -m legged_gym.scripts.ship --task go2 --load_run <run> --tables <report> …

Writes resources/policies/<robot>/: model.pt (a checkpoint without the optimisers' moments, parameters in float16),
policy.pt and policy.onnx, config.json (its run's, of the session that it was trained in last), and results.json (how it
was trained, and reports of evaluate.py and sim2sim.py). Parameters are rounded to float16 first, so that all files hold
the same policy: judge it, not the checkpoint it came from.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import legged_gym  # noqa: F401  # isort: skip -- before torch, whose threads it tells how to wait
import torch

from legged_gym.cli import interruptible
from legged_gym.envs import task_registry
from legged_gym.files import make_folder
from legged_gym.runs.record import config_of, read_run_config, sessions_of
from legged_gym.scripts import play
from legged_gym.utils import shipped
from legged_gym.utils.export import export_policy
from legged_gym.utils.helpers import get_args, user_errors
from rsl_rl.runners.checkpoint import write_checkpoint
from rsl_rl.utils.files import write_whole

FLAGS = [
    *play.FLAGS,
    {"name": "--tables", "type": str, "nargs": "+", "default": [], "help": "JSON reports of this policy to include"},
    {"name": "--replace", "action": "store_true", "default": False, "help": "the robot's policy that is there"},
]
KEPT = ("iter", "completed_iterations", "learning_rate", "tot_timesteps", "tot_time", "env_state", "infos")


def ship(args: argparse.Namespace) -> Path:
    """Write the folder of the task's robot and return it."""
    robot = task_registry.get_cfgs(args.task)[0].asset.name
    if (shipped.POLICIES / robot / "model.pt").exists() and not args.replace:
        raise ValueError(f"there is a policy of '{robot}' in {shipped.POLICIES / robot}; --replace puts this one there")
    args.num_envs = 1
    player = play.prepare(args)
    # What may be missing or broken is read before anything of the policy that is there is replaced.
    results = run_facts(Path(player.checkpoint_path)) | {"tables": [read_table(path) for path in args.tables]}
    config = config_of(player.checkpoint_path)
    read_run_config(config)
    env, policy = player.env, player.runner.alg.actor_critic
    checkpoint = player.checkpoint
    parameters = {name: value.half() for name, value in checkpoint["model_state_dict"].items()}
    policy.load_state_dict(parameters)
    folder = make_folder(shipped.POLICIES / env.cfg.asset.name)
    env_state = {k: v for k, v in checkpoint.get("env_state", {}).items() if k != "terrain_levels"}
    kept = {name: checkpoint[name] for name in KEPT if name in checkpoint} | {"env_state": env_state}
    write_checkpoint(folder / "model.pt", {"model_state_dict": parameters, **kept})
    export_policy(policy, env, play.commands_as_trained(args.task, player.checkpoint_path), checkpoint, folder)
    write_whole(folder / "config.json", config.read_bytes())  # the robot that it was trained with
    write_whole(folder / "results.json", (json.dumps(results) + "\n").encode())
    return folder


def run_facts(checkpoint: Path) -> dict[str, Any]:
    """How the run of a checkpoint was started and, if it was, gone on with: from its folder's run.json, run_2.json …

    resumed_from: what the sessions began with that did not begin afresh, as <run>/<file>.
    """
    paths = [checkpoint.with_name(f"run{session}.json") for session in sessions_of(checkpoint)]
    if not paths[0].is_file():
        raise FileNotFoundError(f"{checkpoint} lies beside no run.json, which says how it was trained")
    runs = [_read_run(path) for path in paths]
    commit = (runs[-1]["git"] or {}).get("commit", "unknown")
    command = " && ".join(run["command"] for run in runs)
    facts = {name: runs[-1][name] for name in ("seed", "devices", "versions")}
    facts["resumed_from"] = ["/".join(Path(run["resumed_from"]).parts[-2:]) for run in runs if run["resumed_from"]]
    return {"commit": commit, "command": command, **facts, "iteration": int(checkpoint.stem.removeprefix("model_"))}


def _read_run(path: Path) -> dict[str, Any]:
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        facts = {name: run[name] for name in ("git", "command", "seed", "devices", "versions")}
        return facts | {"resumed_from": run.get("resumed_from")}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} does not say how the policy was trained ({type(error).__name__}: {error}); restore it"
        ) from error


def read_table(path: str) -> Any:
    """A report; it must be JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"--tables: {path} is no JSON report ({error})") from error


if __name__ == "__main__":
    with interruptible(), user_errors():
        torch.manual_seed(1)
        print(f"Wrote {ship(get_args(extra=FLAGS))}")
