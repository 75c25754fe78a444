"""Envs whose actors are built alike in other sizes, which one engine takes together, against C MuJoCo and by hand."""

from __future__ import annotations

import math

import mujoco
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from isaacgym import gymapi, gymtorch
from isaacgym.assembly import MANY_TREES
from isaacgym.engine.model import build_spec
from isaacgym.gymapi import Transform, Vec3
from tests.isaacgym.test_mixed_envs import MixedStage, alone
from tests.isaacgym.test_several_actors import ARM, SOFT, TOL, G
from tests.isaacgym.worlds import DEVICES

GYM = gymapi.acquire_gym()
COUNT = MANY_TREES + 2  # envs


def sides_of(number: int) -> tuple[float, float, float]:
    """Of the box of an env [m]."""
    return 0.1 + 0.01 * number, 0.3 - 0.01 * number, 0.08 + 0.013 * (number * 3 % COUNT)


def heights_field(stage: MixedStage, height: float) -> None:
    """A flat field of a step above the plane, so that its triangles carry what stands there."""
    params = gymapi.HeightFieldParams(nbRows=80, nbColumns=80, row_scale=0.1, column_scale=0.1, vertical_scale=height)
    params.transform.p = Vec3(-4, -4, 0)
    GYM.add_heightfield(stage.sim, np.ones((80, 80), dtype=np.int16), params)


@pytest.mark.parametrize("ground", [0.0, 0.2])
@pytest.mark.parametrize("device", DEVICES)
def test_boxes_of_a_size_for_each_env_rest_at_half_their_height(device, ground):
    """On a plane, and on a height field above it."""
    stage = MixedStage(device=device)
    if ground:
        heights_field(stage, ground)
    sides = [sides_of(number) for number in range(COUNT)]
    for side in sides:
        stage.env((stage.box(*side, density=400.0), (0.02, 0.03, ground + side[2] / 2 + 0.02)))
    stage.prepare()
    assert len(stage.sim.groups) == 1 and len(stage.sim.kinds) == COUNT
    stage.step(200)
    np.testing.assert_allclose(stage.root[:, 2].cpu(), [ground + z / 2 for _, _, z in sides], atol=SOFT)
    weights = [400.0 * math.prod(side) * G for side in sides]
    np.testing.assert_allclose(stage.contact[:, 2].cpu(), weights, rtol=0.02)


def test_boxes_of_a_size_for_each_env_stand_on_tables_of_a_size_for_each():
    """Where actors touch each other sizes count as well; a few envs do, for these run on MuJoCo Warp anyway."""
    stage = MixedStage()
    sizes = [(0.4, 0.1), (0.5, 0.2), (0.3, 0.15)]
    for table, box in sizes:
        stage.env(
            (stage.box(1.0, 1.0, table, fix_base_link=True), (0, 0, table / 2)),
            (stage.box(box, box, box), (0.1, 0.1, table + box / 2 + 0.01)),
        )
    stage.prepare()
    assert not stage.sim.is_mixed
    stage.step(200)
    heights = [height for table, box in sizes for height in (table / 2, table + box / 2)]
    assert stage.root[:, 2].tolist() == pytest.approx(heights, abs=SOFT)
    assert stage.contact[1::2, 2].tolist() == pytest.approx([1000.0 * box**3 * G for _, box in sizes], rel=0.02)


def test_a_box_that_tumbles_onto_another_does_so_as_alone_in_c_mujoco():
    stage = MixedStage()
    tumbling = Rotation.from_euler("xy", [0.5, 0.4]).as_quat()
    sizes = [0.3, 0.4, 0.36]
    for size in sizes:
        stage.env((stage.box(size, 0.3, 0.2), (0.0, 0.0, 0.6), tumbling), (stage.box(0.3, size, 0.2), (0.1, 0.0, 0.1)))
    stage.prepare()
    stage.step(60)
    for env in range(len(sizes)):
        model, data = alone(stage, env, self_collision=True)
        data.qpos[:] = [0, 0, 0.6, *np.roll(tumbling, 1), 0.1, 0, 0.1, 1, 0, 0, 0]
        mujoco.mj_step(model, data, 60)
        assert data.ncon >= 4  # of the lower one with the ground
        places = stage.root[2 * env : 2 * env + 2, :3]
        np.testing.assert_allclose(places, data.qpos.reshape(2, 7)[:, :3], atol=2 * TOL)


