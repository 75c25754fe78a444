"""MkDocs calls this: tables go where a page has a mark, and links out of the site become names of files."""

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # MkDocs loads hooks by path

import config_reference
import policy_table

GENERATED = {
    "<!-- configuration -->": lambda: config_reference.tables(config_reference.read_keys()),
    "<!-- policies -->": lambda: policy_table.page(policy_table.read_results()),
}
# Links are as GitHub shows them. Chinese pages link to those that are in English alone, which the site has among them.
TO_ENGLISH = re.compile(r"\]\(((?:\.\./)*)\.\./en/")
# Other files of the repository are no pages of the site: it shows their names.
TO_REPOSITORY = re.compile(r"\[([^\]]+)\]\((?:\.\./){2,}(?!assets/)([^)]+)\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    for mark, make in GENERATED.items():
        if mark in markdown:
            markdown = markdown.replace(mark, make())
    markdown = TO_ENGLISH.sub(r"](\1", markdown)
    return TO_REPOSITORY.sub(r"\1 (`\2`)", markdown)
