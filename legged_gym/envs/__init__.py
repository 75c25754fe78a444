"""Registers every task. Adding a robot: its URDF, its config, one `register` line here."""

from legged_gym.envs.aliengo.aliengo_config import (
    AliengoFlatCfg,
    AliengoFlatCfgPPO,
    AliengoRoughCfg,
    AliengoRoughCfgPPO,
)
from legged_gym.envs.base.legged_robot import LeggedRobot
from legged_gym.utils.task_registry import task_registry

task_registry.register("aliengo", LeggedRobot, AliengoRoughCfg(), AliengoRoughCfgPPO())
task_registry.register("aliengo_flat", LeggedRobot, AliengoFlatCfg(), AliengoFlatCfgPPO())

__all__ = ["LeggedRobot", "task_registry"]
