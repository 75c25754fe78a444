"""MJCF → `RobotDescription`. MuJoCo itself reads the file, so defaults, includes and all ways to state a pose work.

Decisions where NVIDIA's behaviour is not documented:

* Bodies and DOFs come in the order of the document, depth first, which is MuJoCo's own order.
* The robot is one body of the world. Its pose there does not count, since `create_actor` places it; it floats, with or
  without a free joint in the file, unless `fix_base_link` is set. Geoms of the world are left out. A root with slides
  and hinges, as planar robots have it, moves against a fixed body without mass, `<root>_frame`, that is put before it.
* Files for old releases of MuJoCo are mended, see `old_mjcf`.
* Geoms that can collide with something (contype, conaffinity or a contact pair) are collision shapes, the others
  visuals. Which may collide with which (masks, pairs, excludes) is not taken over; see `create_actor` for the rules.
* A DOF's position is MuJoCo's, whatever the joint's `ref`.
* Mass and inertia are MuJoCo's: from <inertial>, else from the geoms with their own masses and densities. A body that
  would move without any gets a small one. Of the asset options, `density`, `override_com` and `override_inertia` do
  nothing here.
* A joint's stiffness, damping, friction loss and armature become those of its DofProperties. Its spring acts as in
  MuJoCo, about `springref`, but in position mode, where the drive takes its place. Its effort is the joint's or its
  actuators' force limit. Actuators are drives (`actuators.drive_of`) unless AssetOptions.default_dof_drive_mode says
  another mode; that NVIDIA's importer takes the mode from the file is what authors of hands and ants report, that an
  explicit option wins is our decision.
* `collapse_fixed_joints` merges bodies without joints into their parents, as MuJoCo's `fusestatic` does.
* Equality constraints between joints couple them, inactive ones are left out; other ones are refused, and so are ball
  joints. Limits, springs, dampers and friction of fixed tendons act; spatial tendons that exert a force are refused.
* Meshes become their convex hull, as with URDF, and so do ellipsoids; that options to take them apart do nothing is
  told. Visual meshes are left out. A visual that MuJoCo cannot read, such as a missing texture, never refuses a robot.
* Compensated gravity, parts of springs and dampers that are not linear, and what a free joint has beside freedom are
  left out, which is said. So is a root that the file tilts.
"""

import re
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NoReturn

import mujoco
import numpy as np
from numpy.polynomial import Polynomial
from scipy.spatial import QhullError
from scipy.spatial.transform import Rotation

from isaacgym.assets.actuators import actuator_properties
from isaacgym.assets.description import (
    MAX_NUMBER,
    Body,
    Coupling,
    Joint,
    JointKind,
    RobotDescription,
    Shape,
    ShapeKind,
    as_collision,
    limits,
    unused_name,
)
from isaacgym.assets.inertia import LEAST, NO_INERTIA, NO_MASS, SMALL_MASS, Balance, ball_inertia, has_moments
from isaacgym.assets.mesh_files import MAX_HULL_VERTICES, convex_hull
from isaacgym.assets.mjcf_looks import leave_out_looks, mend_collision_meshes, mend_sizes
from isaacgym.assets.mjcf_losses import say_what_is_lost
from isaacgym.assets.mjcf_scene import leave_out_scene, pose_at_zero
from isaacgym.assets.notices import Notices, listed
from isaacgym.assets.old_mjcf import read_spec
from isaacgym.assets.solid import sphere_points
from isaacgym.assets.tendons import fixed_tendons, tendon_properties
from isaacgym.gym_types import AssetOptions

KINDS: dict[mujoco.mjtGeom, ShapeKind] = {
    mujoco.mjtGeom.mjGEOM_SPHERE: "sphere",
    mujoco.mjtGeom.mjGEOM_CAPSULE: "capsule",
    mujoco.mjtGeom.mjGEOM_BOX: "box",
    mujoco.mjtGeom.mjGEOM_CYLINDER: "cylinder",
    mujoco.mjtGeom.mjGEOM_MESH: "mesh",
    mujoco.mjtGeom.mjGEOM_ELLIPSOID: "mesh",
}
ELLIPSOID = sphere_points(MAX_HULL_VERTICES)  # a ball's surface; of half axes 1
WEIGHTLESS = re.compile(r"mjMINVAL Element name '([^']+)'")


