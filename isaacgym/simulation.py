"""The objects behind the gym's handles: a simulation, its assets, envs and actors, and the tensors over all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from isaacgym import gym_types as types
from isaacgym.assets.description import RobotDescription
from isaacgym.assets.urdf import load_urdf
from isaacgym.engine.engine import Engine, EngineOptions
from isaacgym.engine.state import STATE_WIDTH
from isaacgym.engine.terrain import Terrain

EFFORT_MODES = (types.DofDriveMode.DOF_MODE_NONE, types.DofDriveMode.DOF_MODE_EFFORT)


class Asset:
    """A robot file as loaded, with the properties that its actors start from."""

    def __init__(self, path: Path, options: types.AssetOptions) -> None:
        if path.suffix != ".urdf":
            raise ValueError(f"{path}: only .urdf assets can be loaded so far")
        if options.fix_base_link:
            raise ValueError(f"{path}: fix_base_link is not supported yet; robots float")
        self.robot: RobotDescription = load_urdf(path, options)
        self.options = options
        self.dof_properties = _dof_properties(self.robot, options)
        shape = types.RigidShapeProperties(thickness=options.thickness)
        self.shape_properties = [shape.copy() for body in self.robot.bodies for _ in body.shapes]
        self.body_mass = np.array([body.mass for body in self.robot.bodies], dtype=np.float32)
        self.body_com = np.array([body.com for body in self.robot.bodies], dtype=np.float32)
        self.body_inertia = np.array([body.inertia for body in self.robot.bodies], dtype=np.float32)
        self.has_inertia = np.trace(self.body_inertia, axis1=1, axis2=2) > 0.0


@dataclass
class Env:
    """One copy of the robot; handles are indices into it."""

    index: int
    actors: list[Actor] = field(default_factory=list)


class Actor:
    """A robot in an env: initial pose, and properties that may differ from those of other envs."""

    def __init__(self, asset: Asset, pose: types.Transform, name: str, self_collision_filter: int) -> None:
        self.asset = asset
        self.pose = pose
        self.name = name
        self.self_collision_filter = self_collision_filter
        self.dof_properties = asset.dof_properties
        self.friction = np.array([shape.friction for shape in asset.shape_properties], dtype=np.float32)
        self.restitution = np.array([shape.restitution for shape in asset.shape_properties], dtype=np.float32)
        self.mass = asset.body_mass
        self.com = asset.body_com
        self.inertia_scale = np.ones_like(asset.body_mass)

    def body_properties(self) -> list[types.RigidBodyProperties]:
        inertia = self.asset.body_inertia * self.inertia_scale[:, None, None]
        return [
            types.RigidBodyProperties(
                mass, types.Vec3(*com), types.Mat33(*(types.Vec3(*row) for row in rows)), 1 / mass
            )
            for mass, com, rows in zip(self.mass.tolist(), self.com.tolist(), inertia.tolist(), strict=True)
        ]

    def set_body_properties(self, properties: list[types.RigidBodyProperties], recompute_inertia: bool) -> None:
        """With `recompute_inertia`, inertia grows with mass, as for a body of the same shape and other density."""
        if len(properties) != len(self.mass):
            raise ValueError(f"actor '{self.name}' has {len(self.mass)} bodies, got {len(properties)} properties")
        self.mass = np.array([body.mass for body in properties], dtype=np.float32)
        self.com = np.array([tuple(body.com) for body in properties], dtype=np.float32)
        if (self.mass <= 0.0).any():
            body = self.asset.robot.body_names[int(np.argmin(self.mass))]
            raise ValueError(
                f"body '{body}' of actor '{self.name}' got the mass {self.mass.min()}; it must be positive"
            )
        if recompute_inertia:
            self.inertia_scale = self.mass / self.asset.body_mass
        else:
            nominal = np.trace(self.asset.body_inertia, axis1=1, axis2=2)
            trace = np.array([body.inertia.x.x + body.inertia.y.y + body.inertia.z.z for body in properties])
            self.inertia_scale = np.divide(trace, nominal, out=np.ones_like(nominal), where=self.asset.has_inertia)

    def shape_properties(self) -> list[types.RigidShapeProperties]:
        properties = [shape.copy() for shape in self.asset.shape_properties]
        for shape, friction, restitution in zip(properties, self.friction, self.restitution, strict=True):
            shape.friction, shape.restitution = friction, restitution
        return properties

    def set_shape_properties(self, properties: list[types.RigidShapeProperties]) -> None:
        if len(properties) != len(self.friction):
            raise ValueError(
                f"actor '{self.name}' has {len(self.friction)} shapes, got properties of {len(properties)}"
            )
        self.friction = np.array([shape.friction for shape in properties], dtype=np.float32)
        self.restitution = np.array([shape.restitution for shape in properties], dtype=np.float32)


class Simulation:
    """Envs under construction until `prepare`; after it an engine and the tensors that mirror its state."""

    def __init__(self, device: str, params: types.SimParams) -> None:
        self.device = device
        self.params = params
        self.terrain: Terrain | None = None
        self.envs: list[Env] = []
        self.engine: Engine | None = None
        self.frame_count = 0

    @property
    def asset(self) -> Asset:
        return self.envs[0].actors[0].asset

    def prepare(self) -> None:
        """Build the engine from the envs and allocate the tensors."""
        actors = self._checked_actors()
        robot = self.asset.robot
        gravity = tuple(self.params.gravity)
        dt = self.params.dt / self.params.substeps
        options = EngineOptions(max_depenetration_velocity=self.params.physx.max_depenetration_velocity)
        self.engine = Engine(robot, self.terrain, len(actors), dt, self.device, gravity, options)
        n, num_bodies, num_dofs = len(actors), len(robot.bodies), len(robot.dofs)
        zeros = {"dtype": torch.float, "device": self.device}
        self.root_states = torch.zeros(n, STATE_WIDTH, **zeros)
        self.dof_states = torch.zeros(n * num_dofs, 2, **zeros)
        self.body_states = torch.zeros(n * num_bodies, STATE_WIDTH, **zeros)
        self.contact_forces = torch.zeros(n * num_bodies, 3, **zeros)
        poses = [(*actor.pose.p, *actor.pose.r) for actor in actors]
        self.root_states[:, :7] = torch.tensor(poses, **zeros)
        self.engine.set_root_states(self.root_states)
        self.engine.set_body_properties(
            torch.from_numpy(np.stack([actor.mass for actor in actors])).to(self.device),
            torch.from_numpy(np.stack([actor.com for actor in actors])).to(self.device),
            torch.from_numpy(np.stack([actor.inertia_scale for actor in actors])).float().to(self.device),
        )
        self.engine.set_material(
            torch.from_numpy(np.stack([actor.friction for actor in actors])).to(self.device),
            torch.from_numpy(np.stack([actor.restitution for actor in actors])).to(self.device),
        )
        self.engine.compile()

    def _checked_actors(self) -> list[Actor]:
        if self.terrain is None:
            raise RuntimeError("nothing to stand on; call add_ground, add_heightfield or add_triangle_mesh first")
        if not self.envs:
            raise RuntimeError("the simulation has no envs; call create_env and create_actor before prepare_sim")
        for env in self.envs:
            if len(env.actors) != 1:
                raise RuntimeError(
                    f"env {env.index} has {len(env.actors)} actors; exactly one robot per env works so far"
                )
            actor = env.actors[0]
            if actor.asset.robot.body_names != self.asset.robot.body_names:
                raise RuntimeError(
                    f"env {env.index} holds another robot than env 0; all envs must hold the same actors"
                )
            if actor.self_collision_filter == 0:
                raise RuntimeError("self-collision is not supported yet; pass filter=1 (asset.self_collisions = 1)")
        return [env.actors[0] for env in self.envs]

    def simulate(self) -> None:
        self.engine.step(self.params.substeps)
        self.frame_count += 1


def _dof_properties(robot: RobotDescription, options: types.AssetOptions) -> np.ndarray:
    properties = np.zeros(len(robot.dofs), dtype=types.DOF_PROPERTIES_DTYPE)
    for row, joint in zip(properties, robot.dofs, strict=True):
        row["hasLimits"] = joint.has_limits
        row["lower"], row["upper"] = joint.lower, joint.upper
        row["velocity"], row["effort"] = joint.velocity, joint.effort
        row["driveMode"] = int(options.default_dof_drive_mode)
        row["damping"], row["friction"] = joint.damping, joint.friction
        row["armature"] = options.armature
    return properties
