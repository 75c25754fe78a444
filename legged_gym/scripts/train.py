"""Train a policy: python legged_gym/scripts/train.py --task aliengo --headless

On N GPUs of this machine: torchrun --nproc_per_node=N legged_gym/scripts/train.py --task aliengo --headless
"""

import argparse
import shlex
import sys
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import IO, Any, NamedTuple

try:
    import legged_gym  # noqa: F401
except ModuleNotFoundError:
    raise SystemExit("error: legged_gym is not installed: run `pip install -e .` in the repository's folder") from None

from isaacgym.assets.notices import counted
from legged_gym.cli import example, interruptible
from legged_gym.envs import task_registry
from legged_gym.runs.record import (
    describe_run,
    hold,
    new_folder,
    read_run_config,
    record_run,
    resume_command,
    tell_changed_robot,
    trained_robot,
    with_recorded_flags,
)
from legged_gym.runs.restarts import note_launch
from legged_gym.utils.cpu_training import MAX_ITERATIONS, suit_cpu
from legged_gym.utils.export import checkpoint_exporter
from legged_gym.utils.helpers import (
    SET_FLAG,
    check_settings,
    choose_fusion,
    class_to_dict,
    get_args,
    update_cfg_from_args,
    update_class_from_dict,
    user_errors,
)
from legged_gym.utils.idle_flags import check_resume
from legged_gym.utils.task_registry import cpu_num_envs, experiment_root, find_start
from rsl_rl.runners.faults import TrainingDivergedError
from rsl_rl.utils import ranks

FLAGS = [
    {"name": "--config", "type": str, "help": "config.json of a run: train as it did; other flags override it"},
    SET_FLAG,
    {"name": "--keep", "type": int, "help": "newest checkpoints that stay on the disk; default: 100; 0: all"},
    {
        "name": "--cpu_recipe",
        "type": str,
        "default": "auto",
        "help": "quadrupeds on a plane learn with what suits two cores: on, off; auto: on a CPU",
    },
    {"name": "--export", "action": "store_true", "help": "write policy_<iteration>.pt and .onnx with each checkpoint"},
    {"name": "--figure_interval", "type": int, "help": "iterations between pictures for TensorBoard; default: none"},
]


class Training(NamedTuple):
    """What `train` runs."""

    runner: Any
    train_cfg: Any
    claim: IO[str] | None  # on the run's folder; the first rank's


def prepare(args: argparse.Namespace) -> Training:
    """Build the environment and the learner, and open the run's folder."""
    choose_fusion(args)
    check_settings(args, task_registry.get_cfgs(args.task))
    env_cfg, train_cfg = starting_cfgs(args)
    _, wished = update_cfg_from_args(None, deepcopy(train_cfg or task_registry.get_cfgs(args.task)[1]), args)
    check_resume(args, wished.runner.resume)
    start = find_start(experiment_root(wished), wished.runner)  # it may fail, so before the long build
    env, env_cfg = task_registry.make_env(args.task, args, env_cfg, train_cfg, trains=True)
    runner, train_cfg = task_registry.make_alg_runner(env, args.task, args, train_cfg, start=start)
    trained = trained_robot(runner.resumed_from) if runner.resumed_from else None
    if trained not in (None, env_cfg.asset.name):
        print(f"{runner.resumed_from} was trained on '{trained}' and goes on as '{env_cfg.asset.name}'.")
    elif trained is not None:
        tell_changed_robot(runner.resumed_from, env_cfg)
    runner.description = describe_run(args.task, env_cfg, train_cfg)
    if train_cfg.runner.export:
        runner.after_save = checkpoint_exporter(runner.alg.actor_critic, env, env_cfg.commands)
    claim = None if ranks.rank() > 0 else open_folder(args, env_cfg, train_cfg, runner)
    runner.log_dir = ranks.from_first(runner.log_dir)
    number = f"{ranks.num_ranks()} ranks (GPUs) of " if ranks.num_ranks() > 1 else ""
    print(
        f"Training {args.task}: {number}{counted(env.num_envs, 'env')} on {args.sim_device}, "
        f"learning on {args.rl_device}, logs in {runner.log_dir}"
    )
    return Training(runner, train_cfg, claim)


