"""Methods that a GPU replays as one CUDA graph instead of launching their kernels one by one."""

from collections.abc import Callable
from typing import Any

import torch

WARM_UP_CALLS = 3  # ordinary calls before the recording, in which libraries allocate what they need


class Recorded:
    """A function without arguments that reads and writes the same tensors at every call.

    After WARM_UP_CALLS it is recorded, and from then on replayed: its Python code no longer runs, so it may not branch
    on anything but tensors. Its result, if any, lies in the same tensors at every call. Random draws stay random.
    """

    def __init__(self, function: Callable[[], Any], enabled: bool) -> None:
        """Without `enabled`, calls go straight to the function."""
        self._function = function
        self._enabled = enabled
        self._calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._result: Any = None

    def __call__(self) -> Any:
        if self._graph is not None:
            self._graph.replay()
            return self._result
        if not self._enabled or self._calls < WARM_UP_CALLS:
            self._calls += 1
            return self._function()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._result = self._function()
        graph.replay()
        self._graph = graph
        return self._result
