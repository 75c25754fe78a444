"""PPO's formulae as functions of tensors. B = samples, A = actions."""

import torch
from torch import Tensor

MIN_LEARNING_RATE = 1e-5
MAX_LEARNING_RATE = 1e-2
LEARNING_RATE_FACTOR = 1.5


def gaussian_kl(mu: Tensor, sigma: Tensor, old_mu: Tensor, old_sigma: Tensor) -> Tensor:
    """KL divergence (B,) of the old diagonal Gaussian from the new one, KL(old ‖ new). Arguments: (B, A).

    The published code adds 1e-5 inside the logarithm, so equal distributions give 1e-5 · A instead of 0; we keep it,
    because the learning-rate rule rests when the divergence is exactly 0.
    """
    log_ratio = torch.log(sigma / old_sigma + 1e-5)
    return (log_ratio + (old_sigma.square() + (old_mu - mu).square()) / (2.0 * sigma.square()) - 0.5).sum(dim=-1)


def mean_kl(mu: Tensor, sigma: Tensor, old_mu: Tensor, old_sigma: Tensor, mask: Tensor) -> Tensor:
    """Mean of `gaussian_kl` over the samples in the mask, 0-d. mask: (B,) bool."""
    return torch.where(mask, gaussian_kl(mu, sigma, old_mu, old_sigma), 0.0).sum() / mask.sum()


def adapted_learning_rate(learning_rate: Tensor, kl: Tensor, desired_kl: float) -> Tensor:
    """The next learning rate: smaller if the policy moved too far, larger if it hardly moved. All 0-d, no host sync."""
    lower = (learning_rate / LEARNING_RATE_FACTOR).clamp(min=MIN_LEARNING_RATE)
    higher = (learning_rate * LEARNING_RATE_FACTOR).clamp(max=MAX_LEARNING_RATE)
    moved_little = (kl < desired_kl / 2.0) & (kl > 0.0)
    return torch.where(kl > desired_kl * 2.0, lower, torch.where(moved_little, higher, learning_rate))


def surrogate_loss(log_prob: Tensor, old_log_prob: Tensor, advantages: Tensor, clip_param: float) -> Tensor:
    """PPO's clipped objective (Schulman et al. 2017, eq. 7), negated. Arguments: (B,)."""
    ratio = torch.exp(log_prob - old_log_prob)
    clipped_ratio = ratio.clamp(1.0 - clip_param, 1.0 + clip_param)
    return torch.max(-advantages * ratio, -advantages * clipped_ratio).mean()


def value_loss(values: Tensor, old_values: Tensor, returns: Tensor, clip_param: float | None) -> Tensor:
    """Squared error of the critic; with `clip_param`, at least that of values kept within it of the old ones."""
    errors = (values - returns).square()
    if clip_param is None:
        return errors.mean()
    clipped_values = old_values + (values - old_values).clamp(-clip_param, clip_param)
    return torch.max(errors, (clipped_values - returns).square()).mean()
