"""How one link moves: its pose and velocity, the forces that its motion needs, and the base's next state."""

import functools
from types import SimpleNamespace

import warp as wp

from isaacgym.engine.constraints import MIN_VALUE
from isaacgym.engine.scalars import types_of
from isaacgym.engine.tree.records import HINGE, tree_records
from isaacgym.engine.tree.spatial import spatial_functions


@functools.cache
def motion_functions(scalar: type) -> SimpleNamespace:
    """Warp functions. scalar: wp.float32 or wp.float64."""
    t, r, s = types_of(scalar), tree_records(scalar), spatial_functions(scalar)
    vec3, vec6, quat = t.vec3, t.vec6, t.quat
    Link, Body, Inertia = r.Link, r.Body, r.Inertia
    spatial, cross_force, wrench, apply_inertia = s.spatial, s.cross_force, s.wrench, s.apply_inertia

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

    # ---- the new state -----------------------------------------------------------------------------------------------

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
