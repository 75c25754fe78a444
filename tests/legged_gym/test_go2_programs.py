"""go2.py and simulated_go2.py as two processes on the loop-back interface, driven by keys as a person would."""

import functools
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import go2_lockstep
import imageio.v3 as iio
import numpy as np
import pytest
from go2_pair import DOMAIN, PATIENCE_S, Pair, Program
from go2_policies import WALKING, standing_policy, trotting_policy, walking_policy

pytest.importorskip("cyclonedds", reason="needs the package cyclonedds")

from legged_gym.deploy import simulated_go2
from legged_gym.deploy.controller import PolicyController
from legged_gym.deploy.courses import SETTLE_S, Course
from legged_gym.deploy.go2 import MAX_SPEED, commanded_ranges
from legged_gym.deploy.messages import COMMANDS, LOW_CMD, new_command, sealed
from legged_gym.deploy.mujoco_robot import Conditions
from legged_gym.deploy.mujoco_trials import Setup, build_robot, run_trial
from legged_gym.deploy.mujoco_world import SIM_DT
from legged_gym.deploy.simulated_robot import STARTS, URDF
from legged_gym.deploy.state_machine import State

WALK_S, SPEED = 20.0, 0.5  # [s], [m/s] of the walk that is judged
TRACKING = 0.2  # share of the commanded speed that the mean error may be
# [m/s] by which mean speeds of a policy on the bus and without one may differ: five standard deviations. Single walks
# scatter by 0.018 (eight walks), and so one may miss TRACKING that the mean of REFERENCE_WALKS meets by as many.
AGREEMENT, REFERENCE_WALKS = 0.10, 4
JUMP = 2.0  # how many times the largest values of walking the taking over may reach
FAULTS = {
    "J": "FL_calf_joint runs into its limit",
    "V": "RR_calf_joint moves with 60.0 rad/s",
    "H": "the motor of RR_thigh_joint has 95",
    "S": "the robot's last state is",
    "N": "the robot's joint_pos is not finite",
    "L": "the remote control was lost",
    "C": "the robot's last state is",
    "T": "tilted by",
}


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return standing_policy(tmp_path_factory.mktemp("policy") / "policy.onnx")


@pytest.fixture
def pairs(tmp_path: Path) -> Iterator[Any]:
    """Makes pairs, and ends what a failed test leaves."""
    made: list[Pair] = []

    def make(policy: Path, **options: tuple[str, ...]) -> Pair:
        made.append(Pair(policy, tmp_path, **options))
        return made[-1]

    yield make
    for pair in made:
        pair.kill()


@pytest.mark.slow
def test_from_lying_to_standing_to_lying_by_the_remote_control(standing: Path, pairs: Any) -> None:
    pair = pairs(standing)
    pair.walk()
    pair.robot.type("3")
    pair.go2.wait_for("] lie down")
    pair.go2.wait_for("] damp", len(pair.go2.lines))
    record = pair.record()
    said = [line.partition("] ")[2] for line in pair.go2.lines if line.startswith("[")]
    states = [text for text in said if text in [state.value for state in State]]
    assert states == ["damp", "stand up", "stand", "walk", "halt", "lie down", "damp"]
    assert "the motion service let go: normal" in pair.go2.text
    assert record["base"][:, 2].max() > 0.25 > 0.15 > record["base"][-1, 2]
    assert "ended; " in pair.go2.lines[-1] and "beats more than 5 ms late" in pair.go2.lines[-1]


@pytest.mark.slow
def test_every_fault_of_the_robot_stops_it(standing: Path, pairs: Any) -> None:
    """One after the other; after each the robot stands up again."""
    pair = pairs(standing)
    pair.walk()
    for key, reason in FAULTS.items():
        since = len(pair.go2.lines)
        pair.robot.type(key)
        assert reason in pair.go2.wait_for("STOPPED, damping: ", since)
        if key in "LH":
            pair.robot.type(key)
            pair.robot.wait_for("mended")
        if key != "T":  # the last one, after which the robot lies on its side
            pair.sleep(1.0)  # until the robot makes sense again
            pair.step_on()
    record = pair.record()
    assert not record["kp"][-1].any()
    stood = (record["kp"][:, 0] >= 60).astype(int)
    assert (np.diff(stood) == 1).sum() >= len(FAULTS)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_damp_before_they_end_the_program(standing: Path, pairs: Any, number: signal.Signals) -> None:
    pair = pairs(standing)
    pair.walk()
    assert pair.go2.end(number) == 0
    assert f"STOPPED, damping: {number.name}" in pair.go2.text
    assert not pair.record()["kp"][-1].any()


