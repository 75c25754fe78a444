"""Pictures of a simulation by ray tracing on its own device; needs no display, no OpenGL and no GPU.

MuJoCo Warp has a ray tracer as well. It renders a compiled MuJoCo model, and MuJoCo takes 10 s to compile the mesh of a
terrain, which Warp alone searches through after 2 s; nor can it colour the ground by height.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import warp as wp

from isaacgym.engine.progress import heartbeat
from isaacgym.engine.state import STATE_WIDTH
from isaacgym.engine.streams import on_torch_stream
from isaacgym.engine.terrain import Plane, device_mesh, merged_triangles, parts_of
from isaacgym.gym_types import Transform
from isaacgym.simulation import Simulation
from isaacgym.viewer import ray_kernels
from isaacgym.viewer.surface import robot_surface

Array = wp.array[Any]
Image = npt.NDArray[np.uint8]  # (height, width, 3) rgb


class Renderer:
    """Draws the ground and chosen robots of a prepared simulation, as seen by a camera."""

    def __init__(
        self, sim: Simulation, width: int = 640, height: int = 480, horizontal_fov: float = 55.0, samples: int = 1
    ) -> None:
        """horizontal_fov: [deg]. samples: rays per pixel along each axis; 2 smooths edges for four times the time."""
        self.sim = sim
        self.width, self.height, self.samples = width, height, samples
        self.half_width = math.tan(math.radians(horizontal_fov) / 2)  # of the picture at the distance 1
        self.half_height = self.half_width * height / width
        self._device = wp.get_device(sim.device)
        self._poses = torch.zeros(len(sim.envs), len(sim.robot.bodies), STATE_WIDTH, device=sim.device)
        surface = robot_surface(sim.robot)
        with on_torch_stream(self._device), heartbeat("Preparing pictures"):
            wp.load_module(ray_kernels, device=self._device)  # compiled on the first use on a machine
            self._vertices_b: Array = wp.array(surface.vertices, dtype=wp.vec3)
            self._normals_b: Array = wp.array(surface.normals, dtype=wp.vec3)
            self._bodies: Array = wp.array(surface.bodies, dtype=int)
            self._scene = ray_kernels.SceneData()
            self._add_ground()
        self._surface = surface
        self._drawn = -1  # robots that the arrays are for
        # one band of rows per CPU core; a GPU draws all rows at once
        num_bands = 1 if self._device.is_cuda else len(os.sched_getaffinity(0))
        self._band_ends = [height * k // num_bands for k in range(num_bands + 1)]
        self._pool = ThreadPoolExecutor(num_bands)
        self._images = wp.empty((1, height, width, 3), dtype=wp.uint8, device=self._device)

    def _add_ground(self) -> None:
        """One plane, if there are any, and all meshes."""
        for terrain in parts_of(self.sim.terrain):
            if isinstance(terrain, Plane):
                self._scene.plane_normal = wp.vec3(*terrain.normal)
                self._scene.plane_offset = terrain.offset
        meshes = [terrain for terrain in parts_of(self.sim.terrain) if not isinstance(terrain, Plane)]
        if meshes:
            self._ground = device_mesh(*merged_triangles(meshes), self.sim.device)
            self._scene.ground = self._ground.id

    def body_positions(self) -> torch.Tensor:
        """Where all bodies are after the last `simulate`, world [m], (num_envs, num_bodies, 3); a view."""
        self.sim.read_body_states_w(self._poses)
        return self._poses[..., :3]

    def render(self, camera: Transform, env_ids: Sequence[int]) -> Image:
        """The state after the last `simulate` seen by a camera, with the robots of these envs.

        camera: its position in the world; it looks along its x axis, with y to the left and z up.
        """
        if not set(env_ids) <= set(range(len(self.sim.envs))):
            raise ValueError(f"robots {list(env_ids)} cannot be drawn: there are envs 0 to {len(self.sim.envs) - 1}")
        self.sim.read_body_states_w(self._poses)
        with on_torch_stream(self._device):
            self._place_robots(env_ids)
            view: list[Array] = [
                wp.array([wp.vec3(*camera.p)], dtype=wp.vec3),
                wp.array([wp.quat(*camera.r)], dtype=wp.quat),
            ]
            lens = [self.half_width, self.half_height, self.samples]
            bands = [
                wp.launch(
                    ray_kernels.render,
                    dim=(1, end - start, self.width),
                    inputs=[self._scene, *view, *lens, start, self._images],
                    record_cmd=True,
                )
                for start, end in pairwise(self._band_ends)
            ]
            list(self._pool.map(wp.Launch.launch, bands))
            return np.array(self._images.numpy()[0])

    def _place_robots(self, env_ids: Sequence[int]) -> None:
        count = len(env_ids)
        if count != self._drawn:
            self._allocate(count)
        if count == 0:
            return
        wp.launch(
            ray_kernels.place_robots,
            dim=self._vertices.shape,
            inputs=[
                wp.array(list(env_ids), dtype=int),
                wp.from_torch(self._poses),
                self._vertices_b,
                self._normals_b,
                self._bodies,
                self._vertices,
                self._normals,
            ],
        )
        # built anew, not refitted: robots that have moved apart would lie in each other's boxes
        self._robots = wp.Mesh(points=self._vertices.flatten(), indices=self._scene.faces)
        self._scene.robots = self._robots.id

    def _allocate(self, count: int) -> None:
        surface, num_vertices = self._surface, len(self._surface.vertices)
        self._drawn = count
        self._vertices = wp.empty((count, num_vertices), dtype=wp.vec3)
        self._normals = wp.empty((count, num_vertices), dtype=wp.vec3)
        faces = surface.faces + num_vertices * np.arange(count)[:, None, None]
        self._scene.faces = wp.array(faces.ravel(), dtype=int)
        self._scene.normals = self._normals.flatten()
        self._scene.colours = wp.array(np.tile(surface.colours, (count, 1)), dtype=wp.vec3)
        self._scene.robots = wp.uint64(0)

    def ground_distances(self, starts: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """How far the ground is from points (n, 3) in directions (n, 3), unit vectors [m], (n,); 1000: not there."""
        with on_torch_stream(self._device):
            distances = wp.empty(len(starts), dtype=float)
            rays: list[Array] = [wp.array(values, dtype=wp.vec3) for values in (starts, directions)]
            wp.launch(ray_kernels.ground_distances, dim=len(starts), inputs=[self._scene, *rays, distances])
            return np.array(distances.numpy())
