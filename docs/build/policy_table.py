"""Tables of the policies that come with the project, out of resources/policies/<robot>/results.json.

python docs/build/policy_table.py    # writes them into README.md and README.zh.md, between the marks

scripts/ship.py writes results.json: how the policy was trained, and `tables`, reports of evaluate.py and sim2sim.py.
The share that crosses stairs upwards goes into README, with a line that films one; the documentation's page of results
shows how each came about as well. Without policies there is nothing to show.
"""

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
POLICIES, ROBOTS = ROOT / "resources" / "policies", ROOT / "resources" / "robots"
READMES = {"en": ROOT / "README.md", "zh": ROOT / "README.zh.md"}
CLIMBING = {  # title, words before the command and before the table
    "en": (
        "See it climb",
        "Without training: policies come with the project, and this films one on stairs of 16 cm, on a CPU in "
        "a minute or two.",
        "Robots with sensor noise that cross stairs upwards at 1 m/s, one training of ten minutes at most on an "
        "H200 each ([more](docs/en/reference/results.md#policies-in-the-box)). The rest fall, mostly by "
        "touching a riser with trunk or head, which counts as a fall "
        "([what was tried](docs/en/reference/results.md#the-recipe-of-now-and-what-was-tried)).",
    ),
    "zh": (
        "看它爬楼梯",
        "不用训练：项目自带策略，下面的命令录下其中一个爬 16 cm 台阶的过程，CPU 上要一两分钟。",
        "带传感器噪声、以 1 m/s 向上走完楼梯的机器人比例；各训练一次，在一块 H200 上最多十分钟"
        "（[更多](docs/en/reference/results.md#policies-in-the-box)）。其余的会跌倒，多半是躯干或头部碰到台阶立面，"
        "这也算跌倒（[试过什么](docs/en/reference/results.md#the-recipe-of-now-and-what-was-tried)）。",
    ),
}
STAIRS = ("stairs of 16 cm at 1 m/s", "16 cm")
STRIPS = {  # robot: what docs/make_pictures.py strip drew of it, and the height of stairs at which it was judged
    "a1": STAIRS,
    "aliengo": STAIRS,
    "go1": STAIRS,
    "go2": STAIRS,
}
MARKS = re.compile(r"(<!-- policies -->\n).*?(<!-- /policies -->)", re.DOTALL)


