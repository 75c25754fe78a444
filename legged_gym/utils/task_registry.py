"""Tasks by name: which robot class, which configs, which learner."""

import argparse
from collections.abc import Mapping
from copy import deepcopy
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from isaacgym.assets.notices import counted
from legged_gym import LEGGED_GYM_LOGS_DIR
from legged_gym.runs.restarts import restarted_run
from legged_gym.utils.config_checks import check_config, config_problems
from legged_gym.utils.helpers import (
    CPU_NUM_ENVS,
    class_to_dict,
    get_args,
    parse_sim_params,
    set_deterministic,
    set_seed,
    task_classes,
    update_cfg_from_args,
)
from legged_gym.utils.load_path import get_load_path
from legged_gym.utils.memory import tell_if_too_many
from legged_gym.utils.task_modules import registrations
from rsl_rl.modules.him_actor_critic import ENCODER_INPUT_WEIGHT, network_sizes
from rsl_rl.runners import get_runner_class
from rsl_rl.runners.checkpoint import checkpoint_files, read_checkpoint
from rsl_rl.utils import ranks
from rsl_rl.utils.recorded import Recorded


class Start(NamedTuple):
    """Where a training begins."""

    checkpoint: str | None = None  # that it goes on from; None: it begins anew
    end_iteration: int | None = None  # of a run that torchrun begins again after a failure


