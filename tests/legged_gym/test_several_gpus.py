"""Training in several processes: how robots, seeds and devices are shared out, and torchrun as a user starts it."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from small_envs import build, small_cfg

from legged_gym import LEGGED_GYM_ROOT_DIR
from legged_gym.runs.restarts import NOTE
from legged_gym.utils import helpers
from legged_gym.utils.helpers import set_seed
from rsl_rl.runners.checkpoint import checkpoint_files
from rsl_rl.utils import ranks

TORCHRUN = [sys.executable, "-m", "torch.distributed.run"]
ONE_HOST = ["--standalone", "--nproc_per_node=2"]
SCRIPTS = Path(LEGGED_GYM_ROOT_DIR) / "legged_gym" / "scripts"
SMALL = ["--task", "aliengo_flat", "--headless", "--sim_device", "cpu", "--num_envs", "4"]
LOST_S = 60.0  # within which a run has to end that lost a rank
TIMEOUT_S = 400


@pytest.fixture
def be_rank(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """Make this process believe that it is one of several."""

    def be(rank: int, number: int) -> None:
        monkeypatch.setattr(ranks, "rank", lambda: rank)
        monkeypatch.setattr(ranks, "num_ranks", lambda: number)
        monkeypatch.setattr(ranks, "local_rank", lambda: rank)

    return be


def test_terrain_columns_and_fast_robots_are_those_of_one_rank_with_all_robots(be_rank: Any) -> None:
    def robots(num_envs: int) -> list[tuple[int, bool]]:
        cfg = small_cfg("aliengo")
        cfg.env.num_envs = num_envs
        env = build(cfg, "aliengo")
        return list(zip(env.terrain_types.tolist(), env.high_vel_mask.tolist(), strict=True))

    whole, parts = robots(12), []
    for rank in range(3):
        be_rank(rank, 3)
        parts += robots(4)
    assert sorted(parts) == sorted(whole)
    assert sum(fast for _, fast in whole) == 3  # a fifth, rounded up


def test_ranks_draw_different_numbers_from_one_seed(be_rank: Any) -> None:
    def draws(seed: int) -> float:
        assert set_seed(seed) == seed
        return torch.rand(()).item()

    alone = draws(5)
    seen = set()
    for seed in (5, 6):
        for rank in range(3):
            be_rank(rank, 3)
            seen.add(draws(seed))
    assert len(seen) == 6 and alone in seen  # the first rank is as one that is alone


def test_each_rank_has_a_device_of_its_own(be_rank: Any) -> None:
    assert helpers._own_device("cuda:3") == "cuda:3"
    be_rank(1, 2)
    assert [helpers._own_device(name) for name in ("cpu", "cuda", "cuda:1")] == ["cpu", "cuda:1", "cuda:1"]
    with pytest.raises(ValueError, match="gives each process a GPU of its own; say cuda, not cuda:0"):
        helpers._own_device("cuda:0")


@pytest.mark.parametrize(("other", "widened"), [([9.0, 9.0], True), ([7.0, 9.0], False)])
def test_the_speed_range_follows_the_robots_of_all_ranks(
    flat_env: Any, monkeypatch: pytest.MonkeyPatch, other: list[float], widened: bool
) -> None:
    """Ten episodes of each group here at 0.85 of the best tracking, and ten on another rank: 0.80 is the limit."""
    best = flat_env.reward_scales["tracking_lin_vel"]
    news = iter([torch.tensor(other) * best, torch.full((2,), 10.0)])
    monkeypatch.setattr(ranks, "add_", lambda tensor: tensor.add_(next(news)))
    before = flat_env.command_ranges["lin_vel_x"].clone()
    flat_env._tracking_totals[:] = 8.5 * best
    flat_env._tracking_counts[:] = 10
    monkeypatch.setattr(flat_env, "_last_range_check", flat_env.common_step_counter - int(flat_env.max_episode_length))
    flat_env._widen_speed_range()
    assert (flat_env.command_ranges["lin_vel_x"][1] > before[1]).item() == widened
    flat_env.command_ranges["lin_vel_x"][:] = before


def test_levels_are_saved_of_all_robots_and_taken_over_by_their_owners(
    rough_env: Any, be_rank: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = torch.tensor([0, 1, 2, 2, 1, 0])
    rough_env.terrain_levels[:] = own
    be_rank(1, 2)
    monkeypatch.setattr(ranks, "gather", lambda levels: [torch.zeros_like(levels), levels])
    state = rough_env.get_curriculum_state()
    assert state["terrain_levels"].tolist() == [0, 0, 0, 1, 0, 2, 0, 2, 0, 1, 0, 0]
    rough_env.set_curriculum_state(state)
    assert rough_env.terrain_levels.tolist() == own.tolist()


# -- torchrun


@pytest.fixture
def logs() -> Iterator[Path]:
    folder = Path(LEGGED_GYM_ROOT_DIR) / "logs" / f"test_several_gpus_{os.getpid()}"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def start(logs: Path, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen]]:
    """Start torchrun with train.py, with iterations of 5 steps, each of which is saved; its words go to files."""
    config = {"task": "aliengo_flat", "flags": {}, "env": {}, "train": {"runner": {"num_steps_per_env": 5}}}
    config["train"]["runner"]["save_interval"] = 1  # type: ignore[index]
    (tmp_path / "short.json").write_text(json.dumps(config))
    started = []

    def start(iterations: int, *launcher_flags: str, words: str = "") -> subprocess.Popen:
        flags = [*SMALL, "--config", str(tmp_path / "short.json"), "--max_iterations", str(iterations)]
        command = [*TORCHRUN, *launcher_flags, str(SCRIPTS / "train.py"), *flags, "--experiment_name", logs.name]
        environment = os.environ | {"PYTHONPATH": LEGGED_GYM_ROOT_DIR, "OMP_NUM_THREADS": "1"}
        with (tmp_path / f"{words}out").open("w") as out, (tmp_path / f"{words}err").open("w") as err:
            process = subprocess.Popen(command, env=environment, stdout=out, stderr=err, start_new_session=True)
        started.append(process)
        return process

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def wait_for_checkpoints(logs: Path, number: int, process: subprocess.Popen) -> Path:
    """The run's folder, once it holds so many."""
    end = time.monotonic() + TIMEOUT_S
    while time.monotonic() < end and process.poll() is None:
        for folder in logs.glob("*"):
            if len(checkpoint_files(folder)) >= number:
                return folder
        time.sleep(0.2)
    raise AssertionError("no checkpoint came")


