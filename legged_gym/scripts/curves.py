"""Draw curves of several runs: python -m legged_gym.scripts.curves logs/rough_aliengo -o out.png

Runs that differ only in their seed become one line, their mean, in a band from the lowest to the highest of them; it
ends where the shortest run ends, and thin lines are the runs themselves.
"""

import argparse
import fnmatch
from pathlib import Path
from typing import Any

try:
    import legged_gym  # noqa: F401
except ModuleNotFoundError:
    raise SystemExit("error: legged_gym is not installed: run `pip install -e .` in the repository's folder") from None

from isaacgym.assets.notices import counted
from legged_gym import cli
from legged_gym.fonts import use_fonts_for
from legged_gym.runs.curves import Group, Run, find_runs, group_runs, over_time, read_run, spread
from legged_gym.utils.helpers import user_errors

DEFAULT_TAGS = (
    *("Train/mean_reward", "Train/mean_episode_length", "Episode/terrain_level"),
    *("Episode/rew_tracking_lin_vel", "Train/falls_per_minute", "Loss/Estimation Loss"),
)
TITLES = {
    "Train/mean_episode_length": "Mean episode length [steps]",
    "Episode/terrain_level": "Mean terrain level",
    "Episode/rew_tracking_lin_vel": "Reward for linear tracking [1/s]",
    "Train/falls_per_minute": "Falls per robot and minute",
    "Train/mean_reward": "Mean reward of an episode",
    "Loss/Estimation Loss": "Velocity loss",
}
X_LABELS = {"iteration": "iteration", "time": "training [h]"}
PANEL_SIZE = (5.0, 3.4)  # [inch]
MAX_COLUMNS = 3
DPI = 120  # [pixels per inch]
BAND_ALPHA, RUN_ALPHA = 0.25, 0.6


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """argv: arguments without the program's name; None: those of the running program."""
    parser = argparse.ArgumentParser(prog=cli.running(), description="Draw curves of several runs")
    parser.add_argument("runs", nargs="+", type=Path, metavar="run", help="folder of a run, or a folder of runs")
    parser.add_argument("-o", "--output", type=Path, default=Path("curves.png"), help="image; default: curves.png")
    parser.add_argument(
        "--tags", nargs="+", help="TensorBoard tags or patterns, such as 'Reward/gait/*'; default: the usual ones"
    )
    parser.add_argument(
        "--x", choices=list(X_LABELS), default="iteration", help="horizontal axis; default: %(default)s"
    )
    return parser.parse_args(argv)


def read_runs(paths: list[Path]) -> list[Run]:
    """The runs in all these folders, each once; says what it reads, for it may take a while."""
    runs = []
    for folder in dict.fromkeys(folder.resolve() for path in paths for folder in find_runs(path)):
        run = read_run(folder)
        if not run.curves:
            print(f"{folder}: no curves yet")
            continue
        last = max(curve.x[-1] for curve in run.curves.values())
        print(f"{folder}: {counted(len(run.curves), 'curve')} up to iteration {last:.0f}")
        runs.append(run)
    if not runs:
        raise ValueError("none of these runs has curves yet")
    return runs


def choose_tags(runs: list[Run], wishes: list[str] | None) -> list[str]:
    """The tags to draw; a wish that no run has is a ValueError, a default tag that none has is left out."""
    known = sorted({tag for run in runs for tag in run.curves})
    chosen: dict[str, None] = {}
    for wish in wishes or DEFAULT_TAGS:
        matches = [tag for tag in known if tag == wish] or fnmatch.filter(known, wish)
        if not matches and wishes:
            raise ValueError(f"no run has the curve '{wish}'; there are: {', '.join(known)}")
        chosen |= dict.fromkeys(matches)
    if not chosen:
        raise ValueError(f"none of the usual curves is there; choose --tags from: {', '.join(known)}")
    if left_out := [tag for tag in DEFAULT_TAGS if tag not in chosen and not wishes]:
        print(f"In no run: {', '.join(left_out)}")
    return list(chosen)


def draw(groups: list[Group], tags: list[str], x: str, path: Path) -> None:
    """One panel per tag, one line per group. x: iteration or time."""
    from matplotlib.figure import Figure  # slow to import

    use_fonts_for("".join(group.label for group in groups))
    columns = min(MAX_COLUMNS, len(tags))
    rows = -(-len(tags) // columns)
    figure = Figure(figsize=(columns * PANEL_SIZE[0], rows * PANEL_SIZE[1]), dpi=DPI, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, tag in zip(axes, tags, strict=False):
        for number, group in enumerate(groups):
            draw_group(axis, group, tag, x, color=f"C{number}")
        axis.set(title=TITLES.get(tag, tag), xlabel=X_LABELS[x])
        axis.grid(alpha=0.3)
    for axis in axes[len(tags) :]:
        axis.set_axis_off()
    lines = {label: line for axis in axes for line, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(lines.values(), lines.keys(), loc="outside lower center")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)
    except OSError as error:
        raise ValueError(f"cannot write {path}: {error.strerror}") from error


def draw_group(axis: Any, group: Group, tag: str, x: str, color: str) -> None:
    """One line of a panel, in its band if there are several runs. axis: of matplotlib; x: iteration or time."""
    curves = [
        over_time(run, run.curves[tag]) if x == "time" else run.curves[tag] for run in group.runs if tag in run.curves
    ]
    if not curves:
        return
    drawn = spread(curves)
    axis.plot(drawn.x, drawn.mean, color=color, label=group.label, linewidth=1.3)
    if len(curves) == 1:
        return
    axis.fill_between(drawn.x, drawn.low, drawn.high, color=color, alpha=BAND_ALPHA, linewidth=0)
    for curve in curves:
        axis.plot(curve.x, curve.values, color=color, alpha=RUN_ALPHA, linewidth=0.6)


def main(args: argparse.Namespace) -> None:
    runs = read_runs(args.runs)
    tags, groups = choose_tags(runs, args.tags), group_runs(runs)
    for group in groups:
        for run in group.runs:
            if missing := [tag for tag in tags if tag not in run.curves]:
                print(f"Not in {run.folder.name}: {', '.join(missing)}")
    path = args.output if args.output.suffix else args.output.with_suffix(".png")
    draw(groups, tags, args.x, path)
    print(f"Drawn: {path}")


if __name__ == "__main__":
    with cli.interruptible(), user_errors():
        main(parse_args())
