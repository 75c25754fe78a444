"""Mistakes in configs, each refused in one sentence before anything is built."""

import inspect
import re
from typing import Any

import pytest
from small_envs import small_cfg

from legged_gym.envs import task_registry
from legged_gym.envs.base import legged_robot_config
from legged_gym.envs.base.legged_robot_config import LeggedRobotCfg, LeggedRobotCfgPPO
from legged_gym.utils.config_checks import check_config, name_problems
from legged_gym.utils.helpers import get_args

FLAGS = ["--headless", "--sim_device", "cpu"]


def with_value(path: str, value: Any) -> Any:
    """The config that has this dotted key, with this value."""
    first, *_ = path.split(".")
    config = (
        LeggedRobotCfgPPO if first in ("policy", "algorithm", "runner", "runner_class_name") else LeggedRobotCfg
    )()
    section = config
    *sections, key = path.split(".")
    for name in sections:
        section = getattr(section, name)
    setattr(section, key, value)
    return config


@pytest.mark.parametrize("name", sorted(task_registry.task_classes))
def test_registered_configs_pass(name: str) -> None:
    for config in task_registry.get_cfgs(name):
        check_config(config, strict=True)


def test_none_is_taken_where_a_comment_says_what_it_means() -> None:
    section, promised = "", []
    for line in inspect.getsource(legged_robot_config).splitlines():
        if found := re.match(r"    class (\w+)", line):
            section = found[1]
        key = re.match(r" {8}(\w+) = ", line)
        pending = bool(promised) and promised[-1].endswith("?")  # a comment above its key
        if key and pending:
            promised[-1] = f"{section}.{key[1]}"
        elif "None:" in line:
            promised.append(f"{section}.{key[1]}" if key else "?")
    assert "algorithm.final_entropy_coef" in promised and len(promised) == 5
    for path in promised:
        check_config(with_value(path, None), strict=True)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("env.num_env", 5, "unknown key 'env.num_env'; did you mean 'num_envs'?"),
        ("algorithm.learning_rat", 1e-3, "unknown key 'algorithm.learning_rat'; did you mean 'learning_rate'?"),
        ("terain", None, "unknown key 'terain'; did you mean 'terrain'?"),
        ("env", 3, "'env' is a section, got 3"),
        ("env.num_envs", 2.5, "'env.num_envs' must be a whole number from 1 up, got 2.5"),
        ("env.num_envs", True, "'env.num_envs' must be a finite number, got True"),
        ("env.num_envs", 10**12, "'env.num_envs' must be at most 1048576, got 1000000000000"),
        ("env.send_timeouts", "yes", "'env.send_timeouts' must be True or False, got 'yes'"),
        ("terrain.mesh_type", 1, "'terrain.mesh_type' must be a text, got 1"),
        ("terrain.terrain_proportions", 0.5, "'terrain.terrain_proportions' must be a list of finite numbers, got 0.5"),
        ("terrain.terrain_proportions", [0.5, float("nan")], "must be a list of finite numbers, got [0.5, nan]"),
        ("terrain.terrain_proportions", {"pit": "much"}, "must map names to finite numbers, got {'pit': 'much'}"),
        ("terrain.terrain_proportions", {"pitt": 1.0}, "there is no terrain type 'pitt'; did you mean 'pit'?"),
        ("terrain.terrain_proportions", [0.9, 0.2], "terrain.terrain_proportions must sum to at most 1"),
        ("terrain.horizontal_scale", 1e-5, "the terrain would have 2.7e+14 height samples"),
        ("terrain.terrain_length", 0.1, "a terrain tile must be at least two samples long and wide"),
        ("terrain.measured_points_x", [], "'terrain.measured_points_x' is empty"),
        ("sim.dt", 0.0, "'sim.dt' must be greater than 0, got 0.0"),
        ("sim.dt", float("inf"), "'sim.dt' must be a finite number, got inf"),
        ("control.decimation", 0, "'control.decimation' must be a whole number from 1 up, got 0"),
        ("control.stiffness", {"joint": "hard"}, "'control.stiffness' must map names to finite numbers"),
        ("control.stiffness", {"hip": 40.0, "calf": -40.0}, "'control.stiffness.calf' must not be negative, got -40.0"),
        ("control.damping", {"joint": -1}, "'control.damping.joint' must not be negative, got -1"),
        (
            "commands",
            {"turning_fraction": 0.8, "circling_fraction": 0.5},
            "commands.turning_fraction, commands.circling_fraction, commands.standing_fraction must sum to at most 1, "
            "but sum to 1.3",
        ),
        ("commands.ranges.lin_vel_x", [1.0, -1.0], "'commands.ranges.lin_vel_x' must be [low, high], got [1.0, -1.0]"),
        ("domain_rand.kp_range", [-0.1, 1.0], "'domain_rand.kp_range' must not be negative"),
        ("init_state.pos", [0.0, 0.0], "'init_state.pos' must hold 3 numbers"),
        ("init_state.rot", [0.0, 0.0, 0.0, 2.0], "'init_state.rot' must be a quaternion"),
        (
            "rewards.scales.tracking_lin_vel",
            "much",
            "'rewards.scales' must hold finite numbers, see 'tracking_lin",
        ),
        ("rewards.trunk_points_z", [-0.06], "'rewards.trunk_points_z' must be equally long, got [-0.25, 0.25] and [-0"),
        (
            "rewards",
            {"trunk_points_x": [], "trunk_points_z": []},
            "'rewards.trunk_points_x' is empty; to do without, set",
        ),
        ("rewards.soft_dof_pos_limit", 1.5, "'rewards.soft_dof_pos_limit' must lie between 0 and 1"),
        ("noise.noise_scales.gravity", -1.0, "'noise.noise_scales.gravity' must not be negative"),
        ("algorithm.gamma", 1.01, "'algorithm.gamma' must lie between 0 and 1"),
        ("policy.actor_hidden_dims", [], "'policy.actor_hidden_dims' must hold sizes of layers"),
        ("policy.enc_hidden_dims", [128, 0], "'policy.enc_hidden_dims' must hold sizes of layers"),
        ("policy.estimator_class_name", "HIMEstimat", "did you mean 'HIMEstimator'?"),
        ("runner_class_name", "Runner", "'runner_class_name' is 'Runner', which does not exist"),
        (
            "runner.policy_class_name",
            "ActorCritic",
            "'runner.policy_class_name' is 'ActorCritic', which does not exist",
        ),
        (
            "runner.algorithm_class_name",
            "SAC",
            "'runner.algorithm_class_name' is 'SAC', which does not exist; known: H",
        ),
        ("runner.keep", -1, "'runner.keep' must be a whole number from 0 up, got -1"),
        ("runner.figure_interval", 0, "'runner.figure_interval' must be a whole number from 1 up, got 0"),
        ("runner.max_iterations", 0, "'runner.max_iterations' must be a whole number from 1 up, got 0"),
    ],
)
def test_mistakes_are_named(path: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError) as error:
        check_config(with_value(path, value), strict=True)
    assert message in str(error.value)


