"""The gym's calls on the state of one actor as a numpy array. They copy all envs' states: for set-up and debugging."""

from __future__ import annotations

import numpy as np
import torch

from isaacgym.engine.engine import Engine
from isaacgym.engine.state import STATE_WIDTH
from isaacgym.gym_lookups import actor_of
from isaacgym.gym_types import Quat, StateFlags, Transform, Vec3
from isaacgym.simulation import Env


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

    def get_actor_rigid_body_states(self, env: Env, actor: int, flags: StateFlags) -> np.ndarray:
        """(num_bodies,) of RigidBodyState.dtype, after the last `simulate`."""
        engine, num_bodies = _engine(env, actor), len(env.actors[actor].com)
        states = torch.zeros(engine.num_worlds, num_bodies, STATE_WIDTH, device=engine.device)
        env.sim.read_body_states(states)
        rows = states[env.index].cpu().numpy().view(RigidBodyState.dtype)[:, 0]
        if not flags & StateFlags.STATE_POS:
            rows["pose"] = (Vec3()[:], Quat()[:])
        if not flags & StateFlags.STATE_VEL:
            rows["vel"] = 0.0
        return rows

    def get_actor_dof_states(self, env: Env, actor: int, flags: StateFlags) -> np.ndarray:
        """(num_dofs,) of DofState.dtype."""
        rows = _all_dof_states(_engine(env, actor))[env.index].cpu().numpy()
        rows = rows.view(DofState.dtype)[:, 0]
        if not flags & StateFlags.STATE_POS:
            rows["pos"] = 0.0
        if not flags & StateFlags.STATE_VEL:
            rows["vel"] = 0.0
        return rows

    def set_actor_dof_states(self, env: Env, actor: int, states: np.ndarray, flags: StateFlags) -> bool:
        """states: (num_dofs,) of DofState.dtype. The DOF state tensor shows them after its next refresh."""
        engine = _engine(env, actor)
        values = _all_dof_states(engine)
        rows = values[env.index]
        if len(states) != len(rows):
            raise ValueError(f"actor '{env.actors[actor].name}' has {len(rows)} DOFs, got {len(states)} states")
        if flags & StateFlags.STATE_POS:
            rows[:, 0] = torch.as_tensor(np.array(states["pos"]))
        if flags & StateFlags.STATE_VEL:
            rows[:, 1] = torch.as_tensor(np.array(states["vel"]))
        engine.set_dof_states(values, torch.tensor([env.index], dtype=torch.int32, device=engine.device))
        return True


def _engine(env: Env, actor: int) -> Engine:
    actor_of(env, actor)
    return env.sim.running


def _all_dof_states(engine: Engine) -> torch.Tensor:
    states = torch.zeros(engine.num_worlds, len(engine.robot.dofs), 2, device=engine.device)
    engine.read_dof_states(states)
    return states
