"""Installs isaacgym (simulator), legged_gym (environments) and rsl_rl (learner) in one go."""

from pathlib import Path

from setuptools import find_packages, setup

# MuJoCo and MuJoCo Warp are released together; 4.0.0 has a sparse-Newton bug, 3.17.0 has not.
MUJOCO = "3.17.0"
# isaacgym/viewer/page.py reaches into the server to refuse other sites' connections.
VIEWER = ["viser>=1.1.1,<1.2"]
# What the robot's side needs; legged_gym/deploy/pyproject.toml installs it alone, without torch and Warp.
DEPLOY = ["onnxruntime", "cyclonedds>=0.10.2"]
VIDEO = ["imageio[ffmpeg]>=2.28", "trimesh"]

setup(
    name="himloco",
    version="0.1.0",
    description="Train blind quadrupeds to climb stairs: HIMLoco on an open, pip-installable Isaac Gym API",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="BSD-3-Clause",
    packages=find_packages(include=["isaacgym*", "legged_gym*", "rsl_rl*"]),
    package_data={"isaacgym.engine.tree": ["tree.md"]},
    python_requires=">=3.11",
    install_requires=[
        f"mujoco=={MUJOCO}",
        f"mujoco-warp=={MUJOCO}",
        "warp-lang>=1.19,<1.20",
        "torch>=2.8,<2.14",
        "numpy>=2",
        "scipy",
        "tensorboard",
        "matplotlib",
    ],
    extras_require={
        "deploy": DEPLOY,
        "export": ["onnx", "onnxruntime"],
        "test": [
            *("pytest", "hypothesis", "slipcover", "ruff", "mypy==2.4.1", "playwright", "onnx", "pyyaml"),
            *DEPLOY,
            *VIEWER,
            *VIDEO,
        ],
        "video": VIDEO,
        "viewer": VIEWER,
    },
)
