"""Every reward term against numbers computed by hand."""

import math
from types import SimpleNamespace

import pytest
import torch

from legged_gym.envs.base.rewards import Rewards, track_foot_contacts

TOLERANCE = 1e-5  # float32 sums of a few numbers below 100

REWARD_CFG = SimpleNamespace(
    tracking_sigma=0.25,
    fine_tracking_sigma=0.1,
    base_height_target=0.3,
    clearance_height_target=-0.2,
    trunk_clearance_target=0.05,
    max_contact_force=100.0,
    soft_dof_vel_limit=0.5,
    soft_torque_limit=0.9,
)


class Robot(Rewards):
    """One robot with two joints, five bodies (base, two thighs, two feet) and hand-picked values."""

    def __init__(self) -> None:
        self.cfg = SimpleNamespace(rewards=REWARD_CFG)
        self.dt = 0.02
        self.commands = torch.tensor([[0.7, -0.3, 0.5, 9.0]])
        self.base_lin_vel = torch.tensor([[0.4, 0.1, -0.6]])
        self.base_ang_vel = torch.tensor([[0.2, 0.3, 0.9]])
        self.projected_gravity = torch.tensor([[0.3, -0.4, -0.87]])
        self.dof_pos = torch.tensor([[1.3, -0.9]])
        self.default_dof_pos = torch.tensor([[0.8, -1.5]])
        self.dof_vel = torch.tensor([[2.0, -5.0]])
        self.last_dof_vel = torch.tensor([[1.7, -4.4]])
        self.torques = torch.tensor([[7.0, -11.0]])
        self.actions = torch.tensor([[0.5, -0.2]])
        self.last_actions = torch.tensor([[0.1, 0.4]])
        self.last_last_actions = torch.tensor([[-0.6, 0.3]])
        self.dof_pos_limits = torch.tensor([[-1.0, 1.1], [-0.7, 0.7]])
        self.dof_vel_limits = torch.tensor([3.0, 6.0])
        self.torque_limits = torch.tensor([10.0, 10.0])
        self.contact_forces = torch.zeros(1, 5, 3)
        self.feet_indices = torch.tensor([3, 4])
        self.penalised_contact_indices = torch.tensor([0, 1, 2])
        half_turn = math.sqrt(0.5)  # base turned by +90 degrees about z: base x is world y
        self.base_quat = torch.tensor([[0.0, 0.0, half_turn, half_turn]])
        self.root_states = torch.zeros(1, 13)
        self.root_states[0, 0:3] = torch.tensor([1.0, 2.0, 0.5])
        self.root_states[0, 7:10] = torch.tensor([0.1, 0.2, 0.3])
        self.feet_pos = torch.tensor([[[1.2, 2.1, 0.2], [0.9, 1.8, 0.35]]])
        self.feet_vel = torch.tensor([[[0.4, 0.6, 0.3], [0.1, -1.0, 7.0]]])
        self.feet_air_time = torch.tensor([[0.7, 0.4]])
        self.feet_landed = torch.tensor([[True, True]])
        self.feet_standing = torch.tensor([[False, True]])
        self.reset_buf = torch.tensor([True])
        self.time_out_buf = torch.tensor([False])
        self.trunk_points = torch.tensor([[0.3, 0.0, -0.06]])
        self.base_height = 0.45

    def _ground_heights(self, points_w: torch.Tensor) -> torch.Tensor:
        assert points_w.shape == (1, 1, 2)
        assert torch.allclose(points_w, torch.tensor([1.0, 2.3]), atol=TOLERANCE)
        return torch.full((1, 1), 0.42)

    def _get_base_heights(self) -> torch.Tensor:
        return torch.tensor([self.base_height])


def value(robot: Robot, term: str) -> float:
    result = getattr(robot, f"_reward_{term}")()
    assert result.shape == (1,) and result.dtype == torch.float32
    return result.item()


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("tracking_lin_vel", math.exp(-(0.3**2 + 0.4**2) / 0.25)),
        ("tracking_ang_vel", math.exp(-(0.4**2) / 0.25)),
        ("fine_tracking_lin_vel", math.exp(-(0.3**2 + 0.4**2) / 0.1)),
        ("fine_tracking_ang_vel", math.exp(-(0.4**2) / 0.1)),
        # One point 0.3 m ahead of the base, which looks along world y: 0.5 - 0.06 m high over ground of 0.42 m.
        ("trunk_clearance", 0.05 - (0.44 - 0.42)),
        ("progress", (0.7 * 0.4 - 0.3 * 0.1) / (0.7**2 + 0.3**2)),
        ("lin_vel_z", 0.36),
        ("ang_vel_xy", 0.04 + 0.09),
        ("orientation", 0.09 + 0.16),
        ("base_height", 0.15**2),
        ("torques", 49 + 121),
        ("dof_vel", 4 + 25),
        ("dof_acc", (0.3 / 0.02) ** 2 + (0.6 / 0.02) ** 2),
        ("joint_power", 2 * 7 + 5 * 11),
        ("action_rate", 0.4**2 + 0.6**2),
        ("smoothness", (0.5 - 0.2 - 0.6) ** 2 + (-0.2 - 0.8 + 0.3) ** 2),
        # Heights below the base: -0.3 and -0.15. Velocities relative to the base: (0.3, 0.4) and (0, -1.2).
        ("foot_clearance", 0.1**2 * 0.5 + 0.05**2 * 1.2),
        ("feet_air_time", 0.2 - 0.1),
        ("dof_pos_limits", 0.2 + 0.2),
        ("dof_vel_limits", 0.5 + 1.0),  # 5 - 3 is cut at 1
        ("torque_limits", 0.0 + 2.0),
        ("stand_still", 0.0),  # the command is to walk
        ("lifted_feet", 0.0),
        ("collision", 0.0),
        ("feet_stumble", 0.0),
        ("feet_contact_forces", 0.0),
        ("termination", 1.0),
    ],
)
def test_term_matches_the_hand_computed_value(term: str, expected: float) -> None:
    assert value(Robot(), term) == pytest.approx(expected, abs=TOLERANCE, rel=TOLERANCE)


