"""MuJoCo Warp with several actors in each world, which have states, DOFs and limits of their own.

An actor's number is its row in Isaac Gym's root tensor: world · actors + its place in the world.
"""

from __future__ import annotations

from typing import NamedTuple

import mujoco
import numpy as np
import torch
import warp as wp
from torch import Tensor

from isaacgym.assets.scene import Scene
from isaacgym.engine.drives import DofParameters
from isaacgym.engine.engine import FREE_QVEL, Engine
from isaacgym.engine.launch import launch, launchable
from isaacgym.engine.mujoco import dynamics
from isaacgym.engine.options import EngineOptions
from isaacgym.engine.state import store_state
from isaacgym.engine.state_calls import listed

FIXED = -1  # in place of an address: the root has no coordinates


class ActorPart(NamedTuple):
    """Where an actor is in the model."""

    root: int  # MuJoCo's body
    bodies: slice  # rows of the gym's tensors of bodies
    dofs: slice
    first_velocity: int
    fixed: bool


class SceneEngine(Engine):
    """`Engine` with a `Scene` in each world. Where `Engine` takes numbers of worlds, this one takes numbers of actors.

    Bodies, DOFs and shapes of a world are those of its actors, one actor after the other.
    """

    robot: Scene

    def _find_dofs(self) -> None:
        model = self.mj_model
        hinges = np.flatnonzero(model.jnt_type != mujoco.mjtJoint.mjJNT_FREE)
        self._dof_qpos, self._dof_qvel = (of[hinges].astype(np.int64) for of in (model.jnt_qposadr, model.jnt_dofadr))
        self.fixed_base = any(root.fixed for root in self.robot.roots)
        roots = [index for index, body in enumerate(self.robot.bodies) if body.parent < 0]
        ends = [*roots[1:], len(self.robot.bodies)]
        self.parts: list[ActorPart] = []
        first_dof = first_velocity = 0
        for root, end, settings in zip(roots, ends, self.robot.roots, strict=True):
            count = sum(len(body.joints) for body in self.robot.bodies[root:end])
            dofs = slice(first_dof, first_dof + count)
            self.parts.append(ActorPart(root + 1, slice(root, end), dofs, first_velocity, settings.fixed))
            first_dof += count
            first_velocity += count + (0 if settings.fixed else FREE_QVEL)

    def _needs_drives(self, dofs: DofParameters) -> bool:
        """They take torques to where the DOFs are."""
        return dofs.mode.numel() > 0

    def _allocate(self, options: EngineOptions, dofs: DofParameters | None) -> None:
        super()._allocate(options, dofs)
        model, parts = self.mj_model, self.parts

        def table(values: list[int]) -> Tensor:
            return torch.tensor(values, dtype=torch.int32, device=self.device)

        def addresses(of_joint: np.ndarray) -> Tensor:
            return table([FIXED if part.fixed else of_joint[model.body_jntadr[part.root]] for part in parts])

        self._root_bodies = table([part.root for part in parts])
        self._root_qpos, self._root_qvel = addresses(model.jnt_qposadr), addresses(model.jnt_dofadr)
        self._dof_ends = table([0, *(part.dofs.stop for part in parts)])
        self._qpos_of, self._qvel_of = table(self._dof_qpos.tolist()), table(self._dof_qvel.tolist())
        self._qpos_columns, self._qvel_columns = self._qpos_of.long(), self._qvel_of.long()
        self._actor_of_dof = torch.repeat_interleave(
            torch.arange(len(parts)), torch.tensor([part.dofs.stop - part.dofs.start for part in parts])
        ).to(self.device)
        self._all_actors = torch.arange(self.num_worlds * len(parts), dtype=torch.int32, device=self.device)
        self._body_places = [wp.to_torch(getattr(self._model, name)) for name in ("body_pos", "body_quat")]
        self._all_applied = wp.to_torch(self._data.qfrc_applied)

    # ---- state in and out ------------------------------------------------------------------------------------------

    def set_root_states(self, states: Tensor, world_ids: Tensor | None = None) -> None:
        """states: (n · actors, 13); world_ids: numbers of actors, int32, None for all, below 0 skipped."""
        ids = self._all_actors if world_ids is None else world_ids
        tables = [self._root_bodies, self._root_qpos, self._root_qvel]
        outputs = [self.qpos, self.qvel, self._warmstart, *self._body_places]
        launch(write_actor_roots, ids.shape, [states, ids, *tables, self._body_com], outputs)
        self._stale = True

    def read_root_states(self, out: Tensor) -> None:
        """out: (n · actors, 13)."""
        tables = [self._root_bodies, self._root_qpos, self._root_qvel]
        inputs = [self.qpos, self.qvel, *self._body_places, *tables, self._body_com]
        shape = self.num_worlds, len(self.parts)
        launch(read_actor_roots, shape, inputs, [out.view(*shape, 13)])

    def set_dof_states(self, states: Tensor, world_ids: Tensor | None = None) -> None:
        """states: (n, num_dofs, 2); world_ids: numbers of actors, as for `set_root_states`."""
        ids = self._all_actors if world_ids is None else world_ids
        inputs = [states, ids, self._dof_ends, self._qpos_of, self._qvel_of]
        launch(write_actor_dofs, ids.shape, inputs, [self.qpos, self.qvel, self._warmstart])
        self._stale = True

    def read_dof_states(self, out: Tensor) -> None:
        """out: (n, num_dofs, 2)."""
        torch.stack((self.qpos[:, self._qpos_columns], self.qvel[:, self._qvel_columns]), dim=2, out=out)

    def dofs_of(self, actor_ids: Tensor) -> Tensor:
        """Which DOFs are theirs, (n, num_dofs) bool. actor_ids: int32."""
        return listed(actor_ids, len(self._all_actors)).view(self.num_worlds, -1)[:, self._actor_of_dof]

    def set_targets(self, positions: Tensor | None, velocities: Tensor | None, world_ids: Tensor | None = None) -> None:
        """As `Engine.set_targets`; world_ids: numbers of actors, None for all."""
        if world_ids is None or self._drives is None:
            return super().set_targets(positions, velocities)
        mask, drives = self.dofs_of(world_ids), self._drives
        if positions is not None:
            positions = torch.where(mask, positions, drives.position_targets)
        if velocities is not None:
            velocities = torch.where(mask, velocities, drives.velocity_targets)
        return super().set_targets(positions, velocities)

    def read_dof_forces(self, out: Tensor) -> None:
        """Actuation and drive forces of the last step. out: (n, num_dofs)."""
        out.copy_(self._all_applied[:, self._qvel_columns])
        if self._drives is not None:
            out -= self._drives.added_inertia * self._acceleration[:, self._qvel_columns]

    def read_jacobians(self, out: Tensor, actor: int = 0) -> None:
        """Of the current state, of one actor of each world. out: as for `Engine.read_jacobians`."""
        self._update_inertia()
        part = self.parts[actor]
        with self._on_torch_stream():
            values = wp.from_torch(out)
            dynamics.link_jacobians(self._model, self._data, part.fixed, values, part.root, part.first_velocity)

    def read_inertia_matrices(self, out: Tensor, actor: int = 0) -> None:
        """Of the current state, of one actor of each world. out: as for `Engine.read_inertia_matrices`."""
        self._update_inertia()
        part = self.parts[actor]
        with self._on_torch_stream():
            values = wp.from_torch(out)
            dynamics.inertia_matrices(self._model, self._data, part.fixed, values, part.root, part.first_velocity)


