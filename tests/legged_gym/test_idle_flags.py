"""No flag does nothing in silence: what contradicts others is refused, what is idle is told."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from legged_gym.deploy.courses import COURSES
from legged_gym.envs import task_registry
from legged_gym.scripts import evaluate, play, sim2sim, train
from legged_gym.utils import helpers

CPU = ["--headless", "--sim_device", "cpu", "--task", "aliengo_flat"]


@pytest.fixture(autouse=True)
def nothing_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_registry, "make_env", None)


def told(argv: list[str], check: Callable, extra: list[dict], capsys: pytest.CaptureFixture[str]) -> str:
    check(helpers.get_args([*CPU, *argv], extra=extra))
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("script", "flags", "message"),
    [
        (train, "--load_run May", "--load_run: to go on from there add --resume; to begin anew leave this out"),
        (train, "--load_run May --checkpoint 3", "--load_run and --checkpoint: to go on from there add --resume"),
        (train, "--checkpoint 0", "--checkpoint: to go on from there add --resume"),
        (train, "--resume --load_run May", "no run 'May' under"),
        (train, "--set runner.resume=True --load_run May", "no run 'May' under"),
        (train, "--cpu_recipe on --config CONFIG", "--cpu_recipe on would do nothing beside --config"),
        (play, "--checkpoint_path go2 --checkpoint 3", "--checkpoint would do nothing beside --checkpoint_path"),
        (play, "--agent zero --load_run May", "--load_run would do nothing beside --agent zero"),
        (evaluate, "--checkpoints go2 --load_run May", "--load_run would do nothing beside --checkpoints"),
    ],
)
def test_a_run_that_would_not_be_loaded_is_refused(script, flags, message, tmp_path):
    (tmp_path / "config.json").write_text('{"task": "aliengo_flat", "flags": {}, "env": {}, "train": {}}')
    argv = flags.replace("CONFIG", str(tmp_path / "config.json")).split()
    with pytest.raises((ValueError, FileNotFoundError), match=message):  # before anything is built
        script.prepare(helpers.get_args([*CPU, *argv], extra=script.FLAGS))


@pytest.mark.parametrize("flags", ["--resume --load_run RUN", "--load_run -1 --checkpoint -1"])
def test_a_run_that_is_loaded_or_the_newest_is_not_refused(flags, tmp_path):
    (tmp_path / "model_1.pt").touch()
    argv = flags.replace("RUN", str(tmp_path)).split()
    with pytest.raises(TypeError, match="'NoneType' object is not callable"):  # it comes to make_env
        train.prepare(helpers.get_args([*CPU, *argv], extra=train.FLAGS))


def test_a_robot_of_ones_own_is_watched_by_its_module() -> None:
    args = helpers.get_args([*CPU, "--task_module", "legged_gym.envs"])
    assert train.watch_command(args, "/logs/May 1").endswith(
        "play.py --task aliengo_flat --task_module legged_gym.envs --load_run '/logs/May 1'"
    )


def test_an_iteration_of_a_checkpoint_file_is_refused(tmp_path: Path) -> None:
    torch.save({}, tmp_path / "model_7.pt")
    file = str(tmp_path / "model_7.pt")
    assert helpers.get_load_path(tmp_path, file) == file
    with pytest.raises(ValueError, match="model_7.pt is a file already; leave out --checkpoint 3"):
        helpers.get_load_path(tmp_path, file, 3)


@pytest.mark.parametrize(("script", "check"), [(play, play.check_args), (evaluate, evaluate.check_args)])
def test_flags_of_trainings_are_told_to_be_idle(script, check, capsys):
    assert "for trainings only" not in told([], check, script.FLAGS, capsys)
    said = told(["--run_name", "x", "--max_iterations", "9"], check, script.FLAGS, capsys)
    assert "--run_name and --max_iterations: for trainings only, without effect here." in said


def test_a_port_without_a_page_is_told_to_be_idle(capsys):
    said = "--viewer_host and --viewer_port: without effect, for there is no page"
    helpers.get_args(CPU)
    assert said not in capsys.readouterr().out
    helpers.get_args([*CPU, "--viewer_port", "8081"])
    assert said in capsys.readouterr().out
    helpers.get_args([*CPU, "--viewer", "web", "--viewer_port", "8081"])
    assert said not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--terrain flat slope --step_height 0.2", "--step_height belongs to --terrain stairs, not to flat slope"),
        ("--terrain stairs --slope 0.3", "--slope belongs to --terrain slope or rough, not to stairs"),
        ("--matrix --slope 0.3", "--matrix chooses conditions itself and shows none; leave out --slope"),
        ("--task_module mine.py", "--task_module needs --task"),
        ("--workers 2 --video film.mp4", "--workers needs --headless or --matrix"),
    ],
)
def test_sim2sim_refuses_what_would_do_nothing(flags, message):
    with pytest.raises(ValueError, match=message):
        sim2sim.check_args(sim2sim.get_args(["--headless", *flags.split()]))


@pytest.mark.parametrize(
    "flags", ["--step_height 0.2 --slope 0.3", "--terrain rough --slope 0.3", "--matrix --step_height 0.16"]
)
def test_sim2sim_takes_what_shapes_a_terrain_that_is_there(flags):
    args = sim2sim.get_args(["--headless", "--workers", "2", *flags.split()])
    sim2sim.check_args(args)
    assert set(args.terrain) <= {*COURSES, "rough"}


def test_a_policy_of_a_robot_that_is_not_ours_asks_for_its_task(monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = {"robot": "my_dog", "iteration": 2}
    monkeypatch.setattr(sim2sim, "PolicyController", lambda path: SimpleNamespace(metadata=metadata))
    with pytest.raises(FileNotFoundError, match="x.onnx is a policy of 'my_dog'; give its --task, or its file"):
        sim2sim.setups(sim2sim.get_args(["--headless", "--policy", "x.onnx"]))
