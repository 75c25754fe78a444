"""What torchrun's --max-restarts needs: after a failure the same command line runs again, and goes on with its run."""

import json
import os
from pathlib import Path
from typing import NamedTuple

from rsl_rl.runners.checkpoint import checkpoint_files
from rsl_rl.utils import ranks
from rsl_rl.utils.files import write_whole

NOTE = ".torchrun.json"  # in a run's folder


class Restart(NamedTuple):
    """A run that torchrun began and begins again."""

    checkpoint: str  # path of its newest one
    end_iteration: int  # at which it is to end


def launch_name() -> str | None:
    """What tells this torchrun from others, in all of its restarts; None: torchrun did not start this process."""
    name = os.environ.get("TORCHELASTIC_RUN_ID")
    # Several hosts share the name that --rdzv_id gives; without one, torchrun is this process's parent.
    return f"process {os.getppid()}" if name in ("none", "") else name


def note_launch(folder: Path, end_iteration: int) -> None:
    """Leave in a run's folder which torchrun runs it, if one does."""
    if launch_name() is not None:
        write_whole(folder / NOTE, json.dumps({"launch": launch_name(), "end_iteration": end_iteration}).encode())


def restarted_run(root: Path) -> Restart | None:
    """The newest run under `root` that this torchrun began before a failure; None: there was none, or no checkpoint.

    Every rank has to call it: where torchrun restarts a host because of another one, it does not count that.
    """
    if max(ranks.gather(int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")))) == 0:
        return None
    notes = sorted(root.glob(f"*/{NOTE}"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in notes:
        note = json.loads(path.read_text(encoding="utf-8"))
        checkpoints = checkpoint_files(path.parent)
        if note["launch"] == launch_name() and checkpoints:
            return Restart(str(checkpoints[-1]), note["end_iteration"])
    return None
