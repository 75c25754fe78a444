"""The engine of a simulation: one for all envs, or one for each kind of envs behind the interface of one."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import torch

from isaacgym import gym_types as types
from isaacgym.actors import Env
from isaacgym.assets.notices import notice
from isaacgym.engine.create import create_engine
from isaacgym.engine.drives import DofParameters
from isaacgym.engine.engine import Engine, EngineOptions
from isaacgym.engine.mixed import MixedEngine, Part, Rows
from isaacgym.engine.stability import ENOUGH, LIGHT, light_joints
from isaacgym.engine.terrain import Grounds
from isaacgym.sameness import difference

if TYPE_CHECKING:
    from isaacgym.simulation import Simulation


def assembled_engine(sim: Simulation, dofs: DofParameters) -> Engine | MixedEngine:
    """dofs: of all envs, laid out as the engine's tensors; the engine keeps it. Says so if there are several kinds."""
    if not sim.is_mixed:
        return _engine_of(sim, sim.envs, dofs)
    first, other = sim.kinds[0][0], sim.kinds[1][0]
    print(
        f"Envs hold {len(sim.kinds)} kinds of actors (env {other.index} against env {first.index}: "
        f"{difference(other, first)}), which are simulated one after the other."
    )
    parts = []
    for number, kind in enumerate(sim.kinds):
        env_ids = torch.tensor([env.index for env in kind], device=sim.device)
        rows = Rows(env_ids, *(_rows_of(kind, what, sim.device) for what in ("actors", "bodies", "dofs", "shapes")))
        own = DofParameters(*(getattr(dofs, column.name)[0, rows.dofs] for column in fields(dofs)))
        parts.append(Part(_engine_of(sim, kind, own, quiet=number > 0), rows, own))
    return MixedEngine(parts, dofs)


def _rows_of(envs: list[Env], what: str, device: str) -> torch.Tensor:
    """What alike envs hold among that of all envs, (envs, those of an env) int64. what: a field of `Counts`."""
    first = torch.tensor([getattr(env.before, what) for env in envs])
    return (first[:, None] + torch.arange(getattr(envs[0].counts, what))).to(device)


def _engine_of(sim: Simulation, envs: list[Env], dofs: DofParameters, quiet: bool = False) -> Engine:
    """For alike envs. dofs: (envs, num_dofs); quiet: do not say which engine it is."""
    params, robot, num_actors = sim.params, sim.robot_of(envs[0]), len(envs[0].actors)
    fixed_base, disable_gravity = envs[0].actors[0].fixed_and_weightless
    options = EngineOptions(
        fixed_base=fixed_base,
        disable_gravity=disable_gravity,
        self_collision=robot.collides_with_itself,
        contacts_per_world=num_actors * EngineOptions.contacts_per_world,
        max_contacts=num_actors * EngineOptions.max_contacts,
        deterministic=params.deterministic,
        max_depenetration_velocity=params.physx.max_depenetration_velocity,
    )
    terrain = Grounds() if sim.terrain is None else sim.terrain
    dt = types.shortest(params.dt) / params.substeps
    engine = create_engine(
        params.engine,
        *(robot, terrain, len(envs), dt, sim.device, tuple(params.gravity)),
        options=options,
        dofs=dofs,
        quiet=quiet,
    )
    _warn_of_light_joints(engine, dofs)
    return engine


def _warn_of_light_joints(engine: Engine, dofs: DofParameters) -> None:
    names = light_joints(engine.mj_model, engine.dof_columns, dofs)
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        notice(
            f"the joints {', '.join(names[:3])}{more} move less than {LIGHT:g} kg·m² with little damping, which "
            f"at steps of {1000 * engine.dt:.3g} ms may end in NaN after an impact; set AssetOptions.armature or "
            f"the DOF property armature to {ENOUGH:g}, or use shorter steps"
        )
