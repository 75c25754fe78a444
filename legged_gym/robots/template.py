"""A package of one's own for a robot: its files, a config, tasks, a test and a README."""

import json
import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

from isaacgym.assets.mesh_paths import find_elsewhere, find_mesh, mesh_dir
from isaacgym.assets.robot_file import is_urdf
from isaacgym.assets.xml_file import read_xml
from legged_gym.robots.guess import CLEARANCE, Guess

PYPROJECT = """\
[build-system]
requires = ["setuptools>=64"]
build-backend = "setuptools.build_meta"

[project]
name = "{name}"
version = "0.1.0"
dependencies = ["himloco"]

[project.entry-points."himloco.tasks"]
{name} = "{name}.tasks"

[tool.setuptools]
packages = ["{name}"]

[tool.setuptools.package-data]
{name} = ["robot/**/*"]
"""

CONFIG = '''\
"""{title} on rough and on flat ground. The numbers marked "guess" come from the robot's file; check them."""

from pathlib import Path

from legged_gym.envs.base.legged_robot_config import LeggedRobotCfgPPO
from legged_gym.envs.base.quadruped_config import QuadrupedCfg


class {title}RoughCfg(QuadrupedCfg):
    class env(QuadrupedCfg.env):
        num_actions = {num_joints}  # joints

    class init_state(QuadrupedCfg.init_state):
        pos = [0.0, 0.0, {start:.2f}]  # [m] guess: the standing height and {clearance_cm:.0f} cm
        default_joint_angles = {{  # [rad] guess: feet under the hips, knees bent
{angles}
        }}

    class control(QuadrupedCfg.control):
        stiffness = {stiffnesses}  # [N·m/rad] guess, for a mass of {mass:.1f} kg
        damping = {dampings}  # [N·m·s/rad] guess

    class asset(QuadrupedCfg.asset):
        file = {file}
        name = "{name}"
        foot_name = {foot_name}  # guess: fits {feet}
        penalize_contacts_on = {penalize}
        terminate_after_contacts_on = {trunk}{collapse}
        density = 1000.0  # [kg/m³] of links whose mass the file does not state; sim2sim.py takes the same
        left_names = {left}  # guess: of joints, for learning in a mirror; with [] there is none
        right_names = {right}
        mirror_reversed = {reversed}  # guess: joints that turn the other way there

    class rewards(QuadrupedCfg.rewards):
        base_height_target = {height:.2f}  # [m] the base's height in the default pose
        clearance_height_target = {clearance:.2f}  # [m] of feet in the base's frame; standing: {feet_z:.2f}


class {title}RoughCfgPPO(LeggedRobotCfgPPO):
    class runner(LeggedRobotCfgPPO.runner):
        experiment_name = "rough_{name}"


class {title}FlatCfg({title}RoughCfg):
    class terrain({title}RoughCfg.terrain):
        mesh_type = "plane"
        curriculum = False


class {title}FlatCfgPPO({title}RoughCfgPPO):
    class runner({title}RoughCfgPPO.runner):
        experiment_name = "flat_{name}"
'''

TASKS = '''\
"""Registers the tasks `{name}` and `{name}_flat`. Own rewards: methods _reward_<name> here, scales in config.py."""

from legged_gym.envs import task_registry
from legged_gym.envs.base.legged_robot import LeggedRobot
from {name}.config import {title}FlatCfg, {title}FlatCfgPPO, {title}RoughCfg, {title}RoughCfgPPO


class {title}(LeggedRobot):
    graph_safe = True  # its methods of a step branch on nothing but tensors and config; see LeggedRobot


task_registry.register("{name}", {title}, {title}RoughCfg(), {title}RoughCfgPPO())
task_registry.register("{name}_flat", {title}, {title}FlatCfg(), {title}FlatCfgPPO())
'''

