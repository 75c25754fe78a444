"""What torch.compile makes of a training step."""

import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch

from rsl_rl.runners import HIMOnPolicyRunner
from rsl_rl.utils.recorded import Recorded


@pytest.mark.parametrize("policy", ["ActorCritic", "HIMActorCritic"])
def test_what_torch_compile_makes_of_training_is_the_training(policy: str) -> None:
    # in a process of its own, since torch.compile cannot read functions that a coverage tool has changed
    program = [sys.executable, str(Path(__file__).with_name("traced_update.py")), policy]
    result = subprocess.run(program, capture_output=True, text=True, check=False, timeout=300)
    assert result.returncode == 0, result.stderr


def test_a_learner_on_a_cpu_fuses_nothing(make_env: Any, him_cfg: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with --sim_device cuda:0 --rl_device cpu, where the robots' step is fused."""
    monkeypatch.setattr(Recorded, "fuses", True)
    compile_function = Mock()
    monkeypatch.setattr(torch, "compile", compile_function)
    HIMOnPolicyRunner(make_env(16), him_cfg).learn(1)
    assert not compile_function.called
