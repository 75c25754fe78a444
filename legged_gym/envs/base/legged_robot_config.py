"""Default configuration of a legged robot and of its learner. A robot's config states only what differs."""

from legged_gym.envs.base.base_config import BaseConfig


class LeggedRobotCfg(BaseConfig):
    seed = 1  # the registry copies the learner's seed here

    class env:
        num_envs = 4096
        num_actions = 12
        # Frames in the actor's history. None: follows the learner's policy.temporal_steps, its only source.
        temporal_steps = None
        env_spacing = 3.0  # [m] between robots on a plane; terrains have their own origins
        send_timeouts = True  # tell the learner which episodes ended by time, so that it bootstraps them
        episode_length_s = 20

    class terrain:
        mesh_type = "trimesh"  # plane, heightfield or trimesh
        horizontal_scale = 0.1  # [m] between height samples
        vertical_scale = 0.005  # [m] per height unit
        border_size = 25  # [m] of flat ground around the tiles
        curriculum = True  # rows are levels of rising difficulty
        static_friction = 1.0
        dynamic_friction = 1.0
        restitution = 0.0
        # Height scan under the robot, in the yaw-aligned base frame [m]: 17 x 11 points, 1.6 m x 1 m.
        measure_heights = True
        measured_points_x = [-0.8, -0.7, -0.6, -0.5, -0.4, -0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
        measured_points_y = [-0.5, -0.4, -0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
        # Points under the trunk that define the base's height above ground [m].
        base_height_points_x = [-0.15, -0.1, -0.05, 0.0, 0.05, 0.1, 0.15]
        base_height_points_y = [-0.2, -0.15, -0.1, -0.05, 0.0, 0.05, 0.1, 0.15, 0.2]
        selected = False  # every tile of the one type in terrain_kwargs
        # e.g. {"type": "pyramid_stairs_terrain", "step_width": 0.3, "step_height": 0.1}; a list: one per column
        terrain_kwargs = None
        lowest_level_again = 0  # who solves the top level goes to a random one from here on
        max_init_terrain_level = 5  # with a curriculum, robots start at a random level up to this one
        terrain_length = 8.0  # [m] of a tile along x
        terrain_width = 8.0  # [m] of a tile along y
        num_rows = 10  # levels
        num_cols = 20  # types
        # Shares of: smooth slope, rough slope, stairs up, stairs down, discrete obstacles, stepping stones, gaps, pits,
        # waves.
        # Or by name, e.g. {"stairs_up": 0.5, "pit": 0.5}; the names are those of RECIPES in utils/terrain.py.
        terrain_proportions = [0.1, 0.2, 0.3, 0.3, 0.1]
        slope_treshold = 0.75  # trimesh only: steeper faces become vertical walls

    class commands:
        curriculum = True  # widens the forward-speed range as tracking improves
        curriculum_by_high_speed = (
            False  # asks for the tracking of the high-speed robots alone, not of the others as well
        )
        max_curriculum = 3.0  # [m/s] bound of the forward-speed range
        num_commands = 4  # vx, vy, yaw rate, heading
        resampling_time = 10.0  # [s]
        heading_command = True  # the yaw rate steers towards a heading
        turning_fraction = 0.1  # of the commands in heading mode: turn on the spot at a constant yaw rate
        circling_fraction = 0.0  # of the commands in heading mode: walk and turn at a constant yaw rate
        # Every other robot always walks forwards, the rest backwards (any way sideways), so that a robot's level
        # is what it climbs in its direction. False, as in HIMLoco: each command goes either way.
        keep_direction = False
        standing_fraction = 0.0  # of the commands in heading mode: stand, without turning to a heading

        class ranges:
            lin_vel_x = [-1.0, 1.0]  # [m/s]
            lin_vel_y = [-1.0, 1.0]  # [m/s]
            ang_vel_yaw = [-3.14, 3.14]  # [rad/s]
            heading = [-3.14, 3.14]  # [rad]

    class init_state:
        pos = [0.0, 0.0, 1.0]  # [m] x, y, z above the environment's origin
        rot = [0.0, 0.0, 0.0, 1.0]  # x, y, z, w
        lin_vel = [0.0, 0.0, 0.0]  # [m/s]
        ang_vel = [0.0, 0.0, 0.0]  # [rad/s]
        default_joint_angles = {}  # joint name: angle at zero action [rad]

    class control:
        control_type = "P"  # P: position targets, V: velocity targets, T: torques
        stiffness = {}  # part of a joint's name: kp [N·m/rad]
        damping = {}  # part of a joint's name: kd [N·m·s/rad]
        action_scale = 0.5  # target angle = default + action_scale * action
        decimation = 4  # simulation steps per policy step
        hip_reduction = 1.0  # further factor on the actions of hip joints
        # [rad] that joint targets stay inside the joints' limits, by bounds on the actions; None: they go anywhere.
        # For light robots: near its stop a joint pushes only as hard as its target is away.
        target_margin = None
        wheel_name = ""  # of a WheeledRobot: part of the names of joints whose actions are speeds
        wheel_scale = 10.0  # [rad/s] target speed of a wheel at action 1

    class asset:
        file = ""  # path of the URDF; {LEGGED_GYM_ROOT_DIR} is filled in
        name = "legged_robot"
        # Names of bodies are parts of them or, with ^ first, regular expressions: "^Link1$" is not Link12.
        foot_name = "foot"  # of the feet
        # The robot in a mirror, for algorithm.mirror_fraction: parts of left joints' names and what stands there in the
        # right ones'; parts of the names of joints that turn the other way there, as those about x and z do.
        left_names = []
        right_names = []
        mirror_reversed = []
        penalize_contacts_on = []  # of bodies that should not touch anything
        terminate_after_contacts_on = []  # of those that must not
        disable_gravity = False
        collapse_fixed_joints = True  # merges fixed links, except those with dont_collapse="true"
        fix_base_link = False
        default_dof_drive_mode = 3  # 0 none, 1 position, 2 velocity, 3 effort
        self_collisions = 0  # 1: off, 0: on (a bit mask)
        replace_cylinder_with_capsule = True
        flip_visual_attachments = True
        density = 0.001
        angular_damping = 0.0
        linear_damping = 0.0
        max_angular_velocity = 1000.0
        max_linear_velocity = 1000.0
        armature = 0.0
        thickness = 0.01
        strict_inertia = False  # refuse inertias that no body has, instead of balancing them with a warning

    class domain_rand:
        randomize_payload_mass = True
        payload_mass_range = [-1.0, 2.0]  # [kg] added to the base, once per robot
        randomize_com_displacement = True
        com_displacement_range = [-0.05, 0.05]  # [m] added to the base's centre of mass, once per robot
        randomize_link_mass = False
        link_mass_range = [0.9, 1.1]  # factor on every link but the base
        randomize_friction = True
        friction_range = [0.2, 1.25]  # new at every reset; the simulator averages it with the ground's
        randomize_restitution = False
        restitution_range = [0.0, 1.0]
        randomize_motor_strength = True
        motor_strength_range = [0.9, 1.1]
        randomize_kp = True
        kp_range = [0.9, 1.1]
        randomize_kd = True
        kd_range = [0.9, 1.1]
        randomize_initial_joint_pos = True
        initial_joint_pos_range = [0.5, 1.5]  # factor on the default angles at reset
        disturbance = True
        disturbance_range = [-30.0, 30.0]  # [N] per axis, on the base, base frame
        disturbance_interval = 8  # [policy steps]
        push_robots = True
        push_interval_s = 16
        max_push_vel_xy = 1.0  # [m/s]
        delay = True  # actions take effect after a random part of the policy step

    class rewards:
        class scales:
            termination = 0.0
            tracking_lin_vel = 1.0
            tracking_ang_vel = 0.5
            lin_vel_z = -2.0
            ang_vel_xy = -0.05
            orientation = 0.0
            torques = -1e-5
            dof_vel = 0.0
            dof_acc = -2.5e-7
            base_height = 0.0
            feet_air_time = 1.0
            collision = -1.0
            feet_stumble = 0.0
            action_rate = -0.01
            stand_still = 0.0

        only_positive_rewards = True  # clip the sum at zero, except for the termination term
        tracking_sigma = 0.25  # tracking reward = exp(-error^2 / sigma)
        fine_tracking_sigma = 0.02  # of the fine_tracking terms
        soft_dof_pos_limit = 1.0  # share of the URDF's limits that is free of penalty
        soft_dof_vel_limit = 1.0
        soft_torque_limit = 1.0
        base_height_target = 1.0  # [m] above ground
        trunk_points_x = [-0.25, 0.25]  # of trunk_clearance [m], base frame, in its middle plane
        trunk_points_z = [-0.06, -0.06]  # [m] of each of them
        trunk_clearance_target = 0.05  # [m] of these points above the ground below them
        max_contact_force = 100.0  # [N]
        clearance_height_target = 0.09  # [m] foot height in the base frame

    class normalization:
        class obs_scales:
            lin_vel = 2.0
            ang_vel = 0.25
            dof_pos = 1.0
            dof_vel = 0.05
            height_measurements = 5.0

        clip_observations = 100.0
        clip_actions = 100.0

    class noise:
        add_noise = True
        noise_level = 1.0  # factor on all of the below

        class noise_scales:  # half-widths of uniform noise, in physical units
            ang_vel = 0.2
            gravity = 0.05
            dof_pos = 0.01
            dof_vel = 1.5
            lin_vel = 0.0  # seen by the critic and the estimator's target only
            height_measurements = 0.1

    class viewer:
        ref_env = 0
        pos = [10, 0, 6]  # [m]
        lookat = [11.0, 5, 3.0]  # [m]

    class sim:
        dt = 0.005  # [s]
        substeps = 1
        gravity = [0.0, 0.0, -9.81]  # [m/s^2]
        up_axis = 1  # 0: y, 1: z

        class physx:
            num_threads = 10
            solver_type = 1  # 0: PGS, 1: TGS
            num_position_iterations = 4
            num_velocity_iterations = 0
            contact_offset = 0.01  # [m]
            rest_offset = 0.0  # [m]
            bounce_threshold_velocity = 0.5  # [m/s]
            max_depenetration_velocity = 1.0  # [m/s]
            max_gpu_contact_pairs = 2**23
            default_buffer_size_multiplier = 5
            contact_collection = 2  # 0: never, 1: last sub-step, 2: all sub-steps


class LeggedRobotCfgPPO(BaseConfig):
    seed = 1
    runner_class_name = "HIMOnPolicyRunner"

    class policy:
        init_noise_std = 1.0
        actor_hidden_dims = [512, 256, 128]
        critic_hidden_dims = [512, 256, 128]
        activation = "elu"
        # A name in rsl_rl/modules/estimators.py; RegressionEstimator: the baseline without contrast.
        estimator_class_name = "HIMEstimator"
        temporal_steps = 10  # frames in the actor's history; the environment follows
        enc_hidden_dims = [128, 64, 16]  # the last one is the latent's size
        tar_hidden_dims = [128, 64]
        num_prototype = 32
        temperature = 3.0
        global_assignments = True  # on several GPUs, assign samples to prototypes over those of all GPUs

    class algorithm:
        value_loss_coef = 1.0
        use_clipped_value_loss = True
        clip_param = 0.2
        entropy_coef = 0.01
        # Exploration fades: the coefficient falls to this one in a line between two iterations. None: it stays, as in
        # HIMLoco.
        final_entropy_coef = 0.001
        entropy_decay = [520, 1150]
        num_learning_epochs = 5
        num_mini_batches = 4
        learning_rate = 1e-3
        schedule = "adaptive"
        gamma = 0.99
        lam = 0.95
        desired_kl = 0.01
        max_grad_norm = 1.0
        quiet_fraction = 0.0  # of the robots explore with quiet_scale of the deviation
        quiet_scale = 0.35
        mirror_fraction = 0.5  # of the samples are learned as seen in a mirror, if asset.left_names are given
        mixed_precision = True  # learn with hidden layers of 16 bits where that is faster, see rsl_rl.modules.mlp.MLP

    class runner:
        policy_class_name = "HIMActorCritic"
        algorithm_class_name = "HIMPPO"
        num_steps_per_env = 48  # HIMLoco: 100
        max_iterations = 200000
        init_at_random_ep_len = True  # spreads the first resets over time

        save_interval = 20  # [iterations]
        keep = 100  # newest checkpoints that stay on the disk, 7 MB each; None: all
        export = False  # write policy_<iteration>.pt and .onnx beside every checkpoint
        figure_interval = None  # iterations between pictures of the state for TensorBoard; None: none
        experiment_name = "test"
        run_name = ""

        resume = False
        load_run = -1  # -1: the newest run
        checkpoint = -1  # -1: the last checkpoint
        resume_path = None
