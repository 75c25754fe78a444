"""Small policies for Go2 as ONNX files, made without training."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from legged_gym import LEGGED_GYM_ROOT_DIR

WALKING = Path(LEGGED_GYM_ROOT_DIR, "resources", "policies", "go2", "policy.onnx")
FRAME, HISTORY = 45, 6
POSE = {"hip": 0.0, "thigh": 0.9, "calf": -1.5}  # [rad]
LEGS = ("FL", "FR", "RL", "RR")
JOINTS = [f"{leg}_{part}_joint" for leg in LEGS for part in POSE]


def metadata(**changed: Any) -> dict[str, Any]:
    """What play.py writes for a policy of Go2."""
    groups = {"commands": 3, "base_ang_vel": 3, "projected_gravity": 3, "dof_pos": 12, "dof_vel": 12, "actions": 12}
    scales = {"commands": 2.0, "base_ang_vel": 0.25, "dof_vel": 0.05}
    front, rear = [[-1.0472, 1.0472], [-1.5708, 3.4907], [-2.7227, -0.83776]], [[-1.0472, 1.0472], [-0.5236, 4.5379]]
    rear.append(front[2])
    return {
        "format": 1,
        "robot": "go2",
        "mass": 15.0,
        "iteration": 0,
        "commit": "unknown",
        "joint_names": JOINTS,
        "default_joint_pos": [POSE[name.split("_")[1]] for name in JOINTS],
        "kp": [40.0] * 12,
        "kd": [1.0] * 12,
        "torque_limits": [23.7, 23.7, 35.55] * 4,
        "joint_pos_limits": [*front, *front, *rear, *rear],
        "joint_vel_limits": [30.1, 30.1, 20.07] * 4,
        "armature": 0.01,
        "action_scale": [0.25] * 12,
        "clip_actions": 100.0,
        "clip_observations": 100.0,
        "observation": [{"name": n, "width": w, "scale": [scales.get(n, 1.0)] * w} for n, w in groups.items()],
        "history_length": HISTORY,
        "history_order": "newest_first",
        "control_period_s": 0.02,
        "command_ranges": {"vx": [-1.0, 1.0], "vy": [-0.5, 0.5], "yaw_rate": [-2.0, 2.0]},
    } | changed


def standing_policy(path: Path, slow: bool = False, **changed: Any) -> Path:
    """Always acts with zeros, which means the default pose. slow: takes some 100 ms and more to find out."""
    inputs = [helper.make_tensor_value_info("observations", TensorProto.FLOAT, ["batch", FRAME * HISTORY])]
    outputs = [helper.make_tensor_value_info("actions", TensorProto.FLOAT, ["batch", 12])]
    weights = helper.make_tensor("weights", TensorProto.FLOAT, [FRAME * HISTORY, 12], np.zeros(FRAME * HISTORY * 12))
    nodes = [helper.make_node("MatMul", ["observations", "weights"], ["zeros"])]
    if slow:
        size = 1500
        for i in range(4):  # random, so that nobody computes them beforehand
            nodes.append(helper.make_node("RandomUniform", [], [f"m{i}"], shape=[size, size], low=0.0, high=1.0))
        nodes += [helper.make_node("MatMul", [f"p{i}" if i else "m0", f"m{i + 1}"], [f"p{i + 1}"]) for i in range(3)]
        nodes += [
            helper.make_node("ReduceMean", ["p3"], ["mean"], keepdims=0),
            helper.make_node("Sub", ["mean", "mean"], ["nothing"]),
            helper.make_node("Add", ["zeros", "nothing"], ["actions"]),
        ]
    else:
        nodes.append(helper.make_node("Identity", ["zeros"], ["actions"]))
    graph = helper.make_graph(nodes, "standing", inputs, outputs, [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"metadata": json.dumps(metadata(**changed))})
    onnx.save(model, path)
    return path


def walking_policy() -> Path:
    """The shipped policy of Go2; without one the test is skipped."""
    if not WALKING.is_file():
        pytest.skip(f"no trained policy of Go2 at {WALKING.relative_to(LEGGED_GYM_ROOT_DIR)}")
    return WALKING


# A trot in the open loop: feet go round, legs of a diagonal alike, as large as the forward speed asked for.
TROT_HZ, STRIDE, LIFT = 3.5, 0.23, 0.3  # [Hz], [rad] of thighs at 0.5 m/s, [rad] of calves


def trotting_policy(path: Path, **changed: Any) -> Path:
    """Walks forwards without looking. Its clock is the sine that its last two actions of a calf show.

    sin(p + d) and cos(p + d) follow from sin(p) and sin(p - d), d being the phase of one period; zeros mean the start.
    """
    step = 2 * np.pi * TROT_HZ * 0.02
    sin, cos = np.sin(step), np.cos(step)
    calf, scale = JOINTS.index("FR_calf_joint"), 0.25
    to_sine = np.zeros((FRAME * HISTORY, 3))  # columns: sin(p), sin(p - d), speed / 0.5 m/s
    to_sine[FRAME - 12 + calf, 0] = to_sine[2 * FRAME - 12 + calf, 1] = -scale / LIFT
    to_sine[0, 2] = 1 / (2.0 * 0.5)
    legs = {"FR": 1, "RL": 1, "FL": -1, "RR": -1}
    thighs, calves = np.zeros((1, 12)), np.zeros((1, 12))
    for j, name in enumerate(JOINTS):
        thighs[0, j] = STRIDE / scale * legs[name[:2]] * ("thigh" in name)
        calves[0, j] = -LIFT / scale * legs[name[:2]] * ("calf" in name)

    def constant(name: str, value: Any) -> Any:
        value = np.asarray(value, np.float32)
        return helper.make_tensor(name, TensorProto.FLOAT, value.shape, value.ravel())

    constants = {
        "to_sine": to_sine, "sin": [sin], "cos": [cos], "one": [1.0], "zero": [0.0], "half": [0.5],
        "thighs": thighs, "calves": calves,
    }  # fmt: skip
    node = helper.make_node
    nodes = [
        node("MatMul", ["observations", "to_sine"], ["seen"]),
        node("Split", ["seen"], ["s", "before", "speed"], axis=1, num_outputs=3),
        node("Mul", ["s", "cos"], ["s_cos"]),
        node("Sub", ["s_cos", "before"], ["c_sin"]),
        node("Div", ["c_sin", "sin"], ["c"]),
        node("Mul", ["s", "s"], ["ss"]),
        node("Mul", ["c", "c"], ["cc"]),
        node("Add", ["ss", "cc"], ["rr"]),
        node("Sqrt", ["rr"], ["r"]),
        node("Greater", ["r", "half"], ["running"]),
        node("Max", ["r", "half"], ["divisor"]),
        node("Div", ["s", "divisor"], ["s_unit"]),
        node("Div", ["c", "divisor"], ["c_unit"]),
        node("Where", ["running", "s_unit", "zero"], ["s_now"]),
        node("Where", ["running", "c_unit", "one"], ["c_now"]),
        *_turned("s_now", "c_now", "s_next", "c_next"),
        node("Mul", ["c_next", "speed"], ["stride"]),
        node("MatMul", ["stride", "thighs"], ["thigh_actions"]),
        node("MatMul", ["s_next", "calves"], ["calf_actions"]),
        node("Add", ["thigh_actions", "calf_actions"], ["actions"]),
    ]
    inputs = [helper.make_tensor_value_info("observations", TensorProto.FLOAT, ["batch", FRAME * HISTORY])]
    outputs = [helper.make_tensor_value_info("actions", TensorProto.FLOAT, ["batch", 12])]
    graph = helper.make_graph(nodes, "trot", inputs, outputs, [constant(*item) for item in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    helper.set_model_props(model, {"metadata": json.dumps(metadata(**changed))})
    onnx.save(model, path)
    return path


def _turned(sine: str, cosine: str, next_sine: str, next_cosine: str) -> list[Any]:
    """Nodes that turn a phase by one period."""
    node = helper.make_node
    return [
        node("Mul", [sine, "cos"], ["sc"]),
        node("Mul", [cosine, "sin"], ["cs"]),
        node("Add", ["sc", "cs"], [next_sine]),
        node("Mul", [cosine, "cos"], ["ccos"]),
        node("Mul", [sine, "sin"], ["ssin"]),
        node("Sub", ["ccos", "ssin"], [next_cosine]),
    ]
