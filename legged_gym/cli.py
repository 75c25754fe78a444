"""The console command: `himloco train --task aliengo` is `python -m legged_gym.scripts.train --task aliengo`."""

import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

COMMANDS = {  # name → what it does, in the order of use
    "train": "train a policy",
    "play": "watch, film and export a policy",
    "evaluate": "judge policies by fixed protocols",
    "sim2sim": "walk an exported policy in C MuJoCo",
    "benchmark": "measure where an iteration's time goes",
    "curves": "draw the curves of several runs",
    "new-robot": "write a package for a robot of yours from its URDF or MJCF file",
    "ship": "put a trained policy into resources/policies",
}
INTERRUPTED = 130  # exit status of a program that SIGINT ended
RUNNING = "HIMLOCO_COMMAND"  # environment variable: how the running script was started, if by `himloco`


def module_name(command: str) -> str:
    """The script behind a command."""
    return f"legged_gym.scripts.{command.replace('-', '_')}"


def available() -> dict[str, str]:
    """The commands whose scripts are there."""
    return {name: text for name, text in COMMANDS.items() if importlib.util.find_spec(module_name(name)) is not None}


def program(script: str, launcher: Sequence[str] = ("python",)) -> list[str]:
    """The words that start the running program again. script: its sys.argv[0]; launcher: what runs it."""
    return os.environ[RUNNING].split() if RUNNING in os.environ else [*launcher, script]


def running() -> str | None:
    """What a script's help calls the running program, `himloco train`; None: it is a script, and its name is right."""
    return os.environ.get(RUNNING)


def example(command: str) -> str:
    """How a message tells the user to call one of our scripts."""
    return f"himloco {command}" if RUNNING in os.environ else f"python legged_gym/scripts/{command}.py"


def told(error: Exception) -> str:
    """A user's mistake as a sentence: the system's own with the file that it is about."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{os.fspath(error.filename)}: {error.strerror}"
    return str(error)


@contextmanager
def interruptible(consequence: str = "") -> Iterator[None]:
    """End the program at Ctrl-C with one line, which adds what it means for what is on the disk."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"Interrupted{consequence}.", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None


def usage() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, text in available().items()]
    return "\n".join(["usage: himloco COMMAND ...", "", *lines, "", "himloco COMMAND --help explains its flags."])


def main() -> None:
    """Become the script that the first argument names; its mistakes end with one sentence and exit code 2."""
    command, *arguments = sys.argv[1:] or ["--help"]
    if command in ("-h", "--help"):
        print(usage())
    elif command == "--version":
        print(f"himloco {importlib.metadata.version('himloco')}")
    elif command in available():
        # A process of its own kind, not a function called from here: scripts start processes that import `__main__`.
        # -P: not with a legged_gym of the current folder, which may be another fork's.
        words = [sys.executable, "-P", "-m", module_name(command), *arguments]
        os.execve(sys.executable, words, os.environ | {RUNNING: f"himloco {command}"})
    else:
        known = ", ".join(available())
        print(f"error: himloco has no command '{command}'; it has: {known}", file=sys.stderr)
        raise SystemExit(2)
