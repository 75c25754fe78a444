"""Several processes (ranks) that train one policy together, each on a device of its own, as torchrun starts them.

Without torchrun there is one rank, and what is averaged, gathered or agreed on here stays as it is. All ranks must make
the same calls in the same order. Tensors on a GPU go through NCCL, those on the CPU and Python's objects through gloo.
"""

import hashlib
import os
import re
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from rsl_rl.utils.rank_watch import RankWatch
from rsl_rl.utils.recorded import between_graphs

T = TypeVar("T")
FIRST_SPEAKS_S = 3.0
LAUNCHED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # what torchrun tells each process

traffic: Counter[int] = Counter()  # bytes of a tensor that was reduced → how often; 0: objects of Python
_watch: RankWatch | None = None


class RankLostError(RuntimeError):
    """The ranks cannot reach each other any more; stderr says so already."""


# -- coming and going


def join() -> None:
    """Meet the other ranks, if torchrun started several. Only the first one writes to the console from then on."""
    global _watch
    if dist.is_initialized() or any(name not in os.environ for name in LAUNCHED) or os.environ["WORLD_SIZE"] == "1":
        return
    if int(os.environ["RANK"]) > 0:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 -- until the process ends
    backend = "gloo"
    if torch.cuda.is_available():
        if local_rank() >= torch.cuda.device_count():
            raise ValueError(
                f"torchrun started a process for a GPU number {local_rank()} on this host, but torch finds only "
                f"{torch.cuda.device_count()}; lower --nproc_per_node"
            )
        torch.cuda.set_device(local_rank())
        backend = "cpu:gloo,cuda:nccl"
    store, own_rank, number = next(rendezvous("env://"))
    watched, _, _ = next(rendezvous("env://"))  # a connection of its own: waiting on one blocks it
    start = _name_of_start(store, own_rank, number)
    _watch = RankWatch(PrefixStore(start, watched), own_rank, number)
    dist.init_process_group(backend, store=PrefixStore(start, store), rank=own_rank, world_size=number)
    _watch.start()


def _name_of_start(store: Store, own_rank: int, number: int) -> str:
    """A name that all ranks have in common and no earlier start of them had.

    torchrun's store outlives restarts, with the addresses of processes that are gone. The first rank gives the name and
    welcomes each of the others by the word that it leaves under it; under an older name nobody does.
    """
    word = uuid.uuid4().hex
    if own_rank == 0:
        store.set("himloco/start", word)
        for other in range(1, number):
            key = f"himloco/{word}/{other}"
            store.set(f"{key}/welcome", store.get(key).decode())  # waits for it
        return word
    while True:
        start = store.get("himloco/start").decode()
        key = f"himloco/{start}/{own_rank}"
        store.set(key, word)
        for _ in range(10):
            if store.check([f"{key}/welcome"]) and store.get(f"{key}/welcome").decode() == word:
                return start
            time.sleep(0.1)


def leave() -> None:
    """Part with the other ranks at the end, once all are there."""
    if num_ranks() > 1:
        gather(None)
        if _watch is not None:
            _watch.stop()
        dist.destroy_process_group()


def let_first_speak() -> None:
    """Before a message that the first rank probably gives, too: when that one ends, torchrun ends the others."""
    if rank() > 0:
        time.sleep(FIRST_SPEAKS_S)


def rank() -> int:
    """Number of this process, from 0 up."""
    return dist.get_rank() if dist.is_initialized() else 0


def num_ranks() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def local_rank() -> int:
    """Number of this process on its host, from 0 up: its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0")) if all(name in os.environ for name in LAUNCHED) else 0


def global_ids(num_envs: int, device: torch.device | str) -> Tensor:
    """Numbers of this rank's envs among those of all ranks, (num_envs,) int64: each rank has every num_ranks-th."""
    return torch.arange(num_envs, device=device) * num_ranks() + rank()


