"""Judge policies by a fixed, seeded protocol: python legged_gym/scripts/evaluate.py --task aliengo --protocol paper

Protocols: paper (errors beside the published ones), terrain (every type and level), stairs (crossing stairs of exact
heights), waves (smooth, slippery bumps), stand (drift and foot lifts), robustness (payload, pushes, friction, a weak
leg), sim2sim (what sim2sim.py measures, for `sim2sim.py --compare`). `--checkpoints FILE FILE …` compares several, also
those of resources/policies, by their robots' names.
Writes Markdown, JSON and a figure under the protocol's name; the report that was there gets a number.

A robot fell if something pressed on its trunk, head or whatever is rigidly fixed to them, or if it tilted by more than
60°; it crossed if it left its tile in time without a fall; else it got stuck.
"""

import argparse
import itertools
import json
import time
from pathlib import Path
from typing import Any

try:
    import legged_gym  # noqa: F401 -- before torch, whose threads it tells how to wait
except ModuleNotFoundError:
    raise SystemExit("error: legged_gym is not installed: run `pip install -e .` in the repository's folder") from None

import torch

from isaacgym.assets.notices import counted
from legged_gym.cli import interruptible
from legged_gym.deploy import courses
from legged_gym.envs import task_registry
from legged_gym.envs.base.observations import FrameLayout, configured_layout
from legged_gym.evaluation import stairs, standing
from legged_gym.evaluation.protocols import (
    NUM_LEVELS,
    PROTOCOLS,
    cases,
    prepare_config,
    prepare_courses,
    prepare_waves,
    run_protocol,
)
from legged_gym.evaluation.report import Results, as_json, as_markdown, best_checkpoint, draw_figure
from legged_gym.evaluation.trials import SETTLE_S, EvaluationRobots, Policy
from legged_gym.files import make_folder
from legged_gym.progress import Progress
from legged_gym.runs.record import robot_as_trained
from legged_gym.utils.export import commit
from legged_gym.utils.helpers import (
    SET_FLAG,
    check_settings,
    class_to_dict,
    get_args,
    set_seed,
    update_cfg_from_args,
    user_errors,
)
from legged_gym.utils.idle_flags import check_choice, tell_idle
from legged_gym.utils.shipped import compared_checkpoint, find_checkpoint
from legged_gym.utils.task_registry import experiment_root
from rsl_rl.modules import ActorCritic, HIMActorCritic
from rsl_rl.modules.him_actor_critic import ENCODER_INPUT_WEIGHT, network_sizes
from rsl_rl.runners.checkpoint import load_parameters, read_checkpoint
from rsl_rl.utils.config import config_keys, select_config

ACTOR_INPUT_WEIGHT = "actor.0.weight"
ENDINGS = (".md", ".json", ".png")  # of a report's files
TRIALS = 5  # of every robot in every case, as in the paper; 4096 robots are the tasks' own number
# What two CPU cores do in about two minutes: robots, each tried once.
CPU_ROBOTS = {"paper": 200, "robustness": 200, "terrain": 1000, "waves": 200, "stand": 100}

FLAGS = [
    {"name": "--protocol", "type": str, "default": "paper", "help": f"one of: {', '.join(PROTOCOLS)}"},
    {
        "name": "--checkpoints",
        "type": str,
        "nargs": "+",
        "help": "files, runs or robots of resources/policies to compare; default: --load_run, --checkpoint",
    },
    {
        "name": "--trials",
        "type": int,
        "help": f"of every robot in every case; default: {TRIALS}, on a CPU, in stairs and in stand 1; sim2sim: "
        f"robots on each course, {courses.TRIALS}",
    },
    {
        "name": "--trial_s",
        "type": float,
        "help": f"longest duration of a trial [s]; default: "
        f"{courses.TRIAL_S:g}, in protocol stand {standing.STAND_S:g}",
    },
    {
        "name": "--levels",
        "type": int,
        "nargs": "+",
        "help": f"difficulty, 0 to {NUM_LEVELS - 1}; default: 1 2 3 4, in protocol terrain all, in waves 5",
    },
    {
        "name": "--step_heights",
        "type": float,
        "nargs": "+",
        "help": f"of protocol stairs [cm]; default: {' '.join(f'{height:g}' for height in stairs.STEP_HEIGHTS)}",
    },
    SET_FLAG,
    {"name": "--out", "type": str, "help": "folder of the report; default: logs/<experiment>/evaluation"},
]


