"""The handles of the gym: assets, the envs that actors stand in, and actors with properties of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from isaacgym import gym_types as types
from isaacgym.assets.actuators import drive_of
from isaacgym.assets.description import RobotDescription
from isaacgym.assets.limits import LIMITS, same_limits, with_limits
from isaacgym.assets.notices import counted, listed, notice
from isaacgym.assets.robot_file import load_robot
from isaacgym.assets.scaling import INERTIA_POWER, MASS_POWER, scaled

if TYPE_CHECKING:
    from isaacgym.simulation import Simulation
    from isaacgym.viewer.camera_sensors import CameraSensor

UNPAINTED = -1.0  # in place of a colour: as in the file
INERTIA_TOLERANCE = 1e-6  # [kg·m²] of float32 numbers


@dataclass
class ForceSensor:
    """A frame fixed to a body that reports the body's contact wrench."""

    body: int
    pose: types.Transform
    world_axes: bool


class Asset:
    """A robot file as loaded, with the properties that its actors start from."""

    def __init__(self, source: Path | RobotDescription, options: types.AssetOptions) -> None:
        self.robot = _read(source, options) if isinstance(source, Path) else source
        _tell_of_idle_options(options)
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
        self.has_actors = False  # which have its force sensors


class Counts(NamedTuple):
    """How many there are of each, of an actor, an env, or several envs."""

    actors: int = 0
    bodies: int = 0
    dofs: int = 0
    shapes: int = 0
    joints: int = 0  # fixed ones included
    sensors: int = 0  # of force

    @classmethod
    def total(cls, parts: Iterable[Counts]) -> Counts:
        """Of all parts together."""
        return cls(*map(sum, zip(cls(), *parts, strict=True)))


@dataclass
class Env:
    """One copy of the actors; handles are indices into it."""

    index: int
    sim: Simulation = field(repr=False)
    origin: tuple[float, float, float]  # in the world [m]
    actors: list[Actor] = field(default_factory=list)
    cameras: list[CameraSensor | None] = field(default_factory=list)  # None: destroyed
    attractors: list[types.AttractorProperties] = field(default_factory=list)
    aggregate_filter: int = 0  # of actors created now
    num_untouching: int = 0  # aggregates whose shapes do not touch each other
    _before: Counts | None = None  # None: not known yet

    def add(self, actor: Actor) -> int:
        """Returns its handle."""
        self.actors.append(actor)
        for later in self.sim.envs[self.index + 1 :]:
            if later._before is None:
                break  # nor is it known of those behind it
            later._before = None
        return len(self.actors) - 1

    @property
    def counts(self) -> Counts:
        """Of all its actors."""
        return Counts.total(actor.counts for actor in self.actors)

    @property
    def before(self) -> Counts:
        """Of all envs before this one, which are complete; this one may not be."""
        envs = self.sim.envs
        known = self.index
        while known > 0 and envs[known]._before is None:
            known -= 1
        total = envs[known]._before or Counts()
        for previous, env in zip(envs[known : self.index], envs[known + 1 : self.index + 1], strict=True):
            total = env._before = Counts.total((total, previous.counts))
        return total

    def place(self, what: str, part: slice) -> tuple[int, slice]:
        """Where a part of the env's bodies, DOFs or shapes is in the engine's tensors: its world, and which of these.

        what: "bodies", "dofs" or "shapes".
        """
        if not self.sim.is_mixed:
            return self.index, part
        first = getattr(self.before, what)
        return 0, slice(first + part.start, first + part.stop)

    def bodies_of(self, actor: int) -> slice:
        """Which of the env's bodies are the actor's."""
        return _part([len(a.asset.robot.bodies) for a in self.actors], actor)

    def shapes_of(self, actor: int) -> slice:
        """Which of the env's shapes are the actor's."""
        return _part([len(a.friction) for a in self.actors], actor)

    def of_actors(self, name: str) -> np.ndarray:
        """An array attribute of all actors, one actor after the other."""
        return np.concatenate([getattr(actor, name) for actor in self.actors])

    def dofs_of(self, actor: int) -> slice:
        """Which of the env's DOFs are the actor's."""
        return _part([len(a.asset.robot.dofs) for a in self.actors], actor)


