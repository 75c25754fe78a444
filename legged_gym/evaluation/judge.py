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
    the feet. A body touches something in a step if it is pressed by more than FALL_FORCE in any of its sub-steps.
    """

    def __init__(self, env: Any) -> None:
        """env: not stepped yet."""
        self._env = env
        robot = env.gym.get_actor_asset(env.envs[0], env.actor_handles[0]).robot
        trunk_mask = torch.tensor(rigid_with_root(robot.bodies), device=env.device)
        leg_mask = ~trunk_mask
        leg_mask[env.feet_indices] = False
        self.trunk_ids, self.leg_ids = trunk_mask.nonzero().flatten(), leg_mask.nonzero().flatten()
        shape = (env.num_envs, len(robot.bodies))
        self._touched = torch.zeros(shape, dtype=torch.bool, device=env.device)  # in this step
        self._touched_before = torch.zeros_like(self._touched)  # one step ago
        env.on_sub_step = self._note_touches

    def start(self) -> None:
        """Take note of what touches in the step that the environment has just made, the last before a trial."""
        self._touched_before[:] = self._touched

    def look(self) -> Verdict:
        """Judge the step that the environment has just made."""
        begun = self._touched & ~self._touched_before
        self._touched_before[:] = self._touched
        tilted = self._env.projected_gravity[:, 2] > -math.cos(MAX_TILT)
        fell = self._touched[:, self.trunk_ids].any(dim=1) | tilted
        return Verdict(fell, begun[:, self.trunk_ids].sum(dim=1), begun[:, self.leg_ids].sum(dim=1))

    def _note_touches(self, sub_step: int) -> None:
        env = self._env
        env.gym.refresh_net_contact_force_tensor(env.sim)
        pressed = env.contact_forces.norm(dim=-1) > FALL_FORCE
        if sub_step == 0:
            self._touched[:] = pressed
        else:
            self._touched |= pressed


def rigid_with_root(bodies: list[Body]) -> list[bool]:
    """For each body whether fixed joints alone connect it to the root; parents come before their children."""
    rigid: list[bool] = []
    for body in bodies:
        rigid.append(body.parent < 0 or (rigid[body.parent] and not body.joints))
    return rigid
