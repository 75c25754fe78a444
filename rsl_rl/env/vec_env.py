"""The contract between the learner and an environment of many robots."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class StepResult:
    """What a step of N envs led to. Unpacks like the tuple of seven that HIMLoco's environments return."""

    obs: Tensor  # (N, num_obs), of the new episode where one ended
    privileged_obs: Tensor | None  # (N, num_privileged_obs), likewise
    rewards: Tensor  # (N,)
    dones: Tensor  # (N,), non-zero where an episode ended
    # "time_outs": (N,) bool, of the dones; "episode": {name: 0-d tensor or float, NaN or absent if unknown}, of the
    # episodes that ended; "log": likewise, of this step. Both are averaged over an iteration's steps for the curves;
    # what is named "Faults/…" counts what happened in a step, and is added up.
    extras: dict[str, Any]
    termination_mask: Tensor  # (N,) bool, an episode ended
    last_privileged_obs: Tensor | None  # (N, num_privileged_obs), before the reset; of any value where none ended

    @property
    def termination_ids(self) -> Tensor:
        """(D,) indices of the envs whose episode ended. Waits for the device."""
        return self.termination_mask.nonzero().flatten()

    @property
    def termination_privileged_obs(self) -> Tensor | None:
        """(D, num_privileged_obs), their last critic observation before the reset. Waits for the device."""
        return None if self.last_privileged_obs is None else self.last_privileged_obs[self.termination_mask]

    def __iter__(self) -> Iterator[Any]:
        yield from (self.obs, self.privileged_obs, self.rewards, self.dones, self.extras)
        yield from (self.termination_ids, self.termination_privileged_obs)

    def __len__(self) -> int:
        return 7

    def __getitem__(self, index: int) -> Any:
        return tuple(self)[index]

    @classmethod
    def of(cls, result: "StepResult | Sequence[Any]") -> "StepResult":
        """A StepResult of a tuple of seven, whose last two are termination_ids and termination_privileged_obs."""
        if isinstance(result, cls):
            return result
        obs, privileged_obs, rewards, dones, extras, ids, ended_obs = result
        mask = torch.zeros(len(dones), dtype=torch.bool, device=dones.device).index_fill(0, ids, True)
        last_obs = None if ended_obs is None else torch.zeros_like(privileged_obs).index_copy(0, ids, ended_obs)
        return cls(obs, privileged_obs, rewards, dones, extras, mask, last_obs)


class VecEnv(Protocol):
    """An environment the runners can train on; no base class is needed, only these members.

    An env may also offer `get_curriculum_state() -> dict` (tensors, numbers, strings) and `set_curriculum_state(dict)`.
    Checkpoints then carry that state, so that a resumed run goes on at the difficulty it had reached.

    And it may offer `get_state() -> dict` and `set_state(dict)`: all that later steps depend on, random generators
    aside, for an exact continuation. `set_state` raises ValueError, having changed nothing, where the state does not
    fit; it must not draw random numbers.

    And `take_fault_record() -> dict | None`: what is known of an env that broke since the last call and was reset.

    And `mirror`: how observations and actions look in a mirror, for `algorithm.mirror_fraction`, or None.

    For the curves: `dt`, the duration of a policy step [s], by which falls are told per minute; `curve_layout`, how
    TensorBoard's page of custom scalars groups the curves: {category: {chart: [regular expression of tags]}}; and
    `figures() -> {tag: PNG image}`, pictures of the present state, called once in every `figure_interval` iterations.
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

    def step(self, actions: Tensor) -> StepResult | tuple[Any, ...]:
        """Take one policy step and reset envs whose episode ended. actions: (num_envs, num_actions), read only.

        A tuple is (obs, privileged_obs, rewards, dones, extras, termination_ids, termination_privileged_obs).
        """
        ...
