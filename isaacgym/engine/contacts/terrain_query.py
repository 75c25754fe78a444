"""Where shapes meet a terrain: points on triangles, spheres against each kind of ground, edges of a grid.

A point is inside the ground if the surface lies above it, unless it is in front of the face that it is closest to
(walls at the corners of stairs hang over); of faces that share the closest point, the one counts that it is most in
front of or behind. It is pushed towards the closest surface point, which for a foot that hit a riser is the riser and
not the tread above.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import warp as wp

from isaacgym.engine.lanes import lane_exchange
from isaacgym.engine.terrain import MOVED_NEAR, TerrainData

FAR = wp.constant(1.0e6)  # [m], further than any surface
SAME_DIRECTION = wp.constant(0.7)  # contacts whose normals are closer than 45 degrees are one contact
FACE_COSINE = wp.constant(0.98)  # a contact belongs to the inside of a face if its normal is the face's
LEAVING_COSINE = wp.constant(0.3)  # an edge pushes a box or hull only along face normals that lead out of the ground
DETOUR = wp.constant(3.0)  # and no further than so many times the shortest way out of the shape, see `edge_pushes`
SEARCH_CELLS = wp.constant(0.25)  # how far around a point inside the ground the surface is searched
MIN_LENGTH = wp.constant(1.0e-7)
SAME_DISTANCE = wp.constant(5.0e-5)  # [m]; in float32, coordinates of 200 m are exact to 1.5e-5 m


@wp.struct
class Touch:
    """Up to three contacts of a sphere: depth [m] and the normal from the terrain to the sphere (row of `normals`)."""

    count: int
    depth: wp.vec3
    normals: wp.mat33


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
def distance_of_bounds_sq(p: wp.vec3, a: wp.vec3, b: wp.vec3, c: wp.vec3) -> float:
    """Squared distance of a point from the triangle's bounding box, at most that from the triangle [m²]."""
    low = wp.min(wp.min(a, b), c)
    high = wp.max(wp.max(a, b), c)
    return wp.length_sq(wp.max(wp.max(low - p, p - high), wp.vec3(0.0)))


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


# ---- a sphere against each kind of terrain; lane: 0 unless threads share the work ------------------------------------


@wp.func
def touch_once(depth: float, normal: wp.vec3) -> Touch:
    touch = Touch()
    if depth > 0.0:
        touch.count = 1
        touch.depth[0] = depth
        touch.normals[0] = normal
    return touch


@wp.func
def sphere_on_plane(terrain: TerrainData, center: wp.vec3, radius: float, lane: int) -> Touch:
    return touch_once(radius - (wp.dot(terrain.normal, center) - terrain.offset), terrain.normal)


@wp.func
def sphere_on_mesh(terrain: TerrainData, center: wp.vec3, radius: float, lane: int) -> Touch:
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
def highest_of(terrain: TerrainData, x: float, y: float, i: int, j: int) -> float:
    """Height over (x, y) of the triangles of cell (i, j), or -FAR beside them."""
    v00 = terrain.vertices[i, j]
    v11 = terrain.vertices[i + 1, j + 1]
    height = height_in_triangle(x, y, v00, v11, terrain.vertices[i, j + 1])
    return wp.max(height, height_in_triangle(x, y, v00, terrain.vertices[i + 1, j], v11))


@wp.func
def may_touch_plane(terrain: TerrainData, center: wp.vec3, radius: float) -> bool:
    return wp.dot(terrain.normal, center) - terrain.offset < radius


@wp.func
def may_touch_grid(terrain: TerrainData, center: wp.vec3, radius: float) -> bool:
    """Whether a point (radius 0) or sphere over the grid is not above all triangles that it could touch."""
    i = int(wp.floor((center[0] - terrain.origin[0]) / terrain.scale))
    j = int(wp.floor((center[1] - terrain.origin[1]) / terrain.scale))
    if i < 0 or j < 0 or i > terrain.vertices.shape[0] - 2 or j > terrain.vertices.shape[1] - 2:
        return False
    if radius == 0.0:
        return center[2] <= terrain.point_top[i, j]
    return wp.max(radius / terrain.scale, SEARCH_CELLS) > 0.5 or center[2] - radius <= terrain.top[i, j]


