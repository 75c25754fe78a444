"""Methods that a GPU replays as one CUDA graph instead of launching their kernels one by one."""

import os
import shutil
import sysconfig
import traceback
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

# The pass that this leaves out fails with few robots in torch 2.11 (pytorch#176591), and makes nothing faster here.
COMPILE_OPTIONS: dict[str, Any] = {"loop_ordering_after_fusion": False}
MAX_COMPILED_VERSIONS = 64  # of one Python function; torch leaves it unfused after 8, for as many shapes and strides
WARM_UP_CALLS = 3  # ordinary calls before the recording, in which libraries allocate what they need

_recording: "Recorded | None" = None  # what is being recorded now


def missing_for_fusion() -> str | None:
    """What torch.compile lacks on this machine to make kernels for a GPU; None: nothing."""
    if find_spec("triton") is None:
        return "the package triton"
    if not (os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")):
        return "a C compiler (gcc)"
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        return "Python's headers (python3-dev)"
    return None


def between_graphs(action: Callable[[], object]) -> None:
    """Call it now; or, while a function is recorded, at each replay between the graphs of what is before and after."""
    if _recording is None:
        action()
    else:
        _recording._cut(action)


class GraphSafety:
    """Base of classes whose methods may be recorded.

    A subclass may change any method, so it counts as unsafe unless it declares `graph_safe = True` itself: then its
    methods may branch on nothing but settings.
    """

    graph_safe = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.graph_safe = cls.__dict__.get("graph_safe", False)


class Recorded:
    """A function that reads and writes the same tensors at every call.

    After WARM_UP_CALLS it is recorded, and from then on replayed: its Python code no longer runs, so it may not branch
    on anything but tensors. Its result, if any, lies in the same tensors at every call. Random draws stay random.
    """

    fuses = False  # whether torch.compile fuses kernels of what is recorded
    must_fuse = True  # whether its failure is an error; else everything runs unfused after it, and a line says so

    def __init__(
        self,
        function: Callable[..., Any],
        enabled: bool,
        before_replay: Callable[[], None] | None = None,
        fusible: bool = False,
        arguments: tuple[torch.Tensor, ...] = (),
    ) -> None:
        """Without `enabled`, and while another Recorded that calls it is recorded, calls go straight to the function.

        Args:
            before_replay: called ahead of each replay, for what the function does on the host.
            fusible: torch.compile understands the function, and makes it faster.
            arguments: of the function. What torch.compile makes of it serves all that differ in them alone.
        """
        self._function = function
        self._fused = Fused(function, enabled and fusible)
        self._arguments = arguments
        self._before_replay = before_replay
        self._enabled = enabled
        self._calls = 0
        self._parts: list[Callable[[], object]] = []  # of a replay: graphs and what `between_graphs` was given
        self._capture = ExitStack()  # of the graph that is being recorded
        self._result: Any = None

    def __call__(self) -> Any:
        if not self._enabled or torch.cuda.is_current_stream_capturing():
            return self._run()
        if not self._parts and self._calls < WARM_UP_CALLS:
            self._calls += 1
            return self._warm_up()
        if not self._parts:
            self._record()
        if self._before_replay is not None:
            self._before_replay()
        for part in self._parts:
            part()
        return self._result

    def _record(self) -> None:
        global _recording
        _recording = self
        try:
            # torch.compile may not make a kernel now; what would need another one runs unfused
            with torch.compiler.set_stance("eager_on_recompile") if self.fuses else nullcontext(), self._capture:
                self._begin_graph()
                self._result = self._run()
        finally:
            _recording = None

    def _begin_graph(self, pool: Any = None) -> None:
        self._graph = torch.cuda.CUDAGraph()
        self._parts.append(self._graph.replay)
        self._capture.enter_context(torch.cuda.graph(self._graph, pool=pool, stream=self._stream))

    def _cut(self, action: Callable[[], object]) -> None:
        """End a graph, and begin another one that goes on in the same memory."""
        self._capture.close()
        self._parts.append(action)
        self._begin_graph(self._graph.pool())

    def _run(self) -> Any:
        return self._fused(*self._arguments)

    @cached_property
    def _stream(self) -> torch.cuda.Stream:
        return torch.cuda.Stream()

    def _warm_up(self) -> Any:
        """An ordinary call, on the stream of the recording: backward passes remember the stream of earlier ones."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            result = self._run()
        torch.cuda.current_stream().wait_stream(self._stream)
        return result


class Fused:
    """A function whose kernels torch.compile fuses if `Recorded.fuses`; it may have gradients.

    Arguments and results are tensors or plain tuples and lists of them: torch 2.11 fails to return other objects that
    are made inside. Without `enabled`, or where torch.compile fails, calls go straight to the function.
    """

    any_compiled = False  # whether torch.compile has succeeded with one of them

    def __init__(self, function: Callable[..., Any], enabled: bool = True) -> None:
        self._function = function
        self._enabled = enabled

    @cached_property
    def _compiled(self) -> Callable[..., Any]:
        torch._dynamo.config.recompile_limit = MAX_COMPILED_VERSIONS
        if hasattr(torch._functorch.config, "force_non_lazy_backward_lowering"):  # not in torch 2.8
            # With the forward pass, where a failure can be answered, and not in the first backward pass.
            torch._functorch.config.force_non_lazy_backward_lowering = True
        return torch.compile(self._function, options=COMPILE_OPTIONS)

    def __call__(self, *arguments: Any) -> Any:
        if not (self._enabled and Recorded.fuses):
            return self._function(*arguments)
        try:
            result = self._compiled(*arguments)
        except Exception as error:
            if not _is_of_compiler(error):
                raise
            self._give_up(error)
        else:
            Fused.any_compiled = True
            return result
        return self._function(*arguments)  # nothing of a function traced in one piece has run

    def _give_up(self, error: Exception) -> None:
        """Run this function unfused from now on; all of them, if none was fused before."""
        cause = getattr(error, "inner_exception", error)
        text = str(cause).partition("\nfrom user code:")[0].strip()  # which torch appends
        reason = (text or type(cause).__name__).splitlines()[0]
        name = getattr(self._function, "__qualname__", self._function)
        what = f"the kernels of {name}" if Fused.any_compiled else "kernels"
        message = f"torch.compile could not fuse {what} ({reason})"
        if Recorded.must_fuse:
            raise ValueError(f"{message}; run with --fusion off") from error
        self._enabled = False
        if Fused.any_compiled:
            print(f"{message}: they run unfused.", flush=True)
        else:
            Recorded.fuses = False
            print(f"{message}: going on without, and an iteration takes a quarter longer.", flush=True)


def _is_of_compiler(error: Exception) -> bool:
    """Whether it was raised while torch.compile read a function or made kernels, not while they ran.

    Assertions inside torch.compile, and more, come out as they are.
    """
    from torch._dynamo.exc import TorchDynamoException  # slow to import, and needed here only

    frames = traceback.walk_tb(error.__traceback__)
    return isinstance(error, TorchDynamoException) or any(
        frame.f_globals.get("__name__") == "torch._dynamo.convert_frame" for frame, _ in frames
    )
