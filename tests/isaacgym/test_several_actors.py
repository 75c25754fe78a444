"""Several actors in an env, boxes and balls among them, against C MuJoCo and by hand."""

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
from tests.isaacgym.worlds import DEVICES

GYM = gymapi.acquire_gym()
G = 9.81
TOL = 2e-3  # [m], [rad] after contacts, single precision
SOFT = 1e-3  # [m] that a contact gives way
LINK = (
    '<link name="{0}"><inertial><origin xyz="{1}"/><mass value="{2}"/><inertia ixx=".02" iyy=".03" izz=".01"/>'
    "</inertial>{3}</link>"
)
COLLISION = '<collision><origin xyz="0 0 -.15"/><geometry><box size=".06 .06 .2"/></geometry></collision>'
ARM = (
    '<robot name="arm">'
    + LINK.format("mount", "0 0 0", 3, "")
    + LINK.format("upper", "0 .02 -.15", 1, COLLISION)
    + LINK.format("lower", "0 0 -.15", 0.5, COLLISION)
    + '<joint name="shoulder" type="continuous"><parent link="mount"/><child link="upper"/><axis xyz="0 1 0"/></joint>'
    '<joint name="elbow" type="revolute"><parent link="upper"/><child link="lower"/><origin xyz="0 0 -.3"/>'
    '<axis xyz="1 0 0"/><limit lower="-1" upper="1.5" effort="9" velocity="9"/></joint></robot>'
)


@pytest.fixture
def arm(tmp_path):
    (tmp_path / "arm.urdf").write_text(ARM)
    return tmp_path / "arm.urdf"


class Stage:
    """Envs with the same actors, on a plane."""

    def __init__(
        self, num_envs: int = 1, spacing: float = 0.0, gravity: float = -G, device: str = "cpu", ground: float = 0.0
    ) -> None:
        params = gymapi.SimParams(dt=0.005, substeps=1, up_axis=1, gravity=(0.0, 0.0, gravity))
        params.use_gpu_pipeline = device != "cpu"
        self.sim = sim = GYM.create_sim(0, -1, gymapi.SIM_PHYSX, params)
        GYM.add_ground(sim, gymapi.PlaneParams(normal=Vec3(0, 0, 1), distance=-ground))
        self.envs = [GYM.create_env(sim, Vec3(), Vec3(spacing, spacing, 0), 2) for _ in range(num_envs)]

    def add(self, asset, position, quat=(0, 0, 0, 1), name="thing", group=0, filter=0) -> None:
        """To every env."""
        for env in self.envs:
            GYM.create_actor(env, asset, Transform(Vec3(*position), Quat(*quat)), name, group, filter)

    def prepare(self) -> None:
        """Tensors have a row per env."""
        self.acquire()
        for name in ("root", "dof", "body", "contact"):
            flat = getattr(self, name)
            setattr(self, name, flat.view(len(self.envs), -1, flat.shape[-1]))

    def acquire(self) -> None:
        """Prepare, and take the tensors as they are."""
        sim = self.sim
        GYM.prepare_sim(sim)
        self.root = gymtorch.wrap_tensor(GYM.acquire_actor_root_state_tensor(sim))
        self.dof = gymtorch.wrap_tensor(GYM.acquire_dof_state_tensor(sim))
        self.body = gymtorch.wrap_tensor(GYM.acquire_rigid_body_state_tensor(sim))
        self.contact = gymtorch.wrap_tensor(GYM.acquire_net_contact_force_tensor(sim))

    def step(self, steps: int = 1) -> None:
        for _ in range(steps):
            GYM.simulate(self.sim)
        self.refresh()

    def refresh(self) -> None:
        GYM.refresh_actor_root_state_tensor(self.sim)
        GYM.refresh_dof_state_tensor(self.sim)
        GYM.refresh_rigid_body_state_tensor(self.sim)
        GYM.refresh_net_contact_force_tensor(self.sim)

    def load(self, path, **options):
        return GYM.load_asset(self.sim, str(path.parent), path.name, AssetOptions(**options))

    def box(self, *sides: float, **options):
        return GYM.create_box(self.sim, *sides, AssetOptions(**options))

    def ball(self, radius: float, **options):
        return GYM.create_sphere(self.sim, radius, AssetOptions(**options))


