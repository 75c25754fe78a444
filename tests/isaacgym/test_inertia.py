"""Inertias that no body has: balanced, said once, or refused."""

import logging

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from isaacgym.assets.inertia import balanced, ball_inertia
from isaacgym.assets.mjcf import load_mjcf
from isaacgym.assets.urdf import load_urdf
from isaacgym.engine.model import build_spec
from isaacgym.gym_types import AssetOptions

TOL = 5e-6  # relative: what is added so that MuJoCo's own rounding keeps A + B ≥ C


def urdf(tmp_path, inertia):
    path = tmp_path / "robot.urdf"
    path.write_text(
        '<robot name="r"><link name="base"><inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1"/></inertial>'
        f'</link><link name="leg"><inertial><mass value="2"/><inertia {inertia}/></inertial></link>'
        '<joint name="knee" type="continuous"><parent link="base"/><child link="leg"/></joint></robot>'
    )
    return path


def mjcf(tmp_path, inertia):
    path = tmp_path / "robot.xml"
    path.write_text(
        '<mujoco><worldbody><body name="base"><freejoint/><geom size=".1"/><body name="leg"><joint name="knee"/>'
        f'<inertial pos="0 0 0" mass="2" {inertia}/></body></body></worldbody></mujoco>'
    )
    return path


def moments(robot):
    return np.linalg.eigvalsh(robot.bodies[1].inertia)


# By hand: 0.1 stays, and both 0.01 grow by (0.1 - 0.02) / 2. A negative moment loses its sign first.
@pytest.mark.parametrize("text", ['ixx="0.1" iyy="0.01" izz="0.01"', 'ixx="-0.1" iyy="0.01" izz="0.01"'])
def test_an_impossible_inertia_is_balanced_and_said_once(tmp_path, caplog, text):
    path = urdf(tmp_path, text)
    for _ in range(2):
        robot = load_urdf(path, AssetOptions())
    assert moments(robot) == pytest.approx([0.05, 0.05, 0.1], rel=TOL)
    (message,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "robot.urdf" in message and "'leg'" in message and "(0.05, 0.05, 0.1)" in message and "\n" not in message
    assert build_spec(robot, 0.005).compile().body("leg").mass == 2.0


def test_an_indefinite_inertia_becomes_one_that_mujoco_takes(tmp_path):
    robot = load_urdf(urdf(tmp_path, 'ixx="0.01" iyy="0.003" izz="0.01" ixz="0.011"'), AssetOptions())
    # its moments are -0.001, 0.003 and 0.021; by hand: 0.001, 0.003, 0.021, and 0.0085 more for the first two
    assert moments(robot) == pytest.approx([0.0095, 0.0115, 0.021], rel=TOL)
    build_spec(robot, 0.005).compile()


@pytest.mark.parametrize("text", ['diaginertia="0.1 0.01 0.01"', 'fullinertia="0.1 0.01 0.01 0 0 0"'])
def test_mjcf_is_balanced_alike(tmp_path, caplog, text):
    robot = load_mjcf(mjcf(tmp_path, text), AssetOptions())
    assert moments(robot) == pytest.approx([0.05, 0.05, 0.1], rel=TOL)
    assert "'leg' (0.01, 0.01, 0.1) to (0.05, 0.05, 0.1)" in caplog.text


@pytest.mark.parametrize("load", ["urdf", "mjcf"])
def test_strict_inertia_refuses_it(tmp_path, load):
    options = AssetOptions(strict_inertia=True)
    with pytest.raises(
        ValueError, match=r"robot\.\w+: moments of inertia that no body has .*'leg' \(0.01, 0.01, 0.1\)"
    ):
        if load == "urdf":
            load_urdf(urdf(tmp_path, 'ixx="0.1" iyy="0.01" izz="0.01"'), options)
        else:
            load_mjcf(mjcf(tmp_path, 'diaginertia="0.1 0.01 0.01"'), options)


@given(
    seconds=st.lists(st.floats(1e-3, 1.0), min_size=3, max_size=3),
    turn=st.lists(st.floats(-3, 3), min_size=3, max_size=3),
)
@settings(max_examples=30, deadline=None)
def test_what_a_body_may_have_stays(seconds, turn):
    x, y, z = seconds  # second moments of a mass along its principal axes
    axes = Rotation.from_rotvec(turn).as_matrix()
    inertia = axes @ np.diag([y + z, x + z, x + y]) @ axes.T
    result, differs = balanced(inertia)
    assert not differs and result == pytest.approx(inertia, rel=TOL, abs=TOL)


@given(numbers=st.lists(st.floats(-1.0, 1.0), min_size=6, max_size=6))
@settings(max_examples=100, deadline=None)
def test_whatever_is_given_mujoco_takes_the_result(numbers):
    xx, yy, zz, xy, xz, yz = numbers
    given_inertia = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    if np.abs(given_inertia).max() < 1e-3:
        return
    result, _ = balanced(given_inertia)
    spec = mujoco.MjSpec()
    body = spec.worldbody.add_body(mass=1.0, explicitinertial=True)
    body.add_freejoint()
    body.fullinertia = [*np.diag(result), result[0, 1], result[0, 2], result[1, 2]]
    spec.compile()


TINY = [  # mass [kg], moments [kg·m²], and those of the link: of water of 2 kg and of 10 g by hand; twice mjEPS
    (2.0, [1e-20] * 3, 0.4 * 2.0 * (0.75 * 2.0 / (np.pi * 1000)) ** (2 / 3)),
    (1e-18, [1e-20, 1e-21, 1e-22], 0.4 * 0.01 * (0.75 * 0.01 / (np.pi * 1000)) ** (2 / 3)),
    (1e-12, [0.0, 0.0, 0.0], 2e-14),
]


@pytest.mark.parametrize(("mass", "given", "expected"), TINY)
@pytest.mark.parametrize("form", ["urdf", "diaginertia", "fullinertia"])
def test_what_is_too_little_for_mujoco_is_none(tmp_path, caplog, mass, given, expected, form):
    x, y, z = given
    if form == "urdf":
        path = urdf(tmp_path, f'ixx="{x}" iyy="{y}" izz="{z}"')
    else:
        path = mjcf(tmp_path, f'{form}="{x} {y} {z}{" 0 0 0" if form == "fullinertia" else ""}"')
    for old in ('value="2"', 'mass="2"'):
        path.write_text(path.read_text().replace(old, old.replace("2", str(mass))))
    robot = (load_urdf if form == "urdf" else load_mjcf)(path, AssetOptions())
    build_spec(robot, 0.005).compile()
    assert moments(robot) == pytest.approx([expected] * 3, rel=TOL, abs=0.0) and caplog.text.count("warning") == 1
    assert "'leg'" in caplog.text and "were changed" not in caplog.text


def test_the_ball_of_water_is_one():
    # 1 kg has a radius of 62.04 mm: 0.4 m r²
    assert np.diag(ball_inertia(1.0)) == pytest.approx([0.4 * 0.06204**2] * 3, rel=1e-3)
