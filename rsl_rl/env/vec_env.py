"""The contract between the learner and an environment of many robots."""

from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor


class StepResult(NamedTuple):
    """What `VecEnv.step` returns. N = num_envs, D = number of episodes that ended in this step."""

    obs: Tensor  # (N, num_obs), of the new episode where one ended
    privileged_obs: Tensor | None  # (N, num_privileged_obs), likewise
    rewards: Tensor  # (N,)
    dones: Tensor  # (N,), non-zero where an episode ended
    extras: dict[str, Any]  # "time_outs": (N,) bool; "episode": {name: 0-d tensor or float}, absent without a reset
    termination_ids: Tensor  # (D,) indices of the envs whose episode ended
    termination_privileged_obs: (
        Tensor | None
    )  # (D, num_privileged_obs), those envs' last critic observation before reset


class VecEnv(Protocol):
    """An environment the runners can train on; no base class is needed, only these members.

    An env may also offer `get_curriculum_state() -> dict` (tensors, numbers, strings) and `set_curriculum_state(dict)`.
    Checkpoints then carry that state, so that a resumed run goes on at the difficulty it had reached.

    And it may offer `get_state() -> dict` and `set_state(dict)`: all that later steps depend on, random generators
    aside, for an exact continuation. `set_state` raises ValueError, having changed nothing, where the state does not
    fit; it must not draw random numbers.

    And `take_fault_record() -> dict | None`: what is known of an env that broke since the last call and was reset.
    """

    num_envs: int
    num_obs: int  # length of the actor's input: the newest frame first, then older ones
    num_privileged_obs: int | None  # length of the critic's input; None: the critic sees what the actor sees
    num_one_step_obs: int  # length of one frame
    num_actions: int
    max_episode_length: float  # [policy steps]
    episode_length_buf: Tensor  # (num_envs,) age of each episode [policy steps]; the runner writes into it
    device: torch.device | str

    def get_observations(self) -> Tensor: ...

    def get_privileged_observations(self) -> Tensor | None: ...

    def reset(self) -> Any:
        """Start a new episode in every env. The runner ignores what it returns."""
        ...

    def step(self, actions: Tensor) -> StepResult:
        """Take one policy step and reset envs whose episode ended. actions: (num_envs, num_actions), read only."""
        ...
