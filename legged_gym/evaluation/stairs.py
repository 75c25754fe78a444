"""Stairs of exact heights for evaluate.py: up and down, with and without sensor noise, all in one simulation."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from isaacgym.assets.notices import counted
from legged_gym.evaluation.trials import EvaluationRobots
from legged_gym.utils.terrain import PLATFORM_SIZE, STEP_WIDTH

STEP_HEIGHTS = (12.0, 16.0, 18.0, 20.0)  # [cm]
MIN_HEIGHT, MAX_HEIGHT = 1.0, 60.0  # [cm] beyond it no robot and no terrain tile is made for
ROBOTS, CPU_ROBOTS = 200, 20  # on each height, in each direction, with noise and without
SIGNS = {"stairs_up": -1, "stairs_down": 1}  # of pyramids that robots climb or descend to leave their middle
RESOLUTION = 0.001  # [m] of the terrain's heights


class Cell(NamedTuple):
    """Robots that climb the same stairs under the same noise."""

    terrain: str  # stairs_up, stairs_down
    step_height: float  # [cm]
    noise: bool
    mask: Tensor  # (N,) bool


def check_stairs(step_heights: tuple[float, ...], num_envs: int | None) -> None:
    """Refuse heights [cm] that the terrain cannot have, and fewer robots than cells."""
    for height in step_heights:
        if not MIN_HEIGHT <= height <= MAX_HEIGHT or round(10 * height, 6) % 1:
            raise ValueError(
                f"--step_heights are centimetres from {MIN_HEIGHT:g} to {MAX_HEIGHT:g}, exact to the millimetre; "
                f"got {height:g}"
            )
    if num_envs is not None and num_envs < num_cells(step_heights):
        raise ValueError(
            f"{counted(len(step_heights), 'height')} up and down, with and without noise, need --num_envs of at least "
            f"{num_cells(step_heights)}, got {num_envs}"
        )


def num_cells(step_heights: tuple[float, ...]) -> int:
    return 2 * len(SIGNS) * len(step_heights)


def prepare_stairs(env_cfg: Any, step_heights: tuple[float, ...]) -> None:
    """After `prepare_config`: a row of tiles, each the stairs of training with another height [cm] or direction."""
    terrain = env_cfg.terrain
    terrain.selected, terrain.curriculum = True, False
    terrain.num_rows, terrain.num_cols = 1, len(SIGNS) * len(step_heights)
    terrain.vertical_scale = RESOLUTION
    # Half of what the lowest stairs' risers have, so that all of them become walls.
    terrain.slope_treshold = min(step_heights) / 100 / terrain.horizontal_scale / 2
    shape = {"type": "pyramid_stairs_terrain", "step_width": STEP_WIDTH, "platform_size": PLATFORM_SIZE}
    # A tenth of a unit more, because the terrain's builder truncates heights to units.
    terrain.terrain_kwargs = [
        shape | {"step_height": sign * (height / 100 + RESOLUTION / 10)}
        for sign in SIGNS.values()
        for height in step_heights
    ]


def place_on_stairs(robots: EvaluationRobots, step_heights: tuple[float, ...]) -> list[Cell]:
    """Put an equal share of the robots into every cell, and set their noise."""
    env = robots.env
    cells = torch.arange(env.num_envs, device=env.device) % num_cells(step_heights)
    columns = torch.div(cells, 2, rounding_mode="floor")
    noisy_mask = cells % 2 == 0
    robots.place(torch.zeros_like(columns), columns)
    robots.set_noise(noisy_mask)
    shapes = [(terrain, height) for terrain in SIGNS for height in step_heights]
    return [
        Cell(terrain, height, noise, (columns == column) & (noisy_mask == noise))
        for column, (terrain, height) in enumerate(shapes)
        for noise in (True, False)
    ]
