"""Rules that make the task harder as the robots get better."""

from typing import Any

import torch
from torch import Tensor

from isaacgym.assets.notices import counted
from legged_gym.utils.math import as_mask, over_robots
from rsl_rl.utils import ranks

COMMANDED_SHARE = 0.5  # share of the commanded distance below which a robot moves down a level
TRACKING_SHARE = 0.8  # share of the best possible tracking reward that widens the speed range
SPEED_STEP = 0.2  # [m/s] added on both sides of the speed range


def next_terrain_levels(
    levels: Tensor,
    walked: Tensor,
    commanded: Tensor,
    tile_length: float,
    num_levels: int,
    lived_mask: Tensor,
    lowest_again: int = 0,
) -> Tensor:
    """Terrain levels for the next episode.

    Up after walking more than half a tile; down after less than half of the commanded distance. A robot that solves
    the top level is sent to a random one from `lowest_again` on.

    Args:
        levels: (N,) int64.
        walked, commanded: distance from the start and commanded speed x episode length [m], (N,).
        tile_length: [m].
        num_levels: rows of the map.
        lived_mask: (N,) bool; robots that have not taken a step keep their level.
    """
    up = walked > tile_length / 2
    down = (walked < COMMANDED_SHARE * commanded) & ~up
    moved = (levels + up.long() - down.long()).clip(min=0)
    moved = torch.where(moved >= num_levels, torch.randint_like(levels, lowest_again, num_levels), moved)
    return torch.where(lived_mask, moved, levels)


def group_totals(values: Tensor, high_mask: Tensor, valid_mask: Tensor) -> tuple[Tensor, Tensor]:
    """Sums of `values` and counts over valid entries for the (ordinary, high-speed) groups: two tensors of shape (2,).

    values, high_mask, valid_mask: (N,).
    """
    groups = torch.stack((~high_mask & valid_mask, high_mask & valid_mask)).to(values.dtype)
    return over_robots(groups * values, "sum"), over_robots(groups, "sum")


def widened_range(speed_range: Tensor, group_means: Tensor, best: float, limit: float) -> Tensor:
    """The forward-speed range [m/s], one step wider if all of the groups track well enough. (2,), (G,) -> (2,).

    A group in which no episode ended has a NaN mean and keeps the range as it is.
    """
    step = torch.where((group_means > TRACKING_SHARE * best).all(), SPEED_STEP, 0.0)
    low = (speed_range[0] - step).clip(min=-limit)
    high = (speed_range[1] + step).clip(max=limit)
    # A range that was configured wider than the limit stays as it is.
    return torch.stack((torch.minimum(low, speed_range[0]), torch.maximum(high, speed_range[1])))


def resampled_levels(saved: Tensor, num_envs: int) -> Tensor:
    """Levels of `num_envs` robots drawn from the distribution of the saved ones. (M,) -> (num_envs,)."""
    return saved[torch.randint(len(saved), (num_envs,), device=saved.device)]


class Curricula:
    """Mixin: terrain levels and the forward-speed range of the robot that inherits it."""

    def _update_terrain_curriculum(self, env_ids: Tensor) -> None:
        """Move robots whose episode ends to a harder or an easier tile."""
        walked = (self.root_states[:, :2] - self.env_origins[:, :2]).norm(dim=1)
        straight = ~self.yaw_rate_mask  # who walks in a circle does not get anywhere
        commanded = straight * self.commands[:, :2].norm(dim=1) * self.max_episode_length_s
        self.terrain_levels[:] = next_terrain_levels(
            self.terrain_levels,
            walked,
            commanded,
            self.cfg.terrain.terrain_length,
            self.max_terrain_level,
            lived_mask=as_mask(env_ids, self.num_envs) & (self.episode_length_buf > 0),
            lowest_again=min(self.cfg.terrain.lowest_level_again, self.max_terrain_level - 1),
        )
        self.env_origins[:] = self.terrain_origins[self.terrain_levels, self.terrain_types]

    def update_command_curriculum(self, env_ids: Tensor) -> None:
        """Note how well the ended episodes tracked.

        The best possible tracking is a full episode at the maximal reward, so an early fall counts against it.
        """
        if "tracking_lin_vel" not in self.reward_scales:
            return  # without the term there is nothing to judge by
        sums = self.episode_sums["tracking_lin_vel"] / self.max_episode_length
        lived_mask = as_mask(env_ids, self.num_envs) & (self.episode_length_buf > 0)
        totals, counts = group_totals(sums, self.high_vel_mask, lived_mask)
        self._tracking_totals += totals
        self._tracking_counts += counts

    def _widen_speed_range(self) -> None:
        """Once every max_episode_length steps, widen the speed range if the episodes since then tracked well."""
        if self.common_step_counter - self._last_range_check < self.max_episode_length:
            return
        if "tracking_lin_vel" not in self.reward_scales:
            return
        means = ranks.add_(self._tracking_totals) / ranks.add_(self._tracking_counts)
        self.command_ranges["lin_vel_x"][:] = widened_range(
            self.command_ranges["lin_vel_x"],
            means[1:] if self.cfg.commands.curriculum_by_high_speed else means,
            self.reward_scales["tracking_lin_vel"],
            self.cfg.commands.max_curriculum,
        )
        self._tracking_totals.zero_()
        self._tracking_counts.zero_()
        self._last_range_check = self.common_step_counter

    def get_curriculum_state(self) -> dict[str, Any]:
        """What a checkpoint needs so that a resumed run goes on at the same difficulty; of the robots of all ranks."""
        state = {"common_step_counter": self.common_step_counter}
        state["lin_vel_x_range"] = self.command_ranges["lin_vel_x"].tolist()
        if self.terrain_curriculum:
            levels = ranks.gather(self.terrain_levels.cpu().clone())
            state["terrain_levels"] = torch.stack(levels, dim=1).flatten()  # by `global_ids`
        return state

    def set_curriculum_state(self, state: dict[str, Any]) -> None:
        """Take over a saved difficulty and start new episodes at it."""
        self.common_step_counter = self._last_range_check = state["common_step_counter"]
        self.command_ranges["lin_vel_x"][:] = torch.as_tensor(state["lin_vel_x_range"], device=self.device)
        if self.terrain_curriculum and "terrain_levels" in state:
            levels = state["terrain_levels"].to(self.device)
            all_robots = self.num_envs * ranks.num_ranks()
            if len(levels) == all_robots:
                levels = levels[ranks.global_ids(self.num_envs, self.device)]
            else:
                print(f"Terrain levels were saved for {counted(len(levels), 'robot')}: drawing {all_robots} from them.")
                levels = resampled_levels(levels, self.num_envs)
            self.terrain_levels[:] = levels.clip(max=self.max_terrain_level - 1)
            self.env_origins[:] = self.terrain_origins[self.terrain_levels, self.terrain_types]
        self.episode_length_buf[:] = 0  # the curricula ignore episodes that have not begun
        self.reset()
