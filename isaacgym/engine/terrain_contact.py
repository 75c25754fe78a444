"""Contacts of spheres, capsules and boxes with the terrain, written straight into MuJoCo Warp's contact list.

MuJoCo's own height-field collision knows no vertical walls and is the slowest part of a rough-terrain step. Here every
shape is tested against the terrain's own triangles:

* a sphere touches at the closest surface point, and also at faces that it meets from another direction (a foot in the
  corner of tread and riser has two contacts);
* a capsule is its two end spheres plus the convex terrain edges that press against the cylinder between them;
* a box is its eight corners plus the convex terrain edges that cut into it, so a stair nose carries a trunk.

A point is inside the ground if the surface lies above it; it is pushed towards the closest surface point, which for a
foot that hit a riser is the riser and not the tread above.
"""

from __future__ import annotations

import functools
import itertools
from typing import NamedTuple

import mujoco
import mujoco_warp as mjw
import numpy as np
import warp as wp
from scipy.spatial.transform import Rotation

from isaacgym.engine.model import CONTACT_SOLIMP, CONTACT_STEPS
from isaacgym.engine.terrain import (
    EDGE_DIAGONAL,
    EDGE_X,
    EDGE_Y,
    MOVED_NEAR,
    Grid,
    Mesh,
    Plane,
    Terrain,
    TerrainData,
    upload,
)

SPHERE = int(mujoco.mjtGeom.mjGEOM_SPHERE)
CAPSULE = int(mujoco.mjtGeom.mjGEOM_CAPSULE)
BOX = int(mujoco.mjtGeom.mjGEOM_BOX)

CONSTRAINT = 1  # mujoco_warp.ContactType.CONSTRAINT
FAR = wp.constant(1.0e6)  # [m], further than any surface
SAME_DIRECTION = wp.constant(0.7)  # contacts whose normals are closer than 45 degrees are one contact
FACE_COSINE = wp.constant(0.98)  # a contact belongs to the inside of a face if its normal is the face's
SEARCH_CELLS = wp.constant(0.25)  # how far around a point inside the ground the surface is searched
MAX_BOX_EDGES = wp.constant(8)  # terrain edges that one box may rest on
LEAVING_COSINE = wp.constant(0.3)  # an edge pushes a box only along axes that lead out of the ground
MIN_LENGTH = wp.constant(1.0e-7)
MIN_FRICTION = wp.constant(0.05)  # the stiffness of a flatter pyramid, which grows as 1 / friction², breaks float32

vec5 = wp.types.vector(length=5, dtype=float)


@wp.struct
class Touch:
    """Up to three contacts of a sphere: depth [m] and the normal from the terrain to the sphere (row of `normals`)."""

    count: int
    depth: wp.vec3
    normals: wp.mat33


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


# ---- geometry of one triangle ------------------------------------------------------------------------------------


@wp.func
def closest_point_on_triangle(p: wp.vec3, a: wp.vec3, b: wp.vec3, c: wp.vec3) -> wp.vec3:
    """By the Voronoi regions of vertices, edges and face (Ericson, Real-Time Collision Detection, 5.1.5)."""
    ab = b - a
    ac = c - a
    ap = p - a
    d1 = wp.dot(ab, ap)
    d2 = wp.dot(ac, ap)
    if d1 <= 0.0 and d2 <= 0.0:
        return a
    bp = p - b
    d3 = wp.dot(ab, bp)
    d4 = wp.dot(ac, bp)
    if d3 >= 0.0 and d4 <= d3:
        return b
    vc = d1 * d4 - d3 * d2
    if vc <= 0.0 and d1 >= 0.0 and d3 <= 0.0 and d1 > d3:
        return a + ab * (d1 / (d1 - d3))
    cp = p - c
    d5 = wp.dot(ab, cp)
    d6 = wp.dot(ac, cp)
    if d6 >= 0.0 and d5 <= d6:
        return c
    vb = d5 * d2 - d1 * d6
    if vb <= 0.0 and d2 >= 0.0 and d6 <= 0.0 and d2 > d6:
        return a + ac * (d2 / (d2 - d6))
    va = d3 * d6 - d5 * d4
    if va <= 0.0 and d4 - d3 >= 0.0 and d5 - d6 >= 0.0 and d4 - d3 + d5 - d6 > 0.0:
        return b + (c - b) * ((d4 - d3) / ((d4 - d3) + (d5 - d6)))
    area = va + vb + vc
    if area <= 0.0:
        return a
    return a + ab * (vb / area) + ac * (vc / area)


