"""`load_urdf` against hand computation and against C MuJoCo's own URDF compiler."""

import json
import re
from pathlib import Path

import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from isaacgym.assets.urdf import load_urdf
from isaacgym.gym_types import AssetOptions

ROOT = Path(__file__).parents[2]
ROBOTS = ["aliengo", "a1", "go1", "go2"]
TOL = 1e-9  # double precision; MuJoCo diagonalises inertias, which costs a few digits
COLLAPSE = AssetOptions(collapse_fixed_joints=True, replace_cylinder_with_capsule=True)


def shipped(name):
    return ROOT / f"resources/robots/{name}/urdf/{name}.urdf"


def write(tmp_path, body, name="robot.urdf"):
    path = tmp_path / name
    path.write_text(f'<robot name="test">{body}</robot>')
    return path


def link(name, mass=1.0, extra=""):
    return (
        f'<link name="{name}"><inertial><mass value="{mass}"/>'
        f'<inertia ixx="1" ixy="0" ixz="0" iyy="1" iyz="0" izz="1"/></inertial>{extra}</link>'
    )


def joint(name, kind, parent, child, extra="", attributes=""):
    return (
        f'<joint name="{name}" type="{kind}" {attributes}><parent link="{parent}"/><child link="{child}"/>'
        f"{extra}</joint>"
    )


# --- Against C MuJoCo -----------------------------------------------------------------------------------------------


def compile_description(robot):
    """The description as a C MuJoCo model with a floating base, written without the engine."""
    spec = mujoco.MjSpec()
    bodies = []
    for body in robot.bodies:
        parent = spec.worldbody if body.parent < 0 else bodies[body.parent]
        made = parent.add_body(name=body.name, pos=body.pos, quat=np.roll(body.quat, 1))
        i = body.inertia
        made.explicitinertial = True
        made.mass, made.ipos = body.mass, body.com
        if i.any():  # MuJoCo refuses to diagonalise a zero inertia, but takes one as it is
            made.fullinertia = [i[0, 0], i[1, 1], i[2, 2], i[0, 1], i[0, 2], i[1, 2]]
        if body.parent < 0:
            made.add_freejoint()
        for hinge in body.joints:
            made.add_joint(name=hinge.name, type=mujoco.mjtJoint.mjJNT_HINGE, axis=hinge.axis)
        bodies.append(made)
    return spec.compile()


def compile_urdf(name):
    """C MuJoCo's reading of the URDF, its root set afloat; masses come from <inertial> only."""
    text = shipped(name).read_text()
    compiler = '<mujoco><compiler inertiafromgeom="false" fusestatic="true" balanceinertia="false"/></mujoco>'
    first = list(json.loads((ROOT / f"tests/reference/robots/{name}.json").read_text())["links"])[0]
    floating = '<link name="world"/>' + joint("afloat", "floating", "world", first)
    text = re.sub(r"(<robot [^>]*>)", r"\1" + compiler + floating, text, count=1)
    return mujoco.MjModel.from_xml_string(text)


def joint_state(model, values):
    """qpos with the free joint at a fixed, generic pose and the hinges as given by name."""
    data = mujoco.MjData(model)
    free = [j for j in range(model.njnt) if model.jnt_type[j] == mujoco.mjtJoint.mjJNT_FREE]
    start = model.jnt_qposadr[free[0]]
    data.qpos[start : start + 7] = [0.3, -0.2, 0.5, *np.roll(Rotation.from_rotvec([0.3, 0.5, -0.7]).as_quat(), 1)]
    for name, value in values.items():
        data.joint(name).qpos[0] = value
    mujoco.mj_forward(model, data)
    return data


@pytest.fixture(params=ROBOTS)
def both(request):
    robot = load_urdf(shipped(request.param), COLLAPSE)
    return robot, compile_description(robot), compile_urdf(request.param)


