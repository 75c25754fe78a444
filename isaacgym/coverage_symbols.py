"""Which symbols of the Isaac Gym API 14 open locomotion repositories use, and how many of them use each.

Gathered from calling code; the repositories are HIMLoco and its forks, legged_gym, unitree_rl_gym, humanoid-gym,
walk-these-ways, extreme-parkour, parkour, IsaacGymEnvs, Deep-Whole-Body-Control, human2humanoid and others.
"""

# module (gym: the methods of the gym object) → number of repositories → names
USES: dict[str, dict[int, str]] = {
    "gym": {
        14: """
            acquire_actor_root_state_tensor acquire_dof_state_tensor acquire_net_contact_force_tensor add_ground
            create_actor create_env create_sim create_viewer draw_viewer fetch_results
            find_actor_rigid_body_handle get_actor_rigid_body_properties get_asset_dof_names
            get_asset_dof_properties get_asset_rigid_body_names get_asset_rigid_shape_properties load_asset
            poll_viewer_events prepare_sim query_viewer_action_events query_viewer_has_closed
            refresh_actor_root_state_tensor refresh_dof_state_tensor refresh_net_contact_force_tensor
            refresh_rigid_body_state_tensor set_actor_dof_properties set_actor_rigid_body_properties
            set_actor_root_state_tensor_indexed set_asset_rigid_shape_properties set_dof_actuation_force_tensor
            set_dof_state_tensor_indexed simulate step_graphics subscribe_viewer_keyboard_event sync_frame_time
            viewer_camera_look_at
        """,
        13: """
            add_triangle_mesh clear_lines get_asset_dof_count get_asset_rigid_body_count
            set_actor_root_state_tensor
        """,
        12: "acquire_rigid_body_state_tensor",
        11: "add_heightfield",
        8: "get_actor_rigid_shape_properties write_viewer_image_to_file",
        7: "set_actor_rigid_shape_properties",
        5: "apply_rigid_body_force_tensors",
        4: "create_camera_sensor get_asset_rigid_body_dict get_camera_image render_all_camera_sensors",
        3: """
            attach_camera_to_body get_actor_count get_actor_dof_properties get_actor_rigid_body_count
            get_actor_rigid_shape_count get_asset_dof_dict get_viewer_camera_transform
            refresh_force_sensor_tensor set_camera_location
        """,
        2: """
            acquire_force_sensor_tensor acquire_jacobian_tensor create_asset_force_sensor destroy_sim
            destroy_viewer end_access_image_tensors get_actor_actuator_count get_actor_dof_count
            get_actor_handle get_actor_joint_count get_actor_rigid_body_names get_actor_soft_body_count
            get_actor_tendon_count get_camera_image_gpu_tensor get_camera_transform get_elapsed_time
            get_env_count get_env_dof_count get_env_joint_count get_env_rigid_body_count get_sim_actor_count
            get_sim_dof_count get_sim_force_sensor_count get_sim_joint_count get_sim_params
            get_sim_rigid_body_count get_sim_time refresh_dof_force_tensor refresh_jacobian_tensors
            set_dof_state_tensor set_sim_params start_access_image_tensors
        """,
        1: """
            acquire_dof_force_tensor acquire_mass_matrix_tensor create_box enable_actor_dof_force_sensors
            find_actor_dof_handle find_actor_handle find_actor_rigid_body_index find_asset_rigid_body_index
            get_actor_name get_actor_rigid_body_handle get_actor_rigid_body_index
            get_actor_root_rigid_body_handle get_actor_tendon_properties get_asset_actuator_properties
            get_asset_rigid_body_shape_indices get_frame_count refresh_mass_matrix_tensors set_actor_scale
            set_actor_tendon_properties set_camera_transform set_dof_position_target_tensor set_rigid_body_color
        """,
    },
    "gymapi": {
        14: """
            AssetOptions CameraProperties KEY_ESCAPE KEY_V PlaneParams SIM_PHYSX SimParams Transform Vec3
            acquire_gym
        """,
        13: "SIM_FLEX TriangleMeshParams",
        9: "HeightFieldParams",
        5: "CoordinateSpace.LOCAL_SPACE",
        4: "DOF_MODE_EFFORT DOF_MODE_NONE IMAGE_COLOR",
        3: """
            DOF_MODE_POS KEY_A KEY_D KEY_F KEY_LEFT_BRACKET KEY_R KEY_RIGHT_BRACKET KEY_S KEY_SPACE KEY_W
        """,
        2: """
            DOF_MODE_VEL DOMAIN_SIM FOLLOW_POSITION FOLLOW_TRANSFORM IMAGE_DEPTH KEY_DOWN KEY_LEFT KEY_RIGHT
            KEY_T KEY_UP Quat.from_euler_zyx UP_AXIS_Z
        """,
        1: """
            ContactCollection DOMAIN_ENV HeightFieldProperties IndexDomain.DOMAIN_ENV KEY_B KEY_C KEY_COMMA
            KEY_E KEY_EQUAL KEY_G KEY_I KEY_J KEY_K KEY_L KEY_M KEY_MINUS KEY_O KEY_P KEY_PERIOD KEY_Q KEY_U
            KEY_X MESH_VISUAL Quat.from_axis_angle UP_AXIS_Y
        """,
    },
    "gymtorch": {
        14: "unwrap_tensor wrap_tensor",
        1: "torch",
    },
    "gymutil": {
        13: "WireframeSphereGeometry draw_lines parse_device_str parse_sim_config",
        11: "parse_arguments",
        1: "AxesGeometry WireframeBoxGeometry draw_line",
    },
    "torch_utils": {
        14: "get_axis_params normalize quat_apply quat_rotate_inverse to_torch torch_rand_float",
        4: "quat_from_euler_xyz",
        3: "get_euler_xyz np quat_mul quat_rotate",  # np: through a star import
        1: "quat_conjugate quat_from_angle_axis tf_apply tf_inverse",
    },
    "terrain_utils": {
        13: "SubTerrain pyramid_sloped_terrain random_uniform_terrain",
        12: "convert_heightfield_to_trimesh discrete_obstacles_terrain pyramid_stairs_terrain",
        11: "stepping_stones_terrain",
    },
}

