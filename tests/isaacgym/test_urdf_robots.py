"""The shipped URDFs hold exactly the numbers of the project's documents (tests/reference/robots)."""

import json
import runpy
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROBOTS = ["aliengo", "a1", "go1", "go2", "anymal_c", "b2", "go2w"]


@pytest.fixture(params=ROBOTS)
def robot(request):
    numbers = json.loads((ROOT / f"tests/reference/robots/{request.param}.json").read_text())
    tree = ET.parse(ROOT / f"resources/robots/{request.param}/urdf/{request.param}.urdf").getroot()
    return numbers, tree


def floats(element, key):
    return [float(word) for word in element.get(key).split()]


def origin(element):
    found = element.find("origin")
    return floats(found, "xyz"), floats(found, "rpy")


def test_links_and_joints_come_in_the_documents_order(robot):
    numbers, tree = robot
    assert tree.get("name") == numbers["robot"]
    assert [link.get("name") for link in tree.findall("link")] == list(numbers["links"])
    assert [joint.get("name") for joint in tree.findall("joint")] == [joint["name"] for joint in numbers["joints"]]


def test_inertials_equal_the_documents(robot):
    numbers, tree = robot
    for link in tree.findall("link"):
        expected, inertial = numbers["links"][link.get("name")], link.find("inertial")
        assert (inertial is None) == ("mass" not in expected)
        if inertial is None:
            continue
        assert float(inertial.find("mass").get("value")) == expected["mass"]
        assert origin(inertial) == (expected["com_xyz"], [0, 0, 0])
        values = [float(inertial.find("inertia").get(key)) for key in ("ixx", "ixy", "ixz", "iyy", "iyz", "izz")]
        assert values == expected["inertia_ixx_ixy_ixz_iyy_iyz_izz"]


@pytest.mark.parametrize("role", ["collision", "visual"])
def test_shapes_equal_the_documents(robot, role):
    numbers, tree = robot
    for link in tree.findall("link"):
        link_numbers = numbers["links"][link.get("name")]
        expected = link_numbers.get(role, link_numbers.get("collision", []))
        elements = link.findall(role)
        assert len(elements) == len(expected)
        for element, shape in zip(elements, expected, strict=True):
            assert origin(element) == (shape["xyz"], shape["rpy"])
            (geometry,) = element.find("geometry")
            assert geometry.tag == shape["shape"]
            sizes = {key: value if isinstance(value, list) else [value] for key, value in shape.items()}
            assert {key: floats(geometry, key) for key in geometry.attrib} == {
                key: sizes[key] for key in ("size", "radius", "length") if key in sizes
            }


def test_joints_equal_the_documents(robot):
    numbers, tree = robot
    for joint, expected in zip(tree.findall("joint"), numbers["joints"], strict=True):
        assert joint.get("type") == expected["type"]
        assert (joint.get("dont_collapse") == "true") == expected.get("dont_collapse", False)
        assert joint.find("parent").get("link") == expected["parent"]
        assert joint.find("child").get("link") == expected["child"]
        assert origin(joint) == (expected["xyz"], expected.get("rpy", [0, 0, 0]))
        assert (joint.find("axis") is None) == ("axis" not in expected)
        if "axis" in expected:
            assert floats(joint.find("axis"), "xyz") == expected["axis"]
        for tag in ("limit", "dynamics"):
            assert (joint.find(tag) is None) == (tag not in expected)
            if tag in expected:
                assert {key: float(value) for key, value in joint.find(tag).attrib.items()} == expected[tag]


@pytest.mark.parametrize("name", ROBOTS)
def test_the_generator_reproduces_the_shipped_file(name):
    generate = runpy.run_path(str(ROOT / "resources/robots/json_to_urdf.py"))["urdf"]
    numbers = json.loads((ROOT / f"tests/reference/robots/{name}.json").read_text())
    assert generate(numbers) == (ROOT / f"resources/robots/{name}/urdf/{name}.urdf").read_text()
