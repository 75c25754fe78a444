"""Trials of a policy in plain C MuJoCo: one after the other, or in several processes."""

import functools
import math
import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from legged_gym.deploy import courses
from legged_gym.deploy.controller import PolicyController
from legged_gym.deploy.courses import SETTLE_S, Course
from legged_gym.deploy.mujoco_robot import Conditions, Robot, joint_names
from legged_gym.deploy.mujoco_watch import OnStep, WindowClosedError
from legged_gym.deploy.mujoco_world import CONES, IMPEDANCE, IMPRATIO, build_model

CHUNK = 5  # trials that a process does before it takes others
ENDS = ("crossed", "fell", "stuck")  # of a trial, one of them


class Trial(NamedTuple):
    """One run of one robot. Means leave out the first SETTLE_S and are NaN if it ended before."""

    command: tuple[float, float, float]  # vx, vy [m/s], yaw rate [rad/s]
    start: float  # [m] x
    end: str  # one of ENDS
    lin_vel_error: float  # [m/s] mean norm of the horizontal velocity's error, base frame
    ang_vel_error: float  # [rad/s] mean absolute error of the yaw rate
    base_height: float  # [m] mean of the base above the course
    joint_speed: float  # [rad/s] root mean square over joints and time
    path_length: float  # [m] horizontal
    cost_of_transport: float  # sum of |power| dt / (weight * path_length)
    trunk_touches: int  # times that the trunk, or a head, began to touch something after SETTLE_S
    leg_touches: int  # the same of hips, thighs and calves
    strained: bool | None  # a joint ran into its stop or was too fast (`safety.strained_joints`); None: not known


class Physics(NamedTuple):
    """Arguments of `build_model`."""

    friction: float = courses.FRICTION
    impedance: float = IMPEDANCE
    cone: str = CONES[0]
    impratio: float = IMPRATIO
    payload: float = 0.0  # [kg]


class Setup(NamedTuple):
    """A robot in its world, as any process can build it."""

    policy: Path  # policy.onnx
    urdf: Path
    course: Course
    physics: Physics = Physics()
    conditions: Conditions = Conditions()
    seed: int = courses.SEED  # of bumps
    target_margin: float | None = None  # [rad], of PolicyController


class Trials(NamedTuple):
    """Trials that differ in start, noise and, if none is given, command."""

    num: int
    seconds: float  # longest duration of each
    seed: int
    command: tuple[float, float, float] | None = None  # vx, vy [m/s], yaw rate [rad/s]; None: random ones

    def commands(self) -> list[Sequence[float]]:
        if self.command is None:
            return courses.draw_commands(self.num, self.seed).tolist()
        return [self.command] * self.num


def build_robot(setup: Setup) -> Robot:
    """The robot that a setup describes."""
    armature = PolicyController(setup.policy).metadata.get("armature", 0.0)
    options = {"seed": setup.seed, "armature": armature, **setup.physics._asdict()}
    model = build_model(setup.urdf, setup.course, **options)
    controller = PolicyController(setup.policy, joint_names(model), target_margin=setup.target_margin)
    return Robot(model, controller, setup.conditions)


def run_trial(
    robot: Robot,
    terrain: Course,
    command: Sequence[float],
    x: float,
    seconds: float,
    rng: np.random.Generator,
    on_step: OnStep | None = None,
    until_crossed: bool = True,
) -> Trial:
    """Follow one command from (x, 0) for `seconds`, until a fall or, if so wished, until the robot has crossed.

    on_step: called after every control step.
    """
    robot.reset(x)
    period, data = robot.controller.control_period_s, robot.data
    samples, path_length, end, trunk_touches, leg_touches = [], 0.0, "stuck", 0, 0
    for i in range(round(seconds / period)):
        before = data.qpos[:2].copy()
        robot.control_step(command, rng)
        if on_step is not None:
            on_step(data)
        landed = (i + 1) * period > SETTLE_S
        trunk_touches += landed * robot.trunk_touches
        leg_touches += landed * robot.leg_touches
        if robot.fallen():
            end = "fell"
            break
        path_length += float(np.linalg.norm(data.qpos[:2] - before))
        if landed:
            lin = np.linalg.norm(robot.base_lin_vel()[:2] - command[:2])
            height = data.qpos[2] - terrain.height(data.qpos[0])
            samples.append((lin, abs(data.qvel[5] - command[2]), height, np.square(data.qvel[6:]).mean()))
        if abs(data.qpos[0] - x) >= courses.CROSSING:
            end = "crossed"
            if until_crossed:
                break
    lin, ang, height, square = np.mean(samples, axis=0).tolist() if samples else [math.nan] * 4
    cost = robot.cost_of_transport(path_length)
    means = (lin, ang, height, math.sqrt(square), path_length, cost)
    return Trial(tuple(command), x, end, *means, trunk_touches, leg_touches, robot.strained)


