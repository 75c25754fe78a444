"""An exported policy in another simulator: python legged_gym/scripts/sim2sim.py --policy policy.onnx --terrain stairs

Plain C MuJoCo with its own URDF reader, contacts and terrain; of the training only policy.onnx and the robot's URDF are
used. Joints are held by PD controllers at 500 Hz as on the robot, with latency and sensor noise.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

import mujoco
import numpy as np

from legged_gym import LEGGED_GYM_ROOT_DIR
from legged_gym.deploy.controller import PolicyController, gravity_in_base
from legged_gym.deploy.mujoco_world import FLIGHT, PLATEAU, SIM_DT, VIDEO_SIZE, Array, build_model, ground_height

SETTLE_S = 1.0  # [s] at the start of a trial that errors leave out: the robot lands and speeds up
START_CLEARANCE = 0.02  # [m] of the lowest point above the ground
SMALL_COMMAND = 0.2  # [m/s] random commands below it mean "stand still"
# Half-widths of the sensors' uniform noise at --noise 1: those of the training (legged_gym/deploy/README.md).
NOISE = {"base_ang_vel": 0.2, "projected_gravity": 0.05, "joint_pos": 0.01, "joint_vel": 1.5}
VIDEO_FPS = 25

OnStep = Callable[[mujoco.MjData], None]


class Trial(NamedTuple):
    """One run of one robot."""

    command: tuple[float, float, float]  # vx, vy [m/s], yaw rate [rad/s]
    lin_vel_error: float  # [m/s] mean norm of the horizontal velocity's error, base frame
    ang_vel_error: float  # [rad/s] mean absolute error of the yaw rate
    distance: float  # [m] length of the horizontal path
    cost_of_transport: float  # sum of |power| dt / (weight * distance)
    fell: bool  # the trunk touched the ground; the trial ends there


class Conditions(NamedTuple):
    """What stands between the policy and the robot."""

    latency_s: float = 0.01  # from the readings to the new joint targets
    noise: float = 1.0  # factor on NOISE


# --- Robot -----------------------------------------------------------------------------------------------------------


class Robot:
    """A model with a policy in command: sensors, PD controllers, contact with the ground."""

    def __init__(self, model: mujoco.MjModel, controller: PolicyController, conditions: Conditions) -> None:
        """controller: built with joint_order=joint_names(model)."""
        self.model, self.data = model, mujoco.MjData(model)
        self.controller, self.conditions = controller, conditions
        self.substeps = round(controller.control_period_s / SIM_DT)
        self._latency_steps = round(conditions.latency_s / SIM_DT)
        self._weight = model.body_mass.sum() * np.linalg.norm(model.opt.gravity)
        self._trunk_bodies = np.flatnonzero(model.body_weldid == model.body_weldid[1])  # welded to the free body

    def reset(self, x: float) -> None:
        """Stand at rest in the default pose above the ground at (x, 0), facing +x."""
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[7:] = self.controller.default_joint_pos
        self.data.qpos[0] = x
        mujoco.mj_kinematics(self.model, self.data)
        ground = ground_height(self.model, self.data, x)
        self.data.qpos[2] = ground + START_CLEARANCE - lowest_point(self.model, self.data)
        mujoco.mj_forward(self.model, self.data)
        self.controller.reset()
        self._targets = self.controller.default_joint_pos.astype(np.float64)
        self._pending: deque[tuple[int, Array]] = deque()  # (simulation step at which they take effect, joint targets)
        self._step_count = 0
        self.energy = 0.0  # [J] sum of |power| since the reset

    def readings(self, rng: np.random.Generator) -> dict[str, Array]:
        """What the sensors say: arguments of PolicyController.step but the command."""
        w, x, y, z = self.data.qpos[3:7]
        exact = {
            # A free joint's angular velocity is in the body frame.
            "base_ang_vel": self.data.qvel[3:6],
            "projected_gravity": gravity_in_base((x, y, z, w)),
            "joint_pos": self.data.qpos[7:],
            "joint_vel": self.data.qvel[6:],
        }
        noise = self.conditions.noise
        return {
            name: value + noise * rng.uniform(-NOISE[name], NOISE[name], len(value)) for name, value in exact.items()
        }

    def control_step(self, command: Sequence[float], rng: np.random.Generator) -> None:
        """One period of the policy; its targets reach the joints after the latency."""
        targets = self.controller.step(command, **self.readings(rng))
        self._pending.append((self._step_count + self._latency_steps, targets.astype(np.float64)))
        for _ in range(self.substeps):
            while self._pending and self._pending[0][0] <= self._step_count:
                self._targets = self._pending.popleft()[1]
            self.data.qfrc_applied[6:] = torques = self.pd_torques(self._targets)
            self.energy += np.abs(torques * self.data.qvel[6:]).sum() * SIM_DT
            mujoco.mj_step(self.model, self.data)
            self._step_count += 1

    def pd_torques(self, targets: Array) -> Array:
        """Torques [N·m] of the joint controllers, within the motors' limits."""
        control, data = self.controller, self.data
        torques = control.kp * (targets - data.qpos[7:]) - control.kd * data.qvel[6:]
        return np.clip(torques, -control.torque_limits, control.torque_limits)

    def base_lin_vel(self) -> Array:
        """Velocity of the base's origin [m/s], base frame, (3,)."""
        velocity_b = np.zeros(3)
        inverse = np.zeros(4)
        mujoco.mju_negQuat(inverse, self.data.qpos[3:7])
        mujoco.mju_rotVecQuat(velocity_b, self.data.qvel[0:3], inverse)
        return velocity_b

    def fallen(self) -> bool:
        """Whether the trunk touches the ground."""
        bodies = self.model.geom_bodyid[self.data.contact.geom]
        return bool(np.isin(bodies, self._trunk_bodies).any())

    def cost_of_transport(self, distance: float) -> float:
        return self.energy / (self._weight * distance) if distance > 0 else float("inf")


