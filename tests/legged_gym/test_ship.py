"""A policy in the box: all its files act alike, and training goes on from it."""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from legged_gym.scripts import play, ship, train
from legged_gym.utils import shipped
from legged_gym.utils.helpers import get_args

FLAGS = ["--task", "aliengo_flat", "--headless", "--sim_device", "cpu", "--num_envs", "2"]
ROUNDING = 1e-5  # of float32 sums of some hundred products


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped folder of a run of one iteration."""
    folder = tmp_path_factory.mktemp("box")
    report = folder / "stairs.json"
    report.write_text(json.dumps({"protocol": "stairs"}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shipped, "POLICIES", folder / "policies")
        for module in (play, sys.modules["legged_gym.utils.task_registry"]):
            patch.setattr(module, "experiment_root", lambda cfg: folder / "logs")
        train.train(get_args([*FLAGS, "--max_iterations", "1"], extra=train.FLAGS))
        return ship.ship(get_args([*FLAGS, "--tables", str(report)], extra=ship.FLAGS))


def test_all_files_hold_one_policy(box: Path) -> None:
    obs = torch.randn(5, 450, generator=torch.Generator().manual_seed(1))
    args = get_args([*FLAGS, "--checkpoint_path", str(box / "model.pt")], extra=play.FLAGS)
    with torch.inference_mode():
        expected = play.prepare(args).agent(obs)
        scripted = torch.jit.load(box / "policy.pt")(obs)
    (exported,) = onnxruntime.InferenceSession(box / "policy.onnx").run(None, {"observations": obs.numpy()})
    assert expected.abs().max() > 0.01
    assert torch.allclose(scripted, expected, atol=ROUNDING)
    assert np.allclose(exported, expected, atol=ROUNDING)


def test_results_say_how_it_was_made(box: Path) -> None:
    results = json.loads((box / "results.json").read_text())
    assert (results["seed"], results["iteration"]) == (1, 1)
    assert results["tables"] == [{"protocol": "stairs"}]
    assert {"command", "commit", "devices", "versions"} <= results.keys()


def test_a_policy_in_the_box_is_replaced_only_if_asked(box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "POLICIES", box.parent)
    with pytest.raises(ValueError, match="there is a policy of 'aliengo' in .*; --replace puts this one there"):
        ship.ship(get_args(FLAGS, extra=ship.FLAGS))


def test_a_policy_in_the_box_stays_whole_if_another_cannot_replace_it(
    box: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint away from its run's records, beside one of them, and one whose report is broken."""
    monkeypatch.setattr(shipped, "POLICIES", box.parent)
    files = {path: path.read_bytes() for path in box.iterdir()}
    away, broken = tmp_path / "model_1.pt", tmp_path / "broken.json"
    away.write_bytes((box / "model.pt").read_bytes())
    broken.write_text("{")
    flags = [*FLAGS, "--replace", "--checkpoint_path", str(away)]
    record = {"git": None, "command": "train.py", "seed": 1, "devices": {}, "versions": {}}
    with pytest.raises(FileNotFoundError, match=r"model_1.pt lies beside no run.json"):
        ship.ship(get_args(flags, extra=ship.FLAGS))
    (tmp_path / "run.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match=r"cannot read the config .*config.json: No such file"):
        ship.ship(get_args(flags, extra=ship.FLAGS))
    (tmp_path / "config.json").write_bytes((box / "config.json").read_bytes())
    with pytest.raises(ValueError, match=r"--tables: .*broken.json is no JSON report"):
        ship.ship(get_args([*flags, "--tables", str(broken)], extra=ship.FLAGS))
    assert files == {path: path.read_bytes() for path in box.iterdir()}


def test_results_name_every_command_of_a_run_that_went_on(tmp_path: Path) -> None:
    """As record_run numbers them: run.json, run_2.json, … run_10.json."""
    for number in range(1, 11):
        run = {"command": f"train {number}", "seed": number, "git": None, "devices": {}, "versions": {}}
        (tmp_path / ("run.json" if number == 1 else f"run_{number}.json")).write_text(json.dumps(run))
    facts = ship.run_facts(tmp_path / "model_7.pt")
    assert facts["command"] == " && ".join(f"train {number}" for number in range(1, 11))
    assert (facts["seed"], facts["commit"], facts["iteration"]) == (10, "unknown", 7)


def test_a_resumed_policy_comes_with_the_settings_that_it_was_trained_with_last(
    box: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another gain in the second session; a policy of the first one keeps the first."""
    logs = box.parents[1] / "logs"
    monkeypatch.setattr(shipped, "POLICIES", box.parents[1] / "later")
    for module in (play, train, sys.modules["legged_gym.utils.task_registry"]):
        monkeypatch.setattr(module, "experiment_root", lambda cfg: logs)
    flags = [*FLAGS, "--resume", "--max_iterations", "1", "--set", "control.stiffness={'joint': 37.0}"]
    train.train(get_args(flags, extra=train.FLAGS))
    for iteration, gain, sessions in ((1, 40, 1), (2, 37, 2)):
        folder = ship.ship(get_args([*FLAGS, "--checkpoint", str(iteration), "--replace"], extra=ship.FLAGS))
        config, results = (json.loads((folder / f"{name}.json").read_text()) for name in ("config", "results"))
        assert config["env"]["control"]["stiffness"] == {"joint": gain}
        assert results["iteration"] == iteration and results["command"].count(" && ") == sessions - 1
        assert [Path(path).name for path in results["resumed_from"]] == ["model_1.pt"] * (sessions - 1)


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_a_broken_record_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(ValueError, match="run.json does not say how the policy was trained"):
        ship.run_facts(tmp_path / "model_7.pt")


def test_training_goes_on_from_it(box: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = [*FLAGS, "--resume", "--load_run", str(box / "model.pt"), "--max_iterations", "1"]
    runner = train.prepare(get_args(flags, extra=train.FLAGS)).runner
    assert runner.current_learning_iteration == 1
    assert "the optimisers start afresh" in capsys.readouterr().out
