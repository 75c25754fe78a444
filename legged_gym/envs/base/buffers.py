"""The tensors of LeggedRobot: views of the simulator's state, and what the robot keeps from step to step."""

import torch
from torch import Tensor

from isaacgym import gymtorch
from isaacgym.torch_utils import get_axis_params, to_torch
from legged_gym.envs.base import commands, height_scan, observations
from legged_gym.envs.base.telemetry import FORWARDS
from legged_gym.utils.helpers import class_to_dict


class Buffers:
    """Mixin that allocates every tensor once. Steps write into them, so views of them stay valid."""

    def _init_buffers(self) -> None:
        """Allocate everything. The simulation is prepared, and body and joint counts are known."""
        self.common_step_counter = 0  # policy steps since the start of training
        self._wrap_state()
        self._init_base_state()
        self._init_actions()
        self._init_control()
        self.action_bounds = self._bound_actions()
        self._init_feet()
        self._init_commands()
        self._init_observation_parts()
        # What an episode must not inherit from the one before it; zeroed at reset.
        self._episode_memory = (
            *(self.actions, self.last_actions, self.last_last_actions, self.last_dof_vel, self.last_root_vel),
            *(self.feet_air_time, self.feet_standing, self.feet_landed, self.last_contacts),
        )
        self._init_terrain_types()

    def _wrap_state(self) -> None:
        """Views of the simulator's tensors; the refresh calls of a step update them."""
        gym, sim, n = self.gym, self.sim, self.num_envs
        acquired = (
            gym.acquire_actor_root_state_tensor(sim),
            gym.acquire_dof_state_tensor(sim),
            gym.acquire_rigid_body_state_tensor(sim),
            gym.acquire_net_contact_force_tensor(sim),
        )
        gym.refresh_actor_root_state_tensor(sim)
        gym.refresh_dof_state_tensor(sim)
        gym.refresh_rigid_body_state_tensor(sim)
        gym.refresh_net_contact_force_tensor(sim)
        root, dof, bodies, forces = (gymtorch.wrap_tensor(tensor) for tensor in acquired)
        # A state, in the world: position 0:3 [m], quaternion 3:7, linear 7:10 [m/s] and angular velocity 10:13 [rad/s].
        self.root_states = root  # (num_envs, 13)
        self.dof_state = dof  # (num_envs * num_dof, 2) position [rad], velocity [rad/s]
        self.dof_pos = dof.view(n, self.num_dof, 2)[..., 0]  # (num_envs, num_dof) [rad]
        self.dof_vel = dof.view(n, self.num_dof, 2)[..., 1]  # (num_envs, num_dof) [rad/s]
        self.rigid_body_states = bodies  # (num_envs * num_bodies, 13)
        self.body_states = bodies.view(n, self.num_bodies, 13)
        self.contact_forces = forces.view(n, self.num_bodies, 3)  # [N] net force on each body, in the world

    def _init_base_state(self) -> None:
        """The base's motion in its own frame."""
        n, device = self.num_envs, self.device
        self.gravity_vec = to_torch(get_axis_params(-1.0, self.up_axis_idx), device=device).repeat(n, 1)  # world
        self.forward_vec = to_torch([1.0, 0.0, 0.0], device=device).repeat(n, 1)  # base frame
        self.base_quat = torch.zeros(n, 4, device=device)
        self.base_lin_vel = torch.zeros(n, 3, device=device)  # [m/s] base frame
        self.base_ang_vel = torch.zeros(n, 3, device=device)  # [rad/s] base frame
        self.projected_gravity = torch.zeros(n, 3, device=device)  # unit vector, base frame
        self.last_root_vel = torch.zeros(n, 6, device=device)  # [m/s], [rad/s] world frame, one step ago
        self.disturbance = torch.zeros(n, self.num_bodies, 3, device=device)  # [N] body frame; zero between draws
        self.fault_mask = torch.zeros(n, dtype=torch.bool, device=device)  # the simulation broke in this step
        self.fault_count = torch.zeros((), dtype=torch.long, device=device)  # of all envs since the start
        names = ("Faults/broken_robots", "Faults/overflows")
        self.faults_told = {name: torch.zeros((), dtype=torch.long, device=device) for name in names}  # `count_faults`
        self._update_base_state()

    def _init_actions(self) -> None:
        """Actions of the last steps and what became of them."""
        n, device = self.num_envs, self.device
        self.actions = torch.zeros(n, self.num_actions, device=device)  # clipped policy output
        self.last_actions = torch.zeros_like(self.actions)  # one step ago
        self.last_last_actions = torch.zeros_like(self.actions)  # two steps ago
        self.delayed_actions = torch.zeros(n, self.cfg.control.decimation, self.num_actions, device=device)
        self.torques = torch.zeros(n, self.num_dof, device=device)  # [N·m] of the last sub-step
        self.last_dof_vel = torch.zeros_like(self.torques)  # [rad/s] one policy step ago

    def _init_control(self) -> None:
        """Gains, default pose and their random factors."""
        control, n, device = self.cfg.control, self.num_envs, self.device
        angles = self.cfg.init_state.default_joint_angles
        self.default_dof_pos = torch.tensor([[angles[name] for name in self.dof_names]], device=device)  # (1, num_dof)
        self.p_gains = self._per_joint(control.stiffness)  # (num_dof,) [N·m/rad]
        self.d_gains = self._per_joint(control.damping)  # (num_dof,) [N·m·s/rad]
        hip = torch.tensor(["hip" in name for name in self.dof_names], device=device)
        self.action_scales = control.action_scale * torch.where(hip, control.hip_reduction, 1.0)  # (num_dof,)
        self.motor_strength_factors = torch.ones(n, 1, device=device)
        self.Kp_factors = torch.ones(n, 1, device=device)
        self.Kd_factors = torch.ones(n, 1, device=device)

    def _bound_actions(self) -> Tensor:
        """Lowest and highest action of each joint, (2, num_actions)."""
        clip, margin = self.cfg.normalization.clip_actions, self.cfg.control.target_margin
        if margin is None:
            return torch.tensor([[-clip], [clip]], device=self.device).repeat(1, self.num_actions)
        low, high = self.dof_pos_stops.T
        margins = ((high - low) / 2).clip(max=margin)  # of a narrow joint, its middle stays
        bounds = torch.stack((low + margins, high - margins)) - self.default_dof_pos
        barred = ((bounds[0] > 0) | (bounds[1] < 0)).nonzero().flatten()
        if len(barred) > 0:
            names = ", ".join(self.dof_names[i] for i in barred)
            raise ValueError(f"control.target_margin is {margin:g} rad, which bars {names} from the default pose")
        return (bounds / self.action_scales).clip(-clip, clip)

    def _per_joint(self, gains: dict[str, float]) -> Tensor:
        """Gain of every joint: that of the first key that its name contains, else 0."""
        values = [next((gain for part, gain in gains.items() if part in name), 0.0) for name in self.dof_names]
        return torch.tensor(values, device=self.device)

    def _init_feet(self) -> None:
        """Motion and contacts of the feet."""
        shape, device = (self.num_envs, len(self.feet_indices)), self.device
        self.feet_pos = torch.zeros(*shape, 3, device=device)  # [m] world
        self.feet_vel = torch.zeros(*shape, 3, device=device)  # [m/s] world
        self.feet_air_time = torch.zeros(shape, device=device)  # [s] since the foot last stood
        self.feet_standing = torch.zeros(shape, dtype=torch.bool, device=device)  # in contact now or one step ago
        self.feet_landed = torch.zeros(shape, dtype=torch.bool, device=device)  # began to stand in this step
        self.last_contacts = torch.zeros(shape, dtype=torch.bool, device=device)  # in contact in the last step

    def _init_commands(self) -> None:
        """Commands, their ranges, and what the speed curriculum has seen."""
        n, device = self.num_envs, self.device
        # vx, vy [m/s] and yaw rate [rad/s] in the base frame, heading [rad] in the world
        self.commands = torch.zeros(n, self.cfg.commands.num_commands, device=device)
        self.command_ranges = class_to_dict(self.cfg.commands.ranges)
        # For the high-speed group. On the device, because the curriculum changes it without asking the host.
        self.command_ranges["lin_vel_x"] = torch.tensor(self.cfg.commands.ranges.lin_vel_x, device=device)
        self.high_vel_mask = commands.high_velocity_mask(n, device)  # (num_envs,) bool
        # (num_envs,) direction in which a robot always walks; None: in both
        self.vx_signs = commands.alternating_signs(n, device) if self.cfg.commands.keep_direction else None
        self.yaw_rate_mask = torch.zeros(n, dtype=torch.bool, device=device)  # follow no heading, but a yaw rate
        self._tracking_totals = torch.zeros(2, device=device)  # of the ordinary and the high-speed group
        self._tracking_counts = torch.zeros(2, device=device)  # episodes
        self._last_range_check = 0  # common_step_counter

    def _init_observation_parts(self) -> None:
        """Noise, height scan and the mark for histories that start over."""
        scan, device = self.cfg.terrain, self.device
        self.add_noise = self.cfg.noise.add_noise
        self.noise_scale_vec = observations.noise_half_widths(self.layout, self.cfg.noise, self.obs_scales, device)
        self.height_points = height_scan.grid_points(scan.measured_points_x, scan.measured_points_y, device)
        self.base_height_points = height_scan.grid_points(scan.base_height_points_x, scan.base_height_points_y, device)
        xs, zs = self.cfg.rewards.trunk_points_x, self.cfg.rewards.trunk_points_z
        self.trunk_points = torch.tensor([[x, 0.0, z] for x, z in zip(xs, zs, strict=True)], device=device)  # (K, 3)
        heights = self.layout.columns["heights"]
        self.measured_heights = torch.zeros(self.num_envs, heights.stop - heights.start, device=device)  # [m] world
        self.refill_mask = torch.ones(self.num_envs, dtype=torch.bool, device=device)  # history starts over

    def _init_terrain_types(self) -> None:
        """Weights that average a value over the robots on each terrain type, and over those that always go forwards."""
        self._type_names: list[str] = []
        self._type_weights = torch.zeros(0, self.num_envs, device=self.device)  # (num_types, num_envs)
        if self.terrain_curriculum:
            column_types = self.terrain.tile_types[0]
            robot_types = [column_types[column] for column in self.terrain_types.tolist()]
            self._type_names = list(dict.fromkeys(robot_types))
            members = [[own == name for own in robot_types] for name in self._type_names]
            weights = torch.tensor(members, dtype=torch.float, device=self.device)
            if self.vx_signs is not None:
                forwards = weights * (self.vx_signs > 0)
                names = zip(self._type_names, forwards.any(dim=1).tolist(), strict=True)
                self._type_names += [f"{name}{FORWARDS}" for name, has_robots in names if has_robots]
                weights = torch.cat((weights, forwards[forwards.any(dim=1)]))
            self._type_weights = weights / weights.sum(dim=1, keepdim=True)

    def _prepare_reward_function(self) -> None:
        """Find the method of every weighted term and scale weights [1/s] by the policy step."""
        scales = class_to_dict(self.cfg.rewards.scales)
        self.reward_scales = {name: scale * self.dt for name, scale in scales.items() if scale}
        # Alphabetical, like HIMLoco; the termination term is added after the others are clipped.
        self.reward_names = [name for name in self.reward_scales if name != "termination"]
        self.reward_functions = [getattr(self, f"_reward_{name}") for name in self.reward_names]
        terms = self.reward_names + ["termination"] * ("termination" in self.reward_scales)
        self.step_rewards = torch.zeros(len(terms), self.num_envs, device=self.device)  # weighted, of this step
        self._reward_sums = torch.zeros_like(self.step_rewards)  # weighted, over the episode
        self.episode_sums = dict(zip(terms, self._reward_sums, strict=True))  # name: (num_envs,), views of the above
