"""`gymapi.acquire_gym()` and the types around it: Isaac Gym's interface in front of our engine.

Every method keeps Isaac Gym's name, argument order and meaning. What is not supported raises one sentence that says so.
Four methods are ours: `set_actor_rigid_shape_material_tensors`, which writes all frictions in one call,
`get_overflow_count_tensor`, and `get_sim_snapshot` and `set_sim_snapshot`, which copy all of the state out and in.
"""

from __future__ import annotations

import time
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import torch

from isaacgym import gym_types, gym_unsupported
from isaacgym.actors import Actor, Asset, Env
from isaacgym.assets import primitives
from isaacgym.assets.notices import counted, notice
from isaacgym.engine.terrain import Grid, Mesh, Plane
from isaacgym.gym_actuators import ActuatorCalls
from isaacgym.gym_attractors import AttractorCalls
from isaacgym.gym_cameras import CameraCalls
from isaacgym.gym_contacts import ContactCalls, RigidContact  # noqa: F401  the module's face
from isaacgym.gym_dynamics import ForceSensorProperties, SensorReading, SpatialForce  # noqa: F401  the module's face
from isaacgym.gym_host_states import DofState, RigidBodyState, Velocity  # noqa: F401  likewise
from isaacgym.gym_joints import JointCalls
from isaacgym.gym_lookups import IndexRange, actor_of  # noqa: F401  likewise
from isaacgym.gym_tendons import TendonCalls
from isaacgym.gym_tensors import TensorCalls
from isaacgym.gym_types import (  # noqa: F401  part of the module's public face
    INVALID_HANDLE,
    ActionEvent,
    ActuatorProperties,
    AssetOptions,
    AttractorProperties,
    CameraFollowMode,
    CameraProperties,
    ContactCollection,
    CoordinateSpace,
    DofDriveMode,
    DofFrame,
    DofType,
    FlexParams,
    HeightFieldParams,
    HeightFieldProperties,
    ImageType,
    IndexDomain,
    JointType,
    KeyboardInput,
    Mat33,
    MeshNormalMode,
    MeshType,
    MouseInput,
    PhysXParams,
    PlaneParams,
    Quat,
    RigidBodyFlags,
    RigidBodyProperties,
    RigidShapeProperties,
    SimParams,
    SimType,
    StateFlags,
    TendonProperties,
    TendonType,
    Tensor,
    TensorDataType,
    Transform,
    TriangleMeshParams,
    UpAxis,
    Vec2,
    Vec3,
    VhacdParams,
)
from isaacgym.gym_viewer import ViewerCalls
from isaacgym.headless_viewer import Viewer  # noqa: F401  likewise
from isaacgym.simulation import Simulation

Sim = Simulation  # names that annotations of scripts use
DEFAULT_VIEWER_WIDTH, DEFAULT_VIEWER_HEIGHT = 1600, 900  # [pixels]
HIGHEST_FILTER = 1 << 30  # of a collision filter's bits

for _enum in gym_types.ENUMS:  # SIM_PHYSX, DOF_MODE_EFFORT, KEY_ESCAPE, ...
    globals().update(_enum.__members__)
if TYPE_CHECKING:

    def __getattr__(name: str) -> IntEnum: ...

else:

    def __getattr__(name: str) -> None:
        why = gym_unsupported.reason(name)
        raise AttributeError(f"gymapi has no {name}" + (f": {why}" if why else ""))


def acquire_gym() -> Gym:
    """The one gym object."""
    return _GYM


