"""What one simulation step does to one link of a robot: the formulae of the tree engine.

The derivation is in tree.md. All spatial quantities of a robot are expressed in world axes at one point, the origin O
of its base, as (angular, linear) pairs, so that nothing is transformed on the way through the tree. Contacts and
inertia meet at the links: the Newton matrix H = M + JᵀDJ is that of links with inertia I + K, where K is what the
active contact rows of the link add, and Featherstone's articulated-body recursion solves with it in one sweep from the
leaves to the base and one back.

A link is a body with a joint, and the bodies that are fixed to it. Everything is generic in the scalar type: float32 in
simulations, float64 in tests against C MuJoCo.
"""

import functools
from types import SimpleNamespace

import warp as wp

WELD, HINGE, SLIDE, FREE = 0, 1, 2, 3  # how a link moves against its parent; a root is welded or free
QUADRATIC, OFF = 0, 2  # zones of a row's cost; -1 and 1: linear
MIN_VALUE = 1e-15  # mjMINVAL
MIN_IMPEDANCE, MAX_IMPEDANCE = 0.0001, 0.9999  # mjMINIMP, mjMAXIMP
SLOPE = 0.01  # of the cost where a line search stops, relative to that where it starts; measured in tree.md
ROUNDING = 1.0e-4  # of the improvement that is left when Newton's step was exact but for float32; measured in tree.md


@functools.cache
def tree_records(scalar: type) -> SimpleNamespace:
    """Types of the kernels' arguments and variables, for wp.float32 or wp.float64."""
    double = scalar is wp.float64
    vec2, vec3, vec6 = (wp.vec2d, wp.vec3d, wp.spatial_vectord) if double else (wp.vec2f, wp.vec3f, wp.spatial_vectorf)
    mat33 = wp.mat33d if double else wp.mat33f
    quat = wp.quatd if double else wp.quatf
    vec5 = wp.types.vector(length=5, dtype=scalar)

    @wp.struct
    class Link:
        level: int  # in the sweeps, 0: root, -1: no link; parents come before their children
        parent: int
        joint: int  # WELD, HINGE, SLIDE or FREE
        dof: int  # first coordinate in qvel
        q: int  # and in qpos
        first_body: int  # the link's bodies are a chain that ends with 0
        axis: vec3  # of a hinge or slide, in the link's frame
        pos: vec3  # of the link's frame in its parent's [m]; the root's is body_pos[world, 1]
        rot: quat
        lower: scalar  # joint limits; beyond any angle where there is none
        upper: scalar

    @wp.struct
    class Body:
        next: int  # of the same link; 0: none
        offset: vec3  # of the body's frame in its link's [m]
        turn: quat

    @wp.struct
    class Inertia:
        mass: scalar
        moment: vec3  # mass times centre of mass
        about: mat33  # rotational inertia about the frame's origin

    @wp.struct
    class Settings:
        max_iterations: int
        max_searches: int
        tolerance: scalar
        improvement: scalar  # per unit of gradientᵀ H⁻¹ gradient, as MuJoCo scales it
        dt: scalar
        limit_solref: vec2
        limit_solimp: vec5
        friction_solref: vec2
        friction_solimp: vec5

    @wp.struct
    class Row:
        arm: vec3  # the contact's position relative to O
        friction: scalar
        d: scalar  # D of each edge of the pyramid
        residual: vec3  # J qacc - reference along normal and tangents; see pyramid_force
        change: vec3  # of the residual along the search direction

    @wp.struct
    class Joint:
        """A link's joint during the solution."""

        acceleration: scalar
        applied: scalar  # force
        inertia: scalar  # armature and what drives add
        limit_sign: scalar  # 0: not at a limit
        limit_d: scalar
        limit_reference: scalar
        loss: scalar  # bound of the Coulomb friction, 0: none
        loss_d: scalar
        loss_reference: scalar
        direction: scalar

    @wp.struct
    class Search:
        """A line search: the root of the cost's slope along the direction, by Newton's method in brackets."""

        alpha: scalar
        low: scalar
        high: scalar  # below low: unbounded so far
        same_rows: bool  # no row changes sides up to alpha
        done: bool

    return SimpleNamespace(**locals())


