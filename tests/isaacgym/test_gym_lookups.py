import math

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from isaacgym import gymapi, gymtorch
from isaacgym.gymapi import DOMAIN_ACTOR, DOMAIN_ENV, DOMAIN_SIM, INVALID_HANDLE, STATE_ALL, STATE_POS, Vec3
from tests.isaacgym.worlds import ALIENGO, STANCE, World, body_urdf

TOL = 1e-5  # single precision
LEGS = ("FL", "FR", "RL", "RR")
NUM_BODIES, NUM_DOFS, NUM_ENVS = 17, 12, 3
GYM = gymapi.acquire_gym()


@pytest.fixture(scope="module")
def world():
    return World(ALIENGO, num_envs=NUM_ENVS)


@pytest.fixture(scope="module")
def env(world):
    return world.sim.envs[2]


def test_counts_of_an_asset(world):
    asset = world.asset
    assert GYM.get_asset_rigid_body_count(asset) == NUM_BODIES
    assert GYM.get_asset_dof_count(asset) == NUM_DOFS
    assert GYM.get_asset_joint_count(asset) == NUM_BODIES - 1  # the feet's are fixed
    assert GYM.get_asset_actuator_count(asset) == GYM.get_asset_tendon_count(asset) == 0


def test_names_and_dicts_of_an_asset_agree(world):
    bodies, dofs = GYM.get_asset_rigid_body_names(world.asset), GYM.get_asset_dof_names(world.asset)
    assert [GYM.get_asset_rigid_body_dict(world.asset)[name] for name in bodies] == list(range(NUM_BODIES))
    assert [GYM.get_asset_dof_dict(world.asset)[name] for name in dofs] == list(range(NUM_DOFS))
    assert [bodies.index(f"{leg}_foot") for leg in LEGS] == [4, 8, 12, 16]
    assert GYM.find_asset_rigid_body_index(world.asset, "FR_calf") == 7
    assert GYM.find_asset_dof_index(world.asset, "FR_calf_joint") == 5
    assert GYM.find_asset_rigid_body_index(world.asset, "tail") == INVALID_HANDLE
    assert GYM.get_asset_dof_type(world.asset, 0) == gymapi.DOF_ROTATION


def test_shape_indices_split_the_shapes_among_the_bodies(world):
    ranges = GYM.get_asset_rigid_body_shape_indices(world.asset)
    assert len(ranges) == NUM_BODIES
    covered = [i for r in ranges for i in range(r.start, r.start + r.count)]
    assert covered == list(range(GYM.get_asset_rigid_shape_count(world.asset)))
    assert [r.count for r in ranges] == [len(body.shapes) for body in world.asset.robot.bodies]


def test_counts_of_an_actor_its_env_and_the_simulation(world, env):
    counts = {"rigid_body": NUM_BODIES, "dof": NUM_DOFS, "joint": NUM_BODIES - 1}
    for thing, count in counts.items():
        assert getattr(GYM, f"get_actor_{thing}_count")(env, 0) == count
        assert getattr(GYM, f"get_env_{thing}_count")(env) == count
        assert getattr(GYM, f"get_sim_{thing}_count")(world.sim) == NUM_ENVS * count
    assert GYM.get_actor_rigid_shape_count(env, 0) == len(GYM.get_actor_rigid_shape_properties(env, 0))
    for thing in ("tendon", "soft_body", "actuator"):
        assert getattr(GYM, f"get_actor_{thing}_count")(env, 0) == 0
    assert (GYM.get_actor_count(env), GYM.get_env_count(world.sim)) == (1, NUM_ENVS)
    assert GYM.get_sim_actor_count(world.sim) == NUM_ENVS


def test_names_of_an_actor(env):
    assert GYM.get_actor_name(env, 0) == "robot"
    assert GYM.get_actor_dof_names(env, 0)[3] == "FR_hip_joint"
    assert GYM.get_actor_rigid_body_dict(env, 0)["RL_thigh"] == 10
    assert GYM.get_actor_dof_dict(env, 0)["RR_calf_joint"] == 11


def test_indices_depend_on_the_domain(env):
    for domain, start in ((DOMAIN_ACTOR, 0), (DOMAIN_ENV, 0), (DOMAIN_SIM, 2)):  # two envs come before this one
        assert GYM.find_actor_rigid_body_index(env, 0, "FR_foot", domain) == 8 + start * NUM_BODIES
        assert GYM.get_actor_rigid_body_index(env, 0, 8, domain) == 8 + start * NUM_BODIES
        assert GYM.find_actor_dof_index(env, 0, "FR_calf_joint", domain) == 5 + start * NUM_DOFS
        assert GYM.get_actor_index(env, 0, domain) == start
        assert GYM.find_actor_index(env, "robot", domain) == start


