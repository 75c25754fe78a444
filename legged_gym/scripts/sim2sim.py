"""An exported policy in another simulator: python legged_gym/scripts/sim2sim.py --policy policy.onnx --terrain stairs

Plain C MuJoCo with its own contacts and terrain; of the training only policy.onnx, the robot's file and its reader are
used. Joints are held by PD controllers at 500 Hz as on the robot, with latency and sensor noise. Ground, commands and
starts are those of `evaluate.py --protocol sim2sim`, whose report `--compare` puts beside the results.

A robot fell if something pressed on its trunk, head or whatever is rigidly fixed to them, or if it tilted by more than
60°; it crossed if it reached the next plateau in time without a fall; else it got stuck. `--matrix` finds the
combination of friction, contacts, payload and direction in which the fewest robots cross stairs.
"""

try:
    import legged_gym  # noqa: F401
except ModuleNotFoundError:
    raise SystemExit("error: legged_gym is not installed: run `pip install -e .` in the repository's folder") from None

from isaacgym.assets.notices import counted
from legged_gym.deploy.offscreen import choose_opengl, has_display

choose_opengl()

import argparse
import json
import math
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from legged_gym import LEGGED_GYM_LOGS_DIR, LEGGED_GYM_ROOT_DIR, cli
from legged_gym.deploy import courses
from legged_gym.deploy.controller import PolicyController
from legged_gym.deploy.courses import SETTLE_S
from legged_gym.deploy.matrix import CELLS, VARIED, matrix_rows, matrix_table, run_matrix, worst_row
from legged_gym.deploy.mujoco_robot import Conditions, Robot
from legged_gym.deploy.mujoco_trials import (
    ENDS,
    Physics,
    Setup,
    Trial,
    Trials,
    build_robot,
    plain,
    run_in_processes,
    run_trials,
    summary,
)
from legged_gym.deploy.mujoco_watch import OnStep, check_film, video, viewer
from legged_gym.deploy.mujoco_world import CONES, IMPEDANCE, IMPRATIO
from legged_gym.deploy.task_files import task_files
from legged_gym.files import check_writable
from legged_gym.progress import Progress

TRACKING_TOLERANCE = 0.2  # of evaluate.py's error: the goal for a policy that walks in both simulators
SHAPES = {"step_height": ("stairs",), "slope": ("slope", "rough")}  # flags and the terrains that they shape
WALKS = 0.5  # a policy that walks has less than this share of the error of standing still
# Quantities that both scripts report, with their units.
QUANTITIES = {
    "lin_vel_error": "m/s",
    "ang_vel_error": "rad/s",
    "fell": "",
    "base_height": "m",
    "joint_speed": "rad/s",
}


# --- Comparison ------------------------------------------------------------------------------------------------------


def reference_rows(path: Path, settings: dict[str, Any], noise: float, iteration: int) -> dict[str, dict[str, Any]]:
    """What `evaluate.py --protocol sim2sim` reported of the same policy under the same conditions: terrain to row."""
    if not path.is_file():
        raise FileNotFoundError(f"no report '{path}'; evaluate.py --protocol sim2sim writes one")
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"--compare: {path} is no JSON report ({error})") from error
    if not isinstance(report, dict) or report.get("protocol") != "sim2sim":
        raise ValueError(f"'{path}' is no report of evaluate.py --protocol sim2sim")
    theirs = report["settings"]
    different = [name for name, value in settings.items() if theirs.get(name) != value]
    if different:
        wish = ", ".join(f"{name} {theirs.get(name)} there and {settings[name]} here" for name in different)
        raise ValueError(f"'{path}' was measured under other conditions: {wish}; give both scripts the same")
    if noise not in (0.0, 1.0):
        raise ValueError(f"evaluate.py has noise 0 and 1, so --compare needs one of these, not {noise:g}")
    names = [name for name, number in report["iterations"].items() if number == iteration]
    if not names:
        known = ", ".join(str(number) for number in report["iterations"].values())
        raise ValueError(f"'{path}' judges iteration {known}, but the policy is of iteration {iteration}")
    return {row["terrain"]: row for row in report["results"][names[0]] if row["noise"] == bool(noise)}


