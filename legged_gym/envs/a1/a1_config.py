"""A1 on rough and on flat ground."""

from legged_gym.envs.base.legged_robot_config import LeggedRobotCfgPPO
from legged_gym.envs.base.quadruped_config import SmallQuadrupedCfg


class A1RoughCfg(SmallQuadrupedCfg):
    class control(SmallQuadrupedCfg.control):
        target_margin = 0.15  # [rad]; without it half of the climbs end with a calf in its stop

    class asset(SmallQuadrupedCfg.asset):
        file = "{LEGGED_GYM_ROOT_DIR}/resources/robots/a1/urdf/a1.urdf"
        name = "a1"


class A1RoughCfgPPO(LeggedRobotCfgPPO):
    class runner(LeggedRobotCfgPPO.runner):
        experiment_name = "rough_a1"


class A1FlatCfg(A1RoughCfg):
    class terrain(A1RoughCfg.terrain):
        mesh_type = "plane"
        curriculum = False


class A1FlatCfgPPO(A1RoughCfgPPO):
    class runner(A1RoughCfgPPO.runner):
        experiment_name = "flat_a1"
