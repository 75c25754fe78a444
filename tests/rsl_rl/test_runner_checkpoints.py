"""Checkpoints: numbering, round trip, files of others, and files that do not fit."""

import errno
import os
import re

import pytest
import torch

from rsl_rl.runners import HIMOnPolicyRunner, OnPolicyRunner

KEYS = {"model_state_dict", "optimizer_state_dict", "estimator_optimizer_state_dict", "iter", "infos"}


@pytest.fixture
def trained(make_env, him_cfg, tmp_path) -> HIMOnPolicyRunner:
    """A runner after 5 iterations, saved at 0, 2, 4 and at the end."""
    him_cfg["runner"]["save_interval"] = 2
    runner = HIMOnPolicyRunner(make_env(8), him_cfg, tmp_path)
    runner.learn(5)
    return runner


def saved_models(directory) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if not path.name.startswith("events."))


def recorded_iterations(runner: OnPolicyRunner, num_iterations: int) -> list[int]:
    iterations = []
    runner._try_to_save = iterations.append
    runner.save_interval = 1
    runner.learn(num_iterations)
    return iterations


def test_files_are_numbered_and_hold_the_published_keys(trained, tmp_path):
    assert saved_models(tmp_path) == ["model_0.pt", "model_2.pt", "model_4.pt", "model_5.pt"]
    for number, completed in ((0, 1), (2, 3), (4, 5), (5, 5)):
        checkpoint = torch.load(tmp_path / f"model_{number}.pt", weights_only=True)
        assert set(checkpoint) >= KEYS
        assert checkpoint["iter"] == number
        assert checkpoint["completed_iterations"] == completed


@pytest.mark.parametrize(("file", "first"), [("model_2.pt", 3), ("model_5.pt", 5)])
def test_resuming_neither_repeats_nor_skips_an_iteration(trained, make_env, him_cfg, tmp_path, file, first):
    resumed = HIMOnPolicyRunner(make_env(8), him_cfg)
    resumed.load(tmp_path / file)
    assert recorded_iterations(resumed, 2) == [first, first + 1, first + 2]  # the last is the final save
    assert resumed.tot_timesteps == (first + 2) * 24 * 8


def test_a_resumed_run_continues_exactly_as_the_first_would_have(trained, make_env, him_cfg, tmp_path):
    resumed = HIMOnPolicyRunner(make_env(8), him_cfg)
    resumed.load(tmp_path / "model_5.pt")
    assert resumed.alg.learning_rate == trained.alg.learning_rate
    for runner in (trained, resumed):
        runner.log_dir = None
        torch.manual_seed(1)
        runner.env.reset()
        runner.learn(2)
    for name, parameter in trained.alg.actor_critic.state_dict().items():
        assert torch.equal(resumed.alg.actor_critic.state_dict()[name], parameter), name


def test_both_optimisers_share_the_learning_rate_after_loading(trained, make_env, him_cfg, tmp_path):
    resumed = HIMOnPolicyRunner(make_env(8), him_cfg)
    resumed.load(tmp_path / "model_5.pt")
    resumed.learn(1)
    assert resumed.alg.optimizer.param_groups[0]["lr"] is resumed.alg.lr
    assert resumed.alg.actor_critic.estimator.optimizer.param_groups[0]["lr"] is resumed.alg.lr


def test_a_published_checkpoint_resumes_at_its_iter(make_env, him_cfg, tmp_path):
    """Written as the published code does: plain Adam with a number for a rate, and the five keys only."""
    runner = HIMOnPolicyRunner(make_env(8), him_cfg)
    network = runner.alg.actor_critic
    policy_adam = torch.optim.Adam(network.parameters(), lr=3e-4)
    estimator_adam = torch.optim.Adam(network.estimator.parameters(), lr=3e-4)
    sum(p.square().sum() for p in network.parameters()).backward()
    policy_adam.step()
    estimator_adam.step()
    states = (network.state_dict(), policy_adam.state_dict(), estimator_adam.state_dict(), 40, None)
    keys = ("model_state_dict", "optimizer_state_dict", "estimator_optimizer_state_dict", "iter", "infos")
    torch.save(dict(zip(keys, states, strict=True)), tmp_path / "model_40.pt")

    runner.load(tmp_path / "model_40.pt")
    assert runner.alg.learning_rate == pytest.approx(3e-4)
    assert recorded_iterations(runner, 1) == [40, 41]


