"""The tree engine's kernels: MuJoCo's constraint problem solved per robot, on a CPU and on a GPU.

The formulae are in formulae.py. Here they are put in order twice. On a CPU one thread has a whole robot and goes
through its links in turn. On a GPU every link has a lane (a thread), 32 or fewer lanes of a warp make a robot, and the
sweeps go through the tree level by level; values of other lanes come by warp shuffles, and all that a lane needs stays
in registers.
"""

import functools
from typing import NamedTuple

import warp as wp

from isaacgym.engine.lanes import lane_exchange, lane_sum
from isaacgym.engine.tree.formulae import tree_functions
from isaacgym.engine.tree.records import FREE

MAX_REGISTERS = 168  # 12 warps on a processor; 0.31 ms for 4096 robots on an H100, 0.33 with 128 or all 254
MAX_UNROLL = 8  # Warp unrolls loops of up to so many rounds: those over axes, not those over links


class TreeKernels(NamedTuple):
    """Kernels of one robot, and the records in their arguments."""

    step: wp.Kernel
    kinematics: wp.Kernel
    compose: wp.Kernel
    lanes: int  # threads per world of step and kinematics
    scalar: type
    records: object  # Link, Body, Inertia, Settings, Row


class Tree(NamedTuple):
    """The robot: arguments of the kernels. First indices `world` have one row for each world or for all.

    Bodies are counted as MuJoCo does, 0 being the world; fields with its names are its own, quaternions wxyz.
    """

    links: wp.array  # (links,) Link; as many as there are lanes, the last of them empty (level -1)
    bodies: wp.array  # (bodies,) Body
    child: wp.array2d  # (links, most children), -1: none
    children: wp.array  # (levels,) most children of a link on each level
    inertia: wp.array2d  # (worlds, links) Inertia, filled by `compose`
    settings: object
    gravity: wp.array  # (worlds,) vec3
    body_pos: wp.array2d  # (worlds, bodies) vec3; only the root's is read
    body_quat: wp.array2d
    body_ipos: wp.array2d
    body_invweight0: wp.array2d
    dof_invweight0: wp.array2d
    dof_armature: wp.array2d
    dof_frictionloss: wp.array2d


class State(NamedTuple):
    """What changes: arguments of the kernels, (worlds, ...) arrays."""

    qpos: wp.array2d
    qvel: wp.array2d
    qacc: wp.array2d  # in: where the solver starts; out: its result
    qfrc_applied: wp.array2d
    added_inertia: wp.array2d  # of drives, on the diagonal; (worlds, dofs)
    xfrc_applied: wp.array2d  # MuJoCo's order: force, torque about the body's centre of mass


class Contacts(NamedTuple):
    """Contacts of all worlds, chained by link: arguments of `step`."""

    first: wp.array2d  # (worlds, links) first contact of a link; -1: none
    next: wp.array  # the link's next contact; -1: none
    body: wp.array
    dist: wp.array
    pos: wp.array  # world
    frame: wp.array  # rows: normal towards the body, two tangents
    friction: wp.array  # vec5
    solref: wp.array
    solimp: wp.array
    rows: wp.array  # Row, filled and used by `step`
    force: wp.array  # out: on the body, world axes


@functools.cache
def tree_kernels(num_links: int, lanes: int, friction_loss: bool, scalar: type) -> TreeKernels:
    """Build the kernels.

    The step's arguments are those of Tree, State and Contacts, and:
        body_force: out, contact force on each body but the world [N], world axes, (worlds, bodies - 1) vec3.
        iterations: out, of Newton's method, (worlds,).

    Args:
        num_links: at most `lanes` on a GPU.
        lanes: threads of one robot; 1 on a CPU, up to 32 on a GPU, a power of two.
        friction_loss: whether any joint has Coulomb friction.
        scalar: wp.float32 or wp.float64.
    """
    f = tree_functions(friction_loss, scalar)
    kernel = functools.partial(
        wp.kernel,
        module="unique",
        module_options={"max_unroll": MAX_UNROLL},
        enable_backward=False,
        cuda_max_registers=MAX_REGISTERS,
    )
    step, kinematics = _on_a_thread(f, num_links, kernel) if lanes == 1 else _on_lanes(f, lanes, kernel)
    return TreeKernels(step, kinematics, _compose(f, kernel), lanes, scalar, f)


