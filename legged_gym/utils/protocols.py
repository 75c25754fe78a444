"""What evaluate.py measures: terrains, commands and conditions, and the statistics of each group of robots."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from legged_gym.envs.base.commands import CommandRanges, draw_commands
from legged_gym.utils.trials import Condition, EvaluationRobots, Policy, TrialResult

NUM_LEVELS = 10
PAPER_LEVELS = (1, 2, 3, 4)  # stairs of 7 to 12 cm
GRAVITY = 9.81  # [m/s^2]
Z_95 = 1.96  # standard errors on either side of a 95 % interval
# Terrain types of the map (legged_gym/utils/terrain.py) and the paper's name for them.
PAPER_TERRAINS = {
    "smooth_slope": "slopes",
    "rough_slope": "rough slopes",
    "stairs_up": "stairs",
    "stairs_down": "stairs",
    "discrete": "discrete",
}


class CommandTest(NamedTuple):
    """Bounds (low, high) of the commands of one test; each trial draws new ones."""

    name: str
    vx: tuple[float, float] = (0.0, 0.0)  # [m/s]
    vy: tuple[float, float] = (0.0, 0.0)  # [m/s]
    yaw_rate: tuple[float, float] = (0.0, 0.0)  # [rad/s]

    def draw(self, num: int, device: str) -> Tensor:
        """Commands by the training's rules: none too slow, none both fast and sideways. Result: (num, 3)."""
        ranges = CommandRanges(self.vx, self.vx, self.vy, self.yaw_rate, heading=(0.0, 0.0))
        return draw_commands(ranges, torch.ones(num, dtype=torch.bool, device=device))[:, :3]


ONE, TWO = (-1.0, 1.0), (-2.0, 2.0)
# Sideways commands stay within the ±1 m/s of the training.
PAPER_TESTS = (
    CommandTest("lin ±1", vx=ONE, vy=ONE),
    CommandTest("lin ±2", vx=TWO, vy=ONE),
    CommandTest("ang ±1", yaw_rate=ONE),
    CommandTest("ang ±2", yaw_rate=TWO),
    CommandTest("both ±1", vx=ONE, vy=ONE, yaw_rate=ONE),
)
TERRAIN_TEST = CommandTest("forward 1 m/s", vx=(1.0, 1.0))
ROBUSTNESS_TEST = PAPER_TESTS[-1]
# The paper's HIM column: linear error [m/s], angular error [rad/s]; None: not published.
PAPER_ERRORS: dict[tuple[str, str], tuple[float | None, float | None]] = {
    ("slopes", "lin ±1"): (0.073, None),
    ("slopes", "lin ±2"): (0.075, None),
    ("slopes", "ang ±1"): (None, 0.084),
    ("slopes", "ang ±2"): (None, 0.124),
    ("slopes", "both ±1"): (0.078, 0.047),
    ("rough slopes", "lin ±1"): (0.086, None),
    ("rough slopes", "lin ±2"): (0.085, None),
    ("rough slopes", "ang ±1"): (None, 0.097),
    ("rough slopes", "ang ±2"): (None, 0.143),
    ("rough slopes", "both ±1"): (0.088, 0.054),
    ("stairs", "lin ±1"): (0.147, None),
    ("stairs", "ang ±1"): (None, 0.087),
    ("stairs", "both ±1"): (0.135, 0.096),
    ("discrete", "lin ±1"): (0.125, None),
    ("discrete", "ang ±1"): (None, 0.083),
    ("discrete", "both ±1"): (0.125, 0.075),
}
CONDITIONS = {
    "nominal": Condition(),
    "payload 3 kg": Condition(payload=3.0),
    "payload 6 kg": Condition(payload=6.0),
    "payload 10 kg": Condition(payload=10.0),
    "pushes 0.5 m/s": Condition(push_speed=0.5),
    "pushes 1 m/s": Condition(push_speed=1.0),
    "pushes 1.5 m/s": Condition(push_speed=1.5),
    "contact friction 0.7": Condition(friction=0.4),
    "contact friction 0.55": Condition(friction=0.1),
    "one leg at 75 %": Condition(leg_strength=0.75),
    "one leg at 50 %": Condition(leg_strength=0.5),
}
PROTOCOLS = ("paper", "terrain", "robustness")


class Estimate(NamedTuple):
    """A mean over robots with the half-width of its 95 % interval; NaN where nothing was measured."""

    mean: float
    half_width: float


class Row(NamedTuple):
    """Statistics of one group of robots."""

    terrain: str
    level: int | None  # None: levels pooled
    case: str  # command test or condition
    noise: bool  # on the observations
    robots: int
    lin_vel_error: Estimate  # [m/s]
    ang_vel_error: Estimate  # [rad/s]
    success: Estimate  # share of trials without a fall
    crossed: Estimate  # share of trials in which the robot left its tile on its feet
    distance: Estimate  # [m] from the start
    cost_of_transport: float  # energy / (weight * path length), over all trials of the group


class Group(NamedTuple):
    """Robots whose results belong together."""

    terrain: str
    level: int | None
    mask: Tensor  # (N,) bool


