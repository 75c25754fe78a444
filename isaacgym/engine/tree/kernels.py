"""The tree engine's kernels: MuJoCo's constraint problem solved per robot, on a CPU and on a GPU.

The formulae are in formulae.py. They are put in order twice: in thread_kernels.py for a CPU and in lane_kernels.py for
a GPU.
"""

import functools
from typing import NamedTuple

import warp as wp

from isaacgym.engine.tree.formulae import tree_functions
from isaacgym.engine.tree.lane_kernels import on_lanes
from isaacgym.engine.tree.thread_kernels import on_a_thread

MAX_REGISTERS = 168  # 12 warps on a processor; 0.31 ms for 4096 robots on an H100, 0.33 with 128 or all 254
MAX_UNROLL = 8  # Warp unrolls loops of up to so many rounds: those over axes, not those over links


class TreeKernels(NamedTuple):
    """Kernels of one robot, and the records in their arguments."""

    step: wp.Kernel
    kinematics: wp.Kernel
    compose: wp.Kernel
    lanes: int  # threads per world of step and kinematics
    scalar: type
    records: object  # Link, Body, Inertia, Settings, Row


class Tree(NamedTuple):
    """The robot: arguments of the kernels. First indices `world` have one row for each world or for all.

    Bodies are counted as MuJoCo does, 0 being the world; fields with its names are its own, quaternions wxyz.
    """

    links: wp.array  # (links,) Link; as many as there are lanes, the last of them empty (level -1)
    bodies: wp.array  # (bodies,) Body
    child: wp.array2d  # (links, most children), -1: none
    children: wp.array  # (levels,) most children of a link on each level
    inertia: wp.array2d  # (worlds, links) Inertia, filled by `compose`
    settings: object
    gravity: wp.array  # (worlds,) vec3
    body_pos: wp.array2d  # (worlds, bodies) vec3; only the root's is read
    body_quat: wp.array2d
    body_ipos: wp.array2d
    body_invweight0: wp.array2d
    dof_invweight0: wp.array2d
    dof_armature: wp.array2d
    dof_frictionloss: wp.array2d


class State(NamedTuple):
    """What changes: arguments of the kernels, (worlds, ...) arrays."""

    qpos: wp.array2d
    qvel: wp.array2d
    qacc: wp.array2d  # in: where the solver starts; out: its result
    qfrc_applied: wp.array2d
    added_inertia: wp.array2d  # of drives, on the diagonal; (worlds, dofs)
    xfrc_applied: wp.array2d  # MuJoCo's order: force, torque about the body's centre of mass


class Contacts(NamedTuple):
    """Contacts of all worlds, chained by link: arguments of `step`."""

    first: wp.array2d  # (worlds, links) first contact of a link; -1: none
    next: wp.array  # the link's next contact; -1: none
    body: wp.array
    dist: wp.array
    pos: wp.array  # world
    frame: wp.array  # rows: normal towards the body, two tangents
    friction: wp.array  # vec5
    solref: wp.array
    solimp: wp.array
    rows: wp.array  # Row, filled and used by `step`
    force: wp.array  # out: on the body, world axes


@functools.cache
def tree_kernels(num_links: int, lanes: int, friction_loss: bool, scalar: type) -> TreeKernels:
    """Build the kernels.

    The step's arguments are those of Tree, State and Contacts, and:
        body_force: out, contact force on each body but the world [N], world axes, (worlds, bodies - 1) vec3.
        iterations: out, of Newton's method, (worlds,).

    Args:
        num_links: at most `lanes` on a GPU.
        lanes: threads of one robot; 1 on a CPU, up to 32 on a GPU, a power of two.
        friction_loss: whether any joint has Coulomb friction.
        scalar: wp.float32 or wp.float64.
    """
    f = tree_functions(friction_loss, scalar)
    kernel = functools.partial(
        wp.kernel,
        module="unique",
        module_options={"max_unroll": MAX_UNROLL},
        enable_backward=False,
        cuda_max_registers=MAX_REGISTERS,
    )
    step, kinematics = on_a_thread(f, num_links, kernel) if lanes == 1 else on_lanes(f, lanes, kernel)
    return TreeKernels(step, kinematics, _compose(f, kernel), lanes, scalar, f)


def _compose(f, kernel) -> wp.Kernel:
    scalar, vec3, quat, rotation = f.scalar, f.vec3, f.quat, f.rotation
    Link, Body, Inertia = f.Link, f.Body, f.Inertia

    @kernel
    def compose(
        links: wp.array(dtype=Link),
        bodies: wp.array(dtype=Body),
        body_ipos: wp.array2d(dtype=vec3),
        body_iquat: wp.array2d(dtype=quat),
        body_mass: wp.array2d(dtype=scalar),
        body_inertia: wp.array2d(dtype=vec3),
        inertia: wp.array2d(dtype=Inertia),
    ):
        """Inertia of each link from those of its bodies, (worlds, links) threads."""
        world, link = wp.tid()
        total = Inertia()
        b = links[link].first_body
        while b > 0:
            body = bodies[b]
            mass = body_mass[world % body_mass.shape[0], b]
            com = body.offset + wp.quat_rotate(body.turn, body_ipos[world % body_ipos.shape[0], b])
            axes = wp.quat_to_matrix(body.turn * rotation(body_iquat[world % body_iquat.shape[0], b]))
            principal = wp.diag(body_inertia[world % body_inertia.shape[0], b])
            cross = wp.skew(com)
            total.mass += mass
            total.moment += mass * com
            total.about += axes * principal * wp.transpose(axes) - mass * (cross * cross)
            b = body.next
        inertia[world, link] = total

    return compose
