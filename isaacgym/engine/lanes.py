"""Neighbouring threads of a GPU that share a piece of work and exchange values by warp shuffles: lanes."""

import functools
from collections.abc import Callable

import warp as wp

from isaacgym.engine.scalars import types_of

WARP_SIZE = 32  # threads that can exchange values


@functools.cache
def lane_exchange(lanes: int, scalar: type = wp.float32) -> Callable:
    """The Warp function `of_lane(value, lane)`: the value that another lane of the same group holds.

    The value is a scalar, vec3, quat, vec6 or mat33. All lanes of the group must call it together; they need not wait
    for the rest of the warp. On a CPU it returns the own value, so that one thread alone may call it.

    Args:
        lanes: threads in a group, a power of two up to WARP_SIZE; groups start at multiples of it.
        scalar: wp.float32 or wp.float64.
    """
    types = types_of(scalar)
    vec3, quat, vec6, mat33 = types.vec3, types.quat, types.vec6, types.mat33

    snippet = f"""
#if defined(__CUDA_ARCH__)
    unsigned mask = {(1 << lanes) - 1}u << (threadIdx.x & {WARP_SIZE - lanes}u);
    return __shfl_sync(mask, value, source, {lanes});
#else
    return value;
#endif
"""

    @wp.func_native(snippet)
    def shuffle(value: scalar, source: int) -> scalar: ...

    @wp.func
    def of_lane(own: scalar, lane: int):
        return shuffle(own, lane)

    @wp.func
    def of_lane(own: vec3, lane: int):  # noqa: F811 (an overload)
        return vec3(shuffle(own[0], lane), shuffle(own[1], lane), shuffle(own[2], lane))

    @wp.func
    def of_lane(own: quat, lane: int):  # noqa: F811 (an overload)
        return quat(shuffle(own[0], lane), shuffle(own[1], lane), shuffle(own[2], lane), shuffle(own[3], lane))

    @wp.func
    def of_lane(own: vec6, lane: int):  # noqa: F811 (an overload)
        return vec6(
            shuffle(own[0], lane), shuffle(own[1], lane), shuffle(own[2], lane),
            shuffle(own[3], lane), shuffle(own[4], lane), shuffle(own[5], lane),
        )  # fmt: skip

    @wp.func
    def of_lane(own: mat33, lane: int):  # noqa: F811 (an overload)
        return mat33(
            shuffle(own[0, 0], lane), shuffle(own[0, 1], lane), shuffle(own[0, 2], lane),
            shuffle(own[1, 0], lane), shuffle(own[1, 1], lane), shuffle(own[1, 2], lane),
            shuffle(own[2, 0], lane), shuffle(own[2, 1], lane), shuffle(own[2, 2], lane),
        )  # fmt: skip

    return of_lane


@functools.cache
def lane_sum(lanes: int, scalar: type = wp.float32) -> Callable:
    """The Warp function `over_lanes(value, lane)`: the sum over a group, the same bits in all of its lanes.

    Args: as of `lane_exchange`.
    """
    of_lane = lane_exchange(lanes, scalar)

    @wp.func
    def over_lanes(value: scalar, lane: int):
        total = value
        for k in range(wp.static(lanes.bit_length() - 1)):
            total += of_lane(total, lane ^ (1 << k))
        return total

    return over_lanes
