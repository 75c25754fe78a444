"""The scene on the page: ground, robots, lines and points.

The page's own origin is a point of the world that moves with a followed robot. Robots and marks are sent relative to
it; the ground, which is large, lies under a frame that moves the other way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import viser
from scipy.spatial.transform import Rotation

from isaacgym.assets.description import RobotDescription
from isaacgym.engine.terrain import Grid, Grounds, Mesh, Plane, Terrain, parts_of, terrain_triangles
from isaacgym.viewer.ground import ChunkId, CoarseGrid, Surface, chunk_surface, chunks_near, mesh_surface
from isaacgym.viewer.robot_parts import Color, Part, robot_parts

GROUND = "/ground"
GROUND_COLOR: Color = (152, 144, 126)
GRID_COLORS: tuple[Color, Color] = (126, 119, 104), (96, 90, 78)  # every half metre, every five
CHOSEN_COLOR: Color = (240, 120, 30)  # mixed into the colours of the chosen robot
CHOSEN_SHARE = 0.85
SKY_LIGHT, SUN_LIGHT = 1.4, 2.2
LOD_TRIANGLES = 2000  # meshes with more are drawn coarser far away


def light(scene: viser.SceneApi) -> None:
    """Less even than viser's own light, so that steps and slopes show."""
    scene.configure_default_lights(enabled=False)
    scene.configure_environment_map(hdri=None)
    scene.add_light_hemisphere("/light/sky", sky_color=(235, 240, 255), ground_color=(90, 80, 70), intensity=SKY_LIGHT)
    scene.add_light_directional("/light/sun", intensity=SUN_LIGHT, position=(-4.0, -7.0, 8.0))


class Robots:
    """The shown robots, of one kind or several. The first is the chosen one."""

    def __init__(self, scene: viser.SceneApi, kinds: Sequence[RobotDescription]) -> None:
        self._kinds = [AlikeRobots(scene, robot, str(kind)) for kind, robot in enumerate(kinds)]

    @property
    def batches(self) -> list[viser.BatchedMeshHandle]:
        """Of all kinds."""
        return [batch for kind in self._kinds for batch in kind.batches]

    def update(self, poses: Sequence[np.ndarray], kinds: Sequence[int], origin: np.ndarray) -> None:
        """poses: of each robot's bodies, (num_bodies, 7), position and quaternion xyzw in the world; kinds: of each."""
        for number, robots in enumerate(self._kinds):
            own = [pose for pose, kind in zip(poses, kinds, strict=True) if kind == number]
            robots.update(np.stack(own) if own else np.zeros((0, 0, 7)), kinds[0] == number, origin)


class AlikeRobots:
    """The shown robots of one kind: one batch of instances per part."""

    def __init__(self, scene: viser.SceneApi, robot: RobotDescription, name: str) -> None:
        self.parts = robot_parts(robot)
        self._scene, self._name = scene, name
        self._shown = 0, False  # how many, and whether the first is the chosen one
        self.batches: list[viser.BatchedMeshHandle] = []

    def update(self, poses: np.ndarray, has_chosen: bool, origin: np.ndarray) -> None:
        """poses: (num_robots, num_bodies, 7); has_chosen: the first is the chosen one."""
        if (len(poses), has_chosen) != self._shown:
            self._shown = len(poses), has_chosen
            for batch in self.batches if len(poses) == 0 else []:
                batch.remove()
            self.batches = [self._batch(index, part) for index, part in enumerate(self.parts) if len(poses)]
        for part, batch in zip(self.parts, self.batches, strict=False):
            instances = poses[:, part.bodies].reshape(-1, 7)
            batch.batched_positions = instances[:, :3] - origin
            batch.batched_wxyzs = instances[:, [6, 3, 4, 5]]

    def _batch(self, index: int, part: Part) -> viser.BatchedMeshHandle:
        num_robots, has_chosen = self._shown
        count = num_robots * len(part.bodies)
        colors = np.tile(np.array(part.color, dtype=np.float64), (count, 1))
        if has_chosen:
            mixed = (1.0 - CHOSEN_SHARE) * colors[0] + CHOSEN_SHARE * np.array(CHOSEN_COLOR)
            colors[: len(part.bodies)] = mixed
        return self._scene.add_batched_meshes_simple(
            f"/robots/{self._name}/{index}",
            part.vertices,
            part.faces,
            batched_wxyzs=np.tile([1.0, 0.0, 0.0, 0.0], (count, 1)),
            batched_positions=np.zeros((count, 3)),
            batched_colors=colors.astype(np.uint8),
            lod="auto" if len(part.faces) > LOD_TRIANGLES else "off",
            flat_shading=True,
        )


