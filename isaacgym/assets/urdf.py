"""URDF → `RobotDescription`, in Isaac Gym's order and with its fixed-joint collapse.

Decisions where NVIDIA's behaviour is not documented:

* Siblings are sorted by joint name (plain string order) *after* collapsing, so a child that moves up to its
  grandparent takes its place among its new siblings. No surveyed robot tells this from sorting before.
* A merged body keeps its parent's name; its own shapes come first, those of merged links follow in joint-name order.
* A cylinder that becomes a capsule keeps its length as the capsule's cylindrical part, with a half sphere beyond
  each end. Keeping the total length is impossible for the short, fat cylinders of robots' hips (length < 2 radius).
* A `<limit>` without lower and upper leaves the joint unlimited; without effort or velocity these are infinite.
* A collision mesh becomes its convex hull (`mesh_files`); `vhacd_enabled` and `convex_decomposition_from_submeshes`
  change nothing about that. What is computed from density is computed from the hulls.
* `flip_visual_attachments` is not applied here: it concerns visual meshes only, whose axes a viewer decides.
* `<mimic>` (with a warning), `<safety_controller>`, `<transmission>` and `<gazebo>` are not read.
"""

import warnings
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

import numpy as np
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from isaacgym.assets.description import (
    DEFAULT_RGBA,
    Body,
    Joint,
    JointKind,
    Rgba,
    RobotDescription,
    Shape,
    ShapeKind,
    Visual,
    as_collision,
)
from isaacgym.assets.inertia import Balance
from isaacgym.assets.mesh_files import load_hull
from isaacgym.assets.xml_file import read_xml
from isaacgym.gym_types import AssetOptions

MAX_LINKS = 300  # legged robots have up to 50; the tree is walked by recursion
UNBOUNDED = ("lower", "upper", "effort", "velocity")  # attributes that may be infinite
MOVING_KINDS: tuple[JointKind, ...] = ("revolute", "continuous", "prismatic")


def load_urdf(path: str | Path, options: AssetOptions) -> RobotDescription:
    """Read a URDF file and apply the asset options that concern geometry, mass and structure."""
    urdf = _Urdf(Path(path), options)
    links, joints = urdf.parse()
    root = _check_tree(urdf, links, joints)
    if options.collapse_fixed_joints:
        joints = _collapse(links, joints)
    return RobotDescription(urdf.name, _ordered_bodies(urdf, links, joints, root))


# --- Parsing --------------------------------------------------------------------------------------------------------


@dataclass
class _Link:
    """A link under construction; com and inertia mean something only where mass or inertia is not zero."""

    name: str
    mass: float = 0.0
    com: np.ndarray = field(default_factory=lambda: np.zeros(3))
    inertia: np.ndarray = field(default_factory=lambda: np.zeros((3, 3)))
    shapes: list[Shape] = field(default_factory=list)
    visuals: list[Visual] = field(default_factory=list)


@dataclass
class _Joint:
    name: str
    kind: str  # one of MOVING_KINDS or "fixed"
    parent: str
    child: str
    pos: np.ndarray
    rot: Rotation
    dont_collapse: bool
    spec: Joint | None  # None if fixed


