"""Random variation of the robots: functions that draw it as tensors, and the methods that apply it."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from isaacgym import gymapi, gymtorch
from legged_gym.utils.math import as_mask, uniform, write_where


class BodyVariation(NamedTuple):
    """Changes to the robots' bodies, drawn once per robot."""

    payload: Tensor  # (N, 1) added to the base's mass [kg]
    com_displacement: Tensor  # (N, 3) added to the base's centre of mass [m], base frame
    link_mass_factors: Tensor  # (N, num_bodies - 1) on every other link


class MotorVariation(NamedTuple):
    """Factors on the motors, drawn at every reset; (N, 1) each."""

    motor_strength: Tensor
    kp: Tensor
    kd: Tensor


def draw(enabled: bool, bounds: list[float], shape: tuple[int, ...], device: str, otherwise: float) -> Tensor:
    """Uniform draws within `bounds` if enabled, else `otherwise` everywhere."""
    if enabled:
        return uniform(bounds[0], bounds[1], shape, device)
    return torch.full(shape, float(otherwise), device=device)


def draw_bodies(cfg: Any, num_envs: int, num_bodies: int, device: str) -> BodyVariation:
    """Payload, centre-of-mass shift and link masses. cfg: the `domain_rand` section."""
    return BodyVariation(
        draw(cfg.randomize_payload_mass, cfg.payload_mass_range, (num_envs, 1), device, 0.0),
        draw(cfg.randomize_com_displacement, cfg.com_displacement_range, (num_envs, 3), device, 0.0),
        draw(cfg.randomize_link_mass, cfg.link_mass_range, (num_envs, num_bodies - 1), device, 1.0),
    )


def draw_motors(cfg: Any, num_envs: int, device: str) -> MotorVariation:
    """Motor strength and gain factors. cfg: the `domain_rand` section."""
    shape = (num_envs, 1)
    return MotorVariation(
        draw(cfg.randomize_motor_strength, cfg.motor_strength_range, shape, device, 1.0),
        draw(cfg.randomize_kp, cfg.kp_range, shape, device, 1.0),
        draw(cfg.randomize_kd, cfg.kd_range, shape, device, 1.0),
    )


def delayed_actions(last_actions: Tensor, actions: Tensor, delay_steps: Tensor, decimation: int) -> Tensor:
    """Actions of each simulation sub-step: the previous ones until `delay_steps` sub-steps have passed.

    last_actions, actions: (N, A); delay_steps: (N, 1) int64. Result: (N, decimation, A).
    """
    sub_steps = torch.arange(decimation, device=actions.device)
    arrived_mask = sub_steps >= delay_steps  # (N, decimation)
    return torch.where(arrived_mask[:, :, None], actions[:, None], last_actions[:, None])


class Randomization:
    """Mixin: what changes at random while the robot runs. (Bodies are varied once, in Scene.)"""

    def _delay_actions(self) -> None:
        """Decide which actions, the last or the new ones, hold in each sub-step."""
        decimation = self.cfg.control.decimation
        last = self.last_actions if self.cfg.domain_rand.delay else self.actions
        delay_steps = torch.randint(0, decimation, (self.num_envs, 1), device=self.device)
        self.delayed_actions[:] = delayed_actions(last, self.actions, delay_steps, decimation)

    def _draw_materials(self, num: int) -> tuple[Tensor, Tensor]:
        """Friction and restitution of `num` robots, (num, 1) each; the asset's own where not randomised."""
        cfg, shape, device = self.cfg.domain_rand, (num, 1), self.device
        return (
            draw(cfg.randomize_friction, cfg.friction_range, shape, device, self._asset_friction),
            draw(cfg.randomize_restitution, cfg.restitution_range, shape, device, self._asset_restitution),
        )

    def _randomize_motors(self, env_ids: Tensor) -> None:
        """New motor strengths and gain factors."""
        mask = as_mask(env_ids, self.num_envs)
        motors = draw_motors(self.cfg.domain_rand, self.num_envs, self.device)
        write_where(self.motor_strength_factors, mask, motors.motor_strength)
        write_where(self.Kp_factors, mask, motors.kp)
        write_where(self.Kd_factors, mask, motors.kd)

    def _randomize_materials(self, env_ids: Tensor) -> None:
        """New friction and restitution of every shape, if randomised."""
        rand = self.cfg.domain_rand
        if not (rand.randomize_friction or rand.randomize_restitution):
            return
        mask = as_mask(env_ids, self.num_envs)
        friction, restitution = self._draw_materials(self.num_envs)
        write_where(self.friction_coeffs, mask, friction)
        write_where(self.restitution_coeffs, mask, restitution)
        if hasattr(self.gym, "set_actor_rigid_shape_material_tensors"):
            friction, restitution = self.friction_coeffs.flatten(), self.restitution_coeffs.flatten()
            self.gym.set_actor_rigid_shape_material_tensors(
                self.sim, gymtorch.unwrap_tensor(friction), gymtorch.unwrap_tensor(restitution)
            )
        else:  # NVIDIA's Isaac Gym has no tensor for it
            self._set_materials_one_by_one(mask.nonzero().flatten())

    def _set_materials_one_by_one(self, env_ids: Tensor) -> None:
        """Hand friction and restitution to the simulator through the documented per-robot calls."""
        materials = torch.cat((self.friction_coeffs, self.restitution_coeffs), dim=1)[env_ids].tolist()
        for env_id, (friction, restitution) in zip(env_ids.tolist(), materials, strict=True):
            env, actor = self.envs[env_id], self.actor_handles[env_id]
            props = self.gym.get_actor_rigid_shape_properties(env, actor)
            for shape in props:
                shape.friction, shape.restitution = friction, restitution
            self.gym.set_actor_rigid_shape_properties(env, actor, props)

    def _push_robots(self) -> None:
        """Give every base a random horizontal velocity."""
        speed = self.cfg.domain_rand.max_push_vel_xy
        self.root_states[:, 7:9] = uniform(-speed, speed, (self.num_envs, 2), self.device)
        self.gym.set_actor_root_state_tensor(self.sim, gymtorch.unwrap_tensor(self.root_states))

    def _disturbance_robots(self) -> None:
        """Push every base with a random force during the next simulation step."""
        low, high = self.cfg.domain_rand.disturbance_range
        self.disturbance[:, 0] = uniform(low, high, (self.num_envs, 3), self.device)
        forces = gymtorch.unwrap_tensor(self.disturbance)
        self.gym.apply_rigid_body_force_tensors(self.sim, forces, None, gymapi.LOCAL_SPACE)
