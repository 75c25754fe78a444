"""The gym's calls on joints, fixed ones included, for a turning arm with a tool fixed to it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isaacgym import gymapi, gymtorch
from isaacgym.gymapi import DOMAIN_SIM, INVALID_HANDLE, Vec3

GYM = gymapi.acquire_gym()
LINK = '<link name="{}"><inertial><mass value="1"/><inertia ixx=".1" iyy=".1" izz=".1"/></inertial></link>'
ARM = (
    '<robot name="arm">'
    + "".join(LINK.format(name) for name in ("base", "arm", "tool", "tip"))
    + '<joint name="turn" type="continuous"><parent link="base"/><child link="arm"/><axis xyz="0 0 1"/></joint>'
    '<joint name="hold" type="fixed"><parent link="arm"/><child link="tool"/><origin xyz=".5 0 0"/></joint>'
    '<joint name="push" type="prismatic"><parent link="tool"/><child link="tip"/><axis xyz="1 0 0"/>'
    '<limit lower="0" upper="1" effort="9" velocity="9"/></joint></robot>'
)


def two_arms(tmp_path, collapse: bool = False) -> gymapi.Env:
    """The second of two envs, with two arms each."""
    (tmp_path / "arm.urdf").write_text(ARM)
    sim = GYM.create_sim(0, -1, gymapi.SIM_PHYSX, gymapi.SimParams(gravity=(0.0, 0.0, 0.0)))
    options = gymapi.AssetOptions(fix_base_link=True, collapse_fixed_joints=collapse, default_dof_drive_mode=1)
    asset = GYM.load_asset(sim, str(tmp_path), "arm.urdf", options)
    for _ in range(2):
        env = GYM.create_env(sim, Vec3(), Vec3(), 2)
        for name in ("one", "two"):
            GYM.create_actor(env, asset, gymapi.Transform(), name, 0, 1)
    return env


def test_fixed_joints_are_joints_with_names_numbers_and_types(tmp_path):
    env = two_arms(tmp_path)
    asset = GYM.get_actor_asset(env, 0)
    assert GYM.get_actor_joint_names(env, 1) == GYM.get_asset_joint_names(asset) == ["turn", "hold", "push"]
    assert GYM.get_actor_joint_dict(env, 0) == {"turn": 0, "hold": 1, "push": 2}
    assert GYM.find_asset_joint_index(asset, "push") == 2
    assert GYM.get_asset_joint_name(asset, 1) == "hold"
    kinds = [GYM.get_joint_type_string(GYM.get_asset_joint_type(asset, k)) for k in range(3)]
    assert kinds == ["Revolute", "Fixed", "Prismatic"]
    assert (GYM.get_env_joint_count(env), GYM.get_sim_joint_count(env.sim)) == (6, 12)
    assert GYM.find_actor_joint_handle(env, 1, "hold") == GYM.get_joint_handle(env, "two", "hold") == 4
    assert GYM.find_actor_joint_index(env, 1, "hold", DOMAIN_SIM) == 10
    assert GYM.get_joint_handle(env, "two", "nose") == GYM.get_joint_handle(env, "three", "hold") == INVALID_HANDLE
    assert GYM.get_actor_joint_handle(env, 1, 3) == INVALID_HANDLE
    collapsed = GYM.get_actor_asset(two_arms(tmp_path, collapse=True), 0)
    assert GYM.get_asset_joint_names(collapsed) == ["turn", "push"]


def test_joints_that_move_have_the_positions_and_targets_of_their_dofs(tmp_path):
    env = two_arms(tmp_path)
    push, hold = (GYM.get_joint_handle(env, "two", name) for name in ("push", "hold"))
    GYM.set_joint_target_position(env, push, 0.25)
    assert GYM.get_joint_target_position(env, push) == GYM.get_dof_target_position(env, 3) == 0.25
    GYM.set_actor_dof_states(env, 1, np.array([(0.5, 2.0), (0.75, 3.0)], gymapi.DofState.dtype), 3)
    assert (GYM.get_joint_position(env, push), GYM.get_joint_velocity(env, push)) == (0.75, 3.0)
    assert (GYM.get_joint_position(env, hold), GYM.get_joint_velocity(env, hold)) == (0.0, 0.0)
    assert GYM.get_joint_name(env, hold) == "hold"
    with pytest.raises(ValueError, match="joint 'hold' of env 1 is fixed, so it has no target"):
        GYM.set_joint_target_position(env, hold, 1.0)


def test_the_number_of_a_fixed_joint_is_its_bodys_row_of_the_jacobian(tmp_path):
    env = two_arms(tmp_path)
    GYM.prepare_sim(env.sim)
    jacobian = gymtorch.wrap_tensor(GYM.acquire_jacobian_tensor(env.sim, "two"))
    GYM.refresh_jacobian_tensors(env.sim)
    rows = jacobian[1, GYM.get_actor_joint_dict(env, 1)["hold"]]
    # half a metre along x from the axis z: the tool moves along y
    torch.testing.assert_close(rows[:, 0], torch.tensor([0.0, 0.5, 0.0, 0.0, 0.0, 1.0]))


def test_an_asset_can_be_printed(tmp_path, capsys):
    GYM.debug_print_asset(GYM.get_actor_asset(two_arms(tmp_path), 0))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "arm: 4 bodies, 3 joints, 2 DOFs" and len(lines) == 1 + 4 + 3
    assert lines[3] == "  body 2: tool, 1 kg, on arm" and lines[6] == "  joint 1: hold, fixed"
