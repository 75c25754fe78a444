"""The robot's remote control: 40 bytes of `wireless_remote`, and what a person wants."""

from __future__ import annotations

import math
import struct
from typing import Iterable, NamedTuple, Sequence, Tuple

BUTTONS = (
    *("R1", "L1", "start", "select", "R2", "L2", "F1", "F2"),
    *("A", "B", "X", "Y", "up", "right", "down", "left"),
)  # from the lowest bit on
_FORMAT = struct.Struct("<2sH5f")  # head, buttons, lx, rx, ry, L2, ly; the other 16 bytes are unused
HEAD = b"\x55\x51"  # of a remote that is on
DEAD_ZONE = 0.05  # of a stick
SIZE = 40

Speeds = Tuple[float, float, float]  # vx, vy [m/s], yaw rate [rad/s] in the base frame


class Remote(NamedTuple):
    """State of the remote control. Sticks from -1 to 1: x to the right, y forwards."""

    buttons: frozenset[str] = frozenset()
    lx: float = 0.0
    ly: float = 0.0
    rx: float = 0.0
    ry: float = 0.0


class Wishes(NamedTuple):
    """What the person at the controls wants."""

    damp: bool = False
    step_on: bool = False  # one state further: idle, damp, stand up
    walk: bool = False
    lie_down: bool = False
    speeds: Speeds = (0.0, 0.0, 0.0)


def decode(data: bytes) -> Remote | None:
    """None: the robot hears no remote, or what it hears makes no sense."""
    head, bits, lx, rx, ry, _, ly = _FORMAT.unpack(data[: _FORMAT.size])
    sticks = (lx, ly, rx, ry)
    if head == b"\0\0" or not all(math.isfinite(stick) and abs(stick) <= 1.1 for stick in sticks):
        return None
    return Remote(frozenset(name for i, name in enumerate(BUTTONS) if bits >> i & 1), *sticks)


def encode(remote: Remote | None) -> bytes:
    if remote is None:
        return bytes(SIZE)
    bits = sum(1 << BUTTONS.index(name) for name in remote.buttons)
    return _FORMAT.pack(HEAD, bits, remote.lx, remote.rx, remote.ry, 0.0, remote.ly).ljust(SIZE, b"\0")


def stick_speeds(remote: Remote, ranges: Sequence[Sequence[float]]) -> Speeds:
    """Speeds that the sticks ask for: left one forwards and sideways, right one turns.

    ranges: lowest and highest vx, vy [m/s] and yaw rate [rad/s]; a stick at its end means these.
    """
    vx, vy, yaw = (
        abs(stick) * (high if stick > 0 else low) if abs(stick) > DEAD_ZONE else 0.0
        for stick, low, high in ((sign, *pair) for sign, pair in zip((remote.ly, -remote.lx, -remote.rx), ranges))
    )
    return vx, vy, yaw


def newly_pressed(remote: Remote, before: Iterable[str]) -> frozenset[str]:
    return remote.buttons - frozenset(before)


def button_wishes(pressed: frozenset[str], held: frozenset[str], speeds: Speeds) -> Wishes:
    """pressed: since the last call; held: now. select, or B while L2 is held, damps whatever else is pressed."""
    damp = "select" in held or {"L2", "B"} <= held
    lie_down = "B" in pressed and "L2" not in held
    return Wishes(damp, "start" in pressed, "A" in pressed, lie_down, speeds)
