"""Estimators other than HIMEstimator: chosen by the config, exported as they are, and not recorded unasked."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from rsl_rl.export import export_policy_as_jit
from rsl_rl.modules.estimators import ESTIMATORS
from rsl_rl.modules.him_actor_critic import network_sizes
from rsl_rl.modules.him_estimator import HIMEstimator
from rsl_rl.modules.regression_estimator import RegressionEstimator
from rsl_rl.runners import HIMOnPolicyRunner


class Doubled(HIMEstimator):
    """Reports twice the velocity."""

    def forward(self, obs_history: Tensor) -> tuple[Tensor, Tensor]:
        velocity, latent = super().forward(obs_history)
        return 2 * velocity, latent


class DoubledAndSafe(Doubled):
    graph_safe = True


@pytest.fixture
def make_runner(make_env, him_cfg, monkeypatch):
    """A runner with the estimator of this name."""
    monkeypatch.setattr("rsl_rl.modules.him_actor_critic.ESTIMATORS", ESTIMATORS | {"Doubled": Doubled})

    def make(name: str) -> HIMOnPolicyRunner:
        him_cfg["policy"]["estimator_class_name"] = name
        return HIMOnPolicyRunner(make_env(8), him_cfg)

    return make


def test_the_config_chooses_the_estimator_and_the_actor_sees_what_it_says(make_runner):
    runner = make_runner("Doubled")
    runner.learn(1)
    network = runner.alg.actor_critic
    obs = runner.env.get_observations()
    velocity = network.estimator.encoder(obs)[:, :3]
    frame = network.num_one_step_obs
    assert torch.allclose(network.actor_input(obs)[:, frame : frame + 3], 2 * velocity)


def test_an_unknown_estimator_is_refused(make_runner):
    with pytest.raises(
        ValueError, match="unknown estimator class 'Tripled'; known: HIMEstimator, RegressionEstimator, Doubled"
    ):
        make_runner("Tripled")


def test_the_exported_policy_has_the_estimators_own_forward_and_no_more_parameters(make_runner, tmp_path):
    runner = make_runner("Doubled")
    export_policy_as_jit(runner.alg.actor_critic, tmp_path / "policy.pt")
    policy = torch.jit.load(tmp_path / "policy.pt")
    obs = torch.randn(5, runner.env.num_obs)
    assert torch.allclose(policy(obs), runner.alg.actor_critic.act_inference(obs), atol=1e-6)
    network = runner.alg.actor_critic
    needed = [*network.actor.parameters(), *network.estimator.encoder.parameters()]
    assert len(list(policy.parameters())) == len(needed)


def test_only_an_estimator_that_declares_it_is_recorded(make_runner, monkeypatch):
    assert make_runner("HIMEstimator").alg.is_graph_safe
    assert not make_runner("Doubled").alg.is_graph_safe
    monkeypatch.setattr("rsl_rl.modules.him_actor_critic.ESTIMATORS", {"DoubledAndSafe": DoubledAndSafe})
    assert make_runner("DoubledAndSafe").alg.is_graph_safe


def test_regression_alone_learns_what_the_history_tells_of_the_next_state():
    """A next state that is a rotation of what the history holds is a function of a latent of as many numbers."""
    torch.manual_seed(0)
    estimator = RegressionEstimator(2, 7, enc_hidden_dims=(64, 16), tar_hidden_dims=(64,))
    rotation, _ = torch.linalg.qr(torch.randn(7, 7))

    def batch() -> tuple[Tensor, Tensor]:
        hidden = functional.normalize(torch.randn(256, 7), dim=1)
        history = torch.cat((hidden, torch.randn(256, 7)), dim=1)
        state = hidden @ rotation
        return history, torch.cat((torch.randn(256, 3), state), dim=1)  # commands, 4 of the frame, velocity

    for _ in range(600):
        estimator.update(*batch(), 3e-3)
    history, critic_obs = batch()
    losses = estimator.losses(history, critic_obs)
    variance = critic_obs[:, 3:].var().item()  # the error of the best guess that knows no history
    assert losses.swap.item() < 0.1 * variance and losses.estimation.item() < 0.1 * variance


def test_regression_reports_the_errors_of_what_it_says():
    estimator = RegressionEstimator(2, 7, enc_hidden_dims=(8, 4), tar_hidden_dims=(8,))
    history, critic_obs = torch.randn(5, 14), torch.randn(5, 12)
    losses = estimator.losses(history, critic_obs)
    velocity, latent = estimator(history)
    state = estimator.decoder(torch.cat((velocity, latent), dim=1)).detach().numpy()
    assert losses.estimation.item() == pytest.approx(((velocity - critic_obs[:, 7:10]) ** 2).mean().item())
    assert losses.swap.item() == pytest.approx(((state - critic_obs[:, 3:10].numpy()) ** 2).mean(), rel=1e-5)


def test_regression_trains_and_exports_without_its_decoder(make_runner, tmp_path):
    runner = make_runner("RegressionEstimator")
    runner.learn(1)
    network = runner.alg.actor_critic
    export_policy_as_jit(network, tmp_path / "policy.pt")
    policy = torch.jit.load(tmp_path / "policy.pt")
    obs = torch.randn(5, runner.env.num_obs)
    assert torch.allclose(policy(obs), network.act_inference(obs), atol=1e-6)
    assert not [name for name, _ in policy.named_parameters() if "decoder" in name]
    frame = network.num_one_step_obs
    assert network_sizes(network.state_dict(), frame)["estimator_class_name"] == "RegressionEstimator"
