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
    trunk_touches: Tensor  # bodies of the trunk that touch something and did not one step ago
    leg_touches: Tensor  # the same of hips, thighs and calves


class Judge:
    """Watches an environment's robots, whatever their config calls a fall.

    The trunk is the base and every body that fixed joints connect to it, such as a head; legs are all other bodies but
    the feet. A body touches something if it is pressed by more than FALL_FORCE.
    """

    def __init__(self, env: Any) -> None:
        self._env = env
        robot = env.gym.get_actor_asset(env.envs[0], env.actor_handles[0]).robot
        self.trunk_mask = torch.tensor(rigid_with_root(robot.bodies), device=env.device)  # (num_bodies,) bool
        self.leg_mask = ~self.trunk_mask  # (num_bodies,) bool
        self.leg_mask[env.feet_indices] = False
        self.start()

    def start(self) -> None:
        """Take note of what touches now, before the first step of a trial."""
        self._touching = self._touches()

    def look(self) -> Verdict:
        """Judge the step that the environment has just made; robots that it has put back since count as before."""
        touching, gravity_z = self._touches(), self._env.projected_gravity[:, 2]
        begun = touching & ~self._touching
        self._touching = touching
        fell = touching[:, self.trunk_mask].any(dim=1) | (gravity_z > -math.cos(MAX_TILT))
        return Verdict(fell, *(begun[:, mask].sum(dim=1) for mask in (self.trunk_mask, self.leg_mask)))

    def _touches(self) -> Tensor:
        """Which bodies are pressed, (N, num_bodies) bool."""
        return self._env.contact_forces.norm(dim=-1) > FALL_FORCE


def rigid_with_root(bodies: list[Body]) -> list[bool]:
    """For each body whether fixed joints alone connect it to the root; parents come before their children."""
    rigid: list[bool] = []
    for body in bodies:
        rigid.append(body.parent < 0 or (rigid[body.parent] and not body.joints))
    return rigid