def run_one(robot: Robot, terrain: Course, trials: Trials, index: int, on_step: OnStep | None = None) -> Trial:
    """Trial number `index`, the same whatever ran before. Odd ones start on a high plateau, the others on a low one."""
    rng = np.random.default_rng([trials.seed, index])
    command, x = trials.commands()[index], courses.start_x(index)
    # Robots with random commands go on, as those of evaluate.py --protocol sim2sim do.
    return run_trial(robot, terrain, command, x, trials.seconds, rng, on_step, trials.command is not None)


def run_trials(
    robot: Robot,
    terrain: Course,
    trials: Trials,
    on_step: OnStep | None = None,
    on_trials: Callable[[int], None] = lambda number: None,
) -> list[Trial]:
    """Trials in this process; closing the window that `on_step` draws in ends them.

    on_trials: called with the number of trials done since its last call.
    """
    done: list[Trial] = []
    for i in range(trials.num):
        try:
            done.append(run_one(robot, terrain, trials, i, on_step))
        except WindowClosedError:
            break
        on_trials(1)
    return done


def run_in_processes(
    plans: list[tuple[Setup, Trials]], workers: int, on_trials: Callable[[int], None] = lambda number: None
) -> list[list[Trial]]:
    """What `run_trials` gives for each plan, by several processes. on_trials: see there."""
    parts = [(*plan, first) for plan in plans for first in range(0, plan[1].num, CHUNK)]
    results: list[list[Trial]] = []
    # Threads of a forked process may wait for ever, so each process starts afresh; Ctrl-C is the parent's.
    ignore = (signal.SIGINT, signal.SIG_IGN)
    pool = ProcessPoolExecutor(min(workers, len(parts)), multiprocessing.get_context("spawn"), signal.signal, ignore)
    try:
        for part in pool.map(_run_part, parts):
            results.append(part)
            on_trials(len(part))
    except BrokenProcessPool as error:
        raise ValueError("a process of --workers died, perhaps for want of memory; give fewer workers") from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    taken = iter(results)
    return [[trial for _ in range(0, trials.num, CHUNK) for trial in next(taken)] for _, trials in plans]


def _run_part(part: tuple[Setup, Trials, int]) -> list[Trial]:
    """The CHUNK trials of a plan from number `first` on."""
    setup, trials, first = part
    robot = _built_robot(setup)
    return [run_one(robot, setup.course, trials, i) for i in range(first, min(first + CHUNK, trials.num))]


@functools.lru_cache(maxsize=1)
def _built_robot(setup: Setup) -> Robot:
    return build_robot(setup)


def plain(trial: Trial) -> dict[str, Any]:
    """A trial for JSON; numbers that are not finite, such as errors of a robot that fell at once, are null."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in trial._asdict().items()
    }


def summary(trials: list[Trial]) -> dict[str, Any]:
    """Shares of what became of the trials and means, with half-widths of their 95 % intervals; touches per 100 m."""
    table = {name: [getattr(trial, name) for trial in trials] for name in Trial._fields}
    shares = {end: table["end"].count(end) / len(trials) for end in ENDS}
    walked = sum(table["path_length"]) / 100  # [100 m]
    return {
        "trials": len(trials),
        **{end: {"mean": s, "half_width": courses.wilson_half_width(s, len(trials))} for end, s in shares.items()},
        "strained": None if None in table["strained"] else sum(table["strained"]) / len(trials),
        **{f"{part}_touches": sum(table[f"{part}_touches"]) / walked if walked else None for part in ("trunk", "leg")},
        **{name: estimate(table[name]) for name in Trial._fields[3:9]},
    }


def estimate(values: Sequence[float]) -> dict[str, float | None]:
    """Mean and half-width of its 95 % interval, values that are not finite left out; None: not known."""
    finite = np.array([value for value in values if math.isfinite(value)])
    half_width = courses.Z_95 * finite.std(ddof=1) / math.sqrt(len(finite)) if len(finite) > 1 else None
    return {"mean": finite.mean() if len(finite) else None, "half_width": half_width}
