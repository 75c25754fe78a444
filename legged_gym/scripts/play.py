"""Watch a trained policy walk: measure, plot, film and export it. On the viewer's page it walks until Ctrl-C or Quit.

python legged_gym/scripts/play.py --task aliengo [--load_run <run or file>] [--checkpoint <iteration>]
python legged_gym/scripts/play.py --task aliengo --headless --terrain stairs_up --level 5 --video out.mp4
python legged_gym/scripts/play.py --task aliengo --agent random     # before there is a policy
"""

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

try:
    import legged_gym  # noqa: F401 -- before torch, whose threads it tells how to wait
except ModuleNotFoundError:
    raise SystemExit("error: legged_gym is not installed: run `pip install -e .` in the repository's folder") from None

import torch
from torch import Tensor

from isaacgym.assets.notices import counted
from isaacgym.viewer.video import SIZE, Film, check_video
from legged_gym.cli import interruptible
from legged_gym.envs import task_registry
from legged_gym.envs.base.observations import configured_layout
from legged_gym.evaluation.play_conditions import FLAGS as CONDITION_FLAGS
from legged_gym.evaluation.play_conditions import check_conditions, place_robots, set_conditions
from legged_gym.files import make_folder
from legged_gym.runs.fault_recorder import show_fault
from legged_gym.runs.record import adopt, changes_since, robot_as_trained, trained_robot
from legged_gym.utils import shipped
from legged_gym.utils.export import export_policy, trained_commands
from legged_gym.utils.helpers import (
    SET_FLAG,
    check_settings,
    get_args,
    update_cfg_from_args,
    update_class_from_dict,
    user_errors,
)
from legged_gym.utils.idle_flags import check_choice, tell_idle
from legged_gym.utils.logger import Logger
from legged_gym.utils.task_registry import experiment_root, suit_baseline
from rsl_rl.modules.him_actor_critic import network_sizes
from rsl_rl.runners.checkpoint import read_checkpoint
from rsl_rl.utils.signals import StopRequest

AGENTS = ("policy", "zero", "random")
ROBOT, JOINT = 0, 1  # the ones in the plot, and the robot in the video
PLOT_STEPS = 100
NUM_STEPS = 500  # of the policy, unless asked otherwise
MIN_PIXELS, MAX_PIXELS = 16, 4096  # of a film, along each side

FLAGS = [
    *CONDITION_FLAGS,
    {"name": "--checkpoint_path", "type": str, "help": "file of a policy, or a robot of resources/policies"},
    {"name": "--agent", "type": str, "default": "policy", "help": f"who acts: {', '.join(AGENTS)}"},
    {"name": "--video", "type": str, "help": "film a robot to this .mp4 file; needs no display"},
    {"name": "--video_size", "type": int, "nargs": 2, "help": "width and height [pixels]; default: 640 480"},
    {"name": "--num_steps", "type": int, "default": NUM_STEPS, "help": "policy steps of --headless, 50 a second"},
    SET_FLAG,
    {"name": "--replay", "type": str, "help": "fault_<iteration>.pt of a run: show how its robot broke, and no more"},
]


Agent = Callable[[Tensor], Tensor]  # observations (num_envs, num_obs) to actions (num_envs, num_actions)


class Player(NamedTuple):
    """What `play` runs."""

    env: Any
    agent: Agent
    folder: Path  # where exports and plots go
    runner: Any = None  # with the policy, if that is the agent
    checkpoint_path: str = ""  # of the policy
    checkpoint: Mapping[str, Any] | None = None  # what that file holds, on the host


class Measurement(NamedTuple):
    """How well a policy did, averaged over robots and steps."""

    lin_vel_error: float  # [m/s] norm of the horizontal velocity's error
    ang_vel_error: float  # [rad/s] absolute error of the yaw rate
    falls: int
    steps: int


def checkpoint_path(args: argparse.Namespace, train_cfg: Any) -> str:
    """The policy's file."""
    if args.checkpoint_path is not None:
        return shipped.named_checkpoint(args.checkpoint_path)
    runner, robot = train_cfg.runner, task_registry.get_cfgs(args.task)[0].asset.name
    return shipped.find_checkpoint(experiment_root(train_cfg), runner.load_run, runner.checkpoint, robot, args.task)


def exporting_experiment(args: argparse.Namespace, train_cfg: Any, path: str) -> Path:
    """Folder of the experiment that takes a checkpoint's exports.

    It is that of its run, whatever task plays it; of a policy that comes with the project, one of the robot's name; of
    other files, without a policy, and where --experiment_name is given, the task's.
    """
    own, folder = experiment_root(train_cfg), Path(path).resolve().parent
    if path and args.experiment_name is None:
        if folder.parent == shipped.POLICIES.resolve():
            return own.with_name(folder.name)
        if folder.parent.parent == own.parent.resolve():
            return folder.parent
    return own


