"""evaluate.py: trials against a scripted environment, conditions and placement in a real one."""

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from small_envs import build, small_cfg
from test_courses import height_of_mesh
from test_export import make_policy

from isaacgym import gymtorch
from legged_gym.envs import task_registry
from legged_gym.evaluation.judge import Judge
from legged_gym.evaluation.protocols import (
    PAPER_TESTS,
    cases,
    paper_groups,
    prepare_config,
    spread,
)
from legged_gym.evaluation.stairs import place_on_stairs, prepare_stairs
from legged_gym.evaluation.trials import Condition, EvaluationRobots, TrialResult
from legged_gym.scripts.evaluate import FLAGS, acting, checkpoint_paths, evaluate, load_policy, prepare, short_names
from legged_gym.utils.helpers import class_to_dict, get_args
from rsl_rl.modules import ActorCritic
from rsl_rl.runners.checkpoint import write_checkpoint

TOLERANCE = 1e-5  # float32 sums over some hundred steps
NUM_ENVS = 40  # one robot on each of the ten columns of four levels


class ScriptedEnv:
    """Robots that glide along x at given speeds and whose episodes end at given steps; tiles are 8 m long.

    Bodies: base, head (fixed to it), helmet (fixed to the head), calf, foot (fixed to the calf). `touches` maps a step
    to (robot, body, force [N]) in one of its four sub-steps, `tilts` to (robot, angle [rad]).
    """

    def __init__(self, speeds: list[float], fall_steps: list[int]) -> None:
        n = self.num_envs = len(speeds)
        self.num_actions, self.dt, self.device = 2, 0.02, "cpu"
        self.speeds, self.fall_steps, self.steps = torch.tensor(speeds), torch.tensor(fall_steps), -1
        self.cfg = SimpleNamespace(terrain=SimpleNamespace(terrain_length=8.0, terrain_width=8.0))
        self.env_origins = torch.tensor([20.0, 12.0, 0.0]).repeat(n, 1)
        self.root_states = torch.zeros(n, 13)
        self.commands = torch.full((n, 4), 9.0)
        self.base_lin_vel, self.base_ang_vel = torch.zeros(n, 3), torch.zeros(n, 3)
        self.base_lin_vel[:, 0], self.base_ang_vel[:, 2] = self.speeds, 0.25
        self.torques, self.dof_vel = torch.tensor([[3.0, -2.0]]).repeat(n, 1), torch.tensor([[-1.0, 5.0]]).repeat(n, 1)
        self.reset_buf = torch.zeros(n, dtype=torch.bool)
        self.noise_scale_vec = torch.ones(4)
        self.p_gains = self.d_gains = self.torque_limits = torch.ones(2)
        parents, joints = (-1, 0, 1, 0, 3), ((), (), (), ("knee",), ())
        bodies = [SimpleNamespace(parent=p, joints=j) for p, j in zip(parents, joints, strict=True)]
        asset = SimpleNamespace(robot=SimpleNamespace(bodies=bodies))
        self.gym = SimpleNamespace(
            get_actor_rigid_body_properties=lambda env, actor: [SimpleNamespace(mass=25.0)],
            get_actor_asset=lambda env, actor: asset,
            refresh_net_contact_force_tensor=lambda sim: None,
        )
        self.sim = None
        self.feet_indices = torch.tensor([4])
        self.contact_forces = torch.zeros(n, len(bodies), 3)
        self.projected_gravity = torch.tensor([[0.0, 0.0, -1.0]]).repeat(n, 1)
        self.touches: dict[int, list[tuple[int, int, float]]] = {}
        self.tilts: dict[int, list[tuple[int, float]]] = {}
        self.envs = self.actor_handles = list(range(n))

    def _get_base_heights(self) -> torch.Tensor:
        return 0.3 + 0.1 * self.speeds

    def reset_idx(self, env_ids: torch.Tensor) -> None:
        self.root_states[env_ids, :2] = self.env_origins[env_ids, :2]
        self.steps = -1  # the step that run_trial takes after a reset does not count

    def step(self, actions: torch.Tensor) -> Any:
        self.steps += 1
        if self.steps > 0:
            self.root_states[:, 0] += self.speeds * self.dt
        for sub_step in range(4):
            self.contact_forces.zero_()
            for robot, body, force in self.touches.get(self.steps, []) if sub_step == self.steps % 4 else ():
                self.contact_forces[robot, body] = torch.tensor([0.6, 0.0, -0.8]) * force
            self.on_sub_step(sub_step)
        for robot, angle in self.tilts.get(self.steps, []):
            self.projected_gravity[robot] = torch.tensor([math.sin(angle), 0.0, -math.cos(angle)])
        dones = self.steps == self.fall_steps
        self.root_states[dones, :2] = self.env_origins[dones, :2]  # the next episode begins
        return SimpleNamespace(obs=torch.zeros(self.num_envs, 3), dones=dones)


