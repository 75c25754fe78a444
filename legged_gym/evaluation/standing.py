"""Standing still for evaluate.py: told not to move, a robot should neither drift nor lift a foot."""

from typing import Any

from legged_gym.deploy.courses import FOOT_HEIGHT
from legged_gym.evaluation.trials import EvaluationRobots

STAND_S = 20.0  # [s] of a trial, the first of which counts as landing
MAX_DRIFT = 0.05  # [m] from there to the end


def prepare_stand(env_cfg: Any) -> None:
    """After `prepare_config`: a plane, and starts in the default pose."""
    env_cfg.terrain.mesh_type, env_cfg.terrain.curriculum = "plane", False
    env_cfg.domain_rand.randomize_initial_joint_pos = False


def place_to_stand(robots: EvaluationRobots) -> None:
    """Have the robots start at rest on their feet."""
    robots.start_at_rest(FOOT_HEIGHT)
