"""Small environments, shared by the tests of a session."""

from typing import Any

import pytest
from small_envs import build, small_cfg

from legged_gym.envs import task_registry


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
