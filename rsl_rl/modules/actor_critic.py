"""Gaussian policy and value function without memory: the base of the HIM networks and a baseline of its own."""

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from rsl_rl.modules.mlp import make_mlp
from rsl_rl.utils.recorded import GraphSafety

MIN_STD = 0.05  # [action] a deviation near 0 makes log-probabilities explode, and one below it is none


class ActorCritic(GraphSafety, nn.Module):
    """Actor: observation → mean of a Gaussian with one learned deviation per action. Critic: observation → value."""

    graph_safe = True
    action_mean: Tensor  # (N, num_actions), of the last update_distribution
    action_std: Tensor  # (N, num_actions)

    def __init__(
        self,
        num_actor_obs: int,
        num_critic_obs: int,
        num_actions: int,
        *,
        actor_hidden_dims: Sequence[int] = (512, 256, 128),
        critic_hidden_dims: Sequence[int] = (512, 256, 128),
        activation: str = "elu",
        init_noise_std: float = 1.0,
    ) -> None:
        super().__init__()
        self.num_actor_obs = num_actor_obs
        self.std = nn.Parameter(init_noise_std * torch.ones(num_actions))
        self.actor = make_mlp([num_actor_obs, *actor_hidden_dims, num_actions], activation)
        self.critic = make_mlp([num_critic_obs, *critic_hidden_dims, 1], activation)

    def reset(self, dones: Tensor | None = None) -> None:
        """Forget what belongs to ended episodes: nothing, for networks without memory."""

    def actor_input(self, obs: Tensor) -> Tensor:
        """What the actor's first layer sees, for obs (N, num_actor_obs)."""
        return obs

    def update_distribution(self, obs: Tensor, noise_scale: Tensor | float = 1.0) -> None:
        """Keep the distribution of the actions for obs (N, num_actor_obs). noise_scale: (N, 1), of the deviations."""
        self.action_mean = self.actor(self.actor_input(obs))
        self.action_std = (self.std.clamp(min=MIN_STD) * noise_scale).expand_as(self.action_mean)

    @torch.no_grad()
    def bound_std(self) -> None:
        """Keep the learned deviations where a gradient still reaches them; to be called after each gradient step."""
        self.std.clamp_(min=MIN_STD)

    def act(self, obs: Tensor, noise_scale: Tensor | float = 1.0) -> Tensor:
        """Draw actions (N, num_actions) and keep the distribution they came from, as in `update_distribution`."""
        self.update_distribution(obs, noise_scale)
        # Normal.sample checks the deviation on the host.
        return (self.action_mean + self.action_std * torch.randn_like(self.action_mean)).detach()

    def act_inference(self, obs: Tensor) -> Tensor:
        """Mean actions (N, num_actions)."""
        return self.actor(self.actor_input(obs))

    def evaluate(self, critic_obs: Tensor) -> Tensor:
        """Values (N, 1)."""
        return self.critic(critic_obs)

    def get_actions_log_prob(self, actions: Tensor) -> Tensor:
        """Log-density (N,) of actions under the distribution of the last `update_distribution`."""
        return self.distribution.log_prob(actions).sum(dim=-1)

    @property
    def distribution(self) -> Normal:
        """Over actions, of the last `update_distribution`."""
        # Checking arguments would read the device back in every mini-batch.
        return Normal(self.action_mean, self.action_std, validate_args=False)

    @property
    def entropy(self) -> Tensor:
        """Entropy (N,) of the distribution of the last `update_distribution`."""
        return self.distribution.entropy().sum(dim=-1)

    def inference_module(self) -> nn.Module:
        """A copy on the CPU of what acting needs: (N, num_actor_obs) → mean actions (N, num_actions)."""
        return copy.deepcopy(self.actor).cpu().eval()


def infer_hidden_dims(state_dict: Mapping[str, Tensor]) -> dict[str, list[int]]:
    """Widths of hidden layers in a checkpoint's `model_state_dict`: `actor_hidden_dims` and `critic_hidden_dims`."""
    dims: dict[str, list[int]] = {"actor_hidden_dims": [], "critic_hidden_dims": []}
    for name, value in state_dict.items():
        network = name.split(".")[0]
        if network in ("actor", "critic") and name.endswith(".weight"):
            dims[f"{network}_hidden_dims"].append(len(value))
    return {network: widths[:-1] for network, widths in dims.items() if widths}
