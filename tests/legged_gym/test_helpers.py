"""Command line, seeds and checkpoint search."""

import argparse
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from legged_gym.envs import task_registry
from legged_gym.envs.aliengo.aliengo_config import AliengoRoughCfg, AliengoRoughCfgPPO
from legged_gym.files import make_folder
from legged_gym.scripts import train
from legged_gym.utils import helpers
from legged_gym.utils.helpers import get_args, get_load_path, set_seed, update_cfg_from_args, user_errors
from rsl_rl.utils.recorded import Recorded


def make_run(root: Path, name: str, iterations: list[int], mtime: float) -> Path:
    run = root / name
    run.mkdir(parents=True)
    for iteration in iterations:
        path = run / f"model_{iteration}.pt"
        path.touch()
        os.utime(path, (mtime, mtime))
    return run


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two runs, the one that wrote last being first by name, and a folder that is no run."""
    make_run(tmp_path, "Apr01_00-00-00_", [20, 100, 40], mtime=2000)
    make_run(tmp_path, "Dec01_00-00-00_", [200], mtime=1000)
    (tmp_path / "exported" / "policies").mkdir(parents=True)
    return tmp_path


def test_newest_run_is_the_one_that_wrote_last_and_checkpoints_count_by_iteration(runs: Path) -> None:
    assert get_load_path(runs) == str(runs / "Apr01_00-00-00_" / "model_100.pt")


def test_run_and_checkpoint_can_be_chosen(runs: Path) -> None:
    assert get_load_path(runs, "Apr01_00-00-00_", 40) == str(runs / "Apr01_00-00-00_" / "model_40.pt")
    assert get_load_path(runs, "-1", "-1") == get_load_path(runs)


def test_run_can_be_a_file_or_a_folder_anywhere(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = make_run(tmp_path_factory.mktemp("other"), "run", [3], mtime=1)
    assert get_load_path(runs, str(elsewhere)) == str(elsewhere / "model_3.pt")
    assert get_load_path(runs, str(elsewhere / "model_3.pt")) == str(elsewhere / "model_3.pt")


def test_missing_run_lists_the_runs(runs: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no run 'May' under .* Dec01_00-00-00_, Apr01_00-00-00_$"):
        get_load_path(runs, "May")


def test_missing_checkpoint_lists_the_checkpoints(runs: Path) -> None:
    with pytest.raises(FileNotFoundError, match="model_7.pt'; checkpoints there: model_20.pt, model_40.pt, model_1"):
        get_load_path(runs, "Apr01_00-00-00_", 7)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("{runs}/Apr01_00-00-00_/model_7.pt", "checkpoints there: model_20.pt, model_40.pt, model_100.pt"),
        ("Apr01_00-00-00_/model_7.pt", "checkpoints there: model_20.pt, model_40.pt, model_100.pt"),
        ("nowhere/model_7.pt", "runs with checkpoints under '{runs}': Dec01_00-00-00_, Apr01_00-00-00_"),
    ],
)
def test_a_missing_file_is_named_as_typed_with_what_there_is(runs: Path, name: str, said: str) -> None:
    name, said = name.format(runs=os.path.relpath(runs)), said.format(runs=runs)
    with pytest.raises(FileNotFoundError, match=re.escape(f"--load_run: no checkpoint '{name}'; {said}") + "$"):
        get_load_path(runs, name)


def test_of_many_checkpoints_the_newest_are_listed(tmp_path: Path) -> None:
    make_run(tmp_path, "long", list(range(0, 2000, 20)), mtime=1)
    with pytest.raises(FileNotFoundError, match=r"there: …, model_1760.pt, .*, model_1980.pt$"):  # twelve
        get_load_path(tmp_path, "long", 7)


@pytest.mark.parametrize("name", ["{runs}/Apr01_00-00-00_/config.json", "Apr01_00-00-00_/config.json"])
def test_a_file_that_is_no_checkpoint_is_refused_as_a_run(runs: Path, name: str) -> None:
    (runs / "Apr01_00-00-00_" / "config.json").touch()
    name = name.format(runs=os.path.relpath(runs))
    said = f"--load_run: '{name}' is no checkpoint; give a run's folder or a model_<iteration>.pt"
    with pytest.raises(FileNotFoundError, match=re.escape(said)):
        get_load_path(runs, name)


def test_no_runs_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no run with a checkpoint"):
        get_load_path(tmp_path / "nothing")


def test_without_cuda_everything_runs_on_the_cpu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    args = get_args([])
    assert (args.sim_device, args.rl_device, args.use_gpu_pipeline, args.use_gpu) == ("cpu", "cpu", False, False)
    assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.parametrize("flag", ["--sim_device", "--rl_device"])
def test_one_device_serves_both(flag: str, capsys: pytest.CaptureFixture) -> None:
    args = get_args([flag, "cpu"])
    assert (args.sim_device, args.rl_device, args.sim_device_type) == ("cpu", "cpu", "cpu")
    assert capsys.readouterr().out == ""


def test_with_cuda_it_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    args = get_args([])
    assert (args.sim_device, args.rl_device, args.use_gpu_pipeline) == ("cuda:0", "cuda:0", True)


def test_absent_cuda_device_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ValueError, match="device cuda:0 was asked for, but torch finds 0 CUDA devices"):
        get_args(["--rl_device", "cuda:0"])


@pytest.mark.parametrize("flag", ["--num_envs", "--max_iterations"])
@pytest.mark.parametrize("number", ["0", "-3"])
def test_numbers_of_robots_and_iterations_must_be_positive(flag: str, number: str) -> None:
    with pytest.raises(ValueError, match=f"{flag} must be at least 1, got {number}"):
        get_args([flag, number])


def test_parsing_leaves_the_programs_arguments_alone() -> None:
    before = list(helpers.sys.argv)
    get_args(["--task", "aliengo_flat"])
    assert helpers.sys.argv == before


def test_flags_reach_the_configs() -> None:
    flags = "--num_envs 3 --seed 5 --max_iterations 7 --resume --experiment_name e --run_name r --load_run l"
    args = get_args([*flags.split(), "--checkpoint", "11"])
    env_cfg, train_cfg = update_cfg_from_args(AliengoRoughCfg(), AliengoRoughCfgPPO(), args)
    assert (env_cfg.env.num_envs, env_cfg.seed, train_cfg.seed) == (3, 5, 5)
    runner = train_cfg.runner
    assert (runner.max_iterations, runner.resume, runner.experiment_name, runner.run_name) == (7, True, "e", "r")
    assert (runner.load_run, runner.checkpoint) == ("l", 11)


def test_absent_flags_keep_the_configs() -> None:
    env_cfg, train_cfg = update_cfg_from_args(AliengoRoughCfg(), AliengoRoughCfgPPO(), get_args([]))
    assert helpers.class_to_dict(env_cfg) == helpers.class_to_dict(AliengoRoughCfg())
    assert helpers.class_to_dict(train_cfg) == helpers.class_to_dict(AliengoRoughCfgPPO())


def test_seed_fixes_torch_and_numpy() -> None:
    draws = []
    for _ in range(2):
        assert set_seed(11) == 11
        draws.append((torch.rand(2).tolist(), np.random.rand(2).tolist()))  # noqa: NPY002 -- the generator under test
    assert draws[0] == draws[1]


def test_seed_minus_one_is_drawn() -> None:
    assert set_seed(-1) != set_seed(-1)


def test_mistakes_end_with_one_sentence_and_code_two(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as exit_info, user_errors():
        raise ValueError("no such thing")
    assert exit_info.value.code == 2
    assert capsys.readouterr().err == "error: no such thing\n"


def test_what_the_system_refuses_is_said_with_its_file(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for path, reason in ((tmp_path, "Is a directory"), (tmp_path / "模型 1.pt", "No such file or directory")):
        with pytest.raises(SystemExit), user_errors():
            path.read_bytes()
        assert capsys.readouterr().err == f"error: {path}: {reason}\n"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    assert list(make_folder(tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"cannot write into the folder .*file/a: Not a directory"):
        make_folder(tmp_path / "file" / "a")


@pytest.mark.parametrize(
    ("given", "device", "deterministic", "missing", "chosen"),
    [
        ("auto", "cuda:0", "off", None, "on"),
        ("auto", "cuda:0", "off", "a C compiler (gcc)", "off"),
        ("auto", "cuda:0", "on", None, "off"),
        ("auto", "cpu", "off", None, "off"),
        ("on", "cuda:0", "on", "a C compiler (gcc)", "on"),
    ],
)
def test_a_training_fuses_where_it_can(
    given: str,
    device: str,
    deterministic: str,
    missing: str | None,
    chosen: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setattr(helpers, "missing_for_fusion", lambda: missing)
    monkeypatch.setattr(Recorded, "must_fuse", True)
    args = argparse.Namespace(fusion=given, sim_device=device, deterministic=deterministic)
    helpers.choose_fusion(args)
    assert args.fusion == chosen
    assert Recorded.must_fuse != (given == "auto" and chosen == "on")
    assert ("a C compiler" in capsys.readouterr().out) == (given == "auto" and missing is not None)


@pytest.mark.parametrize("flag", ["--fusion", "--deterministic"])
def test_another_value_of_a_switch_is_refused(flag: str) -> None:
    args = helpers.get_args(["--headless", flag, "maybe"])
    with pytest.raises(ValueError, match=f"{flag} is .*'on' or 'off', not 'maybe'"):
        task_registry.make_env("aliengo_flat", args)


def test_settings_reach_the_config_that_has_their_key() -> None:
    args = get_args(
        ["--headless", "--set", "algorithm.entropy_decay=[4, 7]", "rewards.scales.new=-2", "seed=5"], train.FLAGS
    )
    env_cfg, train_cfg = update_cfg_from_args(*task_registry.get_cfgs("aliengo"), args)
    assert train_cfg.algorithm.entropy_decay == [4, 7]
    assert env_cfg.rewards.scales.new == -2
    assert (env_cfg.seed, train_cfg.seed) == (5, 5)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("algorithm.gama=0.9", "the config of 'aliengo_flat' has no key 'algorithm.gama'"),
        ("algorithm.gamma", "--set takes key=value"),
        ("algorithm.gamma=7", "'algorithm.gamma' must lie between 0 and 1, got 7"),
        ("terrain=7", "'terrain' is a section, got 7"),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting: str, sentence: str) -> None:
    args = get_args(["--task", "aliengo_flat", "--headless", "--sim_device", "cpu", "--set", setting], train.FLAGS)
    with pytest.raises(ValueError, match=re.escape(sentence)):
        train.prepare(args)
