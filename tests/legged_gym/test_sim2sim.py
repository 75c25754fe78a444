"""sim2sim: its terrain, sensors and joint controllers, checked by hand, by rays and with scipy."""

import json
import math
import os
import signal
import subprocess
import sys
import threading
from multiprocessing import active_children
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mujoco
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from test_export import make_policy

from legged_gym import LEGGED_GYM_ROOT_DIR
from legged_gym.deploy.controller import PolicyController
from legged_gym.deploy.courses import FLIGHT, PLATEAU, Course
from legged_gym.deploy.mujoco_robot import NOISE, Conditions, Robot, joint_names
from legged_gym.deploy.mujoco_trials import (
    Setup,
    Trial,
    Trials,
    build_robot,
    estimate,
    plain,
    run_in_processes,
    run_trial,
    run_trials,
    summary,
)
from legged_gym.deploy.mujoco_world import SIM_DT, build_model, ground_height
from legged_gym.scripts.sim2sim import as_line, get_args, matrix, prepare, reference_rows, sim2sim
from legged_gym.utils.export import export_policy

TOLERANCE = 1e-6  # float32 of the controller against MuJoCo's float64
URDF = Path(LEGGED_GYM_ROOT_DIR, "resources", "robots", "aliengo", "urdf", "aliengo.urdf")
EXACT = Conditions(latency_s=(0.0, 0.0), noise=0.0)
FLAT = Course("flat")


