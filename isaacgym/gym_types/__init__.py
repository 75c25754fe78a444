"""Value types, parameter structs and enums of the Isaac Gym API; `gymapi` re-exports them.

Every struct is a `Record`: its annotated class body lists the fields, and assigning to a field converts the value to
the field's type. Callers hand over 0-d and one-element tensors, numpy scalars and plain integers for enums, so all of
these work; a misspelt field raises instead of being ignored. Values are copied on assignment, as in a C struct.
Defaults marked "unverified" are not documented by NVIDIA; code that matters sets them.
"""

from enum import IntEnum
from typing import TYPE_CHECKING

from isaacgym.gym_types.enums import (
    ENUMS,
    Axis,
    CameraFollowMode,
    ContactCollection,
    CoordinateSpace,
    DofDriveMode,
    DofType,
    ImageType,
    IndexDomain,
    JointType,
    KeyboardInput,
    MeshNormalMode,
    MeshType,
    MouseInput,
    RigidBodyFlags,
    SimType,
    StateFlags,
    TendonType,
    TensorDataType,
    UpAxis,
)
from isaacgym.gym_types.geometry import Mat33, Quat, Transform, Vec2, Vec3
from isaacgym.gym_types.params import (
    FlexParams,
    HeightFieldParams,
    HeightFieldProperties,
    PhysXParams,
    PlaneParams,
    SimParams,
    TriangleMeshParams,
)
from isaacgym.gym_types.properties import (
    DOF_PROPERTIES_DTYPE,
    ActuatorProperties,
    AssetOptions,
    AttractorProperties,
    DofFrame,
    RigidBodyProperties,
    RigidShapeProperties,
    TendonProperties,
    VhacdParams,
)
from isaacgym.gym_types.record import Record, shortest
from isaacgym.gym_types.tensor import Tensor
from isaacgym.gym_types.view import ActionEvent, CameraProperties

INVALID_HANDLE = -1

# Isaac Gym offers every member as a module constant too: SIM_PHYSX, DOF_MODE_EFFORT, KEY_ESCAPE, ...
for _enum in ENUMS:
    globals().update(_enum.__members__)
if TYPE_CHECKING:

    def __getattr__(name: str) -> IntEnum: ...


__all__ = [
    "ActionEvent",
    "ActuatorProperties",
    "AssetOptions",
    "AttractorProperties",
    "Axis",
    "CameraFollowMode",
    "CameraProperties",
    "ContactCollection",
    "CoordinateSpace",
    "DOF_PROPERTIES_DTYPE",
    "DofDriveMode",
    "DofFrame",
    "DofType",
    "ENUMS",
    "FlexParams",
    "HeightFieldParams",
    "HeightFieldProperties",
    "INVALID_HANDLE",
    "ImageType",
    "IndexDomain",
    "JointType",
    "KeyboardInput",
    "Mat33",
    "MeshNormalMode",
    "MeshType",
    "MouseInput",
    "PhysXParams",
    "PlaneParams",
    "Quat",
    "Record",
    "RigidBodyFlags",
    "RigidBodyProperties",
    "RigidShapeProperties",
    "SimParams",
    "SimType",
    "StateFlags",
    "TendonProperties",
    "TendonType",
    "Tensor",
    "TensorDataType",
    "Transform",
    "TriangleMeshParams",
    "UpAxis",
    "Vec2",
    "Vec3",
    "VhacdParams",
    "shortest",
]
