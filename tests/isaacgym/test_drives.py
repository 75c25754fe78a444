"""Joint properties and drives against C MuJoCo, and against the implicit law worked out by hand."""

from __future__ import annotations

from collections.abc import Callable

import mujoco
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from isaacgym import gymapi, gymtorch
from isaacgym.assets.urdf import load_urdf
from isaacgym.engine.model import build_spec
from tests.isaacgym.worlds import ALIENGO, STANCE, World

DT = 0.005
TOLERANCE = (
    5e-4  # float32 against float64 over 0.25 s of fast motion, positions [rad], [m]; velocities are 20 times worse
)
QUAT = Rotation.from_euler("xyz", [0.4, -0.7, 1.1])
TARGETS = np.array([0.2, 1.0, -1.2, -0.1, 0.7, -1.7, 0.3, 0.9, -1.4, -0.2, 0.6, -1.1])
POS, VEL, EFFORT, NONE = gymapi.DOF_MODE_POS, gymapi.DOF_MODE_VEL, gymapi.DOF_MODE_EFFORT, gymapi.DOF_MODE_NONE


def drive_world(change: Callable[[int, np.ndarray], None], num_envs: int = 1, **options) -> World:
    """Aliengo after `change(env, dof_properties)`."""
    gym = gymapi.acquire_gym()
    create_actor = gym.create_actor

    def create(env, *args):
        actor = create_actor(env, *args)
        properties = gym.get_actor_dof_properties(env, actor)
        change(env.index, properties)
        gym.set_actor_dof_properties(env, actor, properties)
        return actor

    gym.create_actor = create
    try:
        return World(ALIENGO, num_envs=num_envs, **options)
    finally:
        del gym.create_actor


def drives(mode: int, stiffness: float = 0.0, damping: float = 0.0, effort: float = 1e3) -> Callable:
    def change(_: int, properties: np.ndarray) -> None:
        for name, value in (("driveMode", mode), ("stiffness", stiffness), ("damping", damping), ("effort", effort)):
            properties[name] = value

    return change


def set_targets(world: World, positions=None, velocities=None) -> None:
    for values, setter in (
        (positions, world.gym.set_dof_position_target_tensor),
        (velocities, world.gym.set_dof_velocity_target_tensor),
    ):
        if values is not None:
            tensor = torch.tensor(np.broadcast_to(values, (world.num_envs, 12)).copy(), dtype=torch.float)
            setter(world.sim, gymtorch.unwrap_tensor(tensor))


def c_mujoco(integrator: int = mujoco.mjtIntegrator.mjINT_EULER, edit: Callable | None = None) -> tuple:
    """Aliengo in C MuJoCo; edit(spec) before it is compiled."""
    options = gymapi.AssetOptions(collapse_fixed_joints=True, replace_cylinder_with_capsule=True)
    spec = build_spec(load_urdf(ALIENGO, options), DT, native_ground=True)
    spec.option.integrator = integrator
    if edit is not None:
        edit(spec)
    model = spec.compile()
    return model, mujoco.MjData(model)


