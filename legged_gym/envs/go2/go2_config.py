"""Go2 on rough and on flat ground."""

from legged_gym.envs.base.legged_robot_config import LeggedRobotCfgPPO
from legged_gym.envs.base.quadruped_config import SmallQuadrupedCfg


class Go2RoughCfg(SmallQuadrupedCfg):
    class asset(SmallQuadrupedCfg.asset):
        file = "{LEGGED_GYM_ROOT_DIR}/resources/robots/go2/urdf/go2.urdf"
        name = "go2"
        # The head, rigidly fixed to the trunk, is a body of its own: unpunished, policies feel stairs with it.
        penalize_contacts_on = [*SmallQuadrupedCfg.asset.penalize_contacts_on, "Head"]
        terminate_after_contacts_on = ["base", "Head"]

    class commands(SmallQuadrupedCfg.commands):
        curriculum_by_high_speed = True

    class rewards(SmallQuadrupedCfg.rewards):
        class scales(SmallQuadrupedCfg.rewards.scales):
            base_height = -20.0
            trunk_clearance = -20.0

        # The head's lower edge is 10 cm below the base and 34 cm ahead: it needs a higher trunk, and room before it.
        base_height_target = 0.33  # [m] the default pose's
        trunk_points_x = [-0.25, 0.33, 0.42]
        trunk_points_z = [-0.06, -0.10, -0.10]
        trunk_clearance_target = 0.1


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
