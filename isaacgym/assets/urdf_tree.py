"""The structure of a URDF file: links and joints as read, checked, collapsed, and put in Isaac Gym's order."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn, Protocol

import numpy as np
from scipy.spatial.transform import Rotation

from isaacgym.assets.description import Body, Joint, Shape, Visual
from isaacgym.assets.inertia import NO_INERTIA, NO_MASS, SMALL_MASS, Balance, ball_inertia
from isaacgym.assets.notices import Notices
from isaacgym.assets.solid import point_inertia, solid
from isaacgym.gym_types import AssetOptions


@dataclass
class UrdfLink:
    """A link under construction; com and inertia mean something only where mass or inertia is not zero."""

    name: str
    mass: float = 0.0
    com: np.ndarray = field(default_factory=lambda: np.zeros(3))
    inertia: np.ndarray = field(default_factory=lambda: np.zeros((3, 3)))
    shapes: list[Shape] = field(default_factory=list)
    visuals: list[Visual] = field(default_factory=list)

    def fill(self, density: float) -> None:
        """Take mass, centre and inertia from the shapes. density: [kg/m³]."""
        volume, self.com, inertia = solid_of_shapes(self.shapes)
        self.mass, self.inertia = density * volume, density * inertia


@dataclass
class UrdfJoint:
    name: str
    kind: str  # revolute, continuous, prismatic, planar, floating or fixed
    parent: str
    child: str
    pos: np.ndarray
    rot: Rotation
    dont_collapse: bool
    moving: tuple[Joint, ...]  # what the child moves by; none if fixed or floating


# what is said, {} for the links
FROM_DENSITY = "the mass of these links comes from their shapes and AssetOptions.density: {}"
INERTIA_OF_SHAPES = "the inertia of these links, which have none, is that of their shapes: {}"
NO_MASS_OF_ITS_OWN = "these moving links have shapes and no mass, only the links fixed to them have one: {}"


class Source(Protocol):
    """The file that is read, which every complaint names."""

    path: Path
    options: AssetOptions
    notices: Notices

    def fail(self, problem: str) -> NoReturn: ...


# --- Structure ------------------------------------------------------------------------------------------------------


def check_tree(urdf: Source, links: dict[str, UrdfLink], joints: list[UrdfJoint]) -> str:
    """Make sure that links and joints form one tree; returns the root's name."""
    parent_joint: dict[str, UrdfJoint] = {}
    for joint in joints:
        for role, name in (("parent", joint.parent), ("child", joint.child)):
            if name not in links:
                urdf.fail(f"joint '{joint.name}' has the {role} link '{name}', which does not exist; add or rename it")
        if joint.child in parent_joint:
            both = f"'{parent_joint[joint.child].name}' and '{joint.name}'"
            urdf.fail(
                f"link '{joint.child}' is the child of two joints, {both}; remove one (loops cannot be simulated)"
            )
        parent_joint[joint.child] = joint
    for name in links:
        seen = [name]
        while seen[-1] in parent_joint:
            seen.append(parent_joint[seen[-1]].parent)
            if seen[-1] == name:
                urdf.fail(f"the links {' → '.join(reversed(seen))} form a cycle; remove one of their joints")
            if len(seen) > len(links):
                break  # leads into a cycle further up, reported when its own links are looked at
    roots = [name for name in links if name not in parent_joint]
    if not roots:
        urdf.fail("there is no link; add at least one")
    if len(roots) > 1:
        urdf.fail(
            f"there are {len(roots)} root links ({', '.join(roots)}); connect them with joints so that one remains"
        )
    return roots[0]


def root_joints(
    urdf: Source, links: dict[str, UrdfLink], joints: list[UrdfJoint], root: str
) -> tuple[str, list[UrdfJoint], bool]:
    """Take floating and planar joints to the world for what they say about the root.

    Returns the root's name, the joints without a floating one, and whether the root stays in place.
    """
    fixed_base = False
    for joint in joints:
        if joint.kind not in ("floating", "planar"):
            continue
        world = links[joint.parent]
        bare = joint.parent == root and world.mass == 0.0 and not world.shapes
        if not bare or sum(other.parent == root for other in joints) > 1:
            urdf.fail(
                f"joint '{joint.name}' is of type '{joint.kind}', which works only from a root link without mass and "
                "shapes, the world, to the one link that is joined to it; use fixed, revolute, continuous or prismatic"
            )
        if joint.kind == "floating":
            del links[root]
            return joint.child, [other for other in joints if other is not joint], False
        fixed_base = True
    return root, joints, fixed_base


def collapse(links: dict[str, UrdfLink], joints: list[UrdfJoint]) -> list[UrdfJoint]:
    """Merge children of collapsible fixed joints into their parents in place; returns the joints that remain."""
    by_parent: dict[str, list[UrdfJoint]] = {}
    for joint in sorted(joints, key=lambda joint: joint.name):
        by_parent.setdefault(joint.parent, []).append(joint)

    def collapse_below(name: str) -> list[UrdfJoint]:
        """Remaining joints of the subtree; those that start at `name` have their origin in its frame."""
        remaining = []
        for joint in by_parent.get(name, []):
            below = collapse_below(joint.child)
            if joint.kind != "fixed" or joint.dont_collapse:
                remaining += [joint, *below]
                continue
            merge(links[name], links.pop(joint.child), joint)
            for moved in below:
                if moved.parent == joint.child:
                    moved = replace(
                        moved, parent=name, pos=joint.pos + joint.rot.apply(moved.pos), rot=joint.rot * moved.rot
                    )
                remaining.append(moved)
        return remaining

    children = {joint.child for joint in joints}
    return collapse_below(next(name for name in links if name not in children))


