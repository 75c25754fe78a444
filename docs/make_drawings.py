"""Draw the documentation's Mermaid texts for the site, whose pages load nothing from outside.

python docs/make_drawings.py    # docs/assets/<page>_<number>.svg; needs npm, playwright and Chromium

GitHub draws ```mermaid blocks itself. The site shows these files in their place (docs/build/hooks.py), each of which
keeps its text, by which a test finds one that is out of date.
"""

import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from xml.sax.saxutils import escape

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parent / "build"))
from drawings import ASSETS, PAGES, drawing_of, texts

MERMAID = "mermaid@11"
SETTINGS = """{
    startOnLoad: false, htmlLabels: false, fontFamily: "Helvetica, Arial, sans-serif",
    flowchart: {htmlLabels: false, useMaxWidth: false}, sequence: {useMaxWidth: false}
}"""


def mermaid_script(folder: Path) -> Path:
    """Mermaid as npm has it."""
    packed = subprocess.run(
        ["npm", "pack", "--silent", MERMAID], cwd=folder, check=True, capture_output=True, text=True
    )
    with tarfile.open(folder / packed.stdout.split()[-1]) as archive:
        archive.extract("package/dist/mermaid.min.js", folder, filter="data")
    return folder / "package/dist/mermaid.min.js"


def with_text(svg: str, text: str) -> str:
    """An SVG on white, for pages in the dark, that keeps the text it was drawn from."""
    opening, bracket, rest = svg.partition(">")
    background = '<rect x="-1000" y="-1000" width="5000" height="5000" fill="white"/>'
    return f"{opening}{bracket}<desc>{escape(text)}</desc>{background}{rest}\n"


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page()
        tab.set_content("<body></body>")
        tab.add_script_tag(path=mermaid_script(Path(folder)))
        tab.evaluate(f"mermaid.initialize({SETTINGS})")
        for page in sorted(PAGES.glob("*.md")):
            for number, text in enumerate(texts(page.read_text(encoding="utf-8")), 1):
                drawn = "async text => (await mermaid.render('drawing', text)).svg"
                path = ASSETS / drawing_of(page.stem, number)
                path.write_text(with_text(tab.evaluate(drawn, text), text), encoding="utf-8")
                print(f"Drawn: {path}, {path.stat().st_size / 1e3:.0f} kB")
        browser.close()


if __name__ == "__main__":
    main()
