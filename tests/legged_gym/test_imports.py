"""Modules need each other in one direction, also where an import waits inside a function."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from legged_gym import LEGGED_GYM_ROOT_DIR

ROOT = Path(LEGGED_GYM_ROOT_DIR)
PACKAGES = ("isaacgym", "legged_gym", "rsl_rl")


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(tree: ast.AST) -> Iterator[str]:
    """Names that code imports, but for those that only its annotations need."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0  # imports are absolute
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield from imported(node)


def needs(modules: dict[str, Path]) -> dict[str, set[str]]:
    """Module → the modules that it imports."""
    graph: dict[str, set[str]] = {}
    for module, path in modules.items():
        graph[module] = set()
        for name in imported(ast.parse(path.read_text(encoding="utf-8"))):
            target = name if name in modules else name.rpartition(".")[0]
            graph[module] |= {target} & modules.keys() - {module}
    return graph


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    return needs({module_of(path): path for name in PACKAGES for path in (ROOT / name).rglob("*.py")})


def test_no_modules_import_each_other_in_a_circle(graph: dict[str, set[str]]) -> None:
    assert {"legged_gym.utils.helpers", "isaacgym.simulation"} <= graph.keys()
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' -> '.join(reversed(error.args[1]))}")


def test_a_circle_is_found_inside_functions_too(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("from b import x\n")
    (tmp_path / "b.py").write_text("def f():\n    import a\n")
    found = needs({"a": tmp_path / "a.py", "b": tmp_path / "b.py"})
    assert found == {"a": {"b"}, "b": {"a"}}
    with pytest.raises(CycleError):
        TopologicalSorter(found).prepare()


def test_simulator_and_learner_do_not_know_each_other_nor_the_environments(graph: dict[str, set[str]]) -> None:
    for name, others in (("isaacgym", ("legged_gym", "rsl_rl")), ("rsl_rl", ("legged_gym", "isaacgym"))):
        found = {(a, b) for a, targets in graph.items() if a.startswith(name) for b in targets if b.startswith(others)}
        assert found == set()
