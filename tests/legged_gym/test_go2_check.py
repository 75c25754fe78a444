"""go2.py --check: sensors of a simulated robot that moves agree with each other, and each kind of mix-up shows."""

from collections.abc import Callable

import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from legged_gym.deploy.courses import Course
from legged_gym.deploy.go2_check import findings, turning
from legged_gym.deploy.messages import GO2_JOINTS, new_command, sealed
from legged_gym.deploy.simulated_robot import SimulatedGo2


@pytest.fixture(scope="module")
def moving() -> list[np.ndarray]:
    """0.3 s of a robot that is turned about all axes in the air while its joints fold."""
    robot = SimulatedGo2(Course("flat"), "standing", noise=0.0, latency_s=(0.0, 0.0))
    robot.data.qpos[2], robot.data.qvel[3:6] = 3.0, (1.0, 0.8, -1.2)
    command = new_command()
    command["motor_cmd"]["q"], command["motor_cmd"]["dq"] = 0.0, 0.0
    command["motor_cmd"]["q"][:12] = np.tile([0.3, 1.3, -2.0], 4)
    command["motor_cmd"]["kp"], command["motor_cmd"]["kd"] = 20.0, 1.0
    robot.obey(sealed(command))
    states = []
    for _ in range(150):
        robot.obey(command)
        robot.push((0.0, 0.0, 9.81 * robot.model.body_mass.sum()), (0.0, 0.0, 0.0))  # as if it hung
        robot.step()
        states.append(robot.state())
    return states


def verdicts(states: list[np.ndarray]) -> dict[str, bool | None]:
    return {finding.name: finding.good for finding in findings(states)}


def test_a_good_robot_is_found_good(moving: list[np.ndarray]) -> None:
    assert all(good is not False for good in verdicts(moving).values()), findings(moving)
    assert verdicts(moving)["gyroscope"] is True and verdicts(moving)["FL_thigh_joint"] is True


def test_noise_of_a_robot_at_rest_is_no_turning() -> None:
    robot = SimulatedGo2(Course("flat"), "belly", noise=1.0)
    for _ in range(30):
        states = []
        for _ in range(10):
            robot.step()
            states.append(robot.state())
        assert verdicts(states)["gyroscope"] is None


def swap_quaternion(state: np.ndarray) -> None:
    state["imu_state"]["quaternion"] = np.roll(state["imu_state"]["quaternion"], -1)  # x, y, z, w


def flip_gyroscope(state: np.ndarray) -> None:
    state["imu_state"]["gyroscope"][1] *= -1


def flip_joint_speed(state: np.ndarray) -> None:
    state["motor_state"]["dq"][4] *= -1


def move_joint_out(state: np.ndarray) -> None:
    state["motor_state"]["q"][0] = 1.3


def heat(state: np.ndarray) -> None:
    state["motor_state"]["temperature"][2] = 99


def silence_remote(state: np.ndarray) -> None:
    state["wireless_remote"] = 0


@pytest.mark.parametrize(
    ("spoil", "name"),
    [
        (flip_gyroscope, "gyroscope"),
        (flip_joint_speed, GO2_JOINTS[4]),
        (move_joint_out, GO2_JOINTS[0]),
        (heat, "motor temperatures"),
        (silence_remote, "remote control"),
    ],
)
def test_each_mix_up_shows(moving: list[np.ndarray], spoil: Callable[[np.ndarray], None], name: str) -> None:
    spoiled = [state.copy() for state in moving]
    for state in spoiled:
        spoil(state)
    wrong = [found for found, good in verdicts(spoiled).items() if good is False]
    assert wrong == [name]


@pytest.mark.parametrize(
    ("joint", "turn", "said"),
    [
        ("FL_hip_joint", 0.2, "FL_hip_joint outwards by 0.20 rad"),
        ("FR_hip_joint", 0.2, "FR_hip_joint inwards by 0.20 rad"),
        ("RL_thigh_joint", -0.2, "RL_thigh_joint forwards by 0.20 rad"),
        ("RR_calf_joint", 0.2, "RR_calf_joint backwards by 0.20 rad"),
    ],
)
def test_it_says_which_joint_moves_and_which_way(joint: str, turn: float, said: str) -> None:
    """By the foot's place in MuJoCo, and so that wires or names that are swapped show."""
    robot = SimulatedGo2(Course("flat"), "standing", noise=0.0)
    foot, address = robot.model.body(f"{joint[:2]}_foot").id, robot.model.joint(joint).qposadr[0]
    places, states = [], []
    for angle in (0.0, turn):
        robot.data.qpos[address] += angle
        mujoco.mj_forward(robot.model, robot.data)
        places.append(robot.data.xpos[foot].copy())
        states.append(robot.state())
    (moves,) = [finding.text for finding in findings(states) if finding.name == "what moves"]
    assert moves.startswith(f"{said};")
    forwards, left, _ = places[1] - places[0]
    outwards = left if joint[1] == "L" else -left
    direction = said.split()[1]
    assert {"outwards": outwards, "inwards": -outwards, "forwards": forwards, "backwards": -forwards}[direction] > 0.03


def test_a_quaternion_in_another_order_contradicts_the_accelerometer() -> None:
    """If the robot is tilted; a level one with its quaternion x, y, z, w looks turned about the vertical axis only."""
    robot = SimulatedGo2(Course("flat"), "tilted", noise=0.0)
    for _ in range(500):
        robot.step()
    states = []
    for _ in range(50):
        robot.step()
        states.append(robot.state())
    assert verdicts(states)["accelerometer"] is True
    for state in states:
        swap_quaternion(state)
    assert verdicts(states)["accelerometer"] is False


def test_turning_agrees_with_scipy() -> None:
    first, second = Rotation.random(2, random_state=3)
    expected = (first.inv() * second).as_rotvec()
    found = turning(*(rotation.as_quat()[[3, 0, 1, 2]] for rotation in (first, second)))
    np.testing.assert_allclose(found, expected, atol=1e-9)