def test_trial_measures_what_the_script_of_the_robots_says() -> None:
    env = ScriptedEnv(speeds=[0.5, 2.0, 1.0, 1.5], fall_steps=[-1, -1, 30, 75])
    commands = torch.tensor([[1.0, 0.0, 0.5]]).repeat(4, 1)
    result = EvaluationRobots(env).run_trial(lambda obs: torch.zeros(4, 2), commands, seconds=3.0)
    nan = math.nan  # robot 2 falls after 0.6 s, before anything is measured
    np.testing.assert_allclose(result.lin_vel_error, [0.5, 1.0, nan, 0.5], atol=TOLERANCE)
    np.testing.assert_allclose(result.ang_vel_error, [0.25, 0.25, nan, 0.25], atol=TOLERANCE)
    assert result.fell.tolist() == [False, False, True, True]
    assert result.crossed.tolist() == [False, True, False, False]
    # robot 1 is 0.1 m before the edge at 4 m after 97 or 98 steps of 4 cm; the falls' own step is not walked
    expected = [1.5, 3.92, 29 * 0.02, 74 * 0.03]
    np.testing.assert_allclose(result.distance, expected, atol=0.041)
    np.testing.assert_allclose(result.path_length, result.distance, atol=1e-4)
    power = 3.0 * 1.0 + 2.0 * 5.0  # [W]
    np.testing.assert_allclose(result.energy[[0, 2, 3]], [power * 3.0, power * 0.58, power * 1.48], rtol=1e-4)
    np.testing.assert_allclose(result.base_height, [0.35, 0.5, nan, 0.45], atol=TOLERANCE)
    np.testing.assert_allclose(result.joint_speed[[0, 1, 3]], [math.sqrt((1 + 25) / 2)] * 3, rtol=1e-5)
    # whoever is done is told to stand still
    assert env.commands[0, :3].tolist() == [1.0, 0.0, 0.5] and (env.commands[1:, :3] == 0).all()


def run(env: ScriptedEnv, seconds: float) -> TrialResult:
    """A trial of robots that are told to go ahead."""
    commands = torch.tensor([[1.0, 0.0, 0.0]]).repeat(env.num_envs, 1)
    return EvaluationRobots(env).run_trial(lambda obs: torch.zeros(env.num_envs, 2), commands, seconds)


def test_a_fall_is_a_pressed_trunk_or_a_tilt_whatever_ends_an_episode() -> None:
    env = ScriptedEnv(speeds=[0.5] * 7, fall_steps=[-1] * 7)
    base, head, helmet, calf, foot = range(5)
    env.touches = {10: [(0, base, 1.1), (1, helmet, 1.1), (2, head, 0.9), (3, calf, 500.0), (4, foot, 500.0)]}
    env.tilts = {10: [(5, math.radians(59.0)), (6, math.radians(61.0))]}
    result = run(env, seconds=0.6)
    assert result.fell.tolist() == [True, True, False, False, False, False, True]
    walked = [0.09 if fell else 0.3 for fell in result.fell]  # until the step before the fall
    np.testing.assert_allclose(result.path_length, walked, atol=TOLERANCE)


