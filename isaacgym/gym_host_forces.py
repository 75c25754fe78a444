"""The gym's calls that push single bodies and joints, or set them, without tensors: for set-up, debugging and demos.

Forces act during the next `simulate` only, and add up with what tensors set. Handles are indices in the env.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike

from isaacgym.actors import Env
from isaacgym.assets.notices import counted
from isaacgym.gym_host_states import DofState, HostStateCalls, actor_ids
from isaacgym.gym_lookups import LookupCalls, actor_of
from isaacgym.gym_types import (
    CoordinateSpace,
    DofFrame,
    Quat,
    StateFlags,
    Transform,
    Vec3,
)
from isaacgym.simulation import Simulation


class HostForceCalls(HostStateCalls, LookupCalls):
    """Mixin of `gymapi.Gym`."""

    # ---- forces ----------------------------------------------------------------------------------------------------

    def apply_actor_dof_efforts(self, env: Env, actor: int, efforts: ArrayLike) -> bool:
        """(num_dofs,) [N·m] or [N], on DOFs in EFFORT mode."""
        values = np.array(efforts, dtype=np.float32).reshape(-1)
        if len(values) != len(actor_of(env, actor).dof_properties):
            raise ValueError(
                f"actor '{env.actors[actor].name}' has {counted(len(env.actors[actor].dof_properties), 'DOF')}, "
                f"got {counted(len(values), 'effort')}"
            )
        env.sim.stage_efforts(env, env.dofs_of(actor), values)
        return True

    def apply_dof_effort(self, env: Env, dof_handle: int, effort: float) -> bool:
        """[N·m] or [N], on a DOF in EFFORT mode."""
        _dof(env, dof_handle)  # is there
        here = slice(int(dof_handle), int(dof_handle) + 1)
        env.sim.stage_efforts(env, here, np.array([effort], dtype=np.float32))
        return True

    def apply_body_forces(
        self,
        env: Env,
        rigidHandle: int,
        force: Vec3 | None = None,
        torque: Vec3 | None = None,
        space: CoordinateSpace = CoordinateSpace.ENV_SPACE,
    ) -> bool:
        """Force [N] at the centre of mass and torque [N·m] on a body; LOCAL_SPACE: along its axes, else the world's."""
        pose = self.get_rigid_transform(env, rigidHandle)
        wrench = [Vec3() if part is None else Vec3(*part) for part in (force, torque)]
        if CoordinateSpace(space) == CoordinateSpace.LOCAL_SPACE:
            wrench = [pose.transform_vector(part) for part in wrench]
        env.sim.stage_wrench(env, int(rigidHandle), np.array([[*part] for part in wrench], dtype=np.float32))
        return True

    def apply_body_force_at_pos(
        self,
        env: Env,
        rigidHandle: int,
        force: Vec3,
        pos: Vec3,
        space: CoordinateSpace = CoordinateSpace.ENV_SPACE,
    ) -> bool:
        """As `apply_rigid_body_force_at_pos_tensors`, on one body. Where it is is taken from the last `simulate`."""
        pose, space = self.get_rigid_transform(env, rigidHandle), CoordinateSpace(space)
        actor, body = _body(env, rigidHandle)
        force, point = Vec3(*force), Vec3(*pos)
        if space == CoordinateSpace.LOCAL_SPACE:
            force, point = pose.transform_vector(force), pose.transform_point(point)
        elif space == CoordinateSpace.GLOBAL_SPACE:
            point = point - Vec3(*env.origin)
        arm = point - pose.transform_point(Vec3(*env.actors[actor].com[body]))
        return self.apply_body_forces(env, rigidHandle, force, arm.cross(force))

    # ---- roots -----------------------------------------------------------------------------------------------------

    def set_rigid_transform(self, env: Env, rigidHandle: int, transform: Transform) -> None:
        """Pose in the env of an actor's root; other bodies are where the joints put them."""
        _set_root(env, rigidHandle, slice(0, 7), [*transform.p, *transform.r])

    def set_rigid_linear_velocity(self, env: Env, rigidHandle: int, velocity: Vec3) -> None:
        """Of the centre of mass of an actor's root [m/s]; after `prepare_sim`."""
        _set_root(env, rigidHandle, slice(7, 10), [*velocity])

    def set_rigid_angular_velocity(self, env: Env, rigidHandle: int, velocity: Vec3) -> None:
        """Of an actor's root [rad/s], world axes; after `prepare_sim`."""
        _set_root(env, rigidHandle, slice(10, 13), [*velocity])

    def set_env_rigid_body_states(self, env: Env, states: np.ndarray, flags: StateFlags) -> bool:
        """As `set_actor_rigid_body_states`, of all actors of the env."""
        total = sum(len(actor.mass) for actor in env.actors)
        if len(states) != total:
            raise ValueError(f"env {env.index} has {counted(total, 'body')}, got {counted(len(states), 'state')}")
        for actor in range(len(env.actors)):
            self.set_actor_rigid_body_states(env, actor, states[env.bodies_of(actor)], flags)
        return True

    # ---- joints ----------------------------------------------------------------------------------------------------

    def get_dof_position(self, env: Env, dof_handle: int) -> float:
        """[rad] or [m]."""
        return float(self._dof_state(env, dof_handle)["pos"])

    def get_dof_velocity(self, env: Env, dof_handle: int) -> float:
        """[rad/s] or [m/s]."""
        return float(self._dof_state(env, dof_handle)["vel"])

    def get_dof_target_position(self, env: Env, dof_handle: int) -> float:
        """As set last without tensors."""
        actor, index = _dof(env, dof_handle)
        return float(env.actors[actor].position_targets[index])

    def get_dof_target_velocity(self, env: Env, dof_handle: int) -> float:
        """As set last without tensors."""
        actor, index = _dof(env, dof_handle)
        return float(env.actors[actor].velocity_targets[index])

    def set_dof_target_position(self, env: Env, dof_handle: int, target: float) -> None:
        """[rad] or [m], of a DOF in POS mode; the actor's other targets are those set last without tensors."""
        actor, index = _dof(env, dof_handle)
        targets = env.actors[actor].position_targets.copy()
        targets[index] = target
        self.set_actor_dof_position_targets(env, actor, targets)

    def set_dof_target_velocity(self, env: Env, dof_handle: int, target: float) -> None:
        """[rad/s] or [m/s], of a DOF in VEL mode; as `set_dof_target_position`."""
        actor, index = _dof(env, dof_handle)
        targets = env.actors[actor].velocity_targets.copy()
        targets[index] = target
        self.set_actor_dof_velocity_targets(env, actor, targets)

    def _dof_state(self, env: Env, dof_handle: int) -> np.ndarray:
        actor, index = _dof(env, dof_handle)
        states = self.get_actor_dof_states(env, actor, StateFlags.STATE_ALL)
        row: np.ndarray = states.view(DofState.dtype)[index]
        return row

    def get_actor_dof_frames(self, env: Env, actor: int) -> np.ndarray:
        """(num_dofs,) of DofFrame.dtype, as `get_dof_frame`."""
        first = env.dofs_of(actor).start
        count = len(actor_of(env, actor).dof_properties)
        frames = [self.get_dof_frame(env, first + k) for k in range(count)]
        return np.array([(frame.origin[:], frame.axis[:]) for frame in frames], dtype=DofFrame.dtype)

    def get_actor_dof_forces(self, env: Env, actor: int) -> np.ndarray:
        """(num_dofs,) [N·m] or [N], as `refresh_dof_force_tensor`; 0 without `enable_actor_dof_force_sensors`."""
        actor_of(env, actor)
        return env.sim.host_dof_forces(*env.place("dofs", env.dofs_of(actor)))

    def get_env_rigid_contact_forces(self, env: Env) -> np.ndarray:
        """(bodies of the env,) of Vec3.dtype: net contact forces of the last `simulate` [N], world axes."""
        return _forces(env.sim)[env.place("bodies", slice(0, env.counts.bodies))]

    def get_rigid_contact_forces(self, sim: Simulation) -> np.ndarray:
        """As `get_env_rigid_contact_forces`, of all envs."""
        return _forces(sim).reshape(-1)

    def get_rigid_name(self, env: Env, rigidHandle: int) -> str:
        """Of the body with this handle in the env."""
        actor, body = _body(env, rigidHandle)
        return env.actors[actor].asset.robot.body_names[body]


