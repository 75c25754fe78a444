"""The simulated world: ground or terrain, and one robot per environment."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isaacgym import gymapi
from isaacgym.assets.notices import counted
from legged_gym import LEGGED_GYM_ROOT_DIR
from legged_gym.envs.base import domain_rand, height_scan
from legged_gym.envs.base.base_task import BaseTask
from legged_gym.robots.fit import misfits
from legged_gym.robots.names import matches
from legged_gym.utils.config_checks import name_problems
from legged_gym.utils.math import uniform
from legged_gym.utils.terrain import Terrain
from rsl_rl.utils import ranks

MESH_TYPES = ("plane", "heightfield", "trimesh")
START_SPREAD = 1.0  # [m] robots on terrain start up to this far from their origin, along x and y

# AssetOptions that a config sets under the same name.
ASSET_OPTIONS = (
    "default_dof_drive_mode",
    "collapse_fixed_joints",
    "replace_cylinder_with_capsule",
    "flip_visual_attachments",
    "fix_base_link",
    "density",
    "angular_damping",
    "linear_damping",
    "max_angular_velocity",
    "max_linear_velocity",
    "armature",
    "thickness",
    "disable_gravity",
)
OUR_ASSET_OPTIONS = ("strict_inertia",)  # likewise; not in NVIDIA's package


class Scene(BaseTask):
    """Builds terrain and robots from the config, and knows the robot's joints and bodies."""

    def create_sim(self) -> None:
        """Create the simulation, the ground and the robots."""
        self.up_axis_idx = 2
        self.sim = self.gym.create_sim(
            self.sim_device_id, self.graphics_device_id, self.physics_engine, self.sim_params
        )
        self._create_terrain()
        self._create_envs()

    # -- ground

    def _create_terrain(self) -> None:
        """Add the ground; afterwards self.terrain is None on a plane."""
        mesh_type = self.cfg.terrain.mesh_type
        self.terrain = None if mesh_type == "plane" else Terrain(self.cfg.terrain, self.num_envs)
        builders = (self._create_ground_plane, self._create_heightfield, self._create_trimesh)
        dict(zip(MESH_TYPES, builders, strict=True))[mesh_type]()
        self.height_samples = None  # (rows, cols) int16, units of terrain.vertical_scale
        self.height_map = None  # (rows - 1, cols - 1) [m], what height scans read
        if self.terrain is not None:
            self.height_samples = torch.from_numpy(self.terrain.height_field_raw).to(self.device)
            self.height_map = height_scan.lowest_heights(self.height_samples, self.cfg.terrain.vertical_scale)

    def _create_ground_plane(self) -> None:
        """Add an infinite horizontal plane at z = 0."""
        params = gymapi.PlaneParams()
        params.normal = gymapi.Vec3(0.0, 0.0, 1.0)
        self._set_surface(params)
        self.gym.add_ground(self.sim, params)

    def _create_heightfield(self) -> None:
        """Add the terrain's samples as they are."""
        params = gymapi.HeightFieldParams()
        params.column_scale = params.row_scale = self.terrain.cfg.horizontal_scale
        params.vertical_scale = self.terrain.cfg.vertical_scale
        # Isaac Gym's columns run along x, the first axis of the samples.
        params.nbRows, params.nbColumns = self.terrain.tot_cols, self.terrain.tot_rows
        self._set_corner(params)
        self._set_surface(params)
        self.gym.add_heightfield(self.sim, self.terrain.heightsamples, params)

    def _create_trimesh(self) -> None:
        """Add the terrain's triangles, whose steep faces are vertical walls."""
        params = gymapi.TriangleMeshParams()
        params.nb_vertices, params.nb_triangles = len(self.terrain.vertices), len(self.terrain.triangles)
        self._set_corner(params)
        self._set_surface(params)
        vertices, triangles = self.terrain.vertices.flatten(order="C"), self.terrain.triangles.flatten(order="C")
        self.gym.add_triangle_mesh(self.sim, vertices, triangles, params)

    def _set_corner(self, params: Any) -> None:
        """Put the map's corner so that tiles start at the world's origin."""
        border = self.terrain.cfg.border_size
        params.transform.p = gymapi.Vec3(-border, -border, 0.0)

    def _set_surface(self, params: Any) -> None:
        for name in ("static_friction", "dynamic_friction", "restitution"):
            setattr(params, name, getattr(self.cfg.terrain, name))

    # -- robots

    def _create_envs(self) -> None:
        """Load the robot, draw its variations and place one in every environment."""
        asset = self._load_asset()
        self.num_dof = self.num_dofs = self.gym.get_asset_dof_count(asset)
        self.num_bodies = self.gym.get_asset_rigid_body_count(asset)
        self.dof_names: list[str] = self.gym.get_asset_dof_names(asset)
        self.body_names: list[str] = self.gym.get_asset_rigid_body_names(asset)
        problems = [
            *robot_problems(self.cfg, self.dof_names, self.body_names),
            *name_problems(self.cfg, self.dof_names, self.body_names),
        ]
        if problems:
            raise ValueError("; ".join(problems))
        if hasattr(asset, "robot"):  # ours only
            for misfit in misfits(self.cfg, asset.robot):
                print(f"warning: {misfit}")
        start = self.cfg.init_state
        self.base_init_state = torch.tensor(start.pos + start.rot + start.lin_vel + start.ang_vel, device=self.device)
        self._get_env_origins()
        shape_props = self.gym.get_asset_rigid_shape_properties(asset)
        self._draw_variations(shape_props)
        self._spawn(asset, shape_props)
        self._find_bodies()

    def _load_asset(self) -> Any:
        """Load the robot's description."""
        path = Path(self.cfg.asset.file.format(LEGGED_GYM_ROOT_DIR=LEGGED_GYM_ROOT_DIR))
        if not path.is_file():
            raise FileNotFoundError(f"asset.file: no robot description at '{path}'")
        options = gymapi.AssetOptions()
        for name in (*ASSET_OPTIONS, *(name for name in OUR_ASSET_OPTIONS if hasattr(options, name))):
            setattr(options, name, getattr(self.cfg.asset, name))
        return self.gym.load_asset(self.sim, str(path.parent), path.name, options)

    def _draw_variations(self, shape_props: list[Any]) -> None:
        """Draw what differs between the robots' bodies and surfaces. shape_props: the asset's own."""
        cfg, n, device = self.cfg.domain_rand, self.num_envs, self.device
        bodies = domain_rand.draw_bodies(cfg, n, self.num_bodies, device)
        self.payload = bodies.payload  # (num_envs, 1) added to the base's mass [kg]
        self.com_displacement = bodies.com_displacement  # (num_envs, 3) added to the base's centre of mass [m]
        self.link_mass_factors = bodies.link_mass_factors  # (num_envs, num_bodies - 1)
        self._asset_friction, self._asset_restitution = shape_props[0].friction, shape_props[0].restitution
        self.friction_coeffs, self.restitution_coeffs = self._draw_materials(n)  # (num_envs, 1) each, of every shape
        # The creation loop reads Python numbers: one copy to the host instead of one per robot.
        self._host_bodies = [values.tolist() for values in bodies]
        self._host_materials = torch.cat((self.friction_coeffs, self.restitution_coeffs), dim=1).tolist()

    def _spawn(self, asset: Any, shape_props: list[Any]) -> None:
        """Create one environment with one robot after the other."""
        gym, n = self.gym, self.num_envs
        dof_props = gym.get_asset_dof_properties(asset)
        corner, per_row = gymapi.Vec3(0.0, 0.0, 0.0), math.isqrt(n)
        positions = self.env_origins + self.base_init_state[:3]
        if self.custom_origins:
            positions[:, :2] += uniform(-START_SPREAD, START_SPREAD, (n, 2), self.device)
        pose = gymapi.Transform()
        pose.r = gymapi.Quat(*self.cfg.init_state.rot)
        self.envs, self.actor_handles = [], []
        for i, position in enumerate(positions.tolist()):
            env = gym.create_env(self.sim, corner, corner, per_row)
            gym.set_asset_rigid_shape_properties(asset, self._process_rigid_shape_props(shape_props, i))
            pose.p = gymapi.Vec3(*position)
            actor = gym.create_actor(env, asset, pose, self.cfg.asset.name, i, self.cfg.asset.self_collisions, 0)
            gym.set_actor_dof_properties(env, actor, self._process_dof_props(dof_props, i))
            body_props = self._process_rigid_body_props(gym.get_actor_rigid_body_properties(env, actor), i)
            gym.set_actor_rigid_body_properties(env, actor, body_props, recomputeInertia=True)
            self.envs.append(env)
            self.actor_handles.append(actor)

    def _process_rigid_shape_props(self, props: list[Any], env_id: int) -> list[Any]:
        """Surface of one robot's shapes at creation."""
        friction, restitution = self._host_materials[env_id]
        for shape in props:
            shape.friction, shape.restitution = friction, restitution
        return props

    def _process_dof_props(self, props: np.ndarray, env_id: int) -> np.ndarray:
        """Joint properties of one robot at creation; the first call stores the limits of all."""
        if env_id == 0:
            limits = {
                name: torch.tensor(props[name].astype(np.float32), device=self.device)
                for name in ("lower", "upper", "velocity", "effort")
            }
            limited_mask = torch.tensor(props["hasLimits"], device=self.device)
            middle = torch.where(limited_mask, (limits["lower"] + limits["upper"]) / 2, 0.0)
            width = torch.where(limited_mask, limits["upper"] - limits["lower"], torch.inf)  # else it never binds
            reach = 0.5 * width * self.cfg.rewards.soft_dof_pos_limit
            self.dof_pos_limits = torch.stack((middle - reach, middle + reach), dim=1)  # (num_dof, 2) soft [rad]
            self.dof_pos_stops = torch.stack((limits["lower"], limits["upper"]), dim=1)  # (num_dof, 2) [rad]
            self.dof_vel_limits = limits["velocity"]  # (num_dof,) [rad/s]
            self.torque_limits = limits["effort"]  # (num_dof,) [N·m]
        return props

    def _process_rigid_body_props(self, props: list[Any], env_id: int) -> list[Any]:
        """Masses and base centre of mass of one robot at creation. props: the asset's own, base first."""
        if env_id == 0:
            self.robot_mass = sum(body.mass for body in props)  # [kg] as built, before any randomisation
        payload, com_displacement, factors = (values[env_id] for values in self._host_bodies)
        props[0].mass += payload[0]
        com = props[0].com
        props[0].com = gymapi.Vec3(*(c + d for c, d in zip((com.x, com.y, com.z), com_displacement, strict=True)))
        if self.cfg.domain_rand.randomize_link_mass:
            for body, factor in zip(props[1:], factors, strict=True):
                body.mass *= factor
        return props

    def _find_bodies(self) -> None:
        """Columns of the feet, of the bodies that should not touch, and of those that must not, in body tensors."""
        asset = self.cfg.asset
        self.feet_indices = self._body_indices([asset.foot_name])
        self.penalised_contact_indices = self._body_indices(asset.penalize_contacts_on)
        self.termination_contact_indices = self._body_indices(asset.terminate_after_contacts_on)

    def _body_indices(self, parts: list[str]) -> Tensor:
        """Columns of the bodies whose name fits one of `parts`, each once, in the robot's order."""
        names = [name for name in self.body_names if any(matches(part, name) for part in parts)]
        env, actor = self.envs[0], self.actor_handles[0]
        handles = [self.gym.find_actor_rigid_body_handle(env, actor, name) for name in names]
        return torch.tensor(handles, dtype=torch.long, device=self.device)

    # -- origins

    def _get_env_origins(self) -> None:
        """Where every robot starts: on its tile of the terrain, or on a grid over the plane."""
        n, device = self.num_envs, self.device
        self.custom_origins = self.terrain is not None
        self.terrain_curriculum = self.custom_origins and self.cfg.terrain.curriculum
        if self.terrain is None:
            self.env_origins = grid_origins(n, self.cfg.env.env_spacing, device)  # (num_envs, 3) [m]
            return
        cfg = self.cfg.terrain
        self.max_terrain_level = cfg.num_rows
        top = min(cfg.max_init_terrain_level, cfg.num_rows - 1) if cfg.curriculum else cfg.num_rows - 1
        self.terrain_levels = torch.randint(0, top + 1, (n,), device=device)  # row of the robot's tile
        all_robots = n * ranks.num_ranks()
        self.terrain_types = ranks.global_ids(n, device) * cfg.num_cols // all_robots  # column of the robot's tile
        origins = torch.tensor(self.terrain.env_origins, dtype=torch.float, device=device)
        self.terrain_origins = origins  # (num_rows, num_cols, 3) [m]
        self.env_origins = origins[self.terrain_levels, self.terrain_types]


