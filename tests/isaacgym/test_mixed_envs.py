"""Envs that do not all hold the same actors, against C MuJoCo and by hand."""

from __future__ import annotations

import math

import mujoco
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from isaacgym import gymapi, gymtorch
from isaacgym.engine.model import build_spec
from isaacgym.gymapi import AssetOptions, Quat, Transform, Vec3
from tests.isaacgym.test_several_actors import ARM, COLLISION, SOFT, TOL, G, Stage, ids
from tests.isaacgym.worlds import DEVICES

GYM = gymapi.acquire_gym()
EFFORT = gymapi.DOF_MODE_EFFORT
LONG_ARM = ARM.replace('xyz="0 0 -.3"', 'xyz="0 .01 -.4"').replace('mass value="1"', 'mass value="2"')
ONE_LINK = ARM[: ARM.index('<link name="lower"')] + (
    '<joint name="shoulder" type="continuous"><parent link="mount"/><child link="upper"/><axis xyz="0 1 0"/></joint>'
    "</robot>"
)


@pytest.fixture
def arms(tmp_path):
    """Paths of an arm of two joints, of one with longer and heavier links, and of one of a single joint."""
    for name, text in (("short", ARM), ("long", LONG_ARM), ("single", ONE_LINK)):
        (tmp_path / f"{name}.urdf").write_text(text)
    return tmp_path


class MixedStage(Stage):
    """Envs on a plane that are filled one by one."""

    def __init__(self, gravity: float = -G, spacing: float = 0.0, device: str = "cpu", ground: float = 0.0) -> None:
        super().__init__(0, spacing, gravity, device, ground)
        self.spacing = spacing

    def env(self, *actors, group: int = 0, filter: int = 0) -> None:
        """One more. actors: asset, position and, if it is turned, quaternion."""
        env = GYM.create_env(self.sim, Vec3(), Vec3(self.spacing, self.spacing, 0), 2)
        self.envs.append(env)
        for number, (asset, position, *quat) in enumerate(actors):
            pose = Transform(Vec3(*position), Quat(*(quat[0] if quat else (0, 0, 0, 1))))
            GYM.create_actor(env, asset, pose, f"actor_{number}", group, filter)

    def arm(self, path, **options):
        options = AssetOptions(default_dof_drive_mode=EFFORT, **options)
        return GYM.load_asset(self.sim, str(path.parent), path.name, options)

    def prepare(self) -> None:
        """Tensors hold all envs in a row."""
        self.acquire()
        self.refresh()


def alone(stage: MixedStage, env: int, **options) -> tuple[mujoco.MjModel, mujoco.MjData]:
    """What an env holds, in C MuJoCo."""
    robot = stage.sim.robot_of(stage.envs[env])
    model = build_spec(robot, 0.005, (0.0, 0.0, stage.sim.params.gravity.z), native_ground=True, **options).compile()
    return model, mujoco.MjData(model)


# --- what happens in them ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", DEVICES)
def test_things_rest_at_half_their_height_and_weigh_by_density(device):
    """A box of another size in each env, a ball, and a box on a table."""
    stage = MixedStage(spacing=3.0, device=device)
    sides = [(0.2, 0.3, 0.1), (0.1, 0.1, 0.24), (0.4, 0.2, 0.3)]
    for k, side in enumerate(sides):
        stage.env((stage.box(*side, density=200.0 + 100.0 * k), (0.1 * k, 0.0, side[2] / 2 + 0.01)))
    stage.env((stage.ball(0.15, density=300.0), (0.0, 0.2, 0.16)))
    table, box = stage.box(1.0, 1.0, 0.4, fix_base_link=True), stage.box(0.2, 0.2, 0.2, density=500.0)
    stage.env((table, (0.0, 0.0, 0.2)), (box, (0.2, 0.1, 0.51)))
    stage.prepare()
    stage.step(200)
    heights = [0.05, 0.12, 0.15, 0.15, 0.2, 0.5]
    assert stage.root[:, 2].tolist() == pytest.approx(heights, abs=SOFT)
    assert stage.root[:, 0].tolist() == pytest.approx([0.0, 0.1, 0.2, 0.0, 0.0, 0.2], abs=SOFT)
    masses = [math.prod(side) * (200.0 + 100.0 * k) for k, side in enumerate(sides)]
    masses += [300.0 * 4.0 / 3.0 * math.pi * 0.15**3]
    forces = [*masses, -4.0, 4.0]  # the table feels the box of 4 kg, and not the world that holds it
    assert stage.contact[:, 2].tolist() == pytest.approx([G * mass for mass in forces], rel=0.02)


