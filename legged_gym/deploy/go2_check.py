"""What the sensors of a Go2 say, beside what they should: go2.py --check. Sends no command to the motors."""

from __future__ import annotations

import math
import sys
from typing import NamedTuple

import numpy as np

from legged_gym.deploy.bus import Bus
from legged_gym.deploy.clock import Clock
from legged_gym.deploy.controller import Array, PolicyController, gravity_in_base
from legged_gym.deploy.link import StateLink
from legged_gym.deploy.messages import GO2_JOINTS
from legged_gym.deploy.remote import decode
from legged_gym.deploy.safety import MAX_TEMPERATURE, readings_of

# Of Go2's joints by part, if no policy says it: Unitree's go2_description.
LOW = {"hip": (-1.0472, -1.0472), "thigh": (-1.5708, -0.5236), "calf": (-2.7227, -2.7227)}  # [rad] front, rear
HIGH = {"hip": (1.0472, 1.0472), "thigh": (3.4907, 4.5379), "calf": (-0.83776, -0.83776)}
SHOWN_EVERY_S = 0.2
ACCELERATION = 1.0  # [m/s²] from 9.81 within which the robot counts as at rest
DIRECTION = 10.0  # [deg] between gravity by the quaternion and by the accelerometer
RATE_ERROR = 0.3  # share by which rates may differ from differences of what they are rates of
LEAST_MOTION = 0.1  # [rad] of a joint, below which such a comparison says nothing
NOISE = 0.04  # [rad] of a joint, at most: twice that of the training, in the difference of two readings
LEAST_TURN = 0.2  # [rad] of the trunk; noise of the attitude as in training, 0.05 rad about x and y, must not reach it


class Finding(NamedTuple):
    """One line of the table."""

    name: str
    good: bool | None  # None: cannot be told without motion
    text: str


def turning(before: Array, after: Array) -> Array:
    """Rotation vector [rad], base frame, from one quaternion (w, x, y, z) to another, (3,)."""
    w, v = float(before[0]), -np.asarray(before[1:], float)  # the inverse
    u, x = float(after[0]), np.asarray(after[1:], float)
    scalar, vector = w * u - v @ x, w * x + u * v + np.cross(v, x)
    if scalar < 0:
        scalar, vector = -scalar, -vector
    size = float(np.linalg.norm(vector))
    return 2 * math.atan2(size, scalar) * vector / size if size > 0 else np.zeros(3)


def findings(states: list[np.ndarray]) -> list[Finding]:
    """Judge LOW_STATE records of some time, oldest first; at least two."""
    last = readings_of(states[-1])
    return [*imu_findings(states), *joint_findings(states), *other_findings(states[-1], last.temperature)]


def imu_findings(states: list[np.ndarray]) -> list[Finding]:
    imu = states[-1]["imu_state"]
    quat, acceleration = np.array(imu["quaternion"], float), np.array(imu["accelerometer"], float)
    norm = float(np.linalg.norm(quat))
    lines = [Finding("quaternion (w x y z)", abs(norm - 1) < 0.05, f"{_row(quat)}, length {norm:.3f}, expected 1")]
    if not 0.5 < norm < 2:
        return lines
    gravity = np.asarray(gravity_in_base(quat[[1, 2, 3, 0]]), float)
    tips = f"nose up makes the first negative, left side up the second; now {_row(gravity)}"
    lines.append(Finding("gravity in base", True, f"(0 0 -1) when level; {tips}"))
    size = float(np.linalg.norm(acceleration))
    if abs(size - 9.81) < ACCELERATION:
        angle = math.degrees(math.acos(max(-1.0, min(1.0, float(-acceleration @ gravity) / size))))
        text = f"{_row(acceleration)} m/s², {angle:.0f}° from where the quaternion says up is"
        lines.append(Finding("accelerometer", angle < DIRECTION, text))
    else:
        lines.append(Finding("accelerometer", None, f"{_row(acceleration)} m/s²: hold the robot still"))
    seconds = _seconds(states)
    turned = sum(
        (turning(a["imu_state"]["quaternion"], b["imu_state"]["quaternion"]) for a, b in zip(states, states[1:])),
        np.zeros(3),
    )
    integral = np.mean([state["imu_state"]["gyroscope"] for state in states], axis=0) * seconds
    hint = "turn the robot about each axis"
    lines.append(_rate_finding("gyroscope", np.asarray(integral, float), turned, hint, LEAST_TURN))
    return lines


