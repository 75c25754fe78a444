"""Train a policy: python legged_gym/scripts/train.py --task aliengo --headless"""

import argparse
from typing import Any

from legged_gym.envs import task_registry
from legged_gym.utils.helpers import get_args, user_errors


def prepare(args: argparse.Namespace) -> tuple[Any, Any]:
    """Build the environment and the learner. Returns the runner and its config."""
    env, _ = task_registry.make_env(name=args.task, args=args)
    runner, train_cfg = task_registry.make_alg_runner(env=env, name=args.task, args=args)
    print(
        f"Training {args.task}: {env.num_envs} envs on {args.sim_device}, "
        f"learning on {args.rl_device}, logs in {runner.log_dir}"
    )
    return runner, train_cfg


def train(args: argparse.Namespace) -> None:
    """Train the task that the command line describes; its mistakes end the program with one sentence."""
    with user_errors():
        runner, train_cfg = prepare(args)
    runner.learn(
        num_learning_iterations=train_cfg.runner.max_iterations,
        init_at_random_ep_len=train_cfg.runner.init_at_random_ep_len,
    )


if __name__ == "__main__":
    with user_errors():
        arguments = get_args()
    train(arguments)