@wp.struct
class Nearest:
    """What is closest to a sphere of some triangles; distances [m] are FAR where there is nothing."""

    distance: float
    normal: wp.vec3
    facing: float  # cosine between that normal and the closest face's own, largest of faces at the same distance
    # up to two faces that the sphere meets head on, each from its own direction
    face_a: float
    face_b: float
    normal_a: wp.vec3
    normal_b: wp.vec3


@wp.func
def nearest_of_none() -> Nearest:
    none = Nearest()
    none.distance = FAR
    none.normal = wp.vec3(0.0, 0.0, 1.0)
    none.face_a = FAR
    none.face_b = FAR
    return none


@wp.func
def nearest_of_one(face: wp.vec3, delta: wp.vec3, radius: float) -> Nearest:
    """face: the triangle's unit normal; delta: from its closest point to the sphere's centre."""
    one = nearest_of_none()
    one.distance = wp.length(delta)
    one.normal = face
    if one.distance > MIN_LENGTH:
        one.normal = delta / one.distance
    one.facing = wp.dot(one.normal, face)
    if one.distance < radius and one.facing > FACE_COSINE:
        one.face_a = one.distance
        one.normal_a = one.normal
    return one


@wp.func
def with_face(nearest: Nearest, distance: float, normal: wp.vec3) -> Nearest:
    if nearest.face_a == FAR or wp.dot(normal, nearest.normal_a) > SAME_DIRECTION:
        if distance < nearest.face_a:
            nearest.face_a = distance
            nearest.normal_a = normal
    elif distance < nearest.face_b:
        nearest.face_b = distance
        nearest.normal_b = normal
    return nearest


@wp.func
def nearest_of_both(own: Nearest, other: Nearest) -> Nearest:
    if other.distance < own.distance - SAME_DISTANCE or (
        other.distance < own.distance + SAME_DISTANCE and wp.abs(other.facing) > wp.abs(own.facing)
    ):
        own.facing = other.facing
    if other.distance < own.distance:
        own.distance = other.distance
        own.normal = other.normal
    if other.face_a < FAR:
        own = with_face(own, other.face_a, other.normal_a)
    if other.face_b < FAR:
        own = with_face(own, other.face_b, other.normal_b)
    return own


