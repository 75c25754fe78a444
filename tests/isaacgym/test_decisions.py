"""Points that NVIDIA's documentation leaves open, as decided here: filters, limits, and the origins of envs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from isaacgym import gymapi, gymtorch
from isaacgym.assets.description import Body, RobotDescription, Shape
from isaacgym.engine.model import build_spec
from tests.isaacgym.test_mesh_shapes import two_wedges
from tests.isaacgym.worlds import SHAPES, body_urdf

GYM = gymapi.acquire_gym()
DT = 0.005
FLOAT32 = 1e-5


def prepared(
    urdf: Path,
    filter: int = 1,
    shape_filters: list[int] | None = None,
    num_envs: int = 1,
    spacing: float = 0.0,
    num_per_row: int = 1,
    heights: np.ndarray | None = None,
    gravity: float = -9.81,
    up_axis: int = 1,
    engine: str = "auto",
    **options,
):
    """A prepared simulation, robots 1 m above their env's origin. heights: [m] in cells of 0.1 m; None for a plane."""
    up = [0.0, 0.0, 0.0]
    up[2 if up_axis else 1] = 1.0
    params = gymapi.SimParams(dt=DT, substeps=1, up_axis=up_axis, gravity=gymapi.Vec3(*up) * gravity, engine=engine)
    sim = GYM.create_sim(0, -1, gymapi.SIM_PHYSX, params)
    if heights is None:
        GYM.add_ground(sim, gymapi.PlaneParams(normal=up))
    else:
        size = {"nbRows": heights.shape[1], "nbColumns": heights.shape[0]}
        scales = {"row_scale": 0.1, "column_scale": 0.1, "vertical_scale": 0.005}
        GYM.add_heightfield(sim, (heights / 0.005).astype(np.int16), gymapi.HeightFieldParams(**size, **scales))
    asset = GYM.load_asset(sim, str(urdf.parent), urdf.name, gymapi.AssetOptions(default_dof_drive_mode=3, **options))
    if shape_filters is not None:
        shapes = GYM.get_asset_rigid_shape_properties(asset)
        for shape, value in zip(shapes, shape_filters, strict=True):
            shape.filter = value
        GYM.set_asset_rigid_shape_properties(asset, shapes)
    lower, upper = gymapi.Vec3(-spacing, -spacing, 0.0), gymapi.Vec3(spacing, spacing, spacing)
    for _ in range(num_envs):
        env = GYM.create_env(sim, lower, upper, num_per_row)
        GYM.create_actor(env, asset, gymapi.Transform(p=gymapi.Vec3(*up)), "robot", -1, filter)
    GYM.prepare_sim(sim)
    return sim


# --- Filters --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filter", "shape_filters", "collide"),
    [(0, [1, 1], True), (-1, None, True), (-1, [1, 2], True), (-1, [3, 2], False), (2, [0, 0], False)],
)
def test_shapes_collide_unless_their_filters_share_a_bit(tmp_path, filter, shape_filters, collide):
    """Two sliders run into each other: head on and alike, they stay apart or swap places."""
    sim = prepared(two_wedges(tmp_path), filter, shape_filters, gravity=0.0, fix_base_link=True)
    dofs = gymtorch.wrap_tensor(GYM.acquire_dof_state_tensor(sim))
    dofs[:, 1] = torch.tensor([0.5, -0.5])
    GYM.set_dof_state_tensor(sim, gymtorch.unwrap_tensor(dofs))
    for _ in range(60):
        GYM.simulate(sim)
    GYM.refresh_dof_state_tensor(sim)
    passed_through = 60 * DT * 0.5  # [m]
    assert (abs(dofs[0, 0].item()) < 0.1) == collide
    assert dofs[0, 0].item() == pytest.approx(-dofs[1, 0].item(), abs=1e-3)
    if not collide:
        assert dofs[0, 0].item() == pytest.approx(passed_through, abs=1e-3)


