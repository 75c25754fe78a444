"""Go2's program and its simulated robot as processes that a test starts, listens to and types into."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import go2_lockstep
import numpy as np
import pytest

# Of the tests in real time. Half speed lets a busy computer keep the beat; where it does not even so, go2.py stops the
# robot, as it should.
TIME_SCALE = 0.5
LATE = ("the policy has not answered within", "this program was held up")
PATIENCE_S = 120.0  # for anything that must come at all
DOMAIN = 130 + os.getpid() % 90  # so that tests running beside these are not met


class Program:
    """A running program, what it has said, and its keyboard."""

    def __init__(self, module: str, *arguments: str, lockstep: Path | None = None, background: bool = False) -> None:
        """
        lockstep: socket of a time shared with others, instead of the real one.
        background: start it as a shell does in the background, with Ctrl-C ignored.
        """
        program = ["-m", f"legged_gym.deploy.{module}"]
        if lockstep is not None:
            program = [str(Path(go2_lockstep.__file__)), str(lockstep), module]
        shell = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"] if background else []
        command = [*shell, sys.executable, *program, *arguments]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True)
        self._real_time = lockstep is None
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, text: str, since: int = 0) -> str:
        """The first line from number `since` on with the text."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            for line in self.lines[since:]:
                if text in line:
                    return line
            self.check_kept_time(but=text)
            if self.process.poll() is not None and not self._reader.is_alive():
                break
            time.sleep(0.02)
        raise AssertionError(f"'{text}' never came; the program said:\n{self.text}")

    def check_kept_time(self, but: str = "") -> None:
        """Skip the test if this computer was too busy for it. but: what is waited for is no reason."""
        for line in self.lines if self._real_time else []:
            if any(late in line and late not in but for late in LATE):
                pytest.skip(f"this computer is too busy to drive a robot in real time: {line.strip()}")

    def type(self, keys: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(keys)
        self.process.stdin.flush()

    def end(self, number: int = signal.SIGINT) -> int:
        """Signal the program, wait for it, and return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return status


class Pair:
    """A simulated robot and the program that drives it, in step with each other or in real time."""

    def __init__(
        self,
        policy: Path,
        folder: Path,
        *,
        robot: tuple[str, ...] = (),
        driver: tuple[str, ...] = (),
        real_time: bool = False,
    ) -> None:
        shared = ("--network", "lo", "--domain", str(DOMAIN), "--time_scale", str(TIME_SCALE))
        self._record = folder / "record.npz"
        self.lockstep = None if real_time else folder / "time"
        self.robot = Program("simulated_go2", *shared, "--record", str(self._record), *robot, lockstep=self.lockstep)
        self.go2 = Program("go2", *shared, "--policy", str(policy), *driver, lockstep=self.lockstep)

    def sleep(self, seconds: float) -> None:
        """Of the programs' time, second by second, for each of which a busy computer has the clock's patience."""
        assert self.lockstep is not None
        clock = go2_lockstep.Follower(str(self.lockstep))
        end = clock.now() + seconds
        while clock.now() < end - go2_lockstep.ROUNDING_S:
            clock.sleep(min(1.0, end - clock.now()))
        clock.close()

    def stand(self) -> None:
        self.go2.wait_for("ready")
        self.robot.type("1")
        self.go2.wait_for("] damp")
        self.step_on()

    def step_on(self) -> None:
        """From damping to standing."""
        since = len(self.go2.lines)
        self.robot.type("1")
        self.go2.wait_for("] stand up", since)
        self.go2.wait_for("] stand", len(self.go2.lines))

    def walk(self) -> None:
        self.stand()
        self.robot.type("2")
        self.go2.wait_for("] walk")

    def record(self) -> dict[str, np.ndarray]:
        """What really happened; ends both programs."""
        self.end()
        with np.load(self._record) as arrays:
            return dict(arrays)

    def end(self) -> None:
        assert self.go2.end() in (0, -signal.SIGKILL), self.go2.text
        assert self.robot.end() == 0, self.robot.text

    def kill(self) -> None:
        for program in (self.go2, self.robot):
            if program.process.poll() is None:
                program.process.kill()
                program.process.wait()
