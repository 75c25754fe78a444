"""The simulator against closed forms and C MuJoCo."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from isaacgym import gymapi, gymtorch
from isaacgym.assets.urdf import load_urdf
from isaacgym.engine.model import build_spec
from legged_gym.evaluation.protocols import PYRAMID_SHARE
from tests.isaacgym.worlds import ALIENGO, KD, KP, SHAPES, STANCE, World, body_urdf

DT = 0.005
FLOAT32 = 2e-5  # a few hundred float32 steps of numbers of order one
QUAT = Rotation.from_euler("xyz", [0.4, -0.7, 1.1])
COM = np.array([0.03, -0.05, 0.07])


@pytest.fixture
def floating_body(tmp_path) -> World:
    """A body in empty space whose centre of mass is off its origin."""
    return World(body_urdf(tmp_path, [], com=" ".join(map(str, COM))), gravity=(0.0, 0.0, -9.81))


def origin_velocity(state: np.ndarray) -> np.ndarray:
    """Velocity of the origin of a body from its 13 numbers (centre-of-mass velocity)."""
    arm = Rotation.from_quat(state[3:7]).apply(COM)
    return state[7:10] - np.cross(state[10:13], arm)


def test_free_fall_moves_the_centre_of_mass_on_a_parabola(floating_body):
    world, steps = floating_body, 100
    start, velocity, t = np.array([1.0, 2.0, 30.0]), np.array([0.5, -1.5, 2.5]), 100 * DT
    world.set_root(start, QUAT.as_quat(), velocity)
    world.step(steps)
    # semi-implicit Euler falls g·dt·t/2 deeper than the continuous parabola
    fall = np.array([0.0, 0.0, -9.81]) * (t * t + DT * t) / 2
    state = world.root[0].numpy()
    assert state[:3] == pytest.approx(start + velocity * t + fall, abs=30 * FLOAT32)
    assert state[7:10] == pytest.approx(velocity + np.array([0.0, 0.0, -9.81]) * t, abs=30 * FLOAT32)
    assert state[3:7] == pytest.approx(QUAT.as_quat(), abs=FLOAT32)


def test_a_spin_about_a_principal_axis_keeps_the_centre_of_mass_in_place(tmp_path):
    path = body_urdf(tmp_path, [], com=" ".join(map(str, COM)))
    path.write_text(path.read_text().replace("0.001", "0").replace("0.002", "0").replace("0.003", "0"))
    world, steps, rate = World(path, gravity=(0.0, 0.0, 0.0)), 200, 3.0
    spin = QUAT.apply([0.0, 0.0, rate])  # about the body's z axis
    world.set_root([1.0, 2.0, 3.0], QUAT.as_quat(), [0.0, 0.0, 0.0], spin)
    world.step(steps)
    state = world.root[0].numpy()
    turned = QUAT * Rotation.from_rotvec([0.0, 0.0, rate * steps * DT])
    center = np.array([1.0, 2.0, 3.0]) + QUAT.apply(COM)
    assert (Rotation.from_quat(state[3:7]).inv() * turned).magnitude() < 1e-3
    # the origin circles about the centre; Euler's tangents leave the circle at a rate of rate² · DT / 2
    drift = np.linalg.norm(COM) * rate**2 * DT / 2 * steps * DT
    assert state[:3] + turned.apply(COM) == pytest.approx(center, abs=drift)
    assert state[7:10] == pytest.approx(np.zeros(3), abs=rate * drift)
    assert state[10:13] == pytest.approx(spin, abs=1e-3)


def test_root_and_body_tensors_agree_and_hold_centre_of_mass_velocities(floating_body):
    world = floating_body
    linear, angular = np.array([0.7, -1.1, 1.3]), np.array([1.7, 1.9, -2.3])
    world.set_root([2.0, 3.0, 5.0], QUAT.as_quat(), linear, angular)
    world.gym.refresh_actor_root_state_tensor(world.sim)
    given = world.root[0].numpy().copy()
    assert given[7:13] == pytest.approx(np.concatenate([linear, angular]), abs=FLOAT32)  # a round trip
    world.step()
    assert world.body[0, 0].numpy() == pytest.approx(world.root[0].numpy(), abs=FLOAT32)
    moved = (world.root[0, :3].numpy() - given[:3]) / DT
    assert moved == pytest.approx(origin_velocity(world.root[0].numpy()), abs=0.02)  # the origin moved, not the COM


@pytest.mark.parametrize("space", [gymapi.LOCAL_SPACE, gymapi.ENV_SPACE])
def test_a_body_force_changes_momentum_once_although_its_tensor_is_zeroed(tmp_path, space):
    mass = 2.0
    world = World(body_urdf(tmp_path, [], com=" ".join(map(str, COM)), mass=mass), gravity=(0.0, 0.0, 0.0))
    world.set_root([0.0, 0.0, 9.0], QUAT.as_quat())
    force = torch.tensor([[[11.0, -13.0, 17.0]]])
    world_force = QUAT.apply([11.0, -13.0, 17.0]) if space == gymapi.LOCAL_SPACE else np.array([11.0, -13.0, 17.0])
    world.gym.apply_rigid_body_force_tensors(world.sim, gymtorch.unwrap_tensor(force), None, space)
    force.zero_()
    world.step(3)
    state = world.root[0].numpy()
    assert state[7:10] == pytest.approx(world_force * DT / mass, abs=FLOAT32)
    assert state[10:13] == pytest.approx(np.zeros(3), abs=FLOAT32)  # it acts at the centre of mass


def c_mujoco(native_ground: bool = True) -> tuple[mujoco.MjModel, mujoco.MjData]:
    options = gymapi.AssetOptions(collapse_fixed_joints=True, replace_cylinder_with_capsule=True)
    model = build_spec(load_urdf(ALIENGO, options), DT, native_ground=native_ground).compile()
    return model, mujoco.MjData(model)


def c_mujoco_hold(data: mujoco.MjData, targets: list[float]) -> None:
    torques = KP * (np.array(targets) - data.qpos[7:]) - KD * data.qvel[6:]
    data.qfrc_applied[6:] = np.clip(torques, -44.0, 44.0)


def test_a_tumbling_robot_in_the_air_follows_c_mujoco():
    world = World(ALIENGO)
    model, data = c_mujoco()
    linear_origin, angular = np.array([0.3, -0.5, 0.7]), np.array([1.1, -1.3, 1.7])
    com = world.asset.body_com[0]
    world.set_root([0, 0, 5.0], QUAT.as_quat(), linear_origin + np.cross(angular, QUAT.apply(com)), angular)
    world.set_dofs(STANCE)
    x, y, z, w = QUAT.as_quat()
    data.qpos[:] = [0, 0, 5.0, w, x, y, z, *STANCE]
    data.qvel[:6] = [*linear_origin, *QUAT.inv().apply(angular)]
    targets = [0.2, 1.0, -1.2] * 4
    for _ in range(50):
        c_mujoco_hold(data, targets)
        mujoco.mj_step(model, data)
    world.step(50, targets)
    assert world.root[0, :3].numpy() == pytest.approx(data.qpos[:3], abs=10 * FLOAT32)
    assert world.dof[0, :, 0].numpy() == pytest.approx(data.qpos[7:], abs=10 * FLOAT32)
    assert world.dof[0, :, 1].numpy() == pytest.approx(data.qvel[6:], abs=100 * FLOAT32)
    mujoco.mj_forward(model, data)
    for row, body in enumerate(world.asset.robot.body_names):
        velocity = np.zeros(6)
        index = model.body(body).id
        mujoco.mj_objectVelocity(model, data, mujoco.mjtObj.mjOBJ_BODY, index, velocity, 0)
        state = world.body[0, row].numpy()
        assert state[:3] == pytest.approx(data.xpos[index], abs=20 * FLOAT32)
        assert state[10:13] == pytest.approx(velocity[:3], abs=200 * FLOAT32)
        assert state[7:10] == pytest.approx(velocity[3:], abs=200 * FLOAT32)  # of the centre of mass


def test_a_landing_robot_follows_c_mujoco_and_carries_its_weight():
    world = World(ALIENGO)
    model, data = c_mujoco()
    world.set_root([0, 0, 0.40])
    world.set_dofs(STANCE)
    data.qpos[:] = [0, 0, 0.40, 1, 0, 0, 0, *STANCE]

    def advance(steps: int) -> None:
        for _ in range(steps):
            c_mujoco_hold(data, STANCE)
            mujoco.mj_step(model, data)
        world.step(steps, STANCE)

    advance(50)
    # 0.25 s with four impacts: float32 and another solver tolerance; impacts amplify them to tenths of a millimetre
    assert np.abs(world.root[0, :3].numpy() - data.qpos[:3]).max() < 1e-3
    assert np.abs(world.dof[0, :, 0].numpy() - data.qpos[7:]).max() < 2e-3
    advance(350)
    weight = 9.81 * world.asset.robot.mass
    forces = []
    for _ in range(50):  # the stance still sways a little, so the mean over a quarter of a second counts
        advance(1)
        forces.append(world.contact[0, :, 2].sum().item())
    assert np.mean(forces) == pytest.approx(weight, rel=0.02)
    assert world.root[0, 2].item() == pytest.approx(data.qpos[2], abs=0.01)


def slope_world(tmp_path, shape: str, friction: float, ground_friction: float, degrees: float = 15.0) -> World:
    """A body on a plane tilted about y by `degrees`; the sphere case has three spheres, since one would roll."""
    geometry, rest = SHAPES[shape]
    collisions = [f"<geometry>{geometry}</geometry>"]
    if shape == "sphere":
        places = [(0.2, 0.0), (-0.1, 0.17), (-0.1, -0.17)]
        collisions = [f'<origin xyz="{x} {y} 0"/><geometry>{geometry}</geometry>' for x, y in places]
    if shape == "capsule":  # lying down the slope, so that it cannot roll
        collisions = [f'<origin rpy="0 1.5707963 0"/><geometry>{geometry}</geometry>']
    tilt = Rotation.from_euler("y", degrees, degrees=True)
    world = World(
        body_urdf(tmp_path, collisions), normal=tuple(tilt.apply([0, 0, 1])), friction=friction,
        ground_friction=ground_friction,
    )  # fmt: skip
    world.set_root(tilt.apply([0, 0, rest]), tilt.as_quat())
    world.tilt = tilt
    return world


@pytest.mark.parametrize("shape", SHAPES)
def test_bodies_rest_on_a_slope(tmp_path, shape):
    world = slope_world(tmp_path, shape, 1.0, 1.0)
    start = world.root[0, :3].numpy().copy()
    world.step(2000)
    moved = world.tilt.inv().apply(world.root[0, :3].numpy() - start)
    assert abs(moved[2]) < 3e-3
    assert np.linalg.norm(moved[:2]) < 1e-2


@pytest.mark.parametrize(("degrees", "slides"), [(40.0, False), (50.0, True)])
def test_friction_is_the_average_of_both_materials(tmp_path, degrees, slides):
    """0.4 on 1.6 acts as 1.0: it holds below 45 degrees (tan 45 = 1), where a product or a minimum would not."""
    world = slope_world(tmp_path, "box", 0.4, 1.6, degrees)
    world.step(200)
    downhill = world.tilt.inv().apply(world.root[0, :3].numpy())[0]
    expected = 0.5 * 9.81 * (np.sin(np.radians(degrees)) - np.cos(np.radians(degrees)))  # a t²/2 at t = 1 s
    assert downhill == pytest.approx(expected, rel=0.15) if slides else abs(downhill) < 0.02


def test_restitution_returns_the_square_of_the_height(tmp_path):
    collisions = [f"<geometry>{SHAPES['sphere'][0]}</geometry>"]
    world = World(body_urdf(tmp_path, collisions), restitution=0.8, ground_restitution=0.8)
    drop = 0.5
    world.set_root([0, 0, 0.1 + drop])
    heights = []
    for _ in range(200):
        world.step()
        heights.append(world.root[0, 2].item() - 0.1)
    bottom = int(np.argmin(heights))
    assert max(heights[bottom:]) == pytest.approx(0.64 * drop, rel=0.10)


def test_resetting_some_envs_leaves_the_others_bit_for_bit():
    def run(reset: bool) -> torch.Tensor:
        world = World(ALIENGO, num_envs=3)
        world.set_root([0, 0, 0.42])
        world.set_dofs(STANCE)
        world.step(40, STANCE)
        if reset:
            ids = torch.tensor([1], dtype=torch.int32)
            world.root[1, :3] = torch.tensor([0.3, 0.2, 0.6])
            world.dof[1] = 0.1
            unwrap = gymtorch.unwrap_tensor
            world.gym.set_actor_root_state_tensor_indexed(world.sim, unwrap(world.root), unwrap(ids), 1)
            world.gym.set_dof_state_tensor_indexed(world.sim, unwrap(world.dof.contiguous()), unwrap(ids), 1)
        world.step(40, STANCE)
        return torch.cat([world.root, world.dof.flatten(1), world.contact.flatten(1)], dim=1)

    plain, with_reset = run(False), run(True)
    assert torch.equal(plain[[0, 2]], with_reset[[0, 2]])
    assert not torch.equal(plain[1], with_reset[1])


def test_mass_and_com_of_an_env_are_what_c_mujoco_computes_from_them():
    """set_const's derived quantities too: the same landing with 3 kg more, 5 cm further forward."""
    world = World(ALIENGO)
    mass = torch.tensor(world.asset.body_mass)[None].clone()
    com = torch.tensor(world.asset.body_com)[None].clone()
    inertia = torch.tensor(world.asset.body_inertia)[None].clone()
    mass[0, 0] += 3.0
    com[0, 0, 0] += 0.05
    scale = mass[0, 0].item() / world.asset.body_mass[0]
    inertia[0, 0] *= scale
    world.sim.engine.set_body_properties(mass, com, inertia)
    model, data = c_mujoco()
    model.body_mass[1] += 3.0
    model.body_ipos[1, 0] += 0.05
    model.body_inertia[1] *= scale
    mujoco.mj_setConst(model, data)
    data.qpos[:] = [0, 0, 0.40, 1, 0, 0, 0, *STANCE]
    world.set_root([0, 0, 0.40])
    world.set_dofs(STANCE)
    for _ in range(40):
        c_mujoco_hold(data, STANCE)
        mujoco.mj_step(model, data)
    world.step(40, STANCE)
    assert np.abs(world.root[0, :3].numpy() - data.qpos[:3]).max() < 1e-3
    assert np.abs(world.dof[0, :, 0].numpy() - data.qpos[7:]).max() < 2e-3


