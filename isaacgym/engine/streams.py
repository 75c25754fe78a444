"""Where Warp's kernels run: on the stream that torch uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import warp as wp


@contextmanager
def on_torch_stream(device: wp.Device) -> Iterator[None]:
    """Order Warp's kernels with torch's: both go to the stream that torch uses now."""
    if not device.is_cuda:
        with wp.ScopedDevice(device):
            yield
        return
    stream = wp.stream_from_torch(torch.cuda.current_stream(str(device)))
    with wp.ScopedDevice(device), wp.ScopedStream(stream, sync_enter=False):
        yield
