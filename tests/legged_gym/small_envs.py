"""How tests build small environments on the CPU."""

from typing import Any

from legged_gym.envs import task_registry
from legged_gym.utils.helpers import get_args

NUM_ENVS = 6


def small_cfg(task: str) -> Any:
    """A task's config with few robots and a small map."""
    env_cfg, _ = task_registry.get_cfgs(task)
    env_cfg.env.num_envs = NUM_ENVS
    env_cfg.terrain.num_rows, env_cfg.terrain.num_cols, env_cfg.terrain.border_size = 3, 5, 5.0
    return env_cfg


def build(env_cfg: Any, task: str = "aliengo_flat") -> Any:
    """An environment of this config."""
    return task_registry.make_env(task, get_args(["--headless", "--sim_device", "cpu"]), env_cfg)[0]
