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
