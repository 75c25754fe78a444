"""Go2's built-in motion service, which moves the motors itself until it is asked to let go."""

from __future__ import annotations

import itertools
import json

import numpy as np

from legged_gym.deploy.bus import Bus
from legged_gym.deploy.clock import Clock
from legged_gym.deploy.messages import REQUEST, STRING, request_topic, response_topic

SWITCHER, SPORT = "motion_switcher", "sport"  # services
CHECK_MODE, RELEASE_MODE = 1001, 1003  # requests to the switcher
STAND_DOWN = 1005  # request to the sport service
ANSWER_S, TRIES = 1.0, 5  # [s] to wait for an answer; how often to ask
LIE_DOWN_S = 3.0  # [s] that the robot takes to lie down


class ServiceError(RuntimeError):
    """The robot's service does not do what is needed."""


class ServiceClient:
    """Sends requests to one of the robot's services."""

    _ids = itertools.count(1)

    def __init__(self, bus: Bus, clock: Clock, service: str) -> None:
        self._clock, self._service = clock, service
        self._writer, self._reader = bus.writer(request_topic(service)), bus.reader(response_topic(service))

    def call(self, api_id: int, parameter: str = "{}") -> tuple[int, str] | None:
        """Code (0: done) and data of the answer; None if there is none."""
        text = parameter.encode() + b"\0"
        buffer = np.frombuffer(text, np.uint8)
        request = np.zeros((), REQUEST)
        request["identity"]["api_id"], request["parameter"] = api_id, buffer.ctypes.data
        assert request.dtype["parameter"] == STRING
        for _ in range(TRIES):
            request["identity"]["id"] = identity = next(self._ids) + (int(self._clock.now() * 1e6) << 16)
            self._writer.write(request)
            deadline = self._clock.now() + ANSWER_S
            while self._clock.now() < deadline:
                for response, data in self._reader.take_texts("data"):
                    if response["identity"]["id"] == identity:
                        return int(response["code"]), data
                self._clock.sleep(0.01)
        return None


def active_mode(client: ServiceClient) -> str:
    """Name of the motion service that holds the motors; empty: none."""
    answer = client.call(CHECK_MODE)
    if answer is None:
        raise ServiceError(
            "the robot states arrive, but its motion switcher does not answer, so its own controller may still hold "
            "the motors; restart the robot, or give --motion_service ignore if you know that it has none"
        )
    code, data = answer
    try:
        name = json.loads(data)["name"] if code == 0 else None
    except (ValueError, KeyError, TypeError):
        name = None
    if not isinstance(name, str):
        raise ServiceError(f"the robot's motion switcher answered the question for its mode with code {code}: {data!r}")
    return name


def release(bus: Bus, clock: Clock) -> list[str]:
    """Have the robot lie down and its motion service let go of the motors. Returns the names of what let go."""
    switcher, sport = ServiceClient(bus, clock, SWITCHER), ServiceClient(bus, clock, SPORT)
    released: list[str] = []
    for _ in range(TRIES):
        name = active_mode(switcher)
        if not name:
            return released
        if not released:
            sport.call(STAND_DOWN)  # else a standing robot would drop
            clock.sleep(LIE_DOWN_S)
        switcher.call(RELEASE_MODE)
        released.append(name)
        clock.sleep(0.5)
    raise ServiceError(f"the robot's motion service '{name}' does not let go of the motors; restart the robot")
