"""The simulated Go2: its motors' law by hand, its sensors against scipy, its watchdog, remote and faults."""

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from legged_gym.deploy.courses import Course
from legged_gym.deploy.link import StateLink
from legged_gym.deploy.messages import GO2_JOINTS, LOW_STATE, is_intact, new_command, sealed
from legged_gym.deploy.mujoco_world import SIM_DT
from legged_gym.deploy.remote import decode
from legged_gym.deploy.simulated_faults import FAULT_KEYS, Faults
from legged_gym.deploy.simulated_go2 import check_args, get_args
from legged_gym.deploy.simulated_keys import GAP_S, PRESS_S, RemoteKeys
from legged_gym.deploy.simulated_robot import WATCHDOG_S, SimulatedGo2

TOLERANCE = 1e-5  # float32 in messages


def robot(start: str = "standing", **options: object) -> SimulatedGo2:
    return SimulatedGo2(Course("flat"), start, **({"noise": 0.0, "latency_s": (0.0, 0.0)} | options))


def command(**values: object) -> np.ndarray:
    """A LOW_CMD record with these members of its motors, sealed."""
    message = new_command()
    for name, value in ({"q": 0.0, "dq": 0.0} | values).items():
        message["motor_cmd"][name][:12] = value
    return sealed(message)


def test_motors_follow_their_law_within_their_limits() -> None:
    go2 = robot()
    go2.data.qvel[6:] = np.linspace(-2, 2, 12)
    pos, vel = go2.joint_pos, go2.joint_vel
    go2.obey(command(q=pos + 0.1, dq=0.5, kp=30.0, kd=1.5, tau=2.0))
    go2.step()
    expected = 2.0 + 30.0 * 0.1 + 1.5 * (0.5 - vel)
    np.testing.assert_allclose(go2.torques, expected, atol=TOLERANCE)
    go2.obey(command(tau=100.0))
    go2.step()
    np.testing.assert_allclose(go2.torques, [23.7, 23.7, 35.55] * 4)
    go2.obey(command(mode=0, tau=5.0))
    go2.step()
    assert not go2.torques.any()


def test_motor_numbers_are_those_of_the_sdk() -> None:
    go2 = robot()
    tau = np.zeros(12)
    tau[GO2_JOINTS.index("RR_hip_joint")] = 3.0
    go2.obey(command(tau=tau))
    go2.step()
    dof = go2.model.joint("RR_hip_joint").dofadr[0]
    assert go2.data.qfrc_applied[dof] == pytest.approx(3.0) and np.count_nonzero(go2.data.qfrc_applied) == 1
    assert go2.state()["motor_state"]["tau_est"][6] == pytest.approx(3.0)


def test_without_commands_the_motors_damp_after_100_ms() -> None:
    go2 = robot()
    go2.obey(command(q=go2.joint_pos, kp=60.0, kd=3.0))
    steps = round(WATCHDOG_S / SIM_DT)
    for _ in range(steps - 1):
        go2.step()
        assert go2.commanded_kp().all()
    for _ in range(2):
        go2.step()
    assert go2.damped_by_watchdog() and not go2.commanded_kp().any()
    velocity = go2.joint_vel
    go2.step()
    np.testing.assert_allclose(go2.torques, -2.0 * velocity)


@pytest.mark.parametrize("spoil", ["crc", "level_flag", "head", "nan"])
def test_a_bad_command_changes_nothing(spoil: str) -> None:
    go2 = robot()
    bad = command(kp=80.0)
    if spoil == "nan":
        bad["motor_cmd"]["tau"][2] = np.nan
    elif spoil == "crc":
        bad["crc"] = int(bad["crc"]) ^ 1
    else:
        bad[spoil] = 0
    if spoil != "crc":
        sealed(bad)
    assert not go2.obey(bad) and go2.held and go2.refused == 1


def test_commands_take_effect_after_the_latency() -> None:
    go2 = robot(latency_s=(0.01, 0.01))
    go2.obey(command(tau=4.0))
    for _ in range(5):
        go2.step()
        assert not (go2.torques == 4.0).any()
    go2.step()
    np.testing.assert_allclose(go2.torques, 4.0)


def test_the_tilted_start_is_tilted_by_20_degrees_and_held_until_a_command() -> None:
    go2 = robot("tilted")
    tilts = []
    for _ in range(100):
        go2.step()
        w, x, y, z = go2.data.qpos[3:7]
        tilts.append(math.degrees(Rotation.from_quat([x, y, z, w]).magnitude()))
    assert tilts[0] == pytest.approx(20.0, abs=1.0) and 10.0 < tilts[-1] < 25.0 and go2.held


def test_sensors_say_how_the_robot_lies() -> None:
    """Gravity's opposite in the accelerometer, w first in the quaternion, rates in the base frame."""
    go2 = robot("belly")
    for _ in range(100):
        go2.step()
    imu = go2.state()["imu_state"]
    w, x, y, z = go2.data.qpos[3:7]
    attitude = Rotation.from_quat([x, y, z, w])
    np.testing.assert_allclose(imu["quaternion"], [w, x, y, z], atol=TOLERANCE)
    np.testing.assert_allclose(imu["accelerometer"], attitude.inv().apply([0, 0, 9.81]), atol=0.2)
    np.testing.assert_allclose(imu["rpy"], attitude.as_euler("ZYX")[::-1], atol=TOLERANCE)


