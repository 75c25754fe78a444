"""Signs of life between ranks: a process that dies or hangs must not leave the others waiting for ever."""

import atexit
import os
import sys
import threading
from typing import Any

BEAT_S = 2.0  # between signs of life
MISSED_BEATS = 12  # after which a rank is taken for dead: 24 s, within the 30 s that torchrun grants before it kills


class RankWatch:
    """Threads that give signs of life, and end this process with a sentence when another rank gives none any more.

    NCCL gives up only after ten minutes, and the main thread may be waiting for the GPU by then. Beats are counted, not
    timed, so that a job may be suspended and go on.
    """

    def __init__(self, store: Any, rank: int, num_ranks: int) -> None:
        """store: torch.distributed's, with a connection that nobody else waits on."""
        self._store, self._rank = store, rank
        self._keys = [f"himloco/alive/{number}" for number in range(num_ranks)]
        self._seen = [b""] * num_ranks  # last sign of life of each rank
        self._missed = [0] * num_ranks  # beats since then
        self._given = self._answered = 0  # signs of life, and those after which the store told those of others
        self._lost: str | None = None
        self._done = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._beat, self._judge)]
        self._store.set(self._keys[rank], "0")  # before anybody asks for it

    def start(self) -> None:
        """All ranks exist."""
        for thread in self._threads:
            thread.start()
        atexit.register(self.stop)  # a thread that is talking to the store when Python ends would abort the process

    def stop(self) -> None:
        """From now on ranks may end."""
        self._done.set()
        for thread in self._threads:
            thread.join(timeout=BEAT_S)

    def _beat(self) -> None:
        while not self._done.wait(BEAT_S):
            self._lost = self.beat()

    def beat(self) -> str | None:
        """Give a sign of life and look for those of the others. Returns what is lost, if anything."""
        self._given += 1
        try:
            self._store.set(self._keys[self._rank], str(self._given))
            signs = self._store.multi_get(self._keys)
        except RuntimeError:
            return self._lost  # its host is down, or just busy: `_judge` counts
        self._answered = self._given
        for number, sign in enumerate(signs):
            self._missed[number] = 0 if sign != self._seen[number] else self._missed[number] + 1
            self._seen[number] = sign
        silent = [str(number) for number, missed in enumerate(self._missed) if missed >= MISSED_BEATS]
        return f"rank {', '.join(silent)} gave no sign of life for {BEAT_S * MISSED_BEATS:.0f} s" if silent else None

    def _judge(self) -> None:
        """In a thread of its own, since the store of a host that hangs never answers."""
        answered = missed = 0
        while not self._done.wait(BEAT_S):
            missed = 0 if self._answered != answered else missed + 1
            answered = self._answered
            lost = "the process that torchrun has on the first host does not answer" if missed >= MISSED_BEATS else None
            lost = self._lost or lost
            if lost is not None and not self._done.is_set():
                print(f"error: rank {self._rank} ends, for {lost}; checkpoints saved so far are whole", file=sys.stderr)
                sys.stderr.flush()
                os._exit(1)  # the main thread may never come back from the device
