"""What the importers say about a file that they take otherwise than it is written: one line a kind, once a program."""

import functools
import logging

LOG = logging.getLogger("isaacgym.assets")  # without a handler of its own it prints to the error output


@functools.cache
def notice(message: str) -> None:
    """Warn in one line, however often the file is loaded."""
    LOG.warning("warning: %s", message)


def listed(items: list[str], most: int = 6) -> str:
    """The first few, comma-separated, and how many more there are."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more