def test_touches_are_counted_when_they_begin_after_the_landing_and_until_the_trial_ends() -> None:
    env = ScriptedEnv(speeds=[0.5, 0.5, 2.0], fall_steps=[-1] * 3)
    base, head, calf, foot = 0, 1, 3, 4
    env.touches = {step: [(0, calf, 50.0), (1, foot, 50.0)] for step in (10, 53, 54, 55, 59, 61)}
    env.touches |= {62: [(1, base, 5.0), (1, head, 5.0), (1, calf, 5.0)], 63: [(1, calf, 9.0)], 100: [(2, calf, 9.0)]}
    result = run(env, seconds=2.4)
    assert result.leg_touches.tolist() == [3, 1, 0]  # robot 2 is off its tile after 98 steps of 4 cm
    assert result.trunk_touches.tolist() == [0, 1, 0]  # base and head are one link
    assert result.crossed.tolist() == [False, False, True] and result.fell.tolist() == [False, True, False]


def test_drift_and_foot_lifts_count_after_the_landing() -> None:
    env = ScriptedEnv(speeds=[0.04, 0.0], fall_steps=[-1, -1])
    foot = 4
    stands = {step: [(0, foot, 50.0), (1, foot, 50.0)] for step in range(1, 101)}
    for step in (20, 60, 61, 80):  # robot 1 lifts its foot three times, once of them while it lands
        stands[step] = [(0, foot, 50.0)]
    env.touches = stands
    result = run(env, seconds=2.0)
    assert result.foot_lifts.tolist() == [0, 2]
    # robot 0 glides by 0.8 mm a step; of 100 steps the first 50 are the landing, and the 51st is the first to count
    np.testing.assert_allclose(result.drift, [49 * 0.0008, 0.0], atol=1e-4)  # float32 of positions near 20 m
    assert run(ScriptedEnv([1.0], [30]), seconds=2.0).drift.isnan().all()  # fell while it landed
    assert not run(ScriptedEnv([1.0], [30]), seconds=2.0).foot_lifts.any()


def test_the_head_is_part_of_the_trunk_and_hips_thighs_and_calves_of_the_legs() -> None:
    env = build(small_cfg("go2_flat"), "go2_flat")
    judge = Judge(env)
    names = np.array(env.body_names)
    assert names[judge._parts[:, 0] > 0].tolist() == ["base", "Head_upper", "Head_lower"]
    expected = {f"{leg}_{part}" for leg in ("FL", "FR", "RL", "RR") for part in ("hip", "thigh", "calf")}
    assert set(names[judge.links[1:]]) == expected and len(names) == 3 + 12 + 4
    assert (judge._parts[:, 1:].sum(dim=0) == 1).all()  # no foot is part of a calf


def test_robots_on_their_bellies_have_fallen_and_those_on_their_feet_have_not() -> None:
    env_cfg = small_cfg("go2_flat")
    env_cfg.asset.terminate_after_contacts_on = []
    env_cfg.domain_rand.randomize_initial_joint_pos = False
    env = build(env_cfg, "go2_flat")
    judge = Judge(env)
    env.reset_idx(torch.arange(env.num_envs))
    lying = torch.arange(env.num_envs) % 2 == 0
    env.dof_pos[lying] = torch.tensor([0.0, 1.4, -2.7] * 4)  # folded
    env.root_states[:, 2], env.root_states[:, 7:] = 0.32, 0.0
    env.root_states[lying, 2] = 0.15
    env.gym.set_dof_state_tensor(env.sim, gymtorch.unwrap_tensor(env.dof_state))
    env.gym.set_actor_root_state_tensor(env.sim, gymtorch.unwrap_tensor(env.root_states))
    fell = torch.zeros(env.num_envs, dtype=torch.bool)
    hold = torch.where(lying[:, None], (env.dof_pos - env.default_dof_pos) / env.action_scales, 0.0)
    for _ in range(25):
        env.step(hold)
        fell |= judge.look().fell
    assert fell.tolist() == lying.tolist()


@pytest.fixture(scope="module")
def robots() -> EvaluationRobots:
    env_cfg, _ = task_registry.get_cfgs("aliengo")
    prepare_config(env_cfg)
    env_cfg.env.num_envs, env_cfg.terrain.border_size = NUM_ENVS, 5.0
    return EvaluationRobots(build(env_cfg, "aliengo"))


