"""Unitree's bus: Cyclone DDS through its C library, with records of messages.py in and out.

The C library comes with the package cyclonedds, whose Python part is not used: in version 11.0.1 it tells the other
participants what our types look like, in a way that made those with version 0.10.5 crash, and Unitree's software is
built with 0.10.2. Without such news types match by name, which works between all of them.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.util
import os
import socket
from pathlib import Path

import numpy as np

from legged_gym.deploy.messages import Topic

HOW_TO_INSTALL = (
    "Cyclone DDS is missing: pip install cyclonedds; where PyPI has no wheel of it (aarch64), install or build its C "
    "library and set CYCLONEDDS_HOME to where it is"
)
DEPTH = 16  # messages that a reader keeps while nobody takes them
# dds_opcodes.h: how Cyclone DDS is told the members of a type.
_MEMBER, _END = 0x01 << 24, 0
_SIZE_CODE = {1: 1, 2: 2, 4: 3, 8: 4}
_STRING, _SEQUENCE, _ARRAY = 5, 7, 8

_CONFIG = """<CycloneDDS><Domain Id="any">
<General><Interfaces><NetworkInterface name="{network}" priority="default" multicast="default"/></Interfaces></General>
{discovery}</Domain></CycloneDDS>"""
# A loop-back interface has no multicast, so participants have to be looked for.
_LOOPBACK = (
    "<Discovery><ParticipantIndex>auto</ParticipantIndex><MaxAutoParticipantIndex>30</MaxAutoParticipantIndex>"
    '<Peers><Peer address="127.0.0.1"/></Peers></Discovery>'
)


class BusError(RuntimeError):
    """Cyclone DDS refused something."""


class _Meta(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_uint32)]


class _Descriptor(ctypes.Structure):
    """dds_topic_descriptor_t. Without type information, so that participants match by the type's name."""

    _fields_ = [
        ("size", ctypes.c_uint32),
        ("align", ctypes.c_uint32),
        ("flagset", ctypes.c_uint32),
        ("nkeys", ctypes.c_uint32),
        ("typename", ctypes.c_char_p),
        ("keys", ctypes.c_void_p),
        ("nops", ctypes.c_uint32),
        ("ops", ctypes.POINTER(ctypes.c_uint32)),
        ("meta", ctypes.c_char_p),
        ("type_information", _Meta),
        ("type_mapping", _Meta),
        ("restrict_data_representation", ctypes.c_uint32),
        ("mid_table_offset", ctypes.c_uint32),
    ]


class _SampleInfo(ctypes.Structure):
    """dds_sample_info_t."""

    _fields_ = [
        ("sample_state", ctypes.c_int),
        ("view_state", ctypes.c_int),
        ("instance_state", ctypes.c_int),
        ("valid_data", ctypes.c_bool),
        ("source_timestamp", ctypes.c_int64),
        ("instance_handle", ctypes.c_uint64),
        ("publication_handle", ctypes.c_uint64),
        ("ranks", ctypes.c_uint32 * 5),
    ]


class Bus:
    """A participant on one network interface and one DDS domain; a process has one bus of each domain."""

    def __init__(self, network: str, domain: int = 0) -> None:
        """network: interface, such as eth0. domain: of DDS; the robot's is 0."""
        known = [name for _, name in socket.if_nameindex()]
        if network not in known:
            raise ValueError(f"no network interface '{network}'; this computer has {', '.join(known)} (--network)")
        if not 0 <= domain <= 230:
            raise ValueError(f"a DDS domain is a number from 0 to 230, not {domain} (--domain)")
        self.network, self.domain = network, domain
        self.lib = _library()
        self._kept: list[object] = []  # what C keeps pointers to
        config = _CONFIG.format(network=network, discovery=_LOOPBACK if network.rstrip("0123456789") == "lo" else "")
        self._domain = self._checked("dds_create_domain", ctypes.c_uint32(domain), config.encode())
        self.participant = self._checked("dds_create_participant", ctypes.c_uint32(domain), None, None)

    def writer(self, topic: Topic) -> Writer:
        handle = self._checked("dds_create_writer", self.participant, self._topic(topic), None, None)
        return Writer(self, topic, handle)

    def reader(self, topic: Topic, of_others: bool = False) -> Reader:
        """of_others: deaf to what is written on this bus object."""
        qos = ctypes.c_void_p(self.lib.dds_create_qos())
        self.lib.dds_qset_history(qos, 0, DEPTH)  # keep the last
        if of_others:
            self.lib.dds_qset_ignorelocal(qos, 1)  # the same participant
        handle = self._checked("dds_create_reader", self.participant, self._topic(topic), qos, None)
        self.lib.dds_delete_qos(qos)
        return Reader(self, topic, handle)

    def close(self) -> None:
        self.lib.dds_delete(self._domain)

    def _topic(self, topic: Topic) -> int:
        instructions = [*member_ops(topic.dtype), _END]
        ops = (ctypes.c_uint32 * len(instructions))(*instructions)
        name, dtype = topic.typename.encode(), topic.dtype
        descriptor = _Descriptor(dtype.itemsize, dtype.alignment, 0, 0, name, None, len(ops), ops, b"")
        self._kept += [ops, name, descriptor]
        create = "dds_create_topic"
        return self._checked(create, self.participant, ctypes.byref(descriptor), topic.name.encode(), None, None)

    def _checked(self, function: str, *arguments: object) -> int:
        """Call a C function whose negative results are errors."""
        result = int(getattr(self.lib, function)(*arguments))
        if result < 0:
            text = self.lib.dds_strretcode(-result)
            raise BusError(f"{function} on {self.network}, domain {self.domain}: {text.decode()}")
        return result


