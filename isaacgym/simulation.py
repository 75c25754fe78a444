"""The objects behind the gym's handles: a simulation, its assets, envs and actors, and the tensors over all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch

from isaacgym import gym_types as types
from isaacgym.assets.description import RobotDescription
from isaacgym.assets.mjcf import load_mjcf
from isaacgym.assets.urdf import load_urdf
from isaacgym.engine.create import create_engine
from isaacgym.engine.drives import MODE_POS, MODE_VEL, DofParameters
from isaacgym.engine.engine import Engine, EngineOptions
from isaacgym.engine.progress import heartbeat
from isaacgym.engine.state import STATE_WIDTH
from isaacgym.engine.terrain import Plane, Terrain
from isaacgym.headless_viewer import Viewer

INERTIA_TOLERANCE = 1e-6  # [kg·m²] of float32 numbers
DOF_FIELDS = ("stiffness", "damping", "effort", "friction", "armature")


@dataclass
class ForceSensor:
    """A frame fixed to a body that reports the body's contact wrench."""

    body: int
    pose: types.Transform
    world_axes: bool


class Asset:
    """A robot file as loaded, with the properties that its actors start from."""

    def __init__(self, path: Path, options: types.AssetOptions) -> None:
        readers = {".urdf": load_urdf, ".xml": load_mjcf, ".mjcf": load_mjcf}
        if path.suffix not in readers:
            raise ValueError(f"{path}: assets are {', '.join(readers)} files; convert it to one of these")
        self.robot: RobotDescription = readers[path.suffix](path, options)
        self.options = options
        self.fixed_base = options.fix_base_link or self.robot.fixed_base
        self.dof_properties = _dof_properties(self.robot, options)
        shape = types.RigidShapeProperties(thickness=options.thickness)
        self.shape_properties = [shape.copy() for body in self.robot.bodies for _ in body.shapes]
        self.body_mass = np.array([body.mass for body in self.robot.bodies], dtype=np.float32)
        self.body_com = np.array([body.com for body in self.robot.bodies], dtype=np.float32)
        self.body_inertia = np.array([body.inertia for body in self.robot.bodies], dtype=np.float32)
        self.body_properties = _body_properties(self.body_mass, self.body_com, self.body_inertia)
        self.force_sensors: list[ForceSensor] = []


@dataclass
class Env:
    """One copy of the robot; handles are indices into it."""

    index: int
    sim: Simulation = field(repr=False)
    origin: tuple[float, float, float]  # in the world [m]
    actors: list[Actor] = field(default_factory=list)


class Actor:
    """A robot in an env: initial pose, and properties that may differ from those of other envs."""

    def __init__(self, asset: Asset, pose: types.Transform, name: str, collision_filter: int) -> None:
        """collision_filter: of all shapes, or -1 for those of the asset's shape properties."""
        self.asset = asset
        self.pose = pose
        self.name = name
        self.shape_filters = [
            shape.filter if collision_filter == -1 else collision_filter for shape in asset.shape_properties
        ]
        self.dof_properties = asset.dof_properties.copy()
        self.dof_force_sensors = False
        self.on_dof_change: Callable[[np.ndarray, np.ndarray], None] | None = None  # set by `Simulation.prepare`
        self.friction = np.array([shape.friction for shape in asset.shape_properties], dtype=np.float32)
        self.restitution = np.array([shape.restitution for shape in asset.shape_properties], dtype=np.float32)
        self.mass = asset.body_mass
        self.com = asset.body_com
        self.inertia = asset.body_inertia  # (num_bodies, 3, 3) about the COM, body axes

    def set_dof_properties(self, properties: np.ndarray) -> None:
        """Drive modes, gains and limits; limits of position and velocity are those of the file whatever is given."""
        if len(properties) != len(self.dof_properties):
            raise ValueError(
                f"actor '{self.name}' has {len(self.dof_properties)} DOFs, got properties of {len(properties)}"
            )
        for name in ("stiffness", "damping", "friction", "armature"):
            if (properties[name] < 0.0).any():
                raise ValueError(f"the DOF property '{name}' of actor '{self.name}' is negative")
        if self.on_dof_change is not None:
            self.on_dof_change(self.dof_properties, properties)
        self.dof_properties = properties.copy()

    def body_properties(self) -> list[types.RigidBodyProperties]:
        if self.mass is self.asset.body_mass:  # nothing was set yet; a copy takes a fifth of the time
            return [body.copy() for body in self.asset.body_properties]
        return _body_properties(self.mass, self.com, self.inertia)

    def set_body_properties(self, properties: list[types.RigidBodyProperties], recompute_inertia: bool) -> None:
        """With `recompute_inertia`, inertia grows with mass, as for a body of the same shape and other density."""
        if len(properties) != len(self.mass):
            raise ValueError(f"actor '{self.name}' has {len(self.mass)} bodies, got {len(properties)} properties")
        self.mass = np.array([body.mass for body in properties], dtype=np.float32)
        self.com = np.array([tuple(body.com) for body in properties], dtype=np.float32)
        if (self.mass <= 0.0).any():
            body = self.asset.robot.body_names[int(np.argmin(self.mass))]
            raise ValueError(
                f"body '{body}' of actor '{self.name}' got the mass {self.mass.min()}; it must be positive"
            )
        if recompute_inertia:
            self.inertia = self.asset.body_inertia * (self.mass / self.asset.body_mass)[:, None, None]
            return
        rows = [tuple(row) for body in properties for row in body.inertia]
        self.inertia = np.array(rows, dtype=np.float32).reshape(-1, 3, 3)
        asymmetric = np.abs(self.inertia - self.inertia.transpose(0, 2, 1)).max(axis=(1, 2)) > INERTIA_TOLERANCE
        negative = np.linalg.eigvalsh(self.inertia).min(axis=1) < -INERTIA_TOLERANCE
        if (asymmetric | negative).any():
            body = self.asset.robot.body_names[int(np.argmax(asymmetric | negative))]
            raise ValueError(f"body '{body}' of actor '{self.name}' got an inertia that is not symmetric and positive")

    def shape_properties(self) -> list[types.RigidShapeProperties]:
        properties = [shape.copy() for shape in self.asset.shape_properties]
        values = zip(properties, self.friction, self.restitution, self.shape_filters, strict=True)
        for shape, friction, restitution, collision_filter in values:
            shape.friction, shape.restitution, shape.filter = friction, restitution, collision_filter
        return properties

    def set_shape_properties(self, properties: list[types.RigidShapeProperties]) -> None:
        if len(properties) != len(self.friction):
            raise ValueError(
                f"actor '{self.name}' has {len(self.friction)} shapes, got properties of {len(properties)}"
            )
        self.friction = np.array([shape.friction for shape in properties], dtype=np.float32)
        self.restitution = np.array([shape.restitution for shape in properties], dtype=np.float32)


