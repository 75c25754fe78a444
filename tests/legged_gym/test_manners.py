"""What the scripts say when something is not as it looks: runs, exports, memory, installation, the greeting of Warp."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from small_envs import small_cfg

from legged_gym import LEGGED_GYM_ROOT_DIR
from legged_gym.deploy import task_files as files_of_tasks
from legged_gym.envs import task_registry
from legged_gym.runs.record import trained_robot
from legged_gym.scripts import evaluate, play, sim2sim
from legged_gym.utils import export, helpers, memory, shipped
from rsl_rl.runners.checkpoint import remove_old_files

SCRIPTS = Path(LEGGED_GYM_ROOT_DIR, "legged_gym", "scripts")
CPU = ["--headless", "--sim_device", "cpu"]


def write_run(root, name, iteration, robot=None):
    """A run's folder with one checkpoint; the later written, the newer."""
    folder = root / name
    folder.mkdir(parents=True)
    if robot is not None:
        config = {"task": robot, "flags": {}, "env": {"asset": {"name": robot}}, "train": {}}
        (folder / "config.json").write_text(json.dumps(config))
    path = folder / f"model_{iteration}.pt"
    torch.save({"model_state_dict": {}}, path)
    return path


def test_a_short_newest_run_is_said(tmp_path, capsys):
    long = write_run(tmp_path, "long", 1500)
    short = write_run(tmp_path, "short", 1)
    for age, path in ((100, long), (0, short)):
        stamp = 1e9 - age
        os.utime(path, (stamp, stamp))
    assert helpers.get_load_path(tmp_path) == str(short)
    assert capsys.readouterr().out.strip().endswith("short, up to iteration 1; long goes up to 1500: --load_run long")
    helpers.get_load_path(tmp_path, "long")
    assert capsys.readouterr().out == ""


def test_a_run_as_long_as_the_others_needs_no_word(tmp_path, capsys):
    write_run(tmp_path, "a", 1000)
    write_run(tmp_path, "b", 900)
    helpers.get_load_path(tmp_path)
    assert capsys.readouterr().out == ""


def test_the_robot_of_a_checkpoint_is_known(tmp_path, monkeypatch):
    monkeypatch.setattr("legged_gym.runs.record.POLICIES", tmp_path / "policies")
    assert trained_robot(write_run(tmp_path, "run", 1, "aliengo")) == "aliengo"
    assert trained_robot(write_run(tmp_path, "bare", 1)) is None
    assert trained_robot(write_run(tmp_path / "policies", "go2", 1)) == "go2"


def player(env_cfg, path, folder):
    alg = SimpleNamespace(actor_critic=None)
    env = SimpleNamespace(cfg=env_cfg)
    return play.Player(env, None, folder, SimpleNamespace(alg=alg), str(path), {})


