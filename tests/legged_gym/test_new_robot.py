"""Tasks from outside: guesses about a robot's file, the package that new_robot.py writes, and how tasks are found."""

import functools
import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from isaacgym.assets.urdf import load_urdf
from isaacgym.gym_types import AssetOptions
from legged_gym import LEGGED_GYM_ROOT_DIR
from legged_gym.envs import task_registry
from legged_gym.robots.fit import misfits
from legged_gym.robots.guess import guess
from legged_gym.robots.kinematics import body_poses
from legged_gym.robots.names import common_part
from legged_gym.scripts import sim2sim, train
from legged_gym.scripts.new_robot import get_args, new_robot
from legged_gym.utils import helpers
from tests.isaacgym.robots import biped_urdf, humanoid_urdf

ROBOTS = Path(LEGGED_GYM_ROOT_DIR, "resources", "robots")
CRICKET = Path(__file__).with_name("cricket.urdf")
QUADRUPEDS = [*sorted(path.name for path in ROBOTS.iterdir() if (path / f"urdf/{path.name}.urdf").is_file()), "cricket"]
CPU = ["--headless", "--sim_device", "cpu"]


def file_of(name):
    return CRICKET if name == "cricket" else ROBOTS / name / "urdf" / f"{name}.urdf"


def read(path):
    return load_urdf(path, AssetOptions(replace_cylinder_with_capsule=True))


@functools.cache
def guessed(name):
    """The robot of a file and the guess about it, which take a second where there are meshes."""
    robot = read(file_of(name))
    return robot, guess(robot)


# --- Guesses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", QUADRUPEDS)
def test_a_quadruped_stands_on_four_feet_under_its_hips(name):
    robot, found = guessed(name)
    assert len(found.feet) == 4 and found.base == robot.bodies[0].name
    assert all(found.foot_name in foot for foot in found.feet)
    for joint in robot.dofs:
        assert joint.lower - 0.006 <= found.joint_angles[joint.name] <= joint.upper + 0.006  # rounded to 0.01
    poses = body_poses(robot, found.joint_angles)
    feet = poses.positions[[robot.body_names.index(foot) for foot in found.feet]]
    assert np.ptp(feet[:, 2]) < 0.02  # level
    assert feet[:, 0].max() > 0.1 > -0.1 > feet[:, 0].min()  # two in front, two behind
    assert feet[:, 1].max() > 0.05 > -0.05 > feet[:, 1].min()
    # between three and nine tenths of what the leg is long, as quadrupeds stand
    assert 0.15 < found.height < 0.9


@pytest.mark.parametrize(("text", "height"), [(biped_urdf(), 0.48), (humanoid_urdf(), 0.58)])
def test_a_biped_stands_on_level_soles_with_its_knees_forwards(tmp_path, text, height):
    (tmp_path / "r.urdf").write_text(text)
    robot = read(tmp_path / "r.urdf")
    found = guess(robot)
    assert len(found.feet) == 2 and all("ankle" in foot for foot in found.feet)
    assert found.height == pytest.approx(height, abs=0.08)
    poses = body_poses(robot, found.joint_angles)
    for side in ("left", "right"):
        foot = next(index for index, body in enumerate(robot.bodies) if body.name in found.feet and side in body.name)
        assert poses.rotations[foot].as_matrix()[2, 2] == pytest.approx(1.0, abs=1e-3)
        assert found.joint_angles[f"{side}_knee_joint"] > 0.3


def test_a_robot_without_legs_is_refused(tmp_path):
    (tmp_path / "r.urdf").write_text(
        '<robot name="box"><link name="a"><inertial><mass value="1"/></inertial></link></robot>'
    )
    with pytest.raises(ValueError, match="robot 'box' has no legs"):
        new_robot(get_args(["boxy", "--urdf", str(tmp_path / "r.urdf"), "--out", str(tmp_path / "out")]))


def test_common_parts_are_words_and_of_no_other_name():
    assert common_part(["left_ankle_pitch", "right_ankle_pitch"], ["left_knee"]) == "ankle_pitch"
    assert common_part(["LF_FOOT", "RH_FOOT"], ["LF_SHANK"]) == "FOOT"
    assert common_part(["lfoot2", "rfoot2"], ["lknee2"]) == "foot2"
    with pytest.raises(ValueError, match="share nothing"):
        common_part(["a", "b"], [])


