"""Forces of the contacts of a step: summed per body, and as force sensors feel them."""

from __future__ import annotations

from typing import NamedTuple

import mujoco_warp as mjw
import torch
import warp as wp
from torch import Tensor

from isaacgym.engine.contacts.contact_list import vec5
from isaacgym.engine.model import TERRAIN_GEOM
from isaacgym.engine.state import rotation_xyzw


class ForceSensors:
    """Frames fixed to bodies in which the contact wrench of their body is reported.

    wrenches: (n, num_sensors, 6): force [N], then torque about the sensor's origin [N·m], in the last step.
    """

    def __init__(self, bodies: list[int], poses: Tensor, world_axes: list[bool], num_worlds: int, device: str) -> None:
        """bodies: row of each sensor's body; poses: (num_sensors, 7) position and quaternion xyzw in the body."""
        self.wrenches = torch.zeros(num_worlds, len(bodies), 6, device=device)
        self._out = wp.from_torch(self.wrenches)
        self._inputs = [
            wp.array([body + 1 for body in bodies], dtype=int, device=device),
            wp.array(poses.cpu().numpy(), dtype=wp.transform, device=device),
            wp.array(world_axes, dtype=bool, device=device),
        ]

    def read(self, contacts: Contacts, geom_bodyid: wp.array, poses: BodyPoses, worlds: slice | None = None) -> None:
        """Sum the wrenches of some contacts. worlds: the range of worlds that all arguments are of; None: all."""
        out = self._out if worlds is None else self._out[worlds]
        out.zero_()
        wp.launch(
            _sum_sensor_wrenches,
            dim=contacts.force.size,
            inputs=[*contacts, geom_bodyid, *poses, *self._inputs],
            outputs=[out],
        )


class Contacts(NamedTuple):
    """A contact list with its forces."""

    count: wp.array  # (1,) may exceed the length of the list
    world: wp.array
    geom: wp.array
    pos: wp.array  # world
    force: wp.array  # on the second geom, world axes


class BodyPoses(NamedTuple):
    xpos: wp.array  # (worlds, 1 + num_bodies) vec3
    xquat: wp.array  # wxyz


def read_contacts(data: mjw.Data, force: wp.array) -> Contacts:
    """The contacts of the solved step; `force` is filled with their forces."""
    contact = data.contact
    inputs = [data.nacon, contact.worldid, contact.frame, contact.friction, contact.efc_address, data.efc.force]
    wp.launch(_read_contact_forces, dim=data.naconmax, inputs=inputs, outputs=[force])
    return Contacts(data.nacon, contact.worldid, contact.geom, contact.pos, force)


def sum_contact_forces(contacts: Contacts, geom_bodyid: wp.array, out: wp.array) -> None:
    """Net contact force per body [N], world axes. out: (n, num_bodies, 3)."""
    out.zero_()
    wp.launch(_sum_contact_forces, dim=contacts.force.size, inputs=[*contacts, geom_bodyid], outputs=[out])


@wp.kernel(enable_backward=False)
def _read_contact_forces(
    num_contacts: wp.array(dtype=int),
    contact_world: wp.array(dtype=int),
    contact_frame: wp.array(dtype=wp.mat33),
    contact_friction: wp.array(dtype=vec5),
    efc_address: wp.array2d(dtype=int),
    efc_force: wp.array2d(dtype=float),
    force: wp.array(dtype=wp.vec3),
):
    """Forces in world axes, from the four edges of the friction pyramid; 0 for a contact without rows."""
    contact = wp.tid()
    if contact >= wp.min(num_contacts[0], contact_world.shape[0]):
        return
    world = contact_world[contact]
    first = efc_address[contact, 0]
    local = wp.vec3(0.0)
    if first >= 0 and efc_address[contact, 3] >= 0:
        f0 = efc_force[world, first]
        f1 = efc_force[world, first + 1]
        f2 = efc_force[world, first + 2]
        f3 = efc_force[world, first + 3]
        mu = contact_friction[contact]
        local = wp.vec3(f0 + f1 + f2 + f3, mu[0] * (f0 - f1), mu[1] * (f2 - f3))
    force[contact] = wp.transpose(contact_frame[contact]) * local


@wp.kernel(enable_backward=False)
def _sum_contact_forces(
    num_contacts: wp.array(dtype=int),
    contact_world: wp.array(dtype=int),
    contact_geom: wp.array(dtype=wp.vec2i),
    contact_pos: wp.array(dtype=wp.vec3),
    contact_force: wp.array(dtype=wp.vec3),
    geom_bodyid: wp.array(dtype=int),
    body_forces: wp.array3d(dtype=float),
):
    contact = wp.tid()
    if contact >= wp.min(num_contacts[0], contact_world.shape[0]):
        return
    world = contact_world[contact]
    geom = contact_geom[contact]
    for side in range(2):
        sign = wp.where(side == 0, -1.0, 1.0)
        if geom[side] != wp.static(TERRAIN_GEOM):
            row = geom_bodyid[geom[side]] - 1
            for k in range(3):
                wp.atomic_add(body_forces, world, row, k, sign * contact_force[contact][k])


@wp.kernel(enable_backward=False)
def _sum_sensor_wrenches(
    num_contacts: wp.array(dtype=int),
    contact_world: wp.array(dtype=int),
    contact_geom: wp.array(dtype=wp.vec2i),
    contact_pos: wp.array(dtype=wp.vec3),
    contact_force: wp.array(dtype=wp.vec3),
    geom_bodyid: wp.array(dtype=int),
    xpos: wp.array2d(dtype=wp.vec3),
    xquat: wp.array2d(dtype=wp.quat),
    sensor_body: wp.array(dtype=int),
    sensor_pose: wp.array(dtype=wp.transform),
    world_axes: wp.array(dtype=bool),
    wrenches: wp.array3d(dtype=float),
):
    contact = wp.tid()
    if contact >= wp.min(num_contacts[0], contact_world.shape[0]):
        return
    world = contact_world[contact]
    geom = contact_geom[contact]
    for side in range(2):
        sign = wp.where(side == 0, -1.0, 1.0)
        body = geom_bodyid[geom[side]]
        for sensor in range(sensor_body.shape[0]):
            if geom[side] != wp.static(TERRAIN_GEOM) and sensor_body[sensor] == body:
                frame = wp.transform(xpos[world, body], rotation_xyzw(xquat[world, body])) * sensor_pose[sensor]
                origin = wp.transform_get_translation(frame)
                sensed = sign * contact_force[contact]
                torque = wp.cross(contact_pos[contact] - origin, sensed)
                if not world_axes[sensor]:
                    rot = wp.transform_get_rotation(frame)
                    sensed = wp.quat_rotate_inv(rot, sensed)
                    torque = wp.quat_rotate_inv(rot, torque)
                for k in range(3):
                    wp.atomic_add(wrenches, world, sensor, k, sensed[k])
                    wp.atomic_add(wrenches, world, sensor, 3 + k, torque[k])