@pytest.mark.slow
def test_the_keyboard_alone_drives_and_its_loss_damps(standing: Path, pairs: Any) -> None:
    pair = pairs(standing, driver=("--no_remote",))
    pair.go2.wait_for("ready")
    pair.go2.type("11")
    pair.go2.wait_for("] stand up")
    pair.go2.wait_for("] stand", len(pair.go2.lines))
    pair.go2.type("2w")
    pair.go2.wait_for("] walk")
    pair.go2.wait_for("speeds by keys: 0.10 m/s")
    assert pair.go2.process.stdin is not None
    pair.go2.process.stdin.close()
    pair.go2.wait_for("STOPPED, damping: the keyboard is gone")
    assert not pair.record()["kp"][-1].any()


@pytest.mark.slow
def test_after_kill_9_the_robots_watchdog_damps(standing: Path, pairs: Any) -> None:
    pair = pairs(standing)
    pair.walk()
    pair.go2.end(signal.SIGKILL)
    pair.robot.wait_for("no command for 100 ms: the watchdog damps")
    record = pair.record()
    stiff = np.flatnonzero(record["kp"].any(axis=1))
    assert not record["kp"][-1].any() and record["base"][-1, 2] < record["base"][stiff[-1], 2]


@pytest.mark.slow
def test_a_slow_policy_is_stopped(pairs: Any, tmp_path: Path) -> None:
    pair = pairs(standing_policy(tmp_path / "slow.onnx", slow=True), real_time=True)
    pair.walk()
    pair.go2.wait_for("STOPPED, damping: the policy has not answered within 15 ms")
    assert not pair.record()["kp"][-1].any()


@pytest.mark.slow
def test_200_bad_commands_move_nothing(standing: Path, pairs: Any) -> None:
    """From a stranger on the bus, with gains in them, to a robot that nobody else commands."""
    pair = pairs(standing, robot=("--motion_service", "off"))
    pair.go2.wait_for("ready")
    pair.go2.end()
    bus = go2_lockstep.WatchedBus("lo", DOMAIN)
    writer = bus.writer(COMMANDS)
    deadline = time.monotonic() + PATIENCE_S
    while writer.num_readers() == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    clock = go2_lockstep.Follower(str(pair.lockstep))
    clock.bus = bus
    rng = np.random.default_rng(5)
    for i in range(200):
        command = new_command()
        command["motor_cmd"]["q"], command["motor_cmd"]["kp"] = 0.0, 80.0
        sealed(command)
        if i % 4 == 0:
            command["crc"] = int(command["crc"]) ^ 1
        elif i % 4 == 1:
            command["level_flag"] = 0xEE
            sealed(command)
        elif i % 4 == 2:
            command["motor_cmd"]["q"][rng.integers(12)] = np.nan
            sealed(command)
        else:
            command = np.frombuffer(rng.bytes(LOW_CMD.itemsize), LOW_CMD).reshape(())
        writer.write(command)
        clock.sleep(0.004)
    clock.close()
    bus.close()
    record = pair.record()
    refused = int(pair.robot.lines[-1].split()[-1])
    assert refused == 200 and not record["kp"][-1].any()


