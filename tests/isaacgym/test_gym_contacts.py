"""Contacts one by one: a ball and a box at rest, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from isaacgym import gymapi
from isaacgym.gymapi import AssetOptions, Quat, Transform, Vec3
from isaacgym.headless_viewer import Viewer
from tests.isaacgym.test_public_code import slab
from tests.isaacgym.test_several_actors import Stage

GYM = gymapi.acquire_gym()
G, RADIUS, DENSITY = 9.81, 0.1, 500.0
WEIGHT = DENSITY * 4 / 3 * math.pi * RADIUS**3 * G
TOL = 2e-3  # [m] soft contacts
TURN = Rotation.from_euler("x", 0.5)


def point(record) -> list[float]:
    return [record["x"], record["y"], record["z"]]


@pytest.mark.parametrize("ground", ["plane", "mesh"])
@pytest.mark.parametrize("engine", ["tree", "mujoco"])
def test_a_resting_ball_touches_the_ground_at_its_lowest_point(engine, ground):
    params = gymapi.SimParams(dt=0.005, substeps=1, up_axis=1, gravity=(0.0, 0.0, -G), engine=engine)
    sim = GYM.create_sim(0, -1, gymapi.SIM_PHYSX, params)
    if ground == "plane":
        GYM.add_ground(sim, gymapi.PlaneParams(normal=Vec3(0, 0, 1)))
    else:
        slab(sim, -5.0, 9.0, 0.0)  # in the world, while the second env is elsewhere
    asset = GYM.create_sphere(sim, RADIUS, AssetOptions(density=DENSITY))
    for _ in range(2):
        env = GYM.create_env(sim, Vec3(), Vec3(3, 0, 0), 2)
        GYM.create_actor(env, asset, Transform(Vec3(0.5, 0.25, RADIUS), Quat(*TURN.as_quat())), "ball", 0, 1)
    GYM.prepare_sim(sim)
    assert len(GYM.get_env_rigid_contacts(env)) == 0  # before the first step
    for _ in range(100):
        GYM.simulate(sim)
    assert len(GYM.get_rigid_contacts(sim)) == 2
    (contact,) = GYM.get_env_rigid_contacts(env)
    assert [contact[name] for name in ("env0", "env1", "body0", "body1")] == [1, 1, -1, 0]
    assert point(contact["normal"]) == pytest.approx([0, 0, 1], abs=1e-4)
    assert contact["lambda"] == pytest.approx(WEIGHT, rel=0.01) and -TOL < contact["minDist"] <= 0.0
    assert point(contact["localPos0"]) == pytest.approx([0.5, 0.25, 0], abs=TOL)
    assert point(contact["localPos1"]) == pytest.approx(TURN.inv().apply([0, 0, -RADIUS]), abs=TOL)
    assert contact["lambdaFriction"]["x"] == pytest.approx(0.0, abs=0.05)
    viewer = Lines()
    GYM.draw_env_rigid_contacts(viewer, env, Vec3(1, 0, 0), 0.5, False)
    np.testing.assert_allclose(viewer.ends, [[[3.5, 0.25, 0], [3.5, 0.25, 0.5]]], atol=TOL)


class Lines(Viewer):
    """Keeps what is drawn."""

    def add_lines(self, ends: np.ndarray, colors: np.ndarray) -> None:
        self.ends = ends


def test_a_box_presses_on_the_table_with_its_weight_and_is_as_before_after_the_question():
    stage = Stage(num_envs=2)
    stage.add(stage.box(1.0, 1.0, 0.4, fix_base_link=True), (0, 0, 0.2))
    stage.add(stage.box(0.2, 0.2, 0.2), (0, 0, 0.5))
    stage.prepare()
    stage.step(200)
    weight = 1000.0 * 0.2**3 * G
    contacts = GYM.get_env_rigid_contacts(stage.envs[1])
    assert len(contacts) == 4 and set(contacts["body0"]) == {0} and set(contacts["body1"]) == {1}
    assert contacts["lambda"].sum() == pytest.approx(weight, rel=0.02)
    assert contacts["normal"]["z"].tolist() == pytest.approx([1.0] * 4, abs=1e-3)
    corners = sorted([round(float(p["x"]), 2), round(float(p["y"]), 2)] for p in contacts["localPos1"])
    assert corners == [[-0.1, -0.1], [-0.1, 0.1], [0.1, -0.1], [0.1, 0.1]]
    stage.step(20)
    assert stage.root[1, 1, 2].item() == pytest.approx(0.5, abs=TOL)
    assert stage.contact[1, 1, 2].item() == pytest.approx(weight, rel=0.02)
