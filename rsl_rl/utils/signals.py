"""Stopping a long run from outside without losing what it has."""

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

from rsl_rl.utils.console import tell

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SAME_REQUEST_S = 0.2  # the program `timeout` signals a process and then its group, to which the process belongs
Handler = Callable[[int, FrameType | None], object] | int | None  # as signal.signal takes and returns it


class StopRequest:
    """While entered, the first SIGINT or SIGTERM sets `requested`; a second one interrupts at once.

    Two within SAME_REQUEST_S count as one. Does nothing outside the main thread, where Python allows no handlers.
    end: what is finished first, as the console says.
    """

    def __init__(self, end: str = "iteration") -> None:
        self._end = end
        self.requested = False
        self._requested_at = 0.0  # [s] of the monotonic clock
        self._previous: dict[signal.Signals, Handler] = {}

    def __enter__(self) -> Self:
        self.requested = False
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            if time.monotonic() - self._requested_at < SAME_REQUEST_S:
                return
            raise KeyboardInterrupt
        self.requested, self._requested_at = True, time.monotonic()
        tell(f"\nStopping after this {self._end}; once more to stop at once.")
