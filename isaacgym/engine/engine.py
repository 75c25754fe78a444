"""MuJoCo Warp behind the engine seam: N copies of one robot, per-world parameters, contacts with our terrain.

A simulation step is split where Isaac Gym's tensors need it. `_position` computes everything that depends on the state
alone (kinematics, inertia, contacts, constraints, bias forces); `_dynamics` takes torques and forces, solves and
integrates. A step runs the dynamics of the current state and then the position stage of the new one, so body poses
after the step cost nothing extra. Only a changed state or parameter makes the position stage run again first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import mujoco_warp as mjw
import torch
import warp as wp
from torch import Tensor

from isaacgym.assets.description import RobotDescription
from isaacgym.engine import state
from isaacgym.engine.model import TERRAIN_GEOM, build_spec
from isaacgym.engine.progress import heartbeat
from isaacgym.engine.terrain import Terrain
from isaacgym.engine.terrain_contact import TerrainContacts, contact_list, vec5

FREE_QPOS, FREE_QVEL = 7, 6  # coordinates of a floating base
LIMIT_ROWS = 1  # constraint rows of a joint at its limit
CONTACT_ROWS = 4  # edges of the friction pyramid
OVERFLOWS = mjw.OverflowType.NEFC | mjw.OverflowType.NARROWPHASE
PER_WORLD_FIELDS = ("body_mass", "body_inertia", "body_ipos", "body_subtreemass", "body_invweight0", "dof_invweight0")


@dataclass(frozen=True)
class EngineOptions:
    """Numbers that trade accuracy, memory and speed.

    Attributes:
        contacts_per_world: average capacity of the shared contact list.
        max_contacts: contacts of one world that still get constraint rows.
        iterations, ls_iterations: bounds of the Newton solver and of its line search.
        tolerance: relative improvement at which the solver stops.
        max_depenetration_velocity: bound of the speed at which deep contacts push out [m/s].
    """

    contacts_per_world: int = 24
    max_contacts: int = 36
    iterations: int = 10
    ls_iterations: int = 20
    tolerance: float = 1e-6
    max_depenetration_velocity: float = 100.0


class Engine:
    """N worlds with one floating-base robot each, on one device.

    Torch views of the simulator's own memory, valid for the engine's lifetime:
        qpos (n, 7 + num_dofs), qvel (n, 6 + num_dofs): MuJoCo's coordinates; use the set_* methods to change them.
        torques (n, num_dofs): joint torques of the next steps [N·m].
        contact_forces (n, num_bodies, 3): net contact force on each body in the last step, world axes [N].
        friction, restitution (n, num_shapes): coefficients of the robot's shapes, averaged with the terrain's.
    """

    def __init__(
        self,
        robot: RobotDescription,
        terrain: Terrain,
        num_worlds: int,
        dt: float,
        device: str,
        gravity: tuple[float, float, float] = (0.0, 0.0, -9.81),
        options: EngineOptions | None = None,
    ) -> None:
        options = options or EngineOptions()
        self.robot = robot
        self.num_worlds = num_worlds
        self.dt = dt
        self.device = device
        self.mj_model = build_spec(robot, dt, gravity).compile()
        self.mj_model.opt.iterations = options.iterations
        self.mj_model.opt.ls_iterations = options.ls_iterations
        self.mj_model.opt.tolerance = options.tolerance
        wp.config.log_level = wp.LOG_WARNING  # one line of ours instead of one per module
        self._wp_device = wp.get_device(device)
        with wp.ScopedDevice(self._wp_device):
            self._allocate(options)
            self._terrain_contacts = TerrainContacts(
                self.mj_model,
                terrain,
                num_worlds,
                self._friction,
                self._restitution,
                options.max_depenetration_velocity,
            )
        self._step_graph: wp.Graph | None = None
        self._position_graph: wp.Graph | None = None
        self._stale = True  # the state or a parameter changed since the last position stage
        self._forces_staged = False

    def _allocate(self, options: EngineOptions) -> None:
        model, n = self.mj_model, self.num_worlds
        limited = int(model.jnt_limited.sum())
        self._model = mjw.put_model(model, batch_sizes=dict.fromkeys(PER_WORLD_FIELDS, n))
        self._model.opt.run_collision_detection = False
        self._model.opt.warn_overflow = 0  # counted by overflows(), not printed by the device
        self._data = mjw.make_data(
            model,
            nworld=n,
            naconmax=max(n * options.contacts_per_world, options.max_contacts),
            njmax=CONTACT_ROWS * options.max_contacts + LIMIT_ROWS * limited,
        )
        data = self._data
        self.qpos, self.qvel = wp.to_torch(data.qpos), wp.to_torch(data.qvel)
        self.torques = wp.to_torch(data.qfrc_applied)[:, FREE_QVEL:]
        self._warmstart = wp.to_torch(data.qacc_warmstart)
        self._overflow = wp.to_torch(data.overflow)
        num_bodies = len(self.robot.bodies)
        self.contact_forces = torch.zeros(n, num_bodies, 3, device=self.device)
        self.friction = torch.ones(n, model.ngeom - 1, device=self.device)
        self.restitution = torch.zeros(n, model.ngeom - 1, device=self.device)
        self._contact_forces = wp.from_torch(self.contact_forces)
        self._friction, self._restitution = wp.from_torch(self.friction), wp.from_torch(self.restitution)
        self._contacts = contact_list(data)
        self._all_worlds = wp.array(range(n), dtype=int)
        self._no_forces = wp.empty((0, 0, 0), dtype=float)

    # ---- parameters ----------------------------------------------------------------------------------------------

    def set_body_properties(self, mass: Tensor, com: Tensor, inertia_scale: Tensor) -> None:
        """Per-world bodies.

        Args:
            mass: [kg], (n, num_bodies).
            com: centre of mass in each body's frame [m], (n, num_bodies, 3).
            inertia_scale: factor on each body's principal inertias, (n, num_bodies).
        """
        nominal = torch.as_tensor(self.mj_model.body_inertia[1:], dtype=torch.float, device=self.device)
        wp.to_torch(self._model.body_mass)[:, 1:] = mass
        wp.to_torch(self._model.body_ipos)[:, 1:] = com
        wp.to_torch(self._model.body_inertia)[:, 1:] = nominal * inertia_scale[..., None]
        with self._on_torch_stream():
            mjw.set_const(self._model, self._data)
        self._stale = True

    def set_material(self, friction: Tensor, restitution: Tensor) -> None:
        """Coefficients of every shape of each world's robot, (n,) or (n, num_shapes)."""
        self.friction.copy_(friction.view(self.num_worlds, -1).expand_as(self.friction))
        self.restitution.copy_(restitution.view(self.num_worlds, -1).expand_as(self.restitution))
        self._stale = True

    # ---- state in and out (layouts of isaacgym.engine.state) -----------------------------------------------------

    def set_root_states(self, states: Tensor, world_ids: Tensor | None = None) -> None:
        """Pose and centre-of-mass velocity of the base. states: (n, 13); world_ids: int32, None for all worlds."""
        ids = self._world_ids(world_ids)
        self._launch(
            state.write_root_states,
            len(ids),
            [wp.from_torch(states), ids, self._model.body_ipos],
            [self._data.qpos, self._data.qvel, self._data.qacc_warmstart],
        )
        self._stale = True

    def set_dof_states(self, states: Tensor, world_ids: Tensor | None = None) -> None:
        """Joint positions and velocities. states: (n, num_dofs, 2); world_ids: int32, None for all worlds."""
        ids = self._world_ids(world_ids)
        self._launch(
            state.write_dof_states,
            (len(ids), states.shape[1]),
            [wp.from_torch(states), ids, FREE_QPOS, FREE_QVEL],
            [self._data.qpos, self._data.qvel, self._data.qacc_warmstart],
        )
        self._stale = True

    def apply_body_forces(self, forces: Tensor | None, torques: Tensor | None, local: bool) -> None:
        """Forces [N] and torques [N·m] at the centres of mass during the next step only, (n, num_bodies, 3) each.

        local: in the axes of each body, else of the world. Both are copied.
        """
        self._staged = [None if t is None else t.clone() for t in (forces, torques)]
        self._staged_local = local
        self._forces_staged = True

    def read_root_states(self, out: Tensor) -> None:
        """out: (n, 13)."""
        data = self._data
        inputs = [data.qpos, data.qvel, self._model.body_ipos]
        self._launch(state.read_root_states, self.num_worlds, inputs, [wp.from_torch(out.view(-1, 1, 13))])

    def read_dof_states(self, out: Tensor) -> None:
        """out: (n, num_dofs, 2)."""
        inputs = [self._data.qpos, self._data.qvel, FREE_QPOS, FREE_QVEL]
        self._launch(state.read_dof_states, out.shape[:2], inputs, [wp.from_torch(out)])

    def read_body_states(self, out: Tensor) -> None:
        """States after the last step; a reset shows after the next one. out: (n, num_bodies, 13)."""
        d = self._data
        inputs = [self._model.body_rootid, d.xpos, d.xquat, d.xipos, d.cvel, d.subtree_com]
        self._launch(state.read_body_states, out.shape[:2], inputs, [wp.from_torch(out)])

    def overflows(self) -> int:
        """Worlds that ever had more contacts or constraints than there was room for. Waits for the device."""
        return int((self._overflow & int(OVERFLOWS)).ne(0).sum())

    # ---- stepping ------------------------------------------------------------------------------------------------

    def step(self, substeps: int = 1) -> None:
        """Advance all worlds by substeps · dt; `contact_forces` is the mean over the sub-steps."""
        if self._step_graph is None and self._wp_device.is_cuda:
            self._capture()
        if self._stale:
            self._run(self._position_graph, self._position)
            self._stale = False
        if self._forces_staged:
            self._stage_forces()
        self._run(self._step_graph, self._step)
        if substeps > 1:
            mean = self.contact_forces / substeps
            for _ in range(substeps - 1):
                self._run(self._step_graph, self._step)
                mean += self.contact_forces / substeps
            self.contact_forces.copy_(mean)
        if self._forces_staged:
            with self._on_torch_stream():
                self._data.xfrc_applied.zero_()
            self._forces_staged = False

    def compile(self) -> None:
        """Load or compile all kernels by stepping once, and put the state back."""
        with heartbeat("Compiling simulation kernels (first run on this machine only)"):
            saved = self.qpos.clone(), self.qvel.clone()
            self.step()
            self.qpos.copy_(saved[0])
            self.qvel.copy_(saved[1])
            self._warmstart.zero_()
            self._stale = True
            if self._wp_device.is_cuda:
                wp.synchronize_device(self._wp_device)

    def _position(self) -> None:
        """All that follows from positions and velocities, contacts included."""
        m, d = self._model, self._data
        mjw.kinematics(m, d)
        mjw.com_pos(m, d)
        mjw.crb(m, d)
        mjw.factor_m(m, d)
        self._terrain_contacts.detect(m, d, self._contacts)
        mjw.make_constraint(m, d)
        mjw.com_vel(m, d)
        mjw.passive(m, d)
        mjw.rne(m, d)

    def _step(self) -> None:
        """Solve and integrate, then the position stage of the new state."""
        m, d = self._model, self._data
        mjw.fwd_acceleration(m, d)
        mjw.solve(m, d)
        self._contact_forces.zero_()
        wp.launch(
            _sum_contact_forces,
            dim=d.naconmax,
            inputs=[
                d.nacon,
                d.contact.worldid,
                d.contact.geom,
                d.contact.frame,
                d.contact.friction,
                d.contact.efc_address,
                d.efc.force,
                m.geom_bodyid,
            ],
            outputs=[self._contact_forces],
        )
        mjw.euler(m, d)
        self._position()

    def _stage_forces(self) -> None:
        forces, torques = (self._no_forces if t is None else wp.from_torch(t.contiguous()) for t in self._staged)
        dim = (self.num_worlds, len(self.robot.bodies))
        inputs = [forces, torques, self._staged_local, self._data.xquat]
        self._launch(state.stage_body_forces, dim, inputs, [self._data.xfrc_applied])

    def _capture(self) -> None:
        """Record both stages as CUDA graphs; a graph costs one launch instead of about 150."""
        saved = [tensor.clone() for tensor in (self.qpos, self.qvel, self._warmstart)]
        with self._on_torch_stream():
            self._position()
            self._step()  # loads the modules, which is not allowed during a capture
        torch.cuda.synchronize(self.device)
        for tensor, value in zip((self.qpos, self.qvel, self._warmstart), saved, strict=True):
            tensor.copy_(value)
        torch.cuda.synchronize(self.device)
        self._position_graph = self._record(self._position)
        self._step_graph = self._record(self._step)
        self._stale = True

    def _record(self, stage: Callable[[], None]) -> wp.Graph:
        with wp.ScopedDevice(self._wp_device), wp.ScopedCapture(device=self._wp_device) as capture:
            stage()
        return capture.graph

    def _run(self, graph: wp.Graph | None, stage: Callable[[], None]) -> None:
        with self._on_torch_stream():
            if graph is None:
                stage()
            else:
                wp.capture_launch(graph)

    def _launch(self, kernel: wp.Kernel, dim: int | tuple[int, ...], inputs: list, outputs: list) -> None:
        with self._on_torch_stream():
            wp.launch(kernel, dim=dim, inputs=inputs, outputs=outputs)

    def _world_ids(self, world_ids: Tensor | None) -> wp.array:
        return self._all_worlds if world_ids is None else wp.from_torch(world_ids)

    @contextmanager
    def _on_torch_stream(self) -> Iterator[None]:
        """Order our kernels with torch's: both go to the stream that torch uses now."""
        if not self._wp_device.is_cuda:
            with wp.ScopedDevice(self._wp_device):
                yield
            return
        stream = wp.stream_from_torch(torch.cuda.current_stream(self.device))
        with wp.ScopedDevice(self._wp_device), wp.ScopedStream(stream, sync_enter=False):
            yield


