"""What a run does about numbers that are not finite: count, dump, and stop when there are too many."""

from pathlib import Path
from typing import Any

import torch

from rsl_rl.runners.checkpoint import write_checkpoint
from rsl_rl.storage.rollout_storage import RolloutStorage
from rsl_rl.utils.console import tell

MAX_SKIPPED_STEPS = 100  # gradient steps left out since `learn` began; then it stops
MAX_DUMPS = 10  # files of broken robots that one run writes
MAX_DUMPED_ENVS = 16  # in the dump of a rollout, which would else be as large as the memory it lay in
FAULT_FILE, ROLLOUT_FILE = "fault_{}.pt", "rollout_{}.pt"  # by iteration


class TrainingDivergedError(RuntimeError):
    """Losses or gradients were not finite too often; the message is one sentence."""


def dump_fault(folder: str | None, iteration: int, record: dict[str, Any]) -> None:
    """Write the last states of a broken robot, unless the run has written enough of them."""
    if folder is None or len(list(Path(folder).glob(FAULT_FILE.format("*")))) >= MAX_DUMPS:
        return
    path = Path(folder, FAULT_FILE.format(iteration))
    try:
        write_checkpoint(path, record)
    except OSError as error:
        tell(f"Cannot save the last states of a broken robot: {error}")
    else:
        tell(f"The simulation of a robot broke and it was reset; its last states: play.py --replay {path}")


def dump_rollout(folder: str, iteration: int, storage: RolloutStorage) -> Path:
    """Write the last rollout of the envs in which something is not finite, or of the first ones if all is."""
    tensors = _tensors(storage)
    env_ids = broken_envs(storage).int().argsort(descending=True, stable=True)[:MAX_DUMPED_ENVS]
    path = Path(folder, ROLLOUT_FILE.format(iteration))
    write_checkpoint(path, {"env_ids": env_ids.cpu()} | {k: v[:, env_ids].cpu() for k, v in tensors.items()})
    return path


def broken_envs(storage: RolloutStorage) -> torch.Tensor:
    """In whose rollout something is not finite, (num_envs,) bool."""
    broken_mask = torch.zeros(storage.num_envs, dtype=torch.bool, device=storage.device)
    for name, value in _tensors(storage).items():
        if name != "advantages":  # normalised over all envs, so one breaks all
            broken_mask |= ~value.isfinite().all(dim=-1).all(dim=0)  # (steps, envs, …)
    return broken_mask


def _tensors(storage: RolloutStorage) -> dict[str, torch.Tensor]:
    return {name: value for name, value in vars(storage).items() if isinstance(value, torch.Tensor)}
