"""README and documentation: short, in step in both languages, without dead links, and complete."""

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from xml.etree import ElementTree

import pytest
from documents import ROOT, anchors, blocks, chinese_page, commands, english_pages, headings

from legged_gym.envs.base.legged_robot_config import LeggedRobotCfg, LeggedRobotCfgPPO
from legged_gym.utils.helpers import class_to_dict

MAX_README_LINES = 130
MAX_PICTURE, MAX_ANIMATION = 300_000, 3_000_000  # [bytes]
TRANSLATED = [page for page in english_pages() if chinese_page(page).is_file()]
GLOSSARY, GO2 = "docs/en/reference/glossary.md", "legged_gym/deploy/README.zh.md"
CHINESE = [*map(chinese_page, TRANSLATED), ROOT / GLOSSARY, ROOT / GO2]
LINKED = [*english_pages(), *map(chinese_page, TRANSLATED), ROOT / ".github" / "CONTRIBUTING.md"]
HALF_WIDTH = re.compile(r'(?<=[\u4e00-\u9fff])[,;:?!()"]|[,;:?!()"](?=[\u4e00-\u9fff])')
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    """The modules that make pages."""
    monkeypatch.syspath_prepend(ROOT / "docs" / "build")
    return {name: importlib.import_module(name) for name in ("config_reference", "drawings", "policy_table", "hooks")}


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_readme_is_a_screen_and_a_half(name: str) -> None:
    assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) <= MAX_README_LINES


def test_guides_and_readme_exist_in_chinese() -> None:
    guides = [
        page for page in english_pages() if page.parent.name in ("start", "guide", "en") or page.name == "README.md"
    ]
    assert [name_of(page) for page in guides if page not in TRANSLATED] == []


@pytest.mark.parametrize("page", TRANSLATED, ids=name_of)
def test_both_languages_have_the_same_commands_and_headings(page: Path) -> None:
    chinese = chinese_page(page)
    assert blocks(chinese, "bash") == blocks(page, "bash")
    levels = [[heading.split()[0] for heading in headings(text)] for text in (page, chinese)]
    assert levels[0] == levels[1]


@pytest.mark.parametrize("page", CHINESE, ids=name_of)
def test_chinese_has_full_width_punctuation(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    prose = re.sub(r"\]\([^)\s]*\)|`[^`\n]*`", "字", text)  # addresses and code stand for a word
    assert [prose[max(0, hit.start() - 10) : hit.end() + 10] for hit in HALF_WIDTH.finditer(prose)] == []


@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    dead = []
    for name, anchor in LINK.findall(text):
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target) | generated_anchors(target)):
            dead.append(f"{name}#{anchor}")
    assert dead == []


def generated_anchors(page: Path) -> set[str]:
    """Sections that the site adds where a page has a mark."""
    return {"policies-in-the-box"} if "<!-- policies -->" in page.read_text(encoding="utf-8") else set()


@pytest.mark.parametrize("page", english_pages(), ids=name_of)
def test_every_command_is_of_a_kind_that_is_tried_or_says_what_it_needs(page: Path) -> None:
    tried = ("himloco ", "python legged_gym/scripts/", "python -m legged_gym.", "python -m isaacgym.", "pip install ")
    suite = ("python -m pytest",)  # tried by whoever runs this
    assert [text for _, text, needs in commands(page) if not needs and not text.startswith(tried + suite)] == []


def test_extras_that_are_asked_for_exist() -> None:
    offered = set(re.findall(r'^        "(\w+)": ', (ROOT / "setup.py").read_text(), re.MULTILINE))
    asked = {
        extra
        for page in english_pages()
        for command in commands(page)
        if command.text.startswith("pip install")
        for extra in ",".join(re.findall(r"\[([\w,]+)\]", command.text)).split(",")
    }
    assert asked - {""} <= offered and asked


def test_the_versions_of_torch_are_those_that_setup_takes() -> None:
    first, last = re.findall(r"torch>=([\d.]+),<2\.(\d+)", (ROOT / "setup.py").read_text())[0]
    for language, between in (("en", "to"), ("zh", "到")):
        page = (ROOT / "docs" / language / "start" / "installation.md").read_text(encoding="utf-8")
        assert re.search(rf"{re.escape(first)}\s+{between}\s+2\.{int(last) - 1}\b", page)


def test_pictures_are_small() -> None:
    pictures = [path for path in (ROOT / "docs" / "assets").iterdir() if path.suffix in (".webp", ".gif", ".png")]
    limits = {path: MAX_ANIMATION if path.stem.startswith("climb") else MAX_PICTURE for path in pictures}
    assert [path.name for path, limit in limits.items() if path.stat().st_size > limit] == []


def test_drawings_are_of_the_texts_in_their_pages(builder: dict[str, ModuleType]) -> None:
    drawings = builder["drawings"]
    written = {
        drawings.drawing_of(page.stem, number): text
        for page in drawings.PAGES.glob("*.md")
        for number, text in enumerate(drawings.texts(page.read_text(encoding="utf-8")), 1)
    }
    drawn = {path.name: ElementTree.parse(path).getroot()[0].text for path in drawings.ASSETS.glob("*.svg")}
    assert drawn == written and len(drawn) == 2, "run docs/make_drawings.py"


def test_lines_of_chinese_are_joined_without_a_space(builder: dict[str, ModuleType]) -> None:
    page = SimpleNamespace(file=SimpleNamespace(src_path="zh/index.md"))
    text = "机器人\n公司。\n显卡\n`a`\n\n```bash\nb\n```\n- 甲\n- 乙\n"
    joined = "机器人公司。显卡\n`a`\n\n```bash\nb\n```\n- 甲\n- 乙\n"
    assert builder["hooks"].on_page_markdown(text, page=page) == joined
    text = "如何？\n[结果](a.md)，见\n（[这里](b.md)）。\nCPU；\n`a`\n、`b`\n\n- 甲，\n  乙\n"
    joined = "如何？[结果](a.md)，见（[这里](b.md)）。CPU；`a`、`b`\n\n- 甲，乙\n"
    assert builder["hooks"].on_page_markdown(text, page=page) == joined


