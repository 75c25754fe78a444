"""URDF as exporters, xacro and hands leave it: lenient XML, unbounded limits, quaternions, folders of meshes, loops."""

from __future__ import annotations

import mujoco
import pytest

from isaacgym import gymapi
from isaacgym.assets.robot_file import is_urdf, load_robot
from isaacgym.gym_types import AssetOptions
from tests.isaacgym.test_vendor_files import collision, load, urdf

BOX = collision('<box size="1 .5 .2"/>')
PRODUCTS = ("iyy=", 'ixy="0" ixz="0" iyz="0" iyy=')  # MuJoCo wants them written


# --- XML that MuJoCo's parser and that of ROS read ------------------------------------------------------------------

LENIENT = {
    "dashes in a comment": lambda text: text.replace("<link", "<!-- ---- leg -- 1 ----\n-->\n<link"),
    "a bare ampersand": lambda text: text.replace('name="leg"', 'name="l&amp;g"').replace('link="leg"', 'link="l&g"'),
    "a default namespace": lambda text: text.replace("<robot ", '<robot xmlns="http://drake.mit.edu" '),
    "two declarations": lambda text: '<?xml version="1.0"?>\n<?xml version="1.0" encoding="utf-8"?>\n' + text,
    "a declaration without a version": lambda text: '<?xml encoding="utf-8"?>\n' + text,
}


@pytest.mark.parametrize("loosen", LENIENT.values(), ids=LENIENT)
def test_xml_that_mujoco_reads_is_read(tmp_path, loosen):
    path = urdf(tmp_path, BOX, BOX)
    path.write_text(loosen(path.read_text().replace(*PRODUCTS)))
    robot = load(path)
    theirs = mujoco.MjModel.from_xml_path(str(path))
    assert robot.dof_names == [theirs.joint(0).name]
    assert robot.body_names[1] == theirs.body(1).name and robot.bodies[1].mass == theirs.body(1).mass[0]


def test_a_comment_before_the_declaration_is_no_mistake(tmp_path):
    path = urdf(tmp_path, head='<!-- made by hand -->\n<?xml version="1.0"?>\n')
    assert load(path).body_names == ["base", "leg"]


def test_a_mistake_in_xml_is_told_with_its_line(tmp_path):
    path = urdf(tmp_path, head='\n<?xml version="1.0"?>\n<!-- a\nb -->\n')
    path.write_text(path.read_text().replace("</robot>", "\n<link></robot>"))
    with pytest.raises(
        ValueError, match=r"robot.urdf: not well-formed XML \(mismatched tag: line 6, .*correct it"
    ) as told:
        load(path)
    assert "xacro" not in str(told.value)


# --- What a file is -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["robot.URDF", "robot.xml", "robot.mjcf"])
def test_a_file_is_what_is_in_it(tmp_path, name):
    text = urdf(tmp_path, collision('<cylinder radius=".1" length=".2"/>')).read_text()
    (tmp_path / name).write_text(text)
    asset = gymapi.acquire_gym().load_asset(None, str(tmp_path), name, AssetOptions(replace_cylinder_with_capsule=True))
    assert [shape.kind for shape in asset.robot.bodies[0].shapes] == ["capsule"]  # MuJoCo's reader leaves a cylinder


def test_mjcf_may_be_called_urdf(tmp_path):
    path = tmp_path / "robot.urdf"
    path.write_text('<!-- <robot> -->\n<mujoco><worldbody><body name="a"><geom size=".1"/></body></worldbody></mujoco>')
    assert not is_urdf(path) and load_robot(path, AssetOptions()).body_names == ["a"]


def test_an_xacro_file_is_told_the_way_out(tmp_path):
    with pytest.raises(ValueError, match=r"robot.urdf.xacro: .*expand it with the xacro tool first"):
        load_robot(tmp_path / "robot.urdf.xacro", AssetOptions())
