"""The device side of the ray tracer: which surface a pixel's ray meets, and its colour in sunlight with shadows."""

from __future__ import annotations

import math

import warp as wp

wp.set_module_options({"fast_math": True, "enable_backward": False})

# Direction towards it; normalised here, since a call of Warp would start it on import, with a banner.
SUN = wp.constant(wp.vec3(*(x / math.hypot(-0.45, -0.7, 1.0) for x in (-0.45, -0.7, 1.0))))
SUNLIGHT, AMBIENT, SKY_AMBIENT = wp.constant(0.62), wp.constant(0.26), wp.constant(0.2)  # all three sum to about 1
SHADE = wp.constant(0.25)  # share of the sunlight that reaches a shadow
LOW_GROUND, HIGH_GROUND = wp.constant(wp.vec3(0.50, 0.61, 0.70)), wp.constant(wp.vec3(0.80, 0.70, 0.52))
COLOURED_HEIGHT = wp.constant(1.2)  # [m] above and below zero over which the ground changes its colour
WALL = wp.constant(0.8)  # brightness of steep faces
STEEP = wp.constant(0.7)  # vertical part of the normal below which a face is a wall
CHECKER_SIDE, CHECKER_CONTRAST = wp.constant(0.5), wp.constant(0.09)  # [m], share of brightness
HORIZON, ZENITH = wp.constant(wp.vec3(0.86, 0.90, 0.94)), wp.constant(wp.vec3(0.55, 0.70, 0.88))
HAZE = wp.constant(30.0)  # [m] distance at which the ground fades by 1 - 1/e
FAR = wp.constant(1000.0)  # [m]
SKIN = wp.constant(1e-3)  # [m] that shadow rays start above a surface


@wp.struct
class SceneData:
    """What there is to see: a plane (if its normal is not 0), the ground's mesh, and all robots as one mesh."""

    plane_normal: wp.vec3
    plane_offset: float
    ground: wp.uint64  # 0: none
    robots: wp.uint64  # 0: none
    faces: wp.array(dtype=int)  # vertices of the robots' triangles
    normals: wp.array(dtype=wp.vec3)  # of the robots' vertices, world
    colours: wp.array(dtype=wp.vec3)  # of the robots' vertices


@wp.struct
class Hit:
    """distance: FAR if the ray meets nothing. is_robot: a robot's surface, else the ground's.

    face: of the ground's mesh, -1 for the plane.
    """

    distance: float
    face: int
    normal: wp.vec3
    colour: wp.vec3
    is_robot: bool


@wp.func
def ground_hit(scene: SceneData, start: wp.vec3, direction: wp.vec3, reach: float) -> Hit:
    """Colour is left out."""
    hit = Hit()
    hit.distance = FAR
    if scene.ground != wp.uint64(0):
        found = wp.mesh_query_ray(scene.ground, start, direction, reach)
        if found.result:
            hit.distance = found.t
            hit.normal = found.normal
            hit.face = found.face
    slope = wp.dot(scene.plane_normal, direction)
    if slope != 0.0:
        distance = (scene.plane_offset - wp.dot(scene.plane_normal, start)) / slope
        if distance > 0.0 and distance < wp.min(reach, hit.distance):
            hit.distance = distance
            hit.normal = scene.plane_normal
            hit.face = -1
    if wp.dot(hit.normal, direction) > 0.0:
        hit.normal = -hit.normal
    return hit


@wp.func
def robot_hit(scene: SceneData, start: wp.vec3, direction: wp.vec3, reach: float) -> Hit:
    hit = Hit()
    hit.distance = FAR
    if scene.robots != wp.uint64(0):
        found = wp.mesh_query_ray(scene.robots, start, direction, reach)
        if found.result:
            a, b, c = scene.faces[3 * found.face], scene.faces[3 * found.face + 1], scene.faces[3 * found.face + 2]
            w = 1.0 - found.u - found.v
            normal = found.u * scene.normals[a] + found.v * scene.normals[b] + w * scene.normals[c]
            hit.distance = found.t
            hit.normal = wp.normalize(normal)
            hit.colour = scene.colours[a]
            hit.is_robot = True
    return hit


@wp.func
def ground_colour(point: wp.vec3, normal: wp.vec3, distance: float) -> wp.vec3:
    """By height, with a checker pattern that fades with distance; walls are darker."""
    mix = wp.clamp(0.5 + 0.5 * point[2] / COLOURED_HEIGHT, 0.0, 1.0)
    colour = (1.0 - mix) * LOW_GROUND + mix * HIGH_GROUND
    if normal[2] < STEEP:
        return WALL * colour
    parity = int(wp.floor(point[0] / CHECKER_SIDE)) + int(wp.floor(point[1] / CHECKER_SIDE))
    contrast = CHECKER_CONTRAST * wp.exp(-distance / HAZE)
    if parity % 2 == 0:
        return (1.0 + contrast) * colour
    return (1.0 - contrast) * colour