def test_files_of_the_repository_are_named_once(builder: dict[str, ModuleType]) -> None:
    page = SimpleNamespace(file=SimpleNamespace(src_path="en/guide/deployment.md"))
    text = (
        "[legged_gym/deploy/README.md](../../../legged_gym/deploy/README.md), [Go2](../../../legged_gym/deploy/go2.py)"
    )
    shown = "`legged_gym/deploy/README.md`, Go2 (`legged_gym/deploy/go2.py`)"
    assert builder["hooks"].on_page_markdown(text, page=page) == shown


def test_the_configuration_reference_has_every_key_with_its_default(builder: dict[str, ModuleType]) -> None:
    keys = {(key.section, key.name): key for key in builder["config_reference"].read_keys()}
    for config in (LeggedRobotCfg, LeggedRobotCfgPPO):
        pending = [(config.__name__, class_to_dict(config()))]
        while pending:
            section, values = pending.pop()
            for name, value in values.items():
                if isinstance(value, dict) and f"{section}.{name}" in {key.section for key in keys.values()}:
                    pending.append((f"{section}.{name}", value))
                else:
                    assert eval(keys[section, name].default) == value  # noqa: S307 -- of our own file


def test_the_configuration_reference_tells_what_comments_say(builder: dict[str, ModuleType], tmp_path: Path) -> None:
    source = tmp_path / "config.py"
    source.write_text(
        "class Cfg:\n    class part:\n        # Above,\n        # in two lines.\n"
        "        a = [1, 2]  # [m] beside | it\n"
        '        b = "#"\n'
    )
    reference = builder["config_reference"]
    table = reference.tables(reference.read_keys(source))
    assert "| `a` | `[1, 2]` | Above, in two lines. [m] beside \\| it |\n| `b` | `'#'` |  |" in table
    assert "### `part`" in table


def row(terrain: str, case: str, noise: bool, crossed: float) -> dict:
    share = {"mean": crossed, "half_width": 0.01}
    return {"terrain": terrain, "case": case, "noise": noise, "crossed": share, "leg_touches": 240.0}


def results() -> dict:
    rows = [row("stairs_up", "9 cm", True, 0.994), row("stairs_up", "16 cm", True, 0.5)]
    rows += [row("stairs_up", "9 cm", False, 0.1), row("stairs_down", "9 cm", True, 0.2)]
    stairs = {"protocol": "stairs", "best": "model_7", "results": {"model_5": [], "model_7": rows}}
    facts = {"command": "himloco train --task go2", "commit": "abc", "seed": 3, "iteration": 7}
    return {"go2": facts | {"devices": {"sim_device": "cuda:0 (H200)"}, "tables": [stairs, {"terrains": {}}]}}


def test_tables_of_policies_come_from_their_reports(
    builder: dict[str, ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policies = builder["policy_table"]
    (tmp_path / "go2").mkdir()
    (tmp_path / "go2" / "results.json").write_text(json.dumps(results()["go2"]))
    monkeypatch.setitem(policies.STRIPS, "go2", ("stairs of 8.6 cm", "9 cm"))
    read = policies.read_results(tmp_path)
    assert (
        policies.crossings(read, "stairs_up")
        == "| robot | 9 cm | 16 cm |\n| --- | --- | --- |\n| go2 | 99 % | 50 % |\n"
    )
    page = policies.page(read)
    assert "| go2 | 20 % |" in page and "10 %" not in page
    assert "judged at 9 cm and 1 m/s, its hips, thighs and calves touched the stairs 2.4 times a metre" in page
    assert "Of a1, aliengo, anymal_c, b2, go1, go2w there is no strip" in page
    assert "- go2: `himloco train --task go2`, iteration 7, seed 3, cuda:0 (H200), commit abc" in page
    readme = policies.filled("a\n<!-- policies -->\nold\n<!-- /policies -->\nb\n", read, "en")
    assert readme.startswith("a\n<!-- policies -->\n## See it climb\n") and "old" not in readme and "99 %" in readme
    assert policies.filled(readme, {}, "en") == "a\n<!-- policies -->\n<!-- /policies -->\nb\n"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_readme_shows_the_policies_that_are_there(builder: dict[str, ModuleType], language: str) -> None:
    policies = builder["policy_table"]
    text = policies.READMES[language].read_text(encoding="utf-8")
    assert policies.filled(text, policies.read_results(), language) == text, "run docs/build/policy_table.py"


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason='builds the site: pip install -e ".[docs]"')
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    configuration = (tmp_path / "reference" / "configuration" / "index.html").read_text(encoding="utf-8")
    assert "final_entropy_coef" in configuration
    training = (tmp_path / "zh" / "guide" / "training" / "index.html").read_text(encoding="utf-8")
    assert 'href="../../reference/results/#stairs-forwards-at-1-ms"' in training
    api = (tmp_path / "reference" / "api" / "index.html").read_text(encoding="utf-8")
    assert 'id="rsl_rl.algorithms.HIMPPO"' in api
    house = (tmp_path / "reference" / "house" / "index.html").read_text(encoding="utf-8")
    assert "assets/house_2.svg" in house and "mermaid" not in house  # whose script would come from outside
    loaded = re.findall(r'<(?:link|script|img)[^>]+(?:href|src)="(https?://[^"]+)"', training + house)
    assert [address for address in loaded if "canonical" not in address] == []  # nothing from outside
