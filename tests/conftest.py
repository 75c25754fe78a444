"""What holds for all tests."""

import pytest
import torch

# Go2's programs keep time, and several ranks want the cores: where workers share the tests out, one has all of these.
BUSY = ("test_go2_programs", "test_go2_in_one_process", "test_several_gpus", "test_ranks")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip tests marked `gpu` where there is none; keep files together, for what each of them builds once."""
    for item in items:
        if item.get_closest_marker("gpu") and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))
        if config.getoption("dist", "no") == "loadgroup":
            item.add_marker(pytest.mark.xdist_group("busy" if item.path.stem in BUSY else item.path.stem))