def load_mjcf(path: str | Path, options: AssetOptions) -> RobotDescription:
    """Read an MJCF file with one robot and apply the asset options that concern geometry and structure."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; check the asset root and file name given to load_asset")
    spec, model, notices = _compiled(path, options)
    say_what_is_lost(model, options, notices)
    tendons = fixed_tendons(path, model, partial(_joint_name, model))
    _check_numbers(path, model)
    bodies = [_body(path, model, index, options) for index in range(1, model.nbody)]
    is_planar = model.jnt_type[0] != mujoco.mjtJoint.mjJNT_FREE
    if is_planar:
        bodies = _with_frame(bodies)
    notices.say()
    about = actuator_properties(model), tendon_properties(model, options.tendon_limit_stiffness)
    return RobotDescription(spec.modelname, bodies, _couplings(model), is_planar, *about, tendons)


def _compiled(path: Path, options: AssetOptions) -> tuple[mujoco.MjSpec, mujoco.MjModel, Notices]:
    """The file as MuJoCo compiles it, without what hinders it and does not matter; and what there is to say."""
    problems: list[str] = []  # of meshes and textures
    weightless: list[str] = []  # moving bodies without mass, such as an arm's base, which the file fixes to the world
    while True:
        notices = Notices(path)
        spec = _prepared(path, options, notices)  # afresh: a spec that did not compile is of no use any more
        for name in weightless:
            _complete_mass(path, spec.body(name), notices)
        if problems:
            mend_collision_meshes(path, spec, notices)
        if len(problems) > 1:
            leave_out_looks(spec, notices, problems[-1])
        try:
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always")
                model = spec.compile()
        except ValueError as error:
            problem = _one_line(error)
        else:
            for warning in warned:
                notices.add("MuJoCo warns: {}", _one_line(warning.message))
            return spec, model, notices
        no_mass = WEIGHTLESS.search(problem)
        if no_mass and no_mass[1] not in weightless:
            weightless.append(no_mass[1])
        elif len(problems) < 2:
            problems.append(problem)
        else:
            _fail(path, f"MuJoCo cannot compile it ({problem})")


def _complete_mass(path: Path, body: mujoco.MjsBody, notices: Notices) -> None:
    """Give a moving body, in place, what it lacks to move: a small mass, or an inertia for the mass that is stated."""
    stated = body.mass if body.explicitinertial else 0.0
    if stated < 0.0:
        _fail(path, f"body '{body.name}' has the negative mass {stated:g}; give it a positive one")
    moments = body.fullinertia if np.isfinite(body.fullinertia[0]) else body.inertia
    has_inertia = bool(body.explicitinertial) and has_moments(moments)
    if stated < LEAST:
        notices.add(NO_MASS, f"'{body.name}'")
    elif not has_inertia:
        notices.add(NO_INERTIA, f"'{body.name}'")
    body.explicitinertial, body.mass = True, stated if stated >= LEAST else SMALL_MASS
    if not np.isfinite(body.ipos).all():
        body.ipos = np.zeros(3)  # else MuJoCo takes the body's place in its parent for it
    if not has_inertia:
        body.fullinertia, body.inertia = np.full(6, np.nan), np.diag(ball_inertia(body.mass))


def _prepared(path: Path, options: AssetOptions, notices: Notices) -> mujoco.MjSpec:
    """The file as MuJoCo parses it, with nothing but the robot, and checked."""
    try:
        spec = read_spec(path)
    except ValueError as error:
        _fail(path, f"MuJoCo cannot read it ({_one_line(error)})")
    _leave_out(spec, notices)
    leave_out_scene(spec)
    _name_all(spec)
    mend_sizes(spec, notices)
    _check(path, spec)
    (root,) = spec.worldbody.bodies
    if not root.joints:
        root.add_freejoint()  # or the root would count as a part of the world
    _balance_inertias(path, spec, options)
    spec.compiler.fusestatic = options.collapse_fixed_joints
    return spec


def _fail(path: Path, problem: str) -> NoReturn:
    raise ValueError(f"{path}: {problem}")


def _one_line(error: Exception | str) -> str:
    return " ".join(str(error).removeprefix("Error: ").split())


def _leave_out(spec: mujoco.MjSpec, notices: Notices) -> None:
    """Delete what does not concern the robot: inactive equalities and mocap bodies."""
    for equality in list(spec.equalities):
        if not equality.active:
            notices.add("equality constraints that are not active are left out: {}", f"that of {_ends(equality)}")
            spec.delete(equality)
    for body in list(spec.worldbody.bodies):
        if body.mocap:
            notices.add("mocap bodies are left out: {}", f"'{body.name}'")
            spec.delete(body)


def _ends(equality: mujoco.MjsEquality) -> str:
    """What a constraint ties, one thing to another or to the world."""
    return f"'{equality.name1}'" + (f" and '{equality.name2}'" if equality.name2 else "")


def _name_all(spec: mujoco.MjSpec) -> None:
    """Give bodies, joints and geoms names, in place, where they have none: by their number in the document's order."""
    bodies: list[mujoco.MjsBody] = []

    def visit(body: mujoco.MjsBody) -> None:
        bodies.append(body)
        for child in body.bodies:
            visit(child)

    for root in spec.worldbody.bodies:
        visit(root)
    body_names, joint_names, geom_names = (
        [element.name for element in elements] for elements in (spec.bodies, spec.joints, spec.geoms)
    )
    for number, body in enumerate(bodies):
        body.name = body.name or unused_name(f"body_{number}", body_names)
        for index, joint in enumerate(body.joints):
            joint.name = joint.name or unused_name(f"{body.name}_joint_{index}", joint_names)
        for index, geom in enumerate(body.geoms):  # what MuJoCo's complaints call them
            geom.name = geom.name or unused_name(f"{body.name}_geom_{index}", geom_names)


