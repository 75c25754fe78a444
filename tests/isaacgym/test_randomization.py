"""The randomisation helpers of gymutil, used as tasks of Isaac Gym's age use them."""

from __future__ import annotations

import copy
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from scipy import stats

from isaacgym import gymapi
from isaacgym.gymutil import (
    _indent_xml,
    apply_random_samples,
    check_buckets,
    generate_random_samples,
    get_bucketed_val,
    get_default_setter_args,
    get_property_getter_map,
    get_property_setter_map,
)
from tests.isaacgym.worlds import ALIENGO, World

GYM = gymapi.acquire_gym()
SAMPLES = 4000
SIGNIFICANT = 1e-3  # of Kolmogorov and Smirnov's test, with a fixed seed


def params(low, high, distribution="uniform", operation="scaling", **more) -> dict:
    return {"range": [low, high], "distribution": distribution, "operation": operation, **more}


@pytest.fixture(autouse=True)
def seed():
    np.random.seed(5)  # noqa: NPY002


@pytest.mark.parametrize(
    ("distribution", "law"),
    [
        ("uniform", stats.uniform(0.5, 1.5)),
        ("loguniform", stats.loguniform(0.5, 2.0)),
        ("gaussian", stats.norm(0.5, 2.0)),
    ],
)
def test_samples_follow_their_distribution(distribution, law):
    samples = generate_random_samples(params(0.5, 2.0, distribution), (SAMPLES,), 0)
    assert stats.kstest(samples, law.cdf).pvalue > SIGNIFICANT


@pytest.mark.parametrize(
    ("operation", "schedule", "step", "expected"),
    [
        ("scaling", "linear", 0, (1.0, 1.0)),
        ("scaling", "linear", 25, (0.875, 1.25)),  # a quarter of the way from 1
        ("additive", "linear", 25, (0.125, 0.5)),  # and from 0
        ("scaling", "linear", 500, (0.5, 2.0)),
        ("additive", "constant", 99, (0.0, 0.0)),
        ("additive", "constant", 100, (0.5, 2.0)),
    ],
)
def test_a_schedule_draws_the_range_from_what_changes_nothing(operation, schedule, step, expected):
    scheduled = params(0.5, 2.0, operation=operation, schedule=schedule, schedule_steps=100)
    samples = generate_random_samples(scheduled, (SAMPLES,), step)
    assert samples.min() == pytest.approx(expected[0], abs=5e-3)
    assert samples.max() == pytest.approx(expected[1], abs=5e-3)
    assert expected[0] <= samples.min() and samples.max() <= expected[1]


def test_a_sample_of_the_callers_own_is_scheduled_as_well():
    scheduled = params(0.5, 2.0, schedule="linear", schedule_steps=100)
    assert generate_random_samples(scheduled, 1, 25, extern_sample=[3.0]).tolist() == [1.5]


def test_buckets_are_evenly_spaced_and_values_move_down():
    assert get_bucketed_val([0.0, 0.3, 0.5, 0.99, 2.0], params(0.0, 1.0, num_buckets=5)).tolist() == [
        *(0.0, 0.25, 0.5, 0.75, 1.0)
    ]


def test_properties_of_an_actor_are_randomised_through_the_maps():
    world = World(ALIENGO)
    env = world.sim.envs[0]
    getters, setters, more = (
        get_property_getter_map(GYM),
        get_property_setter_map(GYM),
        get_default_setter_args(GYM),
    )
    assert getters.keys() == setters.keys() == more.keys()
    wanted = {
        "dof_properties": {"stiffness": params(3.0, 5.0, operation="additive")},
        "rigid_body_properties": {"mass": params(1.5, 1.5)},
        "rigid_shape_properties": {"friction": params(0.2, 0.8, num_buckets=4)},
    }
    check_buckets(GYM, world.sim.envs, {"actor_params": {"robot": wanted}})
    before = copy.deepcopy(env.actors[0].inertia)
    for kind, attributes in wanted.items():
        properties = getters[kind](env, 0)
        # as tasks keep the originals: a copy of an array, a dict of everything that a record has
        records = (
            [{name: getattr(p, name) for name in dir(p)} for p in properties] if isinstance(properties, list) else []
        )
        original = copy.deepcopy(properties) if not records else None
        for attr, attr_params in attributes.items():
            if original is not None:
                apply_random_samples(properties, original, attr, attr_params, 0)
            for prop, record in zip(properties, records, strict=False):
                apply_random_samples(prop, record, attr, attr_params, 0)
        setters[kind](env, 0, properties, *more[kind])
    stiffness = GYM.get_actor_dof_properties(env, 0)["stiffness"]
    assert len(set(stiffness.tolist())) == 12 and ((stiffness > 3.0) & (stiffness < 5.0)).all()
    np.testing.assert_allclose(env.actors[0].inertia, 1.5 * before, rtol=1e-6)
    frictions = {shape.friction for shape in GYM.get_actor_rigid_shape_properties(env, 0)}
    assert frictions <= set(np.float32([0.2, 0.4, 0.6, 0.8]).tolist()) and len(frictions) > 1
    # gravity: each component has its own sample
    gravity_params = params(-1.0, 1.0, operation="additive")
    sim_params = GYM.get_sim_params(world.sim)
    apply_random_samples(sim_params, {"gravity": gymapi.Vec3(0, 0, -9.81)}, "gravity", gravity_params, 0)
    GYM.set_sim_params(world.sim, sim_params)
    offsets = np.array(tuple(GYM.get_sim_params(world.sim).gravity)) - [0.0, 0.0, -9.81]
    assert (np.abs(offsets) < 1.0).all() and len(set(offsets)) == 3


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"distribution": "triangular"}, "distribution 'triangular' is none of uniform, loguniform and gaussian"),
        ({"operation": "power"}, "operation 'power' is neither scaling nor additive"),
        ({"schedule": "cosine", "schedule_steps": 1}, "schedule 'cosine' is neither linear nor constant"),
    ],
)
def test_unknown_words_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        generate_random_samples(params(0.0, 1.0) | wrong, 1, 0)


def test_fewer_than_no_buckets_are_refused():
    wrong = {"hand": {"rigid_shape_properties": {"friction": params(0.0, 1.0, num_buckets=-1)}}}
    with pytest.raises(ValueError, match="num_buckets of hand.rigid_shape_properties.friction is -1"):
        check_buckets(GYM, [], {"actor_params": wrong})


def test_xml_is_indented_in_place():
    root = ET.fromstring("<a><b><c/></b></a>")
    _indent_xml(root)
    assert ET.tostring(root, encoding="unicode") == "<a>\n  <b>\n    <c />\n  </b>\n</a>"
