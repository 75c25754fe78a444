"""Go1 on rough and on flat ground."""

from legged_gym.envs.base.legged_robot_config import LeggedRobotCfgPPO
from legged_gym.envs.base.quadruped_config import SmallQuadrupedCfg


class Go1RoughCfg(SmallQuadrupedCfg):
    class control(SmallQuadrupedCfg.control):
        target_margin = 0.15  # [rad]; without it half of the climbs end with a calf in its stop

    class asset(SmallQuadrupedCfg.asset):
        file = "{LEGGED_GYM_ROOT_DIR}/resources/robots/go1/urdf/go1.urdf"
        name = "go1"


class Go1RoughCfgPPO(LeggedRobotCfgPPO):
    class runner(LeggedRobotCfgPPO.runner):
        experiment_name = "rough_go1"


class Go1FlatCfg(Go1RoughCfg):
    class terrain(Go1RoughCfg.terrain):
        mesh_type = "plane"
        curriculum = False


class Go1FlatCfgPPO(Go1RoughCfgPPO):
    class runner(Go1RoughCfgPPO.runner):
        experiment_name = "flat_go1"
