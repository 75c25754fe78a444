"""The viewer with a page. The page's controls are read, and the scene is sent, by the thread that steps the simulation.

What costs anything happens in `draw` and only while a browser shows the page. Subclasses are not needed: code that has
more to show adds folders to `gui` and a function to `layers`.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
import viser

from isaacgym.engine.state import STATE_WIDTH
from isaacgym.gym_types import ActionEvent, KeyboardInput, Transform, UpAxis, Vec3
from isaacgym.headless_viewer import Viewer, looking_at
from isaacgym.simulation import Simulation
from isaacgym.viewer.pace import Pace
from isaacgym.viewer.page import Number, Page
from isaacgym.viewer.scene import Ground, Marks, Robots, light

FRAME_S = 1.0 / 60.0  # [s] between frames at least
IDLE_S = 0.05  # [s] between frames while paused
MAX_SHOWN = 50  # robots
FOLLOW_VIEW = (-1.3, -1.7, 0.9)  # [m] of the camera from a followed robot
FOLLOW_LIFT = 0.1  # share of a followed robot's change of height per frame: the ground must not shake
JUMP = 0.5  # [m] in height that is followed at once
HOTKEYS = {"SPACE", "ENTER", "ESCAPE", "TAB", "BACKSPACE", "INSERT", "HOME", "END"}  # beside letters and digits
RENAMED_HOTKEYS = {"DEL": "delete", "PAGE_UP": "pageup", "PAGE_DOWN": "pagedown"}
RENAMED_HOTKEYS |= {name: f"arrow{name.lower()}" for name in ("UP", "DOWN", "LEFT", "RIGHT")}


class WebViewer(Viewer):
    """Shows up to MAX_SHOWN robots from a chosen one on, and the ground.

    Attributes:
        layers: called with each frame, after the robots; they may draw with `marks`.
        shown: indices of the shown envs, the chosen one first, (num_shown,) int64 on the simulation's device.
    """

    def __init__(self, sim: Simulation) -> None:
        super().__init__()
        self._sim = sim
        self.page = Page(sim.params.viewer_host, sim.params.viewer_port)
        server = self.page.server
        server.scene.set_up_direction("+y" if sim.params.up_axis == UpAxis.UP_AXIS_Y else "+z")
        self.gui = server.gui
        self.layers: list[Callable[[], None]] = []
        self.marks = Marks(server.scene)
        light(server.scene)
        self._first_shown = -1
        self._robots: Robots | None = None
        self._ground: Ground | None = None
        self._lines: list[tuple[np.ndarray, np.ndarray]] = []
        self._events: queue.SimpleQueue[str] = queue.SimpleQueue()  # filled by the server's thread
        self._actions: viser.GuiFolderHandle | None = None
        self._next_frame = 0.0
        self._closed = False
        self.shown = torch.zeros(0, dtype=torch.long, device=sim.device)
        self._add_controls()

    def _add_controls(self) -> None:
        with self.gui.add_folder("View", order=0):
            self._robot = Number(self.gui.add_number("Robot", 0, min=0, step=1, hint="The chosen one, orange"), 0, 1e9)
            self._count = Number(
                self.gui.add_slider(
                    "Robots shown", 1, MAX_SHOWN, 1, MAX_SHOWN, hint="The chosen one and those after it"
                ),
                *(1, MAX_SHOWN),
            )
            self._follow: Any = self.gui.add_checkbox("Follow", False, hint="Off: the camera stays where it is")
        with self.gui.add_folder("Time", order=1):
            self.pace = Pace(self.gui)

    # ---- what the gym calls --------------------------------------------------------------------------------------

    @property
    def watched(self) -> bool:
        return not self._closed and self.page.watched

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self.page.close()

    def subscribe(self, key: KeyboardInput, action: str) -> None:
        """A button, and the key where browsers can report it."""
        if self._actions is None:
            self._actions = self.gui.add_folder("Actions", order=1.5)
        name = key.name.removeprefix("KEY_")
        label = action.replace("_", " ").capitalize()
        report = partial(self._report, action)
        with self._actions:
            self.gui.add_button(label, hint=f"Key {name}").on_click(report)
        hotkey = RENAMED_HOTKEYS.get(name) or (name.lower() if name in HOTKEYS else name)
        if hotkey != name or len(name) == 1:
            self.gui.add_command(label, hotkey=hotkey).on_trigger(report)  # type: ignore[arg-type]  # checked above

    def _report(self, action: str, _: object) -> None:
        self._events.put(action)

    def take_events(self) -> list[ActionEvent]:
        """A press and a release per click."""
        events = []
        while not self._events.empty():
            action = self._events.get()
            events += [ActionEvent(action, 1.0), ActionEvent(action, 0.0)]
        return events

    def add_lines(self, ends: np.ndarray, colors: np.ndarray) -> None:
        self._lines.append((ends, colors))

    def clear_lines(self) -> None:
        self._lines.clear()

    def wait(self) -> None:
        if self.watched:
            self.pace.wait(self._sim.frame_count * self._sim.params.dt)

    def draw(self) -> None:
        """While paused, returns only to let a single step or an action through."""
        if self._closed or self._sim.engine is None:
            return
        self._scene()  # with the script's first frame, so that a broken mesh is found then
        if not self.watched:
            return
        now = time.monotonic()
        if now >= self._next_frame or self.pace.paused:
            self._next_frame = now + FRAME_S
            self._show()
        while self.pace.holds() and self.watched and self._events.empty():
            time.sleep(IDLE_S)
            self._show()

    # ---- a frame -------------------------------------------------------------------------------------------------

    @property
    def robot(self) -> int:
        """Index of the chosen env."""
        return int(self._robot.at_most(len(self._sim.envs) - 1))

    def _show(self) -> None:
        with self.page.server.atomic():
            self._choose()
            poses = self.body_poses()
            bases = np.stack([pose[0, :3] for pose in poses])
            if self._follow.value:
                self._move_origin(bases[0])
            robots, ground = self._scene()
            robots.update(poses, [self._kind_of[env] for env in self.shown.tolist()], self.marks.origin)
            ground.update(bases, self.marks.origin)
            self._draw_lines()
            for layer in self.layers:
                layer()

    def _choose(self) -> None:
        count, chosen = int(self._count.at_most(len(self._sim.envs))), self.robot
        if len(self.shown) != count or self._first_shown != chosen:
            self._first_shown = chosen
            self.shown = (torch.arange(count, device=self._sim.device) + chosen) % len(self._sim.envs)

    def body_poses(self) -> list[np.ndarray]:
        """Of the shown robots, in the world: (num_bodies, 7) of each, position [m] and quaternion xyzw."""
        sim = self._sim
        states = torch.empty_like(sim.body_states).view(sim.num_worlds, -1, STATE_WIDTH)
        sim.read_body_states_w(states)
        if not sim.is_mixed:
            return list(states[self.shown, :, :7].cpu().numpy())
        envs = [sim.envs[index] for index in self.shown.tolist()]
        places = [env.place("bodies", slice(0, env.counts.bodies)) for env in envs]
        return [states[place][:, :7].cpu().numpy() for place in places]

    def _scene(self) -> tuple[Robots, Ground]:
        """Made for the first frame: scripts may create the viewer before the robots."""
        if self._robots is None or self._ground is None:
            scene = self.page.server.scene
            kinds = self._sim.kinds
            self._kind_of = {env.index: number for number, kind in enumerate(kinds) for env in kind}
            self._robots = Robots(scene, [self._sim.robot_of(kind[0]) for kind in kinds])
            self._ground = Ground(scene, self._sim.terrain)
        return self._robots, self._ground

    def _draw_lines(self) -> None:
        ends = np.concatenate([np.zeros((0, 2, 3)), *(ends for ends, _ in self._lines)])
        colors = np.concatenate([np.zeros((0, 3)), *(colors for _, colors in self._lines)])
        self.marks.lines("lines", ends, np.repeat((255 * colors.clip(0.0, 1.0)).astype(np.uint8)[:, None], 2, axis=1))

    # ---- camera --------------------------------------------------------------------------------------------------

    def follow(self, robot: int) -> None:
        """Choose a robot and keep it in the middle of the page."""
        self._robot.show(robot)
        self._follow.value = True
        self._place_camera(np.array(FOLLOW_VIEW), np.zeros(3))

    def look_at(self, position: Vec3, target: Vec3) -> None:
        self.camera = looking_at(position, target)
        self._follow.value = False
        self._place_camera(*(np.array(tuple(point)) - self.marks.origin for point in (position, target)))

    def current_camera(self) -> Transform:
        """That of the browser that came first, or where `look_at` put it if there is none."""
        for client in self.page.server.get_clients().values():
            ends = (client.camera.position, client.camera.look_at)
            return looking_at(*(Vec3(*(point + self.marks.origin)) for point in ends))
        return self.camera.copy()

    def _place_camera(self, position: np.ndarray, target: np.ndarray) -> None:
        """Of all browsers, also those to come; points in the page's own frame [m]."""
        server = self.page.server
        server.initial_camera.position, server.initial_camera.look_at = position, target
        for client in server.get_clients().values():
            client.camera.position, client.camera.look_at = position, target

    def _move_origin(self, base: np.ndarray) -> None:
        """To a followed robot: the camera stays, the world moves, so that orbiting is left to the browser."""
        height = self.marks.origin[2]
        lift = base[2] - height
        height += lift if abs(lift) > JUMP else FOLLOW_LIFT * lift
        self.marks.origin = np.array([base[0], base[1], height])
