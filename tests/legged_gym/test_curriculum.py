"""Terrain levels and the speed range."""

import pytest
import torch

from legged_gym.envs.base.curriculum import group_totals, next_terrain_levels, resampled_levels, widened_range

NUM_LEVELS = 10


def next_level(level: int, walked: float, commanded: float, lived: bool = True) -> int:
    levels = next_terrain_levels(
        torch.tensor([level]), torch.tensor([walked]), torch.tensor([commanded]), 8.0, NUM_LEVELS, torch.tensor([lived])
    )
    return levels.item()


@pytest.mark.parametrize(
    ("walked", "commanded", "expected"),
    [
        (4.1, 20.0, 4),  # more than half a tile, although less than half of what was commanded
        (4.0, 8.0, 3),  # not more than half a tile, not less than half of the command
        (3.9, 7.7, 3),
        (3.9, 7.9, 2),
        (3.0, 6.1, 2),
        (0.1, 0.0, 3),  # told to stand, and stood
    ],
)
def test_level_follows_the_distance(walked: float, commanded: float, expected: int) -> None:
    assert next_level(3, walked, commanded) == expected


def test_lowest_level_stays() -> None:
    assert next_level(0, 0.0, 10.0) == 0


@pytest.mark.parametrize("lowest", [0, 6, NUM_LEVELS - 1])
def test_solved_top_level_leads_to_any_level_from_the_lowest_on(lowest: int) -> None:
    torch.manual_seed(0)
    n = 500
    top, far = torch.full((n,), NUM_LEVELS - 1), torch.full((n,), 5.0)
    levels = next_terrain_levels(top, far, far, 8.0, NUM_LEVELS, torch.ones(n, dtype=torch.bool), lowest)
    assert set(levels.tolist()) == set(range(lowest, NUM_LEVELS))


def test_robots_that_have_not_lived_keep_their_level() -> None:
    assert next_level(3, 0.0, 10.0, lived=False) == 3


def test_group_totals_count_only_lived_episodes() -> None:
    values = torch.tensor([2.0, 3.0, 5.0, 7.0])
    high, valid = torch.tensor([True, True, False, False]), torch.tensor([True, False, True, True])
    sums, counts = group_totals(values, high, valid)
    assert (sums.tolist(), counts.tolist()) == ([12.0, 2.0], [2.0, 1.0])


@pytest.mark.parametrize(
    ("means", "expected"),
    [
        ((0.81, 0.9), [-1.2, 1.2]),
        ((0.79, 0.9), [-1.0, 1.0]),
        ((0.9, 0.79), [-1.0, 1.0]),
        ((0.9, float("nan")), [-1.0, 1.0]),
        ((0.9,), [-1.2, 1.2]),
    ],
)
def test_range_widens_when_all_groups_track_well(means: tuple[float, ...], expected: list[float]) -> None:
    widened = widened_range(torch.tensor([-1.0, 1.0]), torch.tensor(means), best=1.0, limit=3.0)
    assert widened.tolist() == pytest.approx(expected)


def test_range_stops_at_its_limit() -> None:
    widened = widened_range(torch.tensor([-2.9, 2.95]), torch.tensor([1.0, 1.0]), best=1.0, limit=3.0)
    assert widened.tolist() == pytest.approx([-3.0, 3.0])


def test_levels_for_another_number_of_robots_come_from_the_saved_ones() -> None:
    drawn = resampled_levels(torch.tensor([2, 2, 7]), 300)
    assert set(drawn.tolist()) == {2, 7}
    assert (drawn == 2).float().mean().item() == pytest.approx(2 / 3, abs=0.1)
