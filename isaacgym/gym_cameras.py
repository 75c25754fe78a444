"""The gym's calls on camera sensors, and on how they see bodies. No window, display or graphics device is needed.

A camera looks along its x axis, with y to the left and z up (unverified axes). It sees the ground and the actors of its
own env after the last `simulate`.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from isaacgym.actors import UNPAINTED, Env
from isaacgym.assets.notices import counted, notice
from isaacgym.gym_lookups import actor_of
from isaacgym.gym_types import (
    INVALID_HANDLE,
    CameraFollowMode,
    CameraProperties,
    ImageType,
    MeshType,
    Quat,
    Tensor,
    Transform,
    UpAxis,
    Vec3,
)
from isaacgym.headless_viewer import looking_at
from isaacgym.simulation import Simulation
from isaacgym.viewer.camera_sensors import CameraSensor, CameraSensors

# the camera's x, y, z are OpenGL's -z, -x, y
OPENGL_AXES = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
MAX_SIDE = 16384  # [pixels]


class CameraCalls:
    """Mixin of `gymapi.Gym`."""

    # ---- cameras ---------------------------------------------------------------------------------------------------

    def create_camera_sensor(self, env: Env, props: CameraProperties) -> int:
        """A camera at the env's origin, at any time; returns its handle in the env.

        Cameras with the same properties are drawn together, fastest if all of them are there before the first tensor is
        asked for; `get_camera_image_gpu_tensor` says why.
        """
        if not (0 < props.width <= MAX_SIDE and 0 < props.height <= MAX_SIDE and 0.0 < props.horizontal_fov < 180.0):
            raise ValueError(
                f"a camera of {props.width} × {props.height} pixels and {props.horizontal_fov}° cannot be; "
                f"sides are 1 to {MAX_SIDE} pixels, and horizontal_fov lies between 0 and 180°"
            )
        env.cameras.append(CameraSensor(env.index, props.copy()))
        _regroup(env.sim)
        return len(env.cameras) - 1

    def destroy_camera_sensor(self, sim: Simulation, env: Env, camera: int) -> None:
        """Its handle means nothing any more; those of others stay."""
        _sensor(env, camera)
        env.cameras[int(camera)] = None
        _regroup(sim)

    def set_camera_location(self, camera: int, env: Env, position: Vec3, target: Vec3) -> None:
        """Stand in the env at `position` and look at `target`, upright."""
        up = Vec3(0.0, 1.0, 0.0) if env.sim.params.up_axis == UpAxis.UP_AXIS_Y else Vec3(0.0, 0.0, 1.0)
        self.set_camera_transform(camera, env, looking_at(Vec3(*position), Vec3(*target), up))

    def set_camera_transform(self, camera: int, env: Env, transform: Transform) -> None:
        """Stand in the env; detaches the camera from a body."""
        _place(_sensor(env, camera), transform, body=-1, turns=True)

    def attach_camera_to_body(
        self, camera: int, env: Env, body: int, local_transform: Transform, mode: CameraFollowMode
    ) -> None:
        """Go with body number `body` of the env.

        FOLLOW_TRANSFORM: `local_transform` is a pose in the body's frame. FOLLOW_POSITION: the camera stays at
        `local_transform.p` from the body's origin, along the env's axes, and does not turn (unverified).
        """
        num_bodies = sum(len(actor.asset.robot.bodies) for actor in env.actors)
        if not 0 <= int(body) < num_bodies:
            raise IndexError(
                f"env {env.index} has {counted(num_bodies, 'body')}, so none of them is number {int(body)}"
            )
        turns = CameraFollowMode(mode) == CameraFollowMode.FOLLOW_TRANSFORM
        _place(_sensor(env, camera), local_transform, int(body), turns)

    def get_camera_transform(self, sim: Simulation, env: Env, camera: int) -> Transform:
        """Pose in the env: where a standing camera was put; of one on a body, at the last `render_all_camera_sensors`.

        Before `prepare_sim` it is where the body starts.
        """
        sensor = _sensor(env, camera)
        if sensor.body < 0:
            return sensor.pose.copy()
        if sim.engine is not None:
            pose = _sensors(sim).camera_pose(sensor)
            return Transform(Vec3(*pose[:3]) - Vec3(*env.origin), Quat(*pose[3:]))
        body: Transform = self.get_rigid_transform(env, sensor.body)  # type: ignore[attr-defined]  # of HostStateCalls
        return body * sensor.pose if sensor.turns_with_body else Transform(body.p + sensor.pose.p, sensor.pose.r)

    def get_camera_view_matrix(self, sim: Simulation, env: Env, camera: int) -> np.ndarray:
        """(4, 4) float32; a row (x, y, z, 1) of the world times it is in OpenGL's axes: x right, y up, z backwards.

        Of the pose that `get_camera_transform` tells.
        """
        pose = self.get_camera_transform(sim, env, camera)
        to_world = Rotation.from_quat([*pose.r]).as_matrix() @ OPENGL_AXES
        view = np.eye(4, dtype=np.float32)
        view[:3, :3], view[3, :3] = to_world, -np.array([*(pose.p + Vec3(*env.origin))]) @ to_world
        return view

    def get_camera_proj_matrix(self, sim: Simulation, env: Env, camera: int) -> np.ndarray:
        """(4, 4) float32, OpenGL's perspective for rows: [0, 0] is 1 / tan(fov / 2) across, [1, 1] the same down."""
        properties = _sensor(env, camera).properties
        near, far = properties.near_plane, properties.far_plane
        across = 1.0 / math.tan(math.radians(properties.horizontal_fov) / 2)
        projection = np.zeros((4, 4), dtype=np.float32)
        projection[0, 0], projection[1, 1] = across, across * properties.width / properties.height
        projection[2, 2], projection[2, 3] = -(far + near) / (far - near), -1.0
        projection[3, 2] = -2.0 * far * near / (far - near)
        return projection

    # ---- pictures --------------------------------------------------------------------------------------------------

    def render_all_camera_sensors(self, sim: Simulation) -> None:
        """Look at the state after the last `simulate`; refreshes the tensors of `get_camera_image_gpu_tensor`."""
        _sensors(sim).render()

    def start_access_image_tensors(self, sim: Simulation) -> None:
        """Nothing to do: pictures are drawn on the stream of torch."""

    def end_access_image_tensors(self, sim: Simulation) -> None:
        """Nothing to do, see `start_access_image_tensors`."""

    def get_camera_image(self, sim: Simulation, env: Env, camera: int, image_type: ImageType) -> np.ndarray:
        """A copy of what the camera saw at the last `render_all_camera_sensors`.

        IMAGE_COLOR: uint8 (height, width · 4), rgba; IMAGE_DEPTH: float32 (height, width), negative along the camera's
        axis [m], -inf for nothing; IMAGE_SEGMENTATION: uint32 (height, width), ids of `create_actor` and of grounds, 0
        for nothing; IMAGE_OPTICAL_FLOW: int16 (height, width · 2), zeros with a warning.
        """
        picture = self._picture(sim, env, camera, image_type, keep=False).cpu().numpy()
        if image_type == ImageType.IMAGE_SEGMENTATION:
            picture = picture.view(np.uint32)
        return picture.reshape(len(picture), -1).copy()

    def write_camera_image_to_file(
        self, sim: Simulation, env: Env, camera: int, image_type: ImageType, filename: str
    ) -> None:
        """Colours as `get_camera_image` gives them, in the format that the name's ending says, such as .png."""
        if ImageType(image_type) != ImageType.IMAGE_COLOR:
            raise ValueError(f"write_camera_image_to_file writes IMAGE_COLOR only, got {ImageType(image_type).name}")
        from matplotlib.image import imsave  # slow to import

        imsave(filename, self._picture(sim, env, camera, image_type, keep=False).cpu().numpy()[..., :3])

    def get_camera_image_gpu_tensor(self, sim: Simulation, env: Env, camera: int, image_type: ImageType) -> Tensor:
        """On the simulation's device, CPU or CUDA: the tensor that every `render_all_camera_sensors` draws into.

        As `get_camera_image`, but colours are (height, width, 4), ids int32, and flow is (height, width, 2). Cameras
        with the same properties, in envs that hold the same actors, are drawn into one tensor, of which this is a part.
        A tensor that was asked for before `prepare_sim`, or before another camera with these properties was created, is
        a copy, made by every render.
        """
        return Tensor(self._picture(sim, env, camera, image_type, keep=True))

    @staticmethod
    def _picture(sim: Simulation, env: Env, camera: int, image_type: ImageType, keep: bool) -> torch.Tensor:
        kind = ImageType(image_type)
        if kind == ImageType.IMAGE_OPTICAL_FLOW:
            warnings.warn("IMAGE_OPTICAL_FLOW is not computed: it is zero", RuntimeWarning, stacklevel=3)
        sensor = _sensor(env, camera)
        if keep and sim.engine is None:
            return sensor.early_picture(kind, sim.device)
        return _sensors(sim).picture(sensor, kind, keep)

    # ---- how bodies are seen ---------------------------------------------------------------------------------------

    def set_rigid_body_color(self, env: Env, actor: int, body: int, mesh_type: MeshType, color: Vec3) -> None:
        """RGB from 0 to 1 of body number `body` of the actor for camera sensors; the page keeps the file's colours."""
        actor_of(env, actor).colours[int(body)] = tuple(color)
        _repaint(env.sim)

    def get_rigid_body_color(self, env: Env, actor: int, body: int, mesh_type: MeshType) -> Vec3:
        """As set last; grey if it never was."""
        colour = actor_of(env, actor).colours[int(body)]
        return Vec3(*colour) if colour[0] >= 0.0 else Vec3(0.7, 0.7, 0.7)

    def create_texture_from_file(self, sim: Simulation, filename: str) -> int:
        """A handle. Textures are not drawn, which is said once; bodies keep their colours."""
        notice("textures are not drawn; set_rigid_body_color paints bodies")
        return 0

    def create_texture_from_buffer(self, sim: Simulation, width: int, height: int, texels: np.ndarray) -> int:
        """As `create_texture_from_file`."""
        return self.create_texture_from_file(sim, "")

    def set_rigid_body_texture(self, env: Env, actor: int, body: int, mesh_type: MeshType, texture: int) -> None:
        """Without effect, see `create_texture_from_file`."""

    def get_rigid_body_texture(self, env: Env, actor: int, body: int, mesh_type: MeshType) -> int:
        """INVALID_HANDLE, see `create_texture_from_file`."""
        return INVALID_HANDLE

    def reset_actor_materials(self, env: Env, actor: int, mesh_type: MeshType) -> None:
        """Have camera sensors see the actor's bodies in the colours of its file again."""
        actor_of(env, actor).colours[:] = UNPAINTED
        _repaint(env.sim)

    def free_texture(self, sim: Simulation, texture: int) -> None:
        """Nothing to do, see `create_texture_from_file`."""

    def set_rigid_body_segmentation_id(self, env: Env, actor: int, body: int, segmentation_id: int) -> None:
        """Of body number `body` of the actor, in place of the id given to `create_actor`."""
        actor_of(env, actor).segmentation[int(body)] = segmentation_id
        _repaint(env.sim)

    def get_rigid_body_segmentation_id(self, env: Env, actor: int, body: int) -> int:
        """As set by `set_rigid_body_segmentation_id`, else that of `create_actor`."""
        return int(actor_of(env, actor).segmentation[int(body)])


def _sensor(env: Env, camera: int) -> CameraSensor:
    index = int(camera)
    sensor = env.cameras[index] if 0 <= index < len(env.cameras) else None
    if sensor is None:
        raise IndexError(f"env {env.index} has no camera with the handle {index}; create_camera_sensor returns handles")
    return sensor


def _sensors(sim: Simulation) -> CameraSensors:
    """Made for the first picture; the state that it shows is the present one. Prepares the simulation."""
    sim.prepare()
    if sim.cameras is None:
        sim.cameras = CameraSensors(sim)
        sim.cameras.render()
    return sim.cameras


def _place(sensor: CameraSensor, pose: Transform, body: int, turns: bool) -> None:
    sensor.pose, sensor.body, sensor.turns_with_body = pose.copy(), body, turns
    if sensor.group is not None:
        sensor.group.moved = True


def _regroup(sim: Simulation) -> None:
    if sim.cameras is not None:
        sim.cameras.regroup()


def _repaint(sim: Simulation) -> None:
    if sim.cameras is not None:
        sim.cameras.repaint()
