"""What the episodes of a rollout were like, gathered on the device and read once per iteration, from all ranks."""

import itertools
import math
import statistics
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rsl_rl.utils import ranks
from rsl_rl.utils.recorded import Fused

WINDOW = 100  # finished episodes over which returns and lengths are averaged
COUNTS = "Faults/"  # infos whose names begin so are counts of a step: added up over steps and ranks, not averaged
Sums = dict[str, tuple[float, int]]  # name: sum of values, and how many


class EpisodeSummary(NamedTuple):
    mean_reward: float | None  # mean return of the last WINDOW finished episodes; None before the first
    mean_length: float | None  # [steps], likewise
    falls_per_minute: float | None  # per env, of this iteration: ends other than by time; None: not known
    infos: dict[str, float]  # mean of each `extras["episode"]` entry over this iteration's steps in which it is not NaN
    step_infos: dict[str, float]  # the same of `extras["log"]`; of COUNTS, in both, sums


class RankSummary(NamedTuple):
    """What one rank adds to a summary."""

    finished: list[list[float]]  # [step, return, length] of the last WINDOW finished episodes
    falls: float | None  # None: not known
    infos: Sums
    step_infos: Sums


class EpisodeStats:
    """Returns and lengths of finished episodes, falls, and the env's own `extras["episode"]` and `extras["log"]`.

    `begin_rollout`, then `add_step` for every step, which never waits for the device, then `summarize`, which reads it
    and, with several ranks, has to be called on all.
    """

    def __init__(self, num_envs: int, num_steps: int, device: torch.device | str, step_s: float | None = None) -> None:
        """step_s: duration of a policy step [s], if it is known."""
        self.device = device
        self.step_s = step_s
        self.returns = torch.zeros(num_envs, device=device)  # so far, of the running episodes
        self.lengths = torch.zeros(num_envs, device=device)  # so far [steps]
        self.rollout_returns = torch.zeros(num_steps, num_envs, device=device)  # `returns` after each step
        self.rollout_lengths = torch.zeros(num_steps, num_envs, device=device)
        self.rollout_dones = torch.zeros(num_steps, num_envs, dtype=torch.bool, device=device)
        self.rollout_falls = torch.zeros_like(self.rollout_dones)
        self.time_outs_known = True  # in every step of this rollout
        self.step = 0
        self._note = Fused(_note_step, self.returns.is_cuda)
        self.infos, self.step_infos = _Sums(device), _Sums(device)
        self.finished_returns: deque[float] = deque(maxlen=WINDOW)
        self.finished_lengths: deque[float] = deque(maxlen=WINDOW)

    def begin_rollout(self) -> None:
        self.rollout_dones.zero_()
        self.rollout_falls.zero_()
        self.time_outs_known = True
        self.infos.clear()
        self.step_infos.clear()
        self.step = 0

    def add_step(self, rewards: Tensor, dones: Tensor, extras: Mapping[str, Any]) -> None:
        """rewards, dones: (num_envs,)."""
        self.infos.add(extras.get("episode", {}))
        self.step_infos.add(extras.get("log", {}))
        time_outs = extras["time_outs"].to(self.device) if "time_outs" in extras else None
        self.time_outs_known &= time_outs is not None
        buffers = (self.rollout_returns, self.rollout_lengths, self.rollout_dones, self.rollout_falls)
        rows = [buffer[self.step] for buffer in buffers]
        self._note(rewards, dones, time_outs, self.returns, self.lengths, rows)
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
        all_ranks = ranks.gather(self._own_summary())
        finished = sorted(itertools.chain.from_iterable(own.finished for own in all_ranks), key=itemgetter(0))
        for _, episode_return, length in finished[-WINDOW:]:
            self.finished_returns.append(episode_return)
            self.finished_lengths.append(length)
        return EpisodeSummary(
            mean_reward=statistics.fmean(self.finished_returns) if self.finished_returns else None,
            mean_length=statistics.fmean(self.finished_lengths) if self.finished_lengths else None,
            falls_per_minute=self._falls_per_minute([own.falls for own in all_ranks]),
            infos=_means([own.infos for own in all_ranks]),
            step_infos=_means([own.step_infos for own in all_ranks]),
        )

    def _own_summary(self) -> RankSummary:
        steps = self.rollout_dones.nonzero()[:, 0]
        finished = (steps, self.rollout_returns[self.rollout_dones], self.rollout_lengths[self.rollout_dones])
        return RankSummary(
            finished=torch.stack(finished, dim=1)[-WINDOW:].tolist(),
            falls=self.rollout_falls.sum().item() if self.time_outs_known else None,
            infos=self.infos.sums(),
            step_infos=self.step_infos.sums(),
        )

    def _falls_per_minute(self, falls: Sequence[float | None]) -> float | None:
        known = [number for number in falls if number is not None]
        if self.step_s is None or len(known) < len(falls) or self.step == 0:
            return None
        minutes = self.step * len(self.returns) * self.step_s / 60.0  # of all envs of a rank together
        return sum(known) / (minutes * len(known))


def _note_step(
    rewards: Tensor,
    dones: Tensor,
    time_outs: Tensor | None,
    returns: Tensor,
    lengths: Tensor,
    rows: Sequence[Tensor],
) -> None:
    """Add a step to the running episodes and write it into the rows (returns, lengths, dones, falls) of the rollout.

    All (num_envs,). Without time_outs the falls are left as they are.
    """
    returns_row, lengths_row, dones_row, falls_row = rows
    done_mask = dones > 0
    returns += rewards
    lengths += 1
    returns_row.copy_(returns)
    lengths_row.copy_(lengths)
    dones_row.copy_(done_mask)
    if time_outs is not None:
        falls_row.copy_(done_mask & ~time_outs.bool())
    returns.masked_fill_(done_mask, 0.0)
    lengths.masked_fill_(done_mask, 0.0)


class _Sums:
    """Sums of named numbers over steps; steps need not have the same names."""

    def __init__(self, device: torch.device | str) -> None:
        self.device = device
        self.rows: defaultdict[tuple[str, ...], list[Tensor]] = defaultdict(list)  # names: values of each step

    def clear(self) -> None:
        self.rows.clear()

    def add(self, values: Mapping[str, Any]) -> None:
        """Name → 0-d tensor or number; copied, for these may be buffers of the env."""
        if values:
            self.rows[tuple(values)].append(torch.stack([self._scalar(value) for value in values.values()]))

    def sums(self) -> Sums:
        """Of the values that are not NaN; a name without any is left out."""
        by_name: defaultdict[str, list[float]] = defaultdict(list)
        for names, rows in self.rows.items():
            for name, column in zip(names, torch.stack(rows).T.tolist(), strict=True):
                by_name[name] += [value for value in column if not math.isnan(value)]
        return {name: (math.fsum(values), len(values)) for name, values in by_name.items() if values}

    def _scalar(self, value: Any) -> Tensor:
        return torch.as_tensor(value, dtype=torch.float, device=self.device).reshape(())


def _means(sums: Sequence[Sums]) -> dict[str, float]:
    """Means over the values of all ranks; of COUNTS, the sum."""
    by_name: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
    for own in sums:
        for name, pair in own.items():
            by_name[name].append(pair)
    return {
        name: math.fsum(total for total, _ in pairs) / (1 if name.startswith(COUNTS) else sum(n for _, n in pairs))
        for name, pairs in by_name.items()
    }
