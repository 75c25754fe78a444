"""Training in several processes: how robots, seeds and devices are shared out."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from small_envs import build, small_cfg

from legged_gym.utils import helpers
from legged_gym.utils.helpers import set_seed
from rsl_rl.utils import ranks


@pytest.fixture
def be_rank(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """Make this process believe that it is one of several."""

    def be(rank: int, number: int) -> None:
        monkeypatch.setattr(ranks, "rank", lambda: rank)
        monkeypatch.setattr(ranks, "num_ranks", lambda: number)
        monkeypatch.setattr(ranks, "local_rank", lambda: rank)

    return be


def test_terrain_columns_and_fast_robots_are_those_of_one_rank_with_all_robots(be_rank: Any) -> None:
    def robots(num_envs: int) -> list[tuple[int, bool]]:
        cfg = small_cfg("aliengo")
        cfg.env.num_envs = num_envs
        env = build(cfg, "aliengo")
        return list(zip(env.terrain_types.tolist(), env.high_vel_mask.tolist(), strict=True))

    whole, parts = robots(12), []
    for rank in range(3):
        be_rank(rank, 3)
        parts += robots(4)
    assert sorted(parts) == sorted(whole)
    assert sum(fast for _, fast in whole) == 3  # a fifth, rounded up


def test_ranks_draw_different_numbers_from_one_seed(be_rank: Any) -> None:
    def draws(seed: int) -> float:
        assert set_seed(seed) == seed
        return torch.rand(()).item()

    alone = draws(5)
    seen = set()
    for seed in (5, 6):
        for rank in range(3):
            be_rank(rank, 3)
            seen.add(draws(seed))
    assert len(seen) == 6 and alone in seen  # the first rank is as one that is alone


def test_each_rank_has_a_device_of_its_own(be_rank: Any) -> None:
    assert helpers._own_device("cuda:3") == "cuda:3"
    be_rank(1, 2)
    assert [helpers._own_device(name) for name in ("cpu", "cuda", "cuda:1")] == ["cpu", "cuda:1", "cuda:1"]
    with pytest.raises(ValueError, match="gives each process a GPU of its own; say cuda, not cuda:0"):
        helpers._own_device("cuda:0")


@pytest.mark.parametrize(("other", "widened"), [([9.0, 9.0], True), ([7.0, 9.0], False)])
def test_the_speed_range_follows_the_robots_of_all_ranks(
    flat_env: Any, monkeypatch: pytest.MonkeyPatch, other: list[float], widened: bool
) -> None:
    """Ten episodes of each group here at 0.85 of the best tracking, and ten on another rank: 0.80 is the limit."""
    best = flat_env.reward_scales["tracking_lin_vel"]
    news = iter([torch.tensor(other) * best, torch.full((2,), 10.0)])
    monkeypatch.setattr(ranks, "add_", lambda tensor: tensor.add_(next(news)))
    before = flat_env.command_ranges["lin_vel_x"].clone()
    flat_env._tracking_totals[:] = 8.5 * best
    flat_env._tracking_counts[:] = 10
    monkeypatch.setattr(flat_env, "_last_range_check", flat_env.common_step_counter - int(flat_env.max_episode_length))
    flat_env._widen_speed_range()
    assert (flat_env.command_ranges["lin_vel_x"][1] > before[1]).item() == widened
    flat_env.command_ranges["lin_vel_x"][:] = before


def test_levels_are_saved_of_all_robots_and_taken_over_by_their_owners(
    rough_env: Any, be_rank: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = torch.tensor([0, 1, 2, 2, 1, 0])
    rough_env.terrain_levels[:] = own
    be_rank(1, 2)
    monkeypatch.setattr(ranks, "gather", lambda levels: [torch.zeros_like(levels), levels])
    state = rough_env.get_curriculum_state()
    assert state["terrain_levels"].tolist() == [0, 0, 0, 1, 0, 2, 0, 2, 0, 1, 0, 0]
    rough_env.set_curriculum_state(state)
    assert rough_env.terrain_levels.tolist() == own.tolist()
