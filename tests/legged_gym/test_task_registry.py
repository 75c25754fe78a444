"""What the registry hands out. Environments are built in test_env.py."""

from types import SimpleNamespace

import pytest

from legged_gym.envs import LeggedRobot, task_registry
from legged_gym.utils.helpers import get_args


def test_tasks_are_registered() -> None:
    assert {"aliengo", "aliengo_flat"} <= task_registry.task_classes.keys()
    assert task_registry.get_task_class("aliengo") is LeggedRobot


def test_unknown_task_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown task 'horse'; registered tasks: .*aliengo, aliengo_flat"):
        task_registry.get_cfgs("horse")


def test_configs_are_copies() -> None:
    env_cfg, train_cfg = task_registry.get_cfgs("aliengo")
    env_cfg.init_state.default_joint_angles["FL_hip_joint"] = 9.0
    env_cfg.terrain.terrain_proportions.append(1.0)
    train_cfg.policy.actor_hidden_dims.append(1)
    again, train_again = task_registry.get_cfgs("aliengo")
    assert again.init_state.default_joint_angles["FL_hip_joint"] == 0.0
    assert len(again.terrain.terrain_proportions) == 5 and len(train_again.policy.actor_hidden_dims) == 3


def test_environment_takes_the_learners_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_registry.train_cfgs["aliengo"], "seed", 23)
    assert task_registry.get_cfgs("aliengo")[0].seed == 23


def test_history_of_another_length_is_refused() -> None:
    env = SimpleNamespace(num_obs=6 * 45, num_one_step_obs=45)
    with pytest.raises(ValueError, match="holds 6 frames but policy.temporal_steps is 10"):
        task_registry.make_alg_runner(env, "aliengo", get_args([]), log_root=None)
