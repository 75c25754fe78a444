"""The environment: robots that follow velocity commands, trained by reinforcement learning.

Extend it by subclassing: add `_reward_<name>` methods, or override `_compute_torques`, `_resample_commands`,
`_process_*_props` (in scene.py), `check_termination` and the other methods of one step. Quaternions are xyzw; linear
velocities of bodies are those of their centres of mass, as in Isaac Gym.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from isaacgym import gymapi, gymtorch
from legged_gym.envs.base import commands, observations
from legged_gym.envs.base.buffers import Buffers
from legged_gym.envs.base.curriculum import Curricula
from legged_gym.envs.base.domain_rand import Randomization
from legged_gym.envs.base.height_scan import HeightScan
from legged_gym.envs.base.legged_robot_config import LeggedRobotCfgPPO
from legged_gym.envs.base.resets import Resets
from legged_gym.envs.base.rewards import FOOT_CONTACT_FORCE, Rewards, track_foot_contacts
from legged_gym.envs.base.scene import Scene, choice_problems
from legged_gym.envs.base.symmetry import make_mirror
from legged_gym.envs.base.telemetry import Telemetry
from legged_gym.runs.env_state import env_state, restore_env
from legged_gym.runs.fault_recorder import QUANTITIES, FaultRecorder
from legged_gym.utils.helpers import class_to_dict
from legged_gym.utils.math import as_mask, over_robots, rotate_inverse_points, write_where
from rsl_rl.env.vec_env import StepResult
from rsl_rl.runners.faults import TrainingDivergedError
from rsl_rl.utils.mirror import Mirror
from rsl_rl.utils.recorded import GraphSafety, Recorded

TERMINATION_FORCE = 1.0  # [N] contact force on a termination body that ends an episode
FAULT_SPEED = 200.0  # [m/s], [rad/s] of base or joints: ten times what motors allow, so the simulation broke
FAULT_CLIMB = 100.0  # [m] above or below the start: no terrain is so high, but a robot may fall off its edge


class LeggedRobot(GraphSafety, Rewards, Telemetry, Resets, Curricula, HeightScan, Randomization, Buffers, Scene):
    """Many copies of one robot, each in its own environment, stepped together.

    On CUDA the parts of a step whose work never varies are recorded as graphs, which makes a step twice as fast. A
    subclass may change any method, so it runs unrecorded unless it declares `graph_safe = True`: then its methods of a
    step may branch on nothing but tensors and config, and reward scales must not change after construction. Sums over
    all robots are best left to `over_robots`, since torch.compile is bad at them.
    """

    graph_safe = True
    counters = ("common_step_counter", "_last_range_check")  # state that is no tensor; a subclass adds its own

    def __init__(
        self, cfg: Any, sim_params: gymapi.SimParams, physics_engine: Any, sim_device: str, headless: bool
    ) -> None:
        """cfg: a LeggedRobotCfg. sim_device: cpu, cuda or cuda:N."""
        self._parse_cfg(cfg, sim_params)
        # Called with the number of each sub-step after it. Set it before the first step, since graphs remember it.
        self.on_sub_step: Callable[[int], None] | None = None
        super().__init__(cfg, sim_params, physics_engine, sim_device, headless)
        self._init_buffers()
        widths = {name: value.shape[1] for name, value in self._recorded_quantities().items()}
        self._fault_recorder = FaultRecorder(widths, self.num_envs, self.device)
        self._prepare_reward_function()
        self._record_step()
        if hasattr(self.viewer, "page"):  # ours, and with a page
            from legged_gym.envs.base.viewer_panel import ViewerPanel  # needs viser

            self._panel = ViewerPanel(self, self.viewer)
        self.init_done = True

    @classmethod
    def config_problems(cls, cfg: Any) -> list[str]:
        """What no such robot can be built from, a sentence each."""
        return [*choice_problems(cfg), *cls.reward_problems(class_to_dict(cfg.rewards.scales))]

    def limit_sliders(self, ranges: Mapping[str, list[float]]) -> None:
        """Let the page's sliders command what a policy was trained for. ranges: of `export.trained_commands`."""
        self._panel.limit(ranges)

    def _parse_cfg(self, cfg: Any, sim_params: gymapi.SimParams) -> None:
        """Check the config and derive step counts from its durations."""
        problems = self.config_problems(cfg)
        if problems:
            raise ValueError("; ".join(problems))
        self.dt = cfg.control.decimation * sim_params.dt  # [s] of a policy step
        self.obs_scales = cfg.normalization.obs_scales
        self.max_episode_length_s = cfg.env.episode_length_s
        self.max_episode_length = self._steps(cfg.env.episode_length_s)
        self.resampling_steps = self._steps(cfg.commands.resampling_time)
        self.push_interval = self._steps(cfg.domain_rand.push_interval_s)

    def _steps(self, duration_s: float) -> int:
        """Policy steps in a duration, rounded up; a simulator's float32 time step must not add one."""
        return math.ceil(round(duration_s / self.dt, 3))

    def _define_observations(self) -> None:
        steps = self.cfg.env.temporal_steps
        self.layout = observations.configured_layout(self.cfg)
        self.num_one_step_obs = self.layout.num_actor
        self.num_obs = self.num_one_step_obs * (LeggedRobotCfgPPO.policy.temporal_steps if steps is None else steps)
        self.num_privileged_obs = self.layout.num_critic

    def _record_step(self) -> None:
        """Name the parts of a step that CUDA replays as graphs."""
        gym, sim, sub_steps = self.gym, self.sim, range(self.cfg.control.decimation)
        enabled = self.graph_safe and self.device != "cpu" and hasattr(gym, "begin_replay")  # ours only
        self._resets_by_mask = enabled  # a graph cannot branch on whether an episode ended
        self._apply_torques = [
            Recorded(self._set_torques, enabled, fusible=True, arguments=(self.delayed_actions[:, sub_step],))
            for sub_step in sub_steps
        ]
        self._simulate = Recorded(
            self._simulate_step,
            enabled,
            before_replay=partial(gym.begin_replay, sim, len(sub_steps)) if enabled else None,
        )
        self._read_state = Recorded(self._refresh_state, enabled, fusible=True)
        self._follow_commands = Recorded(self._update_commands_and_heights, enabled, fusible=True)
        self._finish = Recorded(
            self._finish_step,
            enabled,
            before_replay=partial(gym.assume_changes, sim) if enabled else None,
            fusible=True,
        )

    @property
    def mirror(self) -> Mirror | None:
        """How observations and actions look in a mirror; None if the config does not name left and right joints.

        A subclass that observes otherwise overrides it.
        """
        if not self.cfg.asset.left_names:
            return None
        scan = self.cfg.terrain
        points = (len(scan.measured_points_x), len(scan.measured_points_y)) if scan.measure_heights else (0, 0)
        num_frames = self.num_obs // self.num_one_step_obs
        return make_mirror(self.cfg.asset, self.dof_names, self.layout, num_frames, points)

    # -- all of the state

    def get_state(self) -> dict[str, Any]:
        """All that the next step depends on but for the random generators, for a run that goes on exactly."""
        return env_state(self)

    def set_state(self, state: dict[str, Any]) -> None:
        """Take over `get_state` of an environment of the same config and terrain; else a ValueError."""
        restore_env(self, state)

    # -- one step

    def step(self, actions: Tensor) -> StepResult:
        """Apply the actions for one policy step.

        Args:
            actions: policy output, (num_envs, num_actions).

        Returns:
            Observations after the step (of the new episode where one ended), rewards, and the critic's observation
            before the reset of the episodes that ended. The tensors are buffers that the next step overwrites.
        """
        self.actions[:] = torch.clip(actions, *self.action_bounds)
        self.render()
        self._simulate()
        self.post_physics_step()
        return StepResult(
            self.obs_buf,
            self.privileged_obs_buf,
            self.rew_buf,
            self.reset_buf,
            self.extras,
            self.reset_buf,
            self.termination_privileged_obs_buf,
        )

    def _simulate_step(self) -> None:
        """One policy step of simulation, and its outcome."""
        if self.device != "cpu" and torch.cuda.is_current_stream_capturing():
            self.gym.assume_changes(self.sim)
        self._delay_actions()
        for sub_step in range(self.cfg.control.decimation):
            self._apply_torques[sub_step]()
            self.gym.simulate(self.sim)
            if self.device == "cpu":
                self.gym.fetch_results(self.sim, True)
            self.gym.refresh_dof_state_tensor(self.sim)
            if self.on_sub_step is not None:
                self.on_sub_step(sub_step)
        self._read_state()

    def post_physics_step(self) -> None:
        """Rewards, terminations, resets and observations after the simulation."""
        self.common_step_counter += 1
        self._post_physics_step_callback()
        self.extras = {}
        episode, self.extras["log"] = self._finish()
        if self.cfg.env.send_timeouts:
            self.extras["time_outs"] = self.time_out_buf
        if episode is not None:
            self.extras["episode"] = episode
        if self.cfg.commands.curriculum:
            self._widen_speed_range()

    def _set_torques(self, actions: Tensor) -> None:
        """Hand the simulator the torques of one sub-step. actions: (num_envs, num_actions)."""
        self.torques[:] = self._compute_torques(actions).view(self.torques.shape)
        self.gym.set_dof_actuation_force_tensor(self.sim, gymtorch.unwrap_tensor(self.torques))

    def _refresh_state(self) -> None:
        """Read the simulator and bring up to date what derives from its state."""
        self.gym.refresh_actor_root_state_tensor(self.sim)
        self.gym.refresh_net_contact_force_tensor(self.sim)
        self.gym.refresh_rigid_body_state_tensor(self.sim)
        self._discard_faults()
        self.episode_length_buf += 1
        self._update_base_state()
        self._update_feet()

    def _finish_step(self) -> tuple[dict[str, Tensor] | None, dict[str, Tensor]]:
        """Judge, start new episodes, and observe. Returns the reports on ended episodes, if any, and on the step."""
        self.check_termination()
        self.compute_reward()
        ended = self.reset_buf if self._resets_by_mask else self.reset_buf.nonzero().flatten()
        if len(ended) > 0:
            self._keep_termination_observations(ended)
            self.reset_idx(ended)
        self._observe()
        return self.extras.get("episode"), self._report_step()

    def _observe(self) -> None:
        """Observe, and remember what the next step compares with."""
        self.compute_observations()
        clip_obs = self.cfg.normalization.clip_observations
        self.obs_buf.clip_(-clip_obs, clip_obs)
        self.privileged_obs_buf.clip_(-clip_obs, clip_obs)
        self.last_last_actions[:] = self.last_actions
        self.last_actions[:] = self.actions
        self.last_dof_vel[:] = self.dof_vel
        self.last_root_vel[:] = self.root_states[:, 7:13]
        self.disturbance.zero_()

    def _discard_faults(self) -> None:
        """Put robots whose simulation broke (not finite, absurdly fast or high) back to their start: a new episode.

        Nothing of the broken state reaches rewards, observations or the learner.
        """
        # a maximum passes NaN on, which compares false, so a bound finds it as well
        speeds = torch.cat((self.root_states[:, 7:13], self.dof_vel), dim=1)
        climb = self.root_states[:, 2] - self.env_origins[:, 2]
        parts = (self.root_states, self.dof_pos, self.body_states.flatten(1), self.contact_forces.flatten(1))
        healthy = (speeds.abs().amax(dim=1) < FAULT_SPEED) & (climb.abs() < FAULT_CLIMB)
        healthy &= torch.cat(parts, dim=1).sum(dim=1).isfinite()  # as is a sum of nothing but finite numbers
        self.fault_mask[:] = ~healthy
        self._fault_recorder.add(self._recorded_quantities(), self.fault_mask)
        self.fault_count += over_robots(self.fault_mask, "sum")
        start = self.base_init_state.repeat(self.num_envs, 1)
        start[:, :3] += self.env_origins
        for buffer, value in (
            (self.root_states, start),
            (self.dof_pos, self.default_dof_pos),
            (self.dof_vel, 0.0),
            (self.torques, 0.0),
            (self.body_states, start[:, None]),
            (self.contact_forces, 0.0),
        ):
            write_where(buffer, self.fault_mask, value)

    def _recorded_quantities(self) -> dict[str, Tensor]:
        """What is kept of the last steps, by the names of FaultRecord."""
        return {name: getattr(self, name) for name in QUANTITIES}

    def reset(self) -> tuple[Tensor, Tensor]:
        """As BaseTask's; a ValueError if a reward is no number from the first step on."""
        observations = super().reset()
        problem = self._broken_rewards()
        if problem is not None:
            raise ValueError(problem)
        return observations

    def _broken_rewards(self) -> str | None:
        """A sentence about reward terms that are not finite numbers, if there are any."""
        broken = (~(self._reward_sums + self.step_rewards).isfinite()).any(dim=1).tolist()
        names = [name for name, is_broken in zip(self.episode_sums, broken, strict=True) if is_broken]
        if not names:
            return None
        terms = ", ".join(f"'{name}'" for name in names)
        return (
            f"the reward {terms} is not a finite number; look at its _reward_{names[0]} and what it reads, or set "
            f"rewards.scales.{names[0]} = 0"
        )

    def take_fault_record(self) -> dict[str, Any] | None:
        """The last steps of a robot whose simulation broke since the last call, if one did, for a file to look at.

        A TrainingDivergedError if a reward term is not a finite number.
        """
        problem = self._broken_rewards()
        if problem is not None:
            raise TrainingDivergedError(problem)
        record = self._fault_recorder.take()
        return None if record is None else record._asdict() | {"dof_names": self.dof_names, "dt": self.dt}

    def _update_base_state(self, mask: Tensor | None = None) -> None:
        """Express the base's motion and gravity in the base frame, from the root states. mask: of these robots only."""
        root = self.root_states
        vectors_w = torch.stack((root[:, 7:10], root[:, 10:13], self.gravity_vec), dim=1)
        vectors_b = rotate_inverse_points(root[:, 3:7], vectors_w)
        own = (self.base_quat, self.base_lin_vel, self.base_ang_vel, self.projected_gravity)
        for buffer, value in zip(own, (root[:, 3:7], *vectors_b.unbind(1)), strict=True):
            if mask is None:
                buffer[:] = value
            else:
                write_where(buffer, mask, value)

    def _update_feet(self) -> None:
        """Positions and velocities of the feet, and for how long they have been in the air."""
        self.feet_pos[:] = self.body_states[:, self.feet_indices, 0:3]
        self.feet_vel[:] = self.body_states[:, self.feet_indices, 7:10]
        contacts = self.contact_forces[:, self.feet_indices, 2] > FOOT_CONTACT_FORCE
        state = track_foot_contacts(self.feet_air_time, self.feet_standing, self.last_contacts, contacts, self.dt)
        self.feet_air_time[:], self.feet_standing[:], self.feet_landed[:] = state
        self.last_contacts[:] = contacts

    def _post_physics_step_callback(self) -> None:
        """Before rewards and terminations: commands, height scan, pushes and disturbances."""
        self._follow_commands()
        rand = self.cfg.domain_rand
        if rand.push_robots and self.common_step_counter % self.push_interval == 0:
            self._push_robots()
        if rand.disturbance and self.common_step_counter % rand.disturbance_interval == 0:
            self._disturbance_robots()

    def _update_commands_and_heights(self) -> None:
        self._resample_commands(self.episode_length_buf % self.resampling_steps == 0)
        self._update_heading_commands()
        if self.cfg.terrain.measure_heights:
            self.measured_heights[:] = self._get_heights()

    def check_termination(self) -> None:
        """Set reset_buf where an episode ends: a termination body touches something, or the time is up."""
        forces = self.contact_forces[:, self.termination_contact_indices].norm(dim=-1)
        self.time_out_buf[:] = self.episode_length_buf > self.max_episode_length
        self.reset_buf[:] = (forces > TERMINATION_FORCE).any(dim=1) | self.time_out_buf | self.fault_mask

    # -- commands

    def _resample_commands(self, env_ids: Tensor) -> None:
        """Draw new commands. env_ids: int64 ids, or a (num_envs,) bool mask, which needs no host synchronisation."""
        ranges = self.cfg.commands.ranges
        drawn = commands.draw_commands(
            commands.CommandRanges(
                lin_vel_x=ranges.lin_vel_x,
                lin_vel_x_high=self.command_ranges["lin_vel_x"],
                lin_vel_y=self.command_ranges["lin_vel_y"],
                ang_vel_yaw=self.command_ranges["ang_vel_yaw"],
                heading=self.command_ranges["heading"],
            ),
            self.high_vel_mask,
            self.vx_signs,
        )
        mask = as_mask(env_ids, self.num_envs)
        on_the_spot, standing = self.cfg.commands.turning_fraction, self.cfg.commands.standing_fraction
        turning = on_the_spot + self.cfg.commands.circling_fraction
        if self.cfg.commands.heading_command and turning + standing > 0:
            lot = torch.rand(self.num_envs, device=self.device)
            turning_mask, standing_mask = lot < turning, lot >= 1 - standing
            drawn = commands.stand(commands.turn(drawn, turning_mask, lot < on_the_spot), standing_mask)
            write_where(self.yaw_rate_mask, mask, turning_mask | standing_mask)
        write_where(self.commands, mask, drawn)

    def _update_heading_commands(self) -> None:
        """In heading mode, steer robots to their commanded headings."""
        if self.cfg.commands.heading_command:
            steering = commands.heading_yaw_rate(self.commands[:, 3], self.base_quat)
            write_where(self.commands[:, 2], ~self.yaw_rate_mask, steering)

    # -- torques, rewards, observations

    def _compute_torques(self, actions: Tensor) -> Tensor:
        """Control law around the default pose, clipped to the motor limits.

        Args:
            actions: policy output, unscaled, (num_envs, num_actions).

        Returns:
            Joint torques [N·m], (num_envs, num_dof).
        """
        target = actions * self.action_scales
        kp, kd = self.p_gains * self.Kp_factors, self.d_gains * self.Kd_factors
        match self.cfg.control.control_type:
            case "P":
                torques = kp * (self.default_dof_pos + target - self.dof_pos) - kd * self.dof_vel
            case "V":
                acceleration = (self.dof_vel - self.last_dof_vel) / self.sim_params.dt
                torques = kp * (target - self.dof_vel) - kd * acceleration
            case _:
                torques = target
        return torch.clip(self.motor_strength_factors * torques, -self.torque_limits, self.torque_limits)

    def compute_reward(self) -> None:
        """Sum the weighted terms into rew_buf, and each into its episode's sum."""
        terms = zip(self.reward_names, self.reward_functions, strict=True)
        rewards = [function() * self.reward_scales[name] for name, function in terms]
        torch.stack(rewards, out=self.step_rewards[: len(rewards)])
        total = self.step_rewards[: len(rewards)].sum(dim=0)
        if self.cfg.rewards.only_positive_rewards:
            total.clip_(min=0.0)
        if "termination" in self.reward_scales:
            self.step_rewards[-1] = self._reward_termination() * self.reward_scales["termination"]
            total += self.step_rewards[-1]
        self.rew_buf[:] = total
        self._reward_sums += self.step_rewards

    def get_current_obs(self) -> Tensor:
        """One noisy critic frame of the present state, (num_envs, num_privileged_obs)."""
        state = observations.RobotState(
            commands=self.commands,
            base_ang_vel=self.base_ang_vel,
            projected_gravity=self.projected_gravity,
            dof_offset=self.dof_pos - self.default_dof_pos,
            dof_vel=self.dof_vel,
            actions=self.actions,
            base_lin_vel=self.base_lin_vel,
            disturbance=self.disturbance[:, 0],
            base_height=self.root_states[:, 2],
            measured_heights=self.measured_heights,
        )
        frame = observations.build_frame(state, self.obs_scales)
        return observations.add_uniform_noise(frame, self.noise_scale_vec) if self.add_noise else frame

    def compute_observations(self) -> None:
        """Write the newest frame for the critic and put it at the head of the actor's history."""
        frame = self.get_current_obs()
        self.privileged_obs_buf[:] = frame
        newest = frame[:, : self.num_one_step_obs]
        self.obs_buf[:] = observations.pushed_history(self.obs_buf, newest, self.refill_mask)
        self.refill_mask.zero_()

    def compute_termination_observations(self, env_ids: Tensor) -> Tensor:
        """The critic's observation before a reset, (D, num_privileged_obs). env_ids: (D,), or a mask: D = num_envs."""
        frame = self.get_current_obs()
        return frame if env_ids.dtype == torch.bool else frame[env_ids]

    def _keep_termination_observations(self, env_ids: Tensor) -> None:
        clip_obs = self.cfg.normalization.clip_observations
        rows = slice(None) if env_ids.dtype == torch.bool else env_ids
        frame = self.compute_termination_observations(env_ids)
        self.termination_privileged_obs_buf[rows] = frame.clip(-clip_obs, clip_obs)
