"""The person at the controls: the robot's remote control and the keyboard, as wishes."""

from __future__ import annotations

from typing import Sequence

from legged_gym.deploy.keyboard import Keyboard
from legged_gym.deploy.remote import Remote, Speeds, Wishes, button_wishes, newly_pressed, stick_speeds

KEYS = (
    "remote: start on, A walk, B lie down, select (or L2+B) damp; keys: 1 on, 2 walk, 3 lie down, space damp, "
    "w s a d q e speeds, r no speed, x end"
)
STEP = 0.1  # share of the speed range that one key press adds
SPEED_KEYS = {"w": (0, 1), "s": (0, -1), "a": (1, 1), "d": (1, -1), "q": (2, 1), "e": (2, -1)}
LOST_S = 0.5  # [s] without the remote after which it counts as lost
END_KEY = "x"


class Operator:
    """Turns buttons, sticks and keys into wishes.

    Attributes:
        lost: why nobody can stop the robot any more; empty: somebody can.
        wants_end: whether the key that ends the program was pressed.
        messages: sentences for the person at the controls; the caller takes them away.
    """

    def __init__(self, ranges: Sequence[Sequence[float]], needs_remote: bool) -> None:
        """ranges: lowest and highest vx, vy [m/s], yaw rate [rad/s]. needs_remote: whether it must be heard."""
        self.lost, self.wants_end = "", False
        self.messages: list[str] = []
        self._ranges, self._needs_remote = ranges, needs_remote
        self._held: frozenset[str] = frozenset()
        self._shares = [0.0, 0.0, 0.0]  # of the speed range, by keys, -1 to 1
        self._heard_at: float | None = None

    def wishes(self, now: float, keyboard: Keyboard, remote: Remote | None) -> Wishes:
        """now: [s]. remote: None: it is not heard."""
        key = keyboard.key()
        self._note_losses(now, keyboard, remote)
        if key in SPEED_KEYS:
            axis, sign = SPEED_KEYS[key]
            self._shares[axis] = min(1.0, max(-1.0, round(self._shares[axis] + sign * STEP, 6)))
        if key in ("r", " "):
            self._shares = [0.0, 0.0, 0.0]
        if key in SPEED_KEYS or key == "r":
            vx, vy, yaw = self._key_speeds()
            self.messages.append(f"speeds by keys: {vx:.2f} m/s, {vy:.2f} m/s, {yaw:.2f} rad/s")
        self.wants_end = self.wants_end or key == END_KEY
        speeds = self._key_speeds()
        by_buttons = Wishes()
        if remote is not None:
            pressed, self._held = newly_pressed(remote, self._held), remote.buttons
            sticks = stick_speeds(remote, self._ranges)
            speeds = sticks if any(sticks) else speeds
            by_buttons = button_wishes(pressed, self._held, speeds)
        by_keys = Wishes(key == " ", key == "1", key == "2", key == "3")
        return Wishes(*(a or b for a, b in zip(by_buttons[:-1], by_keys[:-1])), speeds=speeds)

    def _key_speeds(self) -> Speeds:
        vx, vy, yaw = (abs(s) * (high if s > 0 else low) for s, (low, high) in zip(self._shares, self._ranges))
        return vx, vy, yaw

    def _note_losses(self, now: float, keyboard: Keyboard, remote: Remote | None) -> None:
        if remote is not None:
            self._heard_at = now
        self.lost = ""
        if self._needs_remote:
            if self._heard_at is None:
                self.lost = "the remote control is not heard; switch it on, or drive by the keyboard with --no_remote"
            elif now - self._heard_at > LOST_S:
                self.lost = f"the remote control was lost {now - self._heard_at:.1f} s ago"
        elif keyboard.closed:
            self.lost = "the keyboard is gone"
