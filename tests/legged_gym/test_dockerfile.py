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
    return subprocess.run([*words], cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


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
