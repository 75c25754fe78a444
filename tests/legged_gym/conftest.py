"""Small environments, shared by the tests of a session."""

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from small_envs import build, small_cfg

from legged_gym import LEGGED_GYM_ROOT_DIR
from legged_gym.envs import task_registry
from legged_gym.scripts.new_robot import get_args, new_robot
from legged_gym.utils.task_modules import import_tasks


@pytest.fixture(scope="session", params=sorted(task_registry.task_classes))
def any_env(request: pytest.FixtureRequest) -> Any:
    """One environment per registered task, shared: tests must not rely on its state."""
    return build(small_cfg(request.param), request.param)


@pytest.fixture(scope="session")
def flat_env() -> Any:
    """Aliengo on a plane, shared: tests must not rely on its state."""
    return build(small_cfg("aliengo_flat"))


@pytest.fixture(scope="session")
def rough_env() -> Any:
    """Aliengo on terrain, shared: tests must not rely on its state."""
    return build(small_cfg("aliengo"), "aliengo")


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Creates a package from a file, imports its tasks, and forgets them and their logs in the end."""
    before, made = set(task_registry.task_classes), []

    def make(name, source):
        out = new_robot(get_args([name, "--urdf", str(source), "--out", str(tmp_path / f"{name}_package")]))
        monkeypatch.syspath_prepend(str(out))
        import_tasks(f"{name}.tasks")
        made.append(name)
        return out

    yield make
    for table in (task_registry.task_classes, task_registry.env_cfgs, task_registry.train_cfgs):
        for task in set(table) - before:
            del table[task]
    for name in made:
        for module in [module for module in sys.modules if module.partition(".")[0] == name]:
            del sys.modules[module]
        for kind in ("flat", "rough"):
            shutil.rmtree(Path(LEGGED_GYM_ROOT_DIR, "logs", f"{kind}_{name}"), ignore_errors=True)
