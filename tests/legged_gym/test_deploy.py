"""The deployed controller against the environment it was trained in, step by step, and its errors."""

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import onnx
import pytest
import torch
from scipy.spatial.transform import Rotation
from small_envs import build, small_cfg
from test_export import make_policy

from legged_gym import LEGGED_GYM_ROOT_DIR
from legged_gym.deploy import controller as controller_file
from legged_gym.deploy.controller import METADATA, PolicyController, gravity_in_base
from legged_gym.deploy.unitree import UNITREE_JOINTS, control_step
from legged_gym.utils.export import export_policy

TOLERANCE = 2e-5  # float32 in another order of operations, on values up to 5
STEPS = 30


# Steps a policy in a process where all installed distributions but two are blocked.
ALONE = """
import sys
from importlib.metadata import packages_distributions

ALLOWED = {"numpy", "onnxruntime"}


class Blocker:
    installed = packages_distributions()

    def find_spec(self, name, path=None, target=None):
        root = name.partition(".")[0]
        ours = root in ("isaacgym", "legged_gym", "rsl_rl")
        if ours or root in self.installed and not ALLOWED & {own.lower() for own in self.installed[root]}:
            raise ModuleNotFoundError(name, name=name)


sys.meta_path.insert(0, Blocker())
import json
from controller import PolicyController

try:
    import torch
except ModuleNotFoundError:
    controller = PolicyController(sys.argv[1])
    steps = [controller.step((0.5, 0, 0), [0.1] * 3, (0, 0, -1), [0.2] * 12, [0.3] * 12) for _ in range(3)]
    print(json.dumps([targets.tolist() for targets in steps]))
"""


@pytest.fixture(scope="module")
def quiet_env() -> Any:
    """Aliengo on a plane, without noise on its observations and with fixed commands inside the trained ranges."""
    cfg = small_cfg("aliengo_flat")
    cfg.noise.add_noise = cfg.commands.heading_command = cfg.commands.curriculum = False
    return build(cfg)