def test_handles_are_indices_within_the_env(env):
    assert GYM.get_actor_handle(env, 0) == GYM.find_actor_handle(env, "robot") == 0
    assert GYM.get_actor_root_rigid_body_handle(env, 0) == 0
    assert GYM.get_actor_rigid_body_handle(env, 0, 8) == GYM.find_actor_rigid_body_handle(env, 0, "FR_foot") == 8
    assert GYM.find_actor_dof_handle(env, 0, "FR_calf_joint") == GYM.get_actor_dof_handle(env, 0, 5) == 5


def test_unknown_names_give_an_invalid_handle(env):
    assert GYM.find_actor_handle(env, "cat") == GYM.get_actor_handle(env, 1) == INVALID_HANDLE
    assert GYM.find_actor_rigid_body_handle(env, 0, "tail") == INVALID_HANDLE
    assert GYM.find_actor_rigid_body_index(env, 0, "tail", DOMAIN_SIM) == INVALID_HANDLE
    assert GYM.find_actor_dof_index(env, 0, "tail", DOMAIN_SIM) == INVALID_HANDLE
    with pytest.raises(IndexError, match="no actor handle -1"):
        GYM.get_actor_name(env, INVALID_HANDLE)


def test_handles_may_be_tensors_and_domains_plain_integers(world):
    env = world.sim.envs[torch.tensor(2)]
    assert GYM.get_actor_index(env, torch.tensor(0), 2) == 2
    assert GYM.find_actor_rigid_body_index(env, torch.tensor(0), "FL_hip", 2) == 2 * NUM_BODIES + 1
    assert GYM.get_actor_rigid_body_handle(env, 0, torch.tensor(3)) == 3
    assert len(GYM.get_actor_rigid_shape_properties(env, torch.tensor(0))) > 0


def test_env_origins_are_zero(world, env):
    assert GYM.get_env_origin(env) == Vec3(0, 0, 0)
    assert GYM.get_env(world.sim, 2) is env


def test_shape_properties_show_what_the_material_tensors_set(tmp_path):
    world = World(body_urdf(tmp_path, ["<geometry><box size='1 1 1'/></geometry>"] * 2), num_envs=3, friction=0.3)
    friction, restitution = torch.tensor([0.5, 0.25, 0.75]), torch.tensor([0.0, 0.125, 0.5])
    GYM.set_actor_rigid_shape_material_tensors(
        world.sim, gymtorch.unwrap_tensor(friction), gymtorch.unwrap_tensor(restitution)
    )
    shapes = GYM.get_actor_rigid_shape_properties(world.sim.envs[1], 0)
    assert [(s.friction, s.restitution) for s in shapes] == [(0.25, 0.125)] * 2


def test_shape_properties_set_at_run_time_change_one_env(tmp_path):
    """A box on a slope of 20° slides below a friction of tan 20° = 0.36; the ground (0) and the box share alike."""
    slope = math.radians(20.0)
    half_turn = 0.5 * slope
    geometry = "<geometry><box size='0.4 0.4 0.1'/></geometry>"
    normal = (math.sin(slope), 0.0, math.cos(slope))
    world = World(body_urdf(tmp_path, [geometry]), num_envs=3, normal=normal, ground_friction=0.0, friction=2.0)
    quat = (0.0, math.sin(half_turn), 0.0, math.cos(half_turn))
    world.set_root(pos=(0.05 * normal[0], 0.0, 0.05 * normal[2]), quat=quat)
    world.step()
    shapes = GYM.get_actor_rigid_shape_properties(world.sim.envs[1], 0)
    for shape in shapes:
        shape.friction = torch.tensor([0.125])
    GYM.set_actor_rigid_shape_properties(world.sim.envs[1], 0, shapes)
    world.step(60)
    speed = world.root[:, 7:10].norm(dim=1)
    assert speed[1] > 0.5  # 9.81 · (sin 20° - 0.0625 · cos 20°) · 0.3 s = 0.83 m/s
    assert speed[[0, 2]].max() < 0.1
    assert GYM.get_actor_rigid_shape_properties(world.sim.envs[1], 0)[0].friction == 0.125


