"""The helpers by which tasks of Isaac Gym's age randomise properties; callers reach them through `gymutil`.

A property's parameters are a dict of a config: `range` (two numbers, or two arrays), `distribution` ("uniform",
"loguniform", or "gaussian" with the mean and the standard deviation as its range), `operation` ("scaling" or
"additive") and, if wanted, `schedule` ("linear" or "constant", with `schedule_steps`) and `num_buckets`.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from isaacgym.gym_types import SimParams, Vec3

GAUSSIAN_BUCKETS = 2.0  # [standard deviations] on both sides of the mean that buckets of a Gaussian cover
Params = Mapping[str, Any]


def get_property_setter_map(gym: Any) -> dict[str, Callable[..., Any]]:
    """The gym's setter of each kind of property that a config may name."""
    return _calls(gym, "set")


def get_property_getter_map(gym: Any) -> dict[str, Callable[..., Any]]:
    """The gym's getter of each kind of property that a config may name."""
    return _calls(gym, "get")


def get_default_setter_args(gym: Any) -> dict[str, list[Any]]:
    """What follows the properties in a setter's arguments: inertia is computed anew when masses change."""
    return {name: [True] if name == "rigid_body_properties" else [] for name in _calls(gym, "set")}


def _calls(gym: Any, verb: str) -> dict[str, Callable[..., Any]]:
    of_actors = ("dof_properties", "tendon_properties", "rigid_body_properties", "rigid_shape_properties")
    calls = {name: getattr(gym, f"{verb}_actor_{name}") for name in of_actors}
    return calls | {"sim_params": getattr(gym, f"{verb}_sim_params")}


def generate_random_samples(
    attr_randomization_params: Params,
    shape: int | Sequence[int],
    curr_gym_step_count: int,
    extern_sample: Any = None,
) -> np.ndarray:
    """Factors or offsets as the parameters ask for. extern_sample: take this in place of a random sample.

    A schedule draws the range towards what changes nothing: by a share that falls to 0 during `schedule_steps`, or
    wholly until then.
    """
    share = _schedule(attr_randomization_params, curr_gym_step_count)
    neutral = 1.0 if _scales(attr_randomization_params) else 0.0
    if extern_sample is not None:
        return np.asarray(extern_sample) * share + neutral * (1.0 - share)
    first, second = (np.asarray(bound, dtype=float) for bound in attr_randomization_params["range"])
    first = first * share + neutral * (1.0 - share)
    distribution = attr_randomization_params["distribution"]
    if distribution == "gaussian":
        return np.random.normal(first, second * share, shape)  # noqa: NPY002 -- callers seed NumPy's global numbers
    second = second * share + neutral * (1.0 - share)
    if distribution == "uniform":
        return np.random.uniform(first, second, shape)  # noqa: NPY002
    if distribution == "loguniform":
        return np.exp(np.random.uniform(np.log(first), np.log(second), shape))  # noqa: NPY002
    raise ValueError(f"distribution '{distribution}' is none of uniform, loguniform and gaussian")


def _schedule(params: Params, step: int) -> float:
    """How much of the randomisation acts at a step, from 0 to 1."""
    schedule = params.get("schedule")
    if schedule is None:
        return 1.0
    steps = params["schedule_steps"]
    if schedule == "linear":
        return min(step, steps) / steps
    if schedule == "constant":
        return float(step >= steps)
    raise ValueError(f"schedule '{schedule}' is neither linear nor constant")


def _scales(params: Params) -> bool:
    operation = params["operation"]
    if operation not in ("scaling", "additive"):
        raise ValueError(f"operation '{operation}' is neither scaling nor additive")
    return bool(operation == "scaling")


def get_bucketed_val(new_prop_val: Any, attr_randomization_params: Params) -> np.ndarray:
    """Each value moved down to the next of `num_buckets` evenly spaced ones, or up to the lowest."""
    first, second = attr_randomization_params["range"]
    if attr_randomization_params["distribution"] == "gaussian":
        first, second = first - GAUSSIAN_BUCKETS * second, first + GAUSSIAN_BUCKETS * second
    buckets = np.linspace(first, second, attr_randomization_params["num_buckets"])
    return buckets[np.maximum(np.searchsorted(buckets, new_prop_val, side="right") - 1, 0)]


def apply_random_samples(
    prop: Any,
    og_prop: Any,
    attr: str,
    attr_randomization_params: Params,
    curr_gym_step_count: int,
    extern_sample: Any = None,
) -> None:
    """Write a randomised value of one attribute into `prop`, in place.

    Args:
        prop: a structured array, as of DOF properties, whose elements each get a sample; or a record, as of a body, a
            shape or the simulation, of whose vectors each component gets one.
        og_prop: the values without randomisation: such an array, or a dict from names to values.
    """
    params = attr_randomization_params
    original = og_prop[attr]
    is_vector = isinstance(original, Vec3)
    values = np.asarray(tuple(original) if is_vector else original, dtype=float)
    samples = generate_random_samples(params, values.shape, curr_gym_step_count, extern_sample)
    new = values * samples if _scales(params) else values + samples
    if params.get("num_buckets", 0) > 0 and not isinstance(prop, SimParams):
        new = get_bucketed_val(new, params)
    if isinstance(prop, np.ndarray):
        prop[attr] = new
    else:
        setattr(prop, attr, Vec3(*new) if is_vector else new)


def check_buckets(gym: Any, envs: Any, dr_params: Params) -> None:
    """Refuse numbers of buckets that are none. As many materials as wanted work; PhysX has 64,000 at most."""
    for actor, kinds in dr_params.get("actor_params", {}).items():
        for kind, attributes in kinds.items():
            for attr, params in attributes.items() if isinstance(attributes, Mapping) else ():
                count = params.get("num_buckets", 0) if isinstance(params, Mapping) else 0
                if count != int(count) or count < 0:
                    raise ValueError(
                        f"num_buckets of {actor}.{kind}.{attr} is {count}; give a whole number, 0 for no buckets"
                    )


def _indent_xml(elem: ET.Element, level: int = 0) -> None:
    """Give an XML tree line breaks and two blanks a level, in place."""
    ET.indent(elem, level=level)
