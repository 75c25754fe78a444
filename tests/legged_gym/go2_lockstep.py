"""Programs of legged_gym.deploy in simulated time, which passes for all of them alike on a computer of any speed.

python go2_lockstep.py SOCKET simulated_go2|go2 ARGUMENTS … runs a program as it is, but for its clock, its priority and
a policy that is waited for. The robot's process leads: its time moves on when all that follow it have done what there
was to do and sleep, and when what they sent each other has arrived.
"""

from __future__ import annotations

import importlib
import select
import socket
import struct
import sys
import threading
import time
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from legged_gym.deploy.bus import DEPTH, Bus, Reader, Writer
from legged_gym.deploy.clock import Clock
from legged_gym.deploy.messages import COMMANDS, STATES, Topic
from legged_gym.deploy.policy_runner import PolicyRunner
from legged_gym.deploy.remote import Speeds
from legged_gym.deploy.safety import Readings

NEWS = struct.Struct("dq")  # leader: time [s], new states sent; follower: when to wake it [s], new commands sent
ARRIVAL_S = 0.2  # [s] of real time that a message may take; one that takes longer counts as lost
PATIENCE_S = 120.0  # [s] of real time for a follower to do its work
ALONE_S = 0.05  # [s] of real time per step before anybody follows
ROUNDING_S = 1e-9


class CountingWriter(Writer):
    """Counts what it writes."""

    def write(self, record: np.ndarray) -> None:
        super().write(record)
        self._bus.sent[self._topic.name] += 1


class KeepingReader(Reader):
    """Sees what has come without giving it away.

    Attributes:
        arrived: records so far.
    """

    def __init__(self, plain: Reader) -> None:
        super().__init__(plain._bus, plain._topic, plain._handle)
        self.arrived = 0
        self._kept: deque[np.ndarray] = deque(maxlen=DEPTH)
        self._lock = threading.Lock()

    def look(self) -> int:
        with self._lock:
            records = super().take()
            self._kept.extend(records)
            self.arrived += len(records)
            return self.arrived

    def take(self) -> list[np.ndarray]:
        self.look()
        with self._lock:
            records = list(self._kept)
            self._kept.clear()
        return records


class WatchedBus(Bus):
    """A bus on which arrival can be waited for.

    Attributes:
        sent: number of records by topic.
    """

    def __init__(self, network: str, domain: int = 0) -> None:
        super().__init__(network, domain)
        self.sent: Counter[str] = Counter()
        self._readers: dict[str, list[KeepingReader]] = {}

    def writer(self, topic: Topic) -> Writer:
        plain = super().writer(topic)
        return CountingWriter(plain._bus, plain._topic, plain._handle)

    def reader(self, topic: Topic, of_others: bool = False) -> Reader:
        if of_others:  # nobody waits for what strangers say
            return super().reader(topic, of_others)
        reader = KeepingReader(super().reader(topic))
        self._readers.setdefault(topic.name, []).append(reader)
        return reader

    def await_arrival(self, topic: Topic, count: int) -> None:
        """Wait until so many more records have come to each reader."""
        expected = [(reader, reader.arrived + count) for reader in self._readers.get(topic.name, [])]
        deadline = time.monotonic() + ARRIVAL_S
        while any(reader.look() < number for reader, number in expected) and time.monotonic() < deadline:
            time.sleep(1e-4)


@dataclass
class Member:
    """A follower as its leader knows it."""

    end: socket.socket
    told: int  # states sent until it last heard of it
    wakes_at: float = 0.0  # [s]


class Leader(Clock):
    """The simulated robot's clock.

    Attributes:
        bus: over which states are sent.
    """

    bus: WatchedBus

    def __init__(self, path: str) -> None:
        self._time, self._had_members = 0.0, False
        self._members: list[Member] = []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(path)
        self._server.listen()

    def now(self) -> float:
        return self._time

    def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            return
        sent = self.bus.sent[STATES.name]
        self._admit(seconds, sent)
        self._time += seconds
        awake = [member for member in self._members if member.wakes_at < self._time + ROUNDING_S]
        for member in awake:
            send(member.end, self._time, sent - member.told)
            member.told = sent
        commands = 0
        for member in awake:
            member.wakes_at, count = received(member.end)
            if count < 0:
                self._members.remove(member)
            commands += max(0, count)
        self.bus.await_arrival(COMMANDS, commands)

    def _admit(self, seconds: float, sent: int) -> None:
        """Let a newcomer in; without followers, pass real time."""
        wait_s = 0.0 if self._members else seconds if self._had_members else ALONE_S
        if select.select([self._server], [], [], wait_s)[0]:
            end, _ = self._server.accept()
            end.settimeout(PATIENCE_S)
            self._members.append(Member(end, sent))
            self._had_members = True


class Follower(Clock):
    """Any other's clock. Whoever has one must sleep again soon, for the robot waits.

    Attributes:
        bus: over which commands are sent, if any are.
    """

    bus: WatchedBus | None = None

    def __init__(self, path: str) -> None:
        self._end = socket.socket(socket.AF_UNIX)
        self._end.settimeout(PATIENCE_S)
        self._connect(path)
        self._time, _ = received(self._end)
        self._told = 0  # commands sent until the leader last heard of it

    def now(self) -> float:
        return self._time

    def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            return
        bus = self.bus
        sent = bus.sent[COMMANDS.name] if bus else 0
        send(self._end, self._time + seconds, sent - self._told)
        self._told = sent
        self._time, states = received(self._end)
        if states < 0:
            raise RuntimeError("the simulated robot has gone, and time with it")
        if bus is not None:
            bus.await_arrival(STATES, states)

    def close(self) -> None:
        self._end.close()

    def _connect(self, path: str) -> None:
        """When the robot is there."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                self._end.connect(path)
                return
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


def send(end: socket.socket, moment: float, count: int) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):  # it has gone, as whoever waits for its answer sees
        end.sendall(NEWS.pack(moment, count))


def received(end: socket.socket) -> tuple[float, int]:
    """Moment and count from the other end; a negative count means that it has gone."""
    try:
        data = end.recv(NEWS.size, socket.MSG_WAITALL)
    except ConnectionResetError:
        data = b""
    return NEWS.unpack(data) if data else (0.0, -1)


class AwaitedPolicy(PolicyRunner):
    """Answers within the beat that asks, in a thread of its own all the same."""

    def ask(self, speeds: Speeds, readings: Readings) -> None:
        super().ask(speeds, readings)
        while self._busy:
            time.sleep(1e-4)


def replacements(path: str, clock_class: type[Leader] | type[Follower]) -> dict[str, Any]:
    """What a program uses instead of its own, by name in its module. It makes its clock before its bus."""
    clocks: list[Leader | Follower] = []

    def clock(scale: float) -> Clock:
        clocks.append(clock_class(path))
        return clocks[-1]

    def bus(network: str, domain: int) -> Bus:
        clocks[-1].bus = watched = WatchedBus(network, domain)
        return watched

    return {"Clock": clock, "Bus": bus, "PolicyRunner": AwaitedPolicy, "ask_for_priority": lambda: True}


def main() -> None:
    path, module, *arguments = sys.argv[1:]
    program = importlib.import_module(f"legged_gym.deploy.{module}")
    for name, value in replacements(path, {"simulated_go2": Leader, "go2": Follower}[module]).items():
        setattr(program, name, value)
    sys.argv = [str(Path(program.__file__ or module)), *arguments]
    program.main()


if __name__ == "__main__":
    main()
