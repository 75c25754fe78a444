"""evaluate.py and sim2sim.py run the same trials: same ground, starts and commands, and a robot that stands agrees."""

import json
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest
import torch
from small_envs import build
from test_export import make_policy

from legged_gym import LEGGED_GYM_ROOT_DIR
from legged_gym.deploy.courses import COURSES, FOOT_HEIGHT, Course, draw_commands, start_x
from legged_gym.deploy.mujoco_world import build_model
from legged_gym.envs import task_registry
from legged_gym.evaluation.protocols import COURSE_TEST, place_on_courses, prepare_config, prepare_courses
from legged_gym.evaluation.trials import EvaluationRobots
from legged_gym.scripts.evaluate import FLAGS, evaluate
from legged_gym.scripts.sim2sim import get_args as sim2sim_args
from legged_gym.scripts.sim2sim import prepare as prepare_sim2sim
from legged_gym.scripts.sim2sim import sim2sim
from legged_gym.utils.export import export_policy
from legged_gym.utils.helpers import get_args
from rsl_rl.runners.checkpoint import write_checkpoint

TOLERANCE = 1e-4  # [m] float32 of coordinates up to 180 m
URDF = Path(LEGGED_GYM_ROOT_DIR, "resources", "robots", "aliengo", "urdf", "aliengo.urdf")
TRIALS = 2  # on each course


@pytest.fixture(scope="module")
def env() -> Any:
    """Two robots on each course."""
    env_cfg, _ = task_registry.get_cfgs("aliengo")
    prepare_config(env_cfg)
    prepare_courses(env_cfg)
    env_cfg.env.num_envs = TRIALS * len(COURSES)
    return build(env_cfg, "aliengo")


