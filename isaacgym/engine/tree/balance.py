"""The order in which a GPU takes the robots of a step: those whose solver took longest in the last one come first.

Robots that share a warp wait for the slowest of them, and so does the whole step for the last block. Which robot comes
when changes nothing in what becomes of it.
"""

from typing import NamedTuple

import warp as wp

NUM_CLASSES = 16  # of robots by Newton iterations; more than 15 are rare


class WorldOrder(NamedTuple):
    """Arguments of `count_world` and `order_world`, which sort by counting. Empty where each robot has one thread."""

    counts: wp.array  # (NUM_CLASSES,) worlds in each class; zero before `count_world`
    rank: wp.array  # (worlds,) of a world within its class
    order: wp.array  # (worlds,) out


def make_order(num_worlds: int) -> WorldOrder:
    """On the current device."""
    return WorldOrder(
        wp.zeros(NUM_CLASSES, dtype=int), wp.empty(num_worlds, dtype=int), wp.empty(num_worlds, dtype=int)
    )


@wp.func
def _class_of(iterations: int):
    return wp.max(NUM_CLASSES - 1 - iterations, 0)


@wp.func
def count_world(world: int, iterations: wp.array(dtype=int), counts: wp.array(dtype=int), rank: wp.array(dtype=int)):
    """For each world. iterations: (worlds,), of the last step."""
    rank[world] = wp.atomic_add(counts, _class_of(iterations[world]), 1)


@wp.func
def order_world(
    world: int,
    iterations: wp.array(dtype=int),
    counts: wp.array(dtype=int),
    rank: wp.array(dtype=int),
    order: wp.array(dtype=int),
):
    """For each world, once all are counted."""
    place = rank[world]
    for faster in range(_class_of(iterations[world])):
        place += counts[faster]
    order[place] = world
