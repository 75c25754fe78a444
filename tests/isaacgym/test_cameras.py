"""Camera sensors, against C MuJoCo's rays and pinhole projection by hand."""

from __future__ import annotations

import math
from pathlib import Path

import mujoco
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from isaacgym import gymapi, gymtorch
from isaacgym.engine.model import build_spec
from isaacgym.gymapi import (
    FOLLOW_POSITION,
    FOLLOW_TRANSFORM,
    IMAGE_COLOR,
    IMAGE_DEPTH,
    IMAGE_OPTICAL_FLOW,
    IMAGE_SEGMENTATION,
    CameraProperties,
    Quat,
    Transform,
    Vec3,
)
from isaacgym.terrain_utils import convert_heightfield_to_trimesh
from tests.isaacgym.worlds import ALIENGO, DEVICES, STANCE, World

GYM = gymapi.acquire_gym()
DEPTH_TOL = 0.01  # [m]; round shapes are polyhedra, and rays single precision
SAME_PIXELS = 0.99  # share; rays along an edge may go either way
STEP, TREAD = 0.15, 8  # height [m], cells
RADIUS = 0.1
WIDTH, HEIGHT, FOV = 160, 120, 60.0


def stairs() -> np.ndarray:
    return np.repeat(np.arange(6) * STEP, TREAD)[:, None] + np.zeros((6 * TREAD, 40))


def mujocos_depths(world: World, env: int, camera: Transform, properties: CameraProperties) -> np.ndarray:
    """Negative depths by `mj_ray` against the stairs' triangles and the collision shapes of an env's robot."""
    vertices, triangles = convert_heightfield_to_trimesh(np.round(stairs() / 0.005).astype(np.int16), 0.1, 0.005, 0.75)
    spec = build_spec(world.asset.robot, 0.005)
    spec.geom("terrain").group = 5
    shell = mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL
    faces = triangles.ravel().astype(np.int32)
    spec.add_mesh(name="stairs", uservert=vertices.ravel(), userface=faces, inertia=shell)
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname="stairs", contype=0, conaffinity=0)
    model = spec.compile()
    data = mujoco.MjData(model)
    root = world.root[env].double().numpy()
    data.qpos[:] = [*root[:3], root[6], *root[3:6], *world.dof[env, :, 0].double().numpy()]
    mujoco.mj_forward(model, data)
    groups = np.array([1, 1, 1, 1, 1, 0], dtype=np.uint8)
    turn, half = Rotation.from_quat([*camera.r]), math.tan(math.radians(properties.horizontal_fov) / 2)
    depths = np.full((properties.height, properties.width), -np.inf)
    for row, column in np.ndindex(depths.shape):
        right = 2.0 * (column + 0.5) / properties.width - 1.0
        down = (2.0 * (row + 0.5) / properties.height - 1.0) * properties.height / properties.width
        ray = np.array([1.0, -half * right, -half * down])
        forward = 1.0 / np.linalg.norm(ray)
        hit = np.zeros(1, dtype=np.int32)
        distance = mujoco.mj_ray(model, data, np.array([*camera.p]), turn.apply(ray) * forward, groups, 1, -1, hit)
        if distance >= 0.0:
            depths[row, column] = -distance * forward
    return depths


@pytest.fixture(scope="module", params=DEVICES)
def climbers(request) -> World:
    """Three robots on stairs, in different poses."""
    world = World(ALIENGO, num_envs=3, heights=stairs(), walls=True, device=request.param)
    for env, (x, yaw) in enumerate([(1.0, 0.0), (1.6, 0.7), (2.6, -2.0)]):
        height = STEP * int(x / (0.1 * TREAD)) + 0.45
        pose = [x, 2.0, height, *Rotation.from_euler("z", yaw).as_quat()]
        world.root[env, :7] = torch.tensor(pose)
    world.root[:, 7:] = 0.0
    GYM.set_actor_root_state_tensor(world.sim, gymtorch.unwrap_tensor(world.root))
    offsets = 0.1 * torch.arange(3.0, device=world.root.device)[:, None]
    world.dof[..., 0] = torch.tensor(STANCE, device=world.root.device) + offsets
    GYM.set_dof_state_tensor(world.sim, gymtorch.unwrap_tensor(world.dof))
    world.step(3)
    return world


