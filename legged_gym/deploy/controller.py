"""Turns sensor readings into joint targets with an exported policy. Needs numpy and onnxruntime, nothing else of ours.

controller = PolicyController("policy.onnx", joint_order=UNITREE_JOINTS)
controller.reset()
targets = controller.step(command, gyroscope, gravity_in_base(quaternion), joint_pos, joint_vel)  # every period
"""

from __future__ import annotations  # Python 3.8 runs this file too

import importlib.util
import json
from pathlib import Path
from typing import Any, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float32]

FORMATS = (1, 2, 3)  # of the metadata that this file understands; 2 has wheels, 3 bounds of each action
BOUNDED = 3  # format whose clip_actions are a pair of each joint, instead of a number for both sides of all
METADATA = "metadata"  # property of the ONNX model that holds the contract as JSON
NEEDED = (
    *("robot", "joint_names", "default_joint_pos", "kp", "kd", "torque_limits", "action_scale", "clip_actions"),
    *("clip_observations", "observation", "history_length", "history_order", "control_period_s", "command_ranges"),
)  # keys of the metadata
FRAME = ("commands", "base_ang_vel", "projected_gravity", "dof_pos", "dof_vel", "actions")  # groups of a frame


class PolicyController:
    """A policy with its history. Every array that goes in or out is in the caller's joint order.

    Attributes:
        metadata: the contract as written at export, in the policy's own joint order.
        control_period_s: time between two calls of `step` [s].
        default_joint_pos: pose at zero action [rad], (num_joints,).
        kp, kd: gains of the joint controllers [N·m/rad], [N·m·s/rad], (num_joints,).
        torque_limits: [N·m], (num_joints,).
        wheel_mask: which joints are wheels, whose targets are speeds, (num_joints,).
        actions: last policy output, clipped, in the policy's own joint order, (num_joints,).
    """

    def __init__(
        self,
        path: str | Path,
        joint_order: Sequence[str] | None = None,
        robot: str | None = None,
        target_margin: float | None = None,
    ) -> None:
        """
        Args:
            path: policy.onnx.
            joint_order: names of the caller's joints, in order; None: the policy's own order.
            robot: name of the caller's robot; a policy for another one is refused, for robots share names of joints.
            target_margin: [rad] that joint targets stay inside the joints' limits; None: they go as far as in
                training, where a target beyond a limit is a way to push.
        """
        self._session = open_session(path)
        self.metadata = read_metadata(self._session, path)
        if robot is not None and self.metadata["robot"] != robot:
            raise ValueError(
                f"'{path}' is a policy for {self.metadata['robot']}, and this is a {robot}; give one for it"
            )
        names = self.metadata["joint_names"]
        # own = caller's array[self._to_policy]; caller's = own array[self._to_caller]
        self._to_policy = _positions(names, list(names if joint_order is None else joint_order))
        self._to_caller = np.argsort(self._to_policy)
        self.control_period_s: float = self.metadata["control_period_s"]
        self.default_joint_pos, self.kp, self.kd, self.torque_limits = (
            self._per_joint(key)[self._to_caller] for key in ("default_joint_pos", "kp", "kd", "torque_limits")
        )
        wheels = self.metadata.get("wheels", [])
        self.wheel_mask = np.array([name in wheels for name in names])[self._to_caller]
        self._default_joint_pos = self._per_joint("default_joint_pos")
        self._targets_low, self._targets_high = self._target_bounds(target_margin, path)
        self._action_scale = self._per_joint("action_scale")
        self._actions_low, self._actions_high = np.array(action_bounds(self.metadata), np.float32).T
        self._scales = np.array([s for group in self.metadata["observation"] for s in group["scale"]], np.float32)
        self._commands_low, self._commands_high = np.array(
            [self.metadata["command_ranges"][name] for name in ("vx", "vy", "yaw_rate")], np.float32
        ).T
        self._input_name = self._session.get_inputs()[0].name
        self._check_sizes(path)
        self.reset()

    def reset(self) -> None:
        """Forget the past; the next step fills the whole history with its frame, as training does."""
        self.actions = np.zeros(len(self._to_policy), np.float32)
        self._history: Array | None = None  # (history_length, frame), newest first

    def step(
        self,
        command: ArrayLike,
        base_ang_vel: ArrayLike,
        projected_gravity: ArrayLike,
        joint_pos: ArrayLike,
        joint_vel: ArrayLike,
    ) -> Array:
        """One control period: readings in, joint targets out, (num_joints,): positions [rad], of wheels speeds [rad/s].

        Args:
            command: vx, vy [m/s], yaw rate [rad/s] in the base frame; clipped to what the policy was trained on.
            base_ang_vel: gyroscope [rad/s], base frame, (3,).
            projected_gravity: unit vector of gravity in the base frame, (0, 0, -1) when level; see `gravity_in_base`.
            joint_pos: [rad], (num_joints,).
            joint_vel: [rad/s], (num_joints,).
        """
        command = np.clip(np.asarray(command, np.float32), self._commands_low, self._commands_high)
        self.push_frame(command, base_ang_vel, projected_gravity, joint_pos, joint_vel)
        observations = self.observations()
        actions = self._session.run(None, {self._input_name: observations[None]})[0][0]
        if not np.isfinite(actions).all():
            raise FloatingPointError("the policy's output is not finite; stop the robot and check the sensor readings")
        self.actions = np.clip(actions, self._actions_low, self._actions_high)
        targets = self._default_joint_pos + self._action_scale * self.actions
        return targets.clip(self._targets_low, self._targets_high)[self._to_caller]

    def _target_bounds(self, margin: float | None, path: str | Path) -> tuple[Array, Array]:
        """Least and largest joint target [rad] in the policy's own order, (num_joints,) each."""
        if margin is None:
            return np.full_like(self._default_joint_pos, -np.inf), np.full_like(self._default_joint_pos, np.inf)
        if "joint_pos_limits" not in self.metadata:
            raise ValueError(f"the metadata of '{path}' lack joint_pos_limits, from which targets are to keep away")
        low, high = np.array(self.metadata["joint_pos_limits"], np.float32).T
        margins = np.minimum(margin, np.maximum(high - low, 0.0) / 2)  # of a narrow joint, its middle stays
        return low + margins, high - margins

    def push_frame(
        self,
        command: ArrayLike,
        base_ang_vel: ArrayLike,
        projected_gravity: ArrayLike,
        joint_pos: ArrayLike,
        joint_vel: ArrayLike,
    ) -> None:
        """Put the frame of these readings and of the last actions at the head of the history; arguments as in `step`.

        The command is taken as it is.
        """
        readings = {
            "commands": command,
            "base_ang_vel": base_ang_vel,
            "projected_gravity": projected_gravity,
            "dof_pos": self._own_order(joint_pos) - self._default_joint_pos,
            "dof_vel": self._own_order(joint_vel),
            "actions": self.actions,
        }
        frame = np.concatenate([np.asarray(readings[name], np.float32) for name in FRAME])
        if not np.isfinite(frame).all():
            broken = ", ".join(name for name in FRAME if not np.isfinite(readings[name]).all())
            raise ValueError(f"readings of {broken} are not finite; stop the robot and check the sensors")
        if frame.shape != self._scales.shape:
            sizes = ", ".join(f"{name} {np.size(readings[name])}" for name in FRAME)
            raise ValueError(f"the policy's frame has {len(self._scales)} numbers, but the readings have: {sizes}")
        frame = frame * self._scales
        frame = np.clip(frame, -self.metadata["clip_observations"], self.metadata["clip_observations"])
        if self._history is None:
            self._history = np.tile(frame, (self.metadata["history_length"], 1))
        else:
            self._history = np.concatenate((frame[None], self._history[:-1]))

    def observations(self) -> Array:
        """The policy's input: the history, newest frame first, flat."""
        return self._history.ravel()

    def _own_order(self, values: ArrayLike) -> Array:
        """The caller's joint readings in the policy's order."""
        values = np.asarray(values, np.float32)
        if values.shape != self._to_policy.shape:
            raise ValueError(f"expected readings of {len(self._to_policy)} joints, not of shape {values.shape}")
        return values[self._to_policy]

    def _per_joint(self, key: str) -> Array:
        return np.array(self.metadata[key], np.float32)

    def _check_sizes(self, path: str | Path) -> None:
        """Refuse a file whose metadata describe another network."""
        groups = tuple(group["name"] for group in self.metadata["observation"])
        if groups != FRAME:
            raise ValueError(f"'{path}' observes {', '.join(groups)}, but this controller knows {', '.join(FRAME)}")
        if self.metadata["history_order"] != "newest_first":
            raise ValueError(
                f"'{path}' orders its history {self.metadata['history_order']}; only newest_first is known"
            )
        frames, width = self.metadata["history_length"], self._session.get_inputs()[0].shape[1]
        if frames * len(self._scales) != width:
            raise ValueError(
                f"'{path}' takes {width} numbers, but its metadata say {frames} frames of {len(self._scales)}; "
                "export the policy again"
            )


