"""Geoms, meshes and textures of an MJCF file that MuJoCo cannot read, as other programs can.

Visual ones go, since looks never keep a robot from moving. Collision meshes are looked for where those of URDF are
(`mesh_paths`), and read as these are (`mesh_files`). A collision geom without size goes, a flat one gets a thickness.
"""

from pathlib import Path, PurePosixPath

import mujoco
import numpy as np

from isaacgym.assets.description import LEFT_OUT, MIN_EXTENT, NO_SIZE
from isaacgym.assets.mesh_files import read_points, thickened
from isaacgym.assets.mesh_paths import PACKAGE, find_collision_mesh
from isaacgym.assets.notices import Notices

SIDES = {  # numbers of a geom's size that must be positive
    mujoco.mjtGeom.mjGEOM_SPHERE: 1,
    mujoco.mjtGeom.mjGEOM_CAPSULE: 2,
    mujoco.mjtGeom.mjGEOM_CYLINDER: 2,
    mujoco.mjtGeom.mjGEOM_ELLIPSOID: 3,
    mujoco.mjtGeom.mjGEOM_BOX: 3,
}
ROUND = (mujoco.mjtGeom.mjGEOM_SPHERE, mujoco.mjtGeom.mjGEOM_CAPSULE, mujoco.mjtGeom.mjGEOM_CYLINDER)


def mend_sizes(spec: mujoco.MjSpec, notices: Notices) -> None:
    """Leave out geoms without size, and thicken flat ones that collide, in place, as with URDF."""
    for body in spec.bodies:
        for geom in list(body.geoms):
            sides = 0 if geom.meshname else SIDES.get(geom.type, 0)
            if np.isfinite(geom.fromto[0]):
                sides -= 1  # the length is that from there to there
            size, collides = geom.size[:sides], bool(geom.contype or geom.conaffinity)
            if (size > 0.0).all() or (collides and (size < 0.0).any()):  # MuJoCo refuses a negative one
                continue
            is_flat = collides and size.any() and (size[0] > 0.0 or geom.type not in ROUND)
            if not is_flat:
                name = f"'{geom.name}' of body '{body.name}'"
                notices.add(*((NO_SIZE, name) if collides else (LEFT_OUT, f"{name} has no size")))
                geom.contype, geom.conaffinity = 0, 0
            if is_flat or geom.mass > 0.0:  # what has no size may have a mass
                geom.size[:sides] = np.maximum(size, MIN_EXTENT)
            else:
                spec.delete(geom)


def leave_out_looks(spec: mujoco.MjSpec, notices: Notices, problem: str) -> None:
    """Take visual meshes and textures away. problem: what MuJoCo says with them."""
    for name in _drop_looks(spec):
        notices.add("bodies whose mass lacks that of a visual mesh (state it in <inertial>): {}", f"'{name}'")
    notices.add("visual meshes and textures are left out, since MuJoCo says: {}", problem)


def mend_collision_meshes(path: Path, spec: mujoco.MjSpec, notices: Notices) -> None:
    """Find collision meshes wherever they are, and make hulls of those that MuJoCo cannot take, in place."""
    colliding = {geom.meshname for geom in spec.geoms if geom.contype or geom.conaffinity}
    for mesh in spec.meshes:
        if mesh.name in colliding:
            _mend_mesh(path, spec, mesh, notices)


def _drop_looks(spec: mujoco.MjSpec) -> list[str]:
    """Delete textures, visual meshes and their geoms; returns the names of the bodies whose mass came from these."""
    for texture in list(spec.textures):
        spec.delete(texture)
    for material in spec.materials:
        material.textures = [""] * len(material.textures)
    lighter = []
    for body in spec.bodies:
        for geom in list(body.geoms):
            if geom.type == mujoco.mjtGeom.mjGEOM_MESH and not (geom.contype or geom.conaffinity):
                has_mass = geom.mass > 0.0 or (np.isnan(geom.mass) and geom.density > 0.0)
                if has_mass and not body.explicitinertial and body.name not in lighter:
                    lighter.append(body.name)
                spec.delete(geom)
    used = {geom.meshname for geom in spec.geoms}
    for mesh in list(spec.meshes):
        if mesh.name not in used:
            spec.delete(mesh)
    return lighter


def _mend_mesh(path: Path, spec: mujoco.MjSpec, mesh: mujoco.MjsMesh, notices: Notices) -> None:
    points, problem = np.array(mesh.uservert).reshape(-1, 3), ""
    if mesh.file:
        reference = mesh.file if PACKAGE.match(mesh.file) else str(PurePosixPath(spec.meshdir) / mesh.file)
        file = find_collision_mesh(reference, path, f"'{mesh.name}', '{reference}',", notices)
        mesh.file = str(file.absolute())
        problem = _problem_of(mesh)
        if not problem:
            return
        try:
            points = read_points(file)
        except ValueError as error:
            raise ValueError(f"{path}: the collision mesh '{mesh.name}': {error}") from None
    if len(points) == 0:
        return  # MuJoCo says that
    thick = thickened(points * mesh.scale)
    if mesh.file or len(thick) > len(points):
        mesh.file, mesh.userface, mesh.scale = "", [], np.ones(3)
        mesh.uservert = thick.ravel()
        item = f"'{mesh.name}'" + (f" ({problem})" if problem else "")
        notices.add("of collision meshes that MuJoCo does not take, the hull counts, 1 mm thick if flat: {}", item)


def _problem_of(mesh: mujoco.MjsMesh) -> str:
    """What MuJoCo says about a mesh's file; "": nothing."""
    alone = mujoco.MjSpec()
    alone.add_mesh(name="mesh", file=mesh.file, scale=mesh.scale, inertia=mesh.inertia)
    alone.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname="mesh")
    try:
        alone.compile()
    except ValueError as error:
        return str(error).removeprefix("Error: ").splitlines()[0]
    return ""
