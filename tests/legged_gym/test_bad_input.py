"""Generated nonsense: robots, terrains, command lines and configs. Each is either usable or refused in one sentence."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from isaacgym import gymapi
from isaacgym.assets.description import RobotDescription
from isaacgym.assets.mjcf import load_mjcf
from isaacgym.assets.urdf import load_urdf
from legged_gym.envs import task_registry
from legged_gym.runs.record import with_recorded_flags
from legged_gym.scripts import train
from legged_gym.utils.config_checks import check_config
from legged_gym.utils.helpers import class_to_dict, get_args, update_cfg_from_args, update_class_from_dict

MAX_MESSAGE = 2000  # characters; a sentence that names a robot's bodies is long, a dump of the input longer
FUZZ = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,  # the same inputs everywhere and every time
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def check_sentence(error: BaseException) -> None:
    message = str(error)
    assert message and "\n" not in message and len(message) < MAX_MESSAGE, message


def is_refused(check: Callable[[], None], capsys: pytest.CaptureFixture[str]) -> bool:
    """Whether a check of a command line refuses it, which must take a sentence."""
    try:
        check()
    except ValueError as error:
        check_sentence(error)
    except SystemExit as stop:  # argparse has said what is wrong
        assert stop.code == 2
        assert "error: " in capsys.readouterr().err.splitlines()[-1]
    else:
        return False
    return True


# --- Robots ----------------------------------------------------------------------------------------------------------

URDF = """<?xml version="1.0"?>
<robot name="r">
  <link name="base"><inertial><origin xyz="0 0 0.1" rpy="0 0 0"/><mass value="7"/>
    <inertia ixx="0.1" ixy="0" ixz="0" iyy="0.2" iyz="0" izz="0.3"/></inertial>
    <collision><geometry><box size="0.3 0.2 0.1"/></geometry></collision></link>
  <link name="leg"><inertial><mass value="1"/><inertia ixx="0.01" iyy="0.01" izz="0.01"/></inertial>
    <collision><origin xyz="0 0 -0.1"/><geometry><sphere radius="0.02"/></geometry></collision></link>
  <link name="foot"><inertial><mass value="0.1"/><inertia ixx="1e-4" iyy="1e-4" izz="1e-4"/></inertial></link>
  <joint name="knee" type="revolute"><parent link="base"/><child link="leg"/><axis xyz="0 1 0"/>
    <limit lower="-1" upper="1" effort="30" velocity="20"/></joint>
  <joint name="sole" type="fixed"><parent link="leg"/><child link="foot"/></joint>
</robot>
"""
MJCF = """<mujoco model="r">
  <compiler angle="degree"/>
  <worldbody>
    <body name="base" pos="0 0 1">
      <geom type="box" size=".15 .1 .05" mass="7"/>
      <body name="leg" pos="0 .1 0" euler="10 0 0">
        <inertial pos="0 0 -.1" mass="1" diaginertia=".01 .01 .02"/>
        <joint name="knee" type="hinge" axis="0 1 0" range="-60 60" damping="0.1" armature="0.01"/>
        <joint name="foot" type="slide" axis="0 0 1" range="-.1 .1" pos="0 0 .02"/>
        <geom type="sphere" size=".02" pos="0 0 -.1"/>
      </body>
    </body>
  </worldbody>
