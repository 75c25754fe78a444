"""Attractors against implicit Euler by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from isaacgym import gymapi, gymtorch
from isaacgym.gymapi import AttractorProperties, Quat, Transform, Vec3

GYM = gymapi.acquire_gym()
G, DT, SUBSTEPS = 9.81, 0.02, 2
H = DT / SUBSTEPS
SIDE, DENSITY = 0.2, 1000.0  # of a box of 8 kg
MASS = DENSITY * SIDE**3
MOMENT = MASS * SIDE**2 / 6
ARM = (
    '<robot name="arm">'
    + "".join(
        f'<link name="{name}"><inertial><origin xyz=".1 0 0"/><mass value="1"/><inertia ixx=".01" iyy=".01" izz=".01"/>'
        "</inertial></link>"
        for name in ("base", "upper", "lower")
    )
    + "".join(
        f'<joint name="{child}_joint" type="continuous"><parent link="{parent}"/><child link="{child}"/>'
        f'<origin xyz="{x} 0 0"/><axis xyz="0 1 0"/></joint>'
        for parent, child, x in (("base", "upper", 0), ("upper", "lower", 0.4))
    )
    + "</robot>"
)


def boxes(engine: str, gravity: float, num_envs: int = 2):
    params = gymapi.SimParams(dt=DT, substeps=SUBSTEPS, up_axis=1, gravity=(0.0, 0.0, -gravity), engine=engine)
    sim = GYM.create_sim(0, -1, gymapi.SIM_PHYSX, params)
    asset = GYM.create_box(sim, SIDE, SIDE, SIDE, gymapi.AssetOptions(density=DENSITY))
    for _ in range(num_envs):
        GYM.create_actor(GYM.create_env(sim, Vec3(), Vec3(3, 3, 0), 2), asset, Transform(Vec3(0, 0, 5)), "box", 0, 1)
    return sim


def roots(sim) -> torch.Tensor:
    tensor = gymtorch.wrap_tensor(GYM.acquire_actor_root_state_tensor(sim))
    GYM.refresh_actor_root_state_tensor(sim)
    return tensor


def implicit(start: float, target: float, stiffness: float, damping: float, inertia: float, force: float, steps: int):
    """Position and velocity of one coordinate after some sub-steps."""
    x, v = start, 0.0
    for _ in range(steps):
        v = (inertia * v + H * (force + stiffness * (target - x))) / (inertia + H * damping + H**2 * stiffness)
        x += H * v
    return x, v


@pytest.mark.parametrize(("stiffness", "damping"), [(300.0, 20.0), (5e5, 5e3)])
@pytest.mark.parametrize("engine", ["tree", "mujoco"])
def test_a_box_is_pulled_and_turned_as_implicit_euler_says(engine, stiffness, damping):
    sim = boxes(engine, G)
    env = sim.envs[1]
    target = Transform(Vec3(0.3, -0.2, 5.5), Quat.from_axis_angle(Vec3(0, 0, 1), 0.8))
    handle = GYM.create_rigid_body_attractor(
        env, AttractorProperties(rigid_handle=0, target=target, stiffness=stiffness, damping=damping)
    )
    for _ in range(7):
        GYM.simulate(sim)
    state, free = roots(sim)[1], roots(sim)[0]
    forces = (0.0, 0.0, -MASS * G)
    for k, (start, end) in enumerate(zip((0, 0, 5), (0.3, -0.2, 5.5), strict=True)):
        x, v = implicit(start, end, stiffness, damping, MASS, forces[k], 14)
        assert (state[k].item(), state[7 + k].item()) == pytest.approx((x, v), rel=2e-3, abs=2e-4)
    angle, spin = implicit(0.0, 0.8, stiffness, damping, MOMENT, 0.0, 14)
    turned = Rotation.from_quat(state[3:7].numpy()).as_rotvec()
    assert turned == pytest.approx([0.0, 0.0, angle], abs=1e-3)
    assert state[12].item() == pytest.approx(spin, rel=5e-3, abs=5e-3)
    assert free[2].item() == pytest.approx(5.0 - G * H**2 * 14 * 15 / 2, abs=1e-4)  # nothing pulls the other
    GYM.set_attractor_target(env, handle, Transform(Vec3(1, 2, 3)))
    for _ in range(600):
        GYM.simulate(sim)
    sag = MASS * G / stiffness
    assert roots(sim)[1, :3].tolist() == pytest.approx([1.0, 2.0, 3.0 - sag], abs=2e-3)
    assert [*GYM.get_attractor_properties(env, handle).target.p] == [1.0, 2.0, 3.0]


def test_a_stiff_attractor_takes_an_arms_tip_where_a_record_of_states_says(tmp_path):
    (tmp_path / "arm.urdf").write_text(ARM)
    sim = GYM.create_sim(0, -1, gymapi.SIM_PHYSX, gymapi.SimParams(up_axis=1, gravity=(0.0, 0.0, -G)))
    asset = GYM.load_asset(sim, str(tmp_path), "arm.urdf", gymapi.AssetOptions(fix_base_link=True))
    env = GYM.create_env(sim, Vec3(), Vec3(), 1)
    GYM.create_actor(env, asset, Transform(Vec3(0, 0, 2)), "arm", 0, 1)
    hand = GYM.find_actor_rigid_body_handle(env, 0, "lower")
    properties = AttractorProperties()
    properties.stiffness, properties.damping, properties.axes = 5e5, 5e3, gymapi.AXIS_TRANSLATION
    properties.rigid_handle, properties.offset.p = hand, Vec3(0.3, 0, 0)
    properties.target = GYM.get_actor_rigid_body_states(env, 0, gymapi.STATE_POS)["pose"][:][hand]
    assert [*properties.target.p] == pytest.approx([0.4, 0.0, 2.0])
    GYM.create_rigid_body_attractor(env, properties)
    for _ in range(120):
        GYM.simulate(sim)
    lower = GYM.get_rigid_transform(env, hand)
    assert [*lower.transform_point(Vec3(0.3, 0, 0))] == pytest.approx([0.4, 0.0, 2.0], abs=1e-3)
    # sides of 0.4 and 0.3 m span 0.4 m: the law of cosines
    elbow = lower.p - Vec3(0, 0, 2)
    assert abs(math.atan2(elbow.z, elbow.x)) == pytest.approx(math.acos((0.16 + 0.16 - 0.09) / 0.32), abs=1e-2)
    assert np.abs(GYM.get_actor_dof_states(env, 0, gymapi.STATE_VEL)["vel"]).max() < 0.05


def test_mistakes_with_attractors_are_refused_in_a_sentence():
    env = boxes("auto", 0.0, 1).envs[0]
    for wrong, message in (
        ({"rigid_handle": 1}, "rigid_handle is 1, but env 0 has 1 body;"),
        ({}, "rigid_handle is -1"),
        ({"rigid_handle": 0, "stiffness": -1.0}, "are at least 0"),
        ({"rigid_handle": 0, "axes": gymapi.AXIS_X | gymapi.AXIS_ROTATION}, "axes is 57; use AXIS_TRANSLATION"),
    ):
        with pytest.raises(ValueError, match=message):
            GYM.create_rigid_body_attractor(env, AttractorProperties(**wrong))
    with pytest.raises(IndexError, match="env 0 has 0 attractors, so none has the handle 0"):
        GYM.set_attractor_target(env, 0, Transform())
