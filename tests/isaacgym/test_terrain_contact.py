"""What the robots feel of a terrain: walls, noses, corners; the triangle grid against a plane and closed forms."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from isaacgym import gymtorch
from isaacgym.engine.contacts import terrain_contact
from isaacgym.engine.options import EngineOptions
from isaacgym.engine.terrain import EDGE_DIAGONAL, EDGE_X, EDGE_Y, Grid
from isaacgym.terrain_utils import convert_heightfield_to_trimesh
from tests.isaacgym.worlds import ALIENGO, SHAPES, STANCE, World, body_urdf

# contacts are the same whose robot and shape agree, and whose numbers differ by less than the inverse: 0.1 mm, 0.01
MATCH_SCALES = np.array([1e3, 1e3, *4 * [1e4], *3 * [1e2]])
STEP_X = 1.0  # [m] the step rises here; the wall of the converted mesh stands at exactly this x
STEP = 0.15  # [m]
FOOT = '<geometry><sphere radius="0.0265"/></geometry>'
TRUNK = '<geometry><box size="0.647 0.15 0.112"/></geometry>'


def step_heights(size: int = 30) -> np.ndarray:
    heights = np.zeros((size, size))
    heights[int(STEP_X / 0.1) :] = STEP
    return heights


def push(world: World, force: tuple[float, float, float], steps: int) -> np.ndarray:
    """A constant force at the centre of mass, and no rotation: the body is kept level. Returns all contact forces."""
    contact_forces = []
    for _ in range(steps):
        forces = torch.tensor([[list(force)]], device=world.root.device)
        world.gym.apply_rigid_body_force_tensors(world.sim, gymtorch.unwrap_tensor(forces), None, 0)
        world.step()
        contact_forces.append(world.contact[0, 0].cpu().numpy().copy())
        world.root[0, 3:7] = torch.tensor([0.0, 0.0, 0.0, 1.0])
        world.root[0, 10:13] = 0.0
        world.gym.set_actor_root_state_tensor(world.sim, gymtorch.unwrap_tensor(world.root))
    return np.array(contact_forces)


def test_a_foot_is_stopped_by_the_wall_of_a_stair(tmp_path):
    world = World(body_urdf(tmp_path, [FOOT]), heights=step_heights(), walls=True, friction=0.0, ground_friction=0.0)
    world.set_root([0.8, 1.23, 0.0265])
    forces = push(world, (10.0, 0.0, 0.0), 200)
    assert world.root[0, 0].item() == pytest.approx(STEP_X - 0.0265, abs=2e-3)
    assert world.root[0, 2].item() == pytest.approx(0.0265, abs=2e-3)  # it also stands on the floor
    assert forces[-50:].mean(axis=0) == pytest.approx([-10.0, 0.0, 2.0 * 9.81], abs=0.3)


def test_the_same_foot_climbs_the_slope_of_the_plain_height_field(tmp_path):
    world = World(body_urdf(tmp_path, [FOOT]), heights=step_heights(), friction=0.0, ground_friction=0.0)
    world.set_root([0.8, 1.23, 0.0265])
    push(world, (40.0, 0.0, 0.0), 60)  # more than the 29 N that hold it on the slope of 15 cm in 10 cm
    assert world.root[0, 0].item() > STEP_X
    assert world.root[0, 2].item() > STEP


def test_a_fast_foot_does_not_pass_through_the_wall(tmp_path):
    world = World(body_urdf(tmp_path, [FOOT]), heights=step_heights(), walls=True)
    world.set_root([0.8, 1.23, 0.08], linear=[3.0, 0.0, 0.0])
    deepest = 0.0
    for _ in range(60):
        world.step()
        deepest = max(deepest, world.root[0, 0].item() - (STEP_X - 0.0265))
    assert deepest < 0.02
    assert world.root[0, 0].item() < STEP_X


def ridge_heights() -> np.ndarray:
    heights = np.zeros((30, 30))
    heights[14:17] = STEP  # 20 cm wide, between x = 1.4 and 1.6
    return heights


def test_a_trunk_dropped_on_a_ridge_is_held_by_its_edges(tmp_path):
    """No corner of the box comes near the ground: only the two stair noses under it carry the weight."""
    world = World(body_urdf(tmp_path, [TRUNK]), heights=ridge_heights(), walls=True)
    world.set_root([1.5, 1.23, STEP + 0.056 + 0.02])
    world.step(200)
    assert world.root[0, 2].item() == pytest.approx(STEP + 0.056, abs=3e-3)
    assert world.contact[0, 0, 2].item() == pytest.approx(2.0 * 9.81, rel=0.05)


def test_a_trunk_dropped_half_over_a_stair_nose_stays_level(tmp_path):
    world = World(body_urdf(tmp_path, [TRUNK]), heights=step_heights(), walls=True)
    world.set_root([STEP_X + 0.05, 1.23, STEP + 0.056 + 0.02])
    world.step(200)
    assert world.root[0, 2].item() == pytest.approx(STEP + 0.056, abs=3e-3)
    assert Rotation.from_quat(world.root[0, 3:7].numpy()).magnitude() < 0.02


def pyramid_heights(size: int = 40) -> np.ndarray:
    """Stairs of 10 cm up from all sides, with convex and hollow corners."""
    rim = np.minimum(*np.meshgrid(*2 * [np.minimum(np.arange(size), size - 1 - np.arange(size))]))
    return 0.1 * (rim // 4)


TOUCHING = {"trunk": (0.647, 0.15, 0.112), "calf": (0.25, 0.0208, 0.016)}  # [m]


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("kind", ["box", "hull"])
@pytest.mark.parametrize("name", TOUCHING)
def test_contacts_begin_shallow(tmp_path, name, kind, inverted):
    """Moved by 0.1 mm from where nothing touches, down onto stairs or sideways, no contact is deeper than 1 mm."""
    size = np.array(TOUCHING[name])
    geometry = f'<box size="{size[0]} {size[1]} {size[2]}"/>' if kind == "box" else '<mesh filename="box.obj"/>'
    corners = [f"v {x} {y} {z}" for x, y, z in 0.5 * size * list(itertools.product((-1, 1), repeat=3))]
    (tmp_path / "box.obj").write_text("\n".join([*corners, "f 1 2 4", "f 1 4 3", "f 5 8 6", "f 5 7 8", "f 1 7 5"]))
    heights = pyramid_heights()
    urdf = body_urdf(tmp_path, [f"<geometry>{geometry}</geometry>"])
    bodies = 600
    world = World(urdf, num_envs=bodies, heights=heights.max() - heights if inverted else heights, walls=True)
    rng = np.random.default_rng(3)
    turns = Rotation.from_rotvec(rng.uniform(-0.6, 0.6, (bodies, 3)) * [1, 1, 5])
    world.root[:, 3:7] = torch.tensor(turns.as_quat())

    def depths(places: np.ndarray) -> np.ndarray:
        """Depth of the deepest contact of each body at these places, 0 where nothing touches."""
        world.root[:, :3] = torch.tensor(places)
        world.gym.set_actor_root_state_tensor(world.sim, gymtorch.unwrap_tensor(world.root))
        deepest = np.zeros(bodies)
        engine = world.sim.engine
        engine._update_position()
        for shard in engine._shards:
            shard.detect()
            found = shard.contacts
            count = found.count.numpy()[0]
            np.maximum.at(deepest, found.worldid.numpy()[:count] + shard._worlds.start, -found.dist.numpy()[:count])
        return deepest

    def approach(free: np.ndarray, touching: np.ndarray) -> np.ndarray:
        """Places of the bodies between these, less than 0.1 mm beyond where they touch nothing."""
        while np.abs(free - touching).max() > 1e-4:
            middle = 0.5 * (touching + free)
            touches = (depths(middle) > 0.0)[:, None]
            touching, free = np.where(touches, middle, touching), np.where(touches, free, middle)
        return touching

    start = np.column_stack([rng.uniform(0.8, 3.1, (bodies, 2)), np.full(bodies, 3.0)])
    lowered = approach(start, start * [1, 1, 0])
    assert 0.0 < depths(lowered).min() <= depths(lowered).max() < 1e-3
    lower = lowered - [0, 0, 0.02]
    beside = lower + np.column_stack([rng.uniform(-0.15, 0.15, (bodies, 2)), np.zeros(bodies)])
    leaves = (depths(beside) == 0.0) & (depths(lower) > 0.0)
    assert leaves.sum() > 30
    beside[~leaves] = lower[~leaves]
    assert depths(approach(beside, lower))[leaves].max() < 1e-3


def test_a_capsule_lying_across_a_ridge_is_held_between_its_ends(tmp_path):
    collision = f'<origin rpy="0 1.5707963 0"/><geometry>{SHAPES["capsule"][0]}</geometry>'
    world = World(body_urdf(tmp_path, [collision]), heights=ridge_heights(), walls=True)
    world.set_root([1.5, 1.23, STEP + 0.05 + 0.02])
    push(world, (0.0, 0.0, 0.0), 100)
    assert world.root[0, 2].item() == pytest.approx(STEP + 0.05, abs=3e-3)


@pytest.mark.parametrize("walls", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_bodies_rest_on_a_sloping_grid(tmp_path, shape, walls):
    """15 degrees, friction 1, as on the plane: sinks less than 3 mm and drifts less than 1 cm in 10 s."""
    geometry, rest = SHAPES[shape]
    collisions = [f"<geometry>{geometry}</geometry>"]
    if shape == "sphere":
        places = [(0.2, 0.0), (-0.1, 0.17), (-0.1, -0.17)]
        collisions = [f'<origin xyz="{x} {y} 0"/><geometry>{geometry}</geometry>' for x, y in places]
    if shape == "capsule":
        collisions = [f'<origin rpy="0 1.5707963 0"/><geometry>{geometry}</geometry>']
    rise = np.tan(np.radians(15.0))
    heights = np.repeat(rise * 0.1 * np.arange(40)[:, None], 40, axis=1)
    world = World(body_urdf(tmp_path, collisions), heights=heights, walls=walls)
    tilt = Rotation.from_euler("y", -15.0, degrees=True)
    start = np.array([2.03, 1.97, 2.03 * rise]) + tilt.apply([0.0, 0.0, rest])
    world.set_root(start, tilt.as_quat())
    world.step(200)  # samples of 5 mm make the slope uneven by as much; it settles first
    settled = world.root[0, :3].numpy().copy()
    world.step(2000)
    moved = tilt.inv().apply(world.root[0, :3].numpy() - settled)
    assert abs(tilt.inv().apply(world.root[0, :3].numpy() - start)[2]) < 3e-3 + 0.005
    assert abs(moved[2]) < 3e-3
    assert np.linalg.norm(moved[:2]) < 1e-2


@pytest.mark.parametrize("walls", [False, True])
def test_a_robot_lands_on_a_flat_grid_as_on_a_plane(walls):
    states = []
    for heights in (None, np.zeros((40, 40))):
        world = World(ALIENGO, heights=heights, walls=walls)
        world.set_root([2.03, 1.97, 0.45])
        world.set_dofs(STANCE)
        world.step(60, STANCE)
        states.append(torch.cat([world.root[0], world.dof[0].flatten()]).numpy())
    # coordinates of 2 m instead of 0 in float32, amplified by the impacts
    assert states[1][:3] == pytest.approx(states[0][:3], abs=1e-3)
    assert states[1][13:] == pytest.approx(states[0][13:], abs=2e-2)


def test_a_standing_robot_stays_on_a_slope():
    tilt = Rotation.from_euler("y", -15.0, degrees=True)
    world = World(ALIENGO, normal=tuple(tilt.apply([0, 0, 1])))
    world.set_root(tilt.apply([0, 0, 0.39]), tilt.as_quat())
    world.set_dofs(STANCE)
    world.step(400, STANCE)
    feet = [
        world.gym.find_actor_rigid_body_handle(world.sim.envs[0], 0, f"{leg}_foot") for leg in ("FL", "FR", "RL", "RR")
    ]
    start = tilt.inv().apply(world.body[0, feet, :3].numpy())
    world.step(2000, STANCE)
    end = tilt.inv().apply(world.body[0, feet, :3].numpy())
    assert np.abs(end[:, 2] - 0.0265).max() < 3e-3
    assert np.linalg.norm((end - start)[:, :2], axis=1).max() < 1e-2


def test_a_point_far_inside_leaves_by_the_nearest_surface(tmp_path):
    """4 cm behind the wall and 8 cm under the tread: out through the wall."""
    world = World(body_urdf(tmp_path, [FOOT]), heights=step_heights(), walls=True, gravity=(0.0, 0.0, 0.0))
    world.set_root([STEP_X + 0.04, 1.23, STEP - 0.08])
    world.step()
    force = world.contact[0, 0].numpy()
    assert force[0] < 0.0
    assert abs(force[1]) + abs(force[2]) < 0.05 * abs(force[0])


def found_contacts(poses: np.ndarray, device: str) -> np.ndarray:
    """Rows (robot, shape, depth, position, normal) of the contacts of Aliengos on stairs. poses: (n, 7).

    Without those of boxes on more edges than they can have contacts: it is open which ones they have.
    """
    world = World(ALIENGO, num_envs=len(poses), heights=pyramid_heights(), walls=True, device=device)
    world.root[:, :7] = torch.tensor(poses)
    world.gym.set_actor_root_state_tensor(world.sim, gymtorch.unwrap_tensor(world.root))
    world.sim.engine._update_position()
    rows = []
    for shard in world.sim.engine._shards:
        shard.detect()
        found = shard.contacts
        numbers = found.worldid.numpy() + shard._worlds.start, found.geom.numpy()[:, 1], found.dist.numpy()
        columns = (*numbers, found.pos.numpy(), found.frame.numpy()[:, 0])
        rows.append(np.column_stack(columns)[: found.count.numpy()[0]])
    contacts = np.concatenate(rows)
    _, shape, count = np.unique(contacts[:, :2], axis=0, return_inverse=True, return_counts=True)
    return contacts[count[shape] < 8]


@pytest.mark.gpu
def test_threads_of_a_gpu_that_share_a_shape_find_what_one_thread_finds(monkeypatch):
    rng = np.random.default_rng(5)
    n = 1000
    places = rng.uniform(0.5, 3.4, (n, 2))
    height = pyramid_heights()[tuple((places / 0.1).astype(int).T)] + rng.uniform(0.3, 0.6, n)
    poses = np.column_stack([places, height, Rotation.from_rotvec(rng.uniform(-1, 1, (n, 3))).as_quat()])
    shared = found_contacts(poses, "cuda:0")
    for lanes in ("PROBE_LANES", "EDGE_LANES"):
        monkeypatch.setattr(terrain_contact, lanes, 1)
    alone = found_contacts(poses, "cuda:0")
    assert 5 * n < len(alone) < 15 * n  # there is room for 24
    for some, others in ((shared, alone), (alone, shared)):
        near = cKDTree(others * MATCH_SCALES).query(some * MATCH_SCALES)[0] < 1.0
        # the rest lies in corners where rounding decides which face is closest
        assert near.mean() > 0.998


def step_mesh() -> tuple[np.ndarray, np.ndarray]:
    """A floor, a wall at x = 1 and a tread above it, of two triangles each: no grid."""
    far, high = 4.0, STEP
    vertices = np.array(
        [
            (0, 0, 0),
            (1, 0, 0),
            (0, far, 0),
            (1, far, 0),
            (1, 0, high),
            (1, far, high),
            (far, 0, high),
            (far, far, high),
        ],
        dtype=np.float32,
    )
    quads = [(0, 1, 3, 2), (1, 4, 5, 3), (4, 6, 7, 5)]
    triangles = [(a, b, c) for a, b, c, d in quads] + [(a, c, d) for a, b, c, d in quads]
    return vertices, np.array(triangles, dtype=np.uint32)


@pytest.mark.parametrize("shape", SHAPES)
def test_bodies_rest_on_an_arbitrary_mesh(tmp_path, shape):
    geometry, rest = SHAPES[shape]
    lying = '<origin rpy="0 1.5707963 0"/>' if shape == "capsule" else ""
    world = World(body_urdf(tmp_path, [f"{lying}<geometry>{geometry}</geometry>"]), mesh=step_mesh())
    world.set_root([2.5, 2.1, STEP + rest + 0.02])
    push(world, (0.0, 0.0, 0.0), 100)
    assert world.root[0, 2].item() == pytest.approx(STEP + rest, abs=2e-3)
    assert world.contact[0, 0, 2].item() == pytest.approx(2.0 * 9.81, rel=0.05)


def test_a_foot_is_stopped_by_the_wall_of_an_arbitrary_mesh(tmp_path):
    world = World(body_urdf(tmp_path, [FOOT]), mesh=step_mesh(), friction=0.0, ground_friction=0.0)
    world.set_root([0.9, 2.1, 0.08], linear=[1.0, 0.0, 0.0])
    push(world, (10.0, 0.0, 2.0 * 9.81), 100)
    assert world.root[0, 0].item() == pytest.approx(STEP_X - 0.0265, abs=2e-3)


def test_convex_edges_are_marked_and_hollow_ones_are_not():
    heights = np.zeros((8, 8))
    heights[3:5] = 0.1  # a ridge along y at rows 3 and 4
    grid = Grid.from_heights(heights, (0.0, 0.0, 0.0), 0.1)
    ridge = (grid.flags & EDGE_Y) > 0
    assert ridge[3, :7].all() and ridge[4, :7].all()
    assert not ridge[[0, 1, 2, 5, 6]].any()  # the feet of the ridge are hollow
    assert not (grid.flags & EDGE_X).any()
    assert not (grid.flags & EDGE_DIAGONAL).any()


def test_a_large_map_keeps_its_cell_size():
    """float32 vertices 400 m away from the corner are rounded by 15 µm; 4000 cells must not add that up."""
    heights = np.zeros((4001, 4), dtype=np.int16)
    vertices, triangles = convert_heightfield_to_trimesh(heights, 0.1, 0.005)
    grid = Grid.from_mesh(vertices, triangles, np.zeros(3))
    assert grid.scale * 4000 == pytest.approx(400.0, abs=1e-3)


@pytest.mark.parametrize(("engine", "dropped"), [("tree", 64 - EngineOptions.max_contacts), ("mujoco", 1)])
def test_a_stack_of_contacts_that_does_not_fit_is_counted_in_its_steps(tmp_path, engine, dropped):
    """One robot has room for max_contacts; "mujoco" counts robots. It is built inside the ground, and taken out."""
    grid_of_spheres = [
        f'<origin xyz="{0.05 * i} {0.05 * j} 0"/>{FOOT}' for i in range(8) for j in range(8)
    ]  # fmt: skip
    world = World(body_urdf(tmp_path, grid_of_spheres), heights=np.ones((20, 20)), engine=engine)
    count = 0
    for height, number in ((2.0, 0), (1.02, dropped), (2.0, 0), (1.02, dropped)):
        world.set_root([0.5, 0.5, height])
        world.step()
        count += number
        assert world.sim.engine.overflow_count() == count