def with_actuators(position_gain: float, velocity_gain: float, damping: float, limit: float) -> Callable:
    """force = position_gain · (control - q) or velocity_gain · control, minus damping · velocity."""

    def edit(spec: mujoco.MjSpec) -> None:
        for joint in spec.joints:
            if joint.type == mujoco.mjtJoint.mjJNT_HINGE:
                actuator = spec.add_actuator(name=joint.name, target=joint.name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
                actuator.gaintype, actuator.biastype = mujoco.mjtGain.mjGAIN_FIXED, mujoco.mjtBias.mjBIAS_AFFINE
                actuator.gainprm[0] = position_gain + velocity_gain
                actuator.biasprm[:3] = [0.0, -position_gain, -damping]
                actuator.forcelimited = True
                actuator.forcerange = [-limit, limit]

    return edit


def start_in_the_air(world: World, data: mujoco.MjData) -> None:
    linear, angular = np.array([0.3, -0.5, 0.7]), np.array([1.1, -1.3, 1.7])
    com = world.asset.body_com[0]
    world.set_root([0, 0, 5.0], QUAT.as_quat(), linear + np.cross(angular, QUAT.apply(com)), angular)
    world.set_dofs(STANCE)
    data.qpos[:] = [0, 0, 5.0, *QUAT.as_quat(scalar_first=True), *STANCE]
    data.qvel[:6] = [*linear, *QUAT.inv().apply(angular)]


def assert_same(world: World, data: mujoco.MjData, tolerance: float = TOLERANCE) -> None:
    assert world.root[0, :3].numpy() == pytest.approx(data.qpos[:3], abs=tolerance)
    assert world.dof[0, :, 0].numpy() == pytest.approx(data.qpos[7:], abs=tolerance)
    assert world.dof[0, :, 1].numpy() == pytest.approx(data.qvel[6:], abs=20 * tolerance)


def passive(friction: float, damping: float, armature: float) -> Callable:
    def change(_: int, properties: np.ndarray) -> None:
        properties["friction"], properties["damping"], properties["armature"] = friction, damping, armature

    return change


def joint_edit(friction: float, damping: float, armature: float) -> Callable:
    def edit(spec: mujoco.MjSpec) -> None:
        for joint in spec.joints:
            if joint.type == mujoco.mjtJoint.mjJNT_HINGE:
                joint.frictionloss, joint.armature = friction, armature
                joint.damping[0] = damping

    return edit


@pytest.mark.parametrize(
    "values", [(0.0, 0.0, 0.013), (0.0, 0.37, 0.0), (0.7, 0.0, 0.0)], ids=["armature", "damping", "friction"]
)
def test_joint_properties_act_as_in_c_mujoco(values):
    world = drive_world(passive(*values))
    model, data = c_mujoco(edit=joint_edit(*values))
    start_in_the_air(world, data)
    torques = np.tile([1.1, -1.3, 0.9], 4)
    world.set_torques(torch.tensor(torques, dtype=torch.float))
    data.qfrc_applied[6:] = torques
    for _ in range(20):
        mujoco.mj_step(model, data)
    world.step(20)
    assert_same(world, data)


def test_joint_properties_may_differ_between_envs():
    def change(env: int, properties: np.ndarray) -> None:
        properties["armature"] = [0.0, 0.05, 0.0][env]
        properties["friction"] = [0.0, 0.0, 2.0][env]

    both = drive_world(change, num_envs=3)
    both.set_root([0, 0, 5.0])
    both.set_dofs(STANCE)
    both.set_torques(torch.full((3, 12), 1.5))
    both.step(5)
    plain, heavy, stuck = both.dof[:, :, 1].abs()
    assert (heavy[2::3] < 0.6 * plain[2::3]).all()
    assert (stuck[2::3] < 0.2 * plain[2::3]).all()  # the calves cannot overcome 2 N·m


def test_a_robot_without_joint_properties_pays_nothing_for_them():
    engine = World(ALIENGO).sim.engine
    assert engine._drives is None and engine._dof_fields == []


@pytest.mark.parametrize("limit", [1e3, 9.0], ids=["free", "saturated"])
def test_position_drives_follow_c_mujoco_with_implicit_actuators(limit):
    stiffness, damping = 40.0, 2.0
    world = drive_world(drives(POS, stiffness, damping, limit))
    edit = with_actuators(stiffness, 0.0, damping + DT * stiffness, limit)
    model, data = c_mujoco(mujoco.mjtIntegrator.mjINT_IMPLICITFAST, edit)
    start_in_the_air(world, data)
    set_targets(world, TARGETS)
    data.ctrl[:] = TARGETS
    for _ in range(50):
        mujoco.mj_step(model, data)
    world.step(50)
    assert_same(world, data)


def test_velocity_drives_follow_c_mujoco_with_implicit_actuators():
    damping = 3.0
    world = drive_world(drives(VEL, 77.0, damping))  # the stiffness is not used
    model, data = c_mujoco(mujoco.mjtIntegrator.mjINT_IMPLICITFAST, with_actuators(0.0, damping, damping, 1e3))
    start_in_the_air(world, data)
    speeds = np.tile([0.3, -0.7, 1.1], 4)
    set_targets(world, velocities=speeds)
    data.ctrl[:] = speeds
    for _ in range(50):
        mujoco.mj_step(model, data)
    world.step(50)
    assert_same(world, data)


def test_a_driven_robot_lands_as_c_mujoco_with_the_drives_inertia():
    """Euler with the added inertia and the force of the implicit law: contacts feel the drives, too."""
    stiffness, damping = 40.0, 2.0
    implicit = damping + DT * stiffness
    world = drive_world(drives(POS, stiffness, damping))
    model, data = c_mujoco()
    model.dof_armature[6:] += DT * implicit  # without mj_setConst: constraints keep the invweight of the bare robot
    world.set_root([0, 0, 0.40])
    world.set_dofs(STANCE)
    set_targets(world, STANCE)
    data.qpos[:] = [0, 0, 0.40, 1, 0, 0, 0, *STANCE]
    for _ in range(50):
        data.qfrc_applied[6:] = stiffness * (np.array(STANCE) - data.qpos[7:]) - implicit * data.qvel[6:]
        mujoco.mj_step(model, data)
    world.step(50)
    assert_same(world, data, tolerance=2e-3)  # impacts amplify rounding, as in test_physics


@pytest.mark.parametrize("stiffness", [400.0, 1e6])
def test_stiff_drives_are_stable_and_reach_their_targets(stiffness):
    world = drive_world(drives(POS, stiffness, 10.0, 1e6), gravity=(0.0, 0.0, 0.0))
    world.set_root([0, 0, 5.0])
    world.set_dofs(STANCE)
    set_targets(world, TARGETS)
    world.step(10)
    assert world.dof[0, :, 1].abs().max() < 60.0
    world.step(190)
    assert world.dof[0, :, 0].numpy() == pytest.approx(TARGETS, abs=2e-3)
    assert world.dof[0, :, 1].numpy() == pytest.approx(np.zeros(12), abs=2e-2)


def test_a_robot_stands_on_position_drives():
    world = drive_world(drives(POS, 400.0, 10.0, 100.0))
    world.set_root([0, 0, 0.42])
    world.set_dofs(STANCE)
    set_targets(world, STANCE)
    world.step(300)
    assert world.contact[0, :, 2].sum().item() == pytest.approx(9.81 * world.asset.robot.mass, rel=0.02)
    assert world.dof[0, :, 1].abs().max() < 0.05


def test_modes_mix_and_each_dof_obeys_only_its_own():
    def change(_: int, properties: np.ndarray) -> None:
        drives(POS, 60.0, 4.0)(0, properties)
        properties["driveMode"] = [POS, VEL, EFFORT, NONE] * 3
        properties["damping"][2::4] = 0.0
        properties["damping"][3::4] = 0.0

    world = drive_world(change, num_envs=2, gravity=(0.0, 0.0, 0.0))
    for env in (0, 1):
        assert world.gym.get_actor_dof_properties(world.sim.envs[env], 0)["driveMode"].tolist() == [1, 2, 3, 0] * 3

    def accelerations(**given) -> torch.Tensor:
        world.set_root([0, 0, 5.0])
        world.set_dofs(STANCE)
        set_targets(world, given.get("positions", STANCE), given.get("velocities", 0.0))
        world.set_torques(torch.full((2, 12), given.get("torques", 0.0)))
        world.step()
        return world.dof[1, :, 1].clone()

    rest = accelerations()
    assert rest.abs().max() < 1e-4
    engine = world.sim.engine
    for given, mode in (({"positions": 0.5}, POS), ({"velocities": 0.9}, VEL), ({"torques": 1.3}, EFFORT)):
        accelerations(**given)
        forces = torch.zeros(2, 12)
        engine.read_dof_forces(forces)
        driven = (forces[1].abs() > 1e-2).tolist()
        # neighbours move along, so other drives react; DOFs without a drive feel only their own torque
        assert all(driven[k] for k, m in enumerate([POS, VEL, EFFORT, NONE] * 3) if m == mode)
        assert not any(driven[3::4])
        assert any(driven[2::4]) == (mode == EFFORT)


def test_indexed_targets_reach_the_listed_actors_only_and_persist():
    world = drive_world(drives(POS, 60.0, 4.0), num_envs=3, gravity=(0.0, 0.0, 0.0))
    world.set_root([0, 0, 5.0])
    world.set_dofs(STANCE)
    set_targets(world, STANCE)
    given = torch.tensor(TARGETS, dtype=torch.float).repeat(3, 1)
    ids = torch.tensor([2, 1], dtype=torch.int32)
    unwrap = gymtorch.unwrap_tensor
    world.gym.set_dof_position_target_tensor_indexed(world.sim, unwrap(given), unwrap(ids), 1)  # the first: env 2
    given.zero_()  # copied
    world.step(200)
    for env, expected in enumerate((STANCE, STANCE, TARGETS)):
        assert world.dof[env, :, 0].numpy() == pytest.approx(np.array(expected), abs=2e-3)


def test_indexed_torques_keep_those_of_other_actors():
    world = World(ALIENGO, num_envs=2)
    world.set_torques(torch.full((2, 12), 2.0))
    ids = torch.tensor([1], dtype=torch.int32)
    unwrap = gymtorch.unwrap_tensor
    world.gym.set_dof_actuation_force_tensor_indexed(world.sim, unwrap(torch.full((24,), 5.0)), unwrap(ids), 1)
    assert world.sim.engine.torques[:, 0].tolist() == [2.0, 5.0]


def test_gains_may_change_after_prepare_sim_but_drives_cannot_appear():
    world = drive_world(drives(POS, 60.0, 4.0), gravity=(0.0, 0.0, 0.0))
    env = world.sim.envs[0]
    properties = world.gym.get_actor_dof_properties(env, 0)
    properties["stiffness"], properties["damping"] = 0.0, 0.0
    world.gym.set_actor_dof_properties(env, 0, properties)
    world.set_root([0, 0, 5.0])
    world.set_dofs(STANCE)
    set_targets(world, TARGETS)
    world.step(10)
    assert world.dof[0, :, 0].numpy() == pytest.approx(np.array(STANCE), abs=1e-4)
    plain = World(ALIENGO)
    properties["driveMode"] = POS
    with pytest.raises(RuntimeError, match="without drives"):
        plain.gym.set_actor_dof_properties(plain.sim.envs[0], 0, properties)
