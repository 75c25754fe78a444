"""Measured trials: every robot starts on its own tile, follows one command, and is watched until it falls or leaves."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from isaacgym import gymtorch
from legged_gym.deploy.courses import SETTLE_S
from legged_gym.evaluation.judge import Judge

PUSH_INTERVAL_S = 3.0  # [s]
# [m] before a tile's edge. A trunk's nose is 0.32 m ahead, and 0.3 m beyond the edge begin the stairs of the next tile.
FINISH = 0.1
CHECK_STEPS = 25  # how often the host asks whether anyone is still running

Policy = Callable[[Tensor], Tensor]


class Condition(NamedTuple):
    """What is unusual about robots and ground during a trial; the defaults are the robot as it is built."""

    payload: float = 0.0  # [kg] on the base
    push_speed: float = 0.0  # [m/s] added to the base in a random direction every PUSH_INTERVAL_S
    friction: float = 1.0  # of the robot; the simulator averages it with the ground's 1.0
    leg_strength: float = 1.0  # share of torque that the motors of the first leg still give


class TrialResult(NamedTuple):
    """What happened to each robot, (N,) each; steps count while it stands and is on its tile."""

    lin_vel_error: Tensor  # [m/s] mean norm of the horizontal velocity's error, base frame; NaN: never measured
    ang_vel_error: Tensor  # [rad/s] mean absolute error of the yaw rate; NaN: never measured
    fell: Tensor  # bool, as Judge says; or the environment ended its episode
    crossed: Tensor  # bool; left its tile without a fall
    distance: Tensor  # [m] from its start, in a straight line, at the end
    path_length: Tensor  # [m]
    energy: Tensor  # [J] sum of |power| dt over the joints
    base_height: Tensor  # [m] mean of the base above the ground; NaN: never measured
    joint_speed: Tensor  # [rad/s] root mean square over joints and time; NaN: never measured
    trunk_touches: Tensor  # times that the trunk, or a head, began to touch something after SETTLE_S
    leg_touches: Tensor  # the same of hips, thighs and calves
    foot_lifts: Tensor  # times that a foot stopped to touch the ground after SETTLE_S
    drift: Tensor  # [m] from where it was after SETTLE_S to the end, in a straight line


class EvaluationRobots:
    """An environment whose robots are placed, commanded and hampered on purpose. Heading commands must be off."""

    def __init__(self, env: Any) -> None:
        """env: not stepped yet."""
        self.env = env
        self.judge = Judge(env)
        env.terrain_curriculum = False  # robots stay on their tiles
        self._all_ids = torch.arange(env.num_envs, device=env.device)
        self._noise_scale_vec = env.noise_scale_vec.clone()
        env.noise_scale_vec = env.noise_scale_vec.repeat(env.num_envs, 1)  # robots may differ in it
        self._motors = {name: getattr(env, name).clone() for name in ("p_gains", "d_gains", "torque_limits")}
        bodies = [
            env.gym.get_actor_rigid_body_properties(handle, actor)
            for handle, actor in zip(env.envs, env.actor_handles, strict=True)
        ]
        self.base_heights: Callable[[], Tensor] = env._get_base_heights  # [m] above the ground, (N,)
        self.start_height: float | None = None  # [m] of the base above its origin; None: as in training
        self._base_mass = bodies[0][0].mass
        self.mass = sum(body.mass for body in bodies[0])  # [kg] of a robot without payload

    def place(self, levels: Tensor, columns: Tensor) -> None:
        """Choose every robot's tile: rows and columns of the map, (N,) int64 each."""
        env = self.env
        env.terrain_levels[:], env.terrain_types[:] = levels, columns
        env.env_origins[:] = env.terrain_origins[levels, columns]

    def start_at_rest(self, foot_height: float) -> None:
        """From now on let trials start at rest exactly above the origins, the lowest link's frame at `foot_height`.

        Joints start in the default pose if the config does not randomise them.
        """
        env = self.env
        env.reset_idx(self._all_ids)
        env.step(torch.zeros(env.num_envs, env.num_actions, device=env.device))  # in the air; brings up all bodies
        lowest = env.body_states[0, :, 2].min()
        self.start_height = foot_height + (env.root_states[0, 2] - lowest).item()

    def _reset(self) -> None:
        """Start a new episode everywhere."""
        env = self.env
        env.reset_idx(self._all_ids)
        if self.start_height is not None:
            env.root_states[:] = env.base_init_state
            env.root_states[:, :3] = env.env_origins
            env.root_states[:, 2] += self.start_height
            env.root_states[:, 7:13] = 0.0
            env.gym.set_actor_root_state_tensor(env.sim, gymtorch.unwrap_tensor(env.root_states))

    def set_noise(self, enabled: bool | Tensor) -> None:
        """Switch the observation noise, of all robots or of each, (N,) bool.

        The noise scales change, not the flag, which a CUDA graph would not see.
        """
        noisy_mask = torch.as_tensor(enabled, device=self.env.device).view(-1, 1)
        self.env.noise_scale_vec[:] = self._noise_scale_vec * noisy_mask

    def set_condition(self, condition: Condition) -> None:
        """Change bodies, surfaces and motors of all robots; pushes are up to `run_trial`."""
        env = self.env
        if (env.payload != condition.payload).any():
            self._set_payload(condition.payload)
        env.friction_coeffs[:] = condition.friction
        env.gym.set_actor_rigid_shape_material_tensors(
            env.sim,
            gymtorch.unwrap_tensor(env.friction_coeffs.flatten()),
            gymtorch.unwrap_tensor(env.restitution_coeffs.flatten()),
        )
        leg = env.dof_names[0].split("_")[0]
        weak = [name.startswith(leg) for name in env.dof_names]
        strength = torch.where(torch.tensor(weak, device=env.device), condition.leg_strength, 1.0)
        for name, value in self._motors.items():
            getattr(env, name)[:] = value * strength

    def _set_payload(self, payload: float) -> None:
        env = self.env
        env.payload[:] = payload
        for handle, actor in zip(env.envs, env.actor_handles, strict=True):
            bodies = env.gym.get_actor_rigid_body_properties(handle, actor)
            bodies[0].mass = self._base_mass + payload
            env.gym.set_actor_rigid_body_properties(handle, actor, bodies, recomputeInertia=True)

    @torch.inference_mode()
    def run_trial(
        self, policy: Policy, commands: Tensor, seconds: float, push_speed: float = 0.0, stay: bool = True
    ) -> TrialResult:
        """One trial of every robot.

        Args:
            policy: observations (N, num_obs) to actions (N, num_actions).
            commands: vx, vy [m/s], yaw rate [rad/s], base frame, (N, 3).
            seconds: longest duration.
            push_speed: [m/s] of the pushes.
            stay: a robot's trial ends where its tile does.
        """
        env = self.env
        self._reset()
        env.commands[:, :3] = commands
        obs = env.step(torch.zeros(env.num_envs, env.num_actions, device=env.device)).obs
        self.judge.start()
        start = env.root_states[:, :2].clone()
        running = torch.ones_like(env.reset_buf)
        fell, crossed = torch.zeros_like(running), torch.zeros_like(running)
        lin_sum, ang_sum, height_sum, square_sum, measured = torch.zeros(5, env.num_envs, device=env.device)
        path_length, distance, energy, trunk_touches, leg_touches = torch.zeros(5, env.num_envs, device=env.device)
        foot_lifts = torch.zeros_like(path_length)
        position, settled = start.clone(), start.clone()
        for step in range(1, round(seconds / env.dt) + 1):
            if push_speed and step % round(PUSH_INTERVAL_S / env.dt) == 0:
                self._push(push_speed)
            result = env.step(policy(obs))
            obs = result.obs
            verdict = self.judge.look()
            landed = step * env.dt > SETTLE_S
            trunk_touches += running * landed * verdict.trunk_touches
            leg_touches += running * landed * verdict.leg_touches
            fallen = verdict.fell | result.dones
            fell |= running & fallen
            running &= ~fallen
            self._move_on(position, path_length, running)
            lin_error = (commands[:, :2] - env.base_lin_vel[:, :2]).norm(dim=1)
            ang_error = (commands[:, 2] - env.base_ang_vel[:, 2]).abs()
            counted = running & landed
            foot_lifts += counted * verdict.foot_lifts
            settled = torch.where(counted[:, None] & (measured == 0)[:, None], position, settled)
            lin_sum += torch.where(counted, lin_error, 0.0)
            ang_sum += torch.where(counted, ang_error, 0.0)
            height_sum += torch.where(counted, self.base_heights(), 0.0)
            square_sum += torch.where(counted, env.dof_vel.square().mean(dim=1), 0.0)
            measured += counted
            energy += torch.where(running, (env.torques * env.dof_vel).abs().sum(dim=1) * env.dt, 0.0)
            distance = torch.where(running, (position - start).norm(dim=1), distance)
            left = running & self._off_tile(position) & stay
            crossed |= left
            running &= ~left
            env.commands[:, :3] = torch.where(running[:, None], commands, 0.0)  # whoever is done stands still
            if step % CHECK_STEPS == 0 and not running.any():
                break
        return TrialResult(
            lin_sum / measured,
            ang_sum / measured,
            fell,
            crossed,
            distance,
            path_length,
            energy,
            height_sum / measured,
            (square_sum / measured).sqrt(),
            trunk_touches,
            leg_touches,
            foot_lifts,
            torch.where(measured > 0, (position - settled).norm(dim=1), math.nan),
        )

    def _move_on(self, position: Tensor, path_length: Tensor, running: Tensor) -> None:
        """Add the running robots' last step to their paths. position: before the step; updated in place, (N, 2)."""
        now = self.env.root_states[:, :2]
        path_length += torch.where(running, (now - position).norm(dim=1), 0.0)
        position[:] = torch.where(running[:, None], now, position)

    def _off_tile(self, position: Tensor) -> Tensor:
        """Whether robots are all but beyond the edges of their tiles, (N,) bool."""
        terrain = self.env.cfg.terrain
        half = torch.tensor([terrain.terrain_length / 2, terrain.terrain_width / 2], device=self.env.device)
        return ((position - self.env.env_origins[:, :2]).abs() > half - FINISH).any(dim=1)

    def _push(self, speed: float) -> None:
        env = self.env
        angle = 2 * math.pi * torch.rand(env.num_envs, device=env.device)
        env.root_states[:, 7:9] += speed * torch.stack((angle.cos(), angle.sin()), dim=1)
        env.gym.set_actor_root_state_tensor(env.sim, gymtorch.unwrap_tensor(env.root_states))
