"""Everything a robot's computer must know to run a policy: written beside the weights, read by legged_gym/deploy."""

import functools
import importlib.metadata
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from legged_gym import INSTALLED, LEGGED_GYM_ROOT_DIR
from legged_gym.envs.base.commands import MAX_HEADING_YAW_RATE
from rsl_rl.export import HOW_TO_INSTALL_ONNX, export_policy_as_jit, export_policy_as_onnx, onnx_is_installed
from rsl_rl.modules import ActorCritic
from rsl_rl.runners.checkpoint import export_name
from rsl_rl.utils.console import tell

# Of the metadata, a reader refuses what it does not know: 2 has wheels, 3 may have them, and bounds of each action.
FORMAT, FORMAT_WITH_WHEELS, FORMAT_WITH_BOUNDS = 1, 2, 3


def policy_metadata(
    env: Any, history_length: int, iteration: int, command_ranges: dict[str, list[float]]
) -> dict[str, Any]:
    """The contract between a policy and whoever runs it, as JSON; legged_gym/deploy/CONTRACT.md explains every key.

    Args:
        env: a LeggedRobot on which the policy acts.
        history_length: frames in the policy's input.
        iteration: learning iteration that the policy comes from.
        command_ranges: what `trained_commands` returns.
    """
    cfg, columns = env.cfg, env.layout.columns
    if cfg.control.control_type != "P":
        raise ValueError(f"only joint position targets can be deployed, but control_type is {cfg.control.control_type}")
    wheels, is_bounded = wheel_joints(env), cfg.control.target_margin is not None
    bounds = [rounded(pair) for pair in env.action_bounds.T]
    return {
        "format": FORMAT_WITH_BOUNDS if is_bounded else FORMAT_WITH_WHEELS if wheels else FORMAT,
        "robot": cfg.asset.name,
        "mass": round(env.robot_mass, 4),
        "iteration": iteration,
        "commit": commit(),
        "joint_names": env.dof_names,
        "default_joint_pos": rounded(env.default_dof_pos[0]),
        "kp": rounded(env.p_gains),
        "kd": rounded(env.d_gains),
        "torque_limits": rounded(env.torque_limits),
        "joint_pos_limits": [rounded(pair) for pair in env.dof_pos_stops],
        "joint_vel_limits": rounded(env.dof_vel_limits),
        "armature": cfg.asset.armature,
        "foot_name": cfg.asset.foot_name,
        "action_scale": rounded(env.action_scales),
        **({"wheels": wheels} if wheels else {}),
        "clip_actions": bounds if is_bounded else cfg.normalization.clip_actions,
        "clip_observations": cfg.normalization.clip_observations,
        "observation": [
            {"name": name, "width": columns[name].stop - columns[name].start, "scale": scale}
            for name, scale in observation_scales(env).items()
        ],
        "history_length": history_length,
        "history_order": "newest_first",
        "control_period_s": round(env.dt, 9),
        "command_ranges": command_ranges,
    }


def wheel_joints(env: Any) -> list[str]:
    """Names of the joints whose actions are speeds; none of a robot without wheels."""
    wheel_name = getattr(env.cfg.control, "wheel_name", "")
    return [name for name in env.dof_names if wheel_name and wheel_name in name]


def observation_scales(env: Any) -> dict[str, list[float]]:
    """Factor on every column of the actor's frame, by group, in order; 0 on wheels' angles, which no policy sees."""
    scales, num_dof = env.obs_scales, env.num_dof
    wheels = wheel_joints(env)
    return {
        "commands": [scales.lin_vel, scales.lin_vel, scales.ang_vel],
        "base_ang_vel": [scales.ang_vel] * 3,
        "projected_gravity": [1.0] * 3,
        "dof_pos": [0.0 if name in wheels else scales.dof_pos for name in env.dof_names],
        "dof_vel": [scales.dof_vel] * num_dof,
        "actions": [1.0] * num_dof,
    }


