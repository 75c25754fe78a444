"""Command line, configs as dicts, seeds."""

import argparse
import ast
import os
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import torch
import warp as wp

from isaacgym import gymapi, gymutil
from isaacgym.assets.notices import counted
from legged_gym import cli
from legged_gym.utils import load_path
from legged_gym.utils.idle_flags import VIEWER_HOST, VIEWER_PORT, tell_idle_page
from legged_gym.utils.task_modules import import_tasks
from rsl_rl.utils import ranks
from rsl_rl.utils.recorded import Recorded, missing_for_fusion

CPU_NUM_ENVS = 256  # robots a CPU carries; with 64, gradients are too noisy to learn within 150 iterations
DEFAULT_TASK = "aliengo"
get_load_path = load_path.get_load_path  # where scripts of others look for it
task_classes: dict[str, type] = {}  # of the registered tasks, by name; task_registry fills it

ARGUMENTS = [
    {"name": "--task", "type": str, "help": "registered task"},
    {"name": "--task_module", "type": str, "help": "module or .py file that registers tasks of your own"},
    {"name": "--resume", "action": "store_true", "help": "go on from a checkpoint"},
    {"name": "--experiment_name", "type": str, "help": "folder of the runs, under logs/; default: the task's"},
    {"name": "--run_name", "type": str, "help": "suffix of this run's folder; default: none"},
    {"name": "--load_run", "type": str, "help": "run to load, a folder's name or path; default: -1, the newest"},
    {"name": "--checkpoint", "type": int, "help": "iteration to load; default: -1, the last"},
    {"name": "--headless", "action": "store_true", "help": "run without a viewer, unless --viewer asks for one"},
    {"name": "--viewer", "type": str, "help": "web: a page on this machine, the default without --headless; none"},
    {"name": "--viewer_host", "type": str, "default": VIEWER_HOST, "help": "address of the page; 0.0.0.0: all"},
    {
        "name": "--viewer_port",
        "type": int,
        "default": VIEWER_PORT,
        "help": "port of the page; 0: the first free one from 8080",
    },
    {
        "name": "--rl_device",
        "type": str,
        "help": "device of the networks: cpu, cuda or cuda:N; default: as --sim_device",
    },
    {"name": "--num_envs", "type": int, "help": "parallel robots; default: the task's, at most 256 on a CPU"},
    {"name": "--seed", "type": int, "help": "random seed; -1: a random one; default: the task's, 1"},
    {"name": "--max_iterations", "type": int, "help": "learning iterations from now on; default: the task's, 200000"},
    {
        "name": "--fusion",
        "type": str,
        "default": "auto",
        "help": "torch.compile fuses kernels of a step, CUDA only: on, off; auto: in trainings, if it can",
    },
    {
        "name": "--deterministic",
        "type": str,
        "default": "off",
        "help": "on: the same numbers in every run, on CUDA too; not with --engine mujoco there",
    },
    {"name": "--verbose", "action": "store_true", "help": "show what Warp, the compiler of our kernels, says"},
    {"name": "--engine", "type": str, "default": "auto", "help": "physics engine: auto, tree or mujoco"},
]


# --- Configs ---------------------------------------------------------------------------------------------------------


def class_to_dict(obj: Any) -> Any:
    """A config as nested dicts; lists are converted item by item, other values are returned as they are."""
    if isinstance(obj, list):
        return [class_to_dict(item) for item in obj]
    if not hasattr(obj, "__dict__") or callable(obj):
        return obj
    return {name: class_to_dict(getattr(obj, name)) for name in dir(obj) if not name.startswith("_")}


def update_class_from_dict(obj: Any, values: Mapping[str, Any]) -> None:
    """Set attributes of a config in place; a mapping updates the section of that name."""
    for name, value in values.items():
        section = getattr(obj, name, None)
        if isinstance(value, Mapping) and hasattr(section, "__dict__"):
            update_class_from_dict(section, value)
        else:
            setattr(obj, name, value)


def update_cfg_from_args(env_cfg: Any | None, cfg_train: Any | None, args: argparse.Namespace) -> tuple[Any, Any]:
    """Write what the command line gives into the configs (either may be None), in place, and return both."""
    if env_cfg is not None:
        _set_if_given(env_cfg.env, "num_envs", args.num_envs)
        _set_if_given(env_cfg, "seed", args.seed)
    if cfg_train is not None:
        _set_if_given(cfg_train, "seed", args.seed)
        for name in ("max_iterations", "experiment_name", "run_name", "load_run", "checkpoint"):
            _set_if_given(cfg_train.runner, name, getattr(args, name))
        for name in ("keep", "figure_interval"):  # flags of train.py's
            _set_if_given(cfg_train.runner, name, getattr(args, name, None))
        if getattr(args, "export", False):  # likewise
            cfg_train.runner.export = True
        cfg_train.runner.resume = cfg_train.runner.resume or args.resume
    for cfg in (env_cfg, cfg_train):
        for key, value in map(parse_setting, getattr(args, "set", None) or []):  # likewise
            if cfg is not None and has_key(cfg, key):
                *sections, name = key.split(".")
                setattr(reduce(getattr, sections, cfg), name, value)
    return env_cfg, cfg_train