TEST = '''\
"""{title} can be built, stands in its default pose, and steps."""

import {name}.tasks  # noqa: F401
import torch
from legged_gym.envs import task_registry
from legged_gym.utils.helpers import get_args


def test_it_stands_and_steps():
    args = get_args(["--headless", "--sim_device", "cpu", "--num_envs", "4"])
    env, _ = task_registry.make_env("{name}_flat", args)
    env.reset()
    for _ in range(10):
        result = env.step(torch.zeros(env.num_envs, env.num_actions))
    assert result.obs.isfinite().all() and result.rewards.isfinite().all()
    assert not env.reset_buf.any(), "it fell within 0.2 s: check the default pose and the gains in config.py"
'''

README = """\
# {title} for HIMLoco

```bash
pip install -e .                # or, without: add --task_module {name}.tasks to every command, in this folder
python -m pytest tests
python -m legged_gym.scripts.train --task {name}_flat --headless   # a plane first: mistakes show soon
python -m legged_gym.scripts.train --task {name} --headless
python -m legged_gym.scripts.play --task {name}
```

`{name}/config.py` has what was guessed from the robot's file. Check:

{checks}

`{name}/tasks.py` registers the tasks; `{name}/robot` holds the robot's file.
"""


def write_package(name: str, source: Path, out: Path, mass: float, guess: Guess) -> list[str]:
    """Create the package and return what to check, a line each.

    Args:
        name: of package, robot and tasks; a Python identifier.
        source: the robot's file.
        out: folder of the package, new or empty.
        mass: of the robot [kg].
        guess: from the file.
    """
    package = out / name
    robot_folder = package / "robot"
    robot_folder.mkdir(parents=True)
    copied = is_urdf(source)
    if copied:
        missing = _copy_urdf(source, robot_folder / f"{name}.urdf", guess.feet)
        file = f'str(Path(__file__).parent / "robot" / "{name}.urdf")'
    else:  # its includes and assets may be anywhere
        missing, file = [], f"str(Path({str(source.absolute())!r}))"
    checks = _checks(guess, missing)
    clearance = round(0.7 * guess.feet_z, 2)
    values = {
        "name": name,
        "title": _title(name),
        "num_joints": len(guess.joint_angles),
        "start": guess.height + CLEARANCE,
        "clearance_cm": 100 * CLEARANCE,
        "angles": "\n".join(f"            {_text(joint)}: {angle}," for joint, angle in guess.joint_angles.items()),
        "mass": mass,
        "stiffnesses": _dict(_gains(guess, guess.stiffness)),
        "dampings": _dict(_gains(guess, guess.damping)),
        "file": file,
        "feet": ", ".join(guess.feet),
        "penalize": _list(guess.other_bodies),
        "trunk": _list(guess.trunk[:1] if copied else guess.trunk),  # of a URDF, fixed bodies collapse
        "foot_name": _text(guess.foot_name),
        "collapse": "" if copied else "\n        collapse_fixed_joints = False",
        "clearance": clearance,
        "left": _list(list(guess.sides)),
        "right": _list(list(guess.sides.values())),
        "reversed": _list(guess.mirror_reversed),
        "checks": "\n".join(f"- {check}" for check in checks),
        "height": guess.height,
        "feet_z": guess.feet_z,
    }
    for path, text in (
        (out / "pyproject.toml", PYPROJECT),
        (out / "README.md", README),
        (package / "__init__.py", '"""{title} for HIMLoco."""\n'),
        (package / "config.py", CONFIG),
        (package / "tasks.py", TASKS),
        (out / "tests" / f"test_{name}.py", TEST),
    ):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.format(**values), encoding="utf-8")
    return checks


def _text(name: str) -> str:
    """A name as Python writes it."""
    return json.dumps(name, ensure_ascii=False)


def _list(names: list[str]) -> str:
    return f"[{', '.join(map(_text, names))}]"


def _gains(guess: Guess, gain: float) -> dict[str, float]:
    """Part of a joint's name → its gain; the first that a name contains counts. What others move has no drive."""
    names = sorted(guess.joint_angles, key=len, reverse=True) if guess.followers else guess.joint_names
    return {name: 0.0 if name in guess.followers else gain for name in names}


