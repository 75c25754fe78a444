"""new_robot of robots with numbered or odd names, linkages, joints that follow others, motors that nobody knows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest

from isaacgym.assets.mjcf import load_mjcf
from isaacgym.assets.robot_file import load_robot
from isaacgym.gym_types import AssetOptions
from legged_gym import LEGGED_GYM_ROOT_DIR
from legged_gym.deploy.mujoco_description import robot_spec
from legged_gym.envs import task_registry
from legged_gym.robots.fit import misfits
from legged_gym.robots.guess import guess
from legged_gym.robots.names import matches, pattern_of
from legged_gym.robots.template import write_package
from legged_gym.scripts import sim2sim, train
from legged_gym.scripts.new_robot import get_args, new_robot
from legged_gym.utils import helpers
from tests.legged_gym.test_guess import BOX, DENSE, LEGS, LIMIT, WORDS, posed, quadruped, read, resting_torques
from tests.legged_gym.test_new_robot import CPU

# --- Names ----------------------------------------------------------------------------------------------------------


def numbered(text: str) -> str:
    """The same robot with bodies called Link1 to Link16, feet included, the trunk Link."""
    text = text.replace('"trunk"', '"Link"')
    for number, leg in enumerate(LEGS):
        for part, name in enumerate(("foot", "hip", "thigh", "shank")):
            text = text.replace(f'"{name}_{leg}"', f'"Link{4 * number + part + 1}"')
    return text


def odd(text: str) -> str:
    """The same robot with names that Python has to quote and to escape."""
    for part in ("hip", "thigh", "shank", "foot"):
        text = text.replace(f'"{part}_', f'"{{{part}}} &quot;1\\t&lt;1&gt;&quot; ')
    return text


def test_patterns_mean_parts_of_names_or_what_they_say():
    assert matches("foot", "FL_foot") and not matches("foot", "FL_calf")
    assert matches("^(Link1|Link5)$", "Link5") and not matches("^(Link1|Link5)$", "Link12")
    assert pattern_of("Link1", ["Link1", "Link2"]) == "Link1"
    assert pattern_of("Link.1", ["Link.1", "Link.12"]) == r"^Link\.1$"
    with pytest.raises(ValueError, match=r"'\^\(', which starts with \^, is no regular expression"):
        matches("^(", "Link1")


def test_numbered_feet_are_told_from_all_others(tmp_path):
    robot = read(tmp_path, numbered(quadruped(WORDS)))
    found = guess(robot)
    assert {name for name in robot.body_names if matches(found.foot_name, name)} == {
        "Link1",
        "Link5",
        "Link9",
        "Link13",
    }
    touching = {name for name in robot.body_names if any(matches(part, name) for part in found.other_bodies)}
    assert touching == {f"Link{number}" for number in range(1, 17) if number % 4 in (3, 0)}  # thighs and shanks
    (trunk,) = found.trunk
    assert [name for name in robot.body_names if matches(trunk, name)] == ["Link"]


# --- Linkages -------------------------------------------------------------------------------------------------------


def with_rods(text: str, parent: str, at: str, length: float) -> str:
    """A rod on a link of each leg that hangs free: the loop that it closes is cut."""
    rod = (
        f'<collision><origin xyz="0 0 {-length / 2}"/><geometry><cylinder radius=".005" length="{length}"/></geometry>'
        "</collision>"
    )
    parts = [
        f'<link name="rod_{leg}">{DENSE.format(0.05).replace("0.1", "1e-4")}{rod}</link><joint name="swing_{leg}" '
        f'type="revolute"><parent link="{parent}_{leg}"/><child link="rod_{leg}"/><origin xyz="{at}"/>'
        f'<axis xyz="0 1 0"/>{LIMIT}</joint>'
        for leg in LEGS
    ]
    return text.replace("</robot>", "".join(parts) + "</robot>")


@pytest.mark.parametrize("foot", [True, False])
@pytest.mark.parametrize(("parent", "at", "length"), [("thigh", ".03 0 -.15", 0.22), ("hip", ".03 0 0", 0.3)])
def test_rods_of_a_linkage_are_no_feet(tmp_path, foot, parent, at, length):
    plain = guess(read(tmp_path, quadruped(WORDS, foot=foot)))
    found = guess(read(tmp_path, with_rods(quadruped(WORDS, foot=foot), parent, at, length)))
    assert found.feet == plain.feet == [f"{'foot' if foot else 'shank'}_{leg}" for leg in LEGS]
    assert {name: found.joint_angles[name] for name in plain.joint_angles} == plain.joint_angles
    assert found.no_legs == [f"swing_{leg}" for leg in LEGS] and plain.no_legs == []


def test_legs_of_a_pelvis_that_moves_are_two(tmp_path):
    """They share a moving body, as rods do, but part in the middle."""
    pelvis = (
        f'<link name="chest">{DENSE.format(3)}{BOX}</link><joint name="waist" type="revolute"><parent link="chest"/>'
        f'<child link="trunk"/><axis xyz="0 0 1"/>{LIMIT}</joint></robot>'
    )
    found = guess(read(tmp_path, quadruped(WORDS).replace("</robot>", pelvis)))
    assert sorted(found.feet) == [f"foot_{leg}" for leg in LEGS] and found.no_legs == ["waist"]


@pytest.mark.parametrize("foot", [True, False])
def test_fingers_of_a_long_arm_are_no_feet(tmp_path, foot):
    """An arm of 1.2 m on the trunk, which reaches further down than the legs, with a gripper of two fingers."""
    links = [("trunk", "arm_0"), ("arm_0", "arm_1"), ("arm_1", "arm_2"), ("arm_2", "finger_0"), ("arm_2", "finger_1")]
    ball = '<collision><geometry><sphere radius=".03"/></geometry></collision>'
    arm = "".join(
        f'<link name="{child}">{DENSE.format(0.3).replace("0.1", "1e-3")}{ball}</link><joint name="turn_{child}" '
        f'type="revolute"><parent link="{parent}"/><child link="{child}"/><axis xyz="0 1 0"/>{LIMIT}'
        f'<origin xyz=".4 {0.0 if child.startswith("arm") else (-0.03, 0.03)[int(child[-1])]} 0"/></joint>'
        for parent, child in links
    )
    plain = guess(read(tmp_path, quadruped(WORDS, foot=foot)))
    found = guess(read(tmp_path, quadruped(WORDS, foot=foot).replace("</robot>", f"{arm}</robot>")))
    assert found.feet == plain.feet and found.no_legs == [f"turn_{child}" for _, child in links]


def test_a_leg_in_the_middle_whose_end_is_named_a_foot_is_one(tmp_path):
    legs = {"a": (0.2, 0.0), "b": (-0.1, 0.17), "c": (-0.1, -0.17)}
    assert guess(read(tmp_path, quadruped(WORDS, legs=legs))).feet == ["foot_a", "foot_b", "foot_c"]


def test_joints_that_follow_others_do_so_in_the_default_pose(tmp_path):
    text = quadruped(WORDS)
    for leg in LEGS:
        follows = f'<child link="shank_{leg}"/><mimic joint="pitch_{leg}" multiplier="-1.9" offset="0.1"/>'
        text = text.replace(f'<child link="shank_{leg}"/>', follows)
    robot = read(tmp_path, text)
    found = guess(robot)
    model, data = posed(robot, found.joint_angles)
    assert (
        data.ne == len(LEGS) and np.abs(data.efc_pos[: data.ne]).max() < 0.02
    )  # MuJoCo's own residual, rounded angles
    feet = np.array([data.body(f"foot_{leg}").xpos for leg in LEGS])
    np.testing.assert_allclose(feet[:, 0], [x for x, _ in LEGS.values()], atol=0.03)  # under the hips


def test_joints_that_follow_others_have_no_drive_of_their_own(tmp_path):
    """Not even where the name of one that drives contains theirs."""
    text = quadruped(WORDS)
    follows = '<child link="shank_{0}"/><mimic joint="pitch_{0}"/>'
    for leg in LEGS:
        text = text.replace(f'<child link="shank_{leg}"/>', follows.format(leg))
        text = text.replace(f'"pitch_{leg}"', f'"above_knee_{leg}"')
    robot = read(tmp_path, text)
    checks = write_package("follower", tmp_path / "r.urdf", tmp_path / "out", robot.mass, guess(robot))
    config = (tmp_path / "out/follower/config.py").read_text()
    gains = ast.literal_eval(re.search(r"stiffness = (\{.*?\})", config)[1])
    of = {name: next(gain for part, gain in gains.items() if part in name) for name in robot.dof_names}
    assert {name for name, gain in of.items() if gain == 0.0} == {f"knee_{leg}" for leg in LEGS}
    assert any("Joints that follow others: knee_" in check for check in checks)


def test_a_foot_that_its_limits_hold_stays_a_body(tmp_path):
    text, still = quadruped(WORDS), '<limit lower="0" upper="0" effort="0" velocity="0"/>'
    for leg in LEGS:
        text = text.replace(f'name="end_{leg}" type="fixed">', f'name="end_{leg}" type="revolute">{still}')
    (tmp_path / "r.urdf").write_text(text)
    new_robot(get_args(["held", "--urdf", str(tmp_path / "r.urdf"), "--out", str(tmp_path / "held")]))
    copy = tmp_path / "held/held/robot/held.urdf"
    names = load_robot(copy, AssetOptions(collapse_fixed_joints=True)).body_names
    assert [name for name in names if "foot" in name] == [f"foot_{leg}" for leg in LEGS]


# --- Motors ---------------------------------------------------------------------------------------------------------


def test_motors_that_do_not_carry_the_robot_are_named(tmp_path):
    """C MuJoCo's inverse dynamics of the robot at rest says which."""
    robot = read(tmp_path, quadruped(WORDS).replace('effort="50"', 'effort="1"'))
    found = guess(robot)
    model, torque = resting_torques(robot, found.joint_angles)
    weak = {model.joint(j).name for j in range(1, model.njnt) if abs(torque[model.jnt_dofadr[j]]) > 1.0}
    assert weak and {text.split("'")[1] for text in found.weak} == weak
    assert guess(read(tmp_path, quadruped(WORDS))).weak == []
    checks = write_package("weakling", tmp_path / "r.urdf", tmp_path / "out", robot.mass, found)
    assert any("do not carry the robot: 'knee_fl' 1 of" in check for check in checks)


