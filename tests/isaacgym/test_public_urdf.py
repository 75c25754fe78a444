"""URDF as public packages hold it: masses beside the base, meshes that moved, remains of xacro and of old programs."""

from __future__ import annotations

import numpy as np
import pytest

from isaacgym import gymapi
from isaacgym.gym_types import AssetOptions
from tests.isaacgym.test_vendor_files import OBJ, collision, joint, link, load, urdf

BOX = collision('<box size="1 .5 .2"/>')
AT_BASE = joint("", "fixed", "at_base", "base", "body")


@pytest.mark.parametrize("collapse", [False, True])
def test_a_base_whose_mass_is_in_a_link_fixed_to_it_gets_none_from_density(tmp_path, caplog, collapse):
    path = tmp_path / "r.urdf"
    leg = link("leg") + joint()
    path.write_text(f'<robot name="r">{link("base", BOX, "")}{link("body", BOX)}{AT_BASE}{leg}</robot>')
    robot = load(path, collapse_fixed_joints=collapse)
    assert robot.mass == 2.0 and "density" not in caplog.text  # body and leg; the box would be 100 kg


def test_an_inertia_from_shapes_is_that_of_a_box_and_is_said(tmp_path, caplog):
    no_inertia = '<inertial><mass value="3"/><inertia ixx="0" ixy="0" ixz="0" iyy="0" iyz="0" izz="0"/></inertial>'
    path = tmp_path / "r.urdf"
    path.write_text(f'<robot name="r">{link("base", BOX, no_inertia)}{link("leg")}{joint()}</robot>')
    (base, _) = load(path).bodies
    expected = 3 / 12 * np.diag([0.5**2 + 0.2**2, 1 + 0.2**2, 1 + 0.5**2])
    np.testing.assert_allclose(base.inertia, expected, rtol=1e-6)
    assert "the inertia of these links, which have none, is that of their shapes: 'base'" in caplog.text


@pytest.mark.parametrize("end", ["\0", "\0\n", "\x1a"])
def test_a_file_that_ends_as_old_programs_end_text_is_read(tmp_path, end):
    path = urdf(tmp_path)
    path.write_bytes(path.read_bytes() + end.encode())
    assert load(path).body_names == ["base", "leg"]


def test_prefixes_that_nothing_declares_are_no_mistake(tmp_path):
    knee = joint('<drake:rotor value="1"/><limit lower="-1" upper="1" gz:kind="x"/>')
    path = urdf(tmp_path, knee=knee, head='<?xml version="1.0"?><!-- <a> --><!DOCTYPE robot>')
    assert load(path).dofs[0].upper == 1.0


@pytest.mark.parametrize("head", ["", ' xmlns:xacro="http://www.ros.org/wiki/xacro"'])
def test_macros_that_were_not_expanded_are_refused_and_definitions_are_not(tmp_path, head):
    path = urdf(tmp_path)
    whole = path.read_text().replace("<robot ", f"<robot{head} ")
    path.write_text(whole.replace("</robot>", '<xacro:leg side="left"/></robot>'))
    with pytest.raises(ValueError, match="robot.urdf: its <xacro:leg> is not expanded, so parts are missing"):
        load(path)
    path.write_text(whole.replace("</robot>", '<xacro:property name="side" value="1"/></robot>'))
    assert load(path).body_names == ["base", "leg"]


@pytest.mark.parametrize(("xyz", "expected"), [("1, 2,\t3", [1, 2, 3]), ("1,5 2 3", None), ("1,5 2", None)])
def test_commas_may_stand_between_numbers_but_not_in_them(tmp_path, xyz, expected):
    path = urdf(tmp_path, knee=joint(f'<origin xyz="{xyz}"/>'))
    if expected is None:
        with pytest.raises(ValueError, match="joint 'knee' has xyz=\"1,5 2.*expected 3 numbers"):
            load(path)
    else:
        assert load(path).bodies[1].pos.tolist() == expected