def test_robots_stand_on_the_tiles_of_their_group(robots: EvaluationRobots) -> None:
    env = robots.env
    members = spread(robots, (1, 2, 3, 4))
    env.reset_idx(torch.arange(NUM_ENVS))
    tiles = (env.root_states[:, :2] / 8.0).floor().int().tolist()
    assert sum(int(mask.sum()) for mask in members.values()) == NUM_ENVS
    for (name, level), mask in members.items():
        assert mask.sum() == 2, "two columns of every type"
        for robot in mask.nonzero().flatten().tolist():
            row, column = tiles[robot]
            assert row == level and env.terrain.tile_types[row, column] == name
    pooled = {group.terrain: int(group.mask.sum()) for group in paper_groups(members)}
    assert pooled == {"slopes": 8, "rough slopes": 8, "stairs": 16, "discrete": 8}


def test_levels_stay_through_resets(robots: EvaluationRobots) -> None:
    env = robots.env
    spread(robots, (1, 2, 3, 4))
    before = env.terrain_levels.clone()
    env.episode_length_buf[:] = 100  # as if the robots had lived and gone nowhere
    env.reset_idx(torch.arange(NUM_ENVS))
    assert (env.terrain_levels == before).all()


def test_noise_can_be_switched(robots: EvaluationRobots) -> None:
    env = robots.env
    for enabled in (False, True, False):
        robots.set_noise(enabled)
        assert (env.get_current_obs() != env.get_current_obs()).any() == enabled


def test_conditions_reach_the_simulator_and_are_taken_back(robots: EvaluationRobots) -> None:
    env, robot = robots.env, 7

    def state() -> tuple[float, float, torch.Tensor]:
        bodies = env.gym.get_actor_rigid_body_properties(env.envs[robot], env.actor_handles[robot])
        shapes = env.gym.get_actor_rigid_shape_properties(env.envs[robot], env.actor_handles[robot])
        env.dof_vel[robot] = 0.0
        env.dof_pos[robot] = env.default_dof_pos[0]
        torques = env._compute_torques(torch.full((NUM_ENVS, 12), 0.4))[robot]
        return sum(body.mass for body in bodies), shapes[-1].friction, torques

    robots.set_condition(Condition())
    mass, friction, torques = state()
    assert friction == 1.0 and torques.tolist() == pytest.approx([40.0 * 0.5 * 0.4] * 12)
    robots.set_condition(Condition(payload=6.0, friction=0.25, leg_strength=0.5))
    heavier, slippery, weaker = state()
    assert heavier - mass == pytest.approx(6.0, abs=1e-4) and slippery == 0.25
    assert [name[:2] for name in env.dof_names[:3]] == ["FL"] * 3
    assert weaker.tolist() == pytest.approx([4.0] * 3 + [8.0] * 9)
    assert env.torque_limits[:4].tolist() == pytest.approx([22.0, 22.0, 27.5, 44.0])
    robots.set_condition(Condition())
    again = state()
    assert again[0] == pytest.approx(mass) and again[1] == 1.0 and again[2].tolist() == torques.tolist()


def test_pushes_add_the_speed_in_any_direction(robots: EvaluationRobots) -> None:
    env = robots.env
    before = env.root_states[:, 7:9].clone()
    robots._push(1.5)
    added = env.root_states[:, 7:9] - before
    assert added.norm(dim=1).tolist() == pytest.approx([1.5] * NUM_ENVS, abs=1e-5)
    assert added.mean(dim=0).norm() < 0.75  # forty directions do not agree


def test_commands_stay_within_the_bounds_of_their_test() -> None:
    torch.manual_seed(0)
    bounds = {"lin ±1": (1, 1, 0), "lin ±2": (2, 1, 0), "ang ±1": (0, 0, 1), "ang ±2": (0, 0, 2), "both ±1": (1, 1, 1)}
    for test in PAPER_TESTS:
        commands = test.draw(2000, "cpu")
        largest = commands.abs().max(dim=0).values
        assert largest.tolist() == pytest.approx(bounds[test.name], rel=0.02)
        speeds = commands[:, :2].norm(dim=1)
        assert ((speeds == 0) | (speeds > 0.2)).all()
        assert (commands[commands[:, 0].abs() >= 1.0, 1] == 0).all()


