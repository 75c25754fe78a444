"""MuJoCo's constraint problem as MuJoCo Warp states it, solved in one kernel per step.

With the joint acceleration a, the mass matrix M, the smooth forces f and the constraint rows x = J a - reference, the
solution minimises  ½ aᵀ M a - fᵀ a + Σ s(x), where s is a row's cost: ½ D x² while it pushes (MuJoCo's documentation,
Computation, "Constraint model"). Newton's method with an exact line search is MuJoCo's as well; MuJoCo Warp takes about
ten kernels for one of its iterations, and all robots wait for the slowest one. Here every robot stops when it is done.

On a GPU a warp has a robot: each lane (thread) keeps some degrees of freedom, rows of M and of Newton's matrix, in
registers, and has every 32nd constraint row. On a CPU one thread keeps and has them all.
"""

import functools

import mujoco
import mujoco_warp as mjw
import warp as wp

from isaacgym.engine.constraints import OFF, QUADRATIC, constraint_functions
from isaacgym.engine.lanes import WARP_SIZE, lane_exchange, lane_sum
from isaacgym.engine.model import improvement_scale

BLOCK = 64  # threads
MAX_DENSE = 60  # degrees of freedom up to which MuJoCo Warp has a dense Jacobian


class NewtonSolver:
    """Solves `data`'s problem in place of `mujoco_warp.solve`; MuJoCo Warp's smooth acceleration is not needed.

    The Jacobian has to be dense. `data.qacc`, `data.efc.force` and `data.solver_niter` are its results.
    """

    def __init__(self, mj_model: mujoco.MjModel, model: mjw.Model, data: mjw.Data) -> None:
        lanes = WARP_SIZE if data.qpos.device.is_cuda else 1
        d, efc = data, data.efc
        options = [mj_model.opt.iterations, mj_model.opt.ls_iterations, mj_model.opt.tolerance]
        forces = [d.qfrc_applied, d.qfrc_passive, d.qfrc_bias, d.qfrc_smooth]
        problem = [model.M_elemid, d.M, *forces, d.qacc_warmstart, d.ne, d.nf, d.nefc, efc.J]
        residual, change = wp.empty_like(efc.aref), wp.empty_like(efc.aref)
        self._launch = wp.launch(
            newton_kernel(mj_model.nv, lanes),
            dim=d.nworld * lanes,
            inputs=[*options, improvement_scale(mj_model), *problem, efc.D, efc.aref, efc.frictionloss],
            outputs=[residual, change, d.qacc, efc.force, d.solver_niter],
            block_dim=BLOCK,
            device=data.qpos.device,
            record_cmd=True,
        )
        self._model, self._data = model, data

    def solve(self) -> None:
        """From the positions' and velocities' stages, `qfrc_applied` and `xfrc_applied`."""
        self._data.qfrc_smooth.zero_()
        mjw.xfrc_accumulate(self._model, self._data, self._data.qfrc_smooth)
        self._launch.launch()


class SparseSolver:
    """MuJoCo Warp's own solver behind the interface of `NewtonSolver`, for more than MAX_DENSE degrees of freedom."""

    def __init__(self, mj_model: mujoco.MjModel, model: mjw.Model, data: mjw.Data) -> None:
        self._model, self._data = model, data

    def solve(self) -> None:
        """As `NewtonSolver.solve`."""
        mjw.fwd_acceleration(self._model, self._data, factorize=True)
        mjw.solve(self._model, self._data)