# --- The package ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", QUADRUPEDS)
def test_the_package_of_a_quadruped_fits_it(make, name):
    make(f"new_{name}", file_of(name))
    env_cfg, _ = task_registry.get_cfgs(f"new_{name}")
    robot = load_urdf(env_cfg.asset.file, AssetOptions(collapse_fixed_joints=True, replace_cylinder_with_capsule=True))
    assert sum(env_cfg.asset.foot_name in body for body in robot.body_names) == 4  # their joints do not collapse
    assert list(misfits(env_cfg, robot)) == []


# Written down from the files: which legs are left, and which joints roll.
MIRRORS = {
    "aliengo": (["FL", "RL"], ["FR", "RR"], ["hip_joint"]),
    "anymal_c": (["LF", "LH"], ["RF", "RH"], ["HAA"]),
    "cricket": (["FL", "RL"], ["FR", "RR"], []),
    "go2w": (["FL", "RL"], ["FR", "RR"], ["hip_joint"]),
}


@pytest.mark.parametrize("name", MIRRORS)
def test_the_mirror_is_guessed(name):
    _, found = guessed(name)
    assert (list(found.sides), list(found.sides.values()), found.mirror_reversed) == MIRRORS[name]


def test_the_mirror_of_a_humanoid_knows_roll_and_yaw(tmp_path):
    (tmp_path / "r.urdf").write_text(humanoid_urdf())
    found = guess(read(tmp_path / "r.urdf"))
    assert found.sides == {"left": "right"}
    expected = {part for part in found.mirror_reversed if "roll" in part or "yaw" in part}
    assert set(found.mirror_reversed) == expected
    assert {"hip_roll_joint", "hip_yaw_joint", "waist_yaw_joint", "shoulder_roll_joint"} <= expected


def run(command, folder):
    own = {name: value for name, value in os.environ.items() if not name.startswith(("SLIPCOVER_", "PYTEST_"))}
    environment = own | {"PYTHONPATH": f"{LEGGED_GYM_ROOT_DIR}{os.pathsep}{folder}"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_a_biped_trains_at_once_and_its_own_test_passes(make, tmp_path):
    (tmp_path / "biped.urdf").write_text(biped_urdf())
    out = make("my_biped", tmp_path / "biped.urdf")
    result = run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"], out)
    assert result.returncode == 0, result.stdout
    script = str(Path(LEGGED_GYM_ROOT_DIR, "legged_gym", "scripts", "train.py"))
    flags = ["--task", "my_biped_flat", "--task_module", "my_biped.tasks", *CPU, "--num_envs", "8"]
    result = run([sys.executable, script, *flags, "--max_iterations", "1"], out)
    assert result.returncode == 0, result.stderr
    (config,) = Path(LEGGED_GYM_ROOT_DIR, "logs", "flat_my_biped").glob("*/config.json")
    assert '"task_module": "my_biped.tasks"' in config.read_text()


def test_meshes_come_along_under_plain_names(make, tmp_path):
    (tmp_path / "meshes").mkdir()
    (tmp_path / "meshes/my foot.obj").write_text("v 0 0 0\nv .1 0 0\nv 0 .1 0\nv 0 0 .1\n")
    text = CRICKET.read_text().replace('<sphere radius="0.02"/>', '<mesh filename="package://x/meshes/my%20foot.obj"/>')
    text = text.replace("</robot>", "").replace("<link ", "<link ", 1) + "</robot>"
    (tmp_path / "source.urdf").write_text(text)
    out = make("meshy", tmp_path / "source.urdf")
    assert (out / "meshy/robot/meshes/my_foot.obj").is_file()
    shutil.rmtree(tmp_path / "meshes")
    assert read(out / "meshy/robot/meshy.urdf").body_names == read(CRICKET).body_names


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["My-Robot", "--urdf", "r.urdf"], "'My-Robot' is no name for a package"),
        (["class", "--urdf", "r.urdf"], "'class' is no name for a package"),
        (["numpy", "--urdf", "r.urdf"], "there is a Python module 'numpy' already"),
        (["mine", "--urdf", "r.usd"], "r.usd: robots are read from .urdf, .xml, .mjcf files"),
        (["mine", "--urdf", "nowhere.urdf"], "nowhere.urdf: no such file"),
        (["mine", "--urdf", str(CRICKET), "--out", str(CRICKET.parent)], "exists and is not empty"),
    ],
)
def test_mistakes_are_refused_in_one_sentence(flags, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        new_robot(get_args(flags))
    assert "\n" not in str(caught.value)


# --- How tasks are found --------------------------------------------------------------------------------------------

TASKS = """
from legged_gym.envs import task_registry
task_registry.register("{name}", *(table["aliengo"] for table in (
    task_registry.task_classes, task_registry.env_cfgs, task_registry.train_cfgs)))
"""
LIST = "from legged_gym.envs import task_registry; print(*task_registry.task_classes)"


def install(folder, package, text):
    """What pip leaves of a package with tasks."""
    (folder / f"{package}.py").write_text(text)
    info = folder / f"{package}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[himloco.tasks]\n{package} = {package}\n")


