"""Contacts between bodies of the same robot, found by MuJoCo Warp, and contacts that cannot move anything, dropped."""

from __future__ import annotations

import mujoco_warp as mjw
import warp as wp

from isaacgym.engine.contacts.contact_list import MIN_FRICTION, vec5
from isaacgym.engine.state import rotation_xyzw

EXTRA_CONTACTS = 12  # per world, beside those with the terrain


def detect_self_contacts(model: mjw.Model, data: mjw.Data, friction: wp.array) -> None:
    """Replace the contact list by the contacts between robot bodies; friction: (num_worlds, num_geoms - 1)."""
    mjw.collision(model, data)
    contact = data.contact
    wp.launch(
        _average_friction,
        dim=data.naconmax,
        inputs=[data.nacon, contact.worldid, contact.geom, friction],
        outputs=[contact.friction],
    )


def place_static_geoms(model: mjw.Model, data: mjw.Data) -> None:
    """Put the shapes of bodies fixed to the world where these are; MuJoCo Warp's kinematics leave them at the start."""
    wp.launch(
        _place_static_geoms,
        dim=(data.nworld, model.ngeom),
        inputs=[model.body_weldid, model.geom_bodyid, model.geom_pos, model.geom_quat, data.xpos, data.xquat],
        outputs=[data.geom_xpos, data.geom_xmat],
    )


def drop_static_contacts(model: mjw.Model, data: mjw.Data) -> None:
    """Take terrain contacts of bodies fixed to the world out of the solver, where they are rows without motion."""
    contact = data.contact
    wp.launch(
        _drop_static_contacts,
        dim=data.naconmax,
        inputs=[data.nacon, contact.geom, model.geom_bodyid, model.body_weldid],
        outputs=[contact.type],
    )


@wp.kernel(enable_backward=False)
def _average_friction(
    num_contacts: wp.array(dtype=int),
    contact_world: wp.array(dtype=int),
    contact_geom: wp.array(dtype=wp.vec2i),
    friction: wp.array2d(dtype=float),
    contact_friction: wp.array(dtype=vec5),
):
    """Isaac Gym's rule, as with the terrain."""
    contact = wp.tid()
    if contact >= wp.min(num_contacts[0], contact_world.shape[0]):
        return
    world = contact_world[contact]
    geom = contact_geom[contact]
    average = 0.5 * (friction[world, geom[0] - 1] + friction[world, geom[1] - 1])
    values = contact_friction[contact]
    values[0] = wp.max(average, MIN_FRICTION)
    values[1] = values[0]
    contact_friction[contact] = values


@wp.kernel(enable_backward=False)
def _place_static_geoms(
    body_weldid: wp.array(dtype=int),
    geom_bodyid: wp.array(dtype=int),
    geom_pos: wp.array2d(dtype=wp.vec3),
    geom_quat: wp.array2d(dtype=wp.quat),
    xpos: wp.array2d(dtype=wp.vec3),
    xquat: wp.array2d(dtype=wp.quat),
    geom_xpos: wp.array2d(dtype=wp.vec3),
    geom_xmat: wp.array2d(dtype=wp.mat33),
):
    world, geom = wp.tid()
    body = geom_bodyid[geom]
    if body > 0 and body_weldid[body] == 0:
        rot = rotation_xyzw(xquat[world, body])
        turn = rotation_xyzw(geom_quat[world % geom_quat.shape[0], geom])
        geom_xpos[world, geom] = xpos[world, body] + wp.quat_rotate(rot, geom_pos[world % geom_pos.shape[0], geom])
        geom_xmat[world, geom] = wp.quat_to_matrix(rot * turn)


@wp.kernel(enable_backward=False)
def _drop_static_contacts(
    num_contacts: wp.array(dtype=int),
    contact_geom: wp.array(dtype=wp.vec2i),
    geom_bodyid: wp.array(dtype=int),
    body_weldid: wp.array(dtype=int),
    contact_type: wp.array(dtype=int),
):
    contact = wp.tid()
    if contact >= wp.min(num_contacts[0], contact_type.shape[0]):
        return
    geom = contact_geom[contact]
    if body_weldid[geom_bodyid[geom[0]]] == 0 and body_weldid[geom_bodyid[geom[1]]] == 0:
        contact_type[contact] = 0
