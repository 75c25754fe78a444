"""Collision meshes: reading them, their convex hulls, and hulls on every kind of ground and on each other."""

from __future__ import annotations

import itertools
from pathlib import Path

import mujoco
import numpy as np
import pytest
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from isaacgym.assets.mesh_files import MAX_HULL_VERTICES, convex_hull, load_hull, load_hulls
from isaacgym.assets.urdf import load_urdf
from isaacgym.engine.model import build_spec
from isaacgym.gym_types import AssetOptions
from tests.isaacgym.test_bases_and_gravity import gym_with
from tests.isaacgym.test_terrain_contact import STEP, STEP_X, push, ridge_heights, step_heights, step_mesh
from tests.isaacgym.worlds import DEVICES, World, body_urdf

FLOAT32 = 1e-6  # [m] coordinates of order one, rounded to float32 by STL files
SINK = 3e-3  # [m] a body sinks less than this, as in the tests of the other shapes
DT = 0.005

CORNERS = np.array(list(itertools.product((-0.1, 0.1), (-0.15, 0.15), (-0.05, 0.05))))  # of a box
WEDGE = np.array([(0, 0, 0), (0.3, 0, 0), (0, 0.2, 0), (0.3, 0.2, 0), (0.05, 0.05, 0.1), (0.05, 0.15, 0.1)])


def obj_text(points: np.ndarray, triangles: np.ndarray) -> str:
    lines = ["# a comment", *(f"v {x} {y} {z}" for x, y, z in points), "vn 0 0 9"]
    return "\n".join([*lines, *(f"f {a + 1}//1 {b + 1}//1 {c + 1}//1" for a, b, c in triangles)])


def stl_text(points: np.ndarray, triangles: np.ndarray) -> str:
    facets = ("".join(f"vertex {x} {y} {z}\n" for x, y, z in points[corners]) for corners in triangles)
    body = "".join(f"facet normal 0 0 1\nouter loop\n{facet}endloop\nendfacet\n" for facet in facets)
    return f"solid part\n{body}endsolid part\n"


def stl_bytes(points: np.ndarray, triangles: np.ndarray) -> bytes:
    """Binary, and with a header that starts like that of an ASCII file."""
    record = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attributes", "<u2")])
    facets = np.zeros(len(triangles), dtype=record)
    facets["corners"] = points[triangles]
    return b"solid part".ljust(80) + np.uint32(len(triangles)).tobytes() + facets.tobytes()


def dae_text(points: np.ndarray) -> str:
    """In centimetres, in a node that turns by 90 degrees about z, within one that shifts by 7 cm along x."""
    turned = 100.0 * (points - [0.07, 0.0, 0.0]) @ Rotation.from_euler("z", 90, degrees=True).as_matrix()
    numbers = " ".join(map(str, turned.ravel()))
    return f"""<?xml version="1.0"?><COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">
    <asset><unit name="cm" meter="0.01"/><up_axis>Y_UP</up_axis></asset>
    <library_geometries><geometry id="part"><mesh>
      <source id="part-normals"><float_array count="3">9 9 9</float_array></source>
      <source id="part-points"><float_array count="{turned.size}">{numbers}</float_array></source>
      <vertices id="part-vertices"><input semantic="POSITION" source="#part-points"/>
        <input semantic="NORMAL" source="#part-normals"/></vertices>
    </mesh></geometry></library_geometries>
    <library_visual_scenes><visual_scene id="scene"><node><translate>7 0 0</translate>
      <node><rotate>0 0 1 90</rotate><instance_geometry url="#part"/></node></node></visual_scene>
    </library_visual_scenes></COLLADA>"""


def write_mesh(path: Path, points: np.ndarray, kind: str = "obj") -> Path:
    triangles = ConvexHull(points).simplices
    path = path.with_suffix("." + kind.rpartition(" ")[2])
    if kind == "binary stl":
        path.write_bytes(stl_bytes(points, triangles))
    else:
        text = {"obj": obj_text, "ascii stl": stl_text, "dae": lambda points, _: dae_text(points)}[kind]
        path.write_text(text(points, triangles))
    return path


def mesh_body(folder: Path, points: np.ndarray, com: str = "0 0 0") -> Path:
    write_mesh(folder / "part", points)
    return body_urdf(folder, ['<geometry><mesh filename="part.obj"/></geometry>'], com)


