"""Guesses about quadrupeds as public files describe them: names, frames, feet without a link, weights."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from isaacgym.assets.urdf import load_urdf
from isaacgym.engine.model import build_spec
from isaacgym.gym_types import AssetOptions
from legged_gym.envs.base.symmetry import joint_reflection
from legged_gym.robots.guess import SAG, guess
from legged_gym.robots.kinematics import body_poses

LEGS = {"fl": (0.2, 0.1), "fr": (0.2, -0.1), "hl": (-0.2, 0.1), "hr": (-0.2, -0.1)}
DENSE = '<inertial><mass value="{}"/><inertia ixx="0.1" iyy="0.1" izz="0.1"/></inertial>'
ROD = '<collision><origin xyz="0 0 -.1"/><geometry><cylinder radius=".01" length=".2"/></geometry></collision>'
BOX = '<collision><geometry><box size=".4 .2 .1"/></geometry></collision>'
LIMIT = '<limit lower="-2.5" upper="2.5" effort="50" velocity="20"/>'


def quadruped(names, turn="", legs=LEGS, foot=True):
    """A quadruped of 12 kg with thighs and shanks of 0.2 m.

    Args:
        names: of roll, thigh, knee joint and foot link, {} for the leg.
        turn: rpy of the base in a massless root; "": the base is the root.
    """
    parts = [f'<link name="trunk">{DENSE.format(12)}{BOX}</link>']
    if turn:
        parts.append(
            '<link name="root"/><joint name="turn" type="fixed"><parent link="root"/><child link="trunk"/>'
            f'<origin rpy="{turn}"/></joint>'
        )
    roll, pitch, knee, foot_name = names
    for leg, (x, y) in legs.items():
        chain = (
            (roll, "trunk", f"hip_{leg}", f"{x} {y} 0", "1 0 0"),
            (pitch, f"hip_{leg}", f"thigh_{leg}", "0 0 0", "0 1 0"),
            (knee, f"thigh_{leg}", f"shank_{leg}", "0 0 -.2", "0 1 0"),
        )
        for name, parent, child, at, axis in chain:
            inside = "" if child.startswith("hip") else ROD
            parts.append(f'<link name="{child}"><inertial><mass value="1e-6"/></inertial>{inside}</link>')
            parts.append(
                f'<joint name="{name.format(leg)}" type="revolute"><parent link="{parent}"/><child link="{child}"/>'
                f'<origin xyz="{at}"/><axis xyz="{axis}"/>{LIMIT}</joint>'
            )
        if foot:
            ball = '<collision><geometry><sphere radius=".02"/></geometry></collision>'
            parts.append(
                f'<link name="{foot_name.format(leg)}">{ball}</link><joint name="end_{leg}" type="fixed">'
                f'<parent link="shank_{leg}"/><child link="{foot_name.format(leg)}"/><origin xyz="0 0 -.2"/></joint>'
            )
    return f'<robot name="r">{"".join(parts)}</robot>'


def read(tmp_path, text):
    (tmp_path / "r.urdf").write_text(text)
    return load_urdf(tmp_path / "r.urdf", AssetOptions(replace_cylinder_with_capsule=True))


def posed(robot, angles):
    """The robot in C MuJoCo, its base at the origin, its joints at `angles`: model and data."""
    model = build_spec(robot, 0.005).compile()
    data = mujoco.MjData(model)
    for name, angle in angles.items():
        data.joint(name).qpos = angle
    mujoco.mj_forward(model, data)
    return model, data


def resting_torques(robot, angles):
    """C MuJoCo's inverse dynamics of the robot at rest, its weight carried at four feet: model and forces, (nv,)."""
    model, data = posed(robot, angles)
    torque = data.qfrc_bias.copy()  # gravity; the base's share is its weight
    for leg in LEGS:
        jacobian = np.zeros((3, model.nv))
        mujoco.mj_jacBody(model, data, jacobian, None, model.body(f"foot_{leg}").id)
        torque -= jacobian.T @ [0.0, 0.0, robot.mass * 9.81 / 4]
    return model, torque


