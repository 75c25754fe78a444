"""What play.py changes of a task: few robots, one command, as little randomness as possible, one terrain if asked."""

import argparse
import math
from typing import Any

import torch

from legged_gym.envs.base.commands import SMALL_COMMAND
from legged_gym.utils.terrain import TYPE_NAMES

MAX_ENVS = 50
FILMED_ENVS = 8  # on a terrain of one type each has a tile of its own: robots of different envs walk through each other
NUM_ROWS, NUM_COLS, MAX_INIT_LEVEL = 10, 8, 9  # of the terrain
COMMAND = (1.0, 0.0, 0.0)  # vx, vy [m/s], yaw rate [rad/s]
MAX_COMMAND = 10.0  # [m/s], [rad/s] beyond any legged robot
LEVEL = 4  # stairs of 12 cm
GROUND_FRICTION = 1.0  # as is that of a robot as built, whatever a training draws

FLAGS = [
    {
        "name": "--command",
        "type": float,
        "nargs": 3,
        "help": "vx vy [m/s] and yaw rate [rad/s] of all robots; default: 1 0 0",
    },
    {"name": "--terrain", "type": str, "help": f"only this type: {', '.join(TYPE_NAMES)}"},
    {"name": "--level", "type": int, "help": f"difficulty of --terrain, 0 to {NUM_ROWS - 1}; default: {LEVEL}"},
]


def check_conditions(args: argparse.Namespace) -> None:
    """Refuse a command or a terrain that no config is needed to find wrong."""
    if args.command is not None and not all(abs(value) <= MAX_COMMAND for value in args.command):  # NaN fails as well
        raise ValueError(
            f"--command takes vx, vy [m/s] and a yaw rate [rad/s] of at most {MAX_COMMAND:g}, "
            f"got {' '.join(f'{value:g}' for value in args.command)}"
        )
    if args.terrain is not None and args.terrain not in TYPE_NAMES:
        raise ValueError(f"unknown --terrain '{args.terrain}'; known: {', '.join(TYPE_NAMES)}")
    speed = math.hypot(*(args.command or COMMAND)[:2])
    if 0.0 < speed <= SMALL_COMMAND:
        raise ValueError(
            f"--command: {speed:g} m/s is not above {SMALL_COMMAND:g}, and the robots learn to stand still for it; "
            "give 0 0 or more"
        )
    if args.level is not None and args.terrain is None:
        raise ValueError(f"--level needs --terrain, one of: {', '.join(TYPE_NAMES)}")
    if args.level is not None and not 0 <= args.level < NUM_ROWS:
        raise ValueError(f"--level must be 0 to {NUM_ROWS - 1}, got {args.level}")


def set_conditions(env_cfg: Any, args: argparse.Namespace) -> None:
    """Change a task's config in place."""
    env_cfg.env.num_envs = min(env_cfg.env.num_envs, FILMED_ENVS if args.video else MAX_ENVS)
    terrain = env_cfg.terrain
    terrain.num_rows, terrain.num_cols, terrain.max_init_terrain_level = NUM_ROWS, NUM_COLS, MAX_INIT_LEVEL
    if args.terrain is not None:
        if terrain.mesh_type == "plane":
            raise ValueError(f"--terrain: task '{args.task}' walks on a plane; choose a task without _flat")
        terrain.curriculum, terrain.selected = True, False  # a row of tiles per level
        terrain.terrain_proportions = {args.terrain: 1.0}
    terrain.static_friction = terrain.dynamic_friction = GROUND_FRICTION
    env_cfg.noise.add_noise = False
    rand = env_cfg.domain_rand
    rand.push_robots = rand.disturbance = rand.randomize_friction = rand.randomize_payload_mass = False
    env_cfg.commands.heading_command = env_cfg.commands.curriculum = False
    ranges = env_cfg.commands.ranges
    command = COMMAND if args.command is None else args.command
    ranges.lin_vel_x, ranges.lin_vel_y, ranges.ang_vel_yaw = ([value, value] for value in command)


def place_robots(env: Any, args: argparse.Namespace) -> None:
    """After construction: let no robot have a command of its own kind, and keep all on the level asked for."""
    env.vx_signs = None
    env.high_vel_mask[:] = False  # they would drop the sideways part of a fast command
    if args.terrain is not None:
        env.terrain_curriculum = False
        env.terrain_levels[:] = LEVEL if args.level is None else args.level
        env.terrain_types[:] = torch.arange(env.num_envs, device=env.device) % NUM_COLS
        env.env_origins[:] = env.terrain_origins[env.terrain_levels, env.terrain_types]
