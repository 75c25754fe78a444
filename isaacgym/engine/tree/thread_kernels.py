"""The tree engine on a CPU: one thread has a whole robot and goes through its links in turn."""

import warp as wp

from isaacgym.engine.tree.records import FREE


def on_a_thread(f, num_links: int, kernel) -> tuple[wp.Kernel, wp.Kernel]:
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
