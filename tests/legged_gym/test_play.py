"""What play.py plays: which policy, commands and terrain, and its video."""

import argparse
import sys
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_bad_input import FUZZ, check_sentence, flag_values, is_refused

from legged_gym.deploy.controller import PolicyController
from legged_gym.envs import task_registry
from legged_gym.evaluation import play_conditions
from legged_gym.scripts import play
from legged_gym.utils import shipped
from legged_gym.utils.helpers import get_args, update_cfg_from_args
from legged_gym.utils.logger import Logger
from rsl_rl.modules import ActorCritic, HIMActorCritic

CPU = ["--headless", "--sim_device", "cpu"]
FRAME, CRITIC_FRAME, JOINTS = 45, 238, 12  # numbers of Aliengo's observations and actions


def parse(*flags: str) -> argparse.Namespace:
    return get_args([*CPU, *flags], extra=play.FLAGS)


@pytest.fixture
def published(tmp_path: Path) -> tuple[Path, HIMActorCritic]:
    """A checkpoint of six frames, as HIMLoco publishes them."""
    torch.manual_seed(3)
    policy = HIMActorCritic(6 * FRAME, CRITIC_FRAME, FRAME, JOINTS, temporal_steps=6)
    path = tmp_path / "model_2000.pt"
    torch.save({"model_state_dict": policy.state_dict(), "iter": 2000, "infos": None}, path)
    return path, policy


def test_a_published_checkpoint_of_six_frames_acts(published: tuple[Path, HIMActorCritic]) -> None:
    path, policy = published
    player = play.prepare(parse("--task", "aliengo_flat", "--num_envs", "3", "--checkpoint_path", str(path)))
    assert player.env.num_obs == 6 * FRAME
    obs = torch.randn(3, 6 * FRAME)
    with torch.inference_mode():
        assert torch.equal(player.agent(obs), policy.act_inference(obs))