def test_total_mass_equals_mujocos(both):
    robot, ours, theirs = both
    assert ours.body_mass.sum() == pytest.approx(theirs.body_mass.sum(), abs=TOL)
    assert robot.mass == pytest.approx(theirs.body_mass.sum(), abs=TOL)


@pytest.mark.parametrize("name", ROBOTS)
def test_an_uncollapsed_robot_compiles_too(name):
    robot = load_urdf(shipped(name), AssetOptions(replace_cylinder_with_capsule=True))
    model = compile_description(robot)
    assert model.body_mass.sum() == pytest.approx(compile_urdf(name).body_mass.sum(), abs=TOL)


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_com_of_the_robot_equals_mujocos(both, spread):
    robot, ours, theirs = both
    rng = np.random.default_rng(7)
    values = {name: spread * rng.uniform(-1, 1) for name in robot.dof_names}
    coms = [joint_state(model, values).subtree_com[0] for model in (ours, theirs)]
    np.testing.assert_allclose(coms[0], coms[1], atol=TOL)


def test_joint_space_inertia_equals_mujocos(both):
    robot, ours, theirs = both
    rng = np.random.default_rng(8)
    values = {name: rng.uniform(-1, 1) for name in robot.dof_names}
    matrices = []
    for model in (ours, theirs):
        data = joint_state(model, values)
        full = np.zeros((model.nv, model.nv))
        mujoco.mj_fullM(model, data, full)
        free = [model.jnt_dofadr[j] for j in range(model.njnt) if model.jnt_type[j] == mujoco.mjtJoint.mjJNT_FREE][0]
        order = [*range(free, free + 6), *(model.joint(name).dofadr[0] for name in robot.dof_names)]
        matrices.append(full[np.ix_(order, order)])
    np.testing.assert_allclose(matrices[0], matrices[1], atol=TOL)


# --- Shipped robots -------------------------------------------------------------------------------------------------


def test_aliengo_has_isaac_gyms_bodies_and_dofs():
    robot = load_urdf(shipped("aliengo"), COLLAPSE)
    legs = ["FL", "FR", "RL", "RR"]
    assert robot.body_names == ["base", *(f"{leg}_{part}" for leg in legs for part in ("hip", "thigh", "calf", "foot"))]
    assert robot.dof_names == [f"{leg}_{part}_joint" for leg in legs for part in ("hip", "thigh", "calf")]
    assert [robot.bodies[dof.body].name for dof in robot.dofs] == [
        name.removesuffix("_joint") for name in robot.dof_names
    ]
    assert [body.parent for body in robot.bodies[:6]] == [-1, 0, 1, 2, 3, 0]


@pytest.mark.parametrize("name", ROBOTS)
@pytest.mark.parametrize("collapse", [True, False])
def test_total_mass_is_conserved(name, collapse):
    links = json.loads((ROOT / f"tests/reference/robots/{name}.json").read_text())["links"]
    # Without collapse, Aliengo's "base" is a bare frame; the trunk fixed to it has the mass.
    robot = load_urdf(shipped(name), AssetOptions(collapse_fixed_joints=collapse))
    assert robot.mass == pytest.approx(sum(link.get("mass", 0.0) for link in links.values()), abs=TOL)


def test_aliengo_numbers_survive_the_import():
    robot = load_urdf(shipped("aliengo"), COLLAPSE)
    (calf,) = robot.bodies[robot.body_names.index("FR_calf")].joints
    assert (calf.kind, calf.lower, calf.upper) == ("revolute", -2.775, -0.611)
    assert (calf.effort, calf.velocity, calf.damping, calf.friction) == (55.0, 15.89, 0.0, 0.0)
    foot = robot.bodies[robot.body_names.index("FR_foot")]
    assert foot.joints == ()
    assert foot.shapes[0].kind == "sphere" and foot.shapes[0].size == (0.0265, 0.0, 0.0)
    np.testing.assert_array_equal(foot.pos, [0.0, 0.0, -0.25])
    trunk_box = robot.bodies[0].shapes[0]
    assert trunk_box.kind == "box" and trunk_box.size == (0.3235, 0.075, 0.056)


