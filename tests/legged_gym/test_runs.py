"""Run folders: what they tell, who may write into them, and how a run is repeated or goes on."""

import contextlib
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.metadata import SESSION_START_INFO_TAG, parse_session_start_info_plugin_data

from legged_gym import LEGGED_GYM_ROOT_DIR
from legged_gym.envs import task_registry
from legged_gym.runs.record import (
    config_of,
    hold,
    new_folder,
    read_run_config,
    record_run,
    resume_command,
    robot_as_trained,
    with_recorded_flags,
)
from legged_gym.scripts import evaluate, play, train
from legged_gym.utils import helpers
from legged_gym.utils.helpers import get_args
from rsl_rl.runners import on_policy_runner

EXPERIMENT = f"test_runs_{os.getpid()}"
ENDINGS = ("pt", "onnx")
FLAGS = [
    *("--task", "aliengo_flat", "--headless", "--sim_device", "cpu", "--num_envs", "4", "--cpu_recipe", "off"),
    *("--experiment_name", EXPERIMENT, "--max_iterations", "2"),
]


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The experiment's folder; iterations are short."""
    torch.set_num_threads(1)
    monkeypatch.setattr(task_registry.train_cfgs["aliengo_flat"].runner, "num_steps_per_env", 4)
    folder = Path(LEGGED_GYM_ROOT_DIR) / "logs" / EXPERIMENT
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def run_train(monkeypatch: pytest.MonkeyPatch, *flags: str) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", *flags])
    train.train(get_args(with_recorded_flags(list(flags)), extra=train.FLAGS))


def parameters(folder: Path, iteration: int) -> dict[str, torch.Tensor]:
    return torch.load(folder / f"model_{iteration}.pt", weights_only=True)["model_state_dict"]


