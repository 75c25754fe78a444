"""Pictures, against pinhole projection by hand, C MuJoCo's rays and volumes in closed form."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import imageio.v3 as iio
import mujoco
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from isaacgym import gymapi, gymtorch
from isaacgym.assets.description import Body, RobotDescription, Shape
from isaacgym.assets.urdf import load_urdf
from isaacgym.headless_viewer import looking_at
from isaacgym.terrain_utils import convert_heightfield_to_trimesh
from isaacgym.viewer.follow_camera import NEAR, NEIGHBOURS, FollowCamera, nearest
from isaacgym.viewer.renderer import Renderer
from isaacgym.viewer.robot_parts import ROUND_SECTIONS
from isaacgym.viewer.surface import robot_surface
from isaacgym.viewer.video import FPS, Film, VideoWriter, check_video
from tests.isaacgym.worlds import ALIENGO, World

RADIUS = 0.1  # [m] of the red ball
WIDTH, HEIGHT, FOV = 320, 240, 60.0
PIXEL = 0.35  # of a centroid: edge pixels are red or not, and the ball is a polyhedron
RAY = 1e-4  # [m] of float32 and fast mathematics over 10 m
SMALL_PICTURE = {"width": 160, "height": 120}


@pytest.fixture(scope="module")
def ball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A robot that is a red ball."""
    path = tmp_path_factory.mktemp("robots") / "ball.urdf"
    sphere = f'<geometry><sphere radius="{RADIUS}"/></geometry>'
    path.write_text(
        '<robot name="ball"><link name="ball"><inertial><mass value="1"/><inertia ixx="0.01" iyy="0.01" izz="0.01"/>'
        f'</inertial><visual>{sphere}<material name="red"><color rgba="1 0 0 1"/></material></visual>'
        f"<collision>{sphere}</collision></link></robot>"
    )
    return path


