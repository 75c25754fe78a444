"""The controls of a LeggedRobot on the viewer's page: commands, curves, contact forces and the height scan.

Everything here runs with a frame of the page, so only while a browser shows it.
"""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isaacgym.viewer.page import Number
from legged_gym.envs.base import height_scan

NAMES = ("vx [m/s]", "vy [m/s]", "yaw rate [rad/s]")
MAX_LATERAL, MAX_YAW_RATE = 1.0, 3.14  # [m/s], [rad/s] of the sliders; forwards: the config's max_curriculum
FORCE_SCALE = 0.003  # [m/N] of the lines
FORCE_COLOR, SCAN_COLOR = (220, 30, 60), (40, 90, 230)
LINE_THICKNESS, POINT_SIZE, POINT_LIFT = 0.012, 0.03, 0.02  # [m]
CURVE_FRAMES = 300  # in the curves
CURVE_INTERVAL_S = 0.15  # [s] between updates of curves and sliders on the page
CURVE_HEIGHT = 130  # [pixel]
COLORS = {"command": "#e07020", "velocity": "#3070d0"}


class ViewerPanel:
    """Adds folders to the page of a viewer and draws with every frame."""

    def __init__(self, env: Any, viewer: Any) -> None:
        """env: a LeggedRobot whose buffers exist; viewer: a WebViewer."""
        self._env, self._viewer = env, viewer
        self._overridden: Tensor | None = None  # ids of the robots whose commands come from the sliders
        self._next_curve = 0.0
        self._curve_robot = -1
        self._curves: deque[np.ndarray] = deque(maxlen=CURVE_FRAMES)  # (7,) each: time [s], commands, velocities
        gui = viewer.gui
        viewer.page.name(f"HIMLoco: {env.cfg.asset.name}")
        with gui.add_folder("Command", order=2):
            self._override = gui.add_checkbox("Override", False, hint="The sliders command, not the environment")
            self._all_robots = gui.add_checkbox("All robots", False, hint="Instead of the chosen one only")
            limits = (env.cfg.commands.max_curriculum, MAX_LATERAL, MAX_YAW_RATE)
            self._sliders = [self._slider(name, float(limit)) for name, limit in zip(NAMES, limits, strict=True)]
        with gui.add_folder("Show", order=3):
            self._show_forces = gui.add_checkbox("Contact forces", False, hint=f"{1 / FORCE_SCALE:.0f} N a metre")
            self._show_scan = gui.add_checkbox("Height scan", False, hint="Of the chosen robot")
        with gui.add_folder("Command (orange) and velocity (blue)", order=4):
            self._plots = [self._plot(name) for name in NAMES]
        viewer.layers.append(self._draw)
        viewer.follow(min(env.cfg.viewer.ref_env, env.num_envs - 1))

    def limit(self, ranges: Mapping[str, list[float]]) -> None:
        """ranges: lowest and highest value of each slider, in their order."""
        for slider, (low, high) in zip(self._sliders, ranges.values(), strict=True):
            slider.limit(low, high)

    def _slider(self, name: str, limit: float) -> Number:
        return Number(self._viewer.gui.add_slider(name, -limit, limit, 0.01, 0.0, disabled=True), -limit, limit)

    def _plot(self, name: str) -> Any:
        series = ({}, *({"label": label, "stroke": color, "width": 1.5} for label, color in COLORS.items()))
        return self._viewer.gui.add_uplot(
            tuple(np.zeros(1) for _ in series),
            series,
            title=name,
            scales={"x": {"time": False}},
            legend={"show": False},
            height=CURVE_HEIGHT,
        )

    @torch.inference_mode()
    def _draw(self) -> None:
        """One frame."""
        self._write_commands()
        self._draw_forces()
        self._draw_scan()
        self._draw_curves()

    # -- commands

    def _write_commands(self) -> None:
        """Put the sliders' values into env.commands; robots no longer overridden get a command of their own again."""
        env, wish = self._env, None
        if self._override.value:
            chosen = torch.tensor([self._viewer.robot], device=env.device)
            wish = torch.arange(env.num_envs, device=env.device) if self._all_robots.value else chosen
        if self._overridden is not None and (wish is None or not torch.equal(wish, self._overridden)):
            env.yaw_rate_mask[self._overridden] = False
            env._resample_commands(self._overridden)
        if (wish is None) != (self._overridden is None):
            for slider in self._sliders:
                slider.control.disabled = wish is None
        self._overridden = wish
        if wish is not None:
            self._command(wish, [slider.read() for slider in self._sliders])

    def _command(self, env_ids: Tensor, values: Sequence[float]) -> None:
        """values: vx, vy [m/s], yaw rate [rad/s]."""
        env = self._env
        env.commands[env_ids, :3] = torch.tensor(values, device=env.device)
        env.yaw_rate_mask[env_ids] = True

    # -- overlays

    def _draw_forces(self) -> None:
        """A line at each foot of the shown robots, along the force of the ground on it."""
        ends = np.zeros((0, 2, 3))
        if self._show_forces.value:
            env, shown = self._env, self._viewer.shown
            feet = env.feet_pos[shown]
            forces = env.contact_forces[shown][:, env.feet_indices]
            ends = torch.stack((feet, feet + FORCE_SCALE * forces), dim=2).reshape(-1, 2, 3).cpu().numpy()
        self._viewer.marks.lines("contact_forces", ends, FORCE_COLOR, LINE_THICKNESS)

    def _draw_scan(self) -> None:
        """What the critic sees of the ground under the chosen robot."""
        points = np.zeros((0, 3))
        if self._show_scan.value and self._env.cfg.terrain.measure_heights:
            env, row = self._env, slice(self._viewer.robot, self._viewer.robot + 1)
            root = env.root_states[row]
            scan = height_scan.points_under_robots(env.height_points, root[:, 3:7], root[:, :3])[0]
            heights = env.measured_heights[row].T + POINT_LIFT  # not half buried
            points = torch.cat((scan, heights), dim=1).cpu().numpy()
        self._viewer.marks.points("height_scan", points, SCAN_COLOR, POINT_SIZE)

    # -- curves

    def _draw_curves(self) -> None:
        """Remember the chosen robot's command and velocity, and draw them a few times a second."""
        env, robot = self._env, self._viewer.robot
        state = torch.cat((env.commands[robot, :3], env.base_lin_vel[robot, :2], env.base_ang_vel[robot, 2:3]))
        frame = np.array([env.gym.get_sim_time(env.sim), *state.tolist()])
        if robot != self._curve_robot:
            self._curves.clear()
            self._curve_robot = robot
        if not self._curves or frame[0] > self._curves[-1][0]:  # time stands still while paused
            self._curves.append(frame)
        now = time.monotonic()
        if now < self._next_curve:
            return
        self._next_curve = now + CURVE_INTERVAL_S
        series = np.array(self._curves).T
        for axis, plot in enumerate(self._plots):
            plot.data = (series[0].copy(), series[1 + axis].copy(), series[4 + axis].copy())
        if self._overridden is None:
            for slider, value in zip(self._sliders, frame[1:4].tolist(), strict=True):
                slider.show(round(value, 2))
