"""Checks of configs before anything is built: unknown keys, wrong types, values out of range, sizes that disagree.

A config is compared with the class at the root of its hierarchy (LeggedRobotCfg, LeggedRobotCfgPPO), which names every
key and shows its type.
"""

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from legged_gym.robots.names import matches
from legged_gym.utils.helpers import class_to_dict
from legged_gym.utils.terrain import type_thresholds
from rsl_rl.modules.estimators import ESTIMATORS
from rsl_rl.runners import RUNNERS

NEAR = 0.8  # similarity from which an unknown key is taken for a misspelt one
NEAREST = 0.5  # similarity from which a known name is offered
MAX_ENVS = 2**20
MAX_SEED = 2**32 - 1  # numpy's
MAX_SAMPLES = 10**8  # of a terrain; the published one has 2.7 million

FREE_SECTIONS = ("rewards.scales",)  # keys that others check; their values are numbers
LISTS_OR_NAMED = ("terrain.terrain_proportions",)  # numbers in a list, or in a dict by name
ANY_TYPE = ("runner.load_run", "runner.checkpoint")  # names, paths or numbers
OR_NONE = ("algorithm.final_entropy_coef", "runner.keep")  # what None means is said beside their defaults
WHOLE = {  # key: least value; None stays allowed where it is the default, and in OR_NONE
    "seed": -1,
    **dict.fromkeys(
        ("env.num_envs", "env.num_actions", "env.temporal_steps", "terrain.num_rows", "terrain.num_cols"), 1
    ),
    "terrain.lowest_level_again": 0,
    "terrain.max_init_terrain_level": 0,
    "commands.num_commands": 4,
    **dict.fromkeys(("control.decimation", "domain_rand.disturbance_interval", "sim.substeps"), 1),
    **dict.fromkeys(("policy.temporal_steps", "policy.num_prototype"), 1),
    **dict.fromkeys(("algorithm.num_learning_epochs", "algorithm.num_mini_batches"), 1),
    **dict.fromkeys(("runner.num_steps_per_env", "runner.save_interval", "runner.max_iterations"), 1),
    "runner.keep": 0,
    "runner.figure_interval": 1,
}
POSITIVE = (
    *("sim.dt", "env.episode_length_s", "commands.resampling_time", "domain_rand.push_interval_s"),
    *(f"terrain.{name}" for name in ("horizontal_scale", "vertical_scale", "terrain_length", "terrain_width")),
    *("normalization.clip_observations", "normalization.clip_actions", "rewards.tracking_sigma"),
    "rewards.fine_tracking_sigma",
    *("algorithm.learning_rate", "algorithm.desired_kl", "algorithm.max_grad_norm", "algorithm.clip_param"),
    *("policy.init_noise_std", "policy.temperature"),
)
NOT_NEGATIVE = (
    *("terrain.border_size", "terrain.static_friction", "terrain.dynamic_friction", "terrain.slope_treshold"),
    *("asset.density", "asset.armature", "asset.thickness", "asset.linear_damping", "asset.angular_damping"),
    *("domain_rand.max_push_vel_xy", "commands.max_curriculum", "rewards.max_contact_force", "noise.noise_level"),
    *(f"noise.noise_scales.{name}" for name in ("ang_vel", "gravity", "dof_pos", "dof_vel", "lin_vel")),
    *(
        "control.target_margin",
        "noise.noise_scales.height_measurements",
        "algorithm.value_loss_coef",
        "env.env_spacing",
    ),
)
SHARES_OF_COMMANDS = ("commands.turning_fraction", "commands.circling_fraction", "commands.standing_fraction")
SHARES = (
    *("algorithm.gamma", "algorithm.lam", "terrain.restitution"),
    *SHARES_OF_COMMANDS,
    *(f"rewards.soft_{name}_limit" for name in ("dof_pos", "dof_vel", "torque")),
)
LENGTHS = {
    **{f"init_state.{name}": 3 for name in ("pos", "lin_vel", "ang_vel")},
    "init_state.rot": 4,
    "sim.gravity": 3,
    "viewer.pos": 3,
    "viewer.lookat": 3,
}
GAINS = ("control.stiffness.", "control.damping.")  # begin of the keys of joints' gains, which are not negative
FACTOR_RANGES = ("friction", "restitution", "link_mass", "motor_strength", "kp", "kd")  # not negative


def check_config(config: Any, strict: bool) -> None:
    """Raise a ValueError that names all that is wrong with a config, in one line.

    Args:
        config: an instance of a class below LeggedRobotCfg or LeggedRobotCfgPPO.
        strict: also refuse unknown keys that resemble no known one; else they are left to a subclass that reads them.
    """
    problems = config_problems(config, strict)
    if problems:
        raise ValueError(f"config: {'; '.join(problems)}")


