"""What scripts of others take for granted about filters, aggregates, indices and the sameness of envs."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from isaacgym import gymapi, gymtorch
from isaacgym.assets.description import Body, RobotDescription, Shape
from isaacgym.engine.model import build_spec
from isaacgym.gymapi import AssetOptions, Quat, Transform, Vec3
from tests.isaacgym.test_several_actors import ARM, Stage, ids

GYM = gymapi.acquire_gym()
TOL = 2e-3  # [m] after contacts, single precision
FRICTION = 0.2


@pytest.fixture
def arm(tmp_path):
    (tmp_path / "arm.urdf").write_text(ARM)
    return tmp_path / "arm.urdf"


# --- filters ----------------------------------------------------------------------------------------------------------


def test_shapes_collide_as_ten_different_filters_say():
    filters = [0, 7, 16, 12, 56, 2, 33, 128, 192, 64]
    zero, unit = np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0])
    ball = Shape("sphere", (0.1, 0.0, 0.0), zero, unit)
    bodies = [
        Body(f"b{k}", min(k, 1) - 1, zero + [k, 0, 0], unit, 1.0, zero, np.eye(3), [ball]) for k in range(len(filters))
    ]
    model = build_spec(RobotDescription("r", bodies).with_filters(filters), 0.005, self_collision=True).compile()
    for a, b in combinations(range(len(filters)), 2):
        first, second = a + 1, b + 1  # geom 0 is the terrain
        touch = model.geom_contype[first] & model.geom_conaffinity[second]
        touch |= model.geom_contype[second] & model.geom_conaffinity[first]
        assert bool(touch) == (filters[a] & filters[b] == 0), (filters[a], filters[b])


def test_filters_set_after_create_actor_count_until_prepare_sim():
    stage = Stage()
    box = stage.box(0.2, 0.2, 0.2)
    stage.add(box, (0, 0, 0.1))
    stage.add(box, (0, 0, 0.35))
    for actor in range(2):
        shapes = GYM.get_actor_rigid_shape_properties(stage.envs[0], actor)
        shapes[0].filter = 4
        GYM.set_actor_rigid_shape_properties(stage.envs[0], actor, shapes)
    stage.prepare()
    stage.step(200)
    torch.testing.assert_close(stage.root[0, :, 2], torch.tensor([0.1, 0.1]), atol=TOL, rtol=0)  # one in the other
    shapes = GYM.get_actor_rigid_shape_properties(stage.envs[0], 0)
    assert shapes[0].filter == 4
    shapes[0].filter = 0
    with pytest.raises(RuntimeError, match="collision filters cannot change after prepare_sim"):
        GYM.set_actor_rigid_shape_properties(stage.envs[0], 0, shapes)


@pytest.mark.parametrize(("self_collisions", "height"), [(False, 0.1), (True, 0.3)])
def test_actors_of_an_aggregate_touch_each_other_if_it_says_so(self_collisions, height):
    stage = Stage()
    box = stage.box(0.2, 0.2, 0.2)
    GYM.begin_aggregate(stage.envs[0], 2, 2, self_collisions)
    stage.add(box, (0, 0, 0.1))
    stage.add(box, (0, 0, 0.35))
    GYM.end_aggregate(stage.envs[0])
    stage.add(box, (0, 0, 0.6))  # touches both
    stage.prepare()
    stage.step(300)
    heights = torch.tensor([0.1, height, height + 0.2])
    torch.testing.assert_close(stage.root[0, :, 2], heights, atol=TOL, rtol=0)


# --- envs -------------------------------------------------------------------------------------------------------------


def test_assets_loaded_once_for_each_env_are_the_same_actors(arm):
    stage = Stage(num_envs=2)
    for env in stage.envs:
        GYM.create_actor(env, stage.load(arm, fix_base_link=True), Transform(Vec3(0, 0, 2)), "arm", 0, 1)
    stage.prepare()
    assert not stage.sim.is_mixed


# --- indices ----------------------------------------------------------------------------------------------------------


def drives(arm, num_actors: int) -> Stage:
    stage = Stage(num_envs=3, gravity=0.0)
    asset = stage.load(arm, fix_base_link=True, default_dof_drive_mode=gymapi.DOF_MODE_POS)
    for _ in range(num_actors):
        stage.add(asset, (0, 0, 2), filter=1)
    stage.prepare()
    return stage


@pytest.mark.parametrize("num_actors", [1, 2])
def test_indices_below_zero_name_nobody(arm, num_actors):
    stage = drives(arm, num_actors)
    sim, targets = stage.sim, torch.full((3, 2 * num_actors), 0.7)
    GYM.set_dof_position_target_tensor_indexed(sim, gymtorch.unwrap_tensor(targets), ids(-1, 0), 2)
    kept = sim.engine._drives.position_targets
    assert (kept[0, :2] == targets[0, :2]).all() and kept[1:].eq(0).all()  # -1 is not the last
    stage.root[..., 2] = 5.0
    GYM.set_actor_root_state_tensor_indexed(sim, gymtorch.unwrap_tensor(stage.root.view(-1, 13)), ids(-1, 1), 2)
    stage.step()
    raised = torch.zeros(3 * num_actors, dtype=torch.bool)
    raised[1] = True
    assert (stage.root[..., 2].flatten() == torch.where(raised, 5.0, 2.0)).all()


@pytest.mark.parametrize("num_actors", [1, 2])
def test_indices_above_all_actors_are_refused(arm, num_actors):
    stage = drives(arm, num_actors)
    root, dof = (gymtorch.unwrap_tensor(state) for state in (stage.root, stage.dof))
    too_many = ids(0, 3 * num_actors)
    match = rf"actor index {3 * num_actors}: the simulation has {3 * num_actors} actors"
    with pytest.raises(IndexError, match=match):
        GYM.set_actor_root_state_tensor_indexed(stage.sim, root, too_many, 2)
    with pytest.raises(IndexError, match=match):
        GYM.set_dof_state_tensor_indexed(stage.sim, dof, too_many, 2)
    GYM.set_dof_state_tensor_indexed(stage.sim, dof, too_many, 1)  # the second is not asked for


# --- bodies -----------------------------------------------------------------------------------------------------------


def test_gravity_leaves_an_actor_alone_whose_bodies_all_say_so():
    stage = Stage()
    box = stage.box(0.2, 0.2, 0.2)
    for x in (0.0, 1.0):
        stage.add(box, (x, 0, 2))
    bodies = GYM.get_actor_rigid_body_properties(stage.envs[0], 1)
    bodies[0].flags = gymapi.RIGID_BODY_DISABLE_GRAVITY
    GYM.set_actor_rigid_body_properties(stage.envs[0], 1, bodies)
    assert GYM.get_actor_rigid_body_properties(stage.envs[0], 1)[0].flags == 1
    stage.prepare()
    stage.step(20)
    assert stage.root[0, :, 9].tolist() == pytest.approx([-9.81 * 0.1, 0.0], abs=1e-4)
    bodies[0].flags = gymapi.RIGID_BODY_NONE
    with pytest.raises(RuntimeError, match="gravity of an actor cannot be switched on or off after prepare_sim"):
        GYM.set_actor_rigid_body_properties(stage.envs[0], 1, bodies)


def test_options_and_flags_without_effect_are_told(arm, caplog):
    stage = Stage()
    asset = stage.load(arm, linear_damping=1.0, max_angular_velocity=10.0)
    assert "AssetOptions.linear_damping, max_angular_velocity: without effect" in caplog.text
    stage.add(asset, (0, 0, 2))
    bodies = GYM.get_actor_rigid_body_properties(stage.envs[0], 0)
    bodies[1].flags = gymapi.RIGID_BODY_DISABLE_GRAVITY
    GYM.set_actor_rigid_body_properties(stage.envs[0], 0, bodies)
    assert "flags of bodies of 'arm' have no effect" in caplog.text


# --- grounds and DOF properties ---------------------------------------------------------------------------------------


def test_a_mesh_is_turned_and_moved_by_its_transform():
    """A flat square, turned about x, is a slope of 0.3 rad on which a box slides down at g (sin - friction · cos)."""
    params = gymapi.SimParams(dt=0.005, substeps=1, up_axis=1, gravity=(0.0, 0.0, -9.81))
    sim = GYM.create_sim(0, -1, gymapi.SIM_PHYSX, params)
    vertices = np.array([[-5, -5, 0], [5, -5, 0], [-5, 5, 0], [5, 5, 0]], dtype=np.float32)
    triangles = np.array([[0, 1, 2], [1, 3, 2]], dtype=np.uint32)
    mesh = gymapi.TriangleMeshParams(nb_vertices=4, nb_triangles=2, static_friction=FRICTION, dynamic_friction=FRICTION)
    turn = Rotation.from_euler("x", 0.3)
    mesh.transform = Transform(Vec3(0, 0, 1), Quat(*turn.as_quat()))
    GYM.add_triangle_mesh(sim, vertices.flatten(order="C"), triangles.flatten(order="C"), mesh)
    asset = GYM.create_box(sim, 0.2, 0.2, 0.2, AssetOptions())
    (shape,) = GYM.get_asset_rigid_shape_properties(asset)
    shape.friction = FRICTION
    GYM.set_asset_rigid_shape_properties(asset, [shape])
    env = GYM.create_env(sim, Vec3(), Vec3(), 1)
    start = turn.apply([0, 0, 0.1]) + [0, 0, 1]
    GYM.create_actor(env, asset, Transform(Vec3(*start), mesh.transform.r), "box", 0, 0)
    GYM.prepare_sim(sim)
    for _ in range(100):
        GYM.simulate(sim)
    position = GYM.get_rigid_transform(env, 0).p - Vec3(0, 0, 1)
    acceleration = 9.81 * (np.sin(0.3) - FRICTION * np.cos(0.3))
    slid = turn.inv().apply([*position])  # in the mesh's own axes, after half a second
    np.testing.assert_allclose(slid[1:], [-acceleration * 0.5**2 / 2, 0.1], atol=TOL)  # it turns a little, aside


def test_a_height_field_that_is_turned_is_refused():
    params = gymapi.HeightFieldParams(nbRows=4, nbColumns=4)
    params.transform.r = Quat.from_axis_angle(Vec3(0, 0, 1), 1.0)
    with pytest.raises(ValueError, match=r"transform\.r turns the height field"):
        GYM.add_heightfield(Stage().sim, np.zeros(16, dtype=np.int16), params)


def test_dof_properties_are_taken_as_a_dict_of_columns_too(arm):
    stage = Stage()
    stage.add(stage.load(arm, fix_base_link=True), (0, 0, 2))
    GYM.set_actor_dof_properties(stage.envs[0], 0, {"stiffness": [3.0, 5.0], "driveMode": gymapi.DOF_MODE_POS})
    properties = GYM.get_actor_dof_properties(stage.envs[0], 0)
    assert properties["stiffness"].tolist() == [3, 5] and properties["driveMode"].tolist() == [1, 1]
    assert properties["upper"][1] == 1.5  # as it was


def test_indices_in_the_simulation_are_right_while_envs_are_filled(arm):
    """Scripts note an actor's index as soon as they have created it, before the others of its env."""
    sim = Stage().sim
    asset = GYM.load_asset(sim, str(arm.parent), arm.name, AssetOptions())  # 3 bodies, 2 joints
    box = GYM.create_box(sim, 0.1, 0.1, 0.1, AssetOptions())
    noted = []
    sim.envs.clear()
    for _ in range(3):
        env = GYM.create_env(sim, Vec3(), Vec3(), 3)
        for thing in (box, asset):
            handle = GYM.create_actor(env, thing, Transform(), "thing", 0, 1)
            noted.append(GYM.get_actor_index(env, handle, gymapi.DOMAIN_SIM))
            noted.append(GYM.get_actor_rigid_body_index(env, handle, 0, gymapi.DOMAIN_SIM))
        noted.append(GYM.find_actor_dof_index(env, handle, "elbow", gymapi.DOMAIN_SIM))
        noted.append(GYM.find_actor_joint_index(env, handle, "elbow", gymapi.DOMAIN_SIM))
    assert noted == [0, 0, 1, 1, 1, 1, 2, 4, 3, 5, 3, 3, 4, 8, 5, 9, 5, 5]