def test_body_properties_set_at_run_time_act_in_the_next_step(tmp_path):
    world = World(body_urdf(tmp_path, []), num_envs=2, gravity=(0.0, 0.0, 0.0))
    world.set_root(pos=(0.0, 0.0, 5.0))
    bodies = GYM.get_actor_rigid_body_properties(world.sim.envs[1], 0)
    bodies[0].mass *= 4.0
    GYM.set_actor_rigid_body_properties(world.sim.envs[1], 0, bodies, recomputeInertia=True)
    force = torch.zeros(2, 3)
    force[:, 1] = 80.0
    GYM.apply_rigid_body_force_tensors(world.sim, gymtorch.unwrap_tensor(force), None, gymapi.ENV_SPACE)
    world.step()
    assert world.root[:, 8].tolist() == pytest.approx([80.0 / 2.0 * 0.005, 80.0 / 8.0 * 0.005], rel=TOL)
    assert world.root[:, 2].tolist() == pytest.approx([5.0, 5.0])


def test_inverse_mass_and_inertia_are_those_of_mass_and_inertia(tmp_path):
    world = World(body_urdf(tmp_path, []), num_envs=1)
    (body,) = GYM.get_actor_rigid_body_properties(world.sim.envs[0], 0)
    body.mass *= 4.0
    GYM.set_actor_rigid_body_properties(world.sim.envs[0], 0, [body], recomputeInertia=True)
    (body,) = GYM.get_actor_rigid_body_properties(world.sim.envs[0], 0)
    assert body.invMass == pytest.approx(1.0 / 8.0)
    inertia, inverse = (np.array([tuple(row) for row in matrix]) for matrix in (body.inertia, body.invInertia))
    np.testing.assert_allclose(inertia[0], [4 * 0.02, 4 * 0.001, 4 * 0.002], rtol=1e-6)
    np.testing.assert_allclose(inertia @ inverse, np.eye(3), atol=1e-5)


def test_dof_states_of_one_actor_can_be_read_and_written(world, env):
    world.set_dofs(STANCE)
    states = GYM.get_actor_dof_states(env, 0, STATE_ALL)
    assert states["pos"] == pytest.approx(STANCE, abs=TOL)
    states["pos"], states["vel"] = np.arange(12) / 16.0, 3.0
    GYM.set_actor_dof_states(env, 0, states, STATE_POS)
    world.refresh()
    assert world.dof[2, :, 0].tolist() == pytest.approx((np.arange(12) / 16.0).tolist())
    assert world.dof[1, :, 0].tolist() == pytest.approx(STANCE, abs=TOL)
    assert not world.dof[..., 1].any()


def test_body_states_of_one_actor_are_its_rows_of_the_tensor(world, env):
    world.set_root(pos=(1.0, 2.0, 3.0), quat=(0.6, 0.0, 0.0, 0.8), linear=(5.0, 7.0, 11.0), angular=(0.0, 0.2, 0.3))
    world.step()
    states = GYM.get_actor_rigid_body_states(env, 0, STATE_ALL)
    row, expected = states[8], world.body[2, 8].tolist()
    flat = [*row["pose"]["p"].tolist(), *row["pose"]["r"].tolist(), *row["vel"]["linear"].tolist()]
    assert flat + list(row["vel"]["angular"].tolist()) == pytest.approx(expected)
    assert not GYM.get_actor_rigid_body_states(env, 0, STATE_POS)["vel"]["linear"]["x"].any()


def test_sim_params_are_copied_in_and_out(tmp_path):
    world = World(body_urdf(tmp_path, []))
    params = GYM.get_sim_params(world.sim)
    params.gravity.z = -3.0
    GYM.set_sim_params(world.sim, params)
    params.gravity.z = 7.0
    assert GYM.get_sim_params(world.sim).gravity == Vec3(0.0, 0.0, -3.0)
    world.step()
    assert world.root[0, 9].item() == pytest.approx(-3.0 * 0.005)


def test_columns_of_dof_properties_become_tensors(world, env):
    for properties in (GYM.get_asset_dof_properties(world.asset), GYM.get_actor_dof_properties(env, 0)):
        assert torch.from_numpy(properties["effort"]).tolist() == [44.0, 44.0, 55.0] * 4


def test_actors_cannot_be_added_to_a_prepared_simulation(world, env):
    with pytest.raises(RuntimeError, match="after prepare_sim"):
        GYM.create_actor(env, world.asset, gymapi.Transform(), "late")
    with pytest.raises(RuntimeError, match="create_env after prepare_sim"):
        GYM.create_env(world.sim, gymapi.Vec3(), gymapi.Vec3(), 1)


