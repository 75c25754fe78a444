"""Configs that no environment can be built from."""

from types import SimpleNamespace
from typing import Any

import pytest
from small_envs import build, small_cfg


def without_joint(cfg: Any) -> None:
    del cfg.init_state.default_joint_angles["RL_calf_joint"]


def with_section(section: str, name: str, value: Any) -> Any:
    return lambda cfg: setattr(getattr(cfg, section), name, value)


def speeds_with_a_margin(cfg: Any) -> None:
    cfg.control.control_type, cfg.control.target_margin = "V", 0.1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            without_joint,
            "joint 'RL_calf_joint' has no default angle; add 'RL_calf_joint': <angle in rad> to init_state",
        ),
        (with_section("env", "num_envs", 0), "'env.num_envs' must be a whole number from 1 up, got 0"),
        (with_section("terrain", "mesh_type", "moon"), "mesh_type is 'moon', but must be one of: plane, heightfield"),
        (with_section("control", "control_type", "X"), "control_type is 'X'"),
        (with_section("control", "target_margin", -0.1), "'control.target_margin' must not be negative, got -0.1"),
        (with_section("control", "target_margin", 0.9), "target_margin is 0.9 rad, which bars FL_hip_joint, FL_calf_"),
        (speeds_with_a_margin, "target_margin is for joint position targets, but control_type is V"),
        (with_section("control", "stiffness", {"hip": 1.0}), "joints 'FL_thigh_joint', .* have no gain"),
        (with_section("asset", "foot_name", "hoof"), "no body's name contains asset.foot_name 'hoof'"),
        (with_section("env", "num_actions", 8), "has 12 joints but env.num_actions is 8"),
        (with_section("rewards", "scales", SimpleNamespace(trot=1.0)), "'trot' has no method _reward_trot"),
    ],
)
def test_impossible_config_is_refused_in_one_sentence(change: Any, message: str) -> None:
    cfg = small_cfg("aliengo_flat")
    change(cfg)
    with pytest.raises(ValueError, match=message) as error:
        build(cfg)
    assert "\n" not in str(error.value)


def test_missing_urdf_is_named() -> None:
    cfg = small_cfg("aliengo_flat")
    cfg.asset.file = "{LEGGED_GYM_ROOT_DIR}/resources/robots/horse.urdf"
    with pytest.raises(FileNotFoundError, match="no robot description at '/.*/resources/robots/horse.urdf'"):
        build(cfg)