def _with_frame(bodies: list[Body]) -> list[Body]:
    """The bodies of a robot whose root has joints, behind a body without mass that these joints act against."""
    at_rest = np.array([0.0, 0.0, 0.0, 1.0])
    frame = Body(f"{bodies[0].name}_frame", -1, np.zeros(3), at_rest, 0.0, np.zeros(3), np.zeros((3, 3)))
    moved = [
        replace(
            body, parent=body.parent + 1, joints=tuple(replace(joint, body=joint.body + 1) for joint in body.joints)
        )
        for body in bodies
    ]
    return [frame, *moved]


def _couplings(model: mujoco.MjModel) -> tuple[Coupling, ...]:
    """The equality constraints, all of which are between joints."""
    return tuple(_coupling(model, index) for index in range(model.neq))


def _coupling(model: mujoco.MjModel, index: int) -> Coupling:
    """MuJoCo's polynomial is one of distances from `ref`, ours one of positions."""
    joint, other = model.eq_obj1id[index], model.eq_obj2id[index]
    ref, other_ref = (0.0 if of < 0 else float(model.qpos0[model.jnt_qposadr[of]]) for of in (joint, other))
    polynomial = Polynomial(model.eq_data[index, :5])(Polynomial([-other_ref, 1.0])) + ref
    c0, c1, c2, c3, c4 = np.pad(polynomial.coef, (0, 5 - len(polynomial.coef))).tolist()
    return Coupling(_joint_name(model, joint), None if other < 0 else _joint_name(model, other), (c0, c1, c2, c3, c4))


def _check(path: Path, spec: mujoco.MjSpec) -> None:
    """Refuse what a tree of bodies with hinges and slides cannot express."""
    roots = spec.worldbody.bodies
    if not roots:
        _fail(path, "there is no body in the world; is it a part that the robot's main file includes?")
    others = [equality for equality in spec.equalities if equality.type != mujoco.mjtEq.mjEQ_JOINT]
    if others:
        _fail(
            path,
            "it has equality constraints that are not between joints, which are not simulated; remove those of "
            f"{listed([_ends(one) for one in others])}, and rods that only they hold",
        )
    if spec.flexes:
        _fail(path, f"it has deformable parts, which are not simulated; remove {listed([f.name for f in spec.flexes])}")
    for body in spec.bodies:
        is_root = body.parent is not None and body.parent.name == "world"
        for joint in body.joints:
            is_free = joint.type == mujoco.mjtJoint.mjJNT_FREE
            if is_free and not is_root:
                _fail(path, f"body '{body.name}' has a free joint, which only the root may have; remove it")
            if joint.type == mujoco.mjtJoint.mjJNT_BALL:
                _fail(path, f"body '{body.name}' has a ball joint; use three hinges")


