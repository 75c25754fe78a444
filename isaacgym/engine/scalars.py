"""Warp's vectors, quaternions and matrices of a scalar type: float32 in simulations, float64 in tests."""

import functools
from types import SimpleNamespace

import warp as wp


@functools.cache
def types_of(scalar: type) -> SimpleNamespace:
    """vec2, vec3, vec5, vec6 (spatial), quat and mat33. scalar: wp.float32 or wp.float64."""
    double = scalar is wp.float64
    vec2, vec3, vec6 = (wp.vec2d, wp.vec3d, wp.spatial_vectord) if double else (wp.vec2f, wp.vec3f, wp.spatial_vectorf)
    mat33 = wp.mat33d if double else wp.mat33f
    quat = wp.quatd if double else wp.quatf
    vec5 = wp.types.vector(length=5, dtype=scalar)
    return SimpleNamespace(**locals())