class _Urdf:
    """Reads elements of one file; every complaint names the file."""

    def __init__(self, path: Path, options: AssetOptions) -> None:
        self.path = path
        self.options = options
        self.name = path.stem
        self.materials: dict[str, Rgba] = {}

    def fail(self, problem: str) -> NoReturn:
        raise ValueError(f"{self.path}: {problem}")

    def parse(self) -> tuple[dict[str, _Link], list[_Joint]]:
        if not self.path.is_file():
            raise FileNotFoundError(
                f"{self.path}: no such file; check the asset root and file name given to load_asset"
            )
        robot = read_xml(self.path)
        if robot.tag != "robot":
            self.fail(f"the root element is <{robot.tag}>, expected <robot>; only URDF can be read here")
        self.name = robot.get("name", self.name)
        for material in robot.findall("material"):
            self._rgba(material)

        links: dict[str, _Link] = {}
        for element in robot.findall("link"):
            link = self._link(element)
            if link.name in links:
                self.fail(f"two links are named '{link.name}'; rename one")
            links[link.name] = link
        if len(links) > MAX_LINKS:
            self.fail(f"there are {len(links)} links, at most {MAX_LINKS} can be simulated")
        joints = [self._joint(element) for element in robot.findall("joint")]
        names = [joint.name for joint in joints]
        for name in names:
            if names.count(name) > 1:
                self.fail(f"two joints are named '{name}'; rename one")
        return links, joints

    def _link(self, element: ET.Element) -> _Link:
        link = _Link(self._text(element, "name", "<link>"))
        where = f"link '{link.name}'"
        inertial = element.find("inertial")
        if inertial is not None:
            mass, inertia = inertial.find("mass"), inertial.find("inertia")
            pos, rot = self._origin(inertial, where)
            if mass is not None:
                link.mass = self._numbers(mass, "value", 1, where)[0]
                link.com = pos
            if link.mass < 0:
                self.fail(f"{where} has the negative mass {link.mass}; give it a positive one")
            if inertia is not None:
                ixx, ixy, ixz, iyy, iyz, izz = (
                    self._numbers(inertia, key, 1, where, default="0")[0]
                    for key in ("ixx", "ixy", "ixz", "iyy", "iyz", "izz")
                )
                turn = rot.as_matrix()
                link.inertia = turn @ np.array([[ixx, ixy, ixz], [ixy, iyy, iyz], [ixz, iyz, izz]]) @ turn.T
        link.shapes = [self._collision(item, where) for item in element.findall("collision")]
        link.visuals = [self._visual(item, where) for item in element.findall("visual")]
        return link

    def _joint(self, element: ET.Element) -> _Joint:
        name = self._text(element, "name", "<joint>")
        where = f"joint '{name}'"
        kind = self._text(element, "type", where)
        moving_kind = next((known for known in MOVING_KINDS if known == kind), None)
        if moving_kind is None and kind != "fixed":
            self.fail(
                f"{where} is of type '{kind}', which is not supported; use fixed, {', '.join(MOVING_KINDS)}"
                " (the root link floats unless fix_base_link is set, it needs no joint)"
            )
        parent, child = (self._end(element, tag, where) for tag in ("parent", "child"))
        pos, rot = self._origin(element, where)
        if element.find("mimic") is not None:
            warnings.warn(f"{self.path}: {where} has <mimic>, which is ignored; it moves freely", stacklevel=2)
        return _Joint(
            name=name,
            kind=kind,
            parent=parent,
            child=child,
            pos=pos,
            rot=rot,
            dont_collapse=element.get("dont_collapse", "false").strip().lower() in ("true", "1"),
            spec=None if moving_kind is None else self._moving_joint(element, name, moving_kind, where),
        )

    def _end(self, joint: ET.Element, tag: str, where: str) -> str:
        """The link that <parent> or <child> names."""
        end = joint.find(tag)
        link = None if end is None else end.get("link")
        if not link:
            self.fail(f'{where} names no {tag} link; add <{tag} link="..."/>')
        return link

    def _moving_joint(self, element: ET.Element, name: str, kind: JointKind, where: str) -> Joint:
        axis = np.array([1.0, 0.0, 0.0])  # URDF's default
        direction = element.find("axis")
        if direction is not None:
            axis = np.array(self._numbers(direction, "xyz", 3, where))
        length = np.linalg.norm(axis)
        if length == 0.0:
            self.fail(f'{where} has a zero axis; give it a direction such as xyz="0 0 1"')
        limit, dynamics = element.find("limit"), element.find("dynamics")
        limit = ET.Element("limit") if limit is None else limit
        dynamics = ET.Element("dynamics") if dynamics is None else dynamics
        lower, upper = -np.inf, np.inf
        # A <limit> with neither bound only states effort and velocity; with one bound the other is 0, as URDF says.
        if kind != "continuous" and ("lower" in limit.attrib or "upper" in limit.attrib):
            lower = self._numbers(limit, "lower", 1, where, default="0")[0]
            upper = self._numbers(limit, "upper", 1, where, default="0")[0]
            if lower >= upper:
                self.fail(f"{where} has lower limit {lower} not below upper limit {upper}; swap them or make it fixed")
        return Joint(
            name=name,
            kind=kind,
            axis=axis / length,
            lower=lower,
            upper=upper,
            effort=self._numbers(limit, "effort", 1, where, default="inf")[0],
            velocity=self._numbers(limit, "velocity", 1, where, default="inf")[0],
            damping=self._numbers(dynamics, "damping", 1, where, default="0")[0],
            friction=self._numbers(dynamics, "friction", 1, where, default="0")[0],
        )

    def _collision(self, element: ET.Element, where: str) -> Shape:
        shape = self._shape(element, where)
        if shape.mesh_file is not None:
            if not shape.mesh_file.is_file():
                raise FileNotFoundError(
                    f"{self.path}: the collision mesh {shape.mesh_file} of {where} does not exist; add it or use a box"
                )
            return replace(shape, vertices=load_hull(shape.mesh_file, shape.mesh_scale))
        return as_collision(shape, self.options)

    def _visual(self, element: ET.Element, where: str) -> Visual:
        material = element.find("material")
        return replace(self._shape(element, where), rgba=DEFAULT_RGBA if material is None else self._rgba(material))

    def _shape(self, element: ET.Element, where: str) -> Shape:
        pos, rot = self._origin(element, where)
        geometry = element.find("geometry")
        if geometry is None or len(geometry) == 0:
            self.fail(f"a <{element.tag}> of {where} has no <geometry>; add one or delete the element")
        item = geometry[0]
        kind: ShapeKind
        mesh_file, mesh_scale, size = None, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)
        if item.tag == "box":
            x, y, z = self._numbers(item, "size", 3, where)
            kind, size = "box", (0.5 * x, 0.5 * y, 0.5 * z)
        elif item.tag == "sphere":
            kind, size = "sphere", (self._numbers(item, "radius", 1, where)[0], 0.0, 0.0)
        elif item.tag in ("cylinder", "capsule"):
            kind = "cylinder" if item.tag == "cylinder" else "capsule"
            radius, length = (self._numbers(item, key, 1, where)[0] for key in ("radius", "length"))
            size = (radius, 0.5 * length, 0.0)
        elif item.tag == "mesh":
            kind, mesh_file = "mesh", self._resolve(self._text(item, "filename", where))
            x, y, z = self._numbers(item, "scale", 3, where, default="1 1 1")
            mesh_scale = (x, y, z)
        else:
            self.fail(f"{where} uses the geometry <{item.tag}>; use box, sphere, cylinder, capsule or mesh")
        if kind != "mesh" and (min(size) < 0.0 or size[0] == 0.0):
            self.fail(f"the <{item.tag}> of {where} has a size that is not positive; correct it")
        return Shape(kind, size, pos, rot.as_quat(), mesh_file=mesh_file, mesh_scale=mesh_scale)

    def _resolve(self, filename: str) -> Path:
        """The file a mesh reference means; of `package://name/rest`, look for name/rest or rest beside and above."""
        if not filename.startswith("package://"):
            return self.path.parent / filename.removeprefix("file://")
        whole = Path(filename.removeprefix("package://"))
        inside = Path(*whole.parts[1:])
        for folder in self.path.absolute().parents:
            for candidate in (folder / whole, folder / inside):
                if candidate.is_file():
                    return candidate
        return self.path.parent / inside

    def _rgba(self, material: ET.Element) -> Rgba:
        """The colour of a material, which may be defined here or elsewhere in the file by name."""
        name, color = material.get("name", ""), material.find("color")
        if color is not None:
            red, green, blue, alpha = self._numbers(color, "rgba", 4, f"material '{name}'")
            rgba = (red, green, blue, alpha)
            self.materials.setdefault(name, rgba)
            return rgba
        return self.materials.get(name, DEFAULT_RGBA)

    def _origin(self, element: ET.Element, where: str) -> tuple[np.ndarray, Rotation]:
        """Position and rotation of <origin>; rpy are angles about the fixed axes x, y, z, in this order."""
        origin = element.find("origin")
        if origin is None:
            return np.zeros(3), Rotation.identity()
        xyz = self._numbers(origin, "xyz", 3, where, default="0 0 0")
        rpy = self._numbers(origin, "rpy", 3, where, default="0 0 0")
        return np.array(xyz), Rotation.from_euler("xyz", rpy)

    def _text(self, element: ET.Element, key: str, where: str) -> str:
        value = element.get(key)
        if not value:
            self.fail(f"{where} lacks the attribute '{key}' in <{element.tag}>; add it")
        return value

    def _numbers(self, element: ET.Element, key: str, count: int, where: str, default: str = "") -> list[float]:
        text = element.get(key) or default or self._text(element, key, where)
        try:
            values = [float(word) for word in text.split()]
        except ValueError:
            values = []
        if len(values) != count or np.isnan(values).any() or (key not in UNBOUNDED and np.isinf(values).any()):
            wanted = "a number" if count == 1 else f"{count} numbers"
            self.fail(f'{where} has {key}="{text}" in <{element.tag}>, expected {wanted}')
        return values


