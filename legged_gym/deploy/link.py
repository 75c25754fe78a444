"""The robot's states as they come over the bus, less those that nobody should act on."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from legged_gym.deploy.bus import Bus
from legged_gym.deploy.clock import Clock
from legged_gym.deploy.messages import STATES, is_intact
from legged_gym.deploy.remote import Remote, decode
from legged_gym.deploy.safety import Readings, readings_of

FIRST_STATE_S = 5.0  # [s] to wait for the robot
RESTART_S = 1.0  # [s] of silence after which a robot's clock may start anew


class StateLink:
    """The newest good state.

    Attributes:
        state: a LOW_STATE record, or None before the first.
        readings: of that state.
        dropped: reasons of states that were not used, and how often.
    """

    def __init__(self, bus: Bus, check_crc: bool) -> None:
        self.state: np.ndarray | None = None
        self.readings: Readings | None = None
        self.dropped: Counter[str] = Counter()
        self._bus, self._reader = bus, bus.reader(STATES)
        self._check_crc = check_crc
        self._came_at = -math.inf
        self._told: Counter[str] = Counter()

    def update(self, now: float) -> None:
        """Look at all states that have come. now: [s]"""
        for state in self._reader.take():
            reason = self._reason_against(state, now)
            if reason:
                self.dropped[reason] += 1
            else:
                self.state, self.readings, self._came_at = state, readings_of(state), now

    def wait(self, clock: Clock) -> None:
        """Return when a state has come; else a ValueError that says what did."""
        deadline = clock.now() + FIRST_STATE_S
        while self.state is None:
            self.update(clock.now())
            if clock.now() > deadline:
                where = f"on {self._bus.network}, domain {self._bus.domain}"
                if self.dropped["wrong check sum"]:
                    raise ValueError(
                        f"robot states come {where}, but none has the right check sum; if the robot is a simulator "
                        "that computes none, give --state_crc ignore"
                    )
                raise ValueError(
                    f"no robot answers {where} ({FIRST_STATE_S:g} s without {STATES.name}): is it on, is the cable in, "
                    "has this computer an address like 192.168.123.222 on that interface, are --network and --domain "
                    "the robot's (0, unless a simulated one was given another)?"
                )
            clock.sleep(0.01)

    def age_s(self, now: float) -> float:
        """Time since the newest good state came [s]."""
        return now - self._came_at

    def remote(self) -> Remote | None:
        return None if self.state is None else decode(self.state["wireless_remote"].tobytes())

    def news(self) -> str:
        """A sentence about states dropped since the last call, or nothing."""
        new, self._told = self.dropped - self._told, Counter(self.dropped)
        return "robot states not used: " + ", ".join(f"{n} with {why}" for why, n in new.items()) if new else ""

    def _reason_against(self, state: np.ndarray, now: float) -> str:
        if self._check_crc and not is_intact(state):
            return "wrong check sum"
        if self.state is None or self.age_s(now) > RESTART_S:
            return ""
        if not (self._check_crc or state["tick"] or self.state["tick"]):
            return ""  # a robot that counts no time either: the simulator in Python of unitree_mujoco
        ahead = (int(state["tick"]) - int(self.state["tick"]) + 2**31) % 2**32 - 2**31  # the counter may wrap
        return "a time that is not newer" if ahead <= 0 else ""
