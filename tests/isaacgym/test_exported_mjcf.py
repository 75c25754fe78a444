"""MJCF as exporters and hands leave it: no names, lenient XML, meshes of all kinds, and what is lost of it."""

from __future__ import annotations

import re

import mujoco
import numpy as np
import pytest
from scipy.spatial import ConvexHull

from isaacgym.assets.mesh_files import load_hull
from isaacgym.assets.mjcf import load_mjcf
from isaacgym.engine.model import build_spec
from isaacgym.gym_types import AssetOptions
from tests.isaacgym.test_old_mjcf import mass_matrix

ROBOT = """<mujoco><compiler angle="radian"/>{assets}<worldbody><body {root}>{free}<geom type="box" size=".2 .1 .05"/>
  {base}<body pos="0 .1 0"><joint axis="0 1 0"{joint}/><geom size=".05" pos="0 0 -.2"/>{leg}</body>
  <body pos="0 -.1 0"><joint axis="0 1 0"/><geom size=".05" pos="0 0 -.2"/></body></body></worldbody>{more}</mujoco>"""
PARTS = {"assets": "", "root": "", "free": "<freejoint/>", "base": "", "joint": "", "leg": "", "more": ""}
CORNERS = np.array([(0, 0, 0), (0.1, 0, 0), (0, 0.2, 0), (0, 0, 0.3)])  # [m] of a tetrahedron
VOLUME = 0.1 * 0.2 * 0.3 / 6
POINTS = " ".join(map(str, CORNERS.ravel()))
OBJ = "".join("v {} {} {}\n".format(*corner) for corner in CORNERS) + "f 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"
FLAT = "v 0 0 0\nv .1 0 0\nv 0 .2 0\nv .1 .2 0\nf 1 2 3\nf 2 4 3\n"
GEOMETRY = f"""<library_geometries><geometry id="g"><mesh><source id="p"><float_array>{POINTS}</float_array></source>
  <vertices id="v"><input semantic="POSITION" source="#p"/></vertices></mesh></geometry></library_geometries>"""
MESH = '<asset><mesh name="part" file="{}"/></asset>'
COLLIDES = '<geom type="mesh" mesh="part" mass="1"/>'
IS_SEEN = '<geom type="mesh" mesh="part" mass="0" contype="0" conaffinity="0"/>'


def written(**parts):
    return ROBOT.format(**{**PARTS, **parts})


def load(tmp_path, content):
    """The robot, which MuJoCo must be able to compile as the engine states it."""
    path = tmp_path / "robot.xml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    robot = load_mjcf(path, AssetOptions())
    build_spec(robot, 0.005, fixed_base=robot.fixed_base).compile()
    return robot


# --- Names and XML --------------------------------------------------------------------------------------------------


def test_bodies_and_joints_without_names_get_numbers(tmp_path):
    robot = load(tmp_path, written())
    assert robot.body_names == ["body_0", "body_1", "body_2"]
    assert robot.dof_names == ["body_1_joint_0", "body_2_joint_0"]
    theirs = mujoco.MjModel.from_xml_string(written())
    ours = build_spec(robot, 0.005).compile()
    np.testing.assert_allclose(mass_matrix(ours), mass_matrix(theirs), atol=1e-9)


def test_an_invented_name_is_no_other_ones(tmp_path):
    robot = load(tmp_path, written(root='name="body_1"', joint=' name="body_2_joint_0"'))
    assert robot.body_names == ["body_1", "body_1_", "body_2"]
    assert robot.dof_names == ["body_2_joint_0", "body_2_joint_0_"]


def test_a_moving_body_without_name_and_mass_gets_a_small_one(tmp_path, caplog):
    robot = load(tmp_path, written(leg='<body><joint axis="1 0 0"/></body>'))
    assert robot.bodies[2].mass == 0.01 and "get 0.01 kg: 'body_2'" in caplog.text


@pytest.mark.parametrize(
    "content",
    [written().encode("utf-16"), b'<!-- made by hand -->\n<?xml version="1.0"?>' + written().encode()],
    ids=["UTF-16", "a comment before the declaration"],
)
def test_xml_that_mujoco_does_not_parse_is_read(tmp_path, content):
    assert load(tmp_path, content).mass == pytest.approx(mujoco.MjModel.from_xml_string(written()).body_mass.sum())


def test_what_is_no_xml_is_told_with_its_line(tmp_path):
    with pytest.raises(ValueError, match=r"robot.xml: .*not well-formed XML \(mismatched tag: line 2, .*correct it"):
        load(tmp_path, "<mujoco><worldbody>\n</mujoco>")


