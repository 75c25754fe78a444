"""Between the gym's tensor descriptors and torch; both directions share memory.

Callers also reach `torch` and `np` through this module, so both stay public names. A star import hands out no `Tensor`,
which would take torch's place in the type comments of TorchScript.
"""

from typing import Any

import numpy as np
import torch

from isaacgym.gym_types import Tensor

__all__ = ["np", "torch", "unwrap_tensor", "wrap_tensor"]


def wrap_tensor(gym_tensor: Tensor, **_: Any) -> torch.Tensor:
    """The torch tensor behind what `acquire_*_tensor` returned: a live view that `refresh_*` writes into.

    Keywords such as `counts` and `offsets`, which some callers pass, are accepted and ignored.
    """
    if not isinstance(gym_tensor, Tensor):
        raise TypeError(f"wrap_tensor takes what gym.acquire_*_tensor returns, got {type(gym_tensor).__name__}")
    return gym_tensor.tensor


def unwrap_tensor(torch_tensor: torch.Tensor) -> Tensor:
    """The descriptor that the gym's setters take. It keeps the tensor alive; setters copy from it when called."""
    if not isinstance(torch_tensor, torch.Tensor):
        raise TypeError(f"unwrap_tensor takes a torch tensor, got {type(torch_tensor).__name__}")
    if not torch_tensor.is_contiguous():
        raise ValueError(
            f"unwrap_tensor needs a contiguous tensor, got shape {tuple(torch_tensor.shape)} with strides"
            f" {torch_tensor.stride()}; pass tensor.contiguous()"
        )
    return Tensor(torch_tensor.detach())
