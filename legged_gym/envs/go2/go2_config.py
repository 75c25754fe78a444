"""Go2 on rough and on flat ground."""

from legged_gym.envs.base.legged_robot_config import LeggedRobotCfgPPO
from legged_gym.envs.base.quadruped_config import QuadrupedCfg, joint_angles


class Go2RoughCfg(QuadrupedCfg):
    class init_state(QuadrupedCfg.init_state):
        pos = [0.0, 0.0, 0.42]  # [m]
        default_joint_angles = joint_angles(hip=0.1, front_thigh=0.8, rear_thigh=1.0, calf=-1.5)  # [rad]

    class control(QuadrupedCfg.control):
        stiffness = {"joint": 40.0}  # [N·m/rad]
        damping = {"joint": 1.0}  # [N·m·s/rad]
        action_scale = 0.25

    class commands(QuadrupedCfg.commands):
        max_curriculum = 2.0  # [m/s]

    class asset(QuadrupedCfg.asset):
        file = "{LEGGED_GYM_ROOT_DIR}/resources/robots/go2/urdf/go2.urdf"
        name = "go2"


class Go2RoughCfgPPO(LeggedRobotCfgPPO):
    class runner(LeggedRobotCfgPPO.runner):
        experiment_name = "rough_go2"


class Go2FlatCfg(Go2RoughCfg):
    class terrain(Go2RoughCfg.terrain):
        mesh_type = "plane"
        curriculum = False


class Go2FlatCfgPPO(Go2RoughCfgPPO):
    class runner(Go2RoughCfgPPO.runner):
        experiment_name = "flat_go2"
