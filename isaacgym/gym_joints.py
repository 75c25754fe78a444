"""The gym's calls on joints: those that move, which are DOFs, and those that keep a body fixed to its parent.

Joints come in the order of the bodies below them, so joint k holds body k + 1, unless a body has several. Callers index
Jacobians by joints, fixed ones among them: with a fixed base, a body's row is its joint's number.
"""

from __future__ import annotations

from isaacgym.actors import Asset, Env
from isaacgym.assets.notices import counted
from isaacgym.gym_host_forces import HostForceCalls, located
from isaacgym.gym_lookups import actor_of, index_by_name, index_in, offset_of
from isaacgym.gym_types import INVALID_HANDLE, IndexDomain, JointType
from isaacgym.simulation import Simulation

TYPES = {
    "fixed": JointType.JOINT_FIXED,
    "revolute": JointType.JOINT_REVOLUTE,
    "continuous": JointType.JOINT_REVOLUTE,
    "prismatic": JointType.JOINT_PRISMATIC,
}


class JointCalls(HostForceCalls):
    """Mixin of `gymapi.Gym`. A handle is a joint's index in its env."""

    # ---- assets ----------------------------------------------------------------------------------------------------

    def get_asset_joint_count(self, asset: Asset) -> int:
        """Of all joints; those that collapsed are gone."""
        return len(asset.robot.all_joints)

    def get_asset_joint_names(self, asset: Asset) -> list[str]:
        """Of all joints. Where MJCF fixes a body to its parent, it has none: `<body>_fixed` stands for it."""
        return [name for name, _ in asset.robot.all_joints]

    def get_asset_joint_name(self, asset: Asset, index: int) -> str:
        """Of joint number `index`."""
        return self.get_asset_joint_names(asset)[index]

    def get_asset_joint_dict(self, asset: Asset) -> dict[str, int]:
        """Name → index."""
        return index_by_name(self.get_asset_joint_names(asset))

    def find_asset_joint_index(self, asset: Asset, name: str) -> int:
        """INVALID_HANDLE if there is none of this name."""
        return index_in(self.get_asset_joint_names(asset), name)

    def get_asset_joint_type(self, asset: Asset, index: int) -> JointType:
        """Fixed, revolute (continuous joints too) or prismatic."""
        return TYPES[asset.robot.all_joints[index][1]]

    def get_joint_type_string(self, kind: JointType) -> str:
        """Of a type of joint, as `get_asset_joint_type` gives it."""
        return JointType(kind).name.removeprefix("JOINT_").capitalize()

    def debug_print_asset(self, asset: Asset) -> None:
        """Print the names of bodies, with their parents, and of joints, with their types."""
        robot = asset.robot
        parts = (robot.bodies, "body"), (robot.all_joints, "joint"), (robot.dofs, "DOF")
        print(f"{robot.name}: {', '.join(counted(len(items), noun) for items, noun in parts)}")
        for index, body in enumerate(robot.bodies):
            parent = f", on {robot.bodies[body.parent].name}" if body.parent >= 0 else ""
            print(f"  body {index}: {body.name}, {body.mass:.4g} kg{parent}")
        for index, (name, kind) in enumerate(robot.all_joints):
            print(f"  joint {index}: {name}, {kind}")

    # ---- actors and envs -------------------------------------------------------------------------------------------

    def get_actor_joint_count(self, env: Env, actor: int) -> int:
        """As `get_asset_joint_count`."""
        return self.get_asset_joint_count(actor_of(env, actor).asset)

    def get_actor_joint_names(self, env: Env, actor: int) -> list[str]:
        """As `get_asset_joint_names`."""
        return self.get_asset_joint_names(actor_of(env, actor).asset)

    def get_actor_joint_dict(self, env: Env, actor: int) -> dict[str, int]:
        """Name → index within the actor."""
        return self.get_asset_joint_dict(actor_of(env, actor).asset)

    def get_actor_joint_index(self, env: Env, actor: int, index: int, domain: IndexDomain) -> int:
        """Index in `domain` of the actor's joint number `index`."""
        if not 0 <= index < self.get_actor_joint_count(env, actor):
            return INVALID_HANDLE
        return int(index) + offset_of(env, actor, domain, "joints")

    def get_actor_joint_handle(self, env: Env, actor: int, index: int) -> int:
        """Index within the env of the actor's joint number `index`."""
        return self.get_actor_joint_index(env, actor, index, IndexDomain.DOMAIN_ENV)

    def find_actor_joint_index(self, env: Env, actor: int, name: str, domain: IndexDomain) -> int:
        """Index in `domain`, INVALID_HANDLE if there is none of this name."""
        index = index_in(self.get_actor_joint_names(env, actor), name)
        return self.get_actor_joint_index(env, actor, index, domain)

    def find_actor_joint_handle(self, env: Env, actor: int, name: str) -> int:
        """Index within the env, INVALID_HANDLE if there is none of this name."""
        return self.find_actor_joint_index(env, actor, name, IndexDomain.DOMAIN_ENV)

    def get_joint_handle(self, env: Env, actor_name: str, joint_name: str) -> int:
        """INVALID_HANDLE if there is none of these names."""
        actor = self.find_actor_handle(env, actor_name)
        return actor if actor == INVALID_HANDLE else self.find_actor_joint_handle(env, actor, joint_name)

    def get_joint_name(self, env: Env, joint_handle: int) -> str:
        """Of the joint with this handle in the env."""
        return _joint(env, joint_handle)[1]

    def get_env_joint_count(self, env: Env) -> int:
        """Of all actors of the env."""
        return sum(_counts(env))

    def get_sim_joint_count(self, sim: Simulation) -> int:
        """Of all envs."""
        return sum(self.get_env_joint_count(env) for env in sim.envs)

    # ---- positions and targets -------------------------------------------------------------------------------------

    def get_joint_position(self, env: Env, joint_handle: int) -> float:
        """[rad] or [m]; 0 of a fixed joint."""
        dof = _dof_of(env, joint_handle)
        return 0.0 if dof == INVALID_HANDLE else self.get_dof_position(env, dof)

    def get_joint_velocity(self, env: Env, joint_handle: int) -> float:
        """[rad/s] or [m/s]; 0 of a fixed joint."""
        dof = _dof_of(env, joint_handle)
        return 0.0 if dof == INVALID_HANDLE else self.get_dof_velocity(env, dof)

    def get_joint_target_position(self, env: Env, joint_handle: int) -> float:
        """As `get_dof_target_position`."""
        return self.get_dof_target_position(env, _moving(env, joint_handle))

    def get_joint_target_velocity(self, env: Env, joint_handle: int) -> float:
        """As `get_dof_target_velocity`."""
        return self.get_dof_target_velocity(env, _moving(env, joint_handle))

    def set_joint_target_position(self, env: Env, joint_handle: int, target: float) -> None:
        """As `set_dof_target_position`."""
        self.set_dof_target_position(env, _moving(env, joint_handle), target)

    def set_joint_target_velocity(self, env: Env, joint_handle: int, target: float) -> None:
        """As `set_dof_target_velocity`."""
        self.set_dof_target_velocity(env, _moving(env, joint_handle), target)


def _counts(env: Env) -> list[int]:
    return [actor.counts.joints for actor in env.actors]


def _joint(env: Env, handle: int) -> tuple[int, str]:
    """The actor that a joint belongs to, and the joint's name."""
    actor, index = located(env, "joint", handle, _counts(env))
    return actor, env.actors[actor].asset.robot.all_joints[index][0]


def _dof_of(env: Env, handle: int) -> int:
    """Handle of the DOF that a joint is, INVALID_HANDLE if it is fixed."""
    actor, name = _joint(env, handle)
    index = index_in(env.actors[actor].asset.robot.dof_names, name)
    return index if index == INVALID_HANDLE else env.dofs_of(actor).start + index


def _moving(env: Env, handle: int) -> int:
    """Handle of the DOF that a joint is."""
    dof = _dof_of(env, handle)
    if dof == INVALID_HANDLE:
        raise ValueError(f"joint '{_joint(env, handle)[1]}' of env {env.index} is fixed, so it has no target")
    return dof
