"""The results of evaluate.py as Markdown and as a figure."""

import itertools
import math
from pathlib import Path
from typing import Any

from legged_gym.evaluation.protocols import PAPER_ERRORS, Estimate, Row, mean_level_reached
from legged_gym.evaluation.standing import MAX_DRIFT
from legged_gym.fonts import use_fonts_for

Results = dict[str, list[Row]]  # name of a checkpoint: its rows
FALL_ERROR = 1.0  # [m/s] that a fall counts as, so that neither standing still nor running blindly pays
PAPER_INDEX = {"lin_vel_error": 0, "ang_vel_error": 1}  # of the quantities in PAPER_ERRORS
TOUCHES = "trunk or head touches per 100 m | hip, thigh or calf touches per 100 m"  # titles of two columns
RULES = {
    "paper": "the lowest linear error averaged over all rows with noise, a trial with a fall counting as "
    f"{FALL_ERROR:g} m/s",
    "terrain": "the largest share of robots that crossed, averaged over all rows with noise",
}
RULES["stairs"] = RULES["waves"] = RULES["terrain"]
RULES["stand"] = "the largest share of robots that stood still, averaged over all rows with noise"
RULES["robustness"] = RULES["sim2sim"] = RULES["paper"]


def best_checkpoint(protocol: str, results: Results) -> str:
    """The name of the best checkpoint by the protocol's rule."""

    def cost(row: Row) -> float:
        if RULES[protocol] == RULES["terrain"]:
            return -row.crossed.mean
        if protocol == "stand":
            return -row.stood.mean
        # Without a measured error every robot fell in the first second.
        error = row.lin_vel_error.mean if math.isfinite(row.lin_vel_error.mean) else FALL_ERROR
        return (1.0 - row.fell.mean) * error + row.fell.mean * FALL_ERROR

    # A group without robots has no falls.
    judged = {
        name: [cost(row) for row in rows if row.noise and math.isfinite(row.fell.mean)]
        for name, rows in results.items()
    }
    return min(judged, key=lambda name: sum(judged[name]) / len(judged[name]))


def as_json(protocol: str, results: Results, about: dict[str, Any]) -> dict[str, Any]:
    """Everything, with estimates as {"mean", "half_width"}; numbers that were not measured are null."""
    table = {name: [_row_dict(row) for row in rows] for name, rows in results.items()}
    best = best_checkpoint(protocol, results)
    return {"protocol": protocol, **about, "rule": RULES[protocol], "best": best, "results": table}


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
    lines = [f"# Evaluation: {protocol}", "", ", ".join(f"{key} {value}" for key, value in _flat(about).items()), ""]
    if len(results) > 1:
        lines += [f"Best checkpoint: **{best_checkpoint(protocol, results)}**, by {RULES[protocol]}.", ""]
    for name, rows in results.items():
        lines += [f"## {name}", ""]
        if protocol == "terrain":
            lines += _level_table(rows)
        tables = {"paper": _paper_table, "sim2sim": _course_table, "stairs": _stairs_table, "stand": _stand_table}
        lines += tables.get(protocol, _row_table)(rows)
    return "\n".join(lines)


def _flat(about: dict[str, Any]) -> dict[str, Any]:
    """Settings, which are a dict, as items of their own; without the iterations, which the checkpoints' names tell."""
    plain = {key: value for key, value in about.items() if key not in ("settings", "iterations")}
    return plain | about.get("settings", {})