def test_each_env_moves_as_it_would_alone_in_c_mujoco(arms):
    """Turned arms of several lengths and numbers of joints swing, and a box tumbles onto a ball."""
    stage = MixedStage()
    quat = Rotation.from_euler("zx", [0.6, 0.3]).as_quat()
    tumbling = Rotation.from_euler("xy", [0.5, 0.4]).as_quat()
    for name in ("short", "long", "single"):
        stage.env((stage.arm(arms / f"{name}.urdf", fix_base_link=True), (0.1, -0.2, 0.9), quat), filter=1)
    stage.env((stage.box(0.4, 0.3, 0.2), (0.0, 0.0, 0.5), tumbling), (stage.ball(0.1, density=400.0), (0.1, 0.0, 0.1)))
    stage.env((stage.arm(arms / "long.urdf", fix_base_link=True), (0.1, -0.2, 0.9), quat), filter=1)
    stage.prepare()
    assert [[env.index for env in kind] for kind in stage.sim.kinds] == [[0], [1, 4], [2], [3]]
    torques = torch.tensor([1.5, -0.4, 2.0, 0.3, 0.7, -1.0, 0.6])
    GYM.set_dof_actuation_force_tensor(stage.sim, gymtorch.unwrap_tensor(torques))
    stage.step(60)
    rows = {0: slice(0, 2), 1: slice(2, 4), 2: slice(4, 5), 4: slice(5, 7)}
    for env, own in rows.items():
        model, data = alone(stage, env, fixed_base=True)
        model.body_pos[1], model.body_quat[1] = [0.1, -0.2, 0.9], np.roll(quat, 1)
        data.qfrc_applied[:] = torques[own]
        mujoco.mj_step(model, data, 60)
        np.testing.assert_allclose(stage.dof[own, 0], data.qpos, atol=1e-4)
        assert np.abs(data.qpos).max() > 0.1
    model, data = alone(stage, 3, self_collision=True)
    data.qpos[:] = [0, 0, 0.5, *np.roll(tumbling, 1), 0.1, 0, 0.1, 1, 0, 0, 0]
    touched = 0
    for _ in range(60):
        mujoco.mj_step(model, data)
        touched = max(touched, data.ncon)
    assert touched > 1
    np.testing.assert_allclose(stage.root[3:5, :3], data.qpos.reshape(2, 7)[:, :3], atol=TOL)


def test_actors_keep_the_scales_of_their_envs():
    stage = MixedStage()
    ball = stage.ball(0.1, density=500.0)
    for _ in range(3):
        stage.env((ball, (0.0, 0.0, 0.5)))
    for env, scale in zip(stage.envs, (1.5, 2.0, 0.5), strict=True):
        GYM.set_actor_scale(env, 0, np.array([scale]))  # as randomisation gives them: arrays of one number
    stage.prepare()
    stage.step(300)
    assert stage.root[:, 2].tolist() == pytest.approx([0.15, 0.2, 0.05], abs=SOFT)
    mass = 500.0 * 4.0 / 3.0 * math.pi * 1e-3
    weights = [G * mass * scale**3 for scale in (1.5, 2.0, 0.5)]
    assert stage.contact[:, 2].tolist() == pytest.approx(weights, rel=0.02)


