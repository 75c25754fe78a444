"""The internal model by regression alone: the baseline that shows what the contrast of HIMEstimator is worth."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from rsl_rl.modules.him_estimator import EstimatorLosses, HIMEstimator
from rsl_rl.modules.mlp import make_mlp

DECODER_WEIGHT = "estimator.decoder.0.weight"  # a parameter that tells a checkpoint of this estimator


class RegressionEstimator(HIMEstimator):
    """HIMEstimator whose latent must tell the next state, instead of agreeing with it on a prototype.

    A decoder, of the target network's hidden sizes in reverse, reads the next state out of [velocity | latent]. Its
    mean squared error stands in `EstimatorLosses.swap`, and in the curve of that name. Encoder, velocity and what the
    actor sees are the same.
    """

    graph_safe = True
    heads: ClassVar[tuple[str, ...]] = ("decoder",)

    def _make_heads(
        self, num_states: int, latent_dim: int, tar_hidden_dims: Sequence[int], activation: str, num_prototype: int
    ) -> None:
        self.decoder = make_mlp([self.output_size, *reversed(tar_hidden_dims), num_states], activation)

    def losses(self, obs_history: Tensor, next_critic_obs: Tensor) -> EstimatorLosses:
        velocity, latent = self(obs_history)
        next_state = self.decoder(torch.cat((velocity, latent), dim=-1))
        return EstimatorLosses(
            estimation=functional.mse_loss(velocity, next_critic_obs[:, self.velocity_columns]),
            swap=functional.mse_loss(next_state, next_critic_obs[:, self.state_columns]),
        )

    def _prepare_update(self) -> None:
        pass
