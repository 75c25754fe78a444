"""Environments, terrain, task registry and scripts for training legged robots."""

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
# A wheel carries resources/ inside this package (see setup.py); in a checkout they lie beside it.
INSTALLED = (_PACKAGE / "resources").is_dir()
LEGGED_GYM_ROOT_DIR = str(_PACKAGE if INSTALLED else _PACKAGE.parent)  # of resources/
LEGGED_GYM_ENVS_DIR = str(_PACKAGE / "envs")
# Of runs: a checkout's own, or, since site-packages is no place for them, the folder where the program was started.
LEGGED_GYM_LOGS_DIR = str((Path.cwd() if INSTALLED else _PACKAGE.parent) / "logs")

# GNU OpenMP's threads spin for milliseconds after each of torch's operations, which takes the cores from the simulation
# and from other programs: two trainings on two cores took ten times as long as one. Takes effect if torch comes later.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
