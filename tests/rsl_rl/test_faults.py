"""NaN injected into rewards, losses and gradients: what is left out, what is told, and when a run stops."""

import re
from pathlib import Path

import pytest
import torch
from point_mass import PointMassEnv
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from rsl_rl.runners import HIMOnPolicyRunner
from rsl_rl.runners.faults import MAX_SKIPPED_STEPS, TrainingDivergedError
from rsl_rl.utils.adam import make_adam, step_if_finite

UPDATES = 8  # gradient steps of the policy in an iteration of TRAIN_CFG, and as many of the estimator


class FaultyEnv(PointMassEnv):
    """Gives a NaN reward to env 3 while `broken`."""

    broken = False

    def step(self, actions):
        result = super().step(actions)
        if self.broken:
            result.rewards[3] = torch.nan
        return result


@pytest.fixture
def runner(him_cfg, tmp_path) -> HIMOnPolicyRunner:
    return HIMOnPolicyRunner(FaultyEnv(8), him_cfg, tmp_path)


def policy(runner: HIMOnPolicyRunner) -> dict[str, torch.Tensor]:
    """Parameters that only PPO's optimiser changes."""
    parameters = runner.alg.actor_critic.state_dict()
    return {name: value.clone() for name, value in parameters.items() if not name.startswith("estimator")}


@pytest.mark.parametrize("broken_step", [0, 3])
def test_a_step_that_is_left_out_leaves_no_trace(broken_step):
    """Compared with Adam that was never asked for that step."""
    network, expected, lr = nn.Linear(4, 2), nn.Linear(4, 2), torch.tensor(1e-2)
    expected.load_state_dict(network.state_dict())
    optimizer, reference = make_adam(network.parameters(), lr), torch.optim.Adam(expected.parameters(), lr=1e-2)
    x = torch.rand(16, 4)
    for i in range(6):
        if i == broken_step:
            loss = network(x).square().mean() * torch.nan
            assert step_if_finite(optimizer, loss, network.parameters(), 1.0) == 1
        assert step_if_finite(optimizer, network(x).square().mean(), network.parameters(), 1.0) == 0
        reference.zero_grad()
        expected(x).square().mean().backward()
        nn.utils.clip_grad_norm_(expected.parameters(), 1.0)
        reference.step()
    for own, other in zip(network.parameters(), expected.parameters(), strict=True):
        assert torch.allclose(own, other, rtol=1e-5)
    assert optimizer.state_dict()["state"][0]["step"] == 6


def test_an_infinite_gradient_of_a_finite_loss_is_left_out():
    weight = nn.Parameter(torch.zeros(1))
    optimizer = make_adam([weight], torch.tensor(1e-2))
    assert step_if_finite(optimizer, weight.sqrt().sum(), [weight], 1.0) == 1  # d sqrt(x) / dx = ∞ at 0
    assert weight == 0.0


def test_a_broken_rollout_changes_no_policy_and_is_counted(runner, tmp_path: Path, capsys):
    runner.learn(1)
    before = policy(runner)
    runner.env.broken = True
    runner.learn(1)
    assert all(torch.equal(value, before[name]) for name, value in policy(runner).items())
    assert re.search(r"In iteration 1 a loss .* gradient steps left out: 8\.", capsys.readouterr().out)
    runner.env.broken = False
    runner.learn(1)
    assert any(not torch.equal(value, before[name]) for name, value in policy(runner).items())
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [event.value for event in events.Scalars("Faults/skipped_steps")] == [0, UPDATES, UPDATES]


def test_the_estimator_leaves_out_what_it_cannot_learn_from(runner):
    estimator = runner.alg.actor_critic.estimator
    obs, critic_obs = torch.rand(16, 27), torch.rand(16, 15)
    estimator.update(obs, critic_obs, lr=1e-3)
    before = {name: value.clone() for name, value in estimator.state_dict().items()}
    critic_obs[2, 10] = torch.nan
    estimator.update(obs, critic_obs, lr=1e-3)
    assert estimator.skipped == 1
    after = estimator.state_dict()
    assert [name for name in before if name != "proto.weight" and not torch.equal(before[name], after[name])] == []
    assert torch.allclose(after["proto.weight"].norm(dim=1), torch.ones(16))  # normalised, as before every step


def test_a_run_that_learns_no_more_stops_with_a_dump_and_good_networks(runner, tmp_path: Path):
    runner.env.broken = True
    iterations = -(-MAX_SKIPPED_STEPS // UPDATES)
    with pytest.raises(
        TrainingDivergedError, match=rf"training stops; the last rollout is in .*rollout_{iterations - 1}.pt"
    ):
        runner.learn(1000)
    dump = torch.load(tmp_path / f"rollout_{iterations - 1}.pt", weights_only=True)
    assert dump["env_ids"][0] == 3 and dump["rewards"][:, 0].isnan().all() and not dump["rewards"][:, 1].isnan().any()
    checkpoint = torch.load(tmp_path / f"model_{iterations}.pt", weights_only=True)
    assert all(value.isfinite().all() for value in checkpoint["model_state_dict"].values())


def test_the_record_of_a_broken_env_is_written(runner, tmp_path: Path, capsys):
    records = [{"states": torch.ones(2)}]
    runner.env.take_fault_record = lambda: records.pop() if records else None
    runner.learn(2)
    assert torch.load(tmp_path / "fault_0.pt", weights_only=True)["states"].sum() == 2
    assert f"play.py --replay {tmp_path / 'fault_0.pt'}" in capsys.readouterr().out
