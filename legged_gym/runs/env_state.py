"""All that an environment's next step depends on, out and in, for runs that go on exactly."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from legged_gym.utils.helpers import class_to_dict

MAX_NAMED_KEYS = 3  # an error names this many config keys that differ
IGNORED_SECTIONS = ("viewer",)  # of the config: they do not change what happens
# attributes: the map, which is built again, results of the last step, and what `count_faults` brings up to date
NOT_STATE = ("height_samples", "height_map", "extras", "faults_told")


def env_state(env: Any) -> dict[str, Any]:
    """Tensors, counters, the simulator's state, and by what a run tells whether they fit."""
    return {
        "config": _flat_config(env.cfg),
        "terrain": _terrain_digest(env),
        "tensors": {name: tensor.detach().cpu().clone() for name, tensor in _tensors(env)},
        "counters": {name: getattr(env, name) for name in env.counters},
        "simulation": env.gym.get_sim_snapshot(env.sim) if hasattr(env.gym, "get_sim_snapshot") else None,  # ours only
    }


@torch.inference_mode()  # buffers may have been made in this mode, and are written into in place
def restore_env(env: Any, state: dict[str, Any]) -> None:
    """Take over what `env_state` gave. A state of another config or map is a ValueError and changes nothing."""
    if not {"config", "terrain", "tensors", "counters", "simulation"} <= state.keys():
        raise ValueError("it is not the state of an environment")
    _check_config(state["config"], _flat_config(env.cfg))
    if _terrain_digest(env) != state["terrain"]:
        raise ValueError("the terrain is another one")
    tensors = dict(_tensors(env))
    _check_shapes(state["tensors"], tensors)
    if state["simulation"] is None:
        raise ValueError("the simulator it was saved with cannot copy out its state")
    env.gym.set_sim_snapshot(env.sim, state["simulation"])
    for name, tensor in tensors.items():
        tensor.copy_(state["tensors"][name])
    for name, value in state["counters"].items():
        setattr(env, name, value)
    env.count_faults()  # those of the state that was saved are no news


def _tensors(env: Any) -> Iterator[tuple[str, Tensor]]:
    """The tensors among an object's attributes, and in dicts among them."""
    for name, value in vars(env).items():
        if name in NOT_STATE:
            continue
        if isinstance(value, Tensor):
            yield name, value
        elif isinstance(value, dict):
            yield from ((f"{name}.{key}", item) for key, item in value.items() if isinstance(item, Tensor))


def _check_config(saved: dict[str, str], own: dict[str, str]) -> None:
    changed = sorted(key for key in own.keys() | saved.keys() if own.get(key) != saved.get(key))
    if changed:
        named = ", ".join(f"{key} ({saved.get(key)} → {own.get(key)})" for key in changed[:MAX_NAMED_KEYS])
        more = f" and {len(changed) - MAX_NAMED_KEYS} more" if len(changed) > MAX_NAMED_KEYS else ""
        raise ValueError(f"the environment's config has changed: {named}{more}")


def _check_shapes(saved: dict[str, Tensor], own: dict[str, Tensor]) -> None:
    saved_shapes, own_shapes = ({k: tuple(t.shape) for k, t in tensors.items()} for tensors in (saved, own))
    for name in sorted(own_shapes.keys() | saved_shapes.keys()):
        before, now = saved_shapes.get(name), own_shapes.get(name)
        if before != now:
            raise ValueError(f"the environment's tensor '{name}' had the shape {before} and has {now}")


def _flat_config(cfg: Any) -> dict[str, str]:
    """Dotted key → value as JSON."""
    flat = {}

    def visit(values: dict[str, Any], prefix: str) -> None:
        for key, value in values.items():
            if isinstance(value, dict):
                visit(value, f"{prefix}{key}.")
            else:
                flat[f"{prefix}{key}"] = json.dumps(value, default=str)

    visit({k: v for k, v in class_to_dict(cfg).items() if k not in IGNORED_SECTIONS}, "")
    return flat


def _terrain_digest(env: Any) -> str:
    if env.height_samples is None:
        return ""
    return hashlib.sha256(env.height_samples.cpu().numpy().tobytes()).hexdigest()
