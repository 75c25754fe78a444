"""Records quantities of a run step by step, averages rewards, and plots one robot's motion."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from legged_gym.fonts import use_fonts_for

FIGURE_SIZE = (18, 12)  # [inch]


class Logger:
    """Time series by name, and reward rates averaged over steps."""

    def __init__(self, dt: float) -> None:
        """dt: time between logged states [s]."""
        self.dt = dt
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.state_log: dict[str, list[Any]] = defaultdict(list)
        self.reward_log: dict[str, float] = defaultdict(float)  # sum over logged steps of the rate [1/s]
        self.num_reward_steps = 0

    def log_state(self, key: str, value: Any) -> None:
        """Append one value (a number or an array) to the series `key`."""
        self.state_log[key].append(value)

    def log_states(self, values: dict[str, Any]) -> None:
        """Append one value to each series."""
        for key, value in values.items():
            self.log_state(key, value)

    def log_rewards(self, rates: dict[str, float]) -> None:
        """Add one step's reward rates [1/s], averaged over the robots."""
        for key, rate in rates.items():
            self.reward_log[key] += rate
        self.num_reward_steps += 1

    def reward_rates(self) -> dict[str, float]:
        """Average rate of every reward term [1/s]."""
        return {key: total / max(self.num_reward_steps, 1) for key, total in self.reward_log.items()}

    def print_rewards(self) -> None:
        """Print the average reward rates."""
        print("Average rewards per second:")
        for key, rate in self.reward_rates().items():
            print(f"  {key:24s} {rate:9.4f}")

    def plot_states(self, path: str | Path, joint: str = "Joint") -> None:
        """Draw the logged states in nine panels and save them as an image. joint: name of the one that was logged.

        Uses the series: dof_pos_target, dof_pos [rad], dof_vel [rad/s], dof_torque [N·m] of one joint; command_x,
        command_y [m/s], command_yaw [rad/s]; base_vel_x, base_vel_y, base_vel_z [m/s], base_vel_yaw [rad/s];
        contact_forces_z [N], one value per foot. Missing series leave their line out.
        """
        import matplotlib  # slow to import, and only needed here

        matplotlib.use("Agg")  # works without a display
        from matplotlib import pyplot as plt

        use_fonts_for(joint)
        figure, axes = plt.subplots(3, 3, figsize=FIGURE_SIZE, layout="constrained")
        self._plot_series(axes[0, 0], f"{joint}: position", "[rad]", dof_pos="measured", dof_pos_target="target")
        self._plot_series(axes[0, 1], f"{joint}: velocity", "[rad/s]", dof_vel="measured")
        self._plot_series(axes[0, 2], f"{joint}: torque", "[N·m]", dof_torque="applied")
        self._plot_series(axes[1, 0], "Base velocity x", "[m/s]", base_vel_x="measured", command_x="commanded")
        self._plot_series(axes[1, 1], "Base velocity y", "[m/s]", base_vel_y="measured", command_y="commanded")
        self._plot_series(axes[1, 2], "Base yaw rate", "[rad/s]", base_vel_yaw="measured", command_yaw="commanded")
        self._plot_series(axes[2, 0], "Base velocity z", "[m/s]", base_vel_z="measured")
        self._plot_feet(axes[2, 1])
        self._plot_torque_over_velocity(axes[2, 2], joint)
        figure.savefig(path)
        plt.close(figure)

    def _plot_series(self, axis: Any, title: str, unit: str, **labels: str) -> None:
        """Plot the named series over time; keyword: the series' name, value: its label."""
        for key, label in labels.items():
            if key in self.state_log:
                values = np.asarray(self.state_log[key])
                axis.plot(np.arange(len(values)) * self.dt, values, label=label)
        axis.set(title=title, xlabel="time [s]", ylabel=unit)
        if axis.lines:
            axis.legend()

    def _plot_feet(self, axis: Any) -> None:
        forces = np.asarray(self.state_log.get("contact_forces_z", np.zeros((0, 0))))  # (steps, feet)
        for foot in range(forces.shape[1]):
            axis.plot(np.arange(len(forces)) * self.dt, forces[:, foot], label=f"foot {foot}")
        axis.set(title="Vertical foot force", xlabel="time [s]", ylabel="[N]")
        if axis.lines:
            axis.legend()

    def _plot_torque_over_velocity(self, axis: Any, joint: str) -> None:
        if {"dof_vel", "dof_torque"} <= self.state_log.keys():
            axis.plot(self.state_log["dof_vel"], self.state_log["dof_torque"], "x")
        axis.set(title=f"{joint}: torque over velocity", xlabel="[rad/s]", ylabel="[N·m]")