# --- Structure ------------------------------------------------------------------------------------------------------


def _check_tree(urdf: _Urdf, links: dict[str, _Link], joints: list[_Joint]) -> str:
    """Make sure that links and joints form one tree; returns the root's name."""
    parent_joint: dict[str, _Joint] = {}
    for joint in joints:
        for role, name in (("parent", joint.parent), ("child", joint.child)):
            if name not in links:
                urdf.fail(f"joint '{joint.name}' has the {role} link '{name}', which does not exist; add or rename it")
        if joint.child in parent_joint:
            both = f"'{parent_joint[joint.child].name}' and '{joint.name}'"
            urdf.fail(
                f"link '{joint.child}' is the child of two joints, {both}; remove one (loops cannot be simulated)"
            )
        parent_joint[joint.child] = joint
    for name in links:
        seen = [name]
        while seen[-1] in parent_joint:
            seen.append(parent_joint[seen[-1]].parent)
            if seen[-1] == name:
                urdf.fail(f"the links {' → '.join(reversed(seen))} form a cycle; remove one of their joints")
            if len(seen) > len(links):
                break  # leads into a cycle further up, reported when its own links are looked at
    roots = [name for name in links if name not in parent_joint]
    if not roots:
        urdf.fail("there is no link; add at least one")
    if len(roots) > 1:
        urdf.fail(
            f"there are {len(roots)} root links ({', '.join(roots)}); connect them with joints so that one remains"
        )
    return roots[0]