# --- Collapse -------------------------------------------------------------------------------------------------------

TWO_BOXES = """
<link name="a">
  <inertial><origin xyz="0.1 0 0"/><mass value="2"/>
    <inertia ixx="0.02" ixy="0" ixz="0" iyy="0.03" iyz="0" izz="0.04"/></inertial>
</link>
<link name="b">
  <inertial><origin xyz="0 0.3 0" rpy="0 0 1.5707963267948966"/><mass value="6"/>
    <inertia ixx="0.05" ixy="0" ixz="0" iyy="0.06" iyz="0" izz="0.07"/></inertial>
  <collision><origin xyz="1 2 3" rpy="0.3 0 0"/><geometry><box size="0.2 0.4 0.6"/></geometry></collision>
</link>
<joint name="weld" type="fixed">
  <parent link="a"/><child link="b"/><origin xyz="0.5 0 0" rpy="1.5707963267948966 0 0"/>
</joint>
"""


def test_collapse_of_two_boxes_equals_the_hand_computation(tmp_path):
    (body,) = load_urdf(write(tmp_path, TWO_BOXES), COLLAPSE).bodies
    # b's frame is a's turned by 90° about x: y_b = z_a, z_b = -y_a. COM of b in a: (0.5, 0, 0.3).
    assert body.name == "a" and body.mass == 8.0
    com = (2 * np.array([0.1, 0, 0]) + 6 * np.array([0.5, 0, 0.3])) / 8  # (0.4, 0, 0.225)
    np.testing.assert_allclose(body.com, com, atol=TOL)
    # b's inertia: turned by 90° about z it is diag(0.06, 0.05, 0.07) in b, so diag(0.06, 0.07, 0.05) in a.
    # Offsets from the common COM: a (-0.3, 0, -0.225), b (0.1, 0, 0.075). Steiner: m (|d|² 1 - d dᵀ).
    expected = np.array(
        [
            [0.02 + 0.06 + 2 * 0.225**2 + 6 * 0.075**2, 0, -(2 * 0.3 * 0.225 + 6 * 0.1 * 0.075)],
            [0, 0.03 + 0.07 + 2 * (0.3**2 + 0.225**2) + 6 * (0.1**2 + 0.075**2), 0],
            [-(2 * 0.3 * 0.225 + 6 * 0.1 * 0.075), 0, 0.04 + 0.05 + 2 * 0.3**2 + 6 * 0.1**2],
        ]
    )
    np.testing.assert_allclose(body.inertia, expected, atol=TOL)
    (box,) = body.shapes
    np.testing.assert_allclose(box.pos, [1.5, -3.0, 2.0], atol=TOL)
    np.testing.assert_allclose(box.quat, Rotation.from_rotvec([np.pi / 2 + 0.3, 0, 0]).as_quat(), atol=TOL)
    assert box.size == (0.1, 0.2, 0.3)


def test_dont_collapse_keeps_the_link_as_a_fixed_body(tmp_path):
    text = TWO_BOXES.replace('name="weld"', 'name="weld" dont_collapse="true"')
    a, b = load_urdf(write(tmp_path, text), COLLAPSE).bodies
    assert (a.name, b.name, b.parent, b.joints, b.mass) == ("a", "b", 0, (), 6.0)
    np.testing.assert_allclose(b.quat, Rotation.from_euler("x", 90, degrees=True).as_quat(), atol=TOL)
    np.testing.assert_allclose(np.diag(b.inertia), [0.06, 0.05, 0.07], atol=TOL)


