"""Contacts of convex hulls with the terrain: their vertices, and the terrain edges that cut into them.

A hull is its vertices and its half-spaces normal · x <= offset, both in the geom's frame. One thread goes through one
hull. Of the vertices inside the ground those count that lie furthest out in the directions of a cube's corners and
faces, and the deepest one: the corners of a box all do, and a rounded sole does not fill the contact list.
"""

from __future__ import annotations

import functools
import itertools

import mujoco
import numpy as np
import warp as wp
from scipy.spatial import ConvexHull

from isaacgym.engine.contacts.broad_phase import Candidates, Shape
from isaacgym.engine.contacts.contact_list import ContactList, Material, Surfaces, add_contact, material_of
from isaacgym.engine.contacts.terrain_query import (
    FAR,
    LEAVING_COSINE,
    cell_range,
    edge_end,
    edge_outward,
    edge_pushes,
    sphere_on_grid,
    sphere_on_mesh,
    sphere_on_plane,
)
from isaacgym.engine.terrain import Grid, Mesh, Plane, Terrain, TerrainData

DIRECTIONS = [np.array(d) / np.linalg.norm(d) for d in itertools.product((-1, 0, 1), repeat=3) if sum(map(abs, d)) % 2]
NUM_SLOTS = len(DIRECTIONS) + 1  # a vertex for each direction, and the deepest
MAX_EDGES = wp.constant(8)  # terrain edges that one hull may rest on

slots_float = wp.types.vector(length=NUM_SLOTS, dtype=float)
slots_int = wp.types.vector(length=NUM_SLOTS, dtype=int)
slots_vec3 = wp.types.matrix(shape=(NUM_SLOTS, 3), dtype=float)


@wp.struct
class Hulls:
    """All hulls of a robot. Hull h has the vertices vertex_start[h] ... vertex_start[h + 1] - 1; planes likewise."""

    geom: wp.array(dtype=int)
    vertex_start: wp.array(dtype=int)
    vertices: wp.array(dtype=wp.vec3)
    plane_start: wp.array(dtype=int)
    planes: wp.array(dtype=wp.vec4)  # outward normal, offset [m]
    directions: wp.array(dtype=wp.vec3)


def find_hulls(model: mujoco.MjModel, geoms: list[int]) -> Hulls:
    """The hulls of some mesh geoms, in the frames into which MuJoCo moved the meshes."""
    vertices, planes = [], []
    for geom in geoms:
        mesh = model.geom_dataid[geom]
        start = model.mesh_vertadr[mesh]
        points = model.mesh_vert[start : start + model.mesh_vertnum[mesh]]
        hull = ConvexHull(points)
        vertices.append(points[hull.vertices])
        equations = hull.equations * [1.0, 1.0, 1.0, -1.0]
        # Qhull repeats the plane of a face for each of its triangles
        _, first = np.unique(np.round(equations, 5), axis=0, return_index=True)
        planes.append(equations[first])
    hulls = Hulls()
    hulls.geom = wp.array(geoms, dtype=int)
    hulls.vertex_start = wp.array(np.cumsum([0, *map(len, vertices)]), dtype=int)
    hulls.plane_start = wp.array(np.cumsum([0, *map(len, planes)]), dtype=int)
    hulls.vertices = wp.array(np.concatenate([np.zeros((0, 3)), *vertices]), dtype=wp.vec3)
    hulls.planes = wp.array(np.concatenate([np.zeros((0, 4)), *planes]), dtype=wp.vec4)
    hulls.directions = wp.array(np.array(DIRECTIONS), dtype=wp.vec3)
    return hulls


@functools.cache
def hull_vertex_kernel(kind: type[Terrain]) -> wp.Kernel:
    """Kernel of all hulls' vertices, any number of threads, specialised for one kind of terrain."""
    sphere_on_terrain = {Plane: sphere_on_plane, Grid: sphere_on_grid(1), Mesh: sphere_on_mesh}[kind]

    @wp.kernel(module="unique", enable_backward=False)
    def hull_vertices(
        num_threads: int,
        terrain: TerrainData,
        hulls: Hulls,
        shapes: wp.array(dtype=Shape),
        candidates: Candidates,
        surfaces: Surfaces,
        contacts: ContactList,
    ):
        for c in range(wp.tid(), candidates.count[0], num_threads):
            hull = shapes[candidates.shape[c]].hull
            if hull >= 0:
                world = candidates.world[c]
                geom = hulls.geom[hull]
                center = candidates.center[c]
                rot = candidates.rot[c]
                reach = slots_float()  # how far out the vertex in a slot is
                depths = slots_float()
                normals = slots_vec3()
                chosen = slots_int()
                num_slots = hulls.directions.shape[0] + 1  # not NUM_SLOTS, or the compiler unrolls the loops
                for k in range(num_slots):
                    reach[k] = -FAR
                    chosen[k] = -1
                for vertex in range(hulls.vertex_start[hull], hulls.vertex_start[hull + 1]):
                    local = hulls.vertices[vertex]
                    touch = sphere_on_terrain(terrain, center + rot * local, 0.0, 0)
                    if touch.count > 0:
                        for k in range(num_slots):
                            outwards = touch.depth[0]
                            if k < hulls.directions.shape[0]:
                                outwards = wp.dot(hulls.directions[k], local)
                            if outwards > reach[k]:
                                reach[k] = outwards
                                chosen[k] = vertex
                                depths[k] = touch.depth[0]
                                normals[k] = touch.normals[0]
                for k in range(num_slots):
                    times_chosen = int(0)
                    for earlier in range(k):
                        if chosen[earlier] == chosen[k]:
                            times_chosen += 1
                    if chosen[k] >= 0 and times_chosen == 0:
                        normal = normals[k]
                        pos = center + rot * hulls.vertices[chosen[k]] + normal * (0.5 * depths[k])
                        add_contact(
                            contacts, world, geom, depths[k], pos, normal, material_of(surfaces, terrain, world, geom)
                        )

    return hull_vertices


