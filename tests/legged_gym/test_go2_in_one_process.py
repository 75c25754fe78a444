"""The two programs' loops, services and links in one process, where every part of them can be looked at."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from go2_lockstep import AwaitedPolicy, Follower, Leader, WatchedBus
from go2_policies import standing_policy

pytest.importorskip("cyclonedds", reason="needs the package cyclonedds")

from legged_gym.deploy import go2, go2_check, motion_service, simulated_go2
from legged_gym.deploy.bus import Bus
from legged_gym.deploy.clock import Clock
from legged_gym.deploy.keyboard import Keyboard
from legged_gym.deploy.state_machine import State

DOMAIN = 121 + os.getpid() % 9  # of its own, for a process has one bus of each domain
TIME_SCALE = 0.4  # of tests in real time: two loops and the physics share one interpreter
PATIENCE_S = 180.0
STEP = tuple[Callable[[], Any], str]


class Script(Keyboard):
    """Types each key as soon as its condition holds."""

    def __init__(self, steps: list[STEP]) -> None:
        self.closed, self._settings, self._steps = False, None, steps

    def __enter__(self) -> Keyboard:
        return self

    def key(self) -> str:
        return self._steps.pop(0)[1] if self._steps and self._steps[0][0]() else ""


@pytest.fixture
def robot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[simulated_go2.Simulation]:
    """A simulated robot whose bus the other program shares; its loop is for the test to start."""
    options = ["--domain", str(DOMAIN), "--record", str(tmp_path / "r.npz"), "--time_scale", str(TIME_SCALE)]
    monkeypatch.setattr(simulated_go2, "Bus", WatchedBus)
    simulation = simulated_go2.Simulation(simulated_go2.get_args(options))
    monkeypatch.setattr(go2, "Bus", lambda network, domain: simulation.bus)
    monkeypatch.setattr(go2, "ask_for_priority", lambda: False)
    yield simulation
    simulation.ended = True
    simulation.bus.close()


@pytest.fixture
def handlers() -> Iterator[None]:
    """Gives the signals back that the program takes."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.slow
def test_a_tour_with_a_fault_in_the_middle(
    robot: simulated_go2.Simulation,
    handlers: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made: list[go2.Go2] = []

    class Watched(go2.Go2):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            made.append(self)

    def state() -> State:
        return made[0].machine.state

    monkeypatch.setattr(go2, "Go2", Watched)
    keys: list[STEP] = [
        (lambda: made and made[0].metronome.beats > 100, "1"),
        (lambda: state() is State.DAMP, "1"),
        (lambda: state() is State.STAND, "2"),
        (lambda: state() is State.WALK, "w"),
        (lambda: robot.robot.time > 0, "N"),
        (lambda: made[0].machine.stopped_by, "1"),
        (lambda: state() is State.STAND, "3"),
    ]
    ends: list[STEP] = [(lambda: not keys and state() is State.DAMP, "x")]
    monkeypatch.setattr(go2, "Keyboard", lambda: Script(ends))
    monkeypatch.setattr(go2, "PolicyRunner", AwaitedPolicy)
    robot.clock = Leader(str(tmp_path / "time"))
    robot.clock.bus = robot.bus
    loop = threading.Thread(target=robot.run, args=(Script(keys), None))
    loop.start()
    clock = Follower(str(tmp_path / "time"))
    clock.bus = robot.bus
    monkeypatch.setattr(go2, "Clock", lambda scale: clock)
    policy = standing_policy(tmp_path / "policy.onnx")
    go2.run(go2.get_args(["--network", "lo", "--domain", str(DOMAIN), "--policy", str(policy)]))
    robot.ended = True
    clock.close()
    loop.join(PATIENCE_S)
    said = capsys.readouterr().out
    assert "the motion service let go: normal" in said and robot.services.mode == ""
    positions = [
        said.index(text) for text in ("] damp", "] stand up", "] walk", "joint_pos is not finite", "] lie down")
    ]
    assert positions == sorted(positions)
    assert made[0].link.news() == "" and made[0].policy.error == ""
    robot.record.save(str(tmp_path / "r.npz"))
    with np.load(tmp_path / "r.npz") as record:
        assert record["base"][:, 2].max() > 0.25 and not record["kp"][-1].any()


def test_check_prints_a_table_and_ends_on_ctrl_c(
    robot: simulated_go2.Simulation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    loop = threading.Thread(target=robot.run, args=(Script([]), None))
    loop.start()
    clock = Clock(TIME_SCALE)
    ends_at = clock.now() + 1.0
    sleep = clock.sleep

    def sleep_and_interrupt(seconds: float) -> None:
        sleep(seconds)
        if clock.now() > ends_at:
            raise KeyboardInterrupt

    monkeypatch.setattr(clock, "sleep", sleep_and_interrupt)
    policy = standing_policy(tmp_path / "policy.onnx")
    go2_check.check(robot.bus, clock, True, str(policy))
    robot.ended = True
    loop.join(PATIENCE_S)
    said = capsys.readouterr().out
    for text in (
        "its 12 joints are Go2's",
        "states a second",
        "FR_hip_joint",
        "remote control",
        "29.0 V",
        "every state",
    ):
        assert text in said


def test_a_robot_without_a_motion_switcher_is_not_commanded(robot: simulated_go2.Simulation) -> None:
    clock = Clock(10.0)
    with pytest.raises(motion_service.ServiceError, match="its motion switcher does not answer"):
        motion_service.release(robot.bus, clock)


@pytest.mark.parametrize(("code", "data"), [(3203, ""), (0, "no JSON"), (0, "{}"), (0, '{"name": 7}')])
def test_answers_that_make_no_sense_are_not_taken_for_no(
    robot: simulated_go2.Simulation, monkeypatch: pytest.MonkeyPatch, code: int, data: str
) -> None:
    client = motion_service.ServiceClient(robot.bus, Clock(), motion_service.SWITCHER)
    monkeypatch.setattr(client, "call", lambda api_id: (code, data))
    with pytest.raises(motion_service.ServiceError, match=f"with code {code}"):
        motion_service.active_mode(client)


def test_a_service_that_holds_on_is_an_error(robot: simulated_go2.Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(motion_service.ServiceClient, "call", lambda *arguments: (0, '{"name": "normal"}'))
    with pytest.raises(motion_service.ServiceError, match="'normal' does not let go"):
        motion_service.release(robot.bus, Clock(10.0))


def test_the_bus_of_a_second_simulation_on_the_same_domain_is_refused(robot: simulated_go2.Simulation) -> None:
    with pytest.raises(RuntimeError, match="dds_create_domain on lo"):
        Bus("lo", DOMAIN)


def test_keys_come_one_by_one_from_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading) as pipe:
        monkeypatch.setattr("sys.stdin", pipe)
        keyboard = Keyboard()
        assert keyboard.key() == ""
        os.write(writing, b"1w\n")
        assert [keyboard.key() for _ in range(3)] == ["1", "w", ""]
        os.close(writing)
        time.sleep(0.01)
        assert keyboard.key() == "" and keyboard.closed


def test_the_operator_commands_what_the_policy_knows_up_to_the_highest_speed() -> None:
    metadata = {"command_ranges": {"vx": [-2.0, 2.0], "vy": [-0.5, 0.5], "yaw_rate": [-3.0, 3.0]}}
    assert go2.commanded_ranges(metadata, 1.0, 1.0) == [[-1.0, 1.0], [-0.5, 0.5], [-3.0, 3.0]]
    assert go2.commanded_ranges(metadata, 3.0, 0.5) == [[-1.0, 1.0], [-0.25, 0.25], [-1.5, 1.5]]
