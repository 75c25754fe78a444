"""The gym's calls on states as numpy arrays and records. They copy all envs' states: for set-up and debugging.

Before `prepare_sim` they read and write the states that the simulation begins with.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike

from isaacgym.actors import Env
from isaacgym.assets import kinematics
from isaacgym.assets.notices import counted
from isaacgym.engine.state import STATE_WIDTH
from isaacgym.gym_lookups import actor_of
from isaacgym.gym_types import INVALID_HANDLE, DofFrame, Quat, StateFlags, Transform, Vec3
from isaacgym.simulation import Simulation


class Velocity:
    """Linear [m/s] and angular [rad/s] velocity, world axes."""

    dtype = np.dtype([("linear", Vec3.dtype), ("angular", Vec3.dtype)])


class RigidBodyState:
    """Pose of a body's origin, velocity of its centre of mass, as in a row of the rigid body state tensor."""

    dtype = np.dtype([("pose", Transform.dtype), ("vel", Velocity.dtype)])


class DofState:
    """Position [rad] or [m] and velocity."""

    dtype = np.dtype([("pos", "<f4"), ("vel", "<f4")])


class HostStateCalls:
    """Mixin of `gymapi.Gym`. Parts of a state that `flags` leaves out read as zero and are not written."""

    # ---- bodies --------------------------------------------------------------------------------------------------

    def get_actor_rigid_body_states(self, env: Env, actor: int, flags: StateFlags) -> np.ndarray:
        """(num_bodies,) of RigidBodyState.dtype, after the last `simulate`."""
        actor_of(env, actor)
        return _as_records(_body_states(env)[env.bodies_of(actor)], flags)

    def get_env_rigid_body_states(self, env: Env, flags: StateFlags) -> np.ndarray:
        """As `get_actor_rigid_body_states`, of all actors."""
        return _as_records(_body_states(env), flags)

    def get_sim_rigid_body_states(self, sim: Simulation, flags: StateFlags) -> np.ndarray:
        """As `get_actor_rigid_body_states`, of all envs."""
        if sim.engine is None:
            return _as_records(np.concatenate([_body_states(env) for env in sim.envs]), flags)
        return _as_records(_all_body_states(sim).reshape(-1, STATE_WIDTH), flags)

    def set_actor_rigid_body_states(self, env: Env, actor: int, states: np.ndarray, flags: StateFlags) -> bool:
        """(num_bodies,) of RigidBodyState.dtype: the root gets its body's state, and the DOFs what the bodies mean."""
        _set_body_states(env, actor, states, flags)
        return True

    def set_sim_rigid_body_states(self, sim: Simulation, states: np.ndarray, flags: StateFlags) -> bool:
        """As `set_actor_rigid_body_states`, of all actors of all envs."""
        first = 0
        total = sum(len(actor.asset.robot.bodies) for env in sim.envs for actor in env.actors)
        if len(states) != total:
            raise ValueError(f"the simulation has {counted(total, 'body')}, got {counted(len(states), 'state')}")
        for env in sim.envs:
            for actor in range(len(env.actors)):
                count = len(env.actors[actor].asset.robot.bodies)
                _set_body_states(env, actor, states[first : first + count], flags)
                first += count
        return True

    def get_rigid_handle(self, env: Env, actor_name: str, body_name: str) -> int:
        """Index in the env of a body of the actor of this name, INVALID_HANDLE if there is none."""
        handle = self.find_actor_handle(env, actor_name)  # type: ignore[attr-defined]  # of LookupCalls
        if handle == INVALID_HANDLE:
            return INVALID_HANDLE
        found: int = self.find_actor_rigid_body_handle(env, handle, body_name)  # type: ignore[attr-defined]
        return found

    def get_rigid_transform(self, env: Env, handle: int) -> Transform:
        """Pose in the env of body number `handle` of the env."""
        row = _body_states(env)[int(handle)]
        return Transform(Vec3(*row[:3]), Quat(*row[3:7]))

    def get_rigid_linear_velocity(self, env: Env, handle: int) -> Vec3:
        """Of the centre of mass [m/s]."""
        return Vec3(*_body_states(env)[int(handle), 7:10])

    def get_rigid_angular_velocity(self, env: Env, handle: int) -> Vec3:
        """[rad/s]."""
        return Vec3(*_body_states(env)[int(handle), 10:13])

    # ---- DOFs ----------------------------------------------------------------------------------------------------

    def get_actor_dof_states(self, env: Env, actor: int, flags: StateFlags) -> np.ndarray:
        """(num_dofs,) of DofState.dtype."""
        values = _dof_states(env, actor)
        rows = np.ascontiguousarray(values, dtype=np.float32).view(DofState.dtype)[:, 0]
        if not flags & StateFlags.STATE_POS:
            rows["pos"] = 0.0
        if not flags & StateFlags.STATE_VEL:
            rows["vel"] = 0.0
        return rows

    def set_actor_dof_states(self, env: Env, actor: int, states: np.ndarray, flags: StateFlags) -> bool:
        """states: (num_dofs,) of DofState.dtype. The DOF state tensor shows them after its next refresh."""
        values, states = _dof_states(env, actor), np.asarray(states)
        if states.dtype.names != DofState.dtype.names:
            raise TypeError(
                f"set_actor_dof_states takes an array of gymapi.DofState.dtype, as get_actor_dof_states gives, got an "
                f"array of {states.dtype}"
            )
        if len(states) != len(values):
            name, given = env.actors[actor].name, counted(len(states), "state")
            raise ValueError(f"actor '{name}' has {counted(len(values), 'DOF')}, got {given}")
        if flags & StateFlags.STATE_POS:
            values[:, 0] = states["pos"]
        if flags & StateFlags.STATE_VEL:
            values[:, 1] = states["vel"]
        _set_dof_states(env, actor, values)
        return True

    def get_dof_frame(self, env: Env, handle: int) -> DofFrame:
        """Of DOF number `handle` of the env, after the last `simulate`."""
        index = int(handle)
        for actor, robot in enumerate(env.actors):
            dofs = robot.asset.robot.dofs
            if index < len(dofs):
                joint = dofs[index]
                row = _body_states(env)[env.bodies_of(actor)][joint.body]
                pose = Transform(Vec3(*row[:3]), Quat(*row[3:7]))
                anchor = Vec3(*(robot.scale * np.array(joint.anchor)))
                return DofFrame(pose.transform_point(anchor), pose.transform_vector(Vec3(*joint.axis)))
            index -= len(dofs)
        raise IndexError(f"env {env.index} has no DOF {int(handle)}")

    def set_actor_dof_position_targets(self, env: Env, actor: int, targets: ArrayLike) -> bool:
        """(num_dofs,) [rad] or [m], of DOFs in POS mode; see `set_dof_position_target_tensor`."""
        _set_targets(env, actor, targets, "position_targets")
        return True

    def set_actor_dof_velocity_targets(self, env: Env, actor: int, targets: ArrayLike) -> bool:
        """(num_dofs,) [rad/s] or [m/s], of DOFs in VEL mode; see `set_dof_velocity_target_tensor`."""
        _set_targets(env, actor, targets, "velocity_targets")
        return True

    def get_actor_dof_position_targets(self, env: Env, actor: int) -> np.ndarray:
        """(num_dofs,), as set last."""
        return actor_of(env, actor).position_targets.copy()

    def get_actor_dof_velocity_targets(self, env: Env, actor: int) -> np.ndarray:
        """(num_dofs,), as set last."""
        return actor_of(env, actor).velocity_targets.copy()


