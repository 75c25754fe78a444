"""`python -m isaacgym.coverage`: which Isaac Gym symbols that open locomotion code uses work here.

One line per symbol: whether it works, how many of 14 repositories use it, which of the repositories HIM (HIMLoco),
LG (legged_gym), URG (unitree_rl_gym), HG (humanoid-gym) and WTW (walk-these-ways) are among them, and what is lacking.
Symbols without a number are from a second survey, and the methods that none uses come last. `python -m
isaacgym.coverage NAME ...` prints what a script can rely
on where it uses a symbol, and how it was decided where NVIDIA's documentation is silent.
Whether a symbol exists is looked up in the code; only the reasons are written down here.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections import Counter
from collections.abc import Iterator
from enum import Enum, StrEnum
from typing import Any, NamedTuple

from isaacgym.coverage_symbols import ADDED_TO_LG, ALSO_USED, HIM_MIN_USES, HIM_ONLY, USES
from isaacgym.gym_unsupported import reason
from isaacgym.gymapi import Gym

# Exists, with limits.
LIMITS = {
    "gym.create_sim": "SIM_FLEX runs on the same engine as SIM_PHYSX; no graphics context",
    "gym.create_actor": "several in an env run on MuJoCo Warp; envs of other bodies or joints one kind after the other",
    "gym.load_asset": "URDF and MJCF; no ball joints; of tendons fixed ones, of equalities those between joints",
    "gym.add_ground": "one friction coefficient",
    "gym.add_heightfield": "square cells only",
    "gym.set_actor_rigid_shape_properties": "friction and restitution; filters until prepare_sim",
    "gym.set_asset_rigid_shape_properties": "friction, restitution and filter only",
    "gym.set_actor_rigid_body_properties": "of flags, gravity of whole actors, before prepare_sim",
    "gym.set_actor_dof_properties": "limits of position before prepare_sim; none of velocity",
    "gym.set_sim_params": "after prepare_sim gravity only; dt and substeps must stay",
    "gym.create_asset_force_sensor": "reports the contacts of its body only",
    "gym.create_viewer": "a page for the browser, which needs the package viser; none if graphics_device is -1",
    "gym.draw_viewer": "up to 50 robots, by their visuals whatever the third argument says",
    "gym.get_viewer_camera_transform": "z is forward; that y is up is unverified",
    "gym.sync_frame_time": "waits only while a browser shows the page",
    "gym.subscribe_viewer_keyboard_event": "a button on the page; keys as far as browsers report them",
    "gym.query_viewer_has_closed": "after destroy_viewer; closing the browser ends nothing",
    "gym.write_viewer_image_to_file": "ray-traced; nothing without a viewer; envs that all hold the same",
    "gym.set_rigid_body_color": "for camera sensors; the page keeps the colours of the robot's file",
    "gym.attach_camera_to_body": "FOLLOW_POSITION keeps the offset along the env's axes (unverified)",
    "gym.get_camera_image": "the flow of IMAGE_OPTICAL_FLOW is zero, with a warning",
    "gym.get_camera_image_gpu_tensor": "the flow of IMAGE_OPTICAL_FLOW is zero, with a warning",
    "gym.set_asset_tendon_properties": "limits are stiff, whatever limit_stiffness; of fixed tendons",
    "gym.get_actor_actuator_properties": "what the MJCF file says; actuators do not act",
    "gym.create_rigid_body_attractor": "along all axes or none, about all or none",
    "gym.acquire_jacobian_tensor": "of an actor of the same size in all envs",
    "gym.acquire_mass_matrix_tensor": "of an actor of the same size in all envs",
    "gym.create_capsule": "lies along x (unverified)",
    "gym.set_sim_rigid_body_states": "DOFs of bodies with several joints are set to 0",
    "gym.set_actor_rigid_body_states": "DOFs of bodies with several joints are set to 0",
    "gymapi.IMAGE_OPTICAL_FLOW": "zeros, with a warning",
    "gym.get_asset_actuator_properties": "what the MJCF file says; actuators do not act",
    "gym.set_actor_tendon_properties": "before prepare_sim; limits are stiff, whatever limit_stiffness",
    "gym.set_actor_scale": "before prepare_sim",
    "gym.create_texture_from_file": "textures are not drawn, which is said once",
    "gym.set_rigid_body_texture": "textures are not drawn",
    "gym.set_light_parameters": "pictures and the page have a light of their own",
    "gym.get_env_rigid_contacts": "on the host; with MuJoCo Warp with forces at the present poses",
    "gym.get_viewer_size": "always 1600 × 900",
    "gym.get_viewer_mouse_position": "always the middle",
    "gym.subscribe_viewer_mouse_event": "never reported",
    "gym.write_camera_image_to_file": "colours only",
    "gym.set_rigid_transform": "roots of actors only",
    "gym.set_rigid_linear_velocity": "roots of actors only, after prepare_sim",
    "gym.set_rigid_angular_velocity": "roots of actors only, after prepare_sim",
    "gymapi.SIM_FLEX": "runs on the same engine as SIM_PHYSX",
    "gymapi.UP_AXIS_Y": "gravity and ground follow their own vectors; the axis is not checked",
}
NOT_WRITTEN = "not written yet"
NOT_COUNTED = 0


class Status(StrEnum):
    WORKS = "works"
    PARTLY = "partly"
    MISSING = "missing"


class Row(NamedTuple):
    module: str  # gym: a method of the gym object
    name: str
    uses: int  # repositories, of 14; NOT_COUNTED for those of the second survey
    sets: tuple[str, ...]  # those of SETS that use it
    status: Status
    reason: str  # empty if it works


def coverage() -> list[Row]:
    """All symbols, most used first within each module."""
    sets = repository_sets()
    rows = []
    for module, uses, name in _symbols():
        key = f"{module}.{name}"
        users = tuple(repository for repository, symbols in sets.items() if key in symbols)
        rows.append(Row(module, name, uses, users, *_status(module, name)))
    return rows


def repository_sets() -> dict[str, set[str]]:
    """Repository → the symbols it uses, as 'module.name'."""
    him = {f"{module}.{name}" for module, uses, name in _symbols() if uses >= HIM_MIN_USES}
    lg = him - _keys(HIM_ONLY)
    return {"HIM": him, **{name: lg | _keys(added) for name, added in ADDED_TO_LG.items()}}


def _symbols() -> Iterator[tuple[str, int, str]]:
    for module, by_uses in USES.items():
        for uses, names in (*by_uses.items(), (NOT_COUNTED, ALSO_USED.get(module, ""))):
            for name in names.split():
                yield module, uses, name
        if module == "gym":
            counted = " ".join([*by_uses.values(), ALSO_USED["gym"]]).split()
            for name in sorted(set(dir(Gym)) - set(counted)):
                if not name.startswith("_"):
                    yield module, NOT_COUNTED, name


def _keys(names_by_module: dict[str, str]) -> set[str]:
    return {f"{module}.{name}" for module, names in names_by_module.items() for name in names.split()}


def _status(module: str, name: str) -> tuple[Status, str]:
    key = f"{module}.{name}"
    if not _exists(module, name):
        return Status.MISSING, NOT_WRITTEN
    return (Status.PARTLY, LIMITS[key]) if key in LIMITS else (Status.WORKS, "")


def _exists(module: str, name: str) -> bool:
    try:
        _look_up(module, name)
    except AttributeError:
        return False
    return True


def _look_up(module: str, name: str) -> Any:
    """`name` may be dotted: an enum's member or a type's method."""
    holder = importlib.import_module("isaacgym." + ("gymapi" if module == "gym" else module))
    if module == "gym":
        holder = holder.Gym
    for part in name.split("."):
        holder = getattr(holder, part)
    return holder


def explain(name: str) -> str:
    """Signature, documentation and limits of a symbol, with or without its module before it."""
    found = ((row.module, row.name) for row in coverage() if name in (row.name, f"{row.module}.{row.name}"))
    others = ((module, name.removeprefix(f"{module}.")) for module in USES)
    module, symbol_name = next(found, None) or next((pair for pair in others if _exists(*pair)), ("", ""))
    if not module:
        why = reason(name)
        return (
            f"{name}: missing ({why})"
            if why
            else f"{name}: no surveyed code uses it, and there is nothing of this name"
        )
    status, limits = _status(module, symbol_name)
    lines = [f"{module}.{symbol_name}: {status}" + (f" ({limits})" if limits else "")]
    if status is Status.MISSING:
        return lines[0]
    symbol = _look_up(module, symbol_name)
    if inspect.isfunction(symbol):
        lines.append(f"{symbol_name}{inspect.signature(symbol)}")
    if isinstance(symbol, Enum):
        lines.append(f"{symbol_name} = {symbol.value}, of {type(symbol).__name__}")
    about = [symbol] if inspect.isfunction(symbol) or inspect.isclass(symbol) else []
    lines += [text for text in map(inspect.getdoc, about) if text]
    return "\n".join(lines)


def report() -> str:
    rows = coverage()
    names = list(repository_sets())
    width = max(len(f"{row.module}.{row.name}") for row in rows)
    lines = [f"{'symbol':{width}}  {'status':7}  uses  {' '.join(names)}  reason"]
    for row in rows:
        users = " ".join((name if name in row.sets else "-").center(len(name)) for name in names)
        uses = "" if row.uses == NOT_COUNTED else str(row.uses)
        line = f"{f'{row.module}.{row.name}':{width}}  {row.status:7}  {uses:>4}  {users}  {row.reason}"
        lines.append(line.rstrip())
    lines.append("")
    for name in (*names, "all"):
        members = [row for row in rows if name == "all" or name in row.sets]
        counts = Counter(row.status for row in members)
        summary = ", ".join(f"{counts[status]} {status}" for status in Status)
        missing = ", ".join(row.name for row in members if row.status is Status.MISSING)
        lines.append(f"{name}: {summary} of {len(members)}" + (f"; missing: {missing}" if missing else ""))
    return "\n".join(lines)


if __name__ == "__main__":
    print("\n\n".join(map(explain, sys.argv[1:])) if sys.argv[1:] else report())
