"""Reward terms. A term is a method `_reward_<name>` of shape (num_envs,); its weight is `rewards.scales.<name>`.

Terms read the robot's tensors and change nothing. Sizes and frames of the tensors: see LeggedRobot._init_buffers.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from legged_gym.utils.math import rotate_inverse_points, rotate_points

FOOT_CONTACT_FORCE = 1.0  # [N] vertical force above which a foot counts as standing
COLLISION_FORCE = 0.1  # [N]
MIN_AIR_TIME = 0.5  # [s] steps longer than this are rewarded, shorter ones punished
STANDING_COMMAND = 0.1  # [m/s] slower commands mean "stand"
STUMBLE_RATIO = 5.0  # horizontal over vertical force at which a foot has hit something steep
MAX_VEL_EXCESS = 1.0  # [rad/s] per joint


class FootContacts(NamedTuple):
    """Contact history of the feet, (N, num_feet) each."""

    air_time: Tensor  # time since the foot last stood, counting this step [s]
    filtered: Tensor  # bool: standing now or one step ago (contacts on meshes may drop out for a step)
    landed: Tensor  # bool: first step of standing


def track_foot_contacts(air_time: Tensor, filtered: Tensor, last: Tensor, now: Tensor, dt: float) -> FootContacts:
    """Advance the air time of every foot by one policy step.

    Args:
        air_time, filtered: the previous step's FootContacts, (N, num_feet).
        last, now: bool, the foot stood in the previous and stands in this step, (N, num_feet).
        dt: policy step [s].
    """
    before = torch.where(filtered, 0.0, air_time)
    standing = now | last
    return FootContacts(before + dt, standing, (before > 0) & standing)


class Rewards:
    """Mixin with every term; the robot that inherits it owns the tensors."""

    @classmethod
    def reward_problems(cls, scales: dict[str, float]) -> list[str]:
        """What is wrong with weights: terms that do not exist."""
        known = sorted(name.removeprefix("_reward_") for name in dir(cls) if name.startswith("_reward_"))
        unknown = [name for name, scale in scales.items() if scale and name not in known]
        if not unknown:
            return []
        first = f"reward scale '{unknown[0]}' has no method _reward_{unknown[0]}"
        others = f"; nor have {', '.join(map(repr, unknown[1:]))}" if unknown[1:] else ""
        return [f"{first}{others}; known terms: {', '.join(known)}"]

    # -- following the command

    def _reward_tracking_lin_vel(self) -> Tensor:
        """Follow the commanded horizontal velocity: 1 when exact, falling with the squared error."""
        return torch.exp(-self._lin_vel_error() / self.cfg.rewards.tracking_sigma)

    def _reward_tracking_ang_vel(self) -> Tensor:
        """Follow the commanded yaw rate: 1 when exact, falling with the squared error."""
        return torch.exp(-self._ang_vel_error() / self.cfg.rewards.tracking_sigma)

    def _reward_fine_tracking_lin_vel(self) -> Tensor:
        """As tracking_lin_vel, but narrow: it pays for the last few centimetres per second."""
        return torch.exp(-self._lin_vel_error() / self.cfg.rewards.fine_tracking_sigma)

    def _reward_fine_tracking_ang_vel(self) -> Tensor:
        """As tracking_ang_vel, but narrow."""
        return torch.exp(-self._ang_vel_error() / self.cfg.rewards.fine_tracking_sigma)

    def _reward_progress(self) -> Tensor:
        """Speed along the command as a share of the commanded one, from -1 to 1; 0 where the command is to stand.

        Unlike the tracking terms it falls in a line, so that standing before an obstacle pays nothing at any speed.
        """
        command = self.commands[:, :2]
        along = (command * self.base_lin_vel[:, :2]).sum(dim=1)
        return (along / command.square().sum(dim=1).clip(min=STANDING_COMMAND**2)).clip(-1, 1)

    def _lin_vel_error(self) -> Tensor:
        """Squared error of the horizontal velocity [m²/s²], base frame."""
        return (self.commands[:, :2] - self.base_lin_vel[:, :2]).square().sum(dim=1)

    def _ang_vel_error(self) -> Tensor:
        """Squared error of the yaw rate [rad²/s²]."""
        return (self.commands[:, 2] - self.base_ang_vel[:, 2]).square()

    def _reward_stand_still(self) -> Tensor:
        """Distance from the default pose while the command is to stand."""
        offset = (self.dof_pos - self.default_dof_pos).abs().sum(dim=1)
        return offset * (self.commands[:, :2].norm(dim=1) < STANDING_COMMAND)

    def _reward_lifted_feet(self) -> Tensor:
        """Number of feet off the ground while the command is to stand: no velocity and no yaw rate."""
        return (~self.feet_standing).float().sum(dim=1) * (self.commands[:, :3] == 0).all(dim=1)

    # -- base motion

    def _reward_lin_vel_z(self) -> Tensor:
        """Squared vertical velocity in the base frame."""
        return self.base_lin_vel[:, 2].square()

    def _reward_ang_vel_xy(self) -> Tensor:
        """Squared roll and pitch rates."""
        return self.base_ang_vel[:, :2].square().sum(dim=1)

    def _reward_orientation(self) -> Tensor:
        """Squared tilt: horizontal part of gravity in the base frame, 0 when level."""
        return self.projected_gravity[:, :2].square().sum(dim=1)

    def _reward_base_height(self) -> Tensor:
        """Squared deviation of the base's height above ground from its target."""
        return (self._get_base_heights() - self.cfg.rewards.base_height_target).square()

    def _reward_trunk_clearance(self) -> Tensor:
        """What points of the trunk miss of the clearance above the ground below them that they should have [m], summed.

        Unlike a contact it tells beforehand that a trunk or head is about to meet a riser.
        """
        points_b = self.trunk_points.expand(len(self.base_quat), -1, -1)
        points_w = rotate_points(self.base_quat, points_b) + self.root_states[:, None, :3]
        clearance = points_w[..., 2] - self._ground_heights(points_w[..., :2])
        return (self.cfg.rewards.trunk_clearance_target - clearance).clip(min=0).sum(dim=1)

    # -- effort and smoothness

    def _reward_torques(self) -> Tensor:
        """Squared joint torques."""
        return self.torques.square().sum(dim=1)

    def _reward_dof_vel(self) -> Tensor:
        """Squared joint velocities."""
        return self.dof_vel.square().sum(dim=1)

    def _reward_dof_acc(self) -> Tensor:
        """Squared joint accelerations over the last policy step."""
        return ((self.last_dof_vel - self.dof_vel) / self.dt).square().sum(dim=1)

    def _reward_joint_power(self) -> Tensor:
        """Mechanical power of all joints, absolute [W]."""
        return (self.dof_vel.abs() * self.torques.abs()).sum(dim=1)

    def _reward_action_rate(self) -> Tensor:
        """Squared change of the actions."""
        return (self.last_actions - self.actions).square().sum(dim=1)

    def _reward_smoothness(self) -> Tensor:
        """Squared second difference of the actions."""
        return (self.actions - 2 * self.last_actions + self.last_last_actions).square().sum(dim=1)

    # -- feet

    def _reward_foot_clearance(self) -> Tensor:
        """Deviation from the target height of feet that swing sideways or forwards, all relative to the base."""
        root, feet = self.root_states[:, None], torch.cat((self.feet_pos, self.feet_vel), dim=2)
        relative_w = feet - torch.cat((root[..., 0:3], root[..., 7:10]), dim=2)
        relative_b = rotate_inverse_points(self.base_quat, relative_w.view(len(feet), -1, 3)).view(feet.shape)
        feet_pos_b, feet_vel_b = relative_b[..., :3], relative_b[..., 3:]
        error = (feet_pos_b[..., 2] - self.cfg.rewards.clearance_height_target).square()
        return (error * feet_vel_b[..., :2].norm(dim=-1)).sum(dim=1)

    def _reward_feet_air_time(self) -> Tensor:
        """Long steps: time in the air beyond 0.5 s, paid at landing, while the command is to walk."""
        excess = ((self.feet_air_time - MIN_AIR_TIME) * self.feet_landed).sum(dim=1)
        return excess * (self.commands[:, :2].norm(dim=1) > STANDING_COMMAND)

    def _reward_feet_stumble(self) -> Tensor:
        """1 if any foot pushes against something steep."""
        force = self.contact_forces[:, self.feet_indices]
        return (force[..., :2].norm(dim=-1) > STUMBLE_RATIO * force[..., 2].abs()).any(dim=1).float()

    def _reward_feet_contact_forces(self) -> Tensor:
        """Contact force on the feet beyond the allowed one [N]."""
        force = self.contact_forces[:, self.feet_indices].norm(dim=-1)
        return (force - self.cfg.rewards.max_contact_force).clip(min=0).sum(dim=1)

    # -- limits and failures

    def _reward_collision(self) -> Tensor:
        """Number of penalised bodies that touch something."""
        force = self.contact_forces[:, self.penalised_contact_indices].norm(dim=-1)
        return (force > COLLISION_FORCE).float().sum(dim=1)

    def _reward_dof_pos_limits(self) -> Tensor:
        """Joint angle beyond the soft limits [rad]."""
        below = (self.dof_pos_limits[:, 0] - self.dof_pos).clip(min=0)
        above = (self.dof_pos - self.dof_pos_limits[:, 1]).clip(min=0)
        return (below + above).sum(dim=1)

    def _reward_dof_vel_limits(self) -> Tensor:
        """Joint speed beyond the soft limit [rad/s], at most 1 per joint."""
        limit = self.dof_vel_limits * self.cfg.rewards.soft_dof_vel_limit
        return (self.dof_vel.abs() - limit).clip(0, MAX_VEL_EXCESS).sum(dim=1)

    def _reward_torque_limits(self) -> Tensor:
        """Torque beyond the soft limit [N·m]."""
        limit = self.torque_limits * self.cfg.rewards.soft_torque_limit
        return (self.torques.abs() - limit).clip(min=0).sum(dim=1)

    def _reward_termination(self) -> Tensor:
        """1 where the episode ended by failure, not by time."""
        return (self.reset_buf & ~self.time_out_buf).float()
