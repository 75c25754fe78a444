"""What of a robot's file can hardly be meant is said, and nothing of files that are right."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from isaacgym.assets.robot_file import load_robot
from isaacgym.gym_types import AssetOptions
from legged_gym import LEGGED_GYM_ROOT_DIR
from tests.legged_gym.test_guess import WORDS, quadruped

RIGHT = quadruped(WORDS).replace('value="1e-6"', 'value="0.5"')
PLATE = "".join(f"v {x} {y} {z}\n" for x in (-20, 20) for y in (-10, 10) for z in (-5, 5))  # 40 x 20 x 10 "m"
FOOT = '<sphere radius=".02"/>'
SHANK = '<link name="shank_fl"><inertial><mass value="0.5"/>'


def inertia(moment):
    return f'{SHANK}<inertia ixx="{moment}" iyy="{moment}" izz="{moment}"/>'


FILES = {
    "limits in degrees": (
        RIGHT.replace('lower="-2.5" upper="2.5"', 'lower="-90" upper="90"'),
        "limits of joints are radians; .* perhaps degrees: 'roll_fl' -90 to 90",
    ),
    "meshes in millimetres": (
        RIGHT.replace(FOOT, '<mesh filename="plate.obj"/>'),
        f"lack scale=0.001: 'foot_fl' {np.linalg.norm([20, 10, 5]):.3g} m",
    ),
    "inertias of 1": (
        RIGHT.replace(SHANK, inertia(1)),
        f"far larger than they look.*: 'shank_fl' 0.5 kg at a radius of {np.sqrt(1.5 / 0.5):.3g} m",
    ),
    "inertias in g·mm²": (RIGHT.replace(SHANK, inertia(2e6)), "far larger than they look.*: 'shank_fl' 0.5 kg at a"),
    "masses in grams": (
        re.sub('value="([0-9.]+)"', r'value="\g<1>e3"', RIGHT),
        "masses are kg; .* perhaps these are grams",
    ),
    "meshes scaled twice": (
        re.sub("<geometry>.*?</geometry>", '<geometry><box size="1e-4 2e-4 3e-4"/></geometry>', RIGHT).replace(
            '<origin xyz="0 0 -.1"/><geometry>', "<geometry>"
        ),
        "no shape is larger than 5 mm, so perhaps meshes were scaled twice",
    ),
}


def said_of(tmp_path, caplog, text, name="robot.urdf"):
    """What is said of a file beside what it lacks."""
    (tmp_path / name).write_text(text)
    (tmp_path / "plate.obj").write_text(PLATE)
    load_robot(tmp_path / name, AssetOptions(replace_cylinder_with_capsule=True))
    return [record.getMessage() for record in caplog.records if "correct the file if so" in record.getMessage()]


@pytest.mark.parametrize("case", FILES.values(), ids=FILES)
def test_numbers_in_other_units_are_doubted_in_one_line(tmp_path, caplog, case):
    text, doubt = case
    (said,) = said_of(tmp_path, caplog, text)
    assert re.search(f"robot.urdf: .*{doubt}", said) and "\n" not in said


def test_radians_where_mjcf_wants_degrees_are_doubted(tmp_path, caplog):
    leg = '<body name="{0}"><joint name="{0}" axis="0 1 0" range="-2.5 2.5"/><geom size=".1"/></body>'
    base = f'<body name="a"><geom size=".1"/>{leg.format("b")}{leg.format("c")}</body>'
    text = f"<mujoco>{{}}<worldbody>{base}</worldbody></mujoco>"
    (said,) = said_of(tmp_path, caplog, text.format(""), "robot.xml")
    degrees = np.radians(2.5)
    assert f"as if radians had been taken for degrees: 'b' {-degrees:.3g} to {degrees:.3g}" in said
    caplog.clear()
    assert said_of(tmp_path, caplog, text.format('<compiler angle="radian"/>'), "right.xml") == []


ROBOTS = sorted(Path(LEGGED_GYM_ROOT_DIR, "resources", "robots").glob("*/urdf/*.urdf"))


@pytest.mark.parametrize("path", ROBOTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("collapse", [False, True])
def test_nothing_is_doubted_of_the_robots_in_the_box(caplog, path, collapse):
    load_robot(path, AssetOptions(replace_cylinder_with_capsule=True, collapse_fixed_joints=collapse))
    assert "correct the file if so" not in caplog.text


def test_placeholders_of_what_is_fixed_and_turns_of_cables_are_none_of_it(tmp_path, caplog):
    sensor = (
        '<link name="imu"><inertial><mass value="1e-3"/><inertia ixx="1" iyy="1" izz="1"/></inertial></link>'
        '<joint name="imu_joint" type="fixed"><parent link="trunk"/><child link="imu"/></joint></robot>'
    )
    text = RIGHT.replace("</robot>", sensor).replace('lower="-2.5" upper="2.5"', 'lower="-6.3" upper="6.3"')
    assert said_of(tmp_path, caplog, text) == []
