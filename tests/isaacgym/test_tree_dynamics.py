"""The tree engine's kernel against C MuJoCo: accelerations, forces and one step, for the same contacts."""

from __future__ import annotations

from typing import NamedTuple

import mujoco
import numpy as np
import pytest
import warp as wp
from scipy.spatial.transform import Rotation

from isaacgym import gymapi
from isaacgym.assets.urdf import load_urdf
from isaacgym.engine.model import CONTACT_SOLIMP, build_spec
from isaacgym.engine.tree.engine import BODY_FIELDS, kernels_for
from isaacgym.engine.tree.formulae import tree_functions
from isaacgym.engine.tree.kernels import Contacts, State
from isaacgym.engine.tree.robot import TREE_FIELDS, Solver, find_links, make_tree
from tests.isaacgym.worlds import ALIENGO

DT = 0.005
STATES = 200
ACCELERATION = {wp.float64: 1e-8, wp.float32: 1e-4}  # relative to the largest of a state
FORCE = {wp.float64: 1e-8, wp.float32: 1e-2}


class Case(NamedTuple):
    """Random states of a robot on a plane and what C MuJoCo makes of them; first index: state."""

    model: mujoco.MjModel
    qpos: np.ndarray
    qvel: np.ndarray
    torques: np.ndarray
    pushes: np.ndarray  # xfrc_applied
    contacts: list  # (state, body, dist, pos, frame, friction, solref, solimp)
    qacc: np.ndarray
    body_force: np.ndarray  # (states, bodies, 3)
    next_qpos: np.ndarray
    next_qvel: np.ndarray


def limits(model: mujoco.MjModel) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of qpos within all joint limits."""
    low, high = np.full(model.nq, -np.inf), np.full(model.nq, np.inf)
    for joint in np.flatnonzero(model.jnt_limited):
        low[model.jnt_qposadr[joint]], high[model.jnt_qposadr[joint]] = model.jnt_range[joint] * 0.99
    return low, high


def solve_with_mujoco(model: mujoco.MjModel, states: int, seed: int, height: float, tilt: float = 0.5) -> Case:
    """tilt: deviation of the base's rotation vector from upright [rad]."""
    rng = np.random.default_rng(seed)
    model.opt.tolerance = 0.0
    model.opt.iterations = 100
    model.opt.ls_iterations = 200
    model.opt.ls_tolerance = 1e-12
    model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_EULERDAMP
    data = mujoco.MjData(model)
    rows = []
    contacts = []
    for state in range(states):
        mujoco.mj_resetData(model, data)
        for joint in range(model.njnt):
            address = model.jnt_qposadr[joint]
            if model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_FREE:
                data.qpos[:3] = rng.uniform(-5, 5, 2).tolist() + [height * rng.uniform(0.5, 1.2)]
                turn = Rotation.from_rotvec(rng.normal(0, tilt, 3)) * Rotation.from_euler("z", rng.uniform(0, 6.28))
                data.qpos[3:7] = turn.as_quat(scalar_first=True)
            else:
                low, high = model.jnt_range[joint] if model.jnt_limited[joint] else (-1.5, 1.5)
                data.qpos[address] = rng.uniform(low - 0.05, high + 0.05)
        data.qvel[:] = rng.normal(0, 2, model.nv)
        data.qfrc_applied[:] = rng.normal(0, 10, model.nv)
        data.xfrc_applied[1:] = rng.normal(0, 20, (model.nbody - 1, 6))
        model.geom_friction[1:, 0] = rng.uniform(0.1, 1.5, model.ngeom - 1)
        inputs = [data.qpos.copy(), data.qvel.copy(), data.qfrc_applied.copy(), data.xfrc_applied.copy()]
        mujoco.mj_forward(model, data)
        forces = np.zeros((model.nbody, 3))
        for index, contact in enumerate(data.contact):
            assert model.geom_bodyid[contact.geom[0]] == 0  # the ground
            body = model.geom_bodyid[contact.geom[1]]
            force = np.zeros(6)
            mujoco.mj_contactForce(model, data, index, force)
            forces[body] += contact.frame.reshape(3, 3).T @ force[:3]
            values = [contact.dist, contact.pos, contact.frame.reshape(3, 3), contact.friction]
            contacts.append((state, body, *(np.copy(v) for v in (*values, contact.solref, contact.solimp))))
        qacc = data.qacc.copy()
        mujoco.mj_Euler(model, data)
        rows.append([*inputs, qacc, forces[1:], data.qpos.copy(), data.qvel.copy()])
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    return Case(model, *columns[:4], contacts, *columns[4:])


