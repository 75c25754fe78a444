"""Estimators other than HIMEstimator: chosen by the config, exported as they are, and not recorded unasked."""

import pytest
import torch
from torch import Tensor

from rsl_rl.export import export_policy_as_jit
from rsl_rl.modules.estimators import ESTIMATORS
from rsl_rl.modules.him_estimator import HIMEstimator
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
    with pytest.raises(ValueError, match="unknown estimator class 'Tripled'; known: HIMEstimator, Doubled"):
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
