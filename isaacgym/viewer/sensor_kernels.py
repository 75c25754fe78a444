"""The device side of camera sensors: what the rays of many cameras meet, each among the bodies of its own env.

Bodies are not moved: their triangles stay in the frames that they were built in, and rays are turned into these frames.
So nothing is built anew for a picture, however many envs there are.
"""

from __future__ import annotations

import warp as wp

from isaacgym.viewer.ray_kernels import FAR, SHADE, SKIN, SUN, SceneData, ground_hit, ground_shades, lit, sky

wp.set_module_options({"enable_backward": False})

NOTHING = wp.constant(-1)


@wp.struct
class Bodies:
    """What there is to see of the bodies of an env."""

    mesh: wp.array(dtype=wp.uint64)  # of each body, in its frame; 0: nothing to see
    center: wp.array(dtype=wp.vec3)  # of a ball around the mesh
    radius: wp.array(dtype=float)
    first_face: wp.array(dtype=int)  # of each body's mesh among `faces`
    faces: wp.array(dtype=int)  # vertices of all triangles
    normals: wp.array(dtype=wp.vec3)  # of the vertices, in the frames of their bodies
    colours: wp.array(dtype=wp.vec3)  # of the vertices
    painted: wp.array2d(dtype=wp.vec3)  # colour of each env's bodies; negative: that of the vertices
    ids: wp.array2d(dtype=int)  # segmentation of each env's bodies


@wp.struct
class Cameras:
    """Cameras of one size and lens, and where they are."""

    width: int
    height: int
    half_width: float  # of the picture at the distance 1
    half_height: float
    near: float
    far: float
    env: wp.array(dtype=int)
    position: wp.array(dtype=wp.vec3)  # world
    rotation: wp.array(dtype=wp.quat)  # x forward, y left, z up


@wp.struct
class BodyHit:
    """body: NOTHING if no body is met within reach."""

    distance: float
    body: int
    face: int  # among all faces
    u: float
    v: float


@wp.func
def body_pose(poses: wp.array3d(dtype=float), env: int, body: int):
    pos = wp.vec3(poses[env, body, 0], poses[env, body, 1], poses[env, body, 2])
    rot = wp.quat(poses[env, body, 3], poses[env, body, 4], poses[env, body, 5], poses[env, body, 6])
    return pos, rot


@wp.func
def bodies_hit(
    bodies: Bodies, poses: wp.array3d(dtype=float), env: int, start: wp.vec3, direction: wp.vec3, reach: float
) -> BodyHit:
    """The nearest body of an env along a ray (a unit vector)."""
    hit = BodyHit()
    hit.distance = reach
    hit.body = NOTHING
    for body in range(bodies.mesh.shape[0]):
        if bodies.mesh[body] != wp.uint64(0):
            pos, rot = body_pose(poses, env, body)
            to = pos + wp.quat_rotate(rot, bodies.center[body]) - start
            along = wp.dot(to, direction)
            radius = bodies.radius[body]
            aside = wp.dot(to, to) - along * along
            if aside < radius * radius and along > -radius and along - radius < hit.distance:
                start_b = wp.quat_rotate_inv(rot, start - pos)
                direction_b = wp.quat_rotate_inv(rot, direction)
                found = wp.mesh_query_ray(bodies.mesh[body], start_b, direction_b, hit.distance)
                if found.result:
                    hit.distance = found.t
                    hit.body = body
                    hit.face = bodies.first_face[body] + found.face
                    hit.u = found.u
                    hit.v = found.v
    return hit


@wp.func
def pixel_ray(cameras: Cameras, column: float, row: float) -> wp.vec3:
    """From the camera through a point of the picture, in pixels; of length 1 along the camera's axis."""
    right = column / float(cameras.width)
    down = row / float(cameras.height)
    return wp.vec3(1.0, cameras.half_width * (1.0 - 2.0 * right), cameras.half_height * (1.0 - 2.0 * down))


@wp.kernel
def place_cameras(
    poses: wp.array3d(dtype=float),
    origins: wp.array2d(dtype=float),
    body: wp.array(dtype=int),
    turns_with_body: wp.array(dtype=bool),
    local_position: wp.array(dtype=wp.vec3),
    local_rotation: wp.array(dtype=wp.quat),
    cameras: Cameras,
):
    """body: that the camera is attached to, NOTHING: it stands in its env, whose origin is in `origins`."""
    camera = wp.tid()
    env = cameras.env[camera]
    pos = wp.vec3(origins[env, 0], origins[env, 1], origins[env, 2])
    rot = wp.quat_identity()
    if body[camera] != NOTHING:
        body_pos, body_rot = body_pose(poses, env, body[camera])
        pos = body_pos
        if turns_with_body[camera]:
            rot = body_rot
    cameras.position[camera] = pos + wp.quat_rotate(rot, local_position[camera])
    cameras.rotation[camera] = rot * local_rotation[camera]