def test_joints_below_a_merged_link_move_to_its_parent(tmp_path):
    body = (
        link("a")
        + link("b")
        + link("c")
        + link("d")
        + joint("ab", "fixed", "a", "b", '<origin xyz="1 0 0" rpy="0 0 1.5707963267948966"/>')
        + joint("bc", "fixed", "b", "c", '<origin xyz="1 0 0" rpy="0.2 0 0"/>')
        + joint("cd", "continuous", "c", "d", '<origin xyz="0 0 1"/><axis xyz="0 0 2"/>')
    )
    a, d = load_urdf(write(tmp_path, body), COLLAPSE).bodies
    turn = Rotation.from_euler("z", np.pi / 2) * Rotation.from_euler("x", 0.2)
    np.testing.assert_allclose(d.pos, np.array([1, 1, 0]) + turn.apply([0, 0, 1]), atol=TOL)
    np.testing.assert_allclose(d.quat, turn.as_quat(), atol=TOL)
    (hinge,) = d.joints
    assert (a.mass, d.parent, hinge.kind, hinge.body) == (3.0, 0, "continuous", 1)
    np.testing.assert_array_equal(hinge.axis, [0, 0, 1])
    assert not hinge.has_limits


# --- Order ----------------------------------------------------------------------------------------------------------


def order_robot():
    """All orders differ: by declaration 9 1 12 5, by link name 5 12 9 1, by number 1 5 9 12, by string 1 12 5 9."""
    names = {"9": "c", "1": "d", "12": "b", "5": "a"}
    body = link("root") + "".join(link(name) for name in names.values())
    return body + "".join(joint(name, "continuous", "root", child) for name, child in names.items())


def test_siblings_come_in_string_order_of_joint_names(tmp_path):
    robot = load_urdf(write(tmp_path, order_robot()), COLLAPSE)
    assert robot.dof_names == ["1", "12", "5", "9"]
    assert robot.body_names == ["root", "d", "b", "a", "c"]


def test_order_is_depth_first_and_sorted_after_collapsing(tmp_path):
    body = order_robot() + link("tip") + link("mount") + link("arm")
    body += joint("99", "continuous", "d", "tip")  # below joint 1: right behind it
    body += joint("0", "fixed", "root", "mount") + joint("4", "continuous", "mount", "arm")  # moves up to root
    robot = load_urdf(write(tmp_path, body), COLLAPSE)
    assert robot.dof_names == ["1", "99", "12", "4", "5", "9"]


# --- Shapes and masses ----------------------------------------------------------------------------------------------


def one_link(geometry, inertial=""):
    return f'<link name="a">{inertial}<collision><geometry>{geometry}</geometry></collision></link>'


def test_a_cylinder_becomes_a_capsule_with_its_length_between_the_caps(tmp_path):
    path = write(tmp_path, one_link('<cylinder radius="0.3" length="0.4"/>'))
    (shape,) = load_urdf(path, AssetOptions(replace_cylinder_with_capsule=True)).bodies[0].shapes
    assert (shape.kind, shape.size) == ("capsule", (0.3, 0.2, 0.0))


def test_a_cylinder_without_replacement_becomes_a_prism(tmp_path):
    path = write(tmp_path, one_link('<cylinder radius="0.3" length="0.4"/>'))
    (shape,) = load_urdf(path, AssetOptions(slices_per_cylinder=12)).bodies[0].shapes
    assert shape.kind == "mesh" and shape.vertices.shape == (24, 3)
    np.testing.assert_allclose(np.hypot(*shape.vertices[:, :2].T), 0.3)
    np.testing.assert_allclose(np.abs(shape.vertices[:, 2]), 0.2)