def step_tree(case: Case, scalar: type, device: str = "cpu", lanes: int = 1) -> dict[str, np.ndarray]:
    """The kernel's answer for all states of a case at once."""
    model, n = case.model, len(case.qpos)
    number = np.float64 if scalar is wp.float64 else np.float32
    has_loss = bool((model.dof_frictionloss > 0).any())
    kernels = kernels_for(model, lanes, has_loss, scalar)
    vec = {k: wp.types.vector(k, scalar) for k in (2, 3, 5)}
    quat, mat33 = (wp.quatd, wp.mat33d) if scalar is wp.float64 else (wp.quatf, wp.mat33f)
    vec6 = wp.spatial_vectord if scalar is wp.float64 else wp.spatial_vectorf

    def array(values, dtype, shape=None):
        return wp.array(np.ascontiguousarray(values, dtype=number), dtype=dtype, shape=shape)

    types = {"body_pos": vec[3], "body_ipos": vec[3], "body_inertia": vec[3], "body_quat": quat, "body_iquat": quat}
    types["body_invweight0"] = vec[2]
    tolerance = 1e-16 if scalar is wp.float64 else 1e-9
    with wp.ScopedDevice(device):
        fields = {
            name: array(getattr(model, name)[None], types.get(name, scalar)) for name in {*TREE_FIELDS, *BODY_FIELDS}
        }
        parameters = {name: fields[name] for name in TREE_FIELDS}
        parameters["gravity"] = array(model.opt.gravity[None], vec[3])
        tree = make_tree(kernels, model, parameters, Solver(100, 200, tolerance))
        state = State(
            *(array(values, scalar) for values in (case.qpos, case.qvel, np.zeros_like(case.qvel), case.torques)),
            added_inertia=wp.zeros((1, model.nv), dtype=scalar),
            xfrc_applied=array(case.pushes, vec6),
        )
        link = find_links(model).of_body
        first, following = np.full((n, tree.links.size), -1), np.full(max(len(case.contacts), 1), -1)
        for index, (world, body, *_) in enumerate(case.contacts):
            following[index], first[world, link[body]] = first[world, link[body]], index
        columns = [np.array(column) for column in zip(*case.contacts, strict=True)] or [np.zeros(0)] * 8
        kinds = (scalar, vec[3], mat33, vec[5], vec[2], vec[5])
        contacts = Contacts(
            *(wp.array(values, dtype=int) for values in (first, following, columns[1])),
            *(array(values, kind) for values, kind in zip(columns[2:], kinds, strict=True)),
            rows=wp.zeros(len(following), dtype=kernels.records.Row),
            force=wp.zeros(len(following), dtype=vec[3]),
        )
        body_force, iterations = wp.zeros((n, model.nbody - 1), dtype=vec[3]), wp.zeros(n, dtype=int)
        inputs = [tree.links, tree.bodies, *(fields[name] for name in BODY_FIELDS), tree.inertia]
        wp.launch(kernels.compose, dim=tree.inertia.shape, inputs=inputs)
        inputs = [*tree, *state, *contacts, body_force, iterations]
        wp.launch(kernels.step, dim=n * lanes, inputs=inputs, block_dim=64)
    results = {"qpos": state.qpos, "qvel": state.qvel, "qacc": state.qacc, "body_force": body_force}
    return {name: values.numpy() for name, values in {**results, "iterations": iterations}.items()}