def _collapse(links: dict[str, _Link], joints: list[_Joint]) -> list[_Joint]:
    """Merge children of collapsible fixed joints into their parents in place; returns the joints that remain."""
    by_parent: dict[str, list[_Joint]] = {}
    for joint in sorted(joints, key=lambda joint: joint.name):
        by_parent.setdefault(joint.parent, []).append(joint)

    def collapse_below(name: str) -> list[_Joint]:
        """Remaining joints of the subtree; those that start at `name` have their origin in its frame."""
        remaining = []
        for joint in by_parent.get(name, []):
            below = collapse_below(joint.child)
            if joint.kind != "fixed" or joint.dont_collapse:
                remaining += [joint, *below]
                continue
            _merge(links[name], links.pop(joint.child), joint)
            for moved in below:
                if moved.parent == joint.child:
                    moved = replace(
                        moved, parent=name, pos=joint.pos + joint.rot.apply(moved.pos), rot=joint.rot * moved.rot
                    )
                remaining.append(moved)
        return remaining

    children = {joint.child for joint in joints}
    return collapse_below(next(name for name in links if name not in children))


def _merge(parent: _Link, child: _Link, joint: _Joint) -> None:
    """Add the child's mass, inertia and shapes to the parent, through the fixed joint between them."""
    turn = joint.rot.as_matrix()
    child_com = joint.pos + turn @ child.com
    mass = parent.mass + child.mass
    com = (parent.mass * parent.com + child.mass * child_com) / mass if mass > 0.0 else np.zeros(3)
    parent.inertia = (
        parent.inertia
        + _point_inertia(parent.mass, parent.com - com)
        + turn @ child.inertia @ turn.T
        + _point_inertia(child.mass, child_com - com)
    )
    parent.mass, parent.com = mass, com
    for own, added in ((parent.shapes, child.shapes), (parent.visuals, child.visuals)):
        for shape in added:
            quat = (joint.rot * Rotation.from_quat(shape.quat)).as_quat()
            own.append(replace(shape, pos=joint.pos + turn @ shape.pos, quat=quat))


def _ordered_bodies(urdf: _Urdf, links: dict[str, _Link], joints: list[_Joint], root: str) -> list[Body]:
    """Bodies depth first, siblings by joint name."""
    by_parent: dict[str, list[_Joint]] = {}
    for joint in sorted(joints, key=lambda joint: joint.name):
        by_parent.setdefault(joint.parent, []).append(joint)
    bodies: list[Body] = []

    def carried_mass(name: str) -> float:
        """Mass of the links fixed to this one, directly or through others."""
        return sum(links[j.child].mass + carried_mass(j.child) for j in by_parent.get(name, []) if j.kind == "fixed")

    def visit(name: str, parent: int, joint: _Joint | None) -> None:
        index = len(bodies)
        link = links[name]
        moves = joint.spec is not None if joint else not urdf.options.fix_base_link
        if moves and link.mass == 0.0 and not link.shapes and carried_mass(name) > 0.0:
            moves = False  # a bare frame, such as Aliengo's "base" without collapse: what is fixed to it has the mass
        _complete_mass(urdf, link, moves)
        bodies.append(
            Body(
                name=name,
                parent=parent,
                pos=joint.pos if joint else np.zeros(3),
                quat=joint.rot.as_quat() if joint else np.array([0.0, 0.0, 0.0, 1.0]),
                mass=link.mass,
                com=link.com,
                inertia=link.inertia,
                shapes=link.shapes,
                visuals=link.visuals,
                joints=(replace(joint.spec, body=index),) if joint and joint.spec else (),
            )
        )
        for below in by_parent.get(name, []):
            visit(below.child, index, below)

    visit(root, -1, None)
    balance = Balance(urdf.path)
    bodies = [replace(body, inertia=balance.of(body.name, body.inertia)) for body in bodies]
    balance.report(urdf.options.strict_inertia)
    return bodies