@pytest.mark.parametrize(
    ("geometry", "kind", "size"),
    [
        ('<box size="0.2 0.6 1.0"/>', mujoco.mjtGeom.mjGEOM_BOX, [0.1, 0.3, 0.5]),
        ('<sphere radius="0.3"/>', mujoco.mjtGeom.mjGEOM_SPHERE, [0.3, 0, 0]),
        ('<cylinder radius="0.3" length="0.4"/>', mujoco.mjtGeom.mjGEOM_CAPSULE, [0.3, 0.2, 0]),
        ('<capsule radius="0.3" length="0.4"/>', mujoco.mjtGeom.mjGEOM_CAPSULE, [0.3, 0.2, 0]),
    ],
)
def test_mass_and_inertia_from_density_equal_mujocos(tmp_path, geometry, kind, size):
    robot = load_urdf(
        write(tmp_path, one_link(geometry)), AssetOptions(density=700.0, replace_cylinder_with_capsule=True)
    )
    spec = mujoco.MjSpec()
    spec.worldbody.add_body().add_geom(type=kind, size=size, density=700.0)
    model = spec.compile()
    assert robot.bodies[0].mass == pytest.approx(model.body_mass[1])
    np.testing.assert_allclose(sorted(np.diag(robot.bodies[0].inertia)), sorted(model.body_inertia[1]))


@pytest.mark.parametrize("collapse", [False, True])
def test_a_density_of_the_file_gives_mass_centre_and_inertia_of_the_shapes(tmp_path, collapse):
    shape = '<collision><origin xyz="0.1 0 0"/><geometry><box size="0.2 0.3 0.4"/></geometry></collision>'
    dense = f'<link name="tool"><inertial><density value="500"/></inertial>{shape}</link>'
    robot = link("base", 2.0) + dense + joint("j", "fixed", "base", "tool", '<origin xyz="0 0 1"/>')
    bodies = load_urdf(write(tmp_path, robot), AssetOptions(collapse_fixed_joints=collapse)).bodies
    mass, centre = 500 * 0.2 * 0.3 * 0.4, np.array([0.1, 0.0, 0.0])  # 12 kg
    moments = mass / 12 * np.diag([0.3**2 + 0.4**2, 0.2**2 + 0.4**2, 0.2**2 + 0.3**2])
    if collapse:  # the same, put onto 2 kg at the origin by Steiner's theorem
        arm = centre + [0.0, 0.0, 1.0]
        moments += np.eye(3) + 2.0 * mass / (mass + 2.0) * (arm @ arm * np.eye(3) - np.outer(arm, arm))
        mass, centre = mass + 2.0, mass / (mass + 2.0) * arm
    assert bodies[-1].mass == pytest.approx(mass)
    np.testing.assert_allclose(bodies[-1].com, centre, atol=TOL)
    np.testing.assert_allclose(bodies[-1].inertia, moments, atol=TOL)


def test_a_fine_prism_weighs_as_much_as_its_cylinder(tmp_path):
    path = write(tmp_path, one_link('<cylinder radius="0.3" length="0.4"/>'))
    (body,) = load_urdf(path, AssetOptions(density=700.0, slices_per_cylinder=2000)).bodies
    mass = 700.0 * np.pi * 0.3**2 * 0.4
    across, along = mass * (3 * 0.3**2 + 0.4**2) / 12, mass * 0.3**2 / 2
    assert body.mass == pytest.approx(mass, rel=1e-5)
    np.testing.assert_allclose(body.inertia, np.diag([across, across, along]), rtol=1e-5, atol=1e-9)


def test_override_inertia_keeps_the_mass_and_uses_the_shapes(tmp_path):
    inertial = '<inertial><origin xyz="1 1 1"/><mass value="5"/><inertia ixx="9" iyy="9" izz="9"/></inertial>'
    path = write(tmp_path, one_link('<sphere radius="0.3"/>', inertial))
    (body,) = load_urdf(path, AssetOptions(override_inertia=True)).bodies
    np.testing.assert_allclose(body.inertia, 0.4 * 5 * 0.3**2 * np.eye(3))
    np.testing.assert_array_equal(body.com, [1, 1, 1])
    (body,) = load_urdf(path, AssetOptions(override_com=True)).bodies
    np.testing.assert_allclose(body.inertia, 9 * np.eye(3))
    np.testing.assert_array_equal(body.com, [0, 0, 0])


