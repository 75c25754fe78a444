"""Watch a trained policy walk: measure, plot and export it. On the viewer's page it walks until Ctrl-C or Quit.

python legged_gym/scripts/play.py --task aliengo [--load_run <run or file>] [--checkpoint <iteration>]
"""

import argparse
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from legged_gym.envs import task_registry
from legged_gym.envs.base.observations import configured_layout
from legged_gym.utils.export import export_policy
from legged_gym.utils.fault_recorder import show_fault
from legged_gym.utils.helpers import get_args, get_load_path, update_cfg_from_args, user_errors
from legged_gym.utils.logger import Logger
from legged_gym.utils.task_registry import experiment_root
from rsl_rl.modules.him_actor_critic import ENCODER_INPUT_WEIGHT, infer_temporal_steps
from rsl_rl.runners.checkpoint import read_checkpoint
from rsl_rl.utils.signals import StopRequest

MAX_ENVS = 50
NUM_ROWS, NUM_COLS, MAX_INIT_LEVEL = 10, 8, 9  # of the terrain
COMMAND = (1.0, 0.0, 0.0)  # vx, vy [m/s], yaw rate [rad/s]
ROBOT, JOINT = 0, 1  # the ones in the plot
PLOT_STEPS = 100

FLAGS = [
    {"name": "--num_steps", "type": int, "default": 500, "help": "policy steps to play, 50 a second"},
    {"name": "--replay", "type": str, "help": "fault_<iteration>.pt of a run: show how its robot broke, and no more"},
]


class Player(NamedTuple):
    """What `play` runs."""

    env: Any
    runner: Any
    checkpoint_path: str
    folder: Path  # where exports and plots go


class Measurement(NamedTuple):
    """How well a policy did, averaged over robots and steps."""

    lin_vel_error: float  # [m/s] norm of the horizontal velocity's error
    ang_vel_error: float  # [rad/s] absolute error of the yaw rate
    falls: int
    steps: int


def set_play_conditions(env_cfg: Any) -> None:
    """Change a task's config, in place, to few robots, a fixed command and as little randomness as possible."""
    env_cfg.env.num_envs = min(env_cfg.env.num_envs, MAX_ENVS)
    env_cfg.terrain.num_rows, env_cfg.terrain.num_cols = NUM_ROWS, NUM_COLS
    env_cfg.terrain.max_init_terrain_level = MAX_INIT_LEVEL
    env_cfg.noise.add_noise = False
    rand = env_cfg.domain_rand
    rand.push_robots = rand.disturbance = rand.randomize_friction = rand.randomize_payload_mass = False
    env_cfg.commands.heading_command = env_cfg.commands.curriculum = False
    ranges = env_cfg.commands.ranges
    ranges.lin_vel_x, ranges.lin_vel_y, ranges.ang_vel_yaw = ([value, value] for value in COMMAND)


def match_history(train_cfg: Any, env_cfg: Any, path: str) -> None:
    """Give the policy the history length of the checkpoint at `path`, in place."""
    parameters = read_checkpoint(path, "cpu")["model_state_dict"]
    if ENCODER_INPUT_WEIGHT in parameters:
        frame = configured_layout(env_cfg).num_actor
        train_cfg.policy.temporal_steps = infer_temporal_steps(parameters, frame)


def prepare(args: argparse.Namespace) -> Player:
    """Build the environment and load the policy."""
    if args.num_steps < 1:
        raise ValueError(f"--num_steps must be at least 1, got {args.num_steps}")
    env_cfg, train_cfg = task_registry.get_cfgs(args.task)
    update_cfg_from_args(env_cfg, train_cfg, args)
    set_play_conditions(env_cfg)
    root = experiment_root(train_cfg)
    path = get_load_path(root, train_cfg.runner.load_run, train_cfg.runner.checkpoint)
    match_history(train_cfg, env_cfg, path)
    env, _ = task_registry.make_env(args.task, args, env_cfg, train_cfg)
    args.resume = False  # the checkpoint's policy is wanted, not its curriculum
    runner, _ = task_registry.make_alg_runner(env, args.task, args, train_cfg, log_root=None)
    runner.load(path, load_optimizer=False)
    print(f"Playing {args.task}: {env.num_envs} envs on {args.sim_device}, policy {path}")
    return Player(env, runner, path, root / "exported")


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


def until_stopped() -> Iterator[int]:
    """0, 1, 2, … until Ctrl-C or the page's Quit button."""
    with StopRequest() as stop:
        for i in count():
            yield i
            if stop.requested:
                return


@torch.inference_mode()
def run(env: Any, policy: Any, num_steps: int, logger: Logger) -> Measurement:
    """Let the policy act for `num_steps`, logging the first PLOT_STEPS states and every reward.

    With a viewer's page, until Ctrl-C or its Quit button instead.
    """
    env.reset()
    obs = env.get_observations()
    errors, falls = torch.zeros(2, device=env.device), torch.zeros((), dtype=torch.long, device=env.device)
    for i in until_stopped() if hasattr(env.viewer, "page") else range(num_steps):
        result = env.step(policy(obs.detach()).to(env.device))
        obs = result.obs
        errors += tracking_errors(env)
        falls += (result.dones & ~env.time_out_buf).sum()
        rates = env.step_rewards.mean(dim=1) / env.dt
        logger.log_rewards(dict(zip(env.episode_sums, rates.tolist(), strict=True)))
        if i < PLOT_STEPS:
            logger.log_states(robot_state(env))
    lin_vel_error, ang_vel_error = (errors / (i + 1)).tolist()
    return Measurement(lin_vel_error, ang_vel_error, falls.item(), i + 1)


def play(args: argparse.Namespace) -> Measurement:
    """Play the policy that the command line chooses; its mistakes end the program with one sentence."""
    with user_errors():
        player = prepare(args)
    env, logger = player.env, Logger(player.env.dt)
    plot_path = player.folder / "play.png"
    result = run(env, player.runner.get_inference_policy(device=env.device), args.num_steps, logger)
    logger.print_rewards()
    print(
        f"Tracking error {result.lin_vel_error:.3f} m/s, {result.ang_vel_error:.3f} rad/s; "
        f"{result.falls} falls of {env.num_envs} robots in {result.steps * env.dt:g} s"
    )
    trained_cfg, _ = task_registry.get_cfgs(args.task)  # the commands of training, not those played
    checkpoint = read_checkpoint(player.checkpoint_path, "cpu")
    exported = export_policy(
        player.runner.alg.actor_critic, env, trained_cfg.commands, checkpoint, player.folder / "policies"
    )
    logger.plot_states(plot_path)
    print(f"Exported {' and '.join(map(str, exported))}\nPlotted {plot_path}")
    return result


if __name__ == "__main__":
    with user_errors():
        arguments = get_args(extra=FLAGS)
        if arguments.replay is not None:
            show_fault(arguments.replay)
            raise SystemExit
    play(arguments)
