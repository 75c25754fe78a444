"""The state of every random generator that training draws from, as tensors and numbers."""

import random
from typing import Any

import numpy as np
import torch


def random_state() -> dict[str, Any]:
    """States of torch (CPU and every CUDA device), numpy's global generator and Python's."""
    numpy = np.random.get_state(legacy=False)  # noqa: NPY002 -- terrain_utils draw from numpy's global generator
    keys = torch.from_numpy(numpy["state"]["key"].astype(np.int64))
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": (numpy["bit_generator"], keys, numpy["state"]["pos"], numpy["has_gauss"], numpy["gauss"]),
        "python": random.getstate(),
    }


def set_random_state(state: dict[str, Any]) -> None:
    """Take over what `random_state` gave; GPUs that are not there any more are left out."""
    torch.set_rng_state(state["torch"].cpu())
    for index, cuda_state in enumerate(state["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(cuda_state.cpu(), index)
    name, keys, *position = state["numpy"]
    np.random.set_state((name, keys.cpu().numpy().astype(np.uint32), *position))  # noqa: NPY002
    version, numbers, gauss_next = state["python"]
    random.setstate((version, tuple(numbers), gauss_next))
