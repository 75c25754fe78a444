"""Print what share of the lines the tests ran, per package, and fail if it is clearly lower than it was.

    python .ci/coverage.py FILE

FILE: slipcover's JSON. Functions that Warp compiles are left out: Python never runs their lines, so none could count.
"""

import ast
import json
import sys
from collections import Counter
from pathlib import Path

FLOOR = 0.90  # of all lines; what tests run in processes of their own (torchrun's ranks, Go2's programs) does not count


def compiled_lines(path: Path) -> set[int]:
    """Lines of the functions whose decorator is Warp's, or a `kernel` made of it."""
    lines: set[int] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        decorators = [ast.unparse(decorator) for decorator in getattr(node, "decorator_list", [])]
        if any(decorator.startswith(("wp.", "kernel")) for decorator in decorators):
            lines.update(range(node.lineno, node.end_lineno + 1))
    return lines


def main(report: str) -> None:
    ran, missed, worst = Counter(), Counter(), {}
    for name, file in json.loads(Path(report).read_text(encoding="utf-8"))["files"].items():
        compiled = compiled_lines(Path(name))
        missing = set(file["missing_lines"]) - compiled
        package = Path(name).parts[0]
        ran[package] += len(set(file["executed_lines"]) - compiled)
        missed[package] += len(missing)
        worst[name] = len(missing)
    for package in sorted(ran):
        print(f"{package:>12}: {ran[package] / (ran[package] + missed[package]):6.1%} of the lines")
    for name, number in sorted(worst.items(), key=lambda item: -item[1])[:5]:
        print(f"{number:>5} lines not run in {name}")
    share = ran.total() / (ran.total() + missed.total())
    print(f"Coverage: {share:.1%}, at least {FLOOR:.0%} wanted")
    if share < FLOOR:
        raise SystemExit("error: the tests run fewer lines than they did; add tests for what is new")


if __name__ == "__main__":
    main(sys.argv[1])