def test_the_baseline_plays_exports_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint of plain PPO on the whole history, without a word about it on the command line."""
    torch.manual_seed(3)
    policy = ActorCritic(10 * FRAME, CRITIC_FRAME, JOINTS)
    path = tmp_path / "logs" / "run" / "model_5.pt"
    path.parent.mkdir(parents=True)
    torch.save({"model_state_dict": policy.state_dict(), "iter": 5, "infos": None}, path)
    for module in (play, sys.modules["legged_gym.utils.task_registry"]):
        monkeypatch.setattr(module, "experiment_root", lambda cfg: tmp_path / "logs")
    flags = ["--task", "aliengo_flat", "--num_envs", "3"]
    player = play.prepare(parse(*flags, "--checkpoint_path", str(path)))
    obs = torch.randn(3, 10 * FRAME)
    with torch.inference_mode():
        assert torch.equal(player.agent(obs), policy.act_inference(obs))
    play.export(player, "aliengo_flat")
    metadata = PolicyController(player.folder / "policies" / "policy.onnx").metadata
    assert metadata["history_length"] == 10
    _, train_cfg = task_registry.get_cfgs("aliengo_flat")
    args, logs = parse(*flags, "--resume"), str(tmp_path / "logs")
    runner, _ = task_registry.make_alg_runner(player.env, "aliengo_flat", args, train_cfg, log_root=logs)
    assert type(runner.alg.actor_critic) is ActorCritic and runner.current_learning_iteration == 5


def test_a_policy_of_other_frames_is_refused_with_its_file(published: tuple[Path, HIMActorCritic]) -> None:
    path, _ = published
    with pytest.raises(ValueError, match=r"model_2000.pt does not fit .*; choose the task that it was trained on$"):
        play.prepare(parse("--task", "go2w_flat", "--num_envs", "2", "--checkpoint_path", str(path)))


@pytest.mark.parametrize(
    ("checkpoint", "flags", "experiment"),
    [
        ("logs/flat_go2/May1/model_5.pt", (), "flat_go2"),
        ("logs/rough_go2/May1/model_5.pt", (), "rough_go2"),
        ("logs/rough_go2/May1/model_5.pt", ("--experiment_name", "mine"), "mine"),
        ("policies/go2/model.pt", (), "go2"),
        ("Downloads/model_2000.pt", (), "flat_go2"),
        ("", (), "flat_go2"),
    ],
)
def test_exports_belong_to_the_run_and_not_to_the_task_that_plays_it(
    checkpoint: str, flags: tuple[str], experiment: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(play, "experiment_root", lambda cfg: tmp_path / "logs" / cfg.runner.experiment_name)
    monkeypatch.setattr(shipped, "POLICIES", tmp_path / "policies")
    args = parse("--task", "go2_flat", *flags)
    _, train_cfg = update_cfg_from_args(None, task_registry.get_cfgs("go2_flat")[1], args)
    assert play.exporting_experiment(args, train_cfg, checkpoint) == tmp_path / "logs" / experiment


def test_playing_a_rough_run_on_the_plane_leaves_the_flat_export_alone(
    published: tuple[Path, HIMActorCritic], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(play, "experiment_root", lambda cfg: tmp_path / "logs" / cfg.runner.experiment_name)
    run = tmp_path / "logs" / "rough_aliengo" / "May1"
    run.mkdir(parents=True)
    path = published[0].rename(run / "model_2000.pt")
    flags = ["--task", "aliengo_flat", "--num_envs", "2", "--num_steps", "1"]
    play.play(parse(*flags, "--checkpoint_path", str(path)))
    exports = sorted(file.relative_to(tmp_path / "logs") for file in tmp_path.glob("logs/*/exported/**/*.*"))
    assert [str(file) for file in exports] == [
        f"rough_aliengo/exported/{name}" for name in ("play.png", "policies/policy.onnx", "policies/policy.pt")
    ]


def test_a_shipped_policy_goes_by_its_name(
    published: tuple[Path, HIMActorCritic], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path, _ = published
    box = tmp_path / "aliengo" / "model.pt"
    box.parent.mkdir()
    box.write_bytes(path.read_bytes())
    monkeypatch.setattr(shipped, "POLICIES", tmp_path)
    assert shipped.named_checkpoint("aliengo") == str(box)
    with pytest.raises(FileNotFoundError, match=r"no checkpoint 'walker'; .* resources/policies: aliengo$"):
        play.checkpoint_path(parse("--checkpoint_path", "walker"), task_registry.get_cfgs("aliengo")[1])
    for name in (path.parent, path.with_name("model_7.pt")):
        with pytest.raises(FileNotFoundError, match=rf"'{name}'; checkpoints there: model_2000.pt; policies in"):
            shipped.named_checkpoint(str(name))


def test_without_a_run_the_shipped_policy_plays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shipped, "POLICIES", tmp_path)
    box = tmp_path / "go9" / "model.pt"
    box.parent.mkdir()
    box.touch()
    assert shipped.find_checkpoint(tmp_path / "logs", -1, -1, "go9", "go9_flat") == str(box)
    assert "taking the policy of go9 that comes with the project" in capsys.readouterr().out
    with pytest.raises(FileNotFoundError, match="no run 'Nov1' under"):
        shipped.find_checkpoint(tmp_path / "logs", "Nov1", -1, "go9", "go9_flat")
    with pytest.raises(FileNotFoundError, match="train with `.*--task hexapod.*in resources/policies: go9"):
        shipped.find_checkpoint(tmp_path / "logs", -1, -1, "hexapod", "hexapod")


def commands_after(env: Any, agent: play.Agent, steps: int) -> torch.Tensor:
    play.run(env, agent, steps, Logger(env.dt))
    return env.commands[:, :3]


def test_every_robot_has_the_command_of_the_command_line() -> None:
    player = play.prepare(
        parse("--task", "aliengo_flat", "--num_envs", "6", "--agent", "zero", "--command", "-1.5", "0.7", "0.3")
    )
    commands = commands_after(player.env, player.agent, 3)
    assert commands == pytest.approx(torch.tensor([[-1.5, 0.7, 0.3]]).expand(6, 3))


def test_robots_start_on_their_own_tiles_of_the_terrain_and_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(play_conditions, "NUM_COLS", 4)
    player = play.prepare(
        parse("--task", "aliengo", "--num_envs", "5", "--agent", "zero", "--terrain", "stairs_down", "--level", "7")
    )
    env = player.env
    play.run(env, player.agent, 2, Logger(env.dt))
    tile = env.cfg.terrain.terrain_length
    assert set(env.terrain.tile_types.flat) == {"stairs_down"}
    rows, columns = (env.root_states[:, :2] // tile).T.tolist()
    assert rows == [7.0] * 5 and columns == [0.0, 1.0, 2.0, 3.0, 0.0]
    heights = env.terrain.height_field_raw * env.cfg.terrain.vertical_scale
    border = round(env.cfg.terrain.border_size / env.cfg.terrain.horizontal_scale)
    profile = heights[border + 560 : border + 640, border + 40]  # through the middle of a tile, along x
    # 0.05 + 0.18 * 7/10 m, in units of 5 mm
    assert set(np.abs(np.diff(profile)).round(3)) == {0.0, 0.175}


def test_random_actions_vary_and_zero_actions_do_not() -> None:
    class Env:
        num_actions, device = 12, "cpu"

    obs = torch.zeros(200, 45)
    assert (play.simple_agent("zero", Env)(obs) == 0.0).all()
    actions = play.simple_agent("random", Env)(obs)
    assert actions.shape == (200, 12) and actions.std().item() == pytest.approx(1.0, abs=0.1)


def test_a_video_is_filmed_while_the_robots_are_measured(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    args = parse("--task", "aliengo_flat", "--agent", "zero", "--video", str(path), "--num_steps", "12")
    player = play.prepare(args)
    assert player.env.num_envs == play_conditions.FILMED_ENVS
    play.run_filmed(player, args, Logger(player.env.dt))
    frames = iio.imread(path)
    assert frames.shape == (6, 480, 640, 3)  # 0.24 s
    blue = frames[-1, ..., 2].astype(float) - frames[-1, ..., 0]  # the robot is bluish, the ground yellowish
    assert (blue[200:300, 240:400] > 0).mean() > 0.2
    assert (blue[400:460, 20:100] < 0).all()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--agent", "human"], "unknown --agent 'human'; known: policy, zero, random"),
        (["--agent", "zero", "--checkpoint_path", "x.pt"], "--checkpoint_path is of no use to --agent zero"),
        (["--checkpoint_path", "x.pt"], "--checkpoint_path: no checkpoint 'x.pt'; policies in resources"),
        (
            ["--experiment_name", "nothing_here"],
            "no run with a checkpoint under .*; train with `python .*train.py --task",
        ),
        (["--command", "nan", "0", "0"], "--command takes vx, vy .* got nan 0 0"),
        (["--command", "0", "11", "0"], "--command takes vx, vy .* at most 10, got 0 11 0"),
        (["--command", "0.1", "0.1", "0"], "--command: 0.141421 m/s is not above 0.2"),
        (["--terrain", "moon"], "unknown --terrain 'moon'; known: smooth_slope, rough_slope, stairs_up"),
        (["--terrain", "pit", "--level", "10"], "--level must be 0 to 9, got 10"),
        (["--level", "3"], "--level needs --terrain, one of: smooth_slope"),
        (["--task", "aliengo_flat", "--terrain", "pit"], "--terrain: task 'aliengo_flat' walks on a plane"),
        (["--video", "out.avi"], r"the video 'out.avi' must be an \.mp4 file"),
    ],
)
def test_mistakes_are_found_before_anything_is_built(
    flags: list[str], message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(task_registry, "make_env", None)
    monkeypatch.setattr(shipped, "POLICIES", tmp_path)
    with pytest.raises((ValueError, FileNotFoundError), match=f"^{message}") as caught:
        play.prepare(parse(*flags))
    check_sentence(caught.value)


@FUZZ
@given(
    flag=st.sampled_from(["--command", "--terrain", "--level", "--agent", "--video", "--checkpoint_path"]),
    values=st.lists(flag_values, min_size=1, max_size=3),
)
def test_nonsense_is_refused_in_a_sentence(flag: str, values: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    if not is_refused(lambda: play.check_args(parse(flag, *values)), capsys):
        assert flag in ("--command", "--checkpoint_path"), values  # the others know no such names
