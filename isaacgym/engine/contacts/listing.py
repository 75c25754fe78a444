"""All contacts of an engine one by one, on the host: for set-up, debugging and demos."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from isaacgym.engine.contacts.forces import read_contacts
from isaacgym.engine.mixed import MixedEngine, Part
from isaacgym.engine.model import TERRAIN_GEOM
from isaacgym.engine.tree.engine import TreeEngine

if TYPE_CHECKING:
    from isaacgym.engine.engine import Engine

GROUND = -1  # in place of a body


class ContactTable(NamedTuple):
    """k contacts. Vectors have the world's axes, points those of the engine's worlds."""

    world: np.ndarray  # (k,) number of the env
    bodies: np.ndarray  # (k, 2) rows of bodies, GROUND
    point: np.ndarray  # (k, 3) [m]
    normal: np.ndarray  # (k, 3) from the first body to the second
    distance: np.ndarray  # (k,) [m] negative where they overlap
    force: np.ndarray  # (k, 3) on the second body [N]
    friction: np.ndarray  # (k,)


def contact_table(engine: Engine | MixedEngine) -> ContactTable:
    """The tree engine's are those of the last sub-step; MuJoCo Warp's those at the present poses."""
    if isinstance(engine, MixedEngine):
        tables = [_of_part(part) for part in engine.parts]
        return ContactTable(*map(np.concatenate, zip(*tables, strict=True)))
    if isinstance(engine, TreeEngine):
        tables = [_table(engine, shard.contacts, shard._chains.force, shard._worlds.start) for shard in engine._shards]
        return ContactTable(*map(np.concatenate, zip(*tables, strict=True)))
    engine._update_position()
    with engine._on_torch_stream():
        if engine._drives is not None:
            engine._drives.apply(engine._model, engine._data)
            engine._drives.stiffen(engine._model, engine._data)
        engine._solver.solve()
        force = read_contacts(engine._data, engine._each_contact_force).force
    engine._stale = True  # the inertia matrix has the drives' part in it now
    return _table(engine, engine._contacts, force, 0)


def _of_part(part: Part) -> ContactTable:
    table = contact_table(part.engine)
    return table._replace(world=part.rows.envs.cpu().numpy()[table.world])


def _table(engine: Engine, found, force, first_world: int) -> ContactTable:
    count = min(int(found.count.numpy()[0]), len(force))
    geoms = found.geom.numpy()[:count].astype(int)
    rows = engine.mj_model.geom_bodyid[geoms] - 1
    return ContactTable(
        world=found.worldid.numpy()[:count] + first_world,
        bodies=np.where(geoms == TERRAIN_GEOM, GROUND, rows),
        point=found.pos.numpy()[:count],
        normal=found.frame.numpy()[:count, 0],
        distance=found.dist.numpy()[:count],
        force=force.numpy()[:count],
        friction=found.friction.numpy()[:count, 0],
    )