@launchable
@wp.kernel(enable_backward=False)
def write_actor_roots(
    states: wp.array2d(dtype=float),
    actor_ids: wp.array(dtype=int),
    root_body: wp.array(dtype=int),
    root_qpos: wp.array(dtype=int),
    root_qvel: wp.array(dtype=int),
    body_com: wp.array2d(dtype=wp.vec3),
    qpos: wp.array2d(dtype=float),
    qvel: wp.array2d(dtype=float),
    qacc_warmstart: wp.array2d(dtype=float),
    body_pos: wp.array2d(dtype=wp.vec3),
    body_quat: wp.array2d(dtype=wp.quat),
):
    """States of the listed actors, ids below 0 are skipped; of fixed roots the pose, which is the body's place."""
    row = actor_ids[wp.tid()]
    if row < 0 or row >= states.shape[0]:
        return
    world = row // root_body.shape[0]
    actor = row % root_body.shape[0]
    body = root_body[actor]
    pos = wp.vec3(states[row, 0], states[row, 1], states[row, 2])
    rot = wp.normalize(wp.quat(states[row, 3], states[row, 4], states[row, 5], states[row, 6]))
    for k in range(qacc_warmstart.shape[1]):
        qacc_warmstart[world, k] = 0.0
    if root_qpos[actor] < 0:
        body_pos[world, body] = pos
        body_quat[world, body] = wp.quat(rot[3], rot[0], rot[1], rot[2])  # stored as wxyz
        return
    angular = wp.vec3(states[row, 10], states[row, 11], states[row, 12])
    arm = wp.quat_rotate(rot, body_com[world, body])
    linear = wp.vec3(states[row, 7], states[row, 8], states[row, 9]) - wp.cross(angular, arm)
    angular_b = wp.quat_rotate_inv(rot, angular)
    q = root_qpos[actor]
    v = root_qvel[actor]
    for k in range(3):
        qpos[world, q + k] = pos[k]
        qpos[world, q + 4 + k] = rot[k]
        qvel[world, v + k] = linear[k]
        qvel[world, v + 3 + k] = angular_b[k]
    qpos[world, q + 3] = rot[3]