def check_args(args: argparse.Namespace) -> None:
    """Refuse what can be seen to be wrong before anything is built."""
    if args.num_steps < 1:
        raise ValueError(f"--num_steps must be at least 1, got {args.num_steps}")
    if args.agent not in AGENTS:
        raise ValueError(f"unknown --agent '{args.agent}'; known: {', '.join(AGENTS)}")
    if args.agent != "policy" and args.checkpoint_path is not None:
        raise ValueError(f"--checkpoint_path is of no use to --agent {args.agent}; leave one of them out")
    if args.agent != "policy" or args.checkpoint_path is not None:
        check_choice(args, "--checkpoint_path" if args.agent == "policy" else f"--agent {args.agent}")
    tell_idle(args)
    check_conditions(args)
    if args.video_size is not None and not all(MIN_PIXELS <= pixels <= MAX_PIXELS for pixels in args.video_size):
        raise ValueError(f"--video_size takes width and height from {MIN_PIXELS} to {MAX_PIXELS} pixels")
    if args.video_size is not None and args.video is None:
        raise ValueError("--video_size needs --video FILE")
    if args.video is not None:
        check_video(args.video)


def prepare(args: argparse.Namespace) -> Player:
    """Build the environment and load the policy."""
    check_args(args)
    env_cfg, train_cfg = task_registry.get_cfgs(args.task)
    check_settings(args, [env_cfg])
    set_conditions(env_cfg, args)
    update_cfg_from_args(None, train_cfg, args)
    path = checkpoint_path(args, train_cfg) if args.agent == "policy" else ""
    robot_as_trained([path] if path else [], env_cfg)
    update_cfg_from_args(env_cfg, None, args)
    checkpoint = None
    if path:
        checkpoint = read_checkpoint(path, "cpu")
        suit_baseline(train_cfg, checkpoint["model_state_dict"])
        sizes = network_sizes(checkpoint["model_state_dict"], configured_layout(env_cfg).num_actor)
        update_class_from_dict(train_cfg.policy, sizes)
    folder = make_folder(exporting_experiment(args, train_cfg, path) / "exported")
    env, _ = task_registry.make_env(args.task, args, env_cfg, train_cfg)
    place_robots(env, args)
    print(f"Playing {args.task}: {counted(env.num_envs, 'env')} on {args.sim_device}, {args.agent} {path}".rstrip())
    if args.agent != "policy":
        return Player(env, simple_agent(args.agent, env), folder)
    args.resume = False  # the checkpoint's policy is wanted, not its curriculum
    runner, _ = task_registry.make_alg_runner(env, args.task, args, train_cfg, log_root=None)
    runner.load(path, load_optimizer=False)
    if hasattr(env.viewer, "page"):
        env.limit_sliders(trained_commands(commands_as_trained(args.task, path), checkpoint))
    return Player(env, runner.get_inference_policy(device=env.device), folder, runner, path, checkpoint)


def commands_as_trained(task: str, checkpoint_path: str) -> Any:
    """The commands section of the config that a policy was trained with, as far as it is known."""
    env_cfg, _ = task_registry.get_cfgs(task)
    adopt(env_cfg, changes_since(checkpoint_path, env_cfg, ["commands"]))
    return env_cfg.commands


def simple_agent(name: str, env: Any) -> Agent:
    """Actions that are zero, or random as those of a policy before training."""
    size = 1.0 if name == "random" else 0.0
    return lambda obs: size * torch.randn(len(obs), env.num_actions, device=env.device)


def robot_state(env: Any) -> dict[str, Any]:
    """What the plot shows, of one robot and one of its joints, on the host."""
    target = env.actions[ROBOT, JOINT] * env.action_scales[JOINT] + env.default_dof_pos[0, JOINT]
    scalars = {
        "dof_pos_target": target,
        "dof_pos": env.dof_pos[ROBOT, JOINT],
        "dof_vel": env.dof_vel[ROBOT, JOINT],
        "dof_torque": env.torques[ROBOT, JOINT],
        "command_x": env.commands[ROBOT, 0],
        "command_y": env.commands[ROBOT, 1],
        "command_yaw": env.commands[ROBOT, 2],
        "base_vel_x": env.base_lin_vel[ROBOT, 0],
        "base_vel_y": env.base_lin_vel[ROBOT, 1],
        "base_vel_z": env.base_lin_vel[ROBOT, 2],
        "base_vel_yaw": env.base_ang_vel[ROBOT, 2],
    }
    state: dict[str, Any] = {name: value.item() for name, value in scalars.items()}
    state["contact_forces_z"] = env.contact_forces[ROBOT, env.feet_indices, 2].cpu().numpy().copy()
    return state


