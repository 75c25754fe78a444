"""A policy as rl_sar reads it: python -m legged_gym.deploy.export_rl_sar --policy policy.onnx -o rl_sar/policy

rl_sar (github.com/fan-ziqi/rl_sar) runs policies in Gazebo and MuJoCo and on robots, with ROS, ROS 2 or neither. It
reads policy/<robot>/base.yaml, in the robot's order of joints, and policy/<robot>/<config>/config.yaml, in
the policy's: `joint_mapping` says where each of its joints is in the robot's order. Both are keyed by their path.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any, Mapping, Sequence

from legged_gym.deploy.controller import action_bounds, open_session, read_metadata
from legged_gym.deploy.messages import GO2_JOINTS

CONFIG = "himloco"  # name of the policy's folder
# rl_sar's names of the groups of a frame, and the key of each one's scale; None: it has none.
GROUPS = {
    "commands": ("commands", "commands_scale"),
    "base_ang_vel": ("ang_vel", "ang_vel_scale"),
    "projected_gravity": ("gravity_vec", None),
    "dof_pos": ("dof_pos", "dof_pos_scale"),
    "dof_vel": ("dof_vel", "dof_vel_scale"),
    "actions": ("actions", None),
}
LIN_VEL_SCALE = 2.0  # of a group that our policies do not have, but that rl_sar wants a number for
DECIMATION = 4  # of rl_sar's loop of joint commands, as in its own configurations
STAND_KP, STAND_KD = (
    80.0,
    3.0,
)  # [N·m/rad], [N·m·s/rad] with which rl_sar stands up, as in its configurations of Go2 and A1


def scale_of(group: Mapping[str, Any], path: str) -> Any:
    """What rl_sar calls the scale of a group: one number, or three for commands."""
    name, scales = group["name"], group["scale"]
    key = GROUPS[name][1]
    if key == "commands_scale":
        return list(scales)
    if len(set(scales)) > 1 or (key is None and scales[0] != 1):
        raise ValueError(f"'{path}' scales the columns of {name} by {scales}, which rl_sar cannot do")
    return scales[0]


def base_config(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """base.yaml: the robot, with joints in the SDK's order."""
    names = metadata["joint_names"]
    order = [names.index(name) for name in GO2_JOINTS]

    def reordered(key: str) -> list[Any]:
        return [metadata[key][i] for i in order]

    return {
        "dt": round(metadata["control_period_s"] / DECIMATION, 9),
        "decimation": DECIMATION,
        "fixed_kp": [STAND_KP] * len(order),
        "fixed_kd": [STAND_KD] * len(order),
        "num_of_dofs": len(order),
        "wheel_indices": [],
        "torque_limits": reordered("torque_limits"),
        "default_dof_pos": reordered("default_joint_pos"),
        "joint_names": list(GO2_JOINTS),
        "joint_controller_names": [name.replace("_joint", "_controller") for name in GO2_JOINTS],
        "joint_mapping": list(range(len(order))),
    }


def policy_config(metadata: Mapping[str, Any], model_name: str, path: str) -> dict[str, Any]:
    """config.yaml: the policy, with joints in its own order."""
    names = metadata["joint_names"]
    lowest, highest = zip(*action_bounds(metadata))
    groups = metadata["observation"]
    unknown = [group["name"] for group in groups if group["name"] not in GROUPS]
    if unknown:
        raise ValueError(f"'{path}' observes {', '.join(unknown)}, which rl_sar has no name for")
    scales = {GROUPS[group["name"]][1]: scale_of(group, path) for group in groups}
    return {
        "model_name": model_name,
        "num_observations": sum(group["width"] for group in groups),
        "observations": [GROUPS[group["name"]][0] for group in groups],
        "observations_history": list(range(metadata["history_length"])),  # 0 is the newest
        "observations_history_priority": "time",
        "clip_obs": metadata["clip_observations"],
        "clip_actions_lower": lowest,
        "clip_actions_upper": highest,
        "rl_kp": metadata["kp"],
        "rl_kd": metadata["kd"],
        "fixed_kp": [STAND_KP] * len(names),
        "fixed_kd": [STAND_KD] * len(names),
        "num_of_dofs": len(names),
        "action_scale": metadata["action_scale"],
        "wheel_indices": [],
        "lin_vel_scale": LIN_VEL_SCALE,
        **{key: scales[key] for key in ("ang_vel_scale", "dof_pos_scale", "dof_vel_scale", "commands_scale")},
        "torque_limits": metadata["torque_limits"],
        "default_dof_pos": metadata["default_joint_pos"],
        "joint_mapping": [GO2_JOINTS.index(name) for name in names],
    }


def as_yaml(key: str, values: Mapping[str, Any]) -> str:
    """A YAML mapping below one key. Strings are quoted, lists are on one line: a part of YAML that JSON shares."""
    return f"{key}:\n" + "".join(f"  {name}: {_as_text(value)}\n" for name, value in values.items())


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, Sequence):
        return "[" + ", ".join(_as_text(item) for item in value) + "]"
    return repr(value)


def export(policy: Path, folder: Path) -> list[Path]:
    """Write the files of `policy` below `folder`, which stands for rl_sar's policy/, and return their paths."""
    metadata = read_metadata(open_session(policy), policy)
    if sorted(metadata["joint_names"]) != sorted(GO2_JOINTS):
        raise ValueError(
            f"'{policy}' moves other joints than Unitree's quadrupeds have; rl_sar needs its own base.yaml"
        )
    robot = metadata["robot"]
    twin = policy.with_suffix(".pt")
    model_name = "policy.pt" if twin.is_file() else "policy.onnx"
    configs = {
        Path(robot, "base.yaml"): as_yaml(robot, base_config(metadata)),
        Path(robot, CONFIG, "config.yaml"): as_yaml(
            f"{robot}/{CONFIG}", policy_config(metadata, model_name, str(policy))
        ),
    }
    written = []
    for path, text in configs.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
        written.append(folder / path)
    for source in (policy, twin):
        if source.is_file():
            written.append(folder / robot / CONFIG / f"policy{source.suffix}")
            shutil.copyfile(source, written[-1])
    return written


def get_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Writes a policy as rl_sar reads it")
    parser.add_argument(
        "--policy", required=True, help="policy.onnx; policy.pt beside it is taken along and named first"
    )
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="rl_sar's folder policy/, or a new one")
    return parser.parse_args(argv)


def main() -> None:
    """The program; a user's mistake ends it with one sentence."""
    args = get_args()
    try:
        for path in export(Path(args.policy), Path(args.output)):
            print(path)
    except (ValueError, OSError) as error:
        has_file = isinstance(error, OSError) and error.filename is not None  # what the system says, not we
        print(
            f"error: cannot write {error.filename}: {error.strerror}" if has_file else f"error: {error}",
            file=sys.stderr,
        )
        raise SystemExit(2) from error


if __name__ == "__main__":
    main()
