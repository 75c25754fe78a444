"""The configuration reference: tables of keys, defaults and comments, read from the config classes' source."""

import ast
import io
import tokenize
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "legged_gym" / "envs" / "base" / "legged_robot_config.py"


class Key(NamedTuple):
    """One setting."""

    section: str  # dotted, from the config's class on
    name: str
    default: str  # as the source has it
    meaning: str  # the comments above and beside it


def comments(source: str) -> dict[int, str]:
    """Line number → comment, without its #."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {
        token.start[0]: token.string.removeprefix("#").strip() for token in tokens if token.type == tokenize.COMMENT
    }


def read_keys(path: Path = SOURCE) -> list[Key]:
    """All settings of a file of config classes, in order."""
    source = path.read_text(encoding="utf-8")
    lines, remarks, keys = source.splitlines(), comments(source), []

    def meaning(node: ast.stmt) -> str:
        beside = [remarks[line] for line in range(node.lineno, node.end_lineno + 1) if line in remarks]
        above, line = [], node.lineno - 1
        while line in remarks and lines[line - 1].lstrip().startswith("#"):
            above.insert(0, remarks[line])
            line -= 1
        return " ".join((*above, *beside))

    def visit(cls: ast.ClassDef, section: str) -> None:
        for node in cls.body:
            if isinstance(node, ast.ClassDef):
                visit(node, f"{section}.{node.name}")
            elif isinstance(node, ast.Assign):
                default = ast.unparse(node.value)
                keys.append(Key(section, ast.unparse(node.targets[0]), default, meaning(node)))

    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            visit(node, node.name)
    return keys


def tables(keys: list[Key]) -> str:
    """Markdown: a heading and a table per section."""
    parts: list[str] = []
    section = ""
    for key in keys:
        if key.section != section:
            section = key.section
            config, _, name = section.partition(".")
            title = (
                f"`{name}`" if name else f"`{config}`: {'the learner' if config.endswith('PPO') else 'the environment'}"
            )
            parts += [
                "",
                f"{'###' if name else '##'} {title}",
                "",
                "| key | default | meaning |",
                "| --- | --- | --- |",
            ]
        meaning = key.meaning.replace("|", "\\|")
        parts.append(f"| `{key.name}` | `{key.default}` | {meaning} |")
    return "\n".join(parts)


if __name__ == "__main__":
    print(tables(read_keys()))
