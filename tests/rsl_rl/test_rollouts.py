"""What is stored in a rollout and how an update draws from it."""

from contextlib import nullcontext

import pytest
import torch

import rsl_rl.algorithms.losses as losses_module
from rsl_rl.algorithms import HIMPPO, PPO
from rsl_rl.modules import ActorCritic, HIMActorCritic
from rsl_rl.modules.him_estimator import HIMEstimator
from rsl_rl.runners import HIMOnPolicyRunner
from rsl_rl.storage import HIMMiniBatch, HIMRolloutStorage, RolloutStorage


def numbered_storage(num_envs: int, num_steps: int) -> RolloutStorage:
    """A storage in which each sample's observation, action and value are its own number."""
    storage = RolloutStorage(num_envs, num_steps, [1], [1], [1])
    numbers = torch.arange(num_envs * num_steps, dtype=torch.float).view(num_steps, num_envs, 1)
    for buffer in (storage.observations, storage.actions, storage.values):
        buffer.copy_(numbers)
    return storage


def plain_ppo(num_envs: int, **cfg) -> PPO:
    ppo = PPO(ActorCritic(5, 7, 2, actor_hidden_dims=[8], critic_hidden_dims=[8]), **cfg)
    ppo.init_storage(num_envs, 1, [5], [7], [2])
    return ppo


def test_time_out_adds_the_discounted_value_and_failure_does_not():
    ppo = plain_ppo(3, gamma=0.9)
    critic_obs = torch.randn(3, 7)
    ppo.act(torch.randn(3, 5), critic_obs)
    dones = torch.tensor([True, True, False])
    rewards = torch.tensor([1.0, 2.0, 3.0])
    ppo.process_env_step(rewards, dones, {"time_outs": torch.tensor([True, False, False])})
    value = ppo.actor_critic.evaluate(critic_obs)[0].item()
    assert ppo.storage.rewards.flatten().tolist() == pytest.approx([1.0 + 0.9 * value, 2.0, 3.0])
    assert rewards.tolist() == [1.0, 2.0, 3.0]  # the env's own tensor is left alone


def test_stored_observations_are_copies():
    ppo = plain_ppo(3)
    obs, critic_obs = torch.ones(3, 5), torch.ones(3, 7)
    ppo.act(obs, critic_obs)
    obs[:], critic_obs[:] = 2.0, 2.0  # the env edits its buffers while it steps
    ppo.process_env_step(torch.zeros(3), torch.zeros(3), {})
    assert (ppo.storage.observations == 1.0).all()
    assert (ppo.storage.critic_observations == 1.0).all()


def test_kl_of_an_updates_first_mini_batch_is_zero(make_env, him_cfg, monkeypatch):
    divergences = []

    def spy(*distributions: torch.Tensor) -> torch.Tensor:
        divergences.append(torch.distributions.kl_divergence(*_normals(*distributions)).sum(dim=-1).mean().item())
        return original(*distributions)

    original = losses_module.gaussian_kl
    monkeypatch.setattr(losses_module, "gaussian_kl", spy)
    HIMOnPolicyRunner(make_env(16), him_cfg).learn(3)
    firsts, lasts = divergences[:: 2 * 4], divergences[2 * 4 - 1 :: 2 * 4]
    assert firsts == pytest.approx([0.0] * 3, abs=1e-6)
    assert min(lasts) > 1e-4  # the spy would have seen a difference


def _normals(mu, sigma, old_mu, old_sigma):
    return torch.distributions.Normal(old_mu, old_sigma), torch.distributions.Normal(mu, sigma)


def test_mini_batches_cover_the_rollout_once_and_repeat_in_each_epoch():
    batches = list(numbered_storage(6, 4).mini_batch_generator(3, 2))
    numbers = [batch.observations.flatten().tolist() for batch in batches]
    assert sorted(sum(numbers[:3], [])) == list(range(24))
    assert numbers[:3] == numbers[3:]
    assert numbers[0] != sorted(numbers[0])


def test_each_update_draws_a_new_permutation():
    storage = numbered_storage(6, 4)
    first, second = (next(storage.mini_batch_generator(3, 1)).observations for _ in range(2))
    assert not torch.equal(first, second)


def test_rows_of_a_mini_batch_belong_together():
    batch = next(numbered_storage(6, 4).mini_batch_generator(3, 1))
    assert torch.equal(batch.observations, batch.actions)
    assert torch.equal(batch.observations, batch.target_values)


