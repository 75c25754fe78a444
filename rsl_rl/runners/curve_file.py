"""TensorBoard curves in plain files: written at once by the caller's thread, and cut where a run goes on.

TensorBoard's own writer works in a thread, which loses what it has not written when the process dies, and dies itself
when the folder vanishes.
"""

import errno
import io
import itertools
import os
import socket
import struct
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from rsl_rl.utils.files import StrPath, write_whole

FILE_VERSION = "brain.Event:2"
TIME_SUFFIX = "/time"  # of curves over seconds instead of iterations
# A record: length (8 bytes) and its checksum (4), content, checksum of the content (4).
HEADER, CHECKSUM_SIZE = struct.Struct("<Q4x"), 4
_file_numbers = itertools.count()


class CurveFile:
    """Appends to one event file, which is created with its folder when the first curves come."""

    def __init__(self, folder: StrPath) -> None:
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{next(_file_numbers)}"
        self.path = Path(folder, name)

    def write(self, scalars: Mapping[str, tuple[float, int]]) -> None:
        """Tag → (value, step). They are in the file when this returns; the disk may refuse (OSError)."""
        self.append(
            (step, Summary(value=[Summary.Value(tag=tag, simple_value=value)]))
            for tag, (value, step) in scalars.items()
        )

    def append(self, summaries: Iterable[tuple[int, Summary]]) -> None:
        """(step, anything that TensorBoard shows) in any number, likewise."""
        wall_time = time.time()
        events = [Event(wall_time=wall_time, step=step, summary=summary) for step, summary in summaries]
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            events.insert(0, Event(wall_time=wall_time, file_version=FILE_VERSION))
        records = _records([event.SerializeToString() for event in events])
        with self.path.open("ab", buffering=0) as file:
            start = file.tell()
            if file.write(records) < len(records):  # half a record would spoil what follows it
                file.truncate(start)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))


def cut_curves(folder: StrPath, first_iteration: int) -> None:
    """Remove what the event files of a run hold of `first_iteration` and later ones, which are about to come again."""
    for path in Path(folder).glob("events.out.tfevents.*"):
        content = path.read_bytes()
        end = _end_before(content, first_iteration)
        if end < len(content):
            write_whole(path, content[:end])


def _end_before(content: bytes, first_iteration: int) -> int:
    """Offset of the first record of `first_iteration`, or of what is no record, or the end.

    A killed process or a crashed machine leaves half a record or zeros.
    """
    start = 0
    while start + HEADER.size <= len(content):
        (length,) = HEADER.unpack_from(content, start)
        end = start + HEADER.size + length + CHECKSUM_SIZE
        if end > len(content):
            break
        try:
            event = Event.FromString(content[start + HEADER.size : end - CHECKSUM_SIZE])
        except DecodeError:
            break
        over_iterations = any(not value.tag.endswith(TIME_SUFFIX) for value in event.summary.value)
        if over_iterations and event.step >= first_iteration:
            break
        start = end
    return start


def _records(contents: list[bytes]) -> bytes:
    buffer = io.BytesIO()
    writer = RecordWriter(buffer)
    for content in contents:
        writer.write(content)
    return buffer.getvalue()
