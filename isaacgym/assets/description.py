"""A robot as the engine consumes it: a tree of bodies with joints to their parents.

Bodies and DOFs are in Isaac Gym's order (depth first). SI units. Quaternions are xyzw. A body's frame is the frame of
its URDF link or MJCF body; a joint acts about or along an axis that is fixed in its (child) body. A body with several
joints, which MJCF allows, moves as if frames without mass stood between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Literal

import numpy as np

from isaacgym.gym_types import ActuatorProperties, AssetOptions, TendonProperties

ShapeKind = Literal["sphere", "capsule", "box", "mesh", "cylinder"]
JointKind = Literal["revolute", "continuous", "prismatic"]
Rgba = tuple[float, float, float, float]
MIN_EXTENT = 0.5e-3  # [m] half the thickness that a flat shape gets
MAX_NUMBER = 1e9  # SI units: beyond every robot
NO_LIMIT = 1e6  # [rad], [m] a limit from here on never binds
NO_SIZE = "a collision shape of size 0 is left out: {}"  # said, {} for the shapes
LEFT_OUT = "these visuals are left out: {}"
DEFAULT_RGBA: Rgba = (0.7, 0.7, 0.7, 1.0)


@dataclass(frozen=True, eq=False)
class Shape:
    """One collision shape or, with a colour, one visual. Capsules and cylinders lie along their z axis.

    size: sphere (radius, 0, 0); capsule and cylinder (radius, half length of the cylindrical part, 0); box half
    extents; mesh (0, 0, 0). Cylinders appear among visuals only. A collision mesh is the convex hull of `vertices`.
    """

    kind: ShapeKind
    size: tuple[float, float, float]
    pos: np.ndarray  # (3,) in the body frame [m]
    quat: np.ndarray  # (4,) xyzw, shape to body
    rgba: Rgba = DEFAULT_RGBA
    mesh_file: Path | None = None  # where a mesh comes from; None for a cylinder made into a prism
    mesh_scale: tuple[float, float, float] = (1.0, 1.0, 1.0)  # of the file's coordinates
    vertices: np.ndarray | None = None  # of a collision mesh's convex hull, (n, 3) in the shape's frame [m]
    filter: int = 0  # shapes of a robot whose filters share a bit do not collide


Visual = Shape


def limits(lower: float, upper: float) -> tuple[float, float]:
    """Limits as a joint has them: none, -inf and inf, if both never bind; ±NO_LIMIT for a single one that does not."""
    if lower <= -NO_LIMIT and upper >= NO_LIMIT:
        return -np.inf, np.inf
    return max(lower, -NO_LIMIT), min(upper, NO_LIMIT)


def unused_name(wish: str, taken: Sequence[str]) -> str:
    """A name that is not taken: the one wished for, or a longer one."""
    while wish in taken:
        wish += "_"
    return wish


def as_collision(shape: Shape, options: AssetOptions) -> Shape:
    """The shape as contacts know it: a cylinder becomes a capsule of the same cylindrical part, or a prism.

    A side without any extent gets MIN_EXTENT, and a capsule without length is a sphere. With 0 slices a cylinder stays
    one, which C MuJoCo can collide and our engines cannot.
    """
    if shape.kind == "box":
        x, y, z = (max(side, MIN_EXTENT) for side in shape.size)
        return replace(shape, size=(x, y, z))
    as_capsule = shape.kind == "cylinder" and options.replace_cylinder_with_capsule
    if shape.kind == "capsule" or as_capsule:
        return replace(shape, kind="capsule" if shape.size[1] > 0.0 else "sphere")
    if shape.kind != "cylinder":
        return shape
    radius, half_length = shape.size[0], max(shape.size[1], MIN_EXTENT)
    if options.slices_per_cylinder == 0:
        return replace(shape, size=(radius, half_length, 0.0))
    angles = np.linspace(0.0, 2.0 * np.pi, max(3, options.slices_per_cylinder), endpoint=False)
    circle = radius * np.column_stack([np.cos(angles), np.sin(angles)])
    vertices = np.concatenate([np.insert(circle, 2, end, axis=1) for end in (-half_length, half_length)])
    return replace(shape, kind="mesh", size=(0.0, 0.0, 0.0), vertices=vertices)


@dataclass(frozen=True, eq=False)
class Joint:
    name: str
    kind: JointKind
    axis: np.ndarray  # (3,) unit vector in the child body's frame
    lower: float  # [rad] or [m]; -inf if unlimited
    upper: float  # inf if unlimited
    effort: float  # limit [N·m] or [N]; inf if unlimited
    velocity: float  # limit [rad/s] or [m/s]; inf if unlimited
    damping: float = 0.0  # [N·m·s/rad] or [N·s/m]
    friction: float = 0.0  # [N·m] or [N]
    stiffness: float = 0.0  # of a spring in the joint [N·m/rad] or [N/m]
    spring_rest: float = 0.0  # position at which the spring exerts nothing [rad] or [m]
    armature: float = 0.0  # [kg·m²] or [kg]
    body: int = -1  # index of the body that it moves
    anchor: tuple[float, float, float] = (0.0, 0.0, 0.0)  # a point on the axis, in the child body's frame [m]

    @property
    def has_limits(self) -> bool:
        return bool(np.isfinite(self.lower) and np.isfinite(self.upper))


@dataclass(frozen=True, eq=False)
class Body:
    name: str
    parent: int  # index, -1 for the root; smaller than the body's own index
    pos: np.ndarray  # (3,) origin in the parent's frame with the joint at 0 [m]; 0 for the root
    quat: np.ndarray  # (4,) xyzw, body to parent with the joint at 0
    mass: float  # [kg]; 0 only if the body is fixed to its parent, or bodies fixed to it have mass
    com: np.ndarray  # (3,) in the body frame [m]
    inertia: np.ndarray  # (3, 3) about the COM, body axes [kg·m²]
    shapes: list[Shape] = field(default_factory=list)
    visuals: list[Visual] = field(default_factory=list)
    joints: tuple[Joint, ...] = ()  # from the parent on; none: root, or fixed to the parent
    fixed_by: str = ""  # name of the joint that fixes it to its parent


@dataclass(frozen=True)
class Coupling:
    """A joint that follows another: q - q₀ = Σ cₖ (Q - Q₀)ᵏ with both joints' positions at rest q₀ = Q₀ = 0."""

    joint: str
    other: str | None  # None: the joint stays at c₀
    coefficients: tuple[float, float, float, float, float]  # c₀ to c₄


