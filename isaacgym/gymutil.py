"""Command line, simulation config and debug drawing helpers of the Isaac Gym API."""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from isaacgym.gym_types import SIM_FLEX, SIM_PHYSX, Record, SimParams, Transform, UpAxis, Vec3
from isaacgym.randomization import (  # noqa: F401  part of the module's public face
    _indent_xml,
    apply_random_samples,
    check_buckets,
    generate_random_samples,
    get_bucketed_val,
    get_default_setter_args,
    get_property_getter_map,
    get_property_setter_map,
)

# --- Command line ---------------------------------------------------------------------------------------------------


def parse_device_str(device_str: str) -> tuple[str, int]:
    """'cpu' → ('cpu', 0), 'cuda' → ('cuda', 0), 'cuda:N' → ('cuda', N)."""
    kind, colon, index = device_str.partition(":")
    if device_str == "cpu" or device_str == "cuda":
        return kind, 0
    if kind == "cuda" and colon and index.isdecimal():
        return kind, int(index)
    raise ValueError(f"device '{device_str}' is not understood; use cpu, cuda or cuda:N")


def parse_arguments(
    description: str = "Isaac Gym Example",
    headless: bool = False,
    no_graphics: bool = False,
    custom_parameters: Iterable[Mapping[str, Any]] = (),
) -> argparse.Namespace:
    """Parse sys.argv with Isaac Gym's flags and the caller's own.

    Args:
        headless: offer `--headless`.
        no_graphics: offer `--nographics`, which implies headless.
        custom_parameters: dicts for `add_argument` with `name`, either `type` (plus `default`, `choices`, ...) or
            `action`, and `help`. With `action`, `default` is ignored; malformed entries are reported and skipped.

    Returns:
        The flags, plus sim_device_type, compute_device_id, use_gpu_pipeline, use_gpu and physics_engine.
    """
    parser = argparse.ArgumentParser(description=description)
    if headless:
        parser.add_argument("--headless", action="store_true", help="run without a viewer window")
    if no_graphics:
        parser.add_argument("--nographics", action="store_true", help="no graphics context at all; implies headless")
    about_device = "physics device: cpu, cuda or cuda:N; default: cuda:0, or what a script finds"
    parser.add_argument("--sim_device", type=str, default="cuda:0", help=about_device)
    parser.add_argument(
        "--pipeline", type=str, default="gpu", help="where state tensors live: cpu or gpu; default: as physics"
    )
    parser.add_argument("--graphics_device_id", type=int, default=0, help="graphics device index; default: 0")
    engine = parser.add_mutually_exclusive_group()
    engine.add_argument("--flex", action="store_true", help="ask for Flex (accepted for compatibility)")
    engine.add_argument("--physx", action="store_true", help="ask for PhysX semantics (the default)")
    parser.add_argument("--num_threads", type=int, default=0, help="CPU cores for physics; default: 0, as configured")
    parser.add_argument("--subscenes", type=int, default=0, help="PhysX subscenes in parallel; default: 0")
    parser.add_argument("--slices", type=int, help="client threads that process env slices; default: subscenes")
    for parameter in custom_parameters:
        _add_custom(parser, parameter)
    args = parser.parse_args()

    args.sim_device_type, args.compute_device_id = parse_device_str(args.sim_device)
    pipeline = args.pipeline.lower()
    if pipeline not in ("cpu", "gpu", "cuda"):
        parser.error(f"--pipeline {args.pipeline} is not understood; use cpu or gpu")
    args.use_gpu_pipeline = pipeline != "cpu"
    if args.flex and args.sim_device_type == "cpu":
        print("Flex runs on a GPU only; using --sim_device cuda:0.")
        args.sim_device, args.sim_device_type, args.compute_device_id = "cuda:0", "cuda", 0
    if args.sim_device_type == "cpu" and args.use_gpu_pipeline:
        print("The GPU pipeline needs a CUDA sim device; using the CPU pipeline.")
        args.pipeline, args.use_gpu_pipeline = "CPU", False
    args.physics_engine = SIM_FLEX if args.flex else SIM_PHYSX
    args.use_gpu = args.sim_device_type == "cuda"
    if no_graphics and args.nographics:
        args.headless = True
    if args.slices is None:
        args.slices = args.subscenes
    return args


def _add_custom(parser: argparse.ArgumentParser, parameter: Mapping[str, Any]) -> None:
    """Add one flag of the caller; print what is wrong with it if it cannot be added."""
    options = {key: value for key, value in parameter.items() if key != "name"}
    if "name" not in parameter or not ("type" in options or "action" in options):
        print(f"ERROR: command line argument {dict(parameter)} needs a name and a type or an action; it is skipped.")
        return
    if "action" in options:
        options.pop("default", None)
        options.pop("type", None)
    try:
        parser.add_argument(parameter["name"], **options)
    except (TypeError, ValueError, argparse.ArgumentError) as error:
        print(f"ERROR: command line argument {parameter['name']} is skipped: {error}")


# --- Simulation config ----------------------------------------------------------------------------------------------


def parse_sim_config(config: Mapping[str, Any] | object, sim_params: SimParams) -> None:
    """Write a config's values into sim_params, in place.

    The config and its parts `physx` and `flex` may be mappings, objects or classes. Names that are no fields of
    sim_params are skipped: configs keep other things beside them.
    """
    _fill(sim_params, config)


UP_AXES = {"y": UpAxis.UP_AXIS_Y, "z": UpAxis.UP_AXIS_Z}  # as YAML configs spell them


