"""The results of evaluate.py as Markdown and as a figure."""

import math
from pathlib import Path
from typing import Any

from legged_gym.utils.protocols import PAPER_ERRORS, Estimate, Row, mean_level_reached

Results = dict[str, list[Row]]  # name of a checkpoint: its rows
SUCCESS_TIE = 0.01  # checkpoints this near to the best success are equal in it
RULE = (
    "Best checkpoint: the highest share of trials without a fall, averaged over all rows; among those within one "
    "percentage point of it, the lowest mean linear velocity error."
)


def best_checkpoint(results: Results) -> str:
    """The name of the best checkpoint by RULE."""

    def mean(name: str, quantity: str) -> float:
        values = [getattr(row, quantity).mean for row in results[name]]
        values = [value for value in values if not math.isnan(value)]
        return sum(values) / len(values) if values else math.inf

    top = max(mean(name, "success") for name in results)
    good = [name for name in results if mean(name, "success") >= top - SUCCESS_TIE]
    return min(good, key=lambda name: mean(name, "lin_vel_error"))


def as_json(results: Results, about: dict[str, Any]) -> dict[str, Any]:
    """Everything, with estimates as {"mean", "half_width"}; numbers that were not measured are null."""
    table = {name: [_row_dict(row) for row in rows] for name, rows in results.items()}
    return {**about, "rule": RULE, "best": best_checkpoint(results), "results": table}


def _row_dict(row: Row) -> dict[str, Any]:
    plain = row._asdict()
    for key, value in plain.items():
        if isinstance(value, Estimate):
            plain[key] = {name: _finite(number) for name, number in value._asdict().items()}
        elif isinstance(value, float):
            plain[key] = _finite(value)
    return plain


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def as_markdown(protocol: str, results: Results, about: dict[str, Any]) -> str:
    """The report of one protocol."""
    lines = [f"# Evaluation: {protocol}", "", ", ".join(f"{key} {value}" for key, value in about.items()), ""]
    if len(results) > 1:
        lines += [f"{RULE} Here: **{best_checkpoint(results)}**.", ""]
    for name, rows in results.items():
        lines += [f"## {name}", ""]
        if protocol == "terrain":
            lines += _level_table(rows)
        lines += _paper_table(rows) if protocol == "paper" else _row_table(rows)
    return "\n".join(lines)


def _paper_table(rows: list[Row]) -> list[str]:
    """Errors beside the paper's."""
    lines = [
        "| terrain | command | noise | linear error [m/s] | paper | angular error [rad/s] | paper | no fall |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        lin, ang = (_number(value, 3) for value in PAPER_ERRORS.get((row.terrain, row.case), (None, None)))
        lines.append(
            f"| {row.terrain} | {row.case} | {_yes(row.noise)} | {_estimate(row.lin_vel_error)} | {lin} "
            f"| {_estimate(row.ang_vel_error)} | {ang} | {_percent(row.success)} |"
        )
    return [*lines, ""]


def _row_table(rows: list[Row]) -> list[str]:
    """All rows with all quantities."""
    lines = [
        "| terrain | level | case | noise | no fall | left the tile | linear error [m/s] | angular error [rad/s] "
        "| distance [m] | cost of transport |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        level = "1–4" if row.level is None else row.level
        lines.append(
            f"| {row.terrain} | {level} | {row.case} | {_yes(row.noise)} | {_percent(row.success)} "
            f"| {_percent(row.crossed)} | {_estimate(row.lin_vel_error)} | {_estimate(row.ang_vel_error)} "
            f"| {_estimate(row.distance, 1)} | {_number(_finite(row.cost_of_transport), 2)} |"
        )
    return [*lines, ""]


def _level_table(rows: list[Row]) -> list[str]:
    """How far up each terrain type's levels the robots get."""
    lines = ["| terrain | noise | mean level reached (of 10) |", "| --- | --- | --- |"]
    for terrain, noise in dict.fromkeys((row.terrain, row.noise) for row in rows):
        own = sorted((row.level, row.crossed.mean) for row in rows if (row.terrain, row.noise) == (terrain, noise))
        reached = mean_level_reached([share for _, share in own])
        lines.append(f"| {terrain} | {_yes(noise)} | {reached:.2f} |")
    return [*lines, ""]


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _estimate(value: Estimate, digits: int = 3) -> str:
    if math.isnan(value.mean):
        return "–"
    return (
        f"{value.mean:.{digits}f}" if math.isnan(value.half_width) else "{:.{d}f} ± {:.{d}f}".format(*value, d=digits)
    )


def _percent(share: Estimate) -> str:
    return f"{100 * share.mean:.0f} %"


def draw_figure(protocol: str, results: Results, path: Path) -> None:
    """Success over levels for each terrain ("terrain"), else errors and success of every case; rows with noise."""
    import matplotlib  # slow to import, and only needed here

    matplotlib.use("Agg")  # works without a display
    from matplotlib import pyplot as plt

    noisy = {name: [row for row in rows if row.noise] for name, rows in results.items()}
    terrains = list(dict.fromkeys(row.terrain for rows in noisy.values() for row in rows))
    quantities = ["crossed", "success"] if protocol == "terrain" else ["lin_vel_error", "ang_vel_error", "success"]
    labels = {
        "crossed": "left the tile",
        "success": "no fall",
        "lin_vel_error": "linear error [m/s]",
        "ang_vel_error": "angular error [rad/s]",
    }
    size = (3.2 * len(terrains), 2.8 * len(quantities))
    figure, axes = plt.subplots(
        len(quantities), len(terrains), figsize=size, sharey="row", squeeze=False, layout="constrained"
    )
    for j, terrain in enumerate(terrains):
        for i, quantity in enumerate(quantities):
            axis = axes[i, j]
            for name, rows in noisy.items():
                own = [row for row in rows if row.terrain == terrain]
                x = [row.case if row.level is None else row.level for row in own]
                estimates = [getattr(row, quantity) for row in own]
                bars = [0.0 if math.isnan(value.half_width) else value.half_width for value in estimates]
                axis.errorbar(x, [value.mean for value in estimates], bars, marker="o", capsize=2, label=name)
            axis.grid(alpha=0.3)
            axis.set_ylim(bottom=0)
            axis.set(title=terrain if i == 0 else "", ylabel=labels[quantity] if j == 0 else "")
            if protocol == "terrain":
                axis.set_xlabel("level")
            else:
                axis.tick_params(axis="x", rotation=90)
    axes[0, 0].legend(fontsize="small")
    figure.savefig(path, dpi=120)
    plt.close(figure)