def worker(process: subprocess.Popen, rank: int) -> int:
    """Process id of a rank."""
    for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        if f"RANK={rank}\0".encode() in Path(f"/proc/{pid}/environ").read_bytes().replace(b"LOCAL_RANK", b""):
            return int(pid)
    raise AssertionError(f"there is no rank {rank}")


def check_whole(folder: Path) -> int:
    """Completed iterations of the newest checkpoint, beside which there is the state of both ranks."""
    completed = torch.load(checkpoint_files(folder)[-1], weights_only=True)["completed_iterations"]
    for suffix in ("", "_rank1"):
        state = torch.load(folder / f"state_{completed}{suffix}.pt", weights_only=True)
        assert state["ranks"] == 2 and state["completed_iterations"] == completed
    return completed


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_torchrun_ends_and_saves_the_run(
    start: Any, logs: Path, tmp_path: Path, number: signal.Signals
) -> None:
    process = start(10**6, *ONE_HOST)
    folder = wait_for_checkpoints(logs, 2, process)
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)  # Ctrl-C goes to all
    process.wait(LOST_S)
    out = (tmp_path / "out").read_text()
    assert out.count("Stopping after this iteration") == 1, (tmp_path / "err").read_text()
    assert "To go on: torchrun --nproc_per_node=2 " in out
    completed = check_whole(folder)
    titles = re.findall(r"Learning iteration (\d+)/", out)
    assert titles == [str(iteration) for iteration in range(completed)]  # one console
    assert json.loads((folder / "run.json").read_text())["ranks"] == 2


@pytest.mark.slow
def test_a_dead_rank_ends_the_run_within_a_minute(start: Any, logs: Path, tmp_path: Path) -> None:
    process = start(10**6, *ONE_HOST)
    folder = wait_for_checkpoints(logs, 2, process)
    os.kill(worker(process, 1), signal.SIGKILL)
    began = time.monotonic()
    assert process.wait(LOST_S) != 0
    assert time.monotonic() - began < LOST_S
    assert "error: rank 0 has lost contact with another rank" in (tmp_path / "err").read_text()
    assert check_whole(folder) >= 2


@pytest.mark.slow
def test_torchrun_goes_on_with_the_run_after_a_death(start: Any, logs: Path, tmp_path: Path) -> None:
    process = start(15, *ONE_HOST, "--max-restarts=1")
    folder = wait_for_checkpoints(logs, 2, process)
    assert json.loads((folder / NOTE).read_text())["end_iteration"] == 15
    os.kill(worker(process, 1), signal.SIGKILL)
    assert process.wait(TIMEOUT_S) == 0, (tmp_path / "err").read_text()
    out = (tmp_path / "out").read_text()
    assert out.count("Resuming from") == 1 and "Not restored" not in out
    assert [path.name for path in logs.iterdir()] == [folder.name]
    assert check_whole(folder) == 15


@pytest.mark.slow
def test_hosts_go_on_together_after_a_death_on_one(start: Any, logs: Path, tmp_path: Path) -> None:
    """Each host has a torchrun; here both are on this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    flags = ["--nnodes=2", "--nproc_per_node=1", "--max-restarts=1", f"--rdzv_id={logs.name}", "--rdzv_backend=c10d"]
    hosts = [start(15, *flags, f"--rdzv_endpoint=127.0.0.1:{port}", words=name) for name in ("a", "b")]
    folder = wait_for_checkpoints(logs, 2, hosts[0])
    (killed,) = Path(f"/proc/{hosts[1].pid}/task/{hosts[1].pid}/children").read_text().split()
    os.kill(int(killed), signal.SIGKILL)
    for host, name in zip(hosts, ("a", "b"), strict=True):
        assert host.wait(TIMEOUT_S) == 0, (tmp_path / f"{name}err").read_text()
    out = "".join((tmp_path / f"{name}out").read_text() for name in ("a", "b"))
    assert out.count("Resuming from") == 1 and "Not restored" not in out
    assert [path.name for path in logs.iterdir()] == [folder.name]
    assert check_whole(folder) == 15


@pytest.mark.slow
def test_the_benchmark_counts_the_robots_of_all_ranks(tmp_path: Path) -> None:
    path = tmp_path / "speed.json"
    command = [*TORCHRUN, *ONE_HOST, str(SCRIPTS / "benchmark.py"), *SMALL, "--repeats", "1", "--json", str(path)]
    environment = os.environ | {"PYTHONPATH": LEGGED_GYM_ROOT_DIR, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert result.returncode == 0, result.stderr
    rows = json.loads(path.read_text())
    assert (rows["ranks"], rows["num_envs"]) == (2, 4)
    assert rows["training_steps_per_s"] * rows["iteration_s"] == pytest.approx(2 * 4 * 48)
    assert 0 < rows["communication_s"] < rows["iteration_s"]
    assert result.stdout.count("messages between GPUs") == 1