def parse_setting(setting: str) -> tuple[str, Any]:
    """key=value of --set: the key, and the value as Python reads it, or as text."""
    key, equals, text = setting.partition("=")
    if not equals:
        raise ValueError(f"--set takes key=value, such as algorithm.gamma=0.98, got '{setting}'")
    try:
        return key, ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return key, text


SET_FLAG = {
    "name": "--set",
    "type": str,
    "nargs": "+",
    "help": "keys of the config: algorithm.gamma=0.98 rewards.scales.torques=-1e-5",
}


def check_settings(args: argparse.Namespace, cfgs: Sequence[Any]) -> None:
    """Refuse keys of --set that none of the configs has; their values are checked as those of a config."""
    for key, _ in map(parse_setting, args.set or []):
        if not any(has_key(cfg, key) for cfg in cfgs):
            raise ValueError(f"--set: the config of '{args.task}' has no key '{key}'; legged_robot_config.py names all")


def has_key(cfg: Any, key: str) -> bool:
    """Whether a config has a value, or any reward scale, of this dotted name."""
    *sections, name = key.split(".")
    for section in sections:
        cfg = getattr(cfg, section, None)
    return sections == ["rewards", "scales"] and cfg is not None or hasattr(cfg, name)


def _set_if_given(section: Any, name: str, value: Any | None) -> None:
    if value is not None:
        setattr(section, name, value)


def parse_sim_params(args: argparse.Namespace, cfg: Mapping[str, Any]) -> gymapi.SimParams:
    """Simulation parameters from cfg["sim"] and the command line."""
    sim_params = gymapi.SimParams()
    gymutil.parse_sim_config(cfg.get("sim", {}), sim_params)
    sim_params.engine = args.engine
    sim_params.deterministic = args.deterministic == "on"
    sim_params.viewer = args.viewer or "auto"
    sim_params.viewer_host, sim_params.viewer_port = args.viewer_host, args.viewer_port
    sim_params.use_gpu_pipeline = args.use_gpu_pipeline
    if args.physics_engine == gymapi.SIM_PHYSX:
        sim_params.physx.use_gpu = args.use_gpu
        sim_params.physx.num_subscenes = args.subscenes
        if args.num_threads > 0:
            sim_params.physx.num_threads = args.num_threads
    return sim_params


def choose_fusion(args: argparse.Namespace) -> None:
    """Turn --fusion auto into what is best for a training."""
    if args.fusion != "auto":
        return
    args.fusion = "off"
    if args.sim_device == "cpu" or args.deterministic == "on":
        return
    missing = missing_for_fusion()
    if missing is None:
        args.fusion = "on"
        Recorded.must_fuse = False
        if os.access(Path.home(), os.W_OK):  # torch's default is a temporary folder, which a restart empties
            os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(Path.home() / ".cache" / "torchinductor"))
    else:
        print(f"torch.compile cannot fuse kernels without {missing}: an iteration takes a quarter longer.")


def set_seed(seed: int) -> int:
    """Seed Python, numpy and torch; -1 draws a seed. Returns the seed used, the same on all ranks.

    The first rank takes the seed as it is; others derive one each, unrelated to those of other seeds and ranks.
    """
    if seed == -1:
        seed = ranks.from_first(random.SystemRandom().randrange(2**31))
    own = seed
    if ranks.rank() > 0:
        own = int(np.random.SeedSequence([seed, ranks.rank()]).generate_state(1)[0])
    random.seed(own)
    np.random.seed(own)  # noqa: NPY002 -- terrain_utils draw from numpy's global generator
    torch.manual_seed(own)
    torch.cuda.manual_seed_all(own)
    return seed


