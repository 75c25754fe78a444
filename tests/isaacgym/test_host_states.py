"""States and targets set from the host, before and after `prepare_sim`, against C MuJoCo's kinematics and by hand."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from isaacgym import gymapi, gymtorch
from isaacgym.engine.model import build_spec
from isaacgym.gymapi import STATE_ALL, STATE_POS, STATE_VEL
from tests.isaacgym.worlds import ALIENGO, SHAPES, STANCE, body_urdf

GYM = gymapi.acquire_gym()
TOL = 1e-5  # single precision, metres and radians
TURN = Rotation.from_rotvec([0.3, -0.4, 0.5])
INERTIA = '<mass value="1"/><inertia ixx=".1" iyy=".1" izz=".1"/>'
LINK = f'<link name="{{0}}"><inertial><origin xyz="{{1}}"/>{INERTIA}</inertial></link>'
JOINT = (
    '<joint name="{0}" type="{1}"><parent link="{2}"/><child link="{3}"/><origin xyz="{4}" rpy="{5}"/><axis xyz="{6}"/>'
    '<limit lower="-3" upper="3" effort="9" velocity="9"/></joint>'
)
LINKS = LINK.format("base", "0 0 0") + LINK.format("upper", ".1 0 .02") + LINK.format("slider", "0 .05 0")
ARM = (
    f'<robot name="arm">{LINKS}'
    f"{JOINT.format('turn', 'revolute', 'base', 'upper', '.1 .2 .3', '.1 .2 .3', '0 1 1')}"
    f"{JOINT.format('slide', 'prismatic', 'upper', 'slider', '.3 0 0', '0 .5 0', '1 0 0')}</robot>"
)


def make(path, num_envs: int = 1, gravity: float = 0.0, spacing: float = 0.0, **options):
    """A simulation that is not prepared; the base of env k at (k, 2k, 3), turned."""
    params = gymapi.SimParams(dt=0.005, substeps=1, up_axis=1, gravity=(0.0, 0.0, gravity))
    sim = GYM.create_sim(0, -1, gymapi.SIM_PHYSX, params)
    asset = GYM.load_asset(sim, str(path.parent), path.name, gymapi.AssetOptions(**options))
    for k in range(num_envs):
        env = GYM.create_env(sim, gymapi.Vec3(), gymapi.Vec3(spacing, spacing, 0.0), num_envs)
        pose = gymapi.Transform(gymapi.Vec3(k, 2 * k, 3), gymapi.Quat(*TURN.as_quat()))
        GYM.create_actor(env, asset, pose, "robot", k, 1)
    return sim


def dof_states(positions, velocities=None) -> np.ndarray:
    states = np.zeros(len(positions), dtype=gymapi.DofState.dtype)
    states["pos"], states["vel"] = positions, np.zeros(len(positions)) if velocities is None else velocities
    return states


def mujocos_bodies(sim, k: int, positions) -> np.ndarray:
    """Poses of env k's bodies by C MuJoCo, quaternions xyzw."""
    model = build_spec(sim.asset.robot, 0.005).compile()
    data = mujoco.MjData(model)
    data.qpos[:] = [k, 2 * k, 3, *TURN.as_quat(scalar_first=True), *positions]
    mujoco.mj_kinematics(model, data)
    return np.column_stack([data.xpos[1:], np.roll(data.xquat[1:], -1, axis=1)])


def poses(records: np.ndarray) -> np.ndarray:
    return records.view(np.float32).reshape(len(records), 13)[:, :7]


def same_poses(ours: np.ndarray, theirs: np.ndarray) -> None:
    np.testing.assert_allclose(ours[:, :3], theirs[:, :3], atol=TOL)
    np.testing.assert_allclose(np.abs((ours[:, 3:] * theirs[:, 3:]).sum(axis=1)), 1.0, atol=TOL)  # q and -q are one


@pytest.fixture
def arm(tmp_path):
    (tmp_path / "arm.urdf").write_text(ARM)
    return tmp_path / "arm.urdf"


@pytest.mark.parametrize("prepared", [False, True])
def test_bodies_are_where_the_dofs_put_them(prepared):
    sim = make(ALIENGO, num_envs=2, collapse_fixed_joints=True)
    env = sim.envs[1]
    positions = np.array(STANCE) + np.linspace(-0.2, 0.2, 12)
    GYM.set_actor_dof_states(env, 0, dof_states(positions), STATE_ALL)
    if prepared:
        GYM.prepare_sim(sim)
        GYM.refresh_dof_state_tensor(sim)
        shown = gymtorch.wrap_tensor(GYM.acquire_dof_state_tensor(sim)).view(2, 12, 2)
        np.testing.assert_allclose(shown[1, :, 0], positions, atol=TOL)
        assert not shown[0].any()
    np.testing.assert_allclose(GYM.get_actor_dof_states(env, 0, STATE_POS)["pos"], positions, atol=TOL)
    if not prepared:  # after it, poses are those after the last `simulate`
        theirs = mujocos_bodies(sim, 1, positions)
        same_poses(poses(GYM.get_actor_rigid_body_states(env, 0, STATE_ALL)), theirs)
        same_poses(poses(GYM.get_sim_rigid_body_states(sim, STATE_ALL))[-17:], theirs)
        foot = GYM.get_rigid_transform(env, GYM.find_actor_rigid_body_handle(env, 0, "RL_foot"))
        np.testing.assert_allclose([*foot.p], theirs[12, :3], atol=TOL)