def lexical(points: np.ndarray) -> np.ndarray:
    return points[np.lexsort(np.round(points, 5).T)]


# --- Files and hulls ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["obj", "ascii stl", "binary stl", "dae"])
def test_a_mesh_file_gives_the_corners_of_its_hull_scaled(tmp_path, kind):
    inside = np.array([[0.1, 0.1, 0.01]])
    path = tmp_path / "part"
    path = write_mesh(path, np.concatenate([inside, WEDGE]), kind)
    hull = load_hull(path, (2.0, -1.0, 0.5))
    np.testing.assert_allclose(lexical(hull), lexical(WEDGE * [2.0, -1.0, 0.5]), atol=FLOAT32)


def test_a_fine_mesh_is_cut_down_to_vertices_that_lose_little():
    points = np.random.default_rng(3).normal(size=(4000, 3))
    points *= [[0.10, 0.05, 0.03]] / np.linalg.norm(points, axis=1, keepdims=True)  # an ellipsoid
    hull = convex_hull(points, MAX_HULL_VERTICES)
    assert len(hull) == MAX_HULL_VERTICES
    assert {tuple(vertex) for vertex in hull} <= {tuple(point) for point in points}
    planes = ConvexHull(hull).equations
    assert (points @ planes[:, :3].T + planes[:, 3]).max() < 0.005  # 5 % of the largest half axis sticks out
    np.testing.assert_array_equal(hull.min(axis=0), points.min(axis=0))
    np.testing.assert_array_equal(hull.max(axis=0), points.max(axis=0))


