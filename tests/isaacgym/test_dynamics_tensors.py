"""Joint forces, force sensors, Jacobians and mass matrices against C MuJoCo and closed forms."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from isaacgym import gymapi, gymtorch
from isaacgym.assets.urdf import load_urdf
from isaacgym.engine.model import build_spec
from isaacgym.gym_dynamics import ForceSensorProperties
from tests.isaacgym.worlds import ALIENGO, STANCE, World

DT = 0.005
FLOAT32 = 2e-5  # float32 kinematics of lengths below one metre; masses add up to 20 kg
QUAT = Rotation.from_euler("xyz", [0.4, -0.7, 1.1])
JOINTS = np.random.default_rng(3).uniform(-0.4, 0.4, 12) + np.array(STANCE)
RATES = np.random.default_rng(5).uniform(-2.0, 2.0, 12)


def skew(v: np.ndarray) -> np.ndarray:
    return np.array([[0.0, -v[2], v[1]], [v[2], 0.0, -v[0]], [-v[1], v[0], 0.0]])


def moving_world(num_envs: int = 2) -> World:
    """The last env's robot is turned, moves and has bent joints."""
    world = World(ALIENGO, num_envs=num_envs)
    world.root[-1] = torch.tensor([1.0, 2.0, 5.0, *QUAT.as_quat(), 0.7, -1.1, 1.3, 1.7, 1.9, -2.3])
    world.dof[-1, :, 0], world.dof[-1, :, 1] = torch.tensor(JOINTS), torch.tensor(RATES)
    world.gym.set_actor_root_state_tensor(world.sim, gymtorch.unwrap_tensor(world.root))
    world.gym.set_dof_state_tensor(world.sim, gymtorch.unwrap_tensor(world.dof.contiguous()))
    return world


def c_mujoco() -> tuple[mujoco.MjModel, mujoco.MjData, np.ndarray]:
    """Aliengo as the last env of `moving_world`, and the map from Isaac Gym's velocities to MuJoCo's."""
    options = gymapi.AssetOptions(collapse_fixed_joints=True, replace_cylinder_with_capsule=True)
    model = build_spec(load_urdf(ALIENGO, options), DT).compile()
    data = mujoco.MjData(model)
    data.qpos[:] = [1.0, 2.0, 5.0, *QUAT.as_quat(scalar_first=True), *JOINTS]
    mujoco.mj_forward(model, data)
    change = np.eye(model.nv)
    change[:3, 3:6] = skew(QUAT.apply(model.body_ipos[1]))
    change[3:6, 3:6] = QUAT.as_matrix().T
    return model, data, change


def test_jacobians_are_those_of_c_mujoco_in_isaac_gyms_base_coordinates():
    world = moving_world()
    jacobians = gymtorch.wrap_tensor(world.gym.acquire_jacobian_tensor(world.sim, "robot"))
    world.gym.refresh_jacobian_tensors(world.sim)
    model, data, change = c_mujoco()
    assert jacobians.shape == (2, model.nbody - 1, 6, model.nv)
    for link in range(model.nbody - 1):
        linear, angular = np.zeros((3, model.nv)), np.zeros((3, model.nv))
        mujoco.mj_jacBodyCom(model, data, linear, angular, link + 1)
        expected = np.concatenate([linear, angular]) @ change
        assert jacobians[1, link].numpy() == pytest.approx(expected, abs=FLOAT32)


def test_jacobians_turn_root_and_joint_velocities_into_body_velocities():
    world = moving_world()
    jacobians = gymtorch.wrap_tensor(world.gym.acquire_jacobian_tensor(world.sim, "robot"))
    world.step()
    world.gym.refresh_jacobian_tensors(world.sim)
    velocities = torch.cat([world.root[:, 7:13], world.dof[:, :, 1]], dim=1)
    bodies = (jacobians @ velocities[:, None, :, None]).squeeze(-1)
    assert bodies.numpy() == pytest.approx(world.body[:, :, 7:13].numpy(), abs=10 * FLOAT32)


def test_mass_matrices_are_those_of_c_mujoco_in_isaac_gyms_base_coordinates():
    world = moving_world()
    matrices = gymtorch.wrap_tensor(world.gym.acquire_mass_matrix_tensor(world.sim, "robot"))
    world.gym.refresh_mass_matrix_tensors(world.sim)
    model, data, change = c_mujoco()
    full = np.zeros((model.nv, model.nv))
    mujoco.mju_sym2dense(full, data.M, model.M_rownnz, model.M_rowadr, model.M_colind)
    assert matrices[1].numpy() == pytest.approx(change.T @ full @ change, abs=2 * FLOAT32)