WORDS = ("roll_{}", "pitch_{}", "knee_{}", "foot_{}")
NAMES = {
    "words": WORDS,
    "a foot's name holds the side, no joint's does so": ("roll_{}", "pitch_{}", "knee_{}", "toe{}"),
    "the side twice": ("trunk_to_hip_{}_j", "hip_{}_to_thigh_{}_j", "thigh_{}_to_shank_{}_j", "toe_{}"),
}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_left_and_right_joints_are_told_by_the_joints_names(tmp_path, names):
    robot = read(tmp_path, quadruped([name.replace("{}", "{0}") for name in names]))
    found = guess(robot)
    assert found.sides == {"fl": "fr", "hl": "hr"}
    mirror = joint_reflection(robot.dof_names, found.sides, found.mirror_reversed)
    for name, partner, sign in zip(robot.dof_names, mirror.columns.tolist(), mirror.signs.tolist(), strict=True):
        other = name.replace("l", "?").replace("r", "l").replace("?", "r")
        assert {leg for leg in LEGS if leg in robot.dof_names[partner]} == {leg for leg in LEGS if leg in other}
        assert sign == (-1.0 if "roll" in name or "trunk" in name else 1.0)  # about x, the others about y


def test_without_words_for_the_sides_there_is_no_mirror(tmp_path):
    text = quadruped(WORDS)
    for index, leg in enumerate(LEGS):  # such numbers as Ghost Robotics' files have
        for kind, number in (("roll", 8 + index), ("pitch", 2 * index), ("knee", 2 * index + 1)):
            text = text.replace(f'"{kind}_{leg}"', f'"{number}"')
    found = guess(read(tmp_path, text))
    assert (found.sides, found.mirror_reversed) == ({}, [])
    assert sorted(found.joint_names, key=int) == [str(number) for number in range(12)]  # they share nothing


def with_hips_apart(text):
    """The same robot with legs beside the axes of its hips and knees that turn without end, as Mini Cheetah's."""
    for leg, (_, y) in LEGS.items():
        at = f'<child link="thigh_{leg}"/><origin xyz="0 {np.sign(y) * 0.06} 0"/>'
        text = text.replace(f'<child link="thigh_{leg}"/><origin xyz="0 0 0"/>', at)
        text = text.replace(
            f'<joint name="knee_{leg}" type="revolute">', f'<joint name="knee_{leg}" type="continuous">'
        )
    text = text.replace('<axis xyz="0 1 0"/>', '<axis xyz="0 -1 0"/>').replace("2.5", "2")
    return text.replace(
        '<axis xyz="1 0 0"/><limit lower="-2" upper="2"', '<axis xyz="1 0 0"/><limit lower="-1" upper="1"'
    )


@pytest.mark.parametrize("knees", [with_hips_apart, str])
def test_legs_bend_alike_and_backwards(tmp_path, knees):
    robot = read(tmp_path, knees(quadruped(WORDS)))
    found = guess(robot)
    _, data = posed(robot, found.joint_angles)
    bent = [data.body(f"shank_{leg}").xpos[0] - x for leg, (x, _) in LEGS.items()]
    np.testing.assert_allclose(bent, [bent[0]] * 4, atol=0.01)  # angles are rounded
    assert bent[0] < -0.05 and found.sides == {"fl": "fr", "hl": "hr"}


def test_a_shank_without_a_foots_link_stands_on_its_far_end(tmp_path):
    robot = read(tmp_path, quadruped(WORDS, foot=False))
    found = guess(robot)
    poses = body_poses(robot, found.joint_angles)
    for leg, (x, y) in LEGS.items():
        index = robot.body_names.index(f"shank_{leg}")
        end = poses.positions[index] + poses.rotations[index].apply([0.0, 0.0, -0.2])
        np.testing.assert_allclose(end[:2], [x, y], atol=0.02)  # below the hip
        assert end[2] == pytest.approx(-0.75 * 0.4, abs=0.03)  # knees bent


