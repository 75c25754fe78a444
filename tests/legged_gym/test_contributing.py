"""What .github/CONTRIBUTING.md says, done in a copy of the tree as a new contributor would."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from legged_gym import LEGGED_GYM_ROOT_DIR

ROOT = Path(LEGGED_GYM_ROOT_DIR)
COPIED = (
    "Dockerfile",
    ".dockerignore",
    "isaacgym",
    "legged_gym",
    "rsl_rl",
    "resources",
    "tests",
    ".ruff.toml",
    ".mypy.ini",
    ".pytest.ini",
    ".mypy_cache",
)


class Snippet(NamedTuple):
    language: str
    text: str


def snippets() -> list[Snippet]:
    """The fenced blocks of the text, in order."""
    text = (ROOT / ".github" / "CONTRIBUTING.md").read_text()
    return [Snippet(*match) for match in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]


def add(tree: Path, text: str) -> None:
    """Make the file that the first line names, or lengthen it."""
    name, content = text.removeprefix("# ").split("\n", 1)
    path = tree / name
    path.write_text(f"{path.read_text()}\n\n{content}" if path.exists() else content)


def patch(tree: Path, text: str) -> None:
    """Insert the lines with a plus after or before their neighbours, which must occur once."""
    name, hunks = text.removeprefix(" # ").split("\n", 1)
    path = tree / name
    content = path.read_text()
    for hunk in hunks.split("@@\n"):
        lines = hunk.splitlines(keepends=True)
        before = "".join(line[1:] or line for line in lines if not line.startswith("+"))
        assert content.count(before) == 1, f"{name} holds {content.count(before)} times:\n{before}"
        content = content.replace(before, "".join(line[1:] or line for line in lines))
    path.write_text(content)


def run(tree: Path, commands: str) -> str:
    """Run a block of commands in the copy, which Python must take the packages from."""
    outer = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}  # of other files
    environment = outer | {"PYTHONPATH": str(tree), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-ec", commands], cwd=tree, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_ci_runs_the_three_commands() -> None:
    commands = snippets()[0].text.splitlines()
    script = (ROOT / ".ci" / "run").read_text()
    assert len(commands) == 3
    assert [command for command in commands if command.removeprefix("python ") not in script] == []


@pytest.mark.slow
def test_the_recipes_work_as_written(tmp_path: Path) -> None:
    tree = tmp_path / "himloco"
    tree.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.is_file():
            shutil.copy2(source, tree / name)
    (_, check, _), (*recipes, trial) = snippets()[0].text.splitlines(), snippets()[1:]
    do = {"bash": run, "python": add, "diff": patch}
    for snippet in recipes:
        do[snippet.language](tree, snippet.text)
    run(tree, check)
    test, train = trial.text.splitlines()
    told = run(tree, f"PYTEST_ADDOPTS=-v {test}")
    for name in ("cricket", "default_pose", "kerb", "velocity_error"):
        assert re.search(rf"{name}.* PASSED", told), told
    assert "Training cricket: 16 envs on" in run(tree, train)
    assert list(tree.glob("logs/rough_cricket/*/model_1.pt"))