class Actor:
    """A robot in an env: initial pose, and properties that may differ from those of other envs."""

    def __init__(
        self,
        asset: Asset,
        pose: types.Transform,
        name: str,
        group: int = -1,
        collision_filter: int = -1,
        segmentation_id: int = 0,
    ) -> None:
        """collision_filter: of all shapes, or -1 for those of the asset's shape properties."""
        self.asset = asset
        asset.has_actors = True
        self.pose = pose
        self.name = name
        self.group = group
        self.own_filters = [
            shape.filter if collision_filter == -1 else collision_filter for shape in asset.shape_properties
        ]
        self.aggregate_filter = 0  # of all its shapes, beside their own
        self.dof_properties = asset.dof_properties.copy()
        self.dof_force_sensors = False
        self.on_dof_change: Callable[[np.ndarray, np.ndarray], None] | None = None  # set by `Simulation.prepare`
        self.friction = np.array([shape.friction for shape in asset.shape_properties], dtype=np.float32)
        self.restitution = np.array([shape.restitution for shape in asset.shape_properties], dtype=np.float32)
        self.mass = asset.body_mass
        self.com = asset.body_com
        self.inertia = asset.body_inertia  # (num_bodies, 3, 3) about the COM, body axes
        self.body_flags = [0] * len(asset.robot.bodies)  # RigidBodyFlags, or-ed
        self.scale = 1.0
        # how camera sensors see its bodies
        self.segmentation = np.full(len(asset.robot.bodies), segmentation_id, dtype=np.int32)
        self.colours = np.full((len(asset.robot.bodies), 3), UNPAINTED, dtype=np.float32)  # rgb
        # what the simulation begins with: position and velocity, and targets of drives
        self.dof_states = np.zeros((len(asset.robot.dofs), 2), dtype=np.float32)
        self.position_targets, self.velocity_targets = np.zeros((2, len(asset.robot.dofs)), dtype=np.float32)

    @property
    def counts(self) -> Counts:
        """As of its asset."""
        robot, num_sensors = self.asset.robot, len(self.asset.force_sensors)
        num_shapes = len(self.asset.shape_properties)
        return Counts(1, len(robot.bodies), len(robot.dofs), num_shapes, len(robot.all_joints), num_sensors)

    @property
    def shape_filters(self) -> list[int]:
        """Shapes whose filters share a bit do not collide."""
        return [own | self.aggregate_filter for own in self.own_filters]

    @property
    def dof_force_mask(self) -> np.ndarray:
        """Which DOFs report their forces."""
        return np.full(len(self.dof_properties), self.dof_force_sensors)

    @property
    def fixed_and_weightless(self) -> tuple[bool, bool]:
        """Whether its root stays in place, and whether gravity leaves it alone."""
        return self.asset.fixed_base, self.asset.options.disable_gravity or self._is_weightless

    @property
    def _is_weightless(self) -> bool:
        """All bodies have the flag that gravity leaves them alone."""
        bit = types.RigidBodyFlags.RIGID_BODY_DISABLE_GRAVITY
        return any(self.body_flags) and all(flags & bit for flags in self.body_flags)

    @property
    def robot(self) -> RobotDescription:
        """In the actor's size and with its limits of joints."""
        return with_limits(scaled(self.asset.robot, self.scale), self.dof_properties, self.asset.dof_properties)

    def set_scale(self, scale: float) -> None:
        """Of the file's lengths; masses and inertias follow as of a body of the same density."""
        if not 0.0 < scale < np.inf:
            raise ValueError(f"actor '{self.name}' got the scale {scale}; it must be positive")
        growth = np.float32(scale / self.scale)
        self.scale = scale
        self.mass, self.com = self.mass * growth**MASS_POWER, self.com * growth
        self.inertia = self.inertia * growth**INERTIA_POWER

    def set_dof_properties(self, properties: np.ndarray | Mapping[str, ArrayLike]) -> None:
        """Drive modes, gains and limits; limits of velocity are those of the file whatever is given.

        properties: as `dof_properties`, or some of its columns by name.
        """
        if isinstance(properties, Mapping):
            columns, properties = properties, self.dof_properties.copy()
            for name, column in columns.items():
                properties[name] = column
        if len(properties) != len(self.dof_properties):
            own = counted(len(self.dof_properties), "DOF")
            raise ValueError(f"actor '{self.name}' has {own}, got properties of {len(properties)}")
        for name in ("stiffness", "damping", "friction", "armature"):
            if (properties[name] < 0.0).any():
                raise ValueError(f"the DOF property '{name}' of actor '{self.name}' is negative")
        if (properties["lower"] > properties["upper"]).any():
            joint = self.asset.robot.dof_names[int(np.argmax(properties["lower"] > properties["upper"]))]
            raise ValueError(f"joint '{joint}' of actor '{self.name}' got a lower limit above the upper one")
        properties = properties.copy()
        if self.on_dof_change is not None:
            if not same_limits(properties, self.dof_properties):
                notice("limits of joints stay what they were at prepare_sim; set lower, upper and hasLimits before it")
                for name in LIMITS:
                    properties[name] = self.dof_properties[name]
            self.on_dof_change(self.dof_properties, properties)
        self.dof_properties = properties

    def body_properties(self) -> list[types.RigidBodyProperties]:
        if self.mass is self.asset.body_mass:  # nothing was set yet; a copy takes a fifth of the time
            return [body.copy() for body in self.asset.body_properties]
        bodies = _body_properties(self.mass, self.com, self.inertia)
        for body, flags in zip(bodies, self.body_flags, strict=True):
            body.flags = flags
        return bodies

    def set_body_properties(self, properties: list[types.RigidBodyProperties], recompute_inertia: bool) -> None:
        """With `recompute_inertia`, inertia grows with mass, as for a body of the same shape and other density."""
        if len(properties) != len(self.mass):
            raise ValueError(
                f"actor '{self.name}' has {counted(len(self.mass), 'body')}, got {counted(len(properties), 'property')}"
            )
        self.body_flags = [body.flags for body in properties]
        if any(self.body_flags) and not self._is_weightless:
            notice(
                f"flags of bodies of '{self.asset.robot.name}' have no effect: gravity is switched off for all "
                "bodies of an actor alike, and nothing else is"
            )
        self.mass = np.array([body.mass for body in properties], dtype=np.float32)
        self.com = np.array([tuple(body.com) for body in properties], dtype=np.float32)
        own = self.scale**MASS_POWER * self.asset.body_mass
        refused = (self.mass < 0.0) | ((self.mass == 0.0) & (own > 0.0))  # a frame without mass may stay one
        if refused.any():
            index = int(np.argmax(refused))
            raise ValueError(
                f"body '{self.asset.robot.body_names[index]}' of actor '{self.name}' got the mass {self.mass[index]}; "
                "it must be positive"
            )
        if recompute_inertia:
            growth = np.divide(self.mass, own, out=np.ones_like(own), where=own > 0.0)
            self.inertia = self.scale**INERTIA_POWER * self.asset.body_inertia * growth[:, None, None]
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
        values = zip(properties, self.friction, self.restitution, self.own_filters, strict=True)
        for shape, friction, restitution, collision_filter in values:
            shape.friction, shape.restitution, shape.filter = friction, restitution, collision_filter
        return properties

    def set_shape_properties(self, properties: list[types.RigidShapeProperties]) -> None:
        if len(properties) != len(self.friction):
            raise ValueError(
                f"actor '{self.name}' has {counted(len(self.friction), 'shape')}, got properties of {len(properties)}"
            )
        self.own_filters = [shape.filter for shape in properties]
        self.friction = np.array([shape.friction for shape in properties], dtype=np.float32)
        self.restitution = np.array([shape.restitution for shape in properties], dtype=np.float32)


