"""Reading and writing the state of an engine's worlds, in the layouts of `isaacgym.engine.state`."""

from __future__ import annotations

import torch
import warp as wp
from torch import Tensor

from isaacgym.engine import state
from isaacgym.engine.launch import launch
from isaacgym.engine.mujoco import dynamics
from isaacgym.torch_utils import quat_apply


def listed(ids: Tensor, count: int) -> Tensor:
    """Which of 0 to count - 1 are among ids, (count,) bool; ids outside are skipped, and a GPU need not be waited for.

    ids: int32.
    """
    chosen = torch.zeros(count + 1, dtype=torch.bool, device=ids.device)
    chosen[torch.where((ids >= 0) & (ids < count), ids, count).long()] = True
    return chosen[:-1]


class StateCalls:
    """Mixin of `Engine`: states of bases, joints and bodies, forces on bodies, Jacobians and inertia matrices."""

    def set_root_states(self, states: Tensor, world_ids: Tensor | None = None) -> None:
        """Pose and centre-of-mass velocity of the base. states: (n, 13); world_ids: int32, None for all worlds.

        Ids below 0 are skipped. A fixed base moves to the pose; the velocity is ignored.
        """
        if self.fixed_base:
            ids = self._all_worlds if world_ids is None else world_ids
            rows = listed(ids, self.num_worlds)[:, None]
            pos, quat = (wp.to_torch(places)[:, 1] for places in (self._model.body_pos, self._model.body_quat))
            pos.copy_(torch.where(rows, states[:, :3], pos))
            turns = torch.nn.functional.normalize(states[:, 3:7])
            quat.copy_(torch.where(rows, torch.roll(turns, 1, dims=1), quat))
            self._warmstart.masked_fill_(rows, 0.0)
            self._stale = True
            return
        ids = self._ids(world_ids)
        outputs = [self.qpos, self.qvel, self._warmstart]
        launch(state.write_root_states, ids.shape, [states, ids, self._body_com], outputs)
        self._stale = True

    def set_dof_states(self, states: Tensor, world_ids: Tensor | None = None) -> None:
        """Joint positions and velocities. states: (n, num_dofs, 2); world_ids: int32, None for all, below 0 skipped."""
        ids = self._ids(world_ids)
        dim, outputs = (len(ids), states.shape[1]), [self.qpos, self.qvel, self._warmstart]
        launch(state.write_dof_states, dim, [states, ids], outputs, (self._first_qpos, self._first_qvel))
        self._stale = True

    def dofs_of(self, actor_ids: Tensor) -> Tensor:
        """Which DOFs are those of some actors, broadcastable to (n, num_dofs), bool. actor_ids: int32."""
        return listed(actor_ids, self.num_worlds)[:, None]

    def _ids(self, world_ids: Tensor | None) -> Tensor:
        return self._all_worlds if world_ids is None else world_ids

    def apply_body_forces(self, forces: Tensor | None, torques: Tensor | None, local: bool) -> None:
        """Forces [N] and torques [N·m] at the centres of mass during the next step only, (n, num_bodies, 3) each.

        local: in the axes of each body, else of the world. Both are copied.
        """
        for own, given in ((self._staged_forces, forces), (self._staged_torques, torques)):
            own.copy_(torch.zeros_like(own) if given is None else given)
        self._staged_local.fill_(local)
        self._forces_staged = True

    def add_body_force(self, world: int, body: int, force: Tensor, torque: Tensor) -> None:
        """Beside what `apply_body_forces` left, at one body's centre of mass, world axes. force, torque: (3,)."""
        if self._forces_staged and bool(self._staged_local):
            w, *axis = self._body_quat[world, body + 1]
            turn = torch.stack([-axis[0], -axis[1], -axis[2], w])[None]
            force, torque = (quat_apply(turn, part[None])[0] for part in (force, torque))
        elif not self._forces_staged:
            self._staged_local.zero_()
        self._staged_forces[world, body] += force
        self._staged_torques[world, body] += torque
        self._forces_staged = True

    @property
    def body_com(self) -> Tensor:
        """Centre of mass of each body in its frame [m], (n, num_bodies, 3); a view."""
        return self._body_com[:, 1:]

    def read_root_states(self, out: Tensor) -> None:
        """out: (n, 13)."""
        if self.fixed_base:
            out.zero_()
            out[:, :3] = wp.to_torch(self._model.body_pos)[:, 1]
            out[:, 3:7] = torch.roll(wp.to_torch(self._model.body_quat)[:, 1], -1, dims=1)
            return
        inputs = [self.qpos, self.qvel, self._body_com]
        launch(state.read_root_states, (self.num_worlds,), inputs, [out.view(-1, 1, 13)])

    def read_dof_states(self, out: Tensor) -> None:
        """out: (n, num_dofs, 2)."""
        torch.stack((self.qpos[:, self._dof_qpos], self.qvel[:, self._dof_qvel]), dim=2, out=out)

    def read_body_states(self, out: Tensor) -> None:
        """States after the last step; a reset shows after the next one. out: (n, num_bodies, 13)."""
        launch(state.read_body_states, out.shape[:2], self._body_motion, [out])

    def read_dof_forces(self, out: Tensor) -> None:
        """Actuation and drive forces of the last step. out: (n, num_dofs)."""
        out.copy_(self._applied)
        if self._drives is not None:
            out -= (
                self._drives.added_inertia * self._acceleration[:, self._dof_qvel]
            )  # drives act at the end of the step

    def read_jacobians(self, out: Tensor, actor: int = 0) -> None:
        """Of the current state. out: (n, links, 6, nv), without the base as a link if it is fixed. actor: 0."""
        self._update_inertia()
        with self._on_torch_stream():
            dynamics.link_jacobians(self._model, self._data, self.fixed_base, wp.from_torch(out))

    def read_inertia_matrices(self, out: Tensor, actor: int = 0) -> None:
        """Of the current state. out: (n, nv, nv). actor: 0."""
        self._update_inertia()
        with self._on_torch_stream():
            dynamics.inertia_matrices(self._model, self._data, self.fixed_base, wp.from_torch(out))