def test_mujocos_masks_say_for_every_pair_what_the_filters_say():
    filters = [0, 1, 2, 3, 6]
    boxes = [
        Body(
            name=f"b{index}",
            parent=min(index - 1, 0),
            pos=np.array([index, 0.0, 0.0]),
            quat=np.array([0.0, 0.0, 0.0, 1.0]),
            mass=1.0,
            com=np.zeros(3),
            inertia=np.eye(3),
            shapes=[Shape("sphere", (0.1, 0.0, 0.0), np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]), filter=value)],
        )
        for index, value in enumerate(filters)
    ]
    model = build_spec(RobotDescription("boxes", boxes), DT, self_collision=True).compile()
    types, affinities = model.geom_contype[1:], model.geom_conaffinity[1:]
    for a, first in enumerate(filters):
        for b, second in enumerate(filters):
            may_collide = bool(types[a] & affinities[b] or types[b] & affinities[a])
            assert may_collide == ((first & second) == 0)


# --- Limits ---------------------------------------------------------------------------------------------------------


def test_efforts_and_velocities_go_beyond_the_limits_of_the_file(tmp_path):
    """In EFFORT mode the limits are numbers for the caller, as legged_gym takes them: it clips torques itself."""
    inertial = '<inertial><mass value="1"/><inertia ixx="0.5" iyy="0.5" izz="0.5"/></inertial>'
    path = tmp_path / "wheel.urdf"
    path.write_text(
        f'<robot name="wheel"><link name="base">{inertial}</link><link name="wheel">{inertial}</link>'
        '<joint name="axle" type="continuous"><parent link="base"/><child link="wheel"/><axis xyz="0 0 1"/>'
        '<limit effort="2" velocity="3"/></joint></robot>'
    )
    sim = prepared(path, fix_base_link=True)
    properties = GYM.get_actor_dof_properties(sim.envs[0], 0)
    assert (properties["effort"].item(), properties["velocity"].item()) == (2.0, 3.0)
    torques = torch.tensor([11.0])
    for _ in range(100):
        GYM.set_dof_actuation_force_tensor(sim, gymtorch.unwrap_tensor(torques))
        GYM.simulate(sim)
    dofs = gymtorch.wrap_tensor(GYM.acquire_dof_state_tensor(sim))
    GYM.refresh_dof_state_tensor(sim)
    assert dofs[0, 1].item() == pytest.approx(11.0 / 0.5 * 100 * DT, rel=1e-4)  # torque / inertia · time


# --- Origins --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("up_axis", "expected"), [(1, (14.0, 7.0, 0.0)), (0, (14.0, 0.0, 3.5))])
def test_envs_lie_in_rows_one_size_apart(tmp_path, up_axis, expected):
    sim = prepared(body_urdf(tmp_path, []), num_envs=6, spacing=3.5, num_per_row=3, up_axis=up_axis)
    origins = [tuple(GYM.get_env_origin(env)) for env in sim.envs]
    assert origins[0] == (0.0, 0.0, 0.0)
    assert origins[2][0] == 14.0 and origins[3][0] == 0.0
    assert origins[5] == expected


