"""The robot's side without the rest: its modules on old Python, and its distribution in a bare environment."""

import ast
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import yaml
from go2_policies import JOINTS, metadata, standing_policy

from legged_gym import deploy
from legged_gym.deploy.export_rl_sar import export
from legged_gym.deploy.messages import GO2_JOINTS

FOLDER = Path(deploy.__file__).parent
PROJECT = tomllib.loads((FOLDER / "pyproject.toml").read_text())
MODULES = [name.rpartition(".")[2] for name in PROJECT["tool"]["setuptools"]["py-modules"]]
OLDEST = (3, 8)
# Of Python's own modules and built-in functions, what came after 3.8 and is at hand.
NEWER_METHODS = {"removeprefix", "removesuffix", "is_relative_to", "with_stem", "hardlink_to", "bit_count"}
# A walk of the controller without a robot, and what is installed.
SCRIPT = """
import json, sys
from importlib.metadata import distributions
import legged_gym.deploy.go2, legged_gym.deploy.unitree
from legged_gym.deploy.controller import PolicyController
from legged_gym.deploy.messages import GO2_JOINTS

controller = PolicyController(sys.argv[1], joint_order=GO2_JOINTS, robot="go2")
targets = controller.step((0.5, 0, 0), [0.1] * 3, (0, 0, -1), [0.2] * 12, [0.3] * 12)
installed = sorted(d.metadata["Name"].lower() for d in distributions())
print(json.dumps([targets.tolist(), installed]))
"""


@pytest.mark.parametrize("name", MODULES)
def test_the_robots_modules_are_old_python_and_need_nothing_of_the_training(name: str) -> None:
    tree = ast.parse((FOLDER / f"{name}.py").read_text(), feature_version=OLDEST)
    first = next(node for node in tree.body if isinstance(node, ast.ImportFrom))
    assert first.module == "__future__" and first.names[0].name == "annotations"
    ours, other = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            root, *rest = (node.module or "").split(".")
            modules = [alias.name for alias in node.names] if rest == ["deploy"] else rest[1:]
            ours.update(modules if root == "legged_gym" else [])
            other.update([] if root == "legged_gym" else [root])
        elif isinstance(node, ast.Import):
            other.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.Call):
            keywords = {keyword.arg for keyword in node.keywords}
            assert not (isinstance(node.func, ast.Name) and node.func.id == "zip" and "strict" in keywords)
        elif isinstance(node, ast.Attribute):
            assert node.attr not in NEWER_METHODS
    assert ours <= set(MODULES)
    assert other <= set(sys.stdlib_module_names) | {"numpy", "onnxruntime"}


def pythons() -> dict[str, str]:
    """Interpreters of this computer from 3.8 to 3.13, by version: on the path, or of pyenv."""
    found = {}
    for minor in range(OLDEST[1], 14):
        version = f"3.{minor}"
        root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
        candidates = [*sorted(root.glob(f"{version}.*/bin/python")), shutil.which(f"python{version}")]
        for candidate in candidates:
            if candidate and subprocess.run([candidate, "-c", "import venv"], capture_output=True).returncode == 0:
                found[version] = str(candidate)
                break
    return found


@pytest.mark.slow
@pytest.mark.parametrize("version", [f"3.{minor}" for minor in range(OLDEST[1], 14)])
def test_its_distribution_runs_alone(version: str, tmp_path: Path) -> None:
    """In a fresh environment, from a copy of the folder, with what pip brings and nothing else."""
    python = pythons().get(version)
    if python is None:
        pytest.skip(f"no Python {version} on this computer")
    shutil.copytree(FOLDER, tmp_path / "deploy", ignore=shutil.ignore_patterns("__pycache__"))
    own = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    subprocess.run([python, "-m", "venv", tmp_path / "venv"], check=True, env=own)
    inside = tmp_path / "venv" / "bin" / "python"
    install = [inside, "-m", "pip", "install", "-q", "--no-compile", str(tmp_path / "deploy")]
    result = subprocess.run(install, capture_output=True, text=True, cwd=tmp_path, env=own)
    if result.returncode and "No matching distribution" in result.stderr and "himloco" not in result.stderr:
        pytest.skip(f"the package index has not what Python {version} needs: {result.stderr.splitlines()[-1]}")
    assert result.returncode == 0, result.stderr
    policy = standing_policy(tmp_path / "policy.onnx")
    run = [inside, "-c", SCRIPT, str(policy)]
    result = subprocess.run(run, capture_output=True, text=True, cwd=tmp_path, env=own)
    assert result.returncode == 0, result.stderr
    targets, installed = json.loads(result.stdout.splitlines()[-1])
    np.testing.assert_allclose(targets, [0.0, 0.9, -1.5] * 4, atol=1e-6)
    assert "himloco-deploy" in installed and "cyclonedds" in installed
    assert not [name for name in installed if name.startswith(("torch", "warp", "mujoco", "nvidia"))]
    program = [inside, "-m", "legged_gym.deploy.go2", "--network", "lo", "--domain", "211", "--policy", str(policy)]
    result = subprocess.run([*program, "--time_scale", "10"], capture_output=True, text=True, cwd=tmp_path, env=own)
    assert result.returncode == 2 and "no robot answers on lo" in result.stderr


