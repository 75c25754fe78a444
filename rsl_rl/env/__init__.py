"""What the learner asks of an environment."""

from rsl_rl.env.vec_env import StepResult, VecEnv

__all__ = ["StepResult", "VecEnv"]
