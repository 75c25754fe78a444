"""The tree engine on a GPU: every link has a lane (a thread), and 32 or fewer lanes of a warp make a robot.

The sweeps go through the tree level by level; values of other lanes come by warp shuffles, and all that a lane needs
stays in registers.
"""

import warp as wp

from isaacgym.engine.lanes import lane_exchange, lane_sum
from isaacgym.engine.tree.records import FREE


def on_lanes(f, lanes: int, kernel) -> tuple[wp.Kernel, wp.Kernel]:
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