# --- Trunks ---------------------------------------------------------------------------------------------------------


def test_bodies_fixed_to_the_base_of_mjcf_belong_to_the_trunk(tmp_path):
    """MJCF does not say which fixed bodies are feet, so none collapses, neither the torso nor a head."""
    leg = """<body name="hip_{0}" pos="0 {1} 0"><joint axis="1 0 0"/><geom size=".02"/><body name="leg_{0}"><joint
      axis="0 1 0"/><geom type="capsule" fromto="0 0 0 0 0 -.3" size=".02"/></body></body>"""
    text = f"""<mujoco><worldbody><body name="pelvis"><freejoint/><body name="torso"><geom size=".1"/></body>
      <body name="imu"/>{leg.format("left", 0.1)}{leg.format("right", -0.1)}</body></worldbody></mujoco>"""
    (tmp_path / "r.xml").write_text(text)
    robot = load_mjcf(tmp_path / "r.xml", AssetOptions())
    found = guess(robot)
    assert found.trunk == ["pelvis", "torso"]
    write_package("walker", tmp_path / "r.xml", tmp_path / "out", robot.mass, found)
    config = (tmp_path / "out/walker/config.py").read_text()
    assert 'terminate_after_contacts_on = ["pelvis", "torso"]' in config


def test_a_root_on_the_ground_is_said_and_its_heights_fit(tmp_path):
    """base_footprint, as ROS packages have it: 0.4 m below the trunk."""
    footprint = (
        '<link name="base_footprint"/><joint name="up" type="fixed"><parent link="base_footprint"/>'
        '<child link="trunk"/><origin xyz="0 0 .4"/></joint></robot>'
    )
    plain = guess(read(tmp_path, quadruped(WORDS)))
    robot = read(tmp_path, quadruped(WORDS).replace("</robot>", footprint))
    found = guess(robot)
    assert (plain.footprint, found.footprint) == ("", "'trunk', by 0.40 m")
    assert found.height == pytest.approx(plain.height - 0.4, abs=1e-6) and found.height < 0.0
    assert found.joint_angles == plain.joint_angles
    cfg = task_registry.get_cfgs("go2")[0]
    cfg.init_state.pos, cfg.init_state.default_joint_angles = [0.0, 0.0, found.height + 0.03], found.joint_angles
    cfg.rewards.base_height_target = round(found.height, 2)
    cfg.rewards.clearance_height_target = round(0.7 * found.feet_z, 2)
    assert list(misfits(cfg, robot)) == []
    cfg.rewards.base_height_target = 0.3
    assert "base_height_target is 0.30 m" in next(misfits(cfg, robot))


