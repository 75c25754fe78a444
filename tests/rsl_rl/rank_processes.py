"""Processes that train together, as torchrun would start them, but faster; and what they do in test_ranks.py."""

import copy
import multiprocessing
import os
import pickle
import socket
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from point_mass import TRAIN_CFG, ResumablePointMassEnv, everything
from torch import Tensor

from rsl_rl.algorithms import HIMPPO
from rsl_rl.modules import HIMActorCritic
from rsl_rl.runners import HIMOnPolicyRunner, on_policy_runner
from rsl_rl.runners.episode_stats import EpisodeStats, EpisodeSummary
from rsl_rl.utils import ranks

TIMEOUT_S = 120
STEPS, ENVS, MINI_BATCHES = 8, 12, 4  # of the rollout in `updated`, envs over all ranks
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["rsl_rl.runners", "torch.distributed"])  # what takes seconds to import


def start_ranks(number: int, work: Callable[..., Any], *args: Any) -> list[tuple[Any, Connection]]:
    """A process for each rank, which joins the others and calls work(*args), and where its result will come from."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = []
    for rank in range(number):
        receiver, sender = _context.Pipe(duplex=False)
        process = _context.Process(target=_work_as_rank, args=(rank, number, port, sender, work, args), daemon=True)
        process.start()
        sender.close()
        started.append((process, receiver))
    return started


def run_ranks(number: int, work: Callable[..., Any], *args: Any) -> list[Any]:
    """What work(*args) returns in each of that many ranks."""
    started, results = start_ranks(number, work, *args), []
    try:
        for process, receiver in started:
            if not receiver.poll(TIMEOUT_S):
                raise TimeoutError(f"a rank has not finished after {TIMEOUT_S} s")
            results.append(pickle.loads(receiver.recv_bytes()))  # EOFError if it failed, see stderr
            process.join()
    finally:
        for process, _ in started:
            process.kill()
    return results


def _work_as_rank(
    rank: int, number: int, port: int, sender: Connection, work: Callable[..., Any], args: tuple[Any, ...]
) -> None:
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(number), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    ranks.join()
    result = work(*args)
    ranks.leave()
    sender.send_bytes(pickle.dumps(result))  # send() would pass on handles of tensors' memory, which ends here


# -- learning from given data


def updated(dtype: torch.dtype, global_assignments: bool = True) -> dict[str, Tensor]:
    """Parameters, rate and losses after an update from this rank's part of one rollout, of consecutive envs.

    Its mini-batches are such that those of all ranks together are the same whatever the number of ranks.
    """
    torch.manual_seed(0)
    policy = HIMActorCritic(27, 15, 9, 3, **TRAIN_CFG["policy"], global_assignments=global_assignments).to(dtype)
    alg = HIMPPO(policy, num_learning_epochs=2, num_mini_batches=MINI_BATCHES, mixed_precision=False)
    per_rank = ENVS // ranks.num_ranks()
    own = slice(ranks.rank() * per_rank, (ranks.rank() + 1) * per_rank)
    alg.init_storage(per_rank, STEPS, [27], [15], [3])
    storage = alg.rollout
    for name, value in vars(storage).items():
        if isinstance(value, Tensor) and value.is_floating_point():
            setattr(storage, name, torch.randn(STEPS, ENVS, value.shape[-1], dtype=dtype)[:, own])
    storage.dones = (torch.rand(STEPS, ENVS, 1) < 0.1)[:, own]
    with torch.no_grad():
        policy.update_distribution(storage.observations.flatten(0, 1))
        storage.action_mean = policy.action_mean.view_as(storage.actions) + 0.05 * storage.action_mean
        storage.action_sigma = policy.action_std.view_as(storage.actions).clone()
        storage.actions_log_prob = policy.get_actions_log_prob(storage.actions.flatten(0, 1)).view(STEPS, per_rank, 1)
    batches = torch.randperm(STEPS).view(MINI_BATCHES, -1)  # whole steps make up a mini-batch
    all_ids = torch.arange(STEPS * per_rank).view(STEPS, per_rank)
    storage.mini_batch_ids = lambda number: all_ids[batches].flatten(1)  # type: ignore[method-assign]
    storage.compute_returns(torch.randn(ENVS, 1, dtype=dtype)[own], 0.99, 0.95)
    start = [parameter.detach().clone() for parameter in policy.parameters()]
    losses = alg.update()
    changes = [(now.detach() - before).abs().max() for now, before in zip(policy.parameters(), start, strict=True)]
    assert min(changes) > 1e-4  # everything learns
    return {**policy.state_dict(), "rate": alg.lr, "losses": torch.tensor(losses), "advantages": storage.advantages}


# -- training


def make_runner(folder: Path | None, num_envs: int = 8) -> HIMOnPolicyRunner:
    torch.manual_seed(100 + ranks.rank())
    cfg = copy.deepcopy(TRAIN_CFG)
    cfg["runner"] |= {"save_interval": 2}
    return HIMOnPolicyRunner(ResumablePointMassEnv(num_envs), cfg, folder)


def parameters_after_each_update() -> tuple[list[bytes], Tensor]:
    """Bits of all parameters and of the rate after each update, and the last observations."""
    runner, seen = make_runner(None), []
    update = runner.alg.update

    def update_and_look() -> Any:
        losses = update()
        tensors = [*runner.alg.actor_critic.state_dict().values(), runner.alg.lr]
        seen.append(b"".join(tensor.numpy().tobytes() for tensor in tensors))
        return losses

    runner.alg.update = update_and_look  # type: ignore[method-assign]
    runner.learn(4)
    return seen, runner.env.get_observations()


def trained(folder: Path, iterations: int, resumed: bool = False) -> dict[str, Tensor]:
    """All numbers that the next iteration depends on."""
    runner = make_runner(folder)
    if resumed:
        torch.manual_seed(99)  # as if another program had drawn other numbers
        runner.load(folder / "model_3.pt")
    runner.learn(iterations, init_at_random_ep_len=True)
    return {name: value.clone() for name, value in everything(runner).items()}


def trained_where_a_disk_is_full(folder: Path, full_rank: int) -> tuple[int, bool]:
    """Completed iterations, and whether the last one is saved."""
    write = on_policy_runner.write_checkpoint

    def write_if_there_is_room(path: Path, contents: Any) -> None:
        if ranks.rank() == full_rank:
            raise OSError(28, "No space left on device", str(path))
        write(path, contents)

    on_policy_runner.write_checkpoint = write_if_there_is_room
    runner = make_runner(folder)
    runner.learn(1)
    return runner.current_learning_iteration, runner.is_saved


def trained_with_a_broken_reward(broken_rank: int) -> tuple[int, bool]:
    """Gradient steps left out, and whether parameters are finite, after an iteration in which a reward is NaN."""
    runner = make_runner(None)
    step = runner.env.step

    def step_with_nan(actions: Tensor) -> Any:
        result = step(actions)
        if ranks.rank() == broken_rank:
            result.rewards[0] = torch.nan
        return result

    runner.env.step = step_with_nan  # type: ignore[method-assign]
    runner.learn(1)
    return runner.alg.skipped_steps, all(p.isfinite().all() for p in runner.alg.actor_critic.parameters())


def summarized(num_envs: int) -> EpisodeSummary:
    """The summary of a rollout of that many envs, shared out to ranks."""
    generator = torch.Generator().manual_seed(3)
    per_rank = num_envs // ranks.num_ranks()
    own = slice(ranks.rank() * per_rank, (ranks.rank() + 1) * per_rank)
    stats = EpisodeStats(per_rank, 50, "cpu", step_s=0.1)
    stats.begin_rollout()
    for _ in range(50):
        rewards, chances = torch.rand(2, num_envs, generator=generator)
        dones, time_outs = (chances < 0.2)[own], (chances < 0.1)[own]
        log = {"value": rewards[own].mean(), "Faults/broken": torch.tensor(float(per_rank))}
        stats.add_step(rewards[own], dones, {"time_outs": time_outs, "log": log})
    return stats.summarize()


def talk_for_ever(errors: Path) -> None:
    """Meet the others again and again; what this process says on stderr goes to a file."""
    os.dup2(os.open(errors, os.O_WRONLY | os.O_APPEND | os.O_CREAT), sys.stderr.fileno())
    Path(f"{errors}.begun").touch()
    while True:
        ranks.gather(None)
        time.sleep(0.1)
