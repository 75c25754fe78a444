"""The files that belong to a task: its newest exported policy and its robot's description, for sim2sim.py --task."""

from pathlib import Path
from typing import NamedTuple

from legged_gym import LEGGED_GYM_ROOT_DIR


class TaskFiles(NamedTuple):
    policy: Path  # of play.py's last export, else the one that comes with the project
    robot: Path
    name: str  # of the robot


def task_files(task: str, task_module: str | None, policy: str | None) -> TaskFiles:
    """Files of a registered task. task_module: as the scripts' --task_module. policy: used instead, if given."""
    # Only here: sim2sim.py runs without the training's code where it is given files.
    from legged_gym.envs import task_registry
    from legged_gym.utils.shipped import POLICIES
    from legged_gym.utils.task_modules import import_tasks
    from legged_gym.utils.task_registry import experiment_root

    if task_module is not None:
        import_tasks(task_module)
    env_cfg, train_cfg = task_registry.get_cfgs(task)
    exported = experiment_root(train_cfg) / "exported" / "policies" / "policy.onnx"
    shipped = POLICIES / env_cfg.asset.name / "policy.onnx"
    candidates = (exported, shipped) if policy is None else (Path(policy),)
    found = next((path for path in candidates if path.is_file() or policy is not None), None)
    if found is None:
        raise FileNotFoundError(
            f"task '{task}' has no exported policy: play.py --task {task} writes {exported}, or give --policy FILE"
        )
    robot = Path(env_cfg.asset.file.format(LEGGED_GYM_ROOT_DIR=LEGGED_GYM_ROOT_DIR))
    return TaskFiles(found, robot, env_cfg.asset.name)
