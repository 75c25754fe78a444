"""Checkpoint files: written whole or not at all, read with errors that name what does not fit."""

import io
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

MAX_NAMED_PARAMETERS = 4  # an error names this many parameters and counts the rest


def write_checkpoint(path: str | os.PathLike, contents: Mapping[str, Any]) -> None:
    """Replace `path` by the contents; if the disk fails (OSError), an older file of that name stays as it was."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    # torch's own writer turns a full disk into a RuntimeError, so it writes to memory and plain I/O to the disk.
    buffer = io.BytesIO()
    torch.save(dict(contents), buffer)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(buffer.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_checkpoint(path: str | os.PathLike, device: torch.device | str) -> dict[str, Any]:
    """The contents of a checkpoint, tensors on `device`. Loads data only, never code."""
    try:
        checkpoint = torch.load(path, map_location=device, weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError, IndexError) as error:
        raise ValueError(f"{path} is damaged or not a checkpoint ({type(error).__name__})") from error
    if not isinstance(checkpoint, dict) or "model_state_dict" not in checkpoint:
        raise ValueError(f"{path} is not a checkpoint: it has no model_state_dict")
    return checkpoint


def load_parameters(network: nn.Module, state_dict: Mapping[str, Tensor], path: str | os.PathLike, hint: str) -> None:
    """Load strictly; what does not fit is named in one sentence, which ends in `hint`."""
    own = network.state_dict()
    problems = [
        f"{name} is {tuple(state_dict[name].shape)} in the file and {tuple(own[name].shape)} in the network"
        for name in own
        if name in state_dict and state_dict[name].shape != own[name].shape
    ]
    problems += [f"{name} is missing in the file" for name in own if name not in state_dict]
    problems += [f"{name} is unknown to the network" for name in state_dict if name not in own]
    if problems:
        named, rest = problems[:MAX_NAMED_PARAMETERS], problems[MAX_NAMED_PARAMETERS:]
        more = f"; and {len(rest)} more" if rest else ""
        raise ValueError(f"{path} does not fit the network: {'; '.join(named)}{more}{hint}")
    network.load_state_dict(state_dict)