class TaskRegistry:
    """Builds environments and learners of registered tasks. Configs it hands out are copies."""

    def __init__(self, task_classes: dict[str, type] | None = None) -> None:
        """task_classes: name to robot class, which `register` fills; None: one of its own."""
        self.task_classes = {} if task_classes is None else task_classes
        self.env_cfgs: dict[str, Any] = {}
        self.train_cfgs: dict[str, Any] = {}

    def register(self, name: str, task_class: type, env_cfg: Any, train_cfg: Any) -> None:
        """Make a task known by name; the configs serve as its defaults."""
        registrations.append(name)
        self.task_classes[name] = task_class
        self.env_cfgs[name] = env_cfg
        self.train_cfgs[name] = train_cfg

    def get_task_class(self, name: str) -> type:
        """The robot class of a task."""
        self._check_name(name)
        return self.task_classes[name]

    def get_cfgs(self, name: str) -> tuple[Any, Any]:
        """Copies of a task's (environment, learner) configs; the environment takes the learner's seed."""
        self._check_name(name)
        env_cfg, train_cfg = deepcopy(self.env_cfgs[name]), deepcopy(self.train_cfgs[name])
        env_cfg.seed = train_cfg.seed
        return env_cfg, train_cfg

    def make_env(
        self,
        name: str,
        args: argparse.Namespace | None = None,
        env_cfg: Any | None = None,
        train_cfg: Any | None = None,
        trains: bool = False,
    ) -> tuple[Any, Any]:
        """Build the environment of a task.

        Args:
            name: registered task.
            args: command line; None: its defaults, headless.
            env_cfg: used instead of the registered config and completed in place.
            train_cfg: gives the actor's history length; None: the registered one.
            trains: a learner follows; say if there is hardly memory for both.

        Returns:
            The environment and its config.
        """
        args = get_args(["--headless"]) if args is None else args
        task_class = self.get_task_class(name)
        registered_env_cfg, registered_train_cfg = self.get_cfgs(name)
        if env_cfg is None:
            env_cfg = registered_env_cfg
            if args.num_envs is None and args.sim_device == "cpu":
                env_cfg.env.num_envs = cpu_num_envs(env_cfg.env.num_envs)
        update_cfg_from_args(env_cfg, None, args)
        _, wished_train_cfg = update_cfg_from_args(None, deepcopy(train_cfg or registered_train_cfg), args)
        if env_cfg.env.temporal_steps is None:
            env_cfg.env.temporal_steps = wished_train_cfg.policy.temporal_steps
        _check_configs(task_class, env_cfg, wished_train_cfg)
        if trains:
            tell_if_too_many(env_cfg, wished_train_cfg, args.sim_device)
        env_cfg.seed = set_seed(env_cfg.seed)
        for flag, values in (("fusion", ("auto", "on", "off")), ("deterministic", ("on", "off"))):
            if getattr(args, flag) not in values:
                raise ValueError(f"--{flag} is {' or '.join(map(repr, values))}, not '{getattr(args, flag)}'")
        Recorded.fuses = args.fusion == "on"
        if Recorded.fuses and args.sim_device == "cpu":
            print("--fusion on: without effect on a CPU.")
        if args.deterministic == "on":
            set_deterministic()
        env = task_class(
            cfg=env_cfg,
            sim_params=parse_sim_params(args, {"sim": class_to_dict(env_cfg.sim)}),
            physics_engine=args.physics_engine,
            sim_device=args.sim_device,
            headless=args.headless,
        )
        return env, env_cfg

    def make_alg_runner(
        self,
        env: Any,
        name: str | None = None,
        args: argparse.Namespace | None = None,
        train_cfg: Any | None = None,
        log_root: str | None = "default",
        start: Start | None = None,
    ) -> tuple[Any, Any]:
        """Build the learner of a task, resumed from a checkpoint if its config says so.

        Args:
            env: environment to train on.
            name: registered task; may be None if train_cfg is given.
            args: command line; None: its defaults.
            train_cfg: used instead of the registered config and completed in place.
            log_root: folder of the experiment's runs; "default": logs/<experiment_name>; None: log nothing.
            start: what `find_start` found for this config; None: look for it.

        Returns:
            The runner and its config. The run's folder is created when training starts. A run that is resumed from its
            newest checkpoint goes on in its folder, unless --run_name asks for a new one. One that torchrun begins
            again after a failure is resumed by itself, and its config's max_iterations are those that are left.
        """
        args = get_args([]) if args is None else args
        if train_cfg is None:
            if name is None:
                raise ValueError("make_alg_runner needs the name of a task or a train_cfg")
            _, train_cfg = self.get_cfgs(name)
        update_cfg_from_args(None, train_cfg, args)
        check_config(train_cfg, strict=_is_ours(type(env)))
        _check_history(env, train_cfg)
        root = experiment_root(train_cfg) if log_root in ("default", None) else Path(log_root)
        start = start or find_start(root, train_cfg.runner, restarts=log_root is not None)
        resumed_from, log_dir = start.checkpoint, None
        if log_root is not None:
            wants_new = args.run_name is not None and start.end_iteration is None
            goes_on = resumed_from is not None and not wants_new and _is_newest(Path(resumed_from), root)
            log_dir = str(Path(resumed_from).parent if goes_on else root / _run_folder(train_cfg))
        resumed_from, log_dir = ranks.from_first((resumed_from, log_dir))
        if resumed_from is not None:
            _keep_networks(train_cfg, resumed_from, env.num_one_step_obs)
        runner_class = get_runner_class(train_cfg.runner_class_name)
        runner = runner_class(env, class_to_dict(train_cfg), log_dir, device=args.rl_device)
        if resumed_from is not None:
            print(f"Resuming from {resumed_from}")
            runner.load(resumed_from)
        if start.end_iteration is not None:
            train_cfg.runner.max_iterations = start.end_iteration - runner.current_learning_iteration
        return runner, train_cfg

    def _check_name(self, name: str) -> None:
        if name not in self.task_classes:
            raise ValueError(
                f"unknown task '{name}'; registered tasks: {', '.join(sorted(self.task_classes))}; "
                "--task_module MODULE adds those of your own"
            )