def aliengo(native_ground: bool = True, fixed_base: bool = False) -> mujoco.MjModel:
    description = load_urdf(ALIENGO, gymapi.AssetOptions(replace_cylinder_with_capsule=True))
    return build_spec(description, DT, native_ground=native_ground, fixed_base=fixed_base).compile()


def aliengo_with_dry_joints() -> mujoco.MjModel:
    """Coulomb friction and rotor inertia in the joints, armature in some."""
    model = aliengo()
    model.dof_frictionloss[6:] = np.linspace(0.1, 2.0, 12)
    model.dof_armature[6::2] = 0.02
    mujoco.mj_setConst(model, mujoco.MjData(model))
    return model


class Limb(NamedTuple):
    """A chain of capsules; each joint turns about one axis letter of its body, or slides along it in lower case."""

    at: tuple[float, float, float]
    axes: str
    length: float  # of the whole chain [m]
    mass: float  # [kg]
    down: float  # direction along z
    children: tuple = ()  # at the chain's end


def robot(mass: float, limbs: list[Limb]) -> mujoco.MjModel:
    """A floating box with limbs, on the plane of the simulator's own models."""
    spec = mujoco.MjSpec()
    spec.option.timestep = DT
    spec.compiler.degree = False
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 1], conaffinity=0, contype=1)
    contact = {"contype": 0, "conaffinity": 1, "solref": [2 * DT, 1.0], "solimp": CONTACT_SOLIMP, "priority": 1}
    base = spec.worldbody.add_body(name="base", ipos=[0.01, -0.02, 0.03], mass=mass, explicitinertial=True)
    base.fullinertia = [0.05 * mass, 0.04 * mass, 0.03 * mass, 0.002 * mass, 0.003 * mass, -0.001 * mass]
    base.add_freejoint()
    base.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.1, 0.12, 0.15], density=0, **contact)

    def grow(parent: mujoco.MjsBody, limb: Limb) -> None:
        segment = limb.length / len(limb.axes)
        at = list(limb.at)
        for letter in limb.axes:
            share = limb.mass / len(limb.axes)
            parent = parent.add_body(pos=at, mass=share, explicitinertial=True)
            parent.ipos = [0.003, 0.002, limb.down * 0.4 * segment]
            parent.inertia = np.array([0.02, 0.03, 0.01]) * share
            kind = mujoco.mjtJoint.mjJNT_SLIDE if letter.islower() else mujoco.mjtJoint.mjJNT_HINGE
            axis = np.eye(3)["xyz".index(letter.lower())]
            parent.add_joint(type=kind, axis=axis, limited=True, range=[-0.3, 0.3] if letter.islower() else [-1.2, 1.0])
            end = [0, 0, limb.down * segment]
            parent.add_geom(
                type=mujoco.mjtGeom.mjGEOM_CAPSULE, size=[0.03, 0, 0], fromto=[0, 0, 0, *end], density=0, **contact
            )
            at = end
        for child in limb.children:
            grow(parent, child._replace(at=tuple(np.add(at, child.at))))

    for limb in limbs:
        grow(base, limb)
    return spec.compile()


def biped() -> mujoco.MjModel:
    """10 DOF."""
    return robot(8.0, [Limb((0.0, side * 0.1, -0.15), "ZXYYY", 0.8, 4.0, -1.0) for side in (-1, 1)])


def humanoid() -> mujoco.MjModel:
    """29 DOF: legs of 6, a waist of 3, arms of 7 at its end."""
    legs = [Limb((0.0, side * 0.1, -0.15), "YXZYYX", 0.9, 9.0, -1.0) for side in (-1, 1)]
    arms = tuple(Limb((0.0, side * 0.2, 0.0), "YXZYZYX", 0.6, 4.0, -1.0) for side in (-1, 1))
    return robot(10.0, [*legs, Limb((0.0, 0.0, 0.15), "ZXY", 0.4, 8.0, 1.0, arms)])


