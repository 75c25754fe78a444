"""MuJoCo Warp's contact list as a kernel sees it, and how a terrain contact is written into it."""

from __future__ import annotations

import mujoco_warp as mjw
import warp as wp

from isaacgym.engine.contacts.terrain_query import FAR
from isaacgym.engine.terrain import TerrainData

CONSTRAINT = 1  # mujoco_warp.ContactType.CONSTRAINT
MIN_FRICTION = wp.constant(0.05)  # the stiffness of a flatter pyramid, which grows as 1 / friction², breaks float32

vec5 = wp.types.vector(length=5, dtype=float)


@wp.struct
class ContactList:
    """The arrays of MuJoCo Warp's contact list that a terrain contact fills."""

    capacity: int
    count: wp.array(dtype=int)
    dist: wp.array(dtype=float)
    pos: wp.array(dtype=wp.vec3)
    frame: wp.array(dtype=wp.mat33)
    includemargin: wp.array(dtype=float)
    friction: wp.array(dtype=vec5)
    solref: wp.array(dtype=wp.vec2)
    solreffriction: wp.array(dtype=wp.vec2)
    solimp: wp.array(dtype=vec5)
    dim: wp.array(dtype=int)
    geom: wp.array(dtype=wp.vec2i)
    efc_address: wp.array2d(dtype=int)
    worldid: wp.array(dtype=int)
    type: wp.array(dtype=int)
    adhesion: wp.array(dtype=float)


@wp.struct
class Material:
    """What a contact feels like; the two solver times are those of MuJoCo's solref."""

    friction: float
    solref: wp.vec2
    solimp: vec5
    max_depth: float


@wp.struct
class Surfaces:
    """What contacts feel like. friction, restitution: (num_worlds, num_geoms - 1), of geoms 1, 2, ..."""

    friction: wp.array2d(dtype=float)
    restitution: wp.array2d(dtype=float)
    contact_time: float
    solimp: vec5
    max_depth: float


@wp.func
def material_of(surfaces: Surfaces, terrain: TerrainData, world: int, geom: int) -> Material:
    material = Material()
    # Isaac Gym averages both materials
    material.friction = wp.max(0.5 * (surfaces.friction[world, geom - 1] + terrain.friction), MIN_FRICTION)
    material.solimp = surfaces.solimp
    # damping ratio of an oscillator whose velocity returns with the factor e after half a period
    bounce = 0.5 * (surfaces.restitution[world, geom - 1] + terrain.restitution)
    damping_ratio = float(1.0)
    material.max_depth = surfaces.max_depth
    if bounce > 0.0:
        material.max_depth = FAR  # the spring of a bouncing contact stores its energy in depth
        log_e = wp.log(wp.min(bounce, 0.99))
        damping_ratio = -log_e / wp.sqrt(wp.PI * wp.PI + log_e * log_e)
    material.solref = wp.vec2(surfaces.contact_time / damping_ratio, damping_ratio)
    return material


@wp.func
def add_contact(
    contacts: ContactList,
    world: int,
    geom: int,
    depth: float,
    pos: wp.vec3,
    normal: wp.vec3,
    material: Material,
):
    """Append a contact; `normal` points from the terrain (geom 0) to the shape. Overflow is counted, not written."""
    slot = wp.atomic_add(contacts.count, 0, 1)
    if slot >= contacts.capacity:
        return
    # tangents as mju_makeFrame chooses them, so that the friction pyramid lies as in C MuJoCo
    side = wp.vec3(0.0, 1.0, 0.0)
    if wp.abs(normal[1]) > 0.5:
        side = wp.vec3(0.0, 0.0, 1.0)
    tangent = wp.normalize(side - normal * wp.dot(normal, side))
    second = wp.cross(normal, tangent)
    contacts.dist[slot] = -wp.min(depth, material.max_depth)
    contacts.pos[slot] = pos
    contacts.frame[slot] = wp.matrix_from_rows(normal, tangent, second)
    contacts.includemargin[slot] = 0.0
    contacts.friction[slot] = vec5(material.friction, material.friction, 0.0, 0.0, 0.0)
    contacts.solref[slot] = material.solref
    contacts.solreffriction[slot] = wp.vec2(0.0)
    contacts.solimp[slot] = material.solimp
    contacts.dim[slot] = 3
    contacts.geom[slot] = wp.vec2i(0, geom)
    contacts.worldid[slot] = world
    contacts.type[slot] = wp.static(CONSTRAINT)
    contacts.adhesion[slot] = 0.0
    for k in range(contacts.efc_address.shape[1]):
        contacts.efc_address[slot, k] = -1


def contact_list(data: mjw.Data) -> ContactList:
    """The arrays of `data.contact` as a kernel argument."""
    contacts = ContactList()
    contacts.capacity = data.naconmax
    contacts.count = data.nacon
    for name in CONTACT_ARRAYS:
        setattr(contacts, name, getattr(data.contact, name))
    return contacts


CONTACT_ARRAYS = (
    *("dist", "pos", "frame", "includemargin", "friction", "solref", "solreffriction", "solimp", "dim"),
    *("geom", "efc_address", "worldid", "type", "adhesion"),
)
