"""A robot in plain C MuJoCo with an exported policy in command: sensors, latency, joint controllers, falls."""

import math
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import mujoco
import numpy as np

from legged_gym.deploy import courses
from legged_gym.deploy.controller import PolicyController, gravity_in_base
from legged_gym.deploy.courses import Array
from legged_gym.deploy.mujoco_world import SIM_DT, ground_height
from legged_gym.deploy.safety import LIMIT_KEYS, limits_of, strained_joints
from legged_gym.robots.names import matches

# Half-widths of the sensors' uniform noise at factor 1: those of the training (legged_gym/deploy/CONTRACT.md).
NOISE = {"base_ang_vel": 0.2, "projected_gravity": 0.05, "joint_pos": 0.01, "joint_vel": 1.5}
FOOT_NAME = "foot"  # part of the feet's names, unless the policy's metadata say otherwise


class Conditions(NamedTuple):
    """What stands between the policy and the robot."""

    latency_s: tuple[float, float] = courses.LATENCY_S  # from readings to new joint targets; drawn in every period
    noise: float = 1.0  # factor on NOISE


class Robot:
    """A model with a policy in command."""

    def __init__(self, model: mujoco.MjModel, controller: PolicyController, conditions: Conditions) -> None:
        """controller: built with joint_order=joint_names(model)."""
        self.model, self.data = model, mujoco.MjData(model)
        self.controller, self.conditions = controller, conditions
        self.substeps = round(controller.control_period_s / SIM_DT)
        self._weight = model.body_mass.sum() * np.linalg.norm(model.opt.gravity)
        self._trunk_mask = model.body_weldid == model.body_weldid[1]  # bodies welded to the free one
        self._base_com = self._welded_com()
        has_limits = controller.metadata.keys() >= set(LIMIT_KEYS)
        self._limits = limits_of(controller.metadata, joint_names(model)) if has_limits else None
        foot_name = controller.metadata.get("foot_name", FOOT_NAME)
        names = [model.body(i).name for i in range(model.nbody)]
        if not any(matches(foot_name, name) for name in names):
            raise ValueError(f"no body's name contains '{foot_name}', as feet's do; bodies: {', '.join(names[1:])}")
        # of each body, the first of those that it is welded to; 0: of the world and of the feet, which may touch
        self._links = np.where([matches(foot_name, name) for name in names], 0, model.body_weldid)

    def _welded_com(self) -> Array:
        """Centre of mass of the base and all that is welded to it, base frame [m], (3,)."""
        mujoco.mj_kinematics(self.model, self.data)  # of the model's own pose, in which the base is level
        masses = self.model.body_mass[self._trunk_mask]
        return masses @ self.data.xipos[self._trunk_mask] / masses.sum() - self.data.xpos[1]

    def reset(self, x: float) -> None:
        """Stand at rest in the default pose above the ground at (x, 0), facing +x."""
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[7:] = self.controller.default_joint_pos
        self.data.qpos[0] = x
        mujoco.mj_kinematics(self.model, self.data)
        ground = ground_height(self.model, self.data, x)
        self.data.qpos[2] = ground + courses.FOOT_HEIGHT - self.data.xpos[1:, 2].min()
        mujoco.mj_forward(self.model, self.data)
        self.data.qpos[2] -= self.data.contact.dist.min(initial=0.0)  # of wheels, which are larger than feet
        mujoco.mj_forward(self.model, self.data)
        self.controller.reset()
        self._targets = self.controller.default_joint_pos.astype(np.float64)
        self._pending: deque[tuple[int, Array]] = deque()  # (simulation step at which they take effect, joint targets)
        self._step_count = 0
        self._touched: set[int] = set()  # links that touched something in the last control step
        self.trunk_touches = self.leg_touches = 0  # that began in the last control step
        self.energy = 0.0  # [J] sum of |power| since the reset
        # A joint ran into its stop or was too fast since the reset, for which go2.py stops; None: limits are not known.
        self.strained: bool | None = None if self._limits is None else False

    def readings(self, rng: np.random.Generator) -> dict[str, Array]:
        """What the sensors say: arguments of PolicyController.step but the command."""
        w, x, y, z = self.data.qpos[3:7]
        exact = {
            # A free joint's angular velocity is in the body frame.
            "base_ang_vel": self.data.qvel[3:6],
            "projected_gravity": gravity_in_base((x, y, z, w)),
            "joint_pos": self.data.qpos[7:],
            "joint_vel": self.data.qvel[6:],
        }
        noise = self.conditions.noise
        return {
            name: value + noise * rng.uniform(-NOISE[name], NOISE[name], len(value)) for name, value in exact.items()
        }

    def control_step(self, command: Sequence[float], rng: np.random.Generator) -> None:
        """One period of the policy; its targets reach the joints after the latency, in the order they were sent."""
        targets = self.controller.step(command, **self.readings(rng))
        delay = round(rng.uniform(*self.conditions.latency_s) / SIM_DT)
        self._pending.append((self._step_count + delay, targets.astype(np.float64)))
        before, self._touched = self._touched, set()
        for _ in range(self.substeps):
            while self._pending and self._pending[0][0] <= self._step_count:
                self._targets = self._pending.popleft()[1]
            self.data.qfrc_applied[6:] = torques = self.pd_torques(self._targets)
            self.energy += np.abs(torques * self.data.qvel[6:]).sum() * SIM_DT
            mujoco.mj_step(self.model, self.data)
            self._note_touches()
            self._note_strain()
            self._step_count += 1
        begun = self._touched - before
        self.trunk_touches = int(self._trunk in begun)
        self.leg_touches = len(begun) - self.trunk_touches

    def pd_torques(self, targets: Array) -> Array:
        """Torques [N·m] of the joint controllers, within the motors' limits. Wheels hold speeds, by kd alone."""
        control, data = self.controller, self.data
        speeds = np.where(control.wheel_mask, targets, 0.0)
        torques = control.kp * (targets - data.qpos[7:]) + control.kd * (speeds - data.qvel[6:])
        return np.clip(torques, -control.torque_limits, control.torque_limits)

    def base_lin_vel(self) -> Array:
        """Velocity of the base's centre of mass, as Isaac Gym counts it [m/s], base frame, (3,)."""
        origin_b, inverse = np.zeros(3), np.zeros(4)
        mujoco.mju_negQuat(inverse, self.data.qpos[3:7])
        mujoco.mju_rotVecQuat(origin_b, self.data.qvel[0:3], inverse)
        return origin_b + np.cross(self.data.qvel[3:6], self._base_com)

    def _note_touches(self) -> None:
        """Add the links whose bodies are pressed by more than FALL_FORCE; a foot is no part of its link."""
        contacts = self.data.contact
        bodies = self.model.geom_bodyid[contacts.geom]  # (contacts, 2)
        bodies = np.where(self._links[bodies] > 0, bodies, 0).max(axis=1)  # 0: of a foot with the ground
        if not bodies.any():
            return
        forces, force = np.zeros((self.model.nbody, 3)), np.zeros(6)
        for i in bodies.nonzero()[0]:
            mujoco.mj_contactForce(self.model, self.data, i, force)
            forces[bodies[i]] += contacts.frame[i].reshape(3, 3).T @ force[:3]
        pressed = np.linalg.norm(forces, axis=1) > courses.FALL_FORCE
        self._touched.update(self._links[pressed].tolist())

    def _note_strain(self) -> None:
        if self._limits is not None and not self.strained:
            masks = strained_joints(self.data.qpos[7:], self.data.qvel[6:], self._limits)
            self.strained = bool(np.any(masks))

    @property
    def _trunk(self) -> int:
        return int(self.model.body_weldid[1])

    def fallen(self) -> bool:
        """Whether something pressed on the trunk or what is welded to it in the last control step, or it tilts."""
        w, x, y, z = self.data.qpos[3:7]
        upright = -gravity_in_base((x, y, z, w))[2]  # cosine of the tilt
        return self._trunk in self._touched or bool(upright < math.cos(courses.MAX_TILT))

    def cost_of_transport(self, distance: float) -> float:
        return self.energy / (self._weight * distance) if distance > 0 else float("inf")


def joint_names(model: mujoco.MjModel) -> list[str]:
    """The robot's joints in MuJoCo's order, without the free one."""
    return [model.joint(i).name for i in range(1, model.njnt)]