def merge(parent: UrdfLink, child: UrdfLink, joint: UrdfJoint) -> None:
    """Add the child's mass, inertia and shapes to the parent, through the fixed joint between them."""
    turn = joint.rot.as_matrix()
    child_com = joint.pos + turn @ child.com
    mass = parent.mass + child.mass
    com = (parent.mass * parent.com + child.mass * child_com) / mass if mass > 0.0 else np.zeros(3)
    parent.inertia = (
        parent.inertia
        + point_inertia(parent.mass, parent.com - com)
        + turn @ child.inertia @ turn.T
        + point_inertia(child.mass, child_com - com)
    )
    parent.mass, parent.com = mass, com
    for own, added in ((parent.shapes, child.shapes), (parent.visuals, child.visuals)):
        for shape in added:
            quat = (joint.rot * Rotation.from_quat(shape.quat)).as_quat()
            own.append(replace(shape, pos=joint.pos + turn @ shape.pos, quat=quat))


def ordered_bodies(
    urdf: Source, links: dict[str, UrdfLink], joints: list[UrdfJoint], root: str, fixed_base: bool
) -> list[Body]:
    """Bodies depth first, siblings by joint name."""
    by_parent: dict[str, list[UrdfJoint]] = {}
    for joint in sorted(joints, key=lambda joint: joint.name):
        by_parent.setdefault(joint.parent, []).append(joint)
    bodies: list[Body] = []

    def carried_mass(name: str) -> float:
        """Mass of the links fixed to this one, directly or through others."""
        return sum(links[j.child].mass + carried_mass(j.child) for j in by_parent.get(name, []) if j.kind == "fixed")

    def visit(name: str, parent: int, joint: UrdfJoint | None) -> None:
        index = len(bodies)
        link = links[name]
        moves = bool(joint.moving) if joint else not fixed_base
        if moves and link.mass == 0.0 and carried_mass(name) > 0.0:
            moves = False  # such as ANYmal's "base" without collapse: what is fixed to it has the mass
            if joint and link.shapes:  # a calf that CAD forgot to weigh, above a foot
                urdf.notices.add(NO_MASS_OF_ITS_OWN, f"'{name}'")
        _complete_mass(urdf, link, moves)
        bodies.append(
            Body(
                name=name,
                parent=parent,
                pos=joint.pos if joint else np.zeros(3),
                quat=joint.rot.as_quat() if joint else np.array([0.0, 0.0, 0.0, 1.0]),
                mass=link.mass,
                com=link.com,
                inertia=link.inertia,
                shapes=link.shapes,
                visuals=link.visuals,
                joints=tuple(replace(moving, body=index) for moving in joint.moving) if joint else (),
                fixed_by=joint.name if joint and not joint.moving else "",
            )
        )
        for below in by_parent.get(name, []):
            visit(below.child, index, below)

    visit(root, -1, None)
    balance = Balance(urdf.path)
    bodies = [replace(body, inertia=balance.of(body.name, body.inertia)) for body in bodies]
    balance.report(urdf.options.strict_inertia)
    return bodies


# --- Mass of shapes -------------------------------------------------------------------------------------------------


def _complete_mass(urdf: Source, link: UrdfLink, moves: bool) -> None:
    """Compute what a moving body lacks from its shapes, and apply override_com and override_inertia.

    Without mass, all comes from the shapes and AssetOptions.density; without inertia only, the shapes share the mass.
    """
    options = urdf.options
    needs_mass = moves and link.mass == 0.0
    needs_com = needs_mass or (options.override_com and link.mass > 0.0)
    needs_inertia = needs_mass or (link.mass > 0.0 and (options.override_inertia or (moves and not link.inertia.any())))
    if not (needs_com or needs_inertia):
        return
    volume, com, inertia = solid_of_shapes(link.shapes)
    if volume == 0.0:
        _assume_small(urdf, link)
        return
    if needs_mass:
        link.mass = options.density * volume
        if link.mass <= 0.0:
            urdf.fail(f"link '{link.name}' moves but has no mass and AssetOptions.density is 0; add <inertial>")
        urdf.notices.add(FROM_DENSITY, f"'{link.name}' {link.mass:.3g} kg")
    if needs_com:
        link.com = com
    if needs_inertia:
        if not needs_mass and not link.inertia.any():
            urdf.notices.add(INERTIA_OF_SHAPES, f"'{link.name}'")
        link.inertia = inertia * (link.mass / volume)


def _assume_small(urdf: Source, link: UrdfLink) -> None:
    """Let a link without shapes move although the file does not say how heavy it is, or how its mass is spread."""
    if link.mass == 0.0:
        link.mass = SMALL_MASS
        urdf.notices.add(NO_MASS, f"'{link.name}'")
    elif not link.inertia.any():
        urdf.notices.add(NO_INERTIA, f"'{link.name}'")
    if not link.inertia.any():
        link.inertia = ball_inertia(link.mass)


def solid_of_shapes(shapes: list[Shape]) -> tuple[float, np.ndarray, np.ndarray]:
    """Volume, centre and inertia about it of shapes of density 1; overlaps count twice."""
    total = UrdfLink("")
    for shape in shapes:
        volume, centre, moments = solid(shape)
        part = UrdfLink("", volume, centre, moments)
        merge(total, part, UrdfJoint("", "fixed", "", "", shape.pos, Rotation.from_quat(shape.quat), False, ()))
    return total.mass, total.com, total.inertia