def joint_findings(states: list[np.ndarray]) -> list[Finding]:
    lines, seconds = [], _seconds(states)
    first, last = (readings_of(state) for state in (states[0], states[-1]))
    mean = np.mean([readings_of(state).joint_vel for state in states], axis=0)
    for j, name in enumerate(GO2_JOINTS):
        part, rear = name.split("_")[1], name[0] == "R"
        low, high = LOW[part][rear], HIGH[part][rear]
        pos = float(last.joint_pos[j])
        text = f"{pos:7.3f} rad, from {low:g} to {high:g}; {mean[j]:7.2f} rad/s"
        moved = np.array([float(last.joint_pos[j] - first.joint_pos[j])])
        rate = _rate_finding(name, np.array([float(mean[j])]) * seconds, moved, "")
        lines.append(Finding(name, low - 0.05 < pos < high + 0.05 and rate.good is not False, text))
    return [*lines, Finding("what moves", None, f"{_moves(last.joint_pos - first.joint_pos)}; is it what you move?")]


def _moves(change: Array) -> str:
    """The joints that have turned most, and which way. change: [rad] (12,)."""
    words = []
    for j in np.argsort(-np.abs(change))[:2]:
        if abs(change[j]) > NOISE:
            leg, part, _ = GO2_JOINTS[j].split("_")
            negative, positive = ("inwards", "outwards") if leg[1] == "L" else ("outwards", "inwards")
            negative, positive = (negative, positive) if part == "hip" else ("forwards", "backwards")
            words.append(f"{GO2_JOINTS[j]} {positive if change[j] > 0 else negative} by {abs(change[j]):.2f} rad")
    return ", ".join(words) or "nothing"


def other_findings(state: np.ndarray, temperature: Array) -> list[Finding]:
    remote = decode(state["wireless_remote"].tobytes())
    if remote is None:
        heard = "not heard: is it on? Switched off, it must say this"
    else:
        sticks = f"left ({remote.lx:.2f} {remote.ly:.2f}), right ({remote.rx:.2f} {remote.ry:.2f})"
        heard = f"{sticks}, buttons: {' '.join(sorted(remote.buttons)) or 'none'}"
    battery = f"{state['power_v']:.1f} V, {state['bms_state']['soc']} %"
    return [
        Finding("motor temperatures", bool(temperature.max() <= MAX_TEMPERATURE), f"up to {temperature.max()} °C"),
        Finding("remote control", remote is not None, heard),
        Finding("battery", True, battery),
    ]


def check(bus: Bus, clock: Clock, check_crc: bool, policy: str | None) -> None:
    """Print findings until the program is interrupted."""
    link = StateLink(bus, check_crc)
    if policy:
        names = PolicyController(policy, joint_order=GO2_JOINTS, robot="go2").metadata["joint_names"]
        print(f"{policy}: its {len(names)} joints are Go2's")

    link.wait(clock)
    states: list[np.ndarray] = []
    shown_at, lines = clock.now(), 0
    try:
        while True:
            clock.sleep(0.002)
            link.update(clock.now())
            if link.state is not None and (not states or states[-1] is not link.state):
                states.append(link.state)
            if clock.now() - shown_at < SHOWN_EVERY_S:
                continue
            shown_at = clock.now()
            age = link.age_s(shown_at)
            if sys.stdout.isatty() and lines:
                print(f"\x1b[{lines}A", end="")
            table = findings(states) if len(states) > 1 else []
            rate = f"{len(states) / SHOWN_EVERY_S:.0f} states a second, the last one {age * 1e3:.0f} ms old"
            rows = [f"{'ok ' if age < 0.05 else 'BAD'} {rate}", *(as_row(finding) for finding in table)]
            print("\n".join(row.ljust(110)[:118] for row in rows), flush=True)
            lines, states = len(rows), states[-1:]
    except KeyboardInterrupt:
        print(link.news() or "every state was good")


def as_row(finding: Finding) -> str:
    mark = {True: "ok ", False: "BAD", None: "?  "}[finding.good]
    return f"{mark} {finding.name:20} {finding.text}"


def _rate_finding(name: str, integral: Array, change: Array, hint: str, least: float = LEAST_MOTION) -> Finding:
    """Whether a rate's integral over some time is the change that was seen."""
    size = float(np.linalg.norm(change))
    text = f"turned {_row(integral)} rad, by the quaternion {_row(change)}"
    if size < least:
        return Finding(name, None, f"{text}; {hint}")
    return Finding(name, bool(np.linalg.norm(integral - change) < RATE_ERROR * size + least / 2), text)


def _seconds(states: list[np.ndarray]) -> float:
    return ((int(states[-1]["tick"]) - int(states[0]["tick"])) % 2**32) / 1000


def _row(values: Array) -> str:
    return " ".join(f"{value:6.2f}" for value in values)
