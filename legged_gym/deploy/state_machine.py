"""From a robot on its belly to one that walks, and back: what the motors are asked for in each state.

idle (no torque) → damp → stand up → stand → walk → halt → stand or lie down → damp.
Whatever is dangerous damps at once.
"""

from __future__ import annotations

import enum
from typing import Any, NamedTuple

import numpy as np

from legged_gym.deploy.controller import Array
from legged_gym.deploy.messages import GO2_JOINTS, NUM_MOTORS
from legged_gym.deploy.remote import Wishes
from legged_gym.deploy.safety import MAX_POLICY_S, MAX_STATE_AGE_S, Limits, Readings, danger

MOVE_S = 2.0  # [s] to stand up or to lie down
GAIN_RAMP_S = 0.2  # [s] in which the gains grow when standing up begins
BLEND_S = 0.3  # [s] in which the policy takes over, and halts: a robot that is slow to put its feet down falls over
DAMP_KD = 2.0  # [N·m·s/rad]
STAND_KP, STAND_KD = 60.0, 3.0  # [N·m/rad], [N·m·s/rad] that lift the trunk; the policy's own ones if higher
LYING = dict(zip(("hip", "thigh", "calf"), (0.0, 1.36, -2.6)))  # [rad] legs folded, trunk on the ground


class State(enum.Enum):
    IDLE = "idle"
    DAMP = "damp"
    STAND_UP = "stand up"
    STAND = "stand"
    WALK = "walk"
    HALT = "halt"
    LIE_DOWN = "lie down"


class Targets(NamedTuple):
    """What the motors are asked for; joints in the SDK's order, (12,) each. Speed and feed-forward torque are zero."""

    pos: Array  # [rad]
    kp: Array  # [N·m/rad]
    kd: Array  # [N·m·s/rad]


def damping() -> Targets:
    """No stiffness, and what slows the joints down."""
    return Targets(*np.zeros((2, NUM_MOTORS), np.float32), np.full(NUM_MOTORS, DAMP_KD, np.float32))


def cubic(share: float) -> float:
    """Smooth way from 0 to 1 that begins and ends at rest."""
    share = min(1.0, max(0.0, share))
    return share * share * (3.0 - 2.0 * share)


