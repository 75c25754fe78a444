"""Proximal policy optimisation with a learning rate that follows the KL divergence."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rsl_rl.algorithms.losses import adapted_learning_rate, mean_kl, surrogate_loss, value_loss
from rsl_rl.modules.actor_critic import ActorCritic
from rsl_rl.modules.mlp import fast_dtype, mixed_precision
from rsl_rl.storage.rollout_storage import MiniBatch, RolloutStorage, Transition
from rsl_rl.utils import ranks
from rsl_rl.utils.adam import adam_state, load_adam_state, make_adam, step_if_finite
from rsl_rl.utils.mirror import Mirror, mirrored
from rsl_rl.utils.recorded import Fused, GraphSafety, Recorded

SCHEDULES = ("adaptive", "fixed")


class PPOLosses(NamedTuple):
    """Means over the mini-batches of an update."""

    value_function: float
    surrogate: float


class PPO(GraphSafety):
    """Collects transitions between `act` and `process_env_step`, then improves the networks in `update`.

    On CUDA, acting and a gradient step are replayed as graphs. A subclass may change any method, so it runs without
    unless it declares `graph_safe = True`: then its methods may branch on nothing but settings.

    Args:
        final_entropy_coef: what `entropy_coef` falls to, in a line between the two iterations of `entropy_decay`;
            None: it stays.
        quiet_fraction: share of the envs, evenly spread, that explore with `quiet_scale` of the deviation. What the
            mean action alone runs into, it meets there, while the others still look for a way out.
        mirror_fraction: share of the samples, drawn anew in each gradient step, that are seen in a mirror; `mirror`
            must then be set, as the runner does if the env has one.
        mixed_precision: learn with hidden layers of 16 bits where the device is faster so, see `MLP`.
    """

    graph_safe = True
    storage_class = RolloutStorage
    transition_class = Transition
    losses_class: type[NamedTuple] = PPOLosses

    def __init__(
        self,
        actor_critic: ActorCritic,
        device: torch.device | str = "cpu",
        *,
        num_learning_epochs: int = 5,
        num_mini_batches: int = 4,
        clip_param: float = 0.2,
        gamma: float = 0.99,
        lam: float = 0.95,
        value_loss_coef: float = 1.0,
        entropy_coef: float = 0.01,
        final_entropy_coef: float | None = None,
        entropy_decay: Sequence[int] = (700, 1200),
        learning_rate: float = 1e-3,
        max_grad_norm: float = 1.0,
        use_clipped_value_loss: bool = True,
        schedule: str = "adaptive",
        desired_kl: float | None = 0.01,
        quiet_fraction: float = 0.0,
        quiet_scale: float = 0.35,
        mirror_fraction: float = 0.0,
        mixed_precision: bool = True,
    ) -> None:
        if schedule not in SCHEDULES:
            raise ValueError(f"unknown algorithm.schedule '{schedule}'; known: {', '.join(SCHEDULES)}")
        for name, share in (("quiet_fraction", quiet_fraction), ("mirror_fraction", mirror_fraction)):
            if not 0 <= share < 1:
                raise ValueError(f"algorithm.{name} must be at least 0 and below 1, got {share}")
        self.device = device
        self.num_learning_epochs = num_learning_epochs
        self.num_mini_batches = num_mini_batches
        self.clip_param = clip_param
        self.gamma = gamma
        self.lam = lam
        self.value_loss_coef = value_loss_coef
        self.entropy_bounds = (entropy_coef, entropy_coef if final_entropy_coef is None else final_entropy_coef)
        self.entropy_decay = _checked_decay(entropy_decay)
        self.entropy_coef = torch.tensor(float(entropy_coef), device=device)  # 0-d; a recorded step reads it
        self.max_grad_norm = max_grad_norm
        self.use_clipped_value_loss = use_clipped_value_loss
        self.desired_kl = desired_kl if schedule == "adaptive" else None  # None: the learning rate stays
        self.hidden_dtype = fast_dtype(device) if mixed_precision else None

        self.mirror_fraction = mirror_fraction
        self.mirror: Mirror | None = None
        self.quiet_fraction = quiet_fraction
        self.quiet_scale = quiet_scale

        self.actor_critic = actor_critic.to(device)
        self.lr = torch.tensor(float(learning_rate), device=device)  # 0-d; the optimisers hold this very tensor
        self.optimizer = make_adam(self.actor_critic.parameters(), self.lr)
        self.skipped_steps = 0  # gradient steps left out since the start because something was not finite
        self._skipped = torch.zeros(1, device=device)  # those of this update
        self.transition = self.transition_class()
        self.storage: RolloutStorage | None = None

    @property
    def learning_rate(self) -> float:
        """The rate as a number; reading it waits for the device."""
        return self.lr.item()

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self.lr.fill_(value)

    def begin_iteration(self, iteration: int) -> None:
        """Set what follows a schedule. iteration: number of the next update, 0 for the first."""
        (first, last), (start, end) = self.entropy_decay, self.entropy_bounds
        progress = min(max((iteration - first) / (last - first), 0.0), 1.0)
        self.entropy_coef.fill_(start + progress * (end - start))

    def init_storage(
        self,
        num_envs: int,
        num_transitions_per_env: int,
        actor_obs_shape: Sequence[int],
        critic_obs_shape: Sequence[int],
        action_shape: Sequence[int],
    ) -> None:
        self.storage = self.storage_class(
            num_envs, num_transitions_per_env, actor_obs_shape, critic_obs_shape, action_shape, self.device
        )
        quotas = torch.arange(num_envs + 1, device=self.device) * self.quiet_fraction
        quiet_mask = quotas.floor().diff() > 0
        self._noise_scales = torch.where(quiet_mask, self.quiet_scale, 1.0)[:, None]  # (num_envs, 1)
        self._obs = torch.zeros(num_envs, *actor_obs_shape, device=self.device)
        self._critic_obs = torch.zeros(num_envs, *critic_obs_shape, device=self.device)
        batch_size = num_envs * num_transitions_per_env // self.num_mini_batches
        self._batch_ids = torch.zeros(batch_size, dtype=torch.long, device=self.device)
        self._mirrored_mask = torch.zeros(batch_size, dtype=torch.bool, device=self.device)
        self._loss_sums = torch.zeros(len(self.losses_class._fields), device=self.device)  # of this update
        self._loss_counts = torch.zeros_like(self._loss_sums)  # of finite ones
        self._record_steps()

    def _record_steps(self) -> None:
        """Name what CUDA replays as graphs, acting and a gradient step, and what torch.compile fuses of them."""
        enabled = self.is_graph_safe and self._on_cuda
        self._decide = Recorded(self._decide_on_actions, enabled, fusible=True)
        self._improve = Recorded(self._improve_on_batch, enabled)
        self._read_batch = Fused(self._chosen_samples, enabled)
        self._mean_kl = Fused(mean_kl, enabled)
        self._losses = Fused(self._ppo_losses, enabled)

    @property
    def is_graph_safe(self) -> bool:
        """The algorithm and all networks that it trains may be recorded."""
        parts = (self, *self.actor_critic.modules())
        return all(part.graph_safe for part in parts if isinstance(part, GraphSafety))

    @property
    def _on_cuda(self) -> bool:
        return torch.device(self.device).type == "cuda"

    @contextmanager
    def _precision(self) -> Iterator[None]:
        """On CUDA, let matrix products round their factors to TF32's 10 bits: three times as fast."""
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("high" if self._on_cuda else before)
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before)

    @property
    def rollout(self) -> RolloutStorage:
        """The storage that `init_storage` made."""
        if self.storage is None:
            raise RuntimeError("there is no storage for transitions; call init_storage first")
        return self.storage

    def act(self, obs: Tensor, critic_obs: Tensor) -> Tensor:
        """Draw actions (N, num_actions) for obs (N, num_obs) and remember all that the update needs about them.

        The actions, and what is remembered, lie in buffers that the next call overwrites.
        """
        # Copies: an env may edit its observation buffers in place during the step, and the stored row must be the one
        # that was acted on.
        self._obs.copy_(obs)
        self._critic_obs.copy_(critic_obs)
        with self._precision():
            actions, values, log_prob, mean, std = self._decide()
        self.transition = self.transition_class(
            observations=self._obs,
            critic_observations=self._critic_obs,
            actions=actions,
            values=values,
            actions_log_prob=log_prob,
            action_mean=mean,
            action_sigma=std,
        )
        return actions

    @torch.no_grad()
    def _decide_on_actions(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Actions, values, log-probabilities, and mean and deviation of the distribution."""
        policy = self.actor_critic
        actions = policy.act(self._obs, self._noise_scales)
        values, log_prob = policy.evaluate(self._critic_obs), policy.get_actions_log_prob(actions)
        return actions, values, log_prob, policy.action_mean, policy.action_std

    def process_env_step(self, rewards: Tensor, dones: Tensor, infos: dict[str, Any]) -> None:
        """Complete the transition that `act` began and store it. rewards, dones: (N,)."""
        if self.transition.values is None:
            raise RuntimeError("there is no transition to complete; call act first")
        self.transition.rewards, self.transition.dones = rewards, dones
        if "time_outs" in infos:
            # An episode that ran out of time would have gone on: its value stands for the rewards it did not get.
            time_outs = infos["time_outs"].to(self.device, rewards.dtype)
            values = self.transition.values.squeeze(-1)
            self.transition.rewards = torch.addcmul(rewards, values, time_outs, value=self.gamma)
        self.rollout.add_transitions(self.transition)
        self.transition = self.transition_class()
        self.actor_critic.reset(dones)

    @torch.no_grad()
    def compute_returns(self, last_critic_obs: Tensor) -> None:
        self.rollout.compute_returns(self.actor_critic.evaluate(last_critic_obs), self.gamma, self.lam)

    def update(self) -> NamedTuple:
        """Learn from the stored rollout, empty it, and return `losses_class`. The device is read once, at the end.

        Steps whose loss or gradient is not finite are left out, of the means too; `skipped_steps` counts them.
        """
        for total in (self._skipped, self._loss_sums, self._loss_counts):
            total.zero_()
        batch_ids = self.rollout.mini_batch_ids(self.num_mini_batches)
        with self._precision(), mixed_precision(self.hidden_dtype):
            for _ in range(self.num_learning_epochs):
                for ids in batch_ids:
                    self._batch_ids.copy_(ids)
                    self._improve()
        self.rollout.clear()
        for total in (self._loss_sums, self._loss_counts):
            ranks.add_(total)
        *losses_read, skipped = torch.cat((self._loss_sums / self._loss_counts, self._skipped)).tolist()
        self.skipped_steps += int(skipped)
        return self.losses_class(*losses_read)

    def _improve_on_batch(self) -> None:
        self._batch_noise_scales = self._noise_scales[self._batch_ids % len(self._noise_scales)]
        # How far a policy is from its own image says nothing of how far a step took it, and for quiet samples every
        # step is a long one.
        self._kl_weights = (self._batch_noise_scales == 1.0).squeeze(-1)
        if self.mirror is not None:
            self._mirrored_mask[:] = torch.rand(len(self._batch_ids), device=self.device) < self.mirror_fraction
            self._kl_weights &= ~self._mirrored_mask
        batch = self.rollout.batch_class(*self._read_batch())
        losses = torch.stack(self._update_mini_batch(batch))
        finite_mask = losses.isfinite()
        self._loss_sums += torch.where(finite_mask, losses, 0.0)
        self._loss_counts += finite_mask

    def _chosen_samples(self) -> tuple[Tensor, ...]:
        """The mini-batch, as the networks see it. Fused, it passes through memory once, mirrored or not."""
        batch = self.rollout.mini_batch(self._batch_ids)
        return tuple(batch if self.mirror is None else mirrored(batch, self.mirror, self._mirrored_mask))

    def _update_mini_batch(self, batch: MiniBatch) -> tuple[Tensor, ...]:
        """One gradient step; returns the losses in the order of `losses_class`, 0-d tensors on the device."""
        self.actor_critic.update_distribution(batch.observations, self._batch_noise_scales)
        if self.desired_kl is not None:
            self._adapt_learning_rate(batch, self.desired_kl)
        auxiliary_losses = self._update_auxiliary(batch)

        values = self.actor_critic.evaluate(batch.critic_observations)
        loss, value, surrogate = self._losses(
            values, batch.actions, batch.old_actions_log_prob, batch.advantages, batch.target_values, batch.returns
        )
        self._descend(loss)
        return value, surrogate, *auxiliary_losses

    def _ppo_losses(
        self,
        values: Tensor,
        actions: Tensor,
        old_log_prob: Tensor,
        advantages: Tensor,
        old_values: Tensor,
        returns: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What is minimised, and without gradient the losses of critic and actor in it; 0-d.

        Arguments: those of a MiniBatch; values: (B, 1), of the critic now.
        """
        log_prob = self.actor_critic.get_actions_log_prob(actions)
        surrogate = surrogate_loss(log_prob, old_log_prob.squeeze(-1), advantages.squeeze(-1), self.clip_param)
        value = value_loss(values, old_values, returns, self.clip_param if self.use_clipped_value_loss else None)
        entropy = self.actor_critic.entropy.mean()
        loss = surrogate + self.value_loss_coef * value - self.entropy_coef * entropy
        return loss, value.detach(), surrogate.detach()

    def _update_auxiliary(self, batch: MiniBatch) -> tuple[Tensor, ...]:
        """Train what is not trained by PPO's loss, at the adapted rate, and return its losses: nothing here."""
        return ()

    @torch.no_grad()
    def _adapt_learning_rate(self, batch: MiniBatch, desired_kl: float) -> None:
        policy = self.actor_critic
        mean = self._mean_kl(policy.action_mean, policy.action_std, batch.old_mu, batch.old_sigma, self._kl_weights)
        ranks.average_(mean)
        self.lr.copy_(adapted_learning_rate(self.lr, mean, desired_kl))

    def _descend(self, loss: Tensor) -> None:
        self._skipped += step_if_finite(self.optimizer, loss, self.actor_critic.parameters(), self.max_grad_norm)
        self.actor_critic.bound_std()

    def optimizer_states(self) -> dict[str, Any]:
        """State of every optimiser, under its key in a checkpoint."""
        return {"optimizer_state_dict": adam_state(self.optimizer)}

    def load_optimizer_states(self, checkpoint: dict[str, Any]) -> None:
        """Take over `optimizer_states` and the learning rate."""
        self.learning_rate = load_adam_state(self.optimizer, checkpoint["optimizer_state_dict"])
        if self.storage is not None:
            self._record_steps()  # the moments are other tensors now


def _checked_decay(iterations: Sequence[int]) -> tuple[int, int]:
    first, last = iterations
    if not 0 <= first < last:
        raise ValueError(f"algorithm.entropy_decay must be two rising iterations, but is {list(iterations)}")
    return first, last