# What else a second survey found, of forty repositories of all kinds (arms, hands, several robots), and what
# Isaac Gym's documentation names besides, without counting.
ALSO_USED: dict[str, str] = {
    "gym": """
        apply_actor_dof_efforts apply_body_force_at_pos apply_body_forces apply_dof_effort create_texture_from_file
        draw_env_rigid_contacts find_actor_joint_handle find_actor_joint_index get_actor_dof_forces
        get_actor_dof_frames get_actor_force_sensor get_dof_position get_dof_target_position get_dof_velocity
        get_env_rigid_contact_forces get_joint_handle get_joint_name get_joint_position get_rigid_contact_forces
        get_rigid_name get_viewer_mouse_position get_viewer_size set_dof_target_position set_dof_target_velocity
        set_env_rigid_body_states set_light_parameters set_rigid_angular_velocity set_rigid_body_texture
        set_rigid_linear_velocity set_rigid_transform subscribe_viewer_mouse_event write_camera_image_to_file
        apply_rigid_body_force_at_pos_tensors begin_aggregate create_capsule create_sphere destroy_camera_sensor
        end_aggregate find_actor_index find_asset_dof_index get_actor_actuator_properties get_actor_asset
        get_actor_dof_dict get_actor_dof_index get_actor_dof_names get_actor_dof_position_targets get_actor_dof_states
        get_actor_index get_actor_rigid_body_dict get_actor_rigid_body_shape_indices get_actor_rigid_body_states
        get_actor_scale get_asset_actuator_count get_asset_actuator_joint_name get_asset_actuator_name
        get_asset_dof_type get_asset_rigid_shape_count get_asset_tendon_count get_asset_tendon_name
        get_asset_tendon_properties get_camera_proj_matrix get_camera_view_matrix get_dof_frame get_dof_type_string
        get_env get_env_origin get_env_rigid_body_states get_rigid_angular_velocity get_rigid_body_color
        get_rigid_body_segmentation_id get_rigid_handle get_rigid_linear_velocity get_rigid_transform
        get_sim_rigid_body_states set_actor_dof_position_targets set_actor_dof_states set_actor_dof_velocity_targets
        set_actor_rigid_body_states set_asset_tendon_properties set_dof_actuation_force_tensor_indexed
        set_dof_position_target_tensor_indexed set_dof_velocity_target_tensor set_dof_velocity_target_tensor_indexed
        set_rigid_body_segmentation_id set_sim_rigid_body_states
    """,
    "gymapi": "DofState IMAGE_OPTICAL_FLOW IMAGE_SEGMENTATION RigidBodyState STATE_ALL STATE_POS STATE_VEL",
    "gymutil": """
        WireframeBBoxGeometry _indent_xml apply_random_samples check_buckets generate_random_samples
        get_default_setter_args get_property_getter_map get_property_setter_map
    """,
    "torch_utils": """
        compute_heading_and_up compute_rot quat_axis quat_diff_rad quat_unit saturate scale_transform tensor_clamp
        tf_combine torch_random_dir_2 unscale unscale_transform
    """,
}

HIM_MIN_USES = 5  # HIMLoco uses exactly the symbols that five or more repositories use
# LG is HIM without these; the other sets are LG and what they add.
HIM_ONLY = {
    "gym": "apply_rigid_body_force_tensors get_actor_rigid_shape_properties set_actor_rigid_shape_properties",
    "gymapi": "CoordinateSpace.LOCAL_SPACE",
}
ADDED_TO_LG: dict[str, dict[str, str]] = {
    "LG": {},
    "URG": {"gym": "get_elapsed_time get_sim_time", "torch_utils": "np"},
    "HG": {
        "gym": """
            create_camera_sensor attach_camera_to_body render_all_camera_sensors get_camera_image get_actor_handle
            get_actor_rigid_body_handle
        """,
        "gymapi": "FOLLOW_POSITION IMAGE_COLOR Quat.from_axis_angle",
        "torch_utils": "get_euler_xyz",
    },
    "WTW": {
        "gym": """
            create_camera_sensor set_camera_location get_camera_image get_sim_params set_sim_params destroy_sim
            destroy_viewer
        """,
        "gymapi": "IMAGE_COLOR",
        "torch_utils": "np quat_mul quat_conjugate quat_from_angle_axis",
    },
}
