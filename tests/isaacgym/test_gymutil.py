import sys

import numpy as np
import pytest

from isaacgym import gymutil
from isaacgym.gym_types import SIM_FLEX, SIM_PHYSX, Quat, SimParams, Transform, Vec3

TOL = 1e-6  # float32 vertices


def parse(monkeypatch, *argv, **kwargs):
    monkeypatch.setattr(sys, "argv", ["test", *argv])
    return gymutil.parse_arguments(**kwargs)


@pytest.mark.parametrize(("text", "expected"), [("cpu", ("cpu", 0)), ("cuda", ("cuda", 0)), ("cuda:3", ("cuda", 3))])
def test_device_strings(text, expected):
    assert gymutil.parse_device_str(text) == expected


@pytest.mark.parametrize("text", ["gpu", "cuda:", "cuda:x", "cpu:0", ""])
def test_other_device_strings_are_refused(text):
    with pytest.raises(ValueError, match="use cpu, cuda or cuda:N"):
        gymutil.parse_device_str(text)


def test_argument_defaults(monkeypatch):
    args = parse(monkeypatch)
    assert (args.sim_device, args.pipeline, args.graphics_device_id) == ("cuda:0", "gpu", 0)
    assert (args.num_threads, args.subscenes, args.slices) == (0, 0, 0)
    assert (args.sim_device_type, args.compute_device_id) == ("cuda", 0)
    assert (args.use_gpu_pipeline, args.use_gpu, args.physics_engine) == (True, True, SIM_PHYSX)
    assert not hasattr(args, "headless") and not hasattr(args, "nographics")


def test_cpu_simulation_falls_back_to_the_cpu_pipeline(monkeypatch, capsys):
    args = parse(monkeypatch, "--sim_device", "cpu")
    assert (args.use_gpu_pipeline, args.use_gpu, args.sim_device_type) == (False, False, "cpu")
    assert "CPU pipeline" in capsys.readouterr().out


def test_flex_runs_on_a_gpu(monkeypatch):
    args = parse(monkeypatch, "--sim_device", "cpu", "--flex", "--pipeline", "CUDA")
    assert (args.physics_engine, args.sim_device, args.use_gpu) == (SIM_FLEX, "cuda:0", True)


def test_engines_exclude_each_other(monkeypatch):
    with pytest.raises(SystemExit):
        parse(monkeypatch, "--flex", "--physx")


def test_no_graphics_implies_headless(monkeypatch):
    assert parse(monkeypatch, "--nographics", headless=True, no_graphics=True).headless
    assert parse(monkeypatch, "--nographics", no_graphics=True).headless


def test_slices_default_to_subscenes(monkeypatch):
    assert parse(monkeypatch, "--subscenes", "4").slices == 4
    assert parse(monkeypatch, "--subscenes", "4", "--slices", "2").slices == 2


def test_custom_parameters(monkeypatch, capsys):
    custom = [
        {"name": "--task", "type": str, "default": "aliengo", "help": "task"},
        {"name": "--num_envs", "type": int, "help": "number"},
        {"name": "--headless", "action": "store_true", "default": True, "help": "no window"},
        {"type": int, "help": "nameless"},
        {"name": "--vague", "help": "neither type nor action"},
    ]
    args = parse(monkeypatch, "--num_envs", "64", custom_parameters=custom)
    assert (args.task, args.num_envs) == ("aliengo", 64)
    assert args.headless is False  # the default beside an action is ignored
    assert not hasattr(args, "vague")
    assert capsys.readouterr().out.count("ERROR") == 2


class PhysXConfig:
    num_threads = 10
    contact_collection = 1
    _private = 3


