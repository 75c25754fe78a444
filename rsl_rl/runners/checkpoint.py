"""Checkpoint files: written whole or not at all, read with errors that name what does not fit.

A run's folder holds `model_<iteration>.pt` (networks, optimisers, curriculum) and, for the newest of them only,
`state_<completed iterations>.pt`: what else an exact continuation needs. Of several ranks, all but the first put
`_rank<number>` before the dot of the latter. Whoever exports the policy of a checkpoint calls it
`policy_<iteration>.<format>`.
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rsl_rl.utils.files import StrPath, write_whole

MAX_NAMED_PARAMETERS = 4  # an error names this many parameters and counts the rest


def write_checkpoint(path: StrPath, contents: Mapping[str, Any]) -> None:
    """Replace `path` by the contents; if the disk fails (OSError), an older file of that name stays as it was."""
    # torch's own writer turns a full disk into a RuntimeError, so it writes to memory and plain I/O to the disk.
    buffer = io.BytesIO()
    torch.save(dict(contents), buffer)
    write_whole(path, buffer.getbuffer())


def read_checkpoint(path: StrPath, device: torch.device | str) -> dict[str, Any]:
    """The contents of a checkpoint, tensors on `device`. Loads data only, never code."""
    checkpoint = read_data(path, device)
    parameters = checkpoint.get("model_state_dict")
    if not isinstance(parameters, Mapping):
        raise ValueError(f"{path} is not a checkpoint: it has no model_state_dict")
    if not all(isinstance(name, str) and isinstance(value, Tensor) for name, value in parameters.items()):
        raise ValueError(f"{path} is not a checkpoint: its model_state_dict holds something else than tensors")
    return checkpoint


def read_data(path: StrPath, device: torch.device | str) -> dict[str, Any]:
    """A dict of tensors, numbers and texts that `write_checkpoint` wrote. Loads data only, never code."""
    content = Path(path).read_bytes()
    try:
        contents = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
    except Exception as error:  # a damaged file can make the unpickler fail in any way
        raise ValueError(f"{path} is damaged or not a checkpoint ({type(error).__name__}); choose another") from error
    if not isinstance(contents, dict):
        raise ValueError(f"{path} is not a checkpoint: it holds a {type(contents).__name__}")
    return contents


def checkpoint_files(folder: StrPath) -> list[Path]:
    """Checkpoints of a run in the order of their iterations."""
    return _numbered(folder, "model")


def state_file(folder: StrPath, completed_iterations: int, rank: int = 0) -> Path:
    return Path(folder, f"state_{completed_iterations}{f'_rank{rank}' if rank else ''}.pt")


def export_name(iteration: int | str) -> str:
    """Stem of the files to which the policy of a checkpoint is exported."""
    return f"policy_{iteration}"


def remove_old_files(folder: StrPath, completed_iterations: int, keep: int | None) -> None:
    """Delete states of other checkpoints than the newest, and all but the newest `keep` checkpoints (None: keep all)
    with their exports.

    completed_iterations: of the newest checkpoint, which is on the disk.
    """
    for path in Path(folder).glob("state_*.pt"):
        number = path.stem.split("_")[1]
        if number.isdecimal() and int(number) != completed_iterations:
            path.unlink(missing_ok=True)
    old = checkpoint_files(folder)[:-keep] if keep else []
    old_exports = {export_name(path.stem.removeprefix("model_")) for path in old}
    for path in [*old, *(path for path in Path(folder).glob("policy_*") if path.stem in old_exports)]:
        path.unlink(missing_ok=True)


def _numbered(folder: StrPath, stem: str) -> list[Path]:
    """Files <stem>_<number>.pt in the order of their numbers."""
    prefix = f"{stem}_"
    paths = [p for p in Path(folder).glob(f"{prefix}*.pt") if p.stem.removeprefix(prefix).isdecimal()]
    return sorted(paths, key=lambda path: int(path.stem.removeprefix(prefix)))


def load_parameters(network: nn.Module, state_dict: Mapping[str, Tensor], path: StrPath, hint: str) -> None:
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
