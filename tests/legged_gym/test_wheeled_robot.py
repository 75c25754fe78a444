"""Go2-W: wheels follow speeds, legs angles, and nobody sees how often a wheel has turned."""

import pytest
import torch
from small_envs import build, small_cfg

from legged_gym.envs import task_registry
from legged_gym.utils.helpers import get_args

TOL = 1e-5  # float32
WHEEL_RADIUS = 0.089  # [m] of a 7 inch tyre


@pytest.fixture(scope="module")
def env():
    cfg = small_cfg("go2w_flat")
    cfg.noise.add_noise = False
    for name in vars(cfg.domain_rand):
        if isinstance(getattr(cfg.domain_rand, name), bool):
            setattr(cfg.domain_rand, name, False)
    return build(cfg, "go2w_flat")


def test_wheels_hold_speeds_and_legs_hold_angles(env):
    env.reset()
    wheel, calf = env.dof_names.index("RL_foot_joint"), env.dof_names.index("RL_calf_joint")
    env.dof_pos[:, wheel], env.dof_vel[:, wheel] = 700.0, 3.0
    env.dof_pos[:, calf], env.dof_vel[:, calf] = -1.2, 2.0
    actions = torch.zeros(env.num_envs, env.num_actions)
    actions[:, wheel], actions[:, calf] = 0.7, 0.4
    torques = env._compute_torques(actions)
    # by hand: 0.5 (10 · 0.7 - 3); 60 (-1.5 + 0.25 · 0.4 + 1.2) - 2 · 2
    torch.testing.assert_close(torques[:, wheel], torch.full((env.num_envs,), 2.0), atol=TOL, rtol=0)
    torch.testing.assert_close(torques[:, calf], torch.full((env.num_envs,), -16.0), atol=TOL, rtol=0)


def test_a_wheels_angle_is_not_seen_and_its_speed_is(env):
    env.reset()
    wheels = [index for index, name in enumerate(env.dof_names) if "foot_joint" in name]
    assert len(wheels) == 4 and env.num_actions == env.num_dof == 16
    env.dof_pos[:] = 5.0
    env.dof_vel[:] = 2.0
    frame = env.get_current_obs()
    angles = frame[:, env.layout.columns["dof_pos"]]
    assert (angles[:, wheels] == 0.0).all() and (angles != 0.0).sum() == 12 * env.num_envs
    assert frame[:, env.layout.columns["dof_vel"]] == pytest.approx(2.0 * env.obs_scales.dof_vel)


def test_turning_wheels_drive_it_forwards(env):
    env.reset()
    actions = torch.zeros(env.num_envs, env.num_actions)
    actions[:, env.wheel_mask] = 0.5  # 5 rad/s
    for _ in range(150):
        env.commands.zero_()
        env.step(actions)
    assert env.base_lin_vel[:, 0] == pytest.approx(5.0 * WHEEL_RADIUS, rel=0.02)
    assert not env.reset_buf.any()


def test_a_robot_without_wheels_is_no_wheeled_robot():
    cfg = small_cfg("go2w_flat")
    cfg.control.wheel_name = ""
    cfg.control.control_type = "V"
    with pytest.raises(ValueError, match="wheel_name is empty.*control_type is V"):
        task_registry.make_env("go2w_flat", get_args(["--headless", "--sim_device", "cpu"]), cfg)
