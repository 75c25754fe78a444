"""Does a config fit the robot's size? A new robot's config inherits numbers of others, and trains badly with them."""

from collections.abc import Iterator
from typing import Any

from isaacgym.assets.description import RobotDescription
from legged_gym.robots.kinematics import stance
from legged_gym.robots.names import matches

BASE_HEIGHT_RATIO = (0.7, 1.2)  # of the target to the standing height; published configs have 0.76 to 1.0
CLEARANCE_RATIO = (0.4, 1.0)  # of the target to the standing feet's depth below the base; published: 0.55 to 0.72
ROUNDED = 0.01  # [m] in which targets are stated
SINK = 0.01  # [m] that a start may be inside the ground
ABOVE_FEET = 0.01  # [m] that other bodies may be below the feet


def misfits(cfg: Any, robot: RobotDescription) -> Iterator[str]:
    """A sentence for every number of an environment's config that does not fit the robot in its default pose."""
    start, rewards = cfg.init_state, cfg.rewards
    feet = [name for name in robot.body_names if matches(cfg.asset.foot_name, name)]
    stands = stance(robot, start.default_joint_angles, feet, start.rot)
    if stands is None:
        return
    height = stands.height
    if start.pos[2] < height - SINK:
        yield (
            f"init_state.pos starts '{cfg.asset.name}' {height - start.pos[2]:.2f} m inside the ground: in the default "
            f"pose its '{stands.lowest_body}' reaches {height:.2f} m below the base; raise z above that"
        )
    if stands.feet_lowest > ABOVE_FEET:
        yield (
            f"in the default pose of '{cfg.asset.name}', '{stands.lowest_body}' is {stands.feet_lowest:.2f} m below "
            "the feet; correct init_state.default_joint_angles or asset.foot_name"
        )
    if getattr(rewards.scales, "base_height", 0.0) and not _within(
        rewards.base_height_target, height, BASE_HEIGHT_RATIO
    ):
        yield (
            f"rewards.base_height_target is {rewards.base_height_target:.2f} m, but '{cfg.asset.name}' stands with its "
            f"base at {height:.2f} m; set it to about that"
        )
    if getattr(rewards.scales, "foot_clearance", 0.0) and not _within(
        rewards.clearance_height_target, stands.feet_z, CLEARANCE_RATIO
    ):
        yield (
            f"rewards.clearance_height_target is {rewards.clearance_height_target:.2f} m, but the feet of "
            f"'{cfg.asset.name}' stand at {stands.feet_z:.2f} m in the base's frame; set it to about "
            f"{0.7 * stands.feet_z:.2f} m"
        )


def _within(target: float, value: float, ratios: tuple[float, float]) -> bool:
    """Whether a target is one of these shares of a value, which may be 0 or negative: of a root that is at the feet."""
    low, high = sorted(ratio * value for ratio in ratios)
    return low - ROUNDED <= target <= high + ROUNDED
