"""The gym's calls on tensors: views of the simulation's state, refreshed on demand, and setters that copy."""

from __future__ import annotations

import torch

from isaacgym import snapshot
from isaacgym.assets.notices import counted
from isaacgym.engine.state import STATE_WIDTH
from isaacgym.gym_dynamics import DynamicsCalls
from isaacgym.gym_types import CoordinateSpace, DofDriveMode, Tensor
from isaacgym.simulation import Simulation
from isaacgym.torch_utils import quat_apply


class TensorCalls(DynamicsCalls):
    """Mixin of `gymapi.Gym`."""

    def acquire_actor_root_state_tensor(self, sim: Simulation) -> Tensor:
        """(num_actors, 13): position in the env, quaternion xyzw, velocity of the centre of mass, angular velocity.

        The actors of the first env come first, in the order of their creation, then those of the second, and so on.
        Axes are those of the world. That positions count from the env's origin is unverified, but callers that give
        envs different origins set the same positions in all of them.
        """
        return Tensor(sim.root_states)

    def acquire_dof_state_tensor(self, sim: Simulation) -> Tensor:
        """(num_envs · num_dofs, 2): position and velocity."""
        return Tensor(sim.dof_states)

    def acquire_rigid_body_state_tensor(self, sim: Simulation) -> Tensor:
        """(num_envs · num_bodies, 13), laid out as the root states."""
        return Tensor(sim.body_states)

    def acquire_net_contact_force_tensor(self, sim: Simulation) -> Tensor:
        """(num_envs · num_bodies, 3) [N], world axes."""
        return Tensor(sim.contact_forces)

    def refresh_actor_root_state_tensor(self, sim: Simulation) -> bool:
        """States as they are now, those set since the last `simulate` included."""
        sim.read_root_states(sim.root_states)
        return True

    def refresh_dof_state_tensor(self, sim: Simulation) -> bool:
        """Positions and velocities as they are now, those set since the last `simulate` included."""
        sim.running.read_dof_states(sim.dof_states.view(sim.num_worlds, -1, 2))
        return True

    def refresh_rigid_body_state_tensor(self, sim: Simulation) -> bool:
        """Poses after the last `simulate`; a state set since then shows after the next one."""
        sim.read_body_states(sim.body_states.view(sim.num_worlds, -1, 13))
        return True

    def refresh_net_contact_force_tensor(self, sim: Simulation) -> bool:
        """Forces of the last `simulate`."""
        sim.contact_forces.copy_(sim.running.contact_forces.view(-1, 3))
        return True

    def set_actor_root_state_tensor(self, sim: Simulation, states: Tensor) -> bool:
        """All roots at once, laid out as `acquire_actor_root_state_tensor` says."""
        sim.set_root_states(self._values(states, sim.root_states))
        return True

    def set_actor_root_state_tensor_indexed(
        self, sim: Simulation, states: Tensor, actor_indices: Tensor, count: int
    ) -> bool:
        """Rows `actor_indices` (int32) of the full tensor; here, indices below 0 are skipped."""
        values = self._values(states, sim.root_states)
        sim.set_root_states(values, self._indices(sim, actor_indices, count))
        return True

    def set_dof_state_tensor(self, sim: Simulation, states: Tensor) -> bool:
        """All DOFs at once, laid out as `acquire_dof_state_tensor` says."""
        sim.running.set_dof_states(self._values(states, sim.dof_states).view(sim.num_worlds, -1, 2))
        return True

    def set_dof_state_tensor_indexed(self, sim: Simulation, states: Tensor, actor_indices: Tensor, count: int) -> bool:
        """All DOFs of the actors `actor_indices` (int32), from the full tensor; here, indices below 0 are skipped."""
        values = self._values(states, sim.dof_states).view(sim.num_worlds, -1, 2)
        sim.running.set_dof_states(values, self._indices(sim, actor_indices, count))
        return True

    def set_dof_actuation_force_tensor(self, sim: Simulation, forces: Tensor) -> bool:
        """Torques [N·m] or forces [N] of all DOFs, copied; they act until set again, on DOFs in EFFORT mode only.

        They are not clipped to the DOF property `effort`, which bounds drives; legged_gym clips its torques itself.
        """
        torques, given = sim.running.torques, _unwrapped(forces)
        if given.numel() != torques.numel():
            raise ValueError(f"expected {torques.numel()} joint torques, got a tensor of shape {tuple(given.shape)}")
        sim.set_torques(given.view(torques.shape))
        return True

    def set_dof_actuation_force_tensor_indexed(
        self, sim: Simulation, forces: Tensor, actor_indices: Tensor, count: int
    ) -> bool:
        """All DOFs of the actors `actor_indices` (int32), from the full tensor."""
        ids = self._indices(sim, actor_indices, count)
        values = self._values(forces, sim.dof_targets)
        sim.set_torques(torch.where(sim.dofs_of(ids), values, sim.running.torques))
        return True

    def set_dof_position_target_tensor(self, sim: Simulation, targets: Tensor) -> bool:
        """(num_envs · num_dofs) [rad] or [m], copied; kept until set again, 0 at first. For DOFs in POS mode only.

        The drive's force is stiffness · (target - position) - damping · velocity, clipped to the property `effort`,
        with position and velocity at the end of each sub-step (`isaacgym.engine.drives`).
        """
        sim.running.set_targets(self._values(targets, sim.dof_targets), None)
        sim.warn_if_idle("position targets", DofDriveMode.DOF_MODE_POS)
        return True

    def set_dof_position_target_tensor_indexed(
        self, sim: Simulation, targets: Tensor, actor_indices: Tensor, count: int
    ) -> bool:
        """All DOFs of the actors `actor_indices` (int32), from the full tensor."""
        ids = self._indices(sim, actor_indices, count)
        sim.running.set_targets(self._values(targets, sim.dof_targets), None, ids)
        sim.warn_if_idle("position targets", DofDriveMode.DOF_MODE_POS)
        return True

    def set_dof_velocity_target_tensor(self, sim: Simulation, targets: Tensor) -> bool:
        """(num_envs · num_dofs) [rad/s] or [m/s], copied; kept until set again, 0 at first. For DOFs in VEL mode only.

        The drive's force is damping · (target - velocity), clipped to the property `effort`; stiffness is not used.
        """
        sim.running.set_targets(None, self._values(targets, sim.dof_targets))
        sim.warn_if_idle("velocity targets", DofDriveMode.DOF_MODE_VEL)
        return True

    def set_dof_velocity_target_tensor_indexed(
        self, sim: Simulation, targets: Tensor, actor_indices: Tensor, count: int
    ) -> bool:
        """All DOFs of the actors `actor_indices` (int32), from the full tensor."""
        ids = self._indices(sim, actor_indices, count)
        sim.running.set_targets(None, self._values(targets, sim.dof_targets), ids)
        sim.warn_if_idle("velocity targets", DofDriveMode.DOF_MODE_VEL)
        return True

    def apply_rigid_body_force_tensors(
        self,
        sim: Simulation,
        forceTensor: Tensor | None = None,
        torqueTensor: Tensor | None = None,
        space: CoordinateSpace = CoordinateSpace.ENV_SPACE,
    ) -> bool:
        """Forces [N] at the bodies' centres of mass and torques [N·m], for the next `simulate` only; copied.

        LOCAL_SPACE means the axes of each body at the start of that `simulate`, the others those of the world.
        """
        shape = (sim.num_worlds, -1, 3)
        forces, torques = (
            None if t is None else self._values(t, sim.contact_forces).view(shape) for t in (forceTensor, torqueTensor)
        )
        sim.running.apply_body_forces(forces, torques, local=space == CoordinateSpace.LOCAL_SPACE)
        return True

    def apply_rigid_body_force_at_pos_tensors(
        self,
        sim: Simulation,
        forceTensor: Tensor | None = None,
        posTensor: Tensor | None = None,
        space: CoordinateSpace = CoordinateSpace.ENV_SPACE,
    ) -> bool:
        """Forces [N] at points [m], (num_envs · num_bodies, 3) each, for the next `simulate` only; copied.

        ENV_SPACE: points count from the env's origin; GLOBAL_SPACE: from the world's; LOCAL_SPACE: from the body's
        origin, with points and forces along its axes. Without points, as `apply_rigid_body_force_tensors`. Where
        bodies are is taken from after the last `simulate`.
        """
        if forceTensor is None or posTensor is None:
            return self.apply_rigid_body_force_tensors(sim, forceTensor, None, space)
        shape = (sim.num_worlds, -1, 3)
        forces, points = (self._values(t, sim.contact_forces).view(shape) for t in (forceTensor, posTensor))
        is_local = space == CoordinateSpace.LOCAL_SPACE
        centers = sim.running.body_com
        if not is_local:
            states = torch.empty(*forces.shape[:2], STATE_WIDTH, device=sim.device)
            read = sim.read_body_states_w if space == CoordinateSpace.GLOBAL_SPACE else sim.read_body_states
            read(states)
            centers = states[..., :3] + quat_apply(states[..., 3:7], centers)
        sim.running.apply_body_forces(forces, torch.linalg.cross(points - centers, forces), local=is_local)
        return True

    @staticmethod
    def _values(given: Tensor, expected: torch.Tensor) -> torch.Tensor:
        tensor = _unwrapped(given)
        if tensor.numel() != expected.numel() or tensor.dtype != expected.dtype or tensor.device != expected.device:
            raise ValueError(
                f"expected a tensor of shape {tuple(expected.shape)}, {expected.dtype} on {expected.device}; "
                f"got {tuple(tensor.shape)}, {tensor.dtype} on {tensor.device}"
            )
        return tensor.view(expected.shape)

    @staticmethod
    def _indices(sim: Simulation, given: Tensor, count: int) -> torch.Tensor:
        tensor, device = _unwrapped(given), torch.device(sim.device)
        if tensor.dtype != torch.int32:
            raise ValueError(f"actor indices must be int32, got {tensor.dtype}; call .to(torch.int32)")
        if tensor.device != device:
            raise ValueError(f"actor indices must be on {device}, the simulation's device, got {tensor.device}")
        indices, num_actors = tensor.view(-1)[:count], len(sim.root_states)
        if device.type != "cpu" or torch.compiler.is_compiling() or len(indices) == 0:
            return indices  # a GPU would have to wait
        if (highest := indices.numpy().max()) >= num_actors:
            raise IndexError(
                f"actor index {highest}: the simulation has {counted(num_actors, 'actor')}, counted from 0; "
                "indices count actors of all envs, gym.get_actor_index(env, actor, gymapi.DOMAIN_SIM)"
            )
        return indices

    def set_actor_rigid_shape_material_tensors(self, sim: Simulation, friction: Tensor, restitution: Tensor) -> bool:
        """Not in Isaac Gym: friction and restitution of every shape of each env's robot, (num_envs,) each.

        Takes the place of one `set_actor_rigid_shape_properties` per env. Values are copied.
        """
        sim.running.set_material(friction.tensor, restitution.tensor)
        return True

    def get_overflow_count_tensor(self, sim: Simulation) -> Tensor:
        """Not in Isaac Gym: what there was no room for in all steps since the start, 0-d integer.

        Contacts, or, with MuJoCo's solver, steps of envs that had too many.
        """
        return Tensor(sim.running.overflow_count())

    def assume_changes(self, sim: Simulation) -> None:
        """Not in Isaac Gym: have the next `simulate` look at all that a setter may have changed.

        A caller who records `simulate` as a CUDA graph starts with it, and each replay with `begin_replay`. It is for
        replays of a graph that holds setters, too.
        """
        sim.running.state_changed()

    def begin_replay(self, sim: Simulation, num_simulate: int) -> None:
        """Not in Isaac Gym: what `simulate` does on the host, for a graph that holds `num_simulate` calls of it."""
        sim.prepare_step(num_simulate)

    def get_sim_snapshot(self, sim: Simulation) -> dict[str, torch.Tensor]:
        """Not in Isaac Gym: all of the simulation's state, copied to the host, for an exact continuation."""
        return snapshot.save(sim)

    def set_sim_snapshot(self, sim: Simulation, state: dict[str, torch.Tensor]) -> None:
        """Not in Isaac Gym: take over a snapshot of a simulation of the same envs; else a ValueError."""
        snapshot.load(sim, state)


def _unwrapped(given: Tensor) -> torch.Tensor:
    if not isinstance(given, Tensor):
        raise TypeError(f"expected a gym tensor, gymtorch.unwrap_tensor(tensor), got {type(given).__name__}")
    return given.tensor
