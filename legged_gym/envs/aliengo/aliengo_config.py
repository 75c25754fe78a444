"""Aliengo on rough and on flat ground."""

from legged_gym.envs.base.legged_robot_config import LeggedRobotCfgPPO
from legged_gym.envs.base.quadruped_config import QuadrupedCfg, joint_angles


class AliengoRoughCfg(QuadrupedCfg):
    class init_state(QuadrupedCfg.init_state):
        pos = [0.0, 0.0, 0.55]  # [m]
        default_joint_angles = joint_angles(hip=0.0, front_thigh=0.8, rear_thigh=0.8, calf=-1.5)  # [rad]

    class control(QuadrupedCfg.control):
        stiffness = {"joint": 40.0}  # [N·m/rad]
        damping = {"joint": 2.0}  # [N·m·s/rad]

    class commands(QuadrupedCfg.commands):
        curriculum_by_high_speed = True
        max_curriculum = 2.0  # [m/s]

    class asset(QuadrupedCfg.asset):
        file = "{LEGGED_GYM_ROOT_DIR}/resources/robots/aliengo/urdf/aliengo.urdf"
        name = "aliengo"

    class rewards(QuadrupedCfg.rewards):
        class scales(QuadrupedCfg.rewards.scales):
            trunk_clearance = -10.0

        trunk_points_x = [-0.32, 0.32, 0.42]  # the trunk's ends, and before it
        trunk_points_z = [-0.06, -0.06, -0.06]
        soft_dof_pos_limit = 0.95
        soft_dof_vel_limit = 0.95
        soft_torque_limit = 0.95


class AliengoRoughCfgPPO(LeggedRobotCfgPPO):
    class runner(LeggedRobotCfgPPO.runner):
        experiment_name = "rough_aliengo"


class AliengoFlatCfg(AliengoRoughCfg):
    class terrain(AliengoRoughCfg.terrain):
        mesh_type = "plane"
        curriculum = False

    class commands(QuadrupedCfg.commands):
        pass  # as HIMLoco's; the rough task's speeds have not been tried here


class AliengoFlatCfgPPO(AliengoRoughCfgPPO):
    class runner(AliengoRoughCfgPPO.runner):
        experiment_name = "flat_aliengo"