def _compose(f, kernel) -> wp.Kernel:
    scalar, vec3, quat, rotation = f.scalar, f.vec3, f.quat, f.rotation
    Link, Body, Inertia = f.Link, f.Body, f.Inertia

    @kernel
    def compose(
        links: wp.array(dtype=Link),
        bodies: wp.array(dtype=Body),
        body_ipos: wp.array2d(dtype=vec3),
        body_iquat: wp.array2d(dtype=quat),
        body_mass: wp.array2d(dtype=scalar),
        body_inertia: wp.array2d(dtype=vec3),
        inertia: wp.array2d(dtype=Inertia),
    ):
        """Inertia of each link from those of its bodies, (worlds, links) threads."""
        world, link = wp.tid()
        total = Inertia()
        b = links[link].first_body
        while b > 0:
            body = bodies[b]
            mass = body_mass[world % body_mass.shape[0], b]
            com = body.offset + wp.quat_rotate(body.turn, body_ipos[world % body_ipos.shape[0], b])
            axes = wp.quat_to_matrix(body.turn * rotation(body_iquat[world % body_iquat.shape[0], b]))
            principal = wp.diag(body_inertia[world % body_inertia.shape[0], b])
            cross = wp.skew(com)
            total.mass += mass
            total.moment += mass * com
            total.about += axes * principal * wp.transpose(axes) - mass * (cross * cross)
            b = body.next
        inertia[world, link] = total

    return compose


