"""A policy in a thread of its own, so that commands go on while it thinks, and a late answer is noticed."""

from __future__ import annotations

import threading

from legged_gym.deploy.clock import Clock
from legged_gym.deploy.controller import Array, PolicyController, gravity_in_base
from legged_gym.deploy.remote import Speeds
from legged_gym.deploy.safety import Readings


class PolicyRunner:
    """Asks a controller for joint targets without waiting for them.

    Attributes:
        error: what the controller raised, as a sentence; empty: nothing.
    """

    def __init__(self, controller: PolicyController, clock: Clock) -> None:
        """controller: built with the SDK's joint order."""
        self.controller = controller
        self.error = ""
        self._clock = clock
        self._asked = threading.Event()
        self._question: tuple[Speeds, Readings] | None = None
        self._answer: Array | None = None
        self._asked_at: float | None = None
        self._busy = False
        threading.Thread(target=self._work, name="policy", daemon=True).start()

    def reset(self) -> bool:
        """Forget the past. False: not yet, an old question is still being worked on."""
        if self._busy:
            return False
        self.error, self._answer, self._asked_at = "", None, None
        self.controller.reset()
        return True

    def ask(self, speeds: Speeds, readings: Readings) -> None:
        """Begin to work on the targets of this moment."""
        self._question, self._asked_at, self._busy = (speeds, readings), self._clock.now(), True
        self._asked.set()

    def answer(self) -> Array | None:
        """Joint targets [rad] (12,), once; None: there are no new ones."""
        targets, self._answer = self._answer, None
        if targets is not None:
            self._asked_at = None
        return targets

    def waiting_s(self) -> float:
        """How long the question has been open [s]; 0: there is none."""
        asked_at = self._asked_at
        return 0.0 if asked_at is None else self._clock.now() - asked_at

    def _work(self) -> None:
        while True:
            self._asked.wait()
            self._asked.clear()
            assert self._question is not None
            speeds, readings = self._question
            try:
                gravity = gravity_in_base(readings.quat[[1, 2, 3, 0]])
                joints = readings.joint_pos, readings.joint_vel
                self._answer = self.controller.step(speeds, readings.gyroscope, gravity, *joints)
            except Exception as error:  # whatever it is, the robot has to be damped, which the main loop does
                self.error = f"{type(error).__name__}: {error}"
            self._busy = False
