"""A small environment with a known solution, and a config to train in it."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from rsl_rl.env import StepResult

DT = 0.2  # [s]
EPISODE_STEPS = 25
MAX_SPEED = 4.0  # faster than this in any axis ends the episode [m/s]
REWARD_WIDTH = 0.5  # [m²/s²]


class PointMassEnv:
    """A point in space is to move at a commanded velocity, pushed by its action and a wind.

    Frame (9): [command 3 | position 3 | last action 3]. Critic (15): [frame | velocity 3 | wind 3]. The actor sees
    frames only, newest first, so velocity is to be had only from how the position changed. Like a robot's environment
    it edits its observation buffers in place.
    """

    num_one_step_obs = 9
    num_privileged_obs = 15
    num_actions = 3
    max_episode_length = EPISODE_STEPS
    device = "cpu"
    dt = DT

    def __init__(self, num_envs: int = 64, temporal_steps: int = 3) -> None:
        self.num_envs = num_envs
        self.num_obs = temporal_steps * self.num_one_step_obs
        self.obs_buf = torch.zeros(num_envs, self.num_obs)
        self.privileged_obs_buf = torch.zeros(num_envs, self.num_privileged_obs)
        self.episode_length_buf = torch.zeros(num_envs, dtype=torch.long)
        self.command, self.position, self.velocity, self.wind, self.last_action = torch.zeros(5, num_envs, 3).unbind()

    def get_observations(self) -> Tensor:
        return self.obs_buf

    def get_privileged_observations(self) -> Tensor:
        return self.privileged_obs_buf

    def reset(self) -> None:
        self._reset_envs(torch.arange(self.num_envs))
        self.privileged_obs_buf[:] = self._critic_frame()

    def _reset_envs(self, ids: Tensor) -> None:
        shape = (len(ids), 3)
        self.command[ids] = 2 * torch.rand(shape) - 1
        self.velocity[ids] = 2 * torch.rand(shape) - 1
        self.wind[ids] = torch.rand(shape) - 0.5
        self.position[ids] = 0.0
        self.last_action[ids] = 0.0
        self.episode_length_buf[ids] = 0
        self.obs_buf[ids] = self._frame()[ids].repeat(1, self.num_obs // self.num_one_step_obs)

    def _frame(self) -> Tensor:
        return torch.cat((self.command, self.position, self.last_action), dim=1)

    def _critic_frame(self) -> Tensor:
        return torch.cat((self._frame(), self.velocity, self.wind), dim=1)

    def step(self, actions: Tensor) -> StepResult:
        self.last_action[:] = actions.clip(-3, 3)
        self.velocity += DT * (self.last_action + self.wind)
        self.position += DT * self.velocity
        self.episode_length_buf += 1
        rewards = torch.exp(-(self.velocity - self.command).square().sum(dim=1) / REWARD_WIDTH)
        failed = (self.velocity.abs() > MAX_SPEED).any(dim=1)
        time_outs = (self.episode_length_buf >= EPISODE_STEPS) & ~failed
        dones = failed | time_outs
        ids = dones.nonzero().flatten()
        last_critic_obs = self._critic_frame()[ids]
        self.obs_buf[:] = torch.cat((self._frame(), self.obs_buf[:, : -self.num_one_step_obs]), dim=1)
        self._reset_envs(ids)
        self.privileged_obs_buf[:] = self._critic_frame()
        extras: dict[str, Any] = {"time_outs": time_outs}
        if len(ids):
            extras["episode"] = {"failed": failed[ids].float().mean()}
        return StepResult(self.obs_buf, self.privileged_obs_buf, rewards, dones, extras, ids, last_critic_obs)


TRAIN_CFG = {
    "runner": {
        "policy_class_name": "HIMActorCritic",
        "algorithm_class_name": "HIMPPO",
        "num_steps_per_env": 24,
        "save_interval": 20,
    },
    # Episodes are short and mostly end by time-out; a longer horizon than theirs would live on bootstrapped values.
    "algorithm": {"num_learning_epochs": 2, "num_mini_batches": 4, "gamma": 0.9, "entropy_coef": 0.0},
    "policy": {
        "actor_hidden_dims": [64, 32],
        "critic_hidden_dims": [64, 32],
        "temporal_steps": 3,
        "enc_hidden_dims": [64, 32, 8],
        "tar_hidden_dims": [32],
        "num_prototype": 16,
    },
}


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