def test_installed_packages_add_tasks_and_broken_ones_are_said(tmp_path):
    install(tmp_path, "good_tasks", TASKS.format(name="good"))
    install(tmp_path, "bad_tasks", "\nraise KeyError('no\\nsuch thing')\n")
    result = run([sys.executable, "-c", LIST], tmp_path)
    assert "good" in result.stdout.split() and "aliengo" in result.stdout.split()
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("warning: ")]
    assert "'bad_tasks' are left out: KeyError" in line and "bad_tasks.py, line 2" in line


def test_a_module_of_tasks_is_named_by_its_file_or_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(task_registry, "task_classes", dict(task_registry.task_classes))
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "by_file_tasks.py").write_text(TASKS.format(name="by_file"))
    helpers.get_args([*CPU, "--task", "by_file", "--task_module", str(tmp_path / "by_file_tasks.py")])
    (tmp_path / "by_name_tasks.py").write_text(TASKS.format(name="by_name"))
    monkeypatch.chdir(tmp_path)
    helpers.get_args([*CPU, "--task", "by_name", "--task_module", "by_name_tasks"])
    assert {"by_file", "by_name"} <= set(task_registry.task_classes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", r"--task_module .*mine\.py registers no task, for which it must call task_registry\.register"),
        (TASKS.format(name="mine"), r"--task_module .*mine\.py: choose one of its tasks with --task: mine$"),
    ],
)
def test_a_module_of_tasks_and_no_task_is_not_the_default_task(tmp_path, monkeypatch, text, message):
    monkeypatch.setattr(task_registry, "task_classes", dict(task_registry.task_classes))
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(ValueError, match=message):
        helpers.get_args([*CPU, "--task_module", str(tmp_path / "mine.py")])
    args = helpers.get_args([*CPU, "--task", "aliengo", "--task_module", str(tmp_path / "mine.py")])
    assert args.task == "aliengo"  # a module may do something else for it