def place_on_trunk(world: World, properties: CameraProperties) -> tuple[list[int], Transform]:
    """A camera on each robot's trunk that looks down and back along its legs; handles, and its pose on the trunk."""
    mount = Transform(Vec3(0.5, 0.2, 0.3), Quat(*Rotation.from_euler("ZY", [-2.6, 0.6]).as_quat()))
    handles = [GYM.create_camera_sensor(env, properties) for env in world.sim.envs]
    for env, handle in zip(world.sim.envs, handles, strict=True):
        GYM.attach_camera_to_body(handle, env, 0, mount, FOLLOW_TRANSFORM)
    return handles, mount


def test_depths_of_all_envs_are_those_of_c_mujocos_rays(climbers):
    properties = CameraProperties(width=87, height=58, horizontal_fov=87.0, use_collision_geometry=True)
    handles, mount = place_on_trunk(climbers, properties)
    GYM.render_all_camera_sensors(climbers.sim)
    for env, handle in zip(climbers.sim.envs, handles, strict=True):
        root = climbers.root[env.index].tolist()
        camera = Transform(Vec3(*root[:3]), Quat(*root[3:7])) * mount
        theirs = mujocos_depths(climbers, env.index, camera, properties)
        ours = GYM.get_camera_image(climbers.sim, env, handle, IMAGE_DEPTH)
        assert (ours.dtype, ours.shape) == (np.float32, (58, 87))
        assert np.isclose(ours, theirs, rtol=0.0, atol=DEPTH_TOL).mean() > SAME_PIXELS  # -inf is as -inf
        assert np.isneginf(theirs).any()
        seen = GYM.get_camera_image(climbers.sim, env, handle, IMAGE_SEGMENTATION)
        assert set(np.unique(seen)) == {0}  # nothing has another id yet
        pose = GYM.get_camera_transform(climbers.sim, env, handle)
        assert [*pose.p] == pytest.approx([*camera.p], abs=1e-5)
        assert abs(np.dot([*pose.r], [*camera.r])) == pytest.approx(1.0, abs=1e-5)


def test_the_image_tensors_of_a_group_follow_the_robots_without_copies(climbers):
    properties = CameraProperties(width=32, height=24, enable_tensors=True)
    handles, _ = place_on_trunk(climbers, properties)
    envs, sim = climbers.sim.envs, climbers.sim
    depths = [
        gymtorch.wrap_tensor(GYM.get_camera_image_gpu_tensor(sim, env, handle, IMAGE_DEPTH))
        for env, handle in zip(envs, handles, strict=True)
    ]
    assert all(depth.device == climbers.root.device and depth.shape == (24, 32) for depth in depths)
    size = 24 * 32 * 4
    assert [depth.data_ptr() - depths[0].data_ptr() for depth in depths] == [0, size, 2 * size]  # one tensor
    GYM.render_all_camera_sensors(sim)
    before = [depth.clone() for depth in depths]
    climbers.root[1, 0] += 0.05
    GYM.set_actor_root_state_tensor(sim, gymtorch.unwrap_tensor(climbers.root))
    climbers.step(1)
    GYM.start_access_image_tensors(sim)
    GYM.render_all_camera_sensors(sim)
    GYM.end_access_image_tensors(sim)
    assert (depths[1] != before[1]).float().mean() > 0.3
    shown = GYM.get_camera_image(sim, envs[1], handles[1], IMAGE_DEPTH)
    assert (shown == depths[1].cpu().numpy()).all()