def comparison(terrain: str, ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """Rows of a Markdown table: both simulators' numbers and their ratio."""
    lines = []
    for name, unit in QUANTITIES.items():
        reference, value = theirs[name]["mean"], ours[name]["mean"]
        ratio = f"{value / reference:.2f}" if reference and value is not None else "–"
        quantity = f"{name} [{unit}]" if unit else name
        lines.append(f"| {terrain} | {quantity} | {as_text(theirs[name])} | {as_text(ours[name])} | {ratio} |")
    return lines


def verdict(terrain: str, ours: dict[str, Any], theirs: dict[str, Any], standing_error: float) -> str:
    """Whether the tracking error is as near to evaluate.py's as wished.

    standing_error: [m/s] of a robot that does not move; near to it, agreement means nothing.
    """
    reference, value = theirs["lin_vel_error"]["mean"], ours["lin_vel_error"]["mean"]
    if not reference or value is None:
        return f"{terrain}: nothing to compare, because every robot of one simulator fell in the first second"
    change = value / reference - 1.0
    within = "within" if abs(change) <= TRACKING_TOLERANCE else "NOT within"
    text = f"{terrain}: linear error {100 * change:+.0f} %, {within} {100 * TRACKING_TOLERANCE:.0f} % of evaluate.py's"
    if reference < WALKS * standing_error:
        return text
    return f"{text}, but it says little: the policy hardly walks (standing still has {standing_error:.2f} m/s)"


def as_text(value: dict[str, float | None]) -> str:
    if value["mean"] is None:
        return "–"
    return f"{value['mean']:.3f}" + ("" if value["half_width"] is None else f" ± {value['half_width']:.3f}")


# --- Command line ----------------------------------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=cli.running(), description="An exported policy in plain C MuJoCo")
    parser.add_argument("--policy", help="policy.onnx; default: the task's, without one the newest under logs/")
    parser.add_argument(
        "--task", help="its last export, or what comes with the project, and its robot; default: as --policy"
    )
    parser.add_argument("--task_module", help="module or .py file that registers tasks of your own")
    parser.add_argument("--urdf", help="robot description; default: the policy's robot in resources/robots")
    parser.add_argument(
        "--terrain", nargs="+", default=list(courses.COURSES), help="of flat, slope, rough, stairs; default: all"
    )
    parser.add_argument(
        "--step_height", type=float, default=courses.STEP_HEIGHT, help="of stairs [m]; default: %(default)s"
    )
    parser.add_argument(
        "--slope", type=float, default=courses.SLOPE, help="rise over run of slope and rough; default: %(default)s"
    )
    parser.add_argument(
        "--command",
        type=float,
        nargs=3,
        metavar=("VX", "VY", "YAW"),
        help="of all trials, which then end where the next plateau begins; VX below 0 walks backwards; "
        "default: random, ±1 each",
    )
    parser.add_argument("--trials", type=int, default=courses.TRIALS, help="on each terrain; default: %(default)s")
    parser.add_argument("--seconds", type=float, default=courses.TRIAL_S, help="of a trial; default: %(default)s")
    parser.add_argument(
        "--latency",
        type=float,
        nargs=2,
        metavar=("LOW", "HIGH"),
        default=courses.LATENCY_S,
        help="from readings to new joint targets [s], drawn in every control period; default: "
        + " ".join(map(str, courses.LATENCY_S)),
    )
    parser.add_argument(
        "--noise", type=float, default=1.0, help="factor on the training's sensor noise; default: %(default)s"
    )
    parser.add_argument("--friction", type=float, default=courses.FRICTION, help="of contacts; default: %(default)s")
    parser.add_argument(
        "--impedance",
        type=float,
        default=IMPEDANCE,
        help="of contacts, 0 to 1: soft to rigid ground; MuJoCo's is 0.95; default: %(default)s",
    )
    parser.add_argument("--cone", choices=CONES, default=CONES[0], help="of friction; default: %(default)s")
    parser.add_argument(
        "--impratio",
        type=float,
        default=IMPRATIO,
        help="rigidity of contacts sideways over that along the normal; default: %(default)s",
    )
    parser.add_argument("--payload", type=float, default=0.0, help="on the base [kg]; default: %(default)s")
    parser.add_argument(
        "--target_margin", type=float, help="joint targets stay so far inside the limits [rad]; default: not bounded"
    )
    parser.add_argument("--matrix", action="store_true", help=f"{len(CELLS)} combinations of these on stairs")
    parser.add_argument("--workers", type=int, help="processes of --headless and --matrix; default: one a core")
    parser.add_argument("--seed", type=int, default=courses.SEED, help="of starts and commands; default: %(default)s")
    parser.add_argument("--headless", action="store_true", help="as fast as it goes, without MuJoCo's window")
    parser.add_argument("--video", help="film the robot to this file instead; needs imageio[ffmpeg] and OpenGL")
    parser.add_argument("--compare", metavar="REPORT", help="sim2sim.json of evaluate.py --protocol sim2sim")
    parser.add_argument("--json", help="also write the results to this file")
    return parser


def get_args(argv: list[str] | None = None) -> argparse.Namespace:
    return parser().parse_args(argv)


def newest_policy() -> Path:
    """The policy that play.py exported last."""
    policies = Path(LEGGED_GYM_LOGS_DIR).glob("*/exported/policies/policy.onnx")
    newest = max(policies, key=lambda path: path.stat().st_mtime, default=None)
    if newest is None:
        raise FileNotFoundError("no policy.onnx under logs/; export one with play.py, or give --policy FILE")
    return newest


def check_args(args: argparse.Namespace) -> None:
    """Refuse what no trial can be run with."""
    low, high = args.latency
    if args.trials < 1 or args.seconds <= SETTLE_S or not 0 <= low <= high or args.noise < 0 or args.friction <= 0:
        raise ValueError(
            f"--trials must be at least 1, --seconds above {SETTLE_S:g}, --latency two rising numbers from 0 on, "
            "--noise not negative and --friction positive"
        )
    courses.check_shape(args.step_height, args.slope)
    if not 0 < args.impedance < 1:
        raise ValueError(f"--impedance must be between 0 and 1, got {args.impedance:g}")
    if not 0 < args.impratio < math.inf or not 0 <= args.payload < math.inf:
        raise ValueError("--impratio must be positive and --payload not negative")
    if args.target_margin is not None and not 0 <= args.target_margin < math.inf:
        raise ValueError(f"--target_margin must not be negative, got {args.target_margin:g}")
    if args.workers is not None and args.workers < 1:
        raise ValueError(f"--workers must be at least 1, got {args.workers}")
    if args.task_module and not args.task:
        raise ValueError("--task_module needs --task, one of those that the module registers")
    if args.workers and (args.video or not (args.headless or args.matrix)):
        raise ValueError("--workers needs --headless or --matrix: trials that one watches run one after the other")
    default = parser().get_default
    for name, terrains in SHAPES.items():
        if getattr(args, name) != default(name) and not {*terrains} & {*args.terrain}:
            raise ValueError(f"--{name} belongs to --terrain {' or '.join(terrains)}, not to {' '.join(args.terrain)}")
    if args.matrix:
        given = [name for name in (*VARIED, "slope") if getattr(args, name) != default(name)]
        given += [name for name in ("compare", "video") if getattr(args, name)]
        if given:
            raise ValueError(f"--matrix chooses conditions itself and shows none; leave out --{', --'.join(given)}")
    elif not (args.video or args.headless or has_display()):
        raise ValueError("MuJoCo's window needs a display; without one, use --headless or --video FILE")
    if args.video:
        check_film(args.video)
    if args.json:
        check_writable(args.json, "--json")


def setups(args: argparse.Namespace) -> dict[str, Setup]:
    """Check the command line; then what to build on each terrain."""
    check_args(args)
    files = task_files(args.task, args.task_module, args.policy) if args.task else None
    path = files.policy if files else Path(args.policy) if args.policy else newest_policy()
    metadata = PolicyController(path).metadata
    if files:
        if metadata["robot"] != files.name:
            raise ValueError(f"{path} is a policy of '{metadata['robot']}', but --task {args.task} is '{files.name}'")
        args.urdf = args.urdf or files.robot
    default_urdf = Path(LEGGED_GYM_ROOT_DIR, "resources", "robots", metadata["robot"], "urdf")
    urdf = Path(args.urdf) if args.urdf else default_urdf / f"{metadata['robot']}.urdf"
    if not args.urdf and not urdf.is_file():  # a robot of one's own
        raise FileNotFoundError(
            f"{path} is a policy of '{metadata['robot']}'; give its --task, or its file with --urdf"
        )
    physics = Physics(args.friction, args.impedance, args.cone, args.impratio, args.payload)
    conditions = Conditions(tuple(args.latency), args.noise)
    wanted = {}
    for name in args.terrain:
        course = courses.Course(name, args.step_height, args.slope)
        wanted[name] = Setup(path, urdf, course, physics, conditions, args.seed, args.target_margin)
    print(f"{path} (iteration {metadata['iteration']}) in C MuJoCo {mujoco.__version__}")
    return wanted


def prepare(args: argparse.Namespace) -> dict[str, tuple[courses.Course, Robot]]:
    """Check the command line and build the robot on each terrain."""
    return {name: (setup.course, build_robot(setup)) for name, setup in setups(args).items()}


def observer(args: argparse.Namespace, terrain: str, robot: Robot) -> AbstractContextManager[OnStep | None]:
    """Who watches the trials: a file, a window, or nobody."""
    if args.video:
        path = Path(args.video)
        return video(robot, path if len(args.terrain) == 1 else path.with_stem(f"{path.stem}_{terrain}"))
    return nullcontext() if args.headless else viewer(robot)


def sim2sim(args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Run the trials of the command line, print the results and return each terrain's summary."""
    wanted = setups(args)
    shared = {name: getattr(args, name) for name in courses.settings() if name != "latency"}
    settings = courses.settings(latency=list(args.latency), **shared)
    metadata = PolicyController(next(iter(wanted.values())).policy).metadata
    reference = {}
    if args.compare:
        reference = reference_rows(Path(args.compare), settings, args.noise, metadata["iteration"])
    summaries, report = {}, {}
    for name, trials in run(args, wanted).items():
        summaries[name] = result = summary(trials)
        report[name] = {"summary": result, "trials": [plain(trial) for trial in trials]}
        print(as_line(name, result, args))
    compared = [name for name in summaries if name in reference]
    if args.compare and len(compared) < len(summaries):
        print(f"Not in {args.compare}: {', '.join(name for name in summaries if name not in reference)}")
    if compared:
        print("\n| terrain | quantity | evaluate.py | sim2sim.py | ratio |\n| --- | --- | --- | --- | --- |")
        for name in compared:
            print("\n".join(comparison(name, summaries[name], reference[name])))
        commands = courses.draw_commands(args.trials, args.seed) if args.command is None else np.array([args.command])
        standing_error = float(np.linalg.norm(commands[:, :2], axis=1).mean())
        print()
        for name in compared:
            print(verdict(name, summaries[name], reference[name], standing_error))
    if args.json:
        write_json(args, {"iteration": metadata["iteration"], "settings": settings, "terrains": report})
    return summaries


def run(args: argparse.Namespace, wanted: dict[str, Setup]) -> dict[str, list[Trial]]:
    """The trials on each terrain: by several processes, unless someone watches."""
    trials = Trials(args.trials, args.seconds, args.seed, None if args.command is None else tuple(args.command))
    workers = num_workers(args)
    progress = Progress("C MuJoCo", len(wanted) * trials.num)
    if args.headless and not args.video and workers > 1:
        plans = [(setup, trials) for setup in wanted.values()]
        return dict(zip(wanted, run_in_processes(plans, workers, progress.add), strict=True))
    results = {}
    for name, setup in wanted.items():
        robot = build_robot(setup)
        with observer(args, name, robot) as on_step:
            results[name] = run_trials(robot, setup.course, trials, on_step, progress.add)
    return results


def num_workers(args: argparse.Namespace) -> int:
    """As asked for, or as many as there are cores for this process."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()  # macOS lacks it
    return args.workers or cores or 1


def as_line(terrain: str, result: dict[str, Any], args: argparse.Namespace) -> str:
    """One terrain's results."""
    ends = ENDS if args.command else ("fell",)  # what random commands lead to says nothing about climbing
    counts = ", ".join(f"{round(result['trials'] * result[end]['mean'])} {end}" for end in ends)
    touches = " and ".join(
        f"{'–' if result[key] is None else format(result[key], '.1f')} of {parts}"
        for key, parts in (("trunk_touches", "trunk or head"), ("leg_touches", "hips, thighs or calves"))
    )
    strained = "–" if result["strained"] is None else round(result["trials"] * result["strained"])
    return (
        f"{terrain}: {counts} of {counted(result['trials'], 'trial')} of {args.seconds:g} s; "
        f"{strained} with a joint that ran into its stop or was too fast; "
        f"touches per 100 m: {touches}; "
        f"tracking error {as_text(result['lin_vel_error'])} m/s, {as_text(result['ang_vel_error'])} rad/s; "
        f"base at {as_text(result['base_height'])} m; cost of transport {as_text(result['cost_of_transport'])}"
    )


def matrix(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Run every combination, print the table and its worst row, and return the rows."""
    setup = next(iter(setups(args).values()))
    trials = Trials(args.trials, args.seconds, args.seed)
    progress = Progress(f"C MuJoCo, {len(CELLS)} combinations", len(CELLS) * trials.num)
    rows = matrix_rows(run_matrix(setup, trials, num_workers(args), progress.add))
    worst = worst_row(rows)
    each = f"{counted(trials.num, 'trial')} of {trials.seconds:g} s each"
    print(f"Stairs of {100 * args.step_height:g} cm at 1 m/s, {each}\n")
    print("\n".join(matrix_table(rows)))
    print("\nWorst:\n")
    print("\n".join(matrix_table([worst])))
    if args.json:
        metadata = PolicyController(setup.policy).metadata
        settings = {name: getattr(args, name) for name in ("step_height", "trials", "seconds", "seed", "latency")}
        write_json(args, {"iteration": metadata["iteration"], "settings": settings, "matrix": rows, "worst": worst})
    return rows


def write_json(args: argparse.Namespace, report: dict[str, Any]) -> None:
    """Write a report with what all reports state."""
    contacts = {name: getattr(args, name) for name in ("impedance", "cone", "impratio", "payload")}
    if args.matrix:
        contacts = {"impedance": args.impedance}
    written = {"noise": args.noise, "contacts": contacts, "target_margin": args.target_margin} | report
    Path(args.json).write_text(json.dumps(written, indent=1), encoding="utf-8")


def main() -> None:
    """The program; a user's mistake ends it with one sentence."""
    args = get_args()
    with cli.interruptible():
        try:
            matrix(args) if args.matrix else sim2sim(args)
        except (ValueError, OSError) as error:
            print(f"error: {cli.told(error)}", file=sys.stderr)
            raise SystemExit(2) from error


if __name__ == "__main__":
    main()
