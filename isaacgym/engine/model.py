"""From a robot description to a MuJoCo model of one robot, shared by the engines and by tests against C MuJoCo."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import mujoco
import numpy as np

from isaacgym.assets.description import Body, FixedTendon, RobotDescription, Shape, unused_name
from isaacgym.assets.scene import Root, Scene, in_touch
from isaacgym.engine.options import EngineOptions

# MuJoCo's friction creeps in proportion to 1 - impedance, and the more the lighter the touching body is against the
# load it carries. A standing Aliengo on a 15 degree slope slides 49 mm in 10 s at 0.99, 5 mm at 0.998, 2 mm at 0.999;
# the solver's Newton iterations rise from 2.3 on average to 2.5 and 2.8.
CONTACT_SOLIMP = (0.999, 0.999, 0.001, 0.5, 2.0)
CONTACT_STEPS = 2.0  # time constant of contacts in simulation steps; MuJoCo's own lower bound
GROUND_BIT, ROBOT_BIT = 1, 2  # of MuJoCo's collision masks; each group with a filter has a bit from ROBOT_BIT on
MAX_FILTERS = 30
WORLD = "world"  # MuJoCo's own name of what does not move; no body of a robot may have it there
# [m] A thing at rest is so little deep in what it stands on that float32 now and then finds no contact, and it hops.
REST_MARGIN = 1e-5
# [m] MuJoCo leaves zeros out of the inertia matrix of a free body whose centre of mass is its origin and whose axes are
# the principal ones. Scripts move the centre later, so such models are compiled with one beside the origin.
ASIDE = 1e-5
TERRAIN_GEOM = 0  # stands for the terrain in contacts; it has no shape of its own to collide with


def build_spec(
    robot: RobotDescription,
    dt: float,
    gravity: tuple[float, float, float] = (0.0, 0.0, -9.81),
    fixed_base: bool = False,
    native_ground: bool = False,
    self_collision: bool = False,
    gravity_compensation: bool = False,
) -> mujoco.MjSpec:
    """MuJoCo model with one robot, or those of a scene; bodies and joints in the order of the description.

    Args:
        robot: bodies in depth-first order.
        dt: simulation step [s].
        gravity: [m/s²], world.
        fixed_base: weld the root to the world; a scene says itself which roots are.
        native_ground: let C MuJoCo collide the robot with the plane z = 0 with the same contact parameters (tests).
        self_collision: let MuJoCo collide bodies of the robot as the shapes' filters allow, except parent and child
            and those overlapping at rest.
        gravity_compensation: carry every body's weight, so that gravity has no effect on the robot; likewise.
    """
    spec = mujoco.MjSpec()
    spec.modelname = robot.name
    spec.compiler.autolimits = True
    spec.compiler.degree = False
    spec.option.timestep = dt
    spec.option.gravity = gravity
    spec.option.cone = mujoco.mjtCone.mjCONE_PYRAMIDAL
    spec.option.solver = mujoco.mjtSolver.mjSOL_NEWTON
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_EULER
    spec.worldbody.add_geom(
        name="terrain",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[0, 0, 1],
        contype=int(native_ground) * GROUND_BIT,
        conaffinity=0,
        condim=3,
        friction=[1.0, 0.0, 0.0],
    )
    roots: Sequence[Root] = (Root(fixed_base, gravity_compensation),) * len(robot.bodies)
    if isinstance(robot, Scene):
        roots = [robot.roots[number] for number in robot.root_of_bodies]
    masks = _collision_masks(robot, roots, native_ground, self_collision)
    parents = {-1: spec.worldbody}
    for index, (body, root) in enumerate(zip(robot.bodies, roots, strict=True)):
        name = unused_name(f"{WORLD}_", robot.body_names) if body.name == WORLD else body.name
        parents[index] = element = _add_body(parents[body.parent], body, name)
        if body.parent < 0 and not root.fixed:
            element.add_freejoint(name=unused_name(f"{name}_free", robot.dof_names))
        element.gravcomp = float(root.weightless)
        for shape in body.shapes:
            _add_geom(spec, element, shape, dt, *masks[root.group, shape.filter])
    for coupling in robot.couplings:
        spec.add_equality(
            type=mujoco.mjtEq.mjEQ_JOINT,
            objtype=mujoco.mjtObj.mjOBJ_JOINT,
            name1=coupling.joint,
            name2=coupling.other or "",
            data=[*coupling.coefficients, *[0.0] * (mujoco.mjNEQDATA - 5)],
        )
    for tendon in robot.fixed_tendons:
        if tendon.acts:
            _add_tendon(spec, tendon)
    if isinstance(robot, Scene):
        for geom in spec.geoms[TERRAIN_GEOM + 1 :]:
            geom.margin = REST_MARGIN
    if self_collision:
        _exclude_overlapping_bodies(spec)
    return spec


def compiled(
    robot: RobotDescription,
    dt: float,
    gravity: tuple[float, float, float],
    options: EngineOptions,
) -> mujoco.MjModel:
    """The model of one world, for any centres of mass and inertias, which `Engine.set_body_properties` gives it."""
    spec = build_spec(
        robot,
        dt,
        gravity,
        fixed_base=options.fixed_base,
        self_collision=options.self_collision,
        gravity_compensation=options.disable_gravity,
    )
    model = spec.compile()
    if not model.body_simple[1:].any():
        return model
    for body in spec.bodies[1:]:
        body.ipos = body.ipos + np.array([ASIDE, 0.0, 0.0])
    return spec.compile()


def _add_tendon(spec: mujoco.MjSpec, tendon: FixedTendon) -> None:
    element = spec.add_tendon(
        name=tendon.name,
        limited=tendon.is_limited,
        range=[tendon.lower, tendon.upper] if tendon.is_limited else [0.0, 0.0],
        stiffness=tendon.stiffness,
        damping=tendon.damping,
        frictionloss=tendon.friction,
        springlength=tendon.rest,
    )
    for joint, coefficient in tendon.joints:
        element.wrap_joint(joint, coefficient)


def _collision_masks(
    robot: RobotDescription, roots: Sequence[Root], native_ground: bool, self_collision: bool
) -> dict[tuple[int, int], list[int]]:
    """MuJoCo's contype and conaffinity for each group and filter; filters that share a bit must not collide.

    MuJoCo lets shapes collide if the contype of one shares a bit with the conaffinity of the other, so every value has
    a bit as its contype, and the bits of those that it may collide with as its conaffinity.
    """
    bodies = zip(robot.bodies, roots, strict=True)
    filters = sorted({(root.group, shape.filter) for body, root in bodies for shape in body.shapes})
    masks = {value: [0, int(native_ground) * GROUND_BIT] for value in filters}
    if not self_collision:
        return masks
    if len(filters) > MAX_FILTERS:
        raise ValueError(f"{len(filters)} different shape filters and groups are too many; up to {MAX_FILTERS} work")
    bit_of = {value: ROBOT_BIT << number for number, value in enumerate(filters)}
    for first, second in product(filters, repeat=2):
        if not first[1] & second[1] and in_touch(first[0], second[0]):
            masks[first][0] |= bit_of[first]
            masks[second][1] |= bit_of[first]
    return masks


def _exclude_overlapping_bodies(spec: mujoco.MjSpec) -> None:
    """Never collide bodies whose shapes overlap at rest (joints at 0, or at the limit next to it).

    Motor housings that reach into the trunk would otherwise throw the robot about: Aliengo's thighs are 8 cm deep
    in its base. MuJoCo itself leaves out parent and child only.
    """
    model = spec.compile()
    data = mujoco.MjData(model)
    for joint in range(model.njnt):
        if model.jnt_limited[joint]:
            data.qpos[model.jnt_qposadr[joint]] = np.clip(0.0, *model.jnt_range[joint])
    mujoco.mj_forward(model, data)
    pairs = {tuple(sorted(model.geom_bodyid[list(contact.geom)].tolist())) for contact in data.contact}
    for first, second in sorted(pairs):
        if first > 0 and model.body_rootid[first] == model.body_rootid[second]:  # of one robot
            spec.add_exclude(bodyname1=model.body(first).name, bodyname2=model.body(second).name)


def _add_body(parent: mujoco.MjsBody, body: Body, name: str) -> mujoco.MjsBody:
    element = parent.add_body(name=name, pos=body.pos, quat=_wxyz(body.quat))
    element.mass = body.mass
    element.ipos = body.com
    inertia = np.asarray(body.inertia)
    if inertia.any():  # a frame without mass, fixed to its parent, has none
        element.fullinertia = [*np.diag(inertia), inertia[0, 1], inertia[0, 2], inertia[1, 2]]
    element.explicitinertial = True
    for joint in body.joints:
        slide = joint.kind == "prismatic"
        element.add_joint(
            name=joint.name,
            type=mujoco.mjtJoint.mjJNT_SLIDE if slide else mujoco.mjtJoint.mjJNT_HINGE,
            pos=joint.anchor,
            axis=joint.axis,
            limited=joint.has_limits,
            range=[joint.lower, joint.upper] if joint.has_limits else [0, 0],
        )
    return element


GEOM_TYPES = {
    "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "mesh": mujoco.mjtGeom.mjGEOM_MESH,
}


def _add_geom(
    spec: mujoco.MjSpec, element: mujoco.MjsBody, shape: Shape, dt: float, contype: int, conaffinity: int
) -> None:
    if shape.kind not in GEOM_TYPES:
        raise ValueError(
            f"link '{element.name}': collision shape '{shape.kind}' is not supported yet; "
            f"use one of {', '.join(GEOM_TYPES)} in the URDF"
        )
    geom = element.add_geom(
        type=GEOM_TYPES[shape.kind],
        pos=shape.pos,
        quat=_wxyz(shape.quat),
        contype=contype,
        conaffinity=conaffinity,
        condim=3,
        friction=[1.0, 0.0, 0.0],
        solref=[CONTACT_STEPS * dt, 1.0],
        solimp=CONTACT_SOLIMP,
        solmix=1.0,
        priority=1,  # the robot's contact parameters, not a mixture with the plane's
    )
    if shape.kind == "mesh":
        geom.meshname = f"hull_{len(spec.meshes)}"
        spec.add_mesh(name=geom.meshname, uservert=shape.vertices.ravel())
    else:
        geom.size = shape.size


def _wxyz(quat: np.ndarray) -> list[float]:
    x, y, z, w = quat
    return [w, x, y, z]


def improvement_scale(model: mujoco.MjModel) -> float:
    """What MuJoCo multiplies gradientᵀ H⁻¹ gradient with before it compares it with the solver's tolerance."""
    return 0.5 / (model.stat.meaninertia * max(model.nv, 1))