def ids(*numbers: int, device="cpu"):
    return gymtorch.unwrap_tensor(torch.tensor(numbers, dtype=torch.int32, device=device))


# --- boxes, balls, capsules -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["box", "sphere", "capsule"])
def test_mass_and_inertia_are_those_of_mujocos_geoms(kind):
    sim, options = Stage().sim, AssetOptions(density=700.0)
    asset = {
        "box": lambda: GYM.create_box(sim, 0.2, 0.4, 0.6, options),
        "sphere": lambda: GYM.create_sphere(sim, 0.3, options),
        "capsule": lambda: GYM.create_capsule(sim, 0.1, 0.5, options),
    }[kind]()
    geom = {
        "box": '<geom type="box" size=".1 .2 .3" density="700"/>',
        "sphere": '<geom type="sphere" size=".3" density="700"/>',
        "capsule": '<geom type="capsule" fromto="-.25 0 0 .25 0 0" size=".1" density="700"/>',
    }[kind]
    model = mujoco.MjModel.from_xml_string(f"<mujoco><worldbody><body><freejoint/>{geom}</body></worldbody></mujoco>")
    (body,) = asset.robot.bodies
    assert body.mass == pytest.approx(model.body_mass[1])
    turn = Rotation.from_quat(model.body_iquat[1], scalar_first=True).as_matrix()
    np.testing.assert_allclose(body.inertia, turn @ np.diag(model.body_inertia[1]) @ turn.T, atol=1e-9)


def test_a_box_without_mass_or_size_is_refused():
    stage = Stage()
    with pytest.raises(ValueError, match="a box of 0.1 × 0 × 0.2 m cannot be; lengths are positive"):
        stage.box(0.1, 0.0, 0.2)
    with pytest.raises(ValueError, match="the sphere has no mass: AssetOptions.density is 0"):
        stage.ball(0.1, density=0.0)


# --- contacts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", DEVICES)
def test_a_ball_on_a_box_on_a_table_rests_and_each_carries_the_weight_above(device):
    stage = Stage(num_envs=2, spacing=5.0, device=device)
    stage.add(stage.box(1.0, 1.0, 0.4, fix_base_link=True), (0.5, 0.2, 0.2), name="table")
    stage.add(stage.box(0.3, 0.3, 0.1, density=500.0), (0.5, 0.2, 0.46), name="box")
    stage.add(stage.ball(0.1, density=300.0), (0.5, 0.2, 0.62), name="ball")
    stage.prepare()
    stage.step(200)
    box, ball = 500.0 * 0.009, 300.0 * 4.0 / 3.0 * math.pi * 1e-3  # [kg]
    assert stage.root[:, :, 2].cpu().numpy() == pytest.approx(np.array([[0.2, 0.45, 0.6]] * 2), abs=SOFT)
    assert stage.root[:, :, :2].cpu().numpy() == pytest.approx(np.array([[[0.5, 0.2]] * 3] * 2), abs=SOFT)
    forces = np.array([-(box + ball), box, ball]) * G  # net: the table's own support by the world is none
    assert stage.contact[..., 2].cpu().numpy() == pytest.approx(np.array([forces] * 2), rel=0.02)