def trained_commands(commands: Any, checkpoint: Mapping[str, Any]) -> dict[str, list[float]]:
    """Ranges of the commands in training: vx as far as the curriculum got, vy [m/s], yaw rate [rad/s].

    Args:
        commands: the `commands` section of the task's config.
        checkpoint: contents of the checkpoint file.
    """
    ranges, turn = commands.ranges, MAX_HEADING_YAW_RATE
    return {
        "vx": list(checkpoint.get("env_state", {}).get("lin_vel_x_range", ranges.lin_vel_x)),
        "vy": list(ranges.lin_vel_y),
        "yaw_rate": [-turn, turn] if commands.heading_command else list(ranges.ang_vel_yaw),
    }


def export_policy(
    actor_critic: ActorCritic,
    env: Any,
    commands: Any,
    checkpoint: Mapping[str, Any],
    folder: str | Path,
    name: str = "policy",
) -> list[Path]:
    """Write <name>.pt (TorchScript) and <name>.onnx, both with metadata, and return their paths.

    Without the package onnx only the first is written, and a line says so, once.

    Args:
        actor_critic: the networks with the checkpoint's parameters.
        env: a LeggedRobot on which the policy acts.
        commands: the `commands` section of the config that the policy was trained with.
        checkpoint: contents of the checkpoint file.
        folder: created if missing.
    """
    seen = actor_critic.actor[0].in_features  # of the baseline without an estimator, all that it sees
    history_length = getattr(actor_critic, "temporal_steps", seen // env.num_one_step_obs)
    commands_trained = trained_commands(commands, checkpoint)
    metadata = policy_metadata(env, history_length, int(checkpoint.get("iter", 0)), commands_trained)
    paths = [Path(folder, f"{name}.pt")]
    export_policy_as_jit(actor_critic, paths[0], metadata)
    if onnx_is_installed():
        paths.append(Path(folder, f"{name}.onnx"))
        export_policy_as_onnx(actor_critic, paths[1], metadata)
    else:
        Path(folder, f"{name}.onnx").unlink(missing_ok=True)  # of an earlier export: it would be taken for this one's
        _say_that_onnx_is_missing()
    return paths


@functools.cache
def _say_that_onnx_is_missing() -> None:
    print(f"No policy.onnx: {HOW_TO_INSTALL_ONNX}")


def checkpoint_exporter(actor_critic: ActorCritic, env: Any, commands: Any) -> Callable[[str, int], None]:
    """A function of (folder, iteration) that exports the policy beside the checkpoint just saved.

    It never raises; a policy that cannot be deployed at all is a ValueError here, before training.
    """
    policy_metadata(env, 1, 0, trained_commands(commands, {}))

    def export(folder: str, iteration: int) -> None:
        checkpoint = {"iter": iteration, "env_state": env.get_curriculum_state()}
        try:
            export_policy(actor_critic, env, commands, checkpoint, folder, export_name(iteration))
        except Exception as error:  # exporters may fail in any way, and none is worth a training
            tell(f"Cannot export the policy of iteration {iteration}, training goes on: {error}")

    return export


def rounded(values: Any) -> list[float]:
    """A tensor's numbers without the noise of float32: 0.8, not 0.800000011920929."""
    return [float(f"{value:.7g}") for value in values.tolist()]


@functools.cache  # what runs is the code of the start, whatever is edited meanwhile
def commit() -> str:
    """This repository's commit, "-dirty" if files differ from it, "unknown" outside git; of a wheel, the version."""
    if INSTALLED:
        return f"himloco {importlib.metadata.version('himloco')}"
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--match="]
    try:
        result = subprocess.run(command, cwd=LEGGED_GYM_ROOT_DIR, capture_output=True, text=True, check=False)
    except FileNotFoundError:  # no git on this machine
        return "unknown"
    return result.stdout.strip() or "unknown"