def _dict(numbers: dict[str, float]) -> str:
    return "{" + ", ".join(f"{_text(name)}: {number}" for name, number in numbers.items()) + "}"


def _title(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_") if part)


def _checks(guess: Guess, missing: list[str]) -> list[str]:
    """What a person should look at."""
    checks = [
        f"Feet: {', '.join(guess.feet)}; the base: {guess.base}, whose contact ends an episode.",
        f"The default pose, in which the base is {guess.height:.2f} m high: `play.py --agent zero` shows it.",
        f"Stiffness {guess.stiffness:g} and damping {guess.damping:g} of all joints: those of the real motors.",
        "Torque and speed limits: those of the file's <limit>; 0 or none there means unlimited here.",
    ]
    if guess.footprint:
        checks.append(
            f"The root {guess.base} is away from {guess.footprint}: heights and velocities count at the root's origin. "
            "Without that link and its joint, as for ROS' base_footprint, they would count at the body's."
        )
    if guess.weak:
        checks.append(
            f"The file's effort limits do not carry the robot: {', '.join(guess.weak)} in the default pose. Exporters "
            "write 1 where they know nothing; state those of the motors."
        )
    if guess.no_legs:
        checks.append(
            f"Joints that are no leg's: {', '.join(guess.no_legs)}. Policies move them too; in the file, fix those "
            "that have no motor, such as rods of a linkage, and those that shall stay."
        )
    if guess.followers:
        checks.append(
            f"Joints that follow others: {', '.join(guess.followers)}. They have no stiffness and damping; "
            "policies have actions for them that do nothing."
        )
    if guess.turned_base:
        checks.append(
            f"The base's frame: {guess.turned_base}, but commands and rewards take the base's x for forwards, y for "
            "left and z for up. Turn it: a root link without mass, fixed to the base with the right rpy."
        )
    if not guess.sides:
        checks.append("Learning in a mirror is off: the joints' names do not tell which are left and which right.")
    if guess.wheels:
        checks.append(
            f"Wheels: {', '.join(guess.wheels)}. Make the robot a WheeledRobot and set control.wheel_name, see "
            "legged_gym/envs/go2w; else policies set their angles."
        )
    if guess.slides:
        checks.append(
            f"Joints that slide: {', '.join(guess.slides)}. Stiffness and damping are guessed for joints that turn; "
            "give these their own in config.py [N/m, N·s/m], by their names and before the others."
        )
    if missing:
        checks.append(f"Meshes that were not found, so not copied: {', '.join(missing)}.")
    return checks


def _copy_urdf(source: Path, target: Path, feet: list[str]) -> list[str]:
    """Copy a URDF and the meshes it refers to; fixed joints of feet are marked to stay. Returns meshes not found."""
    root = read_xml(source)
    folder = mesh_dir(root)
    meshes: dict[Path, str] = {}
    missing = []
    for element in root.iter("mesh"):
        reference = element.get("filename", "")
        found = (find_mesh(reference, source, folder) or find_elsewhere(reference, source)) if reference else None
        if found is None:
            missing.append(reference or "(no name)")
            continue
        if found not in meshes:
            name = re.sub(r"[^\w.-]", "_", found.name)
            while name in meshes.values():
                name = f"_{name}"
            meshes[found] = name
        element.set("filename", f"meshes/{meshes[found]}")
    if meshes:
        (target.parent / "meshes").mkdir()
        for path, name in meshes.items():
            shutil.copyfile(path, target.parent / "meshes" / name)
    for joint in root.iter("joint"):
        child = joint.find("child")
        if child is not None and child.get("link", "").strip() in feet:  # of other joints it does nothing
            joint.set("dont_collapse", "true")
    ET.ElementTree(root).write(target, encoding="utf-8", xml_declaration=True)
    return missing
