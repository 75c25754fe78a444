"""Attractors: springs and dampers that pull bodies to target poses, solved implicitly, so stiff ones are stable.

With the sub-step h, stiffness k and damping d, the force at the end of the sub-step, k (target - x - h v) - d v with
v = v₀ + h a, is k (target - x) - (d + h k) v₀ - (h d + h² k) a. Its last term is an inertia that the body gets at the
attracted point for as long as it is attracted; the rest is a force, with the weight of that inertia taken off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from isaacgym.actors import Env
from isaacgym.engine.state import STATE_WIDTH
from isaacgym.gym_types import AttractorProperties, Axis, Transform
from isaacgym.torch_utils import quat_apply, quat_conjugate, quat_mul

if TYPE_CHECKING:
    from isaacgym.simulation import Simulation


class Added(NamedTuple):
    """Inertias of the attractors: [kg] at their points and [kg·m²] about all axes, (k,)."""

    mass: Tensor
    moment: Tensor


class Attractors:
    """All attractors of a prepared simulation."""

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        found = [(env.index, properties) for env in sim.envs for properties in env.attractors]
        device, engine = sim.device, sim.running
        self._dt = engine.dt

        def column(values: list[object], dtype: torch.dtype = torch.float) -> Tensor:
            return torch.tensor(values, dtype=dtype, device=device)

        all_properties: list[AttractorProperties] = [properties for _, properties in found]
        places = [sim.envs[env].place("bodies", slice(each.rigid_handle, each.rigid_handle + 1)) for env, each in found]
        self._worlds = column([world for world, _ in places], torch.long)
        self._bodies = column([bodies.start for _, bodies in places], torch.long)
        self._points = column([[*properties.offset.p] for properties in all_properties])  # in the bodies' frames
        self._turns = column([[*properties.offset.r] for properties in all_properties])
        self._targets = column([[*properties.target.p, *properties.target.r] for properties in all_properties])
        stiffness = column([properties.stiffness for properties in all_properties])
        damping = column([properties.damping for properties in all_properties])
        shifts = column([bool(properties.axes & Axis.AXIS_TRANSLATION) for properties in all_properties])
        spins = column([bool(properties.axes & Axis.AXIS_ROTATION) for properties in all_properties])
        self._gains = [(stiffness * on)[:, None] for on in (shifts, spins)]
        self._brakes = [((damping + self._dt * stiffness) * on)[:, None] for on in (shifts, spins)]
        inertia = self._dt * damping + self._dt**2 * stiffness
        self._added = Added(inertia * shifts, inertia * spins)
        self._weighs = column([not _is_weightless(sim.envs[env], each.rigid_handle) for env, each in found])
        ends = np.cumsum([len(env.attractors) for env in sim.envs])
        self._first = [0, *ends.tolist()]  # of each env
        self._states = torch.zeros_like(sim.body_states).view(sim.num_worlds, -1, STATE_WIDTH)

    def set_target(self, env: Env, attractor: int, target: Transform) -> None:
        """Pose in the env. attractor: number in the env."""
        pose = torch.tensor([*target.p, *target.r], device=self._sim.device)
        self._targets[self._first[env.index] + attractor] = pose

    def add_inertia(self, mass: Tensor, com: Tensor, inertia: Tensor) -> None:
        """To those of the bodies, (n, num_bodies, ...), in place."""
        for row, (world, body) in enumerate(zip(self._worlds.tolist(), self._bodies.tolist(), strict=True)):
            added, point = self._added.mass[row], self._points[row]
            here = world, body
            total = mass[here] + added
            center = (mass[here] * com[here] + added * point) / total.clamp(min=torch.finfo(total.dtype).tiny)
            inertia[here] += _of_point(mass[here], com[here] - center) + _of_point(added, point - center)
            inertia[here] += self._added.moment[row] * torch.eye(3, device=inertia.device)
            mass[here], com[here] = total, center

    def wrenches(self) -> Tensor:
        """Forces at the bodies' centres of mass and torques, world axes, (k, 6), for the present state."""
        sim = self._sim
        sim.read_body_states(self._states)
        states = self._states[self._worlds, self._bodies]
        position, quat, velocity, spin = states.split([3, 4, 3, 3], dim=1)
        centers = quat_apply(quat, sim.running.body_com[self._worlds, self._bodies])
        points = quat_apply(quat, self._points)
        arm = points - centers
        velocity = velocity + torch.linalg.cross(spin, arm)
        gravity = torch.tensor([*sim.params.gravity], device=sim.device)
        force = self._gains[0] * (self._targets[:, :3] - position - points) - self._brakes[0] * velocity
        force = force - (self._added.mass * self._weighs)[:, None] * gravity
        error = _rotation_vector(quat_mul(self._targets[:, 3:], quat_conjugate(quat_mul(quat, self._turns))))
        torque = self._gains[1] * error - self._brakes[1] * spin
        return torch.cat([force, torque + torch.linalg.cross(arm, force)], dim=1)

    def push(self, forces: Tensor) -> None:
        """Add the wrenches to `forces`, (n, 1 + num_bodies, 6), in place."""
        forces.index_put_((self._worlds, self._bodies + 1), self.wrenches(), accumulate=True)


def _is_weightless(env: Env, body: int) -> bool:
    """Whether gravity leaves a body of the env alone."""
    ends = [env.bodies_of(actor).stop for actor in range(len(env.actors))]
    actor = next(number for number, end in enumerate(ends) if body < end)
    return env.actors[actor].fixed_and_weightless[1]


def _of_point(mass: Tensor, arm: Tensor) -> Tensor:
    """Inertia of a point mass at `arm` from the axes, (3, 3)."""
    return mass * (arm.dot(arm) * torch.eye(3, device=arm.device) - torch.outer(arm, arm))


def _rotation_vector(quat: Tensor) -> Tensor:
    """Axis times angle, in [0, π], of (k, 4)."""
    quat = torch.where(quat[:, 3:] < 0.0, -quat, quat)
    sine = quat[:, :3].norm(dim=1, keepdim=True)
    angle = 2.0 * torch.atan2(sine, quat[:, 3:])
    return torch.where(sine > 1e-9, quat[:, :3] * angle / sine.clamp(min=1e-9), 2.0 * quat[:, :3])
