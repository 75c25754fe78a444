"""Value types, parameter structs and enums of the Isaac Gym API; `gymapi` re-exports them.

Every struct is a `Record`: its annotated class body lists the fields, and assigning to a field converts the value to
the field's type. Callers hand over 0-d and one-element tensors, numpy scalars and plain integers for enums, so all of
these work; a misspelt field raises instead of being ignored. Values are copied on assignment, as in a C struct.
Defaults marked "unverified" are not documented by NVIDIA; code that matters sets them.
"""

import difflib
import math
from collections.abc import Iterator
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Self

import numpy as np

INVALID_HANDLE = -1


# --- Enums ----------------------------------------------------------------------------------------------------------


class SimType(IntEnum):
    SIM_PHYSX = 0
    SIM_FLEX = 1


class UpAxis(IntEnum):
    UP_AXIS_Y = 0
    UP_AXIS_Z = 1


class DofDriveMode(IntEnum):
    """What a DOF obeys: nothing, position targets, velocity targets or efforts."""

    DOF_MODE_NONE = 0
    DOF_MODE_POS = 1
    DOF_MODE_VEL = 2
    DOF_MODE_EFFORT = 3


class DofType(IntEnum):
    DOF_INVALID = 0
    DOF_ROTATION = 1
    DOF_TRANSLATION = 2


class ContactCollection(IntEnum):
    """In which substeps of a `simulate` contact forces are gathered."""

    CC_NEVER = 0
    CC_LAST_SUBSTEP = 1
    CC_ALL_SUBSTEPS = 2


class CoordinateSpace(IntEnum):
    ENV_SPACE = 0
    LOCAL_SPACE = 1
    GLOBAL_SPACE = 2


class IndexDomain(IntEnum):
    DOMAIN_ACTOR = 0
    DOMAIN_ENV = 1
    DOMAIN_SIM = 2


class CameraFollowMode(IntEnum):
    FOLLOW_POSITION = 0
    FOLLOW_TRANSFORM = 1


class ImageType(IntEnum):
    IMAGE_COLOR = 0
    IMAGE_DEPTH = 1
    IMAGE_SEGMENTATION = 2
    IMAGE_OPTICAL_FLOW = 3


class MeshType(IntEnum):
    MESH_NONE = 0
    MESH_COLLISION = 1
    MESH_VISUAL = 2
    MESH_VISUAL_AND_COLLISION = 3


class MeshNormalMode(IntEnum):
    FROM_ASSET = 0
    COMPUTE_PER_VERTEX = 1
    COMPUTE_PER_FACE = 2


class StateFlags(IntEnum):
    STATE_NONE = 0
    STATE_POS = 1
    STATE_VEL = 2
    STATE_ALL = 3


class RigidBodyFlags(IntEnum):
    RIGID_BODY_NONE = 0
    RIGID_BODY_DISABLE_GRAVITY = 1
    RIGID_BODY_DISABLE_SIMULATION = 2


class TensorDataType(IntEnum):
    DTYPE_FLOAT32 = 0
    DTYPE_UINT32 = 1
    DTYPE_UINT64 = 2
    DTYPE_UINT8 = 3
    DTYPE_INT16 = 4
    DTYPE_INT32 = 5
    DTYPE_INT64 = 6
    DTYPE_FLOAT64 = 7


_NAMED_KEYS = """
    SPACE APOSTROPHE COMMA MINUS PERIOD SLASH SEMICOLON EQUAL LEFT_BRACKET BACKSLASH RIGHT_BRACKET GRAVE_ACCENT
    ESCAPE TAB ENTER BACKSPACE INSERT DEL RIGHT LEFT DOWN UP PAGE_UP PAGE_DOWN HOME END
    CAPS_LOCK SCROLL_LOCK NUM_LOCK PRINT_SCREEN PAUSE MENU LEFT_SHIFT LEFT_CONTROL LEFT_ALT LEFT_SUPER
    RIGHT_SHIFT RIGHT_CONTROL RIGHT_ALT RIGHT_SUPER
    NUMPAD_ADD NUMPAD_SUBTRACT NUMPAD_MULTIPLY NUMPAD_DIVIDE NUMPAD_DEL NUMPAD_ENTER NUMPAD_EQUAL
"""
_KEYS = [
    *_NAMED_KEYS.split(),
    *"0123456789",
    *"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    *(f"F{i}" for i in range(1, 13)),
    *(f"NUMPAD_{i}" for i in range(10)),
]
KeyboardInput = IntEnum("KeyboardInput", [f"KEY_{key}" for key in _KEYS], start=0)  # type: ignore[misc]  # not literal