def test_the_simulation_begins_with_states_and_targets_set_before(arm):
    sim = make(arm, default_dof_drive_mode=gymapi.DOF_MODE_POS, fix_base_link=True)
    env = sim.envs[0]
    properties = GYM.get_actor_dof_properties(env, 0)
    properties["stiffness"], properties["damping"] = 400.0, 40.0
    GYM.set_actor_dof_properties(env, 0, properties)
    GYM.set_actor_dof_states(env, 0, dof_states([0.5, -0.2], [9.0, 9.0]), STATE_POS)
    GYM.set_actor_dof_position_targets(env, 0, [0.7, 0.1])
    GYM.prepare_sim(sim)
    assert GYM.get_actor_dof_states(env, 0, STATE_ALL)["vel"].tolist() == [0.0, 0.0]
    for _ in range(1000):
        GYM.simulate(sim)
    np.testing.assert_allclose(GYM.get_actor_dof_states(env, 0, STATE_POS)["pos"], [0.7, 0.1], atol=1e-3)  # at rest
    GYM.set_actor_dof_position_targets(env, 0, np.array([-0.3, 0.2]))
    for _ in range(1000):
        GYM.simulate(sim)
    np.testing.assert_allclose(GYM.get_actor_dof_states(env, 0, STATE_POS)["pos"], [-0.3, 0.2], atol=1e-3)
    with pytest.raises(ValueError, match="actor 'robot' has 2 DOFs, got 3 targets"):
        GYM.set_actor_dof_position_targets(env, 0, [1.0, 2.0, 3.0])


def test_a_recorded_state_comes_back(arm):
    """Positions and velocities of all bodies are read, and set again after the robots have moved on."""
    sim = make(arm, num_envs=3, spacing=5.0)
    GYM.prepare_sim(sim)
    dofs = gymtorch.wrap_tensor(GYM.acquire_dof_state_tensor(sim)).view(3, 2, 2)
    roots = gymtorch.wrap_tensor(GYM.acquire_actor_root_state_tensor(sim))
    dofs[:] = torch.tensor([[[0.3, 1.0], [0.1, -0.5]], [[-0.7, 2.0], [0.2, 0.3]], [[1.1, -1.0], [-0.4, 0.1]]])
    GYM.set_dof_state_tensor(sim, gymtorch.unwrap_tensor(dofs))
    roots[:, 7:] = torch.tensor([0.3, -0.2, 0.5, 1.0, 2.0, -1.0])
    GYM.set_actor_root_state_tensor(sim, gymtorch.unwrap_tensor(roots))
    GYM.simulate(sim)
    recorded = GYM.get_sim_rigid_body_states(sim, STATE_ALL)
    GYM.refresh_dof_state_tensor(sim)
    GYM.refresh_actor_root_state_tensor(sim)
    expected = dofs.clone(), roots.clone()
    for _ in range(50):
        GYM.simulate(sim)
    GYM.set_sim_rigid_body_states(sim, recorded, STATE_ALL)
    GYM.refresh_dof_state_tensor(sim)
    GYM.refresh_actor_root_state_tensor(sim)
    np.testing.assert_allclose(dofs, expected[0], atol=1e-4)
    np.testing.assert_allclose(roots, expected[1], atol=1e-4)
    with pytest.raises(ValueError, match="the simulation has 9 bodies, got 8 states"):
        GYM.set_sim_rigid_body_states(sim, recorded[1:], STATE_ALL)


def test_velocities_alone_leave_poses(tmp_path):
    sim = make(body_urdf(tmp_path, [], com="0 0 0"))
    GYM.prepare_sim(sim)
    env = sim.envs[0]
    states = GYM.get_actor_rigid_body_states(env, 0, STATE_ALL)
    states["pose"]["p"]["z"], states["vel"]["linear"]["x"] = 9.0, 2.0
    GYM.set_actor_rigid_body_states(env, 0, states, STATE_VEL)
    GYM.simulate(sim)
    after = GYM.get_rigid_transform(env, 0)
    assert (after.p.x, after.p.z) == pytest.approx((0.01, 3.0), abs=TOL)
    assert GYM.get_rigid_linear_velocity(env, 0).x == pytest.approx(2.0)


