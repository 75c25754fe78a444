"""MuJoCo Warp behind the engine seam: N copies of one robot, per-world parameters, contacts with our terrain.

A simulation step is split where Isaac Gym's tensors need it. `_position` computes everything that depends on the state
alone (kinematics, inertia, contacts, constraints, bias forces). `_step` takes torques and forces, solves, integrates,
and then runs the position stage of the new state, so body poses after the step cost nothing extra. Only a changed state
or parameter makes the position stage run again first.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

import mujoco
import mujoco_warp as mjw
import numpy as np
import torch
import warp as wp
from scipy.spatial.transform import Rotation
from torch import Tensor

from isaacgym.assets.description import RobotDescription
from isaacgym.engine import state
from isaacgym.engine.contacts.contact_list import contact_list
from isaacgym.engine.contacts.forces import BodyPoses, ForceSensors, read_contacts, sum_contact_forces
from isaacgym.engine.contacts.several_grounds import ground_contacts
from isaacgym.engine.drives import DofParameters, Drives, Springs
from isaacgym.engine.launch import launch
from isaacgym.engine.model import compiled
from isaacgym.engine.mujoco.newton import MAX_DENSE, NewtonSolver, SparseSolver
from isaacgym.engine.mujoco.self_collision import (
    EXTRA_CONTACTS,
    detect_self_contacts,
    drop_static_contacts,
    place_static_geoms,
)
from isaacgym.engine.options import EngineOptions
from isaacgym.engine.state_calls import StateCalls, listed
from isaacgym.engine.streams import on_torch_stream
from isaacgym.engine.terrain import Grounds, Terrain
from isaacgym.engine.variants import SIZES, Variants

FREE_QPOS, FREE_QVEL = 7, 6  # coordinates of a floating base; a fixed one has none
LIMIT_ROWS = 1  # constraint rows of a joint at its limit
CONTACT_ROWS = 4  # edges of the friction pyramid
OVERFLOWS = mjw.OverflowType.NEFC | mjw.OverflowType.NARROWPHASE
PER_WORLD_FIELDS = (
    *("body_mass", "body_inertia", "body_ipos", "body_iquat"),
    *("body_subtreemass", "body_invweight0", "dof_invweight0"),
)
NO_CAPACITY = {"naconmax": 1, "njmax": 1}  # contacts and rows, for an engine that keeps its own
FIXED_BASE_FIELDS = ("body_pos", "body_quat")


class Engine(StateCalls):
    """N worlds with one robot each, on one device.

    Torch views of the simulator's own memory, valid for the engine's lifetime:
        qpos (n, 7 + num_dofs), qvel (n, 6 + num_dofs): MuJoCo's coordinates; use the set_* methods to change them.
            A fixed base has no coordinates: (n, num_dofs) both.
        torques (n, num_dofs): joint torques of the next steps [N·m].
        contact_forces (n, num_bodies, 3): net contact force on each body in the last step, world axes [N].
        friction, restitution (n, num_shapes): coefficients of the robot's shapes, averaged with the terrain's.
    """

    solves_in_mujoco = True  # MuJoCo Warp finds and stores the constraints

    def __init__(
        self,
        robot: RobotDescription,
        terrain: Terrain | Grounds,
        num_worlds: int,
        dt: float,
        device: str,
        gravity: tuple[float, float, float] = (0.0, 0.0, -9.81),
        options: EngineOptions | None = None,
        dofs: DofParameters | None = None,
        variants: Variants | None = None,
    ) -> None:
        """
        dofs: joint properties, kept and updated in place; None for plain joints that obey `torques`.
        variants: robots of other sizes, of which `robot` is the first; None: all worlds have the same.
        """
        options = options or EngineOptions()
        self.robot = robot
        self.num_worlds = num_worlds
        self.dt = dt
        self.device = device
        self.fixed_base = options.fixed_base
        self._variants = variants
        self._self_collision = options.self_collision
        self.mj_model = compiled(robot, dt, gravity, options)
        self._find_dofs()
        # no joint has MuJoCo's own damping (see drives.py), so Euler need not solve for it a second time
        self.mj_model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_EULERDAMP)
        # MuJoCo Warp then collides boxes with boxes as C MuJoCo does, which is faster than its general convex shapes
        self.mj_model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_NATIVECCD)
        self.mj_model.opt.iterations = options.iterations
        self.mj_model.opt.ls_iterations = options.ls_iterations
        self.mj_model.opt.tolerance = options.tolerance
        kind = mujoco.mjtJacobian
        self.mj_model.opt.jacobian = kind.mjJAC_SPARSE if self.mj_model.nv > MAX_DENSE else kind.mjJAC_DENSE
        self._wp_device = wp.get_device(device)
        with wp.ScopedDevice(self._wp_device):
            self._allocate(options, dofs)
            self._terrain_contacts = ground_contacts(
                self.mj_model,
                terrain,
                num_worlds,
                self._friction,
                self._restitution,
                options.max_depenetration_velocity,
                options.deterministic,
                variants,
            )
        self._step_graph: wp.Graph | None = None
        self._position_graph: wp.Graph | None = None
        self._stale = True  # the state or a parameter changed since the last position stage
        self._forces_staged = False
        self.update_dofs()

    def _needs_drives(self, dofs: DofParameters) -> bool:
        return dofs.needs_drives

    def _find_dofs(self) -> None:
        """Where the DOFs are among MuJoCo's positions and velocities; slices give views."""
        self._first_qpos, self._first_qvel = (0, 0) if self.fixed_base else (FREE_QPOS, FREE_QVEL)
        self._dof_qpos, self._dof_qvel = slice(self._first_qpos, None), slice(self._first_qvel, None)

    def _allocate(self, options: EngineOptions, dofs: DofParameters | None) -> None:
        model, n = self.mj_model, self.num_worlds
        extra = EXTRA_CONTACTS if options.self_collision else 0
        rows = LIMIT_ROWS * int(model.jnt_limited.sum() + model.tendon_limited.sum()) + model.neq
        rows += int((model.tendon_frictionloss > 0.0).sum())
        self._dof_fields = []
        if dofs is not None:
            self._dof_fields = [
                (field, values)
                for field, values in (("dof_armature", dofs.armature), ("dof_frictionloss", dofs.friction))
                if values.any()
            ]
            rows += model.nv if dofs.friction.any() else 0
            for field, values in self._dof_fields:
                getattr(model, field)[self._dof_qvel] = values.amax(dim=0).cpu()
            mujoco.mj_setConst(model, mujoco.MjData(model))
        fields = [*PER_WORLD_FIELDS, *(field for field, _ in self._dof_fields)]
        fields += FIXED_BASE_FIELDS if self.fixed_base else ()
        sizes = SIZES if self._variants is not None else ()
        self._model = mjw.put_model(model, batch_sizes=dict.fromkeys((*fields, *sizes), n))
        for field in sizes:
            assert self._variants is not None
            values = wp.to_torch(getattr(self._model, field))
            values.copy_(torch.from_numpy(self._variants.values(field)).view(values.shape))
        self._model.opt.run_collision_detection = False
        # contacts with the terrain come from the bodies' poses
        self._posed_model = self._model if options.self_collision else replace(self._model, ngeom=0)
        self._model.opt.warn_overflow = 0  # counted by overflow_count(), not printed by the device
        capacity = {
            "naconmax": max(n * (options.contacts_per_world + extra), options.max_contacts + extra),
            "njmax": CONTACT_ROWS * (options.max_contacts + extra) + rows,
        }
        self._data = mjw.make_data(model, nworld=n, **(capacity if self.solves_in_mujoco else NO_CAPACITY))
        data = self._data
        self._drives = None
        joints = self.robot.dofs
        springs = Springs(
            torch.tensor([joint.stiffness for joint in joints], dtype=torch.float, device=self.device),
            torch.tensor([joint.spring_rest for joint in joints], dtype=torch.float, device=self.device),
        )
        if dofs is not None and (self._needs_drives(dofs) or springs.stiffness.any()):
            index = (torch.arange(count, dtype=torch.int32, device=self.device) for count in (model.nq, model.nv))
            of_dofs = zip(index, (self._dof_qpos, self._dof_qvel), strict=True)
            qpos_of, qvel_of = (numbers[of].contiguous() for numbers, of in of_dofs)
            self._drives = Drives(dofs, springs, data, qpos_of, qvel_of)
        self._force_sensors: ForceSensors | None = None
        self.qpos, self.qvel = wp.to_torch(data.qpos), wp.to_torch(data.qvel)
        self._applied = wp.to_torch(data.qfrc_applied)[:, self._dof_qvel]
        self.torques = self._applied if self._drives is None else self._drives.torques
        self._body_forces = wp.to_torch(data.xfrc_applied)
        self._warmstart = wp.to_torch(data.qacc_warmstart)
        self._acceleration = wp.to_torch(data.qacc)
        self._overflow = torch.zeros(n, dtype=torch.int, device=self.device)  # steps of each world without room
        self._overflow_steps = wp.from_torch(self._overflow)
        self._body_com = wp.to_torch(self._model.body_ipos)
        self._body_quat = wp.to_torch(data.xquat)
        motion = (self._model.body_rootid, data.xpos, data.xquat, data.xipos, data.cvel, data.subtree_com)
        self._body_motion = [wp.to_torch(values) for values in motion]
        num_bodies = len(self.robot.bodies)
        self.contact_forces = torch.zeros(n, num_bodies, 3, device=self.device)
        self.friction = torch.ones(n, model.ngeom - 1, device=self.device)
        self.restitution = torch.zeros(n, model.ngeom - 1, device=self.device)
        self._contact_forces = wp.from_torch(self.contact_forces)
        self._each_contact_force = wp.empty(data.naconmax, dtype=wp.vec3)
        self._friction, self._restitution = wp.from_torch(self.friction), wp.from_torch(self.restitution)
        self._contacts = contact_list(data)
        solver = SparseSolver if model.nv > MAX_DENSE else NewtonSolver  # the latter wants a dense Jacobian
        self._solver = solver(model, self._model, data) if self.solves_in_mujoco and model.nv else None
        self._all_worlds = torch.arange(n, dtype=torch.int, device=self.device)
        # what `apply_body_forces` leaves for the next step; zero otherwise
        self._staged_forces, self._staged_torques = torch.zeros(2, n, num_bodies, 3, device=self.device)
        self._staged_local = torch.zeros(1, dtype=torch.int, device=self.device)

    # ---- parameters ----------------------------------------------------------------------------------------------

    def set_body_properties(self, mass: Tensor, com: Tensor, inertia: Tensor) -> None:
        """Per-world bodies.

        Args:
            mass: [kg], (n, num_bodies).
            com: centre of mass in each body's frame [m], (n, num_bodies, 3).
            inertia: about the centre of mass, body axes [kg·m²], (n, num_bodies, 3, 3).
        """
        moments, axes = torch.linalg.eigh(inertia.double().cpu())
        axes[..., 0] *= torch.linalg.det(axes)[..., None]  # right-handed
        turns = Rotation.from_matrix(axes.view(-1, 3, 3).numpy()).as_quat(scalar_first=True)
        turns = torch.from_numpy(turns).view(*mass.shape, 4)
        wp.to_torch(self._model.body_mass)[:, 1:] = mass
        wp.to_torch(self._model.body_ipos)[:, 1:] = com
        wp.to_torch(self._model.body_inertia)[:, 1:] = moments.float().to(self.device)
        wp.to_torch(self._model.body_iquat)[:, 1:] = turns.float().to(self.device)
        with self._on_torch_stream():
            mjw.set_const(self._model, self._data)
        self._stale = True

    def update_dofs(self) -> None:
        """Take over changed numbers of the DOF parameters given at construction."""
        for field, values in self._dof_fields:
            wp.to_torch(getattr(self._model, field))[:, self._dof_qvel] = values
        if self._dof_fields:
            with self._on_torch_stream():
                mjw.set_const(self._model, self._data)
        self._stale = True

    def set_targets(self, positions: Tensor | None, velocities: Tensor | None, world_ids: Tensor | None = None) -> None:
        """Targets of the drives, (n, num_dofs) each, copied; None leaves them. world_ids: None for all worlds."""
        if self._drives is None:
            return
        drives = self._drives
        for own, given in ((drives.position_targets, positions), (drives.velocity_targets, velocities)):
            if given is not None:
                rows = None if world_ids is None else listed(world_ids, self.num_worlds)[:, None]
                own.copy_(given if rows is None else torch.where(rows, given, own))

    def set_gravity(self, gravity: tuple[float, float, float]) -> None:
        """[m/s²], world; from the next step on."""
        values = torch.tensor(gravity, dtype=torch.float, device=self.device)
        wp.to_torch(self._model.opt.gravity).copy_(values.expand(self._model.opt.gravity.shape[0], 3))
        self._stale = True

    def add_force_sensors(self, bodies: list[int], poses: Tensor, world_axes: list[bool]) -> Tensor:
        """Before the first step. Returns their wrenches in the last step, see `ForceSensors`."""
        self._force_sensors = ForceSensors(bodies, poses, world_axes, self.num_worlds, self.device)
        return self._force_sensors.wrenches

    @property
    def wrenches(self) -> Tensor | None:
        """Of the force sensors, if there are any."""
        return None if self._force_sensors is None else self._force_sensors.wrenches

    def set_material(self, friction: Tensor, restitution: Tensor) -> None:
        """Coefficients of the shapes of each world's robot, (n,) or (n, num_shapes)."""
        for own, given in ((self.friction, friction), (self.restitution, restitution)):
            own.copy_(given.view(len(own), -1).expand_as(own))
        self._stale = True

    def overflow_count(self) -> Tensor:
        """Steps with more contacts or constraints than there was room for, of all worlds since the start, 0-d."""
        return self._overflow.sum()

    # ---- all of the state, see snapshot.py ---------------------------------------------------------------------------

    def state_tensors(self) -> dict[str, Tensor]:
        """Live tensors, by name, of all that a step depends on and that changes after construction.

        A subclass adds what it keeps itself. After writing into them: `state_changed`.
        """
        own = ("qpos", "qvel", "torques", "contact_forces", "friction", "restitution")
        tensors = {name: getattr(self, name) for name in own}
        hidden = ("warmstart", "overflow", "staged_forces", "staged_torques", "staged_local")
        tensors |= {name: getattr(self, f"_{name}") for name in hidden}
        fields = [*PER_WORLD_FIELDS, *(FIXED_BASE_FIELDS if self.fixed_base else ())]
        tensors |= {field: wp.to_torch(getattr(self._model, field)) for field in fields}
        tensors |= {field: wp.to_torch(getattr(self._model, field)) for field, _ in self._dof_fields}
        tensors |= {f"dofs.{field}": values for field, values in self._dof_fields}
        tensors["gravity"] = wp.to_torch(self._model.opt.gravity)
        if self._drives is not None:
            drives, parameters = self._drives, self._drives.parameters
            tensors |= {name: getattr(drives, name) for name in ("position_targets", "velocity_targets", "inertia")}
            tensors |= {name: getattr(parameters, name) for name in ("mode", "stiffness", "damping", "effort")}
        if self._force_sensors is not None:
            tensors["wrenches"] = self._force_sensors.wrenches
        return tensors

    def state_changed(self) -> None:
        """Before the next step, compute anew what follows from the state, and act on forces that wait for it.

        A recording of steps as a CUDA graph has to begin with this: whatever happens before a replay then counts.
        """
        self._stale = True
        self._forces_staged = True

    # ---- stepping ------------------------------------------------------------------------------------------------

    def step(self, substeps: int = 1, push: Callable[[Tensor], None] | None = None) -> None:
        """Advance all worlds by substeps · dt; `contact_forces` is the mean over the sub-steps.

        push: adds, ahead of each sub-step, to what acts on the bodies' centres of mass, (n, 1 + num_bodies, 6): forces
            [N] and torques [N·m], world axes; MuJoCo's world is row 0.
        """
        if not self.mj_model.nv:  # nothing can move
            self._update_position()
            return
        if self._step_graph is None and self._can_record and not self.is_recorded:
            self._capture()
        self._update_position()
        if self._forces_staged:
            self._stage_forces()
        staged = None if push is None else self._body_forces.clone()

        def advance() -> None:
            if push is not None:
                self._body_forces.copy_(staged)
                push(self._body_forces)
            self._run(self._step_graph, self._step)

        advance()
        if substeps > 1:
            reports = [self.contact_forces]
            reports += [] if self._force_sensors is None else [self._force_sensors.wrenches]
            means = [report / substeps for report in reports]
            for _ in range(substeps - 1):
                advance()
                for mean, report in zip(means, reports, strict=True):
                    mean += report / substeps
            for mean, report in zip(means, reports, strict=True):
                report.copy_(mean)
        if self._forces_staged or push is not None:
            for forces in (self._body_forces, self._staged_forces, self._staged_torques):
                forces.zero_()
            self._forces_staged = False

    @property
    def is_recorded(self) -> bool:
        """Others record what we launch now as a CUDA graph."""
        return self._wp_device.is_cuda and torch.cuda.is_current_stream_capturing()

    def _update_position(self) -> None:
        if self._stale:
            self._run(self._position_graph, self._position)
            self._stale = False

    def _update_inertia(self) -> None:
        """Have `cdof` and `M` of the current state in MuJoCo Warp's data."""
        self._update_position()

    def compile(self) -> None:
        """Load or compile all kernels by stepping once, and put the state back: poses as placed, and no contacts."""
        saved = self.qpos.clone(), self.qvel.clone()
        self.step()
        self.qpos.copy_(saved[0])
        self.qvel.copy_(saved[1])
        for past in (self._warmstart, self.contact_forces, self._overflow):
            past.zero_()
        if self._force_sensors is not None:
            self._force_sensors.wrenches.zero_()
        self._stale = True
        self._update_position()
        if self._wp_device.is_cuda:
            wp.synchronize_device(self._wp_device)

    def _position(self) -> None:
        """All that follows from positions and velocities, contacts included."""
        m, d = self._model, self._data
        mjw.kinematics(self._posed_model, d)
        mjw.com_pos(m, d)
        if not self.mj_model.nv:
            return
        mjw.crb(m, d)
        if self.mj_model.ntendon:
            mjw.tendon(m, d)
        if self._self_collision:
            if self.fixed_base:
                place_static_geoms(m, d)
            detect_self_contacts(m, d, self._friction)
        else:
            d.nacon.zero_()
        self._terrain_contacts.detect(d.xpos, d.xquat, self._contacts)
        if self.fixed_base:
            drop_static_contacts(m, d)
        mjw.make_constraint(m, d)
        if self.mj_model.ntendon:
            mjw.fwd_velocity(m, d)  # all of the below, with the tendons' velocities, which springs and dampers want
            return
        mjw.com_vel(m, d)
        if self.mj_model.ngravcomp:
            mjw.passive(m, d)
        mjw.rne(m, d)

    def _step(self) -> None:
        """Solve and integrate, then the position stage of the new state."""
        m, d = self._model, self._data
        if self._drives is not None:
            self._drives.apply(m, d)
            self._drives.stiffen(m, d)
        self._solver.solve()
        contacts = read_contacts(d, self._each_contact_force)
        sum_contact_forces(contacts, m.geom_bodyid, self._contact_forces)
        if self._force_sensors is not None:
            self._force_sensors.read(contacts, m.geom_bodyid, BodyPoses(d.xpos, d.xquat))
        mjw.euler(m, d)
        wp.launch(_count_overflows, dim=d.nworld, inputs=[d.overflow], outputs=[self._overflow_steps])
        self._position()

    def _stage_forces(self) -> None:
        inputs = [self._staged_forces, self._staged_torques, self._staged_local, self._body_quat]
        launch(state.stage_body_forces, self._staged_forces.shape[:2], inputs, [self._body_forces])

    @property
    def dof_columns(self) -> np.ndarray:
        """MuJoCo's velocity of each DOF, (num_dofs,)."""
        return np.arange(self.mj_model.nv)[self._dof_qvel]

    @property
    def _can_record(self) -> bool:
        """On a CPU, Warp replays its many small launches 30 to 120 times faster than Python makes them."""
        return self._wp_device.is_cuda or self.solves_in_mujoco

    def _capture(self) -> None:
        """Record both stages as graphs; a graph costs one launch instead of about 150."""
        saved = [tensor.clone() for tensor in (self.qpos, self.qvel, self._warmstart)]
        with self._on_torch_stream():
            self._position()
            self._step()  # loads the modules, which is not allowed during a capture
        wp.synchronize_device(self._wp_device)
        for tensor, value in zip((self.qpos, self.qvel, self._warmstart), saved, strict=True):
            tensor.copy_(value)
        wp.synchronize_device(self._wp_device)
        self._position_graph = self._record(self._position)
        self._step_graph = self._record(self._step)
        self._stale = True

    def _record(self, stage: Callable[[], None]) -> wp.Graph:
        with wp.ScopedDevice(self._wp_device), wp.ScopedCapture(device=self._wp_device) as capture:
            stage()
        return capture.graph

    def _run(self, graph: wp.Graph | None, stage: Callable[[], None]) -> None:
        with self._on_torch_stream():
            if self.is_recorded:
                with wp.ScopedCapture(external=True, force_module_load=False, capture_mode=wp.CaptureMode.GLOBAL):
                    stage()  # Warp has to know, because MuJoCo Warp allocates memory
            elif graph is None:
                stage()
            else:
                wp.capture_launch(graph)

    def _on_torch_stream(self) -> AbstractContextManager[None]:
        return on_torch_stream(self._wp_device)


@wp.kernel(enable_backward=False)
def _count_overflows(flags: wp.array(dtype=int), steps: wp.array(dtype=int)):
    world = wp.tid()
    if (flags[world] & wp.static(int(OVERFLOWS))) != 0:
        steps[world] = steps[world] + 1
    flags[world] = 0
