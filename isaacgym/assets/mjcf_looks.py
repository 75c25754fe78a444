"""What an MJCF file shows and MuJoCo cannot read: it goes, since looks never keep a robot from moving."""

from pathlib import Path

import mujoco
import numpy as np

from isaacgym.assets.mesh_files import READERS, read_points, thickened
from isaacgym.assets.notices import Notices


def leave_out_looks(path: Path, spec: mujoco.MjSpec, notices: Notices, problem: str) -> None:
    """Take visual meshes and textures away, and give flat meshes thin hulls. problem: what MuJoCo says with them."""
    for name in _drop_looks(spec):
        notices.add("bodies whose mass lacks that of a visual mesh (state it in <inertial>): {}", f"'{name}'")
    for mesh in spec.meshes:
        _thicken(path, spec, mesh)
    notices.add("visual meshes and textures are left out, and flat hulls get 1 mm, since MuJoCo says: {}", problem)


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


def _thicken(path: Path, spec: mujoco.MjSpec, mesh: mujoco.MjsMesh) -> None:
    """Give a flat mesh a little volume, in place."""
    file = path.parent / spec.meshdir / mesh.file
    points = np.array(mesh.uservert).reshape(-1, 3)
    if mesh.file and file.is_file() and file.suffix.lower() in READERS:
        points = read_points(file)
    if len(points) == 0:
        return
    thick = thickened(points * mesh.scale)
    if len(thick) > len(points):
        mesh.file, mesh.userface, mesh.scale = "", [], np.ones(3)
        mesh.uservert = thick.ravel()