def _body_states(env: Env) -> np.ndarray:
    """(bodies of the env, 13) in the env."""
    if env.sim.engine is not None:
        return _all_body_states(env.sim)[env.place("bodies", slice(0, env.counts.bodies))]
    states = []
    for actor in env.actors:
        root = np.array([*actor.pose.p, *actor.pose.r])
        rows = np.zeros((len(actor.mass), STATE_WIDTH))
        rows[:, :7] = kinematics.body_poses(actor.robot, root, actor.dof_states[:, 0])
        states.append(rows)
    return np.concatenate(states)


def _all_body_states(sim: Simulation) -> np.ndarray:
    """(worlds, bodies of a world, 13) in the envs."""
    states = torch.zeros(sim.body_states.shape, device=sim.device).view(sim.num_worlds, -1, STATE_WIDTH)
    sim.read_body_states(states)
    return states.cpu().numpy()


def _as_records(states: np.ndarray, flags: StateFlags) -> np.ndarray:
    rows = np.array(states, dtype=np.float32, order="C").view(RigidBodyState.dtype)[:, 0]
    if not flags & StateFlags.STATE_POS:
        rows["pose"] = (Vec3()[:], Quat()[:])
    if not flags & StateFlags.STATE_VEL:
        rows["vel"] = 0.0
    return rows