def config_problems(config: Any, strict: bool) -> list[str]:
    """What is wrong with a config, a sentence each; see `check_config`."""
    *_, root, base, _ = (None, None, *type(config).__mro__)
    if getattr(base, "__name__", None) != "BaseConfig":
        return []  # a config of another kind, with nothing to compare it with
    values, reference = class_to_dict(config), class_to_dict(root())
    found: dict[str, str] = {}  # by path
    _compare(values, reference, "", strict, found)
    flat = _flatten(values)
    for path in found:  # the other checks count on keys and types
        prefix = f"{path}."
        flat = {key: value for key, value in flat.items() if key != path and not key.startswith(prefix)}
        flat |= {key: v for key, v in _flatten(reference).items() if key == path or key.startswith(prefix)}
    problems = [
        *found.values(),
        *(problem for check in (_ranges, _fractions, _sizes, _classes) for problem in check(flat)),
    ]
    if not any(path.startswith("terrain") for path in found):
        problems += _shares(values.get("terrain", {}))
    return problems


def nearest(name: str, known: Iterable[str], cutoff: float = NEAREST) -> str | None:
    """The known name that resembles `name` most, if any does."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)), None)


def name_problems(cfg: Any, dof_names: list[str], body_names: list[str]) -> Iterable[str]:
    """Joints and bodies in a config that the robot does not have: their settings would silently do nothing."""
    for name in cfg.init_state.default_joint_angles:
        if name not in dof_names:
            yield f"init_state.default_joint_angles: the robot has no joint '{name}'{_hint(name, dof_names)}"
    for section, kind, names, parts in (
        ("control.stiffness", "joint", dof_names, cfg.control.stiffness),
        ("control.damping", "joint", dof_names, cfg.control.damping),
        ("asset.left_names", "joint", dof_names, cfg.asset.left_names),
        ("asset.penalize_contacts_on", "body", body_names, cfg.asset.penalize_contacts_on),
        ("asset.terminate_after_contacts_on", "body", body_names, cfg.asset.terminate_after_contacts_on),
    ):
        for part in parts:
            if not any(matches(part, name) if kind == "body" else part in name for name in names):
                yield f"{section}: no {kind}'s name contains '{part}'; names: {', '.join(names)}"


def _hint(name: str, known: Iterable[str]) -> str:
    near = nearest(name, known)
    return f"; did you mean '{near}'?" if near else f"; known: {', '.join(sorted(known))}"


def _compare(values: Mapping, reference: Mapping, prefix: str, strict: bool, found: dict[str, str]) -> None:
    """Keys and types, section by section; problems go to `found`, by path."""
    for key, value in values.items():
        path = f"{prefix}{key}"
        if key not in reference:
            near = nearest(key, reference, NEAR)
            if strict or near is not None:
                found[path] = f"unknown key '{path}'{_hint(key, reference)}"
        elif path in FREE_SECTIONS:
            wrong = [name for name, item in value.items() if not _is_number(item)] if _is_section(value) else [path]
            found |= {f"{path}.{name}": f"'{path}' must hold finite numbers, see '{name}'" for name in wrong}
        elif _is_section(reference[key]) and reference[key]:
            if _is_section(value):
                _compare(value, reference[key], f"{path}.", strict, found)
            else:
                found[path] = f"'{path}' is a section, got {_shown(value)}"
        elif path not in ANY_TYPE and not (path in OR_NONE and value is None):
            named = path in LISTS_OR_NAMED and _is_section(value)
            problem = _type_problem(value, {} if named else reference[key])
            found |= {path: f"'{path}' {problem}, got {_shown(value)}"} if problem else {}


def _type_problem(value: Any, default: Any) -> str | None:
    """What a value of another type than its default's must be; None if it is."""
    if default is None or isinstance(default, dict):
        # either nothing yet, or named numbers such as joint angles
        numbers = not isinstance(default, dict) or _is_section(value) and all(map(_is_number, value.values()))
        return None if numbers else "must map names to finite numbers"
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "must be True or False"
    if isinstance(default, str):
        return None if isinstance(value, str) else "must be a text"
    if isinstance(default, list):
        is_item: Callable[[Any], bool] = _is_number if default and _is_number(default[0]) else _is_text
        kind = "finite numbers" if is_item is _is_number else "texts"
        return None if isinstance(value, list | tuple) and all(map(is_item, value)) else f"must be a list of {kind}"
    return None if _is_number(value) else "must be a finite number"


def _ranges(flat: dict[str, Any]) -> Iterable[str]:
    """Values out of their range."""
    for key, least in WHOLE.items():
        value = flat.get(key)
        if value is not None and (not isinstance(value, int) or value < least):
            yield f"'{key}' must be a whole number from {least} up, got {_shown(value)}"
    for keys, fits, text in (
        (POSITIVE, lambda value: value > 0, "must be greater than 0"),
        (NOT_NEGATIVE, lambda value: value >= 0, "must not be negative"),
        (SHARES, lambda value: 0 <= value <= 1, "must lie between 0 and 1"),
    ):
        for key in keys:
            if flat.get(key) is not None and not (_is_number(flat[key]) and fits(flat[key])):
                yield f"'{key}' {text}, got {_shown(flat[key])}"
    for key, value in flat.items():
        if key.startswith(GAINS) and value < 0:
            yield f"'{key}' must not be negative, got {_shown(value)}"
        if key.endswith("_range") or key.startswith("commands.ranges."):
            if len(value) != 2 or value[0] > value[1]:
                yield f"'{key}' must be [low, high], got {_shown(value)}"
            elif key.removeprefix("domain_rand.").removesuffix("_range") in FACTOR_RANGES and value[0] < 0:
                yield f"'{key}' must not be negative, got {_shown(value)}"