@launchable
@wp.kernel(enable_backward=False)
def read_actor_roots(
    qpos: wp.array2d(dtype=float),
    qvel: wp.array2d(dtype=float),
    body_pos: wp.array2d(dtype=wp.vec3),
    body_quat: wp.array2d(dtype=wp.quat),
    root_body: wp.array(dtype=int),
    root_qpos: wp.array(dtype=int),
    root_qvel: wp.array(dtype=int),
    body_com: wp.array2d(dtype=wp.vec3),
    out: wp.array3d(dtype=float),
):
    """out: (worlds, actors, 13)."""
    world, actor = wp.tid()
    body = root_body[actor]
    q = root_qpos[actor]
    if q < 0:
        place = world % body_pos.shape[0]
        wxyz = body_quat[place, body]
        rot_fixed = wp.quat(wxyz[1], wxyz[2], wxyz[3], wxyz[0])
        store_state(out, world, actor, body_pos[place, body], rot_fixed, wp.vec3(0.0), wp.vec3(0.0))
        return
    v = root_qvel[actor]
    pos = wp.vec3(qpos[world, q], qpos[world, q + 1], qpos[world, q + 2])
    rot = wp.quat(qpos[world, q + 4], qpos[world, q + 5], qpos[world, q + 6], qpos[world, q + 3])
    angular = wp.quat_rotate(rot, wp.vec3(qvel[world, v + 3], qvel[world, v + 4], qvel[world, v + 5]))
    arm = wp.quat_rotate(rot, body_com[world, body])
    linear = wp.vec3(qvel[world, v], qvel[world, v + 1], qvel[world, v + 2]) + wp.cross(angular, arm)
    store_state(out, world, actor, pos, rot, linear, angular)


@launchable
@wp.kernel(enable_backward=False)
def write_actor_dofs(
    states: wp.array3d(dtype=float),
    actor_ids: wp.array(dtype=int),
    ends: wp.array(dtype=int),
    qpos_of: wp.array(dtype=int),
    qvel_of: wp.array(dtype=int),
    qpos: wp.array2d(dtype=float),
    qvel: wp.array2d(dtype=float),
    qacc_warmstart: wp.array2d(dtype=float),
):
    """All DOFs of the listed actors, ids below 0 are skipped. ends: 0, then where the DOFs of each actor end."""
    row = actor_ids[wp.tid()]
    actors = ends.shape[0] - 1
    if row < 0 or row >= actors * qpos.shape[0]:
        return
    world = row // actors
    actor = row % actors
    for dof in range(ends[actor], ends[actor + 1]):
        qpos[world, qpos_of[dof]] = states[world, dof, 0]
        qvel[world, qvel_of[dof]] = states[world, dof, 1]
        qacc_warmstart[world, qvel_of[dof]] = 0.0