@pytest.mark.parametrize("as_class", [False, True])
def test_sim_config_from_dict_or_class(as_class):
    physx = PhysXConfig if as_class else dict(vars(PhysXConfig))
    config = {"dt": 0.005, "substeps": 1, "gravity": [0.0, 0.0, -9.81], "up_axis": 1, "physx": physx}
    config |= {"use_gpu_pipeline": True, "unknown": 5, "_private": 1}
    if as_class:
        config = type("sim", (), config)
    params = SimParams()
    gymutil.parse_sim_config(config, params)
    assert (params.dt, params.substeps, params.gravity, params.up_axis) == (np.float32(0.005), 1, Vec3(0, 0, -9.81), 1)
    assert (params.physx.num_threads, params.physx.contact_collection, params.use_gpu_pipeline) == (10, 1, True)
    assert params.physx.solver_type == 1  # untouched


# --- Drawing --------------------------------------------------------------------------------------------------------


class Recorder:
    """Stands in for the gym: keeps what add_lines got."""

    def add_lines(self, viewer, env, count, vertices, colors):
        assert vertices.dtype == Vec3.dtype and colors.dtype == Vec3.dtype
        self.ends = vertices.view(np.float32).reshape(count, 2, 3)
        self.colors = colors.view(np.float32).reshape(count, 3)


def drawn(geometry, pose=None):
    gym = Recorder()
    gymutil.draw_lines(geometry, gym, None, None, pose)
    return gym


def test_sphere_vertices_lie_on_the_sphere_at_its_pose():
    gym = drawn(gymutil.WireframeSphereGeometry(0.3, 4, 5, None, color=(1, 1, 0)), Transform(Vec3(1, 2, 3), None))
    np.testing.assert_allclose(np.linalg.norm(gym.ends - [1, 2, 3], axis=-1), 0.3, atol=TOL)
    assert len(gym.ends) == 3 * 5 + 4 * 5  # 3 parallels of 5 segments, 5 meridians of 4
    np.testing.assert_array_equal(gym.colors, np.tile([1, 1, 0], (35, 1)))


def test_box_has_twelve_edges_of_its_side_lengths():
    gym = drawn(gymutil.WireframeBoxGeometry(2, 3, 5))
    edges = gym.ends[:, 1] - gym.ends[:, 0]
    assert sorted(np.abs(edges).sum(axis=1)) == [2] * 4 + [3] * 4 + [5] * 4
    np.testing.assert_allclose(np.abs(gym.ends).reshape(-1, 3), np.tile([1, 1.5, 2.5], (24, 1)))


def test_a_box_between_two_corners_turns_with_its_pose():
    turn = Transform(Vec3(10, 0, 0), Quat.from_axis_angle(Vec3(0, 0, 1), np.pi / 2))
    gym = drawn(gymutil.WireframeBBoxGeometry([Vec3(1, 2, 3), (2, 4, 6)], turn, (0, 0, 1)))
    corners = gym.ends.reshape(-1, 3)
    np.testing.assert_allclose(corners.min(axis=0), [10 - 4, 1, 3], atol=1e-5)
    np.testing.assert_allclose(corners.max(axis=0), [10 - 2, 2, 6], atol=1e-5)
    assert len(gym.ends) == 12


def test_axes_turn_with_the_geometrys_own_pose():
    pose = Transform(Vec3(), Quat.from_axis_angle(Vec3(0, 0, 1), np.pi / 2))
    gym = drawn(gymutil.AxesGeometry(2.0, pose))
    np.testing.assert_allclose(gym.ends[:, 1], [[0, 2, 0], [-2, 0, 0], [0, 0, 2]], atol=TOL)
    np.testing.assert_array_equal(gym.colors, np.eye(3))


def test_one_line():
    gym = Recorder()
    gymutil.draw_line(Vec3(1, 2, 3), Vec3(4, 5, 6), Vec3(1, 0, 0.5), gym, None, None)
    np.testing.assert_array_equal(gym.ends, [[[1, 2, 3], [4, 5, 6]]])
    np.testing.assert_array_equal(gym.colors, [[1, 0, 0.5]])