class Writer:
    """Publishes records."""

    def __init__(self, bus: Bus, topic: Topic, handle: int) -> None:
        self._bus, self._topic, self._handle = bus, topic, handle

    def write(self, record: np.ndarray) -> None:
        """record: of the topic's dtype, shape ()."""
        if record.dtype != self._topic.dtype:
            raise TypeError(f"{self._topic.name} carries {self._topic.typename}, not {record.dtype}")
        self._bus._checked("dds_write", self._handle, ctypes.c_void_p(record.ctypes.data))

    def num_readers(self) -> int:
        """Subscribers that this writer has met."""
        return self._bus._checked("dds_get_matched_subscriptions", self._handle, None, ctypes.c_size_t(0))


class Reader:
    """Receives records."""

    def __init__(self, bus: Bus, topic: Topic, handle: int) -> None:
        self._bus, self._topic, self._handle = bus, topic, handle
        self._pointers = (ctypes.c_void_p * DEPTH)()
        self._infos = (_SampleInfo * DEPTH)()

    def take(self) -> list[np.ndarray]:
        """Records that came since the last call, oldest first. Pointers in them are no longer valid."""
        return [record for record, _ in self._take(None)]

    def take_texts(self, field: str) -> list[tuple[np.ndarray, str]]:
        """The same with the text of the member `field`, which is a STRING."""
        return self._take(field)

    def num_writers(self) -> int:
        """Publishers that this reader has met."""
        return self._bus._checked("dds_get_matched_publications", self._handle, None, ctypes.c_size_t(0))

    def _take(self, field: str | None) -> list[tuple[np.ndarray, str]]:
        self._pointers[0] = None  # asks for memory of Cyclone DDS, which is given back below
        size, most = ctypes.c_size_t(DEPTH), ctypes.c_uint32(DEPTH)
        count = self._bus._checked("dds_take", self._handle, self._pointers, self._infos, size, most)
        records = []
        for i in range(count):
            if not self._infos[i].valid_data:  # news about a writer
                continue
            memory = ctypes.string_at(self._pointers[i], self._topic.dtype.itemsize)
            record = np.frombuffer(memory, self._topic.dtype).reshape(())
            pointer = int(record[field]) if field else 0
            text = ctypes.string_at(pointer).decode("utf-8", "replace") if pointer else ""
            records.append((record, text))
        if count > 0:
            self._bus._checked("dds_return_loan", self._handle, self._pointers, count)
        return records


def member_ops(dtype: np.dtype, offset: int = 0) -> list[int]:
    """Cyclone DDS's instructions for all members of a record, in order."""
    if dtype.metadata is not None:
        code = _STRING << 16 if dtype.metadata["kind"] == "string" else _SEQUENCE << 16 | _SIZE_CODE[1] << 8
        return [_MEMBER | code, offset]
    if dtype.subdtype is not None:
        base, (count,) = dtype.subdtype
        if base.fields is None:
            return [_MEMBER | _ARRAY << 16 | _SIZE_CODE[base.itemsize] << 8, offset, count]
        return [op for i in range(count) for op in member_ops(base, offset + i * base.itemsize)]
    if dtype.fields is not None:
        members = (dtype.fields[name] for name in dtype.names or ())
        return [op for member in members for op in member_ops(member[0], offset + member[1])]
    return [_MEMBER | _SIZE_CODE[dtype.itemsize] << 16, offset]


def _library() -> ctypes.CDLL:
    """Cyclone DDS's C library, from CYCLONEDDS_HOME, the package cyclonedds or the system."""
    candidates: list[str] = []
    home, spec = os.environ.get("CYCLONEDDS_HOME"), importlib.util.find_spec("cyclonedds")
    if home:
        candidates += [str(path) for path in sorted(Path(home, "lib").rglob("libddsc.*"))]
    if spec is not None and spec.submodule_search_locations:
        package = Path(next(iter(spec.submodule_search_locations)))
        folders = (package.parent / "cyclonedds.libs", package / ".libs", package / ".dylibs")
        candidates += [str(path) for folder in folders for path in sorted(folder.glob("libddsc*"))]
    system = ctypes.util.find_library("ddsc")
    if system:
        candidates.append(system)
    if not candidates:
        raise BusError(HOW_TO_INSTALL)
    lib = ctypes.CDLL(candidates[0])
    lib.dds_create_qos.restype = ctypes.c_void_p
    lib.dds_strretcode.restype = ctypes.c_char_p
    return lib
