"""Several processes that train one policy against one process, on the CPU through gloo."""

import os
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from rank_processes import (
    make_runner,
    parameters_after_each_update,
    run_ranks,
    start_ranks,
    summarized,
    talk_for_ever,
    trained,
    trained_where_a_disk_is_full,
    trained_with_a_broken_reward,
    updated,
)

from rsl_rl.modules.him_estimator import sinkhorn
from rsl_rl.runners.checkpoint import checkpoint_files
from rsl_rl.utils import ranks
from rsl_rl.utils.rank_watch import MISSED_BEATS, RankWatch

# Sums over two halves round otherwise than over the whole: by 2e-16 of a double. Adam divides gradients by their own
# size, so that small ones pass on their larger relative error.
ROUNDING = 1e-9
LOST_S = 60.0  # within which a run has to end that lost a rank


def differences(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> dict[str, float]:
    return {name: (one[name].double() - other[name].double()).abs().max().item() for name in one}


def test_two_ranks_learn_what_one_learns_from_all_of_the_data() -> None:
    whole, parts = updated(torch.float64), run_ranks(2, updated, torch.float64)
    halves = torch.cat([part.pop("advantages") for part in parts], dim=1)
    assert torch.allclose(halves, whole.pop("advantages"), rtol=ROUNDING, atol=ROUNDING)
    for part in parts:
        assert torch.allclose(part.pop("losses"), whole["losses"])  # which are summed up in float32
        assert max(differences(part, whole).values()) < ROUNDING


def test_each_rank_may_assign_its_own_samples() -> None:
    whole, (part, _) = updated(torch.float64), run_ranks(2, updated, torch.float64, False)
    del part["advantages"]
    different = differences(part, whole)
    assert different["estimator.proto.weight"] > 1e-4  # other assignments, so other prototypes


def test_parameters_are_the_same_bits_on_all_ranks_after_every_update() -> None:
    (first, first_obs), *others = run_ranks(3, parameters_after_each_update)
    assert len(set(first)) == 4  # they change
    for seen, obs in others:
        assert seen == first
        assert not torch.equal(obs, first_obs)  # each has robots of its own


def test_three_and_three_iterations_equal_six_on_each_rank(tmp_path: Path) -> None:
    whole = run_ranks(2, trained, tmp_path / "whole", 6)
    run_ranks(2, trained, tmp_path / "parts", 3)
    assert sorted(path.name for path in (tmp_path / "parts").glob("state_*")) == ["state_3.pt", "state_3_rank1.pt"]
    parts = run_ranks(2, trained, tmp_path / "parts", 3, True)
    for one, other in zip(whole, parts, strict=True):
        assert [name for name in one if not torch.equal(one[name], other[name])] == []
    assert not torch.equal(whole[0]["env position"], whole[1]["env position"])


def test_another_number_of_ranks_resumes_the_networks_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    run_ranks(2, trained, tmp_path, 3)
    runner = make_runner(tmp_path)
    runner.load(tmp_path / "model_3.pt")
    assert capsys.readouterr().out == (
        "Not restored: the simulation, running episodes and random generators; "
        "the number of ranks (GPUs) was 2 and is 1.\n"
    )
    assert runner.tot_timesteps == 3 * 24 * 8 * 2
    runner.learn(1)
    assert runner.current_learning_iteration == 4
    assert [path.name for path in tmp_path.glob("state_*")] == ["state_4.pt"]


@pytest.mark.parametrize("full_rank", [0, 1])
def test_a_full_disk_of_one_rank_costs_the_checkpoint_and_not_the_training(tmp_path: Path, full_rank: int) -> None:
    assert run_ranks(2, trained_where_a_disk_is_full, tmp_path, full_rank) == [(1, False), (1, False)]
    assert checkpoint_files(tmp_path) == []


def test_a_broken_reward_of_one_rank_leaves_the_steps_of_all_out() -> None:
    # 2 epochs of 4 mini-batches; the estimator learns from no rewards, so only the policy's steps are left out
    assert run_ranks(2, trained_with_a_broken_reward, 1) == [(8, True), (8, True)]


def test_a_summary_is_of_the_episodes_of_all_ranks() -> None:
    whole = summarized(12)
    for part in run_ranks(2, summarized, 12):
        assert part.mean_reward == pytest.approx(whole.mean_reward)
        assert part.mean_length == whole.mean_length
        assert part.falls_per_minute == pytest.approx(whole.falls_per_minute)
        assert part.step_infos["value"] == pytest.approx(whole.step_infos["value"])
        assert part.step_infos["Faults/broken"] == 12 * 50  # counts add up, over 50 steps


@pytest.mark.slow
@pytest.mark.parametrize(
    ("victim", "number", "sentence"),
    [
        (0, signal.SIGKILL, "lost contact"),
        (1, signal.SIGSTOP, "rank 1 gave no sign of life"),
        (0, signal.SIGSTOP, "first host does not answer"),  # which has the store that the others ask
    ],
)
def test_a_rank_that_dies_or_hangs_ends_the_others_within_a_minute(
    victim: int, number: signal.Signals, sentence: str, tmp_path: Path
) -> None:
    errors = tmp_path / "errors"
    processes = [process for process, _ in start_ranks(3, talk_for_ever, errors)]
    try:
        while not Path(f"{errors}.begun").exists():
            time.sleep(0.1)
        start = time.monotonic()
        os.kill(processes[victim].pid, number)
        for process in processes[:victim] + processes[victim + 1 :]:
            process.join(LOST_S)
            assert process.exitcode == 1
        assert time.monotonic() - start < LOST_S
    finally:
        for process in processes:
            process.kill()
    assert sentence in errors.read_text()


def test_a_lost_rank_is_told_before_torchrun_can_end_this_one(capsys: pytest.CaptureFixture[str]) -> None:
    """The signal that torchrun sends when it sees the death may come before this process ends by itself."""

    def talk() -> None:
        raise RuntimeError("[/gloo/pair.cc:1] Connection closed by peer [127.0.0.1]:1. This may indicate a crash.")

    with pytest.raises(ranks.RankLostError):
        ranks._reach(talk)
    assert re.search(r"^error: rank 0 has lost .* \(Connection closed by peer \[127.*:1\);", capsys.readouterr().err)


def test_a_start_takes_no_earlier_one_for_its_own() -> None:
    store, names = dist.HashStore(), []
    for _ in range(3):
        with ThreadPoolExecutor() as ranks_of_a_start:
            given = list(ranks_of_a_start.map(lambda rank: ranks._name_of_start(store, rank, 3), (2, 1, 0)))
        assert len(set(given)) == 1
        names.append(given[0])
    assert len(set(names)) == 3


def test_beats_are_counted_and_a_silent_rank_is_named() -> None:
    store = dist.HashStore()
    watches = [RankWatch(store, rank, 3) for rank in range(3)]
    for _ in range(3):
        assert [watch.beat() for watch in watches] == [None, None, None]
    for _ in range(MISSED_BEATS):  # in the first one they see the last sign of life
        assert [watch.beat() for watch in watches[:2]] == [None, None]
    assert [watch.beat() for watch in watches[:2]] == ["rank 2 gave no sign of life for 24 s"] * 2


def test_one_process_leaves_everything_as_it_is() -> None:
    tensor = torch.tensor([1.0, 2.0])
    assert ranks.num_ranks() == 1 and ranks.rank() == 0
    for change in (ranks.add_, ranks.average_):
        assert change(tensor) is tensor and tensor.tolist() == [1.0, 2.0]
    assert ranks.gather("x") == ["x"] and ranks.from_first("x") == "x"
    assert ranks.launcher() == ["python"]
    scores = torch.rand(5, 4)
    assert torch.equal(sinkhorn(scores), sinkhorn(scores, over_ranks=True))