@pytest.mark.parametrize("on_heights", [False, True])
def test_positions_in_tensors_count_from_the_origin_of_the_env(tmp_path, on_heights):
    """Cells of the height field are 1 m high in the second env and 0 in the others."""
    heights = np.zeros((80, 40))
    heights[20:40] = 1.0  # between x = 2 and 4 m, the second env's origin being at x = 3
    urdf = body_urdf(tmp_path, [f"<geometry>{SHAPES['sphere'][0]}</geometry>"])
    sim = prepared(urdf, num_envs=3, spacing=1.5, num_per_row=3, heights=heights if on_heights else None)
    roots = gymtorch.wrap_tensor(GYM.acquire_actor_root_state_tensor(sim))
    bodies = gymtorch.wrap_tensor(GYM.acquire_rigid_body_state_tensor(sim))
    GYM.refresh_actor_root_state_tensor(sim)
    assert roots[:, :3].tolist() == [[0.0, 0.0, 1.0]] * 3
    roots[:] = torch.tensor([0.13, 1.07, 1.3, *[0.0] * 3, 1.0, *[0.0] * 6])
    everything = torch.tensor([0, 1, 2], dtype=torch.int32)
    GYM.set_actor_root_state_tensor_indexed(sim, gymtorch.unwrap_tensor(roots), gymtorch.unwrap_tensor(everything), 3)
    for _ in range(200):
        GYM.simulate(sim)
    GYM.refresh_actor_root_state_tensor(sim)
    GYM.refresh_rigid_body_state_tensor(sim)
    floor = np.array([0.0, 1.0, 0.0]) if on_heights else np.zeros(3)
    assert roots[:, :2].numpy() == pytest.approx(np.tile([0.13, 1.07], (3, 1)), abs=1e-3)
    assert roots[:, 2].numpy() == pytest.approx(floor + 0.1, abs=3e-3)
    assert bodies.numpy() == pytest.approx(roots.numpy(), abs=FLOAT32)
    state = GYM.get_actor_rigid_body_states(sim.envs[1], 0, gymapi.STATE_POS)
    assert state["pose"]["p"]["x"].item() == pytest.approx(roots[1, 0].item(), abs=FLOAT32)


def test_the_viewers_camera_counts_from_the_origin_of_an_env(tmp_path):
    sim = prepared(body_urdf(tmp_path, []), num_envs=2, spacing=1.5, num_per_row=2)
    viewer = GYM.create_viewer(sim, gymapi.CameraProperties())
    GYM.viewer_camera_look_at(viewer, sim.envs[1], gymapi.Vec3(1, 2, 3), gymapi.Vec3(2, 2, 3))
    assert tuple(GYM.get_viewer_camera_transform(viewer, None).p) == (4.0, 2.0, 3.0)
    assert tuple(GYM.get_viewer_camera_transform(viewer, sim.envs[1]).p) == (1.0, 2.0, 3.0)


# --- Inertia --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["tree", "mujoco"])
def test_the_inertia_of_each_env_is_the_whole_matrix_given(tmp_path, engine):
    """A free body's momentum after a torque: angular velocity = inertia⁻¹ · torque · dt."""
    inertia = np.array([[0.05, 0.01, -0.004], [0.01, 0.04, 0.006], [-0.004, 0.006, 0.03]])
    sim = prepared(body_urdf(tmp_path, []), num_envs=2, gravity=0.0, engine=engine)
    properties = GYM.get_actor_rigid_body_properties(sim.envs[1], 0)
    properties[0].inertia = gymapi.Mat33(*(gymapi.Vec3(*row) for row in inertia))
    GYM.set_actor_rigid_body_properties(sim.envs[1], 0, properties)
    torques = torch.tensor([[0.3, -0.5, 0.7]]).repeat(2, 1)
    GYM.apply_rigid_body_force_tensors(sim, None, gymtorch.unwrap_tensor(torques), gymapi.ENV_SPACE)
    GYM.simulate(sim)
    roots = gymtorch.wrap_tensor(GYM.acquire_actor_root_state_tensor(sim))
    GYM.refresh_actor_root_state_tensor(sim)
    of_file = np.array([[0.02, 0.001, 0.002], [0.001, 0.03, 0.003], [0.002, 0.003, 0.04]])
    for state, matrix in zip(roots.numpy(), (of_file, inertia), strict=True):
        assert state[10:13] == pytest.approx(np.linalg.solve(matrix, torques[0].numpy() * DT), rel=1e-4)
    properties[0].inertia = gymapi.Mat33((1, 0, 0), (0, 1, 0), (0, 0.5, 1))
    with pytest.raises(ValueError, match="'base' of actor 'robot' got an inertia"):
        GYM.set_actor_rigid_body_properties(sim.envs[1], 0, properties)
