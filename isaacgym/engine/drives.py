"""Properties of joints per world, and the drives that follow position and velocity targets.

PhysX takes the spring and the damper of a drive at the end of a step. So do we: with the step h, the force

    k (target - q - h v') + d (target_velocity - v')        v' = velocity after the step

is linear in the acceleration. Its constant part joins the applied forces, and h (d + h k) joins the diagonal of the
inertia matrix. Contacts and joint limits are then solved with the drive in place, and no stiffness is unstable.
In free motion this is what C MuJoCo's `implicitfast` integrator makes of an actuator with the damping d + h k.

`effort` bounds the force at the end of a step as well. Where the formula exceeds it at v' = v, a stiff drive of a light
link may still need little to be at its target in time: a gripper's finger of 15 g with k = 1e6 N/m would be thrown from
stop to stop by its full effort. So a drive that alone would end the step below its bound is the line from the bound, if
something blocks the joint, to that force, if nothing does; else it is the bound, as in C MuJoCo. What else moves the
joint is left out of this, so that a stiff drive gives way to a load above its effort some steps late.

A spring that the robot's file has in a joint is taken in the same way. It acts in every mode but POS, where the drive
takes its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import mujoco_warp as mjw
import torch
import warp as wp
from torch import Tensor

MODE_POS, MODE_VEL, MODE_EFFORT = 1, 2, 3  # values of DofDriveMode; 0 is NONE


@dataclass
class DofParameters:
    """Joint properties of all worlds, (n, num_dofs) each; SI units, of rotation or translation as the joint has it.

    Attributes:
        mode: DofDriveMode, int32.
        stiffness: of position drives.
        damping: of drives; of DOFs without a drive: viscous friction of the joint.
        effort: bound of the force of drives. It does not bound actuation forces.
        friction: Coulomb friction (MuJoCo's frictionloss).
        armature: inertia added to the joint (rotor inertia times gear ratio squared).
    """

    mode: Tensor
    stiffness: Tensor
    damping: Tensor
    effort: Tensor
    friction: Tensor
    armature: Tensor

    @property
    def needs_drives(self) -> bool:
        return bool((self.mode == MODE_POS).any() or (self.mode == MODE_VEL).any() or (self.damping > 0.0).any())


class Springs(NamedTuple):
    """What the robot's file has in its joints, (num_dofs,) each."""

    stiffness: Tensor  # [N·m/rad] or [N/m]
    rest: Tensor  # position at which a spring exerts nothing [rad] or [m]


class Drives:
    """Springs and dampers of all joints. Costs two kernels per step; worlds without any do not make one.

    Torch tensors, (n, num_dofs) each, written at any time and read by every step:
        torques: forces on DOFs in EFFORT mode [N·m] or [N].
        position_targets [rad] or [m]; velocity_targets [rad/s] or [m/s].
        inertia: what the last step added to the diagonal of the inertia matrix, h (d + h k), in all of MuJoCo's DOFs,
            (n, nv).
    """

    def __init__(
        self, parameters: DofParameters, springs: Springs, data: mjw.Data, qpos_of: Tensor, qvel_of: Tensor
    ) -> None:
        """qpos_of, qvel_of: where each DOF is among MuJoCo's positions and velocities, (num_dofs,) int32."""
        self.parameters = parameters
        self.torques = torch.zeros_like(parameters.stiffness)
        self.position_targets = torch.zeros_like(self.torques)
        self.velocity_targets = torch.zeros_like(self.torques)
        self.inertia = torch.zeros(len(data.qvel), data.qvel.shape[1], device=self.torques.device)
        self._qvel_of = qvel_of.long()
        p = parameters
        tensors = (
            *(p.mode, p.stiffness, p.damping, p.effort, *springs),
            *(self.torques, self.position_targets, self.velocity_targets),
        )
        indices = [wp.from_torch(qpos_of), wp.from_torch(qvel_of)]
        self._inputs = [*indices, *(wp.from_torch(tensor) for tensor in tensors), data.qpos, data.qvel]
        self._inertia = wp.from_torch(self.inertia)

    @property
    def added_inertia(self) -> Tensor:
        """`inertia` of the DOFs, (n, num_dofs)."""
        return self.inertia[:, self._qvel_of]

    def apply(self, model: mjw.Model, data: mjw.Data) -> None:
        """Write the forces to `qfrc_applied` and what the drives add to the inertia matrix to `inertia`."""
        outputs = [data.qfrc_applied, self._inertia]
        inputs = [model.opt.timestep, model.dof_invweight0, *self._inputs]
        wp.launch(_apply_drives, dim=self.torques.shape, inputs=inputs, outputs=outputs)

    def stiffen(self, model: mjw.Model, data: mjw.Data) -> None:
        """Add `inertia` to the fresh inertia matrix `M`."""
        inputs = [model.M_rownnz, model.M_rowadr, self._inertia]
        wp.launch(_add_to_diagonal, dim=self.inertia.shape, inputs=inputs, outputs=[data.M])


@wp.kernel(enable_backward=False)
def _add_to_diagonal(
    row_size: wp.array(dtype=int),
    row_start: wp.array(dtype=int),
    added: wp.array2d(dtype=float),
    inertia: wp.array2d(dtype=float),
):
    world, row = wp.tid()
    inertia[world, row_start[row] + row_size[row] - 1] += added[world, row]


@wp.kernel(enable_backward=False)
def _apply_drives(
    timestep: wp.array(dtype=float),
    inverse_inertia: wp.array2d(dtype=float),
    qpos_of: wp.array(dtype=int),
    qvel_of: wp.array(dtype=int),
    mode: wp.array2d(dtype=int),
    stiffness: wp.array2d(dtype=float),
    damping: wp.array2d(dtype=float),
    effort: wp.array2d(dtype=float),
    file_stiffness: wp.array(dtype=float),
    file_rest: wp.array(dtype=float),
    torques: wp.array2d(dtype=float),
    position_targets: wp.array2d(dtype=float),
    velocity_targets: wp.array2d(dtype=float),
    qpos: wp.array2d(dtype=float),
    qvel: wp.array2d(dtype=float),
    qfrc_applied: wp.array2d(dtype=float),
    added_inertia: wp.array2d(dtype=float),
):
    world, dof = wp.tid()
    row = qvel_of[dof]
    h = timestep[world % timestep.shape[0]]
    spring = file_stiffness[dof]
    target = file_rest[dof]
    damper = damping[world, dof]
    target_velocity = float(0.0)
    drive = mode[world, dof]
    if drive == wp.static(MODE_POS):
        spring = stiffness[world, dof]
        target = position_targets[world, dof]
    if drive == wp.static(MODE_VEL):
        target_velocity = velocity_targets[world, dof]
    implicit = damper + h * spring
    force = spring * (target - qpos[world, qpos_of[dof]])
    force += damper * target_velocity - implicit * qvel[world, row]
    if drive == wp.static(MODE_POS) or drive == wp.static(MODE_VEL):
        limit = effort[world, dof]
        if wp.abs(force) >= limit:
            response = h * inverse_inertia[world % inverse_inertia.shape[0], row]
            at_the_end = wp.abs(force) / (1.0 + response * implicit)  # of a step in which nothing else acts
            force = wp.clamp(force, -limit, limit)
            implicit = float(0.0)
            if at_the_end < limit:
                implicit = (limit - at_the_end) / (response * at_the_end)
    if drive == wp.static(MODE_EFFORT):
        force += torques[world, dof]
    qfrc_applied[world, row] = force
    added_inertia[world, row] = h * implicit