def test_protocols_run_with_and_without_noise() -> None:
    assert [(name, noise) for name, _, _, noise in cases("terrain")] == [
        ("forward 1 m/s", True),
        ("forward 1 m/s", False),
    ]
    assert len(list(cases("paper"))) == 10
    (forward, *_) = (test for _, test, _, _ in cases("terrain"))
    assert forward.draw(3, "cpu").tolist() == [[1.0, 0.0, 0.0]] * 3


def test_a_short_history_reads_the_newest_frames(flat_env: Any, tmp_path: Path) -> None:
    six = make_policy(flat_env, 6)
    write_checkpoint(tmp_path / "model_5.pt", {"model_state_dict": six.state_dict(), "iter": 5})
    _, train_cfg = task_registry.get_cfgs("aliengo_flat")
    policy_cfg = class_to_dict(train_cfg.policy)
    loaded = load_policy(str(tmp_path / "model_5.pt"), policy_cfg, flat_env.layout, flat_env.num_actions)
    obs = torch.randn(3, 450)
    with torch.inference_mode():
        assert torch.equal(acting(loaded, 45, "cpu")(obs), six.act_inference(obs[:, :270]))


def test_the_baseline_and_foreign_files_are_told_apart(flat_env: Any, tmp_path: Path) -> None:
    _, train_cfg = task_registry.get_cfgs("aliengo_flat")
    policy_cfg = class_to_dict(train_cfg.policy)
    baseline = ActorCritic(450, flat_env.num_privileged_obs, 12)
    write_checkpoint(tmp_path / "baseline.pt", {"model_state_dict": baseline.state_dict()})
    assert type(load_policy(str(tmp_path / "baseline.pt"), policy_cfg, flat_env.layout, 12)) is ActorCritic
    write_checkpoint(tmp_path / "foreign.pt", {"model_state_dict": {"weight": torch.zeros(3)}})
    with pytest.raises(ValueError, match="does not fit the network"):
        load_policy(str(tmp_path / "foreign.pt"), policy_cfg, flat_env.layout, 12)


def evaluation_args(*flags: str) -> Any:
    return get_args(["--task", "aliengo", "--headless", "--sim_device", "cpu", *flags], extra=FLAGS)


def test_stairs_have_exact_heights_and_an_equal_share_of_robots_with_noise() -> None:
    heights, robots_each = (6.0, 12.5, 29.0), 2  # 6 cm: a ramp in training's terrain; 0.29 / 0.001 is 288.99…
    env_cfg, _ = task_registry.get_cfgs("aliengo")
    prepare_config(env_cfg)
    prepare_stairs(env_cfg, heights)
    env_cfg.env.num_envs, env_cfg.terrain.border_size = 12 * robots_each, 5.0
    robots = EvaluationRobots(build(env_cfg, "aliengo"))
    cells, env = place_on_stairs(robots, heights), robots.env
    noisy = (env.noise_scale_vec > 0).any(dim=1)
    assert sum(int(cell.mask.sum()) for cell in cells) == env.num_envs and noisy.sum() == env.num_envs / 2
    corners = env.terrain.vertices[env.terrain.triangles] - np.array([5.0, 5.0, 0.0])  # the border's width
    for cell in cells:
        assert cell.mask.sum() == robots_each and (noisy[cell.mask] == cell.noise).all()
        origin = env.env_origins[cell.mask][0].numpy()
        assert (env.env_origins[cell.mask] == torch.tensor(origin)).all()
        # nine steps of 0.30 m from 1.3 m on, the last of which leads to the level of the tile's edge
        rise = -cell.step_height / 100 if cell.terrain == "stairs_down" else cell.step_height / 100
        for step in range(9):
            x, y = origin[0] + 1.3 + 0.3 * step + 0.1, origin[1] + 0.32
            height = height_of_mesh(corners, x, y) - origin[2]
            assert height == pytest.approx(rise * (step + 1), abs=1e-5), f"{cell.terrain}, step {step}"