def red_pixels(picture: np.ndarray) -> np.ndarray:
    """(row, column) of the ball's pixels, lit or in shade; the ground and the sky are nearly grey. (n, 2)"""
    rgb = picture.astype(int)
    return np.argwhere((rgb[..., 0] > 40) & (rgb[..., 1] + rgb[..., 2] < rgb[..., 0] // 2))


def projected(point: np.ndarray, camera: gymapi.Transform, width: int, height: int) -> tuple[np.ndarray, float]:
    """Where a pinhole camera (x forward, y left, z up) sees a point: (row, column), and its distance along x [m]."""
    x, y, z = Rotation.from_quat(list(camera.r)).inv().apply(point - np.array(list(camera.p)))
    focal = width / 2 / math.tan(math.radians(FOV) / 2)  # [pixels]
    return np.array([height / 2 - focal * z / x - 0.5, width / 2 - focal * y / x - 0.5]), x


def camera_at(position: list[float], target: list[float]) -> gymapi.Transform:
    return looking_at(gymapi.Vec3(*position), gymapi.Vec3(*target))


def weightless(ball: Path, positions: list[tuple[float, float, float]]) -> World:
    """A ball at rest at each position."""
    world = World(ball, num_envs=len(positions), gravity=(0.0, 0.0, 0.0))
    move(world, positions)
    return world


def move(world: World, positions: list[tuple[float, float, float]]) -> None:
    """Put the balls there and step, after which gym tensors show them there."""
    world.root[:] = 0.0
    world.root[:, :3] = torch.tensor(positions)
    world.root[:, 6] = 1.0
    world.gym.set_actor_root_state_tensor(world.sim, gymtorch.unwrap_tensor(world.root))
    world.step()


@pytest.mark.parametrize("where", [(2.0, 0.0, 0.5), (1.2, 0.5, 0.3), (2.5, -0.9, 1.1)])
def test_a_ball_is_where_a_pinhole_camera_sees_it(ball: Path, where: tuple[float, float, float]) -> None:
    world = weightless(ball, [(2.0, 0.3, 0.3), where])
    renderer = Renderer(world.sim, WIDTH, HEIGHT, FOV)
    camera = camera_at([-0.5, 0.4, 0.9], [2.0, -0.1, 0.4])
    seen = red_pixels(renderer.render(camera, [1]))
    expected, depth = projected(np.array(where), camera, WIDTH, HEIGHT)
    distance = np.linalg.norm(np.array(where) - np.array(list(camera.p)))
    assert seen.mean(axis=0) == pytest.approx(expected, abs=PIXEL + 0.02 * RADIUS * WIDTH / depth)
    # a ball's solid angle, on a picture plane that is tilted by the angle off the axis
    focal = WIDTH / 2 / math.tan(math.radians(FOV) / 2)
    area = math.pi * (focal * RADIUS / distance) ** 2 * (distance / depth) ** 3
    assert len(seen) == pytest.approx(area, rel=0.06)  # the polyhedron lies inside the ball


def test_only_the_chosen_robots_are_drawn_each_in_its_env(ball: Path) -> None:
    gym = gymapi.acquire_gym()
    sim = gym.create_sim(0, -1, gymapi.SIM_PHYSX, gymapi.SimParams(up_axis=1))
    gym.add_ground(sim, gymapi.PlaneParams(normal=gymapi.Vec3(0, 0, 1)))
    asset = gym.load_asset(sim, str(ball.parent), ball.name, gymapi.AssetOptions())
    for _ in range(4):
        env = gym.create_env(sim, gymapi.Vec3(-1.0, -1.0, 0.0), gymapi.Vec3(1.0, 1.0, 1.0), 2)
        gym.create_actor(env, asset, gymapi.Transform(p=gymapi.Vec3(0.1, 0.2, 0.3)), "ball", 0, 1)
    gym.prepare_sim(sim)
    renderer = Renderer(sim, WIDTH, HEIGHT, FOV)
    camera = camera_at([1.0, 1.1, 6.0], [1.01, 1.1, 0.0])
    assert len(red_pixels(renderer.render(camera, []))) == 0
    one = red_pixels(renderer.render(camera, [3]))
    place = np.array(list(sim.envs[3].origin)) + [0.1, 0.2, 0.3]
    assert np.abs(place[:2]).max() > 1.0  # the env's origin matters
    assert one.mean(axis=0) == pytest.approx(projected(place, camera, WIDTH, HEIGHT)[0], abs=2 * PIXEL)
    with pytest.raises(ValueError, match=r"robots \[4\] cannot be drawn: there are envs 0 to 3"):
        renderer.render(camera, [4])
    two = red_pixels(renderer.render(camera, [3, 0]))
    assert len(two) == pytest.approx(2 * len(one), rel=0.2)


def test_a_ball_throws_its_shadow_away_from_the_sun(ball: Path) -> None:
    world = weightless(ball, [(0.0, 0.0, 1.0)])
    renderer = Renderer(world.sim, WIDTH, HEIGHT, FOV)
    camera = camera_at([0.0, 0.0, 4.0], [0.0, 0.0, 0.0])
    lit = renderer.render(camera, []).astype(int).sum(axis=2)
    shaded = renderer.render(camera, [0])
    darker = np.argwhere(shaded.astype(int).sum(axis=2) < 0.75 * lit)
    ball_pixels = {tuple(pixel) for pixel in red_pixels(shaded)}
    shadow = np.array([pixel for pixel in darker if tuple(pixel) not in ball_pixels])
    sun = np.array([-0.45, -0.7, 1.0])
    expected, _ = projected(np.array([0.0, 0.0, 1.0]) - sun, camera, WIDTH, HEIGHT)  # where the ray reaches z = 0
    assert shadow.mean(axis=0) == pytest.approx(expected, abs=1.0)


def test_rays_meet_the_ground_where_c_mujoco_says() -> None:
    rng = np.random.default_rng(5)
    heights = np.cumsum(rng.integers(0, 3, size=(24, 1)), axis=0) * 0.1 + np.zeros((24, 20))  # stairs along x
    world = World(ALIENGO, heights=heights, walls=True)
    vertices, triangles = convert_heightfield_to_trimesh(np.round(heights / 0.005).astype(np.int16), 0.1, 0.005, 0.75)
    starts = rng.uniform([0.0, 0.0, 3.5], [2.3, 1.9, 5.0], size=(200, 3))
    targets = rng.uniform([0.0, 0.0, 0.0], [2.3, 1.9, 1.5], size=(200, 3))
    directions = (targets - starts) / np.linalg.norm(targets - starts, axis=1, keepdims=True)
    distances = Renderer(world.sim, **SMALL_PICTURE).ground_distances(starts, directions)
    spec = mujoco.MjSpec()
    spec.add_mesh(
        name="ground",
        uservert=vertices.ravel(),
        userface=triangles.ravel().astype(np.int32),
        inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,
    )
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname="ground", contype=0, conaffinity=0)
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    expected = []
    for start, direction in zip(starts, directions, strict=True):
        geom = np.zeros(1, dtype=np.int32)
        distance = mujoco.mj_ray(model, data, start, direction, None, 1, -1, geom)
        expected.append(distance if distance >= 0.0 else 1000.0)
    assert (np.array(expected) < 1000.0).sum() > 100
    assert (np.abs(distances - expected) < RAY).mean() > 0.98  # rays along a wall's edge may go either way


def test_the_treads_of_stairs_look_different_from_their_walls() -> None:
    heights = np.repeat(np.arange(6) * 0.2, 8)[:, None] + np.zeros((48, 40))
    world = World(ALIENGO, heights=heights, walls=True)
    renderer = Renderer(world.sim, WIDTH, HEIGHT, FOV)
    camera = camera_at([-1.5, 2.0, 1.2], [2.0, 2.0, 0.5])
    column = renderer.render(camera, [])[:, WIDTH // 2].astype(int).sum(axis=1)
    steps = np.abs(np.diff(column)) > 60
    visible = [projected(np.array([0.8 * k, 2.0, 0.2 * k]), camera, WIDTH, HEIGHT)[0][0] for k in range(1, 6)]
    for row in visible:  # the upper edge of every wall
        assert steps[round(row) - 2 : round(row) + 3].any(), row


PRISM = 0.5 * ROUND_SECTIONS * math.sin(2 * math.pi / ROUND_SECTIONS)  # area of the unit circle's polygon


@pytest.mark.parametrize(
    ("kind", "size", "low", "high"),
    [
        ("box", (0.1, 0.2, 0.3), 8 * 0.1 * 0.2 * 0.3, 8 * 0.1 * 0.2 * 0.3),
        ("cylinder", (0.2, 0.3, 0.0), PRISM * 0.2**2 * 0.6, PRISM * 0.2**2 * 0.6),
        ("sphere", (0.2, 0.0, 0.0), 0.93 * 4 / 3 * math.pi * 0.2**3, 4 / 3 * math.pi * 0.2**3),  # a polyhedron within
        ("capsule", (0.1, 0.3, 0.0), 0.93 * math.pi * (0.01 * 0.6 + 4e-3 / 3), math.pi * (0.01 * 0.6 + 4e-3 / 3)),
    ],
)
def test_surfaces_enclose_their_volume_and_look_outwards(kind, size, low, high) -> None:
    visual = Shape(kind, size, np.array([0.3, -0.2, 0.1]), Rotation.from_rotvec([0.4, 0.5, 0.6]).as_quat())
    body = Body("b", -1, np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]), 1.0, np.zeros(3), np.eye(3), visuals=[visual])
    surface = robot_surface(RobotDescription("r", [body]))
    a, b, c = (surface.vertices[surface.faces[:, k]] for k in range(3))
    turned = np.cross(b - a, c - a)
    assert low - 1e-6 < (a * turned).sum() / 6 < high + 1e-6
    assert np.linalg.norm(surface.normals, axis=1) == pytest.approx(1.0)
    for corner in range(3):
        assert ((surface.normals[surface.faces[:, corner]] * turned).sum(axis=1) > 0.0).all()