# --- rl_sar ----------------------------------------------------------------------------------------------------------


def test_files_for_rl_sar_have_the_documented_names_keys_and_orders(tmp_path: Path) -> None:
    """Keys as in rl_sar's own policy/go2/base.yaml and policy/lite3/himloco/config.yaml."""
    asymmetric = [[0.1, 0.8, -1.5], [-0.1, 0.8, -1.5], [0.1, 1.0, -1.6], [-0.1, 1.0, -1.6]]
    pose = [angle for leg in asymmetric for angle in leg]  # FL, FR, RL, RR
    policy = standing_policy(tmp_path / "policy.onnx", default_joint_pos=pose, clip_actions=6.0)
    paths = export(policy, tmp_path / "out")
    names = {str(path.relative_to(tmp_path / "out")) for path in paths}
    assert names == {"go2/base.yaml", "go2/himloco/config.yaml", "go2/himloco/policy.onnx"}
    base = yaml.safe_load((tmp_path / "out/go2/base.yaml").read_text())["go2"]
    config = yaml.safe_load((tmp_path / "out/go2/himloco/config.yaml").read_text())["go2/himloco"]
    assert base.keys() == {
        *("dt", "decimation", "fixed_kp", "fixed_kd", "num_of_dofs", "wheel_indices", "torque_limits"),
        *("default_dof_pos", "joint_names", "joint_controller_names", "joint_mapping"),
    }
    assert config.keys() == {
        *("model_name", "num_observations", "observations", "observations_history", "observations_history_priority"),
        *("clip_obs", "clip_actions_lower", "clip_actions_upper", "rl_kp", "rl_kd", "fixed_kp", "fixed_kd"),
        *("num_of_dofs", "action_scale", "wheel_indices", "lin_vel_scale", "ang_vel_scale", "dof_pos_scale"),
        *("dof_vel_scale", "commands_scale", "torque_limits", "default_dof_pos", "joint_mapping"),
    }
    assert base["joint_names"] == list(GO2_JOINTS) and base["joint_controller_names"][0] == "FR_hip_controller"
    assert base["default_dof_pos"] == [*asymmetric[1], *asymmetric[0], *asymmetric[3], *asymmetric[2]]
    assert base["joint_mapping"] == list(range(12)) and base["dt"] * base["decimation"] == pytest.approx(0.02)
    assert config["joint_mapping"] == [3, 4, 5, 0, 1, 2, 9, 10, 11, 6, 7, 8]
    assert [base["joint_names"][i] for i in config["joint_mapping"]] == JOINTS
    assert config["default_dof_pos"] == pose and config["clip_actions_lower"] == [-6.0] * 12
    bounds = [[-1.0 - i, 2.0 + i] for i in range(12)]
    policy = standing_policy(tmp_path / "policy.onnx", default_joint_pos=pose, clip_actions=bounds, format=3)
    export(policy, tmp_path / "out")
    bounded = yaml.safe_load((tmp_path / "out/go2/himloco/config.yaml").read_text())["go2/himloco"]
    assert bounded["clip_actions_lower"] == [low for low, _ in bounds]
    assert bounded["clip_actions_upper"] == [high for _, high in bounds]
    assert config["observations"] == ["commands", "ang_vel", "gravity_vec", "dof_pos", "dof_vel", "actions"]
    assert config["observations_history"] == [0, 1, 2, 3, 4, 5] and config["num_observations"] == 45
    assert config["commands_scale"] == [2.0, 2.0, 2.0] and config["dof_vel_scale"] == 0.05
    assert config["rl_kp"] == [40.0] * 12 and config["model_name"] == "policy.onnx"


def test_a_torchscript_beside_the_policy_goes_along(tmp_path: Path) -> None:
    policy = standing_policy(tmp_path / "policy.onnx")
    policy.with_suffix(".pt").write_bytes(b"TorchScript")
    export(policy, tmp_path / "out")
    config = yaml.safe_load((tmp_path / "out/go2/himloco/config.yaml").read_text())["go2/himloco"]
    assert config["model_name"] == "policy.pt"
    assert (tmp_path / "out/go2/himloco/policy.pt").read_bytes() == b"TorchScript"


def test_what_rl_sar_cannot_do_is_refused(tmp_path: Path) -> None:
    observation = metadata()["observation"]
    observation[3]["scale"] = [1.0] * 11 + [2.0]
    uneven = standing_policy(tmp_path / "uneven.onnx", observation=observation)
    with pytest.raises(ValueError, match="scales the columns of dof_pos by .*, which rl_sar cannot do"):
        export(uneven, tmp_path)
    strange = standing_policy(tmp_path / "strange.onnx", joint_names=[f"joint_{i}" for i in range(12)])
    with pytest.raises(ValueError, match="moves other joints than Unitree's quadrupeds have"):
        export(strange, tmp_path)
