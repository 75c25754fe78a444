"""What a robot's environment tells for the curves of a training, beyond its report on ended episodes."""

from typing import ClassVar

from torch import Tensor

from isaacgym import gymtorch
from legged_gym.runs.state_figure import StateSample, draw_state
from legged_gym.utils.math import over_robots

FORWARDS = "_forwards"  # after a terrain type: of its robots that always walk forwards
OTHER_GROUP = "other"  # of terms that `reward_groups` does not name


class Telemetry:
    """Mixin: reward rates of every step, TensorBoard's arrangement of the curves, and pictures of the state."""

    # Name of a group: its terms. A subclass with terms of its own may extend it.
    reward_groups: ClassVar[dict[str, tuple[str, ...]]] = {
        "tracking": (
            *("tracking_lin_vel", "tracking_ang_vel", "fine_tracking_lin_vel", "fine_tracking_ang_vel"),
            *("progress", "stand_still", "lifted_feet"),
        ),
        "motion": ("lin_vel_z", "ang_vel_xy", "orientation", "base_height", "trunk_clearance"),
        "joints": ("torques", "dof_vel", "dof_acc", "joint_power", "action_rate", "smoothness"),
        "gait": ("foot_clearance", "feet_air_time", "feet_stumble", "feet_contact_forces"),
        "limits": ("collision", "dof_pos_limits", "dof_vel_limits", "torque_limits", "termination"),
    }

    def _tag_of_reward(self, name: str) -> str:
        """Name of the curve of a term's rate."""
        group = next((group for group, names in self.reward_groups.items() if name in names), OTHER_GROUP)
        return f"Reward/{group}/{name}"

    def _report_step(self) -> dict[str, Tensor]:
        """Weighted reward rates [1/s] of this step, averaged over all robots, and its faults; 0-d.

        The report on ended episodes leaves out those that go on, so robots that fall early weigh more in it.
        """
        rates = over_robots(self.step_rewards, "sum") / (self.num_envs * self.dt)
        report = {self._tag_of_reward(name): rate for name, rate in zip(self.episode_sums, rates, strict=True)}
        return report | self.count_faults()

    def count_faults(self) -> dict[str, Tensor]:
        """Robots whose simulation broke, and what the simulator had no room for, since the last call."""
        counts = {"Faults/broken_robots": self.fault_count}
        if hasattr(self.gym, "get_overflow_count_tensor"):  # ours only
            counts["Faults/overflows"] = gymtorch.wrap_tensor(self.gym.get_overflow_count_tensor(self.sim))
        faults = {name: (count - self.faults_told[name]).float() for name, count in counts.items()}
        for name, count in counts.items():
            self.faults_told[name].copy_(count)
        return faults

    @property
    def curve_layout(self) -> dict[str, dict[str, list[str]]]:
        """For TensorBoard's page of custom scalars: category → chart → regular expressions of tags."""
        used = {self._tag_of_reward(name).split("/")[1] for name in self.episode_sums}
        groups = [group for group in (*self.reward_groups, OTHER_GROUP) if group in used]
        layout = {"Reward per second": {group: [f"Reward/{group}/.*"] for group in groups}}
        if self.terrain_curriculum:
            layout["Terrain level"] = {"by terrain type": ["Episode/terrain_level.*"]}
        return layout

    def figures(self) -> dict[str, bytes]:
        """Tag → PNG: commands against velocities now and, with a curriculum, the levels of the robots."""
        sample = StateSample(
            commands=self.commands[:, :3].cpu().numpy(),
            lin_vel=self.base_lin_vel.cpu().numpy(),
            ang_vel=self.base_ang_vel.cpu().numpy(),
            levels=self._levels_by_type(),
            num_levels=self.max_terrain_level if self.terrain_curriculum else 0,
        )
        return {"State/commands_and_levels": draw_state(sample)}

    def _levels_by_type(self) -> dict[str, list[int]]:
        """Terrain type → level of each of its robots."""
        if not self.terrain_curriculum:
            return {}
        members = (self._type_weights > 0).cpu()
        levels = self.terrain_levels.cpu()
        of_types = zip(self._type_names, members, strict=True)
        return {name: levels[mask].tolist() for name, mask in of_types if not name.endswith(FORWARDS)}