@dataclass(frozen=True)
class FixedTendon:
    """A length Σ coefficient · joint position that springs, dampers and limits act on, as in MuJoCo.

    A spring pulls outside of `rest`; forces are along the length.
    """

    name: str
    joints: tuple[tuple[str, float], ...]  # names and coefficients
    lower: float  # -inf if unlimited
    upper: float
    stiffness: float = 0.0
    damping: float = 0.0
    friction: float = 0.0
    rest: tuple[float, float] = (0.0, 0.0)

    @property
    def is_limited(self) -> bool:
        return bool(np.isfinite(self.lower))

    @property
    def acts(self) -> bool:
        """Others only name a combination of joints."""
        return self.is_limited or any((self.stiffness, self.damping, self.friction))


@dataclass(frozen=True, eq=False)
class RobotDescription:
    name: str
    bodies: list[Body]
    couplings: tuple[Coupling, ...] = ()
    fixed_base: bool = False  # by the file, whatever AssetOptions.fix_base_link says
    actuators: Sequence[ActuatorProperties] = ()  # that the file names
    tendons: Sequence[TendonProperties] = ()  # what scripts are told of them
    fixed_tendons: tuple[FixedTendon, ...] = ()

    def with_filters(self, filters: Sequence[int]) -> RobotDescription:
        """The same robot with these collision filters of its shapes, body by body."""
        given = iter(filters)
        return replace(
            self,
            bodies=[
                replace(body, shapes=[replace(shape, filter=next(given)) for shape in body.shapes])
                for body in self.bodies
            ],
        )

    def without_visuals(self) -> RobotDescription:
        """The same robot, which looks like its collision shapes."""
        return replace(self, bodies=[replace(body, visuals=[]) for body in self.bodies])

    @property
    def collides_with_itself(self) -> bool:
        """Whether filters let any two shapes touch that belong to neither one body nor to parent and child."""
        shapes = [(index, shape.filter) for index, body in enumerate(self.bodies) for shape in body.shapes]
        return any(
            not own & other and a != b and a != self.bodies[b].parent and b != self.bodies[a].parent
            for (a, own), (b, other) in combinations(shapes, 2)
        )

    @property
    def body_names(self) -> list[str]:
        return [body.name for body in self.bodies]

    @property
    def dofs(self) -> list[Joint]:
        """The joints in DOF order; `joint.body` is the index of the moved body."""
        return [joint for body in self.bodies for joint in body.joints]

    @property
    def dof_names(self) -> list[str]:
        return [joint.name for joint in self.dofs]

    @property
    def all_joints(self) -> list[tuple[str, JointKind | Literal["fixed"]]]:
        """Names and kinds of all joints in the order of the bodies below them, fixed ones included."""
        names: list[tuple[str, JointKind | Literal["fixed"]]] = []
        for body in self.bodies:
            if body.joints:
                names += [(joint.name, joint.kind) for joint in body.joints]
            elif body.parent >= 0:
                names.append((body.fixed_by or f"{body.name}_fixed", "fixed"))
        return names

    @property
    def couples_joints(self) -> bool:
        """Whether joints act on each other otherwise than through the bodies between them."""
        return bool(self.couplings) or any(tendon.acts for tendon in self.fixed_tendons)

    @property
    def mass(self) -> float:
        """Total mass [kg]."""
        return sum(body.mass for body in self.bodies)