def crane() -> mujoco.MjModel:
    """Hinges and slides."""
    return robot(10.0, [Limb((0.1, 0.0, -0.1), "Zyx", 0.5, 3.0, -1.0), Limb((-0.1, 0.0, -0.1), "yZ", 0.4, 2.0, -1.0)])


def shouldered() -> mujoco.MjModel:
    """Bodies with up to three joints beside their origins, and bodies without, all of which touch the ground."""
    contact = f'contype="0" conaffinity="1" solref="{2 * DT} 1" solimp="{" ".join(map(str, CONTACT_SOLIMP))}"'
    arm = """
      <body pos="0 {side} -.1" euler="20 0 10">
        <joint axis="0 0 1" pos=".01 .02 .03"/><joint axis="0 1 0" range="-90 90" pos="0 .04 0"/>
        <joint axis="1 1 0" type="slide" range="-.1 .1"/>
        <geom type="capsule" fromto="0 0 0 .3 0 .02" size=".04"/>
        <body pos=".3 0 0" euler="0 40 0"><geom type="sphere" size=".05" pos=".02 0 .01"/>
          <body pos=".05 .01 0" euler="0 30 0">
            <joint axis="0 1 0" range="-40 40"/><joint axis="0 0 1" pos="0 0 .02"/>
            <geom type="box" size=".06 .04 .04" pos=".06 0 0"/></body></body></body>"""
    return mujoco.MjModel.from_xml_string(
        f'''<mujoco><option timestep="{DT}"/><default><geom {contact} priority="1" condim="3"/></default><worldbody>
          <geom type="plane" size="0 0 1" contype="1" conaffinity="0" priority="0"/>
          <body><freejoint/><geom type="box" size=".1 .15 .1" mass="5"/>{arm.format(side=0.2)}{arm.format(side=-0.2)}
          </body></worldbody></mujoco>'''
    )


ROBOTS = {
    "shouldered": (shouldered, 0.4),
    "aliengo": (aliengo, 0.4),
    "aliengo_with_dry_joints": (aliengo_with_dry_joints, 0.4),
    "biped": (biped, 0.8),
    "humanoid": (humanoid, 0.9),
    "crane": (crane, 0.4),
}


