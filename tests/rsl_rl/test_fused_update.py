"""What torch.compile makes of a training step."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("policy", ["ActorCritic", "HIMActorCritic"])
def test_what_torch_compile_makes_of_training_is_the_training(policy: str) -> None:
    # in a process of its own, since torch.compile cannot read functions that a coverage tool has changed
    program = [sys.executable, str(Path(__file__).with_name("traced_update.py")), policy]
    result = subprocess.run(program, capture_output=True, text=True, check=False, timeout=300)
    assert result.returncode == 0, result.stderr
