"""A sign of life during work that may take a minute and prints nothing itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

QUIET_S = 2.0  # shorter work is not worth a line
BEAT_S = 10.0


@contextmanager
def heartbeat(what: str) -> Iterator[None]:
    """Print `what` once the work inside takes longer than QUIET_S, then a line every BEAT_S until it is done."""
    done = threading.Event()
    start = time.monotonic()

    def beat() -> None:
        if done.wait(QUIET_S):
            return
        print(f"{what} ...", flush=True)
        while not done.wait(BEAT_S):
            print(f"  still at it after {time.monotonic() - start:.0f} s", flush=True)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    elapsed = time.monotonic() - start
    if elapsed > QUIET_S:
        print(f"{what}: {elapsed:.1f} s", flush=True)