def grid_origins(num_envs: int, spacing: float, device: str) -> Tensor:
    """Origins on a square grid at z = 0, (num_envs, 3) [m]."""
    ids, side = torch.arange(num_envs, device=device), math.isqrt(num_envs - 1) + 1
    return torch.stack((ids // side, ids % side, torch.zeros_like(ids)), dim=1) * spacing


def choice_problems(cfg: Any) -> Iterator[str]:
    """Choices that no simulation can be built from."""
    if cfg.terrain.mesh_type not in MESH_TYPES:
        yield f"terrain.mesh_type is '{cfg.terrain.mesh_type}', but must be one of: {', '.join(MESH_TYPES)}"
    if cfg.control.control_type not in ("P", "V", "T"):
        yield f"control.control_type is '{cfg.control.control_type}', but must be P, V or T"
    elif cfg.control.control_type != "P" and cfg.control.target_margin is not None:
        yield f"control.target_margin is for joint position targets, but control_type is {cfg.control.control_type}"


def robot_problems(cfg: Any, dof_names: list[str], body_names: list[str]) -> Iterator[str]:
    """Where a config does not fit the robot's joints and bodies."""
    if len(dof_names) != cfg.env.num_actions:
        yield (
            f"'{cfg.asset.name}' has {counted(len(dof_names), 'joint')} but env.num_actions is {cfg.env.num_actions}; "
            f"joints: {', '.join(dof_names)}"
        )
    missing = [name for name in dof_names if name not in cfg.init_state.default_joint_angles]
    if missing:
        names, have, no_angle = _joints(missing), *(("has", "angle") if len(missing) == 1 else ("have", "angles"))
        yield (
            f"{names} {have} no default {no_angle}; add '{missing[0]}': <angle in rad> to "
            "init_state.default_joint_angles"
        )
    weak = [name for name in dof_names if not any(part in name for part in cfg.control.stiffness)]
    if weak and cfg.control.control_type != "T":
        have = "has" if len(weak) == 1 else "have"
        yield f"{_joints(weak)} {have} no gain; add a part of the name to control.stiffness and damping"
    if not any(matches(cfg.asset.foot_name, name) for name in body_names):
        yield (
            f"no body's name contains asset.foot_name '{cfg.asset.foot_name}'; feet on fixed joints need "
            f'dont_collapse="true" in the URDF; bodies: {", ".join(body_names)}'
        )


def _joints(names: list[str]) -> str:
    return ("joint " if len(names) == 1 else "joints ") + ", ".join(f"'{name}'" for name in names)
