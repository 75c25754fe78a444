"""What `benchmark.py` compares with, and its command line."""

import argparse
import json
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest
from small_envs import build, small_cfg

from legged_gym.evaluation.yardsticks import native_height_field, on_height_field
from legged_gym.scripts import benchmark
from legged_gym.utils.helpers import get_args

TOLERANCE = 2e-3  # [m] MuJoCo keeps heights as float32 shares of their span


@pytest.fixture(scope="module")
def env() -> Any:
    return build(small_cfg("aliengo"), "aliengo")


def test_the_native_height_field_lies_where_the_terrain_does(env: Any) -> None:
    """Rays from above meet the samples between which they pass, on both diagonals of a cell."""
    model = on_height_field(env)
    data = mujoco.MjData(model)
    data.qpos[2] = 50.0  # out of the way
    mujoco.mj_forward(model, data)
    cfg, samples = env.cfg.terrain, env.terrain.height_field_raw * env.cfg.terrain.vertical_scale
    rng = np.random.default_rng(0)
    for i, j in zip(rng.integers(0, samples.shape[0] - 1, 50), rng.integers(0, samples.shape[1] - 1, 50), strict=True):
        x, y = (np.array([i, j]) + 1e-4) * cfg.horizontal_scale - cfg.border_size
        distance = mujoco.mj_ray(model, data, [x, y, 20.0], [0.0, 0.0, -1.0], None, 1, 1, np.zeros(1, dtype=np.int32))
        assert 20.0 - distance == pytest.approx(samples[i, j], abs=TOLERANCE)


def test_the_native_height_field_starts_from_the_robots_as_they_are(env: Any) -> None:
    yardstick = native_height_field(env)
    before = env.sim.engine.qpos.clone()
    yardstick.reset()
    yardstick.step()
    assert (env.sim.engine.qpos == before).all()  # it has memory of its own


def flags(*argv: str) -> argparse.Namespace:
    argv = ("--task", "aliengo_flat", "--headless", "--sim_device", "cpu", "--num_envs", "4", "--repeats", "1", *argv)
    return get_args(list(argv), benchmark.FLAGS)


def test_rates_are_robots_and_steps_per_time(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = tmp_path / "speed.json"
    rows = benchmark.benchmark(flags("--json", str(path)))
    assert rows.items() <= json.loads(path.read_text()).items()
    assert rows["training_steps_per_s"] * rows["iteration_s"] == pytest.approx(4 * 48)
    assert rows["simulation_steps_per_s"] * rows["simulation_s"] == pytest.approx(4)
    assert rows["env_steps_per_s"] * rows["env_step_s"] == pytest.approx(4)
    assert f"{rows['update_s']:.3f} s" in capsys.readouterr().out


def test_a_file_that_cannot_be_written_is_named_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / "missing" / "speed.json"
    with pytest.raises(SystemExit):
        benchmark.benchmark(flags("--json", str(path)))
    assert capsys.readouterr().err == f"error: cannot write --json {path}: No such file or directory\n"


def test_scale_is_taken_out_of_the_command_line() -> None:
    argv = ["--task", "aliengo", "--scale", "256", "1024", "--repeats", "3"]
    assert benchmark.without_scale(argv) == ["--task", "aliengo", "--repeats", "3"]