@wp.func
def sky(direction: wp.vec3) -> wp.vec3:
    mix = wp.clamp(2.0 * direction[2], 0.0, 1.0)
    return (1.0 - mix) * HORIZON + mix * ZENITH


@wp.func
def colour_along(scene: SceneData, start: wp.vec3, direction: wp.vec3) -> wp.vec3:
    """What is seen from a point in a direction (a unit vector), rgb from 0 to 1."""
    hit = ground_hit(scene, start, direction, FAR)
    robot = robot_hit(scene, start, direction, hit.distance)
    if robot.is_robot:
        hit = robot
    if hit.distance >= FAR:
        return sky(direction)
    point = start + hit.distance * direction
    above = point + SKIN * hit.normal
    sun = wp.max(wp.dot(hit.normal, SUN), 0.0)
    if sun > 0.0 and (robot_hit(scene, above, SUN, FAR).is_robot or ground_shades(scene, above)):
        sun *= SHADE
    return lit(hit, point, sun)


@wp.func
def ground_shades(scene: SceneData, point: wp.vec3) -> bool:
    """Whether the ground's mesh hides the sun."""
    if scene.ground == wp.uint64(0):
        return False
    return wp.mesh_query_ray_anyhit(scene.ground, point, SUN, FAR)


@wp.func
def lit(hit: Hit, point: wp.vec3, sun: float) -> wp.vec3:
    """A surface's colour, of which so much faces the sun and is not in a shadow; the ground fades into the haze."""
    if not hit.is_robot:
        hit.colour = ground_colour(point, hit.normal, hit.distance)
    light = AMBIENT + SKY_AMBIENT * (0.5 + 0.5 * hit.normal[2]) + SUNLIGHT * sun
    clear = 1.0
    if not hit.is_robot:
        clear = wp.exp(-hit.distance * hit.distance / (HAZE * HAZE))
    return clear * light * hit.colour + (1.0 - clear) * HORIZON


@wp.kernel
def render(
    scene: SceneData,
    positions: wp.array(dtype=wp.vec3),
    rotations: wp.array(dtype=wp.quat),
    half_width: float,
    half_height: float,
    samples: int,
    first_row: int,
    images: wp.array4d(dtype=wp.uint8),
):
    """Pictures of several cameras.

    positions, rotations: of the cameras, which look along x with y to the left and z up. half_width, half_height: of
    the picture at the distance 1. samples: rays per pixel along each axis. first_row: of the band that this launch
    draws. images: (cameras, height, width, 3).
    """
    camera, band_row, column = wp.tid()
    row = first_row + band_row
    total = wp.vec3(0.0, 0.0, 0.0)
    for i in range(samples):
        for j in range(samples):
            right = (float(column) + (float(i) + 0.5) / float(samples)) / float(images.shape[2])
            down = (float(row) + (float(j) + 0.5) / float(samples)) / float(images.shape[1])
            ray = wp.vec3(1.0, half_width * (1.0 - 2.0 * right), half_height * (1.0 - 2.0 * down))
            direction = wp.quat_rotate(rotations[camera], wp.normalize(ray))
            total += colour_along(scene, positions[camera], direction)
    for channel in range(3):
        value = wp.clamp(255.0 * total[channel] / float(samples * samples), 0.0, 255.0)
        images[camera, row, column, channel] = wp.uint8(int(value + 0.5))


@wp.kernel
def ground_distances(
    scene: SceneData,
    starts: wp.array(dtype=wp.vec3),
    directions: wp.array(dtype=wp.vec3),
    distances: wp.array(dtype=float),
):
    """How far the ground is from points in directions (unit vectors) [m]; FAR if it is not there."""
    ray = wp.tid()
    distances[ray] = ground_hit(scene, starts[ray], directions[ray], FAR).distance


@wp.kernel
def place_robots(
    env_ids: wp.array(dtype=int),
    poses: wp.array3d(dtype=float),
    vertices_b: wp.array(dtype=wp.vec3),
    normals_b: wp.array(dtype=wp.vec3),
    bodies: wp.array(dtype=int),
    vertices: wp.array2d(dtype=wp.vec3),
    normals: wp.array2d(dtype=wp.vec3),
):
    """Move a robot's surface to where the robots are.

    poses: position and quaternion xyzw of each env's bodies, world, (envs, bodies, 7 or more). vertices_b, normals_b,
    bodies: of one robot, each vertex in the frame of its body. vertices, normals: world, (len(env_ids), vertices).
    """
    robot, vertex = wp.tid()
    env, body = env_ids[robot], bodies[vertex]
    pos = wp.vec3(poses[env, body, 0], poses[env, body, 1], poses[env, body, 2])
    rot = wp.quat(poses[env, body, 3], poses[env, body, 4], poses[env, body, 5], poses[env, body, 6])
    vertices[robot, vertex] = pos + wp.quat_rotate(rot, vertices_b[vertex])
    normals[robot, vertex] = wp.quat_rotate(rot, normals_b[vertex])