def test_corners_survive_the_cut():
    rounded = np.concatenate([CORNERS, 0.05 * np.random.default_rng(5).normal(size=(500, 3)).clip(-0.9, 0.9)])
    sphere = np.random.default_rng(6).normal(size=(500, 3))
    points = np.concatenate([rounded, 0.16 * sphere / np.linalg.norm(sphere, axis=1, keepdims=True)])
    hull = {tuple(vertex) for vertex in convex_hull(points, MAX_HULL_VERTICES)}
    assert {tuple(corner) for corner in CORNERS} <= hull


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.stl", "solid nothing\nendsolid nothing\n", "encloses no volume"),
        ("part.ply", "ply\n", "convert it to .obj, .stl, .dae"),
        ("part.obj", "v 0 0\n", "does not have three numbers"),
        ("part.obj", "v 0 0 nan\n", "not finite"),
        ("part.dae", "<COLLADA", "not well-formed"),
    ],
)
def test_a_useless_mesh_is_refused_in_one_sentence_naming_it(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        load_hull(tmp_path / name, (1.0, 1.0, 1.0))
    assert name in str(caught.value) and "\n" not in str(caught.value)


def trough_obj(keyword: str) -> str:
    """A floor and two walls, the second of which counts its points backwards, with 8 corners of a box each."""
    triangles = ConvexHull(CORNERS).simplices
    text = "".join(f"v {x} {y} {z}\n" for box in TROUGH[:2] for x, y, z in box)
    for part in range(2):
        faces = triangles + 8 * part + 1
        text += f"{keyword} part{part}\n" + "".join(f"f {a}/9/9 {b}/9/9 {c}/9/9\n" for a, b, c in faces)
    text += f"{keyword} part2\n" + "".join(f"v {x} {y} {z}\n" for x, y, z in TROUGH[2])
    return text + "".join(f"f {a} {b} {c}\n" for a, b, c in triangles - 8)


TROUGH = [CORNERS * size + shift for size, shift in (((1, 1, 0.2), (0, 0, 0)), ((0.2, 1, 2), (-0.1, 0, 0.1)))]
TROUGH.append(TROUGH[1] * [-1, 1, 1])


@pytest.mark.parametrize("keyword", ["o", "g"])
def test_submeshes_are_hulls_of_their_own_if_a_script_says_so(tmp_path, caplog, keyword):
    path = mesh_body(tmp_path, WEDGE)
    text = path.read_text()
    path.write_text(text[: text.index("<inertial>")] + text[text.index("</inertial>") + len("</inertial>") :])
    (tmp_path / "part.obj").write_text(trough_obj(keyword))
    (body,) = load_urdf(path, AssetOptions(convex_decomposition_from_submeshes=True, vhacd_enabled=True)).bodies
    assert "vhacd_enabled" not in caplog.text
    assert [shape.kind for shape in body.shapes] == ["mesh"] * 3
    for shape, box in zip(body.shapes, TROUGH, strict=True):
        np.testing.assert_allclose(lexical(shape.vertices), lexical(box), atol=FLOAT32)
    assert body.mass == pytest.approx(1000.0 * (0.2 * 0.3 * 0.02 + 2 * 0.04 * 0.3 * 0.2))
    assert body.com[2] == pytest.approx(0.1 * 4.8 / 6.0)  # 4.8 of 6 kg are walls
    (body,) = load_urdf(path, AssetOptions(vhacd_enabled=True)).bodies
    assert len(body.shapes) == 1 and "AssetOptions.vhacd_enabled: without effect" in caplog.text


@pytest.mark.parametrize(("faces", "message"), [("f 1 2 x", "whole numbers"), ("f 1 2 9", "other points than the 4")])
def test_a_broken_face_of_a_submesh_is_refused_in_one_sentence(tmp_path, faces, message):
    path = tmp_path / "part.obj"
    path.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\no a\nf 1 2 3\n" + faces)
    with pytest.raises(ValueError, match=message):
        load_hulls(path, (1.0, 1.0, 1.0))


@pytest.mark.parametrize("kind", ["obj", "ascii stl", "binary stl", "dae", "points.obj"])
@pytest.mark.parametrize("load", [load_hull, load_hulls])
def test_a_mesh_is_read_once(tmp_path, monkeypatch, kind, load):
    """Beside a look at its first bytes, which tell a pointer of Git LFS."""
    path = write_mesh(tmp_path / "part", WEDGE, kind.removeprefix("points."))
    if kind == "points.obj":  # no face
        path.write_text("".join(f"v {x} {y} {z}\n" for x, y, z in WEDGE))
    opened, open_file = [], Path.open
    monkeypatch.setattr(Path, "open", lambda path, *args, **kw: opened.append(path) or open_file(path, *args, **kw))
    load(path, (1.0, 1.0, 1.0))
    assert opened == [path] * 2


def test_mass_and_inertia_from_density_equal_those_of_c_mujocos_hull(tmp_path):
    path = mesh_body(tmp_path, WEDGE)
    text = path.read_text()
    path.write_text(text[: text.index("<inertial>")] + text[text.index("</inertial>") + len("</inertial>") :])
    (body,) = load_urdf(path, AssetOptions(density=700.0)).bodies
    spec = mujoco.MjSpec()
    spec.add_mesh(name="hull", uservert=WEDGE.ravel(), inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_CONVEX)
    element = spec.worldbody.add_body()
    element.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname="hull", density=700.0)
    model = spec.compile()
    turn = Rotation.from_quat(model.body_iquat[1], scalar_first=True).as_matrix()
    assert body.mass == pytest.approx(model.body_mass[1], rel=1e-6)
    np.testing.assert_allclose(body.com, model.body_ipos[1], atol=FLOAT32)
    np.testing.assert_allclose(body.inertia, turn @ np.diag(model.body_inertia[1]) @ turn.T, rtol=1e-5, atol=1e-8)


# --- Hulls on the ground --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ground", ["plane", "grid", "walls", "mesh"])
def test_a_wedge_rests_on_its_long_face_with_its_weight(tmp_path, ground):
    where = {"plane": {}, "grid": {"heights": np.zeros((40, 40))}, "mesh": {"mesh": step_mesh()}}
    where["walls"] = {"heights": np.zeros((40, 40)), "walls": True}
    world = World(mesh_body(tmp_path, WEDGE, com="0.15 0.1 0.03"), **where[ground])
    floor = STEP if ground == "mesh" else 0.0
    world.set_root([2.03, 1.97, floor + 0.02])
    world.step(200)
    assert world.root[0, 2].item() == pytest.approx(floor, abs=SINK)
    assert Rotation.from_quat(world.root[0, 3:7].numpy()).magnitude() < 0.02
    assert world.contact[0, 0].numpy() == pytest.approx([0.0, 0.0, 2.0 * 9.81], abs=0.3)


