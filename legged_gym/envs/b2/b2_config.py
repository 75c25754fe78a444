"""B2 on rough and on flat ground: 74 kg, the build of Go2 at 1.6 times its size."""

from legged_gym.envs.base.legged_robot_config import LeggedRobotCfgPPO
from legged_gym.envs.base.quadruped_config import QuadrupedCfg, joint_angles


class B2RoughCfg(QuadrupedCfg):
    class init_state(QuadrupedCfg.init_state):
        pos = [0.0, 0.0, 0.60]  # [m]
        default_joint_angles = joint_angles(hip=0.1, front_thigh=0.8, rear_thigh=0.8, calf=-1.5)  # [rad]

    class control(QuadrupedCfg.control):
        stiffness = {"joint": 180.0}  # [N·m/rad] Go2's, by the ratio of masses, 5, and a little less
        damping = {"joint": 5.0}  # [N·m·s/rad] likewise
        action_scale = 0.25

    class asset(QuadrupedCfg.asset):
        file = "{LEGGED_GYM_ROOT_DIR}/resources/robots/b2/urdf/b2.urdf"
        name = "b2"
        armature = 0.03  # [kg·m²] estimated: the description's rotors, 2.6e-4 kg·m², behind gears of about 1 : 11

    class rewards(QuadrupedCfg.rewards):
        base_height_target = 0.50  # [m]; it stands at 0.53 in the default pose
        clearance_height_target = -0.35  # [m] of feet in the base's frame; they stand at -0.50


class B2RoughCfgPPO(LeggedRobotCfgPPO):
    class runner(LeggedRobotCfgPPO.runner):
        experiment_name = "rough_b2"


class B2FlatCfg(B2RoughCfg):
    class terrain(B2RoughCfg.terrain):
        mesh_type = "plane"
        curriculum = False


class B2FlatCfgPPO(B2RoughCfgPPO):
    class runner(B2RoughCfgPPO.runner):
        experiment_name = "flat_b2"
