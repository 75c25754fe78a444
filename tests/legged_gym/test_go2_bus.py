"""Unitree's messages and bus, against a hand-written layout and against types of the package cyclonedds."""

import hashlib
import json
import os
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cyclonedds", reason="needs the package cyclonedds")

import idl_peer

from legged_gym.deploy.bus import Bus, BusError, Reader, Writer
from legged_gym.deploy.clock import LATE_S, Clock, Metronome
from legged_gym.deploy.keyboard import Keyboard
from legged_gym.deploy.messages import (
    COMMANDS,
    LOW_CMD,
    LOW_STATE,
    REQUEST,
    RESPONSE,
    STATES,
    Topic,
    checksum,
    crc32_mpeg2,
    is_command,
    is_intact,
    new_command,
    request_topic,
    response_topic,
    sealed,
)
from legged_gym.deploy.operator_input import Operator
from legged_gym.deploy.remote import Remote, decode, encode, stick_speeds

# struct's formats of the two messages in C: natural alignment, little-endian, check sum last.
LOW_CMD_C = "<4B4IH2x" + "B3x5f3I" * 20 + "4B" + "40B12B2BB" + "x2I"
LOW_STATE_C = "<4B4IH2x" + "13fB3x" + "B3x7fB3x3I" * 20 + "4BiH4B15H" + "8hI40BB3xf2B2x2f4H2I"
DOMAIN = 20 + os.getpid() % 100  # so that tests running beside these are not met
MEETING_S = 20.0  # [s] that two participants may take to find each other on a busy computer


def crc_bit_by_bit(words: tuple[int, ...]) -> int:
    register = 0xFFFFFFFF
    for word in words:
        for bit in range(31, -1, -1):
            top = register >> 31
            register = register << 1 & 0xFFFFFFFF
            if top ^ (word >> bit & 1):
                register ^= 0x04C11DB7
    return register


def filled(dtype: np.dtype, number: Callable[[str, tuple[int, ...]], Any]) -> np.ndarray:
    """A record with number(name, shape) in every member, and nothing in the gaps between them."""
    record = np.zeros((), dtype)

    def fill(part: np.ndarray) -> None:
        for name in part.dtype.names or ():
            if part.dtype[name].base.names:
                for index in np.ndindex(part[name].shape):
                    fill(part[name][index])
            else:
                part[name] = number(name, part[name].shape)

    fill(record)
    return record


def random_record(dtype: np.dtype, seed: int) -> np.ndarray:
    """Small whole numbers."""
    rng = np.random.default_rng(seed)
    return filled(dtype, lambda name, shape: rng.integers(0, 100, shape))


def numbers(record: np.ndarray) -> list[float]:
    """All numbers of a record, in order."""
    if record.dtype.names:
        parts = [record[name] for name in record.dtype.names] if record.shape == () else list(record)
        return [number for part in parts for number in numbers(part)]
    return [float(number) for number in np.atleast_1d(record)]


def test_crc_of_the_published_check_value() -> None:
    assert crc32_mpeg2(b"123456789") == 0x0376E6E7


@pytest.mark.parametrize(("dtype", "layout", "size"), [(LOW_CMD, LOW_CMD_C, 812), (LOW_STATE, LOW_STATE_C, 1180)])
def test_layout_and_check_sum_are_those_of_the_c_structs(dtype: np.dtype, layout: str, size: int) -> None:
    record = random_record(dtype, 3)
    codes = [code for code in _expanded(layout) if code != "x"]
    values = [number if code == "f" else int(number) for code, number in zip(codes, numbers(record), strict=True)]
    packed = struct.pack(layout, *values)
    assert dtype.itemsize == size and record.tobytes() == packed
    words = struct.unpack(f"<{size // 4}I", packed)
    assert checksum(record) == crc_bit_by_bit(words[:-1])


def _expanded(layout: str) -> str:
    """'2Bf' to 'BBf'."""
    codes, count = "", ""
    for char in layout[1:]:
        if char.isdigit():
            count += char
        else:
            codes, count = codes + char * int(count or 1), ""
    return codes


