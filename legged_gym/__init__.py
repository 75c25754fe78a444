"""Environments, terrain, task registry and scripts for training legged robots."""

from pathlib import Path

LEGGED_GYM_ROOT_DIR = str(Path(__file__).resolve().parents[1])
LEGGED_GYM_ENVS_DIR = str(Path(__file__).resolve().parent / "envs")
