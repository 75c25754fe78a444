"""Curves of several runs: event files written by torch's own writer, numbers by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

from legged_gym.runs.curves import Curve, find_runs, group_runs, over_time, read_run, spread
from legged_gym.scripts.curves import choose_tags, draw, main, parse_args
from legged_gym.utils.helpers import user_errors

REWARD = "Train/mean_reward"


def write_run(
    folder: Path, values: list[float], seed: int | None = None, first: int = 0, tag: str = REWARD, **runner: Any
) -> Path:
    """A run whose iterations take half an hour of collecting and half an hour of learning each."""
    with SummaryWriter(str(folder)) as writer:
        for step, value in enumerate(values, start=first):
            writer.add_scalar(tag, value, step)
            writer.add_scalar(f"{tag}/time", value, 3600 * step)
            writer.add_scalar("Perf/collection time", 1800.0, step)
            writer.add_scalar("Perf/learning_time", 1800.0, step)
    if seed is not None:
        train = {"seed": seed, "runner": {"num_steps_per_env": 100, "run_name": folder.name, **runner}}
        config = {"task": "aliengo", "flags": {}, "env": {"seed": seed, "control": {}}, "train": train}
        (folder / "config.json").write_text(json.dumps(config))
    return folder


def grouped(folder: Path) -> list[list[str]]:
    return [[run.folder.name for run in group.runs] for group in group_runs([read_run(f) for f in find_runs(folder)])]


def test_runs_are_put_together_by_all_of_their_config_but_the_seed(tmp_path: Path) -> None:
    write_run(tmp_path / "a", [1, 2], seed=1, max_iterations=5)
    write_run(tmp_path / "b", [1, 2], seed=2, max_iterations=9, keep=3)
    write_run(tmp_path / "c", [1, 2], seed=3, num_steps_per_env=24)
    write_run(tmp_path / "d", [1, 2], seed=2)  # a repetition of b, not another seed
    write_run(tmp_path / "e", [1, 2], seed=4, first=2)  # goes on with another
    write_run(tmp_path / "f", [1, 2])  # nothing is known of these two
    write_run(tmp_path / "g", [1, 2])
    assert grouped(tmp_path) == [["a", "b"], ["c"], ["d"], ["e"], ["f"], ["g"]]
    label = group_runs([read_run(tmp_path / name) for name in "ab"])[0].label
    assert label == f"{tmp_path.name}/a and 1 more (seeds 1, 2)"


def test_the_config_of_the_newest_session_counts(tmp_path: Path) -> None:
    write_run(tmp_path / "a", [1], seed=1)
    write_run(tmp_path / "b", [1], seed=2)
    config = json.loads((tmp_path / "b" / "config.json").read_text())
    config["env"]["control"]["action_scale"] = 0.25
    (tmp_path / "b" / "config_2.json").write_text(json.dumps(config))
    assert grouped(tmp_path) == [["a"], ["b"]]


def test_the_spread_is_that_of_the_iterations_that_all_runs_have() -> None:
    iterations = [np.arange(4.0), np.arange(1.0, 6.0), np.arange(3.0)]
    curves = [Curve(x, scale * x) for x, scale in zip(iterations, (1.0, 3.0, 8.0), strict=True)]
    x, mean, low, high = spread(curves)
    assert x.tolist() == [1, 2]
    assert (mean.tolist(), low.tolist(), high.tolist()) == ([4, 8], [1, 2], [8, 16])


def test_runs_that_are_not_timed_alike_are_interpolated() -> None:
    x, mean, low, high = spread([Curve(np.array([0.0, 2.0]), np.array([0.0, 4.0])), Curve(np.arange(3.0), np.ones(3))])
    assert x.tolist() == [0, 1, 2]
    assert (mean.tolist(), low.tolist(), high.tolist()) == ([0.5, 1.5, 2.5], [0, 1, 1], [1, 2, 4])


def test_time_is_that_of_collecting_and_learning(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path, [5, 6, 7]))
    assert run.curves[REWARD].x.tolist() == [0, 1, 2]
    hours = over_time(run, run.curves[REWARD])
    assert (hours.x.tolist(), hours.values.tolist()) == ([1, 2, 3], [5, 6, 7])
    del run.curves["Perf/learning_time"]
    with pytest.raises(ValueError, match="no curve 'Perf/learning_time' to tell the time by; draw over iterations"):
        over_time(run, run.curves[REWARD])


def test_tags_are_chosen_by_name_and_pattern(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [read_run(write_run(tmp_path / "a", [1], tag="Reward/gait/steps")), read_run(write_run(tmp_path / "b", [1]))]
    assert choose_tags(runs, ["Reward/*", "Perf/*time"]) == [
        *("Reward/gait/steps", "Perf/collection time", "Perf/learning_time")
    ]
    assert choose_tags(runs, None) == [REWARD]
    assert capsys.readouterr().out.startswith("In no run: Train/mean_episode_length, Episode/terrain_level, ")


def test_a_picture_is_drawn_with_the_band_where_the_runs_differ(tmp_path: Path) -> None:
    """Two seeds that are 0 and 10: the mean's line at 5, and in its colour the band between them."""
    for seed in (1, 2):
        write_run(tmp_path / f"s{seed}", [10.0 * (seed - 1)] * 5, seed=seed)
    groups = group_runs([read_run(folder) for folder in find_runs(tmp_path)])
    draw(groups, [REWARD], "iteration", tmp_path / "new" / "out.png")
    pixels = np.asarray(Image.open(tmp_path / "new" / "out.png"))[..., :3].astype(int)
    column = pixels[: int(0.8 * len(pixels)), pixels.shape[1] // 2]  # through the panel, above the legend
    bluish = np.flatnonzero(column[:, 2] - column[:, 0] > 30)
    line = np.flatnonzero(column[:, 2] - column[:, 0] > 120)
    assert len(bluish) > 100 and (np.diff(bluish) < 4).all()  # but for lines of the grid
    assert line.mean() == pytest.approx((bluish[0] + bluish[-1]) / 2, abs=3)


def test_the_command_line_draws_folders_of_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (1, 2):
        write_run(tmp_path / "logs" / f"s{seed}", [1, 2, 3], seed=seed)
    SummaryWriter(str(tmp_path / "logs" / "begun")).close()
    for x in ("iteration", "time"):
        out = tmp_path / x
        main(parse_args([str(tmp_path / "logs"), str(tmp_path / "logs" / "s1"), "-o", str(out), "--x", x]))
        assert out.with_suffix(".png").stat().st_size > 10_000
    told = capsys.readouterr().out
    assert told.count("s1: 3 curves up to iteration 2") == told.count("Drawn: ") == 2
    assert told.count("begun: no curves yet") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "there is no folder nowhere"),
        (["empty"], "no curves in empty: give a run's folder (logs/<experiment>/<run>) or one of runs"),
        (["run", "--tags", "Train/x"], "no run has the curve 'Train/x'; there are: Perf/collection time, Perf/le"),
        (["run", "-o", "file/out.png"], "cannot write file/out.png: "),
        (["run", "-o", "folder.png"], "cannot write folder.png: Is a directory"),
        (["run", "-o", "out.xyz"], "Format 'xyz' is not supported (supported formats: "),
        (["started"], "none of these runs has curves yet"),
        (["strange"], "none of the usual curves is there; choose --tags from: "),
        (["broken"], "broken/config.json is not the config.json of a run (KeyError: 'task')"),
    ],
)
def test_mistakes_end_with_a_sentence(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir(), Path("folder.png").mkdir()
    Path("file").touch()
    write_run(Path("run"), [1, 2])
    SummaryWriter("started").close()
    write_run(Path("strange"), [1], tag="x")
    write_run(Path("broken"), [1], seed=1)
    Path("broken/config.json").write_text('{"env": {"seed": 1}, "train": {"runner": {}}}')
    with pytest.raises(SystemExit) as stop, user_errors():
        main(parse_args(arguments))
    (error,) = capsys.readouterr().err.splitlines()
    assert stop.value.code == 2 and error.startswith("error: ") and message in error
