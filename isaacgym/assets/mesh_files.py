"""Collision meshes: the points of OBJ, STL and COLLADA (DAE) files, and the convex hull that stands for them.

Only points are read. Normals, faces, materials and textures make no difference to a convex hull.

Of a COLLADA file, the scene's transforms and its unit are applied. Its `up_axis` is not, as in ROS, whose tools wrote
most of these files: the axes of the numbers are the axes of the link.
"""

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from isaacgym.assets.description import MAX_NUMBER
from isaacgym.assets.notices import counted
from isaacgym.assets.xml_file import read_xml

MAX_HULL_VERTICES = 64  # what PhysX on a GPU holds as well; contacts test every vertex
GIT_LFS = b"version https://git-lfs"  # begins what stands for a large file until it is fetched
FLAT = 1e-5  # [m] thinner is no volume
THIN = 1e-3  # [m] thickness that is given to what is flat


def load_hull(path: Path, scale: tuple[float, float, float]) -> np.ndarray:
    """Vertices of the convex hull of a mesh file, at most MAX_HULL_VERTICES, (n, 3) [m], scaled along the axes."""
    return _hull(path, read_points(path), scale)


def load_hulls(path: Path, scale: tuple[float, float, float]) -> list[np.ndarray]:
    """As `load_hull`, of each part: object or group of an OBJ file, geometry of a COLLADA file, all of an STL file."""
    split = PARTS.get(path.suffix.lower())
    if split is None:
        return [load_hull(path, scale)]
    _check_kind(path)
    parts = split(path)
    return [_hull(path, part, scale) for part in parts if len(part) > 0] or [_hull(path, np.zeros((0, 3)), scale)]


def _hull(path: Path, points: np.ndarray, scale: tuple[float, float, float]) -> np.ndarray:
    points = points * np.array(scale)
    if not (np.abs(points) < MAX_NUMBER).all():
        raise ValueError(
            f"{path}: the mesh has coordinates that are not finite numbers below {MAX_NUMBER:g}; export it again"
        )
    if len(points) == 0:
        raise ValueError(f"{path}: the mesh has no points, so it encloses no volume; export it again or use a box")
    return convex_hull(thickened(points), MAX_HULL_VERTICES)


def thickened(points: np.ndarray) -> np.ndarray:
    """The points, (n, 3), or, if they lie flat, twice as many on both sides of their plane, THIN apart.

    Points on a line become a thin bar.
    """
    middle = 0.5 * (points.min(axis=0) + points.max(axis=0))
    _, axes = np.linalg.eigh((points - middle).T @ (points - middle))
    for axis in axes.T:
        if np.ptp(points @ axis) < FLAT:
            points = np.concatenate([points - 0.5 * THIN * axis, points + 0.5 * THIN * axis])
    return points


def convex_hull(points: np.ndarray, max_vertices: int) -> np.ndarray:
    """Vertices of the convex hull of points (n, 3).

    If there are more than `max_vertices`, the extremes along the axes are kept, and then, again and again, the vertex
    that sticks out furthest from the hull of those kept. What is cut off is flat: it has no corner.
    """
    vertices = points[ConvexHull(points).vertices]
    if len(vertices) <= max_vertices:
        return vertices
    kept = list(dict.fromkeys([*vertices.argmin(axis=0), *vertices.argmax(axis=0)]))
    # no plane through fewer than four points, nor through four in one plane: these stick out of line and plane most
    axis = vertices[kept[1]] - vertices[kept[0]]
    from_line = np.linalg.norm(np.cross(vertices - vertices[kept[0]], axis), axis=1)
    normal = np.cross(axis, vertices[from_line.argmax()] - vertices[kept[0]])
    from_plane = np.abs((vertices - vertices[kept[0]]) @ normal)
    kept = list(dict.fromkeys([*kept, from_line.argmax(), from_plane.argmax()]))
    while len(kept) < max_vertices:
        planes = ConvexHull(vertices[kept]).equations
        kept.append(int((vertices @ planes[:, :3].T + planes[:, 3]).max(axis=1).argmax()))
    return vertices[kept]


def read_points(path: Path) -> np.ndarray:
    """All points of a mesh file, (n, 3)."""
    _check_kind(path)
    return READERS[path.suffix.lower()](path).reshape(-1, 3)


def _check_kind(path: Path) -> None:
    if path.suffix.lower() not in READERS:
        raise ValueError(f"{path}: collision meshes of this kind are not read; convert it to {', '.join(READERS)}")
    with path.open("rb") as file:
        if file.read(len(GIT_LFS)) == GIT_LFS:
            raise ValueError(f"{path}: a pointer of Git LFS, not the mesh; run `git lfs pull` in its repository")


def _read_obj(path: Path) -> np.ndarray:
    return _numbers_after(path, "v", path.read_text(errors="replace"))


def _obj_parts(path: Path) -> list[np.ndarray]:
    """The points that the faces of each object or group have; without any face, all.

    A face's numbers below 0 count from the last point.
    """
    text, num_points = path.read_text(errors="replace"), 0
    points = _numbers_after(path, "v", text)
    parts: list[set[int]] = [set()]
    for words in filter(None, (line.split() for line in text.splitlines())):
        if words[0] in ("o", "g"):
            parts.append(set())
        elif words[0] == "v":
            num_points += 1
        elif words[0] == "f":
            try:
                corners = [int(word.partition("/")[0]) for word in words[1:]]
            except ValueError:
                raise ValueError(f"{path}: a line 'f ...' does not have whole numbers; export the mesh again") from None
            parts[-1].update(corner - 1 if corner > 0 else num_points + corner for corner in corners)
    if not all(0 <= index < len(points) for part in parts for index in part):
        raise ValueError(f"{path}: a face names other points than the {len(points)} of the file; export it again")
    return [points[sorted(part)] for part in parts if part] or [points]