def test_joints_keep_the_limits_of_their_envs(arms):
    """The elbow, torn at, stops where each env's script says."""
    stage = MixedStage(gravity=0.0)
    for _ in range(2):
        stage.env((stage.arm(arms / "short.urdf", fix_base_link=True), (0, 0, 1)), filter=1)
    for env, upper in zip(stage.envs, (0.5, 0.9), strict=True):
        properties = GYM.get_actor_dof_properties(env, 0)
        properties["upper"][1] = upper
        GYM.set_actor_dof_properties(env, 0, properties)
    stage.prepare()
    GYM.set_dof_actuation_force_tensor(stage.sim, gymtorch.unwrap_tensor(torch.tensor([0.0, 0.1, 0.0, 0.1])))
    stage.step(400)
    assert stage.dof[[1, 3], 0].tolist() == pytest.approx([0.5, 0.9], abs=0.02)


@pytest.mark.parametrize("ground", [0.0, 1.0])
def test_positions_count_from_the_origins_of_the_envs(ground):
    """On a plane through the origins, where all envs are simulated at one place, and on one above them."""
    stage = MixedStage(spacing=4.0, ground=ground)
    stage.env((stage.box(0.2, 0.2, 0.2), (0.3, 0.0, ground + 0.1)))
    stage.env((stage.ball(0.1), (0.0, 0.4, ground + 0.1)), (stage.ball(0.2), (1.0, 0.4, ground + 0.2)))
    stage.env((stage.box(0.2, 0.2, 0.4), (0.0, 0.5, ground + 0.2)))
    stage.prepare()
    stage.step(20)
    places = [[0.3, 0, ground + 0.1], [0, 0.4, ground + 0.1], [1, 0.4, ground + 0.2], [0, 0.5, ground + 0.2]]
    np.testing.assert_allclose(stage.root[:, :3], places, atol=SOFT)
    np.testing.assert_allclose(stage.body[:, :3], places, atol=SOFT)
    world = torch.zeros(1, 4, 13)
    stage.sim.read_body_states_w(world)
    origins = [[0, 0, 0], [4, 0, 0], [4, 0, 0], [0, 4, 0]]
    np.testing.assert_allclose(world[0, :, :3], np.array(places) + origins, atol=SOFT)


# --- tensors and setters ----------------------------------------------------------------------------------------------


def mixed(arms, gravity: float = 0.0) -> MixedStage:
    """Envs of a box and an arm; of one arm of a single joint; of a box, a box and a long arm; and as the first."""
    stage = MixedStage(gravity)
    box, flat = stage.box(0.1, 0.1, 0.1), stage.box(0.3, 0.3, 0.1)
    short = stage.arm(arms / "short.urdf", fix_base_link=True)
    long, single = (stage.arm(arms / f"{name}.urdf", fix_base_link=True) for name in ("long", "single"))
    stage.env((box, (1, 0, 1)), (short, (2, 0, 1)))
    stage.env((single, (3, 0, 1)), filter=1)
    stage.env((box, (4, 0, 1)), (flat, (5, 0, 1)), (long, (6, 0, 1)))
    stage.env((box, (7, 0, 1)), (short, (8, 0, 1)))
    stage.prepare()
    return stage


