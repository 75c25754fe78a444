"""That all envs of a simulation hold the same actors, which the engines take for granted."""

from __future__ import annotations

from isaacgym.actors import Env
from isaacgym.assets.likeness import difference_of
from isaacgym.assets.limits import same_limits
from isaacgym.assets.notices import notice


def make_alike(envs: list[Env]) -> None:
    """All envs hold the same actors; what may differ are poses, masses, materials and properties of DOFs."""
    if not envs:
        raise RuntimeError("the simulation has no envs; call create_env and create_actor before prepare_sim")
    first = envs[0]
    _share_scales(envs)
    _tell_of_unlike_limits(envs)
    alike: set[int] = set()  # descriptions that were compared
    if not first.actors:
        raise RuntimeError("env 0 has no actors; call create_actor before prepare_sim")
    for env in envs:
        where = f"env {env.index} and env 0"
        if len(env.actors) != len(first.actors):
            numbers = f"{len(env.actors)} and {len(first.actors)}"
            raise RuntimeError(f"{where} have {numbers} actors; all envs must hold the same actors")
        if _pattern([actor.group for actor in env.actors]) != _pattern([actor.group for actor in first.actors]):
            raise RuntimeError(f"in {where}, other actors share their collision group; give all envs the same")
        for own, other in zip(env.actors, first.actors, strict=True):
            pair = own.asset.robot, other.asset.robot
            if pair[0] is not pair[1] and id(pair[0]) not in alike:
                if difference := difference_of(*pair):
                    raise RuntimeError(
                        f"actor '{own.name}' of env {env.index} is built otherwise than that of env 0 "
                        f"({difference}); all envs must hold the same actors, and only masses, materials and "
                        "properties of joints may differ"
                    )
                alike.add(id(pair[0]))
            if own.shape_filters != other.shape_filters:
                raise RuntimeError(f"the actors of {where} differ in collision filters; give all the same `filter`")
            if own.fixed_and_weightless != other.fixed_and_weightless:
                raise RuntimeError(f"the assets of {where} differ in fix_base_link or disable_gravity; use one asset")


def _share_scales(envs: list[Env]) -> None:
    """Sizes are those of all envs alike: scripts that randomise them go on with those of env 0."""
    for env in envs[1:]:
        for own, first in zip(env.actors, envs[0].actors, strict=False):
            if own.scale != first.scale:
                notice(f"actor '{own.name}' has a scale in each env; all have that of env 0, {first.scale:.4g}")
                own.set_scale(first.scale)


def _tell_of_unlike_limits(envs: list[Env]) -> None:
    firsts = envs[0].actors
    pairs = [pair for env in envs for pair in zip(env.actors, firsts, strict=False)]
    unlike = [own.name for own, first in pairs if not same_limits(own.dof_properties, first.dof_properties)]
    if unlike:
        notice(f"limits of the joints of actor '{unlike[0]}' differ between envs; all have those of env 0")


def _pattern(groups: list[int]) -> list[int]:
    """Which groups are the same, whatever their numbers are; -1, which touches all, stays."""
    return [group if group == -1 else groups.index(group) for group in groups]