@pytest.mark.slow
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("gait", ["trot", "trained"])
def test_it_walks_20_s_at_half_a_metre_per_second_and_takes_over_without_a_jump(
    pairs: Any, gait: str, start: str, tmp_path: Path
) -> None:
    """A policy made by hand for these tests, and the shipped one, which also walks as it does without the bus."""
    policy = trotting_policy(tmp_path / "policy.onnx") if gait == "trot" else walking_policy()
    highest = commanded_ranges(PolicyController(policy).metadata, MAX_SPEED, 1.0)[0][1]
    keys = round(SPEED / highest * 10)  # each adds a tenth of the range
    asked = keys / 10 * highest
    pair = pairs(policy, robot=("--start", start))
    pair.stand()
    pair.robot.type("w" * keys + "2")
    pair.go2.wait_for("] walk")
    pair.sleep(WALK_S + 1.0)
    pair.robot.type("r3")
    pair.go2.wait_for("] lie down")
    pair.go2.wait_for("] damp", len(pair.go2.lines))
    assert "STOPPED" not in pair.go2.text
    record = pair.record()
    stiffness = record["kp"][:, 0]
    begin = np.flatnonzero((np.diff(stiffness) < 0) & (stiffness[1:] > 0))[0]  # the policy's is less than standing's
    taken_over, settled, end = (begin + round(seconds / SIM_DT) for seconds in (0.5, 1.0, WALK_S))
    forwards, sideways, _ = record["speeds"][settled:end].mean(axis=0)
    assert abs(forwards - asked) < TRACKING * asked and abs(sideways) < TRACKING * asked
    assert gait == "trot" or abs(forwards - speed_without_bus(policy, asked)) < AGREEMENT
    assert record["base"][-1, 2] < 0.15
    torques = np.abs(record["torques"]).max(axis=1)
    assert torques[begin:taken_over].max() < JUMP * torques[taken_over:end].max()
    joint_vel = record["joint_vel"]
    assert acceleration(joint_vel[begin:taken_over]) < JUMP * acceleration(joint_vel[taken_over:end])


@functools.cache
def speed_without_bus(policy: Path, asked: float) -> float:
    """Mean forward speed [m/s] in sim2sim.py's simulation: no bus, state machine or motor messages between the two."""
    course, latency_s = Course("flat"), tuple(simulated_go2.get_args([]).latency)
    robot = build_robot(Setup(policy, URDF, course, conditions=Conditions(latency_s)))
    skipped = round(SETTLE_S / robot.controller.control_period_s)
    means = []
    for seed in range(REFERENCE_WALKS):
        speeds: list[float] = []
        trial = run_trial(
            robot,
            course,
            (asked, 0.0, 0.0),
            0.0,
            WALK_S,
            np.random.default_rng(seed),
            lambda data, speeds=speeds: speeds.append(robot.base_lin_vel()[0]),
            until_crossed=False,
        )
        assert trial.end == "crossed"
        means.append(np.mean(speeds[skipped:]))
    return float(np.mean(means))


def acceleration(joint_vel: np.ndarray) -> float:
    """Largest joint acceleration [rad/s²] over 10 ms."""
    return float(np.abs(np.diff(joint_vel[::5], axis=0)).max() / (5 * SIM_DT))


@pytest.mark.slow
def test_minutes_at_500_hz_use_no_more_memory(standing: Path, pairs: Any) -> None:
    """A short version of the half hour that was run by hand: every late beat is told, and memory stays flat."""
    pair = pairs(standing, real_time=True)
    pair.walk()
    time.sleep(10.0)
    before = [resident(program) for program in (pair.go2, pair.robot)]
    time.sleep(30.0)
    grown = [resident(program) - then for program, then in zip((pair.go2, pair.robot), before, strict=True)]
    pair.end()
    told = sum(int(line.split("] ")[1].split()[0]) for line in pair.go2.lines if "of the loop's beats" in line)
    assert (
        int(pair.go2.lines[-1].split("; ")[1].split()[0]) - told < 500
    )  # those of the last second are in the sum only
    assert grown[0] < 2**20, f"go2 grew by {grown[0]} bytes"


