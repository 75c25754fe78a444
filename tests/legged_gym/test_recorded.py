"""Recorded parts of a step against the same parts run kernel by kernel."""

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from small_envs import small_cfg

from legged_gym.envs import LeggedRobot, task_registry
from legged_gym.utils.helpers import get_args
from rsl_rl.utils import recorded as recorded_module
from rsl_rl.utils.recorded import WARM_UP_CALLS, Recorded, missing_for_fusion

AIRBORNE_STEPS = 5  # in which nothing touches the ground, so nothing depends on the order of contacts
SAME_BUT_FOR_ROUNDING = 1e-3  # of the median robot: contacts that come in another order round differently


def test_without_recording_every_call_runs_the_function() -> None:
    calls = []
    recorded = Recorded(lambda: calls.append(len(calls)) or len(calls), enabled=False)
    assert [recorded() for _ in range(WARM_UP_CALLS + 2)] == [1, 2, 3, 4, 5]


def test_a_subclass_is_recorded_only_if_it_says_so() -> None:
    class Changed(LeggedRobot):
        pass

    class Careful(LeggedRobot):
        graph_safe = True

    class ChangedAgain(Careful):
        pass

    assert LeggedRobot.graph_safe and Careful.graph_safe
    assert not Changed.graph_safe and not ChangedAgain.graph_safe


def deterministic_cfg() -> Any:
    """The rough task without anything random after the start."""
    cfg = small_cfg("aliengo")
    cfg.noise.add_noise = False
    rand = cfg.domain_rand
    rand.push_robots = rand.disturbance = rand.delay = False
    return cfg


@pytest.mark.gpu
@pytest.mark.parametrize(("engine", "fuses"), [("tree", False), ("mujoco", False), ("tree", True)])
def test_a_recorded_step_gives_what_the_plain_step_gives(
    engine: str, fuses: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = get_args(["--headless", "--sim_device", "cuda:0", "--seed", "3", "--engine", engine])
    results, start = [], None
    for recorded in (False, True):
        env, _ = task_registry.make_env("aliengo", args, deterministic_cfg())
        env.graph_safe = recorded
        if fuses:
            monkeypatch.setattr(Recorded, "fuses", recorded)
        env._record_step()
        torch.manual_seed(5)
        env.reset()
        if start is None:
            start = env.get_state()
        env.set_state(start)  # of the plain env: what is fused draws other random numbers
        torch.manual_seed(6)
        actions = 0.3 * torch.randn(20, env.num_envs, env.num_actions, device=env.device)
        quantities = []
        for action in actions:
            result = env.step(action)
            quantities.append(torch.cat((result.obs, result.privileged_obs, result.rewards[:, None], env.dof_pos), 1))
        results.append(torch.stack(quantities))
    plain, replayed = results
    if fuses:
        torch.testing.assert_close(plain[:AIRBORNE_STEPS], replayed[:AIRBORNE_STEPS], rtol=1e-4, atol=1e-4)
    else:
        assert torch.equal(plain[:AIRBORNE_STEPS], replayed[:AIRBORNE_STEPS])
    difference = (plain - replayed).abs().amax(dim=2)  # (steps, envs)
    assert difference.median(dim=1).values.max() < SAME_BUT_FOR_ROUNDING


@pytest.mark.parametrize("engine", ["tree", "mujoco"])
def test_what_torch_compile_makes_of_a_step_is_the_step(engine: str) -> None:
    # in a process of its own, since torch.compile cannot read functions that a coverage tool has changed
    program = [sys.executable, str(Path(__file__).with_name("traced_step.py")), engine]
    result = subprocess.run(program, capture_output=True, text=True, check=False, timeout=300)
    assert result.returncode == 0, result.stderr


@pytest.fixture
def unfusible(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """1 + 1, where torch.compile fails."""

    def backend(graph: torch.fx.GraphModule, inputs: list[torch.Tensor], **kwargs: Any) -> None:
        raise RuntimeError("gcc is broken\nand so on")

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    monkeypatch.setattr(Recorded, "fuses", True)
    return Recorded(lambda one: one + one, enabled=True, fusible=True, arguments=(torch.ones(1),))


def test_a_failure_of_torch_compile_says_what_to_do(unfusible: Recorded) -> None:
    with pytest.raises(ValueError, match=r"could not fuse kernels \(.*gcc is broken\); run with --fusion off"):
        unfusible._run()


def test_a_training_goes_on_where_torch_compile_fails(
    unfusible: Recorded, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(Recorded, "must_fuse", False)
    assert [unfusible._run().item() for _ in range(2)] == [2.0, 2.0]
    assert not Recorded.fuses
    said = capsys.readouterr().out
    assert "gcc is broken): going on without" in said and said.count("\n") == 1


def test_what_fusing_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"triton": True}
    monkeypatch.setattr(recorded_module, "find_spec", found.get)
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(recorded_module.shutil, "which", {"gcc": "/usr/bin/gcc"}.get)
    monkeypatch.setattr(recorded_module.sysconfig, "get_path", lambda name: str(Path(__file__).parent))
    assert "headers" in missing_for_fusion()
    monkeypatch.setattr(recorded_module.Path, "exists", lambda path: path.name == "Python.h")
    assert missing_for_fusion() is None
    monkeypatch.setattr(recorded_module.shutil, "which", lambda name: None)
    assert "compiler" in missing_for_fusion()
    found.clear()
    assert "triton" in missing_for_fusion()
