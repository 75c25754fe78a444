"""MuJoCo's step for robots on terrain as one kernel: a second engine, for every robot whose bodies form a tree."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import mujoco
import mujoco_warp as mjw
import numpy as np
import warp as wp
from scipy.spatial.transform import Rotation
from torch import Tensor

from isaacgym.assets.description import RobotDescription
from isaacgym.engine.contacts.contact_list import CONTACT_ARRAYS, ContactList
from isaacgym.engine.contacts.forces import BodyPoses, Contacts, ForceSensors
from isaacgym.engine.contacts.terrain_contact import rows_of
from isaacgym.engine.drives import DofParameters
from isaacgym.engine.engine import Engine, EngineOptions
from isaacgym.engine.lanes import WARP_SIZE
from isaacgym.engine.launch import launch, launchable
from isaacgym.engine.model import improvement_scale
from isaacgym.engine.state import rotation_xyzw, store_state
from isaacgym.engine.terrain import Terrain
from isaacgym.engine.tree.kernels import Contacts as Chains
from isaacgym.engine.tree.kernels import State, Tree, TreeKernels, tree_kernels
from isaacgym.engine.tree.records import FREE, HINGE, SLIDE, WELD

JOINT_KINDS = {
    mujoco.mjtJoint.mjJNT_FREE: FREE,
    mujoco.mjtJoint.mjJNT_HINGE: HINGE,
    mujoco.mjtJoint.mjJNT_SLIDE: SLIDE,
}
ENGINE_KINDS = ("auto", "tree", "mujoco")
BLOCK = 64  # threads
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
BODY_FIELDS = ("body_ipos", "body_iquat", "body_mass", "body_inertia")  # what `compose` makes the links' inertia of


def kernels_for(model: mujoco.MjModel, lanes: int, friction_loss: bool, scalar: type = wp.float32) -> TreeKernels:
    """Kernels for a robot; lanes: threads that share it."""
    return tree_kernels(len(find_links(model).joint), lanes, friction_loss, scalar)


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


def create_engine(
    kind: str,
    robot: RobotDescription,
    terrain: Terrain,
    num_worlds: int,
    dt: float,
    device: str,
    *args,
    options: EngineOptions,
    **kwargs,
) -> Engine:
    """The engine for a robot; arguments as for `Engine`.

    kind: "tree", "mujoco", or "auto" for the tree engine wherever it can do what `options` ask for. Says so in one line
    where it cannot.
    """
    if kind not in ENGINE_KINDS:
        raise ValueError(f"unknown engine '{kind}'; choose one of {', '.join(ENGINE_KINDS)}")
    if options.fixed_base and not robot.dofs:
        raise ValueError(f"nothing of '{robot.name}' can move: its base is fixed, and it has no joints")
    if options.self_collision and kind == "tree":
        raise ValueError("the tree engine cannot collide bodies of a robot with each other; use --engine mujoco")
    use_tree = kind != "mujoco" and not options.self_collision
    if options.deterministic and not use_tree and device != "cpu":
        raise ValueError(
            "on a GPU, MuJoCo Warp gives other bits in every run; leave out --deterministic on, or use the tree engine "
            "(no --engine mujoco, no collisions of a robot with itself)"
        )
    if options.self_collision and kind == "auto":
        print("Bodies of the robot collide with each other: simulating with MuJoCo Warp, not with the tree engine.")
    return (TreeEngine if use_tree else Engine)(
        robot, terrain, num_worlds, dt, device, *args, options=options, **kwargs
    )


class Shard:
    """A range of worlds that one CPU thread steps, or all worlds of a GPU. Works on views of the engine's arrays."""

    def __init__(self, engine: TreeEngine, worlds: slice, options: EngineOptions) -> None:
        model, data = engine._model, engine._data
        self.num_worlds = n = worlds.stop - worlds.start
        self._kernels = kernels = engine._kernels
        self._model = model
        parameters = {name: rows_of(getattr(model, name), worlds) for name in TREE_FIELDS}
        parameters["gravity"] = engine._gravity
        solver = Solver(options.iterations, options.ls_iterations, options.tolerance)
        self._tree = make_tree(kernels, engine.mj_model, parameters, solver)
        self._bodies = [rows_of(getattr(model, name), worlds) for name in BODY_FIELDS]
        inertia = rows_of(engine._added_inertia, worlds)
        self._state = State(
            *(data.qpos[worlds], data.qvel[worlds], data.qacc_warmstart[worlds], data.qfrc_applied[worlds]),
            *(inertia, data.xfrc_applied[worlds]),
        )
        self._poses = BodyPoses(data.xpos[worlds], data.xquat[worlds])
        self._motion = [data.xipos[worlds], engine._body_velocity[worlds]]
        self._results = [engine._body_force[worlds], engine._iterations[worlds]]
        capacity = max(n * options.contacts_per_world, options.max_contacts)
        self.contacts = new_contact_list(capacity)
        self._overflow = engine._overflowed
        own = self.contacts
        self._chains = Chains(
            first=wp.empty((n, self._tree.links.size), dtype=int),
            next=wp.empty(capacity, dtype=int),
            body=wp.empty(capacity, dtype=int),
            **{name: getattr(own, name) for name in ("dist", "pos", "frame", "friction", "solref", "solimp")},
            rows=wp.empty(capacity, dtype=kernels.records.Row),
            force=wp.empty(capacity, dtype=wp.vec3),
        )
        self._terrain_contacts = engine._terrain_contacts.of_worlds(worlds)
        # bodies that cannot move are left out
        link = np.where(engine.mj_model.body_weldid != 0, find_links(engine.mj_model).of_body, -1)
        self._link = wp.array(link, dtype=int)
        self._worlds = worlds
        self._force_sensors: ForceSensors | None = None
        self._record()

    def _record(self) -> None:
        """Prepare the launches of `position` and `step`; preparing one takes as long as a small kernel."""
        kernels, tree, state, chains, found = self._kernels, self._tree, self._state, self._chains, self.contacts

        def record(kernel: wp.Kernel, dim: int | tuple[int, ...], arguments: list) -> wp.Launch:
            return wp.launch(kernel, dim=dim, inputs=arguments, block_dim=BLOCK, record_cmd=True)

        threads = self.num_worlds * kernels.lanes
        self._compose = record(
            kernels.compose, tree.inertia.shape, [tree.links, tree.bodies, *self._bodies, tree.inertia]
        )
        self._solve = record(kernels.step, threads, [*tree, *state, *chains, *self._results])
        moving = [tree.links, tree.bodies, tree.children.size, tree.body_pos, tree.body_quat, tree.body_ipos]
        workers = found.capacity if wp.get_device().is_cuda else 1
        chaining = [workers, found.count, found.geom, found.worldid, self._model.geom_bodyid, self._link]
        poses = [state.qpos, state.qvel, *self._poses, *self._motion]
        self._kinematics = record(kernels.kinematics, threads, [*moving, *poses])
        clearing = [found.count, self._terrain_contacts.candidates_count, chains.first]
        self._find_contacts = [
            record(clear_contacts, chains.first.shape, clearing),
            *self._terrain_contacts.launches(*self._poses, found),
            record(chain_contacts, workers, [*chaining, *chains[:3], self._overflow]),
        ]

    def position(self) -> None:
        """All that the next step takes from the parameters and the state: links' inertia, and poses."""
        self._compose.launch()
        self._kinematics.launch()

    def sense(self, force_sensors: ForceSensors) -> None:
        """Have the sensors read every step."""
        self._force_sensors = force_sensors

    def step(self) -> None:
        """Contacts at the present poses, the solution, and the poses after it."""
        self.detect()
        self._solve.launch()
        if self._force_sensors is not None:  # contacts are where the bodies were before the step
            found = self.contacts
            contacts = Contacts(found.count, found.worldid, found.geom, found.pos, self._chains.force)
            self._force_sensors.read(contacts, self._model.geom_bodyid, self._poses, self._worlds)
        self._kinematics.launch()

    def detect(self) -> None:
        """The contacts, chained by link."""
        for command in self._find_contacts:
            command.launch()


