"""Any robot file → `RobotDescription`, by what is in it: exporters write URDF to .xml, and names in capitals."""

from pathlib import Path

from isaacgym.assets.description import RobotDescription
from isaacgym.assets.doubts import doubts
from isaacgym.assets.mjcf import load_mjcf
from isaacgym.assets.notices import listed, notice
from isaacgym.assets.urdf import load_urdf
from isaacgym.assets.xml_file import root_tag
from isaacgym.gym_types import AssetOptions

SUFFIXES = (".urdf", ".xml", ".mjcf")


def load_robot(path: str | Path, options: AssetOptions) -> RobotDescription:
    """Read a URDF or MJCF file; a ValueError or FileNotFoundError of one sentence if it cannot be.

    Warns of what is hardly meant, see `doubts`.
    """
    robot = (load_urdf if is_urdf(path) else load_mjcf)(path, options)
    for doubt in doubts(robot):
        notice(f"{path}: {doubt}; correct the file if so")
    return robot


def refuse_fixed_base(path: str | Path, robot: RobotDescription) -> None:
    """A ValueError if the file lets the robot's base move only along joints, or not at all."""
    if robot.fixed_base:
        names = [f"'{joint.name}'" for joint in robot.bodies[1].joints]
        raise ValueError(
            f"{path}: the base moves only by the joints {listed(names)}, so it cannot walk about; to float, it has a "
            "<freejoint/> in MJCF, and in URDF no joint to the world"
        )


def is_urdf(path: str | Path) -> bool:
    """Whether a robot file is URDF: by its root element, else by its suffix; a ValueError for files of other kinds."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        way_out = "expand it with the xacro tool" if suffix == ".xacro" else "convert it to one of these"
        raise ValueError(f"{path}: robots are read from {', '.join(SUFFIXES)} files; {way_out} first")
    tag = root_tag(path) if path.is_file() else ""
    return tag == "robot" if tag in ("robot", "mujoco") else suffix == ".urdf"
