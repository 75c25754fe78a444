"""Camera sensors: pictures of all envs at once, by ray tracing on the simulation's own device.

Cameras of one size and lens, in envs that hold the same actors, are a group, whose pictures are one tensor and one
launch. What is not asked for is not drawn: colours cost several times what depths cost.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import warp as wp
from torch import Tensor

from isaacgym.engine.progress import heartbeat
from isaacgym.engine.state import STATE_WIDTH
from isaacgym.engine.streams import on_torch_stream
from isaacgym.engine.terrain import Plane, device_mesh, merged_triangles, parts_of
from isaacgym.gym_types import CameraProperties, ImageType, Transform
from isaacgym.viewer import ray_kernels, sensor_kernels
from isaacgym.viewer.surface import robot_surface

if TYPE_CHECKING:
    from isaacgym.actors import Env
    from isaacgym.assets.description import RobotDescription
    from isaacgym.simulation import Simulation

DRAWN = (ImageType.IMAGE_COLOR, ImageType.IMAGE_DEPTH, ImageType.IMAGE_SEGMENTATION)


@dataclass(eq=False)
class CameraSensor:
    """Where a camera is. It looks along x with y to the left and z up.

    Attributes:
        pose: in the env, or in the frame of `body`.
        body: index in the env, -1: it stands in the env.
        turns_with_body: the camera's axes are the body's, else the env's.
        handed: pictures that callers hold and that are not in the group's tensors, see `CameraSensors.picture`.
    """

    env: int
    properties: CameraProperties
    pose: Transform = field(default_factory=Transform)
    body: int = -1
    turns_with_body: bool = True
    group: Group | None = None  # set by `CameraSensors`
    row: int = 0  # in the group's tensors
    handed: dict[ImageType, Tensor] = field(default_factory=dict)

    def early_picture(self, kind: ImageType, device: str) -> Tensor:
        """For a caller who wants a tensor before the simulation is prepared; every `render` fills it."""
        if kind not in self.handed:
            self.handed[kind] = _blank(kind, (self.properties.height, self.properties.width), device)
        return self.handed[kind]


def _blank(kind: ImageType, shape: tuple[int, ...], device: str) -> Tensor:
    """Pictures of zeros. shape: up to height and width."""
    width = {ImageType.IMAGE_COLOR: [4], ImageType.IMAGE_OPTICAL_FLOW: [2]}.get(kind, [])
    dtype = {
        ImageType.IMAGE_COLOR: torch.uint8,
        ImageType.IMAGE_DEPTH: torch.float32,
        ImageType.IMAGE_SEGMENTATION: torch.int32,
        ImageType.IMAGE_OPTICAL_FLOW: torch.int16,
    }[kind]
    return torch.zeros(*shape, *width, dtype=dtype, device=device)


class Stage:
    """Envs that hold the same actors, and what there is to see in them."""

    def __init__(self, envs: list[Env], robot: RobotDescription, poses: Tensor) -> None:
        """poses: of the bodies of these envs, (k, num_bodies, 13), kept."""
        self.envs, self.robot, self.poses = envs, robot, poses
        self.row_of = {env.index: row for row, env in enumerate(envs)}
        self.origins = torch.tensor([env.origin for env in envs], dtype=torch.float, device=poses.device)
        self.bodies: dict[bool, Any] = {}  # by `use_collision_geometry`

    def paint(self, bodies: Any) -> None:
        """In the colours and with the segmentation that the actors have now; on the current device and stream."""
        colours, ids = (np.stack([env.of_actors(name) for env in self.envs]) for name in ("colours", "segmentation"))
        bodies.painted, bodies.ids = wp.array(colours, dtype=wp.vec3), wp.array(ids, dtype=int)


class Group:
    """Cameras of one size and lens on one stage, and their pictures."""

    def __init__(self, sensors: list[CameraSensor], stage: Stage, device: str) -> None:
        self.sensors, self.stage = sensors, stage
        self.properties = properties = sensors[0].properties
        count = len(sensors)
        self.shape = count, properties.height, properties.width
        self.cameras = cameras = sensor_kernels.Cameras()
        cameras.width, cameras.height = properties.width, properties.height
        cameras.half_width = math.tan(math.radians(properties.horizontal_fov) / 2)
        cameras.half_height = cameras.half_width * properties.height / properties.width
        cameras.near, cameras.far = properties.near_plane, properties.far_plane
        cameras.env = wp.array([stage.row_of[sensor.env] for sensor in sensors], dtype=int)
        cameras.position, cameras.rotation = wp.zeros(count, dtype=wp.vec3), wp.zeros(count, dtype=wp.quat)
        self.images: dict[ImageType, Tensor] = {}
        self.current: set[ImageType] = set()  # those that show the present state
        self.wanted = {kind for sensor in sensors for kind in sensor.handed}  # those that callers hold tensors of
        self._device = device
        self._placement: list[Any] = []
        self.moved = True
        for row, sensor in enumerate(sensors):
            sensor.group, sensor.row = self, row

    def placement(self) -> list[Any]:
        """What `place_cameras` wants to know about the cameras."""
        if self.moved:
            sensors = self.sensors
            self._placement = [
                wp.array([sensor.body for sensor in sensors], dtype=int),
                wp.array([sensor.turns_with_body for sensor in sensors], dtype=bool),
                wp.array([tuple(sensor.pose.p) for sensor in sensors], dtype=wp.vec3),
                wp.array([tuple(sensor.pose.r) for sensor in sensors], dtype=wp.quat),
            ]
            self.moved = False
        return self._placement

    def image(self, kind: ImageType) -> Tensor:
        """All pictures of a kind, a tensor that stays the same."""
        if kind not in self.images:
            self.images[kind] = _blank(kind, self.shape, self._device)
        return self.images[kind]

    def hand_over(self) -> None:
        """Before its cameras go to another group: leave them the tensors that callers hold."""
        for sensor in self.sensors:
            for kind in self.wanted:
                sensor.handed.setdefault(kind, self.image(kind)[sensor.row])


class CameraSensors:
    """Draws what all camera sensors of a prepared simulation see."""

    def __init__(self, sim: Simulation) -> None:
        if find_spec("trimesh") is None:
            raise RuntimeError('camera sensors need the package trimesh: pip install -e ".[video]"')
        self._sim = sim
        self._device = wp.get_device(sim.running.device)
        self._poses = torch.zeros_like(sim.body_states).view(sim.num_worlds, -1, STATE_WIDTH)
        self._stages = [self._stage(kind) for kind in sim.kinds]
        num_bands = 1 if self._device.is_cuda else len(os.sched_getaffinity(0))
        self._num_bands = num_bands  # one per CPU core; a GPU draws all rows at once
        self._pool = ThreadPoolExecutor(num_bands)
        self._keep_alive: list[wp.Mesh] = []
        with on_torch_stream(self._device), heartbeat("Preparing cameras"):
            for module in (ray_kernels, sensor_kernels):
                wp.load_module(module, device=self._device)  # compiled on the first use on a machine
            self._add_ground()
        self.groups: list[Group] = []
        self.regroup()

    # ---- what there is to see ------------------------------------------------------------------------------------

    def _stage(self, envs: list[Env]) -> Stage:
        robot = self._sim.robot_of(envs[0])
        shape = len(envs), len(robot.bodies), STATE_WIDTH
        poses = torch.zeros(shape, device=self._sim.device) if len(self._sim.kinds) > 1 else self._poses
        return Stage(envs, robot, poses)

    def _add_ground(self) -> None:
        self._scene = scene = ray_kernels.SceneData()
        ids, ends, meshes = [0], [0], []
        for terrain, segmentation in zip(parts_of(self._sim.terrain), self._sim.ground_ids, strict=True):
            if isinstance(terrain, Plane):
                scene.plane_normal, scene.plane_offset = wp.vec3(*terrain.normal), terrain.offset
                ids[0] = segmentation
            else:
                meshes.append(terrain)
                ids.append(segmentation)
                ends.append(ends[-1] + len(merged_triangles([terrain])[1]))
        if meshes:
            self._keep_alive.append(device_mesh(*merged_triangles(meshes), self._sim.device))
            scene.ground = self._keep_alive[-1].id
        self._ground: list[Any] = [wp.array(values, dtype=int) for values in (ends[1:] or [0], ids)]

    def _bodies_as(self, stage: Stage, collision_geometry: bool) -> Any:
        """The bodies by their visuals or, if asked for, by their collision shapes; on the current device and stream."""
        if collision_geometry not in stage.bodies:
            stage.bodies[collision_geometry] = self._make_bodies(stage, collision_geometry)
        return stage.bodies[collision_geometry]

    def _make_bodies(self, stage: Stage, collision_geometry: bool) -> Any:
        robot = stage.robot
        bodies = sensor_kernels.Bodies()
        surface = robot_surface(robot.without_visuals() if collision_geometry else robot)
        of_face = surface.bodies[surface.faces[:, 0]]
        order = np.argsort(of_face, kind="stable")
        faces, of_face = surface.faces[order], of_face[order]
        ids, centers, radii = [], np.zeros((len(robot.bodies), 3)), np.zeros(len(robot.bodies))
        first = np.searchsorted(of_face, np.arange(len(robot.bodies) + 1))
        for body, (start, end) in enumerate(pairwise(first)):
            if start == end:
                ids.append(0)
                continue
            own, corners = np.unique(faces[start:end], return_inverse=True)
            vertices = surface.vertices[own]
            centers[body] = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
            radii[body] = np.linalg.norm(vertices - centers[body], axis=1).max()
            mesh = device_mesh(vertices, corners.reshape(-1, 3).astype(np.int32), self._sim.device)
            self._keep_alive.append(mesh)
            ids.append(mesh.id)
        bodies.mesh, bodies.center = wp.array(ids, dtype=wp.uint64), wp.array(centers, dtype=wp.vec3)
        bodies.radius, bodies.first_face = wp.array(radii, dtype=float), wp.array(first[:-1], dtype=int)
        bodies.faces = wp.array(faces.ravel(), dtype=int)
        bodies.normals = wp.array(surface.normals, dtype=wp.vec3)
        bodies.colours = wp.array(surface.colours, dtype=wp.vec3)
        stage.paint(bodies)
        return bodies

    def repaint(self) -> None:
        """Take over changed colours and segmentation of actors."""
        with on_torch_stream(self._device):
            for stage in self._stages:
                for bodies in stage.bodies.values():
                    stage.paint(bodies)
        self._forget()

    # ---- cameras -------------------------------------------------------------------------------------------------

    def regroup(self) -> None:
        """Take over the cameras that there are now. Tensors that callers hold stay in use, as copies where need be."""
        lenses: dict[tuple[Any, ...], list[CameraSensor]] = {}
        stage_of = {env.index: stage for stage in self._stages for env in stage.envs}
        for sensor in self._all():
            key = (stage_of[sensor.env], *vars(sensor.properties).values())
            lenses.setdefault(key, []).append(sensor)
        kept = {tuple(map(id, group.sensors)): group for group in self.groups}
        staying = {tuple(map(id, sensors)) for sensors in lenses.values()}
        for cameras, group in kept.items():
            if cameras not in staying:
                group.hand_over()
        with on_torch_stream(self._device):
            self.groups = [
                kept.get(tuple(map(id, sensors))) or Group(sensors, stage, self._sim.device)
                for (stage, *_), sensors in lenses.items()
            ]

    def _all(self) -> Iterable[CameraSensor]:
        return (sensor for env in self._sim.envs for sensor in env.cameras if sensor is not None)

    def _forget(self) -> None:
        for group in self.groups:
            group.current.clear()

    # ---- pictures ------------------------------------------------------------------------------------------------

    def render(self) -> None:
        """Look at the state after the last `simulate`, and draw the pictures that callers hold tensors of."""
        self._sim.read_body_states_w(self._poses)
        if len(self._stages) > 1:
            for stage in self._stages:
                places = [env.place("bodies", slice(0, env.counts.bodies)) for env in stage.envs]
                torch.stack([self._poses[place] for place in places], out=stage.poses)
        for group in self.groups:
            with on_torch_stream(self._device):
                self._place(group)
            group.current.clear()
            for kind in group.wanted:
                self._draw(group, kind)

    def picture(self, sensor: CameraSensor, kind: ImageType, keep: bool) -> Tensor:
        """What a camera saw at the last `render`. keep: have every `render` draw into this tensor from now on.

        It is a part of the group's tensor, unless the caller got one earlier, from before the group was made: then it
        is that one, into which pictures are copied.
        """
        group = sensor.group
        assert group is not None, "the camera is in a group since `regroup`"
        self._draw(group, kind)
        if keep:
            group.wanted.add(kind)
            if kind in sensor.handed:
                return sensor.handed[kind]
        return group.image(kind)[sensor.row]

    def camera_pose(self, sensor: CameraSensor) -> np.ndarray:
        """Position and quaternion xyzw in the world at the last `render`, (7,)."""
        group = sensor.group
        assert group is not None, "the camera is in a group since `regroup`"
        cameras = group.cameras
        with on_torch_stream(self._device):
            return np.concatenate([values.numpy()[sensor.row] for values in (cameras.position, cameras.rotation)])

    def _place(self, group: Group) -> None:
        poses, origins = wp.from_torch(group.stage.poses), wp.from_torch(group.stage.origins)
        inputs = [poses, origins, *group.placement(), group.cameras]
        wp.launch(sensor_kernels.place_cameras, dim=len(group.sensors), inputs=inputs)

    def _draw(self, group: Group, kind: ImageType) -> None:
        if kind in group.current or kind not in DRAWN:
            return
        with on_torch_stream(self._device):
            bodies = self._bodies_as(group.stage, group.properties.use_collision_geometry)
            poses, cameras = wp.from_torch(group.stage.poses), group.cameras
            if kind == ImageType.IMAGE_COLOR:
                samples = [group.properties.supersampling_horizontal, group.properties.supersampling_vertical]
                inputs = [self._scene, bodies, poses, cameras, *(max(1, count) for count in samples)]
                outputs = [group.image(kind)]
                drawn: set[ImageType] = {kind}
            else:
                inputs = [self._scene, *self._ground, bodies, poses, cameras]
                drawn = {ImageType.IMAGE_DEPTH, ImageType.IMAGE_SEGMENTATION}
                outputs = [group.image(ImageType.IMAGE_DEPTH), group.image(ImageType.IMAGE_SEGMENTATION)]
            kernel = sensor_kernels.paint if kind == ImageType.IMAGE_COLOR else sensor_kernels.measure
            self._launch(group, kernel, inputs, [wp.from_torch(image) for image in outputs])
        group.current |= drawn
        for sensor in group.sensors:
            for drawn_kind in drawn & sensor.handed.keys():
                sensor.handed[drawn_kind].copy_(group.image(drawn_kind)[sensor.row])

    def _launch(self, group: Group, kernel: wp.Kernel, inputs: list[Any], outputs: list[Any]) -> None:
        """In bands of rows of all pictures."""
        count, height, width = group.shape
        ends = [count * height * k // self._num_bands for k in range(self._num_bands + 1)]
        bands: list[Callable[[], None]] = [
            wp.launch(kernel, dim=(end - start, width), inputs=[*inputs, start, *outputs], record_cmd=True).launch
            for start, end in pairwise(ends)
        ]
        if len(bands) == 1:
            bands[0]()
        else:
            list(self._pool.map(lambda band: band(), bands))
