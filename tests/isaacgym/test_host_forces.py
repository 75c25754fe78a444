"""Calls that push, set and ask for single bodies and joints, by hand; and what is said of calls that we do not have."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from isaacgym import gymapi, gymtorch
from isaacgym.gymapi import ENV_SPACE, GLOBAL_SPACE, LOCAL_SPACE, STATE_ALL, Quat, Transform, Vec3
from tests.isaacgym.test_several_actors import ARM, Stage

GYM = gymapi.acquire_gym()
DT = 0.005
TOL = 1e-5  # single precision after a step


@pytest.fixture
def box() -> Stage:
    """A box of 8 kg, 0.2 m wide, in space, turned by 90° about z; the second env's origin is 3 m away along x."""
    stage = Stage(num_envs=2, spacing=3.0, gravity=0.0)
    half = math.sqrt(0.5)
    stage.add(stage.box(0.2, 0.2, 0.2), (0, 0, 1), (0, 0, half, half))
    stage.prepare()
    return stage


def test_a_force_acts_during_one_step_along_the_axes_asked_for(box):
    env = box.envs[1]
    GYM.apply_body_forces(env, 0, Vec3(16, 0, 0), None, LOCAL_SPACE)  # the world's y
    GYM.apply_body_forces(env, 0, Vec3(0, 0, 24), Vec3(), ENV_SPACE)
    box.step(2)
    velocity = [0, 16 / 8 * DT, 24 / 8 * DT]
    assert [*GYM.get_rigid_linear_velocity(env, 0)] == pytest.approx(velocity, abs=TOL)
    assert box.root[0, 0, 7:].eq(0).all()


@pytest.mark.parametrize(
    ("point", "space"),
    [((0.1, 0, 1), ENV_SPACE), ((3.1, 0, 1), GLOBAL_SPACE), ((0, -0.1, 0), LOCAL_SPACE)],
)
def test_a_force_beside_the_centre_turns(box, point, space):
    """Upwards, 0.1 m from the centre along the world's x: a torque of -2 N·m about y."""
    env = box.envs[1]
    GYM.apply_body_force_at_pos(env, 0, Vec3(0, 0, 20), Vec3(*point), space)
    box.step()
    inertia = 8 * (0.2**2 + 0.2**2) / 12
    assert [*GYM.get_rigid_angular_velocity(env, 0)] == pytest.approx([0, -2.0 / inertia * DT, 0], abs=1e-4)


def test_forces_add_up_with_those_of_tensors(box):
    forces = torch.zeros(2, 3)
    forces[1, 0] = 8.0
    GYM.apply_rigid_body_force_tensors(box.sim, gymtorch.unwrap_tensor(forces), None, LOCAL_SPACE)
    GYM.apply_body_forces(box.envs[1], 0, Vec3(8, 0, 0))
    box.step()
    assert box.root[1, 0, 7:10].tolist() == pytest.approx([DT, DT, 0], abs=TOL)


def test_roots_are_set_one_by_one(box):
    env = box.envs[1]
    turn = Rotation.from_euler("xyz", [0.3, -0.4, 2.0]).as_quat()
    GYM.set_rigid_transform(env, 0, Transform(Vec3(1, 2, 5), Quat(*turn)))
    GYM.set_rigid_linear_velocity(env, 0, Vec3(1, -2, 0.5))
    GYM.set_rigid_angular_velocity(env, 0, Vec3(0, 0, 3))
    box.refresh()
    expected = torch.tensor([1, 2, 5, *turn.tolist(), 1, -2, 0.5, 0, 0, 3])
    torch.testing.assert_close(box.root[1, 0], expected, atol=TOL, rtol=0)
    torch.testing.assert_close(box.root[0, 0, :3], torch.tensor([0.0, 0.0, 1.0]))


# --- joints -----------------------------------------------------------------------------------------------------------


def arms(tmp_path, mode) -> Stage:
    """A ball, and an arm after it, so that handles in the env are not those in the actor."""
    (tmp_path / "arm.urdf").write_text(ARM)
    stage = Stage(num_envs=2, gravity=0.0)
    stage.add(stage.ball(0.1), (2, 0, 1), name="ball")
    asset = stage.load(tmp_path / "arm.urdf", fix_base_link=True, default_dof_drive_mode=mode)
    stage.add(asset, (0, 0, 2), name="arm", filter=1)
    return stage


def test_efforts_act_during_one_step_and_beside_those_of_tensors(tmp_path):
    stage = arms(tmp_path, gymapi.DOF_MODE_EFFORT)
    env, sim = stage.envs[1], stage.sim
    stage.prepare()
    GYM.set_dof_actuation_force_tensor(sim, gymtorch.unwrap_tensor(torch.tensor([[0.3, 0.2], [0.2, 0.1]])))
    GYM.apply_actor_dof_efforts(env, 1, [0.1, 0.0])
    GYM.apply_dof_effort(env, GYM.find_actor_dof_handle(env, 1, "elbow"), 0.1)
    stage.step()
    torch.testing.assert_close(stage.dof[0], stage.dof[1])  # both had 0.3 and 0.2
    before = stage.dof[:, :, 1].clone()
    stage.step()
    gained = stage.dof[:, :, 1] - before
    torch.testing.assert_close(gained[1], before[1] * torch.tensor([2 / 3, 1 / 2]), atol=2e-3, rtol=0)
    with pytest.raises(ValueError, match="actor 'arm' has 2 DOFs, got 3 efforts"):
        GYM.apply_actor_dof_efforts(env, 1, [0.0, 0.0, 0.0])


