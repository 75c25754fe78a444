"""MJCF as files for MuJoCo 1.5 write it: what later releases refuse is mended, and a warning says how.

* XML that MuJoCo's parser does not take is read as that of URDF is, see `xml_file`.
* Attributes of settings that MuJoCo has dropped since (`apirate`, `collision`, `passive`, ...) are left out. Those of
  bodies, joints, geoms and the like are not: such a robot would be another one.
* Of several elements with one name, the later ones get a number. References mean the first.
* Materials, textures, sensors and keyframes make no difference here and are left out, whether they are defined or not.
* Of several bodies in the world, the first one with most joints is the robot, others are left out: balls, tables.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import mujoco
import numpy as np

from isaacgym.assets.notices import notice
from isaacgym.assets.xml_file import read_xml

SETTINGS = (
    "option",
    "flag",
    "compiler",
    "lengthrange",
    "size",
    "statistic",
    "global",
    "quality",
    "map",
    "scale",
)
UNKNOWN_ATTRIBUTE = re.compile(r"unrecognized attribute: '(\w+)'\s+Element '(\w+)'")
REPEATED_NAME = re.compile(r"repeated name '([^']+)' in (\w+)")
NOT_PARSED = re.compile("XML parse error")
OWN_SECTIONS = ("actuator", "sensor", "tendon", "equality")  # whose elements MuJoCo names by their section
MAX_REPAIRS = 200
MAX_INCLUDES = 50
DEFAULT_GEOM_RGBA = (0.5, 0.5, 0.5, 1.0)


def read_spec(path: Path) -> mujoco.MjSpec:
    """MuJoCo's reading of a file, mended where it is old; ValueError as MuJoCo's if it cannot be."""
    try:
        spec = mujoco.MjSpec.from_file(str(path))
    except ValueError as error:
        if not _is_of_age(str(error)):
            raise
        spec = _read_mended(path)
    _leave_out_decoration(spec)
    _keep_one_root(path, spec)
    return spec


def _is_of_age(error: str) -> bool:
    return any(pattern.search(error) for pattern in (NOT_PARSED, UNKNOWN_ATTRIBUTE, REPEATED_NAME))


def _read_mended(path: Path) -> mujoco.MjSpec:
    root = read_xml(path)
    _expand_includes(root, path.parent)
    for _ in range(MAX_REPAIRS):
        try:
            spec = mujoco.MjSpec.from_string(ET.tostring(root, encoding="unicode"))
        except ValueError as error:
            if not _mend(path, root, str(error)):
                raise
        else:
            spec.modelfiledir = str(path.parent)
            return spec
    raise ValueError(f"more than {MAX_REPAIRS} settings and names are those of old files")


def _expand_includes(element: ET.Element, folder: Path, depth: int = 0) -> None:
    """Put the contents of included files where MuJoCo puts them; paths are relative to the main file."""
    for index, child in reversed(list(enumerate(element))):
        file = child.get("file")
        if child.tag == "include" and file and (folder / file).is_file() and depth < MAX_INCLUDES:
            included = read_xml(folder / file)
            _expand_includes(included, folder, depth + 1)
            element[index : index + 1] = list(included)
        else:
            _expand_includes(child, folder, depth)


def _mend(path: Path, root: ET.Element, error: str) -> bool:
    """Remove the cause of one of MuJoCo's errors; whether it is one of those that old files have."""
    if (match := UNKNOWN_ATTRIBUTE.search(error)) and match[2] in SETTINGS:
        attribute, tag = match.groups()
        for element in root.iter(tag):
            element.attrib.pop(attribute, None)
        _warn(path, f"MuJoCo has no setting '{attribute}' of <{tag}> any more, it is left out")
        return True
    if match := REPEATED_NAME.search(error):
        name, kind = match.groups()
        first = 0 if (kind, name) == ("body", "world") else 1  # MuJoCo's own world is named so
        again = [element for element in _elements(root, kind) if element.get("name") == name][first:]
        taken = {element.get("name") for element in _elements(root, kind)}
        for element in again:
            number = next(k for k in range(1, len(taken) + 2) if f"{name}_{k}" not in taken)
            element.set("name", f"{name}_{number}")
            taken.add(f"{name}_{number}")
            _warn(path, f"the name '{name}' of a {kind} is used twice, the later one is now '{name}_{number}'")
        return bool(again)
    return False


def _elements(root: ET.Element, kind: str) -> list[ET.Element]:
    """All elements that MuJoCo calls a joint, a body, an actuator, ..."""
    if kind in OWN_SECTIONS:
        return [element for section in root.iter(kind) for element in section]
    tags = {"joint": ("joint", "freejoint")}.get(kind, (kind,))
    defaults = {element for default in root.iter("default") for element in default.iter()}
    return [element for element in root.iter() if element.tag in tags and element not in defaults]


def _leave_out_decoration(spec: mujoco.MjSpec) -> None:
    """Colours of materials go to their geoms."""
    colours = {material.name: material.rgba for material in spec.materials}
    for geom in spec.geoms:
        if geom.material in colours and np.allclose(geom.rgba, DEFAULT_GEOM_RGBA):
            geom.rgba = colours[geom.material]
    for element in (*spec.geoms, *spec.sites, *spec.tendons):
        element.material = ""
    for element in (*spec.keys, *spec.sensors, *spec.materials, *spec.textures):
        spec.delete(element)


def _keep_one_root(path: Path, spec: mujoco.MjSpec) -> None:
    roots = spec.worldbody.bodies
    bodies = [root for root in roots if not root.mocap]
    if len(bodies) < 2:
        return
    robot = max(bodies, key=_num_joints)
    others = [root for root in bodies if root is not robot]
    names = ", ".join(f"'{root.name}'" for root in others)
    _warn(path, f"of {len(bodies)} bodies in the world, '{robot.name}' is the robot; {names} left out")
    for root in others:
        spec.delete(root)


def _num_joints(body: mujoco.MjsBody) -> int:
    return len(body.joints) + sum(map(_num_joints, body.bodies))


def _warn(path: Path, what: str) -> None:
    notice(f"{path}: {what}")