def test_tensors_asked_for_while_envs_are_made_show_what_later_renders_see():
    """As scripts do that make an env, its camera and its tensor in one loop, and prepare the simulation after it."""
    sim = GYM.create_sim(0, -1, gymapi.SIM_PHYSX, gymapi.SimParams(up_axis=1, gravity=(0.0, 0.0, -9.81)))
    GYM.add_ground(sim, gymapi.PlaneParams(normal=Vec3(0, 0, 1), distance=1.0))
    asset = GYM.create_box(sim, 0.2, 0.2, 0.2, gymapi.AssetOptions(disable_gravity=True))
    depths = []
    for k in range(3):
        env = GYM.create_env(sim, Vec3(), Vec3(), 3)
        GYM.create_actor(env, asset, Transform(Vec3(5, 5, 5)), "box", k, 0)
        handle = GYM.create_camera_sensor(env, CameraProperties(width=4, height=4, enable_tensors=True))
        GYM.set_camera_location(handle, env, Vec3(0, 0, k), Vec3(0, 0, -1))
        tensor = GYM.get_camera_image_gpu_tensor(sim, env, handle, IMAGE_DEPTH)
        assert GYM.get_camera_image_gpu_tensor(sim, env, handle, IMAGE_DEPTH).data_ptr == tensor.data_ptr
        depths.append(gymtorch.wrap_tensor(tensor))
    GYM.render_all_camera_sensors(sim)  # nobody called prepare_sim
    assert [depth[2, 2].item() for depth in depths] == pytest.approx([-1.0, -2.0, -3.0], abs=1e-4)
    late = GYM.create_camera_sensor(env, CameraProperties(width=4, height=4, enable_tensors=True))
    GYM.set_camera_location(late, env, Vec3(0, 0, 6), Vec3(0, 0, -1))
    of_late = gymtorch.wrap_tensor(GYM.get_camera_image_gpu_tensor(sim, env, late, IMAGE_DEPTH))
    GYM.set_camera_location(0, sim.envs[1], Vec3(0, 0, 4), Vec3(0, 0, -1))
    GYM.render_all_camera_sensors(sim)
    seen = [depth[2, 2].item() for depth in (*depths, of_late)]
    assert seen == pytest.approx([-1.0, -5.0, -3.0, -7.0], abs=1e-4)


# --- a ball on a plane ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("robots") / "ball.urdf"
    sphere = f'<geometry><sphere radius="{RADIUS}"/></geometry>'
    path.write_text(
        '<robot name="ball"><link name="ball"><inertial><mass value="1"/><inertia ixx="0.01" iyy="0.01" izz="0.01"/>'
        f'</inertial><visual>{sphere}<material name="red"><color rgba="1 0 0 1"/></material></visual>'
        f"<collision>{sphere}</collision></link></robot>"
    )
    return path


def balls(ball: Path, positions, spacing: float = 0.0, quat=(0, 0, 0, 1)):
    """A weightless ball in each env, over a plane at -1 m with the id 7; balls have the ids 11, 12, ..."""
    params = gymapi.SimParams(dt=0.005, substeps=1, up_axis=1, gravity=(0.0, 0.0, 0.0))
    sim = GYM.create_sim(0, -1, gymapi.SIM_PHYSX, params)
    GYM.add_ground(sim, gymapi.PlaneParams(normal=Vec3(0, 0, 1), distance=1.0, segmentation_id=7))
    asset = GYM.load_asset(sim, str(ball.parent), ball.name, gymapi.AssetOptions())
    for k, position in enumerate(positions):
        env = GYM.create_env(sim, Vec3(), Vec3(spacing, spacing, 0.0), 2)
        GYM.create_actor(env, asset, Transform(Vec3(*position), Quat(*quat)), "ball", k, 1, 11 + k)
    GYM.prepare_sim(sim)
    GYM.simulate(sim)
    return sim