def _set_body_states(env: Env, actor: int, states: np.ndarray, flags: StateFlags) -> None:
    robot, sim = actor_of(env, actor), env.sim
    rows = np.ascontiguousarray(states).view("<f4").reshape(-1, STATE_WIDTH).astype(float)
    if len(rows) != len(robot.mass):
        raise ValueError(
            f"actor '{robot.name}' has {counted(len(robot.mass), 'body')}, got {counted(len(rows), 'state')}"
        )
    given = np.zeros(STATE_WIDTH, dtype=bool)
    given[:7], given[7:] = bool(flags & StateFlags.STATE_POS), bool(flags & StateFlags.STATE_VEL)
    dofs = _dof_states(env, actor)
    columns = [bool(flags & StateFlags.STATE_POS), bool(flags & StateFlags.STATE_VEL)]
    dofs[:, columns] = kinematics.dof_states(robot.robot, rows)[:, columns]
    _set_dof_states(env, actor, dofs)
    if sim.engine is None:
        if flags & StateFlags.STATE_POS:
            robot.pose = Transform(Vec3(*rows[0, :3]), Quat(*rows[0, 3:7]))
        return
    roots = torch.zeros_like(sim.root_states)
    sim.read_root_states(roots)
    row = env.before.actors + int(actor)
    roots[row, torch.from_numpy(given)] = torch.from_numpy(rows[0, given]).float().to(sim.device)
    sim.set_root_states(roots, actor_ids(sim, row))


def actor_ids(sim: Simulation, row: int) -> torch.Tensor:
    """What the simulation's setters take for one actor, whose row in the root tensor is given."""
    return torch.tensor([row], dtype=torch.int32, device=sim.device)


def _dof_states(env: Env, actor: int) -> np.ndarray:
    """A copy, (num_dofs, 2)."""
    robot, sim = actor_of(env, actor), env.sim
    if sim.engine is None:
        return robot.dof_states.copy()
    states = torch.zeros(sim.dof_states.shape, device=sim.device).view(sim.num_worlds, -1, 2)
    sim.engine.read_dof_states(states)
    return states[env.place("dofs", env.dofs_of(actor))].cpu().numpy()


def _set_dof_states(env: Env, actor: int, values: np.ndarray) -> None:
    robot, sim = actor_of(env, actor), env.sim
    if sim.engine is None:
        robot.dof_states = values.astype(np.float32)
        return
    states = torch.zeros(sim.dof_states.shape, device=sim.device).view(sim.num_worlds, -1, 2)
    states[env.place("dofs", env.dofs_of(actor))] = torch.from_numpy(values).float().to(sim.device)
    sim.set_dof_states(states, actor_ids(sim, env.before.actors + int(actor)))


def _set_targets(env: Env, actor: int, targets: ArrayLike, name: str) -> None:
    robot, sim = actor_of(env, actor), env.sim
    values = np.array(targets, dtype=np.float32).reshape(-1)
    if len(values) != len(robot.dof_properties):
        own, given = counted(len(robot.dof_properties), "DOF"), counted(len(values), "target")
        raise ValueError(f"actor '{robot.name}' has {own}, got {given}")
    setattr(robot, name, values)
    if sim.engine is not None:
        targets = torch.zeros_like(sim.dof_targets)
        targets[env.place("dofs", env.dofs_of(actor))] = torch.from_numpy(values).to(sim.device)
        sim.send_targets(name, targets, actor_ids(sim, env.before.actors + int(actor)))
