"""Between MuJoCo's state and Isaac Gym's tensors.

MuJoCo keeps quaternions wxyz, the linear velocity of the base at its origin in the world and its angular velocity in
the body. Isaac Gym has quaternions xyzw, the linear velocity of a body's centre of mass and both velocities in the
world. Poses are those of the body's origin in both.
"""

from __future__ import annotations

import warp as wp

from isaacgym.engine.launch import launchable

STATE_WIDTH = 13  # position 0:3, quaternion xyzw 3:7, linear velocity 7:10, angular velocity 10:13


@wp.func
def rotation_xyzw(wxyz: wp.quat) -> wp.quat:
    """Warp's own order (xyzw) of a quaternion whose four numbers are stored as wxyz."""
    return wp.quat(wxyz[1], wxyz[2], wxyz[3], wxyz[0])


@wp.func
def store_state(
    out: wp.array3d(dtype=float), world: int, row: int, pos: wp.vec3, rot: wp.quat, linear: wp.vec3, angular: wp.vec3
):
    for k in range(3):
        out[world, row, k] = pos[k]
        out[world, row, 7 + k] = linear[k]
        out[world, row, 10 + k] = angular[k]
    for k in range(4):
        out[world, row, 3 + k] = rot[k]


@launchable
@wp.kernel(enable_backward=False)
def read_root_states(
    qpos: wp.array2d(dtype=float),
    qvel: wp.array2d(dtype=float),
    root_com: wp.array2d(dtype=wp.vec3),
    out: wp.array3d(dtype=float),
):
    """out: (num_worlds, 1, 13). root_com: centre of mass of each body in its frame, body 1 is the root."""
    world = wp.tid()
    pos = wp.vec3(qpos[world, 0], qpos[world, 1], qpos[world, 2])
    rot = wp.quat(qpos[world, 4], qpos[world, 5], qpos[world, 6], qpos[world, 3])
    angular = wp.quat_rotate(rot, wp.vec3(qvel[world, 3], qvel[world, 4], qvel[world, 5]))
    arm = wp.quat_rotate(rot, root_com[world, 1])
    linear = wp.vec3(qvel[world, 0], qvel[world, 1], qvel[world, 2]) + wp.cross(angular, arm)
    store_state(out, world, 0, pos, rot, linear, angular)


@launchable
@wp.kernel(enable_backward=False)
def write_root_states(
    states: wp.array2d(dtype=float),
    world_ids: wp.array(dtype=int),
    root_com: wp.array2d(dtype=wp.vec3),
    qpos: wp.array2d(dtype=float),
    qvel: wp.array2d(dtype=float),
    qacc_warmstart: wp.array2d(dtype=float),
):
    """States of the listed worlds into MuJoCo's coordinates; ids below 0 are skipped. states: (num_worlds, 13)."""
    world = world_ids[wp.tid()]
    if world < 0 or world >= qpos.shape[0]:
        return
    rot = wp.normalize(wp.quat(states[world, 3], states[world, 4], states[world, 5], states[world, 6]))
    angular = wp.vec3(states[world, 10], states[world, 11], states[world, 12])
    arm = wp.quat_rotate(rot, root_com[world, 1])
    linear = wp.vec3(states[world, 7], states[world, 8], states[world, 9]) - wp.cross(angular, arm)
    angular_b = wp.quat_rotate_inv(rot, angular)
    for k in range(3):
        qpos[world, k] = states[world, k]
        qpos[world, 4 + k] = rot[k]
        qvel[world, k] = linear[k]
        qvel[world, 3 + k] = angular_b[k]
    qpos[world, 3] = rot[3]
    for k in range(qacc_warmstart.shape[1]):
        qacc_warmstart[world, k] = 0.0


@launchable
@wp.kernel(enable_backward=False)
def write_dof_states(
    states: wp.array3d(dtype=float),
    world_ids: wp.array(dtype=int),
    first_qpos: int,
    first_qvel: int,
    qpos: wp.array2d(dtype=float),
    qvel: wp.array2d(dtype=float),
    qacc_warmstart: wp.array2d(dtype=float),
):
    """All DOFs of the listed worlds; ids below 0 are skipped. states: (num_worlds, num_dofs, 2)."""
    row, dof = wp.tid()
    world = world_ids[row]
    if world < 0 or world >= qpos.shape[0]:
        return
    qpos[world, first_qpos + dof] = states[world, dof, 0]
    qvel[world, first_qvel + dof] = states[world, dof, 1]
    qacc_warmstart[world, first_qvel + dof] = 0.0


@launchable
@wp.kernel(enable_backward=False)
def read_body_states(
    body_rootid: wp.array(dtype=int),
    xpos: wp.array2d(dtype=wp.vec3),
    xquat: wp.array2d(dtype=wp.quat),
    xipos: wp.array2d(dtype=wp.vec3),
    cvel: wp.array2d(dtype=wp.spatial_vector),
    subtree_com: wp.array2d(dtype=wp.vec3),
    out: wp.array3d(dtype=float),
):
    """out: (num_worlds, num_bodies, 13). cvel is taken at the centre of mass of the whole robot."""
    world, row = wp.tid()
    body = row + 1
    angular = wp.spatial_top(cvel[world, body])
    arm = xipos[world, body] - subtree_com[world, body_rootid[body]]
    linear = wp.spatial_bottom(cvel[world, body]) + wp.cross(angular, arm)
    store_state(out, world, row, xpos[world, body], rotation_xyzw(xquat[world, body]), linear, angular)


@launchable
@wp.kernel(enable_backward=False)
def stage_body_forces(
    forces: wp.array3d(dtype=float),
    torques: wp.array3d(dtype=float),
    local: wp.array(dtype=int),
    xquat: wp.array2d(dtype=wp.quat),
    xfrc_applied: wp.array2d(dtype=wp.spatial_vector),
):
    """Forces at the centres of mass, in world axes or (local[0] = 1) in each body's. forces: (num_worlds, bodies, 3)"""
    world, row = wp.tid()
    force = wp.vec3(forces[world, row, 0], forces[world, row, 1], forces[world, row, 2])
    torque = wp.vec3(torques[world, row, 0], torques[world, row, 1], torques[world, row, 2])
    if local[0] != 0:
        rot = rotation_xyzw(xquat[world, row + 1])
        force = wp.quat_rotate(rot, force)
        torque = wp.quat_rotate(rot, torque)
    xfrc_applied[world, row + 1] = wp.spatial_vector(force, torque)
