"""Ground for sim2sim.py and the robot on it, built with MuJoCo alone: boxes, a height field, the robot's file."""

from pathlib import Path

import mujoco
import numpy as np

from legged_gym.deploy.courses import MAP_HALF_SIZE, STEP_WIDTH, Course
from legged_gym.deploy.mujoco_description import robot_spec

SIM_DT = 0.002  # [s] of a simulation step and of the joints' PD controllers
ROUGHNESS = 0.03  # [m] bumps of the terrain "rough"
CONTACT_TIME = 0.006  # [s] in which a contact takes up what is left of an impact; MuJoCo's own is 0.02
IMPEDANCE = 0.999  # of contacts: rigid ground, as in the training; MuJoCo's own is 0.9 to 0.95
CONES = ("elliptic", "pyramidal")
IMPRATIO = 10.0  # holds standing feet against creeping; MuJoCo's own is 1
GROUND = "ground"  # name of its texture and material
GROUND_GROUP = 1  # of MuJoCo's geom groups; the robot is in group 0
SKY = 20.0  # [m] above all ground
VIDEO_SIZE = 480, 640  # height, width [pixels] of the largest picture


def add_plane(spec: mujoco.MjSpec) -> None:
    spec.worldbody.add_geom(name="ground", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[MAP_HALF_SIZE] * 2 + [1])


def add_stairs(spec: mujoco.MjSpec, course: Course) -> None:
    """Flights of stairs across the whole map, one box per tread and plateau."""
    middles = np.arange(-MAP_HALF_SIZE, MAP_HALF_SIZE, STEP_WIDTH) + STEP_WIDTH / 2
    for i, (x, top) in enumerate(zip(middles, course.height(middles), strict=True)):
        spec.worldbody.add_geom(
            name=f"ground_{i}",
            type=mujoco.mjtGeom.mjGEOM_BOX,
            pos=[x, 0.0, (top - 1.0) / 2],
            size=[STEP_WIDTH / 2, MAP_HALF_SIZE, (top + 1.0) / 2],
        )


def add_ramps(spec: mujoco.MjSpec, course: Course, roughness: float, rng: np.random.Generator) -> None:
    """A height field of ramps under random bumps of ±`roughness` [m]."""
    along_x = course.samples()
    num = len(along_x)
    heights = along_x + rng.uniform(0.0, 2 * roughness, (num, num))  # MuJoCo's rows run along y
    top = max(heights.max(), 1e-3)  # MuJoCo wants some height and scales the data to 0...1 itself
    spec.add_hfield(
        name="ground", nrow=num, ncol=num, size=[MAP_HALF_SIZE, MAP_HALF_SIZE, top, 1.0], userdata=heights.ravel() / top
    )
    spec.worldbody.add_geom(name="ground", type=mujoco.mjtGeom.mjGEOM_HFIELD, hfieldname="ground")


def _add_look(spec: mujoco.MjSpec) -> None:
    """A sky, and for the ground a material of squares, on which one sees the robot move."""
    sky, squares = mujoco.mjtBuiltin.mjBUILTIN_GRADIENT, mujoco.mjtBuiltin.mjBUILTIN_CHECKER
    look = {"width": 256, "height": 256}
    flat, box = mujoco.mjtTexture.mjTEXTURE_2D, mujoco.mjtTexture.mjTEXTURE_SKYBOX
    spec.add_texture(name="sky", type=box, builtin=sky, rgb1=[0.75, 0.83, 0.9], rgb2=[0.45, 0.55, 0.7], **look)
    spec.add_texture(name=GROUND, type=flat, builtin=squares, rgb1=[0.5, 0.52, 0.55], rgb2=[0.62, 0.64, 0.67], **look)
    material = spec.add_material(name=GROUND, texuniform=True)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = GROUND


def build_model(
    urdf: Path,
    course: Course,
    friction: float,
    seed: int = 0,
    *,
    armature: float = 0.0,
    impedance: float = IMPEDANCE,
    cone: str = CONES[0],
    impratio: float = IMPRATIO,
    payload: float = 0.0,
) -> mujoco.MjModel:
    """The robot on its terrain.

    Args:
        friction: of every contact between the two.
        seed: of bumps.
        armature: inertia of each joint's motor [kg m²], which URDF files cannot state.
        impedance: of the contacts, MuJoCo's solimp: 0 to 1, from soft to rigid.
        cone: of friction, one of CONES.
        impratio: how much more rigid contacts are sideways than along the normal.
        payload: on the base [kg].
    """
    if not urdf.is_file():
        raise FileNotFoundError(f"no robot description '{urdf}'; give one with --urdf FILE")
    spec = robot_spec(urdf, armature)
    spec.option.timestep = SIM_DT
    spec.option.cone = getattr(mujoco.mjtCone, f"mjCONE_{cone.upper()}")
    spec.option.impratio = impratio
    for geom in spec.geoms:
        geom.contype, geom.conaffinity = 0, 1  # with the ground only
    _add_look(spec)
    rng = np.random.default_rng(seed)
    match course.name:
        case "flat":
            add_plane(spec)
        case "slope":
            add_ramps(spec, course, 0.0, rng)
        case "rough":
            add_ramps(spec, course, ROUGHNESS, rng)
        case "stairs":
            add_stairs(spec, course)
        case _:
            raise ValueError(f"unknown terrain '{course.name}'; known: flat, slope, rough, stairs")
    for geom in spec.geoms:
        if geom.name.startswith("ground"):
            geom.contype, geom.conaffinity, geom.group = 1, 0, GROUND_GROUP
            geom.friction, geom.priority = [friction, 0.005, 0.0001], 1  # the ground's contacts, not a mixture
            geom.solref, geom.solimp[:2] = [CONTACT_TIME, 1.0], [impedance, impedance]
            geom.material = GROUND
    spec.worldbody.add_light(pos=[0, 0, 20], dir=[0.2, 0.2, -1], type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL)
    height, width = VIDEO_SIZE
    spec.visual.global_.offheight, spec.visual.global_.offwidth = height, width
    model = spec.compile()
    add_payload(model, payload)
    return model


def add_payload(model: mujoco.MjModel, payload: float) -> None:
    """Make the heaviest part of the trunk heavier [kg], its centre of mass where it was, its inertia like its mass."""
    trunk = np.argmax(model.body_mass * (model.body_weldid == model.body_weldid[1]))
    model.body_inertia[trunk] *= 1 + payload / model.body_mass[trunk]
    model.body_mass[trunk] += payload
    mujoco.mj_setConst(model, mujoco.MjData(model))


def ground_height(model: mujoco.MjModel, data: mujoco.MjData, x: float) -> float:
    """z of the highest ground [m] near (x, 0), found by rays from above."""
    groups = np.arange(mujoco.mjNGROUP) == GROUND_GROUP
    hit = np.zeros(1, np.int32)
    return max(
        SKY - mujoco.mj_ray(model, data, [x + dx, dy, SKY], [0.0, 0.0, -1.0], groups.astype(np.uint8), 1, -1, hit)
        for dx in (-0.3, 0.0, 0.3)
        for dy in (-0.2, 0.0, 0.2)
    )