def tracking_errors(env: Any) -> Tensor:
    """Mean error over the robots of the horizontal velocity [m/s] and the yaw rate [rad/s], (2,)."""
    lin = (env.commands[:, :2] - env.base_lin_vel[:, :2]).norm(dim=1).mean()
    return torch.stack((lin, (env.commands[:, 2] - env.base_ang_vel[:, 2]).abs().mean()))


def until_stopped(steps: Iterable[int]) -> Iterator[int]:
    """The steps, as far as Ctrl-C or the page's Quit button lets them go on."""
    with StopRequest("step") as stop:
        for step in steps:
            yield step
            if stop.requested:
                return


@torch.inference_mode()
def run(env: Any, agent: Agent, num_steps: int, logger: Logger, film: Film | None = None) -> Measurement:
    """Let the agent act for `num_steps`, logging the first PLOT_STEPS states and every reward.

    With a viewer's page, until Ctrl-C or its Quit button instead.
    """
    env.reset()
    obs = env.get_observations()
    errors, falls = torch.zeros(2, device=env.device), torch.zeros((), dtype=torch.long, device=env.device)
    for i in until_stopped(count() if hasattr(env.viewer, "page") else range(num_steps)):
        result = env.step(agent(obs.detach()).to(env.device))
        obs = result.obs
        errors += tracking_errors(env)
        falls += (result.dones & ~env.time_out_buf).sum()
        rates = env.step_rewards.mean(dim=1) / env.dt
        logger.log_rewards(dict(zip(env.episode_sums, rates.tolist(), strict=True)))
        if i < PLOT_STEPS:
            logger.log_states(robot_state(env))
        if film is not None:
            film.step()
    lin_vel_error, ang_vel_error = (errors / (i + 1)).tolist()
    return Measurement(lin_vel_error, ang_vel_error, falls.item(), i + 1)


def run_filmed(player: Player, args: argparse.Namespace, logger: Logger) -> Measurement:
    """`run`, with a video if one is asked for."""
    env, film = player.env, None
    if hasattr(env.viewer, "page") and args.num_steps != NUM_STEPS:
        print("--num_steps: without effect, for on the page robots walk until Ctrl-C or Quit.")
    with ExitStack() as stack:
        if args.video is not None:
            size = tuple(args.video_size or SIZE)
            film = Film(env.sim, ROBOT, args.video, env.dt, args.num_steps * env.dt, size)
            stack.callback(film.close)
        return run(env, player.agent, args.num_steps, logger, film)


def play(args: argparse.Namespace) -> Measurement:
    """Play what the command line chooses; its mistakes end the program with one sentence."""
    with user_errors():
        player = prepare(args)
    env, logger = player.env, Logger(player.env.dt)
    result = run_filmed(player, args, logger)
    logger.print_rewards()
    print(
        f"Tracking error {result.lin_vel_error:.3f} m/s, {result.ang_vel_error:.3f} rad/s; "
        f"{counted(result.falls, 'fall')} of {counted(env.num_envs, 'robot')} in {result.steps * env.dt:g} s"
    )
    plot_path = player.folder / "play.png"
    logger.plot_states(plot_path, joint=env.dof_names[JOINT])
    print(f"Plotted {plot_path}")
    if args.video is not None:
        print(f"Filmed {args.video}")
    if player.runner is not None:
        export(player, args.task)
    return result


def export(player: Player, task: str) -> None:
    """Write the policy as a robot's computer needs it."""
    commands = commands_as_trained(task, player.checkpoint_path)  # not those played
    policy, own = player.runner.alg.actor_critic, player.env.cfg.asset.name
    trained = trained_robot(player.checkpoint_path)
    if trained not in (None, own):
        print(f"Not exported: this policy was trained on '{trained}', and --task {task} is '{own}'")
        return
    try:
        files = export_policy(policy, player.env, commands, player.checkpoint, player.folder / "policies")
    except ValueError as error:  # a robot that cannot be deployed
        print(f"Not exported: {error}")
        return
    print(f"Exported {' and '.join(map(str, files))}")


if __name__ == "__main__":
    with interruptible():
        with user_errors():
            arguments = get_args(extra=FLAGS)
            if arguments.replay is not None:
                if arguments.video is not None:
                    raise ValueError("--replay draws its robot and films nothing; leave out --video")
                show_fault(arguments.replay)
                raise SystemExit
        play(arguments)
