"""What Unitree's quadrupeds share: names of bodies, and rewards. A robot's config states the rest."""

from legged_gym.envs.base.legged_robot_config import LeggedRobotCfg


class QuadrupedCfg(LeggedRobotCfg):
    class terrain(LeggedRobotCfg.terrain):
        # With the robots' friction from 0.2 to 2.5, whose mean with the ground's counts: 0.35 to 1.5. HIMLoco: 1.0 and
        # 0.2 to 1.25, so 0.6 to 1.125.
        static_friction = 0.5
        dynamic_friction = 0.5
        lowest_level_again = 5  # HIMLoco: 0
        # Half of the robots climb stairs, which is hardest. HIMLoco: [0.1, 0.2, 0.3, 0.3, 0.1].
        terrain_proportions = [0.1, 0.15, 0.5, 0.15, 0.1]

    class domain_rand(LeggedRobotCfg.domain_rand):
        friction_range = [0.2, 2.5]

    class commands(LeggedRobotCfg.commands):
        keep_direction = True
        standing_fraction = 0.05

    class asset(LeggedRobotCfg.asset):
        foot_name = "foot"
        penalize_contacts_on = ["thigh", "calf", "base"]
        terminate_after_contacts_on = ["base"]
        self_collisions = 1  # off
        left_names = ["FL", "RL"]
        right_names = ["FR", "RR"]
        mirror_reversed = ["hip"]
        # Of the rotors behind the gears [kg·m²], as in MuJoCo Menagerie's Go1 and Go2. HIMLoco: 0, with which a damping
        # of 2 N·m·s/rad at 200 Hz is on the verge of instability.
        armature = 0.01

    class rewards(LeggedRobotCfg.rewards):
        class scales:
            tracking_lin_vel = 1.0
            tracking_ang_vel = 0.5
            lin_vel_z = -2.0
            ang_vel_xy = -0.05
            orientation = -0.2
            dof_acc = -2.5e-7
            joint_power = -2e-5
            base_height = -1.0
            foot_clearance = -0.01
            action_rate = -0.01
            smoothness = -0.01
            dof_pos_limits = -10.0  # HIMLoco: 0; policies then crouch with a hip pressed against its stop
            collision = -0.5  # HIMLoco: 0
            progress = 0.5  # HIMLoco has no such term; without it standing before a stair pays
            lifted_feet = -0.5  # nor this, and none that pays for standing feet
            trunk_clearance = 0.0  # nor this; robots whose trunk is stated below have it
            termination = -100.0  # a fall costs 2; HIMLoco: 0, with which robots first learn to fall soon
            # Terms that HIMLoco defines and leaves off.
            feet_air_time = 0.0
            feet_stumble = 0.0
            stand_still = 0.0
            torques = 0.0
            dof_vel = 0.0
            dof_vel_limits = 0.0
            torque_limits = 0.0
            feet_contact_forces = 0.0

        only_positive_rewards = False
        base_height_target = 0.30  # [m]
        clearance_height_target = -0.20  # [m]


def joint_angles(hip: float, front_thigh: float, rear_thigh: float, calf: float) -> dict[str, float]:
    """A left-right symmetric pose: joint name to angle [rad].

    hip: of the left legs, positive outwards; the right legs' hips are mirrored. The other joints turn alike.
    """
    pose = {}
    for leg in ("FL", "RL", "FR", "RR"):
        pose[f"{leg}_hip_joint"] = hip if leg[1] == "L" else -hip
        pose[f"{leg}_thigh_joint"] = front_thigh if leg[0] == "F" else rear_thigh
        pose[f"{leg}_calf_joint"] = calf
    return pose


class SmallQuadrupedCfg(QuadrupedCfg):
    """What A1, Go1 and Go2 share beyond that: 11 to 15 kg, the same stance and gains."""

    class init_state(QuadrupedCfg.init_state):
        pos = [0.0, 0.0, 0.42]  # [m]
        default_joint_angles = joint_angles(hip=0.1, front_thigh=0.8, rear_thigh=1.0, calf=-1.5)  # [rad]

    class control(QuadrupedCfg.control):
        stiffness = {"joint": 40.0}  # [N·m/rad]
        damping = {"joint": 1.0}  # [N·m·s/rad]
        action_scale = 0.25

    class commands(QuadrupedCfg.commands):
        max_curriculum = 2.0  # [m/s]

    class rewards(QuadrupedCfg.rewards):
        class scales(QuadrupedCfg.rewards.scales):
            base_height = -10.0  # HIMLoco: -1; at 0.25 m a head or trunk meets the riser of a high stair
            foot_clearance = -2.0  # HIMLoco: -0.01, which is next to nothing
            trunk_clearance = -10.0

        clearance_height_target = -0.14  # [m]; HIMLoco: -0.20, 10 cm above the ground and lower than many stairs
