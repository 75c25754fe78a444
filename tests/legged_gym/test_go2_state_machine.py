"""Go2's states on the simulated robot: it stands up, walks and lies down, and whatever is dangerous damps it."""

from pathlib import Path

import numpy as np
import pytest
from go2_policies import POSE, standing_policy, trotting_policy
from go2_rig import Rig

from legged_gym.deploy.go2 import PERIOD_S
from legged_gym.deploy.messages import GO2_JOINTS
from legged_gym.deploy.remote import Wishes
from legged_gym.deploy.safety import LIMIT_SPEED
from legged_gym.deploy.simulated_robot import STARTS
from legged_gym.deploy.state_machine import DAMP_KD, MOVE_S, State, cubic

STATES = ["damp", "stand up", "stand", "walk", "halt", "lie down", "damp"]  # as the machine names them on the way
STANDING_HEIGHT = 0.25  # [m] of the trunk above the ground that only a standing robot reaches


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return standing_policy(tmp_path_factory.mktemp("policy") / "policy.onnx")


@pytest.mark.parametrize("start", STARTS)
def test_it_stands_up_from_every_pose_and_lies_down_again(standing: Path, start: str) -> None:
    rig = Rig(standing, start)
    rig.stand_up()
    assert rig.machine.state is State.STAND and rig.robot.data.qpos[2] > STANDING_HEIGHT
    rig.walk(1.0)
    assert rig.machine.state is State.WALK and rig.robot.data.qpos[2] > STANDING_HEIGHT
    rig.beat(Wishes(lie_down=True))
    rig.run(MOVE_S + 1.0)
    assert rig.machine.state is State.DAMP and rig.robot.data.qpos[2] < 0.15
    assert rig.machine.stopped_by == "" and rig.messages == STATES


def test_an_idle_robot_gets_no_torque_and_a_damped_one_only_damping(standing: Path) -> None:
    rig = Rig(standing)
    idle = rig.machine.step(0.0, None, np.inf, Wishes())
    assert not np.any(idle.kp) and not np.any(idle.kd)
    rig.beat(Wishes(damp=True))
    damped = rig.machine.step(rig.now, None, np.inf, Wishes())
    assert rig.machine.state is State.DAMP and not np.any(damped.kp) and (damped.kd == DAMP_KD).all()


def test_standing_up_follows_a_cubic_from_where_the_joints_are(standing: Path) -> None:
    rig = Rig(standing, noise=0.0)
    rig.beat(Wishes(step_on=True))
    start = rig.robot.joint_pos
    rig.beat(Wishes(step_on=True))
    goal = np.array([POSE[name.split("_")[1]] for name in GO2_JOINTS])
    for share in (0.25, 0.5, 0.75):
        rig.run(MOVE_S * share - rig.now + PERIOD_S)
        targets = rig.machine._targets
        expected = start + (goal - start) * (3 * share**2 - 2 * share**3)
        np.testing.assert_allclose(targets.pos, expected, atol=0.01)
    assert cubic(-1) == 0 and cubic(2) == 1


def test_the_policy_takes_over_gradually(standing: Path) -> None:
    """From the gains and targets of standing to the policy's own within 0.3 s."""
    rig = Rig(standing)
    rig.stand_up()
    rig.walk(0.5)
    kp = np.array(rig.kp)[-round(0.5 / PERIOD_S) :, 0]
    assert kp[0] == 60.0 and kp[-1] == 40.0
    assert (np.diff(kp) <= 0).all() and abs(kp[round(0.15 / PERIOD_S)] - 50.0) < 1.0


@pytest.mark.parametrize(("seed", "walk_s"), [(5, 1.643), (9, 1.786)])
@pytest.mark.parametrize("next_state", [State.STAND, State.LIE_DOWN])
def test_it_halts_within_a_stride_without_falling(seed: int, walk_s: float, next_state: State, tmp_path: Path) -> None:
    """At moments at which a robot that took two seconds to put its feet down fell on its back."""
    rig = Rig(trotting_policy(tmp_path / "policy.onnx"), seed=seed)
    rig.stand_up()
    rig.walk(walk_s, (0.5, 0.0, 0.0))
    rig.beat(Wishes(step_on=next_state is State.STAND, lie_down=next_state is State.LIE_DOWN))
    assert rig.machine.state is State.HALT
    uprightness = []  # cosine of the trunk's tilt
    for _ in range(round(1.0 / PERIOD_S)):
        rig.beat()
        x, y = rig.robot.data.qpos[4:6]
        uprightness.append(1 - 2 * (x * x + y * y))
    assert rig.machine.state is next_state and min(uprightness) > np.cos(np.radians(20))


