"""An exported policy in another simulator: python legged_gym/scripts/sim2sim.py --policy policy.onnx --terrain stairs

Plain C MuJoCo with its own URDF reader, contacts and terrain; of the training only policy.onnx and the robot's URDF are
used. Joints are held by PD controllers at 500 Hz as on the robot, with latency and sensor noise. Ground, commands and
starts are those of `evaluate.py --protocol sim2sim`, whose report `--compare` puts beside the results.
"""

from legged_gym.deploy.offscreen import choose_opengl, has_display

choose_opengl()

import argparse
import json
import math
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import mujoco
import numpy as np

from legged_gym import LEGGED_GYM_ROOT_DIR
from legged_gym.deploy import courses
from legged_gym.deploy.controller import PolicyController
from legged_gym.deploy.courses import SETTLE_S
from legged_gym.deploy.mujoco_robot import Conditions, Robot, joint_names
from legged_gym.deploy.mujoco_watch import OnStep, WindowClosedError, video, viewer
from legged_gym.deploy.mujoco_world import IMPEDANCE, build_model
from legged_gym.files import check_writable
from legged_gym.progress import Progress

TRACKING_TOLERANCE = 0.2  # of evaluate.py's error: the goal for a policy that walks in both simulators
WALKS = 0.5  # a policy that walks has less than this share of the error of standing still
# Quantities that both scripts report, with their units.
QUANTITIES = {
    "lin_vel_error": "m/s",
    "ang_vel_error": "rad/s",
    "fell": "",
    "base_height": "m",
    "joint_speed": "rad/s",
}


class Trial(NamedTuple):
    """One run of one robot. Means leave out the first SETTLE_S and are NaN if it fell before."""

    command: tuple[float, float, float]  # vx, vy [m/s], yaw rate [rad/s]
    fell: bool  # something pressed on the trunk; the trial ends there
    lin_vel_error: float  # [m/s] mean norm of the horizontal velocity's error, base frame
    ang_vel_error: float  # [rad/s] mean absolute error of the yaw rate
    base_height: float  # [m] mean of the base above the course
    joint_speed: float  # [rad/s] root mean square over joints and time
    path_length: float  # [m] horizontal
    cost_of_transport: float  # sum of |power| dt / (weight * path_length)


# --- Trials ----------------------------------------------------------------------------------------------------------


def run_trial(
    robot: Robot,
    terrain: courses.Course,
    command: Sequence[float],
    x: float,
    seconds: float,
    rng: np.random.Generator,
    on_step: OnStep | None = None,
) -> Trial:
    """Follow one command from (x, 0) for `seconds` or until a fall; `on_step` is called after every control step."""
    robot.reset(x)
    period, data = robot.controller.control_period_s, robot.data
    samples, path_length, fell = [], 0.0, False
    for i in range(round(seconds / period)):
        before = data.qpos[:2].copy()
        robot.control_step(command, rng)
        if on_step is not None:
            on_step(data)
        fell = robot.fallen()
        if fell:
            break
        path_length += float(np.linalg.norm(data.qpos[:2] - before))
        if (i + 1) * period > SETTLE_S:
            lin = np.linalg.norm(robot.base_lin_vel()[:2] - command[:2])
            height = data.qpos[2] - terrain.height(data.qpos[0])
            samples.append((lin, abs(data.qvel[5] - command[2]), height, np.square(data.qvel[6:]).mean()))
    lin, ang, height, square = np.mean(samples, axis=0).tolist() if samples else [math.nan] * 4
    cost = robot.cost_of_transport(path_length)
    return Trial(tuple(command), fell, lin, ang, height, math.sqrt(square), path_length, cost)


def run_trials(
    robot: Robot,
    terrain: courses.Course,
    num_trials: int,
    seconds: float,
    seed: int,
    command: Sequence[float] | None = None,
    on_step: OnStep | None = None,
) -> list[Trial]:
    """Several trials, starting in turn on a low and on a high plateau. command: None: a random one for each trial."""
    rng = np.random.default_rng(seed)
    commands = courses.draw_commands(num_trials, seed).tolist() if command is None else [command] * num_trials
    progress = Progress(f"C MuJoCo, {terrain.name}", num_trials)
    trials: list[Trial] = []
    for i, wish in enumerate(commands):
        try:
            trials.append(run_trial(robot, terrain, wish, courses.start_x(i), seconds, rng, on_step))
        except WindowClosedError:
            break
        progress.add()
    return trials


def summary(trials: list[Trial]) -> dict[str, Any]:
    """Means over the trials, with half-widths of their 95 % intervals."""
    table = {name: [getattr(trial, name) for trial in trials] for name in Trial._fields if name != "command"}
    share = float(np.mean(table.pop("fell")))
    fell = {"mean": share, "half_width": courses.wilson_half_width(share, len(trials))}
    return {"trials": len(trials), "fell": fell} | {name: estimate(values) for name, values in table.items()}


def estimate(values: Sequence[float]) -> dict[str, float | None]:
    """Mean and half-width of its 95 % interval, values that are not finite left out; None: not known."""
    finite = np.array([value for value in values if math.isfinite(value)])
    half_width = courses.Z_95 * finite.std(ddof=1) / math.sqrt(len(finite)) if len(finite) > 1 else None
    return {"mean": finite.mean() if len(finite) else None, "half_width": half_width}


# --- Comparison ------------------------------------------------------------------------------------------------------


def reference_rows(path: Path, settings: dict[str, Any], noise: float, iteration: int) -> dict[str, dict[str, Any]]:
    """What `evaluate.py --protocol sim2sim` reported of the same policy under the same conditions: terrain to row."""
    if not path.is_file():
        raise FileNotFoundError(f"no report '{path}'; evaluate.py --protocol sim2sim writes one")
    report = json.loads(path.read_text(encoding="utf-8"))
    if report.get("protocol") != "sim2sim":
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


