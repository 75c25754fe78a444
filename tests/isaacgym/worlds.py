"""Small worlds for physics tests: a robot or a single body on a ground, driven through the gym's own calls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from isaacgym import gymapi, gymtorch
from isaacgym.terrain_utils import convert_heightfield_to_trimesh

ROOT = Path(__file__).resolve().parents[2]
ALIENGO = ROOT / "resources" / "robots" / "aliengo" / "urdf" / "aliengo.urdf"
STANCE = [0.0, 0.8, -1.5] * 4  # default joint angles of Aliengo [rad]
KP, KD = 40.0, 2.0

DEVICES = ["cpu", pytest.param("cuda:0", marks=pytest.mark.gpu)]

SHAPES = {
    "box": ('<box size="0.2 0.3 0.1"/>', 0.05),
    "sphere": ('<sphere radius="0.1"/>', 0.1),
    "capsule": ('<capsule radius="0.05" length="0.3"/>', 0.05),
}


def body_urdf(folder: Path, collisions: list[str], com: str = "0 0 0", mass: float = 2.0) -> Path:
    """A free body; collisions: inner XML of <collision> elements."""
    text = "".join(f"<collision>{collision}</collision>" for collision in collisions)
    path = folder / "body.urdf"
    path.write_text(
        f'<robot name="body"><link name="base"><inertial><origin xyz="{com}"/><mass value="{mass}"/>'
        '<inertia ixx="0.02" ixy="0.001" ixz="0.002" iyy="0.03" iyz="0.003" izz="0.04"/></inertial>'
        f"{text}</link></robot>"
    )
    return path


class World:
    """One gym simulation with its tensors, on a plane, on heights [m] on a grid of `scale` metres, or on a mesh."""

    def __init__(
        self,
        urdf: Path,
        num_envs: int = 1,
        dt: float = 0.005,
        heights: np.ndarray | None = None,
        mesh: tuple[np.ndarray, np.ndarray] | None = None,
        scale: float = 0.1,
        walls: bool = False,
        friction: float = 1.0,
        restitution: float = 0.0,
        ground_friction: float = 1.0,
        ground_restitution: float = 0.0,
        normal: tuple[float, float, float] = (0.0, 0.0, 1.0),
        gravity: tuple[float, float, float] = (0.0, 0.0, -9.81),
        engine: str = "auto",
        device: str = "cpu",
    ) -> None:
        self.gym = gym = gymapi.acquire_gym()
        params = gymapi.SimParams(dt=dt, substeps=1, up_axis=1, gravity=gravity)
        params.engine = engine
        params.use_gpu_pipeline = device != "cpu"
        self.sim = sim = gym.create_sim(0, -1, gymapi.SIM_PHYSX, params)
        material = {"dynamic_friction": ground_friction, "restitution": ground_restitution}
        if mesh is not None:
            vertices, triangles = mesh
            mesh_params = gymapi.TriangleMeshParams(nb_vertices=len(vertices), nb_triangles=len(triangles), **material)
            gym.add_triangle_mesh(sim, vertices.flatten(), triangles.flatten(), mesh_params)
        elif heights is None:
            gym.add_ground(sim, gymapi.PlaneParams(normal=normal, **material))
        elif walls:
            raw = np.round(heights / 0.005).astype(np.int16)
            vertices, triangles = convert_heightfield_to_trimesh(raw, scale, 0.005, 0.75)
            params = gymapi.TriangleMeshParams(nb_vertices=len(vertices), nb_triangles=len(triangles), **material)
            gym.add_triangle_mesh(sim, vertices.flatten(), triangles.flatten(), params)
        else:
            raw = np.round(heights / 0.005).astype(np.int16)
            params = gymapi.HeightFieldParams(
                nbRows=raw.shape[1],
                nbColumns=raw.shape[0],
                row_scale=scale,
                column_scale=scale,
                vertical_scale=0.005,
                **material,
            )
            gym.add_heightfield(sim, raw, params)
        options = gymapi.AssetOptions(
            collapse_fixed_joints=True, replace_cylinder_with_capsule=True, default_dof_drive_mode=3
        )
        self.asset = gym.load_asset(sim, str(urdf.parent), urdf.name, options)
        for _ in range(num_envs):
            env = gym.create_env(sim, gymapi.Vec3(), gymapi.Vec3(), 1)
            actor = gym.create_actor(env, self.asset, gymapi.Transform(p=gymapi.Vec3(0, 0, 1)), "robot", 0, 1)
            shapes = gym.get_actor_rigid_shape_properties(env, actor)
            for shape in shapes:
                shape.friction, shape.restitution = friction, restitution
            gym.set_actor_rigid_shape_properties(env, actor, shapes)
        gym.prepare_sim(sim)
        self.num_envs = num_envs
        self.root = gymtorch.wrap_tensor(gym.acquire_actor_root_state_tensor(sim))
        self.dof = gymtorch.wrap_tensor(gym.acquire_dof_state_tensor(sim)).view(num_envs, -1, 2)
        self.body = gymtorch.wrap_tensor(gym.acquire_rigid_body_state_tensor(sim)).view(num_envs, -1, 13)
        self.contact = gymtorch.wrap_tensor(gym.acquire_net_contact_force_tensor(sim)).view(num_envs, -1, 3)
        self.refresh()

    def refresh(self) -> None:
        self.gym.refresh_actor_root_state_tensor(self.sim)
        self.gym.refresh_dof_state_tensor(self.sim)
        self.gym.refresh_rigid_body_state_tensor(self.sim)
        self.gym.refresh_net_contact_force_tensor(self.sim)

    def set_root(self, pos=(0, 0, 0), quat=(0, 0, 0, 1), linear=(0, 0, 0), angular=(0, 0, 0)) -> None:
        self.root[:] = torch.tensor([*pos, *quat, *linear, *angular], dtype=torch.float)
        self.gym.set_actor_root_state_tensor(self.sim, gymtorch.unwrap_tensor(self.root))

    def set_dofs(self, positions: list[float]) -> None:
        self.dof[..., 0] = torch.tensor(positions)
        self.dof[..., 1] = 0.0
        self.gym.set_dof_state_tensor(self.sim, gymtorch.unwrap_tensor(self.dof))

    def set_torques(self, torques: torch.Tensor) -> None:
        self.gym.set_dof_actuation_force_tensor(self.sim, gymtorch.unwrap_tensor(torques.contiguous()))

    def hold(self, targets: list[float]) -> None:
        """PD torques towards joint targets."""
        torques = KP * (torch.tensor(targets) - self.dof[..., 0]) - KD * self.dof[..., 1]
        self.set_torques(torques.clip(-44.0, 44.0))

    def step(self, steps: int = 1, targets: list[float] | None = None) -> None:
        for _ in range(steps):
            if targets is not None:
                self.gym.refresh_dof_state_tensor(self.sim)
                self.hold(targets)
            self.gym.simulate(self.sim)
        self.refresh()
