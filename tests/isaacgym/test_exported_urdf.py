"""URDF as exporters, xacro and hands leave it: lenient XML, unbounded limits, quaternions, folders of meshes, loops."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from isaacgym import gymapi
from isaacgym.assets.robot_file import is_urdf, load_robot
from isaacgym.gym_types import AssetOptions
from tests.isaacgym.test_vendor_files import OBJ, collision, joint, link, load, urdf, visual

BOX = collision('<box size="1 .5 .2"/>')
PRODUCTS = ("iyy=", 'ixy="0" ixz="0" iyz="0" iyy=')  # MuJoCo wants them written
CLOSED_OBJ = OBJ + "f 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"  # MuJoCo wants faces

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


def test_blanks_and_capitals_around_names_and_kinds_mean_nothing(tmp_path):
    path = urdf(tmp_path, knee=joint().replace('"revolute"', '"Revolute "').replace('link="leg"', 'link=" leg"'))
    path.write_text(path.read_text().replace('<link name="leg"', '<link name="leg "'))
    robot = load(path)
    assert robot.body_names == ["base", "leg"] and robot.dofs[0].kind == "revolute"


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


@pytest.mark.parametrize("part", ['<include filename="arm.urdf"/>', '<xi:include href="arm.urdf"/>'])
def test_parts_of_other_files_are_missed(tmp_path, part):
    path = urdf(tmp_path)
    path.write_text(path.read_text().replace("</robot>", f"{part}</robot>"))
    with pytest.raises(ValueError, match="robot.urdf: its <include> is not expanded, so parts are missing"):
        load(path)


def test_a_loop_is_said_to_stay_open(tmp_path, caplog):
    path = urdf(tmp_path)
    loop = '<loop_joint name="rod" type="revolute"><link1 link="base"/><link2 link="leg"/></loop_joint>'
    path.write_text(path.read_text().replace("</robot>", f"{loop}</robot>"))
    assert load(path).dof_names == ["knee"]
    assert "robot.urdf: loops are not closed, their joints are left out: 'rod'" in caplog.text


# --- Numbers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lower", "upper", "expected"),
    [
        ("-1.79769e+308", "1.79769e+308", (-np.inf, np.inf)),  # C++'s numeric_limits<double>
        ("-1e16", "1e16", (-np.inf, np.inf)),
        ("-inf", "inf", (-np.inf, np.inf)),
        ("0", "1e16", (0.0, 1e6)),
        ("0", "inf", (0.0, 1e6)),
        ("-100", "100", (-100.0, 100.0)),
    ],
)
def test_limits_that_never_bind_are_none_and_the_others_stay(tmp_path, recwarn, lower, upper, expected):
    limit = f'<limit lower="{lower}" upper="{upper}" effort="1.79769e+308" velocity="1e300"/>'
    path = urdf(tmp_path, knee=joint(limit))
    options = AssetOptions()
    options.fix_base_link = True
    asset = gymapi.acquire_gym().load_asset(None, str(tmp_path), path.name, options)
    (knee,) = asset.robot.dofs
    assert (knee.lower, knee.upper) == expected and (knee.effort, knee.velocity) == (np.inf, np.inf)
    assert not recwarn.list  # of numbers that float32 does not hold
    text = (
        '<mujoco><compiler angle="radian" autolimits="true"/><worldbody><body name="base"><geom size=".1"/><body>'
        '<joint name="knee" limited="true" range="{} {}"/><geom size=".1"/></body></body></worldbody></mujoco>'
    )
    if "inf" not in lower + upper:  # which MuJoCo refuses
        (tmp_path / "robot.xml").write_text(text.format(lower, upper))
        (knee,) = load_robot(tmp_path / "robot.xml", AssetOptions()).dofs
        assert (knee.lower, knee.upper) == expected


def test_an_origin_may_have_a_quaternion(tmp_path):
    turn = Rotation.from_euler("xyz", [0.3, -0.5, 1.1])
    quat = " ".join(map(str, 2.0 * turn.as_quat()))  # not of length 1
    robot = load(urdf(tmp_path, knee=joint(f'<origin xyz="1 2 3" quat_xyzw="{quat}"/>')))
    same = load(urdf(tmp_path, knee=joint('<origin xyz="1 2 3" rpy="0.3 -0.5 1.1"/>')))
    np.testing.assert_allclose(robot.bodies[1].quat, turn.as_quat(), atol=1e-12)
    np.testing.assert_allclose(same.bodies[1].quat, turn.as_quat(), atol=1e-12)
    with pytest.raises(ValueError, match="joint 'knee' has quat_xyzw=\"0 0 0 0\".*no rotation"):
        load(urdf(tmp_path, knee=joint('<origin quat_xyzw="0 0 0 0"/>')))


@pytest.mark.parametrize("rgba", ["1 0 0", "red", "1 0 0 x"])
def test_a_colour_never_refuses_a_robot(tmp_path, caplog, rgba):
    path = urdf(tmp_path, visual('<box size="1 1 1"/>').replace("</visual>", '<material name="m"/></visual>'))
    material = f'<material name="m"><color rgba="{rgba}"/></material><link '
    path.write_text(path.read_text().replace("<link ", material, 1))
    assert len(load(path).bodies[0].visuals) == 1
    assert "robot.urdf: colours that are no four numbers are grey: 'm'" in caplog.text


# --- Meshes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reference", ["part.obj", "meshes/part.obj"])
def test_meshes_are_looked_for_where_mujocos_compiler_looks(tmp_path, reference):
    (tmp_path / "description").mkdir()
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets/part.obj").write_text(CLOSED_OBJ)
    path = urdf(tmp_path / "description", leg=collision(f'<mesh filename="{reference}" scale="1 1 2"/>'))
    compiler = '<mujoco><compiler meshdir="../assets/" strippath="true"/></mujoco></robot>'
    path.write_text(path.read_text().replace("</robot>", compiler).replace(*PRODUCTS))
    (shape,) = load(path).bodies[1].shapes
    theirs = mujoco.MjModel.from_xml_path(str(path))
    centre = theirs.geom_pos[0] + Rotation.from_quat(theirs.geom_quat[0], scalar_first=True).apply(theirs.mesh_vert)
    assert sorted(map(tuple, shape.vertices.round(6))) == sorted(map(tuple, (centre.round(6) + 0.0).tolist()))


@pytest.mark.parametrize("suffix", ["obj", "stl", "dae"])
def test_a_pointer_of_git_lfs_is_told_from_a_mesh(tmp_path, suffix):
    (tmp_path / f"part.{suffix}").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(ValueError, match=rf"robot.urdf: .* of link 'leg': .*part.{suffix}: .*run `git lfs pull`"):
        load(urdf(tmp_path, leg=collision(f'<mesh filename="part.{suffix}"/>')))


COLLADA = """<COLLADA><asset>UNIT</asset><library_geometries><geometry id="g"><mesh><source id="p"><float_array>POINTS
  </float_array></source><vertices id="v"><input semantic="POSITION" source="#SOURCE"/></vertices></mesh></geometry>
  </library_geometries><library_visual_scenes><visual_scene><node id="n">INSIDE<instance_geometry url="#g"/></node>
  </visual_scene></library_visual_scenes></COLLADA>"""
PARTS = {"UNIT": "", "POINTS": "0 0 0 1 0 0 0 1 0 0 0 1", "SOURCE": "p", "INSIDE": ""}


@pytest.mark.parametrize(
    "wrong",
    [
        {"UNIT": '<unit meter="cm"/>'},
        {"POINTS": "0 0 0 1"},
        {"POINTS": "a b c"},
        {"SOURCE": "q"},
        {"INSIDE": "<matrix>1 0 0</matrix>"},
        {"INSIDE": '<instance_node url="#n"/>'},  # within itself
    ],
    ids=str,
)
def test_a_broken_collada_file_is_told_in_one_sentence(tmp_path, wrong):
    text = COLLADA
    for key, value in (PARTS | wrong).items():
        text = text.replace(key, value)
    (tmp_path / "part.dae").write_text(text)
    with pytest.raises(ValueError, match=r"robot.urdf: .* of link 'leg': .*part.dae: the COLLADA file is brok") as told:
        load(urdf(tmp_path, leg=collision('<mesh filename="part.dae"/>')))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("unit", ["", '<unit meter="1"/>'])
def test_a_rotation_about_no_axis_is_none(tmp_path, unit):
    text = COLLADA
    for key, value in (PARTS | {"UNIT": unit, "INSIDE": "<rotate>0 0 0 90</rotate>"}).items():
        text = text.replace(key, value)
    (tmp_path / "part.dae").write_text(text)
    (shape,) = load(urdf(tmp_path, leg=collision('<mesh filename="part.dae"/>'))).bodies[1].shapes
    assert sorted(map(tuple, shape.vertices)) == [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0)]


def test_absurd_numbers_are_refused(tmp_path):
    with pytest.raises(ValueError, match="joint 'knee' has xyz=\"0 0 1e300\" in <origin>, expected 3 numbers below 1e"):
        load(urdf(tmp_path, knee=joint('<origin xyz="0 0 1e300"/>')))
    (tmp_path / "part.obj").write_text("v 1e300 0 0\nv 0 1 0\nv 0 0 1\nv 0 0 0\n")
    with pytest.raises(ValueError, match="part.obj: the mesh has coordinates that are not finite numbers below 1e"):
        load(urdf(tmp_path, leg=collision('<mesh filename="part.obj"/>')))


# --- Mass -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inertial", ["", '<inertial><mass value="3"/></inertial>'])
def test_a_cylinder_that_stays_one_weighs_what_mujocos_does(tmp_path, inertial):
    """As sim2sim.py reads robots."""
    path = tmp_path / "robot.urdf"
    rod = collision('<cylinder radius=".1" length=".4"/>')
    path.write_text(f'<robot name="r">{link("base")}{link("leg", rod, inertial)}{joint()}</robot>')
    leg = load_robot(path, AssetOptions(slices_per_cylinder=0)).bodies[1]
    spec = mujoco.MjSpec()
    geom = spec.worldbody.add_body().add_geom(type=mujoco.mjtGeom.mjGEOM_CYLINDER, size=[0.1, 0.2, 0])
    geom.mass = 3.0 if inertial else 1000.0 * np.pi * 0.1**2 * 0.4
    model = spec.compile()
    assert leg.mass == pytest.approx(model.body_mass[1])
    np.testing.assert_allclose(leg.inertia, np.diag(model.body_inertia[1]), rtol=1e-9)
