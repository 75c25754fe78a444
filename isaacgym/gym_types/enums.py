"""Enums of the Isaac Gym API."""

from enum import IntEnum


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


class JointType(IntEnum):
    """Numbers are unverified."""

    JOINT_INVALID = 0
    JOINT_FIXED = 1
    JOINT_REVOLUTE = 2
    JOINT_PRISMATIC = 3
    JOINT_BALL = 4
    JOINT_PLANAR = 5
    JOINT_FLOATING = 6


class MeshType(IntEnum):
    MESH_NONE = 0
    MESH_COLLISION = 1
    MESH_VISUAL = 2
    MESH_VISUAL_AND_COLLISION = 3


class MeshNormalMode(IntEnum):
    FROM_ASSET = 0
    COMPUTE_PER_VERTEX = 1
    COMPUTE_PER_FACE = 2


class Axis(IntEnum):
    """Of attractors, to be or-ed; numbers are unverified."""

    AXIS_NONE = 0
    AXIS_X = 1
    AXIS_Y = 2
    AXIS_Z = 4
    AXIS_TRANSLATION = 7
    AXIS_TWIST = 8
    AXIS_SWING_1 = 16
    AXIS_SWING_2 = 32
    AXIS_ROTATION = 56
    AXIS_ALL = 63


class TendonType(IntEnum):
    """Numbers are unverified."""

    TENDON_FIXED = 0
    TENDON_SPATIAL = 1


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

_BUTTONS = [f"{button}_BUTTON" for button in ("LEFT", "RIGHT", "MIDDLE", "BACK", "FORWARD")]
_MOVES = [f"{kind}_{way}" for kind in ("SCROLL", "MOVE") for way in ("RIGHT", "LEFT", "UP", "DOWN")]
MouseInput = IntEnum("MouseInput", [f"MOUSE_{name}" for name in (*_BUTTONS, *_MOVES)], start=0)  # type: ignore[misc]

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
    JointType,
    MeshType,
    MeshNormalMode,
    Axis,
    TendonType,
    StateFlags,
    RigidBodyFlags,
    TensorDataType,
    KeyboardInput,
    MouseInput,
)