ENUMS: tuple[type[IntEnum], ...] = (
    SimType,
    UpAxis,
    DofDriveMode,
    DofType,
    ContactCollection,
    CoordinateSpace,
    IndexDomain,
    CameraFollowMode,
    ImageType,
    MeshType,
    MeshNormalMode,
    StateFlags,
    RigidBodyFlags,
    TensorDataType,
    KeyboardInput,
)
# Isaac Gym offers every member as a module constant too: SIM_PHYSX, DOF_MODE_EFFORT, KEY_ESCAPE, ...
for _enum in ENUMS:
    globals().update(_enum.__members__)
if TYPE_CHECKING:

    def __getattr__(name: str) -> IntEnum: ...


# --- The mechanism behind all structs -------------------------------------------------------------------------------


def _coerce(kind: type[Any], value: Any) -> Any:
    """Convert a value, possibly a one-element tensor or array, to a field's type; raises TypeError or ValueError."""
    if issubclass(kind, Record):
        if isinstance(value, kind):
            return value.copy()
        if isinstance(value, Record | str) or not hasattr(value, "__iter__"):
            raise TypeError(f"expected {kind.__name__}, got {type(value).__name__}")
        return kind(*value)
    if hasattr(value, "item"):  # torch and numpy scalars, also of shape (1,)
        value = value.item()
    if kind is str:
        if not isinstance(value, str):
            raise TypeError(f"expected text, got {type(value).__name__}")
        return value
    if isinstance(value, str) or value is None:
        raise TypeError(f"expected {kind.__name__}, got {value!r}")
    if issubclass(kind, int) and kind is not bool and value != int(value):
        raise TypeError(f"expected a whole number, got {value!r}")
    return kind(int(value)) if issubclass(kind, IntEnum) else kind(value)


