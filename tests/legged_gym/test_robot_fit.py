"""What a robot's file alone tells about how it stands, and what does not fit it in a config."""

from pathlib import Path

import mujoco
import numpy as np
import pytest
import torch
from small_envs import build, small_cfg

from isaacgym import gymapi
from isaacgym.assets.urdf import load_urdf
from isaacgym.engine.model import build_spec
from isaacgym.gym_types import AssetOptions
from legged_gym import LEGGED_GYM_ROOT_DIR
from legged_gym.envs.base.legged_robot import LeggedRobot
from legged_gym.robots.fit import misfits
from legged_gym.robots.kinematics import body_poses, lowest_points, stance
from rsl_rl.runners.faults import TrainingDivergedError

TOL = 1e-6  # [m] MuJoCo's kinematics are in double precision, as ours
OPTIONS = AssetOptions(collapse_fixed_joints=True, replace_cylinder_with_capsule=True)


def robot_of(cfg):
    return load_urdf(cfg.asset.file.format(LEGGED_GYM_ROOT_DIR=LEGGED_GYM_ROOT_DIR), OPTIONS)


@pytest.mark.parametrize("task", ["aliengo", "go2"])
def test_bodies_are_where_c_mujoco_puts_them(task):
    cfg = small_cfg(task)
    robot = robot_of(cfg)
    model = build_spec(robot, 0.005).compile()
    data = mujoco.MjData(model)
    rng = np.random.default_rng(5)
    joints = {name: rng.uniform(-1, 1) for name in robot.dof_names}
    for name, value in joints.items():
        data.joint(name).qpos[0] = value
    mujoco.mj_kinematics(model, data)
    np.testing.assert_allclose(body_poses(robot, joints).positions, data.xpos[1:], atol=TOL)


def test_the_stance_is_as_high_as_a_hand_says():
    """Go2's leg is a thigh and a calf of 0.213 m and a foot of radius 0.022 m: thigh at 0.8, calf at 0.8 - 1.5 rad."""
    cfg = small_cfg("go2")
    pose = {name: (0.0 if "hip" in name else 0.8 if "thigh" in name else -1.5) for name in robot_of(cfg).dof_names}
    feet = ["FL_foot", "FR_foot", "RL_foot", "RR_foot"]
    stands = stance(robot_of(cfg), pose, feet)
    legs = 0.213 * (np.cos(0.8) + np.cos(0.7))
    assert stands.feet_z == pytest.approx(-legs, abs=1e-3)
    assert stands.height == pytest.approx(legs + 0.022, abs=2e-3)  # the foot's sphere is 2 mm off its frame
    assert "foot" in stands.lowest_body and stands.feet_lowest == 0.0


@pytest.mark.parametrize(
    ("geometry", "lowest"),
    [
        ('<box size="0.2 0.4 0.6"/>', -(0.1 * np.sin(0.5) + 0.3 * np.cos(0.5))),
        ('<cylinder radius="0.1" length="0.6"/>', -(0.1 * np.sin(0.5) + 0.3 * np.cos(0.5))),
        ('<capsule radius="0.1" length="0.6"/>', -(0.1 + 0.3 * np.cos(0.5))),
        ('<sphere radius="0.1"/>', -0.1),
    ],
)
def test_the_lowest_point_of_a_tilted_shape(tmp_path, geometry, lowest):
    path = tmp_path / "r.urdf"
    path.write_text(
        '<robot name="r"><link name="a"><collision><origin rpy="0 0.5 0"/>'
        f"<geometry>{geometry}</geometry></collision></link></robot>"
    )
    robot = load_urdf(path, AssetOptions(slices_per_cylinder=200))
    assert lowest_points(robot, body_poses(robot, {}))[0] == pytest.approx(lowest, abs=1e-3)


@pytest.mark.parametrize("task", ["a1", "aliengo", "anymal_c", "b2", "go1", "go2", "go2w"])
def test_our_configs_fit_their_robots(task):
    cfg = small_cfg(task)
    assert list(misfits(cfg, robot_of(cfg))) == []


