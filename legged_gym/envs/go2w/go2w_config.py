"""Go2-W on rough and on flat ground: Go2 with four driven wheels for feet."""

from legged_gym.envs.base.legged_robot_config import LeggedRobotCfgPPO
from legged_gym.envs.base.quadruped_config import QuadrupedCfg, joint_angles

WHEEL = "foot_joint"  # part of the names of the wheels' joints


class Go2WRoughCfg(QuadrupedCfg):
    class env(QuadrupedCfg.env):
        num_actions = 16  # twelve joint positions and four wheel speeds

    class init_state(QuadrupedCfg.init_state):
        pos = [0.0, 0.0, 0.45]  # [m]
        default_joint_angles = {
            **joint_angles(hip=0.0, front_thigh=0.8, rear_thigh=0.8, calf=-1.5),  # [rad]
            **{f"{leg}_{WHEEL}": 0.0 for leg in ("FL", "FR", "RL", "RR")},
        }

    class control(QuadrupedCfg.control):
        # With 40 N·m/rad, as Go2 has, its knees give way under the wheels' 4.7 kg while it rolls.
        stiffness = {"hip": 60.0, "thigh": 60.0, "calf": 60.0, WHEEL: 0.0}  # [N·m/rad]
        damping = {"hip": 2.0, "thigh": 2.0, "calf": 2.0, WHEEL: 0.5}  # [N·m·s/rad]
        action_scale = 0.25
        wheel_name = WHEEL
        wheel_scale = 10.0  # [rad/s]: 0.9 m/s at action 1

    class asset(QuadrupedCfg.asset):
        file = "{LEGGED_GYM_ROOT_DIR}/resources/robots/go2w/urdf/go2w.urdf"
        name = "go2w"
        terminate_after_contacts_on = ["base", "Head"]

    class rewards(QuadrupedCfg.rewards):
        class scales(QuadrupedCfg.rewards.scales):
            foot_clearance = 0.0  # wheels need not swing
            dof_acc = -1e-7  # smaller, since wheels accelerate with the robot

        base_height_target = 0.40  # [m]; it stands at 0.41 in the default pose


class Go2WRoughCfgPPO(LeggedRobotCfgPPO):
    class runner(LeggedRobotCfgPPO.runner):
        experiment_name = "rough_go2w"


class Go2WFlatCfg(Go2WRoughCfg):
    class terrain(Go2WRoughCfg.terrain):
        mesh_type = "plane"
        curriculum = False


class Go2WFlatCfgPPO(Go2WRoughCfgPPO):
    class runner(Go2WRoughCfgPPO.runner):
        experiment_name = "flat_go2w"
