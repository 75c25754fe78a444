"""What evaluate.py measures: terrains, commands and conditions, and the statistics of each group of robots."""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from legged_gym.deploy import courses
from legged_gym.envs.base.commands import CommandRanges, draw_commands
from legged_gym.evaluation.play_conditions import GROUND_FRICTION
from legged_gym.evaluation.stairs import STEP_HEIGHTS, place_on_stairs
from legged_gym.evaluation.standing import MAX_DRIFT, place_to_stand
from legged_gym.evaluation.trials import Condition, EvaluationRobots, Policy, TrialResult

NUM_LEVELS = 10
PAPER_LEVELS = (1, 2, 3, 4)  # stairs of 7 to 12 cm
GRAVITY = 9.81  # [m/s^2]
# What a friction pyramid |f1| + |f2| <= mu fn holds on average over all directions, in parts of the cone |f| <= mu fn.
PYRAMID_SHARE = 2 / math.pi * math.sqrt(2) * math.log(1 + math.sqrt(2))
WAVES_LEVELS, WAVES_FRICTION = (5,), 0.6  # friction of a contact
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


class CourseTest(NamedTuple):
    """The commands of sim2sim.py, the same on each course."""

    name: str
    seed: int

    def draw(self, num: int, device: str) -> Tensor:
        """Result: (num, 3); num: of robots, the same share on each course."""
        commands = courses.draw_commands(num // len(courses.COURSES), self.seed)
        return torch.tensor(np.tile(commands, (len(courses.COURSES), 1)), dtype=torch.float, device=device)


ONE, TWO = (-1.0, 1.0), (-2.0, 2.0)
# Sideways commands stay within the ±1 m/s of the training.
PAPER_TESTS = (
    CommandTest("lin ±1", vx=ONE, vy=ONE),
    CommandTest("lin ±2", vx=TWO, vy=ONE),
    CommandTest("ang ±1", yaw_rate=ONE),
    CommandTest("ang ±2", yaw_rate=TWO),
    CommandTest("both ±1", vx=ONE, vy=ONE, yaw_rate=ONE),
)
STAND_TEST = CommandTest("stand")
TERRAIN_TEST = CommandTest("forward 1 m/s", vx=(1.0, 1.0))
ROBUSTNESS_TEST = PAPER_TESTS[-1]
COURSE_TEST = CourseTest("both ±1", courses.SEED)
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
# Name: what it measures.
PROTOCOLS = {
    "paper": "errors beside the published ones",
    "terrain": "every terrain type and level",
    "stairs": "crossing stairs of exact heights, see --step_heights",
    "waves": f"smooth bumps at a contact friction of {WAVES_FRICTION:g}",
    "stand": "standing still on a plane: drift and foot lifts",
    "robustness": "payload, pushes, friction, a weak leg",
    "sim2sim": "the courses and commands of sim2sim.py",
}


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
    crossed: Estimate  # share of trials in which the robot left its tile without a fall
    fell: Estimate  # share of trials with a fall, see Judge
    stuck: Estimate  # share of trials with neither
    trunk_touches: float  # touches of trunk or head per 100 m of path, over all trials of the group; none of landing
    leg_touches: float  # the same of hips, thighs and calves
    distance: Estimate  # [m] from the start
    base_height: Estimate  # [m] above the ground
    joint_speed: Estimate  # [rad/s] root mean square
    cost_of_transport: float  # energy / (weight * path length), over all trials of the group
    # Of robots that are told to stand:
    foot_lifts: Estimate  # of all feet in a trial, after it has landed
    drift: Estimate  # [m] from where it landed
    largest_drift: float  # [m] over all trials of the group
    stood: Estimate  # share of trials without a fall or a lifted foot that end less than MAX_DRIFT from there


class Group(NamedTuple):
    """Robots whose results belong together."""

    terrain: str
    level: int | None
    mask: Tensor  # (N,) bool
    case: str | None = None  # None: whatever all robots do
    noise: bool | None = None  # None: as for all robots


def prepare_config(env_cfg: Any) -> None:
    """Change a task's config, in place: every terrain type at every level, the robot as built, commands from outside.

    The random start pose, the delay of the actions and the noise stay. What a fall is, is up to the Judge.
    """
    terrain, rand = env_cfg.terrain, env_cfg.domain_rand
    env_cfg.asset.terminate_after_contacts_on = []
    terrain.mesh_type, terrain.curriculum, terrain.selected = "trimesh", True, False
    terrain.static_friction = terrain.dynamic_friction = GROUND_FRICTION
    terrain.num_rows, terrain.num_cols = NUM_LEVELS, 2 * len(PAPER_TERRAINS)
    terrain.terrain_proportions = [1 / len(PAPER_TERRAINS)] * len(PAPER_TERRAINS)
    env_cfg.noise.add_noise = True
    env_cfg.commands.heading_command = env_cfg.commands.curriculum = False
    env_cfg.commands.resampling_time = env_cfg.env.episode_length_s = 1e4  # [s] longer than any trial
    for name in ("payload_mass", "com_displacement", "link_mass", "friction", "restitution", "motor_strength"):
        setattr(rand, f"randomize_{name}", False)
    rand.randomize_kp = rand.randomize_kd = rand.push_robots = rand.disturbance = False


def prepare_courses(env_cfg: Any) -> None:
    """After `prepare_config`: the courses of sim2sim.py side by side, starts at rest in the default pose."""
    terrain = env_cfg.terrain
    terrain.selected, terrain.curriculum, terrain.num_rows, terrain.num_cols = True, False, 1, len(courses.COURSES)
    shape = {"type": "course_terrain", "step_height": courses.STEP_HEIGHT, "slope": courses.SLOPE}
    terrain.terrain_kwargs = [shape | {"course": name} for name in courses.COURSES]
    terrain.terrain_length = terrain.terrain_width = 2 * courses.MAP_HALF_SIZE
    terrain.horizontal_scale = courses.GRID
    # Between the slopes and the stairs' risers, so that exactly the risers become walls.
    terrain.slope_treshold = (courses.SLOPE + courses.STEP_HEIGHT / courses.GRID) / 2
    env_cfg.domain_rand.randomize_initial_joint_pos = False


def prepare_waves(env_cfg: Any) -> None:
    """After `prepare_config`: waves at every level."""
    env_cfg.terrain.num_cols, env_cfg.terrain.terrain_proportions = 1, {"waves": 1.0}


def robot_friction(contact: float) -> float:
    """The robot's friction that gives contacts that of a cone, on average.

    Ours are pyramids, C MuJoCo's cones; the simulator averages the friction of robot and ground.
    """
    return 2 * contact / PYRAMID_SHARE - GROUND_FRICTION


def place_on_courses(robots: EvaluationRobots) -> list[Group]:
    """Put an equal share of the robots on each course, where sim2sim.py's trials start."""
    env = robots.env
    trials = env.num_envs // len(courses.COURSES)
    columns = torch.arange(env.num_envs, device=env.device) // trials
    robots.place(torch.zeros_like(columns), columns)
    x = np.array([courses.start_x(trial) for trial in range(trials)])
    shapes = [courses.Course(name) for name in courses.COURSES]
    heights = np.concatenate([shape.height(x) for shape in shapes])
    middle_x = env.env_origins[:, 0].clone()
    env.env_origins[:, 0] += torch.tensor(np.tile(x, len(shapes)), dtype=torch.float, device=env.device)
    env.env_origins[:, 2] = torch.tensor(heights, dtype=torch.float, device=env.device)
    robots.start_at_rest(courses.FOOT_HEIGHT)

    def base_heights() -> Tensor:
        x = (env.root_states[:, 0] - middle_x).cpu().numpy().reshape(len(shapes), trials)
        ground = np.stack([shape.height(own) for shape, own in zip(shapes, x, strict=True)])
        return env.root_states[:, 2] - torch.tensor(ground, dtype=torch.float, device=env.device).flatten()

    robots.base_heights = base_heights
    return [Group(name, None, columns == i) for i, name in enumerate(courses.COURSES)]


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
    robots: EvaluationRobots,
    policy: Policy,
    protocol: str,
    num_trials: int,
    seconds: float,
    levels: tuple[int, ...] | None = None,
    on_trial: Callable[[], None] = lambda: None,
    step_heights: tuple[float, ...] = STEP_HEIGHTS,
) -> Iterator[Row]:
    """Measure a policy; rows come as their groups are done.

    num_trials: of every robot in every case. levels: of the tiles; None: the protocol's own. on_trial: called after
    every trial. step_heights: [cm] that the terrain was prepared with, if the protocol is stairs.
    """
    env = robots.env
    if protocol == "sim2sim":
        groups = place_on_courses(robots)
    elif protocol == "stairs":
        cells = place_on_stairs(robots, step_heights)
        groups = [Group(cell.terrain, None, cell.mask, f"{cell.step_height:g} cm", cell.noise) for cell in cells]
    elif protocol in ("terrain", "waves"):
        members = spread(robots, levels or (WAVES_LEVELS if protocol == "waves" else tuple(range(NUM_LEVELS))))
        groups = [Group(name, level, mask) for (name, level), mask in members.items()]
    elif protocol == "stand":
        place_to_stand(robots)
        groups = [Group("plane", None, torch.ones(env.num_envs, dtype=torch.bool, device=env.device))]
    else:
        groups = paper_groups(spread(robots, levels or PAPER_LEVELS))
    stay = protocol not in ("sim2sim", "stand")
    for case, test, condition, noise in cases(protocol):
        if noise is not None:
            robots.set_noise(noise)
        robots.set_condition(condition)
        results = []
        for _ in range(num_trials):
            commands = test.draw(env.num_envs, env.device)
            results.append(robots.run_trial(policy, commands, seconds, condition.push_speed, stay))
            on_trial()
        yield from rows(results, groups, case, noise, weight=GRAVITY * (robots.mass + condition.payload))


