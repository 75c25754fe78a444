"""Robot files as vendors and exporters write them: what loads, what is said about it, and what stays refused."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from scipy.spatial import ConvexHull

from isaacgym.assets.inertia import ball_inertia
from isaacgym.assets.mesh_files import load_hull
from isaacgym.assets.mesh_paths import find_mesh, places
from isaacgym.assets.mjcf import load_mjcf
from isaacgym.assets.urdf import load_urdf
from isaacgym.engine.model import build_spec
from isaacgym.gym_types import AssetOptions
from tests.isaacgym.worlds import World

TOL = 1e-3  # [rad], [m] after a second: C MuJoCo integrates springs in another order, in double precision
OBJ = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\n"
INERTIAL = '<inertial><mass value="1"/><inertia ixx="0.01" iyy="0.01" izz="0.01"/></inertial>'


def link(name, inside="", inertial=INERTIAL):
    return f'<link name="{name}">{inertial}{inside}</link>'


def joint(inside="", kind="revolute", name="knee", parent="base", child="leg"):
    limit = "" if "<limit" in inside else '<limit lower="-1" upper="1" effort="10" velocity="10"/>'
    return (
        f'<joint name="{name}" type="{kind}"><parent link="{parent}"/><child link="{child}"/>'
        f'<axis xyz="0 1 0"/>{limit}{inside}</joint>'
    )


def urdf(tmp_path, base="", leg="", knee=None, head="", encoding="utf-8"):
    """A base and a leg on a knee, with something more in each."""
    path = tmp_path / "robot.urdf"
    text = f'{head}<robot name="r">{link("base", base)}{link("leg", leg)}{knee or joint()}</robot>'
    path.write_bytes(text.encode(encoding))
    return path


def collision(geometry):
    return f"<collision><geometry>{geometry}</geometry></collision>"


def visual(geometry):
    return f"<visual><geometry>{geometry}</geometry></visual>"


def load(path, **options):
    """The robot, which MuJoCo must be able to compile."""
    robot = load_urdf(path, AssetOptions(**options))
    build_spec(robot, 0.005, fixed_base=robot.fixed_base).compile()
    return robot


# --- Joints ---------------------------------------------------------------------------------------------------------


def test_limits_of_zero_are_none_and_said_once_for_all_joints(tmp_path, caplog):
    robot = load(urdf(tmp_path, knee=joint('<limit lower="-1" upper="1" effort="0" velocity="0"/>')))
    (knee,) = robot.dofs
    assert (knee.effort, knee.velocity) == (np.inf, np.inf)
    (record,) = caplog.records
    assert "robot.urdf" in record.getMessage() and "'knee' effort, 'knee' velocity" in record.getMessage()


def test_equal_limits_fix_a_joint(tmp_path, caplog):
    path = urdf(tmp_path, knee=joint('<limit lower="0" upper="0" effort="5" velocity="5"/>'))
    robot = load(path)
    assert robot.dof_names == [] and robot.body_names == ["base", "leg"]
    assert load(path, collapse_fixed_joints=True).body_names == ["base"]
    assert "fixed: 'knee'" in caplog.text


def foot_at(model, knee=0.0):
    """Where the only ball is, with the knee, if it moves, somewhere."""
    data = mujoco.MjData(model)
    data.qpos[:] = knee
    mujoco.mj_forward(model, data)
    return data.geom_xpos[model.geom_type == mujoco.mjtGeom.mjGEOM_SPHERE][0]


@pytest.mark.parametrize("kind", ["revolute", "prismatic"])
@pytest.mark.parametrize("collapse", [True, False])
def test_a_joint_fixed_by_its_limits_is_where_they_are(tmp_path, caplog, kind, collapse):
    ball = '<origin xyz=".1 0 -.2"/><geometry><sphere radius=".05"/></geometry>'
    turned = '<origin xyz=".1 .2 .3" rpy=".4 .5 .6"/>'
    foot = link("foot", f"<collision>{ball}</collision>") + joint(turned, "fixed", "ankle", "leg", "foot")
    text = f'<robot name="r">{link("base")}{link("leg")}{foot}{joint(turned, kind)}</robot>'
    text = text.replace('<limit lower="-1" upper="1"', '<limit lower="0.7" upper="0.7"')
    path = tmp_path / "robot.urdf"
    path.write_text(text)
    robot = load(path, collapse_fixed_joints=collapse)
    assert robot.dof_names == [] and "fixed: 'knee' at 0.7" in caplog.text
    moving = text.replace('lower="0.7"', 'lower="-1"').replace("iyy", 'ixy="0" ixz="0" iyz="0" iyy')
    theirs = mujoco.MjModel.from_xml_string(moving)  # C MuJoCo reads the URDF whose knee can be at 0.7
    ours = build_spec(robot, 0.005, fixed_base=True).compile()
    np.testing.assert_allclose(foot_at(ours), foot_at(theirs, knee=0.7), atol=1e-12)


@pytest.mark.parametrize("nothing", ["", " ", "\t"])
def test_an_empty_limit_is_none(tmp_path, nothing):
    limit = f'<limit lower="{nothing}" upper="{nothing}" effort="{nothing}" velocity="{nothing}"/>'
    (knee,) = load(urdf(tmp_path, knee=joint(limit))).dofs
    assert not knee.has_limits and knee.effort == np.inf


def test_a_floating_joint_to_the_world_is_the_free_base(tmp_path):
    text = '<link name="world"/>' + link("base") + link("leg") + joint() + joint("", "floating", "f", "world", "base")
    (tmp_path / "robot.urdf").write_text(f'<robot name="r">{text}</robot>')
    robot = load(tmp_path / "robot.urdf")
    assert robot.body_names == ["base", "leg"] and not robot.fixed_base


def test_a_floating_joint_elsewhere_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"robot.urdf: joint 'knee' is of type 'floating', which works only from"):
        load(urdf(tmp_path, knee=joint("", "floating")))


def test_a_planar_joint_to_the_world_slides_and_turns(tmp_path):
    planar = joint("", "planar", "p", "world", "base").replace("0 1 0", "0 0 1")
    (tmp_path / "robot.urdf").write_text(f'<robot name="r"><link name="world"/>{link("base")}{planar}</robot>')
    robot = load(tmp_path / "robot.urdf")
    assert robot.fixed_base and robot.dof_names == ["p_x", "p_y", "p_yaw"]
    np.testing.assert_array_equal([dof.axis for dof in robot.dofs], np.eye(3))
    world = World(tmp_path / "robot.urdf", gravity=(2.0, 1.0, 0.0))
    world.step(100)
    # from rest, 0.5 a t² = (0.25, 0.125) m in half a second, and one step's worth more of semi-implicit Euler
    np.testing.assert_allclose(world.dof[0, :, 0], [0.25 * 1.01, 0.125 * 1.01, 0.0], atol=1e-4)


@pytest.mark.parametrize("name", ["world", "world_"])
def test_links_may_be_named_like_mujocos_own_objects(tmp_path, name):
    path = tmp_path / "robot.urdf"
    leg = joint("", name=f"{name}_free", parent=name)
    path.write_text(f'<robot name="r">{link(name)}{link("leg")}{leg}</robot>')
    assert load(path).body_names == [name, "leg"]
    World(path).step(2)


# A follower is light: the one that it follows swings nearly alone.
MIMIC = f"""<robot name="r">{link("base")}{link("leg")}{link("finger")}{joint()}
    {joint('<mimic joint="knee" multiplier="-0.5" offset="0.2"/>', name="follower", child="finger")}</robot>"""


def test_a_mimic_joint_follows(tmp_path, capsys):
    path = tmp_path / "robot.urdf"
    path.write_text(MIMIC)
    world = World(path, gravity=(0.0, 0.0, 0.0))
    assert "MuJoCo Warp" in capsys.readouterr().out
    names = world.asset.robot.dof_names
    knee, follower = names.index("knee"), names.index("follower")
    torques = world.dof.new_zeros(1, 2)
    torques[0, knee] = 0.02
    for _ in range(100):
        world.set_torques(torques)
        world.step()
    positions = world.dof[0, :, 0].tolist()
    assert positions[knee] > 0.1
    assert positions[follower] == pytest.approx(0.2 - 0.5 * positions[knee], abs=5e-3)  # equalities are soft


def test_a_mimic_of_nothing_is_refused(tmp_path):
    with pytest.raises(ValueError, match="joint 'knee' mimics 'hip', which is no moving joint"):
        load(urdf(tmp_path, knee=joint('<mimic joint="hip"/>')))


def test_a_dangling_parent_is_named(tmp_path):
    knee = joint() + joint("", "fixed", "imu", "pelvis", "leg")
    with pytest.raises(ValueError, match=r"robot.urdf: joint 'imu' has the parent link 'pelvis', which does not"):
        load(urdf(tmp_path, knee=knee))


# --- Mass -----------------------------------------------------------------------------------------------------------


def test_mass_from_density_is_said(tmp_path, caplog):
    box = collision('<box size="0.1 0.1 0.2"/>')
    path = tmp_path / "robot.urdf"
    path.write_text(f'<robot name="r">{link("base")}{link("leg", box, "")}{joint()}</robot>')
    assert load(path, density=500.0).bodies[1].mass == pytest.approx(1.0)  # 2 litres
    assert "AssetOptions.density: 'leg' 1 kg" in caplog.text


def test_a_moving_link_without_mass_gets_a_small_one(tmp_path, caplog):
    path = tmp_path / "robot.urdf"
    path.write_text(f'<robot name="r">{link("base")}{link("leg", "", "")}{joint()}</robot>')
    assert load(path).bodies[1].mass == 0.01
    assert "get 0.01 kg: 'leg'" in caplog.text


def test_a_moving_link_without_inertia_gets_that_of_a_ball(tmp_path, caplog):
    inertial = '<inertial><mass value="2"/><inertia ixx="0" iyy="0" izz="0"/></inertial>'
    path = tmp_path / "robot.urdf"
    path.write_text(f'<robot name="r">{link("base")}{link("leg", "", inertial)}{joint()}</robot>')
    np.testing.assert_allclose(load(path).bodies[1].inertia, ball_inertia(2.0))
    assert "ball of water: 'leg'" in caplog.text


# --- Shapes and meshes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("geometry", "capsules", "kind"),
    [
        ('<cylinder radius="0.1" length="0"/>', False, "mesh"),  # a disk 1 mm thick
        ('<cylinder radius="0.1" length="0"/>', True, "sphere"),
        ('<capsule radius="0.1" length="0"/>', False, "sphere"),
        ('<box size="0.1 0.2 0"/>', False, "box"),
    ],
)
def test_flat_shapes_stand(tmp_path, geometry, capsules, kind):
    (shape,) = load(urdf(tmp_path, collision(geometry)), replace_cylinder_with_capsule=capsules).bodies[0].shapes
    assert shape.kind == kind


@pytest.mark.parametrize("inside", ["<collision></collision>", collision(""), collision('<sphere radius="0"/>')])
def test_a_collision_without_geometry_or_size_is_left_out(tmp_path, caplog, inside):
    assert load(urdf(tmp_path, inside)).bodies[0].shapes == []
    assert "left out" in caplog.text and "link 'base'" in caplog.text


@pytest.mark.parametrize(
    "inside",
    [
        *(visual('<mesh filename=""/>'), visual('<sphere radius="0"/>'), visual('<cone size="1"/>'), visual("")),
        visual('<box size="1 1"/>'),
    ],
)
def test_a_visual_never_refuses_a_robot(tmp_path, caplog, inside):
    assert load(urdf(tmp_path, inside)).bodies[0].visuals == []
    assert "visuals are left out: " in caplog.text and "link 'base'" in caplog.text


def test_a_flat_mesh_becomes_a_hull_one_millimetre_thick(tmp_path):
    (tmp_path / "flat.obj").write_text("v 0 0 0\nv 0.3 0 0\nv 0.3 0.2 0.1\nv 0 0.2 0.1\n")
    (shape,) = load(urdf(tmp_path, collision('<mesh filename="flat.obj"/>'))).bodies[0].shapes
    area = 0.3 * np.hypot(0.2, 0.1)
    assert ConvexHull(shape.vertices).volume == pytest.approx(area * 1e-3, rel=1e-6)


def test_points_on_a_line_become_a_thin_bar(tmp_path):
    (tmp_path / "line.obj").write_text("v 0 0 0\nv 0.1 0 0\nv 0.3 0 0\n")
    assert ConvexHull(load_hull(tmp_path / "line.obj", (1.0, 1.0, 1.0))).volume == pytest.approx(0.3e-6, rel=1e-6)


def stl(num_triangles=4, head=b"solid x"):
    record = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attributes", "<u2")])
    facets = np.zeros(4, dtype=record)
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=np.float32)
    facets["corners"] = points[[[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]]]
    return head.ljust(80) + np.uint32(num_triangles).tobytes() + facets.tobytes()


ASCII = "SOLID a\n" + "".join(
    "FACET NORMAL 0 0 0\nOUTER LOOP\n" + "".join(f"VERTEX {corner}\n" for corner in corners) + "ENDLOOP\nENDFACET\n"
    for corners in (("0 0 0", "1 0 0", "0 1 0"), ("0 0 0", "0 1 0", "0 0 1"))
)


@pytest.mark.parametrize("content", [stl(), stl() + b"\0\0", stl(head=b"STL") + b"made by a CAD", ASCII.encode()])
def test_stl_files_may_go_on_and_may_be_in_capitals(tmp_path, content):
    (tmp_path / "part.stl").write_bytes(content)
    hull = load_hull(tmp_path / "part.stl", (1.0, 1.0, 1.0))
    assert {tuple(point) for point in hull} == {(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)}


def test_a_cut_off_stl_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "part.stl").write_bytes(stl(num_triangles=9, head=b"STL"))
    with pytest.raises(ValueError, match=r"part\.stl: the mesh announces 9 triangles and holds 4"):
        load_hull(tmp_path / "part.stl", (1.0, 1.0, 1.0))


def test_one_scale_is_that_of_all_axes(tmp_path):
    (tmp_path / "part.obj").write_text(OBJ)
    (shape,) = load(urdf(tmp_path, collision('<mesh filename="part.obj" scale="0.1"/>'))).bodies[0].shapes
    np.testing.assert_allclose(shape.vertices.max(axis=0), [0.1, 0.1, 0.1])


@pytest.mark.parametrize(
    "reference",
    [
        *("meshes\\my part.obj", "meshes/my%20part.obj", "  meshes/my part.obj", "Meshes/My Part.OBJ"),
        *("model://pkg/meshes/my part.obj", "package://pkg/meshes/my part.obj", "package://other/meshes/my part.obj"),
        *(
            "$(find pkg)/meshes/my part.obj",
            "$(find-pkg-share pkg)/meshes/my part.obj",
            "PACKAGE://pkg/meshes/my part.obj",
            "file://$(find pkg)/meshes/my part.obj",
            "package:/pkg/meshes/my part.obj",
        ),
        *(
            "file://{root}/pkg/meshes/my part.obj",
            "file:///{root}/pkg/meshes/my part.obj",
            "{root}/pkg/meshes/my part.obj",
        ),
        *("file://meshes/my part.obj", "./meshes/../meshes/my part.obj", "C:\\work\\my part.obj"),
    ],
)
def test_a_mesh_is_found_however_it_is_referred_to(tmp_path, reference):
    for folder in ("pkg/urdf", "pkg/meshes"):
        (tmp_path / folder).mkdir(parents=True)
    mesh = tmp_path / "pkg/meshes/my part.obj"
    if reference.startswith("C:"):
        mesh = tmp_path / "pkg/urdf/my part.obj"
    mesh.write_text(OBJ)
    found = find_mesh(reference.replace("{root}", str(tmp_path)), tmp_path / "pkg/urdf/robot.urdf")
    assert found is not None and found.samefile(mesh)


def test_a_mesh_of_mjcf_is_found_in_its_package_whatever_folder_its_meshes_have(tmp_path, caplog):
    """Beside others of its name, so that no search by name finds it."""
    for number, folder in enumerate(("pkg/mjcf", "pkg/meshes", "pkg/assets/meshes")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "part.obj").write_text(OBJ.replace("1", str(number + 1)))
    path = tmp_path / "pkg/mjcf/robot.xml"
    asset = '<compiler meshdir="../assets"/><asset><mesh name="v" file="package://pkg/meshes/part.obj"/></asset>'
    body = ROBOT.format('<geom type="mesh" mesh="v"/>' + LEG.format(""))
    path.write_text(f"<mujoco>{asset}<worldbody>{body}</worldbody></mujoco>")
    hull = load_mjcf(path, AssetOptions()).bodies[0].shapes[1].vertices
    assert ConvexHull(hull).volume == pytest.approx(2.0**3 / 6)  # of a corner cut from a cube of 2 m
    assert "found by name" not in caplog.text


def test_packages_are_found_below_ros_package_path(tmp_path, monkeypatch):
    (tmp_path / "ws/pkg").mkdir(parents=True)
    (tmp_path / "ws/pkg/part.obj").write_text(OBJ)
    monkeypatch.setenv("ROS_PACKAGE_PATH", f"/nowhere:{tmp_path}/ws")
    assert find_mesh("package://pkg/part.obj", tmp_path / "elsewhere/robot.urdf") == tmp_path / "ws/pkg/part.obj"


def test_a_missing_mesh_names_every_place(tmp_path):
    path = urdf(tmp_path, collision('<mesh filename="package://pkg/gone.stl"/>'))
    with pytest.raises(FileNotFoundError, match=r"'package://pkg/gone.stl' of link 'base' does not exist") as caught:
        load(path)
    for place in places("package://pkg/gone.stl", path):
        assert str(place) in str(caught.value)
    assert str(tmp_path / "pkg/gone.stl") in str(caught.value) and "\n" not in str(caught.value)


# --- XML ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ("<!DOCTYPE robot>", "utf-8"),
        ('\n\n  <?xml version="1.0"?>', "utf-8"),
        ("", "utf-8-sig"),
        ('\n<?xml version="1.0" encoding="utf-8"?><!-- 腿 -->', "utf-8-sig"),
        ('<?xml version="1.0" encoding="gb2312"?><!-- 腿 -->', "gb2312"),
        ('<?xml version="1.0" encoding="utf-8"?><!-- 腿 -->', "gb2312"),  # declared wrongly
        ('<?xml version="1.0" encoding="utf-16"?>', "utf-16"),
        ('<?xml version="1.0" encoding="utf-16"?>', "utf-8"),
        ('<?xml version="1.0" encoding="utf-16"?> ', "utf-8"),  # an odd number of bytes, or an even one
    ],
)
def test_xml_in_any_encoding(tmp_path, head, encoding):
    assert load(urdf(tmp_path, head=head, encoding=encoding)).body_names == ["base", "leg"]


# --- MJCF -----------------------------------------------------------------------------------------------------------


def mjcf(tmp_path, text):
    path = tmp_path / "robot.xml"
    path.write_text(text if text.startswith("<mujoco") else f"<mujoco><worldbody>{text}</worldbody></mujoco>")
    return path


LEG = '<body name="leg" pos="0 0 -.2"><joint name="knee" axis="0 1 0"/><geom type="box" size=".1 .1 .1"/>{}</body>'
ROBOT = '<body name="base"><freejoint/><geom type="box" size=".1 .1 .1"/>{}</body>'


@pytest.mark.parametrize("geom", ['type="mesh" mesh="v"', 'type="sphere" size=".1" material="m"'])
def test_missing_visual_meshes_and_textures_never_refuse(tmp_path, caplog, geom):
    body = ROBOT.format(f'<geom {geom} contype="0" conaffinity="0" mass="0"/>' + LEG.format(""))
    assets = (
        '<asset><mesh name="v" file="nope.stl"/><texture name="t" type="2d" file="nope.png"/>'
        '<material name="m" texture="t"/></asset>'
    )
    robot = load_mjcf(mjcf(tmp_path, f"<mujoco>{assets}<worldbody>{body}</worldbody></mujoco>"), AssetOptions())
    assert robot.body_names == ["base", "leg"]
    assert robot.mass == pytest.approx(2 * 8.0)  # boxes of 8 litres, MuJoCo's 1000 kg/m³
    assert "robot.xml: visual meshes and textures are left out" in caplog.text and "nope" in caplog.text


@pytest.mark.parametrize("collides", [True, False])
@pytest.mark.parametrize(
    ("geom", "mass"),
    [
        ('type="sphere" size="0"', 0.0),
        ('name="g" type="cylinder" size="0 .1"', 0.0),
        ('type="box" size="0 0 0"', 0.0),
        ('type="capsule" fromto=".1 0 0 .1 0 -.2" size="0" mass="3"', 3.0),  # a rod
    ],
)
def test_a_geom_without_size_is_left_out_but_for_its_mass(tmp_path, caplog, geom, mass, collides):
    mask = "" if collides else 'contype="0" conaffinity="0"'
    path = mjcf(tmp_path, ROBOT.format(LEG.format(f"<geom {geom} {mask}/>")))
    leg = load_mjcf(path, AssetOptions()).bodies[1]
    name = "'g'" if "name" in geom else "'leg_geom_1'"
    said = "size 0 is left out: {}" if collides else "visuals are left out: {}"
    assert f"{said.format(name)} of body 'leg'" in caplog.text and len(leg.shapes) == 1
    # a box of water of 0.2 m and a rod of 0.2 m beside it, 1 mm thick, by hand
    assert leg.mass == pytest.approx(8.0 + mass)
    assert leg.com == pytest.approx([0.1 * mass / (8.0 + mass), 0.0, -0.1 * mass / (8.0 + mass)])
    along_x = 8.0 * 0.08 / 12 + mass * 0.04 / 12 + 0.01 * 8.0 * mass / (8.0 + mass)  # reduced mass · distance²
    assert leg.inertia[0, 0] == pytest.approx(along_x, rel=1e-3)


@pytest.mark.parametrize(("geom", "half"), [('type="box" size=".1 0 .1"', 1), ('type="cylinder" size=".1 0"', 2)])
def test_a_flat_geom_of_mjcf_gets_a_thickness(tmp_path, geom, half):
    path = mjcf(tmp_path, ROBOT.format(LEG.format(f'<geom {geom} mass="0"/>')))
    shape = load_mjcf(path, AssetOptions()).bodies[1].shapes[1]
    extent = shape.size if shape.vertices is None else np.ptp(shape.vertices, axis=0) / 2
    assert extent[half] == pytest.approx(0.5e-3)


def test_mujocos_complaint_about_a_geom_names_its_body(tmp_path):
    path = mjcf(tmp_path, ROBOT.format(LEG.format('<geom type="plane" size="1 1 1"/>')))
    with pytest.raises(ValueError, match=r"robot\.xml: MuJoCo cannot .*'leg_geom_1'"):
        load_mjcf(path, AssetOptions())


def test_a_body_of_mjcf_may_be_named_world(tmp_path, caplog):
    path = mjcf(tmp_path, ROBOT.format(LEG.format("")).replace('"leg"', '"world"'))
    robot = load_mjcf(path, AssetOptions())
    assert robot.body_names == ["base", "world_1"] and "the name 'world'" in caplog.text


def test_a_flat_collision_mesh_of_mjcf_is_thickened_too(tmp_path):
    (tmp_path / "flat.obj").write_text("v 0 0 0\nv .3 0 0\nv .3 .2 0\nv 0 .2 0\nf 1 2 3\nf 1 3 4\n")
    body = ROBOT.format('<geom type="mesh" mesh="flat" mass="0"/>')
    text = f'<mujoco><asset><mesh name="flat" file="flat.obj"/></asset><worldbody>{body}</worldbody></mujoco>'
    shape = load_mjcf(mjcf(tmp_path, text), AssetOptions()).bodies[0].shapes[1]
    assert ConvexHull(shape.vertices).volume == pytest.approx(0.3 * 0.2 * 1e-3, rel=1e-3)


def test_an_ellipsoid_becomes_its_hull(tmp_path):
    path = mjcf(
        tmp_path, ROBOT.format('<geom type="ellipsoid" size=".1 .2 .3"/><geom type="ellipsoid" size=".1 .1 .1"/>')
    )
    _, hull, ball = load_mjcf(path, AssetOptions()).bodies[0].shapes
    assert (ball.kind, ball.size) == ("sphere", (0.1, 0.0, 0.0))
    np.testing.assert_allclose(np.abs(hull.vertices).max(axis=0), [0.1, 0.2, 0.3])
    np.testing.assert_allclose(np.square(hull.vertices / [0.1, 0.2, 0.3]).sum(axis=1), 1.0)
    assert ConvexHull(hull.vertices).volume > 0.85 * 4 / 3 * np.pi * 0.006


def test_inactive_equalities_and_mocap_bodies_are_left_out(tmp_path, caplog):
    equality = '<equality><weld body1="base" body2="target" active="false"/></equality>'
    target = '<body name="target" mocap="true"><geom size=".1" contype="0" conaffinity="0"/></body>'
    text = f"<mujoco><worldbody>{target}{ROBOT.format(LEG.format(''))}</worldbody>{equality}</mujoco>"
    robot = load_mjcf(mjcf(tmp_path, text), AssetOptions())
    assert robot.body_names == ["base", "leg"] and robot.couplings == ()
    assert "mocap bodies are left out: 'target'" in caplog.text
    assert "equality constraints that are not active are left out: that of 'base' and 'target'" in caplog.text


def trajectory(path, world, steps, added_damping=0.0):
    """Joint positions after some steps of C MuJoCo and of a world, from the same pose."""
    model = mujoco.MjModel.from_xml_path(str(path))
    model.dof_damping[-1] += added_damping
    data = mujoco.MjData(model)
    names = world.asset.robot.dof_names
    start = [0.1 * (index + 1) for index in range(len(names))]
    for name, position in zip(names, start, strict=True):
        data.joint(name).qpos[0] = position
    world.set_dofs(start)
    for _ in range(steps):
        mujoco.mj_step(model, data)
    world.step(steps)
    return [data.joint(name).qpos[0] for name in names], world.dof[0, :, 0].tolist()


PLANAR = """<mujoco><option timestep="0.005" integrator="implicitfast"/>
  <default><geom contype="0" conaffinity="1"/></default>
  <worldbody><body name="torso" pos="0 0 1"><joint name="x" type="slide" axis="1 0 0"/>
    <joint name="z" type="slide" axis="0 0 1"/><joint name="pitch" axis="0 1 0"/><geom type="box" size=".1 .1 .2"/>
    <body name="leg" pos="0 0 -.2"><joint name="knee" axis="0 1 0" SPRING damping=".2" armature=".05"/>
      <geom type="capsule" fromto="0 0 0 .1 0 -.3" size=".05"/></body></body></worldbody></mujoco>"""


@pytest.mark.parametrize("stiffness", [0.0, 30.0])
def test_a_planar_robot_with_a_spring_moves_as_in_c_mujoco(tmp_path, stiffness):
    path = mjcf(tmp_path, PLANAR.replace("SPRING", f'stiffness="{stiffness}" springref="40"'))
    world = World(path, gravity=(0.0, 0.0, -9.81))
    assert world.asset.robot.dof_names == ["x", "z", "pitch", "knee"]
    assert world.asset.robot.body_names == ["torso_frame", "torso", "leg"]
    world.set_root([0.0, 0.0, 9.0])  # high above the ground: no contact
    # a spring taken at the end of the step is one with h k more damping
    theirs, ours = trajectory(path, world, steps=100, added_damping=0.005 * stiffness)
    np.testing.assert_allclose(ours, theirs, atol=TOL)


def test_a_spring_swings_about_its_rest(tmp_path):
    body = ROBOT.format(LEG.format("").replace("/>", ' stiffness="2000" springref="0.3" damping="300"/>', 1))
    text = f'<mujoco><compiler angle="radian"/><worldbody>{body}</worldbody></mujoco>'
    world = World(mjcf(tmp_path, text), gravity=(0.0, 0.0, 0.0))
    world.step(400)
    assert world.dof[0, 0, 0].item() == pytest.approx(0.3, abs=TOL)


def test_an_equality_between_joints_couples_them_as_in_c_mujoco(tmp_path):
    two = LEG.format("") + LEG.format("").replace("leg", "arm").replace("knee", "elbow")
    equality = '<equality><joint joint1="elbow" joint2="knee" polycoef="0 2 0 0 0"/></equality>'
    text = f'<mujoco><option timestep="0.005"/><worldbody>{ROBOT.format(two)}</worldbody>{equality}</mujoco>'
    text = text.replace("<geom ", '<geom contype="0" conaffinity="1" ')
    path = mjcf(tmp_path, text)
    world = World(path, gravity=(0.0, 0.0, -9.81))
    world.set_root([0.0, 0.0, 30.0])
    theirs, ours = trajectory(path, world, steps=60)
    np.testing.assert_allclose(ours, theirs, atol=5 * TOL)
