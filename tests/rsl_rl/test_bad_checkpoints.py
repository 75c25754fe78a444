"""Generated files in place of checkpoints: each loads or is refused in one sentence, and none runs code."""

import contextlib
import copy
import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from point_mass import TRAIN_CFG, PointMassEnv

from rsl_rl.runners import HIMOnPolicyRunner
from rsl_rl.runners.checkpoint import read_data

FUZZ = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
KEYS = [
    *("model_state_dict", "optimizer_state_dict", "estimator_optimizer_state_dict", "iter", "infos"),
    *("completed_iterations", "learning_rate", "tot_timesteps", "tot_time"),
]


@pytest.fixture(scope="module")
def runner() -> HIMOnPolicyRunner:
    return HIMOnPolicyRunner(PointMassEnv(4), copy.deepcopy(TRAIN_CFG))


@pytest.fixture(scope="module")
def content(runner: HIMOnPolicyRunner, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("good") / "model_0.pt"
    runner.learn(1)
    runner.save(path)
    return path.read_bytes()


def load(runner: HIMOnPolicyRunner, path: Path, content: bytes) -> None:
    """Load a file; a refusal must be one sentence that names it."""
    path.write_bytes(content)
    try:
        runner.load(path)
    except ValueError as error:
        assert str(path) in str(error) and len(str(error)) < 2000
        assert "\n" not in str(error)


@FUZZ
@given(share=st.floats(0.0, 0.999))
def test_truncated(runner: HIMOnPolicyRunner, content: bytes, tmp_path: Path, share: float) -> None:
    path = tmp_path / "cut.pt"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="cut.pt is damaged or not a checkpoint"):
        runner.load(path)


@FUZZ
@given(share=st.floats(0.0, 0.999), garbage=st.binary(min_size=1, max_size=64))
def test_overwritten(runner: HIMOnPolicyRunner, content: bytes, tmp_path: Path, share: float, garbage: bytes) -> None:
    start = int(share * len(content))
    load(runner, tmp_path / "model.pt", content[:start] + garbage + content[start + len(garbage) :])


wrong_values = st.recursive(
    st.sampled_from([None, -1, 1.5, float("nan"), "text", b"bytes", torch.zeros(3), torch.zeros(0, dtype=torch.long)]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["state", "param_groups", "x"]), inner),
    max_leaves=4,
)


@FUZZ
@given(key=st.sampled_from(KEYS), value=wrong_values)
def test_a_part_of_another_kind(
    runner: HIMOnPolicyRunner, content: bytes, tmp_path: Path, key: str, value: Any
) -> None:
    checkpoint = torch.load(io.BytesIO(content), weights_only=True) | {key: value}
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    load(runner, tmp_path / "model.pt", buffer.getvalue())


@FUZZ
@given(value=wrong_values)
def test_another_kind_of_file(runner: HIMOnPolicyRunner, tmp_path: Path, value: Any) -> None:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    path = tmp_path / "other.pt"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(ValueError, match="other.pt is (damaged or )?not a checkpoint"):
        runner.load(path)


class Hostile:
    """Unpickling it with a naive loader writes a file."""

    def __init__(self, marker: Path, function: str) -> None:
        self.marker, self.function = marker, function

    def __reduce__(self) -> tuple[Any, ...]:
        if self.function == "open":
            return open, (str(self.marker), "w")
        return eval, (f"open({str(self.marker)!r}, 'w')",)


@pytest.mark.parametrize("function", ["open", "eval"])
@pytest.mark.parametrize("container", ["bare pickle", "torch file", "inside a checkpoint", "pickle in a zip"])
def test_hostile_files_run_nothing(
    runner: HIMOnPolicyRunner, content: bytes, tmp_path: Path, container: str, function: str
) -> None:
    hostile, buffer = Hostile(tmp_path / "marker", function), io.BytesIO()
    match container:
        case "bare pickle":
            pickle.dump(hostile, buffer)
        case "torch file":
            torch.save(hostile, buffer)
        case "inside a checkpoint":
            torch.save(torch.load(io.BytesIO(content), weights_only=True) | {"infos": hostile}, buffer)
        case _:
            with zipfile.ZipFile(buffer, "w") as archive:
                archive.writestr("archive/data.pkl", pickle.dumps(hostile))
                archive.writestr("archive/version", "3")
    path = tmp_path / "hostile.pt"
    path.write_bytes(buffer.getvalue())
    for read in (runner.load, lambda file: read_data(file, "cpu")):
        with pytest.raises(ValueError, match="hostile.pt is damaged or not a checkpoint"):
            read(path)
    assert not (tmp_path / "marker").exists()
    with contextlib.suppress(RuntimeError):  # from torch, after the pickle has run
        torch.load(path, weights_only=False)
    assert (tmp_path / "marker").exists()  # else the test proves nothing