def joint_names(model: mujoco.MjModel) -> list[str]:
    """The robot's joints in MuJoCo's order, without the free one."""
    return [model.joint(i).name for i in range(1, model.njnt)]


def lowest_point(model: mujoco.MjModel, data: mujoco.MjData) -> float:
    """z of the lowest corner of the robot's bounding boxes [m], after mj_kinematics."""
    own = model.geom_bodyid > 0
    down = data.geom_xmat[own].reshape(-1, 3, 3)[:, 2]  # world z in each geom's frame
    centre, half = model.geom_aabb[own, :3], model.geom_aabb[own, 3:]
    return float((data.geom_xpos[own, 2] + (down * centre).sum(1) - (np.abs(down) * half).sum(1)).min())


# --- Trials ----------------------------------------------------------------------------------------------------------


def run_trial(
    robot: Robot,
    command: Sequence[float],
    x: float,
    seconds: float,
    rng: np.random.Generator,
    on_step: OnStep | None = None,
) -> Trial:
    """Follow one command from (x, 0) for `seconds` or until a fall; `on_step` is called after every control step."""
    robot.reset(x)
    period = robot.controller.control_period_s
    errors, distance, fell = [], 0.0, False
    for i in range(round(seconds / period)):
        before = robot.data.qpos[:2].copy()
        robot.control_step(command, rng)
        distance += float(np.linalg.norm(robot.data.qpos[:2] - before))
        if (i + 1) * period > SETTLE_S:
            lin = np.linalg.norm(robot.base_lin_vel()[:2] - command[:2])
            errors.append((lin, abs(robot.data.qvel[5] - command[2])))
        if on_step is not None:
            on_step(robot.data)
        fell = robot.fallen()
        if fell:
            break
    lin_vel_error, ang_vel_error = np.mean(errors, axis=0) if errors else (float("nan"), float("nan"))
    return Trial(tuple(command), lin_vel_error, ang_vel_error, distance, robot.cost_of_transport(distance), fell)