def test_a_run_is_recorded_repeated_and_resumed(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One story, because each of its trainings builds an environment."""
    run_train(monkeypatch, *FLAGS, "--seed", "-1")
    (first,) = logs.iterdir()
    record = json.loads((first / "run.json").read_text())
    config = read_run_config(first / "config.json")
    head = subprocess.run(["git", "-C", LEGGED_GYM_ROOT_DIR, "rev-parse", "HEAD"], capture_output=True, text=True)
    assert record["git"]["commit"] == head.stdout.strip()
    assert record["versions"]["torch"] == torch.__version__
    assert record["seed"] == config.env["seed"] != -1
    assert record["command"].endswith("--max_iterations 2 --seed -1")
    assert config.flags["sim_device"] == "cpu" and config.env["env"]["num_envs"] == 4

    # the same again, from its config alone; exports and figures change nothing
    extras = ("--export", "--figure_interval", "1")
    run_train(monkeypatch, "--config", str(first / "config.json"), "--run_name", "again", *extras)
    (again,) = logs.glob("*_again")
    expected = parameters(first, 2)
    assert [name for name, value in parameters(again, 2).items() if not torch.equal(value, expected[name])] == []
    assert {path.name for path in again.glob("policy_*")} == {f"policy_{i}.{end}" for i in (0, 2) for end in ENDINGS}
    assert not list(first.glob("policy_*"))
    pictures = EventAccumulator(str(again), size_guidance={"images": 0}).Reload().Images("State/commands_and_levels")
    assert [picture.step for picture in pictures] == [0, 1]
    obs = torch.rand(3, 450)
    weights = parameters(again, 2)
    actor = [weights[f"actor.{layer}.{kind}"] for layer in (0, 2, 4, 6) for kind in ("weight", "bias")]
    code = [weights[f"estimator.encoder.{layer}.{kind}"] for layer in (0, 2, 4) for kind in ("weight", "bias")]
    velocity, latent = layers(obs, code).split((3, 16), dim=1)
    latent = latent / latent.norm(dim=1, keepdim=True)
    actions = layers(torch.cat((obs[:, :45], velocity, latent), dim=1), actor)
    assert torch.allclose(torch.jit.load(again / "policy_2.pt")(obs), actions, atol=1e-5)

    # two iterations more in its folder, of which the newest checkpoint stays
    seed = str(record["seed"])
    run_train(monkeypatch, *FLAGS, "--seed", seed, "--resume", "--load_run", first.name, "--keep", "1", "--export")
    assert [path.name for path in first.glob("model_*.pt")] == ["model_4.pt"]
    assert {path.name for path in first.glob("policy_*")} == {f"policy_4.{end}" for end in ENDINGS}
    assert json.loads((first / "run_2.json").read_text())["resumed_from"].endswith("model_2.pt")
    events = EventAccumulator(str(first), size_guidance={"scalars": 0}).Reload()
    assert [event.step for event in events.Scalars("Loss/surrogate")] == [0, 1, 2, 3]
    texts = [text.tensor_proto.string_val[0].decode() for text in events.Tensors("config/env/text_summary")]
    assert [json.loads(text.removeprefix("```").removesuffix("```")) for text in texts] == [config.env] * 2
    session = parse_session_start_info_plugin_data(events.SummaryMetadata(SESSION_START_INFO_TAG).plugin_data.content)
    told = {name: getattr(value, value.WhichOneof("kind")) for name, value in session.hparams.items()}
    assert (told["task"], told["num_envs"], told["seed"]) == ("aliengo_flat", 4, record["seed"])
    assert (told["reward.lin_vel_z"], told["algorithm.gamma"]) == (-2.0, 0.99)
    assert told["policy.actor_hidden_dims"] == "[512, 256, 128]" and "reward.torques" not in told


def test_the_record_names_the_files_that_are_not_as_committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("legged_gym.runs.record.LEGGED_GYM_ROOT_DIR", str(tmp_path / "code"))
    git = ["git", "-C", str(tmp_path / "code"), "-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "old.py").write_text("1\n")
    for command in (["init", "-q"], ["add", "old.py"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True)
    (tmp_path / "run").mkdir()
    for name, status in (("run.json", []), ("run_2.json", [" M old.py", "?? new.py"])):
        record_run(tmp_path / "run", get_args(["--task", "aliengo"]), *task_registry.get_cfgs("aliengo"), None)
        assert json.loads((tmp_path / "run" / name).read_text())["git"]["status"] == status
        (tmp_path / "code" / "old.py").write_text("2\n")
        (tmp_path / "code" / "new.py").touch()
    assert [path.name for path in (tmp_path / "run").glob("*.diff")] == ["uncommitted_2.diff"]


def test_a_short_newest_run_is_said_once(
    logs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    run_train(monkeypatch, *FLAGS)
    (newest,) = logs.iterdir()
    (logs / "longer").mkdir()
    (logs / "longer" / "model_100.pt").touch()
    os.utime(logs / "longer" / "model_100.pt", (1e9, 1e9))
    capsys.readouterr()
    run_train(monkeypatch, *FLAGS, "--resume")
    assert capsys.readouterr().out.count(f"Taking the newest run, {newest.name}, up to iteration 2;") == 1


def layers(x: torch.Tensor, parameters: list[torch.Tensor]) -> torch.Tensor:
    """An MLP with ELU between its layers. parameters: weight, bias, weight, …"""
    for i in range(0, len(parameters), 2):
        x = torch.nn.functional.elu(x) if i else x
        x = x @ parameters[i].T + parameters[i + 1]
    return x


def test_each_of_several_runs_of_a_second_makes_a_folder_of_its_own(tmp_path: Path) -> None:
    wished = tmp_path / "experiment" / "Nov28_10-00-00"
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(new_folder, [wished] * 8))
    assert sorted(folders) == [wished, *(wished.with_name(f"{wished.name}_{number}") for number in range(2, 9))]
    assert set(wished.parent.iterdir()) == set(folders)


def test_two_trainings_that_start_in_the_same_second_both_train(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = sys.modules["legged_gym.utils.task_registry"]
    monkeypatch.setattr(registry, "_run_folder", lambda train_cfg: "Nov28_10-00-00")
    args = get_args(FLAGS, extra=train.FLAGS)
    first, second = train.prepare(args), train.prepare(args)
    for training in (second, first):  # so that the one of the longer name is older
        training.runner.learn(1)
        training.claim.close()
    assert {path.name for path in logs.iterdir()} == {"Nov28_10-00-00", "Nov28_10-00-00_2"}
    assert helpers.get_load_path(logs) == str(logs / "Nov28_10-00-00" / "model_1.pt")
    third = train.prepare(get_args([*FLAGS, "--resume"], extra=train.FLAGS))
    third.claim.close()
    assert third.runner.log_dir == str(logs / "Nov28_10-00-00")  # goes on there


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    with hold(tmp_path), pytest.raises(ValueError, match=r"another process is training in .*; stop it first"):
        hold(tmp_path)
    hold(tmp_path).close()


def test_a_folder_that_cannot_be_written_stops_with_a_sentence(
    logs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.write_text("a file where the folder should be")
    try:
        with pytest.raises(SystemExit) as stop:
            run_train(monkeypatch, *FLAGS)
    finally:
        logs.unlink()
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("error: cannot write into the run's folder ")


def test_an_end_that_cannot_be_saved_is_an_error_that_names_the_newest_checkpoint(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(path: Path, contents: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(on_policy_runner, "write_checkpoint", full_disk)
    with pytest.raises(SystemExit, match="error: the end of this run could not be saved; no checkpoint was saved"):
        run_train(monkeypatch, *FLAGS)


def test_a_stop_in_the_last_iteration_leaves_nothing_to_go_on_with(
    logs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*args: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(on_policy_runner.OnPolicyRunner, "_handle_faults", interrupt)  # in the first iteration
    for iterations, said in ((1, "Saved "), (2, "Stopped and saved. To go on: ")):
        run_train(monkeypatch, *FLAGS, "--max_iterations", str(iterations))
        assert capsys.readouterr().out.splitlines()[-1].startswith(said)


def test_the_command_that_resumes_keeps_what_the_user_chose() -> None:
    argv = ["train.py", "--task", "go1", "--seed", "-1", "--max_iterations", "9", "--headless", "--run_name", "a b"]
    assert resume_command(argv, Path("/logs/May 1"), seed=8, remaining_iterations=3) == (
        "python train.py --task go1 --headless --resume --load_run '/logs/May 1' --seed 8 --max_iterations 3"
    )


def test_a_policy_is_judged_on_the_robot_that_it_was_trained_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained, train_cfg = task_registry.get_cfgs("aliengo")
    gains = {"hip": 60.0, "joint": 40.0}  # in an order that counts: the first that fits is a joint's
    trained.control.stiffness, trained.control.target_margin = gains, 0.15
    trained.sim.dt, trained.asset.file = 0.0025, "/on/the/machine/that/trained.urdf"
    trained.rewards.scales.torques = -1.0  # not the robot's
    record_run(tmp_path, get_args(["--task", "aliengo"]), trained, train_cfg, None)
    for folder in (tmp_path / "b", tmp_path / "c"):
        folder.mkdir()
        shutil.copy(tmp_path / "config.json", folder)
    capsys.readouterr()
    env_cfg, _ = task_registry.get_cfgs("aliengo")
    robot_as_trained([tmp_path / "elsewhere" / "model_20.pt"], env_cfg)
    assert capsys.readouterr().out == "" and env_cfg.control.target_margin is None
    robot_as_trained([tmp_path / name / "model_20.pt" for name in "bc"], env_cfg)
    changes = f"control.stiffness {gains}, not {{'joint': 40.0}}; control.target_margin 0.15, not None"
    told = f"The robot as in training: {changes}; sim.dt 0.0025, not 0.005. --set overrides."
    assert capsys.readouterr().out.strip() == told
    assert list(env_cfg.control.stiffness.items()) == list(gains.items()) and env_cfg.sim.dt == 0.0025
    assert env_cfg.control.target_margin == 0.15 and env_cfg.rewards.scales.torques != -1.0
    assert env_cfg.asset.file == task_registry.get_cfgs("aliengo")[0].asset.file


def test_a_checkpoint_has_the_config_of_its_session(tmp_path: Path) -> None:
    """Sessions that went on from iterations 4 and 2: up to 5 and to 3, so that 5 is left of the second."""
    started = datetime.now().astimezone()
    for number, start in enumerate((None, "model_4.pt", "model_2.pt"), start=1):
        begin = started + timedelta(hours=number)
        record = {"started": begin.isoformat(timespec="seconds"), "resumed_from": start and f"/logs/run/{start}"}
        (tmp_path / ("run.json" if number == 1 else f"run_{number}.json")).write_text(json.dumps(record))
    for iteration, session in ((1, 1), (2, 1), (4, 1), (5, 2), (3, 3)):
        path = tmp_path / f"model_{iteration}.pt"
        path.touch()
        written = (started + timedelta(hours=session, minutes=iteration)).timestamp()
        os.utime(path, (written, written))
        assert config_of(path).name == ("config.json" if session == 1 else f"config_{session}.json")
    assert config_of(tmp_path / "copied" / "model_3.pt").name == "config.json"


def test_a_run_older_than_a_key_had_the_robot_without_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A1's joint targets are bounded by now; of a checkpoint that lies beside no config.json nothing is known."""
    env = {"control": {"action_scale": 0.2}, "commands": {"turning_fraction": 0.3}}
    config = json.dumps({"task": "a1", "flags": {}, "env": env, "train": {}})
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "config.json").write_text(config)
    guessed = f"as of old, for no config.json lies beside {tmp_path / 'model_1.pt'}: "
    for folder, how in (("old", "as in training: control.action_scale 0.2, not 0.25; "), ("", guessed)):
        env_cfg, _ = task_registry.get_cfgs("a1")
        robot_as_trained([tmp_path / folder / "model_1.pt"], env_cfg)
        told = f"The robot {how}control.target_margin None, not 0.15. --set overrides."
        assert capsys.readouterr().out.strip() == told
        assert env_cfg.control.target_margin is None and env_cfg.commands.keep_direction
    argv = ["--config", str(tmp_path / "old" / "config.json"), "--sim_device", "cpu"]
    env_cfg, _ = train.starting_cfgs(get_args(with_recorded_flags(argv), extra=train.FLAGS))
    assert (env_cfg.control.target_margin, env_cfg.commands.keep_direction) == (None, False)
    assert (env_cfg.commands.turning_fraction, env_cfg.terrain.lowest_level_again) == (0.3, 5)