def test_an_unknown_actor_name_is_an_error():
    with pytest.raises(ValueError, match="no actor is called 'cat' in env 0, which holds robot"):
        moving_world(1).gym.acquire_jacobian_tensor(moving_world(1).sim, "cat")


def sensing_world(edit, num_envs: int = 1, **options) -> World:
    """edit(gym, sim) runs before the simulation is prepared."""
    gym = gymapi.acquire_gym()
    prepare = gym.prepare_sim

    def edit_and_prepare(sim):
        edit(gym, sim)
        return prepare(sim)

    gym.prepare_sim = edit_and_prepare
    try:
        return World(ALIENGO, num_envs=num_envs, **options)
    finally:
        del gym.prepare_sim


def test_dof_forces_are_the_torques_of_the_last_step_where_sensors_are_on():
    world = sensing_world(lambda gym, sim: gym.enable_actor_dof_force_sensors(sim.envs[1], 0), num_envs=2)
    forces = gymtorch.wrap_tensor(world.gym.acquire_dof_force_tensor(world.sim)).view(2, 12)
    torques = torch.arange(24.0).view(2, 12)
    world.set_torques(torques)
    world.step()
    world.set_torques(0.0 * torques)
    world.gym.refresh_dof_force_tensor(world.sim)
    assert torch.equal(forces[1], torques[1])
    assert not forces[0].any()


def test_dof_forces_of_drives_are_those_at_the_end_of_the_step():
    def edit(gym, sim):
        gym.enable_actor_dof_force_sensors(sim.envs[0], 0)
        properties = gym.get_actor_dof_properties(sim.envs[0], 0)
        properties["driveMode"], properties["stiffness"], properties["damping"] = gymapi.DOF_MODE_POS, 70.0, 3.0
        properties["effort"] = 1e3
        gym.set_actor_dof_properties(sim.envs[0], 0, properties)

    world = sensing_world(edit)
    forces = gymtorch.wrap_tensor(world.gym.acquire_dof_force_tensor(world.sim))
    world.set_root([0, 0, 5.0])
    world.set_dofs(STANCE)
    targets = torch.tensor(JOINTS, dtype=torch.float)
    world.gym.set_dof_position_target_tensor(world.sim, gymtorch.unwrap_tensor(targets))
    world.step(3)
    world.gym.refresh_dof_force_tensor(world.sim)
    expected = 70.0 * (targets - world.dof[0, :, 0]) - 3.0 * world.dof[0, :, 1]
    assert forces.numpy() == pytest.approx(expected.numpy(), abs=100 * FLOAT32)


@pytest.mark.parametrize("world_axes", [False, True])
def test_force_sensors_feel_the_contact_wrench_of_their_body(monkeypatch, world_axes):
    turn = Rotation.from_euler("xyz", [0.5, 0.6, -0.8])
    offset = np.array([0.02, -0.03, 0.05])

    gym = gymapi.acquire_gym()
    load_asset = gym.load_asset

    def with_sensors(*arguments):
        asset = load_asset(*arguments)
        pose = gymapi.Transform(gymapi.Vec3(*offset), gymapi.Quat(*turn.as_quat()))
        for name in ("FL_foot", "RR_foot"):
            body = asset.robot.body_names.index(name)
            gym.create_asset_force_sensor(asset, body, pose, ForceSensorProperties(use_world_frame=world_axes))
        return asset

    monkeypatch.setattr(gym, "load_asset", with_sensors)
    world = World(ALIENGO, num_envs=2)
    sensors = gymtorch.wrap_tensor(world.gym.acquire_force_sensor_tensor(world.sim)).view(2, 2, 6)
    world.set_root([0, 0, 0.42])
    world.set_dofs(STANCE)
    world.step(80, STANCE)
    before = world.body.clone()  # contacts of the next step are found at these poses
    world.step(1, STANCE)
    world.gym.refresh_force_sensor_tensor(world.sim)
    for row, name in enumerate(("FL_foot", "RR_foot")):
        body = world.asset.robot.body_names.index(name)
        force = world.contact[1, body].numpy()
        assert force[2] > 10.0
        rotation = Rotation.from_quat(before[1, body, 3:7].numpy())
        radius = world.asset.robot.bodies[body].shapes[0].size[0]
        center = rotation.apply(world.asset.robot.bodies[body].shapes[0].pos)
        point = center - [0.0, 0.0, radius]  # of a sphere on a plane, but for half its depth
        torque = np.cross(point - rotation.apply(offset), force)
        axes = Rotation.identity() if world_axes else (rotation * turn).inv()
        assert sensors[1, row, :3].numpy() == pytest.approx(axes.apply(force), abs=1e-3)
        assert sensors[1, row, 3:].numpy() == pytest.approx(axes.apply(torque), abs=0.03)
