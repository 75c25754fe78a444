"""The commands of README and of the documentation, run as written but smaller and shorter."""

import runpy
import shlex
import sys
from pathlib import Path

import pytest
from documents import ROOT, blocks, commands, english_pages

import legged_gym
from legged_gym import cli
from legged_gym.deploy import courses

CPU = ["--sim_device", "cpu", "--rl_device", "cpu"]
SMALLER = {  # flags that are added, the last of equal ones wins
    "train": [*CPU, "--num_envs", "4", "--max_iterations", "1"],
    "play": [*CPU, "--num_envs", "1", "--num_steps", "4"],
    "evaluate": [*CPU, "--num_envs", "40", "--trial_s", "1.2"],
    "benchmark": [*CPU, "--num_envs", "4", "--repeats", "1"],
    "sim2sim": ["--trials", "1", "--seconds", "1.2"],
}
TRIALS, TRIAL_S = 1, 1.2  # instead of those that evaluate.py and sim2sim.py share


def script_and_flags(text: str) -> tuple[str, list[str]]:
    """The module behind a command, and its flags, smaller."""
    first, second, *rest = shlex.split(text)
    if first == "himloco":
        module, flags = cli.module_name(second), rest
    elif second == "-m":
        module, *flags = rest
    else:
        module, flags = second.removesuffix(".py").replace("/", "."), rest
    name = module.rpartition(".")[2]
    more = SMALLER.get(name, [])
    if "--scale" in flags:  # with numbers up to the end
        flags = [*flags[: flags.index("--scale")], "--scale", "2", "4"]
    if "sim2sim" in flags:  # a protocol, of a number of robots of its own
        more = CPU
    return module, flags if "--help" in flags else [*flags, *more]


def run(module: str, flags: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [module, *flags])
    try:
        runpy.run_module(module, run_name="__main__")
    except SystemExit as end:
        assert not end.code, f"{module} {shlex.join(flags)}: exit code {end.code}"


@pytest.mark.slow
def test_commands_work_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a folder without runs, in the order of README, guides and reference."""
    logs = str(tmp_path / "logs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(legged_gym, "LEGGED_GYM_LOGS_DIR", logs)
    monkeypatch.setattr(sys.modules["legged_gym.utils.task_registry"], "LEGGED_GYM_LOGS_DIR", logs)
    monkeypatch.setattr(courses, "TRIALS", TRIALS)
    monkeypatch.setattr(courses, "TRIAL_S", TRIAL_S)
    lines = [command.text for page in english_pages() for command in commands(page) if not command.needs]
    tried = [line for line in dict.fromkeys(lines) if line.startswith(("himloco", "python")) and "pytest" not in line]
    assert len(tried) > 15
    assert tried.pop(tried.index("himloco --help"))  # test_packaging.py's
    smaller = [script_and_flags(line) for line in tried]
    for module, flags in [call for k, call in enumerate(smaller) if call not in smaller[:k]]:
        print(module, *flags)
        run(module, flags, monkeypatch)
    for name in ("stairs.mp4", "wide.mp4", "curves.png", "logs/rough_aliengo/evaluation/paper.md"):
        assert (tmp_path / name).stat().st_size > 1000, name


@pytest.mark.slow
def test_the_example_in_python_works(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = blocks(ROOT / "docs" / "en" / "reference" / "api.md", "python")
    monkeypatch.setattr(sys, "argv", ["python"])
    names: dict[str, object] = {}
    exec(compile(example, "api.md", "exec"), names)  # noqa: S102 -- of our own page
    assert names["actions"].shape == (16, 12)
