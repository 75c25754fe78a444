"""Where and how evaluate.py and sim2sim.py run the same trials, so that their numbers can stand side by side.

A course is 60 m long and wide; its ground changes along x only, and x = y = 0 is in the middle. Needs numpy only.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

COURSES = ("flat", "slope", "stairs")
PLATEAU, FLIGHT = 3.0, 2.4  # [m] lengths along x of level ground and of what joins it
STEP_WIDTH = 0.30  # [m] of a tread
STEP_HEIGHT = 0.1  # [m] of stairs, unless asked otherwise
SLOPE = 0.2  # rise over run of slopes, unless asked otherwise
MAP_HALF_SIZE = 30.0  # [m]
GRID = 0.1  # [m] between samples of the ground where a simulator wants them
# [m] along x from a start, either way: a robot is on the next plateau with all of its feet, and has crossed.
CROSSING = PLATEAU / 2 + FLIGHT + 0.3
STARTS_X = (0.0, PLATEAU + FLIGHT)  # [m] trials start in turn in the middle of a low and of a high plateau
MAX_STEP_HEIGHT, MAX_SLOPE = 0.5, 1.0  # [m], rise over run; beyond them a number was meant in cm or in degrees
FOOT_HEIGHT = 0.05  # [m] of the lowest link's frame, a foot's centre, above the ground at the start

TRIALS, TRIAL_S, SEED = 100, 10.0, 1  # number on each course, [s] of one, unless asked otherwise
SETTLE_S = 1.0  # [s] at the start of a trial that errors leave out: the robot lands and speeds up
FRICTION = 0.8  # of a contact
LATENCY_S = (0.0, 0.015)  # from readings to new joint targets; drawn anew in every control period
MAX_SPEED = 1.0  # [m/s], [rad/s] bound of vx, vy and the yaw rate of commands
Z_95 = 1.96  # standard errors on either side of a 95 % interval
SMALL_COMMAND = 0.2  # [m/s] slower commands mean "stand still"
FALL_FORCE = 1.0  # [N] beyond which a body touches something; of the trunk and what is fixed to it, it is a fall
MAX_TILT = math.radians(60.0)  # [rad] of the base against the vertical; beyond it the robot has fallen


def check_shape(step_height: float, slope: float = SLOPE) -> None:
    """Refuse numbers of the command line that were meant in other units."""
    if not abs(step_height) <= MAX_STEP_HEIGHT or not abs(slope) <= MAX_SLOPE:  # NaN is refused, too
        raise ValueError(
            f"--step_height is in metres, at most {MAX_STEP_HEIGHT:g}, and --slope rise over run, at most {MAX_SLOPE:g}"
        )


class Course(NamedTuple):
    """The shape of the ground."""

    name: str  # flat, slope, stairs; rough: a slope without its bumps, which are sim2sim.py's own
    step_height: float = STEP_HEIGHT
    slope: float = SLOPE

    def height(self, x: ArrayLike) -> Array:
        """Height [m] over x [m]: low and high plateaus in turn, joined by flights of stairs or by ramps."""
        half_period = PLATEAU + FLIGHT
        # distance from the middle of the nearest low plateau, 0 to half_period
        offset = np.abs((np.asarray(x, float) + half_period) % (2 * half_period) - half_period)
        climbed = np.clip(offset - PLATEAU / 2, 0.0, FLIGHT)  # [m] of the flight that are behind us
        match self.name:
            case "flat":
                return np.zeros_like(climbed)
            case "slope" | "rough":
                return self.slope * climbed
            case "stairs":
                return self.step_height * np.ceil(np.round(climbed / STEP_WIDTH, 6))
            case _:
                raise ValueError(f"unknown terrain '{self.name}'; known: flat, slope, rough, stairs")

    def samples(self) -> Array:
        """Heights [m] every GRID from -MAP_HALF_SIZE to MAP_HALF_SIZE; the one on a stair's edge is the upper tread's.

        Walls between samples of different treads, drawn at the upper sample, are then where the stairs' risers are.
        """
        x = np.linspace(-MAP_HALF_SIZE, MAP_HALF_SIZE, round(2 * MAP_HALF_SIZE / GRID) + 1)
        edge = GRID / 4 if self.name == "stairs" else 0.0
        return np.maximum(self.height(x - edge), self.height(x + edge))


def draw_commands(num: int, seed: int) -> Array:
    """Commands of trials 0, 1, …: vx, vy [m/s], yaw rate [rad/s], (num, 3). More trials begin with the same ones."""
    commands = np.random.default_rng(seed).uniform(-MAX_SPEED, MAX_SPEED, (num, 3))
    commands[np.hypot(commands[:, 0], commands[:, 1]) <= SMALL_COMMAND, :2] = 0.0
    return commands


def start_x(trial: int) -> float:
    """Where a trial starts [m]."""
    return STARTS_X[trial % len(STARTS_X)]


def settings(**changed: Any) -> dict[str, Any]:
    """All that two simulators must agree on for their errors to be comparable."""
    return {
        "trials": TRIALS,
        "seconds": TRIAL_S,
        "seed": SEED,
        "friction": FRICTION,
        "latency": list(LATENCY_S),
        "step_height": STEP_HEIGHT,
        "slope": SLOPE,
        "command": None,  # those of draw_commands
    } | changed


def wilson_half_width(share: float, num: int) -> float:
    """How far the farther end of Wilson's 95 % interval is from a share of `num` trials; unlike ±1.96 standard errors
    it does not vanish when all trials end alike."""
    z = Z_95**2 / num
    centre = (share + z / 2) / (1 + z)
    half = math.sqrt(z * share * (1 - share) + z * z / 4) / (1 + z)
    return half + abs(centre - share)
