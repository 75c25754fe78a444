"""Policy optimisation."""

from rsl_rl.algorithms.him_ppo import HIMPPO
from rsl_rl.algorithms.ppo import PPO

__all__ = ["HIMPPO", "PPO"]