def test_an_arm_a_box_and_a_ball_move_as_in_c_mujoco(arm):
    """The arm, turned, hangs from a mount in the air and swings; a ball falls on a box that stands below."""
    stage = Stage(num_envs=2)
    quat = Rotation.from_euler("zx", [0.6, 0.3]).as_quat()
    stage.add(stage.load(arm, fix_base_link=True, default_dof_drive_mode=3), (0.1, -0.2, 0.9), quat, "arm")
    stage.add(stage.box(0.4, 0.3, 0.2, density=300.0), (0.3, -0.2, 0.1), name="box")
    stage.add(stage.ball(0.08, density=800.0), (0.35, -0.15, 0.5), name="ball")
    stage.prepare()
    torques = torch.tensor([[0.0, 0.0], [1.5, -0.4]])
    GYM.set_dof_actuation_force_tensor(stage.sim, gymtorch.unwrap_tensor(torques))
    spec = build_spec(stage.sim.robot, 0.005, native_ground=True, self_collision=True)
    model = spec.compile()
    model.body_pos[1], model.body_quat[1] = [0.1, -0.2, 0.9], np.roll(quat, 1)
    data = mujoco.MjData(model)
    data.qpos[:] = [0, 0, 0.3, -0.2, 0.1, 1, 0, 0, 0, 0.35, -0.15, 0.5, 1, 0, 0, 0]
    data.qfrc_applied[:2] = torques[1]
    touched = 0
    for _ in range(80):
        stage.step()
        mujoco.mj_step(model, data)
        touched = max(touched, data.ncon)
    assert touched > 4  # the box on the ground, the ball on the box
    np.testing.assert_allclose(stage.dof[1, :, 0], data.qpos[:2], atol=TOL)
    np.testing.assert_allclose(stage.root[1, 1:, :3], data.qpos[2:].reshape(2, 7)[:, :3], atol=TOL)
    assert np.abs(data.qpos[:2]).max() > 0.1
    np.testing.assert_allclose(stage.root[:, 0, :3], [[0.1, -0.2, 0.9]] * 2, atol=1e-6)
    assert (stage.dof[0] != stage.dof[1]).all()


@pytest.mark.parametrize(
    ("groups", "filters", "touch"),
    [
        ((0, 0), (0, 0), True),
        ((0, 1), (0, 0), False),
        ((0, -1), (0, 0), True),
        ((-1, 3), (0, 0), True),
        ((0, 0), (1, 0), True),  # a robot without self-collision, and a thing
        ((0, 0), (1, 1), False),
        ((0, 0), (1, 2), True),
        ((0, 0), (3, 2), False),
    ],
)
def test_groups_and_filters_say_what_touches(groups, filters, touch):
    stage = Stage()
    stage.add(stage.box(1.0, 1.0, 0.2, fix_base_link=True), (0, 0, 0.1), group=groups[0], filter=filters[0])
    stage.add(stage.ball(0.1), (0, 0, 0.31), group=groups[1], filter=filters[1])
    stage.prepare()
    stage.step(100)
    assert stage.root[0, 1, 2].item() == pytest.approx(0.3 if touch else 0.1, abs=SOFT)


def test_friction_of_one_actor_changes_it_alone():
    """Two boxes pushed on the ground (friction 1): that of friction 0 has the average of 0.5 and slides further."""
    stage = Stage()
    for k in range(2):
        stage.add(stage.box(0.2, 0.2, 0.1), (0, 2.0 * k, 0.05))
    stage.prepare()
    env = stage.envs[0]
    shapes = GYM.get_actor_rigid_shape_properties(env, 1)
    shapes[0].friction = 0.0
    GYM.set_actor_rigid_shape_properties(env, 1, shapes)
    assert [GYM.get_actor_rigid_shape_properties(env, k)[0].friction for k in range(2)] == [1.0, 0.0]
    stage.step(5)
    stage.root[0, :, 7] = 1.0
    GYM.set_actor_root_state_tensor(stage.sim, gymtorch.unwrap_tensor(stage.root))
    stage.step(100)
    slid = [1.0 / (2.0 * mu * G) for mu in (1.0, 0.5)]  # v² / (2 μ g)
    assert stage.root[0, :, 0].tolist() == pytest.approx(slid, rel=0.1)


# --- tensors and setters ----------------------------------------------------------------------------------------------


