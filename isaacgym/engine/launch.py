"""Warp kernels on torch's tensors. torch.compile takes a launch for an operator, and traces on."""

import functools
from collections.abc import Sequence

import torch
import warp as wp
from torch import Tensor

from isaacgym.engine.streams import on_torch_stream

CACHED_ARRAYS = 256
_kernels: dict[str, wp.Kernel] = {}


def launchable(kernel: wp.Kernel) -> wp.Kernel:
    """Decorator: make a kernel known to `launch`. Its arguments are arrays that it reads, ints, arrays that it writes.

    torch.compile may move a launch past whatever does not touch its tensors, so it may not use anything else.
    """
    _kernels[kernel.key] = kernel
    return kernel


def launch(
    kernel: wp.Kernel,
    dim: Sequence[int],
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    numbers: Sequence[int] = (),
) -> None:
    """Launch a `launchable` kernel on torch's stream. dim: threads along each axis."""
    if torch.compiler.is_compiling():
        torch.ops.isaacgym.launch(kernel.key, dim, inputs, numbers, outputs)
    else:
        _launch(kernel, dim, inputs, numbers, outputs)


def _launch(
    kernel: wp.Kernel, dim: Sequence[int], inputs: Sequence[Tensor], numbers: Sequence[int], outputs: Sequence[Tensor]
) -> None:
    values = [*inputs, *numbers, *outputs]
    for index, (value, argument) in enumerate(zip(values, kernel.adj.args, strict=True)):
        if isinstance(value, Tensor):
            axes = argument.type.ndim  # vectors lie along the tensor's last axis
            strides = tuple(step * value.element_size() for step in value.stride()[:axes])
            values[index] = _array(value.data_ptr(), value.shape[:axes], strides, argument.type.dtype, value.device)
    with on_torch_stream(wp.device_from_torch(outputs[0].device)):
        wp.launch(kernel, dim=tuple(dim), inputs=values)


@functools.lru_cache(CACHED_ARRAYS)
def _array(
    address: int, shape: tuple[int, ...], strides: tuple[int, ...], dtype: type, device: torch.device
) -> wp.array:
    """Describes a tensor's memory, and does not keep it. strides: in bytes."""
    return wp.array(ptr=address or None, dtype=dtype, shape=shape, strides=strides, device=wp.device_from_torch(device))


@torch.library.custom_op("isaacgym::launch", mutates_args=("outputs",))
def _operator(
    kernel: str, dim: Sequence[int], inputs: Sequence[Tensor], numbers: Sequence[int], outputs: Sequence[Tensor]
) -> None:
    _launch(_kernels[kernel], dim, inputs, numbers, outputs)
