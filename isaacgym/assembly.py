"""The engine of a simulation: one for all envs, or one for each group of envs behind the interface of one."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import mujoco
import numpy as np
import torch

from isaacgym.actors import Env
from isaacgym.assets.description import RobotDescription
from isaacgym.assets.notices import notice
from isaacgym.engine.create import create_engine, suits_tree
from isaacgym.engine.drives import DofParameters
from isaacgym.engine.engine import Engine
from isaacgym.engine.mixed import MixedEngine, Part, Rows
from isaacgym.engine.model import compiled
from isaacgym.engine.options import EngineOptions
from isaacgym.engine.stability import ENOUGH, LIGHT, light_joints
from isaacgym.engine.terrain import Grounds
from isaacgym.engine.variants import Variants, structure_of
from isaacgym.sameness import difference

if TYPE_CHECKING:
    from isaacgym.simulation import Simulation

MANY_TREES = 5  # kinds from which on MuJoCo Warp, which takes their sizes together, is faster than as many engines


@dataclass(frozen=True)
class Group:
    """Envs that an engine takes together, in their order: of one kind, or of kinds that differ in sizes only."""

    envs: list[Env]
    robot: RobotDescription  # what the first of them holds
    options: EngineOptions
    variants: Variants | None  # None: they are of one kind


def groups_of(sim: Simulation, kinds: list[list[Env]]) -> list[Group]:
    """Few groups of all envs. Where the tree engine would do, which cannot take sizes together, many kinds make one."""
    if len(kinds) == 1:
        return [_group(sim, kinds)]
    families: dict[Hashable, list[tuple[list[Env], mujoco.MjModel]]] = {}
    for kind in kinds:
        options, robot = _options(sim, kind[0]), sim.robot_of(kind[0])
        model = compiled(robot, sim.engine_dt, tuple(sim.params.gravity), options)
        springs = tuple((joint.stiffness, joint.spring_rest) for joint in robot.dofs)
        key = structure_of(model), springs, _sensors(kind[0])
        families.setdefault(key, []).append((kind, model))
    groups = []
    for family in families.values():
        robot, options = sim.robot_of(family[0][0][0]), _options(sim, family[0][0][0])
        fewest = MANY_TREES if suits_tree(sim.params.engine, robot, options) else 2
        if len(family) >= fewest and sim.params.engine != "tree":
            groups.append(_group(sim, [kind for kind, _ in family], [model for _, model in family]))
        else:
            groups += [_group(sim, [kind]) for kind, _ in family]
    return sorted(groups, key=lambda group: group.envs[0].index)


def _group(sim: Simulation, kinds: list[list[Env]], models: list[mujoco.MjModel] | None = None) -> Group:
    """models: of the kinds, if these are several."""
    variant = {env.index: number for number, kind in enumerate(kinds) for env in kind}
    envs = sorted((env for kind in kinds for env in kind), key=lambda env: env.index)
    variants = None
    if models is not None:
        first = variant[envs[0].index]
        assert first == 0, "kinds come in the order of their first envs"
        variants = Variants(models, np.array([variant[env.index] for env in envs]))
    return Group(envs, sim.robot_of(envs[0]), _options(sim, envs[0]), variants)


def _sensors(env: Env) -> Hashable:
    """Where the force sensors are on bodies of the actors' own sizes."""
    return tuple(
        (number, sensor.body, *(sensor.pose.p * actor.scale), *sensor.pose.r, sensor.world_axes)
        for number, actor in enumerate(env.actors)
        for sensor in actor.asset.force_sensors
    )


def _options(sim: Simulation, env: Env) -> EngineOptions:
    robot, num_actors = sim.robot_of(env), len(env.actors)
    fixed_base, disable_gravity = env.actors[0].fixed_and_weightless
    return EngineOptions(
        fixed_base=fixed_base,
        disable_gravity=disable_gravity,
        self_collision=robot.collides_with_itself,
        contacts_per_world=num_actors * EngineOptions.contacts_per_world,
        max_contacts=num_actors * EngineOptions.max_contacts,
        deterministic=sim.params.deterministic,
        max_depenetration_velocity=sim.params.physx.max_depenetration_velocity,
    )


def assembled_engine(sim: Simulation, dofs: DofParameters) -> Engine | MixedEngine:
    """dofs: of all envs, laid out as the engine's tensors; the engine keeps it. Says so if there are several groups."""
    if not sim.is_mixed:
        return _engine_of(sim, sim.groups[0], dofs)
    first, other = (group.envs[0] for group in sim.groups[:2])
    print(
        f"Envs hold {len(sim.groups)} kinds of actors (env {other.index} against env {first.index}: "
        f"{difference(other, first)}), which are simulated one after the other."
    )
    parts = []
    for number, group in enumerate(sim.groups):
        env_ids = torch.tensor([env.index for env in group.envs], device=sim.device)
        counted = ("actors", "bodies", "dofs", "shapes")
        rows = Rows(env_ids, *(_rows_of(group.envs, what, sim.device) for what in counted))
        own = DofParameters(*(getattr(dofs, column.name)[0, rows.dofs] for column in fields(dofs)))
        parts.append(Part(_engine_of(sim, group, own, quiet=number > 0), rows, own))
    return MixedEngine(parts, dofs)


def _rows_of(envs: list[Env], what: str, device: str) -> torch.Tensor:
    """What alike envs hold among that of all envs, (envs, those of an env) int64. what: a field of `Counts`."""
    first = torch.tensor([getattr(env.before, what) for env in envs])
    return (first[:, None] + torch.arange(getattr(envs[0].counts, what))).to(device)


def _engine_of(sim: Simulation, group: Group, dofs: DofParameters, quiet: bool = False) -> Engine:
    """dofs: (envs, num_dofs); quiet: do not say which engine it is."""
    terrain = Grounds() if sim.terrain is None else sim.terrain
    engine = create_engine(
        sim.params.engine,
        *(group.robot, terrain, len(group.envs), sim.engine_dt, sim.device, tuple(sim.params.gravity)),
        options=group.options,
        dofs=dofs,
        quiet=quiet,
        variants=group.variants,
    )
    same = Variants([engine.mj_model], np.zeros(len(group.envs), dtype=int))
    _warn_of_light_joints(engine, group.variants or same, dofs)
    return engine


def _warn_of_light_joints(engine: Engine, variants: Variants, dofs: DofParameters) -> None:
    names = light_joints(variants, engine.dof_columns, dofs)
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        notice(
            f"the joints {', '.join(names[:3])}{more} move less than {LIGHT:g} kg·m² with little damping, which "
            f"at steps of {1000 * engine.dt:.3g} ms may end in NaN after an impact; set AssetOptions.armature or "
            f"the DOF property armature to {ENOUGH:g}, or use shorter steps"
        )
