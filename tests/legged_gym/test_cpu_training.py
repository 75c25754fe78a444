"""Which trainings take the CPU's recipe, and what of it flags and checkpoints change."""

import sys
from pathlib import Path
from typing import Any

import pytest

from legged_gym.envs import task_registry
from legged_gym.scripts import train
from legged_gym.utils.cpu_training import suit_cpu
from legged_gym.utils.helpers import get_args

CPU = ["--headless", "--sim_device", "cpu"]


def starting_cfgs(*flags: str) -> tuple[Any, Any]:
    return train.starting_cfgs(get_args([*CPU, *flags], extra=train.FLAGS))


@pytest.mark.parametrize(("task", "dof_acc"), [("aliengo_flat", -1e-7), ("go2w_flat", -0.4e-7)])
def test_on_a_plane_penalties_shrink_with_the_robots_own(task: str, dof_acc: float) -> None:
    env_cfg, train_cfg = task_registry.get_cfgs(task)
    kept = env_cfg.rewards.scales.orientation
    assert suit_cpu(env_cfg, train_cfg)
    scales = env_cfg.rewards.scales
    assert [scales.dof_acc, scales.action_rate, scales.lin_vel_z] == pytest.approx([dof_acc, -0.003, -0.5])
    assert scales.orientation == kept and scales.base_height == -10.0
    assert (scales.progress, scales.collision, scales.trunk_clearance, scales.termination) == (0.0, 0.0, 0.0, 0.0)
    assert (scales.foot_clearance, env_cfg.commands.keep_direction) == (-0.01, False)
    assert (train_cfg.runner.num_steps_per_env, train_cfg.runner.max_iterations) == (100, 900)
    assert not env_cfg.domain_rand.push_robots and env_cfg.domain_rand.randomize_kp


@pytest.mark.parametrize("task", ["aliengo", "go2w"])
def test_rough_ground_is_left_alone_and_the_plane_named(task: str, capsys: pytest.CaptureFixture[str]) -> None:
    for more, is_told in (([], True), (["--resume"], False), (["--cpu_recipe", "off"], False)):
        assert starting_cfgs("--task", task, *more) == (None, None)
        assert (f"half an hour does for --task {task}_flat" in capsys.readouterr().out) == is_told
    with pytest.raises(ValueError, match=f"--cpu_recipe on: it is for quadrupeds on a plane.* not for '{task}'"):
        starting_cfgs("--task", task, "--cpu_recipe", "on")


def test_it_is_said_and_can_be_left(capsys: pytest.CaptureFixture[str]) -> None:
    assert starting_cfgs("--task", "go1_flat", "--cpu_recipe", "off") == (None, None)
    assert "recipe" not in capsys.readouterr().out
    env_cfg, _ = starting_cfgs("--task", "go1_flat")
    assert env_cfg.env.num_envs == 256 and "--cpu_recipe off" in capsys.readouterr().out
    with pytest.raises(ValueError, match="--cpu_recipe is 'auto', 'on' or 'off', not 'yes'"):
        starting_cfgs("--task", "go1_flat", "--cpu_recipe", "yes")


def test_the_environment_keeps_as_many_frames_as_a_setting_gives_the_policy() -> None:
    flags = [*CPU, "--task", "aliengo_flat", "--num_envs", "2", "--set", "policy.temporal_steps=3"]
    args = get_args(flags, extra=train.FLAGS)
    env, _ = task_registry.make_env(args.task, args, *train.starting_cfgs(args))
    assert env.num_obs == 3 * env.num_one_step_obs


def test_settings_override_it_and_a_resumed_run_keeps_its_networks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.modules["legged_gym.utils.task_registry"], "LEGGED_GYM_LOGS_DIR", str(tmp_path))
    flags = [*CPU, "--task", "aliengo_flat", "--num_envs", "4", "--max_iterations", "1"]
    settings = ["--set", "runner.num_steps_per_env=4", "algorithm.num_mini_batches=2"]

    def prepare(*more: str) -> train.Training:
        return train.prepare(get_args([*flags, *settings, *more], extra=train.FLAGS))

    run = prepare("policy.actor_hidden_dims=[32,16]", "rewards.scales.action_rate=-0.5")
    assert run.train_cfg.policy.critic_hidden_dims == [256, 128, 64] and run.train_cfg.runner.max_iterations == 1
    assert run.runner.env.reward_scales["action_rate"] == pytest.approx(-0.5 * 0.02)  # a step's
    run.runner.learn(1)
    assert run.claim is not None
    run.claim.close()
    capsys.readouterr()
    again = prepare("--resume", "--cpu_recipe", "off")
    said = capsys.readouterr().out
    assert "policy.actor_hidden_dims is [32, 16] in model_1.pt" in said and "policy.critic_hidden_dims is [256" in said
    assert again.train_cfg.policy.actor_hidden_dims == [32, 16]
    assert again.runner.current_learning_iteration == 1