def _fractions(flat: dict[str, Any]) -> Iterable[str]:
    """Shares of commands that exceed all of them."""
    total = sum(flat.get(name, 0.0) for name in SHARES_OF_COMMANDS)
    if total > 1 + 1e-6:
        yield f"{', '.join(SHARES_OF_COMMANDS)} must sum to at most 1, but sum to {total:g}"


def _sizes(flat: dict[str, Any]) -> Iterable[str]:
    """Lists of the wrong length, and numbers that do not go together."""
    for key, length in LENGTHS.items():
        if key in flat and len(flat[key]) != length:
            yield f"'{key}' must hold {length} numbers, got {_shown(flat[key])}"
    for key in ("actor", "critic", "enc", "tar"):
        sizes = flat.get(f"policy.{key}_hidden_dims", [1])
        if not sizes or not all(isinstance(size, int) and size > 0 for size in sizes):
            yield f"'policy.{key}_hidden_dims' must hold sizes of layers from 1 up, got {_shown(sizes)}"
    for axis in ("measured_points_x", "measured_points_y", "base_height_points_x", "base_height_points_y"):
        if flat.get(f"terrain.{axis}") == []:
            yield f"'terrain.{axis}' is empty; to scan no heights, set terrain.measure_heights = False"
    xs, zs = (flat.get(f"rewards.trunk_points_{axis}", []) for axis in "xz")
    if len(xs) != len(zs):
        names = "'rewards.trunk_points_x' and 'rewards.trunk_points_z'"
        yield f"{names} must be equally long, got {_shown(xs)} and {_shown(zs)}"
    elif flat.get("rewards.trunk_points_x") == []:
        yield "'rewards.trunk_points_x' is empty; to do without, set rewards.scales.trunk_clearance = 0"
    if flat.get("init_state.rot") is not None and not math.isclose(
        math.hypot(*flat["init_state.rot"]), 1, abs_tol=1e-3
    ):
        yield f"'init_state.rot' must be a quaternion x, y, z, w of length 1, got {_shown(flat['init_state.rot'])}"
    if flat.get("env.num_envs", 0) > MAX_ENVS:
        yield f"'env.num_envs' must be at most {MAX_ENVS}, got {flat['env.num_envs']}"
    if flat.get("seed", 0) > MAX_SEED:
        yield f"'seed' must be at most {MAX_SEED}, got {flat['seed']}"
    for key in ("runner.experiment_name", "runner.run_name"):
        if any(part in ("..", ".") or "\0" in part for part in flat.get(key, "").split("/")):
            yield f"'{key}' must name a folder, got {_shown(flat[key])}"
    if "/" in flat.get("runner.run_name", "") or not flat.get("runner.experiment_name", "any"):
        yield "'runner.experiment_name' must not be empty, and 'runner.run_name' must hold no '/'"
    if flat.get("terrain.mesh_type", "plane") != "plane":
        yield from _terrain_sizes({k.removeprefix("terrain."): v for k, v in flat.items() if k.startswith("terrain.")})


def _classes(flat: dict[str, Any]) -> Iterable[str]:
    """Names of classes that do not exist."""
    runner = RUNNERS.get(flat.get("runner_class_name", ""))
    for key, known in (
        ("runner_class_name", RUNNERS),
        ("policy.estimator_class_name", ESTIMATORS),
        ("runner.policy_class_name", runner.policy_classes if runner else None),
        ("runner.algorithm_class_name", runner.algorithm_classes if runner else None),
    ):
        if key in flat and known is not None and flat[key] not in known:
            yield f"'{key}' is '{flat[key]}', which does not exist{_hint(flat[key], known)}"


def _shares(terrain: Mapping[str, Any]) -> Iterable[str]:
    """What is wrong with the terrain types' proportions."""
    if terrain.get("mesh_type", "plane") != "plane":
        try:
            type_thresholds(terrain["terrain_proportions"])
        except ValueError as error:
            yield str(error)


def _terrain_sizes(terrain: dict[str, Any]) -> Iterable[str]:
    scale = terrain["horizontal_scale"]
    if min(terrain["terrain_length"], terrain["terrain_width"]) < 2 * scale:
        yield "a terrain tile must be at least two samples long and wide; see terrain.horizontal_scale"
    rows, cols = (
        terrain[f"num_{axis}s"] * terrain[f"terrain_{side}"] / scale + 2 * terrain["border_size"] / scale
        for axis, side in (("row", "length"), ("col", "width"))
    )
    if rows * cols > MAX_SAMPLES:
        yield f"the terrain would have {rows * cols:.1e} height samples, more than {MAX_SAMPLES:.0e}"


def _flatten(values: Mapping, prefix: str = "") -> dict[str, Any]:
    flat = {}
    for key, value in values.items():
        flat |= _flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def _is_section(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
