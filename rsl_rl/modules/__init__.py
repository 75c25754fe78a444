"""Networks."""

from rsl_rl.modules.actor_critic import ActorCritic
from rsl_rl.modules.him_actor_critic import HIMActorCritic
from rsl_rl.modules.him_estimator import HIMEstimator

__all__ = ["ActorCritic", "HIMActorCritic", "HIMEstimator"]
