"""Recorded parts of a step against the same parts run kernel by kernel."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import Mock

import pytest
import torch
from functorch.compile import make_boxed_func
from small_envs import small_cfg
from torch._dynamo.backends.common import aot_autograd

from legged_gym.envs import LeggedRobot, task_registry
from legged_gym.utils.helpers import get_args
from rsl_rl.utils import recorded as recorded_module
from rsl_rl.utils.adam import make_adam
from rsl_rl.utils.recorded import WARM_UP_CALLS, Fused, Recorded, between_graphs, missing_for_fusion

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


def test_what_may_not_be_recorded_runs_between_graphs_at_every_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the CPU, with graphs that only say when they are replayed."""
    said = []

    class Graph:
        def replay(self) -> None:
            said.append(graphs.index(self))

        def pool(self) -> str:
            return f"memory of {graphs.index(self)}"

    @contextmanager
    def capture(graph: Graph, pool: str | None, stream: None) -> Iterator[None]:
        graphs.append(graph)
        pools.append(pool)
        yield

    graphs: list[Graph] = []
    pools: list[str | None] = []
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", capture)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    monkeypatch.setattr(recorded_module, "WARM_UP_CALLS", 0)
    monkeypatch.setattr(Recorded, "_stream", None)

    def step() -> str:
        between_graphs(lambda: said.append("sum"))
        between_graphs(lambda: said.append("mean"))
        return "result"

    recorded = Recorded(step, enabled=True)
    assert [recorded() for _ in range(2)] == ["result"] * 2
    assert said == [0, "sum", 1, "mean", 2] * 2
    assert pools == [None, "memory of 0", "memory of 1"]
    said.clear()
    step()  # outside a recording
    assert said == ["sum", "mean"]


@pytest.mark.gpu
def test_a_gradient_step_cut_in_graphs_is_the_plain_step() -> None:
    def trained(is_recorded: bool) -> torch.Tensor:
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Linear(8, 64), torch.nn.ELU(), torch.nn.Linear(64, 1)).cuda()
        inputs, targets = torch.randn(100, 8, device="cuda"), torch.randn(100, 1, device="cuda")
        optimizer = make_adam(network.parameters(), torch.tensor(1e-3, device="cuda"))

        def step() -> None:
            outputs = network(inputs)
            scale = outputs.detach().abs().max()
            between_graphs(lambda: scale.mul_(0.5))  # after part of the forward pass
            optimizer.zero_grad()
            ((outputs / scale - targets).square()).mean().backward()
            flat = torch.cat([parameter.grad.view(-1) for parameter in network.parameters()])
            between_graphs(lambda: flat.mul_(0.1))  # as a sum over ranks would be
            parts = flat.split([parameter.numel() for parameter in network.parameters()])
            for parameter, part in zip(network.parameters(), parts, strict=True):
                parameter.grad = part.view_as(parameter)
            for group in optimizer.param_groups:
                group["capturable"] = True
            optimizer.step()

        recorded = Recorded(step, is_recorded)
        for _ in range(WARM_UP_CALLS + 10):
            recorded()
        return torch.cat([parameter.detach().view(-1) for parameter in network.parameters()])

    assert torch.equal(trained(False), trained(True))


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
    monkeypatch.setattr(Fused, "any_compiled", False)
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


class Pair(NamedTuple):
    one: torch.Tensor
    other: torch.Tensor


def doubled(pair: Pair) -> Pair:
    return Pair(2 * pair.one, 2 * pair.other)


@pytest.fixture
def _traced(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.compile, without the kernels."""
    compile_function = torch.compile
    monkeypatch.setattr(torch, "compile", lambda function, options: compile_function(function, backend="aot_eager"))
    monkeypatch.setattr(Recorded, "fuses", True)
    monkeypatch.setattr(Recorded, "must_fuse", False)
    monkeypatch.setattr(Fused, "any_compiled", False)


@pytest.mark.usefixtures("_traced")
def test_an_assertion_inside_torch_compile_costs_one_function_its_fusing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """torch 2.11 has one where a function returns a NamedTuple that it made: it comes out as it is."""
    negated, broken = Fused(torch.neg), Fused(doubled)
    assert negated(torch.ones(1)).item() == -1.0

    def fail(*_: Any) -> None:
        raise AssertionError

    with monkeypatch.context() as patch:
        patch.setattr("torch._dynamo.side_effects.SideEffects.codegen_save_tempvars", fail)
        assert broken(Pair(torch.ones(1), torch.zeros(1))).one.item() == 2.0
    assert broken(Pair(torch.ones(1), torch.zeros(1))).one.item() == 2.0
    assert capsys.readouterr().out == (
        "torch.compile could not fuse the kernels of doubled (AssertionError): they run unfused.\n"
    )
    assert Recorded.fuses
    assert Fused(torch.abs)(torch.full((1,), -3.0)).item() == 3.0


@pytest.mark.usefixtures("_traced")
def test_what_a_function_itself_raises_is_no_failure_of_torch_compile(capsys: pytest.CaptureFixture) -> None:
    calls = Fused(lambda values, index: values[index])
    assert calls(torch.arange(5), torch.tensor(3)).item() == 3
    with pytest.raises(IndexError):
        calls(torch.arange(5), torch.tensor(7))
    assert not capsys.readouterr().out


def test_a_backward_pass_that_cannot_be_compiled_is_found_in_the_forward_pass(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def fail(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> None:
        raise RuntimeError("no kernel")

    backend = aot_autograd(fw_compiler=lambda graph, inputs: make_boxed_func(graph), bw_compiler=fail)
    compile_function = torch.compile
    monkeypatch.setattr(torch, "compile", lambda function, options: compile_function(function, backend=backend))
    monkeypatch.setattr(Recorded, "fuses", True)
    monkeypatch.setattr(Recorded, "must_fuse", False)
    monkeypatch.setattr(Fused, "any_compiled", True)
    values = torch.full((1,), 3.0, requires_grad=True)
    Fused(torch.square)(values).sum().backward()
    assert values.grad.item() == 6.0
    assert "square (no kernel)" in capsys.readouterr().out


@pytest.mark.usefixtures("_traced")
def test_nothing_is_compiled_while_a_graph_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the CPU, with graphs that are none. What would have to be compiled runs unfused."""
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Mock)
    monkeypatch.setattr(torch.cuda, "graph", lambda graph, pool, stream: nullcontext())
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    monkeypatch.setattr(recorded_module, "WARM_UP_CALLS", 0)
    monkeypatch.setattr(Recorded, "_stream", None)
    double = Fused(lambda values: 2 * values)
    double(torch.ones(3))
    counts = torch._dynamo.utils.counters["stats"]
    num_graphs = counts["unique_graphs"]
    recorded = Recorded(lambda: double(torch.ones(3, 3, dtype=torch.float64)), enabled=True)
    assert recorded().tolist() == [[2.0] * 3] * 3
    assert counts["unique_graphs"] == num_graphs
    double(torch.ones(3, 3, dtype=torch.float64))
    assert counts["unique_graphs"] == num_graphs + 1


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