@pytest.mark.parametrize("reference", ["meshes/trunk/part.obj", "/home/someone/ws/meshes/trunk/part.obj", "part.obj"])
def test_a_collision_mesh_that_moved_is_found_by_name_and_it_is_said(tmp_path, caplog, reference):
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets/part.obj").write_text(OBJ)
    (shape,) = load(urdf(tmp_path, collision(f'<mesh filename="{reference}"/>'))).bodies[0].shapes
    assert shape.mesh_file == tmp_path / "assets/part.obj" and len(shape.vertices) == 4
    assert f"found by name: '{reference}' at {tmp_path / 'assets/part.obj'}" in caplog.text


def test_of_meshes_of_one_name_the_one_in_the_folder_of_that_name_is_taken_or_none(tmp_path):
    for folder, size in (("visual", 2), ("collision", 1)):
        (tmp_path / "parts" / folder).mkdir(parents=True)
        (tmp_path / "parts" / folder / "part.obj").write_text(OBJ.replace("1", str(size)))
    (shape,) = load(urdf(tmp_path, collision('<mesh filename="meshes/collision/part.obj"/>'))).bodies[0].shapes
    assert shape.vertices.max() == 1.0
    with pytest.raises(FileNotFoundError, match="the collision mesh 'meshes/part.obj' of link 'base' does not exist"):
        load(urdf(tmp_path, collision('<mesh filename="meshes/part.obj"/>')))


@pytest.mark.parametrize(
    ("leg_joint", "message"),
    [
        (joint('<origin xyz="${side} 0 0"/>'), r'joint \'knee\' has xyz="\${side} 0 0" .* xacro tool first'),
        (
            joint('<limit lower="1" upper="-1"/>'),
            "joint 'knee' has lower limit 1.0 not below .*, or make it continuous",
        ),
    ],
)
def test_remains_of_other_formats_name_the_joint_and_the_way_out(tmp_path, leg_joint, message):
    with pytest.raises(ValueError, match=f"robot.urdf: {message}") as caught:
        load(urdf(tmp_path, knee=leg_joint))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("inside", "fixed", "said"), [("", False, True), ("", True, False), (BOX, False, False)])
def test_a_robot_that_nothing_can_touch_is_said(tmp_path, caplog, inside, fixed, said):
    options = AssetOptions()
    options.fix_base_link = fixed
    gymapi.acquire_gym().load_asset(None, str(tmp_path), urdf(tmp_path, inside).name, options)
    assert ("nothing of it collides, so it falls through the ground" in caplog.text) == said


def test_a_limb_whose_shapes_weigh_nothing_is_said(tmp_path, caplog):
    path = tmp_path / "r.urdf"
    foot = joint("", "fixed", "sole", "leg", "foot")
    path.write_text(f'<robot name="r">{link("base")}{link("leg", BOX, "")}{joint()}{link("foot")}{foot}</robot>')
    assert load(path).mass == 2.0
    assert "have shapes and no mass, only the links fixed to them have one: 'leg'" in caplog.text


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        ('<limit lower="-1" upper="1" effort="-5"/>', 'effort="-5" in <limit>'),
        ('<limit lower="-1" upper="1" velocity="-5"/>', 'velocity="-5" in <limit>'),
        ('<dynamics damping="-0.1"/>', 'damping="-0.1" in <dynamics>'),
        ('<dynamics friction="-1"/>', 'friction="-1" in <dynamics>'),
    ],
)
def test_limits_and_brakes_cannot_be_negative(tmp_path, inside, message):
    with pytest.raises(ValueError, match=f"joint 'knee' has {message}, which cannot be negative"):
        load(urdf(tmp_path, knee=joint(inside)))


def test_joints_that_mimic_in_a_circle_are_refused(tmp_path):
    with pytest.raises(ValueError, match="robot.urdf: the joints knee → knee mimic each other in a circle"):
        load(urdf(tmp_path, knee=joint('<mimic joint="knee"/>')))
    ankle = link("foot") + joint('<mimic joint="knee"/>', name="ankle", parent="leg", child="foot")
    path = tmp_path / "r.urdf"
    knee = joint('<mimic joint="ankle"/>')
    path.write_text(f'<robot name="r">{link("base")}{link("leg")}{knee}{ankle}</robot>')
    with pytest.raises(ValueError, match="the joints knee → ankle → knee mimic each other"):
        load(path)