def _balance_inertias(path: Path, spec: mujoco.MjSpec, options: AssetOptions) -> None:
    """Replace inertias that the file states and that no body has, in place."""
    balance = Balance(path)
    for body in spec.bodies:
        if body.explicitinertial:
            xx, yy, zz, xy, xz, yz = body.fullinertia
            is_full = np.isfinite(xx)
            given = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) if is_full else np.diag(body.inertia)
            if not has_moments(given):  # in the form in which MuJoCo takes it where nothing moves
                body.fullinertia, body.inertia = np.full(6, np.nan), np.zeros(3)
                continue
            inertia = balance.of(body.name, given)
            if inertia is given:
                continue
            if is_full:
                body.fullinertia = [*np.diag(inertia), inertia[0, 1], inertia[0, 2], inertia[1, 2]]
            else:
                body.inertia = np.diag(inertia)
    balance.report(options.strict_inertia)


def _check_numbers(path: Path, model: mujoco.MjModel) -> None:
    """Refuse infinite and absurd numbers and brakes that drive, which MuJoCo takes as they are."""
    for name in ("jnt_stiffness", "dof_damping", "dof_armature", "dof_frictionloss"):
        negative = np.flatnonzero(getattr(model, name) < 0.0)
        if len(negative):
            joint = negative[0] if name.startswith("jnt") else model.dof_jntid[negative[0]]
            _fail(path, f"{name.split('_')[1]} of joint '{_joint_name(model, joint)}' is negative; correct it")
    for what, owners, names in (
        (
            "body",
            np.arange(model.nbody),
            ("body_mass", "body_inertia", "body_ipos", "body_iquat", "body_pos", "body_quat"),
        ),
        ("body", model.geom_bodyid, ("geom_size", "geom_pos", "geom_quat")),
        ("joint", np.arange(model.njnt), ("jnt_pos", "jnt_axis", "jnt_stiffness")),
        ("joint", model.dof_jntid, ("dof_damping", "dof_armature", "dof_frictionloss")),
    ):
        for name in names:
            values = getattr(model, name).reshape(len(owners), -1)
            absurd = ~(np.abs(values) < MAX_NUMBER).all(axis=1)
            if absurd.any():
                owner = int(owners[absurd.argmax()])
                label = getattr(model, what)(owner).name or str(owner)
                _fail(
                    path, f"{name.split('_')[1]} of {what} '{label}' is not a number below {MAX_NUMBER:g}; correct it"
                )


def _body(path: Path, model: mujoco.MjModel, index: int, options: AssetOptions) -> Body:
    is_root = index == 1
    name = model.body(index).name
    turn = Rotation.from_quat(model.body_iquat[index], scalar_first=True).as_matrix()
    joints = model.body_jntadr[index] + np.arange(model.body_jntnum[index])
    placed = pose_at_zero(model, index)
    if placed is None:
        _fail(path, f"a joint of body '{name}' has a ref beside other joints; turn the body instead, so that ref is 0")
    pos, rotation = placed
    shapes, visuals = [], []
    for geom in model.body_geomadr[index] + np.arange(model.body_geomnum[index]):
        collides = bool(model.geom_contype[geom] or model.geom_conaffinity[geom])
        kind = KINDS.get(mujoco.mjtGeom(model.geom_type[geom]))
        if kind is None:
            if collides:
                known = ", ".join(dict.fromkeys((*KINDS.values(), "ellipsoid")))
                _fail(path, f"body '{name}' has a collision geom that is none of {known}; replace it by one of these")
        elif collides:
            shapes.append(as_collision(_shape(path, model, geom, kind, name), options))
        elif model.geom_type[geom] != mujoco.mjtGeom.mjGEOM_MESH:
            visuals.append(_shape(path, model, geom, kind, name))
    return Body(
        name=name,
        parent=int(model.body_parentid[index]) - 1,
        pos=np.zeros(3) if is_root else pos,
        quat=np.array([0.0, 0.0, 0.0, 1.0]) if is_root else rotation.as_quat(),
        mass=float(model.body_mass[index]),
        com=model.body_ipos[index].copy(),
        inertia=turn @ np.diag(model.body_inertia[index]) @ turn.T,
        shapes=shapes,
        visuals=visuals,
        joints=tuple(_joint(model, j) for j in joints if model.jnt_type[j] != mujoco.mjtJoint.mjJNT_FREE),
    )