</mujoco>
"""
ENTITY_BOMB = '<!DOCTYPE r [<!ENTITY a "aa">' + "".join(
    f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefghi", "bcdefghij", strict=True)
)
FILE_ENTITY = '<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/hostname">]>'


def replaced(text: str, span: tuple[int, int], value: str) -> str:
    return text[: span[0]] + value + text[span[1] :]


bad_numbers = st.sampled_from(["nan", "inf", "-inf", "1e400", "", "x", "-1", "0", "1e30", "1e-30", "1 2 3 4", "0x10"])


def damaged(text: str, names: str, elements: str) -> st.SearchStrategy[str]:
    """A robot's file cut off, with absurd numbers, with confused names, without an element, or any bytes at all.

    names, elements: alternatives of a regular expression.
    """
    numbers = [match.span() for match in re.finditer(r'(?<=["\s])-?[\d.][\d.e-]*(?=["\s])', text)]
    named = [match.span() for match in re.finditer(rf"\b({names})\b", text)]
    removable = [match.span() for match in re.finditer(rf"<({elements}) ?[^>]*/?>", text)]
    whole = st.just(text)
    return st.one_of(
        st.integers(0, len(text) - 2).map(lambda end: text[:end]),
        st.builds(replaced, whole, st.sampled_from(numbers), bad_numbers),
        st.builds(replaced, whole, st.sampled_from(named), st.sampled_from([*names.split("|"), "", "<"])),
        st.builds(replaced, whole, st.sampled_from(removable), st.just("")),
        st.binary(max_size=200).map(lambda content: content.decode("latin-1")),
    )


bad_urdfs = damaged(
    URDF, "base|leg|foot|knee|sole|revolute|fixed", "mass|inertia|geometry|parent|child|axis|limit|origin"
)
bad_mjcfs = damaged(MJCF, "base|leg|foot|knee|hinge|slide|box|sphere", "joint|geom|inertial|body|compiler")


def chain(num_links: int) -> str:
    links = "".join(f'<link name="l{i}"/>' for i in range(num_links))
    joints = "".join(
        f'<joint name="j{i}" type="fixed"><parent link="l{i}"/><child link="l{i + 1}"/></joint>'
        for i in range(num_links - 1)
    )
    return f'<robot name="c">{links}{joints}</robot>'


def check_robot(path: Path, load: Callable[[Path, gymapi.AssetOptions], RobotDescription]) -> None:
    try:
        robot = load(path, gymapi.AssetOptions())
    except (ValueError, FileNotFoundError) as error:
        check_sentence(error)
        assert str(path) in str(error)
        return
    for body in robot.bodies:
        assert 0.0 <= body.mass < np.inf
        assert np.isfinite([*body.com, *np.ravel(body.inertia), *body.pos, *body.quat]).all()


@FUZZ
@given(text=bad_mjcfs)
@example(text=ENTITY_BOMB + "]><mujoco>&j;</mujoco>")
@example(text=FILE_ENTITY + '<mujoco model="&e;"/>')
def test_mjcf_robots(text: str, tmp_path: Path) -> None:
    path = tmp_path / "robot.xml"
    path.write_text(text, encoding="latin-1")
    check_robot(path, load_mjcf)


@FUZZ
@given(text=bad_urdfs)
@example(text=ENTITY_BOMB + "]><robot>&j;</robot>")
@example(text=FILE_ENTITY + '<robot name="r"><link name="&e;"/></robot>')
@example(text=URDF.replace('<child link="leg"/>', '<child link="base"/>'))
@example(text=chain(3000))
@example(text="<a>" * 100_000)
@example(text='<robot name="r">' + "<x>" * 50_000 + "</x>" * 50_000 + "</robot>")
def test_robots(text: str, tmp_path: Path) -> None:
    path = tmp_path / "robot.urdf"
    path.write_text(text, encoding="latin-1")
    check_robot(path, load_urdf)


# --- Terrains --------------------------------------------------------------------------------------------------------

bad_heights = st.one_of(
    st.sampled_from([np.zeros(0), np.zeros((1, 1)), np.zeros((1, 5)), np.zeros((3, 4, 5)), np.array("text")]),
    st.sampled_from([np.nan, np.inf, -np.inf, 1e30]).map(lambda value: np.full((4, 5), value)),
    st.binary(min_size=1, max_size=64).map(lambda content: np.frombuffer(content, dtype=np.int8)),
)


@FUZZ
@given(
    heights=bad_heights,
    shape=st.tuples(st.integers(-2, 5), st.integers(-2, 5)),
    scale=st.sampled_from([0.1, 0.0, -1.0, float("nan"), float("inf"), 1e30]),
)
@example(heights=np.zeros((4, 5), dtype=np.int16), shape=(10**9, 10**9), scale=0.1)
@example(heights=np.zeros((4, 5), dtype=np.int16), shape=(2**31, 2**33), scale=0.1)
def test_height_fields(heights: np.ndarray, shape: tuple[int, int], scale: float) -> None:
    gym, params = gymapi.acquire_gym(), gymapi.HeightFieldParams()
    params.nbRows, params.nbColumns = shape
    params.row_scale = params.column_scale = scale
    sim = gym.create_sim(0, -1, gymapi.SIM_PHYSX, gymapi.SimParams())
    try:
        gym.add_heightfield(sim, heights, params)
    except ValueError as error:
        check_sentence(error)
        return
    assert np.isfinite(sim.terrain.vertices).all() and sim.terrain.scale > 0.0


@FUZZ
@given(
    vertices=st.lists(st.floats(width=32) | st.sampled_from([0.0, 1.0, 2.0]), max_size=18),
    triangles=st.lists(st.integers(-2, 7), max_size=12),
    announced=st.tuples(st.integers(0, 6), st.integers(0, 4)) | st.none(),
)
def test_meshes(vertices: list[float], triangles: list[int], announced: tuple[int, int] | None) -> None:
    gym, params = gymapi.acquire_gym(), gymapi.TriangleMeshParams()
    params.nb_vertices, params.nb_triangles = announced or (len(vertices) // 3, len(triangles) // 3)
    sim = gym.create_sim(0, -1, gymapi.SIM_PHYSX, gymapi.SimParams())
    try:
        gym.add_triangle_mesh(sim, np.array(vertices, dtype=np.float32), np.array(triangles, dtype=np.int64), params)
    except ValueError as error:
        check_sentence(error)
        return
    assert np.isfinite(sim.terrain.vertices).all()
    assert set(triangles) <= set(range(len(vertices) // 3))


# --- Command lines and configs ---------------------------------------------------------------------------------------

flags = st.sampled_from(
    ["--task", "--num_envs", "--seed", "--max_iterations", "--run_name", "--experiment_name", "--checkpoint", "--keep"]
    + [
        "--sim_device",
        "--rl_device",
        "--pipeline",
        "--engine",
        "--config",
        "--resume",
        "--export",
        "--figure_interval",
        "--num_threads",
        "--nonsense",
    ]
)
flag_values = st.sampled_from(
    [
        "",
        "0",
        "-1",
        "-7",
        "1.5",
        "nan",
        "1e9",
        "9" * 30,
        "cpu",
        "cuda",
        "cuda:77",
        "cuda:",
        "gpu",
        "tpu",
        "../..",
        "a/b",
    ]
    + ["/etc/passwd", "aliengo", "aliengo_fla", "--", "\N{GRINNING FACE}", "x" * 300]
)


@FUZZ
@given(
    argv=st.lists(st.tuples(flags, flag_values), min_size=1, max_size=4).map(
        lambda pairs: [w for p in pairs for w in p]
    )
)
def test_command_lines(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What they ask for is checked without building it."""

    def check() -> None:
        args = get_args(with_recorded_flags(argv), extra=train.FLAGS)
        for config in update_cfg_from_args(*task_registry.get_cfgs(args.task), args):
            check_config(config, strict=True)
        num_envs.append(args.num_envs or 1)

    num_envs: list[int] = []
    if not is_refused(check, capsys):
        assert 1 <= num_envs[0] <= 2**20


def all_keys(values: dict[str, Any], prefix: str = "") -> list[str]:
    keys = []
    for key, value in values.items():
        keys += [f"{prefix}{key}", *(all_keys(value, f"{prefix}{key}.") if isinstance(value, dict) else [])]
    return keys


KEYS = all_keys(class_to_dict(task_registry.get_cfgs("aliengo")[0]))
junk = st.one_of(
    st.sampled_from([None, True, -1, 0, 10**40, 1.5, float("nan"), float("inf"), "", "x", b"x", [], {}, [None], [[1]]]),
    st.lists(st.floats() | st.text(max_size=2), max_size=5),
    st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=2), max_size=2),
)


@FUZZ
@given(key=st.sampled_from(KEYS) | st.text(max_size=12), value=junk)
def test_configs(key: str, value: Any) -> None:
    config, _ = task_registry.get_cfgs("aliengo")
    values: Any = value
    for name in reversed(key.split(".")):
        values = {name: values}
    update_class_from_dict(config, values)
    try:
        check_config(config, strict=True)
    except ValueError as error:
        check_sentence(error)
