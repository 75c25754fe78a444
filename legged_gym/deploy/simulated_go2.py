"""A Go2 in C MuJoCo on the robot's bus: python -m legged_gym.deploy.simulated_go2 --network lo --terrain stairs

Answers like the robot: states on rt/lowstate, commands on rt/lowcmd, the motion service that has to let go first, a
watchdog, the remote control (keys of this terminal). Capital letters break something, to rehearse the stops of go2.py.
"""

from __future__ import annotations

from legged_gym.deploy.offscreen import choose_opengl, has_display

choose_opengl()

import argparse
import gc
import signal
import sys
from contextlib import nullcontext, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mujoco
import numpy as np

from legged_gym.deploy.bus import Bus, BusError
from legged_gym.deploy.clock import Clock, Metronome, ask_for_priority, give_up_priority
from legged_gym.deploy.courses import STEP_HEIGHT, Course, check_shape
from legged_gym.deploy.keyboard import Keyboard
from legged_gym.deploy.messages import COMMANDS, STATES
from legged_gym.deploy.mujoco_watch import OnStep, WindowClosedError, check_film, video, viewer
from legged_gym.deploy.mujoco_world import SIM_DT
from legged_gym.deploy.simulated_faults import FAULT_KEYS, Faults
from legged_gym.deploy.simulated_keys import KEYS, RemoteKeys
from legged_gym.deploy.simulated_robot import STARTS, SimulatedGo2
from legged_gym.deploy.simulated_services import MotionServices
from legged_gym.files import make_folder

PICTURE_S = 0.02  # [s] between two pictures for the window or the film
NEWS_S = 1.0  # [s]
OTHERS_S = 0.5  # [s] to listen for another robot


def get_args(argv: list[str] | None = None) -> argparse.Namespace:
    keys = f"{KEYS}; {', '.join(f'{key} {fault}' for key, fault in FAULT_KEYS.items())}"
    parser = argparse.ArgumentParser(description="A simulated Unitree Go2 on the robot's bus", epilog=keys)
    parser.add_argument("--network", default="lo", help="interface to answer on (default: lo, this computer alone)")
    parser.add_argument("--domain", type=int, default=0, help="of DDS; the robot's is 0")
    parser.add_argument("--terrain", default="flat", help="flat, slope, rough or stairs")
    parser.add_argument("--step_height", type=float, default=STEP_HEIGHT, help="of stairs [m]")
    parser.add_argument("--start", default="belly", help=f"pose at the start: {', '.join(STARTS)}")
    parser.add_argument("--motion_service", choices=("on", "off"), default="on", help="off: it has already let go")
    parser.add_argument("--latency", type=float, nargs=2, metavar=("LOW", "HIGH"), default=(0.0, 0.004), help="[s]")
    parser.add_argument("--noise", type=float, default=1.0, help="factor on the training's sensor noise")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, help="end after this time")
    parser.add_argument("--viewer", action="store_true", help="MuJoCo's window")
    parser.add_argument("--video", metavar="FILE", help="film the robot; written at the end, as MP4 or GIF")
    parser.add_argument("--record", metavar="FILE", help="write what really happened to this .npz at the end")
    parser.add_argument("--time_scale", type=float, default=1.0, help="slow motion, with the same of go2")
    return parser.parse_args(argv)


def check_args(args: argparse.Namespace) -> None:
    """Refuse what cannot be simulated."""
    low, high = args.latency
    if not 0 <= low <= high or args.noise < 0:
        raise ValueError("--latency must be two rising numbers from 0 on, and --noise not negative")
    check_shape(args.step_height)
    if args.viewer and not has_display():
        raise ValueError("MuJoCo's window needs a display; without one, use --video FILE")
    for flag in ("video", "record"):
        path = getattr(args, flag)
        if path and not Path(path).resolve().parent.is_dir():
            raise ValueError(f"the folder of --{flag} {path} does not exist")
        if path:
            make_folder(Path(path).resolve().parent)
    if args.video:
        check_film(args.video)


def refuse_twin(bus: Bus, clock: Clock) -> None:
    """A ValueError if another robot, or another simulation, speaks on this bus."""
    others = bus.reader(STATES, of_others=True)
    clock.sleep(OTHERS_S)
    if others.take():
        raise ValueError(
            f"another robot already answers on {bus.network}, domain {bus.domain}; end it, or give this one and its "
            "go2 another --domain"
        )


class Record:
    """What really happened, step by step."""

    def __init__(self) -> None:
        self._rows: dict[str, list[Any]] = {}

    def add(self, robot: SimulatedGo2) -> None:
        row = {
            "time": robot.time,
            "joint_pos": robot.joint_pos,
            "joint_vel": robot.joint_vel,
            "torques": robot.torques.copy(),
            "base": robot.data.qpos[:7].copy(),
            "speeds": np.array(robot.base_speeds()),
            "kp": robot.commanded_kp(),
        }
        for name, value in row.items():
            self._rows.setdefault(name, []).append(value)

    def save(self, path: str) -> None:
        np.savez_compressed(path, **{name: np.asarray(values, np.float32) for name, values in self._rows.items()})