def find_start(root: Path, runner_cfg: Any, restarts: bool = True) -> Start:
    """Where a training of this config begins. Every rank has to call it. restarts: look for one that torchrun began."""
    restart = ranks.from_first(restarted_run(root)) if restarts else None
    if restart is not None:
        return Start(*restart)
    return Start(get_load_path(root, runner_cfg.load_run, runner_cfg.checkpoint) if runner_cfg.resume else None)


def _is_ours(task_class: type) -> bool:
    """A class of this project reads no config keys but its own; a subclass elsewhere may."""
    return task_class.__module__.partition(".")[0] == "legged_gym"


def _check_configs(task_class: type, env_cfg: Any, train_cfg: Any) -> None:
    """Refuse both configs of a task with all their mistakes in one ValueError."""
    strict = _is_ours(task_class)
    problems = config_problems(env_cfg, strict)
    is_readable = not any("is a section" in problem or "'rewards.scales" in problem for problem in problems)
    if hasattr(task_class, "config_problems") and is_readable:
        problems += task_class.config_problems(env_cfg)
    problems += config_problems(train_cfg, strict)
    if problems:
        raise ValueError(f"config: {'; '.join(problems)}")


def cpu_num_envs(configured: int) -> int:
    """How many robots a CPU simulates instead of so many; says so if they are fewer."""
    if configured <= CPU_NUM_ENVS:
        return configured
    print(f"On the CPU: {CPU_NUM_ENVS} robots instead of {configured}; --num_envs overrides.")
    return CPU_NUM_ENVS


def _check_history(env: Any, train_cfg: Any) -> None:
    """The environment's history must be as long as the policy expects."""
    frames, steps = env.num_obs // env.num_one_step_obs, getattr(train_cfg.policy, "temporal_steps", None)
    if steps is not None and frames != steps:
        raise ValueError(
            f"the environment's history holds {counted(frames, 'frame')} but policy.temporal_steps is {steps}; "
            "leave env.temporal_steps at None, or pass the same train_cfg to make_env"
        )


def _keep_networks(train_cfg: Any, checkpoint: str, frame: int) -> None:
    """Give the learner the networks of a checkpoint, but for the history's length, which the environment has by now;
    say which settings were to be others. frame: length of an observation."""
    parameters, name = read_checkpoint(checkpoint, "cpu")["model_state_dict"], Path(checkpoint).name
    if suit_baseline(train_cfg, parameters):
        print(f"{name} has no estimator: going on with plain PPO.")
    for key, size in network_sizes(parameters, frame).items():
        if key != "temporal_steps" and getattr(train_cfg.policy, key, size) != size:
            print(f"policy.{key} is {size} in {name}, and stays so.")
            setattr(train_cfg.policy, key, size)


def suit_baseline(train_cfg: Any, parameters: Mapping[str, Any]) -> bool:
    """Turn a config of HIMPPO into plain PPO's if a checkpoint's parameters have no estimator. Result: whether it did.

    Classes of one's own stay.
    """
    if train_cfg.runner.policy_class_name != "HIMActorCritic" or ENCODER_INPUT_WEIGHT in parameters:
        return False
    train_cfg.runner_class_name = "OnPolicyRunner"
    train_cfg.runner.policy_class_name, train_cfg.runner.algorithm_class_name = "ActorCritic", "PPO"
    return True


def experiment_root(train_cfg: Any) -> Path:
    """Folder of an experiment's runs."""
    return Path(LEGGED_GYM_LOGS_DIR) / train_cfg.runner.experiment_name


def _is_newest(checkpoint: Path, root: Path) -> bool:
    """Whether a file is the newest checkpoint of one of the experiment's runs."""
    run = checkpoint.parent
    newest = [path.name for path in checkpoint_files(run)[-1:]]
    return run.parent.resolve() == root.resolve() and [checkpoint.name] == newest


def _run_folder(train_cfg: Any) -> str:
    return f"{datetime.now():%b%d_%H-%M-%S}_{train_cfg.runner.run_name}".rstrip("_")


task_registry = TaskRegistry(task_classes)
