"""Fixed bases, gravity switched off or changed, sub-steps and self-collision against C MuJoCo and closed forms."""

from __future__ import annotations

from contextlib import contextmanager

import mujoco
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from isaacgym import gymapi, gymtorch
from isaacgym.assets.urdf import load_urdf
from isaacgym.engine.model import build_spec
from tests.isaacgym.worlds import ALIENGO, STANCE, World, body_urdf

DT = 0.005
TOLERANCE = 1e-4  # float32 against float64 over 0.1 s, positions [rad], [m]; velocities are 20 times worse
QUAT = Rotation.from_euler("xyz", [0.4, -0.7, 1.1])


@contextmanager
def gym_with(filter: int = 1, substeps: int = 1, **options):
    """Worlds built inside have these asset options, this collision filter and number of sub-steps."""
    gym = gymapi.acquire_gym()
    load_asset, create_actor, create_sim = gym.load_asset, gym.create_actor, gym.create_sim

    def load(sim, root, file, asset_options):
        for name, value in options.items():
            setattr(asset_options, name, value)
        return load_asset(sim, root, file, asset_options)

    def create(compute_device, graphics_device, engine, params):
        params.substeps = substeps
        return create_sim(compute_device, graphics_device, engine, params)

    gym.load_asset, gym.create_sim = load, create
    gym.create_actor = lambda env, asset, pose, name, group, _: create_actor(env, asset, pose, name, group, filter)
    try:
        yield
    finally:
        del gym.load_asset, gym.create_actor, gym.create_sim


def c_mujoco(**options) -> tuple[mujoco.MjModel, mujoco.MjData]:
    asset_options = gymapi.AssetOptions(collapse_fixed_joints=True, replace_cylinder_with_capsule=True)
    model = build_spec(load_urdf(ALIENGO, asset_options), DT, **options).compile()
    return model, mujoco.MjData(model)


def test_a_robot_on_a_fixed_base_swings_as_in_c_mujoco():
    with gym_with(fix_base_link=True):
        world = World(ALIENGO, num_envs=2)
    model, data = c_mujoco(fixed_base=True)
    world.root[1, :7] = torch.tensor([1.0, 2.0, 3.0, *QUAT.as_quat()])
    world.gym.set_actor_root_state_tensor(world.sim, gymtorch.unwrap_tensor(world.root))
    world.set_dofs(STANCE)
    model.body_pos[1], model.body_quat[1] = [1.0, 2.0, 3.0], QUAT.as_quat(scalar_first=True)
    data.qpos[:] = STANCE
    for _ in range(20):
        mujoco.mj_step(model, data)
    world.step(20)
    assert world.dof[1, :, 0].numpy() == pytest.approx(data.qpos, abs=TOLERANCE)
    assert world.dof[1, :, 1].numpy() == pytest.approx(data.qvel, abs=20 * TOLERANCE)
    assert world.root[1].numpy() == pytest.approx([1.0, 2.0, 3.0, *QUAT.as_quat(), *[0.0] * 6], abs=1e-6)
    assert world.root[0, :3].tolist() == [0.0, 0.0, 1.0]  # where its actor was created
    assert world.body[1, 0].numpy() == pytest.approx(world.root[1].numpy(), abs=1e-6)
    mujoco.mj_forward(model, data)
    assert world.body[1, :, :3].numpy() == pytest.approx(data.xpos[1:], abs=TOLERANCE)


def test_the_turn_of_a_fixed_base_is_normalised_as_that_of_a_free_one():
    for fixed in (True, False):
        with gym_with(fix_base_link=fixed):
            world = World(ALIENGO)
        world.set_root([0.0, 0.0, 5.0], 3.0 * QUAT.as_quat())
        world.refresh()
        assert world.root[0, 3:7].numpy() == pytest.approx(QUAT.as_quat(), abs=1e-6)


def test_jacobians_and_mass_matrices_of_a_fixed_base_leave_it_out():
    with gym_with(fix_base_link=True):
        world = World(ALIENGO)
    world.set_dofs(STANCE)
    jacobians = gymtorch.wrap_tensor(world.gym.acquire_jacobian_tensor(world.sim, "robot"))
    matrices = gymtorch.wrap_tensor(world.gym.acquire_mass_matrix_tensor(world.sim, "robot"))
    world.gym.refresh_jacobian_tensors(world.sim)
    world.gym.refresh_mass_matrix_tensors(world.sim)
    model, data = c_mujoco(fixed_base=True)
    data.qpos[:] = STANCE
    mujoco.mj_forward(model, data)
    full, linear, angular = np.zeros((12, 12)), np.zeros((3, 12)), np.zeros((3, 12))
    mujoco.mju_sym2dense(full, data.M, model.M_rownnz, model.M_rowadr, model.M_colind)
    assert matrices[0].numpy() == pytest.approx(full, abs=1e-6)
    assert jacobians.shape == (1, model.nbody - 2, 6, 12)
    mujoco.mj_jacBodyCom(model, data, linear, angular, model.nbody - 1)
    assert jacobians[0, -1].numpy() == pytest.approx(np.concatenate([linear, angular]), abs=1e-6)


