"""Pictures with names in Chinese."""

import io
import warnings

import numpy as np
import pytest
from matplotlib import font_manager, rc_context
from matplotlib.figure import Figure

from legged_gym.fonts import CJK, use_fonts_for


def drawn(text: str) -> np.ndarray:
    figure, file = Figure(figsize=(1, 1)), io.BytesIO()
    figure.text(0.3, 0.3, text, fontsize=30)
    figure.savefig(file, format="raw")
    return np.frombuffer(file.getvalue(), dtype=np.uint8)


@pytest.mark.filterwarnings("error")
def test_chinese_is_written_with_an_installed_font(capsys: pytest.CaptureFixture[str]) -> None:
    if not any(CJK.search(path) for path in font_manager.findSystemFonts()):
        pytest.skip("no font with Chinese characters on this machine")
    with rc_context():
        use_fonts_for("logs/训练")
        assert (drawn("训") != drawn("练")).any()  # boxes would be alike
    assert capsys.readouterr().out == ""


def test_without_a_font_one_line_names_what_becomes_a_box(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(font_manager, "findSystemFonts", list)
    with rc_context({"font.family": ["DejaVu Sans"]}), warnings.catch_warnings(record=True) as caught:
        use_fonts_for("logs/训练训练_π\n")
        assert (drawn("训") == drawn("练")).all() and not caught
    told = capsys.readouterr().out
    assert told.startswith("No font of this machine has 练 训, which become boxes") and told.count("\n") == 1


def test_latin_and_greek_names_change_no_font(capsys: pytest.CaptureFixture[str]) -> None:
    with rc_context({"font.family": ["DejaVu Sans"]}):
        use_fonts_for("rough_aliengo/Größe_π")
        assert font_manager.FontProperties().get_family() == ["DejaVu Sans"]
    assert capsys.readouterr().out == ""
