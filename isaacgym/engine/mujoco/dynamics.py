"""Jacobians and inertia matrices in Isaac Gym's coordinates, computed on demand.

MuJoCo's base coordinates are the velocity of the base's origin in the world and its angular velocity in the body.
Isaac Gym's are the velocity of the base's centre of mass and its angular velocity, both in the world, as in the root
tensor. With r from origin to centre of mass and R from body to world axes: v_origin = v_com + r x w, w_b = R^T w.
"""

from __future__ import annotations

import mujoco_warp as mjw
import warp as wp


def link_jacobians(
    model: mjw.Model, data: mjw.Data, fixed_base: bool, out: wp.array, root: int = 1, first_column: int = 0
) -> None:
    """out: (n, links, 6, nv); the fixed base, which cannot move, is not among the links. See `_link_jacobians`.

    Of several robots: of the one whose body `root` is the first and whose velocities start at `first_column`.
    """
    n, links, _, columns = out.shape
    wp.launch(
        _link_jacobians,
        dim=(n, links, columns),
        inputs=[
            root,
            first_column,
            fixed_base,
            model.body_rootid,
            model.body_isdofancestor,
            data.xipos,
            data.subtree_com,
            data.cdof,
        ],
        outputs=[out],
    )


def inertia_matrices(
    model: mjw.Model, data: mjw.Data, fixed_base: bool, out: wp.array, root: int = 1, first_column: int = 0
) -> None:
    """Joint-space inertia with armature, (n, nv, nv), in the coordinates of the Jacobians' columns; see there."""
    n, columns, _ = out.shape
    full = wp.empty(out.shape, dtype=float)
    wp.launch(_full_matrix, dim=out.shape, inputs=[first_column, model.M_elemid, data.M], outputs=[full])
    if fixed_base:
        wp.copy(out, full)
        return
    half = wp.empty(out.shape, dtype=float)
    inputs = [root, data.xpos, data.xipos, data.xmat]
    wp.launch(_change_base_columns, dim=(n, columns), inputs=[full, *inputs], outputs=[half])
    wp.launch(_change_base_columns, dim=(n, columns), inputs=[half, *inputs], outputs=[out])  # it transposes


@wp.kernel(enable_backward=False)
def _link_jacobians(
    root: int,
    first_column: int,
    fixed_base: bool,
    body_rootid: wp.array(dtype=int),
    body_isdofancestor: wp.array2d(dtype=int),
    xipos: wp.array2d(dtype=wp.vec3),
    subtree_com: wp.array2d(dtype=wp.vec3),
    cdof: wp.array2d(dtype=wp.spatial_vector),
    out: wp.array4d(dtype=float),
):
    """Rows: velocity of the link's centre of mass, angular velocity; world axes. Columns: base (if free), joints."""
    world, link, column = wp.tid()
    body = link + wp.where(fixed_base, root + 1, root)
    dof = first_column + column
    linear = wp.vec3(0.0)
    angular = wp.vec3(0.0)
    if not fixed_base and column < 6:
        axis = wp.vec3(0.0)
        axis[column % 3] = 1.0
        if column < 3:
            linear = axis
        else:
            angular = axis
            linear = wp.cross(axis, xipos[world, body] - xipos[world, root])
    elif body_isdofancestor[body, dof] != 0:
        angular = wp.spatial_top(cdof[world, dof])
        arm = xipos[world, body] - subtree_com[world, body_rootid[body]]
        linear = wp.spatial_bottom(cdof[world, dof]) + wp.cross(angular, arm)
    for k in range(3):
        out[world, link, k, column] = linear[k]
        out[world, link, 3 + k, column] = angular[k]


@wp.kernel(enable_backward=False)
def _full_matrix(
    first: int, element: wp.array2d(dtype=int), sparse: wp.array2d(dtype=float), out: wp.array3d(dtype=float)
):
    """`element` maps (row, column <= row) to an entry of `sparse`, or to -1; `out` starts at `first` of both."""
    world, i, j = wp.tid()
    address = element[first + wp.max(i, j), first + wp.min(i, j)]
    out[world, i, j] = wp.where(address >= 0, sparse[world, wp.max(address, 0)], 0.0)


@wp.kernel(enable_backward=False)
def _change_base_columns(
    matrix: wp.array3d(dtype=float),
    root: int,
    xpos: wp.array2d(dtype=wp.vec3),
    xipos: wp.array2d(dtype=wp.vec3),
    xmat: wp.array2d(dtype=wp.mat33),
    out: wp.array3d(dtype=float),
):
    """One row of (matrix · T)^T, with T from Isaac Gym's base velocity to MuJoCo's."""
    world, row = wp.tid()
    force = wp.vec3(matrix[world, row, 0], matrix[world, row, 1], matrix[world, row, 2])
    torque_b = wp.vec3(matrix[world, row, 3], matrix[world, row, 4], matrix[world, row, 5])
    arm = xipos[world, root] - xpos[world, root]
    # f · (r x w) + t_b · R^T w = (f x r + R t_b) · w
    torque = wp.cross(force, arm) + xmat[world, root] * torque_b
    for k in range(3):
        out[world, k, row] = force[k]
        out[world, 3 + k, row] = torque[k]
    for column in range(6, matrix.shape[2]):
        out[world, column, row] = matrix[world, row, column]
