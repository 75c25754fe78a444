"""Registers every task. Adding a robot: its URDF, its config, one `register` line here."""

from legged_gym.envs.a1.a1_config import A1FlatCfg, A1FlatCfgPPO, A1RoughCfg, A1RoughCfgPPO
from legged_gym.envs.aliengo.aliengo_config import (
    AliengoFlatCfg,
    AliengoFlatCfgPPO,
    AliengoRoughCfg,
    AliengoRoughCfgPPO,
)
from legged_gym.envs.anymal_c.anymal_c_config import (
    AnymalCFlatCfg,
    AnymalCFlatCfgPPO,
    AnymalCRoughCfg,
    AnymalCRoughCfgPPO,
)
from legged_gym.envs.b2.b2_config import B2FlatCfg, B2FlatCfgPPO, B2RoughCfg, B2RoughCfgPPO
from legged_gym.envs.base.legged_robot import LeggedRobot
from legged_gym.envs.base.wheeled_robot import WheeledRobot
from legged_gym.envs.go1.go1_config import Go1FlatCfg, Go1FlatCfgPPO, Go1RoughCfg, Go1RoughCfgPPO
from legged_gym.envs.go2.go2_config import Go2FlatCfg, Go2FlatCfgPPO, Go2RoughCfg, Go2RoughCfgPPO
from legged_gym.envs.go2w.go2w_config import Go2WFlatCfg, Go2WFlatCfgPPO, Go2WRoughCfg, Go2WRoughCfgPPO
from legged_gym.utils.task_modules import import_installed_tasks
from legged_gym.utils.task_registry import task_registry

task_registry.register("a1", LeggedRobot, A1RoughCfg(), A1RoughCfgPPO())
task_registry.register("a1_flat", LeggedRobot, A1FlatCfg(), A1FlatCfgPPO())
task_registry.register("aliengo", LeggedRobot, AliengoRoughCfg(), AliengoRoughCfgPPO())
task_registry.register("aliengo_flat", LeggedRobot, AliengoFlatCfg(), AliengoFlatCfgPPO())
task_registry.register("anymal_c", LeggedRobot, AnymalCRoughCfg(), AnymalCRoughCfgPPO())
task_registry.register("anymal_c_flat", LeggedRobot, AnymalCFlatCfg(), AnymalCFlatCfgPPO())
task_registry.register("b2", LeggedRobot, B2RoughCfg(), B2RoughCfgPPO())
task_registry.register("b2_flat", LeggedRobot, B2FlatCfg(), B2FlatCfgPPO())
task_registry.register("go1", LeggedRobot, Go1RoughCfg(), Go1RoughCfgPPO())
task_registry.register("go1_flat", LeggedRobot, Go1FlatCfg(), Go1FlatCfgPPO())
task_registry.register("go2", LeggedRobot, Go2RoughCfg(), Go2RoughCfgPPO())
task_registry.register("go2_flat", LeggedRobot, Go2FlatCfg(), Go2FlatCfgPPO())
task_registry.register("go2w", WheeledRobot, Go2WRoughCfg(), Go2WRoughCfgPPO())
task_registry.register("go2w_flat", WheeledRobot, Go2WFlatCfg(), Go2WFlatCfgPPO())

__all__ = ["LeggedRobot", "WheeledRobot", "task_registry"]

import_installed_tasks()  # of other packages; they may import the names above
