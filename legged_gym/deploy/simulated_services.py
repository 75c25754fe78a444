"""The motion services of a simulated Go2: they hold the robot until they are asked to let go."""

from __future__ import annotations

import json

import numpy as np

from legged_gym.deploy.bus import Bus
from legged_gym.deploy.messages import RESPONSE, request_topic, response_topic
from legged_gym.deploy.motion_service import CHECK_MODE, RELEASE_MODE, SPORT, STAND_DOWN, SWITCHER
from legged_gym.deploy.simulated_robot import SimulatedGo2

MODE = "normal"  # name of the service that holds the robot
UNKNOWN_REQUEST = 3203  # Unitree's code for a request that a service does not know


class MotionServices:
    """The motion switcher and the sport service.

    Attributes:
        mode: name of the service that holds the motors; empty: none.
    """

    def __init__(self, bus: Bus, robot: SimulatedGo2, holds: bool) -> None:
        self.mode = MODE if holds else ""
        self._robot, self._complained = robot, False
        self._ports = [
            (service, bus.reader(request_topic(service)), bus.writer(response_topic(service)))
            for service in (SWITCHER, SPORT)
        ]

    def answer(self) -> None:
        """Answer the requests that have come."""
        for service, reader, writer in self._ports:
            for request in reader.take():
                code, data = self._result(service, int(request["identity"]["api_id"]))
                text = np.frombuffer(data.encode() + b"\0", np.uint8)
                response = np.zeros((), RESPONSE)
                response["identity"], response["code"] = request["identity"], code
                response["data"] = text.ctypes.data
                writer.write(response)

    def complain(self, messages: list[str]) -> None:
        """Say, once, that somebody commands motors which the service holds."""
        if not self._complained:
            messages.append(
                f"commands come while the motion service '{self.mode}' holds the motors: a robot would shake"
            )
            self._complained = True

    def _result(self, service: str, api_id: int) -> tuple[int, str]:
        if (service, api_id) == (SWITCHER, CHECK_MODE):
            return 0, json.dumps({"form": "0", "name": self.mode})
        if (service, api_id) == (SWITCHER, RELEASE_MODE):
            self.mode = ""
            return 0, ""
        if (service, api_id) == (SPORT, STAND_DOWN):
            self._robot.lie_down()
            return 0, ""
        return UNKNOWN_REQUEST, ""