def gravity_in_base(quat_xyzw: ArrayLike) -> Array:
    """Direction of gravity in the base frame, (3,). quat_xyzw: attitude, base to world, (4,).

    Unitree's IMU gives w first: pass `quaternion[[1, 2, 3, 0]]`.
    """
    norm = np.linalg.norm(quat_xyzw)
    if not 0 < norm < np.inf:
        raise ValueError(f"no attitude is in the quaternion {list(quat_xyzw)}; has the IMU sent anything yet?")
    x, y, z, w = np.asarray(quat_xyzw, np.float64) / norm
    return np.array([-2 * (x * z - w * y), -2 * (y * z + w * x), -(1 - 2 * (x * x + y * y))], np.float32)


def open_session(path: str | Path) -> Any:
    """An onnxruntime session on one CPU thread."""
    if importlib.util.find_spec("onnxruntime") is None:
        raise ValueError("running ONNX policies needs the package onnxruntime: pip install onnxruntime")
    import onnxruntime

    if not Path(path).is_file():
        raise FileNotFoundError(f"no policy '{path}'; legged_gym/scripts/play.py exports one")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # small networks; further threads only add jitter
    state = onnxruntime.capi.onnxruntime_pybind11_state
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except (state.InvalidProtobuf, state.InvalidArgument) as error:
        raise ValueError(f"'{path}' is not an ONNX file; legged_gym/scripts/play.py exports one") from error
    except (state.Fail, state.InvalidGraph, state.NotImplemented) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"onnxruntime {onnxruntime.__version__} cannot run '{path}': {reason}") from error


