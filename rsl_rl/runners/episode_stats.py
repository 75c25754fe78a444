"""What the episodes of a rollout were like, gathered on the device and read once per iteration."""

import math
import statistics
from collections import defaultdict, deque
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

WINDOW = 100  # finished episodes over which returns and lengths are averaged


class EpisodeSummary(NamedTuple):
    mean_reward: float | None  # mean return of the last WINDOW finished episodes; None before the first
    mean_length: float | None  # [steps], likewise
    infos: dict[str, float]  # mean of each `extras["episode"]` entry over this iteration's steps in which it is not NaN


class EpisodeStats:
    """Returns and lengths of finished episodes, and the env's own `extras["episode"]` entries.

    `begin_rollout`, then `add_step` for every step, which never waits for the device, then `summarize`, which reads it.
    """

    def __init__(self, num_envs: int, num_steps: int, device: torch.device | str) -> None:
        self.device = device
        self.returns = torch.zeros(num_envs, device=device)  # so far, of the running episodes
        self.lengths = torch.zeros(num_envs, device=device)  # so far [steps]
        self.rollout_returns = torch.zeros(num_steps, num_envs, device=device)  # `returns` after each step
        self.rollout_lengths = torch.zeros(num_steps, num_envs, device=device)
        self.rollout_dones = torch.zeros(num_steps, num_envs, dtype=torch.bool, device=device)
        self.step = 0
        self.infos: defaultdict[tuple[str, ...], list[Tensor]] = defaultdict(list)  # names: values of each step
        self.finished_returns: deque[float] = deque(maxlen=WINDOW)
        self.finished_lengths: deque[float] = deque(maxlen=WINDOW)

    def begin_rollout(self) -> None:
        self.rollout_dones.zero_()
        self.infos.clear()
        self.step = 0

    def add_step(self, rewards: Tensor, dones: Tensor, extras: Mapping[str, Any]) -> None:
        """rewards, dones: (num_envs,)."""
        episode = extras.get("episode", {})
        if episode:  # a copy: these may be buffers of the env
            values = torch.stack([self._scalar(value) for value in episode.values()])
            self.infos[tuple(episode)].append(values)
        done_mask = dones > 0
        self.returns += rewards
        self.lengths += 1
        self.rollout_returns[self.step] = self.returns
        self.rollout_lengths[self.step] = self.lengths
        self.rollout_dones[self.step] = done_mask
        self.returns.masked_fill_(done_mask, 0.0)
        self.lengths.masked_fill_(done_mask, 0.0)
        self.step += 1

    def state(self) -> dict[str, Any]:
        """What the next rollout goes on with."""
        return {
            "returns": self.returns,
            "lengths": self.lengths,
            "finished_returns": list(self.finished_returns),
            "finished_lengths": list(self.finished_lengths),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self.returns.copy_(state["returns"])
        self.lengths.copy_(state["lengths"])
        self.finished_returns = deque(state["finished_returns"], maxlen=WINDOW)
        self.finished_lengths = deque(state["finished_lengths"], maxlen=WINDOW)

    def summarize(self) -> EpisodeSummary:
        finished = torch.stack((self.rollout_returns, self.rollout_lengths))[:, self.rollout_dones][:, -WINDOW:]
        returns, lengths = finished.tolist()
        self.finished_returns.extend(returns)
        self.finished_lengths.extend(lengths)
        return EpisodeSummary(
            mean_reward=statistics.fmean(self.finished_returns) if self.finished_returns else None,
            mean_length=statistics.fmean(self.finished_lengths) if self.finished_lengths else None,
            infos=self._mean_infos(),
        )

    def _mean_infos(self) -> dict[str, float]:
        by_name: defaultdict[str, list[float]] = defaultdict(list)
        for names, rows in self.infos.items():
            for name, column in zip(names, torch.stack(rows).T.tolist(), strict=True):
                by_name[name] += [value for value in column if not math.isnan(value)]
        return {name: statistics.fmean(values) for name, values in by_name.items() if values}

    def _scalar(self, value: Any) -> Tensor:
        return torch.as_tensor(value, dtype=torch.float, device=self.device).reshape(())
