"""Unitree's messages for Go2 as numpy records: `rt/lowcmd`, `rt/lowstate`, and requests to its services.

A record has the C layout of the message, over which the robot computes its check sum. Names, order and types are those
of the IDL files that Unitree publishes with unitree_sdk2 and unitree_ros2: LowCmd and LowState of unitree_go, Request
and Response of unitree_api.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

import numpy as np

# The policy's robot and the SDK's order of its motors.
GO2_JOINTS = tuple(f"{leg}_{part}_joint" for leg in ("FR", "FL", "RR", "RL") for part in ("hip", "thigh", "calf"))
NUM_MOTORS = len(GO2_JOINTS)  # of the 20 places in a message
HEAD = (0xFE, 0xEF)  # first two bytes of a command
LOW_LEVEL = 0xFF  # level_flag of commands to motors
SERVO = 0x01  # mode of a motor that follows q, dq, kp, kd, tau
NO_POSITION, NO_SPEED = 2.146e9, 16000.0  # [rad], [rad/s] "do not control this"

STRING = np.dtype("u8", metadata={"kind": "string"})  # a C pointer
BYTES = np.dtype(
    [("maximum", "u4"), ("length", "u4"), ("buffer", "u8"), ("release", "u1")], align=True, metadata={"kind": "bytes"}
)  # a sequence in Cyclone DDS's C layout

MOTOR_CMD = np.dtype(
    [("mode", "u1"), ("q", "f4"), ("dq", "f4"), ("tau", "f4"), ("kp", "f4"), ("kd", "f4"), ("reserve", "u4", 3)],
    align=True,
)
BMS_CMD = np.dtype([("off", "u1"), ("reserve", "u1", 3)], align=True)
_START = [
    ("head", "u1", 2),
    ("level_flag", "u1"),
    ("frame_reserve", "u1"),
    ("sn", "u4", 2),
    ("version", "u4", 2),
    ("bandwidth", "u2"),
]
LOW_CMD = np.dtype(
    [
        *_START,
        ("motor_cmd", MOTOR_CMD, 20),
        ("bms_cmd", BMS_CMD),
        ("wireless_remote", "u1", 40),
        ("led", "u1", 12),
        ("fan", "u1", 2),
        ("gpio", "u1"),
        ("reserve", "u4"),
        ("crc", "u4"),
    ],
    align=True,
)  # 812 bytes

IMU_STATE = np.dtype(
    [
        ("quaternion", "f4", 4),  # w, x, y, z: base to world
        ("gyroscope", "f4", 3),  # [rad/s] base frame
        ("accelerometer", "f4", 3),  # [m/s²] base frame
        ("rpy", "f4", 3),  # [rad]
        ("temperature", "u1"),  # [°C]
    ],
    align=True,
)
MOTOR_STATE = np.dtype(
    [
        ("mode", "u1"),
        *((name, "f4") for name in ("q", "dq", "ddq", "tau_est", "q_raw", "dq_raw", "ddq_raw")),
        ("temperature", "u1"),  # [°C]
        ("lost", "u4"),
        ("reserve", "u4", 2),
    ],
    align=True,
)
BMS_STATE = np.dtype(
    [
        *((name, "u1") for name in ("version_high", "version_low", "status", "soc")),
        ("current", "i4"),
        ("cycle", "u2"),
        ("bq_ntc", "u1", 2),
        ("mcu_ntc", "u1", 2),
        ("cell_vol", "u2", 15),
    ],
    align=True,
)
LOW_STATE = np.dtype(
    [
        *_START,
        ("imu_state", IMU_STATE),
        ("motor_state", MOTOR_STATE, 20),
        ("bms_state", BMS_STATE),
        ("foot_force", "i2", 4),
        ("foot_force_est", "i2", 4),
        ("tick", "u4"),  # [ms]
        ("wireless_remote", "u1", 40),
        ("bit_flag", "u1"),
        ("adc_reel", "f4"),
        ("temperature_ntc1", "u1"),
        ("temperature_ntc2", "u1"),
        ("power_v", "f4"),
        ("power_a", "f4"),
        ("fan_frequency", "u2", 4),
        ("reserve", "u4"),
        ("crc", "u4"),
    ],
    align=True,
)  # 1180 bytes

_IDENTITY = np.dtype([("id", "i8"), ("api_id", "i8")], align=True)
REQUEST = np.dtype(
    [
        ("identity", _IDENTITY),
        ("lease_id", "i8"),
        ("priority", "i4"),
        ("noreply", "u1"),
        ("parameter", STRING),
        ("binary", BYTES),
    ],
    align=True,
)
RESPONSE = np.dtype([("identity", _IDENTITY), ("code", "i4"), ("data", STRING), ("binary", BYTES)], align=True)


class Topic(NamedTuple):
    """A channel of the bus."""

    name: str
    typename: str
    dtype: np.dtype


COMMANDS = Topic("rt/lowcmd", "unitree_go::msg::dds_::LowCmd_", LOW_CMD)
STATES = Topic("rt/lowstate", "unitree_go::msg::dds_::LowState_", LOW_STATE)


def request_topic(service: str) -> Topic:
    return Topic(f"rt/api/{service}/request", "unitree_api::msg::dds_::Request_", REQUEST)


def response_topic(service: str) -> Topic:
    return Topic(f"rt/api/{service}/response", "unitree_api::msg::dds_::Response_", RESPONSE)


_REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def crc32_mpeg2(data: bytes) -> int:
    """CRC-32/MPEG-2: polynomial 0x04C11DB7, start 0xFFFFFFFF, nothing reflected. zlib's CRC is its mirror image."""
    mirrored = zlib.crc32(data.translate(_REVERSED_BITS)) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)


def checksum(message: np.ndarray) -> int:
    """What `crc` of a LOW_CMD or LOW_STATE record must be: over all words before it, each from its highest byte on."""
    return crc32_mpeg2(np.frombuffer(message.tobytes()[:-4], "<u4").astype(">u4").tobytes())


def sealed(message: np.ndarray) -> np.ndarray:
    """The record itself, with its check sum."""
    message["crc"] = checksum(message)
    return message


def is_intact(message: np.ndarray) -> bool:
    return checksum(message) == int(message["crc"])


def new_command() -> np.ndarray:
    """A LOW_CMD record that asks the motors for nothing: zero gains, zero torque."""
    command = np.zeros((), LOW_CMD)
    command["head"], command["level_flag"] = HEAD, LOW_LEVEL
    command["motor_cmd"]["mode"] = SERVO
    command["motor_cmd"]["q"], command["motor_cmd"]["dq"] = NO_POSITION, NO_SPEED
    return command


def is_command(message: np.ndarray) -> bool:
    """Whether a LOW_CMD record is one that a robot obeys."""
    return tuple(message["head"]) == HEAD and message["level_flag"] == LOW_LEVEL and is_intact(message)