@pytest.fixture(scope="module")
def standing_policy(flat_env: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy that always asks for the default pose."""
    policy = make_policy(flat_env, 2)
    with torch.no_grad():
        policy.actor[-1].weight.zero_()
        policy.actor[-1].bias.zero_()
    folder = tmp_path_factory.mktemp("standing")
    export_policy(policy, flat_env, flat_env.cfg.commands, {}, folder)
    return folder / "policy.onnx"


GO2 = Path(LEGGED_GYM_ROOT_DIR, "resources", "robots", "go2", "urdf", "go2.urdf")


def make_robot(policy: Path, terrain: str = "flat", conditions: Conditions = EXACT, **options: float) -> Robot:
    model = build_model(URDF, Course(terrain, **options), friction=0.8)
    return Robot(model, PolicyController(policy, joint_order=joint_names(model)), conditions)


@pytest.mark.parametrize(
    ("terrain", "options", "heights"),
    [
        ("flat", {}, {0.0: 0.0, 4.0: 0.0}),
        # 2.4 m of ramp after 1.5 m of plateau; half-way up after 1.2 m; down again beyond the high plateau
        ("slope", {"slope": 0.25}, {0.0: 0.0, 1.5 + 1.2: 0.3, 5.4: 0.6, 10.8 - 1.5 - 0.6: 0.15, -2.1: 0.15}),
        # eight steps of 0.30 m; the first begins at 1.5 m and the last ends at 3.9 m
        ("stairs", {"step_height": 0.1}, {1.45: 0.0, 1.55: 0.1, 1.85: 0.2, 3.85: 0.8, 5.4: 0.8, 7.35: 0.7, -1.55: 0.1}),
    ],
)
def test_rays_hit_the_ground_where_it_should_be(terrain: str, options: dict, heights: dict[float, float]) -> None:
    model = build_model(URDF, Course(terrain, **options), friction=0.8)
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    groups, hit = np.array([0, 1, 0, 0, 0, 0], np.uint8), np.zeros(1, np.int32)
    for x, expected in heights.items():
        distance = mujoco.mj_ray(model, data, [x, 0.03, 9.0], [0.0, 0.0, -1.0], groups, 1, -1, hit)
        assert 9.0 - distance == pytest.approx(expected, abs=1e-3), f"at x = {x}"


def test_robot_stands_with_its_weight_on_its_feet(standing_policy: Path) -> None:
    robot = make_robot(standing_policy)
    links = json.loads(Path(LEGGED_GYM_ROOT_DIR, "tests/reference/robots/aliengo.json").read_text())["links"]
    total = sum(link.get("mass", 0.0) for link in links.values())
    assert robot.model.body_mass.sum() == pytest.approx(total, rel=1e-6)
    robot.controller.kp *= 5  # with the policy's own soft gains the rear legs give way
    carried, touching = [], set()

    def weigh(data: mujoco.MjData) -> None:
        force = np.zeros(6)
        carried.append(0.0)
        for i, contact in enumerate(data.contact):
            mujoco.mj_contactForce(robot.model, data, i, force)
            carried[-1] += force[0]  # the normal is vertical on a plane
            touching.update(robot.model.body(body).name for body in robot.model.geom_bodyid[contact.geom])

    (trial,) = run_trials(robot, FLAT, Trials(1, seconds=3.0, seed=0, command=(0.0, 0.0, 0.0)), on_step=weigh)
    assert trial.end == "stuck" and trial.lin_vel_error < 0.05 and trial.ang_vel_error < 0.05
    # It sways a little, so the mean of two seconds counts.
    assert np.mean(carried[50:]) == pytest.approx(total * 9.81, rel=0.01)
    assert touching == {"world", "FL_foot", "FR_foot", "RL_foot", "RR_foot"}


def test_a_robot_on_its_back_has_fallen(standing_policy: Path) -> None:
    robot = make_robot(standing_policy)
    robot.reset(0.0)
    assert not robot.fallen()
    robot.data.qpos[2:7] = [0.3, 0.0, 1.0, 0.0, 0.0]  # upside down, in the air
    assert robot.fallen()


def go2(policy: Path) -> Robot:
    """Aliengo's standing policy moves Go2's joints just as well."""
    model = build_model(GO2, FLAT, friction=0.8)
    return Robot(model, PolicyController(policy, joint_order=joint_names(model)), EXACT)


def test_a_fall_is_a_touch_of_trunk_or_head_or_a_tilt_over_60_degrees(standing_policy: Path) -> None:
    robot = go2(standing_policy)
    step = lambda: robot.control_step((0.0, 0.0, 0.0), np.random.default_rng(0))  # noqa: E731
    robot.reset(0.0)
    for tilt, fell in ((59.0, False), (61.0, True)):
        robot.data.qpos[3:7] = Rotation.from_euler("xz", [tilt, 40.0], degrees=True).as_quat()[[3, 0, 1, 2]]
        assert robot.fallen() == fell
    robot.reset(0.0)
    pitch = math.radians(45.0)  # nose down, so that the head meets the ground, and the base does not
    robot.data.qpos[3:7] = math.cos(pitch / 2), 0.0, math.sin(pitch / 2), 0.0
    robot.data.qpos[7:] = [0.0, 2.5, -0.9] * 4  # legs out of the way
    mujoco.mj_kinematics(robot.model, robot.data)
    head = robot.data.geom_xpos[robot.model.body("Head_lower").geomadr[0]]
    robot.data.qpos[2] -= head[2] - robot.model.geom_size[robot.model.body("Head_lower").geomadr[0]][0] - 0.002
    touching: set[str] = set()
    while not robot.fallen() and robot.data.time < 0.2:
        step()
        touching |= {robot.model.body(b).name for b in robot.model.geom_bodyid[robot.data.contact.geom].ravel()}
    assert "Head_lower" in touching and "base" not in touching
    assert robot.fallen() and robot.trunk_touches == 1


def test_touches_of_legs_are_counted_when_they_begin_and_feet_never(standing_policy: Path) -> None:
    robot = go2(standing_policy)
    rng = np.random.default_rng(0)
    robot.reset(0.0)
    for _ in range(50):
        robot.control_step((0.0, 0.0, 0.0), rng)
    assert robot.leg_touches == robot.trunk_touches == 0  # it stands on its feet
    feet = [robot.model.body(f"{leg}_foot").id for leg in ("FL", "RR")]
    counted = []
    for standing_on in ([], feet[:1], feet[:1], [], feet):
        robot._links[feet] = 0
        robot._links[standing_on] = robot.model.body_weldid[standing_on]  # as if these were no feet but calves
        robot.control_step((0.0, 0.0, 0.0), rng)
        counted.append(robot.leg_touches)
    assert counted == [0, 1, 0, 0, 2] and robot.trunk_touches == 0


@pytest.mark.parametrize(
    ("joint", "pos", "vel", "is_strained"),
    [
        (2, -2.765, -8.0, True),  # a calf 10 mrad before its stop at -2.775 rad
        (2, -2.765, 8.0, False),  # leaves it
        (2, -2.70, -8.0, False),
        (2, -0.62, 7.0, True),  # the other stop, at -0.611 rad
        (1, 0.8, 24.5, True),  # a thigh's limit is 20 rad/s, and 1.2 times that 24
        (1, 0.8, 23.5, False),
    ],
)
def test_a_joint_that_runs_into_its_stop_or_is_too_fast_is_noted(
    standing_policy: Path, joint: int, pos: float, vel: float, is_strained: bool
) -> None:
    robot = make_robot(standing_policy)
    robot.reset(0.0)
    robot._note_strain()
    assert not robot.strained
    robot.data.qpos[7 + joint], robot.data.qvel[6 + joint] = pos, vel
    robot._note_strain()
    assert robot.strained == is_strained
    robot.data.qvel[6 + joint] = 0.0
    robot._note_strain()
    assert robot.strained == is_strained  # until it is reset
    robot.reset(0.0)
    assert not robot.strained


def test_without_limits_in_the_policys_file_it_is_not_said_that_no_joint_is_strained(standing_policy: Path) -> None:
    model = build_model(URDF, FLAT, friction=0.8)
    controller = PolicyController(standing_policy, joint_order=joint_names(model))
    del controller.metadata["joint_vel_limits"]  # as in a file of an older version
    robot = Robot(model, controller, EXACT)
    robot.reset(0.0)
    robot._note_strain()
    assert robot.strained is None
    result = summary([trial_of("crossed")._replace(strained=robot.strained)])
    assert result["strained"] is None
    args = SimpleNamespace(command=(1.0, 0.0, 0.0), seconds=10.0)
    assert "; – with a joint that ran into its stop" in as_line("flat", result, args)


def test_a_trial_sums_touches_after_the_landing(standing_policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    robot, steps = make_robot(standing_policy), iter(range(1, 101))

    def control_step(command: Any, rng: Any) -> None:
        step = next(steps)
        robot.leg_touches, robot.trunk_touches = int(step in (50, 51, 100)), int(step == 70)

    monkeypatch.setattr(robot, "control_step", control_step)
    trial = run_trial(robot, FLAT, (1.0, 0.0, 0.0), 0.0, 2.0, np.random.default_rng(0))
    assert (trial.leg_touches, trial.trunk_touches) == (2, 1)  # the 50th step ends the first second


@pytest.mark.parametrize(("speed", "start"), [(1.0, 0.0), (-1.0, 0.0), (1.0, 5.4), (-1.0, 5.4)])
def test_crossing_is_reaching_the_next_plateau_ahead_or_behind(
    standing_policy: Path, monkeypatch: pytest.MonkeyPatch, speed: float, start: float
) -> None:
    robot = make_robot(standing_policy, "stairs")

    def glide(command: Any, rng: Any) -> None:
        robot.data.qpos[0] += 0.02 * command[0]

    monkeypatch.setattr(robot, "control_step", glide)
    rng = np.random.default_rng(0)
    # from the middle of a plateau 1.5 m to its end and 2.4 m of stairs, then 0.3 m for the hind legs
    crossed = run_trial(robot, Course("stairs"), (speed, 0.0, 0.0), start, 10.0, rng)
    assert crossed.end == "crossed" and crossed.path_length == pytest.approx(4.2, abs=0.021)
    late = run_trial(robot, Course("stairs"), (speed, 0.0, 0.0), start, 4.0, rng)
    assert late.end == "stuck" and late.path_length == pytest.approx(4.0, abs=0.021)
    monkeypatch.setattr(robot, "fallen", lambda: abs(robot.data.qpos[0] - start) > 3.0)
    fell = run_trial(robot, Course("stairs"), (speed, 0.0, 0.0), start, 10.0, rng)
    assert fell.end == "fell" and fell.path_length == pytest.approx(3.0, abs=0.021)


def test_friction_cone_impratio_and_payload_reach_the_model() -> None:
    plain, cone = build_model(GO2, FLAT, friction=0.8), mujoco.mjtCone
    assert (plain.opt.cone, plain.opt.impratio) == (cone.mjCONE_ELLIPTIC, 10.0)
    other = build_model(GO2, FLAT, friction=0.4, cone="pyramidal", impratio=1.0, payload=3.0)
    assert (other.opt.cone, other.opt.impratio) == (cone.mjCONE_PYRAMIDAL, 1.0)
    assert other.geom_friction[other.geom("ground").id, 0] == 0.4
    added = other.body_mass - plain.body_mass
    assert added[1] == pytest.approx(3.0) and (added[2:] == 0).all()
    grown = other.body_mass[1] / plain.body_mass[1]
    np.testing.assert_allclose(other.body_inertia[1], grown * plain.body_inertia[1])
    assert (other.body_ipos == plain.body_ipos).all()
    assert other.body_subtreemass[1] == pytest.approx(other.body_mass.sum())  # what follows from masses is up to date


def test_trials_are_the_same_whoever_runs_them(standing_policy: Path) -> None:
    setup = Setup(standing_policy, URDF, FLAT, conditions=Conditions((0.0, 0.015), noise=1.0))
    trials = Trials(7, seconds=1.2, seed=5)  # two chunks
    plans = [(setup, trials), (setup._replace(course=Course("stairs")), trials._replace(num=2))]
    theirs = run_in_processes(plans, workers=2)
    ours = [run_trials(build_robot(setup), setup.course, trials) for setup, trials in plans]
    assert [len(part) for part in theirs] == [7, 2]
    for mine, other in zip(sum(ours, []), sum(theirs, []), strict=True):
        np.testing.assert_allclose(mine[3:], other[3:], rtol=1e-12)
        assert mine[:3] == other[:3]
    assert len({trial.lin_vel_error for trial in ours[0]}) == 7  # each with noise and a command of its own


def trial_of(end: str, path_length: float = 2.0, trunk: int = 0, leg: int = 0, start: float = 0.0) -> Trial:
    return Trial((1.0, 0.0, 0.0), start, end, 0.1, 0.1, 0.3, 1.0, path_length, 1.0, trunk, leg, leg > 0)


def test_a_process_that_dies_ends_the_trials_in_one_sentence(standing_policy: Path) -> None:
    setup = Setup(standing_policy, URDF, FLAT)
    plans = [(setup, Trials(1, seconds=600.0, seed=1))]
    killer = threading.Timer(4.0, lambda: [os.kill(child.pid, signal.SIGKILL) for child in active_children()])
    killer.start()
    with pytest.raises(ValueError, match="a process of --workers died"):
        run_in_processes(plans, workers=1)
    killer.join()


def test_what_was_not_measured_is_null() -> None:
    trial = trial_of("fell")._replace(lin_vel_error=math.nan, cost_of_transport=math.inf)
    written = plain(trial)
    assert written["lin_vel_error"] is None and written["cost_of_transport"] is None
    assert (written["end"], written["path_length"]) == ("fell", 2.0)


def test_the_summary_counts_ends_and_touches_on_the_way() -> None:
    trials = [
        trial_of("crossed", 4.0, leg=3),
        trial_of("crossed", 4.0),
        trial_of("fell", 1.0, trunk=1),
        trial_of("stuck", 1.0),
    ]
    result = summary(trials)
    assert [result[end]["mean"] for end in ("crossed", "fell", "stuck")] == [0.5, 0.25, 0.25]
    assert (result["trunk_touches"], result["leg_touches"]) == (10.0, 30.0)  # on 10 m, per 100 m
    assert result["strained"] == 0.25


def test_the_worst_of_the_matrix_is_where_fewest_cross(
    monkeypatch: pytest.MonkeyPatch, standing_policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[Setup, Trials]] = []
    starts = (0.0, 5.4, 0.0, 5.4)

    def scripted(plans: Any, workers: int, on_trials: Any) -> list[list[Trial]]:
        """Backwards, loaded, on slippery and rigid ground three of four get stuck; elsewhere one of four falls."""
        asked.extend(plans)
        results = []
        for setup, trials in plans:
            hard = (*setup.physics, trials.command[0]) == (0.4, 0.999, "elliptic", 100.0, 3.0, -1.0)
            ends = ("stuck", "crossed", "stuck", "stuck") if hard else ("crossed", "crossed", "crossed", "fell")
            results.append([trial_of(end, start=x) for end, x in zip(ends, starts, strict=True)])
        return results

    monkeypatch.setattr("legged_gym.deploy.matrix.run_in_processes", scripted)
    flags = ["--policy", str(standing_policy), "--matrix", "--step_height", "0.16", "--trials", "4", "--workers", "1"]
    rows = matrix(get_args([*flags, "--json", str(tmp_path / "m.json")]))
    report = json.loads((tmp_path / "m.json").read_text())
    assert report["matrix"] == rows and len(rows) == len(set(asked)) == 3 * 3 * 2 * 2
    worst = report["worst"]
    assert [worst[key] for key in ("friction", "impratio", "payload", "direction")] == [0.4, 100.0, 3.0, "backwards"]
    assert (worst["crossed"]["mean"], worst["crossed_up"], worst["crossed_down"]) == (0.25, 0.0, 0.5)
    assert {setup.course.step_height for setup, _ in asked} == {0.16}
    assert {trials.command for _, trials in asked} == {(1.0, 0.0, 0.0), (-1.0, 0.0, 0.0)}
    assert (
        "| 0.4 | 100 | 3 | backwards | 25 % | 0 % | 50 % | 0 % | 75 % |" in capsys.readouterr().out.split("Worst:")[1]
    )


@pytest.mark.parametrize(("terrain", "height"), [("stairs", 0.8), ("slope", 0.48), ("flat", 0.0)])
def test_high_starts_are_on_top_of_the_terrain(standing_policy: Path, terrain: str, height: float) -> None:
    robot = make_robot(standing_policy, terrain)
    robot.reset(PLATEAU + FLIGHT)
    assert ground_height(robot.model, robot.data, PLATEAU + FLIGHT) == pytest.approx(height, abs=1e-3)
    assert not robot.data.contact.geom.any()  # nothing touches yet
    assert height + 0.35 < robot.data.qpos[2] < height + 0.45  # Aliengo's default pose is about 0.38 m tall


def trunk_com() -> np.ndarray:
    """Centre of mass of the trunk with all that is fixed to it, base frame, from the published numbers."""
    reference = json.loads(Path(LEGGED_GYM_ROOT_DIR, "tests/reference/robots/aliengo.json").read_text())
    offsets = {"trunk": np.zeros(3)}  # of links fixed to the trunk; no joint between them turns
    for joint in reference["joints"]:
        if joint["type"] == "fixed" and joint["parent"] == "trunk":
            offsets[joint["child"]] = np.array(joint["xyz"])
    masses = np.array([reference["links"][name]["mass"] for name in offsets])
    coms = [offset + reference["links"][name]["com_xyz"] for name, offset in offsets.items()]
    return masses @ coms / masses.sum()


def test_sensors_agree_with_scipy_on_a_moving_robot(standing_policy: Path) -> None:
    robot = make_robot(standing_policy)
    robot.reset(0.0)
    attitude = Rotation.from_euler("xyz", [0.3, -0.5, 2.0])
    x, y, z, w = attitude.as_quat()
    robot.data.qpos[3:7] = w, x, y, z
    robot.data.qvel[:] = np.arange(1, 19) / 7
    mujoco.mj_forward(robot.model, robot.data)
    velocity_b, omega = attitude.inv().apply(np.array([1, 2, 3]) / 7), np.array([4, 5, 6]) / 7
    own = velocity_b + np.cross(omega, trunk_com())
    np.testing.assert_allclose(robot.base_lin_vel(), own, atol=TOLERANCE)
    readings = robot.readings(np.random.default_rng(0))
    velocity = np.zeros(6)  # rotation, then translation, in the body's own frame
    mujoco.mj_objectVelocity(robot.model, robot.data, mujoco.mjtObj.mjOBJ_XBODY, 1, velocity, 1)
    np.testing.assert_allclose(readings["base_ang_vel"], velocity[:3], atol=TOLERANCE)
    np.testing.assert_allclose(readings["projected_gravity"], attitude.inv().apply([0, 0, -1]), atol=TOLERANCE)


def test_noise_stays_within_its_half_widths_and_fills_them(standing_policy: Path) -> None:
    noisy = make_robot(standing_policy, conditions=Conditions(latency_s=(0.0, 0.0), noise=2.0))
    noisy.reset(0.0)
    rng = np.random.default_rng(1)
    draws = [noisy.readings(rng)["joint_vel"] for _ in range(200)]  # the robot is at rest
    largest = np.abs(draws).max()
    assert 0.95 * 2 * NOISE["joint_vel"] < largest <= 2 * NOISE["joint_vel"]


def test_torques_are_those_of_the_pd_law_within_the_limits(standing_policy: Path) -> None:
    robot = make_robot(standing_policy)
    robot.reset(0.0)
    offset, velocity = np.linspace(-0.5, 3.0, 12), np.linspace(1.0, -2.0, 12)
    robot.data.qvel[6:] = velocity
    torques = robot.pd_torques(robot.data.qpos[7:] + offset)
    wanted = 40.0 * offset - 2.0 * velocity
    limits = np.array([44.0, 44.0, 55.0] * 4)  # hip, thigh, calf of Aliengo's URDF
    np.testing.assert_allclose(torques, np.clip(wanted, -limits, limits), rtol=1e-6)
    assert (torques != wanted).any() and (torques[:6] == pytest.approx(wanted[:6]))


def test_targets_reach_the_joints_after_the_latency(standing_policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    robot = make_robot(standing_policy, conditions=Conditions(latency_s=(0.026, 0.026), noise=0.0))
    robot.reset(0.0)
    asked = [np.full(12, 0.01 * (i + 1), np.float32) for i in range(4)]
    answers, used = iter(asked), []
    monkeypatch.setattr(robot.controller, "step", lambda *args, **kwargs: next(answers))
    monkeypatch.setattr(robot, "pd_torques", lambda targets: used.append(targets[0]) or np.zeros(12))
    for _ in asked:
        robot.control_step((0.0, 0.0, 0.0), np.random.default_rng(0))
    rest = robot.controller.default_joint_pos[0]
    # 10 steps of 2 ms per control period; 26 ms are 13 of them
    expected = [rest] * 13 + [0.01] * 10 + [0.02] * 10 + [0.03] * 7
    assert SIM_DT == 0.002 and used == pytest.approx(expected, abs=TOLERANCE)


def test_latencies_are_drawn_between_the_bounds(standing_policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    robot = make_robot(standing_policy, conditions=Conditions(latency_s=(0.0, 0.015), noise=0.0))
    robot.reset(0.0)
    used: list[float] = []
    asked = iter(np.full(12, i + 1.0) for i in range(300))
    monkeypatch.setattr(robot.controller, "step", lambda *args, **kwargs: next(asked))
    monkeypatch.setattr(robot, "pd_torques", lambda targets: used.append(targets[0]) or np.zeros(12))
    rng = np.random.default_rng(0)
    for _ in range(300):
        robot.control_step((0.0, 0.0, 0.0), rng)
    delays = [used.index(i + 1.0) - 10 * i for i in range(300)]  # steps of 2 ms
    assert min(delays) == 0 and max(delays) in (7, 8) and np.mean(delays) == pytest.approx(3.75, abs=0.5)


def test_script_reports_and_writes_json(standing_policy: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    flags = ["--policy", str(standing_policy), "--headless", "--trials", "2", "--seconds", "2", "--terrain", "rough"]
    result = sim2sim(get_args([*flags, "--command", "0.5", "0", "0", "--json", str(report)]))["rough"]
    written = json.loads(report.read_text())["terrains"]["rough"]
    assert written["summary"] == result and len(written["trials"]) == 2 and result["fell"]["mean"] == 0.0
    assert result["lin_vel_error"]["mean"] == pytest.approx(0.5, abs=0.05)  # it stands still


def test_a_json_file_that_cannot_be_written_is_refused_before_the_trials(standing_policy: Path, tmp_path: Path) -> None:
    (tmp_path / "older.json").write_text("{}")
    flags = ["--policy", str(standing_policy), "--headless", "--terrain", "flat"]
    with pytest.raises(ValueError, match="cannot write --json .*missing/report.json: No such file or directory"):
        prepare(get_args([*flags, "--json", str(tmp_path / "missing" / "report.json")]))
    prepare(get_args([*flags, "--json", str(tmp_path / "older.json")]))
    assert (tmp_path / "older.json").read_text() == "{}"


def test_estimates_are_means_with_95_percent_intervals() -> None:
    result = estimate([1.0, math.nan, 2.0, 6.0])
    assert result == {"mean": 3.0, "half_width": pytest.approx(1.96 * math.sqrt(7.0) / math.sqrt(3))}
    assert estimate([math.nan]) == {"mean": None, "half_width": None}


def film(policy: Path, path: Path, **environment: str) -> subprocess.CompletedProcess:
    """A film of one second, made by a process without a display."""
    own = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY", "MUJOCO_GL")}
    script = Path(LEGGED_GYM_ROOT_DIR, "legged_gym", "scripts", "sim2sim.py")
    flags = ["--policy", str(policy), "--terrain", "stairs", "--trials", "1", "--seconds", "1.1", "--video", str(path)]
    return subprocess.run(
        [sys.executable, str(script), *flags],
        env=own | {"PYTHONPATH": LEGGED_GYM_ROOT_DIR} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_films_need_no_display(standing_policy: Path, tmp_path: Path) -> None:
    iio = pytest.importorskip("imageio", reason="the video needs imageio[ffmpeg]")
    pytest.importorskip("imageio_ffmpeg", reason="the video needs imageio[ffmpeg]")
    result = film(standing_policy, tmp_path / "film.mp4")
    if "no OpenGL" in result.stderr:
        pytest.skip("no OpenGL library on this machine")
    assert result.returncode == 0, result.stderr
    frames = np.array([frame for frame in iio.get_reader(tmp_path / "film.mp4")])  # noqa: C416  its length hint is infinite
    assert frames.shape == (28, 480, 640, 3)  # 55 control steps, every other one
    assert frames[-1].std() > 10 and (frames[-1] != frames[0]).any()


def test_without_opengl_a_film_ends_in_one_sentence(standing_policy: Path, tmp_path: Path) -> None:
    result = film(standing_policy, tmp_path / "film.mp4", MUJOCO_GL="disable")
    assert result.returncode == 2 and "Traceback" not in result.stderr
    assert "error: no OpenGL to film with: install Mesa" in result.stderr or "no encoder" in result.stderr


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--terrain", "moon"], "unknown terrain 'moon'; known: flat, slope, rough, stairs"),
        (["--trials", "0"], "--trials must be at least 1"),
        (["--urdf", "none.urdf"], "no robot description 'none.urdf'"),
        (["--policy", "none.onnx"], "no policy 'none.onnx'"),
        (["--latency", "0.02", "0.01"], "--latency two rising numbers"),
        (["--video", "film.txt"], "--video film.txt: end the name in .mp4 or .gif"),
        (["--video", "/proc/film.mp4"], "cannot write into the folder /proc"),
        (["--step_height", "12"], "--step_height is in metres, at most 0.5"),
        (["--slope", "20"], "--slope rise over run, at most 1"),
        (["--payload", "-1"], "--payload not negative"),
        (["--workers", "0"], "--workers must be at least 1"),
        (["--matrix", "--friction", "0.4"], "leave out --friction"),
    ],
)
def test_mistakes_are_one_sentence(standing_policy: Path, flags: list[str], message: str) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        prepare(get_args(["--policy", str(standing_policy), "--headless", *flags]))


@pytest.mark.parametrize(
    ("text", "message"),
    [("{'a': 1}", "report.json is no JSON report"), ("[1]", "is no report of evaluate.py"), ("{}", "is no report of")],
)
def test_another_file_than_a_report_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        reference_rows(tmp_path / "report.json", {}, 1.0, 1)


def test_nothing_of_the_training_but_the_files_reader_is_loaded(tmp_path: Path) -> None:
    check = (
        "import sys, legged_gym.scripts.sim2sim\n"
        "loaded = {name.split('.')[0] for name in sys.modules} | {m for m in sys.modules if 'envs' in m}\n"
        "ours = {m for m in sys.modules if m.startswith('isaacgym.')}\n"
        "reader = {m for m in ours if m.startswith(('isaacgym.assets', 'isaacgym.gym_types', 'isaacgym.old_numpy'))}\n"
        "print(sorted(loaded & {'torch', 'warp', 'mujoco_warp', 'rsl_rl', 'legged_gym.envs'} | ours - reader))"
    )
    environment = os.environ | {"PYTHONPATH": LEGGED_GYM_ROOT_DIR}
    result = subprocess.run(
        [sys.executable, "-c", check], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert result.stdout.strip() == "[]", result.stderr
