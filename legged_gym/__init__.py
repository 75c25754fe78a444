"""Environments, terrain, task registry and scripts for training legged robots."""

import os
from pathlib import Path

LEGGED_GYM_ROOT_DIR = str(Path(__file__).resolve().parents[1])
LEGGED_GYM_ENVS_DIR = str(Path(__file__).resolve().parent / "envs")

# GNU OpenMP's threads spin for milliseconds after each of torch's operations, which takes the cores from the simulation
# and from other programs: two trainings on two cores took ten times as long as one. Takes effect if torch comes later.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