def standing_checkpoint(env: Any, folder: Path) -> str:
    """A policy that always asks for the default pose."""
    policy = make_policy(env, 2)
    with torch.no_grad():
        policy.actor[-1].weight.zero_()
        policy.actor[-1].bias.zero_()
    path = folder / "model_0.pt"
    write_checkpoint(path, {"model_state_dict": policy.state_dict(), "iter": 0})
    return str(path)


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["stairs", "waves", "stand"])
def test_a_robot_that_stands_is_stuck_and_stands_still(flat_env: Any, tmp_path: Path, protocol: str) -> None:
    path = standing_checkpoint(flat_env, tmp_path)
    flags = ["--protocol", protocol, "--num_envs", "16", "--trial_s", "3", "--checkpoints", path]
    flags += ["--step_heights", "9", "14.5"] if protocol == "stairs" else []
    (rows_of_one,) = evaluate(evaluation_args(*flags, "--out", str(tmp_path))).values()
    assert {row.noise for row in rows_of_one} == {True, False}
    assert [row.crossed.mean for row in rows_of_one] == [0.0] * (8 if protocol == "stairs" else 2)
    if protocol == "stairs":
        assert {row.case for row in rows_of_one} == {"9 cm", "14.5 cm"} and all(row.robots == 2 for row in rows_of_one)
        return
    for row in rows_of_one:
        assert row.crossed.mean + row.fell.mean + row.stuck.mean == pytest.approx(1.0)
        assert protocol == "waves" or (row.stood.mean, row.fell.mean) == (1.0, 0.0)
        assert row.lin_vel_error.mean == pytest.approx({"waves": 1.0, "stand": 0.0}[protocol], abs=0.2)


@pytest.mark.slow
def test_script_compares_checkpoints_and_writes_its_report(flat_env: Any, tmp_path: Path) -> None:
    files = []
    for steps in (6, 10):
        files.append(str(tmp_path / f"model_{steps}.pt"))
        write_checkpoint(files[-1], {"model_state_dict": make_policy(flat_env, steps).state_dict(), "iter": steps})
    flags = ["--num_envs", "60", "--trials", "1", "--trial_s", "1.2", "--protocol", "terrain", "--levels", "7", "2"]
    results = evaluate(evaluation_args(*flags, "--checkpoints", *files, "--out", str(tmp_path / "out")))
    report = json.loads((tmp_path / "out" / "terrain.json").read_text(encoding="utf-8"))
    assert report["best"] in results and len(report["results"]) == 2
    first, *rest = next(iter(report["results"].values()))
    assert len(rest) == 2 * 5 * 2 - 1 and first["level"] == 2 and 0.0 <= first["fell"]["mean"] <= 1.0
    text = (tmp_path / "out" / "terrain.md").read_text(encoding="utf-8")
    assert "| stairs_up | yes |" in text and "mean level reached (of 2)" in text
    assert (tmp_path / "out" / "terrain.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--protocol", "moon"],
            "unknown --protocol 'moon'; known: paper, terrain, stairs, waves, stand, robustness, sim2sim",
        ),
        (["--trials", "0"], "--trials must be at least 1"),
        (["--levels", "3", "10"], "--levels must lie between 0 and 9"),
        (["--protocol", "sim2sim", "--levels", "3"], "has courses instead of --levels"),
        (["--protocol", "stairs", "--levels", "3"], "stairs has --step_heights"),
        (["--protocol", "stand", "--levels", "3"], "stand has a plane, so no --levels"),
        (["--protocol", "stairs", "--step_heights", "12.05"], "exact to the millimetre; got 12.05"),
        (["--protocol", "stairs", "--step_heights", "9", "12", "--num_envs", "7"], "--num_envs of at least 8, got 7"),
        (["--step_heights", "12"], "--step_heights belongs to --protocol stairs, not to paper"),
        (["--checkpoints", "none.pt"], "--checkpoints: no checkpoint .*or name a robot .policies in resources"),
    ],
)
def test_mistakes_are_one_sentence(flags: list[str], message: str) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        prepare(evaluation_args(*flags))


def test_shipped_policies_are_compared_by_their_robots_names() -> None:
    args = evaluation_args("--checkpoints", "aliengo", "go2")
    paths = checkpoint_paths(args, task_registry.get_cfgs("aliengo")[1])
    assert [Path(path).parts[-3:] for path in paths] == [
        ("policies", "aliengo", "model.pt"),
        ("policies", "go2", "model.pt"),
    ]
    assert short_names(paths) == ["aliengo/model", "go2/model"]
