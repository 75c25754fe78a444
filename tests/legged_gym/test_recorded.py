"""Recorded parts of a step against the same parts run kernel by kernel."""

from typing import Any

import pytest
import torch
from small_envs import small_cfg

from legged_gym.envs import LeggedRobot, task_registry
from legged_gym.utils.helpers import get_args
from rsl_rl.utils.recorded import WARM_UP_CALLS, Recorded

# Contacts of one robot may reach the solver in another order, which rounds differently.
SAME_BUT_FOR_ROUNDING = 1e-3


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
def test_a_recorded_step_gives_what_the_plain_step_gives() -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    args = get_args(["--headless", "--sim_device", "cuda:0", "--seed", "3"])
    results = []
    for recorded in (False, True):
        env, _ = task_registry.make_env("aliengo", args, deterministic_cfg())
        env.graph_safe = recorded
        env._record_step()
        torch.manual_seed(5)
        env.reset()
        actions = 0.3 * torch.randn(20, env.num_envs, env.num_actions, device=env.device)
        steps = [env.step(action) for action in actions]
        last = steps[-1]
        results.append([last.obs.clone(), last.privileged_obs.clone(), last.rewards.clone(), env.dof_pos.clone()])
    for plain, replayed in zip(*results, strict=True):
        assert torch.allclose(plain, replayed, atol=SAME_BUT_FOR_ROUNDING)