@wp.kernel(enable_backward=False)
def _sum_contact_forces(
    num_contacts: wp.array(dtype=int),
    contact_world: wp.array(dtype=int),
    contact_geom: wp.array(dtype=wp.vec2i),
    contact_frame: wp.array(dtype=wp.mat33),
    contact_friction: wp.array(dtype=vec5),
    efc_address: wp.array2d(dtype=int),
    efc_force: wp.array2d(dtype=float),
    geom_bodyid: wp.array(dtype=int),
    body_forces: wp.array3d(dtype=float),
):
    """Net contact force per body in world axes, from the four edges of each friction pyramid."""
    contact = wp.tid()
    if contact >= wp.min(num_contacts[0], contact_world.shape[0]):
        return
    first = efc_address[contact, 0]
    if first < 0 or efc_address[contact, 3] < 0:
        return
    world = contact_world[contact]
    f0 = efc_force[world, first]
    f1 = efc_force[world, first + 1]
    f2 = efc_force[world, first + 2]
    f3 = efc_force[world, first + 3]
    friction = contact_friction[contact]
    local = wp.vec3(f0 + f1 + f2 + f3, friction[0] * (f0 - f1), friction[1] * (f2 - f3))
    force = wp.transpose(contact_frame[contact]) * local
    geom = contact_geom[contact]
    for side in range(2):
        sign = wp.where(side == 0, -1.0, 1.0)
        if geom[side] != wp.static(TERRAIN_GEOM):
            row = geom_bodyid[geom[side]] - 1
            for k in range(3):
                wp.atomic_add(body_forces, world, row, k, sign * force[k])
