"""Go2's state machine and the simulated robot hand in hand, 2 ms after 2 ms, without bus, threads or real time."""

from pathlib import Path
from typing import Any

import numpy as np

from legged_gym.deploy.controller import PolicyController, gravity_in_base
from legged_gym.deploy.courses import Course
from legged_gym.deploy.go2 import PERIOD_S, fill
from legged_gym.deploy.messages import GO2_JOINTS, new_command
from legged_gym.deploy.remote import Wishes
from legged_gym.deploy.safety import Readings, limits_of, readings_of
from legged_gym.deploy.simulated_robot import SimulatedGo2
from legged_gym.deploy.state_machine import StateMachine

NOTHING = Wishes()


class InstantPolicy:
    """PolicyRunner's interface, answering within the same beat."""

    def __init__(self, controller: PolicyController) -> None:
        self.controller, self.error, self.waiting = controller, "", 0.0
        self.answers = True
        self._answer: np.ndarray | None = None

    def reset(self) -> bool:
        self._answer, self.waiting = None, 0.0
        self.controller.reset()
        return True

    def ask(self, speeds: tuple[float, float, float], readings: Readings) -> None:
        if not self.answers:
            self.waiting = 1e-9
            return
        gravity = gravity_in_base(readings.quat[[1, 2, 3, 0]])
        self._answer = self.controller.step(speeds, readings.gyroscope, gravity, readings.joint_pos, readings.joint_vel)

    def answer(self) -> np.ndarray | None:
        answer, self._answer = self._answer, None
        return answer

    def waiting_s(self) -> float:
        self.waiting += PERIOD_S if self.waiting else 0.0
        return self.waiting


class Rig:
    """A robot under the state machine.

    Attributes:
        torques, joint_vel, kp, speeds: of every beat so far, (beats, 12) and (beats, 3).
        messages: that the state machine said.
    """

    def __init__(self, policy: Path, start: str = "belly", course: Course | None = None, **options: Any) -> None:
        controller = PolicyController(policy, joint_order=GO2_JOINTS, robot="go2")
        self.policy = InstantPolicy(controller)
        self.machine = StateMachine(self.policy, limits_of(controller.metadata))
        self.robot = SimulatedGo2(course or Course("flat"), start, **options)
        self.beats = 0
        self.age_s = 0.0  # of the state that the machine sees
        self.torques: list[np.ndarray] = []
        self.joint_vel: list[np.ndarray] = []
        self.kp: list[np.ndarray] = []
        self.speeds: list[tuple[float, float, float]] = []
        self.messages: list[str] = []
        self._command = new_command()

    @property
    def now(self) -> float:
        return self.beats * PERIOD_S

    def beat(self, wishes: Wishes = NOTHING, fault: str = "", **spoiled: np.ndarray) -> None:
        """One period. spoiled: readings that the machine sees instead of the robot's."""
        readings = readings_of(self.robot.state())._replace(**spoiled)
        targets = self.machine.step(self.now, readings, self.age_s, wishes, fault)
        self.robot.obey(fill(self._command, targets))
        self.robot.step()
        self.beats += 1
        self.torques.append(self.robot.torques)
        self.joint_vel.append(self.robot.joint_vel)
        self.kp.append(targets.kp)
        self.speeds.append(self.robot.base_speeds())
        self.messages += self.machine.messages
        self.machine.messages.clear()

    def run(self, seconds: float, wishes: Wishes = NOTHING) -> None:
        for _ in range(round(seconds / PERIOD_S)):
            self.beat(wishes)

    def stand_up(self) -> None:
        self.beat(Wishes(step_on=True))
        self.beat(Wishes(step_on=True))
        self.run(2.5)

    def walk(self, seconds: float, speeds: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> None:
        self.beat(Wishes(walk=True, speeds=speeds))
        self.run(seconds, Wishes(speeds=speeds))
