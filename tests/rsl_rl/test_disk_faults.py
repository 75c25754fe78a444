"""A disk that refuses files in the middle of a run.

The kernel's limit on a file's size stands for the full disk: writes stop half-way, as they do there.
"""

import contextlib
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from point_mass import ResumablePointMassEnv
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rsl_rl.runners import HIMOnPolicyRunner


@pytest.fixture
def runner(him_cfg, tmp_path: Path) -> HIMOnPolicyRunner:
    """After one iteration; saves every one."""
    him_cfg["runner"]["save_interval"] = 1
    runner = HIMOnPolicyRunner(ResumablePointMassEnv(8), him_cfg, tmp_path / "run")
    runner.learn(1)
    return runner


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Files of this process cannot grow beyond `size` bytes; Python ignores the signal and gets an OSError."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_full_in_the_middle_of_a_file_leaves_whole_files_and_the_run_goes_on(runner, him_cfg, capsys):
    folder = Path(runner.log_dir)
    (curves,) = folder.glob("events.*")
    before = {path: path.read_bytes() for path in folder.glob("*.pt")}
    size = curves.stat().st_size
    with file_size_limit(size + 100):  # less than the next iteration's curves, and than a checkpoint
        runner.learn(2)
    assert runner.current_learning_iteration == 3 and not runner.is_saved
    assert curves.stat().st_size == size  # what had been written of the record was taken back
    assert {path: path.read_bytes() for path in folder.iterdir() if path != curves} == before
    runner.learn(1)  # there is room again
    steps = [event.step for event in EventAccumulator(str(folder)).Reload().Scalars("Loss/surrogate")]
    assert runner.is_saved and steps == [0, 3]
    told = capsys.readouterr().out
    assert "Cannot save" in told and "Cannot write TensorBoard curves" in told

    resumed = HIMOnPolicyRunner(ResumablePointMassEnv(8), him_cfg, folder)
    resumed.load(folder / "model_1.pt")
    assert resumed.current_learning_iteration == 1


def test_a_console_that_is_a_file_on_the_full_disk_costs_its_words_only(runner, tmp_path):
    runner.log_dir, log = None, tmp_path / "train.log"
    with log.open("w") as console, contextlib.redirect_stdout(console):
        with file_size_limit(100):  # an iteration's words are more
            runner.learn(2)
        runner.learn(1)
    assert runner.current_learning_iteration == 4
    assert "Learning iteration 3/4" in log.read_text()


def test_a_folder_that_becomes_a_file_costs_the_files_and_not_the_training(runner, capsys):
    """For root, too, who may write where permissions say read-only."""
    folder = Path(runner.log_dir)
    shutil.rmtree(folder)
    folder.write_text("")
    runner.learn(2)
    assert runner.current_learning_iteration == 3 and not runner.is_saved
    assert "Cannot save" in capsys.readouterr().out
    folder.unlink()
    runner.learn(1)
    assert torch.load(folder / "model_4.pt", weights_only=True)["completed_iterations"] == 4
