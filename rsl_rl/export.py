"""Trained policies as files that need no Python code of ours."""

import os
from pathlib import Path

import torch

from rsl_rl.modules import ActorCritic


def export_policy_as_jit(actor_critic: ActorCritic, path: str | os.PathLike) -> None:
    """Write a TorchScript file, to be loaded by `torch.jit.load` or libtorch on the CPU.

    The module maps observation histories (N, num_obs), newest frame first, to mean actions (N, num_actions).
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    module = actor_critic.inference_module()
    num_obs = next(module.parameters()).shape[1]  # width of the first layer
    # The networks have no branches that depend on data, so a trace holds for every input and batch size.
    torch.jit.trace(module, torch.zeros(1, num_obs)).save(str(path))