def test_a_robot_with_mesh_visuals_shows_its_collision_shapes(tmp_path: Path) -> None:
    path = tmp_path / "ball.urdf"
    path.write_text(
        '<robot name="ball"><link name="ball"><inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1"/></inertial>'
        '<visual><geometry><mesh filename="missing.dae"/></geometry></visual>'
        '<collision><geometry><box size="0.2 0.4 0.6"/></geometry></collision></link></robot>'
    )
    surface = robot_surface(load_urdf(path, gymapi.AssetOptions()))
    assert np.ptp(surface.vertices, axis=0) == pytest.approx([0.2, 0.4, 0.6])
    with pytest.raises(ValueError, match="the robot 'nobody' cannot be drawn"):
        robot_surface(RobotDescription("nobody", []))


def test_a_video_follows_a_robot_at_25_pictures_a_second(ball: Path, tmp_path: Path) -> None:
    world = weightless(ball, [(0.0, 0.0, 0.5)] * 3)
    path, dt = tmp_path / "ball.mp4", 0.02
    film = Film(world.sim, 1, path, dt, length_s=1.0)
    for step in range(50):  # 6 m at 6 m/s, far more than a camera at rest would see
        move(world, [(0.12 * step, y, 0.5) for y in (50.0, 0.0, -50.0)])
        film.step()
    film.close()
    frames = iio.imread(path)
    assert frames.shape == (FPS, 480, 640, 3)
    for frame in frames:
        row, column = red_pixels(frame).mean(axis=0)
        assert abs(row - 240) < 160 and abs(column - 320) < 280
    assert np.abs(frames[-1].astype(int) - frames[0]).mean() > 3.0  # the ground passes by


