"""How an episode ends and the next one starts."""

import torch
from torch import Tensor

from isaacgym import gymtorch
from legged_gym.envs.base import domain_rand
from legged_gym.envs.base.scene import START_SPREAD
from legged_gym.utils.math import actor_indices, as_mask, over_robots, uniform, write_where

START_SPEED = 0.5  # [m/s], [rad/s] bound of the base's random velocity at reset


class Resets:
    """Mixin: new episodes in some environments, and the report on the ended ones."""

    def reset_idx(self, env_ids: Tensor) -> None:
        """Start a new episode in some environments and report on the ended ones in extras["episode"].

        env_ids: (D,) int64, and nothing happens if it is empty; or a (num_envs,) bool mask, which never waits for the
        device. The methods called from here take the same.
        """
        if len(env_ids) == 0:
            return
        if self.terrain_curriculum:
            self._update_terrain_curriculum(env_ids)
        if self.cfg.commands.curriculum:
            self.update_command_curriculum(env_ids)
        self._reset_dofs(env_ids)
        self._reset_root_states(env_ids)
        self._resample_commands(env_ids)
        self._randomize_motors(env_ids)
        self._randomize_materials(env_ids)
        mask = as_mask(env_ids, self.num_envs)
        self._report_episodes(mask)
        for memory in (*self._episode_memory, self.episode_length_buf):
            write_where(memory, mask, 0)
        self._reward_sums.masked_fill_(mask, 0.0)
        self.refill_mask |= mask
        self._observe_start(env_ids)

    def _observe_start(self, env_ids: Tensor) -> None:
        """Bring what observations derive from the state up to the new start; the simulator has not stepped since."""
        mask = as_mask(env_ids, self.num_envs)
        self._update_base_state(mask)
        self._update_heading_commands()
        if not self.cfg.terrain.measure_heights:
            return
        if env_ids.dtype == torch.bool:
            write_where(self.measured_heights, env_ids, self._get_heights())
        else:
            self.measured_heights[env_ids] = self._get_heights(env_ids)

    def _report_episodes(self, mask: Tensor) -> None:
        """Average reward rates [1/s] of the ended episodes, NaN if there are none, and the curricula's state; 0-d."""
        seconds = self.episode_length_buf.clip(min=1) * self.dt
        rates = over_robots(torch.where(mask, self._reward_sums / seconds, 0.0), "sum") / over_robots(mask, "sum")
        episode = {f"rew_{name}": rate for name, rate in zip(self.episode_sums, rates, strict=True)}
        if self.terrain_curriculum:
            levels = self.terrain_levels.float()
            episode["terrain_level"] = over_robots(levels, "sum") / self.num_envs
            by_type = over_robots(self._type_weights * levels, "sum")
            episode |= {f"terrain_level_{name}": level for name, level in zip(self._type_names, by_type, strict=True)}
        if self.cfg.commands.curriculum:
            episode["max_command_x"] = self.command_ranges["lin_vel_x"][1].clone()
        self.extras["episode"] = episode

    def _reset_dofs(self, env_ids: Tensor) -> None:
        """Put the joints near the default pose, at rest."""
        rand, mask = self.cfg.domain_rand, as_mask(env_ids, self.num_envs)
        factors = domain_rand.draw(
            rand.randomize_initial_joint_pos, rand.initial_joint_pos_range, self.dof_pos.shape, self.device, 1.0
        )
        write_where(self.dof_pos, mask, self.default_dof_pos * factors)
        write_where(self.dof_vel, mask, 0.0)
        ids = actor_indices(env_ids)
        self.gym.set_dof_state_tensor_indexed(
            self.sim, gymtorch.unwrap_tensor(self.dof_state), gymtorch.unwrap_tensor(ids), len(ids)
        )

    def _reset_root_states(self, env_ids: Tensor) -> None:
        """Put the bases above their origins, moving a little."""
        num = self.num_envs
        states = self.base_init_state.repeat(num, 1)
        states[:, :3] += self.env_origins
        if self.custom_origins:
            states[:, :2] += uniform(-START_SPREAD, START_SPREAD, (num, 2), self.device)
        states[:, 7:13] = uniform(-START_SPEED, START_SPEED, (num, 6), self.device)
        write_where(self.root_states, as_mask(env_ids, num), states)
        ids = actor_indices(env_ids)
        self.gym.set_actor_root_state_tensor_indexed(
            self.sim, gymtorch.unwrap_tensor(self.root_states), gymtorch.unwrap_tensor(ids), len(ids)
        )