def prepare_config(env_cfg: Any) -> None:
    """Change a task's config, in place: every terrain type at every level, the robot as built, commands from outside.

    The random start pose, the delay of the actions and the noise stay.
    """
    terrain, rand = env_cfg.terrain, env_cfg.domain_rand
    terrain.mesh_type, terrain.curriculum, terrain.selected = "trimesh", True, False
    terrain.num_rows, terrain.num_cols = NUM_LEVELS, 2 * len(PAPER_TERRAINS)
    terrain.terrain_proportions = [1 / len(PAPER_TERRAINS)] * len(PAPER_TERRAINS)
    env_cfg.noise.add_noise = True
    env_cfg.commands.heading_command = env_cfg.commands.curriculum = False
    env_cfg.commands.resampling_time = env_cfg.env.episode_length_s = 1e4  # [s] longer than any trial
    for name in ("payload_mass", "com_displacement", "link_mass", "friction", "restitution", "motor_strength"):
        setattr(rand, f"randomize_{name}", False)
    rand.randomize_kp = rand.randomize_kd = rand.push_robots = rand.disturbance = False


def spread(robots: EvaluationRobots, levels: tuple[int, ...]) -> dict[tuple[str, int], Tensor]:
    """Place the robots evenly on all types and the given levels. Result: (type, level) to mask, (N,) bool."""
    env = robots.env
    num_cols = env.cfg.terrain.num_cols
    cells = torch.arange(env.num_envs, device=env.device) % (num_cols * len(levels))
    columns, rows = cells % num_cols, torch.tensor(levels, device=env.device)[cells // num_cols]
    robots.place(rows, columns)
    names = env.terrain.tile_types[0]
    members: dict[tuple[str, int], Tensor] = {}
    for column, name in enumerate(names):
        for level in levels:
            mask = (columns == column) & (rows == level)
            members[name, level] = members.get((name, level), torch.zeros_like(mask)) | mask
    return members


def paper_groups(members: dict[tuple[str, int], Tensor]) -> list[Group]:
    """The paper's terrains, levels pooled."""
    pooled: dict[str, Tensor] = {}
    for (name, _), mask in members.items():
        terrain = PAPER_TERRAINS[name]
        pooled[terrain] = pooled.get(terrain, torch.zeros_like(mask)) | mask
    return [Group(terrain, None, mask) for terrain, mask in pooled.items()]


def run_protocol(
    robots: EvaluationRobots, policy: Policy, protocol: str, num_trials: int, seconds: float
) -> Iterator[Row]:
    """Measure a policy; rows come as their groups are done."""
    env = robots.env
    if protocol == "terrain":
        members = spread(robots, tuple(range(NUM_LEVELS)))
        groups = [Group(name, level, mask) for (name, level), mask in members.items()]
    else:
        groups = paper_groups(spread(robots, PAPER_LEVELS))
    for case, test, condition, noise in cases(protocol):
        robots.set_noise(noise)
        robots.set_condition(condition)
        results = [
            robots.run_trial(policy, test.draw(env.num_envs, env.device), seconds, condition.push_speed)
            for _ in range(num_trials)
        ]
        yield from rows(results, groups, case, noise, weight=GRAVITY * (robots.mass + condition.payload))


def cases(protocol: str) -> Iterator[tuple[str, CommandTest, Condition, bool]]:
    """What a protocol runs: name, commands, condition, and whether observations are noisy."""
    if protocol == "robustness":
        for name, condition in CONDITIONS.items():
            yield name, ROBUSTNESS_TEST, condition, True
        return
    for noise in (False, True):
        for test in PAPER_TESTS if protocol == "paper" else (TERRAIN_TEST,):
            yield test.name, test, Condition(), noise


def rows(results: list[TrialResult], groups: list[Group], case: str, noise: bool, weight: float) -> Iterator[Row]:
    """Statistics of each group over all trials. weight: of a robot [N]."""
    stacked = TrialResult(*(torch.stack([value.float() for value in values]) for values in zip(*results, strict=True)))
    for terrain, level, mask in groups:
        own = TrialResult(*(values[:, mask] for values in stacked))  # (trials, robots of the group)
        yield Row(
            terrain,
            level,
            case,
            noise,
            robots=int(mask.sum()),
            lin_vel_error=estimate(own.lin_vel_error),
            ang_vel_error=estimate(own.ang_vel_error),
            success=estimate(1.0 - own.fell),
            crossed=estimate(own.crossed),
            distance=estimate(own.distance),
            cost_of_transport=(own.energy.sum() / (weight * own.path_length.sum())).item(),
        )


def estimate(values: Tensor) -> Estimate:
    """Mean over robots of each robot's mean over its trials, NaN left out. values: (trials, robots)."""
    per_robot = values.nanmean(dim=0)
    per_robot = per_robot[~per_robot.isnan()]
    if len(per_robot) < 2:
        return Estimate(per_robot.mean().item(), math.nan)
    return Estimate(per_robot.mean().item(), Z_95 * per_robot.std().item() / math.sqrt(len(per_robot)))


def mean_level_reached(crossed_by_level: list[float]) -> float:
    """How many levels a robot passes on average if it goes on to the next after each tile it leaves on its feet.

    crossed_by_level: share of robots that leave the tile of each level, from level 0 up.
    """
    passed, total = 1.0, 0.0
    for share in crossed_by_level:
        passed *= share
        total += passed
    return total
