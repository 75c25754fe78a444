"""What the importers say about files that they take otherwise than these are written: a line a kind, once a program."""

import functools
import logging
from pathlib import Path

LOG = logging.getLogger("isaacgym.assets")  # without a handler of its own it prints to the error output


@functools.cache
def notice(message: str) -> None:
    """Warn in one line, however often the file is loaded."""
    LOG.warning("warning: %s", message)


def listed(items: list[str], most: int = 12) -> str:
    """The first few, comma-separated, and how many more there are."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more


def counted(number: int, noun: str) -> str:
    """1 body, 2 bodies. noun: in the singular."""
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun.removesuffix('y')}ies" if noun.endswith("y") else f"{number} {noun}s"


class Notices:
    """What there is to say about one file, gathered by kind."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._items: dict[str, list[str]] = {}

    def add(self, text: str, item: str) -> None:
        """text: a sentence about the items, whose list stands for {}."""
        self._items.setdefault(text, []).append(item)

    def say(self) -> None:
        """One line for every sentence."""
        for text, items in self._items.items():
            notice(f"{self.path}: {text.format(listed(items))}")
