"""Files and folders that a script asks for before its long work, so that a mistake costs no time."""

import os
import tempfile
from pathlib import Path


def make_folder(path: str | os.PathLike) -> Path:
    """A folder that files can be written into, made if need be; else a ValueError."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise ValueError(f"cannot write into the folder {folder}: {error.strerror}") from error


def check_writable(path: str | os.PathLike, flag: str) -> None:
    """A ValueError if the file that a flag of the command line names cannot be written; an older one stays."""
    try:
        open(path, "ab").close()
    except OSError as error:
        raise ValueError(f"cannot write {flag} {path}: {error.strerror}") from error