@pytest.fixture(scope="module")
def exported(quiet_env: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random policy with six frames of history."""
    folder = tmp_path_factory.mktemp("exported")
    export_policy(make_policy(quiet_env, 6), quiet_env, quiet_env.cfg.commands, {"iter": 7}, folder)
    return folder / "policy.onnx"


def readings(env: Any, robot: int, joint_order: list[str]) -> dict[str, np.ndarray]:
    """What robot number `robot` would measure, from the simulator's tensors; joints in `joint_order`."""
    columns = [env.dof_names.index(name) for name in joint_order]
    root = env.root_states[robot].double().numpy()
    attitude = Rotation.from_quat(root[3:7])
    return {
        "command": env.commands[robot, :3].numpy().copy(),
        "base_ang_vel": attitude.inv().apply(root[10:13]),
        "projected_gravity": gravity_in_base(root[3:7]),
        "joint_pos": env.dof_pos[robot, columns].numpy().copy(),
        "joint_vel": env.dof_vel[robot, columns].numpy().copy(),
    }


def step_both(env: Any, policy: Any, controller: PolicyController, robot: int) -> tuple[np.ndarray, torch.Tensor]:
    """The controller's targets and the policy's actions, on what the environment shows; both must see the same."""
    targets = controller.step(**readings(env, robot, UNITREE_JOINTS))
    seen = env.obs_buf[:, : 6 * env.num_one_step_obs]
    np.testing.assert_allclose(controller.observations(), seen[robot].numpy(), rtol=0, atol=TOLERANCE)
    return targets, policy.act_inference(seen)


def test_controller_sees_and_does_what_the_environment_does(quiet_env: Any, exported: Path) -> None:
    env, robot = quiet_env, 4
    controller = PolicyController(exported, joint_order=UNITREE_JOINTS)
    sdk_columns = [env.dof_names.index(name) for name in UNITREE_JOINTS]
    policy = make_policy(env, 6)
    env.reset()
    compared = 0
    with torch.inference_mode():
        for _ in range(STEPS):
            targets, actions = step_both(env, policy, controller, robot)
            meant = env.default_dof_pos[0] + env.action_scales * actions[robot]
            np.testing.assert_allclose(targets, meant[sdk_columns].numpy(), rtol=0, atol=TOLERANCE)
            compared += 1
            if env.step(actions).dones[robot]:
                controller.reset()
    assert compared == STEPS and np.abs(controller.actions).max() > 0.01


def test_bounded_actions_keep_targets_inside_the_limits_there_and_here(tmp_path: Path) -> None:
    """Of a network that asks for more than joints can do; limits as the URDF states them."""
    cfg = small_cfg("go2_flat")
    cfg.noise.add_noise = cfg.commands.heading_command = cfg.commands.curriculum = False
    cfg.control.target_margin, cfg.control.action_scale = 0.3, 60.0
    env = build(cfg, "go2_flat")
    policy, robot = make_policy(env, 6), 4
    export_policy(policy, env, cfg.commands, {"iter": 7}, tmp_path)
    controller = PolicyController(tmp_path / "policy.onnx", joint_order=UNITREE_JOINTS)
    columns = [env.dof_names.index(name) for name in UNITREE_JOINTS]
    root = ElementTree.parse(cfg.asset.file.format(LEGGED_GYM_ROOT_DIR=LEGGED_GYM_ROOT_DIR)).getroot()
    limits = {joint.get("name"): joint.find("limit") for joint in root.iter("joint")}
    low, high = (np.array([float(limits[name].get(end)) for name in UNITREE_JOINTS]) for end in ("lower", "upper"))
    bounded, free, angles = 0, 0, env.default_dof_pos[0, columns].numpy()
    env.reset()
    with torch.inference_mode():
        for _ in range(STEPS):
            targets, actions = step_both(env, policy, controller, robot)
            wanted = angles + 60.0 * actions[robot, columns].numpy()
            np.testing.assert_allclose(targets, wanted.clip(low + 0.3, high - 0.3), rtol=0, atol=60 * TOLERANCE)
            is_bounded = (wanted < low + 0.3) | (wanted > high - 0.3)
            bounded, free = bounded + is_bounded.sum(), free + (~is_bounded).sum()
            is_over = env.step(actions).dones[robot]
            applied = angles + 60.0 * env.actions[robot, columns].numpy()
            if is_over:
                controller.reset()
            else:
                np.testing.assert_allclose(applied, targets, rtol=0, atol=60 * TOLERANCE)
    assert bounded > 20 and free > 20


def test_history_starts_with_copies_of_the_first_frame_again_after_a_reset(exported: Path) -> None:
    controller = PolicyController(exported)
    rng = np.random.default_rng(3)
    for _ in range(4):
        controller.reset()
        controller.step((0.5, 0, 0), rng.normal(size=3), (0, 0, -1), rng.normal(size=12), rng.normal(size=12))
        frames = controller.observations().reshape(6, 45)
        assert (frames == frames[0]).all() and (frames[0, 33:] == 0).all()


def test_gravity_in_base_agrees_with_scipy() -> None:
    for quat in Rotation.random(20, random_state=5).as_quat():
        expected = Rotation.from_quat(quat).inv().apply([0, 0, -1])
        np.testing.assert_allclose(gravity_in_base(3.0 * quat), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("quat", [(0, 0, 0, 0), (np.nan, 0, 0, 1), (np.inf, 0, 0, 1)])
def test_a_quaternion_without_an_attitude_is_refused(quat: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="no attitude is in the quaternion"):
        gravity_in_base(quat)


def test_readings_that_are_not_finite_are_refused_and_not_remembered(exported: Path) -> None:
    controller, clean = PolicyController(exported), PolicyController(exported)
    good = {
        "base_ang_vel": np.zeros(3),
        "projected_gravity": np.array([0.0, 0.0, -1.0]),
        "joint_pos": np.ones(12),
        "joint_vel": np.ones(12),
    }
    columns = {"base_ang_vel": "base_ang_vel", "projected_gravity": "projected_gravity"}
    for name, values in good.items():
        spoiled = values.copy()
        spoiled[1] = np.nan
        group = columns.get(name, name.replace("joint", "dof"))
        with pytest.raises(ValueError, match=f"readings of {group} are not finite"):
            controller.step((0, 0, 0), **{**good, name: spoiled})
    np.testing.assert_array_equal(controller.step((0, 0, 0), **good), clean.step((0, 0, 0), **good))


def test_a_policy_of_another_robot_is_refused(exported: Path) -> None:
    """Aliengo's and Go2's joints have the same names."""
    with pytest.raises(ValueError, match="is a policy for aliengo, and this is a go2"):
        PolicyController(exported, joint_order=UNITREE_JOINTS, robot="go2")
    assert PolicyController(exported, robot="aliengo").metadata["robot"] == "aliengo"


def test_commands_are_clipped_to_the_trained_ranges(exported: Path) -> None:
    controller = PolicyController(exported)
    controller.step((9.0, -9.0, 0.5), np.zeros(3), (0, 0, -1), controller.default_joint_pos, np.zeros(12))
    np.testing.assert_allclose(controller.observations()[:3], [1.0 * 2, -1.0 * 2, 0.5 * 0.25])


@pytest.mark.parametrize("margin", [0.0, 0.5, 3.0])
def test_targets_keep_away_from_the_limits_of_their_own_joints(exported: Path, margin: float) -> None:
    """A margin wider than half of a joint's range leaves its middle."""
    free = PolicyController(exported)
    order = sorted(free.metadata["joint_names"])  # legs of each joint after another
    limits = dict(zip(free.metadata["joint_names"], free.metadata["joint_pos_limits"], strict=True))
    bounds = [
        (min(low + margin, (low + high) / 2), max(high - margin, (low + high) / 2)) for low, high in limits.values()
    ]
    low, high = np.array([dict(zip(limits, bounds, strict=True))[name] for name in order]).T
    rng = np.random.default_rng(3)
    free, bounded = PolicyController(exported, order), PolicyController(exported, order, target_margin=margin)
    free._action_scale *= 50.0  # of a network that was not trained, so that targets go beyond all limits
    bounded._action_scale *= 50.0
    beyond = np.zeros(12, bool)
    for _ in range(20):
        now = (rng.uniform(-1, 1, 3), rng.normal(size=3), (0, 0, -1), rng.normal(size=12), 5 * rng.normal(size=12))
        wanted = free.step(*now)
        np.testing.assert_allclose(bounded.step(*now), np.clip(wanted, low, high), atol=1e-6)
        beyond |= (wanted < low) | (wanted > high)
    assert beyond.any()


def test_targets_have_no_bounds_unless_asked_for(exported: Path) -> None:
    controller = PolicyController(exported)
    controller._action_scale *= 1e4
    limits = np.array(controller.metadata["joint_pos_limits"])
    targets = controller.step((1, 0, 0), [0.1] * 3, (0, 0, -1), [0.2] * 12, [0.3] * 12)
    assert (targets > limits[:, 1]).any() or (targets < limits[:, 0]).any()


def test_unitree_messages_reach_the_right_joints(exported: Path) -> None:
    """Joint 4 of the SDK is FL_thigh, which is the policy's FL_thigh; targets go back the same way."""
    controller = PolicyController(exported, joint_order=UNITREE_JOINTS)
    own_order = PolicyController(exported)
    attitude = Rotation.from_euler("xyz", [0.3, -0.2, 1.0])
    x, y, z, w = attitude.as_quat()
    angle = {name: 0.01 * i for i, name in enumerate(UNITREE_JOINTS)}
    state = SimpleNamespace(
        imu_state=SimpleNamespace(quaternion=[w, x, y, z], gyroscope=[0.1, 0.2, 0.3]),
        motor_state=[SimpleNamespace(q=angle[name], dq=-angle[name]) for name in UNITREE_JOINTS]
        + [SimpleNamespace(q=9.0, dq=9.0)] * 8,  # Go2 reports 20 motors, 12 of them are there
    )
    message = SimpleNamespace(motor_cmd=[SimpleNamespace() for _ in range(20)])
    control_step(controller, (0.3, 0.1, 0.2), state, message)
    names = own_order.metadata["joint_names"]
    pos = np.array([angle[name] for name in names])
    gravity = attitude.inv().apply([0, 0, -1])
    expected = dict(zip(names, own_order.step((0.3, 0.1, 0.2), [0.1, 0.2, 0.3], gravity, pos, -pos), strict=True))
    sent = {name: message.motor_cmd[i].q for i, name in enumerate(UNITREE_JOINTS)}
    assert sent == pytest.approx(expected, abs=1e-6)
    assert message.motor_cmd[5].kp == 40.0 and message.motor_cmd[5].kd == 2.0 and message.motor_cmd[5].dq == 0.0
    assert UNITREE_JOINTS[4] == "FL_thigh_joint"


def test_controller_alone_needs_numpy_and_onnxruntime_only(exported: Path, tmp_path: Path) -> None:
    """A copy of the file, in a process that cannot import anything else of what is installed here."""
    shutil.copy(controller_file.__file__, tmp_path / "controller.py")
    script = tmp_path / "robot.py"
    script.write_text(ALONE, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, str(script), str(exported)], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    controller = PolicyController(exported)
    expected = [controller.step((0.5, 0, 0), [0.1] * 3, (0, 0, -1), [0.2] * 12, [0.3] * 12) for _ in range(3)]
    np.testing.assert_allclose(json.loads(result.stdout), expected, rtol=0, atol=1e-6)


def changed_copy(path: Path, target: Path, metadata: str | None) -> Path:
    """The model with other metadata, or with none."""
    model = onnx.load(path)
    del model.metadata_props[:]
    if metadata is not None:
        onnx.helper.set_model_props(model, {METADATA: metadata})
    onnx.save(model, target)
    return target


def test_bad_files_are_refused_with_a_sentence(exported: Path, tmp_path: Path) -> None:
    text = onnx.load(exported).metadata_props[0].value
    (tmp_path / "text.onnx").write_text("no model")
    (tmp_path / "empty.onnx").write_bytes(b"")
    future = onnx.load(exported)
    future.opset_import[0].version = 99
    onnx.save(future, tmp_path / "future.onnx")
    cases = {
        tmp_path / "text.onnx": "is not an ONNX file",
        tmp_path / "empty.onnx": "is not an ONNX file",
        tmp_path / "future.onnx": "onnxruntime .* cannot run",
        tmp_path / "missing.onnx": "no policy",
        changed_copy(exported, tmp_path / "bare.onnx", None): "has no metadata",
        changed_copy(exported, tmp_path / "new.onnx", text.replace('"format": 1', '"format": 4')): "of format 4",
        changed_copy(exported, tmp_path / "ten.onnx", text.replace('"history_length": 6', '"history_length": 10')): (
            "takes 270 numbers, but its metadata say 10 frames of 45"
        ),
        changed_copy(exported, tmp_path / "broken.onnx", text[:-9]): "are no JSON",
        changed_copy(exported, tmp_path / "list.onnx", "[]"): "of format None",
        changed_copy(exported, tmp_path / "no_gains.onnx", text.replace('"kp"', '"p"')): "lack kp",
        changed_copy(exported, tmp_path / "old.onnx", text.replace("newest_first", "oldest_first")): "oldest_first",
    }
    for path, message in cases.items():
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            PolicyController(path)
    with pytest.raises(ValueError, match="the policy moves FL_hip_joint"):
        PolicyController(exported, joint_order=["a", "b"])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("kp", [40.0] * 11),
        ("kd", [math.nan] * 12),
        ("torque_limits", "20"),
        ("joint_pos_limits", [[0.0, 1.0]] * 11),
        ("joint_vel_limits", [20.0, [30.0]]),
        ("control_period_s", 0.0),
        ("command_ranges", {"vx": [-1.0, 1.0], "vy": [-1.0, 1.0], "yaw_rate": 2.0}),
        ("observation", [{"name": "commands", "width": 3, "scale": [2.0, 2.0]}]),
    ],
)
def test_metadata_without_usable_numbers_are_refused(exported: Path, tmp_path: Path, key: str, value: Any) -> None:
    metadata = json.loads(onnx.load(exported).metadata_props[0].value)
    path = changed_copy(exported, tmp_path / "policy.onnx", json.dumps(metadata | {key: value}))
    named = {"command_ranges": "command_ranges.yaw_rate;", "observation": "the scale of commands;"}
    with pytest.raises(ValueError, match=f"have no usable numbers for {named.get(key, key)}"):
        PolicyController(path)


def test_readings_of_another_size_are_refused_with_a_sentence(exported: Path) -> None:
    controller = PolicyController(exported)
    with pytest.raises(ValueError, match=r"expected readings of 12 joints, not of shape \(10,\)"):
        controller.step((0, 0, 0), np.zeros(3), (0, 0, -1), np.zeros(10), np.zeros(12))
    with pytest.raises(ValueError, match="the policy's frame has 45 numbers, but the readings have: .* base_ang_vel 4"):
        controller.step((0, 0, 0), np.zeros(4), (0, 0, -1), np.zeros(12), np.zeros(12))