@pytest.mark.parametrize("engine", ["tree", "mujoco"])
def test_limits_of_joints_that_a_script_sets_hold(arm, engine, caplog):
    """The elbow is torn at: it stops where the script says, not at the file's 1.5 rad; the shoulder, unlimited, too."""
    params = gymapi.SimParams(dt=0.005, substeps=1, up_axis=1, gravity=(0.0, 0.0, 0.0), engine=engine)
    sim = GYM.create_sim(0, -1, gymapi.SIM_PHYSX, params)
    asset = GYM.load_asset(sim, str(arm.parent), arm.name, AssetOptions(fix_base_link=True, default_dof_drive_mode=3))
    for _ in range(2):
        env = GYM.create_env(sim, Vec3(), Vec3(), 1)
        GYM.create_actor(env, asset, Transform(), "arm", 0, 1)
        properties = GYM.get_actor_dof_properties(env, 0)
        properties["hasLimits"][0], properties["lower"][0], properties["upper"][0] = True, -0.25, 0.25
        properties["upper"][1] = 0.5
        GYM.set_actor_dof_properties(env, 0, properties)
    GYM.prepare_sim(sim)
    GYM.set_dof_actuation_force_tensor(sim, gymtorch.unwrap_tensor(torch.tensor([[-0.2, 0.1]] * 2)))
    for _ in range(400):
        GYM.simulate(sim)
    position = GYM.get_actor_dof_states(env, 0, gymapi.STATE_POS)["pos"]
    assert position == pytest.approx([-0.25, 0.5], abs=0.02)
    assert "limits" not in caplog.text


def test_limits_of_joints_in_a_running_simulation_stay_which_is_said(arm, caplog):
    env = drives(arm, 1).envs[0]
    properties = GYM.get_actor_dof_properties(env, 0)
    properties["upper"] = 1.0
    GYM.set_actor_dof_properties(env, 0, properties)
    assert "limits of joints stay what they were at prepare_sim" in caplog.text
    assert GYM.get_actor_dof_properties(env, 0)["upper"][1] == 1.5
    properties["lower"] = 2.0
    with pytest.raises(ValueError, match="joint 'shoulder' of actor 'thing' got a lower limit above the upper one"):
        GYM.set_actor_dof_properties(env, 0, properties)