def test_policies_of_different_robots_are_judged_on_the_tasks_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, margin in (("a", 0.1), ("b", None)):
        trained, train_cfg = task_registry.get_cfgs("aliengo")
        trained.control.target_margin = margin
        (tmp_path / name).mkdir()
        record_run(tmp_path / name, get_args(["--task", "aliengo"]), trained, train_cfg, None)
    capsys.readouterr()
    env_cfg, _ = task_registry.get_cfgs("aliengo")
    robot_as_trained([tmp_path / "a" / "model_1.pt", tmp_path / "b" / "model_2.pt"], env_cfg)
    assert env_cfg.control.target_margin is None
    said = "model_1.pt was trained with control.target_margin 0.1, not None: judge it with care."
    assert capsys.readouterr().out.strip() == said
    env_cfg, _ = task_registry.get_cfgs("go2")
    robot_as_trained([tmp_path / "a" / "model_1.pt"], env_cfg)
    assert env_cfg.control.target_margin is None
    assert "was trained on 'aliengo', not 'go2': judge it with care." in capsys.readouterr().out


def test_play_and_evaluate_take_the_robot_of_the_run_and_settings_of_the_command_line(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_train(monkeypatch, *FLAGS, "--set", "control.target_margin=0.2", "commands.ranges.lin_vel_y=[-0.3,0.3]")
    (run,) = logs.iterdir()
    places = FLAGS.index("--cpu_recipe")
    flags = [*FLAGS[:places], *FLAGS[places + 2 :], "--load_run", str(run)]
    monkeypatch.setattr(play, "export_policy", lambda policy, env, commands, *rest: exported.append((env, commands)))
    exported: list[Any] = []
    player = play.prepare(get_args(flags, extra=play.FLAGS))
    assert player.env.cfg.control.target_margin == 0.2
    with contextlib.suppress(TypeError):  # of the files that the stand-in does not return
        play.export(player, "aliengo_flat")
    assert exported[0][1].ranges.lin_vel_y == [-0.3, 0.3]
    free = [*flags, "--set", "control.target_margin=None"]
    assert play.prepare(get_args(free, extra=play.FLAGS)).env.cfg.control.target_margin is None
    robots, *_ = evaluate.prepare(get_args([*free, "--protocol", "stand"], extra=evaluate.FLAGS))
    assert robots.env.cfg.control.target_margin is None
    robots, *_ = evaluate.prepare(get_args([*flags, "--protocol", "stand"], extra=evaluate.FLAGS))
    assert robots.env.cfg.control.target_margin == 0.2
    assert robots.env.cfg.asset.terminate_after_contacts_on == []  # the protocol's own choice, not the run's
    with pytest.raises(ValueError, match="has no key 'algorithm.gamma'"):
        play.prepare(get_args([*flags, "--set", "algorithm.gamma=0.9"], extra=play.FLAGS))


def test_going_on_as_another_robot_is_said(
    logs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_train(monkeypatch, *FLAGS)
    (run,) = logs.iterdir()
    for task, is_said in (("aliengo_flat", False), ("a1_flat", True)):
        capsys.readouterr()
        flags = [*FLAGS, "--task", task, "--resume", "--load_run", str(run), "--run_name", task]
        train.prepare(get_args(flags, extra=train.FLAGS)).claim.close()
        said = capsys.readouterr().out
        assert ("was trained on 'aliengo' and goes on as 'a1'." in said) == is_said and "goes on with" not in said
    train.prepare(get_args([*FLAGS, "--resume", "--set", "control.target_margin=0.1"], extra=train.FLAGS)).claim.close()
    said = "The robot goes on with control.target_margin 0.1, not None. To keep what it had: --config "
    assert said in capsys.readouterr().out


def test_a_policy_that_comes_along_is_told_apart_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("legged_gym.runs.record.POLICIES", tmp_path)
    for task, said in (("go2_flat", ""), ("aliengo", "was trained on 'go2', not 'aliengo': judge it with care.")):
        robot_as_trained([tmp_path / "go2" / "model.pt"], task_registry.get_cfgs(task)[0])
        assert capsys.readouterr().out.strip().endswith(said)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"task": 1, "flags": {}, "env": {}, "train": {}}', "[" * 100_000])
def test_a_file_that_is_no_config_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ValueError, match=r"config.json is not the config.json of a run"):
        with_recorded_flags(["--config", str(tmp_path / "config.json")])


