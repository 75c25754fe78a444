"""Constraint rows of one link and its joint, and what they add to a Newton step and to its line search."""

import functools
from types import SimpleNamespace

import warp as wp

from isaacgym.engine.constraints import constraint_functions
from isaacgym.engine.scalars import types_of
from isaacgym.engine.tree.records import tree_records
from isaacgym.engine.tree.spatial import spatial_functions


@functools.cache
def row_functions(friction_loss: bool, scalar: type) -> SimpleNamespace:
    """Warp functions.

    Args:
        friction_loss: whether any joint has Coulomb friction.
        scalar: wp.float32 or wp.float64.
    """
    t, r, s, c = types_of(scalar), tree_records(scalar), spatial_functions(scalar), constraint_functions(scalar)
    vec2, vec3, vec5, vec6, mat33 = t.vec2, t.vec3, t.vec5, t.vec6, t.mat33
    Link, Body, Inertia, Settings, Row, Joint = r.Link, r.Body, r.Inertia, r.Settings, r.Row, r.Joint
    wrench, linear_at = s.wrench, s.linear_at
    impedance, stiffness_and_damping, row_weight = c.impedance, c.stiffness_and_damping, c.row_weight
    friction_zone, slope_in, stiffness_in = c.friction_zone, c.slope_in, c.stiffness_in
    switched_row, pyramid_force, pyramid_stiffness = c.switched_row, c.pyramid_force, c.pyramid_stiffness

    # ---- constraint rows: residual x = J qacc - reference ------------------------------------------------------------

    @wp.func
    def make_joint(
        link: Link, settings: Settings, q: scalar, rate: scalar, acceleration: scalar, applied: scalar,
        inertia: scalar, inverse_weight: scalar, loss: scalar,
    ):  # fmt: skip
        joint = Joint()
        joint.acceleration = acceleration
        joint.applied = applied
        joint.inertia = inertia
        below, above = q - link.lower, link.upper - q
        dist = wp.min(below, above)
        if dist < scalar(0.0):
            sign = wp.where(below < above, scalar(1.0), scalar(-1.0))
            imp = impedance(settings.limit_solimp, dist)
            kb = stiffness_and_damping(settings.limit_solref, settings.limit_solimp, settings.dt)
            joint.limit_sign = sign
            joint.limit_d = row_weight(inverse_weight, imp)
            joint.limit_reference = -kb[1] * sign * rate - kb[0] * imp * dist
        if wp.static(friction_loss):
            imp = impedance(settings.friction_solimp, scalar(0.0))
            kb = stiffness_and_damping(settings.friction_solref, settings.friction_solimp, settings.dt)
            joint.loss = loss
            joint.loss_d = row_weight(inverse_weight, imp)
            joint.loss_reference = -kb[1] * rate
        return joint

    @wp.func
    def comes_before(
        i: int, k: int, dist: wp.array(dtype=scalar), pos: wp.array(dtype=vec3), frame: wp.array(dtype=mat33)
    ):
        """An order of contacts that depends on nothing but what they are."""
        if dist[i] != dist[k]:
            return dist[i] < dist[k]
        for axis in range(3):
            if pos[i][axis] != pos[k][axis]:
                return pos[i][axis] < pos[k][axis]
            if frame[i][0, axis] != frame[k][0, axis]:
                return frame[i][0, axis] < frame[k][0, axis]
        return False

    @wp.func
    def sort_chain(
        contact: int,
        next: wp.array(dtype=int),
        dist: wp.array(dtype=scalar),
        pos: wp.array(dtype=vec3),
        frame: wp.array(dtype=mat33),
    ):
        """Order a link's contacts, by insertion. Sums over them then have the same bits, whichever was found first."""
        first = int(-1)
        i = contact
        while i >= 0:
            rest = next[i]
            if first < 0 or comes_before(i, first, dist, pos, frame):
                next[i] = first
                first = i
            else:
                k = first
                while next[k] >= 0 and comes_before(next[k], i, dist, pos, frame):
                    k = next[k]
                next[i] = next[k]
                next[k] = i
            i = rest
        return first

    @wp.func
    def make_rows(
        world: int,
        contact: int,
        dt: scalar,
        origin: vec3,
        velocity: vec6,
        acceleration: vec6,
        body_invweight0: wp.array2d(dtype=vec2),
        next: wp.array(dtype=int),
        body: wp.array(dtype=int),
        dist: wp.array(dtype=scalar),
        pos: wp.array(dtype=vec3),
        frame: wp.array(dtype=mat33),
        friction: wp.array(dtype=vec5),
        solref: wp.array(dtype=vec2),
        solimp: wp.array(dtype=vec5),
        rows: wp.array(dtype=Row),
    ):
        """Rows of a link's contacts; `contact` is the first of the chain."""
        i = contact
        while i >= 0:
            axes = frame[i]
            imp = impedance(solimp[i], dist[i])
            kb = stiffness_and_damping(solref[i], solimp[i], dt)
            row = Row()
            row.arm = pos[i] - origin
            row.friction = friction[i][0]
            rate = axes * linear_at(velocity, row.arm)
            reference = -kb[1] * rate - vec3(kb[0] * imp * dist[i], scalar(0.0), scalar(0.0))
            row.residual = axes * linear_at(acceleration, row.arm) - reference
            square = row.friction * row.friction
            inverse_weight = body_invweight0[world % body_invweight0.shape[0], body[i]][0]
            row.d = row_weight(scalar(2.0) * square * (scalar(1.0) + square) * inverse_weight, imp)
            rows[i] = row
            i = next[i]

    # ---- Newton's method on MuJoCo's cost ----------------------------------------------------------------------------

    @wp.func
    def stiffen(
        contact: int,
        next: wp.array(dtype=int),
        frame: wp.array(dtype=mat33),
        rows: wp.array(dtype=Row),
        inertia: Inertia,
        needs: vec6,
    ):
        """Add a link's contacts to its inertia [a b; bᵀ c], and subtract their forces from the wrench it needs."""
        a = inertia.about
        b = wp.skew(inertia.moment)
        c = inertia.mass * wp.identity(n=3, dtype=scalar)
        pull = needs
        i = contact
        while i >= 0:
            row = rows[i]
            force = pyramid_force(row.friction, row.d, row.residual)
            if force[0] > scalar(0.0):
                axes = frame[i]
                pull -= wrench(wp.transpose(axes) * force, row.arm)
                # a stiffness against the translation of the point at arm
                k = wp.transpose(axes) * pyramid_stiffness(row.friction, row.d, row.residual) * axes
                cross = wp.skew(row.arm)
                turned = cross * k
                a -= turned * cross
                b += turned
                c += k
            i = next[i]
        return a, b, c, pull

    @wp.func
    def joint_effort(joint: Joint):
        """Minus the cost's slope in the joint's own rows and inertia, and its second derivative."""
        diagonal = joint.inertia
        effort = joint.applied - diagonal * joint.acceleration
        violation = joint.limit_sign * joint.acceleration - joint.limit_reference
        if joint.limit_sign != scalar(0.0) and violation < scalar(0.0):
            diagonal += joint.limit_d
            effort -= joint.limit_sign * joint.limit_d * violation
        if wp.static(friction_loss):
            if joint.loss > scalar(0.0):
                slip = joint.acceleration - joint.loss_reference
                zone = friction_zone(slip, joint.loss_d, joint.loss)
                diagonal += stiffness_in(zone, joint.loss_d)
                effort -= slope_in(zone, slip, joint.loss_d, joint.loss)
        return vec2(effort, diagonal)

    @wp.func
    def change_rows(
        contact: int,
        next: wp.array(dtype=int),
        frame: wp.array(dtype=mat33),
        link_direction: vec6,
        rows: wp.array(dtype=Row),
    ):
        """How the residuals of a link's contacts change along the search direction."""
        i = contact
        while i >= 0:
            rows[i].change = frame[i] * linear_at(link_direction, rows[i].arm)
            i = next[i]

    @wp.func
    def advance_rows(contact: int, next: wp.array(dtype=int), alpha: scalar, rows: wp.array(dtype=Row)):
        i = contact
        while i >= 0:
            rows[i].residual = rows[i].residual + alpha * rows[i].change
            i = next[i]

    @wp.func
    def switched_contacts(contact: int, next: wp.array(dtype=int), rows: wp.array(dtype=Row), alpha: scalar):
        """Rows that change sides on the way to alpha: what they add to slope and curvature, and their number."""
        sums = vec3()
        i = contact
        while i >= 0:
            row = rows[i]
            for t in range(2):
                for side in range(2):
                    factor = wp.where(side == 0, row.friction, -row.friction)
                    here = row.residual[0] + factor * row.residual[t + 1]
                    rise = row.change[0] + factor * row.change[t + 1]
                    there = here + alpha * rise
                    if (here < scalar(0.0)) != (there < scalar(0.0)):
                        gain = wp.where(there < scalar(0.0), row.d, -row.d) * rise
                        sums += vec3(gain * there, gain * rise, scalar(1.0))
            i = next[i]
        return sums

    @wp.func
    def switched_joint(joint: Joint, alpha: scalar):
        """The same for the rows of a joint."""
        sums = vec3()
        if joint.limit_sign != scalar(0.0):
            here = joint.limit_sign * joint.acceleration - joint.limit_reference
            rise = joint.limit_sign * joint.direction
            there = here + alpha * rise
            if (here < scalar(0.0)) != (there < scalar(0.0)):
                gain = wp.where(there < scalar(0.0), joint.limit_d, -joint.limit_d) * rise
                sums += vec3(gain * there, gain * rise, scalar(1.0))
        if wp.static(friction_loss):
            if joint.loss > scalar(0.0):
                d = joint.loss_d
                here = joint.acceleration - joint.loss_reference
                rise = joint.direction
                there = here + alpha * rise
                before = friction_zone(here, d, joint.loss)
                after = friction_zone(there, d, joint.loss)
                sums += switched_row(before, after, there, rise, d, joint.loss)
        return sums

    # ---- results -----------------------------------------------------------------------------------------------------

    @wp.func
    def report_forces(
        world: int,
        first_body: int,
        bodies: wp.array(dtype=Body),
        contact: int,
        next: wp.array(dtype=int),
        body: wp.array(dtype=int),
        frame: wp.array(dtype=mat33),
        rows: wp.array(dtype=Row),
        force: wp.array(dtype=vec3),
        body_force: wp.array2d(dtype=vec3),
    ):
        b = first_body
        while b > 0:
            body_force[world, b - 1] = vec3()
            b = bodies[b].next
        i = contact
        while i >= 0:
            own_force = wp.transpose(frame[i]) * pyramid_force(rows[i].friction, rows[i].d, rows[i].residual)
            force[i] = own_force
            body_force[world, body[i] - 1] = body_force[world, body[i] - 1] + own_force
            i = next[i]

    return SimpleNamespace(**locals())
