"""Fixed tendons of MJCF files, against C MuJoCo with the same file."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
import torch

from isaacgym import gymapi
from tests.isaacgym.test_several_actors import Stage

GYM = gymapi.acquire_gym()
TOL = 2e-4  # [rad] after a fifth of a second, single precision
FINGER = """<mujoco><option timestep="0.005" gravity="0 0 -9.81"/><worldbody><body name="palm" pos="0 0 1">
<inertial mass="1" pos="0 0 0" diaginertia=".1 .1 .1"/><body name="near"><joint name="J1" axis="0 1 0"/>
<geom type="capsule" fromto="0 0 0 .1 0 0" size=".01" contype="0" conaffinity="0"/><body name="far" pos=".1 0 0">
<joint name="J0" axis="0 1 0"/><geom type="capsule" fromto="0 0 0 .1 0 0" size=".01" contype="0" conaffinity="0"/>
</body></body></body></worldbody><tendon><fixed name="T" {}><joint joint="J0" coef="2"/><joint joint="J1" coef="-1"/>
</fixed></tendon></mujoco>"""
KINDS = {
    "limit": 'limited="true" range="-.01 .01"',
    "spring and damper": 'stiffness=".03" damping=".0005" springlength=".2"',
    "friction": 'frictionloss=".01"',
}


def load(folder, attributes: str):
    (folder / "finger.xml").write_text(FINGER.format(attributes))
    return GYM.load_asset(None, str(folder), "finger.xml", gymapi.AssetOptions(fix_base_link=True))


def mujocos(attributes: str, steps: int) -> list[float]:
    model = mujoco.MjModel.from_xml_string(FINGER.format(attributes))
    data = mujoco.MjData(model)
    mujoco.mj_step(model, data, steps)
    return data.qpos.tolist()


@pytest.mark.parametrize("num_actors", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_fingers_with_tendons_fall_as_in_c_mujoco(tmp_path, kind, num_actors):
    stage = Stage(num_envs=2)
    for _ in range(num_actors):
        stage.add(load(tmp_path, KINDS[kind]), (0, 0, 1), filter=1)
    stage.prepare()
    stage.step(40)
    own, without = mujocos(KINDS[kind], 40), mujocos("", 40)
    assert np.abs(np.subtract(own, without)).max() > 0.05  # the tendon matters
    for actor in range(num_actors):
        here = stage.dof[1, 2 * actor : 2 * actor + 2, 0]
        torch.testing.assert_close(here, torch.tensor(own), atol=TOL, rtol=0)
    if kind == "limit":
        assert 2 * here[1] - here[0] == pytest.approx(0.0, abs=0.05)  # one joint follows the other


def test_properties_of_tendons_can_be_read(tmp_path):
    asset = load(tmp_path, 'limited="true" range="-.1 .2" stiffness="3" damping="5" springlength=".7"')
    (tendon,) = GYM.get_asset_tendon_properties(asset)
    assert (tendon.name, tendon.type, tendon.num_joints) == ("T", gymapi.TENDON_FIXED, 2)
    assert (tendon.stiffness, tendon.damping, tendon.fixed_spring_rest_length) == (3.0, 5.0, 0.7)
    assert (tendon.is_fixed_limited, tendon.fixed_lower_limit, tendon.fixed_upper_limit) == (True, -0.1, 0.2)
    assert GYM.get_asset_tendon_name(asset, 0) == "T" and GYM.find_asset_tendon_index(asset, "T") == 0
    assert GYM.get_asset_fixed_tendon_joint_coefficients(asset, 0) == [2.0, -1.0]
    assert GYM.get_asset_fixed_tendon_joint_name(asset, 0, 1) == "J1"


def test_springs_and_dampers_that_a_script_sets_act(tmp_path, caplog):
    stage = Stage()
    asset = load(tmp_path, "")
    (tendon,) = GYM.get_asset_tendon_properties(asset)
    tendon.stiffness, tendon.damping, tendon.fixed_spring_rest_length = 0.03, 0.0005, 0.2
    GYM.set_asset_tendon_properties(asset, [tendon])
    stage.add(asset, (0, 0, 1), filter=1)
    stage.prepare()
    stage.step(40)
    expected = torch.tensor(mujocos(KINDS["spring and damper"], 40))
    torch.testing.assert_close(stage.dof[0, :, 0], expected, atol=TOL, rtol=0)
    assert "tendon" not in caplog.text
    tendon.limit_stiffness = 30.0
    GYM.set_actor_tendon_properties(stage.envs[0], 0, [tendon])
    assert "limit_stiffness: without effect" in caplog.text
    assert "tendons of a running simulation keep their properties" in caplog.text
    with pytest.raises(ValueError, match="the asset has 1 tendon, got properties of 0"):
        GYM.set_asset_tendon_properties(asset, [])


def test_spatial_tendons_that_act_are_refused_in_a_sentence(tmp_path):
    text = FINGER.format("").replace("<geom", '<site name="{}"/><geom').replace("</fixed>", "</fixed>{}")
    path = '<spatial name="S" {}><site site="a"/><site site="b"/></spatial>'
    (tmp_path / "idle.xml").write_text(text.format("a", "b", path.format("")))
    assert GYM.get_asset_tendon_count(GYM.load_asset(None, str(tmp_path), "idle.xml")) == 2
    (tmp_path / "pulls.xml").write_text(text.format("a", "b", path.format('stiffness="2"')))
    with pytest.raises(ValueError, match=r"pulls.xml: tendon 'S' has an armature or is a <spatial> one"):
        GYM.load_asset(None, str(tmp_path), "pulls.xml")
