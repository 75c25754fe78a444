"""Fonts for pictures: names of runs, checkpoints and joints may have characters that matplotlib's own font lacks."""

import re
import warnings
from pathlib import Path

# Files of fonts with Chinese, Japanese and Korean characters, as Linux, Windows and macOS have them.
CJK = re.compile(r"CJK|SourceHan|NotoSans(SC|TC|JP|KR)|wqy|DroidSansFallback|msyh|simhei|PingFang|STHeiti|ArialUnicode")


def use_fonts_for(text: str) -> None:
    """Have matplotlib write `text`, in all that is drawn from here on, with an installed font where its own lacks
    characters; if there is none, say so in a line."""
    from matplotlib import font_manager, rcParams  # slow to import, and only needed here

    missing = set(filter(str.isprintable, text))
    for family in rcParams["font.family"]:
        missing = _lacking(font_manager.findfont(font_manager.FontProperties(family=[family])), missing)
    if not missing:
        return
    # Not among those that matplotlib knows of: it reads the folders of fonts once, and then its cache.
    fonts = {path: _lacking(path, missing) for path in font_manager.findSystemFonts() if CJK.search(Path(path).stem)}
    best = min(fonts, key=lambda path: (len(fonts[path]), "Regular" not in path, "Serif" in path, path), default=None)
    if best is not None and fonts[best] < missing:
        font_manager.fontManager.addfont(best)
        rcParams["font.family"] = [*rcParams["font.family"], font_manager.FontProperties(fname=best).get_name()]
        missing = fonts[best]
    if missing:
        warnings.filterwarnings("ignore", message=r"Glyph \d+ ", category=UserWarning)  # one for each of them
        print(
            f"No font of this machine has {' '.join(sorted(missing))}, which become boxes in the picture: install one, "
            "on Debian and Ubuntu fonts-noto-cjk, or draw folders of other names."
        )


def _lacking(path: str, characters: set[str]) -> set[str]:
    """Those that a font's file does not have."""
    from matplotlib.ft2font import FT2Font

    known = FT2Font(path).get_charmap()
    return {character for character in characters if ord(character) not in known}
