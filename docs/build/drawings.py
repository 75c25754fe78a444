"""The documentation's Mermaid texts and the files that the site shows in their place."""

import re
from pathlib import Path

ASSETS = Path(__file__).parents[1] / "assets"
PAGES = Path(__file__).parents[1] / "en" / "reference"  # those with drawings
BLOCK = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def texts(markdown: str) -> list[str]:
    """The Mermaid texts of a page, in order."""
    return BLOCK.findall(markdown)


def drawing_of(page: str, number: int) -> str:
    """Name of the file that docs/make_drawings.py made of a page's text, counted from 1."""
    return f"{page}_{number}.svg"


def drawn(markdown: str, page: str) -> str:
    """A page with pictures in place of its Mermaid texts, which are links to themselves in full size."""
    for number in range(1, len(texts(markdown)) + 1):
        path = f"../../assets/{drawing_of(page, number)}"
        markdown = BLOCK.sub(f"[![drawing]({path})]({path})", markdown, count=1)
    return markdown
