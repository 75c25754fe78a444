"""Spatial algebra at one point, world axes (Featherstone, Rigid Body Dynamics Algorithms, chapter 2)."""

import functools
from types import SimpleNamespace

import warp as wp

from isaacgym.engine.scalars import types_of
from isaacgym.engine.tree.records import tree_records


@functools.cache
def spatial_functions(scalar: type) -> SimpleNamespace:
    """Warp functions on (angular, linear) pairs. scalar: wp.float32 or wp.float64."""
    t = types_of(scalar)
    vec3, vec6, quat, mat33 = t.vec3, t.vec6, t.quat, t.mat33
    Inertia = tree_records(scalar).Inertia

    @wp.func
    def spatial(angular: vec3, linear: vec3):
        return vec6(angular[0], angular[1], angular[2], linear[0], linear[1], linear[2])

    @wp.func
    def rotation(wxyz: quat):
        return wp.normalize(quat(wxyz[1], wxyz[2], wxyz[3], wxyz[0]))

    @wp.func
    def cross_motion(v: vec6, m: vec6):
        """v × m: rate of change of a motion vector m that moves with velocity v."""
        omega, linear = wp.spatial_top(v), wp.spatial_bottom(v)
        top = wp.spatial_top(m)
        return spatial(wp.cross(omega, top), wp.cross(omega, wp.spatial_bottom(m)) + wp.cross(linear, top))

    @wp.func
    def cross_force(v: vec6, f: vec6):
        """v ×* f: rate of change of a force vector f that moves with velocity v."""
        omega, linear = wp.spatial_top(v), wp.spatial_bottom(v)
        bottom = wp.spatial_bottom(f)
        return spatial(wp.cross(omega, wp.spatial_top(f)) + wp.cross(linear, bottom), wp.cross(omega, bottom))

    @wp.func
    def wrench(force: vec3, at: vec3):
        """A force that acts at the point `at`, relative to O."""
        return spatial(wp.cross(at, force), force)

    @wp.func
    def linear_at(m: vec6, at: vec3):
        """Linear part of a motion at the point `at`, relative to O."""
        return wp.spatial_bottom(m) + wp.cross(wp.spatial_top(m), at)

    @wp.func
    def apply_inertia(i: Inertia, m: vec6):
        """Inertia times motion, both at O."""
        omega, linear = wp.spatial_top(m), wp.spatial_bottom(m)
        return spatial(i.about * omega + wp.cross(i.moment, linear), i.mass * linear + wp.cross(omega, i.moment))

    @wp.func
    def apply_symmetric(a: mat33, b: mat33, c: mat33, m: vec6):
        """[a b; bᵀ c] m"""
        top, bottom = wp.spatial_top(m), wp.spatial_bottom(m)
        return spatial(a * top + b * bottom, wp.transpose(b) * top + c * bottom)

    @wp.func
    def cholesky(m: mat33):
        """Lower triangular L with L Lᵀ = m."""
        l00 = wp.sqrt(m[0, 0])
        l10, l20 = m[1, 0] / l00, m[2, 0] / l00
        l11 = wp.sqrt(m[1, 1] - l10 * l10)
        l21 = (m[2, 1] - l20 * l10) / l11
        l22 = wp.sqrt(m[2, 2] - l20 * l20 - l21 * l21)
        zero = scalar(0.0)
        return mat33(l00, zero, zero, l10, l11, zero, l20, l21, l22)

    @wp.func
    def solve_lower(l: mat33, v: vec3):
        """L⁻¹ v"""
        x = v[0] / l[0, 0]
        y = (v[1] - l[1, 0] * x) / l[1, 1]
        return vec3(x, y, (v[2] - l[2, 0] * x - l[2, 1] * y) / l[2, 2])

    @wp.func
    def solve_upper(l: mat33, v: vec3):
        """L⁻ᵀ v"""
        z = v[2] / l[2, 2]
        y = (v[1] - l[2, 1] * z) / l[1, 1]
        return vec3((v[0] - l[1, 0] * y - l[2, 0] * z) / l[0, 0], y, z)

    @wp.func
    def solve_symmetric(a: mat33, b: mat33, c: mat33, f: vec6):
        """[a b; bᵀ c]⁻¹ f by Cholesky's method, c first.

        Contacts on one side of their friction pyramids make c as stiff as 1e5 kg in some directions and leave the mass
        in others; with the inverse of c, rounding in float32 then exceeds what is left of a.
        """
        lower = cholesky(c)
        x, y, z = solve_lower(lower, b[0]), solve_lower(lower, b[1]), solve_lower(lower, b[2])
        rows = wp.matrix_from_rows(x, y, z)
        left = cholesky(a - rows * wp.transpose(rows))
        bottom = solve_lower(lower, wp.spatial_bottom(f))
        first = solve_upper(left, solve_lower(left, wp.spatial_top(f) - rows * bottom))
        return spatial(first, solve_upper(lower, bottom - wp.transpose(rows) * first))

    return SimpleNamespace(**locals())
