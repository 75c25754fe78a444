"""A camera that keeps one robot in the picture and glides after it."""

from __future__ import annotations

import math

import numpy as np

from isaacgym.gym_types import Transform, Vec3
from isaacgym.headless_viewer import looking_at
from isaacgym.viewer.renderer import Image, Renderer

DISTANCE = 2.6  # [m] from the robot, unless asked otherwise
AZIMUTH = math.radians(-105.0)  # of the camera as seen from the robot, in world axes: right of a robot that walks along
# x and a bit behind it
ELEVATIONS = np.radians([22.0, 30.0, 38.0, 46.0, 54.0, 62.0, 70.0, 78.0])  # the lowest that sees the robot is taken
GLIDE_S = 0.25  # [s] time constant of following
TURN_S = 0.5  # [s] time constant of a change of elevation
JUMP = 1.0  # [m] between two pictures: the robot was put elsewhere, so the camera goes there at once
NEIGHBOURS = 8  # robots drawn besides the followed one
NEAR = 15.0  # [m] from the followed one


class FollowCamera:
    """Pictures of one robot and those near it."""

    def __init__(self, renderer: Renderer, env_id: int, distance: float = DISTANCE) -> None:
        """distance: from the robot [m]."""
        self.renderer = renderer
        self.env_id = env_id
        self.distance = distance
        self._robot = np.full(3, np.inf)  # where it was at the last picture
        self._target = np.zeros(3)  # point in the middle of the picture
        self._elevation = ELEVATIONS[0]

    def picture(self, dt: float) -> Image:
        """The state after the last `simulate`. dt: time since the last picture [s]."""
        bases = self.renderer.body_positions()[:, 0].cpu().numpy().astype(np.float64)
        return self.renderer.render(self.pose(bases[self.env_id], dt), nearest(bases, self.env_id))

    def pose(self, robot: np.ndarray, dt: float) -> Transform:
        """Where the camera is, `dt` seconds after the last call. robot: where the robot is [m], (3,)."""
        jumped = not np.linalg.norm(robot - self._robot) < JUMP
        self._robot = robot.copy()
        if jumped:
            self._target, self._elevation = robot.copy(), self._free_elevation(robot)
        self._target += (1.0 - math.exp(-dt / GLIDE_S)) * (robot - self._target)
        self._elevation += (1.0 - math.exp(-dt / TURN_S)) * (self._free_elevation(self._target) - self._elevation)
        camera = self._target + self.distance * _towards(self._elevation)
        return looking_at(Vec3(*camera), Vec3(*self._target))

    def _free_elevation(self, target: np.ndarray) -> float:
        """The lowest elevation from which no ground hides the target, nor is the camera close above ground."""
        directions = np.array([_towards(elevation) for elevation in ELEVATIONS])
        reach = self.distance + 0.5
        free = self.renderer.ground_distances(np.tile(target, (len(ELEVATIONS), 1)), directions) > reach
        return float(ELEVATIONS[int(free.argmax())] if free.any() else ELEVATIONS[-1])


def _towards(elevation: float) -> np.ndarray:
    """Unit vector from the robot to the camera."""
    flat = math.cos(elevation)
    return np.array([flat * math.cos(AZIMUTH), flat * math.sin(AZIMUTH), math.sin(elevation)])


def nearest(bases: np.ndarray, env_id: int) -> list[int]:
    """The robot and the NEIGHBOURS nearest to it within NEAR. bases: (num_envs, 3) [m]."""
    distances = np.linalg.norm(bases - bases[env_id], axis=1)
    distances[env_id] = -1.0
    order = np.argsort(distances, kind="stable")[: NEIGHBOURS + 1]
    return [int(index) for index in order if distances[index] < NEAR]
