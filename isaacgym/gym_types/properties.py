"""What becomes of a robot's file, and properties of bodies, shapes and joints."""

import math

import numpy as np

from isaacgym.gym_types.enums import Axis, DofDriveMode, MeshNormalMode, TendonType
from isaacgym.gym_types.geometry import Mat33, Transform, Vec3
from isaacgym.gym_types.record import Record


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
    default_dof_drive_mode: DofDriveMode = DofDriveMode.DOF_MODE_NONE  # which leaves it to an MJCF file's actuators
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
    strict_inertia: bool = False  # ours: refuse inertias that no body has, instead of balancing them
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


class DofFrame(Record):
    """A point on the axis of a joint and the axis' direction, in the env."""

    dtype = np.dtype([("origin", Vec3.dtype), ("axis", Vec3.dtype)])

    origin: Vec3 = Vec3()
    axis: Vec3 = Vec3()


class ActuatorProperties(Record):
    """What an MJCF file says about an actuator; limits are infinite if there are none."""

    name: str = ""
    joint: str = ""  # that it moves
    type: str = "motor"  # or "position", "velocity"
    motor_effort: float = 0.0  # gear [N·m] or [N] at control 1
    kp: float = 0.0  # [N·m/rad] or [N/m]
    kv: float = 0.0  # [N·m·s/rad] or [N·s/m]
    control_limited: bool = False
    lower_control_limit: float = -math.inf
    upper_control_limit: float = math.inf
    force_limited: bool = False
    lower_force_limit: float = -math.inf
    upper_force_limit: float = math.inf


class TendonProperties(Record):
    """A tendon of an MJCF file; see `set_asset_tendon_properties` for what acts."""

    name: str = ""
    type: TendonType = TendonType.TENDON_FIXED
    num_joints: int = 0  # that a fixed tendon is over
    num_attachments: int = 0  # of a spatial one
    stiffness: float = 0.0  # force along the tendon per length
    damping: float = 0.0
    limit_stiffness: float = 0.0
    is_fixed_limited: bool = False
    fixed_lower_limit: float = 0.0
    fixed_upper_limit: float = 0.0
    fixed_spring_rest_length: float = 0.0


class AttractorProperties(Record):
    """A spring and a damper between a point of a body and a pose in its env; defaults are unverified."""

    axes: int = Axis.AXIS_ALL  # Axis, or-ed
    rigid_handle: int = -1  # of the body in its env
    offset: Transform = Transform()  # of what is attracted in the body's frame
    target: Transform = Transform()
    stiffness: float = 0.0  # [N/m] and [N·m/rad]
    damping: float = 0.0  # [N·s/m] and [N·m·s/rad]


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