def test_a_section_that_is_none_is_told(tmp_path: Path) -> None:
    config = {"task": "a1", "flags": {}, "env": {"control": None}, "train": {}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"not the config.json of a run \(TypeError: expected a section, found None\)"):
        with_recorded_flags(["--config", str(tmp_path / "config.json")])


@pytest.mark.parametrize(("has_scales", "expected"), [(True, (1.5, 0.0, 0.0)), (False, (1.0, 0.5, -20.0))])
def test_terms_of_reward_that_came_after_a_run_are_not_in_its_repetition(
    tmp_path: Path, has_scales: bool, expected: tuple[float, ...]
) -> None:
    rewards = {"scales": {"tracking_lin_vel": 1.5}} if has_scales else {"tracking_sigma": 0.25}
    config = {"task": "go2", "flags": {}, "env": {"rewards": rewards}, "train": {}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    argv = ["--config", str(tmp_path / "config.json"), "--sim_device", "cpu"]
    env_cfg, _ = train.starting_cfgs(get_args(with_recorded_flags(argv), extra=train.FLAGS))
    scales = env_cfg.rewards.scales
    assert (scales.tracking_lin_vel, scales.progress, scales.trunk_clearance) == expected


def test_flags_win_over_the_recorded_ones(tmp_path: Path) -> None:
    flags = {"sim_device": "cuda:0", "rl_device": "cuda:0", "pipeline": "gpu", "engine": "tree"}
    config = {"task": "go1", "flags": flags, "env": {}, "train": {}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    argv = ["--config", str(tmp_path / "config.json"), "--sim_device", "cpu", "--task", "go2"]
    args = get_args(with_recorded_flags(argv), extra=train.FLAGS)
    assert (args.task, args.sim_device, args.rl_device, args.engine) == ("go2", "cpu", "cpu", "tree")
