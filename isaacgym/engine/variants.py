"""Worlds of one engine whose robots are built alike in other sizes: which may share an engine, and what differs."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import mujoco
import numpy as np

# what MuJoCo Warp takes from each world, beside masses and what follows from them
SIZES = (
    *("body_pos", "body_quat", "jnt_pos", "jnt_axis", "jnt_range", "qpos0", "qpos_spring"),
    *("geom_size", "geom_pos", "geom_quat", "geom_aabb", "geom_rbound"),
)
# what an engine sets itself, or does not use
FREE = (
    *("body_mass", "body_inertia", "body_ipos", "body_iquat", "body_subtreemass", "body_invweight0"),
    *("dof_invweight0", "dof_M0", "dof_length", "body_sameframe", "geom_sameframe", "site_sameframe"),
)


class Variants(NamedTuple):
    """Models of one structure, and which of them each world has."""

    models: Sequence[mujoco.MjModel]
    of_world: np.ndarray  # (n,) int

    def values(self, field: str) -> np.ndarray:
        """Of each world, (n, ...)."""
        return np.stack([getattr(model, field) for model in self.models])[self.of_world]


def structure_of(model: mujoco.MjModel) -> Hashable:
    """The same for models that an engine can take together. Models with tendons or coupled joints have their own."""
    if model.ntendon + model.neq > 0:
        return id(model)
    arrays = (getattr(model, name) for name in _names())
    return tuple((values.shape, values.tobytes()) for values in arrays)


@functools.cache
def _names() -> list[str]:
    """Of a model's arrays that say more than sizes and names."""
    model = mujoco.MjModel.from_xml_string("<mujoco/>")
    names = (name for name in dir(model) if not name.startswith(("_", "bvh_", "name")) and name not in (*SIZES, *FREE))
    return [name for name in names if isinstance(getattr(model, name), np.ndarray)]
