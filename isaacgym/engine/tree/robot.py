"""From a MuJoCo model to a robot as the kernels want it: links, their bodies, and parameters."""

from collections.abc import Mapping
from typing import NamedTuple

import mujoco
import numpy as np
import warp as wp
from scipy.spatial.transform import Rotation

from isaacgym.engine.model import improvement_scale
from isaacgym.engine.tree.kernels import Tree, TreeKernels
from isaacgym.engine.tree.records import FREE, HINGE, SLIDE, WELD

JOINT_KINDS = {
    mujoco.mjtJoint.mjJNT_FREE: FREE,
    mujoco.mjtJoint.mjJNT_HINGE: HINGE,
    mujoco.mjtJoint.mjJNT_SLIDE: SLIDE,
}
NO_LIMIT = 1.0e10  # [rad] or [m]
TREE_FIELDS = (
    "body_pos",
    "body_quat",
    "body_ipos",
    "body_invweight0",
    "dof_invweight0",
    "dof_armature",
    "dof_frictionloss",
)


class Links(NamedTuple):
    """The root, and what each joint moves; parents come before their children. The origin of a link is on its axis."""

    joint: np.ndarray  # (links,) MuJoCo's number; -1: none, a root that is fixed to the world
    parent: np.ndarray  # (links,) of the root 0
    depth: np.ndarray  # (links,) of the root 0
    pos: np.ndarray  # (links, 3) origin in the parent at joint position 0 [m]; of the root 0
    rot: np.ndarray  # (links, 4) xyzw
    of_body: np.ndarray  # (bodies,) link of each body; of the world -1
    offset: np.ndarray  # (bodies, 3) pose of each body in its link [m]
    turn: np.ndarray  # (bodies, 4) xyzw


def find_links(model: mujoco.MjModel) -> Links:
    """The links of a robot. Bodies without a joint belong to the link of their parent.

    A body with several joints belongs to the last one's link; those of the others have no body, so no mass.
    """
    of_body = np.full(model.nbody, -1)
    offset, turn = np.zeros((model.nbody, 3)), np.tile([0.0, 0.0, 0.0, 1.0], (model.nbody, 1))
    links = []  # (joint, parent, depth, pos, rot)
    for body in range(1, model.nbody):
        above = model.body_parentid[body]
        joints = (model.body_jntadr[body] + np.arange(model.body_jntnum[body])).tolist()
        if above == 0:
            of_body[body] = 0
            links.append((joints[0] if joints else -1, 0, 0, offset[0], turn[0]))
            continue
        link, frame = of_body[above], Rotation.from_quat(turn[above])
        at = offset[above] + frame.apply(model.body_pos[body])  # of the body in the link
        frame *= Rotation.from_quat(model.body_quat[body], scalar_first=True)
        for joint in joints:
            anchor = model.jnt_pos[joint]
            links.append((joint, link, links[link][2] + 1, at + frame.apply(anchor), frame.as_quat()))
            link, at, frame = len(links) - 1, -anchor, Rotation.identity()
        of_body[body], offset[body], turn[body] = link, at, frame.as_quat()
    return Links(*(np.array(column) for column in zip(*links, strict=True)), of_body, offset, turn)


class Solver(NamedTuple):
    """Bounds of Newton's method and of its line search, and the relative improvement at which it stops."""

    iterations: int
    searches: int
    tolerance: float


def make_tree(kernels: TreeKernels, model: mujoco.MjModel, parameters: Mapping[str, wp.array], solver: Solver) -> Tree:
    """A robot as the kernels want it, on the current device.

    Args:
        model: one robot, body 1 its root.
        parameters: live arrays of TREE_FIELDS and gravity, one row for each world or for all.
        solver: of the constraint problem.
    """
    records = kernels.records
    links = find_links(model)
    count = len(links.joint)
    rows = max(count, kernels.lanes)
    # one thread goes through the links in their order; lanes go through the tree level by level
    level = np.minimum(links.depth, 1) if kernels.lanes == 1 else links.depth
    children = [[c for c in range(1, count) if links.parent[c] == link] for link in range(count)]
    most = [max(len(children[link]) for link in np.flatnonzero(level == k)) for k in range(level.max() + 1)]
    child = np.full((rows, max(1, *most)), -1)
    for link, own in enumerate(children):
        child[link, : len(own)] = own
    bodies = [records.Body() for _ in range(model.nbody)]
    for body, record in enumerate(bodies):
        record.offset, record.turn = links.offset[body], records.quat(*links.turn[body])
    table = [_link_record(kernels, model, links, link, level[link]) for link in range(count)]
    for body in reversed(range(1, model.nbody)):
        link = table[links.of_body[body]]
        bodies[body].next, link.first_body = link.first_body, body
    empty = records.Link()
    empty.level = -1
    worlds = max(values.shape[0] for values in parameters.values())
    return Tree(
        links=wp.array(table + [empty] * (rows - count), dtype=records.Link),
        bodies=wp.array(bodies, dtype=records.Body),
        child=wp.array(child, dtype=int),
        children=wp.array(most, dtype=int),
        inertia=wp.zeros((worlds, rows), dtype=records.Inertia),
        settings=_settings(kernels, model, solver),
        gravity=parameters["gravity"],
        **{name: parameters[name] for name in TREE_FIELDS},
    )


def _link_record(kernels: TreeKernels, model: mujoco.MjModel, links: Links, link: int, level: int):  # -> records.Link
    record = kernels.records.Link()
    joint = links.joint[link]
    record.level, record.parent = int(level), int(links.parent[link])
    record.pos, record.rot = links.pos[link], kernels.records.quat(*links.rot[link])
    record.lower, record.upper = -NO_LIMIT, NO_LIMIT
    record.joint = WELD
    if joint >= 0:
        record.joint = JOINT_KINDS[int(model.jnt_type[joint])]
        record.dof, record.q = int(model.jnt_dofadr[joint]), int(model.jnt_qposadr[joint])
        record.axis = model.jnt_axis[joint]
        if model.jnt_limited[joint]:
            record.lower, record.upper = model.jnt_range[joint]
    return record


def _settings(kernels: TreeKernels, model: mujoco.MjModel, solver: Solver):  # -> records.Settings
    settings = kernels.records.Settings()
    settings.max_iterations, settings.max_searches, settings.tolerance = solver
    settings.improvement = improvement_scale(model)
    settings.dt = model.opt.timestep
    # all joints have MuJoCo's default solver parameters
    settings.limit_solref, settings.limit_solimp = model.jnt_solref[-1], model.jnt_solimp[-1]
    settings.friction_solref, settings.friction_solimp = model.dof_solref[-1], model.dof_solimp[-1]
    return settings
