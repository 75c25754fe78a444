"""Runs a policy on a Unitree Go2: python -m legged_gym.deploy.go2 --policy policy.onnx --network eth0

Read README.md in this folder before you do; it has not run on a real robot yet.
"""

from __future__ import annotations

import argparse
import gc
import math
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np

from legged_gym.deploy import motion_service
from legged_gym.deploy.bus import Bus, BusError, Reader
from legged_gym.deploy.clock import Clock, Metronome, ask_for_priority
from legged_gym.deploy.controller import PolicyController
from legged_gym.deploy.go2_check import check
from legged_gym.deploy.keyboard import Keyboard
from legged_gym.deploy.link import StateLink
from legged_gym.deploy.messages import COMMANDS, GO2_JOINTS, NUM_MOTORS, new_command, sealed
from legged_gym.deploy.operator_input import KEYS, Operator
from legged_gym.deploy.policy_runner import PolicyRunner
from legged_gym.deploy.safety import LIMIT_KEYS, MAX_STATE_AGE_S, limits_of
from legged_gym.deploy.state_machine import StateMachine, Targets, damping

PERIOD_S = 0.002  # [s] between two commands
OTHERS_S = 0.5  # [s] to listen for other programs that command the motors
LAST_DAMP_S = 2.0  # [s] of damping before the program ends
NEWS_S = 1.0  # [s] between reports of late beats and dropped states
ROBOT = "go2"
MAX_SPEED = 1.0  # [m/s]; the policies have met stairs at no more, whatever they do on slopes
TARGET_MARGIN = 0.15  # [rad]; without it calves run into their stops on stairs, with 0.3 robots fall there


def get_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Runs a policy on a Unitree Go2", epilog=KEYS)
    parser.add_argument("--policy", help="policy.onnx of play.py for a task of Go2; default: the one that comes along")
    parser.add_argument("--network", required=True, help="interface that the robot is connected to, such as eth0")
    parser.add_argument("--domain", type=int, default=0, help="of DDS; the robot's is 0")
    parser.add_argument("--check", action="store_true", help="only print what the sensors say; no command is sent")
    parser.add_argument(
        "--max_speed",
        type=float,
        default=MAX_SPEED,
        help="forwards and sideways [m/s], within the policy's range; default: %(default)s",
    )
    parser.add_argument("--speed", type=float, default=1.0, help="share of the ranges that remain, up to 1")
    parser.add_argument(
        "--target_margin",
        type=float,
        default=TARGET_MARGIN,
        help="that joint targets stay inside the joints' limits [rad]; default: %(default)s",
    )
    parser.add_argument("--no_remote", action="store_true", help="drive by the keyboard alone; its loss damps")
    parser.add_argument(
        "--state_crc",
        choices=("check", "ignore"),
        default="check",
        help="ignore: robots that send none (unitree_mujoco)",
    )
    parser.add_argument(
        "--motion_service", choices=("release", "ignore"), default="release", help="ignore: robots without the service"
    )
    parser.add_argument("--time_scale", type=float, default=1.0, help="slow motion, with the same of simulated_go2")
    return parser.parse_args(argv)


def shipped_policy() -> Path:
    """Go2's policy that comes with a checkout or with an installed himloco; the robot's side alone has none."""
    legged_gym = Path(__file__).resolve().parents[1]
    for root in (legged_gym, legged_gym.parent):
        path = root / "resources" / "policies" / ROBOT / "policy.onnx"
        if path.is_file():
            return path
    raise FileNotFoundError("no policy comes with the robot's side alone: give --policy FILE, or --check")


def load_policy(args: argparse.Namespace) -> PolicyController:
    """The policy of the command line, refused if it is not one for this robot."""
    if not 0 < args.speed <= 1:
        raise ValueError(f"--speed must be above 0 and at most 1, got {args.speed:g}")
    if not 0 < args.max_speed < math.inf:
        raise ValueError(f"--max_speed must be above 0 and finite, got {args.max_speed:g}")
    if not 0 <= args.target_margin < math.inf:
        raise ValueError(f"--target_margin must not be negative, got {args.target_margin:g}")
    args.policy = args.policy or str(shipped_policy())
    controller = PolicyController(args.policy, GO2_JOINTS, ROBOT, args.target_margin)
    missing = [key for key in LIMIT_KEYS if key not in controller.metadata]
    if missing:
        raise ValueError(f"the metadata of '{args.policy}' lack {', '.join(missing)}; export it again with play.py")
    return controller


def commanded_ranges(metadata: dict[str, Any], max_speed: float, share: float) -> list[list[float]]:
    """Bounds of the commands of vx, vy [m/s] and yaw rate [rad/s]: the policy's, up to max_speed, times share."""
    ranges = metadata["command_ranges"]
    speeds = [[min(max(v, -max_speed), max_speed) for v in ranges[name]] for name in ("vx", "vy")]
    return [[share * v for v in pair] for pair in (*speeds, ranges["yaw_rate"])]


