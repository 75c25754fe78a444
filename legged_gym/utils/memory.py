"""How much memory a training takes, said before it dies of the lack of it."""

from pathlib import Path
from typing import Any

import torch

from isaacgym.assets.notices import counted

# Measured on one H200 (README: 256 to 16384 robots, 15.0 GB at most): what does not grow with the robots, and what the
# simulation and the learner take for one robot beside the stored rollout.
FIXED_BYTES = 1.3e9
ROBOT_BYTES = 0.45e6
FLOAT_BYTES = 4
SCALARS = 8  # numbers stored beside observations and actions in each step
MEMINFO = Path("/proc/meminfo")


def rollout_bytes(env_cfg: Any, train_cfg: Any) -> int:
    """Of one robot: observations, the critic's before and after a step, actions with mean and deviation."""
    from legged_gym.envs.base.observations import configured_layout  # whose package needs the task registry

    layout, frames = configured_layout(env_cfg), env_cfg.env.temporal_steps or 1
    numbers = frames * layout.num_actor + 2 * layout.num_critic + 3 * env_cfg.env.num_actions + SCALARS
    return FLOAT_BYTES * numbers * train_cfg.runner.num_steps_per_env


def free_bytes(device: str) -> float | None:
    """Memory that is free on a device; None if nobody knows."""
    if device.startswith("cuda"):
        return float(torch.cuda.mem_get_info(device)[0])
    lines = MEMINFO.read_text().splitlines() if MEMINFO.is_file() else []
    values = [float(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return values[0] if values else None


def tell_if_too_many(env_cfg: Any, train_cfg: Any, device: str) -> None:
    """Say in a line if the robots will hardly fit into the memory, and how many will."""
    free = free_bytes(device)
    per_robot = ROBOT_BYTES + rollout_bytes(env_cfg, train_cfg)
    fixed = FIXED_BYTES if device.startswith("cuda") else 0.0
    needed = fixed + env_cfg.env.num_envs * per_robot
    if free is not None and needed > free:
        fitting = max(1, int((free - fixed) / per_robot))
        print(
            f"warning: training {counted(env_cfg.env.num_envs, 'robot')} takes about {needed / 1e9:.0f} GB, and "
            f"{free / 1e9:.0f} GB are free on {device}: about --num_envs {fitting} fit"
        )