@wp.kernel
def measure(
    scene: SceneData,
    ground_ends: wp.array(dtype=int),
    ground_ids: wp.array(dtype=int),
    bodies: Bodies,
    poses: wp.array3d(dtype=float),
    cameras: Cameras,
    first_row: int,
    depth: wp.array3d(dtype=float),
    segmentation: wp.array3d(dtype=int),
):
    """Depths and segmentation of rows of all pictures, counted through from the first camera's first row.

    ground_ends: after the last face of each part of the ground's mesh; ground_ids: of the plane, then of these parts.
    depth: (cameras, height, width), negative along the camera's axis [m], -inf for nothing.
    """
    strip, column = wp.tid()
    camera = (first_row + strip) // cameras.height
    row = (first_row + strip) % cameras.height
    ray = pixel_ray(cameras, float(column) + 0.5, float(row) + 0.5)
    forward = 1.0 / wp.length(ray)  # of a unit of the ray
    turned = wp.quat_rotate(cameras.rotation[camera], ray)
    start = cameras.position[camera] + cameras.near * turned
    direction = forward * turned
    reach = wp.min((cameras.far - cameras.near) / forward, FAR)
    ground = ground_hit(scene, start, direction, reach)
    hit = bodies_hit(bodies, poses, cameras.env[camera], start, direction, wp.min(reach, ground.distance))
    id = int(0)  # noqa: UP018 -- a loop changes it
    distance = float(FAR)
    if hit.body != NOTHING:
        distance = hit.distance
        id = bodies.ids[cameras.env[camera], hit.body]
    elif ground.distance < reach:
        distance = ground.distance
        id = ground_ids[0]
        if ground.face >= 0:
            part = int(0)  # noqa: UP018
            while ground.face >= ground_ends[part]:
                part += 1
            id = ground_ids[1 + part]
    segmentation[camera, row, column] = id
    if distance >= FAR:
        depth[camera, row, column] = -wp.inf
    else:
        depth[camera, row, column] = -(cameras.near + distance * forward)


@wp.func
def seen_colour(
    scene: SceneData,
    bodies: Bodies,
    poses: wp.array3d(dtype=float),
    env: int,
    start: wp.vec3,
    direction: wp.vec3,
    reach: float,
) -> wp.vec3:
    """RGB from 0 to 1."""
    hit = ground_hit(scene, start, direction, reach)
    near = bodies_hit(bodies, poses, env, start, direction, wp.min(reach, hit.distance))
    if near.body != NOTHING:
        a = bodies.faces[3 * near.face]
        b = bodies.faces[3 * near.face + 1]
        c = bodies.faces[3 * near.face + 2]
        normal = near.u * bodies.normals[a] + near.v * bodies.normals[b]
        normal += (1.0 - near.u - near.v) * bodies.normals[c]
        _, rot = body_pose(poses, env, near.body)
        hit.distance = near.distance
        hit.normal = wp.normalize(wp.quat_rotate(rot, normal))
        hit.is_robot = True
        hit.colour = bodies.painted[env, near.body]
        if hit.colour[0] < 0.0:
            hit.colour = bodies.colours[a]
    elif hit.distance >= reach:
        return sky(direction)
    point = start + hit.distance * direction
    sun = wp.max(wp.dot(hit.normal, SUN), 0.0)
    if sun > 0.0:
        above = point + SKIN * hit.normal
        if bodies_hit(bodies, poses, env, above, SUN, FAR).body != NOTHING or ground_shades(scene, above):
            sun *= SHADE
    return lit(hit, point, sun)


@wp.kernel
def paint(
    scene: SceneData,
    bodies: Bodies,
    poses: wp.array3d(dtype=float),
    cameras: Cameras,
    samples_across: int,
    samples_down: int,
    first_row: int,
    images: wp.array4d(dtype=wp.uint8),
):
    """Colours of rows of all pictures, as for `measure`.

    samples_across, samples_down: rays of a pixel. images: rgba, (cameras, height, width, 4).
    """
    strip, column = wp.tid()
    camera = (first_row + strip) // cameras.height
    row = (first_row + strip) % cameras.height
    total = wp.vec3(0.0, 0.0, 0.0)
    for i in range(samples_across):
        for j in range(samples_down):
            across = float(column) + (float(i) + 0.5) / float(samples_across)
            down = float(row) + (float(j) + 0.5) / float(samples_down)
            turned = wp.quat_rotate(cameras.rotation[camera], pixel_ray(cameras, across, down))
            start = cameras.position[camera] + cameras.near * turned
            reach = wp.min((cameras.far - cameras.near) * wp.length(turned), FAR)
            total += seen_colour(scene, bodies, poses, cameras.env[camera], start, wp.normalize(turned), reach)
    for channel in range(3):
        value = wp.clamp(255.0 * total[channel] / float(samples_across * samples_down), 0.0, 255.0)
        images[camera, row, column, channel] = wp.uint8(int(value + 0.5))
    images[camera, row, column, 3] = wp.uint8(255)
