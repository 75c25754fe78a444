"""Parameters of a simulation, and of the ground that its robots stand on."""

from isaacgym.gym_types.enums import ContactCollection, UpAxis
from isaacgym.gym_types.geometry import Transform, Vec3
from isaacgym.gym_types.record import Record


class PhysXParams(Record):
    """Contact and solver settings, with PhysX's names and documented defaults."""

    _single = True

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

    _single = True

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
    """Floats are of single precision, as in Isaac Gym: a `dt` of 0.005 reads 0.004999999888241291."""

    _single = True

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