def launcher() -> list[str]:
    """The start of a command line like this process's."""
    if num_ranks() == 1:
        return ["python"]
    local = int(os.environ.get("LOCAL_WORLD_SIZE", num_ranks()))
    hosts = [f"--nnodes={num_ranks() // local}"] if num_ranks() > local else []
    return ["torchrun", *hosts, f"--nproc_per_node={local}"]


# -- Python's objects


def gather(value: T) -> list[T]:
    """Every rank's value, in the order of ranks."""
    if num_ranks() == 1:
        return [value]
    traffic[0] += 1
    values: list[Any] = [None] * num_ranks()
    _reach(lambda: dist.all_gather_object(values, value))
    return values


def from_first(value: T) -> T:
    """The first rank's value."""
    if num_ranks() == 1:
        return value
    values = [value]
    _reach(lambda: dist.broadcast_object_list(values, src=0, device=torch.device("cpu")))
    return values[0]


def all_do(action: Callable[[], object]) -> None:
    """Call it on every rank, and go on when all have done it; if one met an OSError, all raise it."""
    if num_ranks() == 1:
        action()
        return
    problem = None
    try:
        action()
    except OSError as error:
        problem = (error.errno, error.strerror or str(error), error.filename)
    for number, met in enumerate(gather(problem)):
        if met is not None:
            code, text, name = met
            raise OSError(code, f"rank {number}: {text}", name)


# -- tensors


def add_(tensor: Tensor) -> Tensor:
    """Sum over the ranks, in place, without waiting for the device; the same bits on all ranks."""

    def reduce() -> None:
        traffic[tensor.nbytes] += 1
        _reach(lambda: dist.all_reduce(tensor))

    if num_ranks() > 1:
        # Not part of a CUDA graph: NCCL's watchdog does not see what a graph replays, so it would wait for ever.
        between_graphs(reduce)
    return tensor


def average_(tensor: Tensor) -> Tensor:
    """Mean over the ranks, likewise."""
    return tensor if num_ranks() == 1 else add_(tensor).div_(num_ranks())


def average_gradients(loss: Tensor, parameters: Sequence[nn.Parameter]) -> Tensor:
    """Replace gradients by their means over the ranks, in one piece with the loss (0-d), whose mean is returned.

    With batches of equal size these are loss and gradient of the mean over the batches of all ranks.
    """
    if num_ranks() == 1:
        return loss
    with_gradient = [parameter for parameter in parameters if parameter.grad is not None]
    flat = average_(torch.cat([loss.view(1), *(p.grad.reshape(-1) for p in with_gradient if p.grad is not None)]))
    _, *means = flat.split([1, *(p.numel() for p in with_gradient)])
    for parameter, mean in zip(with_gradient, means, strict=True):
        parameter.grad = mean.view_as(parameter)
    return flat[0]


def share_parameters(network: nn.Module) -> None:
    """Take over the first rank's parameters and buffers."""
    if num_ranks() > 1:
        for tensor in network.state_dict().values():
            _reach(partial(dist.broadcast, tensor, src=0))


def check_alike(tensors: Iterable[Tensor], what: str) -> None:
    """Raise a RuntimeError if the ranks' tensors differ in a bit."""
    if num_ranks() == 1:
        return
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    digests = gather(digest.hexdigest())
    different = [number for number, other in enumerate(digests) if other != digests[0]]
    if different:
        named = ", ".join(map(str, different))
        raise RuntimeError(f"{what} of rank {named} are no longer those of rank 0, and all should be the same")


def _reach(communicate: Callable[[], object]) -> None:
    try:
        communicate()
    except RuntimeError as error:
        reason = re.sub(r"^\[\S*\] ", "", str(error).strip()).partition(". ")[0]  # without a line of C++ and advice
        sentence = (
            f"rank {rank()} has lost contact with another rank, which probably died ({reason}); checkpoints saved so "
            "far are whole, and torchrun --max-restarts goes on from the last one by itself"
        )
        print(f"error: {sentence}", file=sys.stderr, flush=True)  # now: torchrun's SIGTERM may come at any moment
        raise RankLostError(sentence) from error