def _on_a_thread(f, num_links: int, kernel) -> tuple[wp.Kernel, wp.Kernel]:
    """Step and kinematics with one thread per robot."""
    scalar, vec2, vec3, vec5, vec6, quat, mat33 = f.scalar, f.vec2, f.vec3, f.vec5, f.vec6, f.quat, f.mat33
    Link, Body, Inertia, Settings, Row, Joint = f.Link, f.Body, f.Inertia, f.Settings, f.Row, f.Joint
    rotation, cross_motion, apply_inertia = f.rotation, f.cross_motion, f.apply_inertia
    apply_symmetric, solve_symmetric = f.apply_symmetric, f.solve_symmetric
    move_link, base_turn, base_motion, report_bodies = f.move_link, f.base_turn, f.base_motion, f.report_bodies
    root_drift, inertia_at_origin, newton_euler = f.root_drift, f.inertia_at_origin, f.newton_euler
    applied_wrench, make_joint, make_rows = f.applied_wrench, f.make_joint, f.make_rows
    stiffen, joint_effort, change_rows, advance_rows = f.stiffen, f.joint_effort, f.change_rows, f.advance_rows
    switched_contacts, switched_joint = f.switched_contacts, f.switched_joint
    start_search, next_search, converged = f.start_search, f.next_search, f.converged
    report_forces, integrate_base = f.report_forces, f.integrate_base

    @wp.func
    def move_links(
        links: wp.array(dtype=Link),
        world: int,
        body_pos: wp.array2d(dtype=vec3),
        body_quat: wp.array2d(dtype=quat),
        qpos: wp.array2d(dtype=scalar),
        qvel: wp.array2d(dtype=scalar),
        place: wp.array(dtype=vec3),
        turn: wp.array(dtype=quat),
        motion: wp.array(dtype=vec6),
        velocity: wp.array(dtype=vec6),
    ):
        """Poses of the links relative to O, their joints' motion vectors, and velocities. Returns O in the world."""
        origin = body_pos[world % body_pos.shape[0], 1]
        turn[0] = rotation(body_quat[world % body_quat.shape[0], 1])
        if links[0].joint == wp.static(FREE):
            origin = vec3(qpos[world, 0], qpos[world, 1], qpos[world, 2])
            turn[0] = base_turn(qpos[world])
            velocity[0] = base_motion(qvel[world], turn[0])
        for n in range(1, num_links):
            link = links[n]
            p = link.parent
            angle = qpos[world, link.q]
            rate = qvel[world, link.dof]
            at, rot, axis, speed = move_link(link, angle, rate, place[p], turn[p], velocity[p])
            place[n] = at
            turn[n] = rot
            motion[n] = axis
            velocity[n] = speed
        return origin

    @kernel
    def kinematics(
        links: wp.array(dtype=Link),
        bodies: wp.array(dtype=Body),
        levels: int,
        body_pos: wp.array2d(dtype=vec3),
        body_quat: wp.array2d(dtype=quat),
        body_ipos: wp.array2d(dtype=vec3),
        qpos: wp.array2d(dtype=scalar),
        qvel: wp.array2d(dtype=scalar),
        xpos: wp.array2d(dtype=vec3),
        xquat: wp.array2d(dtype=quat),
        xipos: wp.array2d(dtype=vec3),
        body_velocity: wp.array2d(dtype=vec6),
    ):
        world = wp.tid()
        place = wp.zeros(shape=(num_links,), dtype=vec3)
        turn = wp.zeros(shape=(num_links,), dtype=quat)
        motion = wp.zeros(shape=(num_links,), dtype=vec6)
        velocity = wp.zeros(shape=(num_links,), dtype=vec6)
        origin = move_links(links, world, body_pos, body_quat, qpos, qvel, place, turn, motion, velocity)
        for n in range(num_links):
            report_bodies(
                world, links[n].first_body, bodies, body_ipos, origin, place[n], turn[n], velocity[n], xpos, xquat,
                xipos, body_velocity,
            )  # fmt: skip

    @kernel
    def step(
        links: wp.array(dtype=Link),
        bodies: wp.array(dtype=Body),
        child: wp.array2d(dtype=int),
        children: wp.array(dtype=int),
        inertia: wp.array2d(dtype=Inertia),
        settings: Settings,
        gravity: wp.array(dtype=vec3),
        body_pos: wp.array2d(dtype=vec3),
        body_quat: wp.array2d(dtype=quat),
        body_ipos: wp.array2d(dtype=vec3),
        body_invweight0: wp.array2d(dtype=vec2),
        dof_invweight0: wp.array2d(dtype=scalar),
        dof_armature: wp.array2d(dtype=scalar),
        dof_frictionloss: wp.array2d(dtype=scalar),
        qpos: wp.array2d(dtype=scalar),
        qvel: wp.array2d(dtype=scalar),
        qacc: wp.array2d(dtype=scalar),
        qfrc_applied: wp.array2d(dtype=scalar),
        added_inertia: wp.array2d(dtype=scalar),
        xfrc_applied: wp.array2d(dtype=vec6),
        first: wp.array2d(dtype=int),
        next: wp.array(dtype=int),
        body: wp.array(dtype=int),
        dist: wp.array(dtype=scalar),
        pos: wp.array(dtype=vec3),
        frame: wp.array(dtype=mat33),
        friction: wp.array(dtype=vec5),
        solref: wp.array(dtype=vec2),
        solimp: wp.array(dtype=vec5),
        rows: wp.array(dtype=Row),
        force: wp.array(dtype=vec3),
        body_force: wp.array2d(dtype=vec3),
        iterations: wp.array(dtype=int),
    ):
        world = wp.tid()
        place = wp.zeros(shape=(num_links,), dtype=vec3)
        turn = wp.zeros(shape=(num_links,), dtype=quat)
        motion = wp.zeros(shape=(num_links,), dtype=vec6)
        velocity = wp.zeros(shape=(num_links,), dtype=vec6)
        origin = move_links(links, world, body_pos, body_quat, qpos, qvel, place, turn, motion, velocity)

        joint = wp.zeros(shape=(num_links,), dtype=Joint)
        inertia_o = wp.zeros(shape=(num_links,), dtype=Inertia)
        drift = wp.zeros(shape=(num_links,), dtype=vec6)  # acceleration at zero qacc, minus gravity
        bias = wp.zeros(shape=(num_links,), dtype=vec6)  # wrench that a link needs at zero qacc
        acceleration = wp.zeros(shape=(num_links,), dtype=vec6)  # J qacc
        for n in range(num_links):
            link = links[n]
            if n == 0:
                drift[n] = root_drift(gravity[world % gravity.shape[0]], velocity[n])
                if link.joint == wp.static(FREE):
                    acceleration[n] = base_motion(qacc[world], turn[n])
                    bias[n] = -base_motion(qfrc_applied[world], turn[n])
            else:
                dof = link.dof
                own_inertia = dof_armature[world % dof_armature.shape[0], dof]
                own_inertia += added_inertia[world % added_inertia.shape[0], dof]
                joint[n] = make_joint(
                    link, settings, qpos[world, link.q], qvel[world, dof], qacc[world, dof], qfrc_applied[world, dof],
                    own_inertia, dof_invweight0[world % dof_invweight0.shape[0], dof],
                    dof_frictionloss[world % dof_frictionloss.shape[0], dof],
                )  # fmt: skip
                p = link.parent
                drift[n] = drift[p] + cross_motion(velocity[n], motion[n] * qvel[world, dof])
                acceleration[n] = acceleration[p] + motion[n] * joint[n].acceleration
            own = inertia_at_origin(inertia[world % inertia.shape[0], n], place[n], turn[n])
            inertia_o[n] = own
            needs = newton_euler(own, drift[n], velocity[n])
            needs -= applied_wrench(world, link.first_body, bodies, body_ipos, xfrc_applied, place[n], turn[n])
            bias[n] = bias[n] + needs
            make_rows(
                world, first[world, n], settings.dt, origin, velocity[n], acceleration[n], body_invweight0, next, body,
                dist, pos, frame, friction, solref, solimp, rows,
            )  # fmt: skip

        # articulated inertia [a b; bᵀ c], and the wrench that a subtree still needs
        a = wp.zeros(shape=(num_links,), dtype=mat33)
        b = wp.zeros(shape=(num_links,), dtype=mat33)
        c = wp.zeros(shape=(num_links,), dtype=mat33)
        pull = wp.zeros(shape=(num_links,), dtype=vec6)
        column = wp.zeros(shape=(num_links,), dtype=vec6)  # articulated inertia times the joint's motion
        inverse = wp.zeros(shape=(num_links,), dtype=scalar)
        direction = wp.zeros(shape=(num_links,), dtype=vec6)  # of the links: J times the search direction
        done = bool(False)
        iteration = int(0)
        while iteration < settings.max_iterations and not done:
            iteration += 1
            for n in range(num_links):
                needs = bias[n] + apply_inertia(inertia_o[n], acceleration[n])
                own_a, own_b, own_c, own_pull = stiffen(first[world, n], next, frame, rows, inertia_o[n], needs)
                a[n] = own_a
                b[n] = own_b
                c[n] = own_c
                pull[n] = own_pull
            decrement = scalar(0.0)  # gradientᵀ H⁻¹ gradient
            for t in range(1, num_links):
                n = num_links - t
                p = links[n].parent
                u = apply_symmetric(a[n], b[n], c[n], motion[n])
                effort = joint_effort(joint[n])
                inv = scalar(1.0) / (wp.dot(motion[n], u) + effort[1])
                push = effort[0] - wp.dot(motion[n], pull[n])
                decrement += push * push * inv
                joint[n].direction = push
                inverse[n] = inv
                column[n] = u
                top, bottom = wp.spatial_top(u), wp.spatial_bottom(u)
                a[p] = a[p] + a[n] - wp.outer(top, inv * top)
                b[p] = b[p] + b[n] - wp.outer(top, inv * bottom)
                c[p] = c[p] + c[n] - wp.outer(bottom, inv * bottom)
                pull[p] = pull[p] + pull[n] + u * (push * inv)
            if links[0].joint == wp.static(FREE):
                direction[0] = solve_symmetric(a[0], b[0], c[0], -pull[0])
                decrement -= wp.dot(pull[0], direction[0])
            for n in range(1, num_links):
                p = links[n].parent
                rate = inverse[n] * (joint[n].direction - wp.dot(column[n], direction[p]))
                joint[n].direction = rate
                direction[n] = direction[p] + motion[n] * rate

            for n in range(num_links):
                change_rows(first[world, n], next, frame, direction[n], rows)
            search = start_search()
            searches = int(0)
            while searches < settings.max_searches and not search.done:
                searches += 1
                sums = vec3()
                for n in range(num_links):
                    sums += switched_contacts(first[world, n], next, rows, search.alpha)
                    sums += switched_joint(joint[n], search.alpha)
                search = next_search(search, sums, decrement)
            for n in range(num_links):
                acceleration[n] = acceleration[n] + search.alpha * direction[n]
                joint[n].acceleration = joint[n].acceleration + search.alpha * joint[n].direction
                advance_rows(first[world, n], next, search.alpha, rows)
            done = converged(settings.improvement, settings.tolerance, search, decrement)
        iterations[world] = iteration

        for n in range(num_links):
            link = links[n]
            report_forces(world, link.first_body, bodies, first[world, n], next, body, frame, rows, force, body_force)
            if link.joint == wp.static(FREE):
                integrate_base(settings.dt, turn[n], acceleration[n], qpos[world], qvel[world], qacc[world])
            elif n > 0:
                speed = qvel[world, link.dof] + settings.dt * joint[n].acceleration
                qacc[world, link.dof] = joint[n].acceleration
                qvel[world, link.dof] = speed
                qpos[world, link.q] = qpos[world, link.q] + settings.dt * speed

    return step, kinematics