def test_arms_of_a_length_for_each_env_swing_as_in_c_mujoco(tmp_path):
    """Places, axes and limits of joints differ, and where collision shapes are."""
    stage = MixedStage()
    for number in range(COUNT):
        text = ARM.replace('xyz="0 0 -.3"', f'xyz="0.01 0 -{0.25 + 0.01 * number}" rpy="0 0 {0.05 * number}"')
        (tmp_path / "arm.urdf").write_text(text.replace('upper="1.5"', f'upper="{0.2 + 0.02 * number}"'))
        stage.env((stage.arm(tmp_path / "arm.urdf", fix_base_link=True), (0, 0, 2)), filter=1)
    stage.prepare()
    assert len(stage.sim.groups) == 1
    torques = torch.tensor([0.8, 1.2]).repeat(COUNT)
    GYM.set_dof_actuation_force_tensor(stage.sim, gymtorch.unwrap_tensor(torques))
    stage.step(60)
    for env in range(COUNT):
        model, data = alone(stage, env, fixed_base=True)
        model.body_pos[1] = [0, 0, 2]
        data.qfrc_applied[:] = [0.8, 1.2]
        stopped = 0
        for _ in range(60):
            mujoco.mj_step(model, data)
            stopped += data.nefc
        assert stopped > 0  # it reached its limit
        np.testing.assert_allclose(stage.dof[2 * env : 2 * env + 2, 0], data.qpos, atol=TOL)


def test_scales_of_each_env_make_balls_and_capsules_rest_higher(tmp_path):
    (tmp_path / "body.urdf").write_text(
        '<robot name="body"><link name="base"><inertial><mass value="2"/><inertia ixx=".02" iyy=".02" izz=".02"/>'
        '</inertial><collision><origin xyz="0 0 .1"/><geometry><sphere radius=".1"/></geometry></collision>'
        '<collision><origin xyz=".3 0 .05" rpy="0 1.5707963 0"/><geometry><capsule radius=".05" length=".2"/>'
        '</geometry></collision><collision><origin xyz="-.3 0 .05"/><geometry><box size=".2 .2 .1"/></geometry>'
        "</collision></link></robot>"
    )
    stage = MixedStage()
    heights_field(stage, 0.1)
    asset = stage.arm(tmp_path / "body.urdf")
    for number in range(COUNT):
        stage.env((asset, (0, 0, 0.11)))
        GYM.set_actor_scale(stage.envs[-1], 0, 0.5 + 0.1 * number)
    stage.prepare()
    stage.step(200)
    np.testing.assert_allclose(stage.root[:, 2], 0.1, atol=SOFT)  # their shapes' undersides are at the origin's height
    turned = [Rotation.from_quat(quat).magnitude() for quat in stage.root[:, 3:7].numpy()]
    assert max(turned) < 0.01
    weights = [2.0 * (0.5 + 0.1 * number) ** 3 * G for number in range(COUNT)]
    np.testing.assert_allclose(stage.contact[:, 2], weights, rtol=0.02)


