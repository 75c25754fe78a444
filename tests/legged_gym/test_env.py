"""Environments on the simulator: every registered task is built and stepped, and the parts of a step are checked."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from small_envs import NUM_ENVS, build, small_cfg
from torch.utils._python_dispatch import TorchDispatchMode

from legged_gym.envs import LeggedRobot, task_registry
from legged_gym.utils.helpers import get_args
from legged_gym.utils.math import as_mask, heading_w, wrap_to_pi

TOLERANCE = 1e-5  # float32 values of order 1 that took another path of the same arithmetic
OTHER = [0, 1, 3, 5]  # robots that a test leaves alone
ENDED = [2, 4]  # robots whose episode a test ends


def zeros(env: Any) -> torch.Tensor:
    return torch.zeros(env.num_envs, env.num_actions)


def end_by_time(env: Any, env_ids: list[int]) -> Any:
    """Step so that exactly these robots' episodes end."""
    env.reset()
    env.episode_length_buf[:] = 5
    env.episode_length_buf[env_ids] = env.max_episode_length
    return env.step(zeros(env))


# --- Every task ------------------------------------------------------------------------------------------------------


def test_steps_have_the_promised_shapes_and_are_finite(any_env: Any) -> None:
    any_env.reset()
    frame = 3 + 3 + 3 + 3 * any_env.num_actions  # command, angular velocity, gravity; per joint angle, speed, action
    critic = frame + 3 + 3 + 17 * 11  # velocity, disturbance, height scan
    for _ in range(3):
        result = any_env.step(torch.randn(NUM_ENVS, any_env.num_actions))
        assert result.obs.shape == (NUM_ENVS, 10 * frame) and result.privileged_obs.shape == (NUM_ENVS, critic)
        assert result.rewards.shape == result.dones.shape == (NUM_ENVS,)
        assert result.termination_privileged_obs.shape == (len(result.termination_ids), critic)
        assert result.extras["time_outs"].dtype == result.dones.dtype == torch.bool
        assert all(t.isfinite().all() for t in (result.obs, result.privileged_obs, result.rewards))
    obs, critic_obs, rewards, dones, extras, ids, last = result
    assert extras["time_outs"].shape == (NUM_ENVS,)


def test_first_observation_fills_the_history(any_env: Any) -> None:
    obs, critic_obs = any_env.reset()
    assert torch.equal(obs, critic_obs[:, : any_env.num_one_step_obs].repeat(1, 10))


def test_masses_and_centres_are_those_of_the_simulator(any_env: Any) -> None:
    bodies = [any_env.gym.get_actor_rigid_body_properties(env, 0)[0] for env in any_env.envs]
    mass = torch.tensor([body.mass for body in bodies]) - any_env.payload[:, 0]
    com = torch.tensor([list(body.com) for body in bodies]) - any_env.com_displacement
    assert mass == pytest.approx(mass[0].repeat(NUM_ENVS)) and mass[0] > 0
    assert torch.allclose(com, com[0].expand(NUM_ENVS, 3), atol=TOLERANCE)
    assert any_env.payload.unique().numel() == NUM_ENVS


