"""Time and beats for programs that must keep time, and for the same programs in slow motion."""

from __future__ import annotations

import os
import time

PRIORITY = 10  # of 1 to 99
LATE_S = 0.005  # [s] a beat later than this is reported


class Clock:
    """Seconds since its creation. With a scale of 0.5 they take two real seconds, everywhere the same."""

    def __init__(self, scale: float = 1.0) -> None:
        if not 0 < scale <= 10:
            raise ValueError(f"the time scale must be above 0 and at most 10, not {scale:g} (--time_scale)")
        self.scale = scale
        self._start = time.monotonic()

    def now(self) -> float:
        """[s]"""
        return (time.monotonic() - self._start) * self.scale

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            time.sleep(seconds / self.scale)


def ask_for_priority() -> bool:
    """Have this program run before others (real-time scheduling); False: the computer does not let it."""
    if not hasattr(os, "sched_setscheduler"):
        return False
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PRIORITY))
    except OSError:
        return False
    return True


def give_up_priority() -> None:
    """Let other programs run beside this one again, before work that need not keep time."""
    if hasattr(os, "sched_setscheduler"):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


class Metronome:
    """Beats at a steady pace, and remembers beats that came late.

    Attributes:
        beats, late: number so far, and of those over LATE_S late.
        last_s, worst_s: how late the last one and the worst one were [s].
    """

    def __init__(self, clock: Clock, period_s: float) -> None:
        self.beats, self.late, self.last_s, self.worst_s = 0, 0, 0.0, 0.0
        self._clock, self._period_s = clock, period_s
        self._next = clock.now()
        self._told, self._worst_untold_s = 0, 0.0

    def wait(self) -> float:
        """Sleep until the next beat and return the time [s]. Beats that are past are left out, not made up for."""
        self._clock.sleep(self._next - self._clock.now())
        now = self._clock.now()
        self.last_s = late_s = now - self._next
        self.beats += 1
        if late_s > LATE_S:
            self.late += 1
            self._worst_untold_s = max(self._worst_untold_s, late_s)
            self.worst_s = max(self.worst_s, late_s)
        self._next = max(self._next + self._period_s, now)
        return now

    def news(self) -> str:
        """A sentence about beats that were late since the last call, or nothing."""
        count, worst = self.late - self._told, self._worst_untold_s
        self._told, self._worst_untold_s = self.late, 0.0
        if count == 0:
            return ""
        return f"{count} of the loop's beats came more than {LATE_S * 1e3:g} ms late, the worst by {worst * 1e3:.1f} ms"

    def summary(self) -> str:
        share = f"{self.late} of {self.beats} beats more than {LATE_S * 1e3:g} ms late"
        return share + (f", the worst by {self.worst_s * 1e3:.1f} ms" if self.late else "")