def test_tensors_have_the_rows_of_all_envs_in_order(arms):
    stage = mixed(arms)
    stage.step()
    assert (stage.root.shape, stage.dof.shape, stage.body.shape) == ((8, 13), (7, 2), (15, 13))
    assert stage.root[:, 0].tolist() == pytest.approx([1, 2, 3, 4, 5, 6, 7, 8])
    roots = [1, 2, 2, 2, 3, 3, 4, 5, 6, 6, 6, 7, 8, 8, 8]
    np.testing.assert_allclose(stage.body[:, 0], roots, atol=0.05)
    last = stage.envs[3]
    assert GYM.get_actor_index(last, 1, gymapi.DOMAIN_SIM) == 7
    assert GYM.find_actor_rigid_body_index(last, 1, "lower", gymapi.DOMAIN_SIM) == 14
    assert GYM.find_actor_dof_index(last, 1, "elbow", gymapi.DOMAIN_SIM) == 6
    assert GYM.find_actor_joint_index(stage.envs[2], 2, "elbow", gymapi.DOMAIN_SIM) == 4
    assert GYM.find_actor_rigid_body_handle(last, 1, "lower") == 3
    assert (GYM.get_sim_actor_count(stage.sim), GYM.get_sim_dof_count(stage.sim)) == (8, 7)
    states = GYM.get_env_rigid_body_states(stage.envs[2], gymapi.STATE_POS)
    np.testing.assert_allclose(states["pose"]["p"]["x"], roots[6:11], atol=0.05)


def test_indexed_setters_take_numbers_of_actors(arms):
    stage = mixed(arms)
    roots, dofs = stage.root.clone(), stage.dof.clone()
    roots[:, 2] += 1.0
    roots[:, 7] = 0.5
    dofs[:, 0] = torch.arange(7) / 10 + 0.1
    GYM.set_actor_root_state_tensor_indexed(stage.sim, gymtorch.unwrap_tensor(roots), ids(-1, 0, 4, 7), 4)
    GYM.set_dof_state_tensor_indexed(stage.sim, gymtorch.unwrap_tensor(dofs), ids(2, 5, -1), 3)
    stage.refresh()
    raised = torch.tensor([1.0, 0, 0, 0, 1, 0, 0, 1])
    torch.testing.assert_close(stage.root[:, 2] - 1.0, raised)
    assert stage.root[:, 7].tolist() == [0.5, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.0]  # fixed ones do not move
    assert stage.dof[:, 0].tolist() == pytest.approx([0, 0, 0.3, 0.4, 0.5, 0, 0])
    GYM.set_dof_state_tensor(stage.sim, gymtorch.unwrap_tensor(dofs))
    GYM.set_actor_root_state_tensor(stage.sim, gymtorch.unwrap_tensor(roots))
    stage.refresh()
    torch.testing.assert_close(stage.dof, dofs)
    torch.testing.assert_close(stage.root[:, :3], roots[:, :3])
    with pytest.raises(IndexError, match="actor index 8: the simulation has 8 actors"):
        GYM.set_dof_state_tensor_indexed(stage.sim, gymtorch.unwrap_tensor(dofs), ids(8), 1)


def test_torques_and_targets_reach_the_dofs_of_their_actors(arms):
    stage = mixed(arms)
    torques = torch.arange(7) / 10 + 0.1
    GYM.set_dof_actuation_force_tensor_indexed(stage.sim, gymtorch.unwrap_tensor(torques), ids(2, 7), 2)
    stage.step()
    assert (stage.dof[:, 1] != 0.0).tolist() == [False, False, True, False, False, True, True]
    GYM.apply_dof_effort(stage.envs[2], 1, 0.3)
    stage.step()
    assert (stage.dof[:, 1] != 0.0).tolist() == [False, False, True, False, True, True, True]
    torques[:] = 0.0
    GYM.set_dof_actuation_force_tensor(stage.sim, gymtorch.unwrap_tensor(torques))
    for env, actor in ((2, 2), (0, 1)):
        properties = GYM.get_actor_dof_properties(stage.envs[env], actor)
        properties["driveMode"], properties["stiffness"], properties["damping"] = gymapi.DOF_MODE_POS, 200.0, 20.0
        GYM.set_actor_dof_properties(stage.envs[env], actor, properties)
    GYM.set_actor_dof_position_targets(stage.envs[2], 2, [0.5, -0.4])
    targets = torch.full((7,), 0.3)
    GYM.set_dof_position_target_tensor_indexed(stage.sim, gymtorch.unwrap_tensor(targets), ids(1), 1)
    stage.step(600)
    assert stage.dof[[0, 1, 3, 4], 0].tolist() == pytest.approx([0.3, 0.3, 0.5, -0.4], abs=1e-3)