@pytest.mark.parametrize("call", [GYM.simulate, GYM.refresh_dof_state_tensor, GYM.get_overflow_count_tensor])
def test_calls_on_the_engine_of_a_simulation_without_envs_say_so(call):
    sim = GYM.create_sim(0, -1, gymapi.SIM_PHYSX, gymapi.SimParams())
    with pytest.raises(RuntimeError, match="the simulation has no envs; call create_env and create_actor"):
        call(sim)


# ---- viewer ----------------------------------------------------------------------------------------------------


def test_viewer_loop_runs_without_a_display(world):
    viewer = GYM.create_viewer(world.sim, gymapi.CameraProperties())
    GYM.subscribe_viewer_keyboard_event(viewer, gymapi.KEY_ESCAPE, "QUIT")
    assert not GYM.query_viewer_has_closed(viewer)
    assert list(GYM.query_viewer_action_events(viewer)) == []
    GYM.step_graphics(world.sim)
    GYM.draw_viewer(viewer, world.sim, True)
    GYM.sync_frame_time(world.sim)
    GYM.poll_viewer_events(viewer)
    GYM.set_rigid_body_color(world.sim.envs[0], 0, 0, gymapi.MESH_VISUAL, Vec3(1, 0, 0))


def test_viewer_camera_stays_where_it_was_put(world):
    viewer = GYM.create_viewer(world.sim, gymapi.CameraProperties())
    GYM.viewer_camera_look_at(viewer, None, Vec3(1, 2, 3), Vec3(1, 2 + 3, 3 + 4))
    camera = GYM.get_viewer_camera_transform(viewer, None)
    assert camera.p == Vec3(1, 2, 3)
    assert list(camera.r.rotate(Vec3(0, 0, 1))) == pytest.approx([0.0, 0.6, 0.8])  # forward
    assert list(camera.r.rotate(Vec3(0, 1, 0))) == pytest.approx([0.0, -0.8, 0.6])  # up
    assert list(camera.r.rotate(Vec3(1, 0, 0))) == pytest.approx([-1.0, 0.0, 0.0])  # left


def test_a_viewers_picture_shows_what_is_before_its_camera(tmp_path):
    """A red ball before a plane, which fills the lower half of the picture."""
    sim = GYM.create_sim(0, -1, gymapi.SIM_PHYSX, gymapi.SimParams(up_axis=1, gravity=(0.0, 0.0, 0.0)))
    GYM.add_ground(sim, gymapi.PlaneParams(normal=Vec3(0, 0, 1)))
    sphere = '<geometry><sphere radius="0.1"/></geometry>'
    (tmp_path / "ball.urdf").write_text(
        f'<robot name="b"><link name="b"><visual>{sphere}<material name="red"><color rgba="1 0 0 1"/></material>'
        f"</visual><collision>{sphere}</collision></link></robot>"
    )
    asset = GYM.load_asset(sim, str(tmp_path), "ball.urdf", gymapi.AssetOptions())
    env = GYM.create_env(sim, Vec3(), Vec3(), 1)
    GYM.create_actor(env, asset, gymapi.Transform(Vec3(3, 0, 1)), "ball", 0, 1)
    viewer = GYM.create_viewer(sim, gymapi.CameraProperties(width=64, height=48))
    GYM.viewer_camera_look_at(viewer, None, Vec3(2, 0, 1), Vec3(3, 0, 1))
    GYM.write_viewer_image_to_file(viewer, str(tmp_path / "frames" / "0.png"))
    image = imread(tmp_path / "frames" / "0.png")[..., :3]
    assert image.shape == (48, 64, 3)
    red = image[..., 0] - image[..., 1] > 0.3
    # seen from 1 m by a lens of 90 degrees, 32 pixels to 1: the ball has a radius of 32 · 0.1 / sqrt(1 - 0.01)
    assert red[24, 32] and red.sum() == pytest.approx(np.pi * 3.2**2, rel=0.15)
    assert not red[:, :25].any() and np.abs(image[4, 4] - image[44, 4]).max() > 0.1  # sky and ground


def test_a_picture_without_a_viewer_is_not_written_and_a_warning_says_so(world, tmp_path):
    with pytest.warns(RuntimeWarning, match="write_viewer_image_to_file"):
        GYM.write_viewer_image_to_file(None, str(tmp_path / "frame.png"))
    assert list(tmp_path.iterdir()) == []


def test_robots_of_a_prepared_simulation_cannot_be_scaled(env):
    with pytest.raises(RuntimeError, match="set_actor_scale after prepare_sim"):
        GYM.set_actor_scale(env, 0, 1.1)