def test_what_does_not_fit_is_said_at_the_start(capsys):
    cfg = small_cfg("go2_flat")
    cfg.init_state.pos = [0.0, 0.0, 0.2]
    cfg.rewards.base_height_target = 0.6
    cfg.rewards.clearance_height_target = -0.5
    build(cfg, "go2_flat")
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning: ")]
    assert len(said) == 3
    assert "0.12 m inside the ground" in said[0] and "_foot' reaches 0.32 m" in said[0]
    assert "base_height_target is 0.60 m" in said[1] and "at 0.32 m" in said[1]
    assert "clearance_height_target is -0.50 m" in said[2]


def test_a_pose_on_the_knees_is_said():
    cfg = small_cfg("go2")
    for name in cfg.init_state.default_joint_angles:
        cfg.init_state.default_joint_angles[name] = {"hip": 0.0, "thigh": 0.0, "calf": -2.7}[name.split("_")[1]]
    assert any("below the feet" in sentence for sentence in misfits(cfg, robot_of(cfg)))


def test_an_unlimited_joint_never_reaches_its_soft_limit(tmp_path):
    cfg = small_cfg("go2_flat")
    text = Path(cfg.asset.file.format(LEGGED_GYM_ROOT_DIR=LEGGED_GYM_ROOT_DIR)).read_text()
    before, found, after = text.partition('name="FL_thigh_joint" type="revolute"')
    assert found
    (tmp_path / "go2.urdf").write_text(before + found.replace("revolute", "continuous") + after)
    cfg.asset.file = str(tmp_path / "go2.urdf")
    env = build(cfg, "go2_flat")
    joint = env.dof_names.index("FL_thigh_joint")
    assert env.dof_pos_limits[joint].tolist() == [-torch.inf, torch.inf]
    env.reset()
    assert env.rew_buf.isfinite().all()
    env.dof_pos[:, joint] = 50.0
    limits = env.dof_pos_limits.clone()
    others = [i for i in range(env.num_dof) if i != joint]
    inside = env.dof_pos[:, others].clip(limits[others, 0], limits[others, 1])
    assert env._reward_dof_pos_limits() == pytest.approx((env.dof_pos[:, others] - inside).abs().sum(dim=1), abs=1e-5)


class BrokenReward(LeggedRobot):
    first_steps = 0  # that go well

    def _reward_tracking_lin_vel(self):
        return super()._reward_tracking_lin_vel() * (torch.nan if self.common_step_counter > self.first_steps else 1.0)


def broken_env(first_steps):
    env = build(small_cfg("go2_flat"), "go2_flat")
    env.__class__ = type("Broken", (BrokenReward,), {"first_steps": first_steps})
    env._prepare_reward_function()
    env._record_step()
    return env


def test_a_reward_that_is_nan_names_its_term_before_training():
    with pytest.raises(ValueError, match="the reward 'tracking_lin_vel' is not a finite number"):
        broken_env(first_steps=0).reset()


def test_a_reward_that_becomes_nan_names_its_term_within_an_iteration():
    env = broken_env(first_steps=3)
    env.reset()
    for _ in range(5):
        env.step(torch.zeros(env.num_envs, env.num_actions))
    with pytest.raises(TrainingDivergedError, match="the reward 'tracking_lin_vel' is not a finite number"):
        env.take_fault_record()


def test_a_plane_at_right_angles_to_gravity_is_said(caplog):
    gym = gymapi.acquire_gym()
    params = gymapi.SimParams(up_axis=1, gravity=gymapi.Vec3(0.0, 0.0, -9.8125))
    gym.add_ground(gym.create_sim(0, -1, gymapi.SIM_PHYSX, params), gymapi.PlaneParams())
    assert "at right angles to gravity" in caplog.text and "PlaneParams.normal" in caplog.text


def test_a_config_can_refuse_inertias_that_no_body_has(tmp_path):
    cfg = small_cfg("go2_flat")
    text = Path(cfg.asset.file.format(LEGGED_GYM_ROOT_DIR=LEGGED_GYM_ROOT_DIR)).read_text()
    (tmp_path / "go2.urdf").write_text(text.replace('ixx="0.02448"', 'ixx="2.0"'))
    cfg.asset.file, cfg.asset.strict_inertia = str(tmp_path / "go2.urdf"), True
    with pytest.raises(ValueError, match="go2.urdf: moments of inertia that no body has .*'base'"):
        build(cfg, "go2_flat")
