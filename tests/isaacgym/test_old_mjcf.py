"""MJCF files for MuJoCo 1.5, against what C MuJoCo reads from the same file written for today."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pytest

from isaacgym import gymapi
from isaacgym.assets.mjcf import load_mjcf
from isaacgym.engine.model import build_spec
from isaacgym.gym_types import AssetOptions

GYM = gymapi.acquire_gym()
LEG = (
    '<body name="{0}" pos="0 {1} 0"><joint name="{2}" axis="0 1 0" range="-1 1"/>'
    '<geom size=".05" pos="0 0 -.2"/></body>'
)
ROBOT = (
    '<mujoco model="m"><compiler angle="radian"/>{settings}<worldbody>{world}'
    '<body name="torso"><freejoint/><geom type="box" size=".2 .1 .1" {geom}/>{legs}</body></worldbody>{more}</mujoco>'
)
TODAY = ROBOT.format(
    settings="", world="", geom="", legs=LEG.format("a", 0.1, "hip") + LEG.format("b", -0.1, "hip_1"), more=""
)
OLD = {
    "dropped settings": (
        {"settings": '<option apirate="50" collision="all" timestep="0.01"><flag passive="enable"/></option>'},
        ["'apirate' of <option>", "'collision' of <option>", "'passive' of <flag>"],
    ),
    "undefined material": ({"geom": 'material="grid"', "world": '<geom type="plane" size="9 9 1" material="x"/>'}, []),
    "texture that is not there": (
        {
            "settings": '<asset><texture name="t" type="2d" file="no.png"/><material name="m" texture="t"/></asset>',
            "geom": 'material="m"',
        },
        [],
    ),
    "sensor of nothing, keyframe of another size": (
        {"more": '<sensor><jointpos joint="knee"/></sensor><keyframe><key qpos="1 2"/></keyframe>'},
        [],
    ),
    "duplicate joint": (
        {"legs": LEG.format("a", 0.1, "hip") + LEG.format("b", -0.1, "hip")},
        ["the name 'hip' of a joint is used twice, the later one is now 'hip_1'"],
    ),
    "mocap body": (
        {"world": '<body name="target" mocap="true"><geom size=".3" contype="0" conaffinity="0"/></body>'},
        ["mocap bodies are left out: 'target'"],
    ),
    "several bodies in the world": (
        {
            "world": '<body name="table"><geom size=".3"/></body>',
            "more": '<contact><exclude body1="table" body2="torso"/></contact>',
        },
        ["of 2 bodies in the world, 'torso' is the robot; 'table' left out"],
    ),
}


def write(folder: Path, text: str) -> Path:
    path = folder / "robot.xml"
    path.write_text(text)
    return path


def written(parts: dict[str, str]) -> str:
    today = {"settings": "", "world": "", "geom": "", "more": ""}
    legs = LEG.format("a", 0.1, "hip") + LEG.format("b", -0.1, "hip_1")
    return ROBOT.format(**{"legs": legs, **today, **parts})


def mass_matrix(model: mujoco.MjModel) -> np.ndarray:
    data, full = mujoco.MjData(model), np.zeros((model.nv, model.nv))
    data.qpos[7:] = 0.3, -0.7
    mujoco.mj_forward(model, data)
    mujoco.mj_fullM(model, data, full)
    return full


@pytest.mark.parametrize("what", OLD)
def test_an_old_file_gives_the_robot_that_it_means(tmp_path, caplog, what):
    parts, messages = OLD[what]
    robot = load_mjcf(write(tmp_path, written(parts)), AssetOptions())
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == len(messages)
    assert all("robot.xml: " in text and part in text for part, text in zip(messages, said, strict=True))
    theirs = mujoco.MjModel.from_xml_string(TODAY)
    assert (robot.body_names, robot.dof_names) == (["torso", "a", "b"], ["hip", "hip_1"])
    np.testing.assert_allclose(mass_matrix(build_spec(robot, 0.005).compile()), mass_matrix(theirs), atol=1e-9)


def test_included_files_are_mended_as_well(tmp_path, caplog):
    (tmp_path / "legs.xml").write_text(
        f"<mujocoinclude>{LEG.format('a', 0.1, 'hip')}{LEG.format('b', -0.1, 'hip')}</mujocoinclude>"
    )
    (tmp_path / "meshes").mkdir()
    (tmp_path / "meshes" / "t.obj").write_text(
        "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"
    )
    asset = '<compiler meshdir="meshes"/><asset><mesh name="t" file="t.obj"/></asset>'
    text = written(
        {"legs": '<include file="legs.xml"/>', "geom": 'mass="2"/><geom type="mesh" mesh="t"', "settings": asset}
    )
    robot = load_mjcf(write(tmp_path, text), AssetOptions())
    assert "'hip_1'" in caplog.text
    assert robot.dof_names == ["hip", "hip_1"]
    assert [shape.kind for shape in robot.bodies[0].shapes] == ["box", "mesh"]


@pytest.mark.parametrize("wrong", ['<geom size=".1" weight="3"/>', "<wheel/>"])
def test_what_would_be_another_robot_is_still_refused(tmp_path, wrong):
    with pytest.raises(ValueError, match="robot.xml: MuJoCo cannot read it"):
        load_mjcf(write(tmp_path, written({"legs": wrong})), AssetOptions())


def test_materials_colour_their_geoms(tmp_path):
    material = '<asset><material name="red" rgba="1 0 0 1"/></asset>'
    robot = load_mjcf(write(tmp_path, written({"settings": material, "geom": 'material="red"'})), AssetOptions())
    assert robot.bodies[0].shapes[0].rgba == (1.0, 0.0, 0.0, 1.0)


ACTUATORS = """<actuator>
  <motor name="push" joint="hip" gear="150" ctrllimited="true" ctrlrange="-1 1"/>
  <position joint="hip_1" kp="50" kv="2" forcelimited="true" forcerange="-4 9"/>
  <velocity name="spin" joint="hip" kv="3"/>
  <motor tendon="both"/>
</actuator><tendon><fixed name="both"><joint joint="hip" coef="1"/><joint joint="hip_1" coef="2"/></fixed></tendon>"""


def test_actuators_of_the_file_can_be_read(tmp_path):
    asset = GYM.load_asset(None, str(tmp_path), write(tmp_path, written({"more": ACTUATORS})).name, AssetOptions())
    push, servo, spin = GYM.get_asset_actuator_properties(asset)
    assert (push.name, push.joint, push.type, push.motor_effort) == ("push", "hip", "motor", 150.0)
    assert (push.control_limited, push.lower_control_limit, push.upper_control_limit) == (True, -1.0, 1.0)
    assert (servo.type, servo.kp, servo.kv, servo.control_limited) == ("position", 50.0, 2.0, False)
    assert (servo.force_limited, servo.lower_force_limit, servo.upper_force_limit) == (True, -4.0, 9.0)
    assert (spin.type, spin.kp, spin.kv) == ("velocity", 0.0, 3.0)
    assert GYM.get_asset_actuator_count(asset) == 3
    assert GYM.get_asset_actuator_joint_name(asset, 1) == "hip_1"
    assert GYM.find_asset_actuator_index(asset, "spin") == 2