def cases(protocol: str) -> Iterator[tuple[str, CommandTest | CourseTest, Condition, bool | None]]:
    """What a protocol runs: name, commands, condition, and whether observations are noisy (None: of some robots)."""
    if protocol == "stairs":
        yield TERRAIN_TEST.name, TERRAIN_TEST, Condition(), None
        return
    if protocol == "robustness":
        for name, condition in CONDITIONS.items():
            yield name, ROBUSTNESS_TEST, condition, True
        return
    for noise in (True, False):
        if protocol == "sim2sim":
            yield COURSE_TEST.name, COURSE_TEST, Condition(friction=robot_friction(courses.FRICTION)), noise
            continue
        if protocol == "waves":
            yield TERRAIN_TEST.name, TERRAIN_TEST, Condition(friction=robot_friction(WAVES_FRICTION)), noise
            continue
        if protocol == "stand":
            yield STAND_TEST.name, STAND_TEST, Condition(), noise
            continue
        for test in PAPER_TESTS if protocol == "paper" else (TERRAIN_TEST,):
            yield test.name, test, Condition(), noise


def rows(
    results: list[TrialResult], groups: list[Group], case: str, noise: bool | None, weight: float
) -> Iterator[Row]:
    """Statistics of each group over all trials. case, noise: of groups without their own. weight: of a robot [N]."""
    stacked = TrialResult(*(torch.stack([value.float() for value in values]) for values in zip(*results, strict=True)))
    for group in groups:
        own = TrialResult(*(values[:, group.mask] for values in stacked))  # (trials, robots of the group)
        yield Row(
            group.terrain,
            group.level,
            case if group.case is None else group.case,
            bool(noise if group.noise is None else group.noise),
            robots=int(group.mask.sum()),
            lin_vel_error=estimate(own.lin_vel_error),
            ang_vel_error=estimate(own.ang_vel_error),
            crossed=share_of(own.crossed),
            fell=share_of(own.fell),
            stuck=share_of(1.0 - own.crossed - own.fell),
            trunk_touches=(100 * own.trunk_touches.sum() / own.path_length.sum()).item(),
            leg_touches=(100 * own.leg_touches.sum() / own.path_length.sum()).item(),
            distance=estimate(own.distance),
            base_height=estimate(own.base_height),
            joint_speed=estimate(own.joint_speed),
            cost_of_transport=(own.energy.sum() / (weight * own.path_length.sum())).item(),
            foot_lifts=estimate(own.foot_lifts),
            drift=estimate(own.drift),
            largest_drift=own.drift.nan_to_num(-math.inf).max().item() if own.drift.numel() else math.nan,
            stood=share_of(((own.fell == 0) & (own.foot_lifts == 0) & (own.drift < MAX_DRIFT)).float()),
        )


def estimate(values: Tensor) -> Estimate:
    """Mean over robots of each robot's mean over its trials, NaN left out. values: (trials, robots)."""
    per_robot = values.nanmean(dim=0)
    per_robot = per_robot[~per_robot.isnan()]
    if len(per_robot) < 2:
        return Estimate(per_robot.mean().item(), math.nan)
    return Estimate(per_robot.mean().item(), courses.Z_95 * per_robot.std().item() / math.sqrt(len(per_robot)))


def share_of(values: Tensor) -> Estimate:
    """Mean of zeros and ones; its interval counts every robot once, however often it was tried. (trials, robots)."""
    share, robots = values.mean().item(), values.shape[1]
    return Estimate(share, courses.wilson_half_width(share, robots) if robots else math.nan)


def mean_level_reached(crossed_by_level: list[float]) -> float:
    """How many levels a robot passes on average if it goes on to the next after each tile it leaves on its feet.

    crossed_by_level: share of robots that leave the tile of each level, from the lowest up.
    """
    passed, total = 1.0, 0.0
    for share in crossed_by_level:
        passed *= share
        total += passed
    return total