def read_results(folder: Path = POLICIES) -> dict[str, dict[str, Any]]:
    """Robot → its results.json."""
    paths = sorted(folder.glob("*/results.json"))
    return {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def noisy_rows(result: dict[str, Any], protocol: str) -> list[dict[str, Any]]:
    """Rows with sensor noise of a protocol's reports, of their only or best checkpoint."""
    reports = [report for report in result["tables"] if report.get("protocol") == protocol]
    return [row for report in reports for row in report["results"][report["best"]] if row["noise"]]


def percent(share: dict[str, float]) -> str:
    return f"{100 * share['mean']:.0f} %"


def crossings(results: dict[str, dict[str, Any]], direction: str) -> str:
    """Markdown: a row per robot, a column per height of a step; empty if nobody was judged on stairs."""
    judged = {
        robot: {row["case"]: percent(row["crossed"]) for row in rows if row["terrain"] == direction}
        for robot, result in results.items()
        if (rows := noisy_rows(result, "stairs"))
    }
    heights = list(dict.fromkeys(height for shares in judged.values() for height in shares))
    return markdown(["robot", *heights], [[robot, *map(shares.get, heights)] for robot, shares in judged.items()])


def errors(results: dict[str, dict[str, Any]]) -> str:
    """Markdown: errors of protocol paper, a row per robot and terrain."""
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for robot, result in results.items():
        for row in noisy_rows(result, "paper"):
            lin, ang = (f"{row[name]['mean']:.3f}" for name in ("lin_vel_error", "ang_vel_error"))
            cells.setdefault((robot, row["terrain"]), {})[row["case"]] = f"{lin} / {ang}"
    cases = list(dict.fromkeys(case for row in cells.values() for case in row))
    return markdown(["robot", "terrain", *cases], [[*key, *map(row.get, cases)] for key, row in cells.items()])


def markdown(head: list[str], rows: list[list[str | None]]) -> str:
    """A table; empty without rows. None: not measured."""
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *([cell or "–" for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def page(results: dict[str, dict[str, Any]]) -> str:
    """What follows the heading of its own in the documentation's page of results."""
    if not results:
        return ""
    sections = (
        ("Crossing stairs upwards at 1 m/s", crossings(results, "stairs_up")),
        ("Crossing stairs downwards at 1 m/s", crossings(results, "stairs_down")),
        ("The paper's errors, linear [m/s] / angular [rad/s], levels 1 to 4", errors(results)),
    )
    parts = [f"### {title}\n\n{table}" for title, table in sections if table]
    parts += strips(results)
    parts += ["### How they were trained\n"]
    parts += [
        f"- {robot}: `{result['command']}`, iteration {result['iteration']}, seed {result['seed']}, "
        f"{result['devices']['sim_device']}, commit {result['commit']}"
        for robot, result in results.items()
    ]
    parts += [f"\n{picture('curves')}"] if (ROOT / "docs/assets/curves.webp").is_file() else []
    return "\n".join(parts)


def strips(results: dict[str, dict[str, Any]]) -> list[str]:
    """Markdown: each robot on stairs that it climbs, with what the picture is too small to show."""
    shown = [robot for robot in results if (ROOT / f"docs/assets/strip_{robot}.webp").is_file()]
    if not shown:
        return []
    parts = ["### Up the stairs\n"]
    for robot in shown:
        what, case = STRIPS[robot]
        touches = climb(results[robot], case)["leg_touches"] / 100  # of 100 m
        parts += [
            f"{robot}, {what}, on its feet; judged at {case} and 1 m/s, its hips, thighs and calves touched the stairs "
            f"{touches:.1f} times a metre:\n\n{picture(f'strip_{robot}')}\n"
        ]
    others = sorted(path.name for path in ROBOTS.iterdir() if path.is_dir() and path.name not in results)
    why = "[what was tried](#the-recipe-of-now-and-what-was-tried)"
    return [
        *parts,
        f"Of {', '.join(others)} there is no strip, for no policy of theirs comes with the project ({why}).\n",
    ]


def climb(result: dict[str, Any], case: str) -> dict[str, Any]:
    """The row of stairs upwards of a height, such as "9 cm"."""
    rows = noisy_rows(result, "stairs")
    return next(row for row in rows if (row["terrain"], row["case"]) == ("stairs_up", case))


def picture(name: str) -> str:
    """As docs/en/reference/results.md shows one of docs/assets."""
    return f"![{name}](../../assets/{name}.webp)"


def filmed_share(result: dict[str, Any]) -> float:
    """Share of robots that cross the stairs that README films, upwards."""
    rows = [row for row in noisy_rows(result, "stairs") if (row["terrain"], row["case"]) == ("stairs_up", "16 cm")]
    return max((row["crossed"]["mean"] for row in rows), default=0.0)


def climbing(results: dict[str, dict[str, Any]], language: str) -> str:
    """The section of a README: a line that films a policy, and the crossings upwards."""
    if not results:
        return ""
    title, intro, caption = CLIMBING[language]
    robot = max(results, key=lambda name: filmed_share(results[name]))
    policy = f"--task {robot} --checkpoint_path {robot}"  # the one in the box, whatever has been trained since
    film = f"himloco play {policy} --headless --terrain stairs_up --level 6 --command 1 0 0 --video climb.mp4"
    parts = [f"## {title}", f"{intro}\n\n```bash\n{film}\n```"]
    if rows := crossings(results, "stairs_up"):
        parts += [caption, rows.rstrip("\n")]
    return "\n\n".join(parts) + "\n\n"


def filled(text: str, results: dict[str, dict[str, Any]], language: str) -> str:
    """A README with the section on policies between its marks."""
    return MARKS.sub(lambda match: f"{match[1]}{climbing(results, language)}{match[2]}", text)


if __name__ == "__main__":
    for language, readme in READMES.items():
        readme.write_text(filled(readme.read_text(encoding="utf-8"), read_results(), language), encoding="utf-8")
