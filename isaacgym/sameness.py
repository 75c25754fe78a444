"""Which envs of a simulation hold the same actors, so that an engine can take them together."""

from __future__ import annotations

from collections.abc import Hashable

from isaacgym.actors import Actor, Env
from isaacgym.assets.description import RobotDescription
from isaacgym.assets.likeness import difference_of, signature_of
from isaacgym.assets.limits import LIMITS
from isaacgym.assets.notices import counted


def kinds_of(envs: list[Env]) -> list[list[Env]]:
    """The envs by what they hold, in the order of each kind's first.

    Within a kind may differ: poses, masses, materials, and properties of DOFs but limits.
    """
    if not envs:
        raise RuntimeError("the simulation has no envs; call create_env and create_actor before prepare_sim")
    for env in envs:
        if not env.actors:
            raise RuntimeError(f"env {env.index} has no actors; call create_actor before prepare_sim")
    robots = _Robots()
    kinds: dict[Hashable, list[Env]] = {}
    for env in envs:
        firsts = [actor.asset.robot for actor in envs[0].actors[: len(env.actors)]]
        own = [actor.asset.robot for actor in env.actors]
        numbers = [robots.number(*pair) for pair in zip(own, firsts + own[len(firsts) :], strict=True)]
        actors = tuple(_key(actor, number) for actor, number in zip(env.actors, numbers, strict=True))
        kinds.setdefault((actors, _pattern(env)), []).append(env)
    return list(kinds.values())


def difference(env: Env, other: Env) -> str:
    """What makes two envs different kinds, in words."""
    if len(env.actors) != len(other.actors):
        return f"{counted(len(env.actors), 'actor')}, not {len(other.actors)}"
    for own, theirs in zip(env.actors, other.actors, strict=True):
        if words := difference_of(own.asset.robot, theirs.asset.robot):
            return f"of '{own.name}', {words}"
        if own.scale != theirs.scale:
            return f"'{own.name}' has the scale {own.scale:.4g}, not {theirs.scale:.4g}"
        if _limits(own) != _limits(theirs):
            return f"'{own.name}' has other limits of joints"
        if own.fixed_and_weightless != theirs.fixed_and_weightless:
            return f"'{own.name}' differs in fix_base_link or disable_gravity"
    return "other collision groups, filters or force sensors"


class _Robots:
    """Gives robots numbers, the same to those that a model does not tell apart."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}  # by id
        self._signatures: dict[Hashable, int] = {}

    def number(self, robot: RobotDescription, first: RobotDescription) -> int:
        """first: that in the robot's place in env 0, with which it is compared first, within a tolerance."""
        if id(robot) not in self._numbers:
            if robot is not first and difference_of(robot, first) is None:
                number = self.number(first, first)
            else:
                number = self._signatures.setdefault(signature_of(robot), len(self._signatures))
            self._numbers[id(robot)] = number
        return self._numbers[id(robot)]


def _key(actor: Actor, robot: int) -> Hashable:
    """robot: its number."""
    sensors = [(each.body, *each.pose.p, *each.pose.r, each.world_axes) for each in actor.asset.force_sensors]
    filters = tuple(actor.shape_filters)
    return robot, actor.scale, _limits(actor), filters, actor.fixed_and_weightless, tuple(sensors)


def _limits(actor: Actor) -> Hashable:
    return tuple(actor.dof_properties[name].tobytes() for name in LIMITS)


def _pattern(env: Env) -> Hashable:
    """Which groups of its actors are the same, whatever their numbers are; -1, which touches all, stays."""
    groups = [actor.group for actor in env.actors]
    return tuple(group if group == -1 else groups.index(group) for group in groups)