def test_friction_is_new_at_reset_and_handed_to_the_simulator(any_env: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    any_env.reset()
    before, handed = any_env.friction_coeffs.clone(), []
    monkeypatch.setattr(
        any_env.gym,
        "set_actor_rigid_shape_material_tensors",
        lambda sim, friction, restitution: handed.append(friction.tensor.clone()),
    )
    any_env.reset_idx(torch.tensor(ENDED))
    assert (any_env.friction_coeffs != before).flatten().nonzero().flatten().tolist() == ENDED
    assert torch.equal(handed[-1], any_env.friction_coeffs[:, 0])
    low, high = any_env.cfg.domain_rand.friction_range
    assert low <= any_env.friction_coeffs.min() < any_env.friction_coeffs.max() <= high


# --- One step --------------------------------------------------------------------------------------------------------


def test_time_outs_are_cleared_when_no_env_resets(flat_env: Any) -> None:
    assert end_by_time(flat_env, ENDED).extras["time_outs"].nonzero().flatten().tolist() == ENDED
    result = flat_env.step(zeros(flat_env))
    assert not result.extras["time_outs"].any() and "episode" not in result.extras


def test_only_ended_episodes_start_over(flat_env: Any) -> None:
    flat_env.reset()
    flat_env.step(zeros(flat_env))
    history = flat_env.obs_buf.clone()
    flat_env.episode_length_buf[:] = 5
    flat_env.episode_length_buf[ENDED] = flat_env.max_episode_length
    result = flat_env.step(torch.ones(NUM_ENVS, 12))
    assert result.termination_ids.tolist() == ENDED
    assert flat_env.episode_length_buf.tolist() == [6, 6, 0, 6, 0, 6]
    newest = result.privileged_obs[:, :45]
    assert torch.equal(result.obs[ENDED], newest[ENDED].repeat(1, 10))
    assert torch.equal(result.obs[OTHER, 45:], history[OTHER, :-45])
    actions = flat_env.layout.columns["actions"]
    assert (newest[OTHER, actions] == 1).all() and (newest[ENDED, actions] == 0).all()
    assert (flat_env.last_actions[OTHER] == 1).all() and (flat_env.last_actions[ENDED] == 0).all()


def test_first_frame_shows_the_new_start_and_the_last_one_the_end(flat_env: Any) -> None:
    flat_env.reset()
    for _ in range(10):
        flat_env.step(zeros(flat_env))
    flat_env.add_noise = False
    flat_env.episode_length_buf[ENDED] = flat_env.max_episode_length
    result = flat_env.step(zeros(flat_env))
    flat_env.add_noise = True
    columns = flat_env.layout.columns
    assert not result.privileged_obs[ENDED, columns["dof_vel"]].any()  # joints start at rest
    gravity = torch.tensor([0.0, 0.0, -1.0]).expand(2, 3)
    assert torch.allclose(result.privileged_obs[ENDED, columns["projected_gravity"]], gravity, atol=TOLERANCE)
    assert result.termination_privileged_obs[:, columns["dof_vel"]].abs().min() > 0
    new_height, old_height = (x[:, columns["heights"]][:, 0] for x in (result.privileged_obs[ENDED], result[6]))
    assert torch.allclose(new_height, torch.full((2,), (0.55 - 0.5) * 5), atol=TOLERANCE)
    assert (old_height < 0).all()  # the robots had sunk onto their feet


def test_disturbance_shows_in_the_step_it_is_drawn(flat_env: Any) -> None:
    flat_env.reset()
    columns = flat_env.layout.columns["disturbance"]
    interval = flat_env.cfg.domain_rand.disturbance_interval
    for _ in range(2 * interval):
        forces = flat_env.step(zeros(flat_env)).privileged_obs[:, columns]
        drawn = flat_env.common_step_counter % interval == 0
        assert forces.any(dim=1).all() if drawn else not forces.any()
        assert forces.abs().max() <= 30
    assert not flat_env.disturbance.any()


def test_push_sets_the_horizontal_velocity(flat_env: Any) -> None:
    flat_env.reset()
    before = flat_env.root_states.clone()
    flat_env._push_robots()
    changed = flat_env.root_states != before
    assert changed[:, 7:9].all() and not changed[:, :7].any() and not changed[:, 9:].any()
    assert flat_env.root_states[:, 7:9].abs().max() <= 1


def test_contact_on_the_base_ends_the_episode(flat_env: Any) -> None:
    flat_env.reset()
    base = flat_env.termination_contact_indices[0]
    flat_env.contact_forces[:] = 0
    flat_env.contact_forces[1, base, 0] = 1.1
    flat_env.contact_forces[3, base, 2] = 0.9
    flat_env.contact_forces[4, base + 1, 2] = 500.0
    flat_env.check_termination()
    assert flat_env.reset_buf.nonzero().flatten().tolist() == [1]


def test_episode_lasts_one_step_beyond_its_length(flat_env: Any) -> None:
    flat_env.contact_forces[:] = 0
    flat_env.episode_length_buf[:] = torch.tensor([999, 1000, 1001, 0, 1, 2])
    flat_env.check_termination()
    assert flat_env.max_episode_length == 1000
    assert flat_env.time_out_buf.nonzero().flatten().tolist() == [2]


def test_reward_is_the_sum_of_its_terms_and_episodes_report_rates(flat_env: Any) -> None:
    flat_env.reset()
    flat_env._reward_sums.zero_()
    total = torch.zeros(NUM_ENVS)
    for _ in range(4):
        total += flat_env.step(zeros(flat_env)).rewards
    assert torch.allclose(sum(flat_env.episode_sums.values()), total, atol=TOLERANCE)
    flat_env.episode_length_buf[:] = torch.tensor([4, 8, 4, 4, 4, 4])
    lin_vel_z = flat_env.episode_sums["lin_vel_z"].clone()
    flat_env.reset_idx(torch.tensor([0, 1]))
    expected = (lin_vel_z[0] / (4 * 0.02) + lin_vel_z[1] / (8 * 0.02)) / 2
    assert flat_env.extras["episode"]["rew_lin_vel_z"].item() == pytest.approx(expected.item(), rel=TOLERANCE)
    assert not flat_env.episode_sums["lin_vel_z"][:2].any() and flat_env.episode_sums["lin_vel_z"][2:].all()


def test_commands_are_drawn_again_after_ten_seconds(flat_env: Any) -> None:
    flat_env.reset()
    flat_env.episode_length_buf[:] = torch.tensor([498, 499, 500, 3, 999, 7])
    headings = flat_env.commands[:, 3].clone()
    flat_env.step(zeros(flat_env))
    assert (flat_env.commands[:, 3] != headings).nonzero().flatten().tolist() == [1, 4]


def resample(env: Any, monkeypatch: Any, robots: list[int], fraction: str | None = None) -> None:
    """New commands; fraction: the one in the config that is 1, where the others are 0."""
    for name in ("turning_fraction", "circling_fraction", "standing_fraction"):
        monkeypatch.setattr(env.cfg.commands, name, float(name == fraction))
    env._resample_commands(torch.tensor(robots))


def test_turning_robots_keep_their_rate_while_others_steer_to_a_heading(rough_env: Any, monkeypatch: Any) -> None:
    resample(rough_env, monkeypatch, [1, 4], "turning_fraction")
    resample(rough_env, monkeypatch, [0, 2, 3, 5])
    drawn = rough_env.commands.clone()
    rough_env.commands[:, 3] = wrap_to_pi(0.4 + heading_w(rough_env.base_quat))  # [rad] to the left of every nose
    rough_env._update_heading_commands()
    expected = torch.full((NUM_ENVS,), 0.2)  # 0.5/s of it
    expected[[1, 4]] = drawn[[1, 4], 2]
    assert torch.allclose(rough_env.commands[:, 2], expected, atol=TOLERANCE)
    assert (rough_env.commands[[1, 4], :2] == 0).all() and rough_env.commands[[0, 2, 3, 5], :2].any()


def test_who_walks_in_a_circle_keeps_the_rate_and_is_not_sent_down_for_it(rough_env: Any, monkeypatch: Any) -> None:
    resample(rough_env, monkeypatch, [1, 4], "circling_fraction")
    resample(rough_env, monkeypatch, [0, 2, 3, 5])
    drawn = rough_env.commands.clone()
    rough_env._update_heading_commands()
    assert torch.equal(rough_env.commands[[1, 4]], drawn[[1, 4]])
    rough_env.commands[:, :2] = torch.tensor([1.0, 0.0])  # 20 m an episode, of which nobody has walked any
    rough_env.terrain_levels[:], rough_env.episode_length_buf[:] = 1, 1
    rough_env.root_states[:, :2] = rough_env.env_origins[:, :2]
    rough_env._update_terrain_curriculum(torch.arange(NUM_ENVS))
    assert rough_env.terrain_levels.tolist() == [0, 1, 0, 0, 1, 0]


def test_some_robots_are_told_to_stand_and_steer_to_no_heading(rough_env: Any, monkeypatch: Any) -> None:
    resample(rough_env, monkeypatch, [1, 4], "standing_fraction")
    resample(rough_env, monkeypatch, [0, 2, 3, 5])
    rough_env._update_heading_commands()
    assert (rough_env.commands[[1, 4], :3] == 0).all() and (rough_env.commands[[0, 2, 3, 5], :2] != 0).any()


class HostReads(TorchDispatchMode):
    """Counts the operations that would make the host wait for a CUDA device."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        name = func.overloadpacket.__name__
        masks = name in ("index", "index_put_", "index_put") and any(
            i is not None and i.dtype == torch.bool for i in args[1]
        )
        if masks or name in ("nonzero", "_local_scalar_dense", "masked_select", "equal"):
            self.names.append(name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("ended", [[], ENDED])
@pytest.mark.parametrize(("by_mask", "expected"), [(True, []), (False, ["nonzero"])])
def test_a_step_does_not_read_from_the_device(
    rough_env: Any, monkeypatch: pytest.MonkeyPatch, by_mask: bool, expected: list[str], ended: list[int]
) -> None:
    """Without a graph it does once, to leave out resets where nothing ended."""
    monkeypatch.setattr(rough_env, "_resets_by_mask", by_mask)
    rough_env.reset()
    rough_env.contact_forces[:] = 0
    rough_env.episode_length_buf[:] = 5
    rough_env.episode_length_buf[ended] = rough_env.max_episode_length
    rough_env.common_step_counter = rough_env.push_interval - 1
    actions = zeros(rough_env)
    with HostReads() as reads:
        result = rough_env.step(actions)
    assert set(ended) <= set(result.termination_ids.tolist())
    assert reads.names == expected


@pytest.mark.parametrize("ended", [[], ENDED])
def test_a_reset_by_mask_is_a_reset_by_ids(rough_env: Any, ended: list[int]) -> None:
    rough_env.reset()
    rough_env.episode_length_buf[:] = 5
    before = rough_env.get_state()
    outcomes = []
    for env_ids in (torch.tensor(ended, dtype=torch.long), as_mask(torch.tensor(ended, dtype=torch.long), NUM_ENVS)):
        rough_env.set_state(before)
        torch.manual_seed(1)
        rough_env.reset_idx(env_ids)
        rough_env.step(zeros(rough_env))
        outcomes.append(rough_env.get_state())
    by_ids, by_mask = outcomes
    if ended:  # else the random draws differ, since without ids nothing is drawn
        for name, tensor in by_ids["tensors"].items():
            assert torch.equal(tensor, by_mask["tensors"][name]), name
    others = [env_id for env_id in range(NUM_ENVS) if env_id not in ended]
    for name in ("engine.qpos", "engine.qvel", "engine.friction"):
        assert torch.equal(by_ids["simulation"][name][others], by_mask["simulation"][name][others])


# --- Terrain and curricula -------------------------------------------------------------------------------------------


def test_robots_start_on_their_tiles(rough_env: Any) -> None:
    rough_env.reset_idx(torch.arange(NUM_ENVS))
    offset = rough_env.root_states[:, :3] - rough_env.env_origins
    assert offset[:, :2].abs().max() <= 1 and torch.allclose(offset[:, 2], torch.tensor(0.55), atol=TOLERANCE)
    assert rough_env.terrain_types.tolist() == [0, 0, 1, 2, 3, 4]


def test_height_scan_reads_the_tile_the_robot_stands_on(rough_env: Any) -> None:
    rough_env.reset_idx(torch.arange(NUM_ENVS))
    rough_env.root_states[:, :2] = rough_env.env_origins[:, :2]
    ids = torch.tensor([3, 4])  # stairs: flat around their centre
    heights = rough_env._get_heights()[ids]
    assert torch.allclose(heights, rough_env.env_origins[ids, 2:3].expand(2, 187), atol=TOLERANCE)
    rough_env.root_states[:, 2] = rough_env.env_origins[:, 2] + 0.4
    assert torch.allclose(rough_env._get_base_heights()[ids], torch.tensor(0.4), atol=TOLERANCE)


def test_levels_move_at_the_end_of_an_episode_and_not_at_explicit_first_resets(rough_env: Any) -> None:
    rough_env.terrain_levels[:] = 1
    rough_env.episode_length_buf[:] = 0
    rough_env.reset_idx(torch.arange(NUM_ENVS))
    assert (rough_env.terrain_levels == 1).all()
    rough_env.episode_length_buf[:] = 50
    rough_env.root_states[:, :2] = rough_env.env_origins[:, :2] + torch.tensor([0.1, 0.0])
    rough_env.root_states[2, 0] += 4.5
    rough_env.commands[:, :2] = torch.tensor([0.5, 0.0])
    rough_env.reset_idx(torch.tensor([2, 3]))
    assert rough_env.terrain_levels.tolist() == [1, 1, 2, 0, 1, 1]
    origins = rough_env.terrain_origins[rough_env.terrain_levels, rough_env.terrain_types]
    assert torch.equal(rough_env.env_origins, origins)
    assert rough_env.extras["episode"]["terrain_level"].item() == 1.0
    assert rough_env.extras["episode"]["terrain_level_rough_slope"].item() == 2.0


def test_robots_that_keep_their_direction_report_how_high_they_climb_forwards() -> None:
    """Every other robot goes forwards: of robots 0 to 5 the even ones."""
    cfg = small_cfg("aliengo")
    cfg.commands.keep_direction = True
    cfg.terrain.terrain_proportions = {"stairs_up": 1.0}
    env = build(cfg, "aliengo")
    env.episode_length_buf[:] = 0  # none has taken a step, so that all keep their level
    env.terrain_levels[:] = torch.tensor([2, 0, 2, 0, 2, 1])
    env.reset_idx(torch.arange(NUM_ENVS))
    episode = env.extras["episode"]
    assert episode["terrain_level_stairs_up"].item() == pytest.approx(7 / 6)
    assert episode["terrain_level_stairs_up_forwards"].item() == pytest.approx(2.0)


def test_speed_range_widens_once_per_period(flat_env: Any) -> None:
    flat_env.command_ranges["lin_vel_x"][:] = torch.tensor([-1.0, 1.0])
    everyone = torch.arange(NUM_ENVS)
    best = flat_env.reward_scales["tracking_lin_vel"] * flat_env.max_episode_length
    flat_env.common_step_counter = flat_env._last_range_check = 5000
    flat_env._tracking_totals.zero_(), flat_env._tracking_counts.zero_()
    for counter, expected in ((5999, 1.0), (6000, 1.2), (6500, 1.2), (7000, 1.4)):
        flat_env.common_step_counter = counter
        flat_env.episode_length_buf[:] = 9
        flat_env.episode_sums["tracking_lin_vel"][:] = 0.85 * best
        flat_env.reset_idx(everyone)
        flat_env._widen_speed_range()
        assert flat_env.command_ranges["lin_vel_x"].tolist() == pytest.approx([-expected, expected])


def test_curriculum_state_survives_a_round_trip(rough_env: Any) -> None:
    rough_env.terrain_levels[:] = torch.tensor([0, 1, 2, 2, 1, 0])
    rough_env.command_ranges["lin_vel_x"][:] = torch.tensor([-1.4, 1.4])
    rough_env.common_step_counter = 321
    state = rough_env.get_curriculum_state()
    rough_env.terrain_levels[:] = 0
    rough_env.command_ranges["lin_vel_x"][:] = 0
    rough_env.set_curriculum_state(state)
    assert rough_env.terrain_levels.tolist() == [0, 1, 2, 2, 1, 0]
    assert rough_env.command_ranges["lin_vel_x"].tolist() == pytest.approx([-1.4, 1.4])
    assert rough_env.common_step_counter == 322  # the reset takes a step


def test_levels_of_another_number_of_robots_are_drawn_again(rough_env: Any, capsys: pytest.CaptureFixture) -> None:
    state = rough_env.get_curriculum_state() | {"terrain_levels": torch.tensor([2, 2, 9])}
    rough_env.set_curriculum_state(state)
    assert capsys.readouterr().out == "Terrain levels were saved for 3 robots: drawing 6 from them.\n"
    assert (rough_env.terrain_levels == 2).all()  # 9 is beyond this map


# --- Variants --------------------------------------------------------------------------------------------------------


def test_materials_reach_a_gym_without_the_tensor_call(flat_env: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    flat_env.reset()
    flat_env.friction_coeffs[ENDED] = 0.77
    monkeypatch.setattr(flat_env.cfg.domain_rand, "randomize_friction", True)
    flat_env._set_materials_one_by_one(torch.tensor(ENDED))
    for i, env in enumerate(flat_env.envs):
        friction = flat_env.gym.get_actor_rigid_shape_properties(env, 0)[0].friction
        assert (friction == pytest.approx(0.77)) == (i in ENDED)


def test_history_follows_the_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = small_cfg("aliengo_flat")
    _, train_cfg = task_registry.get_cfgs("aliengo_flat")
    train_cfg.policy.temporal_steps = 6
    env, _ = task_registry.make_env("aliengo_flat", get_args(["--headless", "--sim_device", "cpu"]), cfg, train_cfg)
    assert (env.num_obs, env.num_one_step_obs, env.obs_buf.shape) == (270, 45, (NUM_ENVS, 270))


def test_bare_variant_keeps_the_assets_materials_and_defaults() -> None:
    cfg = small_cfg("aliengo_flat")
    rand = cfg.domain_rand
    rand.randomize_friction = rand.randomize_initial_joint_pos = rand.randomize_kp = rand.delay = False
    cfg.terrain.measure_heights = False
    env = build(cfg)
    env.reset_idx(torch.arange(NUM_ENVS))
    assert torch.equal(env.dof_pos, env.default_dof_pos.expand(NUM_ENVS, 12))
    assert (env.Kp_factors == 1).all() and env.Kd_factors.unique().numel() == NUM_ENVS
    assert env.friction_coeffs.unique().numel() == 1
    assert env.step(torch.ones(NUM_ENVS, 12)).privileged_obs.shape == (NUM_ENVS, 51)
    assert (env.delayed_actions == 1).all()


def test_heightfield_is_walked_on_like_the_mesh() -> None:
    cfg = small_cfg("aliengo")
    cfg.terrain.mesh_type = "heightfield"
    env = build(cfg, "aliengo")
    env.reset()
    for _ in range(40):
        env.step(zeros(env))
    assert env._get_base_heights().min() > 0.1


def test_a_subclass_adds_a_reward_by_a_method_and_a_scale() -> None:
    class Hopper(LeggedRobot):
        def _reward_hop(self) -> torch.Tensor:
            return torch.full((self.num_envs,), 3.0)

    task_registry.register("hopper", Hopper, *task_registry.get_cfgs("aliengo_flat"))
    try:
        cfg = small_cfg("hopper")
        cfg.rewards.scales = SimpleNamespace(hop=2.0)
        env = build(cfg, "hopper")
    finally:
        for table in (task_registry.task_classes, task_registry.env_cfgs, task_registry.train_cfgs):
            del table["hopper"]
    env.reset()
    assert env.step(zeros(env)).rewards.tolist() == pytest.approx([3.0 * 2.0 * 0.02] * NUM_ENVS)


# --- Faults ----------------------------------------------------------------------------------------------------------


def test_a_robot_whose_simulation_breaks_is_reset_and_reaches_no_result(flat_env: Any) -> None:
    flat_env.reset()
    before = int(flat_env.fault_count)
    flat_env.sim.engine.qvel[2, 7] = float("nan")  # joint 1; the engine's own state, which no API call would set so
    result = flat_env.step(zeros(flat_env))
    assert result.dones.nonzero().flatten().tolist() == [2]
    assert not result.extras["time_outs"].any()
    tensors = (result.obs, result.privileged_obs, result.rewards, result.termination_privileged_obs)
    assert all(tensor.isfinite().all() for tensor in tensors)
    assert int(flat_env.fault_count) == before + 1
    assert flat_env.step(zeros(flat_env)).obs.isfinite().all()
    assert int(flat_env.fault_count) == before + 1