def load_policy(path: str, policy_cfg: dict[str, Any], layout: FrameLayout, num_actions: int) -> ActorCritic:
    """The networks of a checkpoint, whatever its sizes; without an estimator it is the PPO baseline."""
    parameters = read_checkpoint(path, "cpu")["model_state_dict"]
    frame = layout.num_actor
    policy_cfg = policy_cfg | network_sizes(parameters, frame)
    if ENCODER_INPUT_WEIGHT in parameters:
        kwargs = select_config(HIMActorCritic, policy_cfg, "policy")
        policy = HIMActorCritic(policy_cfg["temporal_steps"] * frame, layout.num_critic, frame, num_actions, **kwargs)
    else:
        kwargs = select_config(ActorCritic, policy_cfg, "policy", ignored=config_keys(HIMActorCritic))
        width = parameters[ACTOR_INPUT_WEIGHT].shape[1] if ACTOR_INPUT_WEIGHT in parameters else frame
        policy = ActorCritic(width, layout.num_critic, num_actions, **kwargs)
    load_parameters(policy, parameters, path, hint="; choose the --task that it was trained on")
    return policy.eval()


def num_observations(policy: ActorCritic, frame: int) -> int:
    """How many numbers of the history a policy reads."""
    if isinstance(policy, HIMActorCritic):
        return policy.temporal_steps * frame
    return policy.actor[0].in_features


def acting(policy: ActorCritic, frame: int, device: str) -> Policy:
    """The policy as a function of an observation that may hold more frames than it was trained on; newest first."""
    policy, width = policy.to(device), num_observations(policy, frame)
    return lambda obs: policy.act_inference(obs[:, :width])


def checkpoint_paths(args: argparse.Namespace, train_cfg: Any) -> list[str]:
    """The files to judge."""
    root = experiment_root(train_cfg)
    if args.checkpoints:
        return [compared_checkpoint(root, name) for name in args.checkpoints]
    robot = task_registry.get_cfgs(args.task)[0].asset.name
    return [find_checkpoint(root, train_cfg.runner.load_run, train_cfg.runner.checkpoint, robot, args.task)]


def short_names(paths: list[str]) -> list[str]:
    """Names for the report, of each file its own: without folders, with the run's folder if there are several files."""
    names = [Path(path).stem if len(paths) == 1 else f"{Path(path).parent.name}/{Path(path).stem}" for path in paths]
    return names if len(set(names)) == len(set(paths)) else paths  # runs of one name in two experiments


def check_args(args: argparse.Namespace) -> None:
    """Refuse what no trial can be run with."""
    if args.protocol not in PROTOCOLS:
        raise ValueError(f"unknown --protocol '{args.protocol}'; known: {', '.join(PROTOCOLS)}")
    if (args.trials is not None and args.trials < 1) or trial_seconds(args) <= SETTLE_S:
        raise ValueError(f"--trials must be at least 1 and --trial_s above {SETTLE_S:g}")
    if any(level not in range(NUM_LEVELS) for level in args.levels or ()):
        raise ValueError(f"--levels must lie between 0 and {NUM_LEVELS - 1}")
    if args.protocol == "sim2sim" and (args.num_envs or args.levels):
        raise ValueError("--protocol sim2sim has courses instead of --levels, and --trials instead of --num_envs")
    if args.step_heights and args.protocol != "stairs":
        raise ValueError(f"--step_heights belongs to --protocol stairs, not to {args.protocol}")
    if args.levels and args.protocol in ("stairs", "stand"):
        instead = "--step_heights [cm] instead of" if args.protocol == "stairs" else "a plane, so no"
        raise ValueError(f"--protocol {args.protocol} has {instead} --levels")
    if args.checkpoints:
        check_choice(args, "--checkpoints")
    tell_idle(args)
    if args.protocol == "stairs":
        stairs.check_stairs(step_heights(args), args.num_envs)


def arrange(env_cfg: Any, args: argparse.Namespace) -> None:
    """Change a task's config, in place, to what the protocol needs: ground, conditions, number of robots."""
    prepare_config(env_cfg)
    on_cpu = args.sim_device == "cpu"
    match args.protocol:
        case "sim2sim":
            prepare_courses(env_cfg)
            env_cfg.env.num_envs = len(courses.COURSES) * (args.trials or courses.TRIALS)
        case "stairs":
            heights = step_heights(args)
            stairs.prepare_stairs(env_cfg, heights)
            env_cfg.env.num_envs = (stairs.CPU_ROBOTS if on_cpu else stairs.ROBOTS) * stairs.num_cells(heights)
        case "waves":
            prepare_waves(env_cfg)
        case "stand":
            standing.prepare_stand(env_cfg)
    if on_cpu and args.num_envs is None and args.protocol in CPU_ROBOTS:
        env_cfg.env.num_envs = CPU_ROBOTS[args.protocol]
        print(f"On the CPU: {env_cfg.env.num_envs} robots, one trial each; --num_envs and --trials override.")


