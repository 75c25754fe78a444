"""Tasks of other packages: modules that call `task_registry.register` when they are imported.

An installed package names its module in the entry-point group `himloco.tasks`:

    [project.entry-points."himloco.tasks"]
    my_robot = "my_robot.tasks"

Any other one is named on the command line: --task_module my_robot.tasks, or the path of a file.
"""

import importlib
import importlib.metadata
import importlib.util
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

GROUP = "himloco.tasks"
registrations: list[str] = []  # names of tasks in the order in which task_registry got them
_tasks_of: dict[str, list[str]] = {}  # what each module that was imported here registered


def import_installed_tasks() -> None:
    """Import the modules of all installed packages; one that fails is left out, and a line says why."""
    for entry_point in importlib.metadata.entry_points(group=GROUP):
        try:
            _note_tasks(entry_point.module, entry_point.load)
        except Exception as error:  # other people's code may fail in any way, and must not stop our tasks
            print(f"warning: the tasks of '{entry_point.value}' are left out: {_told(error)}", file=sys.stderr)


def import_tasks(module: str) -> list[str] | None:
    """Import a module of tasks, by its dotted name, from where the program was started too, or by its file.

    Result: the tasks that it registers; None: not known, as something else had imported it before.
    """
    if module.endswith(".py") and not Path(module).is_file():
        raise ValueError(f"--task_module {module}: there is no such file")
    try:
        if module.endswith(".py"):
            return _note_tasks(module, lambda: _import_file(Path(module)))
        folder = str(Path.cwd())
        if folder not in sys.path:
            sys.path.insert(0, folder)
        if module not in sys.modules:
            return _note_tasks(module, lambda: importlib.import_module(module))
        return _tasks_of.get(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise ValueError(f"--task_module {module}: {_told(error)}") from error
        raise ValueError(
            f"--task_module {module}: there is no module '{error.name}'; start in the folder that holds it, install "
            "its package, or give the path of its .py file"
        ) from error
    except Exception as error:  # likewise
        raise ValueError(f"--task_module {module}: {_told(error)}") from error


def _note_tasks(module: str, load: Callable[[], Any]) -> list[str]:
    """Import a module by `load`. Result: the tasks that it registers."""
    before = len(registrations)
    load()
    _tasks_of[module] = list(dict.fromkeys(registrations[before:]))
    return _tasks_of[module]


def _import_file(path: Path) -> None:
    name = path.stem
    spec = importlib.util.spec_from_file_location(name, path.absolute())
    assert spec is not None and spec.loader is not None, "a .py file has a loader"
    sys.path.insert(0, str(path.absolute().parent))  # for modules beside it
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


def _told(error: Exception) -> str:
    """An error of someone's code in one line, with its place."""
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg} ({error.filename}, line {error.lineno})"
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {' '.join(str(error).split())} ({place.filename}, line {place.lineno})"
