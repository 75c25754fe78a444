"""Write a URDF from a JSON file of numbers: `python resources/robots/json_to_urdf.py aliengo.json aliengo.urdf`.

The JSON holds `robot`, `links` (name → mass, com_xyz, inertia_ixx_ixy_ixz_iyy_iyz_izz, collision, and visual where
that differs) and `joints`; see tests/reference/robots, whose notes name the sources. Shapes are boxes, cylinders and
spheres: no mesh files are needed.
"""

import json
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

COLORS = {"dark": "0.15 0.15 0.17 1", "body": "0.78 0.80 0.82 1", "leg": "0.35 0.38 0.42 1", "foot": "0.05 0.05 0.05 1"}
INERTIA_KEYS = ("ixx", "ixy", "ixz", "iyy", "iyz", "izz")


def text(values: float | Sequence[float]) -> str:
    """Numbers as the JSON has them: the shortest decimal that reads back as the same double."""
    numbers = values if isinstance(values, Sequence) else [values]
    return " ".join(repr(float(v)).removesuffix(".0") for v in numbers)


def add_origin(parent: ET.Element, xyz: Sequence[float], rpy: Sequence[float] = (0, 0, 0)) -> None:
    ET.SubElement(parent, "origin", xyz=text(xyz), rpy=text(rpy))


def color_of(link: str) -> str:
    """The colour name that suits a link, judged by its name."""
    for part, color in (
        *(("foot", "foot"), ("thigh", "leg"), ("calf", "leg"), ("shank", "leg"), ("base", "body"), ("trunk", "body")),
    ):
        if part in link.lower() and "rotor" not in link:
            return color
    return "dark"


def add_link(robot: ET.Element, name: str, numbers: dict) -> None:
    link = ET.SubElement(robot, "link", name=name)
    if "mass" in numbers:
        inertial = ET.SubElement(link, "inertial")
        add_origin(inertial, numbers["com_xyz"])
        ET.SubElement(inertial, "mass", value=text(numbers["mass"]))
        inertia = zip(INERTIA_KEYS, numbers["inertia_ixx_ixy_ixz_iyy_iyz_izz"], strict=True)
        ET.SubElement(inertial, "inertia", {key: text(value) for key, value in inertia})
    for role in ("visual", "collision"):
        for shape in numbers.get(role, numbers.get("collision", [])):
            element = ET.SubElement(link, role)
            add_origin(element, shape["xyz"], shape["rpy"])
            sizes = {key: text(shape[key]) for key in ("size", "radius", "length") if key in shape}
            ET.SubElement(ET.SubElement(element, "geometry"), shape["shape"], sizes)
            if role == "visual":
                ET.SubElement(element, "material", name=color_of(name))


def add_joint(robot: ET.Element, numbers: dict) -> None:
    attributes = {"name": numbers["name"], "type": numbers["type"]}
    if numbers.get("dont_collapse"):
        attributes["dont_collapse"] = "true"
    joint = ET.SubElement(robot, "joint", attributes)
    add_origin(joint, numbers["xyz"], numbers.get("rpy", (0, 0, 0)))
    ET.SubElement(joint, "parent", link=numbers["parent"])
    ET.SubElement(joint, "child", link=numbers["child"])
    if "axis" in numbers:
        ET.SubElement(joint, "axis", xyz=text(numbers["axis"]))
    for tag, keys in (("dynamics", ("damping", "friction")), ("limit", ("lower", "upper", "effort", "velocity"))):
        if tag in numbers:
            ET.SubElement(joint, tag, {key: text(numbers[tag][key]) for key in keys if key in numbers[tag]})


def urdf(robot_numbers: dict) -> str:
    """The URDF document for one robot; links and joints keep the JSON's order."""
    robot = ET.Element("robot", name=robot_numbers["robot"])
    for name, rgba in COLORS.items():
        ET.SubElement(ET.SubElement(robot, "material", name=name), "color", rgba=rgba)
    for name, numbers in robot_numbers["links"].items():
        add_link(robot, name, numbers)
    for numbers in robot_numbers["joints"]:
        add_joint(robot, numbers)
    ET.indent(robot)
    note = "  <!-- Written by resources/robots/json_to_urdf.py; visuals equal the collision shapes. -->\n"
    head, body = ET.tostring(robot, encoding="unicode").split("\n", 1)
    return f'<?xml version="1.0"?>\n{head}\n{note}{body}\n'


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: json_to_urdf.py JSON OUT")
    Path(sys.argv[2]).parent.mkdir(parents=True, exist_ok=True)
    Path(sys.argv[2]).write_text(urdf(json.loads(Path(sys.argv[1]).read_text())), encoding="utf-8")