@wp.func
def height_in_triangle(x: float, y: float, a: wp.vec3, b: wp.vec3, c: wp.vec3) -> float:
    """Height of the triangle above (x, y), or -FAR beside it and for vertical triangles."""
    det = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
    if wp.abs(det) < 1.0e-6:
        return -FAR
    u = ((x - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (y - a[1])) / det
    v = ((b[0] - a[0]) * (y - a[1]) - (x - a[0]) * (b[1] - a[1])) / det
    if u < -1.0e-5 or v < -1.0e-5 or u + v > 1.00001:
        return -FAR
    return a[2] + u * (b[2] - a[2]) + v * (c[2] - a[2])


@wp.func
def closest_on_segments(p: wp.vec3, q: wp.vec3, a: wp.vec3, b: wp.vec3) -> wp.vec2:
    """Parameters s on p-q and t on a-b, both in [0, 1], of the closest points (Ericson, 5.1.9)."""
    d1 = q - p
    d2 = b - a
    r = p - a
    len1 = wp.max(wp.dot(d1, d1), MIN_LENGTH * MIN_LENGTH)
    len2 = wp.max(wp.dot(d2, d2), MIN_LENGTH * MIN_LENGTH)
    f = wp.dot(d2, r)
    c = wp.dot(d1, r)
    m = wp.dot(d1, d2)
    det = len1 * len2 - m * m
    s = 0.5
    if det > 1.0e-6 * len1 * len2:
        s = wp.clamp((m * f - c * len2) / det, 0.0, 1.0)
    t = wp.clamp((m * s + f) / len2, 0.0, 1.0)
    s = wp.clamp((m * t - c) / len1, 0.0, 1.0)
    return wp.vec2(s, t)


# ---- a sphere against each kind of terrain -----------------------------------------------------------------------


@wp.func
def touch_once(depth: float, normal: wp.vec3) -> Touch:
    touch = Touch()
    if depth > 0.0:
        touch.count = 1
        touch.depth[0] = depth
        touch.normals[0] = normal
    return touch


@wp.func
def sphere_on_plane(terrain: TerrainData, center: wp.vec3, radius: float) -> Touch:
    return touch_once(radius - (wp.dot(terrain.normal, center) - terrain.offset), terrain.normal)


@wp.func
def sphere_on_mesh(terrain: TerrainData, center: wp.vec3, radius: float) -> Touch:
    """The closest point of the mesh only; on which side the sphere is follows from the face seen from above."""
    reach = radius + 0.1
    query = wp.mesh_query_point_sign_normal(terrain.mesh, center, reach)
    if not query.result:
        return Touch()
    point = wp.mesh_eval_position(terrain.mesh, query.face, query.u, query.v)
    delta = (center - point) * query.sign
    distance = wp.length(delta)
    normal = wp.mesh_eval_face_normal(terrain.mesh, query.face)
    if distance > MIN_LENGTH:
        normal = delta / distance
    return touch_once(radius - distance * query.sign, normal)


@wp.func
def triangle_corner(terrain: TerrainData, i: int, j: int, k: int, corner: int) -> wp.vec3:
    """Vertices of the two triangles of cell (i, j): k = 0: v00, v11, v01; k = 1: v00, v10, v11."""
    if corner == 0:
        return terrain.vertices[i, j]
    if corner == 1:
        return terrain.vertices[i + 1, j + 1 - k]
    return terrain.vertices[i + k, j + 1]


@wp.func
def surface_height(terrain: TerrainData, x: float, y: float, ci: int, cj: int, reach: int) -> float:
    """Highest surface over (x, y), looking `reach` cells around cell (ci, cj)."""
    height = float(-FAR)
    for i in range(wp.max(ci - reach, 0), wp.min(ci + reach, terrain.vertices.shape[0] - 2) + 1):
        for j in range(wp.max(cj - reach, 0), wp.min(cj + reach, terrain.vertices.shape[1] - 2) + 1):
            v00 = terrain.vertices[i, j]
            v11 = terrain.vertices[i + 1, j + 1]
            height = wp.max(height, height_in_triangle(x, y, v00, v11, terrain.vertices[i, j + 1]))
            height = wp.max(height, height_in_triangle(x, y, v00, terrain.vertices[i + 1, j], v11))
    return height


@wp.func
def sphere_on_grid(terrain: TerrainData, center: wp.vec3, radius: float) -> Touch:
    touch = Touch()
    u = (center[0] - terrain.origin[0]) / terrain.scale
    v = (center[1] - terrain.origin[1]) / terrain.scale
    ci = int(wp.floor(u))
    cj = int(wp.floor(v))
    rows = terrain.vertices.shape[0]
    cols = terrain.vertices.shape[1]
    if ci < 0 or cj < 0 or ci > rows - 2 or cj > cols - 2:
        return touch
    pad = wp.max(radius / terrain.scale, SEARCH_CELLS)
    if radius == 0.0:
        if center[2] > terrain.point_top[ci, cj]:
            return touch
    elif pad <= 0.5 and center[2] - radius > terrain.top[ci, cj]:
        return touch
    moved_near = (int(terrain.flags[ci, cj]) & wp.static(MOVED_NEAR)) != 0
    reach = wp.where(moved_near or pad > 0.5, 1, 0)
    inside = center[2] < surface_height(terrain, center[0], center[1], ci, cj, reach)
    if not inside and radius == 0.0:
        return touch

    i0 = wp.max(int(wp.floor(u - pad)) - reach, 0)
    i1 = wp.min(int(wp.floor(u + pad)) + reach, rows - 2)
    j0 = wp.max(int(wp.floor(v - pad)) - reach, 0)
    j1 = wp.min(int(wp.floor(v + pad)) + reach, cols - 2)
    closest = float(FAR)
    closest_normal = wp.vec3(0.0, 0.0, 1.0)
    # up to two faces that the sphere meets head on, each from its own direction
    face_a = float(FAR)
    face_b = float(FAR)
    normal_a = wp.vec3(0.0)
    normal_b = wp.vec3(0.0)
    for i in range(i0, i1 + 1):
        for j in range(j0, j1 + 1):
            for k in range(2):
                a = triangle_corner(terrain, i, j, k, 0)
                b = triangle_corner(terrain, i, j, k, 1)
                c = triangle_corner(terrain, i, j, k, 2)
                face = wp.cross(b - a, c - a)
                area = wp.length(face)
                if area > MIN_LENGTH:
                    face = face / area
                    delta = center - closest_point_on_triangle(center, a, b, c)
                    distance = wp.length(delta)
                    normal = face
                    if distance > MIN_LENGTH:
                        normal = delta / distance
                    if distance < closest:
                        closest = distance
                        closest_normal = normal
                    if distance < radius and wp.dot(normal, face) > FACE_COSINE:
                        if face_a == FAR or wp.dot(normal, normal_a) > SAME_DIRECTION:
                            if distance < face_a:
                                face_a = distance
                                normal_a = normal
                        elif distance < face_b:
                            face_b = distance
                            normal_b = normal
    if closest == FAR:
        return touch
    if inside:
        if closest > MIN_LENGTH:
            closest_normal = -closest_normal  # it pointed from the surface down to the center
        return touch_once(radius + closest, closest_normal)

    touch = touch_once(radius - closest, closest_normal)
    if face_a < radius and wp.dot(normal_a, closest_normal) < SAME_DIRECTION:
        touch.depth[touch.count] = radius - face_a
        touch.normals[touch.count] = normal_a
        touch.count += 1
    if face_b < radius and wp.dot(normal_b, closest_normal) < SAME_DIRECTION:
        touch.depth[touch.count] = radius - face_b
        touch.normals[touch.count] = normal_b
        touch.count += 1
    return touch


# ---- terrain edges against a capsule or a box --------------------------------------------------------------------


@wp.func
def edge_end(terrain: TerrainData, i: int, j: int, edge: int) -> wp.vec3:
    """Second end of an edge of cell (i, j); the first is vertex (i, j). edge: 0 along i, 1 along j, 2 diagonal."""
    if edge == 0:
        return terrain.vertices[i + 1, j]
    if edge == 1:
        return terrain.vertices[i, j + 1]
    return terrain.vertices[i + 1, j + 1]


@wp.func
def face_normal(terrain: TerrainData, i: int, j: int, k: int) -> wp.vec3:
    """Unit normal of triangle k of cell (i, j); zero if it has no area."""
    a = triangle_corner(terrain, i, j, k, 0)
    normal = wp.cross(triangle_corner(terrain, i, j, k, 1) - a, triangle_corner(terrain, i, j, k, 2) - a)
    return wp.normalize(normal)


@wp.func
def edge_outward(terrain: TerrainData, i: int, j: int, edge: int) -> wp.vec3:
    """Direction out of the ground at an edge, half way between the normals of its two faces."""
    normal = face_normal(terrain, i, j, wp.where(edge == 0, 1, 0))
    if edge == 0:
        normal += face_normal(terrain, i, j - 1, 0)
    elif edge == 1:
        normal += face_normal(terrain, i - 1, j, 1)
    else:
        normal += face_normal(terrain, i, j, 1)
    return wp.normalize(normal)


@wp.func
def cell_range(terrain: TerrainData, low: float, high: float, axis: int) -> wp.vec2i:
    """First and last cell along an axis whose edges can come between two coordinates [m]."""
    last = terrain.vertices.shape[0] - 2
    if axis == 1:
        last = terrain.vertices.shape[1] - 2
    first_cell = int(wp.floor((low - terrain.origin[axis]) / terrain.scale)) - 1
    last_cell = int(wp.floor((high - terrain.origin[axis]) / terrain.scale)) + 1
    return wp.vec2i(wp.max(first_cell, 0), wp.min(last_cell, last))


@wp.func
def inside_interval(start: wp.vec3, end: wp.vec3, half: wp.vec3) -> wp.vec2:
    """Parameters at which the segment start-end enters and leaves the box |x| < half; (1, 0) if it misses."""
    t0 = float(0.0)
    t1 = float(1.0)
    for k in range(3):
        d = end[k] - start[k]
        if wp.abs(d) < MIN_LENGTH:
            if wp.abs(start[k]) > half[k]:
                return wp.vec2(1.0, 0.0)
        else:
            ta = (-half[k] - start[k]) / d
            tb = (half[k] - start[k]) / d
            t0 = wp.max(t0, wp.min(ta, tb))
            t1 = wp.min(t1, wp.max(ta, tb))
    return wp.vec2(t0, t1)


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


@wp.func
def capsule_edges(
    terrain: TerrainData,
    contacts: ContactList,
    world: int,
    geom: int,
    start: wp.vec3,
    end: wp.vec3,
    radius: float,
    material: Material,
):
    """The terrain edge that presses deepest against the cylinder between the end spheres."""
    range_i = cell_range(terrain, wp.min(start[0], end[0]) - radius, wp.max(start[0], end[0]) + radius, 0)
    range_j = cell_range(terrain, wp.min(start[1], end[1]) - radius, wp.max(start[1], end[1]) + radius, 1)
    lowest = wp.min(start[2], end[2]) - radius
    depth = float(0.0)
    pos = wp.vec3(0.0)
    normal = wp.vec3(0.0)
    for i in range(range_i[0], range_i[1] + 1):
        for j in range(range_j[0], range_j[1] + 1):
            flags = int(terrain.flags[i, j])
            for edge in range(3):
                if (flags >> edge) & 1:
                    a = terrain.vertices[i, j]
                    b = edge_end(terrain, i, j, edge)
                    if wp.max(a[2], b[2]) > lowest:
                        st = closest_on_segments(start, end, a, b)
                        on_axis = start + (end - start) * st[0]
                        delta = on_axis - (a + (b - a) * st[1])
                        distance = wp.length(delta)
                        between = st[0] > 0.01 and st[0] < 0.99
                        if between and distance > MIN_LENGTH and radius - distance > depth:
                            if wp.dot(delta, edge_outward(terrain, i, j, edge)) > 0.0:
                                depth = radius - distance
                                normal = delta / distance
                                pos = on_axis - normal * (radius - 0.5 * depth)
    if wp.length_sq(normal) > 0.0:
        add_contact(contacts, world, geom, depth, pos, normal, material)


@wp.func
def box_edges(
    terrain: TerrainData,
    contacts: ContactList,
    world: int,
    geom: int,
    center: wp.vec3,
    rot: wp.mat33,
    half: wp.vec3,
    material: Material,
):
    """Terrain edges inside the box push it out of the ground, along the axis of the box that needs the least way."""
    extent = wp.vec3(0.0)
    for k in range(3):
        extent[k] = wp.abs(rot[k, 0]) * half[0] + wp.abs(rot[k, 1]) * half[1] + wp.abs(rot[k, 2]) * half[2]
    range_i = cell_range(terrain, center[0] - extent[0], center[0] + extent[0], 0)
    range_j = cell_range(terrain, center[1] - extent[1], center[1] + extent[1], 1)
    found = int(0)
    for i in range(range_i[0], range_i[1] + 1):
        for j in range(range_j[0], range_j[1] + 1):
            flags = int(terrain.flags[i, j])
            for edge in range(3):
                if (flags >> edge) & 1 and found < MAX_BOX_EDGES:
                    a = terrain.vertices[i, j]
                    b = edge_end(terrain, i, j, edge)
                    if wp.max(a[2], b[2]) > center[2] - extent[2]:
                        local_a = wp.transpose(rot) * (a - center)
                        local_b = wp.transpose(rot) * (b - center)
                        t = inside_interval(local_a, local_b, half)
                        if t[0] < t[1]:
                            middle = local_a + (local_b - local_a) * (0.5 * (t[0] + t[1]))
                            depth = float(FAR)
                            normal = wp.vec3(0.0)
                            outward = wp.transpose(rot) * edge_outward(terrain, i, j, edge)
                            for k in range(3):
                                # leaving along +axis k, the edge comes out of the face at -half[k]
                                sign = wp.where(outward[k] > 0.0, 1.0, -1.0)
                                face_depth = half[k] + sign * middle[k]
                                if wp.abs(outward[k]) > LEAVING_COSINE and face_depth < depth:
                                    depth = face_depth
                                    normal = wp.vec3(sign * rot[0, k], sign * rot[1, k], sign * rot[2, k])
                            if depth < FAR:
                                pos = center + rot * middle - normal * (0.5 * depth)
                                add_contact(contacts, world, geom, depth, pos, normal, material)
                                found += 1


# ---- kernels: one thread per probe or shape, and world ------------------------------------------------------------


class Probes(NamedTuple):
    """The spheres that stand for all shapes: spheres themselves, ends of capsules, corners of boxes (radius 0)."""

    geom: np.ndarray  # (num_probes,)
    offset: np.ndarray  # (num_probes, 3) in the shape's frame [m]
    radius: np.ndarray  # (num_probes,) [m]


def find_probes(model: mujoco.MjModel, geoms: list[int]) -> Probes:
    """Probes of some geoms, those of the same kind next to each other so that neighbouring threads do the same work."""
    probes = []
    for geom in sorted(geoms, key=lambda geom: int(model.geom_type[geom])):
        x, y, z = model.geom_size[geom]
        if model.geom_type[geom] == SPHERE:
            probes.append((geom, (0.0, 0.0, 0.0), x))
        elif model.geom_type[geom] == CAPSULE:
            probes += [(geom, (0.0, 0.0, end), x) for end in (-y, y)]
        else:
            probes += [(geom, corner, 0.0) for corner in itertools.product((-x, x), (-y, y), (-z, z))]
    geom, offset, radius = zip(*probes, strict=True) if probes else ((), (), ())
    return Probes(np.array(geom, dtype=np.int32), np.array(offset, dtype=np.float32).reshape(-1, 3), np.array(radius))


def hidden_geoms(model: mujoco.MjModel) -> set[int]:
    """Geoms that lie inside a box of the same body, such as a sensor's housing: they can touch nothing first."""
    hidden = set()
    for outer in np.flatnonzero(model.geom_type == BOX):
        turn = Rotation.from_quat(model.geom_quat[outer], scalar_first=True).inv()
        for inner in np.flatnonzero(model.geom_bodyid == model.geom_bodyid[outer]):
            center = np.abs(turn.apply(model.geom_pos[inner] - model.geom_pos[outer]))
            if inner != outer and (center + model.geom_rbound[inner] <= model.geom_size[outer]).all():
                hidden.add(int(inner))
    return hidden


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


@functools.cache
def probe_kernel(kind: type[Terrain]) -> wp.Kernel:
    """Kernel of all probes, (num_probes, num_worlds) threads, specialised for one kind of terrain."""
    sphere_on_terrain = {Plane: sphere_on_plane, Grid: sphere_on_grid, Mesh: sphere_on_mesh}[kind]

    @wp.kernel(module="unique", enable_backward=False)
    def probe_contacts(
        terrain: TerrainData,
        probe_geom: wp.array(dtype=int),
        probe_offset: wp.array(dtype=wp.vec3),
        probe_radius: wp.array(dtype=float),
        geom_xpos: wp.array2d(dtype=wp.vec3),
        geom_xmat: wp.array2d(dtype=wp.mat33),
        surfaces: Surfaces,
        contacts: ContactList,
    ):
        probe, world = wp.tid()
        geom = probe_geom[probe]
        radius = probe_radius[probe]
        center = geom_xpos[world, geom] + geom_xmat[world, geom] * probe_offset[probe]
        touch = sphere_on_terrain(terrain, center, radius)
        for k in range(touch.count):
            normal = touch.normals[k]
            depth = touch.depth[k]
            pos = center - normal * (radius - 0.5 * depth)
            add_contact(contacts, world, geom, depth, pos, normal, material_of(surfaces, terrain, world, geom))

    return probe_contacts


@wp.kernel(enable_backward=False)
def edge_contacts(
    terrain: TerrainData,
    geoms: wp.array(dtype=int),
    geom_type: wp.array(dtype=int),
    geom_size: wp.array2d(dtype=wp.vec3),
    geom_xpos: wp.array2d(dtype=wp.vec3),
    geom_xmat: wp.array2d(dtype=wp.mat33),
    surfaces: Surfaces,
    contacts: ContactList,
):
    """Convex edges of a grid against capsules and boxes, (num_geoms, num_worlds) threads."""
    shape, world = wp.tid()
    geom = geoms[shape]
    size = geom_size[0, geom]
    center = geom_xpos[world, geom]
    rot = geom_xmat[world, geom]
    material = material_of(surfaces, terrain, world, geom)
    if geom_type[geom] == wp.static(CAPSULE):
        axis = wp.vec3(rot[0, 2], rot[1, 2], rot[2, 2]) * size[1]
        capsule_edges(terrain, contacts, world, geom, center + axis, center - axis, size[0], material)
    else:
        box_edges(terrain, contacts, world, geom, center, rot, size, material)


class TerrainContacts:
    """Finds the contacts of a model's shapes with a terrain, in all worlds."""

    def __init__(
        self,
        model: mujoco.MjModel,
        terrain: Terrain,
        num_worlds: int,
        friction: wp.array,
        restitution: wp.array,
        max_depenetration_velocity: float,
    ) -> None:
        """friction, restitution: live arrays (num_worlds, num_geoms - 1); the terrain's are averaged in.

        Depths are clipped to what a critically damped contact resolves at `max_depenetration_velocity` [m/s].
        """
        self._terrain, self._terrain_owner = upload(terrain, str(wp.get_device()))
        hidden = hidden_geoms(model)
        geoms = [geom for geom in range(1, model.ngeom) if geom not in hidden]
        probes = find_probes(model, geoms)
        self._probes = [
            wp.array(probes.geom, dtype=int),
            wp.array(probes.offset, dtype=wp.vec3),
            wp.array(probes.radius, dtype=float),
        ]
        has_edges = [geom for geom in geoms if model.geom_type[geom] != SPHERE] if isinstance(terrain, Grid) else []
        self._edge_geoms = wp.array(sorted(has_edges, key=lambda geom: int(model.geom_type[geom])), dtype=int)
        self._num_worlds = num_worlds
        self._kernel = probe_kernel(type(terrain))
        self._surfaces = Surfaces()
        self._surfaces.friction, self._surfaces.restitution = friction, restitution
        self._surfaces.contact_time = CONTACT_STEPS * model.opt.timestep
        self._surfaces.solimp = vec5(*CONTACT_SOLIMP)
        # v = depth · stiffness / damping = depth / (2 · time constant)
        self._surfaces.max_depth = 2.0 * self._surfaces.contact_time * max_depenetration_velocity

    def detect(self, model: mjw.Model, data: mjw.Data, contacts: ContactList) -> None:
        """Append the contacts of the poses in `data` to `contacts`."""
        poses = [data.geom_xpos, data.geom_xmat]
        inputs = [self._terrain, *self._probes, *poses, self._surfaces, contacts]
        wp.launch(self._kernel, dim=(self._probes[0].size, self._num_worlds), inputs=inputs)
        if self._edge_geoms.size:
            shapes = [self._edge_geoms, model.geom_type, model.geom_size]
            inputs = [self._terrain, *shapes, *poses, self._surfaces, contacts]
            wp.launch(edge_contacts, dim=(self._edge_geoms.size, self._num_worlds), inputs=inputs)


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
EDGE_BITS = (EDGE_X, EDGE_Y, EDGE_DIAGONAL)
assert EDGE_BITS == (1, 2, 4), "the kernels test edge k of a cell with bit k of its flags"