def _read(path: Path, options: types.AssetOptions) -> RobotDescription:
    robot = load_robot(path, options)
    if not options.fix_base_link and not any(body.shapes for body in robot.bodies):
        notice(f"{path}: nothing of it collides, so it falls through the ground; give its links <collision> or geoms")
    return robot


def _tell_of_idle_options(options: types.AssetOptions) -> None:
    """Which options that slow bodies down were made stricter than they are by default, and have no effect."""
    defaults = types.AssetOptions()
    damped = [
        name for name in ("linear_damping", "angular_damping") if getattr(options, name) > getattr(defaults, name)
    ]
    bounds = "max_linear_velocity", "max_angular_velocity"
    bounded = [name for name in bounds if getattr(options, name) < getattr(defaults, name)]
    if damped + bounded:
        notice(f"AssetOptions.{listed(damped + bounded)}: without effect, nothing slows bodies down here")


def _part(counts: list[int], index: int) -> slice:
    first = sum(counts[: int(index)])
    return slice(first, first + counts[int(index)])


def _body_properties(mass: np.ndarray, com: np.ndarray, inertia: np.ndarray) -> list[types.RigidBodyProperties]:
    inverse_mass = np.divide(1.0, mass, out=np.zeros_like(mass), where=mass > 0.0)
    inverse_inertia = np.linalg.pinv(inertia, hermitian=True)  # 0 of a body without mass, too
    columns = [values.tolist() for values in (mass, com, inertia, inverse_mass, inverse_inertia)]
    return [
        types.RigidBodyProperties.of(m, types.Vec3.of(*center), _matrix(rows), inverse, _matrix(inverse_rows), 0)
        for m, center, rows, inverse, inverse_rows in zip(*columns, strict=True)
    ]


def _matrix(rows: list[list[float]]) -> types.Mat33:
    return types.Mat33.of(*(types.Vec3.of(*row) for row in rows))


def _dof_properties(robot: RobotDescription, options: types.AssetOptions) -> np.ndarray:
    properties = np.zeros(len(robot.dofs), dtype=types.DOF_PROPERTIES_DTYPE)
    for row, joint in zip(properties, robot.dofs, strict=True):
        row["hasLimits"] = joint.has_limits
        row["lower"], row["upper"] = joint.lower, joint.upper
        row["velocity"], row["effort"] = joint.velocity, joint.effort
        row["stiffness"], row["damping"], row["friction"] = joint.stiffness, joint.damping, joint.friction
        drive = drive_of(joint.name, robot.actuators)
        row["driveMode"] = int(options.default_dof_drive_mode) or int(drive.mode)
        if row["driveMode"] == drive.mode:
            row["stiffness"], row["damping"] = drive.stiffness or joint.stiffness, joint.damping + drive.damping
        row["armature"] = options.armature + joint.armature
    return properties