def get_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="An exported policy in plain C MuJoCo")
    parser.add_argument("--policy", help="policy.onnx; default: the newest under logs/")
    parser.add_argument("--urdf", help="robot description; default: the policy's robot in resources/robots")
    parser.add_argument("--terrain", nargs="+", default=list(courses.COURSES), help="of flat, slope, rough, stairs")
    parser.add_argument("--step_height", type=float, default=courses.STEP_HEIGHT, help="of stairs [m]")
    parser.add_argument("--slope", type=float, default=courses.SLOPE, help="rise over run of slope and rough")
    parser.add_argument("--command", type=float, nargs=3, metavar=("VX", "VY", "YAW"), help="default: random, ±1 each")
    parser.add_argument("--trials", type=int, default=courses.TRIALS, help="on each terrain")
    parser.add_argument("--seconds", type=float, default=courses.TRIAL_S, help="of a trial")
    parser.add_argument(
        "--latency",
        type=float,
        nargs=2,
        metavar=("LOW", "HIGH"),
        default=courses.LATENCY_S,
        help="from readings to new joint targets [s], drawn in every control period",
    )
    parser.add_argument("--noise", type=float, default=1.0, help="factor on the training's sensor noise")
    parser.add_argument("--friction", type=float, default=courses.FRICTION, help="of contacts")
    parser.add_argument(
        "--impedance", type=float, default=IMPEDANCE, help="of contacts, 0 to 1: soft to rigid ground; MuJoCo's is 0.95"
    )
    parser.add_argument("--seed", type=int, default=courses.SEED)
    parser.add_argument("--headless", action="store_true", help="as fast as it goes, without MuJoCo's window")
    parser.add_argument("--video", help="film the robot to this file instead; needs imageio[ffmpeg] and OpenGL")
    parser.add_argument("--compare", metavar="REPORT", help="sim2sim.json of evaluate.py --protocol sim2sim")
    parser.add_argument("--json", help="also write the results to this file")
    return parser.parse_args(argv)


def newest_policy() -> Path:
    """The policy that play.py exported last."""
    policies = Path(LEGGED_GYM_ROOT_DIR, "logs").glob("*/exported/policies/policy.onnx")
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
    if not 0 < args.impedance < 1:
        raise ValueError(f"--impedance must be between 0 and 1, got {args.impedance:g}")
    if not (args.video or args.headless or has_display()):
        raise ValueError("MuJoCo's window needs a display; without one, use --headless or --video FILE")
    if args.json:
        check_writable(args.json, "--json")


def prepare(args: argparse.Namespace) -> dict[str, tuple[courses.Course, Robot]]:
    """Check the command line and build the robot on each terrain."""
    check_args(args)
    path = Path(args.policy) if args.policy else newest_policy()
    metadata = PolicyController(path).metadata
    default_urdf = Path(LEGGED_GYM_ROOT_DIR, "resources", "robots", metadata["robot"], "urdf")
    urdf = Path(args.urdf) if args.urdf else default_urdf / f"{metadata['robot']}.urdf"
    robots = {}
    for name in args.terrain:
        course = courses.Course(name, args.step_height, args.slope)
        model = build_model(
            urdf, course, args.friction, args.seed, armature=metadata.get("armature", 0.0), impedance=args.impedance
        )
        controller = PolicyController(path, joint_order=joint_names(model))
        robots[name] = course, Robot(model, controller, Conditions(tuple(args.latency), args.noise))
    print(f"{path} (iteration {metadata['iteration']}) in C MuJoCo {mujoco.__version__}")
    return robots


def observer(args: argparse.Namespace, terrain: str, robot: Robot) -> AbstractContextManager[OnStep | None]:
    """Who watches the trials: a file, a window, or nobody."""
    if args.video:
        path = Path(args.video)
        return video(robot, path if len(args.terrain) == 1 else path.with_stem(f"{path.stem}_{terrain}"))
    return nullcontext() if args.headless else viewer(robot)


def sim2sim(args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Run the trials of the command line, print the results and return each terrain's summary."""
    robots = prepare(args)
    shared = {name: getattr(args, name) for name in courses.settings() if name != "latency"}
    settings = courses.settings(latency=list(args.latency), **shared)
    metadata = next(iter(robots.values()))[1].controller.metadata
    reference = {}
    if args.compare:
        reference = reference_rows(Path(args.compare), settings, args.noise, metadata["iteration"])
    summaries, report = {}, {}
    for name, (course, robot) in robots.items():
        with observer(args, name, robot) as on_step:
            trials = run_trials(robot, course, args.trials, args.seconds, args.seed, args.command, on_step)
        summaries[name] = result = summary(trials)
        report[name] = {"summary": result, "trials": [trial._asdict() for trial in trials]}
        print(
            f"{name}: tracking error {as_text(result['lin_vel_error'])} m/s, {as_text(result['ang_vel_error'])} rad/s; "
            f"{sum(trial.fell for trial in trials)} falls in {len(trials)} trials of {args.seconds:g} s; "
            f"base at {as_text(result['base_height'])} m; cost of transport {as_text(result['cost_of_transport'])}"
        )
    compared = [name for name in summaries if name in reference]
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
        written = {"iteration": metadata["iteration"], "noise": args.noise, "settings": settings, "terrains": report}
        Path(args.json).write_text(json.dumps(written, indent=1), encoding="utf-8")
    return summaries


def main() -> None:
    """The program; a user's mistake ends it with one sentence."""
    args = get_args()
    try:
        sim2sim(args)
    except (ValueError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from error


if __name__ == "__main__":
    main()
