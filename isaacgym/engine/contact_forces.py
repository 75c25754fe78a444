"""Forces of the contacts of a step: summed per body, and as force sensors feel them."""

from __future__ import annotations

import mujoco_warp as mjw
import torch
import warp as wp
from torch import Tensor

from isaacgym.engine.model import TERRAIN_GEOM
from isaacgym.engine.state import rotation_xyzw
from isaacgym.engine.terrain_contact import vec5


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

    def read(self, model: mjw.Model, data: mjw.Data) -> None:
        self._out.zero_()
        wp.launch(
            _sum_sensor_wrenches,
            dim=data.naconmax,
            inputs=[*contact_arrays(model, data), data.contact.pos, data.xpos, data.xquat, *self._inputs],
            outputs=[self._out],
        )


def sum_contact_forces(model: mjw.Model, data: mjw.Data, out: wp.array) -> None:
    """Net contact force per body [N], world axes, of the solved step. out: (n, num_bodies, 3)."""
    out.zero_()
    wp.launch(_sum_contact_forces, dim=data.naconmax, inputs=contact_arrays(model, data), outputs=[out])


def contact_arrays(model: mjw.Model, data: mjw.Data) -> list[wp.array]:
    contact = data.contact
    arrays = [data.nacon, contact.worldid, contact.geom, contact.frame, contact.friction, contact.efc_address]
    return [*arrays, data.efc.force, model.geom_bodyid]


@wp.func
def contact_force(
    contact: int,
    world: int,
    frame: wp.array(dtype=wp.mat33),
    friction: wp.array(dtype=vec5),
    efc_address: wp.array2d(dtype=int),
    efc_force: wp.array2d(dtype=float),
) -> wp.vec3:
    """Force on the second geom in world axes, from the four edges of the friction pyramid; 0 without rows."""
    first = efc_address[contact, 0]
    if first < 0 or efc_address[contact, 3] < 0:
        return wp.vec3(0.0)
    f0 = efc_force[world, first]
    f1 = efc_force[world, first + 1]
    f2 = efc_force[world, first + 2]
    f3 = efc_force[world, first + 3]
    mu = friction[contact]
    return wp.transpose(frame[contact]) * wp.vec3(f0 + f1 + f2 + f3, mu[0] * (f0 - f1), mu[1] * (f2 - f3))


@wp.kernel(enable_backward=False)
def _sum_contact_forces(
    num_contacts: wp.array(dtype=int),
    contact_world: wp.array(dtype=int),
    contact_geom: wp.array(dtype=wp.vec2i),
    contact_frame: wp.array(dtype=wp.mat33),
    contact_friction: wp.array(dtype=vec5),
    efc_address: wp.array2d(dtype=int),
    efc_force: wp.array2d(dtype=float),
    geom_bodyid: wp.array(dtype=int),
    body_forces: wp.array3d(dtype=float),
):
    contact = wp.tid()
    if contact >= wp.min(num_contacts[0], contact_world.shape[0]):
        return
    world = contact_world[contact]
    force = contact_force(contact, world, contact_frame, contact_friction, efc_address, efc_force)
    geom = contact_geom[contact]
    for side in range(2):
        sign = wp.where(side == 0, -1.0, 1.0)
        if geom[side] != wp.static(TERRAIN_GEOM):
            row = geom_bodyid[geom[side]] - 1
            for k in range(3):
                wp.atomic_add(body_forces, world, row, k, sign * force[k])


@wp.kernel(enable_backward=False)
def _sum_sensor_wrenches(
    num_contacts: wp.array(dtype=int),
    contact_world: wp.array(dtype=int),
    contact_geom: wp.array(dtype=wp.vec2i),
    contact_frame: wp.array(dtype=wp.mat33),
    contact_friction: wp.array(dtype=vec5),
    efc_address: wp.array2d(dtype=int),
    efc_force: wp.array2d(dtype=float),
    geom_bodyid: wp.array(dtype=int),
    contact_pos: wp.array(dtype=wp.vec3),
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
    force = contact_force(contact, world, contact_frame, contact_friction, efc_address, efc_force)
    geom = contact_geom[contact]
    for side in range(2):
        sign = wp.where(side == 0, -1.0, 1.0)
        body = geom_bodyid[geom[side]]
        for sensor in range(sensor_body.shape[0]):
            if geom[side] != wp.static(TERRAIN_GEOM) and sensor_body[sensor] == body:
                frame = wp.transform(xpos[world, body], rotation_xyzw(xquat[world, body])) * sensor_pose[sensor]
                origin = wp.transform_get_translation(frame)
                sensed = sign * force
                torque = wp.cross(contact_pos[contact] - origin, sensed)
                if not world_axes[sensor]:
                    rot = wp.transform_get_rotation(frame)
                    sensed = wp.quat_rotate_inv(rot, sensed)
                    torque = wp.quat_rotate_inv(rot, torque)
                for k in range(3):
                    wp.atomic_add(wrenches, world, sensor, k, sensed[k])
                    wp.atomic_add(wrenches, world, sensor, 3 + k, torque[k])