def prepare(args: argparse.Namespace) -> tuple[EvaluationRobots, dict[str, ActorCritic], dict[str, str], Path]:
    """Build the environment and load the policies, by name; then their files, by name, and the report's folder."""
    check_args(args)
    env_cfg, train_cfg = task_registry.get_cfgs(args.task)
    check_settings(args, [env_cfg])
    update_cfg_from_args(None, train_cfg, args)
    paths = checkpoint_paths(args, train_cfg)
    files = dict(zip(short_names(paths), paths, strict=True))
    robot_as_trained(paths, env_cfg)
    arrange(env_cfg, args)
    update_cfg_from_args(env_cfg, None, args)
    layout = configured_layout(env_cfg)
    policy_cfg = class_to_dict(train_cfg.policy)
    policies = {name: load_policy(path, policy_cfg, layout, env_cfg.env.num_actions) for name, path in files.items()}
    longest = max(num_observations(policy, layout.num_actor) for policy in policies.values())
    env_cfg.env.temporal_steps = longest // layout.num_actor
    folder = make_folder(args.out or experiment_root(train_cfg) / "evaluation")
    env, _ = task_registry.make_env(args.task, args, env_cfg, train_cfg)
    return EvaluationRobots(env), policies, files, folder


def step_heights(args: argparse.Namespace) -> tuple[float, ...]:
    """[cm] of protocol stairs, from the lowest up."""
    return tuple(sorted(set(args.step_heights or stairs.STEP_HEIGHTS)))


def describe(args: argparse.Namespace, env: Any, files: dict[str, str]) -> dict[str, Any]:
    """The circumstances of an evaluation, for its report."""
    about = {
        "task": args.task,
        "robots": env.num_envs,
        "longest trial [s]": trial_seconds(args),
        "seed": env.cfg.seed,
        "device": str(torch.device(env.device)),
        "commit": commit(),
        "iterations": {name: read_checkpoint(path, "cpu").get("iter") for name, path in files.items()},
        **({"set": " ".join(args.set)} if args.set else {}),
    }
    if args.protocol == "sim2sim":
        trials = env.num_envs // len(courses.COURSES)
        return about | {"settings": courses.settings(trials=trials, seconds=trial_seconds(args))}
    return about | {"trials": num_trials(args)}


def trial_seconds(args: argparse.Namespace) -> float:
    """Longest duration of a trial [s]."""
    if args.trial_s is not None:
        return args.trial_s
    return standing.STAND_S if args.protocol == "stand" else courses.TRIAL_S


def num_trials(args: argparse.Namespace) -> int:
    """Trials of every robot in every case."""
    if args.protocol == "sim2sim":
        return 1
    if args.protocol in ("stairs", "stand"):
        return args.trials or 1
    return args.trials or (1 if args.sim_device == "cpu" else TRIALS)


def write_report(protocol: str, results: Results, about: dict[str, Any], folder: Path) -> None:
    """Write the report under the protocol's name; one that is there stays, under another."""
    keep_older(protocol, folder)
    (folder / f"{protocol}.md").write_text(as_markdown(protocol, results, about), encoding="utf-8")
    report = json.dumps(as_json(protocol, results, about), indent=1, ensure_ascii=False)
    (folder / f"{protocol}.json").write_text(report, encoding="utf-8")
    draw_figure(protocol, results, folder / f"{protocol}.png")
    print(f"Wrote {folder / protocol}.md, .json and .png")


def keep_older(protocol: str, folder: Path) -> None:
    """Give the report that is there, if there is one, a name with the first free number, and say so."""
    older = [path for path in (folder / f"{protocol}{ending}" for ending in ENDINGS) if path.exists()]
    if older:
        taken = {path.stem for path in folder.glob(f"{protocol}_*")}
        name = next(name for number in itertools.count(1) if (name := f"{protocol}_{number}") not in taken)
        for path in older:
            path.rename(path.with_stem(name))
        print(f"The report that was in {folder / protocol}{older[0].suffix} is now {name}{older[0].suffix}")


def evaluate(args: argparse.Namespace) -> Results:
    """Judge the policies that the command line chooses; its mistakes end the program with one sentence."""
    with user_errors():
        robots, policies, files, folder = prepare(args)
    env, results = robots.env, {}
    about = describe(args, env, files)
    trials, levels = num_trials(args), tuple(sorted(set(args.levels or ()))) or None
    start = time.perf_counter()
    rounds = len(policies) * len(list(cases(args.protocol))) * trials
    progress = Progress(f"Evaluating, {args.protocol}, {counted(env.num_envs, 'robot')}", rounds)
    for name, policy in policies.items():
        set_seed(env.cfg.seed)  # every policy meets the same commands, starts and pushes
        policy_fn = acting(policy, env.num_one_step_obs, env.device)
        measured = run_protocol(
            robots, policy_fn, args.protocol, trials, trial_seconds(args), levels, progress.add, step_heights(args)
        )
        results[name] = list(measured)
    about["duration [s]"] = round(time.perf_counter() - start)
    report = as_markdown(args.protocol, results, about)
    print(report)
    print(f"Best checkpoint: {best_checkpoint(args.protocol, results)}")
    with user_errors():  # a disk that is full
        write_report(args.protocol, results, about, folder)
    return results


if __name__ == "__main__":
    with interruptible():
        with user_errors():
            arguments = get_args(extra=FLAGS)
        evaluate(arguments)
