"""Legs with driven wheels: some joints follow speeds instead of angles."""

import torch
from torch import Tensor

from legged_gym.envs.base.legged_robot import LeggedRobot


class WheeledRobot(LeggedRobot):
    """A LeggedRobot whose joints named by `control.wheel_name` are wheels.

    Actions keep one column per joint: a wheel's is its speed in units of `control.wheel_scale`, held by the joint's
    damping alone. Observations keep their columns as well, but a wheel's angle, which grows without bound and means
    nothing, reads 0.
    """

    graph_safe = True

    def _init_control(self) -> None:
        super()._init_control()
        wheels = [self.cfg.control.wheel_name in name for name in self.dof_names]
        self.wheel_mask = torch.tensor(wheels, device=self.device)  # (num_dof,)
        self.action_scales = torch.where(self.wheel_mask, self.cfg.control.wheel_scale, self.action_scales)
        angles = torch.arange(self.num_dof, device=self.device) + self.layout.columns["dof_pos"].start
        self._seen = torch.ones(self.num_privileged_obs, device=self.device)  # 0 in the columns of wheels' angles
        self._seen[angles[self.wheel_mask]] = 0.0

    @classmethod
    def config_problems(cls, cfg: object) -> list[str]:
        problems = super().config_problems(cfg)
        if not cfg.control.wheel_name:
            problems.append("control.wheel_name is empty; give it a part of the names of the wheels' joints")
        if cfg.control.control_type != "P":
            problems.append(f"control.control_type is {cfg.control.control_type}, but legs with wheels need P")
        return problems

    def _compute_torques(self, actions: Tensor) -> Tensor:
        """Legs hold angles, wheels hold speeds, clipped to the motor limits; as in LeggedRobot."""
        target = actions * self.action_scales
        kp, kd = self.p_gains * self.Kp_factors, self.d_gains * self.Kd_factors
        legs = kp * (self.default_dof_pos + target - self.dof_pos) - kd * self.dof_vel
        torques = torch.where(self.wheel_mask, kd * (target - self.dof_vel), legs)
        return torch.clip(self.motor_strength_factors * torques, -self.torque_limits, self.torque_limits)

    def get_current_obs(self) -> Tensor:
        return super().get_current_obs() * self._seen
