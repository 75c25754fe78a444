"""A1 on rough and on flat ground."""

from legged_gym.envs.base.legged_robot_config import LeggedRobotCfgPPO
from legged_gym.envs.base.quadruped_config import QuadrupedCfg, joint_angles


class A1RoughCfg(QuadrupedCfg):
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