def test_another_history_length_is_explained(trained, make_env, him_cfg, tmp_path):
    him_cfg["policy"]["temporal_steps"] = 4
    other = HIMOnPolicyRunner(make_env(8, temporal_steps=4), him_cfg)
    message = (
        "estimator.encoder.0.weight is (64, 27) in the file and (64, 36) in the network, "
        "because it was trained on 3 history frames and policy.temporal_steps is 4"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        other.load(tmp_path / "model_5.pt")


def test_a_checkpoint_of_the_other_family_names_what_is_missing(trained, make_env, plain_cfg, tmp_path):
    with pytest.raises(ValueError, match=r"model_5.pt does not fit the network: actor.0.weight is .*; and \d+ more"):
        OnPolicyRunner(make_env(8), plain_cfg).load(tmp_path / "model_5.pt")


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_a_damaged_file_is_said_to_be_one(trained, tmp_path, content):
    whole = (tmp_path / "model_5.pt").read_bytes()
    damaged = tmp_path / "damaged.pt"
    damaged.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(ValueError, match=r"damaged.pt is damaged or not a checkpoint"):
        trained.load(damaged)


def test_missing_optimiser_state_is_an_error_that_names_the_way_out(trained, tmp_path):
    checkpoint = torch.load(tmp_path / "model_5.pt", weights_only=True)
    del checkpoint["estimator_optimizer_state_dict"]
    torch.save(checkpoint, tmp_path / "bare.pt")
    with pytest.raises(ValueError, match="load_optimizer=False"):
        trained.load(tmp_path / "bare.pt")
    trained.load(tmp_path / "bare.pt", load_optimizer=False)


def test_a_full_disk_costs_the_file_but_neither_the_training_nor_older_files(trained, tmp_path, monkeypatch, capsys):
    before = (tmp_path / "model_5.pt").read_bytes()

    def full_disk(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    trained.save_interval = 5
    trained.learn(2)  # would overwrite model_5.pt
    assert trained.current_learning_iteration == 7
    assert (tmp_path / "model_5.pt").read_bytes() == before
    assert saved_models(tmp_path) == ["model_0.pt", "model_2.pt", "model_4.pt", "model_5.pt"]  # nor a partial file
    assert capsys.readouterr().out.count("Cannot save") == 2


@pytest.mark.parametrize("load_optimizer", [True, False])
def test_the_curriculum_travels_with_the_training_state(trained, make_env, him_cfg, tmp_path, load_optimizer):
    trained.env.get_curriculum_state = lambda: {"terrain_levels": torch.tensor([1, 2]), "max_vx": 1.5}
    trained.save(tmp_path / "with_curriculum.pt", infos={"note": "x"})
    env, received = make_env(8), []
    env.set_curriculum_state = received.append
    infos = HIMOnPolicyRunner(env, him_cfg).load(tmp_path / "with_curriculum.pt", load_optimizer=load_optimizer)
    assert infos == {"note": "x"}
    assert [state["terrain_levels"].tolist() for state in received] == ([[1, 2]] if load_optimizer else [])


def test_inference_policy_gives_the_mean_action(trained, make_env):
    env = make_env(8)
    env.reset()
    policy = trained.get_inference_policy(device="cpu")
    assert torch.equal(policy(env.get_observations()), policy(env.get_observations()))
    assert policy(env.get_observations()).shape == (8, 3)
