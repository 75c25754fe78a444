"""Stopping a long run from outside without losing what it has."""

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

from rsl_rl.utils.console import tell

SIGNALS = (signal.SIGINT, signal.SIGTERM)
Handler = Callable[[int, FrameType | None], object] | int | None  # as signal.signal takes and returns it


class StopRequest:
    """While entered, the first SIGINT or SIGTERM sets `requested`; a second one interrupts at once.

    Does nothing outside the main thread, where Python allows no signal handlers.
    """

    def __init__(self) -> None:
        self.requested = False
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
            raise KeyboardInterrupt
        self.requested = True
        tell("\nStopping after this iteration; once more to stop at once.")
