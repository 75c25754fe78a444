"""What the tests of README and of the documentation read of them."""

import re
from pathlib import Path
from typing import NamedTuple

from legged_gym import LEGGED_GYM_ROOT_DIR

ROOT = Path(LEGGED_GYM_ROOT_DIR)
TRIED_ELSEWHERE = {"several-gpus.md"}  # by test_several_gpus.py, with ranks of its own
ENGLISH = [ROOT / "README.md", *(ROOT / "docs" / "en" / name for name in ("index.md", "start", "guide", "reference"))]


def pages(path: Path) -> list[Path]:
    """A page, or the pages in a folder."""
    return [path] if path.is_file() else sorted(path.glob("*.md"))


def english_pages() -> list[Path]:
    return [page for path in ENGLISH for page in pages(path)]


def chinese_page(page: Path) -> Path:
    """Where a page's translation is, if there is one."""
    if page.name == "README.md":
        return page.with_name("README.zh.md")
    return ROOT / "docs" / "zh" / page.relative_to(ROOT / "docs" / "en")


class Command(NamedTuple):
    """A line of a ```bash block."""

    page: Path
    text: str  # without its comment
    needs: str  # what its comment says that it needs and a test has not, or nothing


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[Command]:
    """The commands of a page, in order; those joined by && one by one."""
    if page.name in TRIED_ELSEWHERE:
        return []
    found = []
    for line in "\n".join(blocks(page, "bash")).splitlines():
        text, _, comment = line.partition(" # ")
        needs = re.search(r"\bneeds\b.*", comment)
        found += [Command(page, part.strip(), needs[0] if needs else "") for part in text.split("&&") if part.strip()]
    return found


def headings(page: Path) -> list[str]:
    """Text of the headings outside code, in order, with their #."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"^#+ .*$", text, re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """What links to sections of a page may name, as GitHub and MkDocs make it of headings."""
    plain = (re.sub(r"[^\w\- ]", "", heading.lstrip("# ").lower()) for heading in headings(page))
    return {text.strip().replace(" ", "-") for text in plain}