def random_command(rng: np.random.Generator) -> tuple[float, float, float]:
    """vx, vy within ±1 m/s and a yaw rate within ±1 rad/s, as `evaluate.py` draws them for "both ±1"."""
    vx, vy, yaw_rate = rng.uniform(-1.0, 1.0, 3)
    moving = np.hypot(vx, vy) > SMALL_COMMAND
    return float(vx * moving), float(vy * moving), float(yaw_rate)


def run_trials(
    robot: Robot,
    num_trials: int,
    seconds: float,
    seed: int,
    command: Sequence[float] | None = None,
    on_step: OnStep | None = None,
) -> list[Trial]:
    """Several trials, starting in turn on a low and on a high plateau. command: None: a random one for each trial."""
    rng = np.random.default_rng(seed)
    trials = []
    for i in range(num_trials):
        wish = random_command(rng) if command is None else command
        trials.append(run_trial(robot, wish, (i % 2) * (PLATEAU + FLIGHT), seconds, rng, on_step))
    return trials


def summary(trials: list[Trial]) -> dict[str, float | int]:
    """Means over the trials; errors of trials that fell during the first second do not count."""
    measured = [trial for trial in trials if np.isfinite(trial.lin_vel_error)] or trials
    return {
        "trials": len(trials),
        "falls": sum(trial.fell for trial in trials),
        "lin_vel_error": float(np.mean([trial.lin_vel_error for trial in measured])),
        "ang_vel_error": float(np.mean([trial.ang_vel_error for trial in measured])),
        "distance": float(np.mean([trial.distance for trial in trials])),
        "cost_of_transport": float(np.mean([trial.cost_of_transport for trial in trials])),
    }


# --- Command line ----------------------------------------------------------------------------------------------------