def mixed(arm, num_envs: int = 2, gravity: float = 0.0, spacing: float = 0.0) -> Stage:
    """In each env a box, an arm afloat and a fixed arm."""
    stage = Stage(num_envs, spacing, gravity)
    stage.add(stage.box(0.1, 0.1, 0.1), (1, 0, 1), name="box")
    stage.add(stage.load(arm, default_dof_drive_mode=3), (2, 0, 1), name="free")
    stage.add(stage.load(arm, fix_base_link=True, default_dof_drive_mode=3), (3, 0, 1), name="fixed")
    stage.prepare()
    return stage


def test_tensors_have_the_rows_of_all_actors_in_order(arm):
    stage = mixed(arm, num_envs=2, spacing=4.0)
    stage.step()
    assert (stage.root.shape, stage.dof.shape, stage.body.shape) == ((2, 3, 13), (2, 4, 2), (2, 7, 13))
    assert stage.root[:, :, 0].numpy() == pytest.approx(np.array([[1.0, 2.0, 3.0]] * 2))
    assert stage.body[:, :, 0].numpy() == pytest.approx(np.array([[1.0, 2, 2, 2, 3, 3, 3]] * 2))
    env = stage.envs[1]
    assert GYM.find_actor_index(env, "fixed", gymapi.DOMAIN_SIM) == 5
    assert GYM.find_actor_rigid_body_index(env, 2, "lower", gymapi.DOMAIN_SIM) == 13
    assert GYM.find_actor_dof_index(env, 2, "elbow", gymapi.DOMAIN_SIM) == 7
    assert GYM.find_actor_rigid_body_handle(env, 1, "mount") == 1
    assert (GYM.get_sim_actor_count(stage.sim), GYM.get_env_dof_count(env)) == (6, 4)


def test_indexed_setters_take_numbers_of_actors(arm):
    stage = mixed(arm)
    stage.refresh()
    roots, dofs = stage.root.clone(), stage.dof.clone()
    roots[..., 2] += 1.0
    roots[..., 7] = 0.5
    dofs[..., 0] = torch.tensor([0.1, 0.2, 0.3, 0.4])
    GYM.set_actor_root_state_tensor_indexed(stage.sim, gymtorch.unwrap_tensor(roots), ids(0, 4, 5), 3)
    GYM.set_dof_state_tensor_indexed(stage.sim, gymtorch.unwrap_tensor(dofs), ids(1, 5), 2)
    stage.refresh()
    raised = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    assert (stage.root[..., 2] - 1.0).numpy() == pytest.approx(raised.numpy(), abs=1e-6)
    assert stage.root[..., 7].tolist() == [[0.5, 0.0, 0.0], [0.0, 0.5, 0.0]]  # the fixed one does not move
    assert stage.dof[..., 0].numpy() == pytest.approx(np.array([[0.1, 0.2, 0, 0], [0, 0, 0.3, 0.4]]))
    stage.step(2)
    assert stage.root[0, 0, 0].item() == pytest.approx(1.0 + 0.5 * 0.01, abs=1e-5)


def test_torques_and_targets_reach_the_dofs_of_their_actors(arm):
    stage = mixed(arm)
    torques = torch.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]])
    GYM.set_dof_actuation_force_tensor_indexed(stage.sim, gymtorch.unwrap_tensor(torques), ids(2, 4), 2)
    applied = stage.sim.running.torques
    assert applied.tolist() == [[0.0, 0.0, 3.0, 4.0], [5.0, 6.0, 0.0, 0.0]]
    stage.step()
    still = stage.dof[..., 1] == 0.0
    assert still.tolist() == [[True, True, False, False], [False, False, True, True]]
    env = stage.envs[0]
    properties = GYM.get_actor_dof_properties(env, 2)
    properties["driveMode"], properties["stiffness"], properties["damping"] = gymapi.DOF_MODE_POS, 200.0, 20.0
    GYM.set_actor_dof_properties(env, 2, properties)
    GYM.set_actor_dof_position_targets(env, 2, [0.5, -0.4])
    stage.step(600)
    assert stage.dof[0, 2:, 0].tolist() == pytest.approx([0.5, -0.4], abs=1e-3)
    assert GYM.get_actor_dof_states(env, 2, gymapi.STATE_POS)["pos"].tolist() == pytest.approx([0.5, -0.4], abs=1e-3)