ROOT = """<mujoco><worldbody><body name="trunk">{}<geom size=".1"/><body name="leg"><joint name="hip" axis="0 1 0"/>
  <geom size=".05" pos="0 0 -.2"/></body></body></worldbody></mujoco>"""
PLANAR = '<joint name="x" type="slide" axis="1 0 0"/><joint name="z" type="slide" axis="0 0 1"/><joint name="pitch"/>'


def test_a_base_that_moves_along_joints_is_told_the_way_out(tmp_path):
    path = tmp_path / "robot.xml"
    path.write_text(ROOT.format(PLANAR))
    message = "robot.xml: the base moves only by the joints 'x', 'z', 'pitch', .*<freejoint/>"
    with pytest.raises(ValueError, match=message):
        new_robot(get_args(["planar", "--urdf", str(path), "--out", str(tmp_path / "out")]))
    with pytest.raises(ValueError, match=message):
        robot_spec(path, armature=0.0)  # as sim2sim.py reads it


# --- All of it ------------------------------------------------------------------------------------------------------


def without_mass(text: str) -> str:
    """Shanks that CAD did not weigh: their mass comes from their shapes."""
    for leg in LEGS:
        text = text.replace(
            f'<link name="shank_{leg}"><inertial><mass value="1e-6"/></inertial>', f'<link name="shank_{leg}">'
        )
    return text


