"""The gym's look-ups: names, counts and indices of what assets, actors, envs and the simulation hold.

A handle is an index: an env's handle of a body or DOF is its index within the env. `domain` asks for the index within
the actor, the env or the whole simulation, which is the row in the tensors. Unknown names give INVALID_HANDLE.
There are no soft bodies, so their counts are zero.
"""

from __future__ import annotations

from typing import NamedTuple

from isaacgym.actors import Actor, Asset, Env
from isaacgym.assets.description import RobotDescription
from isaacgym.assets.notices import counted
from isaacgym.gym_types import INVALID_HANDLE, DofType, IndexDomain, Vec3
from isaacgym.simulation import Simulation


class IndexRange(NamedTuple):
    """`count` shapes from `start` on."""

    start: int
    count: int  # type: ignore[assignment]  # hides tuple.count; the API wants this name


def actor_of(env: Env, handle: int) -> Actor:
    """The actor behind a handle, which may be a 0-d tensor."""
    index = int(handle)
    if not 0 <= index < len(env.actors):
        raise IndexError(
            f"env {env.index} has {counted(len(env.actors), 'actor')}, so there is no actor handle {index}"
        )
    return env.actors[index]


class LookupCalls:
    """Mixin of `gymapi.Gym`."""

    # ---- assets --------------------------------------------------------------------------------------------------

    def get_asset_dof_count(self, asset: Asset) -> int:
        """Degrees of freedom: joints that move."""
        return len(asset.robot.dofs)

    def get_asset_rigid_body_count(self, asset: Asset) -> int:
        """Links, after those of fixed joints have collapsed if AssetOptions says so."""
        return len(asset.robot.bodies)

    def get_asset_rigid_shape_count(self, asset: Asset) -> int:
        """Collision shapes of all links."""
        return len(asset.shape_properties)

    def get_asset_soft_body_count(self, asset: Asset) -> int:
        """Always 0."""
        return 0

    def get_asset_dof_names(self, asset: Asset) -> list[str]:
        """In DOF order: depth first, siblings by joint name in URDF, as the document has them in MJCF."""
        return asset.robot.dof_names

    def get_asset_rigid_body_names(self, asset: Asset) -> list[str]:
        """In body order, the root first; the DOFs follow the bodies that they move."""
        return asset.robot.body_names

    def get_asset_dof_name(self, asset: Asset, index: int) -> str:
        """Of DOF number `index`."""
        return asset.robot.dof_names[index]

    def get_asset_rigid_body_name(self, asset: Asset, index: int) -> str:
        """Of body number `index`."""
        return asset.robot.body_names[index]

    def get_dof_type_string(self, kind: DofType) -> str:
        """Of a type of DOF, as `get_asset_dof_type` gives it."""
        words = {DofType.DOF_ROTATION: "Rotation", DofType.DOF_TRANSLATION: "Translation"}
        return words.get(DofType(kind), "Invalid")

    def get_asset_dof_type(self, asset: Asset, index: int) -> DofType:
        """Translation of a prismatic joint, else rotation."""
        is_slide = asset.robot.dofs[index].kind == "prismatic"
        return DofType.DOF_TRANSLATION if is_slide else DofType.DOF_ROTATION

    def get_asset_dof_dict(self, asset: Asset) -> dict[str, int]:
        """Name → index."""
        return index_by_name(asset.robot.dof_names)

    def get_asset_rigid_body_dict(self, asset: Asset) -> dict[str, int]:
        """Name → index."""
        return index_by_name(asset.robot.body_names)

    def find_asset_dof_index(self, asset: Asset, name: str) -> int:
        """INVALID_HANDLE if there is none of this name."""
        return index_in(asset.robot.dof_names, name)

    def find_asset_rigid_body_index(self, asset: Asset, name: str) -> int:
        """INVALID_HANDLE if there is none of this name."""
        return index_in(asset.robot.body_names, name)

    def get_asset_rigid_body_shape_indices(self, asset: Asset) -> list[IndexRange]:
        """For each body, where its shapes lie in the list of shape properties."""
        return _shape_ranges(asset.robot)

    # ---- actors --------------------------------------------------------------------------------------------------

    def get_actor_count(self, env: Env) -> int:
        """Actors of the env, fixed ones included."""
        return len(env.actors)

    def get_actor_handle(self, env: Env, index: int) -> int:
        """Handle of the env's actor number `index`."""
        return int(index) if 0 <= index < len(env.actors) else INVALID_HANDLE

    def find_actor_handle(self, env: Env, name: str) -> int:
        """Of the env's first actor of this name, INVALID_HANDLE if there is none."""
        return index_in([actor.name for actor in env.actors], name)

    def get_actor_index(self, env: Env, actor: int, domain: IndexDomain) -> int:
        """With DOMAIN_SIM the row in the root state tensor."""
        if IndexDomain(domain) == IndexDomain.DOMAIN_ACTOR:
            return 0
        actor_of(env, actor)
        return offset_of(env, actor, domain, "actors")

    def find_actor_index(self, env: Env, name: str, domain: IndexDomain) -> int:
        """As `get_actor_index`, by name; INVALID_HANDLE if there is none of this name."""
        handle = self.find_actor_handle(env, name)
        return handle if handle == INVALID_HANDLE else self.get_actor_index(env, handle, domain)

    def get_actor_name(self, env: Env, actor: int) -> str:
        """As given to `create_actor`."""
        return actor_of(env, actor).name

    def get_actor_asset(self, env: Env, actor: int) -> Asset:
        """The asset that the actor was created from."""
        return actor_of(env, actor).asset

    def get_actor_dof_count(self, env: Env, actor: int) -> int:
        """As `get_asset_dof_count`."""
        return len(actor_of(env, actor).asset.robot.dofs)

    def get_actor_rigid_body_count(self, env: Env, actor: int) -> int:
        """As `get_asset_rigid_body_count`."""
        return len(actor_of(env, actor).asset.robot.bodies)

    def get_actor_rigid_shape_count(self, env: Env, actor: int) -> int:
        """As `get_asset_rigid_shape_count`."""
        return len(actor_of(env, actor).asset.shape_properties)

    def get_actor_soft_body_count(self, env: Env, actor: int) -> int:
        """Always 0."""
        return 0

    def get_actor_dof_names(self, env: Env, actor: int) -> list[str]:
        """As `get_asset_dof_names`."""
        return actor_of(env, actor).asset.robot.dof_names

    def get_actor_rigid_body_names(self, env: Env, actor: int) -> list[str]:
        """As `get_asset_rigid_body_names`."""
        return actor_of(env, actor).asset.robot.body_names

    def get_actor_dof_dict(self, env: Env, actor: int) -> dict[str, int]:
        """Name → index within the actor."""
        return index_by_name(self.get_actor_dof_names(env, actor))

    def get_actor_rigid_body_dict(self, env: Env, actor: int) -> dict[str, int]:
        """Name → index within the actor."""
        return index_by_name(self.get_actor_rigid_body_names(env, actor))

    def get_actor_rigid_body_shape_indices(self, env: Env, actor: int) -> list[IndexRange]:
        """For each body, where its shapes lie in the actor's list of shape properties."""
        return _shape_ranges(actor_of(env, actor).asset.robot)

    # ---- bodies and DOFs of an actor -----------------------------------------------------------------------------

    def get_actor_rigid_body_index(self, env: Env, actor: int, index: int, domain: IndexDomain) -> int:
        """Index in `domain` of the actor's body number `index`."""
        num_bodies = self.get_actor_rigid_body_count(env, actor)
        if not 0 <= index < num_bodies:
            return INVALID_HANDLE
        return int(index) + offset_of(env, actor, domain, "bodies")

    def get_actor_rigid_body_handle(self, env: Env, actor: int, index: int) -> int:
        """Index within the env of the actor's body number `index`."""
        return self.get_actor_rigid_body_index(env, actor, index, IndexDomain.DOMAIN_ENV)

    def get_actor_root_rigid_body_handle(self, env: Env, actor: int) -> int:
        """Index within the env of the actor's first body."""
        return self.get_actor_rigid_body_handle(env, actor, 0)

    def find_actor_rigid_body_index(self, env: Env, actor: int, name: str, domain: IndexDomain) -> int:
        """Index in `domain`, INVALID_HANDLE if there is none of this name."""
        index = index_in(self.get_actor_rigid_body_names(env, actor), name)
        return self.get_actor_rigid_body_index(env, actor, index, domain)

    def find_actor_rigid_body_handle(self, env: Env, actor: int, name: str) -> int:
        """Index of the body within its env, INVALID_HANDLE if there is none of this name."""
        return self.find_actor_rigid_body_index(env, actor, name, IndexDomain.DOMAIN_ENV)

    def get_actor_dof_index(self, env: Env, actor: int, index: int, domain: IndexDomain) -> int:
        """Index in `domain` of the actor's DOF number `index`."""
        if not 0 <= index < self.get_actor_dof_count(env, actor):
            return INVALID_HANDLE
        return int(index) + offset_of(env, actor, domain, "dofs")

    def get_actor_dof_handle(self, env: Env, actor: int, index: int) -> int:
        """Index within the env of the actor's DOF number `index`."""
        return self.get_actor_dof_index(env, actor, index, IndexDomain.DOMAIN_ENV)

    def find_actor_dof_index(self, env: Env, actor: int, name: str, domain: IndexDomain) -> int:
        """Index in `domain`, INVALID_HANDLE if there is none of this name."""
        return self.get_actor_dof_index(env, actor, index_in(self.get_actor_dof_names(env, actor), name), domain)

    def find_actor_dof_handle(self, env: Env, actor: int, name: str) -> int:
        """Index within the env, INVALID_HANDLE if there is none of this name."""
        return self.find_actor_dof_index(env, actor, name, IndexDomain.DOMAIN_ENV)

    # ---- envs and the simulation ---------------------------------------------------------------------------------

    def get_env(self, sim: Simulation, index: int) -> Env:
        """In the order of creation."""
        return sim.envs[index]

    def get_env_count(self, sim: Simulation) -> int:
        """Envs created so far."""
        return len(sim.envs)

    def get_env_origin(self, env: Env) -> Vec3:
        """In the world [m]; see `create_env`."""
        return Vec3(*env.origin)

    def get_env_rigid_body_count(self, env: Env) -> int:
        """Of all actors of the env."""
        return sum(len(actor.asset.robot.bodies) for actor in env.actors)

    def get_env_rigid_shape_count(self, env: Env) -> int:
        """Of all actors of the env."""
        return sum(len(actor.asset.shape_properties) for actor in env.actors)

    def get_env_dof_count(self, env: Env) -> int:
        """Of all actors of the env."""
        return sum(len(actor.asset.robot.dofs) for actor in env.actors)

    def get_sim_actor_count(self, sim: Simulation) -> int:
        """Of all envs: rows of the root state tensor."""
        return sum(len(env.actors) for env in sim.envs)

    def get_sim_rigid_body_count(self, sim: Simulation) -> int:
        """Of all envs: rows of the rigid body state tensor."""
        return sum(self.get_env_rigid_body_count(env) for env in sim.envs)

    def get_sim_rigid_shape_count(self, sim: Simulation) -> int:
        """Of all envs."""
        return sum(self.get_env_rigid_shape_count(env) for env in sim.envs)

    def get_sim_dof_count(self, sim: Simulation) -> int:
        """Of all envs: rows of the DOF state tensor."""
        return sum(self.get_env_dof_count(env) for env in sim.envs)


def index_in(names: list[str], name: str) -> int:
    """Where a name is in a list, INVALID_HANDLE if it is not."""
    return names.index(name) if name in names else INVALID_HANDLE


def index_by_name(names: list[str]) -> dict[str, int]:
    return {name: index for index, name in enumerate(names)}


def _shape_ranges(robot: RobotDescription) -> list[IndexRange]:
    ranges, start = [], 0
    for body in robot.bodies:
        ranges.append(IndexRange(start, len(body.shapes)))
        start += len(body.shapes)
    return ranges


def offset_of(env: Env, actor: int, domain: IndexDomain, what: str) -> int:
    """Where the actor's bodies, DOFs, or what else a field of `Counts` is called, start in `domain`."""
    domain = IndexDomain(domain)
    if domain == IndexDomain.DOMAIN_ACTOR:
        return 0
    before = [env.before] if domain == IndexDomain.DOMAIN_SIM else []
    return sum(getattr(counts, what) for counts in (*before, *(each.counts for each in env.actors[: int(actor)])))
