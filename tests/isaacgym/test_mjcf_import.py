"""`load_mjcf` against C MuJoCo's own reading of the file, and MJCF robots through the gym's calls."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from isaacgym import gymapi
from isaacgym.assets.mjcf import load_mjcf
from isaacgym.engine.model import build_spec
from isaacgym.gym_types import AssetOptions
from tests.isaacgym.worlds import World

TOL = 1e-9  # double precision; inertias are turned into principal axes and back

# names in no alphabetical order; poses as euler angles in degrees, fromto and quaternions; a fixed child; a mesh
ROBOT = """
<mujoco model="walker">
  <compiler angle="degree"/>
  <default>
    <joint damping="0.3" armature="0.02" frictionloss="0.1"/>
    <geom friction="0.7"/>
    <default class="visual"><geom contype="0" conaffinity="0" rgba="1 0 0 1"/></default>
  </default>
  <asset><mesh name="wedge" vertex="0 0 0  .1 0 0  0 .1 0  0 0 .1  .02 .02 .02"/></asset>
  <worldbody>
    <geom type="plane" size="5 5 1"/>
    <body name="torso" pos="0 0 0.9">
      ROOT_JOINT
      <geom type="box" size=".1 .15 .2" mass="5"/>
      <geom class="visual" type="cylinder" size=".05 .1"/>
      <body name="right" pos="0 -.1 -.2" euler="10 20 30">
        <joint name="z_hip" axis="0 1 0" range="-90 45" actuatorfrcrange="-33 33"/>
        <geom type="capsule" fromto="0 0 0 0 0.02 -.3" size=".04"/>
        <body name="right_foot" pos="0 .02 -.3">
          <geom type="mesh" mesh="wedge" pos="0.05 0 0"/>
          <body name="toe" pos=".1 0 0"><joint name="toe_slide" type="slide" axis="1 0 0" range="-.1 .2" stiffness="7"/>
            <geom type="sphere" size=".03" pos="0.01 0 0"/></body>
        </body>
      </body>
      <body name="left" pos="0 .1 -.2">
        <inertial pos="0 0 -.1" mass="1.3" fullinertia=".01 .012 .008 .001 .002 .0005"/>
        <joint name="a_hip" axis="0 0 2"/>
        <geom type="cylinder" size=".03 .1"/>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor joint="a_hip" gear="6" ctrlrange="-2 2" ctrllimited="true"/>
    <position joint="toe_slide" kp="50" forcerange="-4 9" forcelimited="true"/>
  </actuator>
</mujoco>
"""
FREE = ROBOT.replace("ROOT_JOINT", "<freejoint/>")
OPTIONS = AssetOptions(replace_cylinder_with_capsule=True)


# two bodies with several joints each, beside their bodies' origins; a tendon that only names a combination of joints
SHOULDERED = """
<mujoco model="shouldered">
  <worldbody>
    <body name="torso">
      <geom type="box" size=".1 .15 .2" mass="5"/>
      <body name="arm" pos="0 .2 .2" euler="20 0 10">
        <joint name="yaw" axis="0 0 1" pos=".01 .02 .03"/>
        <joint name="pitch" axis="0 1 0" range="-90 90" pos="0 .04 0"/>
        <joint name="reach" axis="1 1 0" type="slide" range="-.1 .1"/>
        <geom type="capsule" fromto="0 0 0 .3 0 .02" size=".04"/>
        <body name="hand" pos=".3 0 0"><geom type="sphere" size=".05" pos=".02 0 .01"/>
          <body name="finger" pos=".05 .01 0" euler="0 30 0">
            <joint name="curl" axis="0 1 0"/>
            <joint name="spread" axis="0 0 1" pos="0 0 .02"/>
            <geom type="box" size=".03 .01 .01" pos=".03 0 0"/></body></body>
      </body>
    </body>
  </worldbody>
  <tendon><fixed name="sum"><joint joint="yaw" coef="1"/><joint joint="pitch" coef="2"/></fixed></tendon>
