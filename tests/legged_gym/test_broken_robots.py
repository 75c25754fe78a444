"""Broken robots injected into the simulator: they are reset, counted and recorded, and reach nothing else."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from small_envs import NUM_ENVS, build, small_cfg

from legged_gym.runs.fault_recorder import NUM_STEPS, QUANTITIES, FaultRecorder, read_fault, show_fault
from rsl_rl.runners.checkpoint import write_checkpoint
from rsl_rl.runners.faults import dump_fault


def recorder_after(num_steps: int, breaks: dict[int, int]) -> FaultRecorder:
    """A recorder of 5 robots in which robot i has the value 100 i + step; breaks: step → robot."""
    recorder = FaultRecorder(dict.fromkeys(QUANTITIES, 1), num_envs=5, device="cpu")
    for step in range(num_steps):
        values = 100.0 * torch.arange(5)[:, None] + step
        mask = torch.arange(5) == breaks.get(step, -1)
        recorder.add(dict.fromkeys(QUANTITIES, values), mask)
    return recorder


def test_the_first_robot_that_breaks_is_set_aside_with_its_last_steps() -> None:
    recorder = recorder_after(150, breaks={123: 3, 130: 1})
    record = recorder.take()
    assert record.env_id == 3
    assert record.dof_vel[:, 0].tolist() == [300.0 + step for step in range(124 - NUM_STEPS, 124)]
    assert recorder.take() is None


def test_a_robot_that_breaks_early_has_few_steps() -> None:
    assert recorder_after(10, breaks={2: 4}).take().root_states[:, 0].tolist() == [400.0, 401.0, 402.0]


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e4])
@pytest.mark.parametrize("engine_state", ["qpos", "qvel", "_warmstart"])
def test_a_broken_robot_reaches_neither_learner_nor_the_others(flat_env: Any, engine_state: str, value: float) -> None:
    """Injected behind the API's back, into the numbers that a step starts from."""
    flat_env.reset()
    flat_env.take_fault_record()
    before = flat_env.fault_count.item()
    getattr(flat_env.sim.engine, engine_state)[2, 2] = value
    others = torch.arange(NUM_ENVS) != 2
    for _ in range(3):
        result = flat_env.step(torch.zeros(NUM_ENVS, 12))
        assert all(
            tensor.isfinite().all()
            for tensor in (result.obs, result.privileged_obs, result.rewards, result.termination_privileged_obs)
        )
        assert not flat_env.fault_mask[others].any()
    if engine_state != "_warmstart":  # the solver finds its way from any start
        assert flat_env.fault_count == before + 1
        assert flat_env.take_fault_record()["env_id"] == 2


def test_a_fault_is_counted_in_curves_of_its_own(flat_env: Any) -> None:
    flat_env.reset()
    flat_env.sim.engine.qvel[4, 0] = math.nan
    logs = [flat_env.step(torch.zeros(NUM_ENVS, 12)).extras["log"] for _ in range(2)]
    assert [log["Faults/broken_robots"].item() for log in logs] == [1, 0]


def test_contacts_without_room_are_told_in_the_step_that_drops_them(flat_env: Any) -> None:
    """A robot that counts as standing on 1000 feet more, for two steps; a restored state brings none of its own."""
    flat_env.reset()
    dropped, logs = flat_env.sim.engine.overflow_count(), []
    for number in (0, 1000, 1000, 0):
        dropped += number
        logs.append(flat_env.step(torch.zeros(NUM_ENVS, 12)).extras["log"])
    state = flat_env.get_state()
    dropped += 7
    flat_env.step(torch.zeros(NUM_ENVS, 12))
    flat_env.set_state(state)
    logs.append(flat_env.step(torch.zeros(NUM_ENVS, 12)).extras["log"])
    assert [log["Faults/overflows"].item() for log in logs] == [0, 1000, 1000, 0, 0]


def test_the_record_of_a_robot_is_saved_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    env = build(small_cfg("aliengo_flat"))
    for _ in range(3):
        env.step(torch.ones(NUM_ENVS, 12))
    height = env.root_states[1, 2].item()
    env.sim.engine.qvel[1, 9] = math.nan
    env.step(torch.zeros(NUM_ENVS, 12))
    dump_fault(str(tmp_path), 17, env.take_fault_record())
    record = read_fault(tmp_path / "fault_17.pt")
    assert record["env_id"] == 1 and len(record["dof_vel"]) == 4
    assert record["root_states"][-2, 2].item() == height
    assert record["dof_vel"][-1].isnan().any() and record["dof_vel"][:-1].isfinite().all()
    plot = show_fault(tmp_path / "fault_17.pt")
    assert plot.stat().st_size > 10_000
    assert "Robot 1, last 4 policy steps" in capsys.readouterr().out


def test_another_file_is_no_record(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "other.pt", {"env_id": 1})
    with pytest.raises(ValueError, match="other.pt is not the record of a broken robot"):
        read_fault(tmp_path / "other.pt")
