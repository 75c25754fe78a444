"""The estimator's losses against numpy, and the columns it reads."""

import numpy as np
import pytest
import torch

from rsl_rl.modules.him_estimator import HIMEstimator, sinkhorn, swap_loss

TOLERANCE = 1e-5  # float32 against float64, values of order 1

FRAME, TEMPORAL_STEPS, CRITIC = 45, 6, 238


def numpy_sinkhorn(scores: np.ndarray) -> np.ndarray:
    """The specification, step by step, in float64: prototypes' totals 1/K, then samples' totals 1/B, three times."""
    samples, prototypes = scores.shape
    q = np.exp(scores.astype(np.float64) / 0.05)
    for _ in range(3):
        for k in range(prototypes):
            q[:, k] *= 1 / prototypes / q[:, k].sum()
        for b in range(samples):
            q[b] *= 1 / samples / q[b].sum()
    return q * samples


def unit_rows(*shape: int) -> torch.Tensor:
    rows = torch.randn(shape)
    return rows / rows.norm(dim=-1, keepdim=True)


@pytest.fixture
def estimator() -> HIMEstimator:
    return HIMEstimator(TEMPORAL_STEPS, FRAME)


@pytest.fixture
def scores() -> torch.Tensor:
    return unit_rows(200, 16) @ unit_rows(32, 16).T


def test_sinkhorn_agrees_with_numpy(scores):
    assert np.allclose(sinkhorn(scores).numpy(), numpy_sinkhorn(scores.numpy()), atol=TOLERANCE)


def test_each_samples_assignments_sum_to_1(scores):
    assert torch.allclose(sinkhorn(scores).sum(dim=1), torch.ones(200), atol=TOLERANCE)


def test_prototypes_get_more_equal_totals_than_from_a_softmax(scores):
    softmax_totals = torch.softmax(scores / 0.05, dim=1).sum(dim=0)
    totals = sinkhorn(scores).sum(dim=0)
    assert totals.mean().item() == pytest.approx(200 / 32, rel=1e-4)
    assert totals.std() < 0.5 * softmax_totals.std()


def test_sinkhorn_stays_exact_for_samples_that_all_oppose_or_all_match_a_prototype():
    scores = torch.cat((torch.full((20, 1), -1.0), torch.full((20, 1), 1.0), torch.rand(20, 2)), dim=1)
    assert np.allclose(sinkhorn(scores).numpy(), numpy_sinkhorn(scores.numpy()), atol=TOLERANCE)


def test_swap_loss_agrees_with_numpy(scores):
    source, target = scores.numpy(), scores.flip(0).numpy()

    def log_softmax(x: np.ndarray) -> np.ndarray:
        return x - np.log(np.exp(x).sum(axis=1, keepdims=True))

    terms = numpy_sinkhorn(source) * log_softmax(target / 3.0) + numpy_sinkhorn(target) * log_softmax(source / 3.0)
    assert swap_loss(scores, scores.flip(0), 3.0).item() == pytest.approx(-0.5 * terms.mean(), rel=1e-4)


def test_target_sees_the_state_without_commands(estimator):
    seen = []
    estimator.target.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    critic_obs = torch.arange(CRITIC, dtype=torch.float).repeat(5, 1)  # every column holds its own number
    estimator.losses(torch.randn(5, FRAME * TEMPORAL_STEPS), critic_obs)
    assert seen[0][0].tolist() == list(range(3, 48))


def test_velocity_label_is_columns_45_to_48(estimator):
    history = torch.randn(5, FRAME * TEMPORAL_STEPS)
    critic_obs = torch.zeros(5, CRITIC)
    critic_obs[:, 44:49] = torch.tensor([2.0, 3.0, 5.0, 7.0, 11.0])
    code = estimator.encoder(history)[:, :3].detach().numpy()
    expected = np.mean((code - np.array([3.0, 5.0, 7.0])) ** 2)
    assert estimator.losses(history, critic_obs).estimation.item() == pytest.approx(expected, rel=1e-5)


def test_output_is_velocity_and_a_unit_latent(estimator):
    velocity, latent = estimator(torch.randn(7, FRAME * TEMPORAL_STEPS))
    assert velocity.shape == (7, 3)
    assert latent.shape == (7, 16)
    assert torch.allclose(latent.norm(dim=1), torch.ones(7), atol=TOLERANCE)


def test_swap_gradient_reaches_encoder_target_and_prototypes(estimator):
    estimator.losses(torch.randn(50, FRAME * TEMPORAL_STEPS), torch.randn(50, CRITIC)).swap.backward()
    weights = (estimator.encoder[4].weight, estimator.target[0].weight, estimator.proto.weight)
    assert all(weight.grad.abs().sum() > 0 for weight in weights)


def test_prototypes_have_unit_length_when_scored(estimator):
    estimator.proto.weight.data.mul_(7.0)
    estimator.update(torch.randn(50, FRAME * TEMPORAL_STEPS), torch.randn(50, CRITIC), lr=0.0)
    assert torch.allclose(estimator.proto.weight.norm(dim=1), torch.ones(32), atol=TOLERANCE)


def test_updates_lower_both_losses(estimator):
    history, critic_obs = torch.randn(100, FRAME * TEMPORAL_STEPS), torch.randn(100, CRITIC)
    first = estimator.update(history, critic_obs, lr=1e-3)
    for _ in range(50):
        last = estimator.update(history, critic_obs, lr=torch.tensor(1e-3))
    assert last.estimation < 0.5 * first.estimation
    assert last.swap < first.swap
