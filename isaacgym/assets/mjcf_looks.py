"""Meshes and textures of an MJCF file that MuJoCo cannot read, as other programs can.

Visual ones go, since looks never keep a robot from moving. Collision meshes are looked for where those of URDF are
(`mesh_paths`), and read as these are (`mesh_files`).
"""

from pathlib import Path, PurePosixPath

import mujoco
import numpy as np

from isaacgym.assets.mesh_files import READERS, read_points, thickened
from isaacgym.assets.mesh_paths import find_collision_mesh
from isaacgym.assets.notices import Notices


def leave_out_looks(path: Path, spec: mujoco.MjSpec, notices: Notices, problem: str) -> None:
    """Take visual meshes and textures away, and mend collision meshes. problem: what MuJoCo says with them."""
    for name in _drop_looks(spec):
        notices.add("bodies whose mass lacks that of a visual mesh (state it in <inertial>): {}", f"'{name}'")
    for mesh in spec.meshes:
        _mend_mesh(path, spec, mesh, notices)
    notices.add(
        "visual meshes and textures are left out, and collision meshes become hulls, flat ones 1 mm thick, since "
        "MuJoCo says: {}",
        problem,
    )


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
    """Find a collision mesh wherever it is, and where MuJoCo cannot take it, give it the points alone, in place."""
    points = np.array(mesh.uservert).reshape(-1, 3)
    if mesh.file:
        reference = str(PurePosixPath(spec.meshdir) / mesh.file)
        file = find_collision_mesh(reference, path, f"'{mesh.name}', '{reference}',", notices)
        mesh.file = str(file.absolute())
        if _mujoco_reads(mesh) or file.suffix.lower() not in READERS:
            return  # of another kind: MuJoCo says what is wrong
        points = read_points(file)
    if len(points) == 0:
        return
    thick = thickened(points * mesh.scale)
    if mesh.file or len(thick) > len(points):
        mesh.file, mesh.userface, mesh.scale = "", [], np.ones(3)
        mesh.uservert = thick.ravel()


def _mujoco_reads(mesh: mujoco.MjsMesh) -> bool:
    alone = mujoco.MjSpec()
    alone.add_mesh(name="mesh", file=mesh.file, scale=mesh.scale, inertia=mesh.inertia)
    alone.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname="mesh")
    try:
        alone.compile()
    except ValueError:
        return False
    return True