def test_friction_holds_a_box_against_what_a_pyramid_holds(tmp_path):
    """|f1| + |f2| <= mu fn: mu along the axes, mu / sqrt(2) between them, and PYRAMID_SHARE of mu on average."""
    angles = torch.arange(64) * (2.0 * torch.pi / 64)
    holds = 0.5 / (angles.cos().abs() + angles.sin().abs())  # in parts of the weight
    assert holds.mean().item() == pytest.approx(0.5 * PYRAMID_SHARE, rel=2e-3)  # of 64 directions
    box = body_urdf(tmp_path, ['<geometry><box size="0.4 0.4 0.04"/></geometry>'])
    world = World(box, num_envs=len(angles), friction=0.6, ground_friction=0.4)
    for share, moves in ((0.97, False), (1.03, True)):
        world.set_root([0.0, 0.0, 0.02])
        force = share * holds * 2.0 * 9.81
        forces = torch.stack((force * angles.cos(), force * angles.sin(), torch.zeros_like(force)), dim=1)[:, None]
        for _ in range(200):
            world.gym.apply_rigid_body_force_tensors(world.sim, gymtorch.unwrap_tensor(forces), None, 0)
            world.step()
        # 3 % of half the weight would move a body without friction by 0.05 m or more in this second
        assert ((world.root[:, :2].norm(dim=1) > 0.02) == moves).all()
