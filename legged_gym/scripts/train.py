"""Train a policy: python legged_gym/scripts/train.py --task aliengo --headless"""

import argparse
import shlex
import sys
from typing import Any

from legged_gym.envs import task_registry
from legged_gym.utils.helpers import get_args, user_errors

INTERRUPTED = 130  # exit status of a program that SIGINT ended


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
    if runner.stop_request.requested and runner.log_dir is not None:
        own = [*(word for word in sys.argv if word != "--resume"), "--resume", "--load_run", runner.log_dir]
        print(f"Stopped and saved. To go on: {shlex.join(['python', *own])}")


if __name__ == "__main__":
    try:
        with user_errors():
            arguments = get_args()
        train(arguments)
    except KeyboardInterrupt:
        print("Interrupted; checkpoints saved so far are whole.", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None