def test_masses_and_forces_are_those_of_the_body_meant(arm):
    stage = mixed(arm)
    env = stage.envs[1]
    (box,) = GYM.get_actor_rigid_body_properties(env, 0)
    box.mass = 4.0
    GYM.set_actor_rigid_body_properties(env, 0, [box], recomputeInertia=True)
    forces = torch.zeros(2, 7, 3)
    forces[:, 0, 1] = 8.0
    GYM.apply_rigid_body_force_tensors(stage.sim, gymtorch.unwrap_tensor(forces), None, gymapi.ENV_SPACE)
    stage.step()
    # the others: 1000 kg/m³ · 0.001 m³ = 1 kg
    assert stage.root[:, 0, 8].tolist() == pytest.approx([8.0 * 0.005, 2.0 * 0.005], rel=1e-4)
    assert not stage.root[:, 1:, 7:].any()


@pytest.mark.parametrize("several", [True, False])
def test_a_thing_whose_centre_of_mass_was_moved_turns_about_it(several):
    """Under a torque of 1 N·m for half a second: the spin is that by the inertia about the centre, which stays."""
    stage = Stage(gravity=0.0)
    stage.add(stage.box(0.2, 0.2, 0.2), (0, 0, 1))  # 8 kg
    if several:
        stage.add(stage.ball(0.1), (3, 0, 1))
    env = stage.envs[0]
    (box,) = GYM.get_actor_rigid_body_properties(env, 0)
    box.com = Vec3(0.05, 0, 0)
    GYM.set_actor_rigid_body_properties(env, 0, [box])
    stage.prepare()
    for _ in range(100):
        GYM.apply_body_forces(env, 0, None, Vec3(0, 0, 1))
        GYM.simulate(stage.sim)
    stage.refresh()
    assert stage.root[0, 0, 12].item() == pytest.approx(0.5 / (8.0 * 0.2**2 / 6.0), rel=1e-3)
    np.testing.assert_allclose(stage.root[0, 0, 7:10], 0.0, atol=0.02)  # steps of 5 ms at up to 9 rad/s
    center = Rotation.from_quat(stage.root[0, 0, 3:7].numpy()).apply([0.05, 0, 0]) + stage.root[0, 0, :3].numpy()
    np.testing.assert_allclose(center, [0.05, 0.0, 1.0], atol=0.005)


def test_jacobians_and_inertia_are_c_mujocos_for_the_actor_meant(arm):
    stage = mixed(arm)
    dofs = stage.dof.clone()
    dofs[..., 0] = torch.tensor([0.3, -0.5, 0.8, 0.6])
    GYM.set_dof_state_tensor(stage.sim, gymtorch.unwrap_tensor(dofs))
    jacobian = gymtorch.wrap_tensor(GYM.acquire_jacobian_tensor(stage.sim, "fixed"))
    inertia = gymtorch.wrap_tensor(GYM.acquire_mass_matrix_tensor(stage.sim, "fixed"))
    afloat = gymtorch.wrap_tensor(GYM.acquire_mass_matrix_tensor(stage.sim, "free"))
    GYM.refresh_jacobian_tensors(stage.sim)
    GYM.refresh_mass_matrix_tensors(stage.sim)
    assert (jacobian.shape, inertia.shape, afloat.shape) == ((2, 2, 6, 2), (2, 2, 2), (2, 8, 8))
    model = build_spec(stage.envs[0].actors[2].robot, 0.005, fixed_base=True).compile()
    model.body_pos[1] = [3.0, 0.0, 1.0]
    data = mujoco.MjData(model)
    data.qpos[:] = [0.8, 0.6]
    mujoco.mj_forward(model, data)
    full, linear, angular = np.zeros((2, 2)), np.zeros((3, 2)), np.zeros((3, 2))
    mujoco.mj_fullM(model, data, full)
    np.testing.assert_allclose(inertia[1], full, atol=1e-5)
    mujoco.mj_jacBodyCom(model, data, linear, angular, 3)
    np.testing.assert_allclose(jacobian[1, 1], np.concatenate([linear, angular]), atol=1e-5)
    free = build_spec(stage.envs[0].actors[1].robot, 0.005).compile()
    assert afloat[0, 0, 0].item() == pytest.approx(free.body_subtreemass[0])  # of a shift along x