def _fill(target: Record, config: Mapping[str, Any] | object) -> None:
    fields = vars(target)
    values = config if isinstance(config, Mapping) else {name: getattr(config, name) for name in dir(config)}
    for name, value in values.items():
        if name not in fields:
            continue
        if isinstance(fields[name], UpAxis) and value in UP_AXES:
            value = UP_AXES[value]
        if isinstance(fields[name], Record) and not isinstance(fields[name], Vec3):
            _fill(fields[name], value)
        else:
            setattr(target, name, value)


# --- Debug drawing --------------------------------------------------------------------------------------------------


class LineGeometry:
    """Coloured line segments: `verts` of Vec3.dtype, (n, 2); `colors` of Vec3.dtype, (n,)."""

    def __init__(self, verts: np.ndarray, colors: ArrayLike, pose: Transform | None = None) -> None:
        """verts: (n, 2, 3); colors: (3,) for all or (n, 3), RGB in 0…1; pose: applied to the vertices once, here."""
        if pose is not None:
            verts = pose.transform_points(verts)
        self.verts = _as_vec3(verts)
        self._colors = _as_vec3(np.broadcast_to(colors, (len(verts), 3)))

    def vertices(self) -> np.ndarray:
        return self.verts

    def colors(self) -> np.ndarray:
        return self._colors

    def num_lines(self) -> int:
        return len(self.verts)

    def instance_verts(self, pose: Transform | None = None) -> np.ndarray:
        """The vertices moved by a pose, Vec3.dtype, (n, 2)."""
        return self.verts.copy() if pose is None else pose.transform_points(self.verts)


class AxesGeometry(LineGeometry):
    """Three axes from the origin: x red, y green, z blue."""

    def __init__(self, scale: float = 1.0, pose: Transform | None = None) -> None:
        verts = np.zeros((3, 2, 3))
        verts[:, 1] = scale * np.eye(3)
        super().__init__(verts, np.eye(3), pose)


class WireframeBoxGeometry(LineGeometry):
    """The twelve edges of a box with side lengths xdim, ydim, zdim about the origin."""

    def __init__(
        self,
        xdim: float = 1.0,
        ydim: float = 1.0,
        zdim: float = 1.0,
        pose: Transform | None = None,
        color: Sequence[float] | None = None,
    ) -> None:
        corners = np.array([[(i >> k) & 1 for k in range(3)] for i in range(8)]) - 0.5  # bit k set: +half on axis k
        edges = [(i, i | 1 << k) for i in range(8) for k in range(3) if not i >> k & 1]
        super().__init__(corners[np.array(edges)] * (xdim, ydim, zdim), _color(color), pose)


class WireframeBBoxGeometry(WireframeBoxGeometry):
    """The twelve edges of a box between two corners, bbox[0] and bbox[1], Vec3 or three numbers each."""

    def __init__(
        self,
        bbox: Sequence[Sequence[float] | Vec3],
        pose: Transform | None = None,
        color: Sequence[float] | None = None,
    ) -> None:
        low, high = np.array([*bbox[0]]), np.array([*bbox[1]])
        centre = Transform(Vec3(*(0.5 * (low + high))))
        x, y, z = high - low
        super().__init__(x, y, z, centre if pose is None else pose * centre, color)


class WireframeSphereGeometry(LineGeometry):
    """Meridians and parallels of a sphere about the origin, poles on z.

    Args:
        num_lats: bands between the poles.
        num_lons: sectors around the axis.
        color: RGB in 0…1 of the parallels, and of the meridians unless color2 is given.
    """

    def __init__(
        self,
        radius: float = 1.0,
        num_lats: int = 8,
        num_lons: int = 8,
        pose: Transform | None = None,
        color: Sequence[float] | None = None,
        color2: Sequence[float] | None = None,
    ) -> None:
        lats = np.linspace(-0.5 * np.pi, 0.5 * np.pi, max(2, num_lats) + 1)[:, None]
        lons = np.linspace(0.0, 2.0 * np.pi, max(3, num_lons) + 1)[None, :]
        grid = np.stack(np.broadcast_arrays(np.cos(lats) * np.cos(lons), np.cos(lats) * np.sin(lons), np.sin(lats)), -1)
        parallels = np.stack([grid[1:-1, :-1], grid[1:-1, 1:]], axis=-2).reshape(-1, 2, 3)
        meridians = np.stack([grid[:-1, :-1], grid[1:, :-1]], axis=-2).reshape(-1, 2, 3)
        colors = np.repeat([_color(color), _color(color2 or color)], [len(parallels), len(meridians)], axis=0)
        super().__init__(radius * np.concatenate([parallels, meridians]), colors, pose)


def draw_lines(geom: LineGeometry, gym: Any, viewer: Any, env: Any, pose: Transform | None) -> None:
    """Draw a geometry at a pose in an env's frame until `gym.clear_lines`."""
    gym.add_lines(viewer, env, geom.num_lines(), geom.instance_verts(pose), geom.colors())


def draw_line(p1: Vec3, p2: Vec3, color: Vec3, gym: Any, viewer: Any, env: Any) -> None:
    """Draw one line between two points of an env's frame until `gym.clear_lines`."""
    ends = _as_vec3(np.array([[tuple(p1), tuple(p2)]]))
    gym.add_lines(viewer, env, 1, ends, _as_vec3(np.array([tuple(color)])))


def _as_vec3(xyz: np.ndarray) -> np.ndarray:
    """(..., 3) numbers → (...) of Vec3.dtype."""
    return np.ascontiguousarray(xyz, dtype=np.float32).view(Vec3.dtype)[..., 0]


def _color(color: Sequence[float] | None) -> tuple[float, float, float]:
    return (1.0, 0.0, 0.0) if color is None else (color[0], color[1], color[2])