class Gym(JointCalls, ContactCalls, ActuatorCalls, AttractorCalls, TendonCalls, TensorCalls, ViewerCalls, CameraCalls):
    """Handles are plain objects and indices; tensors are torch tensors behind `gymtorch.wrap_tensor`."""

    def __getattr__(self, name: str) -> NoReturn:
        why = gym_unsupported.reason(name)
        raise AttributeError(f"the gym has no {name}" + (f": {why}" if why else ""))

    # ---- simulation ----------------------------------------------------------------------------------------------

    def create_sim(
        self,
        compute_device: int = 0,
        graphics_device: int = 0,
        type: SimType = SimType.SIM_FLEX,
        params: SimParams | None = None,
    ) -> Simulation:
        """A new simulation; on CUDA device `compute_device` if params.use_gpu_pipeline, else on the CPU.

        Without CUDA it is on the CPU, too, and one line says so: scripts have `use_gpu_pipeline = True` fixed. Both
        engine types run on MuJoCo. `create_viewer` opens a page unless `graphics_device` is -1, as headless scripts
        give it; which device it is makes no difference.
        """
        params = SimParams() if params is None else params.copy()
        if params.dt <= 0.0 or params.substeps < 1:
            raise ValueError(f"dt = {params.dt} and substeps = {params.substeps}; both must be positive")
        if params.use_gpu_pipeline and not torch.cuda.is_available():
            print("use_gpu_pipeline is set, but torch finds no CUDA device: simulation and tensors are on the CPU")
            params.use_gpu_pipeline = False
        device = f"cuda:{compute_device}" if params.use_gpu_pipeline else "cpu"
        return Simulation(device, params, has_graphics=graphics_device >= 0)

    def destroy_sim(self, sim: Simulation) -> None:
        """Free the memory of its engine; nothing can be simulated afterwards."""
        sim.destroy()

    def get_sim_params(self, sim: Simulation) -> SimParams:
        """A copy; `set_sim_params` hands changes back."""
        return sim.params.copy()

    def set_sim_params(self, sim: Simulation, params: SimParams) -> None:
        """New settings, copied, from the next `simulate` on; after `prepare_sim` gravity only."""
        sim.set_params(params)

    def prepare_sim(self, sim: Simulation) -> bool:
        """Build the engine and its tensors, once; compiles kernels on first use, which may take a minute.

        Calls that need a prepared simulation, such as `simulate` and `acquire_dof_state_tensor`, do it if nobody did.
        """
        sim.prepare()
        return True

    def simulate(self, sim: Simulation) -> None:
        """Advance by params.dt with the torques and forces set before; calls `prepare_sim` if nobody did."""
        sim.simulate()

    def fetch_results(self, sim: Simulation, wait_for_latest_sim_step: bool = True) -> None:
        """Wait until `simulate` is done, if asked; tensors can be used without it."""
        if wait_for_latest_sim_step and sim.device != "cpu":
            torch.cuda.synchronize(sim.device)

    def get_sim_time(self, sim: Simulation) -> float:
        """Simulated time [s]."""
        return sim.frame_count * sim.params.dt

    def get_elapsed_time(self, sim: Simulation) -> float:
        """Wall-clock time of this process [s]."""
        return time.perf_counter()

    def get_frame_count(self, sim: Simulation) -> int:
        """Calls of `simulate` so far."""
        return sim.frame_count

    # ---- terrain -------------------------------------------------------------------------------------------------

    def add_ground(self, sim: Simulation, params: PlaneParams) -> None:
        """An infinite plane. Its normal is (0, 1, 0) unless set, and warns if it is at right angles to gravity."""
        normal, gravity = params.normal.normalize(), sim.params.gravity
        if abs(normal.dot(gravity)) < 1e-6 * gravity.length():
            notice(
                f"the ground's normal {tuple(normal)} is at right angles to gravity {tuple(gravity)}, so robots fall "
                "for ever; PlaneParams.normal is (0, 1, 0) unless you set it"
            )
        plane = Plane(tuple(normal), -params.distance, params.dynamic_friction, params.restitution)
        sim.add_terrain(plane, params.segmentation_id)

    def add_heightfield(self, sim: Simulation, samples: np.ndarray, params: HeightFieldParams) -> None:
        """Samples in memory order (nbColumns, nbRows): the first index runs along x, the second along y (spec 2.5)."""
        if params.row_scale != params.column_scale:
            raise ValueError(
                f"row_scale {params.row_scale} and column_scale {params.column_scale} differ; only square cells work"
            )
        if params.transform.r != Quat():
            raise ValueError("HeightFieldParams.transform.r turns the height field; turn the samples, or use a mesh")
        samples, shape = np.asarray(samples), (params.nbColumns, params.nbRows)
        if min(shape) < 2 or samples.size != shape[0] * shape[1] or samples.dtype.kind not in "iuf":
            raise ValueError(
                f"a height field holds at least 2 × 2 numbers; HeightFieldParams announces {shape[0]} × {shape[1]}, "
                f"the array holds {samples.size} of type {samples.dtype}"
            )
        heights = samples.reshape(shape) * params.vertical_scale
        if not np.isfinite(heights).all() or not 0.0 < params.row_scale < np.inf:
            raise ValueError(
                f"a height field needs finite heights and a positive row_scale [m], got {params.row_scale} and heights "
                f"from {heights.min()} to {heights.max()} m"
            )
        grid = Grid.from_heights(
            heights,
            tuple(params.transform.p),
            params.row_scale,
            friction=params.dynamic_friction,
            restitution=params.restitution,
        )
        sim.add_terrain(grid, params.segmentation_id)

    def add_triangle_mesh(
        self, sim: Simulation, vertices: np.ndarray, triangles: np.ndarray, params: TriangleMeshParams
    ) -> None:
        """A mesh from `convert_heightfield_to_trimesh` is recognised as a grid, which is faster and knows its edges."""
        vertices = np.asarray(vertices, dtype=np.float32).reshape(-1, 3)
        triangles = np.asarray(triangles).reshape(-1, 3)
        if len(vertices) != params.nb_vertices or len(triangles) != params.nb_triangles:
            raise ValueError(
                f"TriangleMeshParams has nb_vertices = {params.nb_vertices} and nb_triangles = {params.nb_triangles}, "
                f"the arrays hold {len(vertices)} and {len(triangles)}"
            )
        if len(triangles) == 0:
            raise ValueError("the mesh has no triangles")
        if triangles.min() < 0 or triangles.max() >= len(vertices):
            raise ValueError(f"triangles of the mesh name other vertices than its {len(vertices)}, counted from 0")
        if not np.isfinite(vertices).all():
            raise ValueError("a vertex of the mesh is not finite; check what the mesh was made of")
        if params.transform.r != Quat():
            vertices = Transform(r=params.transform.r).transform_points(vertices).astype(np.float32)
        material = {"friction": params.dynamic_friction, "restitution": params.restitution}
        offset = np.array(tuple(params.transform.p), dtype=np.float32)
        terrain: Grid | Mesh | None = Grid.from_mesh(vertices, triangles, offset, **material)
        if terrain is None:
            terrain = Mesh(vertices + offset, triangles, **material)
        sim.add_terrain(terrain, params.segmentation_id)

    # ---- assets --------------------------------------------------------------------------------------------------

    def load_asset(self, sim: Simulation, rootpath: str, filename: str, options: AssetOptions | None = None) -> Asset:
        """A URDF or MJCF file, by its end; what is wrong with it is one sentence that names the file."""
        return Asset(Path(rootpath) / filename, AssetOptions() if options is None else options.copy())

    def create_box(
        self, sim: Simulation, width: float, height: float, depth: float, options: AssetOptions | None = None
    ) -> Asset:
        """Sides along x, y and z [m]; mass by options.density [kg/m³]. A body called "box"."""
        options = AssetOptions() if options is None else options.copy()
        return Asset(primitives.box((width, height, depth), options), options)

    def create_sphere(self, sim: Simulation, radius: float, options: AssetOptions | None = None) -> Asset:
        """As `create_box`; a body called "sphere"."""
        options = AssetOptions() if options is None else options.copy()
        return Asset(primitives.sphere(radius, options), options)

    def create_capsule(
        self, sim: Simulation, radius: float, length: float, options: AssetOptions | None = None
    ) -> Asset:
        """As `create_box`; a body called "capsule", along x (unverified), `length` without the two half spheres."""
        options = AssetOptions() if options is None else options.copy()
        return Asset(primitives.capsule(radius, length, options), options)

    def get_asset_dof_properties(self, asset: Asset) -> np.ndarray:
        """A copy, structured, one element a DOF: limits and drives as in the file; see `set_actor_dof_properties`."""
        return asset.dof_properties.copy()

    def get_asset_rigid_shape_properties(self, asset: Asset) -> list[RigidShapeProperties]:
        """Copies, of all shapes, body by body."""
        return [shape.copy() for shape in asset.shape_properties]

    def set_asset_rigid_shape_properties(self, asset: Asset, properties: list[RigidShapeProperties]) -> None:
        """Properties of actors created from now on."""
        if len(properties) != len(asset.shape_properties):
            raise ValueError(f"the asset has {counted(len(asset.shape_properties), 'shape')}, got {len(properties)}")
        asset.shape_properties = [shape.copy() for shape in properties]

    # ---- envs and actors -----------------------------------------------------------------------------------------

    def create_env(self, sim: Simulation, lower: Vec3, upper: Vec3, num_per_row: int) -> Env:
        """A new env. Envs lie in a grid of rows of `num_per_row`, one size (upper - lower) apart.

        The first env of a row has its origin at 0 along x, rows follow each other along y (along z if y is up), so
        with zero bounds all origins are the world's. Which way the grid grows is unverified. Poses and positions in
        tensors count from the env's origin; the terrain, in the world, does not move with it.
        """
        if sim.engine is not None:
            raise RuntimeError("create_env after prepare_sim; create all envs before it")
        row, column = divmod(len(sim.envs), max(1, int(num_per_row)))
        up = 1 if sim.params.up_axis == UpAxis.UP_AXIS_Y else 2
        origin = [0.0, 0.0, 0.0]
        origin[0] = column * (upper.x - lower.x)
        origin[3 - up] = row * (upper[3 - up] - lower[3 - up])
        env = Env(len(sim.envs), sim, (origin[0], origin[1], origin[2]))
        sim.envs.append(env)
        return env

    def create_actor(
        self,
        env: Env,
        asset: Asset,
        pose: Transform,
        name: str | None = None,
        group: int = -1,
        filter: int = -1,
        segmentationId: int = 0,
    ) -> int:
        """An actor in the env, with the asset's properties as they are now. Actors of different envs never touch.

        Envs may hold different actors. Those that hold the same, masses, materials and drives apart, are simulated
        together, and so are those of the same bodies and joints in other sizes, if these are many or the engine is
        MuJoCo Warp; others one kind after the other. An env with several actors is simulated by MuJoCo Warp, one with a
        single robot that does not touch itself by the faster tree engine.

        Actors of an env touch each other if their `group` is the same or one of both is -1. `filter` is the filter of
        all shapes, or -1 for the filters of the asset's shape properties, which are 0 unless they were set (no surveyed
        file states any). Shapes whose filters share a bit do not collide, be they of one actor or of two, so 0 asks
        for self-collision and 1, or any number above, turns it off, which is faster. Never do parent and child
        collide, nor bodies of an actor that overlap with the joints at 0. `set_actor_rigid_shape_properties` changes
        filters until `prepare_sim`.
        """
        if env.sim.engine is not None:
            raise RuntimeError("create_actor after prepare_sim; create all actors before it")
        if not isinstance(pose, Transform):
            raise TypeError(f"create_actor takes a gymapi.Transform as the actor's pose, got {type(pose).__name__}")
        actor = Actor(asset, pose.copy(), name or f"actor_{len(env.actors)}", group, filter, segmentationId)
        actor.aggregate_filter = env.aggregate_filter
        return env.add(actor)

    def get_actor_dof_properties(self, env: Env, actor: int) -> np.ndarray:
        """A copy, as `get_asset_dof_properties`."""
        return actor_of(env, actor).dof_properties.copy()

    def set_actor_dof_properties(self, env: Env, actor: int, properties: np.ndarray) -> bool:
        """Drive mode, stiffness, damping, effort, friction and armature; see `isaacgym.engine.drives.DofParameters`.

        The limit `effort` bounds the forces of drives only, and `velocity` bounds nothing: whether NVIDIA's simulator
        enforces them is not documented, legged_gym clips its torques itself and penalises fast joints, and a motor's
        true limit is neither of them but a curve. `lower`, `upper` and `hasLimits` count until `prepare_sim`.
        """
        actor_of(env, actor).set_dof_properties(properties)
        return True

    def get_actor_rigid_body_properties(self, env: Env, actor: int) -> list[RigidBodyProperties]:
        """Copies, body by body: mass [kg], centre of mass [m] and inertia [kg·m²] about it in the body's frame."""
        return actor_of(env, actor).body_properties()

    def set_actor_rigid_body_properties(
        self, env: Env, actor: int, properties: list[RigidBodyProperties], recomputeInertia: bool = False
    ) -> bool:
        """Masses, centres of mass and inertias; after `prepare_sim` they act from the next `simulate` on.

        RIGID_BODY_DISABLE_GRAVITY counts if all bodies of the actor have it, until `prepare_sim`; other flags do not.
        """
        robot = actor_of(env, actor)
        weightless = robot.fixed_and_weightless
        robot.set_body_properties(properties, recomputeInertia)
        if env.sim.engine is not None and robot.fixed_and_weightless != weightless:
            raise RuntimeError("gravity of an actor cannot be switched on or off after prepare_sim; do it before")
        env.sim.changed.add("bodies")
        return True

    def get_actor_rigid_shape_properties(self, env: Env, actor: int) -> list[RigidShapeProperties]:
        """Copies with the present friction and restitution, also after `set_actor_rigid_shape_material_tensors`."""
        properties = actor_of(env, actor).shape_properties()
        engine = env.sim.engine
        if engine is not None:
            own = env.place("shapes", env.shapes_of(actor))
            materials = torch.stack((engine.friction[own], engine.restitution[own]), dim=1).tolist()
            for shape, (friction, restitution) in zip(properties, materials, strict=True):
                shape.friction, shape.restitution = friction, restitution
        return properties

    def set_actor_rigid_shape_properties(self, env: Env, actor: int, properties: list[RigidShapeProperties]) -> bool:
        """Friction and restitution, at any time, and filters, until `prepare_sim`.

        For many envs at once see `set_actor_rigid_shape_material_tensors`.
        """
        robot, engine = actor_of(env, actor), env.sim.engine
        if engine is not None and [shape.filter for shape in properties] != robot.own_filters:
            raise RuntimeError("collision filters cannot change after prepare_sim; set them before it")
        robot.set_shape_properties(properties)
        if engine is not None:
            own = env.place("shapes", env.shapes_of(actor))
            engine.friction[own] = torch.from_numpy(robot.friction).to(engine.device)
            engine.restitution[own] = torch.from_numpy(robot.restitution).to(engine.device)
            env.sim.changed.add("materials")
        return True

    def set_actor_scale(self, env: Env, actor: int, scale: float) -> bool:
        """Of all lengths of the file, before `prepare_sim`; the density stays (unverified).

        Envs may have scales of their own, see `create_actor`.
        """
        if env.sim.engine is not None:
            raise RuntimeError("set_actor_scale after prepare_sim; scale all actors before it")
        actor_of(env, actor).set_scale(np.asarray(scale, dtype=float).item())
        return True

    def get_actor_scale(self, env: Env, actor: int) -> float:
        """As set by `set_actor_scale`, else 1."""
        return actor_of(env, actor).scale

    def begin_aggregate(self, env: Env, max_bodies: int = 0, max_shapes: int = 0, self_collisions: bool = True) -> bool:
        """Actors created until `end_aggregate` never touch each other, nor themselves, if `self_collisions` is off.

        Else there is nothing to do: aggregates make PhysX faster.
        """
        if not self_collisions:
            env.num_untouching += 1
            env.aggregate_filter = HIGHEST_FILTER >> (env.num_untouching - 1)  # a bit that scripts leave alone
        return True

    def end_aggregate(self, env: Env) -> bool:
        """Actors created from now on belong to no aggregate."""
        env.aggregate_filter = 0
        return True


_GYM = Gym()
