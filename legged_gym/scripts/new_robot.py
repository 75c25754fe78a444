"""A package for a robot of one's own: python -m legged_gym.scripts.new_robot my_robot --urdf FILE [--out DIR]

Reads the file, guesses feet, base, default pose and gains, and writes a package with config, tasks, a test and a
README, which says how to train it. Nothing of this repository is edited.
"""

import argparse
import importlib.util
import keyword
import shlex
from pathlib import Path

from isaacgym.assets.notices import counted
from isaacgym.assets.robot_file import SUFFIXES, load_robot, refuse_fixed_base
from isaacgym.gym_types import AssetOptions
from legged_gym import cli
from legged_gym.robots.guess import guess
from legged_gym.robots.template import write_package
from legged_gym.utils.helpers import user_errors


def get_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=cli.running(), description="Create a package with tasks for a robot of your own"
    )
    parser.add_argument("name", help="of package, robot and tasks: letters, digits and _")
    parser.add_argument("--urdf", required=True, metavar="FILE", help="the robot's URDF (or MJCF) file")
    parser.add_argument("--out", metavar="DIR", help="new folder of the package; default: ./<name>")
    return parser.parse_args(argv)


def new_robot(args: argparse.Namespace) -> Path:
    """Create the package that the command line describes and return its folder."""
    name, source, out = args.name, Path(args.urdf), Path(args.out or args.name)
    if not name.isidentifier() or keyword.iskeyword(name) or not name.islower():
        raise ValueError(f"'{name}' is no name for a package; use small letters, digits and _, such as my_robot")
    if not out.exists() and importlib.util.find_spec(name) is not None:
        raise ValueError(f"there is a Python module '{name}' already; choose another name")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"'{out}' exists and is not empty; choose another --out DIR")
    if source.suffix.lower() in SUFFIXES and not source.is_file():
        raise ValueError(f"--urdf {source}: no such file; check its path")
    robot = load_robot(source, AssetOptions(replace_cylinder_with_capsule=True))
    refuse_fixed_base(source, robot)
    try:
        guessed = guess(robot)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None
    checks = write_package(name, source, out, robot.mass, guessed)
    joints = counted(len(robot.dofs), "joint")
    print(f"Wrote {out}: {robot.name}, {robot.mass:.1f} kg, {joints}. Check in {name}/config.py:")
    print("\n".join(f"- {check}" for check in checks))
    folder = shlex.quote(str(out))
    print(f"Then: cd {folder} && pip install -e . && python -m legged_gym.scripts.train --task {name}_flat --headless")
    return out


if __name__ == "__main__":
    with cli.interruptible(), user_errors():
        new_robot(get_args())
