"""How far long work has come, on the console."""

import sys
import time

TERMINAL_S, FILE_S = 0.2, 30.0  # [s] between two reports on a terminal (one line, rewritten) and in a file


class Progress:
    """Counts the parts of a piece of work and estimates what is left."""

    def __init__(self, what: str, total: float) -> None:
        self._what, self._total, self._done = what, total, 0.0
        self._start = self._reported = time.monotonic()

    def add(self, parts: float = 1.0) -> None:
        """Some parts are done."""
        self._done += parts
        now, terminal = time.monotonic(), sys.stdout.isatty()
        finished = self._done >= self._total
        if now - self._reported < (TERMINAL_S if terminal else FILE_S) and not finished:
            return
        self._reported = now
        spent = now - self._start
        left = "" if finished else f", about {duration(spent * (self._total - self._done) / self._done)} left"
        line = f"{self._what}: {100 * self._done / self._total:3.0f} % after {duration(spent)}{left}"
        print(f"\r{line}\033[K" if terminal else line, end="" if terminal and not finished else "\n", flush=True)


def duration(seconds: float) -> str:
    """5 s, or 3:05 min."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min" if minutes else f"{rest} s"
