"""One row of MuJoCo's constraint problem, its cost and the line search over all rows, for both engines' solvers.

Sources: MuJoCo's documentation, chapter Computation; tree/tree.md derives the search.
"""

import functools
from types import SimpleNamespace

import warp as wp

from isaacgym.engine.scalars import types_of

QUADRATIC, OFF = 0, 2  # zones of a row's cost; -1 and 1: linear
MIN_VALUE = 1e-15  # mjMINVAL
MIN_IMPEDANCE, MAX_IMPEDANCE = 0.0001, 0.9999  # mjMINIMP, mjMAXIMP
SLOPE = 0.01  # of the cost where a line search stops, relative to that where it starts; measured in tree.md
ROUNDING = 1.0e-4  # of the improvement that is left when Newton's step was exact but for float32; measured in tree.md


@functools.cache
def constraint_functions(scalar: type) -> SimpleNamespace:
    """Warp functions and the record Search. scalar: wp.float32 or wp.float64."""
    t = types_of(scalar)
    vec2, vec3, vec5, mat33 = t.vec2, t.vec3, t.vec5, t.mat33

    # ---- constraint parameters (MuJoCo's documentation, Computation, "Constraint model") -----------------------------

    @wp.func
    def impedance(solimp: vec5, distance: scalar):
        low = wp.clamp(solimp[0], scalar(MIN_IMPEDANCE), scalar(MAX_IMPEDANCE))
        high = wp.clamp(solimp[1], scalar(MIN_IMPEDANCE), scalar(MAX_IMPEDANCE))
        width, middle, power = solimp[2], solimp[3], solimp[4]
        x = wp.abs(distance) / wp.max(width, scalar(MIN_VALUE))
        if low == high or x >= scalar(1.0):
            return high
        y = x
        if power > scalar(1.0):
            if x <= middle:
                y = wp.pow(x, power) / wp.pow(middle, power - scalar(1.0))
            else:
                y = scalar(1.0) - wp.pow(scalar(1.0) - x, power) / wp.pow(scalar(1.0) - middle, power - scalar(1.0))
        return low + y * (high - low)

    @wp.func
    def stiffness_and_damping(solref: vec2, solimp: vec5, dt: scalar):
        """k [1/s²] and b [1/s] of the reference acceleration -b v - k impedance distance."""
        high = wp.clamp(solimp[1], scalar(MIN_IMPEDANCE), scalar(MAX_IMPEDANCE))
        if solref[0] <= scalar(0.0):
            return vec2(-solref[0] / (high * high), -solref[1] / high)
        time = wp.max(solref[0], scalar(2.0) * dt)
        ratio = solref[1]
        return vec2(scalar(1.0) / (high * high * time * time * ratio * ratio), scalar(2.0) / (high * time))

    @wp.func
    def row_weight(inverse_weight: scalar, imp: scalar):
        """D of a row: inverse of MuJoCo's regularisation R."""
        return scalar(1.0) / wp.max(inverse_weight * (scalar(1.0) - imp) / imp, scalar(MIN_VALUE))

    @wp.func
    def friction_zone(x: scalar, weight: scalar, loss: scalar):
        """Of a dry-friction row with residual x: 0 sticks; -1, 1 slips at the bounded force."""
        return wp.where(weight * x <= -loss, -1, wp.where(weight * x >= loss, 1, wp.static(QUADRATIC)))

    @wp.func
    def slope_in(zone: int, x: scalar, weight: scalar, loss: scalar):
        """Slope of a row's cost: minus its force."""
        if zone == wp.static(QUADRATIC):
            return weight * x
        return wp.where(zone == wp.static(OFF), scalar(0.0), scalar(zone) * loss)

    @wp.func
    def stiffness_in(zone: int, weight: scalar):
        return wp.where(zone == wp.static(QUADRATIC), weight, scalar(0.0))

    @wp.func
    def switched_row(before: int, after: int, there: scalar, rise: scalar, weight: scalar, loss: scalar):
        """What a row that changes its zone on the way adds to slope and curvature along the search, and a 1."""
        if before == after:
            return vec3()
        gain = slope_in(after, there, weight, loss) - slope_in(before, there, weight, loss)
        stiffer = stiffness_in(after, weight) - stiffness_in(before, weight)
        return vec3(gain * rise, stiffer * rise * rise, scalar(1.0))

    @wp.func
    def pyramid_force(mu: scalar, d: scalar, x: vec3):
        """Force along normal and tangents of the four rows; a row pushes while its residual is negative."""
        f = vec3()
        for t in range(2):
            for side in range(2):
                slope = wp.where(side == 0, mu, -mu)
                push = -d * wp.min(x[0] + slope * x[t + 1], scalar(0.0))
                f[0] = f[0] + push
                f[t + 1] = f[t + 1] + slope * push
        return f

    @wp.func
    def pyramid_stiffness(mu: scalar, d: scalar, x: vec3):
        """Second derivative of the active rows' cost, in the contact frame."""
        k = mat33()
        for t in range(2):
            for side in range(2):
                slope = wp.where(side == 0, mu, -mu)
                if x[0] + slope * x[t + 1] < scalar(0.0):
                    k[0, 0] = k[0, 0] + d
                    k[0, t + 1] = k[0, t + 1] + d * slope
                    k[t + 1, t + 1] = k[t + 1, t + 1] + d * slope * slope
        k[1, 0] = k[0, 1]
        k[2, 0] = k[0, 2]
        return k

    # ---- line search -------------------------------------------------------------------------------------------------

    @wp.struct
    class Search:
        """A line search: the root of the cost's slope along the direction, by Newton's method in brackets."""

        alpha: scalar
        low: scalar
        high: scalar  # below low: unbounded so far
        same_rows: bool  # no row changes sides up to alpha
        done: bool

    @wp.func
    def start_search():
        search = Search()
        search.alpha = scalar(1.0)
        search.high = scalar(-1.0)
        return search

    @wp.func
    def next_search(search: Search, sums: vec3, decrement: scalar):
        """One evaluation. The slope is -decrement (1 - alpha), and rows that switch add to it."""
        new = Search()
        new.alpha = search.alpha
        new.low = search.low
        new.high = search.high
        new.same_rows = sums[2] == scalar(0.0)
        slope = sums[0] - decrement * (scalar(1.0) - search.alpha)
        new.done = wp.abs(slope) <= scalar(SLOPE) * decrement
        if not new.done:
            if slope < scalar(0.0):
                new.low = search.alpha
            else:
                new.high = search.alpha
            new.alpha = search.alpha - slope / (sums[1] + decrement)
            if new.high > new.low and (new.alpha <= new.low or new.alpha >= new.high):
                new.alpha = scalar(0.5) * (new.low + new.high)
                new.done = new.alpha <= new.low or new.alpha >= new.high  # no number between the brackets
        return new

    @wp.func
    def converged(improvement: scalar, tolerance: scalar, search: Search, decrement: scalar):
        """A full step on which no row changed sides ends at the minimum, but for rounding."""
        exact = search.same_rows and search.alpha == scalar(1.0)
        left = wp.where(exact, scalar(ROUNDING), scalar(1.0)) * decrement
        return improvement * left < tolerance

    return SimpleNamespace(**locals())
