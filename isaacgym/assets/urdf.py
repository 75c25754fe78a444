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
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
from scipy.spatial.transform import Rotation

from isaacgym.assets.description import (
    DEFAULT_RGBA,
    Joint,
    JointKind,
    Rgba,
    RobotDescription,
    Shape,
    ShapeKind,
    Visual,
    as_collision,
)
from isaacgym.assets.mesh_files import load_hull
from isaacgym.assets.urdf_tree import UrdfJoint, UrdfLink, check_tree, collapse, ordered_bodies
from isaacgym.assets.xml_file import read_xml
from isaacgym.gym_types import AssetOptions

MAX_LINKS = 300  # legged robots have up to 50; the tree is walked by recursion
UNBOUNDED = ("lower", "upper", "effort", "velocity")  # attributes that may be infinite
MOVING_KINDS: tuple[JointKind, ...] = ("revolute", "continuous", "prismatic")


def load_urdf(path: str | Path, options: AssetOptions) -> RobotDescription:
    """Read a URDF file and apply the asset options that concern geometry, mass and structure."""
    urdf = _Urdf(Path(path), options)
    links, joints = urdf.parse()
    root = check_tree(urdf, links, joints)
    if options.collapse_fixed_joints:
        joints = collapse(links, joints)
    return RobotDescription(urdf.name, ordered_bodies(urdf, links, joints, root))


# --- Parsing --------------------------------------------------------------------------------------------------------


class _Urdf:
    """Reads elements of one file; every complaint names the file."""

    def __init__(self, path: Path, options: AssetOptions) -> None:
        self.path = path
        self.options = options
        self.name = path.stem
        self.materials: dict[str, Rgba] = {}

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
        self.name = robot.get("name", self.name)
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

    def _joint(self, element: ET.Element) -> UrdfJoint:
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
        return UrdfJoint(
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
