"""Things that go wrong with a robot, on purpose, for rehearsals and tests of the stops."""

from __future__ import annotations

import numpy as np

from legged_gym.deploy.messages import sealed
from legged_gym.deploy.simulated_robot import TEMPERATURE, SimulatedGo2

FAULT_KEYS = {
    "T": "tilts the robot",
    "J": "shows a joint that runs into its limit",
    "V": "shows a joint that is too fast",
    "H": "heats a motor",
    "S": "is silent for 200 ms",
    "N": "sends NaN",
    "L": "loses the remote control",
    "C": "sends 200 states with wrong check sums, stale, in wrong order or full of nonsense",
}
SILENCE_STEPS, BAD_STATES, SHOWN_STEPS = 100, 200, 5
TILT_TORQUE, TILT_STEPS = 120.0, 250  # [N·m] on the trunk, for half a second
HOT = 95  # [°C]


class Faults:
    """What is broken at present."""

    def __init__(self, robot: SimulatedGo2, seed: int) -> None:
        self._robot, self._rng = robot, np.random.default_rng(seed)
        self._left = dict.fromkeys(FAULT_KEYS, 0)  # steps that each one still lasts

    def begin(self, key: str) -> str:
        """Break what a key stands for, or mend the remote control and the motor; returns a sentence."""
        steps = {"T": TILT_STEPS, "S": SILENCE_STEPS, "C": BAD_STATES}.get(key, SHOWN_STEPS)
        if key in "LH":  # last until the key is pressed again
            self._left[key] = 0 if self._left[key] else 10**9
        else:
            self._left[key] = steps
        return f"fault: {FAULT_KEYS[key]}" if self._left[key] else f"mended: {FAULT_KEYS[key]}"

    def remote_is_lost(self) -> bool:
        return self._left["L"] > 0

    def act(self) -> None:
        """Break the robot itself; before every step."""
        for key in self._left:
            self._left[key] = max(0, self._left[key] - 1)
        if self._left["T"]:
            self._robot.push((0.0, 0.0, 60.0), (TILT_TORQUE, 0.0, 0.0))
        self._robot.temperature[7] = HOT if self._left["H"] else TEMPERATURE

    def spoiled(self, state: np.ndarray) -> list[np.ndarray]:
        """What is sent instead of a LOW_STATE record."""
        motors = state["motor_state"]
        if self._left["S"]:
            return []
        if self._left["C"]:
            return self._nonsense(state)
        if self._left["N"]:
            motors["q"][3] = np.nan
        if self._left["J"]:
            motors["q"][5], motors["dq"][5] = -2.72, -8.0
        if self._left["V"]:
            motors["dq"][8] = 60.0
        return [sealed(state)]

    def _nonsense(self, state: np.ndarray) -> list[np.ndarray]:
        kind = self._left["C"] % 5
        if kind == 0:
            state["crc"] = int(state["crc"]) ^ 0x1234
        elif kind == 1:  # an old one
            state["tick"] = max(0, int(state["tick"]) - 5000)
            sealed(state)
        elif kind == 2:  # two in wrong order, both older than the last good one
            state["tick"] = max(0, int(state["tick"]) - int(self._rng.integers(400, 1000)))
            sealed(state)
        elif kind == 3:  # nonsense under its old check sum
            noise = self._rng.integers(0, 256, state.nbytes, np.uint8)
            noise[-4:] = np.frombuffer(state.tobytes()[-4:], np.uint8)
            return [np.frombuffer(noise.tobytes(), state.dtype).reshape(())]
        else:  # all zero
            state = np.zeros((), state.dtype)
        return [state]
