"""Rollout buffers."""

from rsl_rl.storage.him_rollout_storage import HIMMiniBatch, HIMRolloutStorage, HIMTransition
from rsl_rl.storage.rollout_storage import MiniBatch, RolloutStorage, Transition

__all__ = ["HIMMiniBatch", "HIMRolloutStorage", "HIMTransition", "MiniBatch", "RolloutStorage", "Transition"]
