"""How fast a watched simulation runs: paused, step by step, in real time or at a multiple of it."""

from __future__ import annotations

import math
import queue
import time

import viser

SPEEDS = {"0.25 x": 0.25, "0.5 x": 0.5, "1 x": 1.0, "2 x": 2.0, "4 x": 4.0, "max": math.inf}
REAL_TIME = "1 x"
MAX_LAG_S = 0.1  # [s] behind real time that is caught up; more is forgotten
MAX_WAIT_S = 2.0  # [s] between two calls; more has passed unwatched


class Pace:
    def __init__(self, gui: viser.GuiApi) -> None:
        self._pause = gui.add_checkbox("Pause", False)
        step = gui.add_button("Single step", hint="One frame of the script, while paused")
        self._speed = gui.add_dropdown(
            "Speed", tuple(SPEEDS), initial_value=REAL_TIME, hint="Of simulated to real time"
        )
        self._steps: queue.SimpleQueue[None] = queue.SimpleQueue()  # filled by the server's thread
        step.on_click(lambda _: self._steps.put(None))
        self._simulated = self._wall = 0.0

    @property
    def paused(self) -> bool:
        return bool(self._pause.value)

    def holds(self) -> bool:
        """Whether the simulation has to wait. A single step lets it go once."""
        if not self.paused:
            return False
        try:
            self._steps.get_nowait()
        except queue.Empty:
            return True
        return False

    def wait(self, simulated: float) -> None:
        """Sleep until as much real time has passed since the last call as simulated time [s], by the chosen speed."""
        speed = SPEEDS.get(str(self._speed.value), 1.0)
        target = self._wall + (simulated - self._simulated) / speed
        now = time.monotonic()
        ahead = target - now
        if 0.0 < ahead < MAX_WAIT_S:
            time.sleep(ahead)
        self._wall = target if -MAX_LAG_S < ahead < MAX_WAIT_S else now
        self._simulated = simulated
