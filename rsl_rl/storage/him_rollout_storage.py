"""RolloutStorage with the critic's next observation, from which the estimator learns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from rsl_rl.storage.rollout_storage import RolloutStorage, Transition


@dataclass
class HIMTransition(Transition):
    next_critic_observations: Tensor | None = None  # (N, num_critic_obs), before the reset where an episode ended


class HIMMiniBatch(NamedTuple):
    """MiniBatch and next_critic_observations, in the order in which the published code unpacks them."""

    observations: Tensor  # (B, num_obs)
    critic_observations: Tensor  # (B, num_critic_obs)
    actions: Tensor  # (B, num_actions)
    next_critic_observations: Tensor  # (B, num_critic_obs)
    target_values: Tensor  # (B, 1)
    advantages: Tensor  # (B, 1)
    returns: Tensor  # (B, 1)
    old_actions_log_prob: Tensor  # (B, 1)
    old_mu: Tensor  # (B, num_actions)
    old_sigma: Tensor  # (B, num_actions)


class HIMRolloutStorage(RolloutStorage):
    batch_class = HIMMiniBatch  # type: ignore[assignment]

    def __init__(
        self,
        num_envs: int,
        num_transitions_per_env: int,
        obs_shape: Sequence[int],
        critic_obs_shape: Sequence[int],
        actions_shape: Sequence[int],
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__(num_envs, num_transitions_per_env, obs_shape, critic_obs_shape, actions_shape, device)
        self.next_critic_observations = self._buffer(critic_obs_shape)

    def _flat_rollout(self) -> HIMMiniBatch:  # type: ignore[override]
        return HIMMiniBatch(
            **super()._flat_rollout()._asdict(), next_critic_observations=self.next_critic_observations.flatten(0, 1)
        )