def test_states_are_sealed_and_their_clock_runs() -> None:
    go2 = robot()
    first = go2.state()
    for _ in range(5):
        go2.step()
    second = go2.state()
    assert is_intact(first) and is_intact(second) and second["tick"] - first["tick"] == 10
    assert decode(second["wireless_remote"].tobytes()) is not None


def test_keys_press_buttons_one_after_the_other_and_push_sticks() -> None:
    keys = RemoteKeys()
    assert keys.state("1", 0.0).buttons == {"start"}
    assert keys.state("2", 0.1).buttons == {"start"}
    assert keys.state("", PRESS_S).buttons == set()
    assert keys.state("", PRESS_S + GAP_S + 0.01).buttons == {"A"}
    for key in "wwd":
        remote = keys.state(key, 9.0)
    assert (remote.ly, remote.lx, remote.rx) == (0.2, 0.1, 0.0) and "0.1 0.2" in keys.news
    assert keys.state("r", 9.1).ly == 0.0


class Silence:
    """A reader's stand-in that gives what the test puts in."""

    def __init__(self) -> None:
        self.states: list[np.ndarray] = []

    def take(self) -> list[np.ndarray]:
        states, self.states = self.states, []
        return states


class DeafBus:
    network, domain = "none", 0

    def __init__(self) -> None:
        self.source = Silence()

    def reader(self, topic: object) -> Silence:
        return self.source


def test_of_200_bad_states_none_is_used() -> None:
    go2, bus = robot(), DeafBus()
    link, faults = StateLink(bus, check_crc=True), Faults(go2, seed=3)
    for _ in range(2000):
        go2.step()
    good = go2.state()
    bus.source.states = [good]
    link.update(0.0)
    faults.begin("C")
    for i in range(200):
        go2.step()
        bus.source.states = faults.spoiled(go2.state())
        link.update(0.002 * i)
        faults.act()
    assert link.dropped.total() == 200 and link.state is good and link.age_s(0.4) == pytest.approx(0.4)
    assert "with wrong check sum" in link.news() and link.news() == ""
    bus.source.states = faults.spoiled(go2.state())
    link.update(0.4)
    assert link.age_s(0.4) == 0.0


@pytest.mark.parametrize("check_crc", [False, True])
def test_a_robot_without_check_sums_needs_no_clock(check_crc: bool) -> None:
    """unitree_mujoco's simulator in Python leaves `crc` and `tick` at 0; a sealed state at 0 is one that came again."""
    state, bus = np.zeros((), LOW_STATE), DeafBus()
    state["imu_state"]["quaternion"][0] = 1.0
    link = StateLink(bus, check_crc)
    for now in (0.0, 0.01, 0.02):
        bus.source.states = [sealed(state.copy()) if check_crc else state.copy()]
        link.update(now)
    assert link.age_s(0.02) == (0.02 if check_crc else 0.0)
    assert link.dropped.total() == (2 if check_crc else 0)
    if not check_crc:  # one that counts may not go back
        for tick in (7, 7, 0):
            state["tick"] = tick
            bus.source.states = [state.copy()]
            link.update(0.03)
        assert link.dropped == {"a time that is not newer": 2}


@pytest.mark.parametrize("key", sorted(set(FAULT_KEYS) - set("CTL")))
def test_faults_show_in_the_states_and_pass(key: str) -> None:
    go2 = robot()
    faults = Faults(go2, seed=1)
    assert faults.begin(key) == f"fault: {FAULT_KEYS[key]}"
    faults.act()
    shown = faults.spoiled(go2.state())
    assert shown == [] or shown[0].dtype == LOW_STATE and is_intact(shown[0])
    motors = shown[0]["motor_state"] if shown else None
    if key == "S":
        assert shown == []
    else:
        signs = {"N": np.isnan(motors["q"][3]), "J": motors["dq"][5] == -8.0, "V": motors["dq"][8] == 60.0}
        assert signs.get(key, motors["temperature"][7] == 95)
    if key == "H":
        assert faults.begin(key).startswith("mended")
    for _ in range(101):
        faults.act()
    np.testing.assert_array_equal(faults.spoiled(go2.state())[0]["motor_state"], go2.state()["motor_state"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--step_height", "12"], "--step_height is in metres"),
        (["--latency", "0.1", "0.05"], "--latency must be two rising numbers"),
        (["--noise", "-1"], "--noise not negative"),
        (["--video", "film.txt"], "--video film.txt: end the name in .mp4 or .gif"),
        (["--record", "/proc/run.npz"], "cannot write into the folder /proc"),
        (["--video", "/no/such/folder/film.mp4"], "the folder of --video .* does not exist"),
    ],
)
def test_options_that_cannot_be_are_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_args(get_args(arguments))
    with pytest.raises(ValueError, match="unknown start 'headstand'; known: belly"):
        robot("headstand")