def test_an_arm_in_the_middle_is_no_leg_however_far_it_reaches(tmp_path):
    arm = "".join(
        f'<link name="arm_{i}"><inertial><origin xyz="0 0 -.15"/><mass value="1"/></inertial>{ROD}</link>'
        f'<joint name="arm_{i}_joint" type="revolute"><parent link="{parent}"/><child link="arm_{i}"/>'
        f'<origin xyz="{at}"/><axis xyz="0 1 0"/>{LIMIT}</joint>'
        for i, parent, at in ((1, "trunk", ".2 0 .05"), (2, "arm_1", "0 0 -.3"))
    )
    found = guess(read(tmp_path, quadruped(WORDS).replace("</robot>", f"{arm}</robot>")))
    assert sorted(found.feet) == [f"foot_{leg}" for leg in LEGS]
    assert found.sides == {"fl": "fr", "hl": "hr"}


@pytest.mark.parametrize(("front", "turned"), [("fl fr", False), ("hl hr", True)])
def test_a_base_that_points_backwards_is_said(tmp_path, front, turned):
    legs = LEGS if not turned else {leg: (-x, y) for leg, (x, y) in LEGS.items()}
    found = guess(read(tmp_path, quadruped(WORDS, legs=legs)))
    expected = "foot_fl, foot_fr are not in front of foot_hl, foot_hr" if turned else ""
    assert found.turned_base == expected


def test_a_file_whose_y_is_up_is_refused_and_the_way_out_works(tmp_path):
    z_up = quadruped(WORDS)
    rpy = "-1.5707963267948966 -1.5707963267948966 0"  # x left, y up, z forwards
    in_y_up = quadruped(WORDS, turn=rpy)
    with pytest.raises(ValueError, match='hang along -y, so y is up.*"1.5708 0 1.5708" if z does') as caught:
        guess(read(tmp_path, in_y_up))
    assert "\n" not in str(caught.value)
    mended = in_y_up.replace('"root"', '"inner"').replace(
        "</robot>",
        '<link name="root"/><joint name="up" type="fixed"><parent link="root"/><child link="inner"/>'
        '<origin rpy="1.5708 0 1.5708"/></joint></robot>',
    )
    angles = guess(read(tmp_path, z_up)).joint_angles
    assert guess(read(tmp_path, mended)).joint_angles == pytest.approx(angles, abs=0.011)  # rounded to 0.01


def test_the_stiffness_carries_the_weight_with_little_sag(tmp_path):
    """C MuJoCo's inverse dynamics of the robot at rest, its weight carried at four feet, gives the torques."""
    robot = read(tmp_path, quadruped(WORDS))
    found = guess(robot)
    _, torque = resting_torques(robot, found.joint_angles)
    assert found.stiffness == pytest.approx(np.abs(torque[6:]).max() / SAG, rel=0.02, abs=0.5)


def test_the_damping_is_what_the_lightest_joint_bears(tmp_path):
    found = guess(read(tmp_path, quadruped(WORDS, foot=False)))
    assert found.damping == pytest.approx(min(0.03 * found.stiffness, 3.0), abs=0.01)
    inertial = '<inertial><origin xyz="0 0 -.1"/><mass value="3"/><inertia ixx=".01" iyy=".01" izz=".01"/></inertial>'
    heavy = quadruped(WORDS, foot=False).replace('<inertial><mass value="1e-6"/></inertial>', inertial)
    found = guess(read(tmp_path, heavy.replace('value="12"', 'value="150"')))
    assert 0.03 * found.stiffness > 300 * 0.04  # the shank's inertia about the knee: 0.01 + 3 · 0.1²
    assert found.damping == pytest.approx(300 * 0.04, abs=0.01)


def test_limits_in_degrees_are_named_in_one_sentence(tmp_path):
    robot = read(tmp_path, quadruped(WORDS).replace('lower="-2.5" upper="2.5"', 'lower="-155" upper="-34"'))
    with pytest.raises(ValueError, match="limits of joints are radians, but 'roll_fl' -155 to -34, .* degrees"):
        guess(robot)


def test_joints_that_slide_are_named_for_their_gains(tmp_path):
    guessed = guess(read(tmp_path, quadruped(WORDS).replace('type="fixed"', 'type="prismatic"')))
    assert sorted(guessed.slides) == ["end_fl", "end_fr", "end_hl", "end_hr"]