def _body(env: Env, handle: int) -> tuple[int, int]:
    """The actor of body number `handle` of an env, and the body's index in it."""
    return located(env, "body", handle, [len(actor.mass) for actor in env.actors])


def _dof(env: Env, handle: int) -> tuple[int, int]:
    """The actor of DOF number `handle` of an env, and the DOF's index in it."""
    return located(env, "DOF", handle, [len(actor.dof_properties) for actor in env.actors])


def located(env: Env, what: str, handle: int, counts: list[int]) -> tuple[int, int]:
    """The actor, and the index in it, of number `handle` of the env, whose actors have `counts` of these."""
    index = int(handle)
    for actor, count in enumerate(counts):
        if 0 <= index < count:
            return actor, index
        index -= count
    raise IndexError(f"env {env.index} has no {what} {int(handle)}")


def _set_root(env: Env, handle: int, columns: slice, values: Sequence[float]) -> None:
    """Columns of the root state of the actor whose root is body number `handle` of the env."""
    number, body = _body(env, handle)
    actor, sim = env.actors[number], env.sim
    if body != 0:
        raise ValueError(
            f"body '{actor.asset.robot.body_names[body]}' of actor '{actor.name}' is moved by joints; set its root, "
            f"'{actor.asset.robot.body_names[0]}', or its DOF states"
        )
    if sim.engine is None:
        if columns.start > 0:
            raise RuntimeError("the simulation is not prepared; set velocities after prepare_sim")
        actor.pose = Transform(Vec3(*values[:3]), Quat(*values[3:]))
        return
    roots = torch.zeros_like(sim.root_states)
    sim.read_root_states(roots)
    row = env.before.actors + number
    roots[row, columns] = torch.tensor(values, device=sim.device)
    sim.set_root_states(roots, actor_ids(sim, row))


def _forces(sim: Simulation) -> np.ndarray:
    """(worlds, bodies of a world) of Vec3.dtype."""
    values = sim.running.contact_forces.cpu().numpy()
    return np.ascontiguousarray(values).view(Vec3.dtype)[..., 0].copy()