def test_joints_are_asked_and_driven_one_by_one(tmp_path):
    stage = arms(tmp_path, gymapi.DOF_MODE_POS)
    env = stage.envs[1]
    for each in stage.envs:
        GYM.set_actor_dof_properties(each, 1, {"stiffness": 200.0, "damping": 20.0})
    elbow = GYM.get_joint_handle(env, "arm", "elbow")
    assert elbow == GYM.find_actor_joint_handle(env, 1, "elbow") == 1
    assert GYM.find_actor_joint_index(env, 1, "elbow", gymapi.DOMAIN_SIM) == 3
    assert GYM.get_joint_handle(env, "arm", "nose") == GYM.get_joint_handle(env, "leg", "elbow") == -1
    assert GYM.get_joint_name(env, elbow) == "elbow"
    kind = GYM.get_asset_joint_type(env.actors[1].asset, 1)
    assert (kind, GYM.get_joint_type_string(kind)) == (gymapi.JOINT_REVOLUTE, "Revolute")
    stage.prepare()
    GYM.set_dof_target_position(env, elbow, 0.5)
    stage.step(400)
    assert GYM.get_dof_target_position(env, elbow) == 0.5
    assert GYM.get_dof_position(env, elbow) == pytest.approx(0.5, abs=1e-3)
    assert GYM.get_dof_velocity(env, elbow) == pytest.approx(0.0, abs=1e-3)
    assert GYM.get_actor_dof_states(stage.envs[0], 1, STATE_ALL)["pos"].tolist() == pytest.approx([0, 0], abs=1e-4)
    frames = GYM.get_actor_dof_frames(env, 1)
    assert frames["origin"].tolist() == [pytest.approx((0, 0, 2), abs=1e-3), pytest.approx((0, 0, 1.7), abs=1e-3)]
    assert frames["axis"].tolist() == [pytest.approx((0, 1, 0), abs=1e-3), pytest.approx((1, 0, 0), abs=1e-3)]
    assert GYM.get_rigid_name(env, 3) == "lower"
    with pytest.raises(ValueError, match="body 'lower' of actor 'arm' is moved by joints; set its root, 'mount'"):
        GYM.set_rigid_linear_velocity(env, 3, Vec3())
    with pytest.raises(IndexError, match="env 1 has no DOF 2"):
        GYM.get_dof_position(env, 2)


# --- what is read -----------------------------------------------------------------------------------------------------


def test_a_resting_box_presses_with_its_weight_on_its_sensor_and_body():
    stage = Stage(num_envs=2)
    asset = stage.box(0.2, 0.2, 0.2)
    GYM.create_asset_force_sensor(asset, 0, Transform())
    stage.add(asset, (0, 0, 0.1))
    stage.prepare()
    stage.step(200)
    weight = pytest.approx(8 * 9.81, rel=0.02)
    assert GYM.get_env_rigid_contact_forces(stage.envs[1])["z"][0] == weight
    assert GYM.get_rigid_contact_forces(stage.sim)["z"][1] == weight
    sensor = GYM.get_actor_force_sensor(stage.envs[1], 0, 0)
    assert sensor.get_forces().force.z == weight and sensor.get_global_index() == 1
    with pytest.raises(IndexError, match="actor 'thing' has 1 force sensors, so none has number 1"):
        GYM.get_actor_force_sensor(stage.envs[1], 0, 1)


def test_structs_are_read_from_records_and_numbers():
    states = np.zeros(2, dtype=gymapi.RigidBodyState.dtype)
    states["pose"]["p"]["y"], states["pose"]["r"]["w"] = 3.0, 1.0
    pose = gymapi.Transform.from_buffer(states["pose"][1])
    assert pose == Transform(Vec3(0, 3, 0)) == gymapi.Transform.from_buffer(np.array([0, 3, 0, 0, 0, 0, 1]))
    assert Vec3.from_buffer(states["pose"]["p"][0]) == Vec3(0, 3, 0)
    assert Quat.from_buffer([0, 0, 1, 0]) == Quat(0, 0, 1, 0)
    with pytest.raises(ValueError, match="expected 3 numbers, got 4"):
        Vec3.from_buffer([1, 2, 3, 4])


def test_what_there_is_not_is_said_with_another_way():
    for holder, name, way in [
        (GYM, "create_performance_timers", "torch.profiler"),
        (gymapi, "UsdExportOptions", "load_asset"),
        (GYM, "load_usd", "load_asset"),
    ]:
        with pytest.raises(AttributeError, match=f"{name}: .*{way}"):
            getattr(holder, name)
    assert not hasattr(GYM, "fly") and not hasattr(gymapi, "fly")