def looking(sim, env, position, target, **properties) -> int:
    lens = CameraProperties(width=WIDTH, height=HEIGHT, horizontal_fov=FOV, **properties)
    handle = GYM.create_camera_sensor(env, lens)
    GYM.set_camera_location(handle, env, Vec3(*position), Vec3(*target))
    return handle


def test_each_camera_sees_the_actor_of_its_own_env_only(ball):
    where = [(2.0, 0.0, 0.3), (2.0, 0.5, 0.0), (2.0, -0.6, 0.2)]
    sim = balls(ball, where, spacing=3.0)
    handles = [looking(sim, env, (0, 0, 0), (1, 0, 0)) for env in sim.envs]
    GYM.render_all_camera_sensors(sim)
    focal = WIDTH / 2 / math.tan(math.radians(FOV) / 2)
    for env, handle, (x, y, z) in zip(sim.envs, handles, where, strict=True):
        seen = GYM.get_camera_image(sim, env, handle, IMAGE_SEGMENTATION)
        assert seen.dtype == np.uint32 and set(np.unique(seen)) == {0, 7, 11 + env.index}
        pixels = np.argwhere(seen == 11 + env.index)
        expected = [HEIGHT / 2 - focal * z / x - 0.5, WIDTH / 2 - focal * y / x - 0.5]
        assert pixels.mean(axis=0) == pytest.approx(expected, abs=0.5)
        depth = GYM.get_camera_image(sim, env, handle, IMAGE_DEPTH)
        assert depth[tuple(np.round(expected).astype(int))] == pytest.approx(-(x - RADIUS), abs=DEPTH_TOL)
        assert np.isneginf(depth[0]).all()  # the sky
        colour = GYM.get_camera_image(sim, env, handle, IMAGE_COLOR).reshape(HEIGHT, WIDTH, 4).astype(int)
        red = (colour[..., 0] > 40) & (colour[..., 1] + colour[..., 2] < colour[..., 0] // 2)
        assert (red == (seen == 11 + env.index)).mean() > 0.999 and (colour[..., 3] == 255).all()


def test_pixels_lead_back_to_points_of_the_world(ball):
    """With both matrices and the depth, as public code computes point clouds: all of them lie on the plane."""
    sim = balls(ball, [(9.0, 9.0, 9.0)] * 2, spacing=3.0)
    env = sim.envs[1]
    handle = looking(sim, env, (0.3, -0.2, 1.0), (2.0, 1.0, -1.0))
    GYM.render_all_camera_sensors(sim)
    depth = GYM.get_camera_image(sim, env, handle, IMAGE_DEPTH)
    view = GYM.get_camera_view_matrix(sim, env, handle)
    projection = GYM.get_camera_proj_matrix(sim, env, handle)
    rows, columns = np.nonzero(np.isfinite(depth))
    right = (columns + 0.5 - WIDTH / 2) / WIDTH
    up = -(rows + 0.5 - HEIGHT / 2) / HEIGHT
    z = depth[rows, columns]
    points = np.column_stack([-z * right * 2 / projection[0, 0], -z * up * 2 / projection[1, 1], z, np.ones(len(z))])
    world = points @ np.linalg.inv(view.astype(float))
    assert len(world) > 1000 and world[:, 2] == pytest.approx(-1.0, abs=1e-3)
    origin = np.array(tuple(env.origin))
    middle = world[np.argmin(np.abs(rows - HEIGHT / 2) + np.abs(columns - WIDTH / 2)), :3]
    assert middle == pytest.approx(origin + [2.0, 1.0, -1.0], abs=0.05)


@pytest.mark.parametrize(
    ("planes", "expected"),
    [
        ({"near_plane": 1.0}, pytest.approx(-(2.0 - RADIUS), abs=DEPTH_TOL)),
        ({"near_plane": 2.2}, pytest.approx(-4.0, abs=DEPTH_TOL)),  # the plane behind the ball
        ({"far_plane": 1.5}, -np.inf),
    ],
)
def test_what_lies_before_the_near_or_behind_the_far_plane_is_not_seen(ball, planes, expected):
    sim = balls(ball, [(0.0, 0.0, 1.0)])
    handle = looking(sim, sim.envs[0], (0, 0, 3), (0, 0, 0), **planes)
    GYM.render_all_camera_sensors(sim)
    assert GYM.get_camera_image(sim, sim.envs[0], handle, IMAGE_DEPTH)[HEIGHT // 2, WIDTH // 2] == expected


@pytest.mark.parametrize(("mode", "turns"), [(FOLLOW_TRANSFORM, True), (FOLLOW_POSITION, False)])
def test_a_camera_goes_with_its_body(ball, mode, turns):
    turn = Rotation.from_euler("ZYX", [0.5, -0.4, 0.3])
    sim = balls(ball, [(1.0, 2.0, 3.0)] * 2, spacing=4.0, quat=turn.as_quat())
    env, local = sim.envs[1], Rotation.from_euler("y", 0.7)
    handle = GYM.create_camera_sensor(env, CameraProperties(width=8, height=8))
    GYM.attach_camera_to_body(handle, env, 0, Transform(Vec3(0.3, 0.2, 0.1), Quat(*local.as_quat())), mode)
    GYM.render_all_camera_sensors(sim)
    pose = GYM.get_camera_transform(sim, env, handle)
    expected = turn if turns else Rotation.identity()
    assert [*pose.p] == pytest.approx([1.0, 2.0, 3.0] + expected.apply([0.3, 0.2, 0.1]), abs=1e-5)
    assert abs(np.dot([*pose.r], (expected * local).as_quat())) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(("mode", "turns"), [(FOLLOW_TRANSFORM, True), (FOLLOW_POSITION, False)])
def test_poses_and_view_matrices_are_known_before_prepare_sim(ball, mode, turns):
    sim = GYM.create_sim(0, -1, gymapi.SIM_PHYSX, gymapi.SimParams(up_axis=1))
    asset = GYM.load_asset(sim, str(ball.parent), ball.name, gymapi.AssetOptions())
    for _ in range(2):
        env = GYM.create_env(sim, Vec3(), Vec3(3, 3, 0), 2)
        turn = Rotation.from_euler("ZYX", [0.5, -0.4, 0.3])
        GYM.create_actor(env, asset, Transform(Vec3(1, 2, 3), Quat(*turn.as_quat())), "ball", 0, 1)
    standing = looking(sim, env, (1, 2, 3), (1, 2, 5))
    on_body = GYM.create_camera_sensor(env, CameraProperties(width=8, height=8))
    GYM.attach_camera_to_body(on_body, env, 0, Transform(Vec3(0.3, 0.2, 0.1)), mode)
    eye = GYM.get_camera_transform(sim, env, on_body)
    expected = turn if turns else Rotation.identity()
    assert [*eye.p] == pytest.approx([1.0, 2.0, 3.0] + expected.apply([0.3, 0.2, 0.1]), abs=1e-6)
    assert abs(np.dot([*eye.r], expected.as_quat())) == pytest.approx(1.0, abs=1e-6)
    point = np.array([4.0, 2.0, 4.5, 1.0]) @ GYM.get_camera_view_matrix(sim, env, standing)  # the env's origin: x = 3
    assert point[2:] == pytest.approx([-1.5, 1.0], abs=1e-5)  # 1.5 m ahead, in the middle
    assert point[:2] == pytest.approx([0.0, 0.0], abs=1e-5)


def test_bodies_can_be_painted_and_numbered(ball):
    sim = balls(ball, [(2.0, 0.0, 0.0)] * 2)
    handles = [looking(sim, env, (0, 0, 0), (1, 0, 0)) for env in sim.envs]
    GYM.render_all_camera_sensors(sim)
    GYM.set_rigid_body_color(sim.envs[1], 0, 0, gymapi.MESH_VISUAL, Vec3(0, 1, 0))
    GYM.set_rigid_body_segmentation_id(sim.envs[1], 0, 0, 99)
    middle = HEIGHT // 2, WIDTH // 2
    for k, (strongest, number) in enumerate([(0, 11), (1, 99)]):
        image = GYM.get_camera_image(sim, sim.envs[k], handles[k], IMAGE_COLOR).reshape(HEIGHT, WIDTH, 4)
        assert image[middle][:3].argmax() == strongest
        assert GYM.get_camera_image(sim, sim.envs[k], handles[k], IMAGE_SEGMENTATION)[middle] == number
    assert GYM.get_rigid_body_segmentation_id(sim.envs[1], 0, 0) == 99
    assert GYM.get_rigid_body_color(sim.envs[1], 0, 0, gymapi.MESH_VISUAL) == Vec3(0, 1, 0)
    assert GYM.get_rigid_body_texture(sim.envs[1], 0, 0, gymapi.MESH_VISUAL) == gymapi.INVALID_HANDLE
    GYM.reset_actor_materials(sim.envs[1], 0, gymapi.MESH_VISUAL)
    image = GYM.get_camera_image(sim, sim.envs[1], handles[1], IMAGE_COLOR).reshape(HEIGHT, WIDTH, 4)
    assert image[middle][:3].argmax() == 0  # red, as in its file


def test_supersampling_mixes_colours_at_edges(ball):
    sim = balls(ball, [(2.0, 0.0, 0.0)])
    fine = {"supersampling_horizontal": 4, "supersampling_vertical": 4}
    mixed = []
    for properties in ({}, fine):
        handle = looking(sim, sim.envs[0], (0, 0, 0), (1, 0, 0), **properties)
        GYM.render_all_camera_sensors(sim)
        image = GYM.get_camera_image(sim, sim.envs[0], handle, IMAGE_COLOR).reshape(HEIGHT, WIDTH, 4).astype(int)
        red, green = image[..., 0], image[..., 1]
        mixed.append(((red - green > 20) & (green > 20)).sum())  # the ball has no green, all else as much as red
    assert mixed[0] == 0 and mixed[1] > 15


def test_optical_flow_is_zero_and_says_so(ball):
    sim = balls(ball, [(2.0, 0.0, 0.0)])
    handle = looking(sim, sim.envs[0], (0, 0, 0), (1, 0, 0))
    with pytest.warns(RuntimeWarning, match="IMAGE_OPTICAL_FLOW is not computed: it is zero"):
        flow = GYM.get_camera_image(sim, sim.envs[0], handle, IMAGE_OPTICAL_FLOW)
    assert (flow.shape, flow.dtype) == ((HEIGHT, 2 * WIDTH), np.int16) and not flow.any()


def test_mistakes_are_refused_in_a_sentence(ball):
    sim = balls(ball, [(2.0, 0.0, 0.0)])
    env = sim.envs[0]
    with pytest.raises(ValueError, match=r"a camera of 0 × 900 pixels and 90.0° cannot be"):
        GYM.create_camera_sensor(env, CameraProperties(width=0))
    handle = looking(sim, env, (0, 0, 0), (1, 0, 0))
    with pytest.raises(IndexError, match="env 0 has no camera with the handle 1"):
        GYM.get_camera_image(sim, env, handle + 1, IMAGE_COLOR)
    with pytest.raises(IndexError, match="env 0 has 1 body, so none of them is number 1"):
        GYM.attach_camera_to_body(handle, env, 1, Transform(), FOLLOW_POSITION)
    GYM.destroy_camera_sensor(sim, env, handle)
    with pytest.raises(IndexError, match="no camera with the handle 0"):
        GYM.set_camera_transform(handle, env, Transform())
    fresh = GYM.create_sim(0, -1, gymapi.SIM_PHYSX, gymapi.SimParams())
    with pytest.raises(RuntimeError, match="the simulation has no envs; call create_env"):
        GYM.render_all_camera_sensors(fresh)
