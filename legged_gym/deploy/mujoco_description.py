"""A robot's file as a MuJoCo model, for sim2sim.py.

The file is read by the importer that reads it for training, so every robot that trains can be judged; of the simulation
nothing is used. Joints, contacts and all else are MuJoCo's own.
"""

from pathlib import Path

import mujoco
import numpy as np

from isaacgym.assets.description import Body, RobotDescription, Shape, unused_name
from isaacgym.assets.robot_file import load_robot, refuse_fixed_base
from isaacgym.gym_types import AssetOptions

OPTIONS = AssetOptions(slices_per_cylinder=0)  # links stay apart, feet included, and cylinders what they are
GEOM_TYPES = {
    "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "mesh": mujoco.mjtGeom.mjGEOM_MESH,
}


def robot_spec(path: Path, armature: float) -> mujoco.MjSpec:
    """The robot, its base afloat, in a world that is otherwise empty.

    armature: inertia of each joint's motor [kg m²], beside what the file itself states.
    """
    robot = load_robot(path, OPTIONS)
    refuse_fixed_base(path, robot)
    spec = mujoco.MjSpec()
    spec.modelname = robot.name
    spec.compiler.degree = False
    parents = {-1: spec.worldbody}
    for index, body in enumerate(robot.bodies):
        parents[index] = _add_body(parents[body.parent], body, robot, armature)
        for shape in body.shapes:
            _add_geom(spec, parents[index], shape)
    for coupling in robot.couplings:
        spec.add_equality(
            type=mujoco.mjtEq.mjEQ_JOINT,
            objtype=mujoco.mjtObj.mjOBJ_JOINT,
            name1=coupling.joint,
            name2=coupling.other or "",
            data=[*coupling.coefficients, *[0.0] * (mujoco.mjNEQDATA - 5)],
        )
    return spec


def _add_body(parent: mujoco.MjsBody, body: Body, robot: RobotDescription, armature: float) -> mujoco.MjsBody:
    name = unused_name("world_", robot.body_names) if body.name == "world" else body.name
    element = parent.add_body(name=name, pos=body.pos, quat=np.roll(body.quat, 1))
    element.mass, element.ipos, element.explicitinertial = body.mass, body.com, True
    if body.inertia.any():
        i = body.inertia
        element.fullinertia = [i[0, 0], i[1, 1], i[2, 2], i[0, 1], i[0, 2], i[1, 2]]
    if body.parent < 0:
        element.pos, element.quat = np.zeros(3), [1.0, 0.0, 0.0, 0.0]
        element.add_freejoint()
    for joint in body.joints:
        slides = joint.kind == "prismatic"
        is_strong = 0.0 < joint.effort < np.inf  # else the file states no limit
        made = element.add_joint(
            name=joint.name,
            type=mujoco.mjtJoint.mjJNT_SLIDE if slides else mujoco.mjtJoint.mjJNT_HINGE,
            pos=joint.anchor,
            axis=joint.axis,
            limited=joint.has_limits,
            range=[joint.lower, joint.upper] if joint.has_limits else [0.0, 0.0],
            armature=joint.armature + armature,
            frictionloss=joint.friction,
            springref=joint.spring_rest,
            actfrclimited=is_strong,
            actfrcrange=[-joint.effort, joint.effort] if is_strong else [0.0, 0.0],  # as MuJoCo reads a URDF's effort
        )
        made.damping[0], made.stiffness[0] = joint.damping, joint.stiffness
    return element


def _add_geom(spec: mujoco.MjSpec, element: mujoco.MjsBody, shape: Shape) -> None:
    geom = element.add_geom(type=GEOM_TYPES[shape.kind], pos=shape.pos, quat=np.roll(shape.quat, 1), rgba=shape.rgba)
    if shape.kind == "mesh":
        assert shape.vertices is not None, "a collision mesh has vertices"
        geom.meshname = f"hull_{len(spec.meshes)}"
        spec.add_mesh(name=geom.meshname, uservert=shape.vertices.ravel())
    else:
        geom.size = shape.size