class StateMachine:
    """Decides every 2 ms what the motors do.

    Attributes:
        state: where it is.
        stopped_by: why it was damped by itself; empty: it was not, or the robot has stood up since.
        messages: sentences for the person at the controls, oldest first; the caller takes them away.
    """

    def __init__(self, policy: Any, limits: Limits) -> None:
        """policy: like PolicyRunner. limits: of the joints."""
        self.state = State.IDLE
        self.stopped_by = ""
        self.messages: list[str] = []
        self._policy, self._limits = policy, limits
        controller = policy.controller
        self._standing_pos = np.asarray(controller.default_joint_pos, np.float32)
        self._lying_pos = np.array([LYING[name.split("_")[1]] for name in GO2_JOINTS], np.float32)
        self._stand_kp, self._stand_kd = np.maximum(controller.kp, STAND_KP), np.maximum(controller.kd, STAND_KD)
        self._since = 0.0  # when the state began
        self._from = Targets(*np.zeros((3, NUM_MOTORS), np.float32))  # what the motors were asked for before
        self._targets = self._from
        self._policy_targets: Array | None = None
        self._lies_next = False  # after the halt
        self._first_answer = self._next_question = 0.0

    def step(self, now: float, readings: Readings | None, age_s: float, wishes: Wishes, fault: str = "") -> Targets:
        """One beat.

        Args:
            now: [s]
            readings: the newest ones; None: there never were any.
            age_s: how old they are [s].
            wishes: of the person at the controls.
            fault: anything else that must damp the robot.
        """
        wrong = fault or self._wrong(readings, age_s)
        if self.state not in (State.IDLE, State.DAMP):
            if wrong:
                self.stop(now, wrong)
            elif wishes.damp:
                self._enter(State.DAMP, now)
        elif wishes.damp and self.state is State.IDLE:
            self._enter(State.DAMP, now)
        if readings is not None and not wishes.damp:
            self._follow(now, readings, wishes, wrong)
        if self.state is State.WALK and readings is not None:
            late = self._walk(now, readings, wishes)
            if late:
                self.stop(now, late)
        self._targets = self._wanted(now)
        return self._targets

    def stop(self, now: float, reason: str) -> None:
        """Damp at once and say why."""
        if self.state not in (State.IDLE, State.DAMP):
            self.stopped_by = reason
            self.messages.append(f"STOPPED, damping: {reason}")
            self._enter(State.DAMP, now, quiet=True)

    def is_moving(self) -> bool:
        """Whether the motors have stiffness."""
        return self.state not in (State.IDLE, State.DAMP)

    def _wrong(self, readings: Readings | None, age_s: float) -> str:
        if readings is None:
            return "no state of the robot has come"
        if age_s > MAX_STATE_AGE_S:
            return f"the robot's last state is {age_s * 1e3:.0f} ms old, more than {MAX_STATE_AGE_S * 1e3:g}"
        return danger(readings, self._limits)

    def _follow(self, now: float, readings: Readings, wishes: Wishes, wrong: str) -> None:
        """Change the state as wished, or because time is up."""
        elapsed = now - self._since
        if self.state is State.IDLE and wishes.step_on:
            self._enter(State.DAMP, now)
        elif self.state is State.DAMP and wishes.step_on:
            if wrong:
                self.messages.append(f"cannot stand up: {wrong}")
                return
            self.stopped_by = ""
            self._from = damping()._replace(pos=readings.joint_pos)
            self._enter(State.STAND_UP, now)
        elif self.state is State.STAND_UP and elapsed >= MOVE_S:
            self._enter(State.STAND, now)
        elif self.state is State.STAND and wishes.walk:
            if not self._policy.reset():
                self.messages.append("cannot walk yet: the policy is still busy with an old question")
                return
            self._from, self._policy_targets, self._next_question = self._targets, None, now
            self._enter(State.WALK, now)
        elif self.state is State.WALK and (wishes.step_on or wishes.lie_down):
            self._lies_next = wishes.lie_down
            self._begin_move(now, State.HALT)
        elif self.state is State.HALT and elapsed >= BLEND_S:
            self._begin_move(now, State.LIE_DOWN if self._lies_next else State.STAND)
        elif self.state is State.HALT:
            self._lies_next = self._lies_next or wishes.lie_down
        elif self.state in (State.STAND, State.STAND_UP) and wishes.lie_down:
            self._begin_move(now, State.LIE_DOWN)
        elif self.state is State.LIE_DOWN and elapsed >= MOVE_S:
            self._enter(State.DAMP, now)
        elif wishes.step_on:
            self.messages.append(f"no next step from {self.state.value}: A or 2 walks from stand, B or 3 lies down")
        elif wishes.walk and self.state is not State.WALK:
            self.messages.append(f"cannot walk from {self.state.value}: start or 1, until it says stand, then A or 2")
        elif wishes.lie_down and self.state in (State.IDLE, State.DAMP):
            self.messages.append(f"cannot lie down from {self.state.value}: only a robot that stands or walks can")

    def _begin_move(self, now: float, state: State) -> None:
        self._from = self._targets
        self._enter(state, now)

    def _enter(self, state: State, now: float, quiet: bool = False) -> None:
        if not quiet and state is not self.state:
            self.messages.append(state.value)
        self.state, self._since = state, now

    def _walk(self, now: float, readings: Readings, wishes: Wishes) -> str:
        """Exchange questions and answers with the policy. Returns what is wrong with it."""
        answer = self._policy.answer()
        if self._policy.error:
            return f"the policy failed: {self._policy.error}"
        if self._policy.waiting_s() > MAX_POLICY_S:
            return f"the policy has not answered within {MAX_POLICY_S * 1e3:g} ms"
        if answer is not None:
            if self._policy_targets is None:
                self._first_answer = now
            self._policy_targets = answer
        if now >= self._next_question - 1e-6 and self._policy.waiting_s() == 0.0:
            self._policy.ask(wishes.speeds, readings)
            self._next_question = max(self._next_question + self._policy.controller.control_period_s, now)
        return ""

    def _wanted(self, now: float) -> Targets:
        zeros, elapsed = np.zeros(NUM_MOTORS, np.float32), now - self._since
        if self.state is State.IDLE:
            return Targets(zeros, zeros, zeros)
        if self.state is State.DAMP:
            return damping()
        if self.state is State.WALK:
            controller = self._policy.controller
            if self._policy_targets is None:
                return self._from
            goal = Targets(self._policy_targets, controller.kp, controller.kd)
            return _mixed(self._from, goal, (now - self._first_answer) / BLEND_S)
        pos = self._lying_pos if self.state is State.LIE_DOWN else self._standing_pos
        goal = Targets(pos, self._stand_kp, self._stand_kd)
        if self.state is State.STAND:
            return goal
        way = cubic(elapsed / (BLEND_S if self.state is State.HALT else MOVE_S))
        ramp = min(1.0, elapsed / GAIN_RAMP_S)
        return Targets(_mixed(self._from, goal, way).pos, *_mixed(self._from, goal, ramp)[1:])


def _mixed(start: Targets, end: Targets, share: float) -> Targets:
    share = min(1.0, max(0.0, share))
    return Targets(*(a + (b - a) * share for a, b in zip(start, end)))