# What Unitree's SDK gave, unitree_sdk2py 1.0.3 (on PyPI: unitree_sdk2py_dimos) with cyclonedds 0.10.2.
SDK_DIGESTS = {  # SHA-256 of the bytes of numbered messages
    idl_peer.LowCmd: "dbff983203d23578407b87cee5517312d296f40f50ca06600cde4a0ff7180706",
    idl_peer.LowState: "899a56f1f445112a8fe9205b4a9659acb3079062192fa2314be85ef43e2bdbb9",
}
SDK_REQUEST = (
    "000100000700000000010000eb0300000000000005000000000000000300000001000000130000007b226e616d65223a20226bc3a4666572"
    "227d000000000000"
)
SDK_RESPONSE = (
    "000100000700000000010000e903000000000000830c0000130000007b226e616d65223a20226e6f726d616c227d000000000000"
)


def test_the_peers_bytes_are_those_of_unitrees_sdk() -> None:
    """The peer of the tests below, with which the bus exchanges messages, serialises as the SDK did."""
    for kind, digest in SDK_DIGESTS.items():
        message, _ = idl_peer.numbered(kind)
        assert hashlib.sha256(message.serialize()).hexdigest() == digest
    assert idl_peer.REQUEST.serialize().hex() == SDK_REQUEST
    assert idl_peer.RESPONSE.serialize().hex() == SDK_RESPONSE


@pytest.mark.parametrize(("dtype", "expected"), [(LOW_CMD, 0x5C4FFED3), (LOW_STATE, 0x59C1655C)])
def test_members_are_where_unitrees_sdk_has_those_of_their_names(dtype: np.dtype, expected: int) -> None:
    """The SDK's check sum of a message whose members are the CRC-32 of their own names, modulo 126."""
    record = filled(dtype, lambda name, shape: zlib.crc32(name.encode()) % 126)
    assert checksum(record) == expected


def test_a_new_command_is_the_one_that_unitrees_example_begins_with() -> None:
    """The SDK's check sum of what InitLowCmd of its go2_stand_example.py makes."""
    assert sealed(new_command())["crc"] == 0x06E577CD


def test_a_changed_bit_breaks_the_seal() -> None:
    command = sealed(new_command())
    assert is_command(command) and is_intact(command)
    for name, value in (("kp", 1.0), ("q", 0.5)):
        changed = command.copy()
        changed["motor_cmd"][name][3] = value
        assert not is_command(changed)
    other_level = command.copy()
    other_level["level_flag"] = 0xEE
    assert is_intact(sealed(other_level)) and not is_command(other_level)


def wait_for(reader: Reader) -> np.ndarray:
    deadline = time.monotonic() + MEETING_S
    while time.monotonic() < deadline:
        records = reader.take()
        if records:
            return records[-1]
        time.sleep(0.01)
    raise AssertionError(f"nothing came within {MEETING_S} s")


