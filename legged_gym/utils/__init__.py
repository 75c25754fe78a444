"""Task registry, command line, terrain, logging."""

from legged_gym.utils.helpers import get_args
from legged_gym.utils.logger import Logger
from legged_gym.utils.task_registry import TaskRegistry, task_registry
from legged_gym.utils.terrain import Terrain

__all__ = ["Logger", "TaskRegistry", "Terrain", "get_args", "task_registry"]
