"""The policies in resources/policies climb what the documentation says of them, in our simulator and in C MuJoCo."""

import json
from pathlib import Path

import pytest

from legged_gym.deploy.controller import BOUNDED, PolicyController
from legged_gym.scripts import evaluate, play, sim2sim
from legged_gym.utils.helpers import get_args
from legged_gym.utils.shipped import POLICIES

CLIMBED = {"a1": 12, "aliengo": 12, "go1": 12, "go2": 12}  # [cm] of a step


@pytest.mark.parametrize(("robot", "height"), CLIMBED.items())
def test_all_cross_stairs_upwards(robot: str, height: int, tmp_path: Path) -> None:
    """Robots with sensor noise, of which none falls or stays before the stairs."""
    flags = ["--task", robot, "--headless", "--sim_device", "cpu", "--protocol", "stairs", "--num_envs", "12"]
    files = ["--checkpoints", str(POLICIES / robot / "model.pt"), "--out", str(tmp_path)]
    evaluate.evaluate(get_args([*flags, *files, "--step_heights", str(height)], extra=evaluate.FLAGS))
    rows = json.loads((tmp_path / "stairs.json").read_text())["results"]["model"]
    (up,) = (row for row in rows if row["terrain"] == "stairs_up" and row["noise"])
    assert up["crossed"]["mean"] == 1.0


@pytest.mark.parametrize(("robot", "height"), CLIMBED.items())
def test_all_climb_stairs_in_c_mujoco(robot: str, height: int) -> None:
    flags = [
        "--headless",
        "--policy",
        str(POLICIES / robot / "policy.onnx"),
        "--terrain",
        "stairs",
        "--step_height",
        str(height / 100),
    ]
    args = sim2sim.get_args([*flags, "--command", "1", "0", "0", "--trials", "6", "--workers", "1"])
    (result,) = sim2sim.sim2sim(args).values()
    assert (result["crossed"]["mean"], result["fell"]["mean"]) == (1.0, 0.0)


def test_every_shipped_policy_is_judged_here() -> None:
    assert {folder.parent.name for folder in POLICIES.glob("*/model.pt")} == CLIMBED.keys()


@pytest.mark.parametrize("robot", CLIMBED)
def test_a_shipped_policy_plays_with_the_joint_targets_that_its_file_for_the_robot_has(robot: str) -> None:
    """Bounds came with format 3 of the metadata; a policy trained without them would be another with them."""
    flags = ["--task", robot, "--headless", "--sim_device", "cpu", "--num_envs", "1", "--checkpoint_path", robot]
    env = play.prepare(get_args(flags, extra=play.FLAGS)).env
    metadata = PolicyController(POLICIES / robot / "policy.onnx").metadata
    assert (env.cfg.control.target_margin is not None) == (metadata["format"] == BOUNDED)


@pytest.mark.parametrize("robot", CLIMBED)
def test_a_shipped_policy_is_small_and_says_how_it_was_made(robot: str) -> None:
    """At most 3.5 MB; with the reports of evaluate.py and sim2sim.py."""
    files = list((POLICIES / robot).iterdir())
    assert sum(path.stat().st_size for path in files) < 3.5e6
    results = json.loads((POLICIES / robot / "results.json").read_text())
    assert {table.get("protocol") for table in results["tables"]} >= {"paper", "stairs", "stand", "waves"}
    assert "/" not in results["devices"]["sim_device"]
