"""What docs/make_pictures.py finds out before it draws."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from documents import ROOT

from legged_gym.runs.curves import Curve, Run


@pytest.fixture(scope="module")
def pictures() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_pictures", ROOT / "docs" / "make_pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(falls: np.ndarray, tracking: np.ndarray) -> Run:
    """Curves from iteration 0 and, as tracking is known after the first episode, 1 on."""
    curves = {
        "Train/falls_per_minute": Curve(np.arange(len(falls)), falls),
        "Episode/rew_tracking_lin_vel": Curve(np.arange(1, len(tracking) + 1), tracking),
    }
    return Run(Path("run"), curves, None, None)


def test_robots_walk_once_they_neither_fall_nor_stand_for_twenty_iterations(pictures: ModuleType) -> None:
    falls = np.where(np.arange(101) < 40, 9.0, 0.5)
    tracking = np.where(np.arange(1, 101) < 60, 0.25, 0.75)
    # falls: (9 k + 0.5 (20 - k)) / 20 < 3 with k < 6 iterations before 40, from 54 on
    assert pictures.first_walking(run(falls, np.full(100, 0.75))) == 54
    # tracking: (0.25 k + 0.75 (20 - k)) / 20 > 0.5 with k < 10 iterations before 60, from 70 on
    assert pictures.first_walking(run(falls, tracking)) == 70


@pytest.mark.parametrize("length", [10, 100])
def test_robots_that_stand_or_were_hardly_trained_do_not_walk(pictures: ModuleType, length: int) -> None:
    with pytest.raises(ValueError, match="do not walk yet"):
        pictures.first_walking(run(np.zeros(length + 1), np.full(length, 0.25 if length == 100 else 0.9)))


def test_a_picture_loses_detail_until_it_is_small_enough(
    pictures: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (80, 80, 3), dtype=np.uint8)
    pictures.save(tmp_path / "fine.webp", [noise])
    best = (tmp_path / "fine.webp").stat().st_size
    monkeypatch.setattr(pictures, "MAX_PICTURE", best - 1)
    pictures.save(tmp_path / "coarse.webp", [noise])
    assert (tmp_path / "coarse.webp").stat().st_size < best
    monkeypatch.setattr(pictures, "MAX_PICTURE", 100)
    with pytest.raises(ValueError, match="draw fewer steps"):
        pictures.save(tmp_path / "none.webp", [noise])
    assert not (tmp_path / "none.webp").exists()
