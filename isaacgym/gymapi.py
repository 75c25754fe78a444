"""`gymapi.acquire_gym()` and the types around it: Isaac Gym's interface in front of our engine.

Every method keeps Isaac Gym's name, argument order and meaning. What is not supported raises one sentence that says so.
One method is ours: `Gym.set_actor_rigid_shape_material_tensors`, which writes all frictions in one call.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch

from isaacgym import gym_types
from isaacgym.engine.terrain import Grid, Mesh, Plane
from isaacgym.gym_tensors import TensorCalls
from isaacgym.gym_types import (  # noqa: F401  part of the module's public face
    INVALID_HANDLE,
    ActionEvent,
    AssetOptions,
    CameraFollowMode,
    CameraProperties,
    ContactCollection,
    CoordinateSpace,
    DofDriveMode,
    DofType,
    FlexParams,
    HeightFieldParams,
    HeightFieldProperties,
    ImageType,
    IndexDomain,
    KeyboardInput,
    Mat33,
    MeshType,
    PhysXParams,
    PlaneParams,
    Quat,
    RigidBodyFlags,
    RigidBodyProperties,
    RigidShapeProperties,
    SimParams,
    SimType,
    StateFlags,
    Tensor,
    Transform,
    TriangleMeshParams,
    UpAxis,
    Vec3,
    VhacdParams,
)
from isaacgym.gym_viewer import ViewerCalls
from isaacgym.simulation import EFFORT_MODES, Actor, Asset, Env, Simulation

for _enum in gym_types.ENUMS:  # SIM_PHYSX, DOF_MODE_EFFORT, KEY_ESCAPE, ...
    globals().update(_enum.__members__)


def acquire_gym() -> Gym:
    """The one gym object."""
    return _GYM


class Gym(TensorCalls, ViewerCalls):
    """Handles are plain objects and indices; tensors are torch tensors behind `gymtorch.wrap_tensor`."""

    # ---- simulation ----------------------------------------------------------------------------------------------

    def create_sim(
        self,
        compute_device: int = 0,
        graphics_device: int = 0,
        type: SimType = SimType.SIM_FLEX,
        params: SimParams | None = None,
    ) -> Simulation:
        """A new simulation; on CUDA device `compute_device` if params.use_gpu_pipeline, else on the CPU.

        Both engine types run on MuJoCo. There is no graphics context; `graphics_device` is ignored.
        """
        params = SimParams() if params is None else params.copy()
        if params.dt <= 0.0 or params.substeps < 1:
            raise ValueError(f"dt = {params.dt} and substeps = {params.substeps}; both must be positive")
        if not params.use_gpu_pipeline:
            return Simulation("cpu", params)
        if not torch.cuda.is_available():
            raise RuntimeError("a simulation on CUDA was asked for, but torch finds no CUDA device; use sim_device cpu")
        return Simulation(f"cuda:{compute_device}", params)

    def destroy_sim(self, sim: Simulation) -> None:
        sim.engine = None

    def get_sim_params(self, sim: Simulation) -> SimParams:
        return sim.params.copy()

    def prepare_sim(self, sim: Simulation) -> bool:
        """Build the engine and its tensors; compiles kernels on first use, which may take a minute."""
        sim.prepare()
        return True

    def simulate(self, sim: Simulation) -> None:
        """Advance by params.dt with the torques and forces set before."""
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
        return sim.frame_count

    # ---- terrain -------------------------------------------------------------------------------------------------

    def add_ground(self, sim: Simulation, params: PlaneParams) -> None:
        normal = params.normal.normalize()
        self._set_terrain(sim, Plane(tuple(normal), -params.distance, params.dynamic_friction, params.restitution))

    def add_heightfield(self, sim: Simulation, samples: np.ndarray, params: HeightFieldParams) -> None:
        """Samples in memory order (nbColumns, nbRows): the first index runs along x, the second along y (spec 2.5)."""
        if params.row_scale != params.column_scale:
            raise ValueError(
                f"row_scale {params.row_scale} and column_scale {params.column_scale} differ; only square cells work"
            )
        heights = np.asarray(samples).reshape(params.nbColumns, params.nbRows) * params.vertical_scale
        grid = Grid.from_heights(
            heights,
            tuple(params.transform.p),
            params.row_scale,
            friction=params.dynamic_friction,
            restitution=params.restitution,
        )
        self._set_terrain(sim, grid)

    def add_triangle_mesh(
        self, sim: Simulation, vertices: np.ndarray, triangles: np.ndarray, params: TriangleMeshParams
    ) -> None:
        """A mesh from `convert_heightfield_to_trimesh` is recognised as a grid, which is faster and knows its edges."""
        vertices = np.asarray(vertices, dtype=np.float32).reshape(-1, 3)
        triangles = np.asarray(triangles).reshape(-1, 3)
        if len(vertices) != params.nb_vertices or len(triangles) != params.nb_triangles:
            raise ValueError(
                f"TriangleMeshParams announces {params.nb_vertices} vertices and {params.nb_triangles} triangles, "
                f"the arrays hold {len(vertices)} and {len(triangles)}"
            )
        if params.transform.r != Quat():
            raise ValueError("TriangleMeshParams.transform.r turns the mesh; turn the vertices instead")
        material = {"friction": params.dynamic_friction, "restitution": params.restitution}
        offset = np.array(tuple(params.transform.p), dtype=np.float32)
        terrain = Grid.from_mesh(vertices, triangles, offset, **material)
        if terrain is None:
            terrain = Mesh(vertices + offset, triangles, **material)
        self._set_terrain(sim, terrain)

    @staticmethod
    def _set_terrain(sim: Simulation, terrain: Plane | Grid | Mesh) -> None:
        if sim.terrain is not None:
            raise RuntimeError("the simulation already has a ground; one plane, height field or mesh works so far")
        sim.terrain = terrain

    # ---- assets --------------------------------------------------------------------------------------------------

    def load_asset(self, sim: Simulation, rootpath: str, filename: str, options: AssetOptions | None = None) -> Asset:
        return Asset(Path(rootpath) / filename, AssetOptions() if options is None else options.copy())

    def get_asset_dof_count(self, asset: Asset) -> int:
        return len(asset.robot.dofs)

    def get_asset_rigid_body_count(self, asset: Asset) -> int:
        return len(asset.robot.bodies)

    def get_asset_rigid_shape_count(self, asset: Asset) -> int:
        return len(asset.shape_properties)

    def get_asset_dof_names(self, asset: Asset) -> list[str]:
        return asset.robot.dof_names

    def get_asset_rigid_body_names(self, asset: Asset) -> list[str]:
        return asset.robot.body_names

    def get_asset_dof_dict(self, asset: Asset) -> dict[str, int]:
        return {name: index for index, name in enumerate(asset.robot.dof_names)}

    def get_asset_rigid_body_dict(self, asset: Asset) -> dict[str, int]:
        return {name: index for index, name in enumerate(asset.robot.body_names)}

    def get_asset_dof_properties(self, asset: Asset) -> np.ndarray:
        return asset.dof_properties.copy()

    def get_asset_rigid_shape_properties(self, asset: Asset) -> list[RigidShapeProperties]:
        return [shape.copy() for shape in asset.shape_properties]

    def set_asset_rigid_shape_properties(self, asset: Asset, properties: list[RigidShapeProperties]) -> None:
        """Properties of actors created from now on."""
        if len(properties) != len(asset.shape_properties):
            raise ValueError(f"the asset has {len(asset.shape_properties)} shapes, got {len(properties)}")
        asset.shape_properties = [shape.copy() for shape in properties]

    # ---- envs and actors -----------------------------------------------------------------------------------------

    def create_env(self, sim: Simulation, lower: Vec3, upper: Vec3, num_per_row: int) -> Env:
        """Envs share one world, and every env's origin is the world's, as callers that pass zero bounds expect."""
        if tuple(lower) != tuple(upper):
            raise ValueError(
                "create_env with different lower and upper bounds tiles envs; only zero bounds work so far"
            )
        env = Env(len(sim.envs))
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
        """Actors of different envs never touch. `filter`: 0 asks for self-collision, anything else turns it off."""
        env.actors.append(Actor(asset, pose.copy(), name or f"actor_{len(env.actors)}", filter))
        return len(env.actors) - 1

    def get_actor_count(self, env: Env) -> int:
        return len(env.actors)

    def get_env_count(self, sim: Simulation) -> int:
        return len(sim.envs)

    def get_actor_dof_count(self, env: Env, actor: int) -> int:
        return len(env.actors[actor].asset.robot.dofs)

    def get_actor_rigid_body_count(self, env: Env, actor: int) -> int:
        return len(env.actors[actor].asset.robot.bodies)

    def get_actor_rigid_body_names(self, env: Env, actor: int) -> list[str]:
        return env.actors[actor].asset.robot.body_names

    def find_actor_rigid_body_handle(self, env: Env, actor: int, name: str) -> int:
        """Index of the body within its env, INVALID_HANDLE if there is none of this name."""
        names = env.actors[actor].asset.robot.body_names
        return names.index(name) if name in names else INVALID_HANDLE

    def find_actor_dof_handle(self, env: Env, actor: int, name: str) -> int:
        names = env.actors[actor].asset.robot.dof_names
        return names.index(name) if name in names else INVALID_HANDLE

    def get_actor_dof_properties(self, env: Env, actor: int) -> np.ndarray:
        return env.actors[actor].dof_properties.copy()

    def set_actor_dof_properties(self, env: Env, actor: int, properties: np.ndarray) -> bool:
        if not np.isin(properties["driveMode"], EFFORT_MODES).all():
            raise ValueError("position and velocity drives are not supported yet; use DOF_MODE_EFFORT and set torques")
        env.actors[actor].dof_properties = properties.copy()
        return True

    def get_actor_rigid_body_properties(self, env: Env, actor: int) -> list[RigidBodyProperties]:
        return env.actors[actor].body_properties()

    def set_actor_rigid_body_properties(
        self, env: Env, actor: int, properties: list[RigidBodyProperties], recomputeInertia: bool = False
    ) -> bool:
        """Masses, centres of mass and inertias, before `prepare_sim`."""
        env.actors[actor].set_body_properties(properties, recomputeInertia)
        return True

    def get_actor_rigid_shape_properties(self, env: Env, actor: int) -> list[RigidShapeProperties]:
        return env.actors[actor].shape_properties()

    def set_actor_rigid_shape_properties(self, env: Env, actor: int, properties: list[RigidShapeProperties]) -> bool:
        """Friction and restitution, before `prepare_sim`; afterwards use `set_actor_rigid_shape_material_tensors`."""
        env.actors[actor].set_shape_properties(properties)
        return True


_GYM = Gym()
