"""A small environment with a known solution, and a config to train in it."""

import copy
from typing import Any

import torch
from torch import Tensor

from rsl_rl.env import StepResult
from rsl_rl.runners import HIMOnPolicyRunner
from rsl_rl.runners.checkpoint import checkpoint_files

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
        result = (self.obs_buf, self.privileged_obs_buf, rewards, dones, extras, ids, last_critic_obs)
        return StepResult.of(result)


class ResumablePointMassEnv(PointMassEnv):
    """The same with all its state in and out."""

    def get_state(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in vars(self).items() if isinstance(value, Tensor)}

    def set_state(self, state: dict[str, Tensor]) -> None:
        if len(state["command"]) != self.num_envs:
            raise ValueError(f"it was saved with {len(state['command'])} envs")
        for name, value in state.items():
            getattr(self, name).copy_(value)


def everything(runner: HIMOnPolicyRunner) -> dict[str, Tensor]:
    """All numbers that the next iteration depends on."""
    alg, tensors = runner.alg, {}
    tensors |= alg.actor_critic.state_dict()
    for name, optimizer in (("ppo", alg.optimizer), ("estimator", alg.actor_critic.estimator.optimizer)):
        for i, state in optimizer.state_dict()["state"].items():
            tensors |= {f"{name} {i} {key}": value for key, value in state.items()}
    tensors |= {f"env {name}": value for name, value in runner.env.get_state().items()}
    return tensors | {"lr": alg.lr, "torch": torch.get_rng_state(), "returns": runner.stats.returns}


def resume_and_train(folder: str, end_iteration: int) -> None:
    """Go on with the newest checkpoint in a folder, saving every iteration; run by test_resume.py in processes."""
    torch.set_num_threads(1)
    torch.manual_seed(5)
    cfg = copy.deepcopy(TRAIN_CFG)
    cfg["runner"] |= {"save_interval": 1, "num_steps_per_env": 8}
    runner = HIMOnPolicyRunner(ResumablePointMassEnv(8), cfg, folder)
    if checkpoints := checkpoint_files(folder):
        runner.load(checkpoints[-1])
    runner.learn(end_iteration - runner.current_learning_iteration)


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