class Record:
    """A struct with typed, converting fields. Positional and keyword arguments fill fields; None means the default."""

    _kinds: dict[str, type[Any]] = {}
    _defaults: dict[str, Any] = {}
    _nested: list[str] = []  # fields that are records

    def __init_subclass__(cls) -> None:
        own = dict(cls.__dict__.get("__annotations__", {}))
        cls._kinds = {**cls._kinds, **own}
        cls._defaults = {**cls._defaults, **{name: getattr(cls, name) for name in own}}
        for name in own:
            delattr(cls, name)  # a field lives in the instance only
        cls._nested = [name for name, kind in cls._kinds.items() if issubclass(kind, Record)]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        fields = self.__dict__
        fields.update(self._defaults)
        for name in self._nested:
            fields[name] = fields[name].copy()
        if len(args) > len(fields):
            raise TypeError(f"{type(self).__name__} takes at most {len(fields)} values, got {len(args)}")
        for name, value in (*zip(self._kinds, args, strict=False), *kwargs.items()):
            if value is not None:
                setattr(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        kind = self._kinds.get(name)
        if kind is float and type(value) is float:  # the common case, worth a shortcut
            self.__dict__[name] = value
            return
        if kind is None:
            close = difflib.get_close_matches(name, self._kinds, n=1, cutoff=0.0)
            raise AttributeError(f"{type(self).__name__} has no field '{name}'; did you mean '{close[0]}'?")
        try:
            self.__dict__[name] = _coerce(kind, value)
        except (TypeError, ValueError, RuntimeError) as error:  # RuntimeError: torch, on tensors of several elements
            raise type(error)(f"{type(self).__name__}.{name}: {error}") from None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or not self._kinds:
            raise AttributeError(name)
        close = difflib.get_close_matches(name, self._kinds, n=1, cutoff=0.0)
        raise AttributeError(f"{type(self).__name__} has no field '{name}'; did you mean '{close[0]}'?")

    def copy(self) -> Self:
        """A deep copy."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        for name in self._nested:
            twin.__dict__[name] = twin.__dict__[name].copy()
        return twin

    __copy__ = copy

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.__dict__.items())})"


class _Sequence(Record):
    """A record that is also a fixed-length sequence of its fields."""

    def __iter__(self) -> Iterator[Any]:
        return iter(self.__dict__.values())

    def __len__(self) -> int:
        return len(self.__dict__)

    def __getitem__(self, index: int | slice) -> Any:
        return tuple(self)[index]

    def __setitem__(self, index: int, value: Any) -> None:
        setattr(self, tuple(self._kinds)[index], value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{v:.6f}' if isinstance(v, float) else repr(v) for v in self)})"


# --- Geometry -------------------------------------------------------------------------------------------------------


class Vec3(_Sequence):
    """A vector, a point or an RGB colour."""

    dtype = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4")])

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0

    def __add__(self, other: "Vec3") -> "Vec3":
        return Vec3(self.x + other.x, self.y + other.y, self.z + other.z)

    def __sub__(self, other: "Vec3") -> "Vec3":
        return Vec3(self.x - other.x, self.y - other.y, self.z - other.z)

    def __mul__(self, scale: float) -> "Vec3":
        return Vec3(self.x * scale, self.y * scale, self.z * scale)

    __rmul__ = __mul__

    def __truediv__(self, scale: float) -> "Vec3":
        return Vec3(self.x / scale, self.y / scale, self.z / scale)

    def __neg__(self) -> "Vec3":
        return Vec3(-self.x, -self.y, -self.z)

    def dot(self, other: "Vec3") -> float:
        return self.x * other.x + self.y * other.y + self.z * other.z

    def cross(self, other: "Vec3") -> "Vec3":
        return Vec3(
            self.y * other.z - self.z * other.y,
            self.z * other.x - self.x * other.z,
            self.x * other.y - self.y * other.x,
        )

    def length_sq(self) -> float:
        return self.dot(self)

    def length(self) -> float:
        return math.sqrt(self.length_sq())

    def normalize(self) -> "Vec3":
        """The unit vector of the same direction; the zero vector stays zero."""
        length = self.length()
        return self / length if length > 0.0 else Vec3()


class Quat(_Sequence):
    """A rotation as a quaternion, scalar last."""

    dtype = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("w", "<f4")])

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    w: float = 1.0

    @staticmethod
    def from_axis_angle(axis: Vec3, angle: float) -> "Quat":
        """Rotation by `angle` [rad] about `axis`, which need not have unit length."""
        v = Vec3(*axis).normalize() * math.sin(0.5 * angle)
        return Quat(v.x, v.y, v.z, math.cos(0.5 * angle))

    @staticmethod
    def from_euler_zyx(roll: float, pitch: float, yaw: float) -> "Quat":
        """Rz(yaw) · Ry(pitch) · Rx(roll), angles in rad, arguments in the order x, y, z."""
        about = Quat.from_axis_angle
        return about(Vec3(0, 0, 1), yaw) * about(Vec3(0, 1, 0), pitch) * about(Vec3(1, 0, 0), roll)

    def to_euler_zyx(self) -> tuple[float, float, float]:
        """(roll, pitch, yaw) [rad], the inverse of `from_euler_zyx`."""
        x, y, z, w = self
        roll = math.atan2(2 * (w * x + y * z), w * w - x * x - y * y + z * z)
        pitch = math.asin(max(-1.0, min(1.0, 2 * (w * y - z * x))))
        yaw = math.atan2(2 * (w * z + x * y), w * w + x * x - y * y - z * z)
        return roll, pitch, yaw

    def __mul__(self, other: "Quat") -> "Quat":
        a, b = Vec3(self.x, self.y, self.z), Vec3(other.x, other.y, other.z)
        v = b * self.w + a * other.w + a.cross(b)
        return Quat(v.x, v.y, v.z, self.w * other.w - a.dot(b))

    def inverse(self) -> "Quat":
        norm_sq = sum(c * c for c in self)
        return Quat(-self.x / norm_sq, -self.y / norm_sq, -self.z / norm_sq, self.w / norm_sq)

    def normalize(self) -> "Quat":
        norm = math.sqrt(sum(c * c for c in self))
        return Quat(*(c / norm for c in self)) if norm > 0.0 else Quat()

    def rotate(self, v: Vec3) -> Vec3:
        """Rotate a vector; assumes unit length."""
        axis = Vec3(self.x, self.y, self.z)
        t = axis.cross(v) * 2.0
        return v + t * self.w + axis.cross(t)


class Transform(Record):
    """A rigid transform: rotate by `r`, then shift by `p`."""

    dtype = np.dtype([("p", Vec3.dtype), ("r", Quat.dtype)])

    p: Vec3 = Vec3()
    r: Quat = Quat()

    def transform_point(self, point: Vec3) -> Vec3:
        return self.r.rotate(point) + self.p

    def transform_vector(self, vector: Vec3) -> Vec3:
        return self.r.rotate(vector)

    def transform_points(self, points: np.ndarray) -> np.ndarray:
        """Transform an array of `Vec3.dtype` or of shape (..., 3); the result has the input's form."""
        xyz = points.view(np.float32).reshape(*points.shape, 3) if points.dtype == Vec3.dtype else np.asarray(points)
        return self._like(points, self._rotate(xyz) + np.array(self.p))

    def transform_vectors(self, vectors: np.ndarray) -> np.ndarray:
        """Rotate an array of `Vec3.dtype` or of shape (..., 3); the result has the input's form."""
        xyz = vectors.view(np.float32).reshape(*vectors.shape, 3) if vectors.dtype == Vec3.dtype else vectors
        return self._like(vectors, self._rotate(np.asarray(xyz)))

    def inverse(self) -> "Transform":
        r = self.r.inverse()
        return Transform(-r.rotate(self.p), r)

    def __mul__(self, other: "Transform") -> "Transform":
        return Transform(self.transform_point(other.p), self.r * other.r)

    def _rotate(self, xyz: np.ndarray) -> np.ndarray:
        axis = np.array(self.r[:3])
        t = 2.0 * np.cross(axis, xyz)
        return xyz + self.r.w * t + np.cross(axis, t)

    @staticmethod
    def _like(original: np.ndarray, xyz: np.ndarray) -> np.ndarray:
        if original.dtype != Vec3.dtype:
            return xyz
        return np.ascontiguousarray(xyz, dtype=np.float32).view(Vec3.dtype).reshape(original.shape)


class Mat33(_Sequence):
    """A 3x3 matrix of rows x, y, z."""

    x: Vec3 = Vec3()
    y: Vec3 = Vec3()
    z: Vec3 = Vec3()


# --- Simulation -----------------------------------------------------------------------------------------------------


class PhysXParams(Record):
    """Contact and solver settings, with PhysX's names and documented defaults."""

    use_gpu: bool = False
    num_threads: int = 4
    num_subscenes: int = 0
    solver_type: int = 1  # 0: PGS, 1: TGS
    num_position_iterations: int = 4
    num_velocity_iterations: int = 1
    contact_offset: float = 0.02  # [m]
    rest_offset: float = 0.01  # [m]
    bounce_threshold_velocity: float = 0.2  # [m/s]
    max_depenetration_velocity: float = 100.0  # [m/s]
    friction_offset_threshold: float = 0.04  # [m]
    friction_correlation_distance: float = 0.025  # [m]
    contact_collection: ContactCollection = ContactCollection.CC_ALL_SUBSTEPS
    max_gpu_contact_pairs: int = 1024 * 1024  # unverified
    default_buffer_size_multiplier: float = 2.0  # unverified
    always_use_articulations: bool = False


class FlexParams(Record):
    """Settings of the Flex engine: accepted so that configs with a `flex` part load, used by nothing."""

    solver_type: int = 5
    num_outer_iterations: int = 4
    num_inner_iterations: int = 20
    relaxation: float = 0.75
    warm_start: float = 0.4
    contact_regularization: float = 1e-6
    deterministic_mode: bool = False
    friction_mode: int = 2
    geometric_stiffness: float = 1.0
    max_rigid_contacts: int = 524288
    max_soft_contacts: int = 524288
    static_friction: float = 0.5
    dynamic_friction: float = 0.5
    particle_friction: float = 0.5
    shape_collision_distance: float = 0.01
    shape_collision_margin: float = 0.01
    return_contacts: bool = True


class SimParams(Record):
    dt: float = 1.0 / 60.0  # [s] advanced by one `simulate`
    substeps: int = 2
    up_axis: UpAxis = UpAxis.UP_AXIS_Y
    gravity: Vec3 = Vec3(0.0, -9.81, 0.0)  # [m/s²]
    use_gpu_pipeline: bool = False
    num_client_threads: int = 0
    enable_actor_creation_warning: bool = True
    stress_visualization: bool = False
    stress_visualization_min: float = 0.0
    stress_visualization_max: float = 1.0e5
    physx: PhysXParams = PhysXParams()
    flex: FlexParams = FlexParams()
    # not in Isaac Gym:
    deterministic: bool = False  # the same bits in every run on a GPU too, with the tree engine
    engine: str = "auto"  # "tree", "mujoco", or "auto" for the faster one that can do it
    viewer: str = "auto"  # what create_viewer opens: "web", "none", or "auto" for a page if the package viser is there
    viewer_host: str = "127.0.0.1"  # the page's address; others than this machine see it with "0.0.0.0"
    viewer_port: int = 0  # of the page; 0: the first free one from 8080 on


class PlaneParams(Record):
    """An infinite ground plane; frictions are unverified defaults."""

    normal: Vec3 = Vec3(0.0, 1.0, 0.0)
    distance: float = 0.0  # [m] of the plane from the origin, against the normal
    static_friction: float = 1.0
    dynamic_friction: float = 1.0
    restitution: float = 0.0
    segmentation_id: int = 0


class TriangleMeshParams(Record):
    """Terrain of nb_triangles triangles over nb_vertices vertices; frictions are unverified defaults."""

    nb_vertices: int = 0
    nb_triangles: int = 0
    transform: Transform = Transform()
    static_friction: float = 1.0
    dynamic_friction: float = 1.0
    restitution: float = 0.0
    segmentation_id: int = 0


class HeightFieldParams(Record):
    """Terrain of int16 samples, C-ordered as (nbColumns, nbRows): column index along x, row index along y.

    NVIDIA's documentation says otherwise but every surveyed caller uses it this way (spec 2.5). The first sample is
    at `transform.p`. Frictions are unverified defaults.
    """

    nbRows: int = 0
    nbColumns: int = 0
    row_scale: float = 1.0  # [m] between rows
    column_scale: float = 1.0  # [m] between columns
    vertical_scale: float = 1.0  # [m] per unit of a sample
    transform: Transform = Transform()
    static_friction: float = 1.0
    dynamic_friction: float = 1.0
    restitution: float = 0.0
    segmentation_id: int = 0


HeightFieldProperties = HeightFieldParams  # one surveyed repository spells it so


# --- Assets and actors ----------------------------------------------------------------------------------------------


class VhacdParams(Record):
    """Settings of a convex decomposition, with V-HACD's names and defaults."""

    resolution: int = 100000
    concavity: float = 0.0
    alpha: float = 0.05
    beta: float = 0.05
    plane_downsampling: int = 4
    convex_hull_downsampling: int = 4
    max_convex_hulls: int = 64
    max_num_vertices_per_ch: int = 64
    min_volume_per_ch: float = 0.0001
    mode: int = 0
    pca: int = 0
    convex_hull_approximation: bool = True
    project_hull_vertices: bool = True
    ocl_acceleration: bool = False


class AssetOptions(Record):
    """How to turn a file into an asset; defaults are as commonly quoted, unverified."""

    fix_base_link: bool = False
    collapse_fixed_joints: bool = False
    replace_cylinder_with_capsule: bool = False
    slices_per_cylinder: int = 20
    flip_visual_attachments: bool = False
    disable_gravity: bool = False
    default_dof_drive_mode: DofDriveMode = DofDriveMode.DOF_MODE_NONE
    density: float = 1000.0  # [kg/m³], only for bodies without inertial data
    armature: float = 0.0  # [kg·m²]
    use_physx_armature: bool = True
    linear_damping: float = 0.0
    angular_damping: float = 0.5
    max_linear_velocity: float = 1000.0  # [m/s]
    max_angular_velocity: float = 64.0  # [rad/s]
    enable_gyroscopic_forces: bool = True
    thickness: float = 0.02  # [m]
    override_com: bool = False
    override_inertia: bool = False
    vhacd_enabled: bool = False
    vhacd_params: VhacdParams = VhacdParams()
    convex_decomposition_from_submeshes: bool = False
    mesh_normal_mode: MeshNormalMode = MeshNormalMode.FROM_ASSET
    use_mesh_materials: bool = False
    min_particle_mass: float = 1e-12
    tendon_limit_stiffness: float = 1.0


class RigidBodyProperties(Record):
    mass: float = 1.0  # [kg]
    com: Vec3 = Vec3()  # [m] in the body frame
    inertia: Mat33 = Mat33((1, 0, 0), (0, 1, 0), (0, 0, 1))  # [kg·m²] about the COM, body axes
    invMass: float = 1.0
    invInertia: Mat33 = Mat33((1, 0, 0), (0, 1, 0), (0, 0, 1))
    flags: int = 0  # RigidBodyFlags, or-ed


class RigidShapeProperties(Record):
    """Contact properties of one shape; defaults are unverified."""

    friction: float = 1.0
    rolling_friction: float = 0.0
    torsion_friction: float = 0.0
    restitution: float = 0.0
    compliance: float = 0.0
    thickness: float = 0.0  # [m]
    contact_offset: float = 0.02  # [m]
    rest_offset: float = 0.01  # [m]
    filter: int = 0  # shapes whose filters share a bit do not collide


DOF_PROPERTIES_DTYPE = np.dtype(
    [
        ("hasLimits", "?"),
        ("lower", "<f4"),  # [rad] or [m]
        ("upper", "<f4"),
        ("driveMode", "<i4"),  # DofDriveMode
        ("velocity", "<f4"),  # limit, [rad/s] or [m/s]
        ("effort", "<f4"),  # limit, [N·m] or [N]
        ("stiffness", "<f4"),
        ("damping", "<f4"),
        ("friction", "<f4"),
        ("armature", "<f4"),
    ],
    align=True,  # as in a C struct; torch takes no column of a packed one
)


# --- Viewer ---------------------------------------------------------------------------------------------------------


class CameraProperties(Record):
    width: int = 1600
    height: int = 900
    horizontal_fov: float = 90.0  # [deg]
    near_plane: float = 0.0010000000474974513
    far_plane: float = 2000000.0
    enable_tensors: bool = False
    supersampling_horizontal: int = 1
    supersampling_vertical: int = 1
    use_collision_geometry: bool = False


class ActionEvent(Record):
    """A subscribed key or button changed; value is positive when it went down and 0 when it came up."""

    action: str = ""
    value: float = 0.0


# --- Tensors --------------------------------------------------------------------------------------------------------


class Tensor:
    """What `acquire_*_tensor` returns and setters take: a torch tensor with the descriptor fields of Isaac Gym.

    It holds a reference, so the memory lives as long as the descriptor (NVIDIA's does not).
    """

    __slots__ = ("tensor", "own_data")

    def __init__(self, tensor: Any, own_data: bool = False) -> None:
        self.tensor = tensor
        self.own_data = own_data

    @property
    def data_ptr(self) -> int:
        return self.tensor.data_ptr()

    data_address = data_ptr

    @property
    def device(self) -> int:
        """CUDA device index, -1 for the CPU."""
        device = self.tensor.device
        return -1 if device.type == "cpu" else device.index or 0

    @property
    def dtype(self) -> TensorDataType:
        return TensorDataType["DTYPE_" + str(self.tensor.dtype).removeprefix("torch.").upper()]

    @property
    def ndim(self) -> int:
        return self.tensor.ndim

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.tensor.shape)

    def __repr__(self) -> str:
        return f"Tensor(shape={self.shape}, dtype={self.dtype.name}, device={self.device})"
