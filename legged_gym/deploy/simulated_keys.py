"""Keys of the terminal as the remote control of a simulated robot."""

from __future__ import annotations

from legged_gym.deploy.remote import Remote

KEYS = "1 start, 2 A, 3 B, space select, w s left stick, a d left stick sideways, q e right stick, r sticks back"
BUTTON_KEYS = {"1": "start", "2": "A", "3": "B", " ": "select"}
STICK_KEYS = {"w": ("ly", 1), "s": ("ly", -1), "d": ("lx", 1), "a": ("lx", -1), "e": ("rx", 1), "q": ("rx", -1)}
STEP = 0.1  # of a stick that a key moves it by
PRESS_S = 0.2  # [s] that a button stays pressed
GAP_S = 0.1  # [s] between two presses


class RemoteKeys:
    """The remote control.

    Attributes:
        news: a sentence about the sticks after the last key, or nothing.
    """

    def __init__(self) -> None:
        self.news = ""
        self._sticks = {"lx": 0.0, "ly": 0.0, "rx": 0.0, "ry": 0.0}
        self._queue: list[str] = []  # buttons to press one after the other
        self._pressed = ""
        self._changes_at = 0.0  # when the pressed button is let go, or the next may be pressed

    def state(self, key: str, now: float) -> Remote:
        """Of the remote, after a key or none. now: [s]"""
        self.news = ""
        if key in STICK_KEYS or key == "r":
            self._move(key)
        if key in BUTTON_KEYS:
            self._queue.append(BUTTON_KEYS[key])
        if now >= self._changes_at:
            if self._pressed:
                self._pressed, self._changes_at = "", now + GAP_S
            elif self._queue:
                self._pressed, self._changes_at = self._queue.pop(0), now + PRESS_S
        return Remote(frozenset([self._pressed] if self._pressed else []), **self._sticks)

    def _move(self, key: str) -> None:
        if key == "r":
            self._sticks = dict.fromkeys(self._sticks, 0.0)
        else:
            name, sign = STICK_KEYS[key]
            self._sticks[name] = min(1.0, max(-1.0, round(self._sticks[name] + sign * STEP, 6)))
        sticks = self._sticks
        self.news = (
            f"left stick {sticks['lx']:.1f} {sticks['ly']:.1f}, right stick {sticks['rx']:.1f} {sticks['ry']:.1f}"
        )
