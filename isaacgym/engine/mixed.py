"""Several engines behind the interface of one, for envs that do not all hold the same actors.

Each part simulates the envs of one kind. To callers they are one world that holds the actors of all envs, one env after
the other, as Isaac Gym's tensors do; where `Engine` takes numbers of worlds, this one takes numbers of actors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial

import torch
from torch import Tensor

from isaacgym.engine.drives import DofParameters
from isaacgym.engine.engine import Engine
from isaacgym.engine.state import STATE_WIDTH

NOBODY = -1  # a number of an actor that setters skip
Push = Callable[[Tensor], None]


@dataclass(frozen=True)
class Rows:
    """Which of all envs, (k,), and of all actors, bodies, DOFs and shapes, (k, those of an env), a part has; int64."""

    envs: Tensor
    actors: Tensor
    bodies: Tensor
    dofs: Tensor
    shapes: Tensor


class Part:
    """An engine of alike envs, and which these are."""

    def __init__(self, engine: Engine, rows: Rows, dofs: DofParameters) -> None:
        """dofs: the engine's own."""
        self.engine, self.rows, self.parameters = engine, rows, dofs
        self.sensors: Tensor | None = None  # which of all force sensors it has, (k, those of an env)
        self.numbers = torch.zeros(0)  # of all actors in this part, NOBODY: not in it

    def own_ids(self, ids: Tensor | None) -> Tensor | None:
        """Numbers of actors in this part, NOBODY for those of others."""
        if ids is None:
            return None
        count = len(self.numbers)
        known = (ids >= 0) & (ids < count)
        return torch.where(known, self.numbers[ids.clamp(0, count - 1).long()], NOBODY)

    def states(self, rows: Tensor) -> Tensor:
        """Room for the states of some rows."""
        return torch.empty(*rows.shape, STATE_WIDTH, device=self.engine.device)


