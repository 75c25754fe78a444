"""Where heights are measured and what is read there."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from legged_gym.envs.aliengo.aliengo_config import AliengoRoughCfg
from legged_gym.envs.base.height_scan import grid_points, lowest_heights, points_under_robots, sample_heights
from legged_gym.utils.math import rotate_inverse_points, rotate_points

TOLERANCE = 1e-5  # float32 metres
SAMPLES = torch.tensor([[10, 20, 30, 99], [40, 5, 60, 99], [70, 80, 90, 99], [99, 99, 99, 99]], dtype=torch.int16)


def height_at(x: float, y: float, border: float = 0.0) -> float:
    height_map = lowest_heights(SAMPLES, vertical_scale=0.005)
    return sample_heights(torch.tensor([[[x, y]]]), height_map, border, horizontal_scale=0.1).item()


def test_scan_covers_seventeen_by_eleven_points_with_y_fastest() -> None:
    scan = AliengoRoughCfg.terrain
    points = grid_points(scan.measured_points_x, scan.measured_points_y, "cpu")
    assert points.shape == (187, 3)
    assert points[0].tolist() == pytest.approx([-0.8, -0.5, 0.0])
    assert points[1].tolist() == pytest.approx([-0.8, -0.4, 0.0])
    assert points[11].tolist() == pytest.approx([-0.7, -0.5, 0.0])
    assert points[-1].tolist() == pytest.approx([0.8, 0.5, 0.0])


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (0.05, 0.05, 10),  # itself
        (0.05, 0.15, 5),  # the x neighbour
        (0.15, 0.05, 5),  # the y neighbour
        (0.19, 0.19, 5),
        (0.25, 0.05, 70),
    ],
)
def test_height_is_the_lowest_of_three_samples(x: float, y: float, expected: int) -> None:
    assert height_at(x, y) == pytest.approx(expected * 0.005)


def test_border_shifts_the_map() -> None:
    assert height_at(-1.95, -1.75, border=2.0) == pytest.approx(30 * 0.005)


def test_points_beyond_the_map_read_its_edge() -> None:
    assert height_at(-5.0, -5.0) == height_at(0.05, 0.05)
    assert height_at(9.0, 0.05) == height_at(0.25, 0.05)


def test_points_follow_position_and_yaw_but_not_roll() -> None:
    yaw, roll = math.pi / 2, 0.6
    cy, sy, cr, sr = math.cos(yaw / 2), math.sin(yaw / 2), math.cos(roll / 2), math.sin(roll / 2)
    quat = torch.tensor([[cy * sr, sy * sr, sy * cr, cy * cr]])  # yaw then roll
    points = points_under_robots(torch.tensor([[0.3, 0.1, 0.0]]), quat, torch.tensor([[2.0, 5.0, 0.7]]))
    assert points.flatten().tolist() == pytest.approx([1.9, 5.3], abs=TOLERANCE)


def test_points_turn_as_scipy_turns_them_and_back() -> None:
    turns = Rotation.random(5, random_state=1)
    points = np.random.default_rng(2).normal(size=(5, 3, 3))
    expected = np.stack([turn.apply(own) for turn, own in zip(turns, points, strict=True)])
    quat, points_b = (torch.tensor(values, dtype=torch.float) for values in (turns.as_quat(), points))
    points_w = rotate_points(quat, points_b)
    assert torch.allclose(points_w, torch.tensor(expected, dtype=torch.float), atol=TOLERANCE)
    assert torch.allclose(rotate_inverse_points(quat, points_w), points_b, atol=TOLERANCE)