def get_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="An exported policy in plain C MuJoCo")
    parser.add_argument("--policy", help="policy.onnx; default: the newest under logs/")
    parser.add_argument("--urdf", help="robot description; default: the policy's robot in resources/robots")
    parser.add_argument("--terrain", default="flat", help="flat, slope, rough or stairs")
    parser.add_argument("--step_height", type=float, default=0.1, help="of stairs [m]")
    parser.add_argument("--slope", type=float, default=0.2, help="rise over run of slope and rough")
    parser.add_argument("--command", type=float, nargs=3, metavar=("VX", "VY", "YAW"), help="default: random, ±1 each")
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=20.0, help="of a trial")
    parser.add_argument("--latency", type=float, default=0.01, help="from readings to new joint targets [s]")
    parser.add_argument("--noise", type=float, default=1.0, help="factor on the training's sensor noise")
    parser.add_argument("--friction", type=float, default=0.8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--headless", action="store_true", help="as fast as it goes, without MuJoCo's viewer")
    parser.add_argument("--video", help="also film the robot to this file (needs ffmpeg)")
    parser.add_argument("--json", help="also write the results to this file")
    return parser.parse_args(argv)


def newest_policy() -> Path:
    """The policy that play.py exported last."""
    policies = Path(LEGGED_GYM_ROOT_DIR, "logs").glob("*/exported/policies/policy.onnx")
    newest = max(policies, key=lambda path: path.stat().st_mtime, default=None)
    if newest is None:
        raise FileNotFoundError("no policy.onnx under logs/; export one with play.py, or give --policy FILE")
    return newest


def prepare(args: argparse.Namespace) -> Robot:
    """Check the command line and build the robot."""
    if args.trials < 1 or args.seconds <= SETTLE_S or args.latency < 0 or args.noise < 0 or args.friction <= 0:
        raise ValueError(
            f"--trials must be at least 1, --seconds above {SETTLE_S:g}, --latency and --noise not negative and "
            "--friction positive"
        )
    path = Path(args.policy) if args.policy else newest_policy()
    robot_name = PolicyController(path).metadata["robot"]
    default_urdf = Path(LEGGED_GYM_ROOT_DIR, "resources", "robots", robot_name, "urdf", f"{robot_name}.urdf")
    urdf = Path(args.urdf) if args.urdf else default_urdf
    model = build_model(urdf, args.terrain, args.friction, args.step_height, args.slope, args.seed)
    controller = PolicyController(path, joint_order=joint_names(model))
    print(f"{path} (iteration {controller.metadata['iteration']}) on {args.terrain}, C MuJoCo {mujoco.__version__}")
    return Robot(model, controller, Conditions(args.latency, args.noise))


@contextmanager
def viewer(robot: Robot) -> Iterator[OnStep]:
    """MuJoCo's window, in real time; yields what is to be called after every control step."""
    import mujoco.viewer  # needs a display

    with mujoco.viewer.launch_passive(robot.model, robot.data) as window:
        window.cam.type, window.cam.trackbodyid = mujoco.mjtCamera.mjCAMERA_TRACKING, 1
        next_frame = time.perf_counter()

        def show(data: mujoco.MjData) -> None:
            nonlocal next_frame
            window.sync()
            next_frame = max(next_frame + robot.controller.control_period_s, time.perf_counter())
            time.sleep(next_frame - time.perf_counter())

        yield show


@contextmanager
def video(robot: Robot, path: str) -> Iterator[OnStep]:
    """Films the robot from behind; yields what is to be called after every control step."""
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        raise FileNotFoundError("no encoder for the video: install ffmpeg")
    height, width = VIDEO_SIZE
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(VIDEO_FPS), "-i", "-"]
    command = [ffmpeg, "-loglevel", "error", "-y", *source, "-pix_fmt", "yuv420p", path]
    camera = mujoco.MjvCamera()
    camera.type, camera.trackbodyid, camera.distance = mujoco.mjtCamera.mjCAMERA_TRACKING, 1, 2.5
    every = round(1 / (VIDEO_FPS * robot.controller.control_period_s))  # control steps per frame
    steps = 0
    with (
        mujoco.Renderer(robot.model, height, width) as renderer,
        subprocess.Popen(command, stdin=subprocess.PIPE) as encoder,
    ):

        def film(data: mujoco.MjData) -> None:
            nonlocal steps
            if steps % every == 0:
                renderer.update_scene(data, camera)
                encoder.stdin.write(renderer.render().tobytes())
            steps += 1

        yield film


def observer(args: argparse.Namespace, robot: Robot) -> AbstractContextManager[OnStep | None]:
    """Who watches the trials: a file, a window, or nobody."""
    if args.video:
        return video(robot, args.video)
    if args.headless:
        return nullcontext()
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise ValueError("MuJoCo's viewer needs a display; without one, use --headless")
    return viewer(robot)


def sim2sim(args: argparse.Namespace) -> dict[str, float | int]:
    """Run the trials of the command line, print the results and return them."""
    robot = prepare(args)
    with observer(args, robot) as on_step:
        trials = run_trials(robot, args.trials, args.seconds, args.seed, args.command, on_step)
    result = summary(trials)
    print(
        f"Tracking error {result['lin_vel_error']:.3f} m/s, {result['ang_vel_error']:.3f} rad/s; "
        f"{result['falls']} falls in {result['trials']} trials of {args.seconds:g} s; "
        f"{result['distance']:.1f} m walked on average, cost of transport {result['cost_of_transport']:.2f}"
    )
    if args.json:
        settings = {key: value for key, value in vars(args).items() if key not in ("json", "video", "headless")}
        report = {"settings": settings, "summary": result, "trials": [trial._asdict() for trial in trials]}
        Path(args.json).write_text(json.dumps(report, indent=1), encoding="utf-8")
    return result


def main() -> None:
    """The program; a user's mistake ends it with one sentence."""
    args = get_args()
    try:
        sim2sim(args)
    except (ValueError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from error


if __name__ == "__main__":
    main()