@functools.cache
def tree_functions(friction_loss: bool, scalar: type) -> SimpleNamespace:
    """Functions of the kernels, with the records of `tree_records`.

    Args:
        friction_loss: whether any joint has Coulomb friction.
        scalar: wp.float32 or wp.float64.
    """
    r = tree_records(scalar)
    vec2, vec3, vec5, vec6, quat, mat33 = r.vec2, r.vec3, r.vec5, r.vec6, r.quat, r.mat33
    Link, Body, Inertia, Settings, Row, Joint, Search = r.Link, r.Body, r.Inertia, r.Settings, r.Row, r.Joint, r.Search

    # ---- spatial algebra at one point, world axes (Featherstone, Rigid Body Dynamics Algorithms, chapter 2) ----------

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

    # ---- kinematics --------------------------------------------------------------------------------------------------

    @wp.func
    def move_link(
        link: Link, angle: scalar, rate: scalar, parent_place: vec3, parent_turn: quat, parent_velocity: vec6
    ):
        """Pose of a link relative to O, its joint's motion vector, and its velocity."""
        place = parent_place + wp.quat_rotate(parent_turn, link.pos)
        turn = parent_turn * link.rot
        axis = wp.quat_rotate(turn, link.axis)
        motion = spatial(axis, wp.cross(place, axis))
        if link.joint == wp.static(HINGE):
            turn = turn * wp.quat_from_axis_angle(link.axis, angle)
        else:
            place += axis * angle
            motion = spatial(vec3(), axis)
        return place, turn, motion, parent_velocity + motion * rate

    @wp.func
    def base_turn(q: wp.array(dtype=scalar)):
        return wp.normalize(quat(q[4], q[5], q[6], q[3]))

    @wp.func
    def base_motion(v: wp.array(dtype=scalar), turn: quat):
        """MuJoCo's coordinates of the base, linear in the world and angular in the body, as a motion at O."""
        return spatial(wp.quat_rotate(turn, vec3(v[3], v[4], v[5])), vec3(v[0], v[1], v[2]))

    @wp.func
    def report_bodies(
        world: int,
        first_body: int,
        bodies: wp.array(dtype=Body),
        body_ipos: wp.array2d(dtype=vec3),
        origin: vec3,
        place: vec3,
        turn: quat,
        velocity: vec6,
        xpos: wp.array2d(dtype=vec3),
        xquat: wp.array2d(dtype=quat),
        xipos: wp.array2d(dtype=vec3),
        body_velocity: wp.array2d(dtype=vec6),
    ):
        """Poses of a link's bodies, their centres of mass, and velocities: angular, and linear of the centre."""
        omega = wp.spatial_top(velocity)
        b = first_body
        while b > 0:
            body = bodies[b]
            at = place + wp.quat_rotate(turn, body.offset)
            rot = turn * body.turn
            com = at + wp.quat_rotate(rot, body_ipos[world % body_ipos.shape[0], b])
            xpos[world, b] = origin + at
            xquat[world, b] = quat(rot[3], rot[0], rot[1], rot[2])
            xipos[world, b] = origin + com
            body_velocity[world, b - 1] = spatial(omega, wp.spatial_bottom(velocity) + wp.cross(omega, com))
            b = body.next

    # ---- forces at the old state -------------------------------------------------------------------------------------

    @wp.func
    def root_drift(gravity: vec3, velocity: vec6):
        """Acceleration of the base at zero qacc, minus gravity.

        Its linear coordinates are those of a moving point, hence v x omega; see tree.md.
        """
        return spatial(vec3(), wp.cross(wp.spatial_bottom(velocity), wp.spatial_top(velocity)) - gravity)

    @wp.func
    def inertia_at_origin(local: Inertia, place: vec3, turn: quat):
        """From the link's frame to O and world axes, by the parallel-axis theorem."""
        axes = wp.quat_to_matrix(turn)
        com = axes * local.moment  # times mass, from the link's origin
        cross, cross_com = wp.skew(place), wp.skew(com)
        mixed = cross * cross_com
        result = Inertia()
        result.mass = local.mass
        result.moment = com + local.mass * place
        result.about = axes * local.about * wp.transpose(axes)
        result.about -= mixed + wp.transpose(mixed) + local.mass * (cross * cross)
        return result

    @wp.func
    def newton_euler(inertia: Inertia, drift: vec6, velocity: vec6):
        """The wrench that a link needs at zero joint acceleration."""
        return apply_inertia(inertia, drift) + cross_force(velocity, apply_inertia(inertia, velocity))

    @wp.func
    def applied_wrench(
        world: int,
        first_body: int,
        bodies: wp.array(dtype=Body),
        body_ipos: wp.array2d(dtype=vec3),
        xfrc_applied: wp.array2d(dtype=vec6),
        place: vec3,
        turn: quat,
    ):
        """What is applied to the bodies of a link, at O."""
        total = vec6()
        b = first_body
        while b > 0:
            body = bodies[b]
            external = xfrc_applied[world, b]
            com = body.offset + wp.quat_rotate(body.turn, body_ipos[world % body_ipos.shape[0], b])
            total += wrench(wp.spatial_top(external), place + wp.quat_rotate(turn, com))
            total += spatial(wp.spatial_bottom(external), vec3())
            b = body.next
        return total

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

    @wp.func
    def integrate_base(
        dt: scalar,
        turn: quat,
        acceleration: vec6,
        qpos: wp.array(dtype=scalar),
        qvel: wp.array(dtype=scalar),
        qacc: wp.array(dtype=scalar),
    ):
        """Semi-implicit Euler: velocities first, then the pose with the new velocities."""
        omega_dot_b = wp.quat_rotate_inv(turn, wp.spatial_top(acceleration))
        linear = wp.spatial_bottom(acceleration)
        omega_b = vec3()
        for k in range(3):
            qacc[k] = linear[k]
            qacc[3 + k] = omega_dot_b[k]
            v = qvel[k] + dt * linear[k]
            omega_b[k] = qvel[3 + k] + dt * omega_dot_b[k]
            qvel[k] = v
            qvel[3 + k] = omega_b[k]
            qpos[k] = qpos[k] + dt * v
        speed = wp.length(omega_b)
        rot = turn
        if speed > scalar(MIN_VALUE):
            rot = wp.normalize(rot * wp.quat_from_axis_angle(omega_b / speed, speed * dt))
        qpos[3] = rot[3]
        for k in range(3):
            qpos[4 + k] = rot[k]

    return SimpleNamespace(**locals())
