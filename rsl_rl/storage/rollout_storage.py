"""The steps of one iteration, their returns and advantages, and random mini-batches of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
from torch import Tensor

from rsl_rl.utils import ranks


@dataclass
class Transition:
    """One step of all N envs, filled in by the algorithm before and after `env.step`."""

    observations: Tensor | None = None  # (N, num_obs)
    critic_observations: Tensor | None = None  # (N, num_critic_obs)
    actions: Tensor | None = None  # (N, num_actions)
    values: Tensor | None = None  # (N, 1)
    actions_log_prob: Tensor | None = None  # (N,)
    action_mean: Tensor | None = None  # (N, num_actions)
    action_sigma: Tensor | None = None  # (N, num_actions)
    rewards: Tensor | None = None  # (N,)
    dones: Tensor | None = None  # (N,)


class MiniBatch(NamedTuple):
    """B transitions in random order; what an update learns from."""

    observations: Tensor  # (B, num_obs)
    critic_observations: Tensor  # (B, num_critic_obs)
    actions: Tensor  # (B, num_actions)
    target_values: Tensor  # (B, 1), the critic's values when the step was taken
    advantages: Tensor  # (B, 1), zero mean and unit deviation over the rollouts of all ranks
    returns: Tensor  # (B, 1)
    old_actions_log_prob: Tensor  # (B, 1)
    old_mu: Tensor  # (B, num_actions)
    old_sigma: Tensor  # (B, num_actions)


def gae(rewards: Tensor, values: Tensor, dones: Tensor, last_values: Tensor, gamma: float, lam: float) -> Tensor:
    """Returns by generalised advantage estimation (Schulman et al. 2016): advantage + value.

    Args:
        rewards, values, dones: (T, N, …); a done at step t cuts the future off after t.
        last_values: value of the state after the last step, (N, …).
    """
    futures = gamma * (1.0 - dones.to(values.dtype))  # what the next step's value and advantage are worth now
    next_values = torch.cat((values[1:], last_values[None]))
    advantages = torch.addcmul(rewards - values, futures, next_values)  # of one step each
    weights = futures * lam
    for step in reversed(range(len(rewards) - 1)):  # on a GPU the loop's time is its number of kernels
        advantages[step].addcmul_(weights[step], advantages[step + 1])
    return advantages.add_(values)


def standardized(values: Tensor) -> Tensor:
    """Shifted and scaled to zero mean and unit deviation over the values of all ranks, which have equally many each."""
    if ranks.num_ranks() == 1:
        return (values - values.mean()) / (values.std() + 1e-8)
    values = values - ranks.average_(values.mean())
    number = values.numel() * ranks.num_ranks()
    variance = ranks.add_(values.square().sum()) / (number - 1)
    return values / (variance.sqrt() + 1e-8)


class RolloutStorage:
    """Buffers of T steps of N envs, allocated once; every stored tensor is a copy.

    Shapes of an observation and an action go without the env dimension, such as `[450]`.
    """

    batch_class: type[MiniBatch] = MiniBatch

    def __init__(
        self,
        num_envs: int,
        num_transitions_per_env: int,
        obs_shape: Sequence[int],
        critic_obs_shape: Sequence[int],
        actions_shape: Sequence[int],
        device: torch.device | str = "cpu",
    ) -> None:
        self.num_envs = num_envs
        self.num_transitions_per_env = num_transitions_per_env
        self.device = device
        self.step = 0  # number of stored steps

        self.observations = self._buffer(obs_shape)
        self.critic_observations = self._buffer(critic_obs_shape)
        self.actions = self._buffer(actions_shape)
        self.rewards = self._buffer([1])
        self.dones = self._buffer([1], dtype=torch.bool)
        self.values = self._buffer([1])
        self.actions_log_prob = self._buffer([1])
        self.action_mean = self._buffer(actions_shape)
        self.action_sigma = self._buffer(actions_shape)
        self.returns = self._buffer([1])
        self.advantages = self._buffer([1])

    def _buffer(self, shape: Sequence[int], dtype: torch.dtype = torch.float) -> Tensor:
        return torch.zeros(self.num_transitions_per_env, self.num_envs, *shape, dtype=dtype, device=self.device)

    def add_transitions(self, transition: Transition) -> None:
        """Copy one step of all envs; the buffers bear the names of the transition's fields."""
        if self.step >= self.num_transitions_per_env:
            raise OverflowError(f"the rollout already holds its {self.num_transitions_per_env} steps; clear it first")
        for field in fields(transition):
            row = getattr(self, field.name)[self.step]
            row.copy_(getattr(transition, field.name).view_as(row))
        self.step += 1

    def clear(self) -> None:
        self.step = 0

    def compute_returns(self, last_values: Tensor, gamma: float, lam: float) -> None:
        """Fill in returns and normalised advantages. last_values: (N, 1), of the state after the last step."""
        self.returns.copy_(gae(self.rewards, self.values, self.dones, last_values, gamma, lam))
        self.advantages.copy_(standardized(self.returns - self.values))

    def mini_batch_ids(self, num_mini_batches: int) -> Tensor:
        """Which samples of the flat rollout make up each mini-batch, (num_mini_batches, B) int64, in random order.

        What is left over when the size does not divide the rollout is dropped for this update, at random.
        """
        num_samples = self.num_envs * self.num_transitions_per_env
        size = num_samples // num_mini_batches
        permutation = torch.randperm(num_samples, device=self.device)
        return permutation[: num_mini_batches * size].view(num_mini_batches, size)

    def mini_batch(self, ids: Tensor) -> MiniBatch:
        """Copies of some samples. ids: (B,)."""
        return self.batch_class(*(samples.index_select(0, ids) for samples in self._flat_rollout()))

    def mini_batch_generator(self, num_mini_batches: int, num_epochs: int) -> Iterator[MiniBatch]:
        """Mini-batches of equal size, the same ones in each epoch."""
        batch_ids = self.mini_batch_ids(num_mini_batches)
        for _ in range(num_epochs):
            for ids in batch_ids:
                yield self.mini_batch(ids)

    def _flat_rollout(self) -> MiniBatch:
        """The whole rollout as one batch of T · N samples; views of the buffers."""
        return MiniBatch(
            observations=self.observations.flatten(0, 1),
            critic_observations=self.critic_observations.flatten(0, 1),
            actions=self.actions.flatten(0, 1),
            target_values=self.values.flatten(0, 1),
            advantages=self.advantages.flatten(0, 1),
            returns=self.returns.flatten(0, 1),
            old_actions_log_prob=self.actions_log_prob.flatten(0, 1),
            old_mu=self.action_mean.flatten(0, 1),
            old_sigma=self.action_sigma.flatten(0, 1),
        )
