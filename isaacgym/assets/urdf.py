"""URDF → `RobotDescription`, in Isaac Gym's order and with its fixed-joint collapse.

Decisions where NVIDIA's behaviour is not documented:

* Siblings are sorted by joint name (plain string order) *after* collapsing, so a child that moves up to its
  grandparent takes its place among its new siblings. No surveyed robot tells this from sorting before.
* A merged body keeps its parent's name; its own shapes come first, those of merged links follow in joint-name order.
* A cylinder that becomes a capsule keeps its length as the capsule's cylindrical part, with a half sphere beyond
  each end. Keeping the total length is impossible for the short, fat cylinders of robots' hips (length < 2 radius).
* A `<limit>` without lower and upper leaves the joint unlimited; without effort or velocity, or with 0, as exporters
  write where they know nothing, these are infinite. With lower = upper the joint is fixed there.
* An `<inertial>` with a `<density value="...">` and no mass, as Isaac Gym's own objects state it, has mass, centre and
  inertia of the link's shapes at that density.
* A collision mesh becomes its convex hull (`mesh_files`), whatever `vhacd_enabled` says, which is told; with
  `convex_decomposition_from_submeshes` one hull for each of its parts. Density counts for the hulls.
* `flip_visual_attachments` is not applied here: it concerns visual meshes only, whose axes a viewer decides.
* A root without mass and shapes to which the one other link is joined by a `floating` joint is the world: that link is
  the root. A `planar` joint is two prismatic ones and a revolute one, `<name>_x`, `<name>_y` and `<name>_yaw`, on a
  fixed root.
* `<mimic>` couples joints. `<safety_controller>`, `<transmission>` and `<gazebo>` are not read.
* What is wrong with a visual leaves that visual out; so does a collision shape without geometry or size.
"""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
from scipy.spatial.transform import Rotation

from isaacgym.assets.description import (
    DEFAULT_RGBA,
    LEFT_OUT,
    MAX_NUMBER,
    NO_SIZE,
    Coupling,
    Joint,
    JointKind,
    Rgba,
    RobotDescription,
    Shape,
    ShapeKind,
    Visual,
    as_collision,
    limits,
)
from isaacgym.assets.inertia import LEAST
from isaacgym.assets.mesh_files import load_hull, load_hulls
from isaacgym.assets.mesh_paths import find_collision_mesh, find_mesh, mesh_dir, places
from isaacgym.assets.notices import Notices
from isaacgym.assets.urdf_tree import UrdfJoint, UrdfLink, check_tree, collapse, ordered_bodies, root_joints
from isaacgym.assets.xml_file import read_xml
from isaacgym.gym_types import AssetOptions

MAX_LINKS = 300  # legged robots have up to 50; the tree is walked by recursion
XACRO = re.compile(r"xacro}(?!(property|arg)$)")  # elements that become others; a definition left over changes nothing
COMMA = re.compile(r",\s")  # between numbers; "0,5" is refused, for it may be a half
UNBOUNDED = ("lower", "upper", "effort", "velocity")  # attributes that may be infinite
MOVING_KINDS: tuple[JointKind, ...] = ("revolute", "continuous", "prismatic")
# what is said, {} for the joints or links
FIXED_BY_LIMITS = "joints whose lower limit equals the upper one are fixed: {}"
ZERO_BOUND = "limits of 0, with which nothing could move, are taken for no limits: {}"
NO_GEOMETRY = "a <collision> without <geometry> is left out: {}"
NOT_DECOMPOSED = (
    "AssetOptions.vhacd_enabled: without effect, these collision meshes are their convex hulls; take them apart, one "
    "object a part, and set convex_decomposition_from_submeshes: {}"
)
NO_COLOUR = "colours that are no four numbers are grey: {}"
OPEN_LOOPS = "loops are not closed, their joints are left out: {}"
MAX_FLOAT = float(np.finfo(np.float32).max)  # what properties of DOFs hold; files write the greatest double for "none"


