"""Configs: values of the published tasks, and independence of copies."""

import pytest

from legged_gym.envs.aliengo.aliengo_config import AliengoFlatCfg, AliengoRoughCfg, AliengoRoughCfgPPO
from legged_gym.envs.base.base_config import BaseConfig
from legged_gym.utils.helpers import class_to_dict, update_class_from_dict


class Example(BaseConfig):
    values = [1, 2]

    class section:
        gains = {"joint": 3.0}

        class part:
            size = 5


class Derived(Example):
    class section(Example.section):
        class part(Example.section.part):
            size = 7


def test_instances_share_nothing_with_each_other_or_the_class() -> None:
    first, second = Example(), Example()
    first.values.append(3)
    first.section.gains["hip"] = 4.0
    first.section.part.size = 6
    for other in (second, Example()):
        assert (other.values, other.section.gains, other.section.part.size) == ([1, 2], {"joint": 3.0}, 5)


def test_derived_config_keeps_what_it_does_not_state() -> None:
    assert Derived().section.gains == {"joint": 3.0} and Derived().section.part.size == 7


def test_config_as_dict_is_nested_and_plain() -> None:
    assert class_to_dict(Derived()) == {"values": [1, 2], "section": {"gains": {"joint": 3.0}, "part": {"size": 7}}}


def test_dict_updates_sections_in_place() -> None:
    cfg = Example()
    part = cfg.section.part
    update_class_from_dict(cfg, {"values": [9], "section": {"gains": {"x": 1.0}, "part": {"size": 8}}})
    assert (cfg.values, cfg.section.gains, part.size) == ([9], {"x": 1.0}, 8)


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("runner", {"num_steps_per_env": 48, "max_iterations": 200000, "save_interval": 20, "checkpoint": -1}),
        (
            "algorithm",
            {"clip_param": 0.2, "num_mini_batches": 4, "learning_rate": 1e-3, "use_clipped_value_loss": True},
        ),
        (
            "policy",
            {
                "init_noise_std": 1.0,
                "temporal_steps": 10,
                "enc_hidden_dims": [128, 64, 16],
                "num_prototype": 32,
                "temperature": 3.0,
            },
        ),
    ],
)
def test_learner_has_the_documented_values(section: str, expected: dict) -> None:
    values = class_to_dict(AliengoRoughCfgPPO())[section]
    assert {key: values[key] for key in expected} == expected


def test_flat_task_differs_from_the_rough_one_in_its_ground_and_in_how_speeds_widen() -> None:
    rough, flat = class_to_dict(AliengoRoughCfg()), class_to_dict(AliengoFlatCfg())
    assert (flat["terrain"]["mesh_type"], flat["terrain"]["curriculum"]) == ("plane", False)
    assert (flat["commands"]["curriculum_by_high_speed"], flat["commands"]["max_curriculum"]) == (False, 3.0)
    for cfg in (rough, flat):
        del cfg["terrain"]["mesh_type"], cfg["terrain"]["curriculum"]
        del cfg["commands"]["curriculum_by_high_speed"], cfg["commands"]["max_curriculum"]
    assert rough == flat