def test_all_terms_are_covered() -> None:
    marks = test_term_matches_the_hand_computed_value.pytestmark
    tested = {case[0] for mark in marks for case in mark.args[1]}
    assert tested == {name.removeprefix("_reward_") for name in dir(Rewards) if name.startswith("_reward_")}
    assert len(tested) == 27


def test_terms_change_nothing() -> None:
    robot = Robot()
    before = {name: v.clone() for name, v in vars(robot).items() if isinstance(v, torch.Tensor)}
    for name in dir(robot):
        if name.startswith("_reward_"):
            getattr(robot, name)()
    assert all(torch.equal(getattr(robot, name), v) for name, v in before.items())


@pytest.mark.parametrize(
    ("command", "velocity", "expected"),
    [
        ((0.4, 0.0), (0.0, 0.3), 0.0),
        ((1.0, 0.0), (1.6, 0.0), 1.0),
        ((-0.5, 0.0), (2.0, 0.0), -1.0),
        ((0.0, 0.0), (0.5, 0.0), 0.0),
    ],
)
def test_progress_is_a_share_from_minus_one_to_one(
    command: tuple[float, float], velocity: tuple[float, float], expected: float
) -> None:
    robot = Robot()
    robot.commands[0, :2], robot.base_lin_vel[0, :2] = torch.tensor(command), torch.tensor(velocity)
    assert value(robot, "progress") == pytest.approx(expected)


def test_lifted_feet_are_counted_only_when_told_to_stand() -> None:
    robot = Robot()
    robot.commands = torch.tensor([[0.0, 0.0, 0.0, 9.0]])
    assert value(robot, "lifted_feet") == 1.0
    robot.commands = torch.tensor([[0.0, 0.0, 0.1, 9.0]])  # turning takes steps
    assert value(robot, "lifted_feet") == 0.0


def test_stand_still_counts_joint_offsets_when_told_to_stand() -> None:
    robot = Robot()
    robot.commands = torch.tensor([[0.05, -0.05, 0.5, 0.0]])
    assert value(robot, "stand_still") == pytest.approx(0.5 + 0.6)


def test_air_time_pays_nothing_when_told_to_stand() -> None:
    robot = Robot()
    robot.commands = torch.tensor([[0.06, 0.08, 0.5, 0.0]])  # norm 0.1
    assert value(robot, "feet_air_time") == 0.0


def test_collision_counts_penalised_bodies_and_ignores_feet() -> None:
    robot = Robot()
    robot.contact_forces[0, 1] = torch.tensor([0.0, 0.06, 0.1])
    robot.contact_forces[0, 2] = torch.tensor([0.09, 0.0, 0.0])
    robot.contact_forces[0, 4] = torch.tensor([50.0, 0.0, 0.0])
    assert value(robot, "collision") == 1.0


def test_one_stumbling_foot_counts_once() -> None:
    robot = Robot()
    robot.contact_forces[0, 4] = torch.tensor([3.0, -4.1, -1.0])
    assert value(robot, "feet_stumble") == 1.0
    robot.contact_forces[0, 4] = torch.tensor([3.0, -3.9, -1.0])
    assert value(robot, "feet_stumble") == 0.0


def test_contact_force_beyond_the_limit_is_summed_over_feet() -> None:
    robot = Robot()
    robot.contact_forces[0, 3] = torch.tensor([0.0, 60.0, 91.0])  # norm 109
    robot.contact_forces[0, 4] = torch.tensor([0.0, 0.0, 130.0])
    excess = math.hypot(60, 91) - 100 + 30
    assert value(robot, "feet_contact_forces") == pytest.approx(excess, rel=TOLERANCE)


def test_time_out_is_no_failure() -> None:
    robot = Robot()
    robot.time_out_buf = torch.tensor([True])
    assert value(robot, "termination") == 0.0


def test_foot_contacts_over_a_step_in_the_air() -> None:
    """Air, air, touch, dropout, air: landing is seen once, with the whole flight, and a dropout is bridged."""
    air_time, standing, last = torch.zeros(1, 1), torch.zeros(1, 1, dtype=torch.bool), torch.zeros(1, 1).bool()
    seen = []
    for contact in (False, False, True, False, False):
        now = torch.tensor([[contact]])
        air_time, standing, landed = track_foot_contacts(air_time, standing, last, now, dt=0.1)
        last = now
        seen.append((round(air_time.item(), 3), standing.item(), landed.item()))
    assert seen == [
        (0.1, False, False),
        (0.2, False, False),
        (0.3, True, True),
        (0.1, True, False),
        (0.1, False, False),
    ]


def test_unknown_scale_is_named_with_the_known_terms() -> None:
    (problem,) = Rewards.reward_problems({"trot": 0.1, "torques": -1.0})
    known = "reward scale 'trot' has no method _reward_trot; known terms: action_rate, ang_vel_xy, "
    assert problem.startswith(known)


def test_unknown_scale_of_zero_is_ignored() -> None:
    assert Rewards.reward_problems({"trot": 0.0}) == []
