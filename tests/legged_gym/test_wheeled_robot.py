"""Go2-W: wheels follow speeds, legs angles, and nobody sees how often a wheel has turned."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from small_envs import build, small_cfg

from legged_gym import LEGGED_GYM_ROOT_DIR
from legged_gym.deploy.controller import PolicyController
from legged_gym.deploy.courses import Course
from legged_gym.deploy.mujoco_robot import Conditions
from legged_gym.deploy.mujoco_trials import Setup, build_robot
from legged_gym.envs import task_registry
from legged_gym.utils.export import policy_metadata
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


def rolling_policy(env: Any, path: Path, **changed: Any) -> Path:
    """Wheels at 5 rad/s and legs in the default pose, whatever it observes."""
    ranges = {"vx": [-1.0, 1.0], "vy": [-1.0, 1.0], "yaw_rate": [-1.0, 1.0]}
    metadata = policy_metadata(env, 2, 0, ranges) | changed
    width = 2 * sum(group["width"] for group in metadata["observation"])
    tensors = [
        helper.make_tensor("weights", TensorProto.FLOAT, [width, 16], np.zeros(width * 16)),
        helper.make_tensor("bias", TensorProto.FLOAT, [16], 0.5 * env.wheel_mask.double().numpy()),
    ]
    inputs = [helper.make_tensor_value_info("observations", TensorProto.FLOAT, ["batch", width])]
    outputs = [helper.make_tensor_value_info("actions", TensorProto.FLOAT, ["batch", 16])]
    nodes = [helper.make_node("Gemm", ["observations", "weights", "bias"], ["actions"])]
    graph = helper.make_graph(nodes, "rolling", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"metadata": json.dumps(metadata)})
    onnx.save(model, path)
    return path


def test_a_deployed_policy_sees_what_it_saw_in_training(env, tmp_path):
    env.reset()
    env.dof_pos[:], env.dof_vel[:] = 0.3, 2.0
    env.dof_pos[:, env.wheel_mask] = 700.0
    frame = env.get_current_obs()[0, : env.num_one_step_obs]
    controller = PolicyController(rolling_policy(env, tmp_path / "policy.onnx"))
    columns = env.layout.columns
    readings = (frame[columns[name]] / scale for name, scale in (("base_ang_vel", 0.25), ("projected_gravity", 1.0)))
    command = frame[columns["commands"]] / torch.tensor([2.0, 2.0, 0.25])
    controller.push_frame(command, *readings, env.dof_pos[0], env.dof_vel[0])
    assert controller.observations()[: env.num_one_step_obs] == pytest.approx(frame.numpy(), abs=1e-6)


def test_in_mujoco_it_rolls_at_the_speed_of_its_wheels(env, tmp_path):
    """5 rad/s of tyres of 7 inches, by motors that hold speeds."""
    policy = rolling_policy(env, tmp_path / "policy.onnx")
    urdf = Path(LEGGED_GYM_ROOT_DIR, "resources", "robots", "go2w", "urdf", "go2w.urdf")
    robot = build_robot(Setup(policy, urdf, Course("flat"), conditions=Conditions(noise=0.0)))
    robot.reset(0.0)
    assert robot.data.contact.dist.min(initial=0.0) > -1e-6  # its wheels stand on the ground, not in it
    rng, speeds = np.random.default_rng(0), []
    for _ in range(150):
        robot.control_step((0.0, 0.0, 0.0), rng)
        speeds.append(robot.base_lin_vel()[0])
    assert np.mean(speeds[100:]) == pytest.approx(5.0 * WHEEL_RADIUS, rel=0.03)
    assert not robot.fallen()


def test_wheels_that_are_no_joints_are_refused(env, tmp_path):
    path = rolling_policy(env, tmp_path / "policy.onnx", wheels=["FL_wheel"])
    with pytest.raises(ValueError, match=r"policy.onnx' have no usable numbers for wheels"):
        PolicyController(path)


def test_a_robot_without_wheels_is_no_wheeled_robot():
    cfg = small_cfg("go2w_flat")
    cfg.control.wheel_name = ""
    cfg.control.control_type = "V"
    with pytest.raises(ValueError, match="wheel_name is empty.*control_type is V"):
        task_registry.make_env("go2w_flat", get_args(["--headless", "--sim_device", "cpu"]), cfg)
