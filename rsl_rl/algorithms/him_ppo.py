"""PPO that trains the estimator of a HIMActorCritic along with the policy."""

from typing import Any, NamedTuple

from torch import Tensor

from rsl_rl.algorithms.ppo import PPO
from rsl_rl.modules.him_actor_critic import HIMActorCritic
from rsl_rl.storage.him_rollout_storage import HIMMiniBatch, HIMRolloutStorage, HIMTransition
from rsl_rl.utils.adam import adam_state, load_adam_state


class HIMPPOLosses(NamedTuple):
    """Means over the mini-batches of an update."""

    value_function: float
    surrogate: float
    estimation: float
    swap: float


class HIMPPO(PPO):
    """The estimator takes a step of its own in each mini-batch, at PPO's learning rate.

    Its parameters are in PPO's optimiser too, as in published checkpoints, but get no gradient there.
    """

    actor_critic: HIMActorCritic
    transition: HIMTransition
    graph_safe = True
    storage_class = HIMRolloutStorage
    transition_class = HIMTransition
    losses_class = HIMPPOLosses

    # HIMPPO does not stand in for PPO: runner, networks, storage and batches change together with it.
    def process_env_step(  # type: ignore[override]
        self, rewards: Tensor, dones: Tensor, infos: dict[str, Any], next_critic_obs: Tensor
    ) -> None:
        """As in PPO. next_critic_obs: (N, num_critic_obs) after the step, before the reset where an episode ended."""
        self.transition.next_critic_observations = next_critic_obs
        super().process_env_step(rewards, dones, infos)

    def _update_mini_batch(self, batch: HIMMiniBatch) -> tuple[Tensor, ...]:  # type: ignore[override]
        with self.actor_critic.estimator.encoding_once(batch.observations):
            return super()._update_mini_batch(batch)  # type: ignore[arg-type]

    def _update_auxiliary(self, batch: HIMMiniBatch) -> tuple[Tensor, ...]:  # type: ignore[override]
        losses = self.actor_critic.estimator.update(batch.observations, batch.next_critic_observations, lr=self.lr)
        self._skipped += self.actor_critic.estimator.skipped
        return losses

    def optimizer_states(self) -> dict[str, Any]:
        estimator_state = adam_state(self.actor_critic.estimator.optimizer)
        return {**super().optimizer_states(), "estimator_optimizer_state_dict": estimator_state}

    def load_optimizer_states(self, checkpoint: dict[str, Any]) -> None:
        # Its rate in the file is PPO's, which `update` hands to it.
        load_adam_state(self.actor_critic.estimator.optimizer, checkpoint["estimator_optimizer_state_dict"])
        super().load_optimizer_states(checkpoint)