class Ground:
    """Planes, meshes, and a grid of which the surroundings of the shown robots are in full detail."""

    def __init__(self, scene: viser.SceneApi, terrain: Terrain | Grounds | None) -> None:
        self._scene = scene
        self._frame = scene.add_frame(GROUND, show_axes=False)
        self._grid: Grid | None = None
        self.chunks: dict[ChunkId, viser.MeshHandle] = {}
        for index, part in enumerate(parts_of(terrain)):
            if isinstance(part, Plane):
                self._add_plane(f"plane_{index}", part)
            elif isinstance(part, Grid) and self._grid is None:
                self._grid, self._coarse = part, CoarseGrid(part)
                self._rest = self._add("rest", self._coarse.surface)
            else:
                mesh = part if isinstance(part, Mesh) else Mesh(*terrain_triangles(part))
                self._add(f"mesh_{index}", mesh_surface(mesh))

    def update(self, positions: np.ndarray, origin: np.ndarray) -> None:
        """Show what is near the robots in detail. positions: (num_robots, 3) in the world, the chosen one first."""
        self._frame.position = -origin
        if self._grid is None:
            return
        wanted = chunks_near(self._grid, positions)
        if set(wanted) <= self.chunks.keys():
            return
        for chunk in self.chunks.keys() - set(wanted):
            self.chunks.pop(chunk).remove()
        for chunk in wanted:
            if chunk not in self.chunks:
                self.chunks[chunk] = self._add(f"{chunk[0]}_{chunk[1]}", chunk_surface(self._grid, chunk))
        self._rest.faces = self._coarse.faces_without(self.chunks)

    def _add(self, name: str, surface: Surface) -> viser.MeshHandle:
        return self._scene.add_mesh_simple(
            f"{GROUND}/{name}", *surface, color=GROUND_COLOR, flat_shading=True, side="double", cast_shadow=False
        )

    def _add_plane(self, name: str, plane: Plane) -> None:
        normal = np.array(plane.normal)
        turn, _ = Rotation.align_vectors(normal[None], [[0.0, 0.0, 1.0]])
        cells, sections = GRID_COLORS
        self._scene.add_grid(
            f"{GROUND}/{name}",
            infinite_grid=True,
            cell_size=0.5,
            section_size=5.0,
            cell_color=cells,
            section_color=sections,
            plane_color=GROUND_COLOR,
            plane_opacity=1.0,
            fade_distance=60.0,
            position=plane.offset * normal,
            wxyz=turn.as_quat(scalar_first=True),
        )


class Marks:
    """Lines and points by name, in the world [m]; what is given replaces what was there, and nothing removes it.

    Attributes:
        origin: world point at the page's own origin [m].
    """

    def __init__(self, scene: viser.SceneApi) -> None:
        self._scene = scene
        self.origin = np.zeros(3)
        self._handles: dict[str, viser.LineSegmentsHandle | viser.PointCloudHandle] = {}

    def lines(self, name: str, ends: np.ndarray, colors: np.ndarray | Color, thickness: float = 0.01) -> None:
        """ends: (N, 2, 3); colors: RGB, 0 to 255, one for all or (N, 2, 3); thickness [m]."""
        ends = ends - self.origin
        if self._keep(name, ends):
            self._handles[name] = self._scene.add_line_segments(f"/marks/{name}", ends, colors, thickness=thickness)
        elif len(ends):
            self._handles[name].colors = np.asarray(colors, dtype=np.uint8)

    def points(self, name: str, positions: np.ndarray, color: Color, size: float = 0.03) -> None:
        """positions: (N, 3); size [m]."""
        positions = positions - self.origin
        if self._keep(name, positions):
            self._handles[name] = self._scene.add_point_cloud(
                f"/marks/{name}",
                positions,
                color,
                point_size=size,
                point_shape="circle",
                point_shading="flat",
                precision="float32",
            )

    def _keep(self, name: str, points: np.ndarray) -> bool:
        """Move the node there is, or remove it if its size differs; whether a new one is needed."""
        handle = self._handles.get(name)
        if handle is not None and handle.points.shape == points.shape:
            handle.points = points
            return False
        if handle is not None:
            self._handles.pop(name).remove()
        return len(points) > 0
