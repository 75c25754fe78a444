"""MkDocs calls this: tables go where a page has a mark, drawings where it has Mermaid, names of files where it links to
other files of the repository; and lines of Chinese are joined without a space."""

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # MkDocs loads hooks by path

import config_reference
import drawings
import policy_table

GENERATED = {
    "<!-- configuration -->": lambda: config_reference.tables(config_reference.read_keys()),
    "<!-- policies -->": lambda: policy_table.page(policy_table.read_results()),
}
# Links are as GitHub shows them. Chinese pages link to those that are in English alone, which the site has among them.
TO_ENGLISH = re.compile(r"\]\(((?:\.\./)*)\.\./en/")
# Other files of the repository are no pages of the site: it shows their names.
TO_REPOSITORY = re.compile(r"\[([^\]]+)\]\((?:\.\./){2,}(?!assets/)([^)]+)\)")


# A line's end between Chinese characters, or after or before their punctuation, which a browser would show as a space.
CHINESE_BREAK = re.compile(
    r"(?<=[\u3001-\u9fff\uff01-\uff5e])\n *(?=\[?[\u3001-\u9fff\uff01-\uff5e])"
    r"|(?<=[\u3001-\u303f\uff01-\uff5e])\n *(?=[A-Za-z\[]|`(?!``))"
    r"|(?<=\S)\n *(?=[\u3001-\u303f\uff01-\uff5e])"
)


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    for mark, make in GENERATED.items():
        if mark in markdown:
            markdown = markdown.replace(mark, make())
    markdown = drawings.drawn(markdown, Path(page.file.src_path).stem)
    markdown = CHINESE_BREAK.sub("", markdown)
    markdown = TO_ENGLISH.sub(r"](\1", markdown)
    return TO_REPOSITORY.sub(repository_file, markdown)


def repository_file(link: re.Match[str]) -> str:
    """The link's text and the file's name, which is said once."""
    text, path = link.groups()
    return f"`{path}`" if path.endswith(text) else f"{text} (`{path}`)"
