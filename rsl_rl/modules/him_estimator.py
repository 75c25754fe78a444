"""The hybrid internal model: base velocity and a latent of the robot's response, both read from its history.

The latent is trained by swapped assignment between prototypes (SwAV, Caron et al. 2020): the latent of the history and
that of the next state must predict each other's soft cluster.
"""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from rsl_rl.modules.mlp import make_mlp
from rsl_rl.utils import ranks
from rsl_rl.utils.adam import make_adam, step_if_finite
from rsl_rl.utils.recorded import Fused, GraphSafety

NUM_COMMANDS = 3  # columns at the start of a frame that are the user's wish, not the robot's state
VELOCITY_DIM = 3  # columns after the frame in a critic observation: base linear velocity, in observation scale
SINKHORN_EPSILON = 0.05  # sharpness of the assignments: scores are divided by it
SINKHORN_ITERATIONS = 3


class EstimatorLosses(NamedTuple):
    estimation: Tensor  # 0-d, mean squared error of the velocity
    swap: Tensor  # 0-d, cross-entropy between swapped assignments; of a subclass, whatever it shapes the latent with


@torch.no_grad()
def sinkhorn(scores: Tensor, over_ranks: bool = False) -> Tensor:
    """Soft assignment of samples to prototypes that gives every prototype about the same total.

    Args:
        scores: cosines between B samples and K prototypes, (B, K); or several such problems, (…, B, K).
        over_ranks: the totals are those of the samples of all ranks.

    Returns:
        Assignments of the same shape; each sample's sum to 1.
    """
    num_samples, num_prototypes = scores.shape[-2:]
    # A common factor drops out in the first division: exponents from -2 / SINKHORN_EPSILON to 0 neither overflow nor
    # vanish, whatever the other ranks' scores are.
    q = torch.exp((scores - 1.0) / SINKHORN_EPSILON)
    for _ in range(SINKHORN_ITERATIONS):
        totals = q.sum(dim=-2, keepdim=True)
        if over_ranks:
            ranks.add_(totals)
        q = q / (totals * num_prototypes)
        q = q / (q.sum(dim=-1, keepdim=True) * num_samples)
    return q * num_samples


def swap_loss(source_scores: Tensor, target_scores: Tensor, temperature: float, over_ranks: bool = False) -> Tensor:
    """−½ mean(q_s log p_t + q_t log p_s) over samples and prototypes; q is held constant. Scores: (B, K).

    over_ranks: q is assigned over the samples of all ranks, else of this one.
    """
    source_log_p = functional.log_softmax(source_scores / temperature, dim=-1)
    target_log_p = functional.log_softmax(target_scores / temperature, dim=-1)
    if over_ranks and ranks.num_ranks() > 1:  # both at once, which halves the messages
        source_q, target_q = sinkhorn(torch.stack((source_scores, target_scores)).detach(), over_ranks).unbind()
    else:
        source_q, target_q = sinkhorn(source_scores), sinkhorn(target_scores)
    return -0.5 * (source_q * target_log_p + target_q * source_log_p).mean()


_fused_swap_loss = Fused(swap_loss)  # some hundred passes over the scores become a dozen


def split_code(code: Tensor) -> tuple[Tensor, Tensor]:
    """Encoder output (N, 3 + latent) → velocity (N, 3) and latent of length 1."""
    velocity, latent = code[:, :VELOCITY_DIM], code[:, VELOCITY_DIM:]
    return velocity, functional.normalize(latent, p=2.0, dim=-1)