def test_visuals_take_their_named_colour(tmp_path):
    text = (
        '<material name="red"><color rgba="1 0 0 0.5"/></material><link name="a"><visual><geometry>'
        '<cylinder radius="1" length="2"/></geometry><material name="red"/></visual></link>'
    )
    (visual,) = load_urdf(write(tmp_path, text), AssetOptions(fix_base_link=True)).bodies[0].visuals
    assert (visual.kind, visual.size, visual.rgba) == ("cylinder", (1.0, 1.0, 0.0), (1.0, 0.0, 0.0, 0.5))


def test_a_collision_mesh_is_found_through_its_package(tmp_path):
    (tmp_path / "pkg/urdf").mkdir(parents=True)
    (tmp_path / "pkg/part.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\n")
    mesh = '<collision><geometry><mesh filename="package://pkg/part.obj" scale="1 2 3"/></geometry></collision>'
    path = write(tmp_path, link("a", extra=mesh), "pkg/urdf/robot.urdf")
    (shape,) = load_urdf(path, COLLAPSE).bodies[0].shapes
    assert (shape.kind, shape.mesh_scale) == ("mesh", (1.0, 2.0, 3.0))
    assert shape.mesh_file == tmp_path / "pkg/part.obj"
    np.testing.assert_array_equal(shape.vertices.max(axis=0), [1.0, 2.0, 3.0])


# --- Errors ---------------------------------------------------------------------------------------------------------

A, B, C = link("a"), link("b"), link("c")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("<link", "not well-formed XML"),
        (A + joint("j", "fixed", "a", "ghost"), "the child link 'ghost', which does not exist"),
        (A + joint("j", "fixed", "ghost", "a"), "the parent link 'ghost', which does not exist"),
        (A + '<joint name="j" type="fixed"><child link="a"/></joint>', "names no parent link"),
        (A + B, r"2 root links \(a, b\)"),
        (A + B + C + joint("j", "fixed", "b", "c") + joint("k", "fixed", "c", "b"), "form a cycle"),
        (A + B + joint("j", "floating", "a", "b"), "type 'floating', which works only from a root"),
        (A + B + joint("j", "fixed", "a", "b") + joint("k", "fixed", "a", "b"), "child of two joints, 'j' and 'k'"),
        (A + A, "two links are named 'a'"),
        ("", "there is no link"),
        (A.replace('value="1.0"', 'value="heavy"'), 'value="heavy" in <mass>, expected a number'),
        (A + B + joint("j", "revolute", "a", "b", '<limit lower="2" upper="1"/>'), "lower limit 2.0 not below"),
        (A + B + joint("j", "revolute", "a", "b", '<axis xyz="0 0 0"/>'), "zero axis"),
        (one_link('<cone size="1"/>'), "geometry <cone>"),
    ],
)
def test_a_broken_file_is_refused_in_one_sentence_naming_it(tmp_path, body, message):
    with pytest.raises(ValueError, match=message) as caught:
        load_urdf(write(tmp_path, body), COLLAPSE)
    assert "robot.urdf: " in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_file_or_mesh_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.urdf: no such file"):
        load_urdf(tmp_path / "nowhere.urdf", COLLAPSE)
    with pytest.raises(FileNotFoundError, match="'gone.stl' of link 'a' does not exist"):
        load_urdf(write(tmp_path, one_link('<mesh filename="gone.stl"/>')), COLLAPSE)


def test_a_document_type_is_refused_before_entities_expand(tmp_path):
    path = tmp_path / "robot.urdf"
    path.write_text('<!DOCTYPE robot [<!ENTITY x "a">]><robot name="test"><link name="&x;"/></robot>')
    with pytest.raises(ValueError, match="DOCTYPE"):
        load_urdf(path, COLLAPSE)


def test_another_format_is_refused(tmp_path):
    path = tmp_path / "robot.urdf"
    path.write_text("<mujoco/>")
    with pytest.raises(ValueError, match="root element is <mujoco>"):
        load_urdf(path, COLLAPSE)
