"""MuJoCo's step for robots on terrain as one kernel: a second engine, for every robot whose bodies form a tree."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import mujoco
import mujoco_warp as mjw
import numpy as np
import warp as wp
from torch import Tensor

from isaacgym.engine.contacts.contact_list import CONTACT_ARRAYS, ContactList
from isaacgym.engine.contacts.forces import BodyPoses, Contacts, ForceSensors
from isaacgym.engine.contacts.terrain_contact import rows_of
from isaacgym.engine.drives import DofParameters
from isaacgym.engine.engine import Engine
from isaacgym.engine.lanes import WARP_SIZE
from isaacgym.engine.launch import launch, launchable
from isaacgym.engine.options import EngineOptions
from isaacgym.engine.state import rotation_xyzw, store_state
from isaacgym.engine.tree.kernels import Contacts as Chains
from isaacgym.engine.tree.kernels import State, TreeKernels, tree_kernels
from isaacgym.engine.tree.robot import TREE_FIELDS, Solver, find_links, make_tree

BLOCK = 64  # threads
BODY_FIELDS = ("body_ipos", "body_iquat", "body_mass", "body_inertia")  # what `compose` makes the links' inertia of


def kernels_for(model: mujoco.MjModel, lanes: int, friction_loss: bool, scalar: type = wp.float32) -> TreeKernels:
    """Kernels for a robot; lanes: threads that share it."""
    return tree_kernels(len(find_links(model).joint), lanes, friction_loss, scalar)


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
        self._prepare_launches()
        self._step_graph: wp.Graph | None = None
        if wp.get_device().is_cpu:  # on a GPU the engine records the steps of its one shard
            with wp.ScopedCapture() as capture:
                self._launch_step()
            self._step_graph = capture.graph

    def _prepare_launches(self) -> None:
        """Of `position` and `step`; preparing one takes as long as a small kernel."""
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
        self._force_sensors, self._step_graph = force_sensors, None

    def step(self) -> None:
        """Contacts at the present poses, the solution, and the poses after it."""
        if self._step_graph is None:
            self._launch_step()
        else:  # threads that go back to Python between kernels wait for each other
            wp.capture_launch(self._step_graph)

    def _launch_step(self) -> None:
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

    def compile(self) -> None:
        """As `Engine.compile`."""
        super().compile()
        self._overflow_total.zero_()

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
        """Number of contacts that there was no room for, in all steps since the start, 0-d on the device."""
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
        wp.atomic_add(overflow, 0, count[0] - next.shape[0])  # shards share it
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