def test_hulls_of_one_mesh_at_places_of_each_env_rest_there(tmp_path):
    corners = [(x, y, z) for x in (-0.1, 0.1) for y in (-0.1, 0.1) for z in (-0.1, 0.1)]
    faces = ["1 2 4 3", "5 7 8 6", "1 5 6 2", "3 4 8 7", "1 3 7 5", "2 6 8 4"]
    lines = [f"v {x} {y} {z}" for x, y, z in corners] + [f"f {face}" for face in faces]
    (tmp_path / "cube.obj").write_text("\n".join(lines))
    stage = MixedStage()
    for number in range(COUNT):
        (tmp_path / "body.urdf").write_text(
            '<robot name="body"><link name="base"><inertial><mass value="2"/><inertia ixx=".02" iyy=".02" izz=".02"/>'
            f'</inertial><collision><origin xyz="0 0 {0.01 * number}"/><geometry><mesh filename="cube.obj"/></geometry>'
            "</collision></link></robot>"
        )
        stage.env((stage.arm(tmp_path / "body.urdf"), (0, 0, 0.12 - 0.01 * number)))
    stage.prepare()
    assert len(stage.sim.groups) == 1
    stage.step(200)
    np.testing.assert_allclose(stage.root[:, 2], [0.1 - 0.01 * number for number in range(COUNT)], atol=SOFT)


def test_cameras_see_the_size_of_each_envs_box():
    pytest.importorskip("trimesh")
    stage = MixedStage(gravity=0.0)
    sizes = [0.4, 0.6, 0.2]
    for size in sizes:
        stage.env((stage.box(size, 0.4, 0.4), (2, 0, 1)), (stage.ball(0.1), (-2, 0, 1)))
    for env in stage.envs:
        GYM.create_camera_sensor(env, gymapi.CameraProperties(width=32, height=24, horizontal_fov=60.0))
        GYM.set_camera_location(0, env, Vec3(0, 0, 1), Vec3(1, 0, 1))
    stage.prepare()
    assert not stage.sim.is_mixed
    GYM.render_all_camera_sensors(stage.sim)
    depths = [GYM.get_camera_image(stage.sim, env, 0, gymapi.IMAGE_DEPTH)[12, 16] for env in stage.envs]
    assert depths == pytest.approx([size / 2 - 2.0 for size in sizes], abs=0.01)


def test_force_sensors_on_actors_of_other_scales_are_where_these_have_them():
    """Torques about a sensor at a corner: of a scale's third power for the weight, and its first for the arm."""
    stage = MixedStage()
    box, still = stage.box(0.2, 0.2, 0.2), stage.ball(0.1)
    GYM.create_asset_force_sensor(box, 0, Transform(Vec3(0.1, 0, 0)))
    scales = [1.0, 1.5, 2.0]
    for scale in scales:
        stage.env((box, (0, 0, 0.1 * scale)), (still, (2, 0, 0.1)))
        GYM.set_actor_scale(stage.envs[-1], 0, scale)
    stage.prepare()
    sensors = gymtorch.wrap_tensor(GYM.acquire_force_sensor_tensor(stage.sim))
    stage.step(200)
    GYM.refresh_force_sensor_tensor(stage.sim)
    weights = [8.0 * G * scale**3 for scale in scales]
    assert sensors[:, 2].tolist() == pytest.approx(weights, rel=0.02)
    about_y = [0.1 * scale * weight for scale, weight in zip(scales, weights, strict=True)]
    assert sensors[:, 4].tolist() == pytest.approx(about_y, rel=0.02)


def test_the_tree_engine_takes_many_sizes_one_after_the_other_if_asked_for():
    stage = MixedStage()
    stage.sim.params.engine = "tree"
    for number in range(COUNT):
        stage.env((stage.box(*sides_of(number)), (0, 0, 1)))
    stage.prepare()
    assert len(stage.sim.groups) == COUNT


def test_the_engine_is_named_that_takes_many_sizes(capsys):
    stage = MixedStage()
    for number in range(COUNT):
        stage.env((stage.box(*sides_of(number)), (0, 0, 1)))
    stage.prepare()
    said = capsys.readouterr().out
    assert "Actors come in many sizes: simulating with MuJoCo Warp, not with the tree engine." in said
    model = build_spec(stage.sim.robot_of(stage.envs[3]), 0.005).compile()
    assert model.geom_size[1] * 2 == pytest.approx(sides_of(3))
