"""MJCF as public collections hold it: scenes around the robot, contact pairs, `ref`, arms that stand on nothing."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from isaacgym.assets.kinematics import body_poses
from isaacgym.assets.mjcf import load_mjcf
from isaacgym.engine.model import build_spec
from isaacgym.gym_types import AssetOptions

AT_ORIGIN = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])
TOL = 1e-6  # [m] positions in double precision

ROBOT = """<body name="trunk" pos="0 0 .5"><freejoint/><geom type="box" size=".2 .1 .05" CONTACT/>
  <camera mode="targetbody" target="ball"/>
  <body name="leg" pos="0 0 -.1"><joint name="hip" axis="0 1 0"/><geom type="capsule" fromto="0 0 0 0 0 -.3" size=".02"
    CONTACT/><geom name="toe" size=".03" pos="0 0 -.3" CONTACT/></body></body>"""
SCENE = """<mujoco><asset><texture name="sky" type="2d" builtin="flat" width="2" height="2"/>
    <material name="fur" texture="sky"/><hfield name="hills" file="nowhere.png" size="1 1 1 1"/></asset>
  <deformable><skin name="fur" material="fur" vertex="0 0 0 0 0 1 0 1 0" face="0 1 2"><bone body="trunk"
    bindpos="0 0 0" bindquat="1 0 0 0" vertid="0 1 2" vertweight="1 1 1"/></skin></deformable>
  <worldbody><light mode="targetbody" target="ball" pos="0 0 3"/><geom type="hfield" hfield="hills"/>ROBOT
    <body name="ball" pos="1 0 0"><freejoint/><geom size=".1"/></body></worldbody>
  <contact><pair name="p" geom1="toe" geom2="floor"/><exclude body1="leg" body2="ball"/></contact></mujoco>"""


def load(tmp_path, text, **options):
    """The robot, which MuJoCo must be able to compile as the engine states it."""
    path = tmp_path / "robot.xml"
    path.write_text(text)
    robot = load_mjcf(path, AssetOptions(**options))
    build_spec(robot, 0.005, fixed_base=robot.fixed_base).compile()
    return robot


def test_what_surrounds_a_robot_never_refuses_it(tmp_path):
    robot = load(tmp_path, SCENE.replace("ROBOT", ROBOT.replace("CONTACT", "")))
    assert robot.body_names == ["trunk", "leg"] and robot.dof_names == ["hip"]
    assert [len(body.shapes) for body in robot.bodies] == [1, 2]


def test_a_geom_that_a_contact_pair_names_collides(tmp_path):
    robot = load(tmp_path, SCENE.replace("ROBOT", ROBOT.replace("CONTACT", 'contype="0" conaffinity="0"')))
    assert [len(body.shapes) for body in robot.bodies] == [0, 1]
    assert (robot.bodies[1].shapes[0].kind, robot.bodies[1].shapes[0].size[0]) == ("sphere", 0.03)


REFS = {
    "a slide and a hinge": '<joint name="a" type="slide" axis="0 .6 .8" ref=".7"/><joint name="b" axis="0 1 0"/>',
    "a hinge beside the origin": '<joint name="a" axis="1 0 0" pos="0 .1 .2" ref="40"/>',
    "a hinge first": '<joint name="a" axis="1 0 0" ref="-30"/><joint name="b" axis="0 1 0" pos="0 0 .1"/>',
}


@pytest.mark.parametrize("joints", REFS.values(), ids=REFS)
def test_positions_of_joints_count_as_in_c_mujoco_whatever_their_ref(tmp_path, joints):
    text = f"""<mujoco><worldbody><body name="base"><freejoint/><geom size=".1"/>
      <body name="arm" pos=".1 .2 .3" euler="20 30 40">{joints}<geom size=".1"/>
      <body name="tip" pos=".5 0 0"><geom size=".1"/></body></body></body></worldbody></mujoco>"""
    robot = load(tmp_path, text, collapse_fixed_joints=False)
    model = mujoco.MjModel.from_xml_string(text)
    data = mujoco.MjData(model)
    data.qpos[7:] = np.linspace(0.4, -0.9, model.nq - 7)
    mujoco.mj_kinematics(model, data)
    poses = body_poses(robot, AT_ORIGIN, data.qpos[7:])
    np.testing.assert_allclose(poses[:, :3], data.xpos[1:], atol=TOL)


def test_a_walker_whose_height_is_a_joint_stands_where_c_mujoco_puts_it(tmp_path):
    text = """<mujoco><worldbody><body name="torso" pos="0 0 1.25"><joint name="x" type="slide" axis="1 0 0"/>
      <joint name="z" type="slide" axis="0 0 1" ref="1.25"/><joint name="pitch" axis="0 1 0"/><geom size=".1"/>
      <body name="leg" pos="0 0 -.2"><joint name="knee" axis="0 1 0" ref="-20" range="-90 0" limited="true"/>
        <geom size=".1" pos="0 0 -.5"/></body></body></worldbody></mujoco>"""
    robot = load(tmp_path, text)
    model = mujoco.MjModel.from_xml_string(text)
    data = mujoco.MjData(model)
    data.qpos[:] = 0.3, 1.1, 0.2, -0.8
    mujoco.mj_kinematics(model, data)
    poses = body_poses(robot, AT_ORIGIN, data.qpos)
    np.testing.assert_allclose(poses[1:, :3], data.xpos[1:], atol=TOL)
    assert (robot.dofs[-1].lower, robot.dofs[-1].upper) == pytest.approx((-np.pi / 2, 0.0))


def test_a_coupling_of_joints_with_a_ref_holds_where_c_mujocos_does(tmp_path):
    text = """<mujoco><compiler angle="radian"/><worldbody><body name="base"><freejoint/><geom size=".1"/>
      <body name="a"><joint name="a" axis="0 1 0" ref=".3"/><geom size=".1"/></body>
      <body name="b"><joint name="b" axis="0 1 0" ref="-.5"/><geom size=".1"/></body></body></worldbody>
      <equality><joint joint1="b" joint2="a" polycoef=".1 .7 -.2 .05 .01"/></equality></mujoco>"""
    (coupling,) = load(tmp_path, text).couplings
    model = mujoco.MjModel.from_xml_string(text)
    data = mujoco.MjData(model)
    a, b = 0.9, sum(c * 0.9**k for k, c in enumerate(coupling.coefficients))
    data.joint("a").qpos, data.joint("b").qpos = a, b
    mujoco.mj_forward(model, data)
    assert model.neq == 1 and data.ne == 1
    assert data.efc_pos[0] == pytest.approx(0.0, abs=TOL)  # MuJoCo's own residual of the equality


def test_an_arms_base_without_mass_gets_a_small_one_and_it_is_said(tmp_path, caplog):
    robot = load(
        tmp_path,
        """<mujoco><worldbody><body name="stand"><body name="arm"><joint name="j" axis="0 1 0"/><geom size=".1"/></body>
        </body></worldbody></mujoco>""",
    )
    assert robot.bodies[0].mass == 0.01 and "get 0.01 kg: 'stand'" in caplog.text


TWO_LINKS = (
    '<mujoco><worldbody>{world}<body name="base"><freejoint/><geom size=".1"/><body name="leg" pos="0 0 .3">'
    '<joint name="knee" axis="0 1 0"{joint}/>{inside}</body></body></worldbody></mujoco>'
)
MASS = 0.5  # [kg]
BALL_RADIUS = (3 * MASS / (4 * np.pi * 1000.0)) ** (1 / 3)  # [m] of water


def test_a_stated_mass_without_inertia_stays(tmp_path, caplog):
    inertial = '<inertial pos="0 0 .1" mass=".5" diaginertia="0 0 0"/><geom type="capsule" size=".02 .1"/>'
    (_, leg) = load(tmp_path, TWO_LINKS.format(world="", joint="", inside=inertial)).bodies
    assert leg.mass == MASS and leg.com.tolist() == [0.0, 0.0, 0.1]
    np.testing.assert_allclose(leg.inertia, 0.4 * MASS * BALL_RADIUS**2 * np.eye(3), rtol=1e-6)
    assert "ball of water: 'leg'" in caplog.text


def test_a_small_mass_is_at_the_bodys_origin(tmp_path):
    (_, leg) = load(tmp_path, TWO_LINKS.format(world="", joint="", inside='<geom size=".02" mass="0"/>')).bodies
    assert leg.mass == 0.01 and leg.com.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("joint", "inside", "message"),
    [
        ("", '<inertial pos="0 0 0" mass="-1" diaginertia="1 1 1"/>', "body 'leg' has the negative mass -1"),
        *(
            (f' {name}="-1"', '<geom size=".1"/>', "of joint 'knee' is negative")
            for name in ("damping", "frictionloss", "armature", "stiffness")
        ),
    ],
)
def test_what_cannot_be_negative_is_refused(tmp_path, joint, inside, message):
    with pytest.raises(ValueError, match=f"robot.xml: .*{message}"):
        load(tmp_path, TWO_LINKS.format(world="", joint=joint, inside=inside))


def test_the_body_with_most_joints_is_the_robot(tmp_path, caplog):
    ball = '<body name="ball" pos="1 0 1"><freejoint/><geom size=".1"/></body>'
    robot = load(tmp_path, TWO_LINKS.format(world=ball, joint="", inside='<geom size=".1"/>'))
    assert robot.body_names == ["base", "leg"] and "'base' is the robot; 'ball' left out" in caplog.text


CORNERS = np.array([(0, 0, 0), (0.2, 0, 0), (0, 0.3, 0), (0, 0, 0.4)])  # [m] of a tetrahedron
FACES = ((0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3))


def stl(binary):
    if binary:
        record = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attributes", "<u2")])
        triangles = np.zeros(len(FACES), record)
        triangles["corners"] = CORNERS[np.array(FACES)]
        return b"\0" * 80 + np.uint32(len(FACES)).tobytes() + triangles.tobytes()
    facets = "".join(
        "facet normal 0 0 0\nouter loop\n"
        + "".join("vertex {} {} {}\n".format(*CORNERS[corner]) for corner in face)
        + "endloop\nendfacet\n"
        for face in FACES
    )
    return f"solid t\n{facets}endsolid t\n".encode()


@pytest.mark.parametrize(
    ("content", "reference"),
    [
        (stl(binary=True) + b"\0\0", "part.stl"),  # goes on after its triangles
        (stl(binary=False).upper(), "part.stl"),
        (stl(binary=True), "Part.STL"),
        (stl(binary=True), "package://robot_description/meshes/part.stl"),
        (stl(binary=True), "elsewhere/part.stl"),
    ],
    ids=["trailing bytes", "capitals", "another case", "package", "elsewhere"],
)
def test_collision_meshes_are_found_and_read_as_those_of_urdf(tmp_path, content, reference):
    (tmp_path / "meshes").mkdir()
    (tmp_path / "meshes" / "part.stl").write_bytes(content)
    text = f"""<mujoco><compiler meshdir="meshes"/><asset><mesh name="part" file="{reference}" scale="1 1 2"/></asset>
      <worldbody><body name="base"><freejoint/><geom type="mesh" mesh="part" density="500"/></body></worldbody>
      </mujoco>"""
    (body,) = load(tmp_path, text).bodies
    (shape,) = body.shapes
    corners = shape.pos + Rotation.from_quat(shape.quat).apply(shape.vertices)
    assert sorted(map(tuple, corners.round(6) + 0.0)) == sorted(map(tuple, (CORNERS * [1, 1, 2]).round(6)))
    assert body.mass == pytest.approx(500 * 0.2 * 0.3 * 0.8 / 6)


def test_a_missing_collision_mesh_names_every_place(tmp_path):
    text = """<mujoco><asset><mesh name="part" file="part.stl"/></asset><worldbody><body name="base"><freejoint/>
      <geom type="mesh" mesh="part"/></body></worldbody></mujoco>"""
    with pytest.raises(FileNotFoundError, match="robot.xml: the collision mesh 'part', 'part.stl', .* add it") as told:
        load(tmp_path, text)
    assert str(tmp_path / "part.stl") in str(told.value) and "\n" not in str(told.value)