def _on_lanes(f, lanes: int, kernel) -> tuple[wp.Kernel, wp.Kernel]:
    """Step and kinematics with one lane per link, `lanes` neighbouring threads per robot."""
    scalar, vec2, vec3, vec5, vec6, quat, mat33 = f.scalar, f.vec2, f.vec3, f.vec5, f.vec6, f.quat, f.mat33
    Link, Body, Inertia, Settings, Row, Joint = f.Link, f.Body, f.Inertia, f.Settings, f.Row, f.Joint
    rotation, cross_motion, apply_inertia = f.rotation, f.cross_motion, f.apply_inertia
    apply_symmetric, solve_symmetric = f.apply_symmetric, f.solve_symmetric
    move_link, base_turn, base_motion, report_bodies = f.move_link, f.base_turn, f.base_motion, f.report_bodies
    root_drift, inertia_at_origin, newton_euler = f.root_drift, f.inertia_at_origin, f.newton_euler
    applied_wrench, make_joint, sort_chain, make_rows = f.applied_wrench, f.make_joint, f.sort_chain, f.make_rows
    stiffen, joint_effort, change_rows, advance_rows = f.stiffen, f.joint_effort, f.change_rows, f.advance_rows
    switched_contacts, switched_joint = f.switched_contacts, f.switched_joint
    start_search, next_search, converged = f.start_search, f.next_search, f.converged
    report_forces, integrate_base = f.report_forces, f.integrate_base

    of_lane, over_lanes = lane_exchange(lanes, scalar), lane_sum(lanes, scalar)

    @wp.func
    def move_links(
        link: Link,
        levels: int,
        world: int,
        body_pos: wp.array2d(dtype=vec3),
        body_quat: wp.array2d(dtype=quat),
        qpos: wp.array2d(dtype=scalar),
        qvel: wp.array2d(dtype=scalar),
    ):
        """The link's pose relative to O, its joint's motion vector, and its velocity."""
        place = vec3()
        turn = rotation(body_quat[world % body_quat.shape[0], 1])
        motion = vec6()
        velocity = vec6()
        angle = scalar(0.0)
        rate = scalar(0.0)
        if link.level == 0 and link.joint == wp.static(FREE):
            turn = base_turn(qpos[world])
            velocity = base_motion(qvel[world], turn)
        if link.level > 0:
            angle = qpos[world, link.q]
            rate = qvel[world, link.dof]
        for level in range(1, levels):
            parent_place = of_lane(place, link.parent)
            parent_turn = of_lane(turn, link.parent)
            parent_velocity = of_lane(velocity, link.parent)
            if link.level == level:
                at, rot, axis, speed = move_link(link, angle, rate, parent_place, parent_turn, parent_velocity)
                place = at
                turn = rot
                motion = axis
                velocity = speed
        return place, turn, motion, velocity

    @wp.func
    def base_place(link: Link, world: int, body_pos: wp.array2d(dtype=vec3), qpos: wp.array2d(dtype=scalar)):
        """O in the world, in all lanes."""
        origin = body_pos[world % body_pos.shape[0], 1]
        if link.level == 0 and link.joint == wp.static(FREE):
            origin = vec3(qpos[world, 0], qpos[world, 1], qpos[world, 2])
        return of_lane(origin, 0)

    @kernel
    def kinematics(
        links: wp.array(dtype=Link),
        bodies: wp.array(dtype=Body),
        levels: int,
        body_pos: wp.array2d(dtype=vec3),
        body_quat: wp.array2d(dtype=quat),
        body_ipos: wp.array2d(dtype=vec3),
        qpos: wp.array2d(dtype=scalar),
        qvel: wp.array2d(dtype=scalar),
        xpos: wp.array2d(dtype=vec3),
        xquat: wp.array2d(dtype=quat),
        xipos: wp.array2d(dtype=vec3),
        body_velocity: wp.array2d(dtype=vec6),
    ):
        thread = wp.tid()
        world, lane = thread // lanes, thread % lanes
        link = links[lane]
        origin = base_place(link, world, body_pos, qpos)
        place, turn, _motion, velocity = move_links(link, levels, world, body_pos, body_quat, qpos, qvel)
        report_bodies(
            world, link.first_body, bodies, body_ipos, origin, place, turn, velocity, xpos, xquat, xipos, body_velocity
        )

    @kernel
    def step(
        links: wp.array(dtype=Link),
        bodies: wp.array(dtype=Body),
        child: wp.array2d(dtype=int),
        children: wp.array(dtype=int),
        inertia: wp.array2d(dtype=Inertia),
        settings: Settings,
        gravity: wp.array(dtype=vec3),
        body_pos: wp.array2d(dtype=vec3),
        body_quat: wp.array2d(dtype=quat),
        body_ipos: wp.array2d(dtype=vec3),
        body_invweight0: wp.array2d(dtype=vec2),
        dof_invweight0: wp.array2d(dtype=scalar),
        dof_armature: wp.array2d(dtype=scalar),
        dof_frictionloss: wp.array2d(dtype=scalar),
        qpos: wp.array2d(dtype=scalar),
        qvel: wp.array2d(dtype=scalar),
        qacc: wp.array2d(dtype=scalar),
        qfrc_applied: wp.array2d(dtype=scalar),
        added_inertia: wp.array2d(dtype=scalar),
        xfrc_applied: wp.array2d(dtype=vec6),
        first: wp.array2d(dtype=int),
        next: wp.array(dtype=int),
        body: wp.array(dtype=int),
        dist: wp.array(dtype=scalar),
        pos: wp.array(dtype=vec3),
        frame: wp.array(dtype=mat33),
        friction: wp.array(dtype=vec5),
        solref: wp.array(dtype=vec2),
        solimp: wp.array(dtype=vec5),
        rows: wp.array(dtype=Row),
        force: wp.array(dtype=vec3),
        body_force: wp.array2d(dtype=vec3),
        iterations: wp.array(dtype=int),
    ):
        thread = wp.tid()
        world, lane = thread // lanes, thread % lanes
        levels = children.shape[0]
        link = links[lane]
        origin = base_place(link, world, body_pos, qpos)
        place, turn, motion, velocity = move_links(link, levels, world, body_pos, body_quat, qpos, qvel)

        joint = Joint()
        drift = vec6()  # acceleration at zero qacc, minus gravity
        bias = vec6()  # wrench that the link needs at zero qacc
        acceleration = vec6()  # J qacc
        drift_rate = vec6()
        if link.level == 0:
            drift = root_drift(gravity[world % gravity.shape[0]], velocity)
            if link.joint == wp.static(FREE):
                acceleration = base_motion(qacc[world], turn)
                bias = -base_motion(qfrc_applied[world], turn)
        if link.level > 0:
            dof = link.dof
            own_inertia = dof_armature[world % dof_armature.shape[0], dof]
            own_inertia += added_inertia[world % added_inertia.shape[0], dof]
            joint = make_joint(
                link, settings, qpos[world, link.q], qvel[world, dof], qacc[world, dof], qfrc_applied[world, dof],
                own_inertia, dof_invweight0[world % dof_invweight0.shape[0], dof],
                dof_frictionloss[world % dof_frictionloss.shape[0], dof],
            )  # fmt: skip
            drift_rate = cross_motion(velocity, motion * qvel[world, dof])
        for level in range(1, levels):
            parent_drift = of_lane(drift, link.parent)
            parent_acceleration = of_lane(acceleration, link.parent)
            if link.level == level:
                drift = parent_drift + drift_rate
                acceleration = parent_acceleration + motion * joint.acceleration
        own = Inertia()
        contact = int(-1)
        if link.level >= 0:
            own = inertia_at_origin(inertia[world % inertia.shape[0], lane], place, turn)
            bias += newton_euler(own, drift, velocity)
            bias -= applied_wrench(world, link.first_body, bodies, body_ipos, xfrc_applied, place, turn)
            contact = sort_chain(first[world, lane], next, dist, pos, frame)
            make_rows(
                world, contact, settings.dt, origin, velocity, acceleration, body_invweight0, next, body, dist, pos,
                frame, friction, solref, solimp, rows,
            )  # fmt: skip

        direction = vec6()  # of the link: J times the search direction
        done = bool(False)
        iteration = int(0)
        while iteration < settings.max_iterations and not done:
            iteration += 1
            # articulated inertia [a b; bᵀ c], and the wrench that a subtree still needs
            needs = bias + apply_inertia(own, acceleration)
            own_a, own_b, own_c, own_pull = stiffen(contact, next, frame, rows, own, needs)
            a = own_a
            b = own_b
            c = own_c
            pull = own_pull
            column = vec6()  # articulated inertia times the joint's motion
            inverse = scalar(0.0)
            decrement = scalar(0.0)  # gradientᵀ H⁻¹ gradient
            for up in range(levels):
                level = levels - 1 - up
                for k in range(children[level]):
                    child_lane = int(-1)
                    if link.level == level:
                        child_lane = child[lane, k]
                    source = wp.max(child_lane, 0)
                    child_a = of_lane(a, source)
                    child_b = of_lane(b, source)
                    child_c = of_lane(c, source)
                    child_pull = of_lane(pull, source)
                    if child_lane >= 0:
                        a += child_a
                        b += child_b
                        c += child_c
                        pull += child_pull
                if link.level == level and level > 0:
                    column = apply_symmetric(a, b, c, motion)
                    effort = joint_effort(joint)
                    inverse = scalar(1.0) / (wp.dot(motion, column) + effort[1])
                    push = effort[0] - wp.dot(motion, pull)
                    decrement = push * push * inverse
                    joint.direction = push
                    top, bottom = wp.spatial_top(column), wp.spatial_bottom(column)
                    a -= wp.outer(top, inverse * top)
                    b -= wp.outer(top, inverse * bottom)
                    c -= wp.outer(bottom, inverse * bottom)
                    pull += column * (push * inverse)
            if link.level == 0 and link.joint == wp.static(FREE):
                direction = solve_symmetric(a, b, c, -pull)
                decrement = -wp.dot(pull, direction)
            for level in range(1, levels):
                parent_direction = of_lane(direction, link.parent)
                if link.level == level:
                    speed = inverse * (joint.direction - wp.dot(column, parent_direction))
                    joint.direction = speed
                    direction = parent_direction + motion * speed
            decrement = over_lanes(decrement, lane)

            change_rows(contact, next, frame, direction, rows)
            search = start_search()
            searches = int(0)
            while searches < settings.max_searches and not search.done:
                searches += 1
                sums = switched_contacts(contact, next, rows, search.alpha) + switched_joint(joint, search.alpha)
                sums = vec3(over_lanes(sums[0], lane), over_lanes(sums[1], lane), over_lanes(sums[2], lane))
                search = next_search(search, sums, decrement)
            acceleration += search.alpha * direction
            joint.acceleration = joint.acceleration + search.alpha * joint.direction
            advance_rows(contact, next, search.alpha, rows)
            done = converged(settings.improvement, settings.tolerance, search, decrement)
        if lane == 0:
            iterations[world] = iteration

        if link.level >= 0:
            report_forces(world, link.first_body, bodies, contact, next, body, frame, rows, force, body_force)
        if link.level == 0 and link.joint == wp.static(FREE):
            integrate_base(settings.dt, turn, acceleration, qpos[world], qvel[world], qacc[world])
        if link.level > 0:
            dof = link.dof
            rate = qvel[world, dof] + settings.dt * joint.acceleration
            qacc[world, dof] = joint.acceleration
            qvel[world, dof] = rate
            qpos[world, link.q] = qpos[world, link.q] + settings.dt * rate

    return step, kinematics