def test_a_policy_of_another_robot_is_not_exported(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(play, "export_policy", None)
    path = write_run(tmp_path, "run", 1, "aliengo")
    play.export(player(small_cfg("go1_flat"), path, tmp_path), "go1_flat")
    assert "Not exported: this policy was trained on 'aliengo', and --task go1_flat is 'go1'" in capsys.readouterr().out


def test_without_onnx_no_older_policy_stays(tmp_path, monkeypatch):
    (tmp_path / "policy.onnx").write_bytes(b"of an earlier export")
    monkeypatch.setattr(export, "onnx_is_installed", lambda: False)
    monkeypatch.setattr(export, "export_policy_as_jit", lambda policy, path, metadata: path.touch())
    monkeypatch.setattr(export, "policy_metadata", lambda *args: {})
    cfg = small_cfg("go2_flat")
    actor_critic, env = SimpleNamespace(actor=[torch.nn.Linear(45, 12)]), SimpleNamespace(cfg=cfg, num_one_step_obs=45)
    export.export_policy(actor_critic, env, cfg.commands, {}, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["policy.pt"]


def test_a_hundred_checkpoints_stay_by_default_and_all_with_0(tmp_path):
    assert task_registry.get_cfgs("aliengo")[1].runner.keep == 100
    for keep, expected in ((0, 5), (2, 2)):
        for iteration in range(5):
            (tmp_path / f"model_{iteration}.pt").touch()
        remove_old_files(tmp_path, 4, keep)
        assert len(list(tmp_path.glob("model_*.pt"))) == expected


def test_memory_is_counted_as_on_the_machine_where_it_was_measured(monkeypatch, capsys):
    env_cfg, train_cfg = task_registry.get_cfgs("aliengo")
    env_cfg.env.temporal_steps = train_cfg.policy.temporal_steps
    train_cfg.runner.num_steps_per_env = 100  # as measured
    # by hand: 10 frames of 45, twice 238, 3 actions of 12, 8 scalars; 4 bytes; 100 steps
    assert memory.rollout_bytes(env_cfg, train_cfg) == 4 * 100 * (10 * 45 + 2 * 238 + 3 * 12 + 8)
    env_cfg.env.num_envs = 16384  # README: 15.0 GB on an H200
    for free, fits in ((14e9, False), (16e9, True)):
        monkeypatch.setattr(memory, "free_bytes", lambda device, free=free: free)
        memory.tell_if_too_many(env_cfg, train_cfg, "cuda:0")
        assert (capsys.readouterr().out == "") == fits
    monkeypatch.setattr(memory, "free_bytes", lambda device: 4.7e9)
    memory.tell_if_too_many(env_cfg, train_cfg, "cuda:0")
    said = capsys.readouterr().out
    assert "training 16384 robots takes about 15 GB, and 5 GB are free on cuda:0" in said
    assert 3600 < int(said.split("--num_envs ")[1].split()[0]) < 4600  # README: 4096 take 4.7 GB


def test_free_memory_of_this_machine_is_some(monkeypatch, tmp_path):
    assert memory.free_bytes("cpu") > 1e6
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "nothing")
    assert memory.free_bytes("cpu") is None


@pytest.mark.parametrize("script", ["train", "play", "evaluate", "benchmark", "curves", "sim2sim"])
def test_an_uninstalled_script_says_how_to_install(script, tmp_path):
    command = [sys.executable, "-S", "-E", str(SCRIPTS / f"{script}.py")]  # neither installed packages nor PYTHONPATH
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert result.returncode == 1 and "pip install -e ." in result.stderr and "Traceback" not in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("flags", "greets"), [([], False), (["--verbose"], True)])
def test_warp_greets_only_those_who_ask(flags, greets, tmp_path):
    small = ["--task", "go2_flat", "--agent", "zero", "--num_envs", "1", "--num_steps", "1", "--experiment_name"]
    command = [sys.executable, str(SCRIPTS / "play.py"), *CPU, *small, f"test_manners_{greets}", *flags]
    environment = os.environ | {"PYTHONPATH": LEGGED_GYM_ROOT_DIR}
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    shutil.rmtree(Path(LEGGED_GYM_ROOT_DIR, "logs", f"test_manners_{greets}"), ignore_errors=True)
    assert result.returncode == 0, result.stderr
    said = result.stdout.splitlines()
    assert any("Warp" in line and "1." in line or line.startswith("Module ") for line in said) == greets


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--checkpoints", "nowhere.pt"], "--checkpoints: no checkpoint "),
        (["--checkpoints", "nowhere"], "--checkpoints: no run 'nowhere'"),
        (["--checkpoints", __file__], "--checkpoints: '.*test_manners.py' is no checkpoint; .*; or name a robot"),
        (["--load_run", "nowhere"], "--load_run: no run 'nowhere'"),
        (["--protocol", "terain"], "unknown --protocol 'terain'"),
        (["--experiment_name", "no_such"], "evaluate.py with --checkpoints"),
    ],
)
def test_evaluate_names_the_flag_it_means(flags, message, monkeypatch, tmp_path):
    monkeypatch.setattr(shipped, "POLICIES", tmp_path)
    args = helpers.get_args([*CPU, "--task", "go2_flat", "--num_envs", "2", *flags], extra=evaluate.FLAGS)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        evaluate.prepare(args)


def test_sim2sim_takes_policy_and_robot_of_a_task(tmp_path, monkeypatch):
    registry = importlib.import_module("legged_gym.utils.task_registry")
    monkeypatch.setattr(registry, "experiment_root", lambda cfg: tmp_path / cfg.runner.experiment_name)
    monkeypatch.setattr(shipped, "POLICIES", tmp_path / "policies")
    with pytest.raises(FileNotFoundError, match="task 'go2_flat' has no exported policy: play.py --task"):
        files_of_tasks.task_files("go2_flat", None, None)
    (tmp_path / "policies/go2").mkdir(parents=True)
    (tmp_path / "policies/go2/policy.onnx").touch()
    found = files_of_tasks.task_files("go2_flat", None, None)
    assert found.policy == tmp_path / "policies/go2/policy.onnx" and found.robot.name == "go2.urdf"
    exported = tmp_path / "flat_go2/exported/policies/policy.onnx"
    exported.parent.mkdir(parents=True)
    exported.touch()
    assert files_of_tasks.task_files("go2_flat", None, None).policy == exported
    assert files_of_tasks.task_files("go2_flat", None, "mine.onnx").policy == Path("mine.onnx")
    monkeypatch.setattr(sim2sim, "PolicyController", lambda path: SimpleNamespace(metadata={"robot": "aliengo"}))
    with pytest.raises(ValueError, match="is a policy of 'aliengo', but --task go2_flat is 'go2'"):
        sim2sim.prepare(sim2sim.get_args(["--task", "go2_flat", "--headless"]))