@wp.func
def cut_hull(
    contacts: ContactList,
    world: int,
    geom: int,
    hulls: Hulls,
    hull: int,
    a: wp.vec3,
    b: wp.vec3,
    outward: wp.vec3,
    center: wp.vec3,
    rot: wp.mat33,
    material: Material,
) -> int:
    """Contact of the terrain edge a-b, if it cuts the hull; returns their number. a, b, outward: in the geom's frame.

    The hull leaves the ground through the face that needs the least way, of those that lead out of the ground.
    """
    t0 = float(0.0)
    t1 = float(1.0)
    for k in range(hulls.plane_start[hull], hulls.plane_start[hull + 1]):
        plane = hulls.planes[k]
        above_a = wp.dot(wp.vec3(plane[0], plane[1], plane[2]), a) - plane[3]
        above_b = wp.dot(wp.vec3(plane[0], plane[1], plane[2]), b) - plane[3]
        if above_a > 0.0 and above_b > 0.0:
            return 0
        if above_a > 0.0:
            t0 = wp.max(t0, above_a / (above_a - above_b))
        if above_b > 0.0:
            t1 = wp.min(t1, above_a / (above_a - above_b))
    if t0 >= t1:
        return 0
    middle = a + (b - a) * (0.5 * (t0 + t1))
    depth = float(FAR)
    shortest = float(FAR)
    normal = wp.vec3(0.0)
    for k in range(hulls.plane_start[hull], hulls.plane_start[hull + 1]):
        plane = hulls.planes[k]
        face = wp.vec3(plane[0], plane[1], plane[2])
        face_depth = plane[3] - wp.dot(face, middle)
        shortest = wp.min(shortest, face_depth)
        if wp.dot(face, outward) < -LEAVING_COSINE and face_depth < depth:
            depth = face_depth
            normal = -(rot * face)
    if not edge_pushes(depth, shortest):
        return 0
    add_contact(contacts, world, geom, depth, center + rot * middle - normal * (0.5 * depth), normal, material)
    return 1


@wp.kernel(enable_backward=False)
def hull_edges(
    num_threads: int,
    terrain: TerrainData,
    hulls: Hulls,
    shapes: wp.array(dtype=Shape),
    candidates: Candidates,
    surfaces: Surfaces,
    contacts: ContactList,
):
    """Convex edges of a grid against hulls, any number of threads."""
    for c in range(wp.tid(), candidates.count[0], num_threads):
        hull = shapes[candidates.shape[c]].hull
        if hull >= 0:
            world = candidates.world[c]
            geom = hulls.geom[hull]
            center = candidates.center[c]
            rot = candidates.rot[c]
            material = material_of(surfaces, terrain, world, geom)
            lowest = wp.vec3(FAR)
            highest = wp.vec3(-FAR)
            for vertex in range(hulls.vertex_start[hull], hulls.vertex_start[hull + 1]):
                point = center + rot * hulls.vertices[vertex]
                lowest = wp.min(lowest, point)
                highest = wp.max(highest, point)
            range_i = cell_range(terrain, lowest[0], highest[0], 0)
            range_j = cell_range(terrain, lowest[1], highest[1], 1)
            found = int(0)
            for i in range(range_i[0], range_i[1] + 1):
                for j in range(range_j[0], range_j[1] + 1):
                    flags = int(terrain.flags[i, j])
                    for edge in range(3):
                        if (flags >> edge) & 1 and found < MAX_EDGES:
                            a = terrain.vertices[i, j]
                            b = edge_end(terrain, i, j, edge)
                            if wp.max(a[2], b[2]) > lowest[2]:
                                local_a = wp.transpose(rot) * (a - center)
                                local_b = wp.transpose(rot) * (b - center)
                                outward = wp.transpose(rot) * edge_outward(terrain, i, j, edge)
                                found += cut_hull(
                                    contacts, world, geom, hulls, hull, local_a, local_b, outward, center, rot, material
                                )
