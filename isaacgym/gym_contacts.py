"""The gym's calls that list contacts one by one, as arrays on the host, and draw them."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from isaacgym.actors import Env
from isaacgym.engine.contacts.listing import GROUND, ContactTable, contact_table
from isaacgym.engine.state import STATE_WIDTH
from isaacgym.gym_host_states import HostStateCalls
from isaacgym.gym_types import StateFlags, Vec2, Vec3
from isaacgym.headless_viewer import Viewer
from isaacgym.simulation import Simulation


class RigidContact:
    """A contact: numbers of envs and of bodies in them, -1 for the ground, and where and how hard they touch.

    `normal` points from the first body to the second, along the world's axes; points are in the bodies' frames, or in
    the env for the ground [m]; `lambda` is the force along the normal, `lambdaFriction` that across it [N]. Offsets,
    overlap at first, and torsion and rolling friction are 0.
    """

    dtype = np.dtype(
        [
            *[(name, "<i4") for name in ("env0", "env1", "body0", "body1")],
            *[(name, Vec3.dtype) for name in ("localPos0", "localPos1")],
            *[(name, "<f4") for name in ("minDist", "initialOverlap")],
            *[(name, Vec3.dtype) for name in ("normal", "offset0", "offset1")],
            ("lambda", "<f4"),
            ("lambdaFriction", np.dtype([(name, "<f4") for name in Vec2._kinds])),
            *[(name, "<f4") for name in ("friction", "torsionFriction", "rollingFriction")],
        ]
    )


class ContactCalls(HostStateCalls):
    """Mixin of `gymapi.Gym`."""

    def get_env_rigid_contacts(self, env: Env) -> np.ndarray:
        """(k,) of RigidContact.dtype, after the last `simulate`; none before the first.

        With MuJoCo Warp they are those at the poses after it, with the forces that the present drives and torques and
        the weight make there. Numbers are on the host: a training reads `acquire_net_contact_force_tensor`.
        """
        contacts = self.get_rigid_contacts(env.sim)
        mine: np.ndarray = contacts[contacts["env1"] == env.index]
        return mine

    def get_rigid_contacts(self, sim: Simulation) -> np.ndarray:
        """As `get_env_rigid_contacts`, of all envs."""
        if sim.frame_count == 0:
            return np.zeros(0, dtype=RigidContact.dtype)
        found = contact_table(sim.running)
        found = found._replace(point=found.point - sim.shifts()[found.world])
        contacts = np.zeros(len(found.world), dtype=RigidContact.dtype)
        contacts["env0"] = contacts["env1"] = found.world
        contacts["body0"], contacts["body1"] = found.bodies.T
        contacts["minDist"], contacts["friction"] = found.distance, found.friction
        contacts["normal"] = _records(found.normal)
        along = (found.force * found.normal).sum(axis=1)
        contacts["lambda"] = along
        across = np.linalg.norm(found.force - along[:, None] * found.normal, axis=1)
        contacts["lambdaFriction"]["x"] = across
        for side in range(2):
            contacts[f"localPos{side}"] = _records(self._local(sim, found, side))
        return contacts

    def _local(self, sim: Simulation, found: ContactTable, side: int) -> np.ndarray:
        """The points in the frames of the bodies of one side."""
        states = self.get_sim_rigid_body_states(sim, StateFlags.STATE_POS)
        poses = states.view("<f4").reshape(-1, STATE_WIDTH)[:, :7]
        bodies = found.bodies[:, side]
        touching = bodies != GROUND
        points = found.point.copy()
        if touching.any():
            first = np.array([env.before.bodies for env in sim.envs])
            rows = first[found.world[touching]] + bodies[touching]
            turns = Rotation.from_quat(poses[rows, 3:])
            points[touching] = turns.inv().apply(points[touching] - poses[rows, :3])
        return points

    def draw_env_rigid_contacts(self, viewer: Viewer | None, env: Env, color: Vec3, scale: float, sync: bool) -> None:
        """A line along the normal at each contact, `scale` long [m], until `clear_lines`."""
        contacts = self.get_env_rigid_contacts(env)
        if viewer is None or len(contacts) == 0:
            return
        found = contact_table(env.sim.running)
        mine = found.world == env.index
        starts = found.point[mine] - env.sim.shifts()[env.index] + env.origin
        ends = np.stack([starts, starts + scale * found.normal[mine]], axis=1)
        viewer.add_lines(ends, np.tile([*color], (len(ends), 1)))


def _records(vectors: np.ndarray) -> np.ndarray:
    """(k, 3) → (k,) of Vec3.dtype."""
    records: np.ndarray = np.ascontiguousarray(vectors, dtype=np.float32).view(Vec3.dtype)[..., 0]
    return records