@pytest.mark.slow
@pytest.mark.parametrize("change", [numbered, odd, without_mass])
def test_such_a_robot_trains_and_walks_on_into_c_mujoco(make, tmp_path, change):
    source = tmp_path / "robot.urdf"
    source.write_text(change(quadruped(WORDS, foot=change is not without_mass)))
    name = f"robot_{change.__name__}"
    make(name, source)
    flags = ["--num_envs", "4", "--max_iterations", "1", "--run_name", "once", "--export"]
    train.train(helpers.get_args([*CPU, "--task", f"{name}_flat", *flags], extra=train.FLAGS))
    (run_folder,) = Path(LEGGED_GYM_ROOT_DIR, "logs", f"flat_{name}").glob("*_once")
    flags = ["--policy", str(run_folder / "policy_1.onnx"), "--urdf", str(source), "--terrain", "flat", "--trials", "1"]
    setup = sim2sim.get_args([*flags, "--seconds", "1.2", "--headless"])
    assert sim2sim.sim2sim(setup)["flat"]["trials"] == 1
    if change is without_mass:
        cylinder = 1000.0 * np.pi * 0.01**2 * 0.2  # [kg] of water
        ends = 1000.0 * 4 / 3 * np.pi * 0.01**3  # that a capsule of the same length has more
        asset = task_registry.get_cfgs(name)[0].asset
        options = AssetOptions(density=asset.density, replace_cylinder_with_capsule=True)
        trained = load_robot(asset.file, options)
        assert trained.bodies[trained.body_names.index("shank_fl")].mass == pytest.approx(cylinder + ends, rel=1e-6)
        (_, robot) = sim2sim.prepare(setup)["flat"]
        assert robot.model.body("shank_fl").mass[0] == pytest.approx(cylinder, rel=1e-6)