def test_two_robots_of_one_file_keep_names_of_their_own(arm):
    stage = Stage(gravity=0.0)
    asset = stage.load(arm, default_dof_drive_mode=3)
    stage.add(asset, (0, 0, 1), name="left")
    stage.add(asset, (1, 0, 1), name="right")
    stage.prepare()
    stage.step()
    assert stage.root[0, :, 0].tolist() == pytest.approx([0.0, 1.0])
    assert GYM.get_actor_dof_names(stage.envs[0], 1) == ["shoulder", "elbow"]


def test_a_snapshot_of_several_actors_goes_on_exactly(arm):
    stage = mixed(arm, gravity=-G)
    stage.step(20)
    state = GYM.get_sim_snapshot(stage.sim)
    stage.step(20)
    expected = stage.root.clone(), stage.dof.clone()
    GYM.set_sim_snapshot(stage.sim, state)
    stage.step(20)
    assert torch.equal(stage.root, expected[0]) and torch.equal(stage.dof, expected[1])


# --- nothing that moves -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_things", [1, 2])
@pytest.mark.parametrize("device", DEVICES)
def test_fixed_things_alone_stay_where_they_are_put(num_things, device):
    stage = Stage(num_envs=2, spacing=5.0, device=device)
    for k in range(num_things):
        stage.add(stage.box(1, 1, 1, fix_base_link=True), (2 * k, 0, 0.4))  # 0.1 m into the ground
    stage.prepare()
    expected = torch.zeros(2, num_things, 13, device=device)
    expected[..., 0], expected[..., 2], expected[..., 6] = 2.0 * torch.arange(num_things), 0.4, 1.0
    state = GYM.get_sim_snapshot(stage.sim)
    push = torch.full((2 * num_things, 3), 99.0, device=device)
    GYM.apply_rigid_body_force_tensors(stage.sim, gymtorch.unwrap_tensor(push))
    stage.step(3)
    assert torch.equal(stage.root, expected) and torch.equal(stage.body, expected)
    assert not stage.contact.any() and not stage.dof.numel()

    stage.root[1, -1, :3] = expected[1, -1, :3] = torch.tensor([3.0, -1.0, 7.0])
    GYM.set_actor_root_state_tensor(stage.sim, gymtorch.unwrap_tensor(stage.root.view(-1, 13)))
    stage.step()
    assert torch.equal(stage.root, expected) and torch.equal(stage.body, expected)
    GYM.set_sim_snapshot(stage.sim, state)
    stage.step()
    assert stage.root[1, -1, 2].item() == pytest.approx(0.4)


def test_a_fixed_thing_stands_in_one_env_while_a_box_falls_in_the_next():
    stage = Stage(num_envs=2, spacing=5.0)
    for env, is_fixed in zip(stage.envs, (True, False), strict=True):
        box = stage.box(1, 1, 1, fix_base_link=is_fixed)
        GYM.create_actor(env, box, Transform(Vec3(0, 0, 9)), "box", 0, 0)
    stage.acquire()
    stage.step(100)
    fallen = 9 - G * 0.005**2 * 100 * 101 / 2  # of 100 steps of semi-implicit Euler
    assert stage.root[:, 2].tolist() == pytest.approx([9.0, fallen], abs=TOL)
