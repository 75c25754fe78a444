"""How much a policy explores: the entropy coefficient's schedule, the deviation's bound; and learning in a mirror."""

import copy
from typing import Any

import pytest
import torch
from point_mass import TRAIN_CFG, PointMassEnv, ResumablePointMassEnv

from rsl_rl.algorithms import PPO
from rsl_rl.modules import ActorCritic
from rsl_rl.modules.actor_critic import MIN_STD
from rsl_rl.runners import HIMOnPolicyRunner
from rsl_rl.storage.him_rollout_storage import HIMMiniBatch
from rsl_rl.utils.mirror import Mirror, Reflection, mirrored


def point_mass_cfg(**algorithm: Any) -> dict[str, Any]:
    cfg = copy.deepcopy(TRAIN_CFG)
    cfg["algorithm"] |= algorithm
    return cfg


@pytest.mark.parametrize(
    ("iteration", "expected"), [(0, 0.01), (700, 0.01), (950, 0.0055), (1200, 0.001), (9000, 0.001)]
)
def test_the_entropy_coefficient_falls_in_a_line(iteration: int, expected: float) -> None:
    algorithm = PPO(ActorCritic(4, 4, 2), entropy_coef=0.01, final_entropy_coef=0.001, entropy_decay=(700, 1200))
    algorithm.begin_iteration(iteration)
    assert algorithm.entropy_coef.item() == pytest.approx(expected)


def test_without_a_final_entropy_coefficient_it_stays() -> None:
    algorithm = PPO(ActorCritic(4, 4, 2), entropy_coef=0.01)
    algorithm.begin_iteration(5000)
    assert algorithm.entropy_coef.item() == pytest.approx(0.01)


def test_a_decay_that_does_not_rise_is_refused() -> None:
    with pytest.raises(ValueError, match=r"entropy_decay must be two rising iterations, but is \[9, 9\]"):
        PPO(ActorCritic(4, 4, 2), entropy_decay=[9, 9])


def test_a_resumed_run_goes_on_in_the_schedule(tmp_path: Any) -> None:
    cfg = point_mass_cfg(entropy_coef=0.4, final_entropy_coef=0.2, entropy_decay=[0, 4])
    runner = HIMOnPolicyRunner(ResumablePointMassEnv(8), cfg, tmp_path)
    runner.learn(2)
    resumed = HIMOnPolicyRunner(ResumablePointMassEnv(8), cfg)
    resumed.load(tmp_path / "model_2.pt")
    resumed.learn(1)  # its number is 2
    assert resumed.alg.entropy_coef.item() == pytest.approx(0.3)


def test_a_deviation_below_0_is_lifted_and_learns_on() -> None:
    torch.manual_seed(1)
    runner = HIMOnPolicyRunner(PointMassEnv(16), point_mass_cfg(entropy_coef=0.1))
    std = runner.alg.actor_critic.std
    with torch.no_grad():
        std[1] = -0.01
    runner.learn(1)
    assert runner.alg.skipped_steps == 0
    assert std[1] > MIN_STD  # the entropy's gradient reaches it again
    assert std.isfinite().all()


def test_quiet_envs_are_spread_evenly_and_draw_less_noise() -> None:
    torch.manual_seed(2)
    algorithm = PPO(ActorCritic(4, 4, 3), quiet_fraction=0.25, quiet_scale=0.2)
    algorithm.init_storage(4000, 1, [4], [4], [3])
    actions = algorithm.act(torch.zeros(4000, 4), torch.zeros(4000, 4))
    noise = (actions - algorithm.transition.action_mean).view(1000, 4, 3).std(dim=(0, 2))
    assert noise.tolist() == pytest.approx([1.0, 1.0, 1.0, 0.2], rel=0.05)  # of 3000 draws each
    assert algorithm.transition.action_sigma[:4, 0].tolist() == pytest.approx([1.0, 1.0, 1.0, 0.2])


def test_the_learning_rate_ignores_quiet_envs() -> None:
    cfg = point_mass_cfg(quiet_fraction=0.5, quiet_scale=0.01)
    runner = HIMOnPolicyRunner(PointMassEnv(16), cfg)
    runner.learn(3)
    assert runner.alg.skipped_steps == 0
    assert runner.alg.learning_rate > 1e-4  # their divergence, 10,000 times the others', would drive it to 1e-5


@pytest.mark.parametrize("name", ["quiet_fraction", "mirror_fraction"])
def test_shares_that_leave_nothing_to_judge_by_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"algorithm.{name} must be at least 0 and below 1, got 1.0"):
        PPO(ActorCritic(4, 4, 2), **{name: 1.0})


def test_a_mini_batch_is_mirrored_sample_by_sample() -> None:
    mirror = Mirror(
        observations=Reflection(torch.tensor([1, 0]), torch.tensor([1.0, 1.0])),
        critic_observations=Reflection(torch.tensor([0, 1]), torch.tensor([1.0, -1.0])),
        actions=Reflection(torch.tensor([1, 0]), torch.tensor([-1.0, -1.0])),
    )
    pair = torch.tensor([[2.0, 3.0], [5.0, 7.0]])
    unseen = ("target_values", "advantages", "returns", "old_actions_log_prob")
    batch = HIMMiniBatch(
        **{field: (pair[:, :1] if field in unseen else pair).clone() for field in HIMMiniBatch._fields}
    )
    seen = mirrored(batch, mirror, torch.tensor([False, True]))
    assert seen.observations.tolist() == [[2, 3], [7, 5]]
    assert seen.critic_observations.tolist() == seen.next_critic_observations.tolist() == [[2, 3], [5, -7]]
    assert seen.actions.tolist() == seen.old_mu.tolist() == [[2, 3], [-7, -5]]
    assert seen.old_sigma.tolist() == [[2, 3], [7, 5]]
    assert all(torch.equal(getattr(seen, field), pair[:, :1]) for field in unseen)


class MirroredPointMassEnv(PointMassEnv):
    """Space is the same with y the other way round."""

    @property
    def mirror(self) -> Mirror:
        y = torch.tensor([1.0, -1.0, 1.0])
        frame = Reflection(torch.arange(9), y.repeat(3))
        return Mirror(
            observations=Reflection(torch.arange(27), y.repeat(9)),
            critic_observations=Reflection(torch.arange(15), y.repeat(5)),
            actions=Reflection(frame.columns[:3], y),
        )


def test_learning_in_a_mirror_makes_a_policy_symmetric() -> None:
    asymmetries = []
    for fraction in (0.0, 0.5):
        torch.manual_seed(3)
        env = MirroredPointMassEnv(64)
        runner = HIMOnPolicyRunner(env, point_mass_cfg(mirror_fraction=fraction))
        runner.learn(20)
        obs = env.get_observations().clone()
        policy = runner.get_inference_policy()
        with torch.inference_mode():
            asymmetry = policy(env.mirror.observations(obs)) - env.mirror.actions(policy(obs))
        asymmetries.append(asymmetry.norm().item() / policy(obs).norm().item())
    assert asymmetries[1] < 0.6 * asymmetries[0]
