"""Actor and critic of HIMLoco: the actor sees the newest frame and what the estimator reads from the history."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rsl_rl.modules.actor_critic import ActorCritic, infer_hidden_dims
from rsl_rl.modules.estimators import ESTIMATORS
from rsl_rl.modules.him_estimator import VELOCITY_DIM
from rsl_rl.modules.regression_estimator import DECODER_WEIGHT
from rsl_rl.utils.config import find_class

Estimate = Callable[[Tensor], tuple[Tensor, Tensor]]  # history → velocity, latent

ENCODER_INPUT_WEIGHT = "estimator.encoder.0.weight"  # the parameter whose width tells a checkpoint's history length


class HIMActorCritic(ActorCritic):
    """ActorCritic whose actor takes [newest frame | estimated velocity | latent].

    Args:
        num_actor_obs: length of the history, temporal_steps · num_one_step_obs, newest frame first.
        num_critic_obs: length of the critic's input: [one frame | base velocity | …].
        num_one_step_obs: length of one frame.
        estimator_class_name: a key of ESTIMATORS.
        global_assignments: with several ranks, the estimator assigns samples to prototypes over the samples of all.
    """

    graph_safe = True

    def __init__(
        self,
        num_actor_obs: int,
        num_critic_obs: int,
        num_one_step_obs: int,
        num_actions: int,
        *,
        estimator_class_name: str = "HIMEstimator",
        temporal_steps: int = 10,
        enc_hidden_dims: Sequence[int] = (128, 64, 16),
        tar_hidden_dims: Sequence[int] = (128, 64),
        num_prototype: int = 32,
        temperature: float = 3.0,
        global_assignments: bool = True,
        activation: str = "elu",
        **actor_critic_cfg: Any,
    ) -> None:
        _check_sizes(num_actor_obs, num_critic_obs, num_one_step_obs, temporal_steps)
        estimator = find_class(ESTIMATORS, estimator_class_name, "estimator class")(
            temporal_steps,
            num_one_step_obs,
            enc_hidden_dims,
            tar_hidden_dims,
            activation,
            num_prototype,
            temperature,
        )
        estimator.global_assignments = global_assignments
        num_actor_inputs = num_one_step_obs + estimator.output_size
        super().__init__(num_actor_inputs, num_critic_obs, num_actions, activation=activation, **actor_critic_cfg)
        self.num_actor_obs = num_actor_obs
        self.num_one_step_obs = num_one_step_obs
        self.temporal_steps = temporal_steps

        # Published checkpoints list the estimator before actor and critic; the optimiser's state follows this order.
        actor, critic = self.actor, self.critic
        del self.actor, self.critic
        self.estimator, self.actor, self.critic = estimator, actor, critic

    def actor_input(self, obs: Tensor) -> Tensor:
        """[newest frame | velocity | latent] of a history (N, num_actor_obs), without gradient to the estimator."""
        with torch.no_grad():
            return _actor_input(obs, self.num_one_step_obs, self.estimator)

    def inference_module(self) -> nn.Module:
        return HIMInference(self).cpu().eval()


class HIMInference(nn.Module):
    """History (N, temporal_steps · num_one_step_obs) → mean actions, with a copy of only the parameters this needs."""

    def __init__(self, actor_critic: HIMActorCritic) -> None:
        super().__init__()
        self.num_one_step_obs = actor_critic.num_one_step_obs
        self.estimator = actor_critic.estimator.inference_module()
        self.actor = copy.deepcopy(actor_critic.actor)

    def forward(self, obs_history: Tensor) -> Tensor:
        return self.actor(_actor_input(obs_history, self.num_one_step_obs, self.estimator))


def infer_temporal_steps(state_dict: Mapping[str, Tensor], num_one_step_obs: int) -> int:
    """History length [frames] of a checkpoint's `model_state_dict`, from the width of the encoder's first layer."""
    if ENCODER_INPUT_WEIGHT not in state_dict:
        raise ValueError(f"not the parameters of a HIMActorCritic: {ENCODER_INPUT_WEIGHT} is missing")
    width = state_dict[ENCODER_INPUT_WEIGHT].shape[1]
    if width % num_one_step_obs:
        raise ValueError(
            f"the encoder takes {width} numbers, which is not a whole number of {num_one_step_obs}-long frames"
        )
    return width // num_one_step_obs


def network_sizes(state_dict: Mapping[str, Tensor], num_one_step_obs: int) -> dict[str, Any]:
    """Keys of the policy's config that a checkpoint's `model_state_dict` decides, with their values: widths of hidden
    layers and, if it has an estimator of such frames, the history's length `temporal_steps` [frames] and, if that is a
    RegressionEstimator, its name."""
    sizes: dict[str, Any] = dict(infer_hidden_dims(state_dict))
    if ENCODER_INPUT_WEIGHT in state_dict and state_dict[ENCODER_INPUT_WEIGHT].shape[1] % num_one_step_obs == 0:
        sizes["temporal_steps"] = infer_temporal_steps(state_dict, num_one_step_obs)
    if DECODER_WEIGHT in state_dict:
        sizes["estimator_class_name"] = "RegressionEstimator"
    return sizes


def _actor_input(obs_history: Tensor, num_one_step_obs: int, estimate: Estimate) -> Tensor:
    velocity, latent = estimate(obs_history)
    return torch.cat((obs_history[:, :num_one_step_obs], velocity, latent), dim=-1)


def _check_sizes(num_actor_obs: int, num_critic_obs: int, num_one_step_obs: int, temporal_steps: int) -> None:
    if num_actor_obs != temporal_steps * num_one_step_obs:
        raise ValueError(
            f"the actor's observation has {num_actor_obs} numbers, but policy.temporal_steps = {temporal_steps} frames "
            f"of {num_one_step_obs} make {temporal_steps * num_one_step_obs}; set env.num_observations accordingly"
        )
    if num_critic_obs < num_one_step_obs + VELOCITY_DIM:
        raise ValueError(
            f"the critic's observation has {num_critic_obs} numbers, but the estimator's labels need at least "
            f"one frame and the base velocity, {num_one_step_obs} + {VELOCITY_DIM}"
        )