def _read_stl(path: Path) -> np.ndarray:
    """Binary files may start with "solid" too, and may go on after their triangles; the keywords may be in capitals."""
    content = path.read_bytes()
    num_triangles = int.from_bytes(content[80:84], "little")
    size = 84 + 50 * num_triangles
    is_text = content.lstrip()[:5].lower() == b"solid" and b"vertex" in content.lower()
    if len(content) == size or (len(content) > size and not is_text):
        record = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attributes", "<u2")])
        return np.frombuffer(content[84:size], record)["corners"].astype(np.float64)
    if not is_text and content.strip() and content.lstrip()[:5].lower() != b"solid":
        raise ValueError(
            f"{path}: the mesh announces {counted(num_triangles, 'triangle')} and holds "
            f"{max(0, len(content) - 84) // 50}; export it again"
        )
    return _numbers_after(path, "vertex", content.decode(errors="replace"))


def _numbers_after(path: Path, keyword: str, text: str) -> np.ndarray:
    """The three numbers of each line of a file's text that starts with a keyword, in small letters or capitals."""
    lines = (line.split() for line in text.splitlines())
    rows = [words[1:4] for words in lines if words and words[0].lower() == keyword]
    try:
        return np.array(rows, dtype=np.float64).reshape(len(rows), 3)
    except ValueError:
        raise ValueError(f"{path}: a line '{keyword} ...' does not have three numbers; export the mesh again") from None


# --- COLLADA --------------------------------------------------------------------------------------------------------


def _read_dae(path: Path) -> np.ndarray:
    return np.concatenate([np.zeros((0, 3)), *_dae_parts(path)])


def _dae_parts(path: Path) -> list[np.ndarray]:
    root = read_xml(path)
    try:
        return _parts_of(root)
    except (KeyError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: the COLLADA file is broken ({error}); export it again") from None


def _parts_of(root: ET.Element) -> list[np.ndarray]:
    """The points of each geometry, as often as the scene has it, in the scene's frame [m]."""
    unit = root.find("{*}asset/{*}unit")
    metres = float(unit.get("meter", 1.0)) if unit is not None else 1.0
    by_id = {name: element for element in root.iter() if (name := element.get("id"))}
    parts = [part for node in root.findall("{*}library_visual_scenes/*/{*}node") for part in _placed(node, by_id)]
    if not parts:  # no scene: the geometries where they are
        parts = [_geometry_points(geometry, by_id) for geometry in root.findall(".//{*}geometry")]
    return [metres * part for part in parts]


def _placed(node: ET.Element, by_id: dict[str, ET.Element]) -> Iterator[np.ndarray]:
    """Points of all geometries under a scene node, in the frame that the node is in."""
    transform = np.eye(4)
    parts: list[np.ndarray] = []
    for child in node:
        tag = child.tag.rpartition("}")[2]
        target = by_id.get(child.get("url", "").removeprefix("#"))
        if tag in ("matrix", "translate", "rotate", "scale"):
            transform = transform @ _transform(tag, np.array((child.text or "").split(), dtype=np.float64))
        elif tag == "instance_geometry" and target is not None:
            parts.append(_geometry_points(target, by_id))
        elif tag == "node":
            parts += _placed(child, by_id)
        elif tag == "instance_node" and target is not None:
            parts += _placed(target, by_id)
    for part in parts:
        yield part @ transform[:3, :3].T + transform[:3, 3]


def _transform(tag: str, numbers: np.ndarray) -> np.ndarray:
    """One COLLADA transformation element as a 4 x 4 matrix."""
    matrix = np.eye(4)
    if tag == "matrix":
        matrix[:] = numbers.reshape(4, 4)
    elif tag == "translate":
        matrix[:3, 3] = numbers
    elif tag == "scale":
        matrix[:3, :3] = np.diag(numbers)
    else:  # axis and angle [deg]
        length = np.linalg.norm(numbers[:3])
        axis = numbers[:3] / length if length > 0.0 else numbers[:3]  # about no axis: no rotation
        matrix[:3, :3] = Rotation.from_rotvec(np.radians(numbers[3]) * axis).as_matrix()
    return matrix


def _geometry_points(geometry: ET.Element, by_id: dict[str, ET.Element]) -> np.ndarray:
    """The arrays with the semantic POSITION of a geometry's mesh, (n, 3)."""
    sources = [
        by_id[item.get("source", "").removeprefix("#")]  # KeyError: it has no such part
        for item in geometry.findall("{*}mesh/{*}vertices/{*}input")
        if item.get("semantic") == "POSITION"
    ]
    arrays = [np.array((source.findtext("{*}float_array") or "").split(), dtype=np.float64) for source in sources]
    return np.concatenate([np.zeros(0), *arrays]).reshape(-1, 3)


READERS = {".obj": _read_obj, ".stl": _read_stl, ".dae": _read_dae}
PARTS = {".obj": _obj_parts, ".dae": _dae_parts}