def set_deterministic() -> None:
    """Have torch use kernels only that give the same bits in every run."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # torch asks for it; cuBLAS reads it at its start
    torch.use_deterministic_algorithms(True)


# --- Command line ----------------------------------------------------------------------------------------------------


def get_args(argv: list[str] | None = None, extra: list[dict[str, Any]] | None = None) -> argparse.Namespace:
    """Parse the command line: this project's flags and Isaac Gym's own.

    Args:
        argv: arguments without the program's name; None: those of the running program.
        extra: further flags, each a dict as for gymutil.parse_arguments.

    Returns:
        The flags. Devices are resolved: without CUDA and without a wish they are "cpu", and a device given for one of
        simulation and learning is used for both.
    """
    argv = sys.argv[1:] if argv is None else argv
    devices = [] if {"-h", "--help"} & set(argv) else _device_flags(argv)
    with _program_arguments(argv + devices):
        args = gymutil.parse_arguments(_description(), custom_parameters=_explained(ARGUMENTS + (extra or [])))
    for name in ("num_envs", "max_iterations"):
        number = getattr(args, name)
        if number is not None and number < 1:
            raise ValueError(f"--{name} must be at least 1, got {number}")
    if args.viewer not in (None, "web", "none"):
        raise ValueError(f"--viewer is 'web' or 'none', not '{args.viewer}'")
    if args.viewer is not None:
        args.headless = args.viewer == "none"
    tell_idle_page(args)
    if ranks.rank() > 0:
        args.viewer, args.headless = "none", True
    if args.verbose:
        wp.config.log_level = wp.LOG_INFO
        wp.print_diagnostics()
    tasks = [DEFAULT_TASK] if args.task_module is None else import_tasks(args.task_module)
    if args.task is None:
        _check_default_task(args.task_module, tasks)
        args.task = DEFAULT_TASK
    return args


def _check_default_task(module: str | None, tasks: list[str] | None) -> None:
    """Refuse to take the default task where a module of others is named. tasks: what it registers; None: not known."""
    if tasks == []:
        raise ValueError(
            f"--task_module {module} registers no task, for which it must call task_registry.register; "
            "to run one of ours with it, name that one with --task"
        )
    if tasks is None or DEFAULT_TASK not in tasks:
        raise ValueError(f"--task_module {module}: choose one of its tasks with --task: {', '.join(tasks or ['NAME'])}")


def _description() -> str:
    """What the running script does: the first line of its docstring, without the example of a call."""
    return (getattr(sys.modules["__main__"], "__doc__", None) or "HIMLoco").split(":")[0]


def _explained(flags: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The flags with their defaults, and --task with the tasks there are, in the help."""
    explained = []
    for flag in flags:
        about = flag["help"]
        if flag["name"] == "--task":
            about = f"one of: {', '.join(task_classes)}; default: {DEFAULT_TASK}"
        if flag.get("default") not in (None, "", []) and "default" not in about:
            about += f"; default: {flag['default']}"
        explained.append({**flag, "help": about.replace("%", "%%")})
    return explained


def _device_flags(argv: list[str]) -> list[str]:
    """Flags that complete the devices in argv; argparse lets the last of equal flags win."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for flag in ("--sim_device", "--rl_device", "--pipeline"):
        parser.add_argument(flag)
    wish, _ = parser.parse_known_args(argv)
    if wish.sim_device is None and wish.rl_device is None and not torch.cuda.is_available():
        print("No CUDA device found: simulating and learning on the CPU.")
    default = f"cuda:{ranks.local_rank()}" if torch.cuda.is_available() else "cpu"
    sim_device = _own_device(wish.sim_device or wish.rl_device or default)
    rl_device = _own_device(wish.rl_device or wish.sim_device or default)
    for device in (sim_device, rl_device):
        _check_device(device)
    pipeline = ["--pipeline", "cpu"] if sim_device == "cpu" and wish.pipeline is None else []
    return ["--sim_device", sim_device, "--rl_device", rl_device, *pipeline]


def _own_device(device: str) -> str:
    """With several ranks, "cuda" is each rank's own GPU, and a number would give all the same one."""
    if ranks.num_ranks() == 1 or not device.startswith("cuda"):
        return device
    own = f"cuda:{ranks.local_rank()}"
    if device not in ("cuda", own):
        raise ValueError(f"torchrun gives each process a GPU of its own; say cuda, not {device}, or leave it out")
    return own


def _check_device(device: str) -> None:
    kind, index = gymutil.parse_device_str(device)
    if kind == "cuda" and index >= torch.cuda.device_count():
        raise ValueError(
            f"device {device} was asked for, but torch finds {counted(torch.cuda.device_count(), 'CUDA device')}; "
            "use --sim_device cpu --rl_device cpu, or install a driver and a CUDA build of torch"
        )


@contextmanager
def _program_arguments(argv: list[str]) -> Iterator[None]:
    """Let code that reads sys.argv (as Isaac Gym's parser does) see `argv`."""
    saved = sys.argv
    sys.argv = [cli.running() or saved[0], *argv]  # argparse names the program by the first
    try:
        yield
    finally:
        sys.argv = saved


@contextmanager
def user_errors() -> Iterator[None]:
    """Report a mistake in the command line or a config as one sentence and exit code 2, without a traceback."""
    try:
        yield
    except (ValueError, OSError) as error:
        ranks.let_first_speak()
        print(f"error: {cli.told(error)}", file=sys.stderr)
        raise SystemExit(2) from error
