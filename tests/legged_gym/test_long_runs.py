"""Training takes no more memory and no more open files the longer it runs."""

import ctypes
import gc
import mmap
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from small_envs import small_cfg

from legged_gym.envs import task_registry
from legged_gym.utils.helpers import get_args

FLAGS = ["--headless", "--sim_device", "cpu", "--num_envs", "2", "--seed", "1"]
# Of so many single iterations the lowest reading counts: what an iteration leaves to the next one varies.
NUM_READINGS = 5
MAX_WINDOWS = 3  # growth in one window is a suspicion, in so many it is a leak
# What comes and goes. In 200 iterations one object per iteration stands out, or one open file ever, or outside Python
# 1 KB per iteration of C's heap or 5 KB of anything.
NOISE = {"files": 0, "blocks": 150, "heap_kb": 200, "rss_kb": 1024}

LIBC = ctypes.CDLL(None)
pytestmark = pytest.mark.skipif(not hasattr(LIBC, "mallinfo2"), reason="only Linux with glibc 2.33 tells its memory")


class MallInfo(ctypes.Structure):
    """glibc's `struct mallinfo2`: ten sizes, the mapped bytes in the fifth and the other used ones in the eighth."""

    _fields_ = [("sizes", ctypes.c_size_t * 10)]


@pytest.fixture(autouse=True)
def _quiet_process() -> Iterator[None]:
    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()  # what is there already need not be searched at every reading
    yield
    gc.unfreeze()


class Usage(NamedTuple):
    files: int  # open file descriptors
    blocks: int  # memory blocks of Python objects, those of tensors and Warp arrays included
    heap_kb: int  # allocated by C's malloc, from which torch and Warp take the data of tensors and arrays on the CPU
    rss_kb: int  # resident memory of the process; freed memory is used again first, so small leaks show late


def usage() -> Usage:
    gc.collect()
    LIBC.mallinfo2.restype = MallInfo
    heap = LIBC.mallinfo2().sizes
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Usage(
        files=len(os.listdir("/proc/self/fd")),
        blocks=sys.getallocatedblocks(),
        heap_kb=(heap[4] + heap[7]) // 1024,
        rss_kb=pages * os.sysconf("SC_PAGE_SIZE") // 1024,
    )


class Growth(NamedTuple):
    """What is in use after some iterations beyond what was before them, in equally long windows."""

    windows: list[Usage]

    @property
    def leaks(self) -> list[str]:
        """What grew beyond the noise in every window: a cache that fills up grows once, a leak always."""
        return [name for name, noise in NOISE.items() if all(getattr(usage, name) > noise for usage in self.windows)]


def growth(run: Callable[[int], object], iterations: int, warm_up: int = 100) -> Growth:
    """Growth over so many iterations of `run`, and if something is suspected, over as many again."""

    def floor() -> Usage:
        readings = []
        for _ in range(NUM_READINGS):
            run(1)
            readings.append(usage())
        return Usage(*(min(values) for values in zip(*readings, strict=True)))

    run(warm_up)
    floors = [floor()]
    grown = Growth([])
    while not grown.windows or (len(grown.windows) < MAX_WINDOWS and grown.leaks):
        run(iterations)
        floors.append(floor())
        grown.windows.append(Usage(*(after - before for before, after in zip(*floors[-2:], strict=True))))
    return grown


def tiny_runner(engine: str, folder: Path) -> Any:
    """Two robots that take two steps and one gradient step per iteration, fall, are reset, pushed and saved."""
    args = get_args([*FLAGS, "--engine", engine])
    env_cfg, (_, train_cfg) = small_cfg("aliengo"), task_registry.get_cfgs("aliengo")
    env_cfg.terrain.num_rows, env_cfg.terrain.num_cols = 2, 2
    env_cfg.env.episode_length_s = 0.04  # two steps, so that the log's window of a hundred episodes fills up soon
    env_cfg.domain_rand.push_interval_s = 0.06
    train_cfg.runner.num_steps_per_env, train_cfg.runner.save_interval, train_cfg.runner.keep = 2, 10, 3
    train_cfg.algorithm.num_mini_batches = train_cfg.algorithm.num_learning_epochs = 1
    train_cfg.policy.actor_hidden_dims = train_cfg.policy.critic_hidden_dims = [32]
    env, _ = task_registry.make_env("aliengo", args, env_cfg, train_cfg)
    runner, _ = task_registry.make_alg_runner(env, "aliengo", args, train_cfg, log_root=None)
    runner.log_dir = folder
    return runner


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "warm_up", "iterations"), [("tree", 600, 1400), ("mujoco", 200, 200)])
def test_training_leaks_nothing(engine: str, warm_up: int, iterations: int, tmp_path: Path) -> None:
    grown = growth(tiny_runner(engine, tmp_path).learn, iterations, warm_up)
    assert grown.leaks == [], grown


def leak_a_file(kept: list[Any]) -> None:
    kept.append(os.open(os.devnull, os.O_RDONLY))


def leak_a_tensor(kept: list[Any]) -> None:
    kept.append(torch.zeros(1))


def leak_a_graph(kept: list[Any]) -> None:
    """A loss summed up for the log without `detach`: one tensor in Python, and every iteration's graph outside."""
    kept[:] = [sum(kept) + torch.ones(2000, requires_grad=True).exp().sum()]


def leak_pages(kept: list[Any]) -> None:
    kept.append(mmap.mmap(-1, 2 * mmap.PAGESIZE))
    kept[-1].write(bytes(2 * mmap.PAGESIZE))


@pytest.mark.parametrize(
    ("leak", "found"),
    [(leak_a_file, "files"), (leak_a_tensor, "blocks"), (leak_a_graph, "heap_kb"), (leak_pages, "rss_kb")],
)
def test_a_leak_is_found(leak: Callable[[list[Any]], None], found: str) -> None:
    kept: list[Any] = []

    def run(iterations: int) -> None:
        for _ in range(iterations):
            leak(kept)

    found_leaks = growth(run, iterations=200).leaks
    if leak is leak_a_file:
        for file in kept:
            os.close(file)
    assert found in found_leaks


def test_nothing_is_found_where_nothing_leaks() -> None:
    assert growth(lambda iterations: [torch.zeros(1000) for _ in range(iterations)], iterations=200).leaks == []


def test_a_cache_that_fills_up_is_suspected_but_no_leak() -> None:
    cache: list[Any] = []

    def run(iterations: int) -> None:
        for _ in range(min(iterations, 310 - len(cache))):
            leak_a_tensor(cache)

    grown = growth(run, iterations=200)
    assert grown.windows[0].blocks > NOISE["blocks"] > grown.windows[1].blocks
    assert grown.leaks == []