def test_an_installed_module_that_is_named_too_still_has_its_tasks(tmp_path):
    install(tmp_path, "good_tasks", TASKS.format(name="good"))
    named = "from legged_gym.utils.helpers import get_args; get_args(['--task_module', 'good_tasks'])"
    result = run([sys.executable, "-c", f"import legged_gym.envs; {named}"], tmp_path)
    assert "choose one of its tasks with --task: good" in result.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("module", "text", "message"),
    [
        ("nowhere.tasks", None, "there is no module 'nowhere'; start in the folder"),
        ("nowhere.py", None, "there is no such file$"),
        (
            "broken_tasks",
            "import numpi_\n",
            r"No module named 'numpi_' \(.*broken_tasks.py, line 1\)",
        ),
        ("broken_tasks2", "x = \n", r"SyntaxError: invalid syntax \(.*broken_tasks2.py, line 1\)$"),
    ],
)
def test_a_module_that_cannot_be_imported_is_named(tmp_path, monkeypatch, module, text, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    importlib.invalidate_caches()
    if text is not None:
        (tmp_path / f"{module}.py").write_text(text)
    with pytest.raises(ValueError, match=f"--task_module {module}: .*{message}") as caught:
        helpers.get_args([*CPU, "--task_module", module])
    assert "\n" not in str(caught.value)


# --- Every robot that trains is judged ------------------------------------------------------------------------------

STL = b"made by a CAD program".ljust(80) + (4).to_bytes(4, "little")


def stl():
    record = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attributes", "<u2")])
    facets = np.zeros(4, dtype=record)
    points = 0.02 * np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    facets["corners"] = points[[[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]]]
    return STL + facets.tobytes()


def meshes_of_another_machine(text, folder):
    """package:// with %20, an STL that goes on, a visual that is not there, GB 2312."""
    (folder / "meshes").mkdir()
    (folder / "meshes/foot 1.STL").write_bytes(stl() + b"\0\0")
    text = text.replace('<sphere radius="0.02"/>', '<mesh filename="package://cricket/Meshes/foot%201.stl" scale="1"/>')
    visual = '<visual><geometry><mesh filename="package://cricket/nothing.dae"/></geometry></visual></link>'
    text = text.replace("</link>", visual, 1).replace(
        '<?xml version="1.0"?>', '<?xml version="1.0" encoding="gb2312"?>'
    )
    return text.replace("<robot ", "<!-- 机器狗 --><robot ").encode("gb2312")


def numbers_of_a_cad_program(text, folder):
    """Inertias that no body has, limits of 0 for effort and speed, a joint with equal limits, a document type."""
    text = text.replace('ixx="0.001" ixy="0" ixz="0" iyy="0.001"', 'ixx="0.1" ixy="0" ixz="0" iyy="-0.001"')
    text = text.replace('effort="20" velocity="20"', 'effort="0" velocity="0"').replace("?>", "?>\n<!DOCTYPE robot>", 1)
    lid = (
        '<link name="lid"><inertial><mass value="0.1"/><inertia ixx="0" iyy="0" izz="0"/></inertial></link>'
        '<joint name="lid_joint" type="revolute"><parent link="base"/><child link="lid"/>'
        '<limit lower="0" upper="0" effort="0" velocity="0"/></joint></robot>'
    )
    return text.replace("</robot>", lid).encode()


def a_world_and_no_limits(text, folder):
    """A link `world` with a floating joint, continuous joints, links without inertia, empty visuals."""
    world = (
        '<link name="world"/><joint name="base_free" type="floating"><parent link="world"/><child link="base"/></joint>'
        "</robot>"
    )
    text = text.replace('type="revolute"', 'type="continuous"').replace("</robot>", world)
    text = text.replace('<inertia ixx="1e-05" ixy="0" ixz="0" iyy="1e-05" iyz="0" izz="1e-05"/>', "")
    return ("\n\n  " + text.replace("</link>", "<visual/></link>", 2)).encode("utf-8-sig")


def flat_shapes(text, folder):
    """A sole of no thickness, a trunk with a disk of no length, a collision without geometry, backslashes."""
    (folder / "meshes").mkdir()
    (folder / "meshes/sole.obj").write_text("v -.02 -.02 0\nv .02 -.02 0\nv .02 .02 0\nv -.02 .02 0\n")
    text = text.replace('<sphere radius="0.02"/>', r'<mesh filename="meshes\sole.obj"/>')
    disk = '<collision><geometry><cylinder radius="0.05" length="0"/></geometry></collision><collision/></link>'
    return text.replace("</link>", disk, 1).encode()


@pytest.mark.slow
@pytest.mark.parametrize(
    "broken", [meshes_of_another_machine, numbers_of_a_cad_program, a_world_and_no_limits, flat_shapes]
)
def test_a_robot_of_a_vendor_trains_and_walks_on_into_c_mujoco(make, tmp_path, broken):
    source = tmp_path / "cricket.urdf"
    source.write_bytes(broken(CRICKET.read_text(), tmp_path))
    name = f"vendor_{broken.__name__}"
    make(name, source)
    args = helpers.get_args(
        [*CPU, "--task", f"{name}_flat", "--num_envs", "4", "--max_iterations", "1", "--run_name", "once", "--export"],
        extra=train.FLAGS,
    )
    train.train(args)
    (run_folder,) = Path(LEGGED_GYM_ROOT_DIR, "logs", f"flat_{name}").glob("*_once")
    policy = run_folder / "policy_1.onnx"
    flags = ["--policy", str(policy), "--urdf", str(source), "--terrain", "flat", "--trials", "1", "--seconds", "1.2"]
    summaries = sim2sim.sim2sim(sim2sim.get_args([*flags, "--headless"]))
    assert summaries["flat"]["trials"] == 1