def test_him_mini_batch_has_the_ten_tensors_in_the_published_order():
    storage = HIMRolloutStorage(2, 2, [5], [7], [3])
    batch = next(storage.mini_batch_generator(1, 1))
    names = "observations critic_observations actions next_critic_observations target_values advantages returns"
    assert HIMMiniBatch._fields == (*names.split(), "old_actions_log_prob", "old_mu", "old_sigma")
    assert [t.shape[1] for t in batch] == [5, 7, 3, 7, 1, 1, 1, 1, 3, 3]


def test_advantages_are_normalised_over_the_rollout():
    storage = numbered_storage(6, 4)
    storage.compute_returns(torch.zeros(6, 1), 0.9, 0.8)
    assert storage.advantages.mean().item() == pytest.approx(0.0, abs=1e-6)
    assert storage.advantages.std().item() == pytest.approx(1.0, abs=1e-6)


def test_a_full_rollout_takes_no_more_steps():
    ppo = plain_ppo(3)
    for _ in range(2):
        ppo.act(torch.zeros(3, 5), torch.zeros(3, 7))
        if ppo.storage.step == 1:
            with pytest.raises(OverflowError, match="already holds its 1 steps"):
                ppo.process_env_step(torch.zeros(3), torch.zeros(3), {})
        else:
            ppo.process_env_step(torch.zeros(3), torch.zeros(3), {})


def test_estimator_learns_from_the_observation_before_the_reset(make_env, him_cfg):
    env = make_env(8)
    him_cfg["runner"]["num_steps_per_env"] = 25  # one whole episode: all envs time out on the last step
    runner = HIMOnPolicyRunner(env, him_cfg)
    runner.alg.update = lambda: pytest.fail("the rollout is looked at before it is learned from")
    with pytest.raises(pytest.fail.Exception):
        runner.learn(1)
    last = runner.alg.storage.next_critic_observations[-1]
    assert (last[:, 3:6] != 0).all()  # a new episode starts at position 0
    assert (env.privileged_obs_buf[:, 3:6] == 0).all()


def test_losses_are_means_over_all_mini_batches(monkeypatch):
    network = HIMActorCritic(9, 12, 9, 2, temporal_steps=1, actor_hidden_dims=[8], critic_hidden_dims=[8])
    him_ppo = HIMPPO(network, num_learning_epochs=2, num_mini_batches=2)
    him_ppo.init_storage(4, 1, [9], [12], [2])
    him_ppo.act(torch.randn(4, 9), torch.randn(4, 12))
    him_ppo.process_env_step(torch.zeros(4), torch.zeros(4), {}, torch.randn(4, 12))
    parts = iter(torch.tensor([[1.0, 2.0, 3.0, 4.0], [3.0, 2.0, 3.0, 0.0], [0.0, 2.0, 9.0, 0.0], [4.0, 2.0, 1.0, 4.0]]))
    monkeypatch.setattr(him_ppo, "_update_mini_batch", lambda batch: tuple(next(parts)))
    losses = him_ppo.update()
    assert losses == (2.0, 2.0, 4.0, 2.0)
    assert losses._fields == ("value_function", "surrogate", "estimation", "swap")


def test_one_learning_rate_tensor_serves_both_optimisers(make_env, him_cfg):
    runner = HIMOnPolicyRunner(make_env(8), him_cfg)
    runner.learn(1)
    estimator_optimizer = runner.alg.actor_critic.estimator.optimizer
    assert runner.alg.optimizer.param_groups[0]["lr"] is runner.alg.lr
    assert estimator_optimizer.param_groups[0]["lr"] is runner.alg.lr


def test_one_pass_of_the_encoder_teaches_what_two_do(make_env, him_cfg, monkeypatch):
    def trained() -> tuple[list[torch.Tensor], int]:
        torch.manual_seed(3)
        runner = HIMOnPolicyRunner(make_env(16), him_cfg)
        passes = []
        runner.alg.actor_critic.estimator.encoder.register_forward_hook(lambda *_: passes.append(1))
        update = runner.alg.update
        monkeypatch.setattr(runner.alg, "update", lambda: (passes.clear(), update())[1])
        runner.learn(2)
        return [parameter.detach().clone() for parameter in runner.alg.actor_critic.parameters()], len(passes)

    once, num_passes = trained()
    monkeypatch.setattr(HIMEstimator, "encoding_once", lambda self, obs_history: nullcontext())
    twice, num_plain_passes = trained()
    assert num_passes == num_plain_passes / 2 > 0
    assert all(torch.equal(a, b) for a, b in zip(once, twice, strict=True))