def test_a_fixed_base_inside_the_ground_does_not_disturb_the_legs():
    with gym_with(fix_base_link=True):
        world = World(ALIENGO, num_envs=2, gravity=(0.0, 0.0, 0.0))
    world.root[:, 2] = torch.tensor([5.0, 0.1])  # the trunk of the second robot reaches 5 mm or more into the ground
    world.gym.set_actor_root_state_tensor(world.sim, gymtorch.unwrap_tensor(world.root))
    world.set_dofs([0.0, 3.0, -1.5] * 4)  # legs up
    world.set_torques(torch.full((2, 12), 0.1))
    world.step(5)
    assert not world.contact.any()
    assert world.dof[1].numpy() == pytest.approx(world.dof[0].numpy(), abs=1e-6)


def test_gravity_does_not_act_where_it_is_disabled():
    with gym_with(disable_gravity=True):
        world = World(ALIENGO)
    world.set_root([0, 0, 5.0], QUAT.as_quat(), [0.3, 0.0, 0.0])
    world.set_dofs(STANCE)
    world.step(20)
    assert world.root[0, :3].numpy() == pytest.approx([0.3 * 20 * DT, 0.0, 5.0], abs=TOLERANCE)
    assert world.dof[0, :, 1].numpy() == pytest.approx(np.zeros(12), abs=20 * TOLERANCE)


def test_gravity_may_change_between_steps(tmp_path):
    world = World(body_urdf(tmp_path, []))
    world.set_root([0, 0, 5.0])
    world.step(10)
    params = world.gym.get_sim_params(world.sim)
    params.gravity = gymapi.Vec3(1.0, -2.0, 3.0)
    world.sim.set_params(params)
    world.step(7)
    expected = np.array([0.0, 0.0, -9.81]) * 10 * DT + np.array([1.0, -2.0, 3.0]) * 7 * DT
    assert world.root[0, 7:10].numpy() == pytest.approx(expected, abs=TOLERANCE)
    params.dt = 0.01
    with pytest.raises(ValueError, match="dt"):
        world.sim.set_params(params)


def test_sub_steps_divide_the_step():
    """Four sub-steps of one step are four steps of a quarter, and their contact forces are averaged."""
    with gym_with(substeps=4):
        divided = World(ALIENGO, dt=4 * DT)
    plain = World(ALIENGO, dt=DT)
    for world in (divided, plain):
        world.set_root([0, 0, 0.34])  # a little deep
        world.set_dofs(STANCE)
    divided.step()
    forces = torch.zeros_like(plain.contact)
    for _ in range(4):
        plain.step()
        forces += plain.contact / 4
    assert forces.abs().max() > 10.0
    assert torch.equal(divided.root, plain.root)
    assert divided.contact.numpy() == pytest.approx(forces.numpy(), abs=1e-3)


def crossed_legs(model: mujoco.MjModel, data: mujoco.MjData) -> np.ndarray:
    """Front legs swung towards each other until they just touch."""
    angles = np.array(STANCE)
    for hip in np.arange(0.0, 1.0, 0.002):
        angles[0], angles[3] = -hip, hip
        data.qpos[:] = [0, 0, 5.0, 1, 0, 0, 0, *angles]
        mujoco.mj_forward(model, data)
        if data.ncon > 0:
            return angles
    raise AssertionError("the legs never meet")


def test_self_collisions_are_those_of_c_mujoco():
    with gym_with(filter=0):
        world = World(ALIENGO, gravity=(0.0, 0.0, 0.0))
    plain = World(ALIENGO, gravity=(0.0, 0.0, 0.0))
    model, data = c_mujoco(self_collision=True, gravity=(0.0, 0.0, 0.0))
    angles = crossed_legs(model, data)
    torques = np.zeros(12)
    torques[0], torques[3] = -3.0, 3.0  # press them together
    data.qfrc_applied[6:] = torques
    for each in (world, plain):
        each.set_root([0, 0, 5.0])
        each.set_dofs(angles.tolist())
        each.set_torques(torch.tensor(torques, dtype=torch.float))
        each.step(10)
    for _ in range(10):
        mujoco.mj_step(model, data)
    assert np.abs(plain.dof[0, :, 0].numpy() - data.qpos[7:]).max() > 0.05  # without contacts they pass through
    assert world.dof[0, :, 0].numpy() == pytest.approx(data.qpos[7:], abs=20 * TOLERANCE)
    assert world.contact.abs().max() > 1.0
    assert world.contact[0].sum(dim=0).numpy() == pytest.approx(np.zeros(3), abs=1e-3)  # action and reaction


def test_the_ground_carries_a_robot_with_self_collision():
    with gym_with(filter=0):
        world = World(ALIENGO)
    world.set_root([0, 0, 0.42])
    world.set_dofs(STANCE)
    world.step(400, STANCE)
    forces = []
    for _ in range(50):  # the stance still sways
        world.step(1, STANCE)
        forces.append(world.contact[0, :, 2].sum().item())
    assert np.mean(forces) == pytest.approx(9.81 * world.asset.robot.mass, rel=0.05)
