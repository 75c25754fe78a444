"""Installs isaacgym (simulator), legged_gym (environments) and rsl_rl (learner) in one go."""

from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

# MuJoCo and MuJoCo Warp are released together; 4.0.0 has a sparse-Newton bug, 3.17.0 has not.
MUJOCO = "3.17.0"
# isaacgym/viewer/page.py reaches into the server to refuse other sites' connections.
VIEWER = ["viser>=1.1.1,<1.2"]
# What the robot's side needs; legged_gym/deploy/pyproject.toml installs it alone, without torch and Warp.
DEPLOY = ["onnxruntime", "cyclonedds>=0.10.2"]
VIDEO = ["imageio[ffmpeg]>=2.28", "trimesh"]
# MkDocs 2 takes no plug-ins; mkdocstrings is the API reference, static-i18n the two languages.
DOCS = ["mkdocs<2", "mkdocs-material>=9.6,<10", "mkdocs-static-i18n>=1.3", "mkdocstrings[python]>=0.29"]


class BuildWithResources(build_py):
    """Copies robots and policies into the package, where an installed legged_gym looks for them."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:  # the checkout has them
            return
        for source in filter(Path.is_file, Path("resources").rglob("*")):
            target = Path(self.build_lib, "legged_gym", source)
            self.mkpath(str(target.parent))
            self.copy_file(str(source), str(target))


setup(
    name="himloco",
    version="0.2.0",
    description="Train blind quadrupeds to climb stairs: HIMLoco on an open, pip-installable Isaac Gym API",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="BSD-3-Clause",
    packages=find_packages(include=["isaacgym*", "legged_gym*", "rsl_rl*"]),
    include_package_data=True,  # what MANIFEST.in names
    cmdclass={"build_py": BuildWithResources},
    entry_points={"console_scripts": ["himloco = legged_gym.cli:main"]},
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
        "docs": DOCS,
        "export": ["onnx", "onnxruntime"],
        "test": [
            *("pytest", "pytest-xdist", "hypothesis", "slipcover>=1.1", "ruff", "mypy==2.4.1"),
            *("playwright", "onnx", "pyyaml"),
            *DEPLOY,
            *VIEWER,
            *VIDEO,
            *DOCS,
            *("build", "setuptools>=70.1"),
        ],
        "video": VIDEO,
        "viewer": VIEWER,
    },
)
