"""Files that are written whole or not at all."""

import os
from pathlib import Path

TEMPORARY_SUFFIX = ".tmp"
StrPath = str | os.PathLike[str]


def write_whole(path: StrPath, content: bytes | memoryview) -> None:
    """Replace `path` by the content, on the disk when this returns; if that fails (OSError), an older file stays."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def remove_temporaries(folder: StrPath) -> None:
    """Delete what a killed process left of files that it had not finished."""
    for path in Path(folder).glob(f".*{TEMPORARY_SUFFIX}"):
        path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Without this a power cut may undo the renaming."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
