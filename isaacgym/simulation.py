"""A simulation: its envs and actors, the engine that moves them, and the tensors over all of them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from isaacgym import gym_types as types
from isaacgym.actors import Asset, Counts, Env
from isaacgym.assembly import Group, assembled_engine, groups_of
from isaacgym.assets.description import RobotDescription
from isaacgym.assets.notices import notice
from isaacgym.assets.scene import Root, combined
from isaacgym.attractors import Attractors
from isaacgym.engine.drives import MODE_POS, MODE_VEL, DofParameters
from isaacgym.engine.engine import Engine
from isaacgym.engine.mixed import MixedEngine
from isaacgym.engine.progress import heartbeat
from isaacgym.engine.state import STATE_WIDTH
from isaacgym.engine.terrain import Grounds, Plane, Terrain, parts_of
from isaacgym.headless_viewer import Viewer
from isaacgym.sameness import kinds_of

if TYPE_CHECKING:
    from isaacgym.viewer.camera_sensors import CameraSensors

TENSORS = ("root_states", "dof_states", "body_states", "contact_forces", "dof_forces", "dof_targets", "force_sensors")
BASE_VELOCITIES = 6  # of a floating root
DOF_FIELDS = ("stiffness", "damping", "effort", "friction", "armature")


class Simulation:
    """Envs under construction until `prepare`; after it an engine and the tensors that mirror its state."""

    def __init__(self, device: str, params: types.SimParams, has_graphics: bool = False) -> None:
        """has_graphics: a viewer may show it."""
        self.device = device
        self.params = params
        self.has_graphics = has_graphics
        self.viewer: Viewer | None = None
        self.cameras: CameraSensors | None = None  # made for the first picture
        self.terrain: Terrain | Grounds | None = None
        self.ground_ids: list[int] = []  # segmentation of the terrain's parts
        self.envs: list[Env] = []
        self.kinds: list[list[Env]] = []  # envs that hold the same, from `prepare` on
        self.groups: list[Group] = []  # envs that an engine takes together, likewise
        self._robots: dict[int, RobotDescription] = {}  # by number of env, from `prepare` on
        self.engine: Engine | MixedEngine | None = None
        self.destroyed = False
        self.attractors: Attractors | None = None
        self.changed: set[str] = set()  # "bodies", "dofs" or "materials" of actors differ from the engine's
        self.frame_count = 0
        self._staged_efforts: list[tuple[int, slice, torch.Tensor]] = []  # for the next step
        self._jacobians: dict[int, torch.Tensor] = {}  # by actor of an env
        self._mass_matrices: dict[int, torch.Tensor] = {}

    @property
    def asset(self) -> Asset:
        return self.envs[0].actors[0].asset

    @property
    def robot(self) -> RobotDescription:
        """All that an env holds, in the order of the tensors; a `Scene` of several actors."""
        if len(self.kinds) > 1:
            raise RuntimeError(
                "the envs do not all hold the same actors; pictures of the viewer and videos need that (camera sensors "
                "do not)"
            )
        return self.robot_of(self.envs[0])

    def robot_of(self, env: Env) -> RobotDescription:
        """As `robot`, of an env, which shares it with all of its kind."""
        if env.index in self._robots:
            return self._robots[env.index]
        actors = env.actors
        if len(actors) == 1:
            return actors[0].robot.with_filters(actors[0].shape_filters)
        robots = [actor.robot.with_filters(actor.shape_filters) for actor in actors]
        return combined(robots, [Root(*actor.fixed_and_weightless, actor.group) for actor in actors])

    @property
    def is_mixed(self) -> bool:
        """Envs hold so different actors that they have several engines; known from `prepare` on."""
        return len(self.groups) > 1

    @property
    def engine_dt(self) -> float:
        """Step of the engine [s]."""
        return types.shortest(self.params.dt) / self.params.substeps

    @property
    def num_worlds(self) -> int:
        """First dimension of the engine's tensors: the envs or, if these are mixed, one world that holds all."""
        return self.running.num_worlds

    @property
    def running(self) -> Engine | MixedEngine:
        """The engine, which `prepare` makes, now if nobody called it."""
        self.prepare()
        assert self.engine is not None
        return self.engine

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> torch.Tensor:
            """A tensor, which `prepare` makes, now if nobody called it."""
            if name not in TENSORS or self.engine is not None:
                raise AttributeError(f"a simulation has no {name}")
            self.prepare()
            return getattr(self, name)

    def destroy(self) -> None:
        """Free the engine's memory."""
        self.engine, self.destroyed = None, True

    def add_terrain(self, terrain: Terrain, segmentation_id: int = 0) -> None:
        """One more thing to stand on. segmentation_id: that camera sensors see it as."""
        if self.engine is not None:
            raise RuntimeError("the ground is added after prepare_sim; add planes, height fields and meshes before it")
        self.terrain = terrain if self.terrain is None else Grounds((*parts_of(self.terrain), terrain))
        self.ground_ids.append(segmentation_id)

    def prepare(self) -> None:
        """Build the engine from the envs and allocate the tensors; once."""
        if self.destroyed:
            raise RuntimeError("the simulation was ended by destroy_sim; create another one")
        if self.engine is not None:
            return
        with heartbeat("Preparing the simulation (its kernels are compiled on the first run on this machine)"):
            self._prepare()

    def _prepare(self) -> None:
        self.kinds = kinds_of(self.envs)
        for kind in self.kinds:
            self._robots |= dict.fromkeys((env.index for env in kind), self.robot_of(kind[0]))
        self.groups = groups_of(self, self.kinds)
        dofs = self._dof_parameters()
        engine = self.engine = assembled_engine(self, dofs)
        total = Counts.total((self.envs[-1].before, self.envs[-1].counts))
        zeros = partial(torch.zeros, dtype=torch.float, device=self.device)
        self.root_states = zeros(total.actors, STATE_WIDTH)
        self.dof_states = zeros(total.dofs, 2)
        self.body_states = zeros(total.bodies, STATE_WIDTH)
        self.contact_forces = zeros(total.bodies, 3)
        self.dof_targets = zeros(self.num_worlds, total.dofs // self.num_worlds)  # the shape of tensors over all DOFs
        self.dof_forces = zeros(total.dofs)
        self._dof_force_mask = self._of_actors("dof_force_mask").bool()
        self._last_dof_forces = torch.zeros_like(self.dof_targets)
        self._reports_dof_forces = bool(self._dof_force_mask.any())
        self._add_force_sensors()
        poses = [(*actor.pose.p, *actor.pose.r) for env in self.envs for actor in env.actors]
        self.root_states[:, :7] = torch.tensor(poses, dtype=torch.float, device=self.device)
        origins = [env.origin for env in self.envs]
        self._env_origins = torch.tensor(origins, dtype=torch.float, device=self.device)[:, None]
        self._is_shifted = self._origins_shift()
        self._root_origins, self._body_origins = self._origins_of("actors"), self._origins_of("bodies")
        self.set_root_states(self.root_states)
        self._send_initial_dofs()
        self.attractors_changed()
        self._send_body_properties()
        self.changed.clear()
        engine.set_material(self._of_actors("friction"), self._of_actors("restitution"))
        engine.compile()

    def _origins_shift(self) -> bool:
        """Whether origins of envs make a difference, as on all grounds but planes that they lie in.

        On these every env is simulated at the world's origin, where float32 is finest. Envs never touch each other.
        """
        origins = np.array([env.origin for env in self.envs])
        shifts = [origins @ part.normal if isinstance(part, Plane) else origins for part in parts_of(self.terrain)]
        return any(shift.any() for shift in shifts)

    def _origins_of(self, what: str) -> torch.Tensor:
        """Origins of the envs of all actors or bodies, broadcastable to (worlds, those of a world, 3)."""
        if not self.is_mixed:
            return self._env_origins
        counts = torch.tensor([getattr(env.counts, what) for env in self.envs], device=self.device)
        return torch.repeat_interleave(self._env_origins[:, 0], counts, dim=0)[None]

    def shifts(self) -> np.ndarray:
        """Where the envs' origins are in the engine's worlds [m], (n, 3)."""
        shown = self._env_origins if self._is_shifted else torch.zeros_like(self._env_origins)
        return shown[:, 0].cpu().numpy()

    def set_root_states(self, states: torch.Tensor, world_ids: torch.Tensor | None = None) -> None:
        """states: (n · actors, 13) in the frames of the envs; world_ids: numbers of actors, int32, None for all."""
        if self._is_shifted:
            states = states.clone()
            states.view(self.num_worlds, -1, STATE_WIDTH)[..., :3] += self._root_origins
        self.running.set_root_states(states, world_ids)

    def set_dof_states(self, states: torch.Tensor, world_ids: torch.Tensor | None = None) -> None:
        """states: (n, num_dofs, 2); world_ids: numbers of actors, int32, None for all."""
        self.running.set_dof_states(states, world_ids)

    def _send_initial_dofs(self) -> None:
        """States and targets that actors got before `prepare`."""
        states = self._of_actors("dof_states")
        if states.any():
            self.set_dof_states(states)
            self.dof_states.copy_(states.view(-1, 2))
        for name in ("position_targets", "velocity_targets"):
            self.send_targets(name)

    def send_targets(
        self, name: str, values: torch.Tensor | None = None, world_ids: torch.Tensor | None = None
    ) -> None:
        """Of the drives. name: "position_targets" or "velocity_targets"; values: as `dof_targets`, else the actors'."""
        values = self._of_actors(name) if values is None else values
        positions, velocities = (values, None) if name == "position_targets" else (None, values)
        self.running.set_targets(positions, velocities, world_ids)

    def read_root_states(self, out: torch.Tensor) -> None:
        """out: (n · actors, 13) in the frames of the envs."""
        self.running.read_root_states(out)
        if self._is_shifted:
            out.view(self.num_worlds, -1, STATE_WIDTH)[..., :3] -= self._root_origins

    def read_body_states(self, out: torch.Tensor) -> None:
        """out: (n, num_bodies, 13) in the frames of the envs."""
        self.running.read_body_states(out)
        if self._is_shifted:
            out[..., :3] -= self._body_origins

    def read_body_states_w(self, out: torch.Tensor) -> None:
        """out: (n, num_bodies, 13) in the world."""
        self.running.read_body_states(out)
        if not self._is_shifted:  # simulated around the world's origin
            out[..., :3] += self._body_origins

    def attractors_changed(self) -> None:
        """Some were created, or have other properties than targets."""
        if self.engine is not None and any(env.attractors for env in self.envs):
            self.attractors = Attractors(self)
            self.changed.add("bodies")

    def _send_body_properties(self) -> None:
        mass, com, inertia = (self._of_actors(name) for name in ("mass", "com", "inertia"))
        if self.attractors is not None:
            self.attractors.add_inertia(mass, com, inertia)
        self.running.set_body_properties(mass, com, inertia)

    def send_changes(self) -> None:
        """What setters of single actors left for the next step, since it takes as long for one actor as for all."""
        engine = self.running
        if "bodies" in self.changed:
            self._send_body_properties()
        if "dofs" in self.changed:
            engine.update_dofs()
        if "materials" in self.changed:
            engine.set_material(engine.friction, engine.restitution)
        self.changed.clear()

    def of_actors(self, name: str) -> np.ndarray:
        """An array attribute of the actors, laid out as the engine's tensors: those of a world in a row."""
        of_envs = [env.of_actors(name) for env in self.envs]
        return np.concatenate(of_envs)[None] if self.is_mixed else np.stack(of_envs)

    def _of_actors(self, name: str) -> torch.Tensor:
        """As `of_actors`, float32 on the device."""
        return torch.from_numpy(self.of_actors(name)).float().to(self.device)

    def _dof_parameters(self) -> DofParameters:
        properties = self.of_actors("dof_properties")
        values = {name: torch.from_numpy(properties[name].copy()).to(self.device) for name in DOF_FIELDS}
        mode = torch.from_numpy(properties["driveMode"].astype(np.int32)).to(self.device)
        parameters = DofParameters(mode, **values)
        self._modes = set(properties["driveMode"].flat)
        effort_mask = mode == int(types.DofDriveMode.DOF_MODE_EFFORT)
        self._effort_mask = None if effort_mask.all() else effort_mask

        def change(own: tuple[int, slice], present: dict[str, bool], old: np.ndarray, new: np.ndarray) -> None:
            """A change after `prepare_sim`; parts that no env of a group had then are not in its compiled step."""
            missing = [name for name, is_needed in _in_step(new).items() if is_needed and not present[name]]
            if missing:
                raise RuntimeError(
                    f"the simulation was prepared without {' and '.join(missing)}; "
                    "call set_actor_dof_properties before prepare_sim, in one env at least"
                )
            self._modes |= set(new["driveMode"])  # some may be gone; it is for a warning only
            mode[own] = torch.from_numpy(new["driveMode"].astype(np.int32)).to(self.device)
            effort_mask[own] = mode[own] == int(types.DofDriveMode.DOF_MODE_EFFORT)
            if self._effort_mask is None and not effort_mask[own].all():
                self._effort_mask = effort_mask
            for name in DOF_FIELDS:
                values[name][own] = torch.from_numpy(new[name].copy()).to(self.device)
            # drives read their gains from the tensors above, but those of several engines are copies
            if self.is_mixed or any((old[name] != new[name]).any() for name in ("friction", "armature")):
                self.changed.add("dofs")

        for group in self.groups:
            present = _in_step(np.concatenate([env.of_actors("dof_properties") for env in group.envs]))
            has_springs = any(joint.stiffness for joint in group.robot.dofs)
            present["drives"] |= has_springs or len(group.envs[0].actors) > 1
            for env in group.envs:
                for index, actor in enumerate(env.actors):
                    actor.on_dof_change = partial(change, env.place("dofs", env.dofs_of(index)), present)
        return parameters

    def _add_force_sensors(self) -> None:
        """In the order of the actors."""
        bodies, poses, axes = [], [], []
        for env in self.envs if self.is_mixed else self.envs[:1]:
            for index, actor in enumerate(env.actors):
                for sensor in actor.asset.force_sensors:
                    bodies.append(env.place("bodies", env.bodies_of(index))[1].start + sensor.body)
                    poses.append((*(sensor.pose.p * actor.scale), *sensor.pose.r))
                    axes.append(sensor.world_axes)
        self.force_sensors = torch.zeros(self.num_worlds * len(bodies), 6, device=self.device)
        self._wrenches: torch.Tensor | None = None
        if bodies:
            self._wrenches = self.running.add_force_sensors(bodies, torch.tensor(poses), axes)

    def set_params(self, params: types.SimParams) -> None:
        """Take over gravity, at any time; the step and the engine's settings only before `prepare`."""
        if self.engine is not None:
            if (params.dt, params.substeps) != (self.params.dt, self.params.substeps):
                raise ValueError("dt and substeps cannot change after prepare_sim; set them in create_sim")
            self.engine.set_gravity(tuple(params.gravity))
        self.params = params.copy()

    def warn_if_idle(self, what: str, mode: types.DofDriveMode) -> None:
        """Once, if no DOF obeys what a script sets. what: forces or targets."""
        if mode not in self._modes and len(self.dof_states) > 0:
            notice(
                f"{what} move nothing, for no DOF is in {mode.name}; set AssetOptions.default_dof_drive_mode, or "
                "driveMode of the DOF properties"
            )

    def set_torques(self, forces: torch.Tensor) -> None:
        """Of the DOFs in EFFORT mode; the others' are discarded. forces: (num_envs, num_dofs)."""
        self.warn_if_idle("actuation forces", types.DofDriveMode.DOF_MODE_EFFORT)
        if self._effort_mask is None:
            self.running.torques.copy_(forces)
        else:
            torch.mul(forces, self._effort_mask, out=self.running.torques)

    def stage_efforts(self, env: Env, dofs: slice, efforts: np.ndarray) -> None:
        """On the env's DOFs in EFFORT mode, during the next `simulate` only; they add up. Prepares the simulation."""
        self.prepare()
        values, own = torch.from_numpy(efforts).to(self.device), env.place("dofs", dofs)
        if self._effort_mask is not None:
            values = values * self._effort_mask[own]
        self._staged_efforts.append((*own, values))

    def stage_wrench(self, env: Env, body: int, wrench: np.ndarray) -> None:
        """On the env's body, world axes, during the next `simulate` only; they add up. wrench: (2, 3).

        Prepares the simulation.
        """
        engine = self.running
        world, own = env.place("bodies", slice(body, body + 1))
        engine.add_body_force(world, own.start, *torch.from_numpy(wrench).to(self.device))

    def dofs_of(self, actor_ids: torch.Tensor) -> torch.Tensor:
        """Which DOFs are those of some actors, broadcastable to (worlds, num_dofs), bool. actor_ids: int32."""
        return self.running.dofs_of(actor_ids)

    def read_dof_forces(self) -> None:
        self.prepare()
        torch.mul(self._last_dof_forces, self._dof_force_mask, out=self.dof_forces.view(self._last_dof_forces.shape))

    def jacobian(self, actor: int) -> torch.Tensor:
        """Of an actor of each env; the same tensor every time."""
        if actor not in self._jacobians:
            links = len(self.envs[0].actors[actor].asset.robot.bodies) - int(self._is_fixed(actor))
            shape = len(self.envs), links, 6, self._num_velocities(actor)
            self._jacobians[actor] = torch.zeros(*shape, device=self.device)
        return self._jacobians[actor]

    def mass_matrix(self, actor: int) -> torch.Tensor:
        """Of an actor of each env; the same tensor every time."""
        if actor not in self._mass_matrices:
            size = self._num_velocities(actor)
            self._mass_matrices[actor] = torch.zeros(len(self.envs), size, size, device=self.device)
        return self._mass_matrices[actor]

    def _num_velocities(self, actor: int) -> int:
        dofs = len(self.envs[0].actors[actor].asset.robot.dofs)
        return dofs if self._is_fixed(actor) else dofs + BASE_VELOCITIES

    def _is_fixed(self, actor: int) -> bool:
        return self.envs[0].actors[actor].fixed_and_weightless[0]

    def read_jacobians(self) -> None:
        """Those that were asked for, of the present state."""
        self.send_changes()
        for actor, tensor in self._jacobians.items():
            self.running.read_jacobians(tensor, actor)

    def read_mass_matrices(self) -> None:
        """Those that were asked for, of the present state."""
        self.send_changes()
        for actor, tensor in self._mass_matrices.items():
            self.running.read_inertia_matrices(tensor, actor)

    def read_force_sensors(self) -> None:
        self.prepare()
        if self._wrenches is not None:
            self.force_sensors.copy_(self._wrenches.view(-1, 6))

    def prepare_step(self, num_steps: int) -> None:
        """What the host does ahead of one step, or of several that are replayed as a graph."""
        self.send_changes()
        self.frame_count += num_steps

    def simulate(self) -> None:
        """Advance by one step, after `prepare` if nobody called it."""
        if not self.running.is_recorded:  # nothing is simulated yet while others record a graph
            self.prepare_step(1)
        lasting = self._add_staged_efforts()
        self.running.step(self.params.substeps, None if self.attractors is None else self.attractors.push)
        if self._reports_dof_forces:
            # now, since the next torques may be set before the tensor is refreshed
            self.running.read_dof_forces(self._last_dof_forces)
        if lasting is not None:
            self.running.torques.copy_(lasting)

    def _add_staged_efforts(self) -> torch.Tensor | None:
        """To the torques of the next step; returns the torques without them, if there are any."""
        if not self._staged_efforts:
            return None
        lasting = self.running.torques.clone()
        for world, dofs, values in self._staged_efforts:
            self.running.torques[world, dofs] += values
        self._staged_efforts.clear()
        return lasting

    def host_dof_forces(self, world: int, dofs: slice) -> np.ndarray:
        """Of a world's DOFs in the last step, 0 of actors that do not report them, (num_dofs,)."""
        forces: np.ndarray = (self._last_dof_forces[world, dofs] * self._dof_force_mask[world, dofs]).cpu().numpy()
        return forces


def _in_step(properties: np.ndarray) -> dict[str, bool]:
    """What of the properties of some DOFs costs a part of the step."""
    needed = {name: bool((properties[name] > 0.0).any()) for name in ("friction", "armature")}
    needed["drives"] = bool(
        np.isin(properties["driveMode"], (MODE_POS, MODE_VEL)).any() or (properties["damping"] > 0.0).any()
    )
    return needed