# --- Mass of shapes -------------------------------------------------------------------------------------------------


def _complete_mass(urdf: _Urdf, link: _Link, moves: bool) -> None:
    """Compute what a moving body lacks from its shapes, and apply override_com and override_inertia.

    Without mass, all comes from the shapes and AssetOptions.density; without inertia only, the shapes share the mass.
    """
    options = urdf.options
    needs_mass = moves and link.mass == 0.0
    needs_com = needs_mass or (options.override_com and link.mass > 0.0)
    needs_inertia = needs_mass or (link.mass > 0.0 and (options.override_inertia or (moves and not link.inertia.any())))
    if not (needs_com or needs_inertia):
        return
    volume, com, inertia = _solid(link.shapes)
    if volume == 0.0:
        urdf.fail(f"link '{link.name}' needs its inertia computed but has no solid collision shape; add <inertial>")
    if needs_mass:
        link.mass = options.density * volume
        if link.mass <= 0.0:
            urdf.fail(f"link '{link.name}' moves but has no mass and AssetOptions.density is 0; add <inertial>")
    if needs_com:
        link.com = com
    if needs_inertia:
        link.inertia = inertia * (link.mass / volume)


def _solid(shapes: list[Shape]) -> tuple[float, np.ndarray, np.ndarray]:
    """Volume, centre and inertia about it of shapes of density 1; overlaps count twice."""
    total = _Link("")
    for shape in shapes:
        volume, centre, moments = _solid_of_one(shape)
        part = _Link("", volume, centre, moments)
        _merge(total, part, _Joint("", "fixed", "", "", shape.pos, Rotation.from_quat(shape.quat), False, None))
    return total.mass, total.com, total.inertia


def _solid_of_one(shape: Shape) -> tuple[float, np.ndarray, np.ndarray]:
    """Volume, centre and inertia about it, density 1, in the shape's frame."""
    a, b, c = shape.size
    if shape.kind == "box":
        volume = 8.0 * a * b * c
        moments = volume / 3.0 * np.array([b * b + c * c, a * a + c * c, a * a + b * b])
        return volume, np.zeros(3), np.diag(moments)
    if shape.kind == "sphere":
        volume = 4.0 / 3.0 * np.pi * a**3
        return volume, np.zeros(3), 0.4 * volume * a * a * np.eye(3)
    if shape.kind == "capsule":
        cylinder, caps = 2.0 * np.pi * a * a * b, 4.0 / 3.0 * np.pi * a**3
        # A half ball's COM is 3r/8 above its base; its inertia about a diameter of the base is 2mr²/5.
        across = cylinder * (a * a / 4.0 + b * b / 3.0) + caps * (0.4 * a * a + b * b + 0.75 * a * b)
        along = cylinder * a * a / 2.0 + caps * 0.4 * a * a
        return cylinder + caps, np.zeros(3), np.diag([across, across, along])
    # Convex hull: sum of tetrahedra between an inner point and the faces.
    vertices = shape.vertices
    assert vertices is not None, "a collision mesh has vertices"
    hull = ConvexHull(vertices)
    inner = vertices.mean(axis=0)
    corners = vertices[hull.simplices] - inner  # (faces, 3, 3)
    sums = corners.sum(axis=1)
    volumes = np.abs(np.linalg.det(corners)) / 6.0
    volume = volumes.sum()
    centre = volumes @ sums / (4.0 * volume)
    # Integral of x xᵀ over a tetrahedron with one corner at 0 and volume V: V/20 (Σ v vᵀ + (Σ v)(Σ v)ᵀ).
    second = np.einsum("f,fki,fkj->ij", volumes, corners, corners) + np.einsum("f,fi,fj->ij", volumes, sums, sums)
    second = second / 20.0 - volume * np.outer(centre, centre)
    return volume, inner + centre, np.trace(second) * np.eye(3) - second


def _point_inertia(mass: float, offset: np.ndarray) -> np.ndarray:
    """Inertia of a point mass at `offset` about the origin."""
    return mass * (offset @ offset * np.eye(3) - np.outer(offset, offset))
