"""Habits of code that others wrote for Isaac Gym: each of these stopped some of it."""

from __future__ import annotations

import inspect
import math
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from isaacgym import gymapi, gymtorch, torch_utils
from isaacgym.gym_types import shortest
from isaacgym.viewer.renderer import Renderer
from tests.isaacgym.worlds import SHAPES, body_urdf

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
GYM = gymapi.acquire_gym()
TOL = 1e-6  # single precision


def imported(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> ModuleType:
    """TorchScript wants a file to read the source from."""
    (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(folder)
    return __import__(name)


# --- numbers ----------------------------------------------------------------------------------------------------------


def test_time_steps_are_of_single_precision():
    params = gymapi.SimParams()
    params.dt, params.physx.contact_offset = 0.005, torch.tensor(0.01)
    assert params.dt == 0.004999999888241291  # as public code quotes it
    assert math.ceil(0.02 / params.dt) == 5  # which such code counts on
    assert params.physx.contact_offset == float(np.float32(0.01))
    assert gymapi.SimParams().dt == float(np.float32(1.0 / 60.0)) != 1.0 / 60.0


@pytest.mark.parametrize("dt", [0.005, 0.0166, 1.0 / 64.0, 0.002, 0.00833])
def test_the_engine_steps_by_the_number_that_was_meant(dt):
    assert shortest(float(np.float32(dt))) == dt


def test_old_names_of_numpy_work_and_one_line_says_so():
    script = (
        "import isaacgym, numpy as np\n"
        "assert np.int is int and np.float is float and np.Inf == float('inf') and np.NaN != np.NaN\n"
        "assert np.zeros(2, dtype=np.bool).dtype == bool and np.float_ is np.float64 and np.product([2, 3]) == 6\n"
        "assert np.asscalar(np.array([7])) == 7 and np.trapz([1.0, 3.0]) == 2.0 and np.round_(2.6) == 3\n"
        "assert (np.msort([[2, 1], [1, 2]]) == [[1, 1], [2, 2]]).all() and np.asfarray([1]).dtype == float\n"
        "assert (np.mat([[1, 2]]) * np.mat([[3], [4]])).item() == 11\n"
        "try: np.no_such_name\n"
        "except AttributeError: pass\n"
        "else: raise SystemExit('a name that never was')"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert len(run.stdout.splitlines()) == 1 and "np.int" in run.stdout


# --- imports and TorchScript ------------------------------------------------------------------------------------------


def test_a_star_import_of_gymtorch_leaves_type_comments_alone(tmp_path, monkeypatch):
    text = (
        "import torch\nfrom isaacgym.gymtorch import *\n\n@torch.jit.script\ndef added(x):\n"
        "    # type: (Tensor) -> Tensor\n    return x + 1\nnumpy = np\nwrap = wrap_tensor"
    )
    module = imported(tmp_path, monkeypatch, "star_of_gymtorch", text)
    assert module.added(torch.ones(2)).tolist() == [2.0, 2.0]


def test_early_names_lead_to_torch_utils(tmp_path, monkeypatch):
    text = "from isaacgym.rlgpu.utils.torch_jit_utils import *\nmultiply, numpy = quat_mul, np"
    module = imported(tmp_path, monkeypatch, "star_of_rlgpu", text)
    assert module.multiply is torch_utils.quat_mul and module.numpy is np


ROWS = 5
QUAT = torch.nn.functional.normalize(torch.randn(ROWS, 4, generator=torch.Generator().manual_seed(1)), dim=1)
OTHER = torch.nn.functional.normalize(torch.randn(ROWS, 4, generator=torch.Generator().manual_seed(2)), dim=1)
VECTOR, POINT = torch.arange(15.0).view(ROWS, 3), torch.linspace(-1.0, 1.0, 15).view(ROWS, 3)
ANGLE = torch.linspace(-3.0, 3.0, ROWS)
ARGUMENTS = {
    "normalize": (VECTOR,),
    "tensor_clamp": (VECTOR, POINT, POINT + 1.0),
    "scale": (POINT, VECTOR - 1.0, VECTOR + 2.0),
    "unscale": (POINT, VECTOR - 1.0, VECTOR + 2.0),
    "normalize_angle": (3.0 * ANGLE,),
    "copysign": (2.0, ANGLE),
    "quat_mul": (QUAT, OTHER),
    "quat_conjugate": (QUAT,),
    "quat_unit": (3.0 * QUAT,),
    "quat_apply": (QUAT, VECTOR),
    "quat_rotate": (QUAT, VECTOR),
    "quat_rotate_inverse": (QUAT, VECTOR),
    "quat_from_angle_axis": (ANGLE, VECTOR),
    "quat_from_euler_xyz": (ANGLE, 0.5 * ANGLE, -ANGLE),
    "get_euler_xyz": (QUAT,),
    "get_basis_vector": (QUAT, VECTOR),
    "quat_axis": (QUAT, 1),
    "quat_diff_rad": (QUAT, OTHER),
    "scale_transform": (POINT, VECTOR - 1.0, VECTOR + 2.0),
    "unscale_transform": (POINT, VECTOR - 1.0, VECTOR + 2.0),
    "saturate": (VECTOR, POINT, POINT + 1.0),
    "compute_heading_and_up": (QUAT, OTHER, POINT, VECTOR, POINT, 2),
    "compute_rot": (QUAT, VECTOR, POINT, POINT, VECTOR),
    "tf_inverse": (QUAT, VECTOR),
    "tf_apply": (QUAT, VECTOR, POINT),
    "tf_vector": (QUAT, POINT),
    "tf_combine": (QUAT, VECTOR, OTHER, POINT),
    "torch_rand_float": (-2.0, 3.0, (ROWS, 2), "cpu"),
    "torch_random_dir_2": ((ROWS, 1), "cpu"),
}
OF_PYTHON = {"to_torch", "get_axis_params"}  # make tensors and lists of any data


def test_every_helper_is_among_those_below():
    public = {name for name, value in vars(torch_utils).items() if inspect.isfunction(value) and name[0] != "_"}
    own = {name for name in public if getattr(torch_utils, name).__module__ == torch_utils.__name__}
    assert own == ARGUMENTS.keys() | OF_PYTHON


@pytest.mark.parametrize("name", ARGUMENTS)
def test_torchscript_compiles_the_helper_to_the_same(name):
    helper, arguments = getattr(torch_utils, name), ARGUMENTS[name]
    torch.manual_seed(3)
    expected = helper(*arguments)
    torch.manual_seed(3)
    torch.testing.assert_close(torch.jit.script(helper)(*arguments), expected, rtol=TOL, atol=TOL)


def test_scripted_code_of_others_calls_the_helpers(tmp_path, monkeypatch):
    text = (
        "import torch\nfrom isaacgym.torch_utils import quat_mul, quat_conjugate, torch_rand_float\n\n"
        "@torch.jit.script\ndef difference(a, b):\n    return quat_mul(a, quat_conjugate(b))\n\n"
        "@torch.jit.script\ndef noise(n: int):\n    return torch_rand_float(1.0, 2.0, (n, 3), 'cpu')\n"
    )
    module = imported(tmp_path, monkeypatch, "scripted", text)
    torch.testing.assert_close(module.difference(QUAT, QUAT), torch.tensor([[0.0, 0.0, 0.0, 1.0]] * ROWS))
    assert module.noise(4).shape == (4, 3) and module.noise(4).min() >= 1.0


# --- setting up -------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(torch.cuda.is_available(), reason="the simulation is on the CUDA device")
def test_a_hard_coded_gpu_pipeline_falls_back_to_the_cpu_with_one_line(capsys):
    params = gymapi.SimParams(use_gpu_pipeline=True)
    sim = GYM.create_sim(0, -1, gymapi.SIM_PHYSX, params)
    assert sim.device == "cpu" and not GYM.get_sim_params(sim).use_gpu_pipeline
    assert len(capsys.readouterr().out.splitlines()) == 1


def new_sim(engine: str = "auto", dt: float = 0.005, gravity: float = -9.81) -> gymapi.Simulation:
    params = gymapi.SimParams(dt=dt, substeps=1, up_axis=1, gravity=(0.0, 0.0, gravity), engine=engine)
    return GYM.create_sim(0, -1, gymapi.SIM_PHYSX, params)


def load(sim: gymapi.Simulation, path: Path, **options) -> gymapi.Asset:
    return GYM.load_asset(sim, str(path.parent), path.name, gymapi.AssetOptions(**options))


def place(sim: gymapi.Simulation, asset: gymapi.Asset, *position: float) -> gymapi.Env:
    """An env with one actor."""
    env = GYM.create_env(sim, gymapi.Vec3(), gymapi.Vec3(), 1)
    GYM.create_actor(env, asset, gymapi.Transform(gymapi.Vec3(*position)), "body", env.index, 1)
    return env


def roots(sim: gymapi.Simulation) -> torch.Tensor:
    tensor = gymtorch.wrap_tensor(GYM.acquire_actor_root_state_tensor(sim))
    GYM.refresh_actor_root_state_tensor(sim)
    return tensor


def slab(sim: gymapi.Simulation, low: float, high: float, height: float) -> None:
    """A horizontal square between two coordinates, the same along x and y, as a triangle mesh."""
    corners = [(low, low, height), (high, low, height), (high, high, height), (low, high, height)]
    params = gymapi.TriangleMeshParams(nb_vertices=4, nb_triangles=2)
    GYM.add_triangle_mesh(sim, np.array(corners, np.float32).ravel(), np.array([0, 1, 2, 0, 2, 3], np.uint32), params)


@pytest.mark.parametrize("engine", ["tree", "mujoco"])
def test_bodies_stand_on_a_plane_and_on_several_meshes(tmp_path, engine):
    sim = new_sim(engine)
    GYM.add_ground(sim, gymapi.PlaneParams(normal=gymapi.Vec3(0, 0, 1)))
    slab(sim, 1.0, 2.0, 0.3)
    slab(sim, 3.0, 4.0, 0.7)
    asset = load(sim, body_urdf(tmp_path, [f"<geometry>{SHAPES['sphere'][0]}</geometry>"]))
    for at in (0.0, 1.5, 3.5):
        place(sim, asset, at, at, 0.85)
    GYM.prepare_sim(sim)
    for _ in range(300):
        GYM.simulate(sim)
    assert roots(sim)[:, 2].tolist() == pytest.approx([0.1, 0.4, 0.8], abs=2e-3)  # the radius above each; soft contacts
    forces = gymtorch.wrap_tensor(GYM.acquire_net_contact_force_tensor(sim))
    GYM.refresh_net_contact_force_tensor(sim)
    assert forces[:, 2].tolist() == pytest.approx([2.0 * 9.81] * 3, rel=0.01)


def test_pictures_show_a_plane_and_several_meshes(tmp_path):
    sim = new_sim()
    slab(sim, 1.0, 2.0, 0.3)
    GYM.add_ground(sim, gymapi.PlaneParams(normal=gymapi.Vec3(0, 0, 1)))
    slab(sim, 3.0, 4.0, 0.7)
    place(sim, load(sim, body_urdf(tmp_path, [f"<geometry>{SHAPES['sphere'][0]}</geometry>"])), 0.0, 0.0, 1.0)
    GYM.prepare_sim(sim)
    starts = np.array([[0.0, 0.5, 2.0], [1.5, 1.5, 2.0], [3.5, 3.5, 2.0]])
    distances = Renderer(sim).ground_distances(starts, np.array([[0.0, 0.0, -1.0]] * 3))
    assert distances.tolist() == pytest.approx([2.0, 1.7, 1.3], abs=1e-4)


@pytest.mark.parametrize("engine", ["tree", "mujoco"])
def test_without_any_ground_bodies_fall_and_prepare_sim_is_not_needed(tmp_path, engine):
    sim = new_sim(engine, dt=0.01)
    place(sim, load(sim, body_urdf(tmp_path, [f"<geometry>{SHAPES['box'][0]}</geometry>"], com="0 0 0")), 0.0, 0.0, 1.0)
    for _ in range(100):
        GYM.simulate(sim)
    # symplectic Euler: v = -g n dt, z = z0 - g dt² n (n + 1) / 2
    assert roots(sim)[0, 2].item() == pytest.approx(1.0 - 9.81 * 1e-4 * 100 * 101 / 2, abs=1e-3)
    assert roots(sim)[0, 9].item() == pytest.approx(-9.81, rel=1e-4)


def test_ground_after_prepare_sim_is_refused(tmp_path):
    sim = new_sim()
    place(sim, load(sim, body_urdf(tmp_path, [])), 0.0, 0.0, 1.0)
    GYM.prepare_sim(sim)
    with pytest.raises(RuntimeError, match="after prepare_sim"):
        GYM.add_ground(sim, gymapi.PlaneParams())


# --- robot files ------------------------------------------------------------------------------------------------------

WITH_FRAME = (
    '<robot name="r"><link name="base"><inertial><mass value="2"/><inertia ixx=".1" iyy=".1" izz=".1"/></inertial>'
    '<collision><geometry><box size=".2 .2 .2"/></geometry></collision></link><link name="imu"/>'
    '<joint name="j" type="fixed"><parent link="base"/><child link="imu"/></joint></robot>'
)


def test_a_frame_without_mass_stays_one_when_masses_are_set(tmp_path):
    (tmp_path / "robot.urdf").write_text(WITH_FRAME)
    sim = new_sim()
    env = place(sim, load(sim, tmp_path / "robot.urdf"), 0.0, 0.0, 1.0)
    properties = GYM.get_actor_rigid_body_properties(env, 0)
    properties[0].mass += 1.0
    GYM.set_actor_rigid_body_properties(env, 0, properties, recomputeInertia=True)
    inertia = env.actors[0].inertia
    assert inertia[0, 0, 0] == pytest.approx(0.15) and not inertia[1].any()  # 1.5 times the mass of the same shape
    GYM.simulate(sim)
    assert roots(sim).isfinite().all()
    properties[0].mass = 0.0
    with pytest.raises(ValueError, match="body 'base' of actor 'body' got the mass 0.0; it must be positive"):
        GYM.set_actor_rigid_body_properties(env, 0, properties)
