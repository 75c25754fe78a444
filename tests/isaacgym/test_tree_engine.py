"""The tree engine as a whole: against MuJoCo Warp on stairs, thread by thread, and the choice of an engine."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
import torch

from isaacgym import gymapi
from isaacgym.assets.urdf import load_urdf
from isaacgym.engine import start_warp
from isaacgym.engine.create import create_engine
from isaacgym.engine.engine import Engine
from isaacgym.engine.model import build_spec
from isaacgym.engine.options import EngineOptions
from isaacgym.engine.terrain import Grid, Plane
from isaacgym.engine.tree.engine import TreeEngine
from tests.isaacgym.worlds import ALIENGO, KD, KP, STANCE, World, body_urdf

DT = 0.005
NUM_WORLDS = 4


def stairs() -> Grid:
    heights = np.zeros((60, 60))
    for step in range(1, 6):
        heights[30 + 3 * step :] = 0.1 * step
    return Grid.from_heights(heights, (-3.0, -3.0, 0.0), 0.1)


def aliengo(terrain: Grid | Plane, kind: str, **options) -> Engine:
    """Robots above the terrain, walking speed forward, each in another pose."""
    description = load_urdf(
        ALIENGO, gymapi.AssetOptions(collapse_fixed_joints=True, replace_cylinder_with_capsule=True)
    )
    engine = create_engine(kind, description, terrain, NUM_WORLDS, DT, "cpu", options=EngineOptions(**options))
    engine.friction.fill_(0.8)
    root = torch.zeros(NUM_WORLDS, 13)
    root[:, 0], root[:, 2], root[:, 6], root[:, 7] = -0.2, 0.45, 1.0, 1.0
    root[:, 1] = torch.arange(NUM_WORLDS) * 0.3
    engine.set_root_states(root)
    dofs = torch.zeros(NUM_WORLDS, 12, 2)
    dofs[:, :, 0] = torch.tensor(STANCE) + torch.linspace(-0.1, 0.1, NUM_WORLDS)[:, None]
    engine.set_dof_states(dofs)
    return engine


def walk(engine: Engine, steps: int) -> torch.Tensor:
    """Hold the stance; returns the poses of all steps, (steps, n, 19)."""
    states = torch.zeros(NUM_WORLDS, 12, 2)
    poses = []
    for _ in range(steps):
        engine.read_dof_states(states)
        engine.torques.copy_(KP * (torch.tensor(STANCE) - states[:, :, 0]) - KD * states[:, :, 1])
        engine.step()
        poses.append(engine.qpos.clone())
    return torch.stack(poses)


def test_a_second_of_swaying_on_a_plane_is_c_mujocos() -> None:
    """To rounding for 0.8 s. Then a calf leaves the ground by less than float32 resolves, a step before C MuJoCo's."""
    world = World(ALIENGO, engine="tree")
    model = build_spec(world.asset.robot, DT, native_ground=True).compile()
    model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_EULERDAMP
    model.opt.tolerance, model.opt.iterations, model.opt.ls_iterations = 1e-12, 100, 100
    data = mujoco.MjData(model)
    com_velocity, omega = np.array([0.1, 0.05, 0.0]), np.array([0.1, 0.2, 0.3])
    world.set_root([0.0, 0.0, 0.36], linear=com_velocity.tolist(), angular=omega.tolist())
    world.set_dofs(STANCE)
    data.qpos[2], data.qpos[3], data.qpos[7:] = 0.36, 1.0, STANCE
    data.qvel[:6] = [*(com_velocity - np.cross(omega, model.body_ipos[1])), *omega]
    errors = []
    for step in range(round(1.0 / DT)):
        targets = np.array(STANCE) + 0.25 * np.sin(2 * np.pi * 1.5 * step * DT + np.arange(12))
        world.step(1, targets=targets.tolist())
        data.qfrc_applied[6:] = np.clip(KP * (targets - data.qpos[7:]) - KD * data.qvel[6:], -44.0, 44.0)
        mujoco.mj_step(model, data)
        errors.append(np.abs(world.sim.engine.qpos[0].numpy() - data.qpos).max())
    assert max(errors[: round(0.8 / DT)]) < 1e-5  # [m], [rad]
    assert max(errors) < 5e-3


def test_both_engines_walk_into_the_stairs_alike():
    """The same problem solved by other arithmetic: rounding grows with every contact that comes or goes."""
    tree, mujoco_warp = (aliengo(stairs(), kind) for kind in ("tree", "mujoco"))
    difference = (walk(tree, 100) - walk(mujoco_warp, 100)).abs().amax(dim=(1, 2))
    assert tree.contact_forces.abs().sum() > 0.0
    assert difference[20] < 1e-4  # m and rad; in the air and just landed
    assert difference[99] < 0.02


