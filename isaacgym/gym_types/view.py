"""What a viewer and its cameras take and report."""

from isaacgym.gym_types.record import Record


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
