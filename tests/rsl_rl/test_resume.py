"""Runs that go on as if they had never ended, whatever ended them."""

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from point_mass import ResumablePointMassEnv, everything, resume_and_train
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rsl_rl.runners import HIMOnPolicyRunner
from rsl_rl.runners.checkpoint import checkpoint_files
from rsl_rl.utils.random_state import random_state, set_random_state

NUM_KILLS = 20
MEAN_TIME_TO_KILL_S = 0.2  # an iteration with its two files takes about 0.05 s


def make_runner(cfg: dict, folder: Path, num_envs: int = 8) -> HIMOnPolicyRunner:
    return HIMOnPolicyRunner(ResumablePointMassEnv(num_envs), cfg, folder)


def curve(folder: Path, tag: str) -> list[tuple[int, float]]:
    """By step: two files that one process began within a second may be read in either order."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    return sorted((event.step, event.value) for event in events.Scalars(tag))


def test_three_and_three_iterations_equal_six(him_cfg, tmp_path):
    whole = make_runner(him_cfg, tmp_path / "whole")
    whole.learn(6, init_at_random_ep_len=True)
    expected = {name: value.clone() for name, value in everything(whole).items()}

    torch.manual_seed(0)
    make_runner(him_cfg, tmp_path / "parts").learn(3, init_at_random_ep_len=True)
    torch.manual_seed(99)  # another program, which has drawn other numbers
    second = make_runner(him_cfg, tmp_path / "parts")
    second.load(tmp_path / "parts" / "model_3.pt")
    second.learn(3, init_at_random_ep_len=True)
    actual = everything(second)
    assert actual.keys() == expected.keys()
    assert [name for name in expected if not torch.equal(actual[name], expected[name])] == []
    assert second.tot_timesteps == whole.tot_timesteps
    for tag in ("Loss/value_function", "Train/mean_reward", "Train/mean_episode_length"):
        assert curve(tmp_path / "parts", tag) == curve(tmp_path / "whole", tag)


def test_every_generator_draws_on_from_where_it_was():
    random.seed(1), np.random.seed(2), torch.manual_seed(3)  # noqa: NPY002
    np.random.normal()  # noqa: NPY002 -- leaves a second number in the generator's store
    state = random_state()
    drawn = [(random.gauss(0, 1), np.random.normal(), torch.rand(()).item()) for _ in range(2)]  # noqa: NPY002
    set_random_state(state)
    assert drawn == [(random.gauss(0, 1), np.random.normal(), torch.rand(()).item()) for _ in range(2)]  # noqa: NPY002


def test_only_the_newest_checkpoint_has_the_state_of_the_env(him_cfg, tmp_path):
    him_cfg["runner"]["save_interval"] = 2
    make_runner(him_cfg, tmp_path).learn(5)
    assert sorted(path.name for path in tmp_path.glob("*.pt")) == [
        *("model_0.pt", "model_2.pt", "model_4.pt", "model_5.pt", "state_5.pt")
    ]


def test_keep_limits_the_checkpoints(him_cfg, tmp_path):
    him_cfg["runner"] |= {"save_interval": 1, "keep": 2}
    make_runner(him_cfg, tmp_path).learn(12)
    assert [path.name for path in checkpoint_files(tmp_path)] == ["model_11.pt", "model_12.pt"]


def test_exports_go_with_their_checkpoints(him_cfg, tmp_path):
    him_cfg["runner"] |= {"save_interval": 1, "keep": 2}
    runner = make_runner(him_cfg, tmp_path)

    def export(folder: str, iteration: int) -> None:
        assert Path(folder, f"model_{iteration}.pt").is_file()
        for ending in ("pt", "onnx"):
            Path(folder, f"policy_{iteration}.{ending}").touch()

    runner.after_save = export
    runner.learn(12)
    assert sorted(path.name for path in tmp_path.glob("policy_*")) == [
        *("policy_11.onnx", "policy_11.pt", "policy_12.onnx", "policy_12.pt")
    ]


@pytest.mark.parametrize(
    ("file", "num_envs", "reason"),
    [
        ("model_0.pt", 8, "no state_1.pt beside model_0.pt (it is numbered by completed iterations, and only that of"),
        ("model_2.pt", 8, "there is no state_3.pt beside model_2.pt"),
        ("model_5.pt", 4, "it was saved with 8 envs"),
    ],
)
def test_what_cannot_be_restored_is_said(him_cfg, tmp_path, capsys, file, num_envs, reason):
    him_cfg["runner"]["save_interval"] = 2
    make_runner(him_cfg, tmp_path).learn(5)
    resumed = make_runner(him_cfg, tmp_path, num_envs)
    resumed.load(tmp_path / file)
    told = capsys.readouterr().out.splitlines()[-1]
    assert told.startswith("Not restored: the simulation, running episodes and random generators; ")
    assert reason in told
    resumed.learn(1)


def test_a_damaged_state_costs_the_state_only(him_cfg, tmp_path, capsys):
    make_runner(him_cfg, tmp_path).learn(2)
    (tmp_path / "state_2.pt").write_bytes(b"PK")
    resumed = make_runner(him_cfg, tmp_path)
    resumed.load(tmp_path / "model_2.pt")
    assert "state_2.pt is damaged" in capsys.readouterr().out


def test_curves_go_on_without_overlap(him_cfg, tmp_path):
    him_cfg["runner"]["save_interval"] = 2
    make_runner(him_cfg, tmp_path).learn(6)
    (file,) = tmp_path.glob("events.*")
    file.write_bytes(file.read_bytes()[:-5])  # killed while writing
    resumed = make_runner(him_cfg, tmp_path)
    resumed.load(tmp_path / "model_2.pt")  # the newest, had it been killed before iteration 4 was saved
    resumed.learn(4)
    assert [step for step, _ in curve(tmp_path, "Loss/surrogate")] == list(range(7))
    assert len(curve(tmp_path, "Train/mean_reward/time")) == len(curve(tmp_path, "Train/mean_reward")) > 4


def test_a_folder_removed_while_running_comes_back(him_cfg, tmp_path, monkeypatch):
    him_cfg["runner"]["save_interval"] = 1
    folder = tmp_path / "run"
    runner = make_runner(him_cfg, folder)
    runner.learn(1)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    runner.learn(1)
    assert [path.name for path in checkpoint_files(folder)] == ["model_1.pt", "model_2.pt"]
    assert [step for step, _ in curve(folder, "Loss/surrogate")] == [1]


@pytest.mark.slow
def test_killed_at_any_moment_a_run_loses_nothing_that_it_had_saved(tmp_path):
    """Also the result is that of a run which was never killed, bit for bit."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["point_mass"])
    draw = random.Random(1)
    folder, saved = tmp_path / "killed", 0
    for _ in range(NUM_KILLS):
        process = context.Process(target=resume_and_train, args=(str(folder), 10**6))
        process.start()
        while len(checkpoint_files(folder)) <= min(saved, 1) and process.is_alive():
            time.sleep(0.005)
        time.sleep(draw.expovariate(1 / MEAN_TIME_TO_KILL_S))
        assert process.is_alive()
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        newest = checkpoint_files(folder)[-1]
        completed = torch.load(newest, weights_only=True)["completed_iterations"]
        assert completed >= saved
        assert (folder / f"state_{completed}.pt").is_file()
        saved = completed
    for path in (folder, tmp_path / "whole"):
        process = context.Process(target=resume_and_train, args=(str(path), saved + 1))
        process.start()
        process.join()
        assert process.exitcode == 0
    killed, whole = (
        torch.load(path / f"model_{saved + 1}.pt", weights_only=True)["model_state_dict"]
        for path in (folder, tmp_path / "whole")
    )
    assert [name for name in whole if not torch.equal(killed[name], whole[name])] == []
    assert not list(folder.glob(".*.tmp"))
    assert [step for step, _ in curve(folder, "Loss/surrogate")] == list(range(saved + 1))