def test_a_subclass_may_read_keys_of_its_own_but_not_misspelt_ones() -> None:
    check_config(with_value("env.wheel_radius", 0.1), strict=False)
    with pytest.raises(ValueError, match="unknown key 'env.wheel_radius'; known: "):
        check_config(with_value("env.wheel_radius", 0.1), strict=True)
    with pytest.raises(ValueError, match="did you mean 'num_envs'"):
        check_config(with_value("env.num_env", 1), strict=False)


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        (
            "init_state",
            "default_joint_angles",
            {"FL_hip_jont": 0.0},
            "no joint 'FL_hip_jont'; did you mean 'FL_hip_joint'",
        ),
        ("control", "stiffness", {"joint": 1.0, "wheel": 2.0}, "control.stiffness: no joint's name contains 'wheel'"),
        (
            "asset",
            "penalize_contacts_on",
            ["head"],
            "asset.penalize_contacts_on: no body's name contains 'head'",
        ),
    ],
)
def test_names_that_the_robot_lacks_are_refused(section: str, key: str, value: Any, message: str) -> None:
    config = LeggedRobotCfg()
    setattr(getattr(config, section), key, value)
    problems = list(name_problems(config, ["FL_hip_joint", "FL_calf_joint"], ["base", "FL_foot"]))
    assert any(message in problem for problem in problems)


def test_both_configs_are_checked_before_the_environment_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(**_: Any) -> None:
        raise AssertionError("built")

    build.__module__ = "legged_gym.envs"
    monkeypatch.setitem(task_registry.task_classes, "aliengo_flat", build)
    _, train_cfg = task_registry.get_cfgs("aliengo_flat")
    train_cfg.runner.max_iterations = -3
    with pytest.raises(ValueError, match="runner.max_iterations"):
        task_registry.make_env("aliengo_flat", get_args(FLAGS), train_cfg=train_cfg)
    env_cfg = small_cfg("aliengo_flat")
    env_cfg.sim.dt = "fast"
    with pytest.raises(ValueError, match="sim.dt"):
        task_registry.make_env("aliengo_flat", get_args(FLAGS), env_cfg)


def test_all_mistakes_of_both_configs_come_in_one_message() -> None:
    env_cfg, train_cfg = task_registry.get_cfgs("aliengo_flat")
    env_cfg.sim.dt = "fast"  # a type
    env_cfg.env.num_env = 3  # a key
    env_cfg.control.decimation = 0  # a range
    env_cfg.control.control_type = "X"  # a choice
    env_cfg.rewards.scales.trot = 1.0  # two terms
    env_cfg.rewards.scales.gallop = 1.0
    train_cfg.algorithm.gamma = 2.0
    with pytest.raises(ValueError) as error:
        task_registry.make_env("aliengo_flat", get_args(FLAGS), env_cfg, train_cfg)
    for part in ("'sim.dt'", "env.num_env'", "control.decimation", "control_type is 'X'", "_reward_gallop", "'trot'"):
        assert part in str(error.value)
    assert "algorithm.gamma" in str(error.value) and "\n" not in str(error.value)


def test_all_that_does_not_fit_the_robot_comes_in_one_message() -> None:
    env_cfg = small_cfg("aliengo_flat")
    env_cfg.env.num_actions = 13
    for name in ("FL_hip_joint", "RR_calf_joint"):
        del env_cfg.init_state.default_joint_angles[name]
    env_cfg.asset.penalize_contacts_on = ["head"]
    with pytest.raises(ValueError) as error:
        task_registry.make_env("aliengo_flat", get_args(FLAGS), env_cfg)
    for part in (
        "has 12 joints but env.num_actions is 13",
        "joints 'FL_hip_joint', 'RR_calf_joint' have",
        "'head'",
    ):
        assert part in str(error.value)