@functools.cache
def newton_kernel(num_dofs: int, lanes: int) -> wp.Kernel:
    """lanes: threads of one robot, 1 on a CPU."""
    own_dofs = -(-num_dofs // lanes)
    vec = wp.types.vector(length=num_dofs, dtype=float)
    own_vec = wp.types.vector(length=own_dofs, dtype=float)
    own_rows = wp.types.matrix(shape=(own_dofs, num_dofs), dtype=float)
    of_lane, over_lanes = lane_exchange(lanes), lane_sum(lanes)
    f = constraint_functions(wp.float32)
    friction_zone, switched_row = f.friction_zone, f.switched_row
    slope_in, stiffness_in = f.slope_in, f.stiffness_in
    start_search, next_search, converged = f.start_search, f.next_search, f.converged

    @wp.func
    def zone_of(row: int, equalities: int, frictions: int, x: float, weight: float, loss: float):
        """Equality rows come first, then dry friction, then those that only push."""
        if row < equalities:
            return wp.static(QUADRATIC)
        if row < equalities + frictions:
            return friction_zone(x, weight, loss)
        return wp.where(x < 0.0, wp.static(QUADRATIC), wp.static(OFF))

    @wp.func
    def switched(
        row: int, equalities: int, frictions: int, here: float, rise: float, alpha: float, weight: float, loss: float
    ):
        """`switched_row` for a row of any kind, up to alpha."""
        there = here + alpha * rise
        before = zone_of(row, equalities, frictions, here, weight, loss)
        after = zone_of(row, equalities, frictions, there, weight, loss)
        return switched_row(before, after, there, rise, weight, loss)

    @wp.func
    def dot_row(jacobian: wp.array(dtype=float), v: vec):
        total = float(0.0)
        for j in range(num_dofs):
            total += jacobian[j] * v[j]
        return total

    @wp.func
    def of_all(own: own_vec):
        """A vector, from the parts that the lanes have."""
        total = vec()
        for j in range(num_dofs):
            total[j] = of_lane(own[j // lanes], j % lanes)
        return total

    @wp.func
    def solve_linear(matrix: own_rows, right: own_vec, lane: int):
        """Gauss and Jordan's elimination; a positive definite matrix needs no pivoting."""
        left = matrix
        solution = right
        pivot = own_vec()
        for k in range(num_dofs):
            inverse = 1.0 / of_lane(left[k // lanes, k], k % lanes)
            factor = own_vec()
            for s in range(own_dofs):
                factor[s] = left[s, k] * inverse
                if s * lanes + lane == k:
                    factor[s] = 0.0
                    pivot[s] = inverse
            for j in range(k, num_dofs):
                above = of_lane(left[k // lanes, j], k % lanes)
                for s in range(own_dofs):
                    left[s, j] -= factor[s] * above
            above = of_lane(solution[k // lanes], k % lanes)
            solution -= factor * above
        return wp.cw_mul(solution, pivot)

    @wp.func
    def solve_alone(matrix: own_rows, right: own_vec, lane: int):
        """L D Lᵀ of the lower triangle, by the only thread of a robot."""
        left = matrix
        solution = right
        for k in range(num_dofs):
            inverse = 1.0 / left[k, k]
            for i in range(k + 1, num_dofs):
                factor = left[i, k] * inverse
                if factor != 0.0:
                    for j in range(k + 1, i + 1):
                        left[i, j] -= factor * left[j, k]
                    solution[i] -= factor * solution[k]
        for back in range(num_dofs):
            k = num_dofs - 1 - back
            total = solution[k]
            for i in range(k + 1, num_dofs):
                total -= left[i, k] * solution[i]
            solution[k] = total / left[k, k]
        return solution

    solve_system = solve_alone if lanes == 1 else solve_linear

    @wp.kernel(
        module="unique",
        module_options={"max_unroll": num_dofs if lanes > 1 else 1},
        enable_backward=False,
    )
    def solve(
        max_iterations: int,
        max_searches: int,
        tolerance: float,
        improvement: float,
        element: wp.array2d(dtype=int),
        mass: wp.array2d(dtype=float),
        applied: wp.array2d(dtype=float),
        passive: wp.array2d(dtype=float),
        bias: wp.array2d(dtype=float),
        on_bodies: wp.array2d(dtype=float),
        start: wp.array2d(dtype=float),
        num_equalities: wp.array(dtype=int),
        num_frictions: wp.array(dtype=int),
        num_rows: wp.array(dtype=int),
        jacobian: wp.array3d(dtype=float),
        weight: wp.array2d(dtype=float),
        reference: wp.array2d(dtype=float),
        loss: wp.array2d(dtype=float),
        residual: wp.array2d(dtype=float),
        change: wp.array2d(dtype=float),
        acceleration: wp.array2d(dtype=float),
        force: wp.array2d(dtype=float),
        iterations: wp.array(dtype=int),
    ):
        """element: as Model.M_elemid. residual, change: scratch, x and its change along the search direction."""
        thread = wp.tid()
        world, lane = thread // lanes, thread % lanes
        equalities, frictions = num_equalities[world], num_frictions[world]
        rows = wp.min(num_rows[world], residual.shape[1])

        inertia = own_rows()
        smooth = own_vec()
        a = vec()
        for j in range(num_dofs):
            a[j] = start[world, j]
        for s in range(own_dofs):
            i = s * lanes + lane
            if i < num_dofs:
                smooth[s] = applied[world, i] + passive[world, i] - bias[world, i] + on_bodies[world, i]
                for j in range(num_dofs):
                    address = element[wp.max(i, j), wp.min(i, j)]
                    if address >= 0:
                        inertia[s, j] = mass[world, address]
        for row in range(lane, rows, lanes):
            residual[world, row] = dot_row(jacobian[world, row], a) - reference[world, row]

        done = bool(False)
        iteration = int(0)
        while iteration < max_iterations and not done:
            iteration += 1
            hessian = inertia
            descent = smooth - inertia * a  # minus the gradient
            for first in range(0, rows, lanes):
                slope = float(0.0)
                stiffness = float(0.0)
                own = first + lane
                if own < rows:
                    zone = zone_of(
                        own, equalities, frictions, residual[world, own], weight[world, own], loss[world, own]
                    )
                    slope = slope_in(zone, residual[world, own], weight[world, own], loss[world, own])
                    stiffness = stiffness_in(zone, weight[world, own])
                for t in range(wp.min(lanes, rows - first)):
                    row_slope, row_stiffness = of_lane(slope, t), of_lane(stiffness, t)
                    if row_slope != 0.0 or row_stiffness != 0.0:
                        for s in range(own_dofs):
                            i = wp.min(s * lanes + lane, num_dofs - 1)
                            entry = jacobian[world, first + t, i]
                            descent[s] -= row_slope * entry
                            if wp.static(lanes == 1):
                                if entry != 0.0:  # a contact moves few joints; the lower triangle is enough
                                    for j in range(s + 1):
                                        hessian[s, j] += row_stiffness * entry * jacobian[world, first + t, j]
                            else:
                                for j in range(num_dofs):
                                    hessian[s, j] += row_stiffness * entry * jacobian[world, first + t, j]
            own_direction = solve_system(hessian, descent, lane)
            direction = of_all(own_direction)
            decrement = float(0.0)
            for s in range(own_dofs):
                if s * lanes + lane < num_dofs:
                    decrement += descent[s] * own_direction[s]
            decrement = over_lanes(decrement, lane)

            for row in range(lane, rows, lanes):
                change[world, row] = dot_row(jacobian[world, row], direction)
            search = start_search()
            searches = int(0)
            while searches < max_searches and not search.done:
                searches += 1
                sums = wp.vec3()
                for row in range(lane, rows, lanes):
                    sums += switched(
                        row, equalities, frictions, residual[world, row], change[world, row], search.alpha,
                        weight[world, row], loss[world, row],
                    )  # fmt: skip
                sums = wp.vec3(over_lanes(sums[0], lane), over_lanes(sums[1], lane), over_lanes(sums[2], lane))
                search = next_search(search, sums, decrement)
            a += search.alpha * direction
            for row in range(lane, rows, lanes):
                residual[world, row] = residual[world, row] + search.alpha * change[world, row]
            done = converged(improvement, tolerance, search, decrement)

        if lane == 0:
            iterations[world] = iteration
            for j in range(num_dofs):
                acceleration[world, j] = a[j]
        for row in range(lane, rows, lanes):
            zone = zone_of(row, equalities, frictions, residual[world, row], weight[world, row], loss[world, row])
            force[world, row] = -slope_in(zone, residual[world, row], weight[world, row], loss[world, row])

    return solve
