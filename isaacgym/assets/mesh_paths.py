"""Where the mesh file is that a robot file refers to.

Files travel between machines, so a reference is taken loosely: quoted (%20), with backslashes, blanks around it, in
another case, or by a package's name (package://, model://, $(find name)). It is looked for

1. where it says, if it is absolute, or else beside the robot file or in the folder that its <compiler meshdir> names;
2. below the robot file's folder and each folder above it, with and without the package's name;
3. below the folders of the environment variable ROS_PACKAGE_PATH, likewise.

In none of them, a collision mesh may be a file of that name anywhere in the robot's package, which is said.
"""

import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from itertools import islice, takewhile
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from isaacgym.assets.notices import Notices

FIND = re.compile(r"^\$\(find(?:-pkg-share)?\s+([^)\s]+)\s*\)/*")
PACKAGE = re.compile(r"^(?:package|model):/+", re.IGNORECASE)
FILE = re.compile(r"^file:(//)?", re.IGNORECASE)
FOLDERS_OF_PACKAGES = ("urdf", "robot", "robots", "model", "models", "xml", "mjcf")  # with robot files
MAX_ENTRIES = 20_000  # of a folder tree that is searched for a name
ELSEWHERE = "collision meshes that are not where the file says were found by name: {}"  # said
WINDOWS_DRIVE = re.compile(r"^[A-Za-z]:/")


def mesh_dir(robot: ET.Element) -> str:
    """The folder of meshes that a URDF's <mujoco> element names, relative to the file; "": none."""
    compiler = robot.find("mujoco/compiler")
    return "" if compiler is None else compiler.get("meshdir", "") or compiler.get("assetdir", "")


def find_mesh(reference: str, robot_file: Path, folder: str = "") -> Path | None:
    """The existing file that a reference means; None if it is in none of the places."""
    looked = places(reference, robot_file, folder)
    return next((found for place in looked if (found := _existing(place)) is not None), None)


def find_collision_mesh(reference: str, robot_file: Path, called: str, notices: Notices, folder: str = "") -> Path:
    """The file that a reference means; a FileNotFoundError, which calls the mesh `called`, if there is none."""
    found = find_mesh(reference, robot_file, folder)
    if found is None and (found := find_elsewhere(reference, robot_file)) is not None:
        notices.add(ELSEWHERE, f"'{reference}' at {found}")
    if found is None:
        looked = ", ".join(map(str, places(reference, robot_file, folder)))
        raise FileNotFoundError(
            f"{robot_file}: the collision mesh {called} does not exist; add it or use a box (looked for: {looked})"
        )
    return found


def places(reference: str, robot_file: Path, folder: str = "") -> list[Path]:
    """Where a reference is looked for, in this order; each place once. folder: that the file names for its meshes."""
    return list(dict.fromkeys(_places(reference, robot_file, folder)))


def _places(reference: str, robot_file: Path, folder: str) -> Iterator[Path]:
    name = FILE.sub("", reference.strip().replace("\\", "/"))
    in_package = PACKAGE.match(name) or FIND.match(name)
    if in_package:
        name = FIND.sub(r"\1/", PACKAGE.sub("", name))
    name = re.sub("^//+", "/", name)
    for spelling in dict.fromkeys((name, unquote(name))):
        path = PurePosixPath(spelling)
        if path.is_absolute() or WINDOWS_DRIVE.match(spelling):
            yield Path(spelling)
            path = PurePosixPath(path.name)  # of another machine: beside the robot file, at least
        inside = PurePosixPath(*path.parts[1:]) if in_package else path
        if not in_package:
            yield robot_file.parent / path
        if folder:
            yield robot_file.parent / folder / path
            yield robot_file.parent / folder / path.name  # MuJoCo strips the path of a URDF's mesh
        above = [folder for folder in robot_file.absolute().parents if folder != Path(folder.anchor)]
        roots = [Path(name) for name in os.environ.get("ROS_PACKAGE_PATH", "").split(os.pathsep) if name]
        for root in (*above, *roots):
            yield root / path
            yield root / inside


def find_elsewhere(reference: str, robot_file: Path) -> Path | None:
    """A file of the reference's name below the robot file's folder, or below its package's; None if there is none.

    Of several, the one whose folders share most with the reference; None if two share as much.
    """
    wanted = [part.lower() for part in unquote(reference.strip()).replace("\\", "/").split("/")]
    robot_folder = robot_file.absolute().parent
    in_package = robot_folder.name.lower() in FOLDERS_OF_PACKAGES
    for folder in (robot_folder, robot_folder.parent) if in_package else (robot_folder,):
        shared: dict[int, list[Path]] = {}
        for found in islice(folder.rglob("*"), MAX_ENTRIES):
            parts = [part.lower() for part in found.parts]
            if parts[-1] == wanted[-1] and found.is_file():
                pairs = zip(reversed(parts), reversed(wanted), strict=False)
                shared.setdefault(sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs)), []).append(found)
        if shared:
            best = shared[max(shared)]
            return best[0] if len(best) == 1 else None
    return None


def _existing(path: Path) -> Path | None:
    """The file, in another case if not in this one."""
    if path.is_file():
        return path
    found = Path(path.anchor) if path.is_absolute() else Path()
    for part in path.parts[1:] if path.is_absolute() else path.parts:
        if part == ".." or (found / part).exists():
            found /= part
            continue
        try:
            found = next((entry for entry in found.iterdir() if entry.name.lower() == part.lower()), found / part)
        except OSError:  # no such folder, or one that cannot be read
            return None
    return found if found.is_file() else None