def test_drives_that_a_kind_of_envs_was_prepared_without_are_refused(arms):
    """The single arm, on the tree engine, has none; arms beside boxes have them always."""
    stage = mixed(arms)
    properties = GYM.get_actor_dof_properties(stage.envs[1], 0)
    properties["driveMode"] = gymapi.DOF_MODE_POS
    with pytest.raises(RuntimeError, match="the simulation was prepared without drives"):
        GYM.set_actor_dof_properties(stage.envs[1], 0, properties)


@pytest.mark.parametrize("by_tensor", [True, False])
def test_masses_and_forces_are_those_of_the_body_meant(arms, by_tensor):
    stage = mixed(arms)
    (flat,) = GYM.get_actor_rigid_body_properties(stage.envs[2], 1)
    assert flat.mass == pytest.approx(9.0)  # 1000 kg/m³ · 0.3 m · 0.3 m · 0.1 m
    flat.mass = 4.0
    GYM.set_actor_rigid_body_properties(stage.envs[2], 1, [flat], recomputeInertia=True)
    if by_tensor:
        forces = torch.zeros(15, 3)
        forces[[7, 11], 1] = 8.0
        GYM.apply_rigid_body_force_tensors(stage.sim, gymtorch.unwrap_tensor(forces), None, gymapi.ENV_SPACE)
    else:
        GYM.apply_body_forces(stage.envs[2], 1, Vec3(0, 8, 0))
        GYM.apply_body_forces(stage.envs[3], 0, Vec3(0, 8, 0))
    stage.step()
    expected = [0, 0, 0, 0, 2.0 * 0.005, 0, 8.0 * 0.005, 0]
    np.testing.assert_allclose(stage.root[:, 8], expected, atol=1e-5)
    stage.step()
    np.testing.assert_allclose(stage.root[:, 8], expected, atol=1e-5)  # they acted for one step


def test_friction_is_that_of_the_envs_own_shapes():
    """Pushed on ground of friction 1, boxes of friction μ slide v² / (2 · (1 + μ) / 2 · g)."""
    stage = MixedStage()
    for side in (0.1, 0.14, 0.2, 0.1):
        stage.env((stage.box(2 * side, 2 * side, side), (0, 0, side / 2)))
    stage.prepare()
    GYM.set_actor_rigid_shape_material_tensors(stage.sim, *map(gymtorch.unwrap_tensor, (torch.ones(4), torch.zeros(4))))
    shapes = GYM.get_actor_rigid_shape_properties(stage.envs[2], 0)
    shapes[0].friction = 0.0
    GYM.set_actor_rigid_shape_properties(stage.envs[2], 0, shapes)
    friction = [GYM.get_actor_rigid_shape_properties(env, 0)[0].friction for env in stage.envs]
    assert friction == [1.0, 1.0, 0.0, 1.0]
    stage.step(5)
    stage.root[:, 7] = 1.0
    GYM.set_actor_root_state_tensor(stage.sim, gymtorch.unwrap_tensor(stage.root))
    stage.step(100)
    slid = [1.0 / (2.0 * mu * G) for mu in (1.0, 1.0, 0.5, 1.0)]
    assert stage.root[:, 0].tolist() == pytest.approx(slid, rel=0.1)


