"""Single keys from the terminal, or from a pipe, without waiting for them."""

from __future__ import annotations

import os
import select
import sys
from types import TracebackType


class Keyboard:
    """Standard input, key by key. In a `with` block the terminal neither echoes keys nor waits for the end of a line.

    Attributes:
        closed: whether the other end has hung up.
    """

    def __init__(self) -> None:
        self.closed = sys.stdin is None or sys.stdin.closed
        self._file = -1 if self.closed else sys.stdin.fileno()
        self._settings: list | None = None
        self._keys = ""

    def __enter__(self) -> Keyboard:
        if not self.closed and os.isatty(self._file):
            import termios
            import tty

            self._settings = termios.tcgetattr(self._file)
            tty.setcbreak(self._file)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._settings is not None:
            import termios

            termios.tcsetattr(self._file, termios.TCSADRAIN, self._settings)

    def key(self) -> str:
        """The next key that was pressed, or an empty string."""
        if not self._keys and not self.closed and select.select([self._file], [], [], 0)[0]:
            data = os.read(self._file, 1024)
            self.closed = not data
            self._keys = data.decode("utf-8", "ignore").replace("\n", "").replace("\r", "")
        key, self._keys = self._keys[:1], self._keys[1:]
        return key