def contacts_found(engine: TreeEngine) -> np.ndarray:
    """World, shape and depth of all contacts of the engine's state, sorted."""
    rows = []
    for shard in engine._shards:
        shard.position()
        shard.detect()
        count = int(shard.contacts.count.numpy()[0])
        columns = shard.contacts.worldid.numpy(), shard.contacts.geom.numpy()[:, 1], shard.contacts.dist.numpy()
        rows.append(np.stack([column[:count] for column in columns], axis=1) + [shard._worlds.start, 0, 0])
    return np.array(sorted(map(tuple, np.concatenate(rows))))


@pytest.mark.parametrize("height", [-0.3, -0.1, 0.1])
def test_the_broad_phase_leaves_out_no_contact(height):
    """Against all shapes, over stairs with walls, in random attitudes."""
    rng = np.random.default_rng(5)
    engine = aliengo(stairs(), "tree", contacts_per_world=200)
    engine.qpos[:, :2] = torch.as_tensor(rng.uniform(0.0, 1.5, (NUM_WORLDS, 2)))
    engine.qpos[:, 2] += height
    engine.qpos[:, 3:7] = torch.nn.functional.normalize(torch.as_tensor(rng.normal(size=(NUM_WORLDS, 4))), dim=1)
    found = contacts_found(engine)
    fewer = sum(int(shard._terrain_contacts.candidates_count.numpy()[0]) for shard in engine._shards)
    for shard in engine._shards:
        for highest in (shard._terrain_contacts._highest.ground, shard._terrain_contacts._highest.edge):
            highest.fill_(1.0e6)
    assert np.array_equal(contacts_found(engine), found)
    every = sum(int(shard._terrain_contacts.candidates_count.numpy()[0]) for shard in engine._shards)
    assert len(found) > 0
    assert fewer < every


def test_worlds_do_not_depend_on_the_number_of_threads(monkeypatch):
    split = aliengo(stairs(), "tree")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0})
    whole = aliengo(stairs(), "tree")
    assert len(whole._shards) == 1
    assert torch.equal(walk(split, 60), walk(whole, 60))


@pytest.mark.parametrize("kind", ["tree", "auto"])
def test_a_tree_is_simulated_by_the_tree_engine(kind):
    assert isinstance(aliengo(Plane(), kind), TreeEngine)


def test_self_collision_goes_to_mujoco_warp_and_says_so(capsys):
    engine = aliengo(Plane(), "auto", self_collision=True)
    assert type(engine) is Engine
    assert "MuJoCo Warp" in capsys.readouterr().out


def test_the_tree_engine_refuses_self_collision():
    with pytest.raises(ValueError, match="--engine mujoco"):
        aliengo(Plane(), "tree", self_collision=True)


def test_an_unknown_engine_is_refused():
    with pytest.raises(ValueError, match="auto, tree, mujoco"):
        aliengo(Plane(), "physx")


@pytest.mark.parametrize("kind", ["auto", "tree", "mujoco"])
def test_a_robot_that_cannot_move_stands_still(kind, tmp_path):
    description = load_urdf(body_urdf(tmp_path, ['<geometry><sphere radius="0.1"/></geometry>']), gymapi.AssetOptions())
    engine = create_engine(kind, description, Plane(), 1, DT, "cpu", options=EngineOptions(fixed_base=True))
    pose = torch.tensor([[1.0, 2.0, 0.05, 0.6, 0.0, 0.0, 0.8, *[0.0] * 6]])  # in the ground
    engine.set_root_states(pose)
    engine.step(2)
    states = torch.empty(1, 1, 13)
    engine.read_body_states(states)
    assert states[0] == pytest.approx(pose) and not engine.contact_forces.any()


@pytest.mark.parametrize(("kind", "self_collision"), [("mujoco", False), ("auto", True)])
def test_the_same_bits_in_every_run_of_a_gpu_are_refused_with_mujoco_warp(kind, self_collision, tmp_path):
    description = load_urdf(body_urdf(tmp_path, ['<geometry><sphere radius="0.1"/></geometry>']), gymapi.AssetOptions())
    options = EngineOptions(deterministic=True, self_collision=self_collision)
    with pytest.raises(ValueError, match="other bits in every run; leave out --deterministic on"):
        create_engine(kind, description, Plane(), 1, DT, "cuda:0", options=options)
    assert not isinstance(create_engine(kind, description, Plane(), 1, DT, "cpu", options=options), TreeEngine)


def test_without_a_folder_for_kernels_it_says_how_to_name_one(monkeypatch):
    def init() -> None:
        raise PermissionError(13, "Permission denied", "/home/somebody/.cache")

    monkeypatch.setattr("warp.init", init)
    with pytest.raises(ValueError, match="kernels in /home/somebody/.cache: Permission denied; set WARP_CACHE_PATH"):
        start_warp()