def peer(action: str, topic: Topic, domain: int) -> subprocess.Popen[str]:
    """idl_peer.py in a process of its own."""
    script = Path(__file__).with_name("idl_peer.py")
    return subprocess.Popen(
        [sys.executable, str(script), action, topic.name, "lo", str(domain)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def heard_by_peer(writer: Writer, record: np.ndarray, topic: Topic) -> list[float | str]:
    """What the peer understands of a record."""
    receiver = peer("subscribe", topic, DOMAIN)
    deadline = time.monotonic() + MEETING_S
    while receiver.poll() is None and time.monotonic() < deadline:
        writer.write(record)
        time.sleep(0.02)
    receiver.kill()  # what it cannot read may keep it from ending
    received, errors = receiver.communicate()
    assert receiver.returncode == 0 and received, errors
    return json.loads(received)


@pytest.fixture(scope="module")
def bus() -> Bus:
    return Bus("lo", DOMAIN)


def test_states_of_the_packages_own_types_arrive_whole(bus: Bus) -> None:
    reader = bus.reader(STATES)
    sender = peer("publish", STATES, DOMAIN)
    record = wait_for(reader)
    sent, errors = sender.communicate(timeout=60)
    assert sender.returncode == 0, errors
    assert numbers(record) == json.loads(sent)


def test_commands_reach_the_packages_own_types_whole(bus: Bus) -> None:
    writer, record = bus.writer(COMMANDS), random_record(LOW_CMD, 7)
    assert heard_by_peer(writer, record, COMMANDS) == numbers(record)


def test_requests_reach_the_packages_own_types_whole(bus: Bus) -> None:
    topic = request_topic("echo")
    writer, request = bus.writer(topic), np.zeros((), REQUEST)
    text = np.frombuffer(idl_peer.REQUEST.parameter.encode() + b"\0", np.uint8)
    request["identity"], request["lease_id"], request["priority"] = (2**40 + 7, 1003), 5, 3
    request["noreply"], request["parameter"] = True, text.ctypes.data
    assert heard_by_peer(writer, request, topic) == idl_peer.flat(idl_peer.REQUEST)


def test_responses_of_the_packages_own_types_arrive_whole(bus: Bus) -> None:
    topic = response_topic("echo")
    reader, sender = bus.reader(topic), peer("publish", topic, DOMAIN)
    deadline, heard = time.monotonic() + MEETING_S, []
    while not heard and time.monotonic() < deadline:
        time.sleep(0.02)
        heard = reader.take_texts("data")
    _, errors = sender.communicate(timeout=60)
    assert sender.returncode == 0, errors
    response, data = heard[0]
    assert response.dtype == RESPONSE and [*response["identity"].item(), response["code"], data] == idl_peer.flat(
        idl_peer.RESPONSE
    )


def test_texts_arrive(bus: Bus) -> None:
    topic = request_topic("echo")
    writer, reader = bus.writer(topic), bus.reader(topic)
    text = np.frombuffer('{"name": "käfer"}'.encode() + b"\0", np.uint8)
    request = np.zeros((), REQUEST)
    request["identity"]["api_id"], request["parameter"] = 1001, text.ctypes.data
    deadline, heard = time.monotonic() + MEETING_S, []
    while not heard and time.monotonic() < deadline:
        writer.write(request)
        time.sleep(0.02)
        heard = reader.take_texts("parameter")
    record, parameter = heard[0]
    assert record["identity"]["api_id"] == 1001 and parameter == '{"name": "käfer"}'


@pytest.mark.parametrize("place", ["domain", "network"])
def test_another_domain_or_network_hears_nothing(bus: Bus, place: str) -> None:
    """While a listener on the same domain and network hears everything."""
    others = [name for _, name in socket.if_nameindex() if name.startswith(("e", "w", "dummy"))]
    if place == "network" and not others:
        pytest.skip("this computer has no second network interface")
    network, domain = ("lo", DOMAIN + 1) if place == "domain" else (others[0], DOMAIN)
    script = (
        "import sys, time\n"
        "from legged_gym.deploy.bus import Bus\n"
        "from legged_gym.deploy.messages import STATES\n"
        "reader = Bus(sys.argv[1], int(sys.argv[2])).reader(STATES)\n"
        "print('ready', flush=True)\n"
        "time.sleep(3)\n"
        "print(len(reader.take()), flush=True)\n"
    )
    command = [sys.executable, "-c", script, network, str(domain)]
    listener = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert listener.stdout is not None and listener.stdout.readline() == "ready\n"
    writer, reader = bus.writer(STATES), bus.reader(STATES)
    while listener.poll() is None:
        writer.write(np.zeros((), LOW_STATE))
        time.sleep(0.02)
    assert listener.stdout.read() == "0\n"
    assert reader.take()


def test_what_cannot_be_is_refused_with_a_sentence(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="no network interface 'eth99'; this computer has .*lo"):
        Bus("eth99")
    with pytest.raises(ValueError, match="a DDS domain is a number from 0 to 230, not 500"):
        Bus("lo", 500)
    with pytest.raises(TypeError, match="rt/lowcmd carries"):
        bus.writer(COMMANDS).write(np.zeros((), LOW_STATE))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    monkeypatch.delenv("CYCLONEDDS_HOME", raising=False)
    with pytest.raises(BusError, match="pip install cyclonedds"):
        Bus("lo", DOMAIN)


# --- The remote control, the keyboard and the clock ------------------------------------------------------------------


def test_remote_control_bytes_are_those_of_the_documented_struct() -> None:
    """Button bits from the lowest on: R1 L1 start select R2 L2 F1 F2 A B X Y up right down left."""
    data = struct.pack("<2BHfffff16x", 0x55, 0x51, 1 << 8 | 1 << 2, 0.1, -0.2, 0.3, 0.0, 0.5)
    remote = decode(data)
    assert remote is not None and remote.buttons == {"A", "start"}
    assert (remote.lx, remote.rx, remote.ry, remote.ly) == pytest.approx((0.1, -0.2, 0.3, 0.5))
    assert encode(remote) == data
    assert decode(bytes(40)) is None
    assert decode(struct.pack("<2BHfffff16x", 0x55, 0x51, 0, np.nan, 0, 0, 0, 0)) is None


def test_sticks_mean_speeds_within_the_trained_ranges() -> None:
    ranges = [[-0.5, 2.0], [-1.0, 0.8], [-3.0, 3.0]]
    assert stick_speeds(Remote(ly=1.0, lx=1.0, rx=0.5), ranges) == (2.0, -1.0, -1.5)
    assert stick_speeds(Remote(ly=-1.0, lx=-1.0, rx=-0.5), ranges) == (-0.5, 0.8, 1.5)
    assert stick_speeds(Remote(ly=0.04, lx=-0.03), ranges) == (0.0, 0.0, 0.0)


class Typed(Keyboard):
    """A keyboard on which a test types."""

    def __init__(self, keys: str = "") -> None:
        self.closed, self._keys = False, keys

    def key(self) -> str:
        key, self._keys = self._keys[:1], self._keys[1:]
        return key


def operator(needs_remote: bool = True) -> Operator:
    return Operator([[-1.0, 1.0], [-1.0, 1.0], [-2.0, 2.0]], needs_remote)


def test_a_button_counts_once_and_stop_buttons_as_long_as_they_are_held() -> None:
    person, keys = operator(), Typed()
    start = Remote(frozenset({"start"}))
    assert [person.wishes(i * 0.002, keys, start).step_on for i in range(3)] == [True, False, False]
    stop = Remote(frozenset({"L2", "B"}))
    wishes = [person.wishes(1 + i * 0.002, keys, stop) for i in range(2)]
    assert all(wish.damp and not wish.lie_down for wish in wishes)
    assert person.wishes(2.0, keys, Remote(frozenset({"B"}))).lie_down is False  # B was held all the time
    person.wishes(2.1, keys, Remote())
    assert person.wishes(2.2, keys, Remote(frozenset({"B"}))).lie_down


def test_keys_ask_for_speeds_and_the_space_bar_takes_them_back() -> None:
    person, keys = operator(), Typed("wwaq ")
    speeds = [person.wishes(i * 0.002, keys, Remote()).speeds for i in range(5)]
    expected = [(0.1, 0, 0), (0.2, 0, 0), (0.2, 0.1, 0), (0.2, 0.1, 0.2), (0, 0, 0)]
    np.testing.assert_allclose(speeds, expected, atol=1e-9)


def test_a_remote_that_is_gone_for_half_a_second_is_lost() -> None:
    person, keys = operator(), Typed()
    person.wishes(0.0, keys, None)
    assert "not heard" in person.lost
    person.wishes(1.0, keys, Remote())
    assert person.lost == ""
    person.wishes(1.45, keys, None)
    assert person.lost == ""
    person.wishes(1.55, keys, None)
    assert "the remote control was lost" in person.lost


def test_without_a_remote_the_keyboard_must_not_hang_up() -> None:
    person, keys = operator(needs_remote=False), Typed()
    person.wishes(0.0, keys, None)
    assert person.lost == ""
    keys.closed = True
    person.wishes(0.1, keys, None)
    assert person.lost == "the keyboard is gone"


class FakeClock(Clock):
    """Time that passes only when told."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += max(0.0, seconds)


def test_late_beats_are_told_and_not_made_up_for() -> None:
    clock = FakeClock()
    metronome = Metronome(clock, 0.002)
    for _ in range(5):
        metronome.wait()
    assert metronome.news() == "" and clock.time == pytest.approx(0.008)
    clock.time += 0.002 + LATE_S + 0.004
    late = metronome.wait()
    assert "1 of the loop's beats came more than 5 ms late, the worst by 9.0 ms" in metronome.news()
    assert metronome.news() == "" and metronome.wait() == pytest.approx(late)
    assert metronome.wait() == pytest.approx(late + 0.002)
    assert metronome.summary() == "1 of 8 beats more than 5 ms late, the worst by 9.0 ms"
