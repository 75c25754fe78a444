"""A robot in the mirror: what reflection at its plane of left-right symmetry does to observations and actions."""

from typing import Any

import torch
from torch import Tensor

from legged_gym.envs.base.observations import FrameLayout
from legged_gym.robots.mirror import partner
from rsl_rl.utils.mirror import Mirror, Reflection

# x forward, y left, z up: a polar vector (velocity, force) keeps x and z, an axial one (rate of turning) keeps y.
POLAR, AXIAL = (1.0, -1.0, 1.0), (-1.0, 1.0, -1.0)
COMMAND = (1.0, -1.0, -1.0)  # vx, vy, yaw rate


def make_mirror(
    asset: Any, dof_names: list[str], layout: FrameLayout, num_frames: int, scan: tuple[int, int]
) -> Mirror:
    """The reflection of an actor's history, a critic's frame and actions.

    Args:
        asset: the config's section; reads `left_names`, `right_names` and `mirror_reversed`.
        dof_names: the robot's joints, one per action.
        layout: columns of a frame.
        num_frames: frames in the actor's history.
        scan: number of points of the height scan along x and y; y runs fastest and is symmetric about 0.
    """
    sides = dict(zip(asset.left_names, asset.right_names, strict=True))
    joints = joint_reflection(dof_names, sides, asset.mirror_reversed)
    num_x, num_y = scan
    scanned = torch.arange(num_x * num_y).view(num_x, num_y).flip(1).flatten()
    parts = {
        "commands": _signed(COMMAND),
        "base_ang_vel": _signed(AXIAL),
        "projected_gravity": _signed(POLAR),
        **dict.fromkeys(("dof_pos", "dof_vel", "actions"), joints),
        "base_lin_vel": _signed(POLAR),
        "disturbance": _signed(POLAR),
        "heights": Reflection(scanned, torch.ones(len(scanned))),
    }
    frame = _joined([parts[name] for name in layout.columns])
    actor_frame = Reflection(frame.columns[: layout.num_actor], frame.signs[: layout.num_actor])
    return Mirror(observations=_joined([actor_frame] * num_frames), critic_observations=frame, actions=joints)


def joint_reflection(dof_names: list[str], sides: dict[str, str], reversed_parts: list[str]) -> Reflection:
    """Each joint's partner on the other side, and whether its angle changes sign.

    Args:
        sides: part of a left joint's name: what stands there in the right one's.
        reversed_parts: parts of the names of joints whose axes lie in the plane of symmetry (roll, yaw).

    Raises:
        ValueError: a joint has no partner.
    """
    columns = []
    for name in dof_names:
        other = partner(name, sides, dof_names)
        if other is None:
            raise ValueError(
                f"asset.left_names and right_names: joint '{name}' has no partner on the other side; "
                "with empty lists nothing is mirrored"
            )
        columns.append(dof_names.index(other))
    signs = [-1.0 if any(part in name for part in reversed_parts) else 1.0 for name in dof_names]
    return Reflection(torch.tensor(columns), torch.tensor(signs))


def _signed(signs: tuple[float, ...]) -> Reflection:
    return Reflection(torch.arange(len(signs)), torch.tensor(signs))


def _joined(parts: list[Reflection]) -> Reflection:
    """Side by side."""
    widths = [len(part.columns) for part in parts]
    starts: list[int] = [sum(widths[:i]) for i in range(len(widths))]
    columns: list[Tensor] = [part.columns + start for part, start in zip(parts, starts, strict=True)]
    return Reflection(torch.cat(columns), torch.cat([part.signs for part in parts]))