class Simulation:
    """Envs under construction until `prepare`; after it an engine and the tensors that mirror its state."""

    def __init__(self, device: str, params: types.SimParams, has_graphics: bool = False) -> None:
        """has_graphics: a viewer may show it."""
        self.device = device
        self.params = params
        self.has_graphics = has_graphics
        self.viewer: Viewer | None = None
        self.terrain: Terrain | None = None
        self.envs: list[Env] = []
        self.engine: Engine | None = None
        self.bodies_changed = False  # an actor's body properties differ from the engine's
        self.frame_count = 0

    @property
    def asset(self) -> Asset:
        return self.envs[0].actors[0].asset

    @property
    def running(self) -> Engine:
        """The engine, which `prepare` makes."""
        if self.engine is None:
            raise RuntimeError("the simulation is not prepared; call prepare_sim first")
        return self.engine

    @property
    def ground(self) -> Terrain:
        """The terrain, which the script adds."""
        if self.terrain is None:
            raise RuntimeError("nothing to stand on; call add_ground, add_heightfield or add_triangle_mesh first")
        return self.terrain

    def prepare(self) -> None:
        """Build the engine from the envs and allocate the tensors."""
        with heartbeat("Preparing the simulation (its kernels are compiled on the first run on this machine)"):
            self._prepare()

    def _prepare(self) -> None:
        terrain, actors = self.ground, self._checked_actors()
        robot = self.asset.robot.with_filters(actors[0].shape_filters)
        gravity = tuple(self.params.gravity)
        dt = self.params.dt / self.params.substeps
        options = EngineOptions(
            fixed_base=self.asset.fixed_base,
            disable_gravity=self.asset.options.disable_gravity,
            self_collision=robot.collides_with_itself,
            deterministic=self.params.deterministic,
            max_depenetration_velocity=self.params.physx.max_depenetration_velocity,
        )
        dofs = self._dof_parameters(actors)
        engine = self.engine = create_engine(
            self.params.engine,
            *(robot, terrain, len(actors), dt, self.device, gravity),
            options=options,
            dofs=dofs,
        )
        n, num_bodies, num_dofs = len(actors), len(robot.bodies), len(robot.dofs)
        zeros = partial(torch.zeros, dtype=torch.float, device=self.device)
        self.root_states = zeros(n, STATE_WIDTH)
        self.dof_states = zeros(n * num_dofs, 2)
        self.body_states = zeros(n * num_bodies, STATE_WIDTH)
        self.contact_forces = zeros(n * num_bodies, 3)
        self.dof_targets = zeros(n, num_dofs)  # what a tensor over all DOFs looks like
        self.dof_forces = zeros(n * num_dofs)
        self._dof_force_mask = torch.tensor([[actor.dof_force_sensors] for actor in actors], device=self.device)
        self._last_dof_forces = zeros(n, num_dofs)
        self._reports_dof_forces = bool(self._dof_force_mask.any())
        self._add_force_sensors()
        poses = [(*actor.pose.p, *actor.pose.r) for actor in actors]
        self.root_states[:, :7] = torch.tensor(poses, dtype=torch.float, device=self.device)
        origins = [env.origin for env in self.envs]
        self._env_origins = torch.tensor(origins, dtype=torch.float, device=self.device)[:, None]
        self._origins = self._shifting_origins()
        self.set_root_states(self.root_states)
        self._send_body_properties()
        engine.set_material(self._of_actors("friction"), self._of_actors("restitution"))
        engine.compile()

    def _shifting_origins(self) -> torch.Tensor | None:
        """Origins of the envs, (n, 1, 3), or None where they make no difference: on a plane that they lie in.

        There every env is simulated around the world's origin, where float32 is finest. Envs never touch each other.
        """
        origins = np.array([env.origin for env in self.envs])
        shifts = origins @ self.terrain.normal if isinstance(self.terrain, Plane) else origins
        return self._env_origins if shifts.any() else None

    def set_root_states(self, states: torch.Tensor, world_ids: torch.Tensor | None = None) -> None:
        """states: (n, 13) in the frames of the envs; world_ids: int32, None for all."""
        if self._origins is not None:
            states = states.clone()
            states[:, :3] += self._origins[:, 0]
        self.running.set_root_states(states, world_ids)

    def read_root_states(self, out: torch.Tensor) -> None:
        """out: (n, 13) in the frames of the envs."""
        self.running.read_root_states(out)
        if self._origins is not None:
            out[:, :3] -= self._origins[:, 0]

    def read_body_states(self, out: torch.Tensor) -> None:
        """out: (n, num_bodies, 13) in the frames of the envs."""
        self.running.read_body_states(out)
        if self._origins is not None:
            out[..., :3] -= self._origins

    def read_body_states_w(self, out: torch.Tensor) -> None:
        """out: (n, num_bodies, 13) in the world."""
        self.running.read_body_states(out)
        if self._origins is None:  # simulated around the world's origin
            out[..., :3] += self._env_origins

    def _send_body_properties(self) -> None:
        self.running.set_body_properties(*(self._of_actors(name) for name in ("mass", "com", "inertia")))
        self.bodies_changed = False

    def _of_actors(self, name: str) -> torch.Tensor:
        """An array attribute of the actors, (num_envs, ...) float32 on the device."""
        return torch.from_numpy(np.stack([getattr(env.actors[0], name) for env in self.envs])).float().to(self.device)

    def _checked_actors(self) -> list[Actor]:
        if not self.envs:
            raise RuntimeError("the simulation has no envs; call create_env and create_actor before prepare_sim")
        for env in self.envs:
            if len(env.actors) != 1:
                raise RuntimeError(
                    f"env {env.index} has {len(env.actors)} actors; exactly one robot per env works so far"
                )
            actor = env.actors[0]
            if actor.asset.robot.body_names != self.asset.robot.body_names:
                raise RuntimeError(
                    f"env {env.index} holds another robot than env 0; all envs must hold the same actors"
                )
            if actor.shape_filters != self.envs[0].actors[0].shape_filters:
                raise RuntimeError(
                    f"the actors of env {env.index} and env 0 differ in collision filters; give all the same `filter`"
                )
            for option in ("fix_base_link", "disable_gravity"):
                if getattr(actor.asset.options, option) != getattr(self.asset.options, option):
                    raise RuntimeError(f"the assets of env {env.index} and env 0 differ in {option}; use one asset")
        return [env.actors[0] for env in self.envs]

    def _dof_parameters(self, actors: list[Actor]) -> DofParameters:
        properties = np.stack([actor.dof_properties for actor in actors])
        values = {name: torch.from_numpy(properties[name].copy()).to(self.device) for name in DOF_FIELDS}
        mode = torch.from_numpy(properties["driveMode"].astype(np.int32)).to(self.device)
        parameters = DofParameters(mode, **values)
        effort_mask = mode == int(types.DofDriveMode.DOF_MODE_EFFORT)
        self._effort_mask = None if effort_mask.all() else effort_mask
        present = {name: bool((values[name] > 0.0).any()) for name in ("friction", "armature")}
        present["drives"] = parameters.needs_drives or any(joint.stiffness for joint in self.asset.robot.dofs)

        def change(world: int, old: np.ndarray, new: np.ndarray) -> None:
            """A change after `prepare_sim`; parts that no env had then are not in the compiled step."""
            needed = {name: bool((new[name] > 0.0).any()) for name in ("friction", "armature")}
            needed["drives"] = bool(np.isin(new["driveMode"], (MODE_POS, MODE_VEL)).any() or (new["damping"] > 0).any())
            missing = [name for name, is_needed in needed.items() if is_needed and not present[name]]
            if missing:
                raise RuntimeError(
                    f"the simulation was prepared without {' and '.join(missing)}; "
                    "call set_actor_dof_properties before prepare_sim, in one env at least"
                )
            mode[world] = torch.from_numpy(new["driveMode"].astype(np.int32)).to(self.device)
            effort_mask[world] = mode[world] == int(types.DofDriveMode.DOF_MODE_EFFORT)
            if self._effort_mask is None and not effort_mask[world].all():
                self._effort_mask = effort_mask
            for name in DOF_FIELDS:
                values[name][world] = torch.from_numpy(new[name].copy()).to(self.device)
            if any((old[name] != new[name]).any() for name in ("friction", "armature")):
                self.running.update_dofs()

        for world, actor in enumerate(actors):
            actor.on_dof_change = partial(change, world)
        return parameters

    def _add_force_sensors(self) -> None:
        sensors = self.asset.force_sensors
        self.force_sensors = torch.zeros(len(self.envs) * len(sensors), 6, device=self.device)
        self._wrenches: torch.Tensor | None = None
        if sensors:
            poses = torch.tensor([(*sensor.pose.p, *sensor.pose.r) for sensor in sensors])
            bodies, axes = [sensor.body for sensor in sensors], [sensor.world_axes for sensor in sensors]
            self._wrenches = self.running.add_force_sensors(bodies, poses, axes)

    def set_params(self, params: types.SimParams) -> None:
        """Take over gravity, at any time; the step and the engine's settings only before `prepare`."""
        if self.engine is not None:
            if (params.dt, params.substeps) != (self.params.dt, self.params.substeps):
                raise ValueError("dt and substeps cannot change after prepare_sim; set them in create_sim")
            self.engine.set_gravity(tuple(params.gravity))
        self.params = params.copy()

    def set_torques(self, forces: torch.Tensor) -> None:
        """Of the DOFs in EFFORT mode; the others' are discarded. forces: (num_envs, num_dofs)."""
        if self._effort_mask is None:
            self.running.torques.copy_(forces)
        else:
            torch.mul(forces, self._effort_mask, out=self.running.torques)

    def read_dof_forces(self) -> None:
        torch.mul(self._last_dof_forces, self._dof_force_mask, out=self.dof_forces.view(self._last_dof_forces.shape))

    @cached_property
    def jacobians(self) -> torch.Tensor:
        links = len(self.asset.robot.bodies) - int(self.running.fixed_base)
        return torch.zeros(len(self.envs), links, 6, self.running.qvel.shape[1], device=self.device)

    @cached_property
    def mass_matrices(self) -> torch.Tensor:
        size = self.running.qvel.shape[1]
        return torch.zeros(len(self.envs), size, size, device=self.device)

    def read_force_sensors(self) -> None:
        if self._wrenches is not None:
            self.force_sensors.copy_(self._wrenches.view(-1, 6))

    def prepare_step(self, num_steps: int) -> None:
        """What the host does ahead of one step, or of several that are replayed as a graph."""
        if self.bodies_changed:
            self._send_body_properties()
        self.frame_count += num_steps

    def simulate(self) -> None:
        if not self.running.is_recorded:  # nothing is simulated yet while others record a graph
            self.prepare_step(1)
        self.running.step(self.params.substeps)
        if self._reports_dof_forces:
            # now, since the next torques may be set before the tensor is refreshed
            self.running.read_dof_forces(self._last_dof_forces)


def _body_properties(mass: np.ndarray, com: np.ndarray, inertia: np.ndarray) -> list[types.RigidBodyProperties]:
    inverse_mass = np.divide(1.0, mass, out=np.zeros_like(mass), where=mass > 0.0)
    columns = [values.tolist() for values in (mass, com, inertia, inverse_mass)]
    return [
        types.RigidBodyProperties(m, types.Vec3(*center), types.Mat33(*(types.Vec3(*row) for row in rows)), inverse)
        for m, center, rows, inverse in zip(*columns, strict=True)
    ]


def _dof_properties(robot: RobotDescription, options: types.AssetOptions) -> np.ndarray:
    properties = np.zeros(len(robot.dofs), dtype=types.DOF_PROPERTIES_DTYPE)
    for row, joint in zip(properties, robot.dofs, strict=True):
        row["hasLimits"] = joint.has_limits
        row["lower"], row["upper"] = joint.lower, joint.upper
        row["velocity"], row["effort"] = joint.velocity, joint.effort
        row["driveMode"] = int(options.default_dof_drive_mode)
        row["stiffness"], row["damping"], row["friction"] = joint.stiffness, joint.damping, joint.friction
        row["armature"] = options.armature + joint.armature
    return properties