@pytest.mark.parametrize("walls", [False, True])
def test_a_mesh_box_lands_as_a_box_does(tmp_path, walls):
    """The two go through different kernels; 0.25 s with impacts on a step's edge."""
    states = []
    for collision in (
        '<geometry><box size="0.2 0.3 0.1"/></geometry>',
        '<geometry><mesh filename="p.obj"/></geometry>',
    ):
        write_mesh(tmp_path / "p", CORNERS)
        world = World(body_urdf(tmp_path, [collision]), heights=step_heights(), walls=walls)
        world.set_root([STEP_X - 0.03, 1.23, STEP + 0.1], Rotation.from_euler("xyz", [0.1, 0.2, 0.3]).as_quat())
        world.step(50)
        states.append(world.root[0].numpy().copy())
    assert states[1][:7] == pytest.approx(states[0][:7], abs=2e-3)
    assert states[0][2] < STEP + 0.1 - 0.02  # it fell


@pytest.mark.parametrize("device", DEVICES)
def test_a_mesh_trunk_dropped_on_a_ridge_is_held_by_its_edges(tmp_path, device):
    """No vertex of the hull comes near the ground: only the two stair noses under it carry the weight."""
    trunk = CORNERS * [0.3235 / 0.1, 0.5, 0.056 / 0.05]
    world = World(mesh_body(tmp_path, trunk), heights=ridge_heights(), walls=True, device=device)
    world.set_root([1.5, 1.23, STEP + 0.056 + 0.02])
    world.step(200)
    assert world.root[0, 2].item() == pytest.approx(STEP + 0.056, abs=SINK)
    assert world.contact[0, 0, 2].item() == pytest.approx(2.0 * 9.81, rel=0.05)


@pytest.mark.parametrize("device", DEVICES)
def test_a_hull_is_stopped_by_the_wall_of_a_stair(tmp_path, device):
    smooth = {"friction": 0.0, "ground_friction": 0.0}
    body = mesh_body(tmp_path, CORNERS * 0.3)
    world = World(body, heights=step_heights(), walls=True, device=device, **smooth)
    world.set_root([0.8, 1.23, 0.015])
    push(world, (10.0, 0.0, 0.0), 200)
    assert world.root[0, 0].item() == pytest.approx(STEP_X - 0.03, abs=SINK)
    assert world.root[0, 2].item() == pytest.approx(0.015, abs=SINK)  # it also stands on the floor


def test_a_rounded_sole_of_many_vertices_does_not_fill_the_contact_list(tmp_path):
    angles = np.linspace(0.0, 2.0 * np.pi, 32, endpoint=False)
    rim = np.column_stack([0.1 * np.cos(angles), 0.05 * np.sin(angles), 0.0 * angles])
    world = World(mesh_body(tmp_path, np.concatenate([rim, rim + [0.0, 0.0, 0.02]]), com="0 0 0.01"))
    world.set_root([0.0, 0.0, 0.0])
    world.step(100)
    assert world.sim.engine.overflow_count() == 0
    assert world.root[0, 2].item() == pytest.approx(0.0, abs=SINK)
    assert world.contact[0, 0, 2].item() == pytest.approx(2.0 * 9.81, rel=0.02)


def test_a_cylinder_that_stays_one_stands_on_its_flat_end(tmp_path):
    with gym_with(replace_cylinder_with_capsule=False):
        world = World(body_urdf(tmp_path, ['<geometry><cylinder radius="0.1" length="0.12"/></geometry>']))
    tilt = Rotation.from_euler("x", 0.1)
    world.set_root([0.0, 0.0, 0.08], tilt.as_quat())
    world.step(200)
    assert world.root[0, 2].item() == pytest.approx(0.06, abs=SINK)
    assert Rotation.from_quat(world.root[0, 3:7].numpy()).apply([0.0, 0.0, 1.0])[2] > np.cos(0.02)


