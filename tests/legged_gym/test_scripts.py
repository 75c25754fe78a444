"""The scripts as a user runs them, from another folder than the repository's."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from legged_gym import LEGGED_GYM_ROOT_DIR
from rsl_rl.utils.signals import SAME_REQUEST_S

SCRIPTS = Path(LEGGED_GYM_ROOT_DIR) / "legged_gym" / "scripts"
SMALL = ["--task", "aliengo_flat", "--headless", "--sim_device", "cpu", "--num_envs", "4"]


def run_script(name: str, *flags: str, cwd: Path) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": LEGGED_GYM_ROOT_DIR}
    command = [sys.executable, str(SCRIPTS / name), *flags]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture
def experiment() -> Iterator[str]:
    """Name of an experiment whose logs are removed afterwards."""
    name = f"test_scripts_{os.getpid()}"
    yield name
    shutil.rmtree(Path(LEGGED_GYM_ROOT_DIR) / "logs" / name, ignore_errors=True)


@pytest.fixture
def short_iterations(tmp_path: Path) -> list[str]:
    """Flags of a training whose iterations have 5 steps instead of 100."""
    file = tmp_path / "short.json"
    config = {"task": "aliengo_flat", "flags": {}, "env": {}, "train": {"runner": {"num_steps_per_env": 5}}}
    file.write_text(json.dumps(config))
    return ["--config", str(file)]


AT_TORCH = """
import os, runpy, sys
class AtTorch:
    def find_spec(self, name, *_):
        if name == "torch":
            print(os.environ.get("GOMP_SPINCOUNT"), flush=True)
            os._exit(0)
sys.meta_path.insert(0, AtTorch())
runpy.run_path(sys.argv[1], run_name="script")
"""


@pytest.mark.parametrize("name", ["train.py", "play.py", "evaluate.py", "benchmark.py"])
@pytest.mark.parametrize(("given", "expected"), [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7")])
def test_threads_are_told_how_to_wait_before_torch_loads(name: str, given: dict[str, str], expected: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "GOMP_SPINCOUNT"} | given
    environment["PYTHONPATH"] = LEGGED_GYM_ROOT_DIR
    command = [sys.executable, "-c", AT_TORCH, str(SCRIPTS / name)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert result.stdout.splitlines()[-1:] == [expected], result.stderr


@pytest.mark.slow
def test_train_resume_and_play(experiment: str, short_iterations: list[str], tmp_path: Path) -> None:
    logs = Path(LEGGED_GYM_ROOT_DIR) / "logs" / experiment
    flags = [*SMALL, *short_iterations, "--experiment_name", experiment, "--max_iterations", "1"]
    trained = run_script("train.py", *flags, cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert "Training aliengo_flat: 4 envs on cpu, learning on cpu, logs in " in trained.stdout
    resumed = run_script("train.py", *flags, "--resume", "--run_name", "more", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert "Resuming from" in resumed.stdout and len(list(logs.glob("*_more/model_2.pt"))) == 1
    played = run_script("play.py", *SMALL, "--experiment_name", experiment, "--num_steps", "30", cwd=tmp_path)
    assert played.returncode == 0, played.stderr
    assert "Tracking error" in played.stdout and "tracking_lin_vel" in played.stdout
    assert (logs / "exported" / "play.png").stat().st_size > 10_000
    policy = torch.jit.load(str(logs / "exported" / "policies" / "policy.pt"))
    assert policy(torch.zeros(3, 450)).shape == (3, 12)


def start_training(experiment: str, cwd: Path, *more_flags: str) -> subprocess.Popen:
    """A long training run, past its first iteration."""
    flags = [*SMALL, "--experiment_name", experiment, "--max_iterations", "100000", *more_flags]
    run = subprocess.Popen(
        [sys.executable, "-u", str(SCRIPTS / "train.py"), *flags],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": LEGGED_GYM_ROOT_DIR},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while "Learning iteration 1/" not in (line := run.stdout.readline()):
        assert line, run.stderr.read()
    return run


@pytest.mark.slow
def test_a_signal_ends_a_training_that_can_go_on(experiment: str, short_iterations: list[str], tmp_path: Path) -> None:
    run = start_training(experiment, tmp_path, *short_iterations)
    for _ in range(2):  # as `timeout` does
        run.send_signal(signal.SIGTERM)
    out, err = run.communicate(timeout=120)
    assert run.returncode == 0, err
    command = out.rsplit("To go on: ", 1)[1].split()
    folder = Path(command[command.index("--load_run") + 1])
    newest = max(folder.glob("model_*.pt"), key=lambda path: int(path.stem.split("_")[1]))
    assert f"Learning iteration {int(newest.stem.split('_')[1]) - 1}/" in "Learning iteration 1/" + out
    resumed = run_script("train.py", *command[2:], "--max_iterations", "1", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert f"Resuming from {newest}" in resumed.stdout and "Not restored" not in resumed.stdout
    assert f"logs in {folder}\n" in resumed.stdout and (folder / "run_2.json").is_file()


@pytest.mark.slow
def test_a_second_signal_ends_it_at_once_without_a_traceback(experiment: str, tmp_path: Path) -> None:
    run = start_training(experiment, tmp_path, "--num_envs", "200")  # iterations of several seconds
    time.sleep(0.5)  # the next one has begun
    run.send_signal(signal.SIGINT)
    while "once more to stop at once" not in run.stdout.readline():
        pass
    time.sleep(2 * SAME_REQUEST_S)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("script", "flags", "sign"),
    [
        ("benchmark.py", [*SMALL, "--repeats", "100000"], "Warp"),
        ("sim2sim.py", ["--task", "aliengo", "--headless", "--trials", "100000"], "in C MuJoCo"),
    ],
)
def test_ctrl_c_ends_a_measurement_with_a_line(script: str, flags: list[str], sign: str, tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPTS / script), *flags]
    environment = os.environ | {"PYTHONPATH": LEGGED_GYM_ROOT_DIR, "PYTHONUNBUFFERED": "1"}
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, **both) as run:
        for line in run.stdout:
            if sign in line:  # it has begun
                break
        run.send_signal(signal.SIGINT)
        said, _ = run.communicate(timeout=60)
    assert run.returncode == 130 and said.splitlines()[-1] == "Interrupted." and "Traceback" not in said


@pytest.mark.parametrize(
    ("script", "flags", "message"),
    [
        ("train.py", ["--num_envs", "0"], "error: --num_envs must be at least 1, got 0"),
        ("play.py", ["--task", "aliengo_flat", "--load_run", "May"], "error: --load_run: no run 'May' under"),
        ("play.py", ["--num_steps", "0"], "error: --num_steps must be at least 1, got 0"),
        ("play.py", ["--command", "1", "0"], "play.py: error: argument --command: expected 3 arguments"),
    ],
)
def test_mistakes_end_with_a_sentence(script: str, flags: list[str], message: str, tmp_path: Path) -> None:
    result = run_script(script, *flags, cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith(message) and "Traceback" not in result.stderr