def test_force_sensors_report_in_the_order_of_the_envs(arms):
    stage = MixedStage()
    small, large, ball = stage.box(0.1, 0.1, 0.1), stage.box(0.2, 0.2, 0.2), stage.ball(0.1)
    for asset in (small, large):
        GYM.create_asset_force_sensor(asset, 0, Transform())
    stage.env((large, (0, 0, 0.1)), (small, (1, 0, 0.05)))
    stage.env((ball, (0, 0, 0.1)))
    stage.env((small, (0, 0, 0.05)))
    stage.prepare()
    sensors = gymtorch.wrap_tensor(GYM.acquire_force_sensor_tensor(stage.sim))
    stage.step(100)
    GYM.refresh_force_sensor_tensor(stage.sim)
    assert sensors[:, 2].tolist() == pytest.approx([8.0 * G, G, G], rel=0.02)  # 1000 kg/m³
    readings = [GYM.get_actor_force_sensor(stage.envs[env], actor, 0) for env, actor in ((0, 0), (0, 1), (2, 0))]
    assert [reading.get_global_index() for reading in readings] == [0, 1, 2]
    assert readings[2].get_forces().force.z == pytest.approx(G, rel=0.02)
    assert GYM.get_sim_force_sensor_count(stage.sim) == 3


def test_a_force_sensor_after_its_assets_actors_is_refused():
    """Actors that exist would not have it."""
    stage = MixedStage()
    box = stage.box(0.1, 0.1, 0.1)
    stage.env((box, (0, 0, 1)))
    with pytest.raises(RuntimeError, match="create_asset_force_sensor after actors were created from 'box'"):
        GYM.create_asset_force_sensor(box, 0, Transform())
    assert GYM.get_actor_force_sensor_count(stage.envs[0], 0) == 0


