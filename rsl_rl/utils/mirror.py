"""Learning from every step twice: as it was, and as it would have been in a mirror."""

from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from rsl_rl.storage.rollout_storage import MiniBatch

Batch = TypeVar("Batch", bound=MiniBatch)

FIELDS = {  # of a mini-batch, and the part of the mirror that they are seen in
    "observations": "observations",
    "critic_observations": "critic_observations",
    "next_critic_observations": "critic_observations",
    "actions": "actions",
    "old_mu": "actions",
}


class Reflection(NamedTuple):
    """A permutation of columns with signs."""

    columns: Tensor  # (C,) int64, where each column comes from
    signs: Tensor  # (C,) 1 or -1

    def __call__(self, values: Tensor) -> Tensor:
        """(..., C) → (..., C)."""
        return values.index_select(-1, self.columns) * self.signs


class Mirror(NamedTuple):
    """How a robot's observations and actions look in a mirror; the reward of a step is the same in it."""

    observations: Reflection
    critic_observations: Reflection
    actions: Reflection

    def to(self, device: torch.device | str) -> "Mirror":
        return Mirror(*(Reflection(part.columns.to(device), part.signs.to(device)) for part in self))


def mirrored(batch: Batch, mirror: Mirror, mask: Tensor) -> Batch:
    """The batch with some samples seen in the mirror, as in Mittal et al. 2024 (Symmetry Considerations for Learning
    Task Symmetric Robot Policies): values, advantages and the old policy's probabilities stay those of the originals.

    mask: (B,) bool. The batch's tensors, which must be (B, …) and its own, are overwritten on a CPU.
    """
    reflections = {field: getattr(mirror, part) for field, part in FIELDS.items() if field in batch._fields}
    # A deviation has no sign.
    reflections["old_sigma"] = mirror.actions._replace(signs=mirror.actions.signs.abs())
    if mask.is_cuda or torch.compiler.is_compiling():  # to pick rows it would have to wait for their number
        seen = {name: part(getattr(batch, name)) for name, part in reflections.items()}
        return batch._replace(
            **{name: torch.where(mask[:, None], values, getattr(batch, name)) for name, values in seen.items()}
        )
    rows = mask.nonzero().flatten()
    for name, reflection in reflections.items():
        values = getattr(batch, name)
        values.index_copy_(0, rows, reflection(values.index_select(0, rows)))
    return batch
