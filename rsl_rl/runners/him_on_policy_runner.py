"""The training loop of HIMLoco: the runner of HIMActorCritic and HIMPPO."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from rsl_rl.algorithms import HIMPPO
from rsl_rl.env import StepResult, VecEnv
from rsl_rl.modules import HIMActorCritic
from rsl_rl.modules.him_actor_critic import network_sizes
from rsl_rl.runners.on_policy_runner import OnPolicyRunner
from rsl_rl.utils.files import StrPath


class HIMOnPolicyRunner(OnPolicyRunner):
    """OnPolicyRunner that also hands the estimator each step's next critic observation."""

    policy_classes: ClassVar = {"HIMActorCritic": HIMActorCritic}
    algorithm_classes: ClassVar = {"HIMPPO": HIMPPO}
    alg: HIMPPO
    loss_tags: ClassVar = {"estimation": "Estimation Loss", "swap": "Swap Loss"}

    def __init__(
        self,
        env: VecEnv,
        train_cfg: Mapping[str, Any],
        log_dir: StrPath | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        if env.num_privileged_obs is None:
            raise ValueError("HIMPPO learns velocities from the critic's observation; set env.num_privileged_obs")
        super().__init__(env, train_cfg, log_dir, device)

    def _network_sizes(self) -> tuple[int, ...]:
        return self.env.num_obs, self.num_critic_obs, self.env.num_one_step_obs, self.env.num_actions

    def _process_step(self, result: StepResult, critic_obs: Tensor) -> None:
        # Where an episode ended, critic_obs is the first of the next one; the estimator needs the last of the old one.
        if result.last_privileged_obs is None:
            raise ValueError("HIMPPO needs the last critic observation of an episode; step() returned None for it")
        ended_mask = result.termination_mask.to(self.device)[:, None]
        next_critic_obs = torch.where(ended_mask, result.last_privileged_obs.to(self.device), critic_obs)
        self.alg.process_env_step(result.rewards, result.dones, result.extras, next_critic_obs)

    def _mismatch_hint(self, parameters: Mapping[str, Tensor]) -> str:
        own_frames = self.alg.actor_critic.temporal_steps
        file_frames = network_sizes(parameters, self.env.num_one_step_obs).get("temporal_steps", own_frames)
        if file_frames == own_frames:
            return super()._mismatch_hint(parameters)
        return f", because it was trained on {file_frames} history frames and policy.temporal_steps is {own_frames}"
