"""ANYmal C on rough and on flat ground: 45 kg, knees bent towards each other."""

from legged_gym.envs.base.legged_robot_config import LeggedRobotCfgPPO
from legged_gym.envs.base.quadruped_config import QuadrupedCfg

HFE, KFE = 0.4, -0.8  # [rad] of the front legs; the hind legs bend the other way


class AnymalCRoughCfg(QuadrupedCfg):
    class init_state(QuadrupedCfg.init_state):
        pos = [0.0, 0.0, 0.60]  # [m]
        default_joint_angles = {
            **{f"{leg}_HAA": 0.0 for leg in ("LF", "LH", "RF", "RH")},  # [rad]
            **{f"{leg}_HFE": HFE for leg in ("LF", "RF")},
            **{f"{leg}_HFE": -HFE for leg in ("LH", "RH")},
            **{f"{leg}_KFE": KFE for leg in ("LF", "RF")},
            **{f"{leg}_KFE": -KFE for leg in ("LH", "RH")},
        }

    class control(QuadrupedCfg.control):
        # Near the impedance of its series-elastic drives (Hutter et al. 2017, doi 10.1080/01691864.2017.1378591).
        stiffness = {"HAA": 80.0, "HFE": 80.0, "KFE": 80.0}  # [N·m/rad]
        damping = {"HAA": 2.0, "HFE": 2.0, "KFE": 2.0}  # [N·m·s/rad]

    class asset(QuadrupedCfg.asset):
        file = "{LEGGED_GYM_ROOT_DIR}/resources/robots/anymal_c/urdf/anymal_c.urdf"
        name = "anymal_c"
        foot_name = "FOOT"
        penalize_contacts_on = ["HIP", "THIGH", "SHANK", "base"]
        left_names = ["LF", "LH"]
        right_names = ["RF", "RH"]
        mirror_reversed = ["HAA"]

    class rewards(QuadrupedCfg.rewards):
        base_height_target = 0.55  # [m]; as it stands in the default pose
        clearance_height_target = -0.38  # [m] of feet in the base's frame; they stand at -0.54


class AnymalCRoughCfgPPO(LeggedRobotCfgPPO):
    class runner(LeggedRobotCfgPPO.runner):
        experiment_name = "rough_anymal_c"


class AnymalCFlatCfg(AnymalCRoughCfg):
    class terrain(AnymalCRoughCfg.terrain):
        mesh_type = "plane"
        curriculum = False


class AnymalCFlatCfgPPO(AnymalCRoughCfgPPO):
    class runner(AnymalCRoughCfgPPO.runner):
        experiment_name = "flat_anymal_c"