def test_nothing_leads_from_lying_to_walking_but_standing_up(standing: Path) -> None:
    rig = Rig(standing)
    for wishes, message in ((Wishes(walk=True), "cannot walk from idle"), (Wishes(lie_down=True), "cannot lie down")):
        rig.beat(wishes)
        assert rig.machine.state is State.IDLE and message in rig.messages[-1]
    rig.beat(Wishes(step_on=True))
    rig.beat(Wishes(walk=True))
    assert rig.machine.state is State.DAMP
    rig.beat(Wishes(step_on=True))
    rig.beat(Wishes(walk=True))
    assert rig.machine.state is State.STAND_UP and "cannot walk from stand up" in rig.messages[-1]
    rig.run(2.5)
    rig.beat(Wishes(step_on=True))
    assert rig.machine.state is State.STAND and "no next step from stand" in rig.messages[-1]


JOINTS = np.zeros(12, np.float32)
CALF = GO2_JOINTS.index("RL_calf_joint")


def spoiled_vector(index: int, value: float, base: float = 0.0) -> np.ndarray:
    vector = np.full(12, base, np.float32)
    vector[index] = value
    return vector


at_limit = {
    "joint_pos": np.where(np.arange(12) == CALF, -2.71, JOINTS + [0, 0.9, -1.5] * 4),
    "joint_vel": spoiled_vector(CALF, -LIMIT_SPEED - 1),
}


@pytest.mark.parametrize(
    ("spoiled", "reason"),
    [
        ({"quat": np.array([0.866, 0.5, 0, 0])}, "tilted by 60°"),
        ({"quat": np.zeros(4)}, "the IMU's quaternion has length 0.00"),
        ({"quat": np.array([np.nan, 0, 0, 0])}, "quat is not finite"),
        (at_limit, "RL_calf_joint runs into its limit"),
        ({"joint_vel": spoiled_vector(2, 25.0)}, "FR_calf_joint moves with 25.0 rad/s"),
        ({"joint_vel": spoiled_vector(0, np.nan)}, "joint_vel is not finite"),
        ({"joint_pos": spoiled_vector(0, np.inf)}, "joint_pos is not finite"),
        ({"temperature": spoiled_vector(7, 95, 35)}, "the motor of RR_thigh_joint has 95"),
    ],
)
@pytest.mark.parametrize("state", [State.STAND_UP, State.WALK])
def test_a_dangerous_state_damps_within_the_beat(
    standing: Path, spoiled: dict[str, np.ndarray], reason: str, state: State
) -> None:
    rig = Rig(standing)
    rig.beat(Wishes(step_on=True))
    rig.beat(Wishes(step_on=True))
    if state is State.WALK:
        rig.run(2.5)
        rig.walk(0.1)
    assert rig.machine.state is state and rig.kp[-1].any() == (rig.beats > 2)
    rig.beat(**spoiled)
    assert rig.machine.state is State.DAMP and not rig.kp[-1].any()
    assert reason in rig.machine.stopped_by and rig.messages[-1].startswith("STOPPED, damping: ")
    rig.beat(Wishes(step_on=True), **spoiled)
    assert rig.machine.state is State.DAMP and rig.messages[-1].startswith("cannot stand up: ")


def test_an_old_state_damps_and_50_ms_are_not_old(standing: Path) -> None:
    rig = Rig(standing)
    rig.stand_up()
    rig.age_s = 0.05
    rig.beat()
    assert rig.machine.state is State.STAND
    rig.age_s = 0.052
    rig.beat()
    assert rig.machine.state is State.DAMP and "52 ms old" in rig.machine.stopped_by


def test_a_late_policy_damps_after_15_ms(standing: Path) -> None:
    rig = Rig(standing)
    rig.stand_up()
    rig.walk(0.5)
    rig.policy.answers = False
    beats = 0
    while rig.machine.state is State.WALK and beats < 30:
        rig.beat()
        beats += 1
    assert "the policy has not answered within 15 ms" in rig.machine.stopped_by
    assert 15 <= beats * PERIOD_S * 1e3 <= 20 + 15 + 4  # the question comes within 20 ms


def test_a_failing_policy_damps_and_says_how(standing: Path) -> None:
    rig = Rig(standing)
    rig.stand_up()
    rig.walk(0.1)
    rig.policy.error = "FloatingPointError: the policy's output is not finite"
    rig.beat()
    assert rig.machine.state is State.DAMP and "the policy's output is not finite" in rig.machine.stopped_by


def test_the_wish_to_damp_beats_every_other(standing: Path) -> None:
    rig = Rig(standing)
    rig.stand_up()
    rig.beat(Wishes(damp=True, step_on=True, walk=True, lie_down=True))
    assert rig.machine.state is State.DAMP and rig.machine.stopped_by == ""