class MixedEngine:
    """The interface of `Engine`, with one world.

    Tensors that callers write or keep, (1, those of all envs, ...): torques, contact_forces, friction, restitution.
    """

    num_worlds = 1

    def __init__(self, parts: Sequence[Part], dofs: DofParameters) -> None:
        """dofs: of all envs, (1, num_dofs), kept; `update_dofs` takes over what was written there."""
        self.parts = parts
        self.device, self.dt = parts[0].engine.device, parts[0].engine.dt
        self._dofs = dofs

        def count(name: str) -> int:
            return sum(getattr(part.rows, name).numel() for part in parts)

        num_actors, self._num_bodies = count("actors"), count("bodies")
        self.torques = torch.zeros(1, count("dofs"), device=self.device)
        self.contact_forces = torch.zeros(1, self._num_bodies, 3, device=self.device)
        self.friction = torch.ones(1, count("shapes"), device=self.device)
        self.restitution = torch.zeros_like(self.friction)
        self._wrenches: Tensor | None = None
        self._env_of_shape = torch.zeros(count("shapes"), dtype=torch.long, device=self.device)
        for part in parts:
            rows = part.rows
            part.numbers = torch.full((num_actors,), NOBODY, dtype=torch.int32, device=self.device)
            own = torch.arange(rows.actors.numel(), dtype=torch.int32, device=self.device)
            part.numbers[rows.actors.flatten()] = own
            self._env_of_shape[rows.shapes] = rows.envs[:, None].expand_as(rows.shapes)

    # ---- parameters ----------------------------------------------------------------------------------------------

    def set_body_properties(self, mass: Tensor, com: Tensor, inertia: Tensor) -> None:
        """As `Engine.set_body_properties`."""
        for part in self.parts:
            part.engine.set_body_properties(*(values[0, part.rows.bodies] for values in (mass, com, inertia)))

    def update_dofs(self) -> None:
        """As `Engine.update_dofs`."""
        for part in self.parts:
            for field in fields(DofParameters):
                values = getattr(self._dofs, field.name)
                getattr(part.parameters, field.name).copy_(values[0, part.rows.dofs])
            part.engine.update_dofs()

    def set_targets(self, positions: Tensor | None, velocities: Tensor | None, world_ids: Tensor | None = None) -> None:
        """As `Engine.set_targets`."""
        for part in self.parts:
            own = (None if values is None else values[0, part.rows.dofs] for values in (positions, velocities))
            part.engine.set_targets(*own, part.own_ids(world_ids))

    def set_gravity(self, gravity: tuple[float, float, float]) -> None:
        """As `Engine.set_gravity`."""
        for part in self.parts:
            part.engine.set_gravity(gravity)

    def add_force_sensors(self, bodies: list[int], poses: Tensor, world_axes: list[bool]) -> Tensor:
        """As `Engine.add_force_sensors`; sensors of an env come in the same order in all envs of a part."""
        sensor_bodies = torch.tensor(bodies, device=self.device)
        for part in self.parts:
            of_envs = [torch.isin(sensor_bodies, own).nonzero()[:, 0] for own in part.rows.bodies]
            part.sensors = torch.stack(of_envs)
            own = part.sensors[0].cpu()
            if len(own):
                first = int(part.rows.bodies[0, 0])
                axes = [world_axes[row] for row in own.tolist()]
                part.engine.add_force_sensors([bodies[row] - first for row in own.tolist()], poses[own], axes)
        self._wrenches = torch.zeros(1, len(bodies), 6, device=self.device)
        return self._wrenches

    def set_material(self, friction: Tensor, restitution: Tensor) -> None:
        """Coefficients of all shapes, (1, num_shapes), or one for each env, (n,)."""
        for own, given in ((self.friction, friction), (self.restitution, restitution)):
            own.copy_(given[self._env_of_shape] if given.dim() == 1 else given)
        for part in self.parts:
            part.engine.set_material(self.friction[0, part.rows.shapes], self.restitution[0, part.rows.shapes])

    def overflow_count(self) -> Tensor:
        """As `Engine.overflow_count`, 0-d on the device."""
        return torch.stack([part.engine.overflow_count() for part in self.parts]).sum()

    # ---- state in and out ----------------------------------------------------------------------------------------

    def set_root_states(self, states: Tensor, world_ids: Tensor | None = None) -> None:
        """states: (num_actors, 13); world_ids: numbers of actors, int32, None for all, below 0 skipped."""
        for part in self.parts:
            part.engine.set_root_states(states[part.rows.actors.flatten()], part.own_ids(world_ids))

    def set_dof_states(self, states: Tensor, world_ids: Tensor | None = None) -> None:
        """states: (1, num_dofs, 2); world_ids: as for `set_root_states`."""
        for part in self.parts:
            part.engine.set_dof_states(states[0, part.rows.dofs], part.own_ids(world_ids))

    def read_root_states(self, out: Tensor) -> None:
        """out: (num_actors, 13)."""
        for part in self.parts:
            states = part.states(part.rows.actors.flatten())
            part.engine.read_root_states(states)
            out[part.rows.actors.flatten()] = states

    def read_dof_states(self, out: Tensor) -> None:
        """out: (1, num_dofs, 2)."""
        for part in self.parts:
            states = torch.empty(*part.rows.dofs.shape, 2, device=self.device)
            part.engine.read_dof_states(states)
            out[0, part.rows.dofs] = states

    def read_body_states(self, out: Tensor) -> None:
        """As `Engine.read_body_states`. out: (1, num_bodies, 13)."""
        for part in self.parts:
            states = part.states(part.rows.bodies)
            part.engine.read_body_states(states)
            out[0, part.rows.bodies] = states

    def read_dof_forces(self, out: Tensor) -> None:
        """As `Engine.read_dof_forces`. out: (1, num_dofs)."""
        for part in self.parts:
            forces = torch.empty(part.rows.dofs.shape, device=self.device)
            part.engine.read_dof_forces(forces)
            out[0, part.rows.dofs] = forces

    def read_jacobians(self, out: Tensor, actor: int = 0) -> None:
        """Of actor number `actor` of each env. out: as for `Engine.read_jacobians`."""
        for part in self.parts:
            values = torch.empty_like(out[part.rows.envs])
            part.engine.read_jacobians(values, actor)
            out[part.rows.envs] = values

    def read_inertia_matrices(self, out: Tensor, actor: int = 0) -> None:
        """Of actor number `actor` of each env. out: as for `Engine.read_inertia_matrices`."""
        for part in self.parts:
            values = torch.empty_like(out[part.rows.envs])
            part.engine.read_inertia_matrices(values, actor)
            out[part.rows.envs] = values

    def dofs_of(self, actor_ids: Tensor) -> Tensor:
        """Which DOFs are theirs, (1, num_dofs) bool. actor_ids: int32."""
        mask = torch.zeros_like(self.torques, dtype=torch.bool)
        for part in self.parts:
            ids = part.own_ids(actor_ids)
            assert ids is not None
            mask[0, part.rows.dofs] = part.engine.dofs_of(ids).expand_as(part.rows.dofs)
        return mask

    @property
    def body_com(self) -> Tensor:
        """Centre of mass of each body in its frame [m], (1, num_bodies, 3)."""
        out = torch.empty_like(self.contact_forces)
        for part in self.parts:
            out[0, part.rows.bodies] = part.engine.body_com
        return out

    def apply_body_forces(self, forces: Tensor | None, torques: Tensor | None, local: bool) -> None:
        """As `Engine.apply_body_forces`, (1, num_bodies, 3) each."""
        for part in self.parts:
            own = (None if values is None else values[0, part.rows.bodies] for values in (forces, torques))
            part.engine.apply_body_forces(*own, local)

    def add_body_force(self, world: int, body: int, force: Tensor, torque: Tensor) -> None:
        """As `Engine.add_body_force`. world: 0."""
        for part in self.parts:
            for row, column in (part.rows.bodies == body).nonzero().tolist():
                part.engine.add_body_force(row, column, force, torque)

    # ---- all of the state ----------------------------------------------------------------------------------------

    def state_tensors(self) -> dict[str, Tensor]:
        """As `Engine.state_tensors`, those of part k with the prefix `k.`."""
        names = ("torques", "contact_forces", "friction", "restitution")
        tensors = {name: getattr(self, name) for name in names}
        if self._wrenches is not None:
            tensors["wrenches"] = self._wrenches
        for field in fields(DofParameters):
            tensors[f"dofs.{field.name}"] = getattr(self._dofs, field.name)
        for number, part in enumerate(self.parts):
            tensors |= {f"{number}.{name}": tensor for name, tensor in part.engine.state_tensors().items()}
        return tensors

    def state_changed(self) -> None:
        """As `Engine.state_changed`."""
        for part in self.parts:
            part.engine.state_changed()

    # ---- stepping ------------------------------------------------------------------------------------------------

    def step(self, substeps: int = 1, push: Push | None = None) -> None:
        """As `Engine.step`, one part after the other; `push` gets (1, 1 + num_bodies, 6)."""
        for part in self.parts:
            rows, engine = part.rows, part.engine
            engine.torques.copy_(self.torques[0, rows.dofs])
            engine.step(substeps, None if push is None else partial(self._push_part, part, push))
            self.contact_forces[0, rows.bodies] = engine.contact_forces
            if part.sensors is not None and part.sensors.numel():
                assert self._wrenches is not None and engine.wrenches is not None
                self._wrenches[0, part.sensors] = engine.wrenches

    def _push_part(self, part: Part, push: Push, forces: Tensor) -> None:
        """What `push` adds to the bodies of a part. forces: (k, 1 + bodies of an env, 6)."""
        added = torch.zeros(1, 1 + self._num_bodies, 6, device=self.device)
        push(added)
        forces[:, 1:] += added[0, 1 + part.rows.bodies]

    @property
    def is_recorded(self) -> bool:
        """As `Engine.is_recorded`."""
        return self.parts[0].engine.is_recorded

    def compile(self) -> None:
        """As `Engine.compile`."""
        for part in self.parts:
            part.engine.compile()