def _paper_table(rows: list[Row]) -> list[str]:
    """Errors beside the paper's."""
    lines = [
        "| terrain | command | noise | linear error [m/s] | paper | angular error [rad/s] | paper | fell "
        f"| {TOUCHES} |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        lin, ang = (_number(value, 3) for value in PAPER_ERRORS.get((row.terrain, row.case), (None, None)))
        lines.append(
            f"| {row.terrain} | {row.case} | {_yes(row.noise)} | {_estimate(row.lin_vel_error)} | {lin} "
            f"| {_estimate(row.ang_vel_error)} | {ang} | {_percent(row.fell)} | {_touches(row)} |"
        )
    return [*lines, ""]


def _course_table(rows: list[Row]) -> list[str]:
    """What sim2sim.py reports as well."""
    lines = [
        "| course | noise | fell | linear error [m/s] | angular error [rad/s] | base height [m] | joints [rad/s] "
        f"| cost of transport | {TOUCHES} |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        lines.append(
            f"| {row.terrain} | {_yes(row.noise)} | {_percent(row.fell)} | {_estimate(row.lin_vel_error)} "
            f"| {_estimate(row.ang_vel_error)} | {_estimate(row.base_height)} | {_estimate(row.joint_speed, 2)} "
            f"| {_number(_finite(row.cost_of_transport), 2)} | {_touches(row)} |"
        )
    return [*lines, ""]


def _row_table(rows: list[Row]) -> list[str]:
    """All rows with all quantities."""
    lines = [
        "| terrain | level | case | noise | crossed | fell | stuck | linear error [m/s] | angular error [rad/s] "
        f"| distance [m] | cost of transport | {TOUCHES} |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        level = "all" if row.level is None else row.level
        lines.append(
            f"| {row.terrain} | {level} | {row.case} | {_yes(row.noise)} | {_percent(row.crossed)} "
            f"| {_percent(row.fell)} | {_percent(row.stuck)} | {_estimate(row.lin_vel_error)} "
            f"| {_estimate(row.ang_vel_error)} | {_estimate(row.distance, 1)} "
            f"| {_number(_finite(row.cost_of_transport), 2)} | {_touches(row)} |"
        )
    return [*lines, ""]


def _stairs_table(rows: list[Row]) -> list[str]:
    """A line for each direction and height: with noise, and what is different without."""
    lines = [
        f"| stairs | step height | crossed | fell | stuck | linear error [m/s] | {TOUCHES} "
        "| without noise: crossed | fell | stuck | linear error [m/s] |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    quiet = {(row.terrain, row.case): row for row in rows if not row.noise}
    for row in (row for row in rows if row.noise):
        other = quiet[row.terrain, row.case]
        shares = (" | ".join(map(_percent, (own.crossed, own.fell, own.stuck))) for own in (row, other))
        errors = (_estimate(own.lin_vel_error) for own in (row, other))
        noisy, clean = (f"{share} | {error}" for share, error in zip(shares, errors, strict=True))
        lines.append(f"| {row.terrain} | {row.case} | {noisy} | {_touches(row)} | {clean} |")
    return [*lines, ""]


def _stand_table(rows: list[Row]) -> list[str]:
    """Whether robots that are told to stand do."""
    lines = [
        f"| noise | stood still (under {100 * MAX_DRIFT:g} cm, no foot lifted) | fell | drift [m] | largest drift [m] "
        "| foot lifts of a robot | base height [m] | joints [rad/s] |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        lines.append(
            f"| {_yes(row.noise)} | {_percent(row.stood)} | {_percent(row.fell)} | {_estimate(row.drift)} "
            f"| {_number(_finite(row.largest_drift), 3)} | {_estimate(row.foot_lifts, 2)} "
            f"| {_estimate(row.base_height)} | {_estimate(row.joint_speed, 2)} |"
        )
    return [*lines, ""]


def _level_table(rows: list[Row]) -> list[str]:
    """How far up each terrain type's levels the robots get."""
    levels = len({row.level for row in rows})
    lines = [f"| terrain | noise | mean level reached (of {levels}) |", "| --- | --- | --- |"]
    for terrain, noise in dict.fromkeys((row.terrain, row.noise) for row in rows):
        own = sorted((row.level, row.crossed.mean) for row in rows if (row.terrain, row.noise) == (terrain, noise))
        reached = mean_level_reached([share for _, share in own])
        lines.append(f"| {terrain} | {_yes(noise)} | {reached:.2f} |")
    return [*lines, ""]


def _touches(row: Row) -> str:
    """Cells of the columns TOUCHES."""
    return " | ".join(_number(_finite(rate), 1) for rate in (row.trunk_touches, row.leg_touches))


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
    return "–" if math.isnan(share.mean) else f"{100 * share.mean:.0f} ± {100 * share.half_width:.0f} %"


def draw_figure(protocol: str, results: Results, path: Path) -> None:
    """What became of robots over levels ("terrain") or cases ("stairs"), else errors and falls; rows with noise."""
    import matplotlib  # slow to import, and only needed here

    matplotlib.use("Agg")  # works without a display
    from matplotlib import pyplot as plt

    use_fonts_for("".join(results))
    noisy = {name: [row for row in rows if row.noise] for name, rows in results.items()}
    terrains = list(dict.fromkeys(row.terrain for rows in noisy.values() for row in rows))
    crossing = RULES[protocol] == RULES["terrain"]
    quantities = ["crossed", "fell"] if crossing else ["lin_vel_error", "ang_vel_error", "fell"]
    labels = {
        "crossed": "crossed",
        "fell": "fell",
        "lin_vel_error": "linear error [m/s]",
        "ang_vel_error": "angular error [rad/s]",
    }
    size = (3.2 * len(terrains), 2.8 * len(quantities))
    figure, axes = plt.subplots(
        len(quantities), len(terrains), figsize=size, sharey="row", squeeze=False, layout="constrained"
    )
    for (i, quantity), (j, terrain) in itertools.product(enumerate(quantities), enumerate(terrains)):
        axis = axes[i, j]
        for k, (name, rows) in enumerate(noisy.items()):
            own = [row for row in rows if row.terrain == terrain]
            cases = range(len(own)) if protocol != "terrain" else [row.level for row in own]
            x = [case + 0.15 * (k - (len(noisy) - 1) / 2) for case in cases]  # beside each other, not on top
            estimates = [getattr(row, quantity) for row in own]
            bars = [0.0 if math.isnan(value.half_width) else value.half_width for value in estimates]
            line = "-" if protocol == "terrain" else ""
            axis.errorbar(x, [value.mean for value in estimates], bars, marker="o", ls=line, capsize=2, label=name)
        if protocol == "paper" and quantity in PAPER_INDEX:
            published = [PAPER_ERRORS.get((terrain, row.case), (None, None))[PAPER_INDEX[quantity]] for row in own]
            values = [math.nan if value is None else value for value in published]
            axis.plot(list(cases), values, "kx", label="HIM (paper)")
        axis.grid(alpha=0.3)
        axis.set(title=terrain if i == 0 else "", ylabel=labels[quantity] if j == 0 else "")
        if protocol == "terrain":
            axis.set_xlabel("level")
        else:
            axis.set_xticks(list(cases), [row.case for row in own], rotation=90)
    for quantity, row_axes in zip(quantities, axes, strict=True):
        # of the whole row; once all is drawn, or the upper end would stay where it is
        row_axes[0].set_ylim(bottom=0, top=1.05 if quantity in ("fell", "crossed") else None)
    axes[0, 0].legend(fontsize="small")
    figure.savefig(path, dpi=120)
    plt.close(figure)