def test_the_camera_rises_until_it_sees_the_robot() -> None:
    y = np.arange(60) * 0.1
    heights = np.where(y < 2.0, 2.0, 0.0) + np.zeros((60, 60))  # a wall on the robot's right, 2 m high
    world = World(ALIENGO, heights=heights, walls=True)
    camera = FollowCamera(Renderer(world.sim, **SMALL_PICTURE), 0)
    free = camera.pose(np.array([5.0, 5.0, 0.3]), dt=0.04).p.z
    camera = FollowCamera(Renderer(world.sim, **SMALL_PICTURE), 0)
    close = camera.pose(np.array([3.0, 2.4, 0.3]), dt=0.04)
    assert close.p.z > free + 0.5
    sight = np.array([3.0, 2.4, 0.3]) - np.array(list(close.p))
    start, direction = np.array(list(close.p)), sight / np.linalg.norm(sight)
    fractions = np.linspace(0.0, 0.95, 50)[:, None]
    points = start + fractions * np.linalg.norm(sight) * direction
    assert (points[:, 2] > np.where(points[:, 1] < 2.0, 2.0, 0.0)).all()


def test_the_robots_drawn_are_the_followed_one_and_those_near_it() -> None:
    bases = np.column_stack((np.arange(30) * 3.0, np.zeros(30), np.zeros(30)))
    assert sorted(nearest(bases, 10)) == list(range(6, 15))[: NEIGHBOURS + 1]
    assert set(nearest(bases * 100.0, 10)) == {10} and NEAR < 300.0


def test_what_cannot_be_a_video_is_refused_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"must be an \.mp4 file"):
        check_video(tmp_path / "film.txt")
    with pytest.raises(ValueError, match="its folder does not exist"):
        check_video(tmp_path / "nowhere" / "film.mp4")
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(ValueError, match=r'pip install -e "\.\[video\]"'):
        VideoWriter(tmp_path / "film.mp4")