# --- Meshes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scene", ["", '<library_visual_scenes><visual_scene id="s"/></library_visual_scenes>'])
@pytest.mark.parametrize("namespace", ["", ' xmlns="http://www.collada.org/2005/11/COLLADASchema"'])
def test_collada_without_nodes_is_its_geometries(tmp_path, scene, namespace):
    (tmp_path / "part.dae").write_text(f"<COLLADA{namespace}>{GEOMETRY}{scene}</COLLADA>")
    assert ConvexHull(load_hull(tmp_path / "part.dae", (1.0, 1.0, 1.0))).volume == pytest.approx(VOLUME)


MESHES = {
    "COLLADA": ("part.dae", f"<COLLADA>{GEOMETRY}</COLLADA>", VOLUME),
    "flat": ("part.obj", FLAT, 0.1 * 0.2 * 1e-3),
}


@pytest.mark.parametrize("mesh", MESHES.values(), ids=MESHES)
def test_only_what_is_wrong_with_collision_meshes_is_said_of_them(tmp_path, caplog, mesh):
    name, content, volume = mesh
    (tmp_path / name).write_text(content)
    body = load(tmp_path, written(assets=MESH.format(name), base=COLLIDES)).bodies[0]
    assert ConvexHull(body.shapes[1].vertices).volume == pytest.approx(volume, rel=1e-3)
    (record,) = caplog.records
    assert "robot.xml: of collision meshes that MuJoCo does not take, the hull counts" in record.getMessage()
    assert "1 mm thick if flat: 'part' (" in record.getMessage() and "visual" not in record.getMessage()


def test_only_what_is_wrong_with_visual_meshes_is_said_of_them(tmp_path, caplog):
    (tmp_path / "good.obj").write_text(OBJ)
    assets = MESH.format("gone.obj") + MESH.format("good.obj").replace("part", "good")
    robot = load(tmp_path, written(assets=assets, base=IS_SEEN + COLLIDES.replace("part", "good")))
    assert ConvexHull(robot.bodies[0].shapes[1].vertices).volume == pytest.approx(VOLUME)
    (record,) = caplog.records
    assert "visual meshes and textures are left out, since MuJoCo says: " in record.getMessage()
    assert "gone.obj" in record.getMessage() and "collision" not in record.getMessage()


@pytest.mark.parametrize(("name", "message"), [("part.ply", "of this kind are not read"), ("part.stl", "git lfs pull")])
def test_a_collision_mesh_that_cannot_be_read_is_named_with_the_robots_file(tmp_path, name, message):
    (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\n" if name.endswith("stl") else "ply\n")
    with pytest.raises(ValueError, match=f"robot.xml: the collision mesh 'part': .*{name}: .*{message}"):
        load(tmp_path, written(assets=MESH.format(name), base=COLLIDES))


# --- What is lost ---------------------------------------------------------------------------------------------------

LOSSES = {
    "gravity": ({"root": 'name="base" gravcomp="1"'}, "gravity is not compensated, .*: 'base'"),
    "a curved spring": ({"joint": ' name="hip" stiffness="3 1"'}, "polynomials, the first number counts: 'hip'"),
    "a curved damper": ({"joint": ' name="hip" damping="3 0 1"'}, "polynomials, the first number counts: 'hip'"),
    "a reversed range": ({"joint": ' name="hip" range="1 -1"'}, "are no limits: 'hip'"),
    "a braked base": ({"free": '<joint type="free" damping="9"/>'}, "beside freedom is left out: damping"),
    "a tilted base": ({"root": 'euler="1.5 0 .3"'}, "the file tilts its root, .* 0.6"),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_what_a_robot_loses_is_said(tmp_path, caplog, loss):
    parts, message = loss
    load(tmp_path, written(**parts))
    (record,) = caplog.records
    assert re.search(f"robot.xml: .*{message}", record.getMessage())


def test_nothing_is_said_of_a_robot_that_loses_nothing(tmp_path, caplog):
    parts = {"root": 'euler="0 0 1"', "joint": ' stiffness="3" damping="1"', "free": '<joint type="free"/>'}
    load(tmp_path, written(**parts))
    assert not caplog.records


def test_deformable_parts_are_refused(tmp_path):
    flex = '<flexcomp name="skin" type="grid" count="3 3 1" spacing=".05 .05 .05" mass="1"/>'
    with pytest.raises(ValueError, match="robot.xml: it has deformable parts, which are not simulated; remove skin"):
        load(tmp_path, written(root='name="base"', base=flex))


def test_warnings_of_mujocos_compiler_name_the_file(tmp_path, caplog, recwarn):
    text = written().replace('angle="radian"', 'angle="radian" settotalmass="20"')
    assert load(tmp_path, text).mass == pytest.approx(20.0)
    assert "robot.xml: MuJoCo warns: " in caplog.text and "settotalmass" in caplog.text and not recwarn.list
