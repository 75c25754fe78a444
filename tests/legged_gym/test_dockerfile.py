"""What of the Dockerfile can be checked without a Docker daemon."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from legged_gym import LEGGED_GYM_ROOT_DIR

ROOT = Path(LEGGED_GYM_ROOT_DIR)
TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", "")
COPIES = [words.split() for words in re.findall(r"^COPY (.*)$", TEXT, re.MULTILINE)]


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess:
    return subprocess.run([*words], cwd=cwd, capture_output=True, text=True, timeout=900, check=False)


@pytest.mark.slow
def test_what_is_copied_builds_a_wheel_with_robots(tmp_path: Path) -> None:
    for *sources, target in COPIES:
        for name in sources:
            source, copy = ROOT / name, tmp_path / target.removeprefix("/")
            if source.is_dir():
                shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                copy.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, copy)
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", "dist", "./src"]
    done = run(*build, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    sources = [path for room in ("isaacgym", "legged_gym", "rsl_rl") for path in (ROOT / room).rglob("*.py")]
    resources = [path for path in (ROOT / "resources").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    expected = {str(path.relative_to(ROOT)) for path in sources}
    expected |= {f"legged_gym/{path.relative_to(ROOT)}" for path in resources}
    assert expected - names == set()


def test_only_what_is_copied_is_sent_to_the_daemon() -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert sent == {name for *sources, _ in COPIES for name in sources}


KNOWN = {"FROM", "RUN", "ENV", "COPY", "WORKDIR", "EXPOSE", "ENTRYPOINT", "CMD"}  # in the forms that are used here


def test_every_line_is_an_instruction_and_those_of_one_name_come_once() -> None:
    names = [line.split()[0] for line in TEXT.splitlines() if line.strip() and not line.startswith("#")]
    assert names[0] == "FROM" and set(names) == KNOWN
    assert [name for name in ("FROM", "WORKDIR", "ENTRYPOINT", "CMD") if names.count(name) != 1] == []


def test_its_shell_commands_are_understood_by_a_shell() -> None:
    commands = re.findall(r"^RUN (.*)$", TEXT, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        done = subprocess.run(["sh", "-n"], input=command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert re.match(r"DEBIAN_FRONTEND=|apt-get |rm |python3 |mkdir |pip ", command)


def test_what_it_copies_is_in_the_repository() -> None:
    assert [name for *sources, _ in COPIES for name in sources if not (ROOT / name).exists()] == []
    assert all(target.startswith("/src/") for *_, target in COPIES)  # which pip installs and rm removes


@pytest.mark.slow
def test_pip_finds_all_that_it_installs(tmp_path: Path) -> None:
    extras = re.search(r"/src(\[[\w,]+\])", TEXT)[1]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--no-cache-dir"]
    dry = ["--dry-run", "--ignore-installed", "--no-build-isolation", "-q", "--report", str(tmp_path / "report.json")]
    done = run(*pip, *dry, f"{ROOT}{extras}", cwd=tmp_path)
    if done.returncode != 0 and re.search(
        "Temporary failure|NewConnectionError|No matching distribution found for setuptools", done.stderr
    ):
        pytest.skip("asks the package index, which cannot be reached from here")
    assert done.returncode == 0, done.stderr


def test_its_extras_exist() -> None:
    extras = re.search(r"/src\[([\w,]+)\]", TEXT)[1].split(",")
    offered = re.findall(r'^        "(\w+)": ', (ROOT / "setup.py").read_text(), re.MULTILINE)
    assert set(extras) <= set(offered)


def test_apt_has_its_packages() -> None:
    if shutil.which("apt-cache") is None:
        pytest.skip("asks apt, which this machine has not")
    packages = re.search(r"--no-install-recommends ([\w \-]+?)\s*&&", TEXT)[1].split()
    assert "gcc" in packages
    known = {name for name in packages if run("apt-cache", "show", name, cwd=ROOT).stdout}
    if not known:
        pytest.skip("apt has no lists here: apt-get update")
    assert known == set(packages)


def test_it_starts_the_console_command() -> None:
    assert 'ENTRYPOINT ["himloco"]' in TEXT and "himloco = legged_gym.cli:main" in (ROOT / "setup.py").read_text()
