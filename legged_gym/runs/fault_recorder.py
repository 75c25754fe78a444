"""The last moments of a robot whose simulation broke: recorded on the device, saved, and shown."""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from legged_gym.fonts import use_fonts_for
from legged_gym.utils.math import over_robots
from rsl_rl.runners.checkpoint import read_data

NUM_STEPS = 50  # policy steps of every robot that are kept: one second
TABLE_STEPS = 10  # of the record on the console


class FaultRecord(NamedTuple):
    """Quantities of one robot over its last T policy steps, the broken one last."""

    env_id: int
    root_states: Tensor  # (T, 13) position [m], quaternion xyzw, velocity [m/s], angular velocity [rad/s]; world
    dof_pos: Tensor  # (T, num_dof) [rad]
    dof_vel: Tensor  # (T, num_dof) [rad/s]
    torques: Tensor  # (T, num_dof) [N·m] of the last sub-step
    actions: Tensor  # (T, num_actions)
    commands: Tensor  # (T, 4) vx, vy [m/s], yaw rate [rad/s], heading [rad]


QUANTITIES = FaultRecord._fields[1:]


class FaultRecorder:
    """Keeps the last steps of all robots, and sets aside those of the first one that breaks, until they are taken.

    `add` works on the device only, without branching, so that it may be part of a recorded step.
    """

    def __init__(self, widths: dict[str, int], num_envs: int, device: str) -> None:
        """widths: columns of each of QUANTITIES."""
        self.widths = widths
        self._last = torch.zeros(num_envs, NUM_STEPS, sum(widths.values()), device=device)
        self._count = torch.zeros(1, dtype=torch.long, device=device)  # steps since the start
        self._broken = torch.zeros_like(self._last[0])  # of the robot set aside, in the order of `_last`
        self._broken_id = torch.full((1,), -1, device=device)  # -1: none is set aside
        self._broken_count = torch.zeros_like(self._count)
        self._ids = torch.arange(num_envs, device=device)

    def add(self, quantities: dict[str, Tensor], fault_mask: Tensor) -> None:
        """Add one step. quantities: (num_envs, width) each; fault_mask: (num_envs,) bool."""
        row = torch.cat([quantities[name] for name in self.widths], dim=1)
        self._last.index_copy_(1, self._count % NUM_STEPS, row[:, None])
        self._count += 1
        first = over_robots(torch.where(fault_mask, self._ids, self._ids[-1]), "amin").view(1)
        is_new = fault_mask[first] & (self._broken_id < 0)
        for own, value in (
            (self._broken, self._last.index_select(0, first)[0]),
            (self._broken_id, first),
            (self._broken_count, self._count),
        ):
            own.copy_(torch.where(is_new, value, own))

    def take(self) -> FaultRecord | None:
        """What was set aside, on the host; None if no robot broke since the last call. Reads the device once."""
        env_id = int(self._broken_id)
        if env_id < 0:
            return None
        count = int(self._broken_count)
        rows = self._broken.roll(-(count % NUM_STEPS), dims=0)[-min(count, NUM_STEPS) :].cpu()
        self._broken_id.fill_(-1)
        return FaultRecord(env_id, *rows.split(list(self.widths.values()), dim=1))


def read_fault(path: str | Path) -> dict[str, Any]:
    """A file that the runner wrote: the record's fields, "dof_names" and "dt" [s]; else a ValueError."""
    values = read_data(path, "cpu")
    if not {*FaultRecord._fields, "dof_names", "dt"} <= values.keys():
        raise ValueError(f"{path} is not the record of a broken robot")
    steps = {len(values[name]) if isinstance(values[name], Tensor) else -1 for name in QUANTITIES}
    if len(steps) != 1 or min(steps) < 1:
        raise ValueError(f"{path} is not the record of a broken robot: its quantities differ in length")
    return values


def show_fault(path: str | Path) -> Path:
    """Print the last steps of a record and plot all of it beside the file. Returns the plot's path."""
    record = read_fault(path)
    num_steps, dt, names = len(record["dof_vel"]), record["dt"], record["dof_names"]
    print(f"Robot {record['env_id']}, last {num_steps} policy steps of {dt:g} s; the last one broke:")
    print(f"{'time [s]':>9} {'height [m]':>11} {'speed [m/s]':>12} {'fastest joint [rad/s]':>34} {'torque [N·m]':>30}")
    for step in range(max(0, num_steps - TABLE_STEPS), num_steps):
        height, speed = record["root_states"][step, 2], record["root_states"][step, 7:10].norm()
        fastest, strongest = (_largest(record[name][step], names) for name in ("dof_vel", "torques"))
        print(f"{(step + 1 - num_steps) * dt:9.2f} {height:11.3f} {speed:12.3f} {fastest:>34} {strongest:>30}")
    plot = Path(path).with_suffix(".png")
    _plot(record, plot)
    print(f"Plotted {plot}")
    return plot


def _largest(values: Tensor, names: list[str]) -> str:
    """The value of largest magnitude, NaN before all, and whose it is."""
    index = int(values.abs().nan_to_num(nan=torch.inf).argmax())
    return f"{values[index]:.1f} ({names[index]})"


def _plot(record: dict[str, Any], path: Path) -> None:
    import matplotlib  # slow to import, and only needed here

    matplotlib.use("Agg")  # works without a display
    from matplotlib import pyplot as plt

    use_fonts_for("".join(record["dof_names"]))
    times = (torch.arange(len(record["dof_vel"])) + 1 - len(record["dof_vel"])) * record["dt"]
    panels = {
        "Base position [m]": (record["root_states"][:, :3], ["x", "y", "z"]),
        "Base velocity [m/s]": (record["root_states"][:, 7:10], ["x", "y", "z"]),
        "Base angular velocity [rad/s]": (record["root_states"][:, 10:13], ["x", "y", "z"]),
        "Joint positions [rad]": (record["dof_pos"], record["dof_names"]),
        "Joint velocities [rad/s]": (record["dof_vel"], record["dof_names"]),
        "Joint torques [N·m]": (record["torques"], record["dof_names"]),
    }
    figure, axes = plt.subplots(2, 3, figsize=(16, 9), layout="constrained")
    for axis, (title, (values, labels)) in zip(axes.flat, panels.items(), strict=True):
        axis.plot(times, values, label=labels)
        axis.set(title=title, xlabel="time [s]")
        axis.legend(fontsize="x-small", ncols=2)
    figure.savefig(path)
    plt.close(figure)