class TreeEngine(Engine):
    """`Engine` for robots that are trees: MuJoCo's step in one kernel, see kernels.py.

    MuJoCo Warp keeps the parameters and computes what is asked for rarely (weights, Jacobians, inertia matrices).
    """

    solves_in_mujoco = False

    def __init__(self, *args, **kwargs) -> None:
        """As `Engine`."""
        super().__init__(*args, **kwargs)
        with wp.ScopedDevice(self._wp_device):
            self._split()

    def _allocate(self, options: EngineOptions, dofs: DofParameters | None) -> None:
        super()._allocate(options, dofs)
        self._options = options
        model, n = self.mj_model, self.num_worlds
        has_friction = dofs is not None and bool(dofs.friction.any())
        self._kernels = kernels_for(model, lanes_for(model, self._wp_device), has_friction)
        self._body_velocity = wp.zeros((n, model.nbody - 1), dtype=wp.spatial_vector)
        motion = (self._data.xpos, self._data.xquat, self._body_velocity)
        self._body_motion = [wp.to_torch(values) for values in motion]
        self._body_force = wp.from_torch(self.contact_forces, dtype=wp.vec3)
        self._iterations = wp.zeros(n, dtype=int)
        self._overflowed = wp.zeros(1, dtype=int)
        self._overflow_total = wp.to_torch(self._overflowed)
        self._added_inertia = wp.zeros((1, model.nv), dtype=float)
        if self._drives is not None:
            self._added_inertia = wp.from_torch(self._drives.inertia)
        # the weight of all bodies is carried if gravity is disabled
        self._gravity = wp.zeros(1, dtype=wp.vec3) if options.disable_gravity else self._model.opt.gravity
        self._acceleration = self._warmstart

    def _split(self) -> None:
        """Give each CPU thread its worlds; a GPU takes them all."""
        threads = 1 if self._wp_device.is_cuda else min(len(os.sched_getaffinity(0)), self.num_worlds)
        ends = [self.num_worlds * k // threads for k in range(threads + 1)]
        self._shards = [
            Shard(self, slice(start, stop), self._options) for start, stop in zip(ends, ends[1:], strict=False)
        ]
        self._pool = ThreadPoolExecutor(max(1, threads - 1))  # starts threads when they are needed

    def _for_shards(self, work: Callable[[Shard], None]) -> None:
        others = [self._pool.submit(work, shard) for shard in self._shards[1:]]
        work(self._shards[0])
        for other in others:
            other.result()  # raises what its thread raised

    def add_force_sensors(self, bodies: list[int], poses: Tensor, world_axes: list[bool]) -> Tensor:
        """Before the first step. Returns their wrenches in the last step, see `ForceSensors`."""
        wrenches = super().add_force_sensors(bodies, poses, world_axes)
        with wp.ScopedDevice(self._wp_device):
            for shard in self._shards:
                shard.sense(self._force_sensors)
        return wrenches

    def _position(self) -> None:
        self._for_shards(Shard.position)

    def _step(self) -> None:
        if self._drives is not None:
            self._drives.apply(self._model, self._data)
        self._for_shards(Shard.step)

    def read_body_states(self, out: Tensor) -> None:
        """States after the last step; a reset shows after the next one. out: (n, num_bodies, 13)."""
        launch(_read_body_states, out.shape[:2], self._body_motion, [out])

    def _update_inertia(self) -> None:
        """Run MuJoCo Warp's kinematics and inertia for the current state, which the step does not need."""
        self._update_position()
        with self._on_torch_stream():
            mjw.kinematics(self._posed_model, self._data)
            mjw.com_pos(self._model, self._data)
            mjw.crb(self._model, self._data)

    def state_tensors(self) -> dict[str, Tensor]:
        """As of `Engine`."""
        return super().state_tensors() | {"overflowed": self._overflow_total}

    def overflow_count(self) -> Tensor:
        """Number of contacts that there was no room for, in all steps, 0-d on the device."""
        return self._overflow_total[0]


def lanes_for(model: mujoco.MjModel, device: wp.Device) -> int:
    """Threads per robot: on a GPU one for each link, but one in all if the links do not fit into a warp."""
    links = len(find_links(model).joint)
    return 1 << (links - 1).bit_length() if device.is_cuda and links <= WARP_SIZE else 1


def new_contact_list(capacity: int) -> ContactList:
    """Room for the contacts of a shard, on the current device."""
    contacts = ContactList()
    contacts.capacity = capacity
    contacts.count = wp.zeros(1, dtype=int)
    for name in CONTACT_ARRAYS:
        kind = ContactList.vars[name].type
        shape = (capacity, 0) if kind.ndim == 2 else capacity
        setattr(contacts, name, wp.zeros(shape, dtype=kind.dtype))
    return contacts


@wp.kernel(enable_backward=False)
def clear_contacts(count: wp.array(dtype=int), candidates_count: wp.array(dtype=int), first: wp.array2d(dtype=int)):
    """Forget the contacts of the last step, (worlds, links) threads."""
    world, link = wp.tid()
    first[world, link] = -1
    if world == 0 and link == 0:
        count[0] = 0
        for k in range(candidates_count.shape[0]):
            candidates_count[k] = 0


@wp.kernel(enable_backward=False)
def chain_contacts(
    num_threads: int,
    count: wp.array(dtype=int),
    contact_geom: wp.array(dtype=wp.vec2i),
    contact_world: wp.array(dtype=int),
    geom_bodyid: wp.array(dtype=int),
    link_of_body: wp.array(dtype=int),
    first: wp.array2d(dtype=int),
    next: wp.array(dtype=int),
    body: wp.array(dtype=int),
    overflow: wp.array(dtype=int),
):
    """Chain the contacts of each link, any number of threads; those of link -1 are left out."""
    thread = wp.tid()
    if thread == 0 and count[0] > next.shape[0]:
        overflow[0] = overflow[0] + count[0] - next.shape[0]
    for contact in range(thread, wp.min(count[0], next.shape[0]), num_threads):
        own = geom_bodyid[contact_geom[contact][1]]
        body[contact] = own
        if link_of_body[own] >= 0:
            next[contact] = wp.atomic_exch(first, contact_world[contact], link_of_body[own], contact)


@launchable
@wp.kernel(enable_backward=False)
def _read_body_states(
    xpos: wp.array2d(dtype=wp.vec3),
    xquat: wp.array2d(dtype=wp.quat),
    body_velocity: wp.array2d(dtype=wp.spatial_vector),
    out: wp.array3d(dtype=float),
):
    world, row = wp.tid()
    v = body_velocity[world, row]
    rot = rotation_xyzw(xquat[world, row + 1])
    store_state(out, world, row, xpos[world, row + 1], rot, wp.spatial_bottom(v), wp.spatial_top(v))
