"""PPO's formulae against hand computation and torch.distributions."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from rsl_rl.algorithms.losses import adapted_learning_rate, gaussian_kl, mean_kl, surrogate_loss, value_loss
from rsl_rl.storage.rollout_storage import gae

DESIRED_KL = 0.01


def adapt(learning_rate: float, kl: float) -> float:
    return adapted_learning_rate(torch.tensor(learning_rate), torch.tensor(kl), DESIRED_KL).item()


def returns_of(rewards, values, dones, last_value, gamma, lam) -> list[float]:
    """Returns of one env."""
    columns = [torch.tensor(column, dtype=torch.float).view(-1, 1, 1) for column in (rewards, values, dones)]
    return gae(*columns, torch.tensor([[last_value]]), gamma, lam).flatten().tolist()


def test_done_cuts_the_bootstrap():
    returns = returns_of([1.0, 2.0], [0.5, 1.0], [1, 0], last_value=2.0, gamma=0.9, lam=1.0)
    assert returns == pytest.approx([1.0, 2.0 + 0.9 * 2.0])


def test_gae_weighs_later_errors_by_gamma_lambda():
    # δ1 = 2 + 0.9·5 − 1 = 5.5; δ0 = 1 + 0.9·1 − 0.5 = 1.4; A0 = δ0 + 0.9·0.8·δ1 = 5.36
    returns = returns_of([1.0, 2.0], [0.5, 1.0], [0, 0], last_value=5.0, gamma=0.9, lam=0.8)
    assert returns == pytest.approx([0.5 + 5.36, 1.0 + 5.5])


def test_gae_with_lambda_0_is_the_one_step_target():
    returns = returns_of([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [0, 0, 0], last_value=7.0, gamma=0.5, lam=0.0)
    assert returns == pytest.approx([1 + 0.5 * 5, 2 + 0.5 * 6, 3 + 0.5 * 7])


def test_kl_agrees_with_torch_distributions_up_to_the_published_offset():
    mu, old_mu = torch.randn(2, 50, 12).unbind()
    sigma, old_sigma = (0.5 + torch.rand(2, 50, 12)).unbind()
    expected = kl_divergence(Normal(old_mu, old_sigma), Normal(mu, sigma)).sum(dim=-1)
    # log(x + 1e-5) − log(x) ≤ 1e-5 / x, and x = sigma / old_sigma > 1/3
    assert torch.allclose(gaussian_kl(mu, sigma, old_mu, old_sigma), expected, atol=12 * 3e-5, rtol=1e-5)


def test_kl_of_equal_distributions_is_1e5_per_action():
    ones = torch.ones(4, 12)
    assert gaussian_kl(ones, ones, ones, ones).tolist() == pytest.approx([12e-5] * 4, rel=1e-2)


def test_the_mean_kl_is_of_the_samples_that_count():
    mu, zeros, ones = torch.tensor([[1.0], [2.0], [3.0]]), torch.zeros(3, 1), torch.ones(3, 1)
    mean = mean_kl(mu, ones, zeros, ones, torch.tensor([True, False, True]))
    assert mean.item() == pytest.approx((1.0**2 / 2 + 3.0**2 / 2) / 2, abs=2e-5)


@pytest.mark.parametrize(
    ("learning_rate", "kl", "expected"),
    [
        (1e-3, 0.0201, 1e-3 / 1.5),
        (1e-3, 0.0199, 1e-3),
        (1e-3, 0.0051, 1e-3),
        (1e-3, 0.0049, 1.5e-3),
        (1e-3, 0.0, 1e-3),
        (1e-3, math.nan, 1e-3),
        (1.2e-5, 1.0, 1e-5),
        (9e-3, 0.001, 1e-2),
    ],
)
def test_learning_rate_follows_the_kl_within_bounds(learning_rate, kl, expected):
    assert adapt(learning_rate, kl) == pytest.approx(expected, rel=1e-5)


def test_surrogate_takes_the_pessimistic_side_of_the_clip():
    # ratios 1.5 and 0.5 with clip 0.2: gains are capped at 1.2 and 0.8, losses are not
    log_prob = torch.log(torch.tensor([1.5, 1.5, 0.5, 0.5]))
    advantages = torch.tensor([2.0, -2.0, 3.0, -3.0])
    expected = (-2.0 * 1.2 + 2.0 * 1.5 - 3.0 * 0.5 + 3.0 * 0.8) / 4
    assert surrogate_loss(log_prob, torch.zeros(4), advantages, 0.2).item() == pytest.approx(expected)


def test_value_loss_keeps_values_near_the_old_ones():
    # value 1.0, old 0.0: clipped to 0.2. Return 1.0: error 0 becomes 0.64. Return 0.0: error 1 beats 0.04.
    values, old_values = torch.ones(2, 1), torch.zeros(2, 1)
    returns = torch.tensor([[1.0], [0.0]])
    assert value_loss(values, old_values, returns, 0.2).item() == pytest.approx((0.64 + 1.0) / 2)
    assert value_loss(values, old_values, returns, None).item() == pytest.approx((0.0 + 1.0) / 2)
