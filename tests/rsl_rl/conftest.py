"""The small environment of point_mass.py and its configs as fixtures."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from point_mass import EPISODE_STEPS, TRAIN_CFG, PointMassEnv
from torch import Tensor


@pytest.fixture
def make_env() -> type[PointMassEnv]:
    return PointMassEnv


@pytest.fixture
def him_cfg() -> dict[str, Any]:
    return copy.deepcopy(TRAIN_CFG)


@pytest.fixture
def plain_cfg() -> dict[str, Any]:
    """The baseline's config: as HIM's, keys of the estimator included, but for the two class names."""
    cfg = copy.deepcopy(TRAIN_CFG)
    cfg["runner"] |= {"policy_class_name": "ActorCritic", "algorithm_class_name": "PPO"}
    return cfg


@pytest.fixture
def mean_return() -> Callable[[PointMassEnv, Callable[[Tensor], Tensor]], float]:
    """Mean return of one whole episode of every env under a policy."""

    @torch.no_grad()
    def rollout(env: PointMassEnv, policy: Callable[[Tensor], Tensor]) -> float:
        env.reset()
        total, running = torch.zeros(env.num_envs), torch.ones(env.num_envs)
        for _ in range(EPISODE_STEPS):
            result = env.step(policy(env.get_observations()))
            total += running * result.rewards
            running *= ~result.dones
        return total.mean().item()

    return rollout


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)  # networks this small gain nothing from more, and lose much on a busy machine