def read_metadata(session: Any, path: str | Path) -> Mapping[str, Any]:
    """The contract stored in the model."""
    text = session.get_modelmeta().custom_metadata_map.get(METADATA)
    if text is None:
        raise ValueError(f"'{path}' has no metadata, so joints and scales are unknown; export it with play.py")
    try:
        metadata = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"the metadata of '{path}' are no JSON; export it with play.py") from error
    number = metadata.get("format") if isinstance(metadata, dict) else None
    if number not in FORMATS:
        known = " and ".join(map(str, FORMATS))
        raise ValueError(f"'{path}' has metadata of format {number}, but this controller reads {known}")
    missing = [key for key in NEEDED if key not in metadata]
    if missing:
        raise ValueError(f"the metadata of '{path}' lack {', '.join(missing)}; export it with play.py")
    wrong = _wrong_keys(metadata)
    if wrong:
        raise ValueError(
            f"the metadata of '{path}' have no usable numbers for {', '.join(wrong)}; export it with play.py"
        )
    return metadata


def action_bounds(metadata: Mapping[str, Any]) -> Sequence[Sequence[float]]:
    """Lowest and highest action of each joint, (num_joints, 2)."""
    clip = metadata["clip_actions"]
    return clip if metadata["format"] == BOUNDED else [(-clip, clip)] * len(metadata["joint_names"])


def _wrong_keys(metadata: Mapping[str, Any]) -> list[str]:
    """Keys whose numbers are missing, too few, too many or not finite; a robot would move by them."""
    num, per_joint = len(metadata["joint_names"]), ("default_joint_pos", "kp", "kd", "torque_limits", "action_scale")
    values: dict[str, tuple[Any, tuple[int, ...]]] = {key: (metadata[key], (num,)) for key in per_joint}
    for key, shape in (("joint_pos_limits", (num, 2)), ("joint_vel_limits", (num,))):  # go2.py needs them
        if key in metadata:
            values[key] = metadata[key], shape
    for key in ("clip_actions", "clip_observations", "control_period_s", "history_length"):
        values[key] = metadata[key], (num, 2) if key == "clip_actions" and metadata["format"] == BOUNDED else ()
    ranges = metadata["command_ranges"]
    for key in ("vx", "vy", "yaw_rate"):
        values[f"command_ranges.{key}"] = ranges.get(key) if isinstance(ranges, dict) else None, (2,)
    for group in metadata["observation"]:
        values[f"the scale of {group.get('name')}"] = group.get("scale"), (group.get("width"),)
    wrong = [name for name, (value, shape) in values.items() if not _are_numbers(value, shape, "limits" in name)]
    if not set(metadata.get("wheels", [])) <= set(metadata["joint_names"]):
        wrong.append("wheels")
    return wrong or [key for key in ("control_period_s", "history_length") if metadata[key] <= 0]


def _are_numbers(value: Any, shape: tuple[int, ...], may_be_infinite: bool) -> bool:
    """Whether a list, or a number, has that shape and finite numbers; limits may be infinite, that is none."""
    try:
        array = np.array(value, float)
    except (TypeError, ValueError):  # text, or lists of different lengths
        return False
    return array.shape == shape and bool(np.isfinite(array).all() or (may_be_infinite and not np.isnan(array).any()))


def _positions(names: Sequence[str], joint_order: Sequence[str]) -> NDArray[np.intp]:
    """Where each of `names` stands in `joint_order`."""
    if sorted(names) != sorted(joint_order):
        raise ValueError(f"the policy moves {', '.join(names)}, but joint_order has {', '.join(joint_order)}")
    return np.array([joint_order.index(name) for name in names])