def test_a_dof_frame_lies_on_the_axis(arm):
    sim = make(arm)
    env = sim.envs[0]
    GYM.set_actor_dof_states(env, 0, dof_states([0.5, -0.2]), STATE_ALL)
    frame = GYM.get_dof_frame(env, 0)
    np.testing.assert_allclose([*frame.origin], [0, 0, 3] + TURN.apply([0.1, 0.2, 0.3]), atol=TOL)
    mount = TURN * Rotation.from_euler("xyz", [0.1, 0.2, 0.3])
    np.testing.assert_allclose([*frame.axis], mount.apply([0.0, 0.5**0.5, 0.5**0.5]), atol=TOL)
    slide = GYM.get_dof_frame(env, 1).axis
    turned = mount * Rotation.from_rotvec(0.5 * np.array([0.0, 0.5**0.5, 0.5**0.5])) * Rotation.from_euler("y", 0.5)
    np.testing.assert_allclose([*slide], turned.apply([1.0, 0.0, 0.0]), atol=TOL)
    assert GYM.get_dof_type_string(GYM.get_asset_dof_type(sim.asset, 1)) == "Translation"
    with pytest.raises(IndexError, match="env 0 has no DOF 2"):
        GYM.get_dof_frame(env, 2)


@pytest.mark.parametrize("space", [gymapi.ENV_SPACE, gymapi.GLOBAL_SPACE, gymapi.LOCAL_SPACE])
def test_a_force_at_a_point_turns_a_body_as_newton_and_euler_say(tmp_path, space):
    """One step from rest: m v = F h, I w = (p - c) x F h, with inertia as in the file."""
    sim = make(body_urdf(tmp_path, [], com="0.1 0.05 -0.02"), num_envs=2, spacing=4.0)
    GYM.prepare_sim(sim)
    k, force, lever = 1, np.array([0.3, -0.5, 0.7]), np.array([0.2, 0.3, -0.1])
    com, position = np.array([0.1, 0.05, -0.02]), np.array([k, 2 * k, 3])
    if space == gymapi.LOCAL_SPACE:
        point, force_b = com + lever, force
    else:
        origin = np.array(tuple(GYM.get_env_origin(sim.envs[k]))) if space == gymapi.GLOBAL_SPACE else np.zeros(3)
        point, force_b = origin + position + TURN.apply(com + lever), TURN.apply(force, inverse=True)
    forces, points = torch.zeros(2, 3), torch.zeros(2, 3)
    forces[k], points[k] = torch.from_numpy(force), torch.from_numpy(point)
    GYM.apply_rigid_body_force_at_pos_tensors(
        sim, gymtorch.unwrap_tensor(forces), gymtorch.unwrap_tensor(points), space
    )
    GYM.simulate(sim)
    roots = gymtorch.wrap_tensor(GYM.acquire_actor_root_state_tensor(sim))
    GYM.refresh_actor_root_state_tensor(sim)
    inertia = np.array([[0.02, 0.001, 0.002], [0.001, 0.03, 0.003], [0.002, 0.003, 0.04]])
    spin = np.linalg.solve(inertia, np.cross(lever, force_b)) * 0.005
    np.testing.assert_allclose(roots[k, 10:13], TURN.apply(spin), rtol=2e-3)
    np.testing.assert_allclose(roots[k, 7:10], TURN.apply(force_b) * 0.005 / 2.0, rtol=2e-3, atol=1e-5)
    assert not roots[0, 7:].any()


def test_a_scaled_actor_is_a_larger_body_of_the_same_density(tmp_path):
    sphere = body_urdf(tmp_path, [f"<geometry>{SHAPES['sphere'][0]}</geometry>"], com="0 0 0")
    params = gymapi.SimParams(dt=0.005, substeps=1, up_axis=1, gravity=(0.0, 0.0, -9.81))
    sim = GYM.create_sim(0, -1, gymapi.SIM_PHYSX, params)
    GYM.add_ground(sim, gymapi.PlaneParams(normal=gymapi.Vec3(0, 0, 1)))
    asset = GYM.load_asset(sim, str(tmp_path), sphere.name, gymapi.AssetOptions())
    env = GYM.create_env(sim, gymapi.Vec3(), gymapi.Vec3(), 1)
    GYM.create_actor(env, asset, gymapi.Transform(gymapi.Vec3(0, 0, 0.5)), "ball", 0, 1)
    GYM.set_actor_scale(env, 0, 2.0)
    (properties,) = GYM.get_actor_rigid_body_properties(env, 0)
    assert (properties.mass, properties.inertia.x.x) == pytest.approx((8 * 2.0, 32 * 0.02))
    for _ in range(300):
        GYM.simulate(sim)
    assert GYM.get_rigid_transform(env, 0).p.z == pytest.approx(0.2, abs=2e-3)
    contact = gymtorch.wrap_tensor(GYM.acquire_net_contact_force_tensor(sim))
    GYM.refresh_net_contact_force_tensor(sim)
    assert contact[0, 2].item() == pytest.approx(16.0 * 9.81, rel=0.01)
    with pytest.raises(RuntimeError, match="set_actor_scale after prepare_sim"):
        GYM.set_actor_scale(env, 0, 1.0)


def test_dof_states_of_another_type_are_refused(arm):
    sim = make(arm, fix_base_link=True)
    for states in (np.zeros((2, 2), dtype=np.float32), [0.0, 0.0]):
        with pytest.raises(TypeError, match=r"takes an array of gymapi.DofState.dtype.*got an array of float"):
            GYM.set_actor_dof_states(sim.envs[0], 0, states, gymapi.STATE_ALL)