class Simulation:
    """The simulated robot's loop."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.clock = Clock(args.time_scale)
        course = Course(args.terrain, args.step_height)
        latency = tuple(args.latency)
        self.robot = SimulatedGo2(course, args.start, noise=args.noise, latency_s=latency, seed=args.seed)
        self.bus = Bus(args.network, args.domain)
        self.services = MotionServices(self.bus, self.robot, args.motion_service == "on")
        self.remote, self.faults = RemoteKeys(), Faults(self.robot, args.seed)
        self.record = Record() if args.record else None
        self.pictures: list[np.ndarray] | None = [] if args.video else None
        self.ended = False
        self._seconds = args.seconds
        self._messages: list[str] = []
        self._was_damped = False

    def run(self, keyboard: Keyboard, show: OnStep | None) -> None:
        """Until a signal, the end of the time or of the window."""
        commands, states = self.bus.reader(COMMANDS), self.bus.writer(STATES)
        gc.collect()
        gc.freeze()
        metronome, steps, next_news = Metronome(self.clock, SIM_DT), 0, 0.0
        while not self.ended:
            now = metronome.wait()
            self._hear(keyboard.key(), now)
            self.services.answer()
            for command in commands.take():
                self._obey(command)
            self.faults.act()
            self.robot.step()
            for state in self.faults.spoiled(self.robot.state()):
                states.write(state)
            self._note(steps, show)
            steps += 1
            if now >= next_news:
                next_news = now + NEWS_S
                self._tell(metronome.news())
            self.ended = self.ended or (self._seconds is not None and self.robot.time >= self._seconds)
        self._tell(f"ended; {metronome.summary()}; commands not obeyed: {self.robot.refused}")

    def _hear(self, key: str, now: float) -> None:
        if key in FAULT_KEYS:
            self._messages.append(self.faults.begin(key))
        self.robot.remote = None if self.faults.remote_is_lost() else self.remote.state(key, now)
        if self.remote.news:
            self._messages.append(self.remote.news)

    def _obey(self, command: np.ndarray) -> None:
        if self.services.mode:
            self.services.complain(self._messages)
        else:
            self.robot.obey(command)

    def _note(self, steps: int, show: OnStep | None) -> None:
        damped = self.robot.damped_by_watchdog()
        if damped != self._was_damped:
            self._messages.append("no command for 100 ms: the watchdog damps" if damped else "commands come again")
            self._was_damped = damped
        if self.record is not None:
            self.record.add(self.robot)
        if steps % round(PICTURE_S / SIM_DT) == 0:
            if self.pictures is not None:
                self.pictures.append(self.robot.data.qpos.copy())
            if show is not None:
                show(self.robot.data)
        if self._messages:
            self._tell("")

    def _tell(self, news: str) -> None:
        for message in [*self._messages, news]:
            if message:
                print(f"[robot {self.robot.time:8.2f} s] {message}", flush=True)
        self._messages.clear()

    def on_signal(self, number: int, frame: Any) -> None:
        self.ended = True


def write_film(robot: SimulatedGo2, pictures: list[np.ndarray], path: Path) -> None:
    """Draw the robot as it was; the loop has no time for that."""
    filmed = SimpleNamespace(model=robot.model, controller=SimpleNamespace(control_period_s=PICTURE_S))
    data = mujoco.MjData(robot.model)
    robot.model.light_castshadow[:] = 0  # on so large a ground shadows are full of stripes
    with video(filmed, path) as film:
        for qpos in pictures:
            data.qpos[:] = qpos
            mujoco.mj_forward(robot.model, data)
            film(data)


def run(args: argparse.Namespace) -> None:
    check_args(args)
    ask_for_priority()
    simulation = Simulation(args)
    refuse_twin(simulation.bus, simulation.clock)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, simulation.on_signal)
    print(f"a simulated Go2 lives on {args.network}, domain {args.domain}; {KEYS}", flush=True)
    robot = simulation.robot
    watched = SimpleNamespace(model=robot.model, data=robot.data, controller=SimpleNamespace(control_period_s=0.0))
    window = viewer(watched) if args.viewer else nullcontext()
    with Keyboard() as keyboard, suppress(WindowClosedError), window as show:
        simulation.run(keyboard, show)
    give_up_priority()  # drawing takes the processor for minutes
    if simulation.record is not None:
        simulation.record.save(args.record)
    if simulation.pictures is not None:
        write_film(robot, simulation.pictures, Path(args.video))
    simulation.bus.close()


def main() -> None:
    """The program; a user's mistake ends it with one sentence."""
    args = get_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # as go2.py
    try:
        run(args)
    except (ValueError, FileNotFoundError, BusError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from error
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
