"""Several robots and things as one description, whose bodies form as many trees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from isaacgym.assets.description import Body, Coupling, FixedTendon, RobotDescription


@dataclass(frozen=True)
class Root:
    """How one of several trees stands in the world.

    Attributes:
        fixed: it stays where it is put.
        weightless: gravity does not act on it.
        group: shapes of different groups never touch; -1 touches those of all groups.
    """

    fixed: bool = False
    weightless: bool = False
    group: int = 0


@dataclass(frozen=True, eq=False)
class Scene(RobotDescription):
    """The bodies and DOFs of all robots, one robot after the other.

    Names of bodies and joints begin with the number of their robot, so that they differ. A body without a parent begins
    a robot.
    """

    roots: tuple[Root, ...] = ()

    @property
    def collides_with_itself(self) -> bool:
        """Whether any two shapes may touch."""
        of_body = self.root_of_bodies
        shapes = [(index, shape.filter) for index, body in enumerate(self.bodies) for shape in body.shapes]
        return any(
            not own & other
            and a != b
            and a != self.bodies[b].parent
            and b != self.bodies[a].parent
            and in_touch(self.roots[of_body[a]].group, self.roots[of_body[b]].group)
            for (a, own), (b, other) in combinations(shapes, 2)
        )

    @property
    def root_of_bodies(self) -> list[int]:
        """Number of each body's robot."""
        numbers: list[int] = []
        for body in self.bodies:
            numbers.append(numbers[body.parent] if body.parent >= 0 else len(set(numbers)))
        return numbers


def in_touch(group: int, other: int) -> bool:
    """Whether shapes of these groups may touch."""
    return group == other or -1 in (group, other)


def combined(robots: Sequence[RobotDescription], roots: Sequence[Root]) -> Scene:
    """All robots in one description."""
    bodies: list[Body] = []
    couplings: list[Coupling] = []
    tendons: list[FixedTendon] = []
    for number, robot in enumerate(robots):
        first = len(bodies)
        bodies += [_moved(body, number, first) for body in robot.bodies]
        couplings += [_renamed(coupling, number) for coupling in robot.couplings]
        tendons += [_renamed_tendon(tendon, number) for tendon in robot.fixed_tendons]
    name = " + ".join(robot.name for robot in robots)
    return Scene(name, bodies, tuple(couplings), fixed_tendons=tuple(tendons), roots=tuple(roots))


def _renamed(coupling: Coupling, number: int) -> Coupling:
    other = None if coupling.other is None else f"{number}/{coupling.other}"
    return replace(coupling, joint=f"{number}/{coupling.joint}", other=other)


def _renamed_tendon(tendon: FixedTendon, number: int) -> FixedTendon:
    joints = tuple((f"{number}/{joint}", coefficient) for joint, coefficient in tendon.joints)
    return replace(tendon, name=f"{number}/{tendon.name}", joints=joints)


def _moved(body: Body, number: int, first: int) -> Body:
    joints = (replace(joint, name=f"{number}/{joint.name}", body=joint.body + first) for joint in body.joints)
    return replace(
        body,
        name=f"{number}/{body.name}",
        parent=body.parent + first if body.parent >= 0 else -1,
        joints=tuple(joints),
    )