def c_mujoco_on_stairs(urdf: Path) -> tuple[mujoco.MjModel, mujoco.MjData]:
    """A body in C MuJoCo, on three stairs made of boxes: 0.1 m high, rising at x = 1.0, 1.3 and 1.6."""
    spec = build_spec(load_urdf(urdf, AssetOptions()), DT, native_ground=True)
    for step in range(3):
        low, top = 1.0 + 0.3 * step, 0.1 * (step + 1)
        spec.worldbody.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX,
            pos=[low + 1.0, 1.5, 0.5 * top],
            size=[1.0, 1.5, 0.5 * top],
            contype=1,
            conaffinity=0,
            condim=3,
            friction=[1.0, 0.0, 0.0],
        )
    model = spec.compile()
    return model, mujoco.MjData(model)


@pytest.mark.parametrize(
    ("x", "angles"),
    [(1.15, [0.1, -0.1, 1.5]), (1.32, [0.0, 0.4, 0.0]), (0.93, [0.2, 0.1, -1.0])],
    ids=["on a tread", "on a nose", "at the foot"],
)
def test_a_hull_comes_to_rest_on_stairs_where_it_does_in_c_mujoco(tmp_path, x, angles):
    urdf = mesh_body(tmp_path, WEDGE - [0.15, 0.1, 0.03])
    heights = np.zeros((30, 30))
    for step in range(3):
        heights[10 + 3 * step :] = 0.1 * (step + 1)
    world = World(urdf, heights=heights, walls=True)
    model, data = c_mujoco_on_stairs(urdf)
    quat = Rotation.from_euler("xyz", angles).as_quat()
    world.set_root([x, 1.43, 0.35], quat)
    data.qpos[:] = [x, 1.43, 0.35, *np.roll(quat, 1)]
    for _ in range(300):
        mujoco.mj_step(model, data)
    world.step(300)
    assert np.abs(data.qvel).max() < 0.05
    assert world.root[0, :3].numpy() == pytest.approx(data.qpos[:3], abs=0.02)
    turned = Rotation.from_quat(world.root[0, 3:7].numpy()).inv() * Rotation.from_quat(
        data.qpos[3:7], scalar_first=True
    )
    assert turned.magnitude() < 0.1
    assert world.contact[0, 0, 2].item() == pytest.approx(2.0 * 9.81, rel=0.05)


# --- Hulls on each other --------------------------------------------------------------------------------------------


def two_wedges(folder: Path) -> Path:
    """A base, and two sliders on it with wedge hulls, 6 cm apart."""
    write_mesh(folder / "wedge", WEDGE - [0.15, 0.1, 0.05])
    inertial = '<inertial><mass value="1"/><inertia ixx="0.01" iyy="0.01" izz="0.01"/></inertial>'
    text = f'<link name="base">{inertial}</link>'
    for name, y in (("a", -0.13), ("b", 0.13)):
        hull = '<collision><origin rpy="0.1 0 0"/><geometry><mesh filename="wedge.obj"/></geometry></collision>'
        text += f'<link name="{name}">{inertial}{hull}</link>'
        text += (
            f'<joint name="{name}" type="prismatic"><parent link="base"/><child link="{name}"/>'
            f'<origin xyz="0 {y} 0"/><axis xyz="0 1 0"/><limit lower="-1" upper="1"/></joint>'
        )
    path = folder / "wedges.urdf"
    path.write_text(f'<robot name="wedges">{text}</robot>')
    return path


def test_hulls_of_one_robot_collide_as_in_c_mujoco(tmp_path):
    urdf = two_wedges(tmp_path)
    with gym_with(filter=0, fix_base_link=True):
        world = World(urdf, gravity=(0.0, 0.0, 0.0))
    spec = build_spec(load_urdf(urdf, AssetOptions()), DT, (0.0, 0.0, 0.0), fixed_base=True, self_collision=True)
    model = spec.compile()
    data = mujoco.MjData(model)
    world.dof[0, :, 1] = world.dof.new_tensor([0.5, -0.5])
    world.gym.set_dof_state_tensor(world.sim, world.gym.acquire_dof_state_tensor(world.sim))
    data.qvel[:] = [0.5, -0.5]
    for _ in range(60):
        mujoco.mj_step(model, data)
    world.step(60)
    assert abs(data.qpos[0]) < 0.1  # they met half way instead of passing
    assert world.dof[0, :, 0].numpy() == pytest.approx(data.qpos, abs=1e-3)
    assert world.dof[0, :, 1].numpy() == pytest.approx(data.qvel, abs=0.02)