@functools.cache
def sphere_on_grid(lanes: int) -> Callable:
    """The Warp function of a sphere against a grid that so many neighbouring threads of a GPU share.

    All of them call it with the same sphere; the first one's result counts.
    """
    of_lane = lane_exchange(lanes)
    rounds = lanes.bit_length() - 1

    @wp.func
    def nearest_of_lane(own: Nearest, lane: int):
        other = Nearest()
        other.distance = of_lane(own.distance, lane)
        other.normal = of_lane(own.normal, lane)
        other.facing = of_lane(own.facing, lane)
        other.face_a = of_lane(own.face_a, lane)
        other.face_b = of_lane(own.face_b, lane)
        other.normal_a = of_lane(own.normal_a, lane)
        other.normal_b = of_lane(own.normal_b, lane)
        return other

    @wp.func
    def surface_height(terrain: TerrainData, x: float, y: float, ci: int, cj: int, reach: int, lane: int):
        """Highest surface over (x, y), looking `reach` cells around cell (ci, cj)."""
        i0 = wp.max(ci - reach, 0)
        j0 = wp.max(cj - reach, 0)
        cols = wp.min(cj + reach, terrain.vertices.shape[1] - 2) - j0 + 1
        cells = (wp.min(ci + reach, terrain.vertices.shape[0] - 2) - i0 + 1) * cols
        height = float(-FAR)
        for cell in range(lane, cells, lanes):
            height = wp.max(height, highest_of(terrain, x, y, i0 + cell // cols, j0 + cell % cols))
        for k in range(wp.static(rounds)):
            height = wp.max(height, of_lane(height, lane ^ (1 << k)))
        return height

    @wp.func
    def touch_sphere(terrain: TerrainData, center: wp.vec3, radius: float, lane: int) -> Touch:
        touch = Touch()
        if not may_touch_grid(terrain, center, radius):
            return touch
        u = (center[0] - terrain.origin[0]) / terrain.scale
        v = (center[1] - terrain.origin[1]) / terrain.scale
        ci = int(wp.floor(u))
        cj = int(wp.floor(v))
        pad = wp.max(radius / terrain.scale, SEARCH_CELLS)
        moved_near = (int(terrain.flags[ci, cj]) & wp.static(MOVED_NEAR)) != 0
        reach = wp.where(moved_near or pad > 0.5, 1, 0)
        inside = center[2] < surface_height(terrain, center[0], center[1], ci, cj, reach, lane)
        if not inside and radius == 0.0:
            return touch

        i0 = wp.max(int(wp.floor(u - pad)) - reach, 0)
        j0 = wp.max(int(wp.floor(v - pad)) - reach, 0)
        cols = wp.min(int(wp.floor(v + pad)) + reach, terrain.vertices.shape[1] - 2) - j0 + 1
        triangles = 2 * (wp.min(int(wp.floor(u + pad)) + reach, terrain.vertices.shape[0] - 2) - i0 + 1) * cols
        nearest = nearest_of_none()
        for triangle in range(lane, triangles, lanes):
            i = i0 + triangle // 2 // cols
            j = j0 + triangle // 2 % cols
            a = triangle_corner(terrain, i, j, triangle % 2, 0)
            b = triangle_corner(terrain, i, j, triangle % 2, 1)
            c = triangle_corner(terrain, i, j, triangle % 2, 2)
            bound = wp.max(nearest.distance + SAME_DISTANCE, radius)  # triangles further away change nothing
            if distance_of_bounds_sq(center, a, b, c) <= bound * bound:
                face = wp.cross(b - a, c - a)
                area = wp.length(face)
                if area > MIN_LENGTH:
                    delta = center - closest_point_on_triangle(center, a, b, c)
                    nearest = nearest_of_both(nearest, nearest_of_one(face / area, delta, radius))
        for k in range(wp.static(rounds)):
            nearest = nearest_of_both(nearest, nearest_of_lane(nearest, lane ^ (1 << k)))
        if nearest.distance == FAR:
            return touch
        if inside and nearest.facing <= 0.0:
            if nearest.distance > MIN_LENGTH:  # the normal pointed from the surface down to the center
                nearest.normal = -nearest.normal
            return touch_once(radius + nearest.distance, nearest.normal)

        touch = touch_once(radius - nearest.distance, nearest.normal)
        if nearest.face_a < radius and wp.dot(nearest.normal_a, nearest.normal) < SAME_DIRECTION:
            touch.depth[touch.count] = radius - nearest.face_a
            touch.normals[touch.count] = nearest.normal_a
            touch.count += 1
        if nearest.face_b < radius and wp.dot(nearest.normal_b, nearest.normal) < SAME_DIRECTION:
            touch.depth[touch.count] = radius - nearest.face_b
            touch.normals[touch.count] = nearest.normal_b
            touch.count += 1
        return touch

    return touch_sphere


# ---- edges of a grid ----------------------------------------------------------------------------------------------


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
def edge_pushes(depth: float, shortest: float) -> bool:
    """Whether an edge inside a box or hull pushes it out of the ground.

    Where the shape has just reached the edge past its end, or past a face that does not lead out of the ground, the
    way out is as long as the shape, and another edge or face of the terrain is what it touches.

    Args:
        depth: way along the best axis that leads out of the ground [m]; FAR: none does.
        shortest: way out of the shape, from the same point, along any of its axes [m].
    """
    return depth <= DETOUR * shortest
