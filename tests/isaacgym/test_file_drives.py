"""Drive modes that an MJCF file's actuators give its DOFs, against C MuJoCo with these actuators."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
import torch

from isaacgym import gymapi, gymtorch
from isaacgym.gymapi import AssetOptions, Transform, Vec3

GYM = gymapi.acquire_gym()
NONE, POS, VEL, EFFORT = (int(getattr(gymapi, f"DOF_MODE_{name}")) for name in ("NONE", "POS", "VEL", "EFFORT"))
LINK = '<geom type="capsule" fromto="0 0 0 .2 0 0" size=".02" density="800" contype="0" conaffinity="0"/>'
FILE = f"""
<mujoco>
  <option timestep="0.0005" integrator="implicitfast"/>
  <worldbody>
    <body name="mount" pos="0 0 1">
      <geom type="box" size=".05 .05 .05" contype="0" conaffinity="0"/>
      <body><joint name="servo" axis="0 1 0" damping=".05"/>{LINK}</body>
      <body pos="0 .2 0"><joint name="geared" axis="0 1 0" damping=".05"/>{LINK}</body>
      <body pos="0 .4 0"><joint name="spun" axis="0 1 0"/>{LINK}</body>
      <body pos="0 .6 0"><joint name="pushed" axis="0 1 0" damping=".1" stiffness="2"/>{LINK}</body>
      <body pos="0 .8 0"><joint name="idle" axis="0 1 0" damping=".2"/>{LINK}</body>
    </body>
  </worldbody>
  <actuator>
    <position joint="servo" kp="3" kv=".2" forcelimited="true" forcerange="-9 9"/>
    <position joint="geared" kp="2" gear="1.5"/>
    <velocity joint="spun" kv="4"/>
    <motor joint="pushed" gear="15"/>
  </actuator>
</mujoco>
"""
TARGETS = [0.7, -0.4, 0.6, 0.0, 0.0]  # [rad], the third [rad/s]
EFFORTS = [0.0, 0.0, 0.0, 1.2, 0.0]  # [N·m]
CONTROLS = [0.7, -0.4 * 1.5, 0.6, 1.2 / 15]  # MuJoCo's, of lengths that gears multiply


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "arms.xml").write_text(FILE)
    return tmp_path


def test_actuators_of_the_file_drive_as_in_c_mujoco(folder):
    """The option is DOF_MODE_NONE, as of scripts that leave the mode to the file, for ants and hands alike."""
    sim = GYM.create_sim(0, -1, gymapi.SIM_PHYSX, gymapi.SimParams(dt=0.0005, substeps=1, gravity=(0.0, 0.0, -9.81)))
    asset = GYM.load_asset(sim, str(folder), "arms.xml", AssetOptions(fix_base_link=True))
    properties = GYM.get_asset_dof_properties(asset)
    assert properties["driveMode"].tolist() == [POS, POS, VEL, EFFORT, NONE]
    assert properties["stiffness"].tolist() == pytest.approx([3.0, 2.0 * 1.5**2, 0.0, 2.0, 0.0])
    assert properties["damping"].tolist() == pytest.approx([0.05 + 0.2, 0.05, 4.0, 0.1, 0.2])
    env = GYM.create_env(sim, Vec3(), Vec3(), 1)
    GYM.create_actor(env, asset, Transform(Vec3(0, 0, 1)), "arms", 0, 1)
    GYM.prepare_sim(sim)
    targets, efforts = torch.tensor(TARGETS), torch.tensor(EFFORTS)
    GYM.set_dof_position_target_tensor(sim, gymtorch.unwrap_tensor(targets))
    GYM.set_dof_velocity_target_tensor(sim, gymtorch.unwrap_tensor(targets))
    GYM.set_dof_actuation_force_tensor(sim, gymtorch.unwrap_tensor(efforts))
    states = gymtorch.wrap_tensor(GYM.acquire_dof_state_tensor(sim))
    model = mujoco.MjModel.from_xml_string(FILE)
    data = mujoco.MjData(model)
    data.ctrl[:] = CONTROLS
    for _ in range(5):
        for _ in range(400):
            GYM.simulate(sim)
        mujoco.mj_step(model, data, 400)
        GYM.refresh_dof_state_tensor(sim)
        # MuJoCo takes springs at the start of a step and we at its end, which damps a little more
        np.testing.assert_allclose(states[:, 0], data.qpos, atol=4e-3)
    assert np.abs(data.qpos).min() > 0.2


@pytest.mark.parametrize("mode", [POS, EFFORT])
def test_a_mode_that_a_script_states_is_that_of_all_dofs(folder, mode):
    asset = GYM.load_asset(None, str(folder), "arms.xml", AssetOptions(default_dof_drive_mode=mode))
    properties = GYM.get_asset_dof_properties(asset)
    assert properties["driveMode"].tolist() == [mode] * 5
    servos = [3.0, 2.0 * 1.5**2] if mode == POS else [0.0, 0.0]
    assert properties["stiffness"].tolist() == pytest.approx([*servos, 0.0, 2.0, 0.0])


def test_forces_and_targets_that_no_dof_obeys_are_told(folder, caplog):
    sim = GYM.create_sim(0, -1, gymapi.SIM_PHYSX, gymapi.SimParams(gravity=(0.0, 0.0, -9.81)))
    asset = GYM.load_asset(sim, str(folder), "arms.xml", AssetOptions(fix_base_link=True, default_dof_drive_mode=POS))
    env = GYM.create_env(sim, Vec3(), Vec3(), 1)
    GYM.create_actor(env, asset, Transform(Vec3(0, 0, 1)), "arms", 0, 1)
    values = gymtorch.unwrap_tensor(torch.ones(5))
    GYM.prepare_sim(sim)
    GYM.set_dof_position_target_tensor(sim, values)
    assert not caplog.messages
    GYM.set_dof_actuation_force_tensor(sim, values)
    GYM.set_dof_actuation_force_tensor_indexed(sim, values, gymtorch.unwrap_tensor(torch.zeros(1, dtype=torch.int)), 1)
    (said,) = caplog.messages
    assert "actuation forces move nothing, for no DOF is in DOF_MODE_EFFORT; set AssetOptions" in said
    properties = GYM.get_actor_dof_properties(env, 0)
    properties["driveMode"][2] = VEL
    GYM.set_actor_dof_properties(env, 0, properties)
    GYM.set_dof_velocity_target_tensor(sim, values)
    assert len(caplog.messages) == 1