def resident(program: Program) -> int:
    """Memory in use [bytes]."""
    pages = Path(f"/proc/{program.process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
def test_a_film_is_written_at_the_end(tmp_path: Path) -> None:
    film = tmp_path / "robot.gif"
    options = ("--domain", str(DOMAIN), "--seconds", "1", "--video", str(film), "--terrain", "stairs")
    program = Program("simulated_go2", *options)
    status = program.process.wait(PATIENCE_S)
    program._reader.join(PATIENCE_S)
    if "no OpenGL" in program.text:
        pytest.skip("no OpenGL to film with")
    frames = iio.imread(film)
    assert status == 0 and len(frames) >= 20 and np.ptp(frames[0]) > 50


# --- Mistakes --------------------------------------------------------------------------------------------------------


def run(*arguments: str, lockstep: Path | None = None) -> tuple[int, str]:
    """go2.py's exit status and last words."""
    program = Program("go2", "--network", "lo", "--domain", str(DOMAIN), *arguments, lockstep=lockstep)
    status = program.process.wait(PATIENCE_S)
    program._reader.join(PATIENCE_S)
    return status, program.text


def test_mistakes_get_one_sentence(standing: Path, tmp_path: Path) -> None:
    aliengo = standing_policy(tmp_path / "aliengo.onnx", robot="aliengo")
    cases = {
        ("--policy", str(standing), "--time_scale", "10"): "no robot answers on lo",
        ("--policy", str(aliengo)): "is a policy for aliengo, and this is a go2",
        ("--time_scale", "10"): f"{WALKING}, iteration",  # the one that comes along; then no robot answers
        ("--policy", str(standing), "--speed", "3"): "--speed must be above 0 and at most 1",
        ("--policy", str(standing), "--max_speed", "0"): "--max_speed must be above 0 and finite, got 0",
        ("--policy", str(standing), "--target_margin", "-0.1"): "--target_margin must not be negative, got -0.1",
        ("--policy", str(standing), "--network", "eth99"): "no network interface 'eth99'",
    }
    for arguments, message in cases.items():
        status, said = run(*arguments)
        assert status == 2 and message in said and "Traceback" not in said, said


@pytest.mark.slow
def test_a_rival_is_noticed(standing: Path, pairs: Any) -> None:
    pair = pairs(standing, robot=("--motion_service", "off"))
    pair.go2.wait_for("ready")
    status, said = run("--policy", str(standing), lockstep=pair.lockstep)
    assert status == 2 and "another program sends rt/lowcmd" in said


@pytest.mark.slow
def test_a_rival_that_comes_later_damps(standing: Path, pairs: Any) -> None:
    pair = pairs(standing)
    pair.walk()
    bus = go2_lockstep.WatchedBus("lo", DOMAIN)
    writer = bus.writer(COMMANDS)
    deadline = time.monotonic() + PATIENCE_S
    while "STOPPED" not in pair.go2.text and time.monotonic() < deadline:
        writer.write(sealed(new_command()))  # again and again, for what is sent before both know each other is lost
        time.sleep(0.02)
    pair.go2.wait_for("STOPPED, damping: another program sends rt/lowcmd")
    bus.close()


@pytest.mark.slow
def test_a_second_robot_on_the_bus_is_refused() -> None:
    place = ("--network", "lo", "--domain", str(DOMAIN))
    first = Program("simulated_go2", *place)
    first.wait_for("lives on")
    second = Program("simulated_go2", *place)
    status = second.process.wait(PATIENCE_S)
    second._reader.join(PATIENCE_S)
    assert first.end() == 0
    assert status == 2 and f"another robot already answers on lo, domain {DOMAIN}" in second.text


@pytest.mark.slow
def test_check_shows_sensors_that_agree_with_each_other(standing: Path, pairs: Any) -> None:
    pair = pairs(standing)
    pair.robot.wait_for("lives on")
    options = ("--network", "lo", "--domain", str(DOMAIN), "--check")
    looker = Program("go2", *options, lockstep=pair.lockstep, background=True)
    looker.wait_for("battery")
    start = len(looker.lines)
    looker.wait_for("battery", start)
    assert looker.end() == 0
    table = looker.lines[start : start + 40]
    assert not [line for line in table if line.startswith("BAD")], looker.text
    for name in ("accelerometer", "FR_hip_joint", "RL_calf_joint", "remote control", "29.0 V, 80 %"):
        assert name in looker.text