def load_urdf(path: str | Path, options: AssetOptions) -> RobotDescription:
    """Read a URDF file and apply the asset options that concern geometry, mass and structure."""
    urdf = _Urdf(Path(path), options)
    links, joints = urdf.parse()
    root = check_tree(urdf, links, joints)
    root, joints, fixed_base = root_joints(urdf, links, joints, root)
    if options.collapse_fixed_joints:
        joints = collapse(links, joints)
    couplings = urdf.couplings(joints)
    bodies = ordered_bodies(urdf, links, joints, root, fixed_base or options.fix_base_link)
    urdf.notices.say()
    return RobotDescription(urdf.name, bodies, couplings, fixed_base)


# --- Parsing --------------------------------------------------------------------------------------------------------


class _Urdf:
    """Reads elements of one file; every complaint names the file."""

    def __init__(self, path: Path, options: AssetOptions) -> None:
        self.path = path
        self.options = options
        self.name = path.stem
        self.notices = Notices(path)
        self.materials: dict[str, Rgba] = {}
        self.mesh_dir = ""
        self._mimics: dict[str, Coupling] = {}  # by joint

    def fail(self, problem: str) -> NoReturn:
        raise ValueError(f"{self.path}: {problem}")

    def parse(self) -> tuple[dict[str, UrdfLink], list[UrdfJoint]]:
        if not self.path.is_file():
            raise FileNotFoundError(
                f"{self.path}: no such file; check the asset root and file name given to load_asset"
            )
        robot = read_xml(self.path)
        if robot.tag != "robot":
            self.fail(f"the root element is <{robot.tag}>, expected <robot>; only URDF can be read here")
        left = [f"xacro:{_local(element)}" for element in robot.iter() if XACRO.search(element.tag)]
        left += [_local(element) for element in robot if _local(element) == "include"]
        if left:
            self.fail(f"its <{left[0]}> is not expanded, so parts are missing; expand it with the xacro tool first")
        for element in robot.findall("loop_joint"):
            self.notices.add(OPEN_LOOPS, f"'{element.get('name', '')}'")
        self.name = robot.get("name", self.name)
        self.mesh_dir = mesh_dir(robot)
        for material in robot.findall("material"):
            self._rgba(material)

        links: dict[str, UrdfLink] = {}
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

    def _link(self, element: ET.Element) -> UrdfLink:
        link = UrdfLink(self._text(element, "name", "<link>"))
        where = f"link '{link.name}'"
        inertial = element.find("inertial")
        if inertial is not None:
            mass, inertia = inertial.find("mass"), inertial.find("inertia")
            pos, rot = self._origin(inertial, where)
            if mass is not None:
                link.mass = _none_if_tiny(self._numbers(mass, "value", 1, where)[0])
                link.com = pos
            if link.mass < 0:
                self.fail(f"{where} has the negative mass {link.mass}; give it a positive one")
            if inertia is not None:
                ixx, ixy, ixz, iyy, iyz, izz = (
                    _none_if_tiny(self._numbers(inertia, key, 1, where, default="0")[0])
                    for key in ("ixx", "ixy", "ixz", "iyy", "iyz", "izz")
                )
                turn = rot.as_matrix()
                link.inertia = turn @ np.array([[ixx, ixy, ixz], [ixy, iyy, iyz], [ixz, iyz, izz]]) @ turn.T
        link.shapes = [shape for item in element.findall("collision") for shape in self._collision(item, where)]
        density = None if inertial is None else inertial.find("density")
        if density is not None and link.mass == 0.0:
            link.fill(self._not_negative(density, "value", where, default=""))
        visuals = [self._visual(item, where) for item in element.findall("visual")]
        link.visuals = [visual for visual in visuals if visual is not None]
        return link

    def _joint(self, element: ET.Element) -> UrdfJoint:
        name = self._text(element, "name", "<joint>")
        where = f"joint '{name}'"
        kind = self._text(element, "type", where).lower()
        if kind not in (*MOVING_KINDS, "fixed", "floating", "planar"):
            self.fail(
                f"{where} is of type '{kind}', which is not supported; use fixed, {', '.join(MOVING_KINDS)}"
                " (the root link floats unless fix_base_link is set, it needs no joint)"
            )
        parent, child = (self._end(element, tag, where) for tag in ("parent", "child"))
        pos, rot = self._origin(element, where)
        moving = self._moving_joints(element, name, kind, where)
        if moving and moving[0].lower == moving[0].upper:
            pos, rot = _held(moving[0], pos, rot)
            moving = ()
        return UrdfJoint(
            name=name,
            kind=kind if moving or kind == "floating" else "fixed",
            parent=parent,
            child=child,
            pos=pos,
            rot=rot,
            dont_collapse=element.get("dont_collapse", "false").strip().lower() in ("true", "1"),
            moving=moving,
        )

    def _end(self, joint: ET.Element, tag: str, where: str) -> str:
        """The link that <parent> or <child> names."""
        end = joint.find(tag)
        link = "" if end is None else end.get("link", "").strip()
        if not link:
            self.fail(f'{where} names no {tag} link; add <{tag} link="..."/>')
        return link

    def _moving_joints(self, element: ET.Element, name: str, kind: str, where: str) -> tuple[Joint, ...]:
        """The joints that an element stands for: one, or three of a planar one, or none that moves."""
        if kind in ("fixed", "floating"):
            return ()
        axis = np.array([1.0, 0.0, 0.0])  # URDF's default
        direction = element.find("axis")
        if direction is not None:
            axis = np.array(self._numbers(direction, "xyz", 3, where))
        length = np.linalg.norm(axis)
        if length == 0.0:
            self.fail(f'{where} has a zero axis; give it a direction such as xyz="0 0 1"')
        axis = axis / length
        if kind == "planar":
            least = np.eye(3)[np.abs(axis).argmin()]  # x, if the plane is horizontal
            along_x = least - (least @ axis) * axis
            along_x /= np.linalg.norm(along_x)
            along_y = np.cross(axis, along_x)
            planar: list[tuple[str, JointKind, np.ndarray]] = [
                ("x", "prismatic", along_x),
                ("y", "prismatic", along_y),
                ("yaw", "continuous", axis),
            ]
            return tuple(Joint(f"{name}_{key}", k, a, -np.inf, np.inf, np.inf, np.inf) for key, k, a in planar)
        moving_kind = next(known for known in MOVING_KINDS if known == kind)
        limit, dynamics = element.find("limit"), element.find("dynamics")
        limit = ET.Element("limit") if limit is None else limit
        dynamics = ET.Element("dynamics") if dynamics is None else dynamics
        lower, upper = -np.inf, np.inf
        # A <limit> with neither bound only states effort and velocity; with one bound the other is 0, as URDF says.
        if kind != "continuous" and any(limit.get(key, "").strip() for key in ("lower", "upper")):
            lower = self._numbers(limit, "lower", 1, where, default="0")[0]
            upper = self._numbers(limit, "upper", 1, where, default="0")[0]
            if lower > upper:
                self.fail(
                    f"{where} has lower limit {lower} not below upper limit {upper}; swap them, or make it "
                    "continuous if it has none, as Bullet means it"
                )
            lower, upper = limits(lower, upper)
            if lower == upper:
                self.notices.add(FIXED_BY_LIMITS, f"'{name}'" + (f" at {lower:g}" if lower else ""))
                return (Joint(name, moving_kind, axis, lower, upper, np.inf, np.inf),)
        self._read_mimic(element, name, where)
        return (
            Joint(
                name=name,
                kind=moving_kind,
                axis=axis,
                lower=lower,
                upper=upper,
                effort=self._bound(limit, "effort", name, where),
                velocity=self._bound(limit, "velocity", name, where),
                damping=self._not_negative(dynamics, "damping", where, default="0"),
                friction=self._not_negative(dynamics, "friction", where, default="0"),
            ),
        )

    def _bound(self, limit: ET.Element, key: str, name: str, where: str) -> float:
        """A bound of effort or speed; 0 means that none is given."""
        value = self._not_negative(limit, key, where, default="inf")
        if value != 0.0:
            return value if value < MAX_FLOAT else float("inf")
        self.notices.add(ZERO_BOUND, f"'{name}' {key}")
        return float("inf")

    def _not_negative(self, element: ET.Element, key: str, where: str, default: str) -> float:
        value = self._numbers(element, key, 1, where, default)[0]
        if value < 0.0:
            self.fail(f'{where} has {key}="{value:g}" in <{element.tag}>, which cannot be negative; correct it')
        return value

    def _read_mimic(self, element: ET.Element, name: str, where: str) -> None:
        mimic = element.find("mimic")
        if mimic is None:
            return
        other = self._text(mimic, "joint", where)
        factor = self._numbers(mimic, "multiplier", 1, where, default="1")[0]
        offset = self._numbers(mimic, "offset", 1, where, default="0")[0]
        self._mimics[name] = Coupling(name, other, (offset, factor, 0.0, 0.0, 0.0))

    def couplings(self, joints: list[UrdfJoint]) -> tuple[Coupling, ...]:
        """Of the joints that move."""
        moving = {joint.name for urdf_joint in joints for joint in urdf_joint.moving}
        for coupling in self._mimics.values():
            if coupling.other not in moving:
                self.fail(
                    f"joint '{coupling.joint}' mimics '{coupling.other}', which is no moving joint; correct the name "
                    "or delete <mimic>"
                )
            followed = [coupling.joint]
            while followed[-1] in self._mimics and len(followed) <= len(self._mimics):
                followed.append(str(self._mimics[followed[-1]].other))
                if followed[-1] == coupling.joint:
                    self.fail(f"the joints {' → '.join(followed)} mimic each other in a circle; delete one <mimic>")
        return tuple(self._mimics.values())

    def _collision(self, element: ET.Element, where: str) -> list[Shape]:
        """One shape, none if there is nothing to it, or one for each part of a mesh."""
        geometry = element.find("geometry")
        if geometry is None or len(geometry) == 0:
            self.notices.add(NO_GEOMETRY, where)
            return []
        shape = self._shape(element, where)
        if shape.mesh_file is None:
            if shape.kind == "box" and not any(shape.size) or shape.kind != "box" and shape.size[0] == 0.0:
                self.notices.add(NO_SIZE, f"<{geometry[0].tag}> of {where}")
                return []
            return [as_collision(shape, self.options)]
        reference = self._text(geometry[0], "filename", where)
        file = find_collision_mesh(reference, self.path, f"'{reference}' of {where}", self.notices, self.mesh_dir)
        in_parts = self.options.convex_decomposition_from_submeshes
        if self.options.vhacd_enabled and not in_parts:
            self.notices.add(NOT_DECOMPOSED, f"'{reference}'")
        try:
            hulls = load_hulls(file, shape.mesh_scale) if in_parts else [load_hull(file, shape.mesh_scale)]
        except ValueError as error:
            self.fail(f"the collision mesh of {where}: {error}")
        return [replace(shape, mesh_file=file, vertices=hull) for hull in hulls]

    def _visual(self, element: ET.Element, where: str) -> Visual | None:
        """None, and a notice, if something is wrong with it: looks never keep a robot from moving."""
        try:
            material = element.find("material")
            shape = self._shape(element, where)
            if shape.kind != "mesh" and shape.size[0] == 0.0:
                self.fail(f"the visual of {where} has no size")
            return replace(shape, rgba=DEFAULT_RGBA if material is None else self._rgba(material))
        except ValueError as error:
            self.notices.add(LEFT_OUT, str(error).removeprefix(f"{self.path}: "))
            return None

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
            reference = self._text(item, "filename", where)
            kind, looked = "mesh", places(reference, self.path, self.mesh_dir)
            mesh_file = find_mesh(reference, self.path, self.mesh_dir) or looked[0]
            one_factor = len((item.get("scale") or "").split()) == 1
            x, y, z = (
                self._numbers(item, "scale", 1, where) * 3
                if one_factor
                else self._numbers(item, "scale", 3, where, default="1 1 1")
            )
            mesh_scale = (x, y, z)
        else:
            self.fail(f"{where} uses the geometry <{item.tag}>; use box, sphere, cylinder, capsule or mesh")
        if min(size) < 0.0:
            self.fail(f"the <{item.tag}> of {where} has a negative size; correct it")
        return Shape(kind, size, pos, rot.as_quat(), mesh_file=mesh_file, mesh_scale=mesh_scale)

    def _rgba(self, material: ET.Element) -> Rgba:
        """The colour of a material, which may be defined here or elsewhere in the file by name."""
        name, color = material.get("name", ""), material.find("color")
        if color is not None:
            try:
                red, green, blue, alpha = self._numbers(color, "rgba", 4, f"material '{name}'")
            except ValueError:
                self.notices.add(NO_COLOUR, f"'{name}'")
                return DEFAULT_RGBA
            rgba = (red, green, blue, alpha)
            self.materials.setdefault(name, rgba)
            return rgba
        return self.materials.get(name, DEFAULT_RGBA)

    def _origin(self, element: ET.Element, where: str) -> tuple[np.ndarray, Rotation]:
        """Position and rotation of <origin>; rpy are angles about the fixed axes x, y, z, in this order.

        URDF 1.2 knows a quaternion, quat_xyzw, instead.
        """
        origin = element.find("origin")
        if origin is None:
            return np.zeros(3), Rotation.identity()
        xyz = self._numbers(origin, "xyz", 3, where, default="0 0 0")
        if origin.get("quat_xyzw"):
            quat = np.array(self._numbers(origin, "quat_xyzw", 4, where))
            if not quat.any():
                self.fail(f'{where} has quat_xyzw="0 0 0 0" in <origin>, which is no rotation; correct it')
            return np.array(xyz), Rotation.from_quat(quat)
        rpy = self._numbers(origin, "rpy", 3, where, default="0 0 0")
        return np.array(xyz), Rotation.from_euler("xyz", rpy)

    def _text(self, element: ET.Element, key: str, where: str) -> str:
        value = element.get(key, "").strip()
        if not value:
            self.fail(f"{where} lacks the attribute '{key}' in <{element.tag}>; add it")
        return value

    def _numbers(self, element: ET.Element, key: str, count: int, where: str, default: str = "") -> list[float]:
        text = element.get(key, "").strip() or default or self._text(element, key, where)
        try:
            values = [float(word) for word in COMMA.sub(" ", text).split()]
        except ValueError:
            values = []
        is_absurd = key not in UNBOUNDED and any(abs(value) >= MAX_NUMBER for value in values)
        if len(values) != count or np.isnan(values).any() or is_absurd:
            wanted = "a number" if count == 1 else f"{count} numbers"
            wanted += f" below {MAX_NUMBER:g}" if is_absurd else ""
            way_out = "; expand the file with the xacro tool first" if "$" in text else ""
            self.fail(f'{where} has {key}="{text}" in <{element.tag}>, expected {wanted}{way_out}')
        return values


def _held(joint: Joint, pos: np.ndarray, rot: Rotation) -> tuple[np.ndarray, Rotation]:
    """Where a joint's child is, in the parent's frame, at the one position that the limits allow.

    pos, rot: where it is at position 0, (3,) [m].
    """
    if joint.kind == "prismatic":
        return pos + rot.apply(joint.lower * joint.axis), rot
    return pos, rot * Rotation.from_rotvec(joint.lower * joint.axis)


def _none_if_tiny(number: float) -> float:
    """A mass [kg] or a moment of inertia [kg·m²], or 0."""
    return number if abs(number) >= LEAST else 0.0


def _local(element: ET.Element) -> str:
    """An element's name without its namespace."""
    return element.tag.rpartition("}")[2]