def relative(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Largest error of each state, relative to the state's largest number."""
    axes = tuple(range(1, expected.ndim))
    return np.abs(found - expected).max(axis=axes) / np.maximum(np.abs(expected).max(axis=axes), 1.0)


@pytest.mark.parametrize("scalar", [wp.float64, wp.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", ROBOTS)
def test_accelerations_and_contact_forces_are_mujocos(name, scalar):
    make, height = ROBOTS[name]
    case = solve_with_mujoco(make(), STATES, 1, height)
    assert len(case.contacts) > STATES
    found = step_tree(case, scalar)
    assert relative(found["qacc"], case.qacc).max() < ACCELERATION[scalar]
    assert relative(found["body_force"], case.body_force).max() < FORCE[scalar]


@pytest.mark.parametrize("name", ["aliengo", "crane"])
def test_single_precision_suffices_for_robots_that_have_fallen(name):
    """On their sides and backs, few contacts with all of their weight make the base stiff in some directions only."""
    make, height = ROBOTS[name]
    case = solve_with_mujoco(make(), 1000, 11, 0.5 * height, tilt=3.0)
    found = step_tree(case, wp.float32)
    assert relative(found["qacc"], case.qacc).max() < ACCELERATION[wp.float32]


def test_a_step_ends_where_mujocos_euler_ends():
    case = solve_with_mujoco(aliengo(), 50, 2, 0.4)
    found = step_tree(case, wp.float64)
    assert found["qvel"] == pytest.approx(case.next_qvel, abs=1e-8)
    assert found["qpos"] == pytest.approx(case.next_qpos, abs=1e-10)


@pytest.mark.parametrize("name", ["aliengo", "humanoid", "crane", "shouldered"])
def test_inverse_inertia_and_bias_force_are_mujocos(name):
    """In the air qacc = M⁻¹ (force - bias): unit forces give the columns of M⁻¹, no force the bias."""
    model = ROBOTS[name][0]()
    air = solve_with_mujoco(model, 1, 3, 50.0)
    assert not air.contacts
    data = mujoco.MjData(model)
    data.qpos[:], data.qvel[:] = np.clip(air.qpos[0], *limits(model)), air.qvel[0]
    mujoco.mj_forward(model, data)
    forces = np.vstack([np.zeros(model.nv), np.eye(model.nv)])
    rows = len(forces)
    still = np.zeros((rows, model.nbody, 6))
    case = air._replace(
        qpos=np.tile(data.qpos, (rows, 1)), qvel=np.tile(data.qvel, (rows, 1)), torques=forces, pushes=still
    )
    qacc = step_tree(case, wp.float64)["qacc"]
    inertia = np.zeros((model.nv, model.nv))
    mujoco.mj_fullM(model, data, inertia)
    inverse = qacc[1:] - qacc[0]
    assert inverse @ inertia == pytest.approx(np.eye(model.nv), abs=1e-11)
    scale = np.abs(data.qfrc_bias).max()
    assert -inertia @ qacc[0] / scale == pytest.approx(data.qfrc_bias / scale, abs=1e-12)


def test_a_fixed_base_does_not_move():
    case = solve_with_mujoco(aliengo(native_ground=False, fixed_base=True), 20, 4, 0.0)
    found = step_tree(case, wp.float64)
    assert relative(found["qacc"], case.qacc).max() < ACCELERATION[wp.float64]


def test_chains_are_sorted_by_what_their_contacts_are():
    """Two orders of the same contacts, many of them alike in all but one number, give one order."""
    sort_chain = tree_functions(False, wp.float32).sort_chain

    @wp.kernel(module="unique", enable_backward=False)
    def sort(
        first: wp.array(dtype=int),
        next: wp.array(dtype=int),
        dist: wp.array(dtype=float),
        pos: wp.array(dtype=wp.vec3),
        frame: wp.array(dtype=wp.mat33),
    ):
        first[0] = sort_chain(first[0], next, dist, pos, frame)

    rng = np.random.default_rng(0)
    for count in (1, 2, 3, 40):
        kinds = np.unique(rng.integers(0, 2, (count, 7)), axis=0).astype(np.float32)
        orders = []
        for _ in range(2):
            own = rng.permutation(kinds)
            frame = np.zeros((len(own), 3, 3), np.float32)
            frame[:, 0] = own[:, 4:]
            # the chain runs through the contacts in the order of their numbers
            first, next = wp.zeros(1, dtype=int), wp.array([*range(1, len(own)), -1], dtype=int)
            fields = [
                wp.array(own[:, 0], dtype=float),
                wp.array(own[:, 1:4], dtype=wp.vec3),
                wp.array(frame, dtype=wp.mat33),
            ]
            wp.launch(sort, dim=1, inputs=[first, next, *fields], device="cpu")
            chain, links = [int(first.numpy()[0])], next.numpy()
            while links[chain[-1]] >= 0:
                chain.append(int(links[chain[-1]]))
            orders.append(own[chain])
        assert len(orders[0]) == len(kinds)
        assert np.array_equal(*orders)
        assert (np.diff(orders[0][:, 0]) >= 0).all()  # the deepest first


@pytest.mark.gpu
@pytest.mark.parametrize("scalar", [wp.float64, wp.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", ROBOTS)
def test_lanes_of_a_gpu_compute_what_mujoco_does(name, scalar):
    make, height = ROBOTS[name]
    case = solve_with_mujoco(make(), STATES, 1, height)
    found = step_tree(case, scalar, "cuda", 32)
    assert relative(found["qacc"], case.qacc).max() < ACCELERATION[scalar]
    assert relative(found["body_force"], case.body_force).max() < FORCE[scalar]