</mujoco>
"""
SHOULDERED_AFLOAT = SHOULDERED.replace('<body name="torso">', '<body name="torso"><freejoint/>')


def write(folder: Path, text: str) -> Path:
    path = folder / "robot.xml"
    path.write_text(text)
    return path


def mass_matrix(model: mujoco.MjModel, qpos: np.ndarray) -> np.ndarray:
    data = mujoco.MjData(model)
    data.qpos[:] = qpos
    mujoco.mj_forward(model, data)
    full = np.zeros((model.nv, model.nv))
    mujoco.mj_fullM(model, data, full)
    return full


@pytest.mark.parametrize("root_joint", ["<freejoint/>", '<joint type="free"/>', ""])
@pytest.mark.parametrize("collapse", [False, True])
def test_the_dynamics_are_those_that_mujoco_reads(tmp_path, root_joint, collapse):
    options = AssetOptions(replace_cylinder_with_capsule=True, collapse_fixed_joints=collapse)
    robot = load_mjcf(write(tmp_path, ROBOT.replace("ROOT_JOINT", root_joint)), options)
    theirs = mujoco.MjModel.from_xml_string(FREE)
    theirs.dof_armature[:] = 0.0  # a property of the actor's DOFs, not of the robot's model
    ours = build_spec(robot, 0.005).compile()
    qpos = [0.3, -0.2, 0.5, *np.roll(Rotation.from_rotvec([0.3, 0.5, -0.7]).as_quat(), 1), 0.4, -0.05, 0.7]
    np.testing.assert_allclose(mass_matrix(ours, qpos), mass_matrix(theirs, qpos), atol=TOL)


def test_a_body_may_have_several_joints_beside_its_origin(tmp_path):
    robot = load_mjcf(write(tmp_path, SHOULDERED), OPTIONS)
    assert robot.body_names == ["torso", "arm", "hand", "finger"]
    assert robot.dof_names == ["yaw", "pitch", "reach", "curl", "spread"]
    assert [dof.body for dof in robot.dofs] == [1, 1, 1, 3, 3]
    theirs = mujoco.MjModel.from_xml_string(SHOULDERED_AFLOAT)
    ours = build_spec(robot, 0.005).compile()
    qpos = [0.3, -0.2, 0.5, *np.roll(Rotation.from_rotvec([0.3, 0.5, -0.7]).as_quat(), 1), 0.4, -0.5, 0.07, 0.3, 0.9]
    np.testing.assert_allclose(mass_matrix(ours, qpos), mass_matrix(theirs, qpos), atol=TOL)


@pytest.mark.parametrize("engine", ["tree", "mujoco"])
def test_several_joints_of_a_body_move_it_as_in_c_mujoco(tmp_path, engine):
    """A fall of 0.2 s from rest with torques, bodies and joints compared, in the air; single precision."""
    world = World(write(tmp_path, SHOULDERED), engine=engine)
    theirs = mujoco.MjModel.from_xml_string(SHOULDERED_AFLOAT)
    theirs.opt.timestep = 0.005
    data = mujoco.MjData(theirs)
    torques = [0.5, -0.7, 0.3, 0.002, -0.001]
    data.qpos[2], data.qfrc_applied[6:] = 50.0, torques
    world.set_root([0.0, 0.0, 50.0])
    world.set_torques(torch.tensor([torques]))
    world.step(40)
    for _ in range(40):
        mujoco.mj_step(theirs, data)
    mujoco.mj_kinematics(theirs, data)
    np.testing.assert_allclose(world.dof[0, :, 0], data.qpos[7:], atol=1e-4)
    np.testing.assert_allclose(world.body[0, :, :3], data.xpos[[1, 2, 4]], atol=1e-4)  # the hand is fixed to the arm


def test_bodies_and_dofs_come_in_the_order_of_the_document(tmp_path):
    robot = load_mjcf(write(tmp_path, FREE), OPTIONS)
    assert robot.name == "walker"
    assert robot.body_names == ["torso", "right", "right_foot", "toe", "left"]
    assert robot.dof_names == ["z_hip", "toe_slide", "a_hip"]
    assert [body.parent for body in robot.bodies] == [-1, 0, 1, 2, 0]
    assert [dof.body for dof in robot.dofs] == [1, 3, 4]
    collapsed = load_mjcf(write(tmp_path, FREE), AssetOptions(collapse_fixed_joints=True))
    assert collapsed.body_names == ["torso", "right", "toe", "left"]


def test_joint_numbers_survive_the_import(tmp_path):
    hip, slide, other = load_mjcf(write(tmp_path, FREE), OPTIONS).dofs
    assert [dof.kind for dof in (hip, slide, other)] == ["revolute", "prismatic", "continuous"]
    assert (hip.lower, hip.upper) == pytest.approx((-np.pi / 2, np.pi / 4))
    assert (hip.effort, slide.effort, other.effort) == (33.0, 9.0, 12.0)
    assert (hip.damping, hip.friction, hip.armature, slide.stiffness) == (0.3, 0.1, 0.02, 7.0)
    assert (other.has_limits, other.axis.tolist()) == (False, [0.0, 0.0, 1.0])


def test_collision_geoms_become_shapes_and_the_others_visuals(tmp_path):
    robot = load_mjcf(write(tmp_path, FREE), OPTIONS)
    assert [[shape.kind for shape in body.shapes] for body in robot.bodies] == [
        *(["box"], ["capsule"], ["mesh"], ["sphere"], ["capsule"])
    ]
    assert [visual.kind for visual in robot.bodies[0].visuals] == ["cylinder"]
    capsule = robot.bodies[1].shapes[0]
    assert capsule.size == pytest.approx((0.04, np.hypot(0.3, 0.02) / 2, 0.0))
    np.testing.assert_allclose(capsule.pos, [0.0, 0.01, -0.15], atol=TOL)
    hull = robot.bodies[2].shapes[0]
    corners = Rotation.from_quat(hull.quat).apply(hull.vertices) + hull.pos
    expected = {(0.05, 0.0, 0.0), (0.15, 0.0, 0.0), (0.05, 0.1, 0.0), (0.05, 0.0, 0.1)}
    assert {tuple(corner) for corner in corners.round(6) + 0.0} == expected


def test_an_mjcf_robot_falls_and_lands_through_the_gym(tmp_path):
    world = World(write(tmp_path, ROBOT.replace("ROOT_JOINT", "")))
    properties = world.gym.get_asset_dof_properties(world.asset)
    assert properties["armature"] == pytest.approx(np.full(3, 0.02))
    assert properties["driveMode"].tolist() == [int(gymapi.DOF_MODE_EFFORT)] * 3
    world.set_root([0.0, 0.0, 1.0])
    world.step(500)  # it flops about for two seconds
    assert world.contact[0, :, 2].sum().item() == pytest.approx(9.81 * world.asset.robot.mass, rel=0.1)


# --- Errors ---------------------------------------------------------------------------------------------------------


def body(inside: str, name: str = "a") -> str:
    return f'<body name="{name}"><geom size=".1"/>{inside}</body>'


WELD = '<equality><weld body1="a" body2="b"/></equality>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<mujoco", "MuJoCo cannot read it"),
        ("<mujoco><worldbody/></mujoco>", "there is no body in the world"),
        (body(body('<joint type="ball"/>', "b")), "'b' has a ball joint"),
        (body(body("<freejoint/>", "b")), "which only the root may have"),
        (body(body('<joint name="i"/><joint name="j" ref="10"/>', "b")), "a joint of body 'b' has a ref"),
        (body('<geom type="sdf" mesh="m"/>'), "MuJoCo cannot"),
        (f"<mujoco><worldbody>{body(body('', 'b'))}</worldbody>{WELD}</mujoco>", "equality constraints"),
        (SHOULDERED.replace("<fixed name", '<fixed armature="3" name'), "tendon 'sum' has an armature"),
    ],
)
def test_what_is_not_covered_is_refused_in_one_sentence_naming_the_file(tmp_path, text, message):
    if not text.strip().startswith("<mujoco"):
        text = f"<mujoco><worldbody>{text}</worldbody></mujoco>"
    with pytest.raises(ValueError, match=message) as caught:
        load_mjcf(write(tmp_path, text), OPTIONS)
    assert "robot.xml: " in str(caught.value) and "\n" not in str(caught.value)


def test_an_asset_of_another_kind_is_refused(tmp_path):
    gym = gymapi.acquire_gym()
    with pytest.raises(ValueError, match=r"robots are read from .urdf, .xml, .mjcf files"):
        gym.load_asset(None, str(tmp_path), "robot.usd", gymapi.AssetOptions())


@pytest.mark.parametrize("options", [["vhacd_enabled"], ["vhacd_enabled", "convex_decomposition_from_submeshes"], []])
def test_options_that_would_take_collision_meshes_apart_are_told_with_file_and_mesh(tmp_path, caplog, options):
    look = '<geom class="visual" type="mesh" mesh="look"/>'
    look_mesh = '<mesh name="look" vertex="0 0 0  .1 0 0  0 .1 0  0 0 .1"/>'
    text = FREE.replace("<asset>", f"<asset>{look_mesh}")
    path = write(tmp_path, text.replace('<geom class="visual"', f'{look}<geom class="visual"', 1))
    load_mjcf(path, AssetOptions(**dict.fromkeys(options, True)))
    told = [message for message in caplog.messages if "without effect" in message]
    assert len(told) == bool(options)
    for message in told:
        assert f"{path}: AssetOptions.{' and '.join(options)}: without effect in MJCF" in message
        assert message.endswith(": 'wedge'")
