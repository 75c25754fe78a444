"""What a protocol's report makes of trials: statistics by hand and by scipy, and the best checkpoint."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

from legged_gym.evaluation.protocols import (
    PAPER_ERRORS,
    Estimate,
    Group,
    Row,
    estimate,
    mean_level_reached,
    rows,
    share_of,
)
from legged_gym.evaluation.report import best_checkpoint
from legged_gym.evaluation.trials import TrialResult
from legged_gym.scripts.evaluate import short_names, write_report


def test_estimate_is_the_mean_over_robots_of_their_means() -> None:
    nan = math.nan
    values = np.array([[0.1, 0.4, nan, 0.9], [0.3, nan, nan, 0.5]])  # two trials of four robots
    per_robot = np.array([0.2, 0.4, 0.7])
    result = estimate(torch.tensor(values))
    assert result.mean == pytest.approx(per_robot.mean())
    assert result.half_width == pytest.approx(1.96 * per_robot.std(ddof=1) / math.sqrt(3))
    assert math.isnan(estimate(torch.full((2, 3), nan)).mean)


@pytest.mark.parametrize("successes", [0, 7, 20])
def test_the_interval_of_a_share_is_wilsons(successes: int) -> None:
    values = torch.zeros(1, 20)
    values[0, :successes] = 1.0
    low, high = binomtest(successes, 20).proportion_ci(0.95, method="wilson")
    result = share_of(values)
    assert result.mean == pytest.approx(successes / 20)
    assert result.half_width == pytest.approx(max(high - result.mean, result.mean - low), abs=1e-4)


def test_rows_pool_energy_and_touches_and_count_what_became_of_robots() -> None:
    def trial(fell: list[float], crossed: list[float], energy: list[float], touches: list[float]) -> TrialResult:
        zero = torch.zeros(3)
        ends = (torch.tensor(fell).bool(), torch.tensor(crossed).bool())
        paths = torch.tensor([2.0, 3.0, 5.0])
        counts = torch.tensor(touches), 2 * torch.tensor(touches)
        drift = torch.tensor([0.01, 0.5, 0.04])
        lifts = torch.tensor(crossed)  # whoever crosses lifts a foot
        return TrialResult(zero, zero, *ends, zero, paths, torch.tensor(energy), zero, zero, *counts, lifts, drift)

    group = Group("slopes", 2, torch.tensor([True, False, True]))
    results = [
        trial([0, 1, 1], [1, 0, 0], [100.0, 7.0, 200.0], [0.0, 9.0, 1.0]),
        trial([0, 1, 0], [0, 0, 1], [300.0, 7.0, 100.0], [0.0, 9.0, 6.0]),
    ]
    (row,) = rows(results, [group], "lin", noise=True, weight=50.0)
    assert (row.robots, row.case, row.noise) == (2, "lin", True)
    assert (row.crossed.mean, row.fell.mean, row.stuck.mean) == (0.5, 0.25, 0.25)
    assert row.cost_of_transport == pytest.approx(700.0 / (50.0 * 14.0))
    assert (row.trunk_touches, row.leg_touches) == pytest.approx((50.0, 100.0))  # 7 and 14 on 14 m
    # of four trials two lift a foot and one falls
    assert row.stood.mean == 0.25 and row.largest_drift == pytest.approx(0.04)
    assert (row.drift.mean, row.foot_lifts.mean) == pytest.approx((0.025, 0.5))
    (own,) = rows(results, [group._replace(case="9 cm", noise=False)], "lin", noise=None, weight=50.0)
    assert (own.case, own.noise) == ("9 cm", False)


def test_mean_level_reached_multiplies_the_levels_passed() -> None:
    assert mean_level_reached([1.0, 0.5, 0.5, 0.0, 1.0]) == pytest.approx(1.0 + 0.5 + 0.25)


def row_of(fell: float, lin_vel_error: float, crossed: float) -> Row:
    zero = Estimate(0.0, 0.0)
    lin, over, down = (Estimate(value, 0.1) for value in (lin_vel_error, crossed, fell))
    nothing = (zero, 0.0, 0.0, zero, zero, zero, 0.0, zero, zero, 0.0, zero)
    return Row("slopes", None, "lin", True, 5, lin, zero, over, down, *nothing)


def test_a_report_replaces_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three of one protocol and one of another, whatever they are of; the newest has the protocol's name."""
    for robots, protocol in ((1, "paper"), (2, "paper"), (2, "waves"), (3, "paper")):
        results = {"model_1": [row_of(0.0, 0.1, 1.0)]}
        write_report(protocol, results, {"robots": robots}, tmp_path)
    reports = {path.stem: json.loads(path.read_text())["robots"] for path in tmp_path.glob("*.json")}
    assert reports == {"paper": 3, "paper_1": 1, "paper_2": 2, "waves": 2}
    assert {path.stem for path in tmp_path.glob("*.md")} == {path.stem for path in tmp_path.glob("*.png")} == {*reports}
    told = f"The report that was in {tmp_path / 'paper.md'} is now paper_2.md"
    assert capsys.readouterr().out.splitlines()[-2] == told


def test_files_of_one_name_are_told_apart_in_a_report() -> None:
    assert short_names(["logs/a/run/model_1.pt", "logs/a/other/model_1.pt"]) == ["run/model_1", "other/model_1"]
    same = ["logs/a/run/model_1.pt", "logs/b/run/model_1.pt"]
    assert short_names(same) == same


def test_best_checkpoint_neither_falls_nor_stands_still() -> None:
    results = {
        "stands": [row_of(0.0, 0.7, 0.0)],
        "falls": [row_of(0.5, 0.1, 0.4)],  # 0.5 · 0.1 + 0.5 · 1 = 0.55
        "walks": [row_of(0.2, 0.2, 0.3)],  # 0.8 · 0.2 + 0.2 · 1 = 0.36
        "breaks down": [row_of(1.0, math.nan, 0.0)],
    }
    for rows_of_one in results.values():
        rows_of_one.append(rows_of_one[0]._replace(noise=False, fell=Estimate(0.0, 0.0), lin_vel_error=Estimate(0, 0)))
    assert best_checkpoint("paper", results) == "walks"
    assert best_checkpoint("terrain", results) == "falls"


def test_published_errors_are_those_of_the_paper() -> None:
    assert PAPER_ERRORS["stairs", "both ±1"] == (0.135, 0.096)
    assert PAPER_ERRORS["rough slopes", "ang ±2"] == (None, 0.143)
    assert ("stairs", "lin ±2") not in PAPER_ERRORS