def test_jacobians_do_not_ask_for_as_many_shapes_or_force_sensors(arms):
    stage = MixedStage(gravity=0.0)
    (arms / "bare.urdf").write_text(ARM.replace(COLLISION, "", 1))
    for name in ("short", "bare"):
        arm = stage.arm(arms / f"{name}.urdf", fix_base_link=True)
        if name == "short":
            GYM.create_asset_force_sensor(arm, 2, Transform())
        stage.env((arm, (0, 0, 1)), filter=1)
    stage.prepare()
    jacobian = gymtorch.wrap_tensor(GYM.acquire_jacobian_tensor(stage.sim, "actor_0"))
    GYM.refresh_jacobian_tensors(stage.sim)
    # the lower link is 0.45 m below the shoulder, which turns about y, and 0.15 m below the elbow, about x
    by_hand = [[-0.45, 0.0], [0.0, 0.15], [0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]
    np.testing.assert_allclose(jacobian[:, 1], [by_hand, by_hand], atol=1e-6)


def test_jacobians_of_an_actor_that_all_envs_hold_alike_are_c_mujocos(arms):
    stage = MixedStage(gravity=0.0)
    for name in ("short", "long", "short"):
        stage.env((stage.arm(arms / f"{name}.urdf", fix_base_link=True), (0, 0, 1)), filter=1)
    stage.prepare()
    positions = torch.tensor([0.3, -0.5, 0.8, 0.6, 0.1, 0.2])
    stage.dof[:, 0] = positions
    GYM.set_dof_state_tensor(stage.sim, gymtorch.unwrap_tensor(stage.dof))
    jacobian = gymtorch.wrap_tensor(GYM.acquire_jacobian_tensor(stage.sim, "actor_0"))
    inertia = gymtorch.wrap_tensor(GYM.acquire_mass_matrix_tensor(stage.sim, "actor_0"))
    GYM.refresh_jacobian_tensors(stage.sim)
    GYM.refresh_mass_matrix_tensors(stage.sim)
    for env in range(3):
        model, data = alone(stage, env, fixed_base=True)
        data.qpos[:] = positions[2 * env : 2 * env + 2]
        mujoco.mj_forward(model, data)
        full, linear, angular = np.zeros((2, 2)), np.zeros((3, 2)), np.zeros((3, 2))
        mujoco.mj_fullM(model, data, full)
        mujoco.mj_jacBodyCom(model, data, linear, angular, 3)
        np.testing.assert_allclose(inertia[env], full, atol=1e-5)
        np.testing.assert_allclose(jacobian[env, 1], np.concatenate([linear, angular]), atol=1e-5)


def test_jacobians_of_actors_that_differ_in_size_are_refused(arms):
    stage = mixed(arms)
    with pytest.raises(ValueError, match=r"of 'actor_1' .* env 1 has none"):
        GYM.acquire_jacobian_tensor(stage.sim, "actor_1")


def test_contacts_are_listed_with_their_envs_and_bodies():
    stage = MixedStage(spacing=3.0)
    table = stage.box(1.0, 1.0, 0.2, fix_base_link=True)
    stage.env((stage.ball(0.1, density=500.0), (0.3, 0, 0.1)))
    stage.env((table, (0, 0, 0.3)), (stage.ball(0.2), (0.1, 0.2, 0.6)))
    stage.prepare()
    stage.step(100)
    contacts = GYM.get_rigid_contacts(stage.sim)
    assert contacts["env1"].tolist() == [0, 1]
    pairs = [sorted(pair) for pair in zip(contacts["body0"], contacts["body1"], strict=True)]
    assert pairs == [[-1, 0], [0, 1]]
    weights = [G * 4.0 / 3.0 * math.pi * density * radius**3 for density, radius in ((500, 0.1), (1000, 0.2))]
    assert contacts["lambda"] == pytest.approx(weights, rel=0.02)
    assert GYM.get_env_rigid_contact_forces(stage.envs[1])["z"] == pytest.approx([-weights[1], weights[1]], rel=0.02)


def test_attractors_pull_bodies_of_their_own_envs():
    stage = MixedStage(gravity=0.0)
    stage.env((stage.box(0.2, 0.2, 0.2), (0, 0, 1)))
    stage.env((stage.ball(0.1), (0, 0, 1)), (stage.ball(0.2), (1, 0, 1)))
    stage.prepare()
    properties = gymapi.AttractorProperties()
    properties.rigid_handle, properties.stiffness, properties.damping = 1, 1e4, 1e3
    properties.axes, properties.target = gymapi.AXIS_TRANSLATION, Transform(Vec3(1.0, 0.5, 1.5))
    GYM.create_rigid_body_attractor(stage.envs[1], properties)
    stage.step(300)
    np.testing.assert_allclose(stage.root[:, :3], [[0, 0, 1], [0, 0, 1], [1.0, 0.5, 1.5]], atol=1e-3)


def test_a_snapshot_goes_on_exactly(arms):
    stage = mixed(arms, gravity=-G)
    stage.step(20)
    state = GYM.get_sim_snapshot(stage.sim)
    stage.step(20)
    expected = stage.root.clone(), stage.dof.clone()
    GYM.set_sim_snapshot(stage.sim, state)
    stage.step(20)
    assert torch.equal(stage.root, expected[0]) and torch.equal(stage.dof, expected[1])


# --- what is alike ----------------------------------------------------------------------------------------------------


def test_envs_are_of_one_kind_if_their_actors_are_built_alike(arms):
    """The same file loaded anew for each env; masses, materials and poses may differ."""
    stage = MixedStage()
    for k in range(3):
        stage.env((stage.arm(arms / "short.urdf", fix_base_link=True), (k, 0, 1)), filter=1, group=k)
    bodies = GYM.get_actor_rigid_body_properties(stage.envs[1], 0)
    bodies[1].mass *= 2.0
    GYM.set_actor_rigid_body_properties(stage.envs[1], 0, bodies)
    stage.prepare()
    assert not stage.sim.is_mixed


@pytest.mark.parametrize("differs", ["filter", "group", "fixed", "sensor"])
def test_envs_are_of_two_kinds_if_what_touches_stands_or_senses_differs(differs):
    stage = MixedStage()
    for k in range(2):
        box, fixed = stage.box(0.1, 0.1, 0.1), stage.box(0.1, 0.1, 0.1, fix_base_link=differs == "fixed" and k == 1)
        if differs == "sensor" and k == 1:
            GYM.create_asset_force_sensor(box, 0, Transform())
        stage.env((box, (0, 0, 1)), (fixed, (0, 0, 1.06)), filter=k if differs == "filter" else 0)
        if differs == "group":
            GYM.create_actor(stage.envs[k], box, Transform(Vec3(1, 0, 1)), "third", k, 0)
    stage.prepare()
    assert len(stage.sim.kinds) == 2


def test_an_env_without_actors_is_refused():
    stage = MixedStage()
    stage.env((stage.ball(0.1), (0, 0, 1)))
    stage.env()
    with pytest.raises(RuntimeError, match="env 1 has no actors; call create_actor before prepare_sim"):
        GYM.prepare_sim(stage.sim)


def test_it_is_said_that_kinds_are_simulated_one_after_the_other(capsys):
    stage = MixedStage()
    for side in (0.1, 0.2, 0.1):
        stage.env((stage.box(side, side, side), (0, 0, 1)))
    stage.prepare()
    said = capsys.readouterr().out
    assert said.count("Envs hold 2 kinds of actors (env 1 against env 0: of 'actor_0', a collision shape of 'box'") == 1


# --- seen -------------------------------------------------------------------------------------------------------------


def test_cameras_see_what_their_own_env_holds():
    """Cameras of one lens, 2 m in front of things of several sizes, of which env 2 has two."""
    pytest.importorskip("trimesh")
    stage = MixedStage(gravity=0.0, spacing=5.0)
    stage.env((stage.box(0.4, 0.4, 0.4), (2, 0, 1)))
    stage.env((stage.ball(0.3), (2, 0, 1)))
    stage.env((stage.box(0.2, 0.4, 0.4), (3, 0, 1)), (stage.box(0.6, 0.4, 0.4), (2, 0, 1)))
    stage.env((stage.box(0.4, 0.4, 0.4), (2, 0, 1)))
    lens = gymapi.CameraProperties(width=32, height=24, horizontal_fov=60.0)
    for number, env in enumerate(stage.envs):
        GYM.create_camera_sensor(env, lens)
        GYM.set_camera_location(0, env, Vec3(0, 0, 1), Vec3(1, 0, 1))
        GYM.set_rigid_body_segmentation_id(env, len(env.actors) - 1, 0, 11 + number)
    stage.prepare()
    views = [
        gymtorch.wrap_tensor(GYM.get_camera_image_gpu_tensor(stage.sim, env, 0, gymapi.IMAGE_DEPTH))
        for env in stage.envs
    ]
    GYM.render_all_camera_sensors(stage.sim)
    assert [view[12, 16].item() for view in views] == pytest.approx([-1.8, -1.7, -1.7, -1.8], abs=0.01)
    for number, env in enumerate(stage.envs):
        seen = GYM.get_camera_image(stage.sim, env, 0, gymapi.IMAGE_SEGMENTATION)
        assert set(np.unique(seen)) == {0, 11 + number}
    stage.root[4, 0] = 2.5  # the only thing of env 3
    GYM.set_actor_root_state_tensor(stage.sim, gymtorch.unwrap_tensor(stage.root))
    stage.step()
    GYM.render_all_camera_sensors(stage.sim)
    assert [view[12, 16].item() for view in views] == pytest.approx([-1.8, -1.7, -1.7, -2.3], abs=0.01)
    pose = GYM.get_camera_transform(stage.sim, stage.envs[3], 0)
    assert [*pose.p] == pytest.approx([0.0, 0.0, 1.0])


def test_pictures_of_the_viewer_are_refused_in_one_sentence(tmp_path):
    pytest.importorskip("trimesh")
    stage = MixedStage()
    for side in (0.1, 0.2):
        stage.env((stage.box(side, side, side), (0, 0, 1)))
    viewer = GYM.create_viewer(stage.sim, gymapi.CameraProperties(width=32, height=24))
    with pytest.raises(RuntimeError, match="the envs do not all hold the same actors; pictures of the viewer"):
        GYM.write_viewer_image_to_file(viewer, str(tmp_path / "picture.png"))
