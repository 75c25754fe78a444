"""Exported policies: the same numbers as torch, and metadata that match the environment."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import onnxruntime
import pytest
import torch

from legged_gym import LEGGED_GYM_ROOT_DIR
from legged_gym.envs import task_registry
from legged_gym.utils.export import (
    _say_that_onnx_is_missing,
    checkpoint_exporter,
    export_policy,
    trained_commands,
)
from rsl_rl.export import METADATA
from rsl_rl.modules import ActorCritic, HIMActorCritic

PARITY = 1e-5  # the bound; float32 sums in another order


def make_policy(env: Any, temporal_steps: int) -> HIMActorCritic:
    """A random HIM policy for the robot of `env`."""
    torch.manual_seed(temporal_steps)
    frame = env.num_one_step_obs
    return HIMActorCritic(
        temporal_steps * frame, env.num_privileged_obs, frame, env.num_actions, temporal_steps=temporal_steps
    )


def exported_outputs(paths: list[Path], obs: torch.Tensor) -> list[np.ndarray]:
    """Actions of the TorchScript and of the ONNX file for the same observations."""
    jit_path, onnx_path = paths
    session = onnxruntime.InferenceSession(str(onnx_path))
    return [torch.jit.load(str(jit_path))(obs).numpy(), session.run(None, {"observations": obs.numpy()})[0]]


@pytest.mark.parametrize("temporal_steps", [1, 6, 10])
def test_torch_torchscript_and_onnx_agree_on_real_frames(flat_env: Any, temporal_steps: int, tmp_path: Path) -> None:
    policy, history = make_policy(flat_env, temporal_steps), []
    flat_env.reset()
    with torch.inference_mode():
        for _ in range(12):
            result = flat_env.step(0.5 * torch.randn(flat_env.num_envs, flat_env.num_actions))
            history.append(result.obs[:, : temporal_steps * flat_env.num_one_step_obs].clone())
        obs = torch.cat(history)
        expected = policy.act_inference(obs).numpy()
    paths = export_policy(policy, flat_env, flat_env.cfg.commands, {}, tmp_path)
    assert np.abs(expected).max() > 0.01
    for actions in exported_outputs(paths, obs):
        np.testing.assert_allclose(actions, expected, rtol=0, atol=PARITY)


def test_the_baseline_without_history_exports_too(flat_env: Any, tmp_path: Path) -> None:
    policy = ActorCritic(flat_env.num_one_step_obs, flat_env.num_privileged_obs, flat_env.num_actions)
    paths = export_policy(policy, flat_env, flat_env.cfg.commands, {}, tmp_path)
    obs = torch.randn(7, flat_env.num_one_step_obs)
    expected = policy.act_inference(obs).detach().numpy()
    for actions in exported_outputs(paths, obs):
        np.testing.assert_allclose(actions, expected, rtol=0, atol=PARITY)


def test_both_files_carry_the_same_metadata(flat_env: Any, tmp_path: Path) -> None:
    jit_path, onnx_path = export_policy(
        make_policy(flat_env, 6), flat_env, flat_env.cfg.commands, {"iter": 340}, tmp_path
    )
    extra = {METADATA: ""}
    torch.jit.load(str(jit_path), _extra_files=extra)
    in_jit = json.loads(extra[METADATA])
    stored = onnxruntime.InferenceSession(str(onnx_path)).get_modelmeta().custom_metadata_map
    assert json.loads(stored[METADATA]) == in_jit
    assert in_jit["iteration"] == 340 and in_jit["history_length"] == 6


def test_metadata_of_aliengo_are_those_of_its_specification(flat_env: Any, tmp_path: Path) -> None:
    jit_path, _ = export_policy(make_policy(flat_env, 10), flat_env, flat_env.cfg.commands, {}, tmp_path)
    extra = {METADATA: ""}
    torch.jit.load(str(jit_path), _extra_files=extra)
    metadata = json.loads(extra[METADATA])
    legs = [name[:2] for name in metadata["joint_names"]]
    assert sorted(set(legs)) == ["FL", "FR", "RL", "RR"] and len(legs) == 12
    pose = {"hip": 0.0, "thigh": 0.8, "calf": -1.5}
    assert metadata["default_joint_pos"] == [pose[name.split("_")[1]] for name in metadata["joint_names"]]
    assert metadata["armature"] == 0.01
    urdf = ElementTree.parse(Path(LEGGED_GYM_ROOT_DIR, "resources/robots/aliengo/urdf/aliengo.urdf"))
    limits = {joint.get("name"): joint.find("limit") for joint in urdf.iter("joint")}
    stops = [[float(limits[name].get(end)) for end in ("lower", "upper")] for name in metadata["joint_names"]]
    speeds = [float(limits[name].get("velocity")) for name in metadata["joint_names"]]
    np.testing.assert_allclose(metadata["joint_pos_limits"], stops, rtol=1e-6)
    np.testing.assert_allclose(metadata["joint_vel_limits"], speeds, rtol=1e-6)
    assert metadata["mass"] == pytest.approx(sum(float(m.get("value")) for m in urdf.iter("mass")), abs=1e-3)
    assert metadata["kp"] == [40.0] * 12 and metadata["kd"] == [2.0] * 12 and metadata["action_scale"] == [0.5] * 12
    scales = [scale for group in metadata["observation"] for scale in group["scale"]]
    assert scales == [2, 2, 0.25] + [0.25] * 3 + [1] * 3 + [1] * 12 + [0.05] * 12 + [1] * 12
    assert metadata["control_period_s"] == 0.02


def test_command_ranges_are_those_the_curriculum_reached() -> None:
    env_cfg, _ = task_registry.get_cfgs("aliengo")
    ranges = trained_commands(env_cfg.commands, {"env_state": {"lin_vel_x_range": [-1.4, 1.6]}})
    assert ranges == {"vx": [-1.4, 1.6], "vy": [-1.0, 1.0], "yaw_rate": [-2.0, 2.0]}


def test_without_onnx_only_torchscript_is_written(
    flat_env: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr("legged_gym.utils.export.onnx_is_installed", lambda: False)
    _say_that_onnx_is_missing.cache_clear()
    export = checkpoint_exporter(make_policy(flat_env, 2), flat_env, flat_env.cfg.commands)
    for iteration in (0, 20, 40):
        export(str(tmp_path), iteration)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["policy_0.pt", "policy_20.pt", "policy_40.pt"]
    assert capsys.readouterr().out.count("pip install -e '.[export]'") == 1


def test_the_export_of_a_checkpoint_tells_its_iteration_and_speeds(flat_env: Any, tmp_path: Path) -> None:
    export = checkpoint_exporter(make_policy(flat_env, 2), flat_env, flat_env.cfg.commands)
    speeds = flat_env.command_ranges["lin_vel_x"].clone()
    flat_env.command_ranges["lin_vel_x"][:] = torch.tensor([-1.25, 1.75])
    export(str(tmp_path), 60)
    flat_env.command_ranges["lin_vel_x"][:] = speeds
    extra = {METADATA: ""}
    torch.jit.load(str(tmp_path / "policy_60.pt"), _extra_files=extra)
    metadata = json.loads(extra[METADATA])
    assert metadata["iteration"] == 60 and metadata["command_ranges"]["vx"] == [-1.25, 1.75]


def test_an_export_that_fails_costs_no_training(flat_env: Any, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    export = checkpoint_exporter(make_policy(flat_env, 2), flat_env, flat_env.cfg.commands)
    (tmp_path / "file").touch()
    export(str(tmp_path / "file"), 20)
    assert "Cannot export the policy of iteration 20, training goes on: " in capsys.readouterr().out


def test_a_policy_that_cannot_be_deployed_is_refused_before_training(
    flat_env: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flat_env.cfg.control, "control_type", "V")
    with pytest.raises(ValueError, match="only joint position targets can be deployed"):
        checkpoint_exporter(make_policy(flat_env, 2), flat_env, flat_env.cfg.commands)