def starting_cfgs(args: argparse.Namespace) -> tuple[Any, Any]:
    """The configs before flags and settings change them; None: the task's."""
    if args.cpu_recipe not in ("auto", "on", "off"):
        raise ValueError(f"--cpu_recipe is 'auto', 'on' or 'off', not '{args.cpu_recipe}'")
    env_cfg, train_cfg = task_registry.get_cfgs(args.task)
    if args.config is not None:
        if args.cpu_recipe == "on":
            raise ValueError("--cpu_recipe on would do nothing beside --config; leave one of them out")
        config = read_run_config(args.config)
        leave_out_new_rewards(env_cfg.rewards.scales, config.env)
        update_class_from_dict(env_cfg, config.env)
        update_class_from_dict(train_cfg, config.train)
        return env_cfg, train_cfg
    is_wanted = args.sim_device == args.rl_device == "cpu" if args.cpu_recipe == "auto" else args.cpu_recipe == "on"
    if is_wanted and suit_cpu(env_cfg, train_cfg):
        print(
            "The CPU recipe for a plane: smaller networks, gentler penalties, no pushes, payloads or delays, "
            f"{MAX_ITERATIONS} iterations. Flags and --set override; --cpu_recipe off trains as a GPU does."
        )
        if args.sim_device == "cpu" and args.num_envs is None:
            env_cfg.env.num_envs = cpu_num_envs(env_cfg.env.num_envs)
        return env_cfg, train_cfg
    if args.cpu_recipe == "on":
        raise ValueError(
            f"--cpu_recipe on: it is for quadrupeds on a plane, such as aliengo_flat, not for '{args.task}'"
        )
    flat = f"{args.task}_flat"
    if is_wanted and not args.resume and flat in task_registry.task_classes and suit_cpu(*task_registry.get_cfgs(flat)):
        print(f"No CPU has trained a walk with these settings within an hour; half an hour does for --task {flat}.")
    return None, None


def leave_out_new_rewards(scales: Any, run: Mapping[str, Any]) -> None:
    """Set to 0, in place, the scales that a run's config does not name: the terms are newer than the run."""
    rewards = run.get("rewards")
    named = rewards.get("scales") if isinstance(rewards, Mapping) else None
    if isinstance(named, Mapping):
        for name in class_to_dict(scales).keys() - named.keys():
            setattr(scales, name, 0.0)


def open_folder(args: argparse.Namespace, env_cfg: Any, train_cfg: Any, runner: Any) -> IO[str]:
    """Claim the folder of the runner's run, a new one under a name that is free, and write into it what the run is."""
    folder = Path(runner.log_dir)
    try:
        if runner.resumed_from is None or Path(runner.resumed_from).parent != folder:
            folder = new_folder(folder)
            runner.log_dir = str(folder)
        claim = hold(folder)
        record_run(folder, args, env_cfg, train_cfg, runner.resumed_from)
        note_launch(folder, runner.current_learning_iteration + train_cfg.runner.max_iterations)
    except OSError as error:
        raise ValueError(f"cannot write into the run's folder {folder}: {error.strerror}") from error
    return claim


def train(args: argparse.Namespace) -> None:
    """Train the task that the command line describes; its mistakes end the program with one sentence."""
    with user_errors():
        runner, train_cfg, claim = prepare(args)
    end = runner.current_learning_iteration + train_cfg.runner.max_iterations
    try:
        runner.learn(
            num_learning_iterations=train_cfg.runner.max_iterations,
            init_at_random_ep_len=train_cfg.runner.init_at_random_ep_len,
        )
    except TrainingDivergedError as error:
        ranks.let_first_speak()
        raise SystemExit(f"error: {error}") from error
    if claim is not None:
        claim.close()
    if not runner.is_saved:
        newest = f"the newest checkpoint is {runner.newest_file}" if runner.newest_file else "no checkpoint was saved"
        raise SystemExit(f"error: the end of this run could not be saved; {newest}")
    remaining = end - runner.current_learning_iteration
    if remaining > 0:
        command = resume_command(sys.argv, Path(runner.log_dir), runner.env.cfg.seed, remaining)
        print(f"Stopped and saved. To go on: {command}")
    elif claim is not None:
        print(f"Saved {runner.newest_file}. To watch it: {watch_command(args, runner.log_dir)}")


def watch_command(args: argparse.Namespace, run: str) -> str:
    """The command line that plays the policy of a run."""
    module = [] if args.task_module is None else ["--task_module", args.task_module]
    return f"{example('play')} {shlex.join(['--task', args.task, *module, '--load_run', run])}"


if __name__ == "__main__":
    with interruptible("; checkpoints saved so far are whole"):
        try:
            with user_errors():
                ranks.join()
                arguments = get_args(with_recorded_flags(sys.argv[1:]), extra=FLAGS)
            train(arguments)
            ranks.leave()
        except ranks.RankLostError as error:
            raise SystemExit(1) from error
