"""What a fall and a touch are: the definitions of evaluate.py, which sim2sim.py shares (FALL_FORCE and MAX_TILT)."""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from isaacgym.assets.description import Body
from legged_gym.deploy.courses import FALL_FORCE, MAX_TILT


class Verdict(NamedTuple):
    """What happened to each robot in a policy step, (N,) each."""

    fell: Tensor  # bool: something presses on the trunk, or the robot tilts too far
    trunk_touches: Tensor  # 1 if the trunk touches something and did not one step ago, else 0
    leg_touches: Tensor  # hips, thighs and calves that touch something and did not one step ago
    foot_lifts: Tensor  # feet that touch nothing and did one step ago


class Judge:
    """Watches an environment's robots, whatever their config calls a fall.

    Bodies that fixed joints connect are one link; the base's, with a head for instance, is the trunk. Feet are no part
    of theirs. A link touches something in a step if one of its bodies is pressed by more than FALL_FORCE in any of the
    sub-steps.
    """

    def __init__(self, env: Any) -> None:
        """env: not stepped yet."""
        self._env = env
        bodies = env.gym.get_actor_asset(env.envs[0], env.actor_handles[0]).robot.bodies
        self._feet = env.feet_indices
        watched = sorted(set(range(len(bodies))) - set(self._feet.tolist()))
        links = first_of_links(bodies)
        self.links = sorted({links[body] for body in watched} | {0})  # their first bodies; the trunk's is 0
        # (num_bodies, num_links) 1 where the body is a watched part of the link, else 0
        self._parts = torch.zeros(len(bodies), len(self.links), device=env.device)
        for body in watched:
            self._parts[body, self.links.index(links[body])] = 1.0
        shape = (env.num_envs, len(bodies))
        self._pressed = torch.zeros(shape, dtype=torch.bool, device=env.device)  # bodies, in this step
        self.start()
        env.on_sub_step = self._note_pressed_bodies

    def start(self) -> None:
        """Take note of what touches in the step that the environment has just made, such as the last before a trial."""
        self._touched_before, self._stood_before = self._touched(), self._pressed[:, self._feet]

    def look(self) -> Verdict:
        """Judge the step that the environment has just made."""
        touched_before, stood_before = self._touched_before, self._stood_before
        self.start()
        begun, lifted = self._touched_before & ~touched_before, stood_before & ~self._stood_before
        fell = self._touched_before[:, 0] | (self._env.projected_gravity[:, 2] > -math.cos(MAX_TILT))
        return Verdict(fell, begun[:, 0], begun[:, 1:].sum(dim=1), lifted.sum(dim=1))

    def _touched(self) -> Tensor:
        """Which links touched something in this step, (N, num_links) bool."""
        return self._pressed.float() @ self._parts > 0

    def _note_pressed_bodies(self, sub_step: int) -> None:
        env = self._env
        env.gym.refresh_net_contact_force_tensor(env.sim)
        pressed = env.contact_forces.norm(dim=-1) > FALL_FORCE
        if sub_step == 0:
            self._pressed[:] = pressed
        else:
            self._pressed |= pressed


def first_of_links(bodies: list[Body]) -> list[int]:
    """For each body the first of those that fixed joints alone connect it to; parents come before their children."""
    firsts: list[int] = []
    for index, body in enumerate(bodies):
        firsts.append(index if body.parent < 0 or body.joints else firsts[body.parent])
    return firsts