def refuse_rivals(rivals: Reader, clock: Clock) -> None:
    """A ValueError if another program commands the motors."""
    deadline = clock.now() + OTHERS_S
    while clock.now() < deadline:
        if rivals.take():
            raise ValueError(f"another program sends {COMMANDS.name} to this robot; stop it first")
        clock.sleep(0.02)


def fill(command: np.ndarray, targets: Targets) -> np.ndarray:
    """Write joint targets into a LOW_CMD record and seal it."""
    motors = command["motor_cmd"][:NUM_MOTORS]
    motors["q"], motors["kp"], motors["kd"] = targets
    motors["dq"] = motors["tau"] = 0.0
    return sealed(command)


class Go2:
    """The program's loop."""

    def __init__(self, args: argparse.Namespace, controller: PolicyController, bus: Bus, clock: Clock) -> None:
        self.clock, self.link = clock, StateLink(bus, args.state_crc == "check")
        self.rivals = bus.reader(COMMANDS, of_others=True)
        ranges = commanded_ranges(controller.metadata, args.max_speed, args.speed)
        self.operator = Operator(ranges, not args.no_remote)
        self.policy = PolicyRunner(controller, clock)
        self.machine = StateMachine(self.policy, limits_of(controller.metadata))
        self.metronome = Metronome(clock, PERIOD_S)
        self.signal = ""  # name of the signal that ends the program
        self._bus, self._next_news = bus, 0.0

    def run(self, keyboard: Keyboard) -> None:
        """Until a signal, or the key that ends, and the damping after it."""
        writer, command = self._bus.writer(COMMANDS), new_command()
        gc.collect()
        gc.freeze()  # so that later collections look at little and are short
        print("ready, the motors have no torque; start or 1: damp, and once more: stand up", flush=True)
        self.metronome = Metronome(self.clock, PERIOD_S)
        ends_at = None
        try:
            while ends_at is None or self.clock.now() < ends_at:
                now = self.metronome.wait()
                self.link.update(now)
                wishes = self.operator.wishes(now, keyboard, self.link.remote())
                fault = self.signal or self.operator.lost or self._held_up() or self._rivalry()
                targets = self.machine.step(now, self.link.readings, self.link.age_s(now), wishes, fault)
                writer.write(fill(command, targets))
                if ends_at is None and (self.signal or self.operator.wants_end):
                    self.machine.stop(now, self.signal or "the end was asked for")  # it may come amid a beat
                    ends_at = now + LAST_DAMP_S
                self._tell(now)
        finally:  # motors go on with the last command they got
            writer.write(fill(command, damping()))
        print(f"ended; {self.metronome.summary()}", flush=True)

    def _held_up(self) -> str:
        """A robot that got no command for a while has damped itself, and must not be pulled back to where it was."""
        late_s = self.metronome.last_s
        return f"this program was held up for {late_s * 1e3:.0f} ms" if late_s > MAX_STATE_AGE_S else ""

    def _rivalry(self) -> str:
        return f"another program sends {COMMANDS.name} to this robot" if self.rivals.take() else ""

    def _tell(self, now: float) -> None:
        for message in self.machine.messages + self.operator.messages:
            print(f"[{now:8.2f} s] {message}", flush=True)
        self.machine.messages.clear()
        self.operator.messages.clear()
        if now >= self._next_news:
            self._next_news = now + NEWS_S
            for news in (self.metronome.news(), self.link.news()):
                if news:
                    print(f"[{now:8.2f} s] {news}", flush=True)

    def on_signal(self, number: int, frame: Any) -> None:
        self.signal = signal.Signals(number).name


def run(args: argparse.Namespace) -> None:
    clock = Clock(args.time_scale)
    controller = None if args.check else load_policy(args)
    if not args.check and not ask_for_priority():  # now, for the threads that come inherit it
        print("no real-time priority (it needs root, or rtprio in limits.conf): beats may come late")
    bus = Bus(args.network, args.domain)
    if controller is None:
        check(bus, clock, args.state_crc == "check", args.policy)
        return
    print(f"{Path(args.policy)}, iteration {controller.metadata.get('iteration')}; {KEYS}", flush=True)
    program = Go2(args, controller, bus, clock)
    program.link.wait(clock)
    if args.motion_service == "release":
        released = motion_service.release(bus, clock)
        print("the motion service let go: " + ", ".join(released) if released else "no motion service holds the motors")
    refuse_rivals(program.rivals, clock)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, program.on_signal)
    with Keyboard() as keyboard:
        program.run(keyboard)


def main() -> None:
    """The program; a user's mistake ends it with one sentence."""
    args = get_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells have programs in the background ignore it
    try:
        run(args)
    except (ValueError, FileNotFoundError, BusError, motion_service.ServiceError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from error
    except KeyboardInterrupt:  # before the motors got any command
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