@pytest.fixture(scope="module")
def standing(env: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with model_3.pt and policy.onnx, a policy that always asks for the default pose."""
    folder, policy = tmp_path_factory.mktemp("standing"), make_policy(env, 2)
    with torch.no_grad():
        policy.actor[-1].weight.zero_()
        policy.actor[-1].bias.zero_()
    checkpoint = {"model_state_dict": policy.state_dict(), "iter": 3}
    write_checkpoint(folder / "model_3.pt", checkpoint)
    export_policy(policy, env, env.cfg.commands, checkpoint, folder)
    return folder


def height_of_mesh(corners: np.ndarray, x: float, y: float) -> float:
    """z of the highest triangle over (x, y), by barycentric coordinates. corners: (T, 3, 3)."""
    low, high = corners[:, :, :2].min(axis=1), corners[:, :, :2].max(axis=1)
    near = corners[((low <= (x, y)) & (high >= (x, y))).all(axis=1)].astype(float)
    heights = []
    for a, b, c in near:
        edges = np.column_stack((b - a, c - a))
        if abs(np.linalg.det(edges[:2])) < 1e-9:
            continue  # a wall
        u, v = np.linalg.solve(edges[:2], np.array((x, y)) - a[:2])
        if min(u, v, 1 - u - v) >= -1e-9:
            heights.append(a[2] + edges[2] @ (u, v))
    return max(heights)


@pytest.mark.parametrize("column", range(len(COURSES)))
def test_both_simulators_have_the_same_ground(env: Any, column: int) -> None:
    terrain, name = env.terrain, COURSES[column]
    origin = terrain.env_origins[0, column]  # the tiles begin at the mesh's corner, as there is no border
    model = build_model(URDF, Course(name), friction=0.8)
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    ground, hit = np.array([0, 1, 0, 0, 0, 0], np.uint8), np.zeros(1, np.int32)
    points = np.random.default_rng(4).uniform((-11.0, -5.0), (11.0, 5.0), (40, 2))
    corners = terrain.vertices[terrain.triangles]
    middle = corners[:, 0, :2] - (origin[:2] + env.cfg.terrain.border_size)
    corners = corners[(np.abs(middle) < 12.0).all(axis=1)]
    seen = set()
    for x, y in points:
        ray = 9.0 - mujoco.mj_ray(model, data, [x, y, 9.0], [0.0, 0.0, -1.0], ground, 1, -1, hit)
        mesh = height_of_mesh(corners, *(origin[:2] + env.cfg.terrain.border_size + (x, y)))
        assert mesh == pytest.approx(ray, abs=2e-3 if name == "slope" else TOLERANCE), f"at {x}, {y}"
        seen.add(round(mesh, 1))
    assert len(seen) == {"flat": 1, "slope": 6, "stairs": 9}[name]  # 0 to 48 cm of ramp, 8 steps of 10 cm


def test_both_simulators_start_alike(env: Any, standing: Path) -> None:
    robots = EvaluationRobots(env)
    groups = place_on_courses(robots)
    robots._reset()
    theirs = prepare_sim2sim(sim2sim_args(["--policy", str(standing / "policy.onnx"), "--headless"]))
    for group, (course, robot) in zip(groups, theirs.values(), strict=True):
        assert group.terrain == course.name and int(group.mask.sum()) == TRIALS
        assert robot.model.dof_armature[6:] == pytest.approx(env.cfg.asset.armature)
        for trial, index in enumerate(group.mask.nonzero().flatten().tolist()):
            robot.reset(start_x(trial))
            middle = torch.tensor(env.terrain.env_origins[0, COURSES.index(group.terrain), :2])
            ours = env.root_states[index].double()
            assert (ours[:2] - middle).tolist() == pytest.approx(robot.data.qpos[:2], abs=TOLERANCE)
            assert ours[2].item() == pytest.approx(robot.data.qpos[2], abs=2e-3)  # it fell for 20 ms in between
            assert ours[3:].tolist() == [0, 0, 0, 1] + [0] * 6
            assert env.dof_pos[index].tolist() == pytest.approx(robot.data.qpos[7:], abs=1e-6)
            ground = float(course.height(start_x(trial)))
            assert robot.data.xpos[1:, 2].min() == pytest.approx(ground + FOOT_HEIGHT, abs=1e-9)


def test_both_simulators_get_the_same_commands() -> None:
    ours = COURSE_TEST.draw(len(COURSES) * 50, "cpu").view(len(COURSES), 50, 3)
    theirs = draw_commands(50, COURSE_TEST.seed)
    np.testing.assert_allclose(ours, np.tile(theirs, (len(COURSES), 1, 1)), atol=1e-6)
    np.testing.assert_array_equal(draw_commands(7, COURSE_TEST.seed), theirs[:7])
    speeds = np.hypot(theirs[:, 0], theirs[:, 1])
    assert np.abs(theirs).max() <= 1.0 and ((speeds == 0) | (speeds > 0.2)).all()


@pytest.mark.slow
def test_a_standing_robot_gives_the_same_numbers_in_both(standing: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Commands, ground, base height and errors agree; a report made under other conditions is refused."""
    flags = ["--task", "aliengo", "--headless", "--sim_device", "cpu", "--protocol", "sim2sim", "--trials", "3"]
    flags += ["--trial_s", "2", "--checkpoints", str(standing / "model_3.pt"), "--out", str(standing)]
    evaluate(get_args(flags, extra=FLAGS))
    theirs = ["--policy", str(standing / "policy.onnx"), "--headless", "--seconds", "2"]
    theirs += ["--compare", str(standing / "sim2sim.json")]
    result = sim2sim(sim2sim_args([*theirs, "--trials", "3"]))
    printed = capsys.readouterr().out
    report = json.loads((standing / "sim2sim.json").read_text(encoding="utf-8"))
    rows = {row["terrain"]: row for row in report["results"]["model_3"] if row["noise"]}
    speeds = np.linalg.norm(draw_commands(3, 1)[:, :2], axis=1)
    for name in COURSES:
        assert rows[name]["fell"]["mean"] == result[name]["fell"]["mean"] == 0.0
        for error in (rows[name]["lin_vel_error"]["mean"], result[name]["lin_vel_error"]["mean"]):
            assert error == pytest.approx(speeds.mean(), abs=0.03)
        height = result[name]["base_height"]["mean"]
        assert rows[name]["base_height"]["mean"] == pytest.approx(height, abs=0.01)
        assert 0.2 < height < 0.4
        assert f"{name}: linear error" in printed and "within 20 %" in printed
    assert f"hardly walks (standing still has {speeds.mean():.2f} m/s)" in printed
    with pytest.raises(ValueError, match="other conditions: trials 3 there and 2 here"):
        sim2sim(sim2sim_args([*theirs, "--trials", "2"]))
