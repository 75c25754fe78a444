"""The wheel and the source distribution, built from a copy of the tree and tried from another folder."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

from legged_gym import LEGGED_GYM_LOGS_DIR, LEGGED_GYM_ROOT_DIR, cli

ROOT = Path(LEGGED_GYM_ROOT_DIR)
NOT_SHIPPED = {".gitignore", ".dockerignore", "logs/.gitkeep"}  # of use to a repository alone
SMALL = ["--task", "aliengo_flat", "--headless", "--sim_device", "cpu", "--num_envs", "4"]


class Distribution(NamedTuple):
    """What was built, and the folder that the wheel was installed into."""

    tracked: set[str]
    sdist: Path
    wheel: Path
    site: Path


def run(*words: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    outer = {name: value for name, value in os.environ.items() if name != cli.RUNNING}
    return subprocess.run(
        [*map(str, words)], cwd=cwd, env=outer | environment, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Distribution:
    if not (ROOT / ".git").exists():
        pytest.skip("asks git which files belong to the project")
    files = run("git", "ls-files", "-co", "--exclude-standard", cwd=ROOT).stdout.split("\n")
    tracked = {name for name in files if name and (ROOT / name).is_file()}
    tree, site = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("site")
    for name in tracked:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tree / name)
    done = run(sys.executable, "-m", "build", "--no-isolation", cwd=tree)  # the wheel out of the sdist
    assert done.returncode == 0, done.stdout + done.stderr
    (sdist,), (wheel,) = tree.glob("dist/*.tar.gz"), tree.glob("dist/*.whl")
    done = run(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", site, wheel, cwd=site)
    assert done.returncode == 0, done.stderr
    return Distribution(tracked, sdist, wheel, site)


def himloco(built: Distribution, *arguments: str, cwd: Path) -> str:
    """What the installed console command prints, in a folder that holds nothing of ours."""
    done = run(built.site / "bin" / "himloco", *arguments, cwd=cwd, PYTHONPATH=str(built.site))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_source_distribution_holds_every_file_of_the_repository(built: Distribution) -> None:
    with tarfile.open(built.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert built.tracked - NOT_SHIPPED - names == set()


@pytest.mark.slow
def test_the_wheel_holds_packages_and_resources_and_nothing_else(built: Distribution) -> None:
    packages = ("isaacgym/", "legged_gym/", "rsl_rl/")
    expected = {name for name in built.tracked if name.startswith(packages)}
    expected |= {f"legged_gym/{name}" for name in built.tracked if name.startswith("resources/")}
    with zipfile.ZipFile(built.wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == expected


@pytest.mark.slow
def test_an_installed_wheel_trains_plays_and_walks_in_the_current_folder(built: Distribution, tmp_path: Path) -> None:
    trained = himloco(built, "train", *SMALL, "--max_iterations", "1", cwd=tmp_path)
    (run_folder,) = (tmp_path / "logs" / "flat_aliengo").iterdir()
    assert f"logs in {run_folder}" in trained
    record = json.loads((run_folder / "run.json").read_text())
    version = re.search(r'version="(.*)"', (ROOT / "setup.py").read_text())[1]
    assert record["command"] == f"himloco train {' '.join(SMALL)} --max_iterations 1"
    assert record["git"] is None and record["versions"]["himloco"] == version
    played = himloco(built, "play", *SMALL, "--num_steps", "5", cwd=tmp_path)
    policy = tmp_path / "logs" / "flat_aliengo" / "exported" / "policies" / "policy.onnx"
    assert str(policy) in played
    walked = himloco(
        built, "sim2sim", "--headless", "--terrain", "flat", "--trials", "1", "--seconds", "3", cwd=tmp_path
    )
    assert str(policy) in walked and "tracking error" in walked
    assert not (built.site / "logs").exists() and not (built.site / "legged_gym" / "logs").exists()


@pytest.mark.slow
def test_an_installed_wheel_has_go2s_policy_and_its_simulated_robot(built: Distribution, tmp_path: Path) -> None:
    pytest.importorskip("cyclonedds", reason="needs the package cyclonedds")
    place = ("--network", "lo", "--domain", "229")
    module = (sys.executable, "-m")
    robot = run(
        *module, "legged_gym.deploy.simulated_go2", *place, "--seconds", "0.1", cwd=tmp_path, PYTHONPATH=str(built.site)
    )
    assert robot.returncode == 0 and "commands not obeyed: 0" in robot.stdout, robot.stderr
    driver = run(
        *module, "legged_gym.deploy.go2", *place, "--time_scale", "10", cwd=tmp_path, PYTHONPATH=str(built.site)
    )
    assert str(built.site / "legged_gym" / "resources" / "policies" / "go2" / "policy.onnx") in driver.stdout
    assert driver.returncode == 2 and "no robot answers on lo" in driver.stderr


def test_a_checkout_keeps_its_runs_and_resources() -> None:
    assert Path(LEGGED_GYM_LOGS_DIR) == Path(__file__).parents[2] / "logs"
    assert (ROOT / "setup.py").is_file() and (ROOT / "resources" / "robots" / "go2").is_dir()


def console(*arguments: str, cwd: Path) -> subprocess.CompletedProcess:
    command = "from legged_gym.cli import main; main()"
    return run(sys.executable, "-c", command, *arguments, cwd=cwd, PYTHONPATH=str(ROOT))


def test_help_lists_every_script(tmp_path: Path) -> None:
    scripts = {path.stem.replace("_", "-") for path in ROOT.glob("legged_gym/scripts/[a-z]*.py")}
    help_text = console("--help", cwd=tmp_path)
    assert set(re.findall(r"^  (\S+)  ", help_text.stdout, re.MULTILINE)) == scripts
    assert help_text.returncode == 0 and help_text.stderr == ""


def test_an_unknown_command_is_told_with_those_there_are(tmp_path: Path) -> None:
    wrong = console("trian", cwd=tmp_path)
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("error: himloco has no command 'trian'; it has: train, play, evaluate, sim2sim")


def test_version_is_the_same_everywhere() -> None:
    version = re.search(r'version="(.*)"', (ROOT / "setup.py").read_text())[1]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (\S+)", changelog, re.MULTILINE)[1] == version
    assert re.search(r"^version: (\S+)", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)[1] == version


def test_a_folder_with_another_legged_gym_does_not_disturb(tmp_path: Path) -> None:
    (tmp_path / "legged_gym").mkdir()
    (tmp_path / "legged_gym" / "__init__.py").write_text("raise RuntimeError('of another fork')")
    start = "from legged_gym.cli import main; main()"
    done = run(sys.executable, "-P", "-c", start, "curves", "--help", cwd=tmp_path, PYTHONPATH=str(ROOT))
    assert done.returncode == 0 and done.stdout.startswith("usage: himloco curves"), done.stderr


def test_a_message_names_the_command_that_the_user_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(cli.RUNNING, raising=False)
    assert cli.example("train") == "python legged_gym/scripts/train.py" and cli.program("a.py") == ["python", "a.py"]
    monkeypatch.setenv(cli.RUNNING, "himloco play")
    assert cli.example("train") == "himloco train" and cli.program("/site/play.py") == ["himloco", "play"]
