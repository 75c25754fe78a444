"""A biped of 10 DOF and a humanoid of 29 stand under PD, on a plane and on stairs, on soles of boxes and of meshes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import mujoco
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from isaacgym.assets.urdf import load_urdf
from isaacgym.engine.model import build_spec
from isaacgym.gym_types import AssetOptions
from tests.isaacgym.robots import BIPED_HEIGHT, FOOT, HUMANOID_HEIGHT, STANCE, biped_urdf, humanoid_urdf
from tests.isaacgym.test_bases_and_gravity import gym_with
from tests.isaacgym.test_mesh_shapes import write_mesh
from tests.isaacgym.worlds import World

ROTOR_INERTIA = 0.03  # [kg·m²] as the gears reflect it; without it, explicit damping of wrists of 0.3 kg is unstable


class Robot(NamedTuple):
    urdf: Callable[..., str]
    height: float  # of the root when standing [m]
    num_dofs: int
    mass: float  # [kg]
    kp: float  # [N·m/rad]; two ankles must hold up an inverted pendulum of mass · g · height
    kd: float  # [N·m·s/rad]


ROBOTS = {
    "biped": Robot(biped_urdf, BIPED_HEIGHT, 10, 18.2, 200.0, 5.0),
    "humanoid": Robot(humanoid_urdf, HUMANOID_HEIGHT, 29, 36.5, 350.0, 6.0),
}
TREAD, RISE = 0.3, 0.12  # [m] of the stairs, which rise along x from 1.0 on
TOES_OUT = 0.05  # [m] that the toes stick out over the nose of a tread
STEPS = 400  # 2 s


def stairs() -> np.ndarray:
    heights = np.zeros((30, 30))
    for step in range(3):
        heights[10 + 3 * step :] = RISE * (step + 1)
    return heights


def sole_points() -> np.ndarray:
    """A sole with rounded toes and heels: 24 vertices."""
    length, width, height = FOOT
    angles = np.linspace(0.0, 2.0 * np.pi, 12, endpoint=False)
    ends = np.where(np.abs(np.cos(angles)) < 1e-9, 0.0, np.sign(np.cos(angles))) * 0.5 * (length - width)
    rim = np.column_stack([ends + 0.5 * width * np.cos(angles), 0.5 * width * np.sin(angles)])
    return np.concatenate([np.insert(rim, 2, end, axis=1) for end in (-0.5 * height, 0.5 * height)])


def write_robot(folder: Path, name: str, mesh_feet: bool = False) -> Path:
    make = ROBOTS[name].urdf
    path = folder / f"{name}.urdf"
    if mesh_feet:
        write_mesh(folder / "sole", sole_points(), "binary stl")
        path.write_text(make('<mesh filename="sole.stl"/>'))
    else:
        path.write_text(make())
    return path


def stand(world: World, name: str, steps: int, targets: np.ndarray) -> None:
    for _ in range(steps):
        world.gym.refresh_dof_state_tensor(world.sim)
        errors = torch.tensor(targets, dtype=torch.float) - world.dof[..., 0]
        torques = ROBOTS[name].kp * errors - ROBOTS[name].kd * world.dof[..., 1]
        world.set_torques(torques)
        world.gym.simulate(world.sim)
    world.refresh()


def stance(dof_names: list[str]) -> np.ndarray:
    return np.array([next((v for part, v in STANCE.items() if part in name), 0.0) for name in dof_names])


@pytest.mark.parametrize("mesh_feet", [False, True], ids=["boxes", "meshes"])
@pytest.mark.parametrize("ground", ["plane", "stairs"])
@pytest.mark.parametrize("name", ROBOTS)
def test_a_robot_on_two_legs_stands_for_two_seconds(tmp_path, name, ground, mesh_feet):
    height = ROBOTS[name].height
    with gym_with(armature=ROTOR_INERTIA):
        heights = stairs() if ground == "stairs" else None
        world = World(write_robot(tmp_path, name, mesh_feet), heights=heights, walls=True)
    targets = stance(world.asset.robot.dof_names)
    if ground == "stairs":  # on the second tread, looking down, with the toes over its nose
        toes = 0.5 * FOOT[0] + 0.03
        start = [1.0 + TREAD + toes - TOES_OUT, 1.43, height + 2 * RISE]
        world.set_root(start, Rotation.from_euler("z", 180, degrees=True).as_quat())
    else:
        start = [0.0, 0.0, height]
        world.set_root(start)
    world.set_dofs(targets.tolist())
    stand(world, name, STEPS, targets)
    upright = Rotation.from_quat(world.root[0, 3:7].numpy()).apply([0, 0, 1])[2]
    assert upright > np.cos(0.15)
    assert np.linalg.norm(world.root[0, :2].numpy() - start[:2]) < 0.06
    assert abs(world.root[0, 2].item() - start[2]) < 0.03
    assert world.root[0, 7:].abs().max().item() < 0.2
    feet = [index for index, body in enumerate(world.asset.robot.bodies) if "ankle" in body.name]
    assert world.contact[0, feet, 2].sum().item() == pytest.approx(9.81 * world.asset.robot.mass, rel=0.1)


@pytest.mark.parametrize("name", ROBOTS)
def test_the_robots_have_their_dofs_and_well_conditioned_inertia(tmp_path, name):
    robot = load_urdf(write_robot(tmp_path, name), AssetOptions())
    assert len(robot.dofs) == ROBOTS[name].num_dofs
    assert robot.mass == pytest.approx(ROBOTS[name].mass)
    model = build_spec(robot, 0.005).compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    full = np.zeros((model.nv, model.nv))
    mujoco.mj_fullM(model, data, full)
    assert np.linalg.cond(full + ROTOR_INERTIA * np.diag([0.0] * 6 + [1.0] * len(robot.dofs))) < 1e5


@pytest.mark.parametrize("name", ROBOTS)
def test_a_robot_on_two_legs_lands_as_in_c_mujoco(tmp_path, name):
    """0.2 s with impacts of both feet and sagging knees."""
    height = ROBOTS[name].height
    urdf = write_robot(tmp_path, name)
    with gym_with(armature=ROTOR_INERTIA):
        world = World(urdf)
    model = build_spec(load_urdf(urdf, AssetOptions()), 0.005, native_ground=True).compile()
    model.dof_armature[6:] = ROTOR_INERTIA
    mujoco.mj_setConst(model, data := mujoco.MjData(model))
    targets = stance(world.asset.robot.dof_names)
    world.set_root([0.0, 0.0, height + 0.02])
    world.set_dofs(targets.tolist())
    data.qpos[:] = [0.0, 0.0, height + 0.02, 1.0, 0.0, 0.0, 0.0, *targets]
    for _ in range(40):
        data.qfrc_applied[6:] = ROBOTS[name].kp * (targets - data.qpos[7:]) - ROBOTS[name].kd * data.qvel[6:]
        mujoco.mj_step(model, data)
    stand(world, name, 40, targets)
    assert world.root[0, :3].numpy() == pytest.approx(data.qpos[:3], abs=2e-3)
    assert world.dof[0, :, 0].numpy() == pytest.approx(data.qpos[7:], abs=5e-3)