def _joint_name(model: mujoco.MjModel, joint: int) -> str:
    return model.joint(joint).name


def _joint(model: mujoco.MjModel, joint: int) -> Joint:
    body, dof = int(model.jnt_bodyid[joint]), int(model.jnt_dofadr[joint])
    name = _joint_name(model, joint)
    lower, upper = limits(*model.jnt_range[joint].tolist()) if model.jnt_limited[joint] else (-np.inf, np.inf)
    kind: JointKind = "revolute" if np.isfinite(upper) else "continuous"
    if model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_SLIDE:
        kind = "prismatic"
    return Joint(
        name=name,
        kind=kind,
        axis=model.jnt_axis[joint].copy(),
        lower=lower,
        upper=upper,
        effort=_effort(model, joint),
        velocity=np.inf,
        damping=float(model.dof_damping[dof]),
        friction=float(model.dof_frictionloss[dof]),
        stiffness=float(model.jnt_stiffness[joint]),
        spring_rest=float(model.qpos_spring[model.jnt_qposadr[joint]]),
        armature=float(model.dof_armature[dof]),
        body=body - 1,
        anchor=tuple(model.jnt_pos[joint].tolist()),
    )


def _effort(model: mujoco.MjModel, joint: int) -> float:
    """The largest force that the joint's actuators may exert: the joint's limit, else theirs, else none."""
    if model.jnt_actfrclimited[joint]:
        return float(np.abs(model.jnt_actfrcrange[joint]).max())
    efforts = []
    for actuator in np.flatnonzero((model.actuator_trnid[:, 0] == joint) & _acts_on_joints(model)):
        gear = abs(model.actuator_gear[actuator, 0])
        if model.actuator_forcelimited[actuator]:
            efforts.append(gear * np.abs(model.actuator_forcerange[actuator]).max())
        elif model.actuator_ctrllimited[actuator] and model.actuator_biastype[actuator] == mujoco.mjtBias.mjBIAS_NONE:
            gain = abs(model.actuator_gainprm[actuator, 0])  # a motor: force = gain · control
            efforts.append(gear * gain * np.abs(model.actuator_ctrlrange[actuator]).max())
    return float(sum(efforts)) if efforts else np.inf


def _acts_on_joints(model: mujoco.MjModel) -> np.ndarray:
    return np.isin(model.actuator_trntype, (mujoco.mjtTrn.mjTRN_JOINT, mujoco.mjtTrn.mjTRN_JOINTINPARENT))


def _shape(path: Path, model: mujoco.MjModel, geom: int, kind: ShapeKind, body: str) -> Shape:
    vertices, size = None, tuple(model.geom_size[geom].tolist())
    if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_ELLIPSOID and len(set(size)) == 1:
        kind, size = "sphere", (size[0], 0.0, 0.0)
    elif model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_ELLIPSOID:
        vertices, size = ELLIPSOID * model.geom_size[geom], (0.0, 0.0, 0.0)
    elif kind == "mesh":
        mesh = model.geom_dataid[geom]
        start = model.mesh_vertadr[mesh]
        points = model.mesh_vert[start : start + model.mesh_vertnum[mesh]].astype(np.float64)
        try:
            vertices, size = convex_hull(points, MAX_HULL_VERTICES), (0.0, 0.0, 0.0)
        except QhullError:
            _fail(path, f"a collision mesh of body '{body}' encloses no volume, so it has no hull; use a thin box")
    return Shape(
        kind=kind,
        size=size,
        pos=model.geom_pos[geom].copy(),
        quat=_xyzw(model.geom_quat[geom]),
        rgba=tuple(model.geom_rgba[geom].tolist()),
        vertices=vertices,
    )


def _xyzw(wxyz: np.ndarray) -> np.ndarray:
    return np.roll(wxyz, -1)