class HIMEstimator(GraphSafety, nn.Module):
    """Encoder of the history, target network of the next state, prototypes, and the optimiser that trains the three.

    Args:
        temporal_steps: frames in the history.
        num_one_step_obs: length of a frame; its first NUM_COMMANDS columns are commands.
        enc_hidden_dims: hidden sizes of the encoder; the last entry is the size of the latent.
        tar_hidden_dims: hidden sizes of the target network.
        num_prototype: number of clusters.
        temperature: divides the scores before the softmax.
        max_grad_norm: clips the gradient of all three parts together.

    A subclass named in `rsl_rl.modules.estimators` can be chosen by the config.
    """

    graph_safe = True
    heads: ClassVar[tuple[str, ...]] = ("target", "proto")
    global_assignments = True  # with several ranks: assign samples to prototypes over the samples of all, see swap_loss

    def __init__(
        self,
        temporal_steps: int,
        num_one_step_obs: int,
        enc_hidden_dims: Sequence[int] = (128, 64, 16),
        tar_hidden_dims: Sequence[int] = (128, 64),
        activation: str = "elu",
        num_prototype: int = 32,
        temperature: float = 3.0,
        learning_rate: float = 1e-3,
        max_grad_norm: float = 10.0,
    ) -> None:
        super().__init__()
        *hidden_dims, latent_dim = enc_hidden_dims
        # In a critic observation [commands | rest of the frame | velocity | …] the label is the velocity, and the state
        # that the target network encodes is all but the commands.
        self.velocity_columns = slice(num_one_step_obs, num_one_step_obs + VELOCITY_DIM)
        self.state_columns = slice(NUM_COMMANDS, num_one_step_obs + VELOCITY_DIM)
        num_states = self.state_columns.stop - self.state_columns.start
        self.output_size = VELOCITY_DIM + latent_dim
        self.temperature = temperature
        self.max_grad_norm = max_grad_norm

        self.encoder = make_mlp([temporal_steps * num_one_step_obs, *hidden_dims, self.output_size], activation)
        self._make_heads(num_states, latent_dim, tar_hidden_dims, activation, num_prototype)
        self.optimizer = make_adam(self.parameters(), learning_rate)
        self._shared_history: Tensor | None = None  # see `encoding_once`
        self._shared_code: Tensor | None = None

    def _make_heads(
        self, num_states: int, latent_dim: int, tar_hidden_dims: Sequence[int], activation: str, num_prototype: int
    ) -> None:
        """Make the modules that only `losses` needs, `heads`."""
        self.target = make_mlp([num_states, *tar_hidden_dims, latent_dim], activation)
        self.proto = nn.Embedding(num_prototype, latent_dim)

    def forward(self, obs_history: Tensor) -> tuple[Tensor, Tensor]:
        """Velocity (N, 3) and latent (N, latent) of a history (N, temporal_steps · num_one_step_obs)."""
        return split_code(self._code(obs_history))

    @contextmanager
    def encoding_once(self, obs_history: Tensor) -> Iterator[None]:
        """Within it, the second call for this very tensor gets what the first one found, with its gradient.

        Then a policy's input and the estimator's losses cost one pass of the encoder, not two. The parameters may not
        change between the two calls.
        """
        self._shared_history = obs_history
        try:
            yield
        finally:
            self._shared_history = self._shared_code = None

    def _code(self, obs_history: Tensor) -> Tensor:
        if obs_history is not self._shared_history:
            return self.encoder(obs_history)
        if self._shared_code is None:
            with torch.enable_grad():
                self._shared_code = self.encoder(obs_history)
            return self._shared_code
        code, self._shared_history, self._shared_code = self._shared_code, None, None
        return code

    def inference_module(self) -> nn.Module:
        """A copy that does what `forward` does, without what only training needs."""
        twin = copy.deepcopy(self)
        for name in (*self.heads, "optimizer"):
            delattr(twin, name)
        return twin

    def update(self, obs_history: Tensor, next_critic_obs: Tensor, lr: float | Tensor) -> EstimatorLosses:
        """One gradient step on a mini-batch of B transitions, without host synchronisation.

        It is left out, and `skipped` set to 1 (0-d, on the device), if the loss or a gradient is not finite.

        Args:
            obs_history: what the actor saw, (B, temporal_steps · num_one_step_obs).
            next_critic_obs: critic observation after the step, before a reset, (B, num_critic_obs).
            lr: learning rate; a tensor is used as it is, not copied.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self._prepare_update()
        losses = self.losses(obs_history, next_critic_obs)
        loss = losses.estimation + losses.swap
        self.skipped = step_if_finite(self.optimizer, loss, self.parameters(), self.max_grad_norm)
        return EstimatorLosses(losses.estimation.detach(), losses.swap.detach())

    def losses(self, obs_history: Tensor, next_critic_obs: Tensor) -> EstimatorLosses:
        """Both losses, with gradient; arguments as in `update`."""
        velocity, source_latent = self(obs_history)
        target_latent = functional.normalize(self.target(next_critic_obs[:, self.state_columns]), p=2.0, dim=-1)
        source_scores = source_latent @ self.proto.weight.T
        target_scores = target_latent @ self.proto.weight.T
        over_ranks = self.global_assignments and ranks.num_ranks() > 1  # which talk within the loss
        if source_scores.is_cuda and not over_ranks:
            swap = _fused_swap_loss(source_scores, target_scores, self.temperature)
        else:
            swap = swap_loss(source_scores, target_scores, self.temperature, over_ranks)
        return EstimatorLosses(
            estimation=functional.mse_loss(velocity, next_critic_obs[:, self.velocity_columns]), swap=swap
        )

    @torch.no_grad()
    def _prepare_update(self) -> None:
        """Prototypes have length 1 at the start of every step."""
        self.proto.weight.copy_(functional.normalize(self.proto.weight, p=2.0, dim=-1))
