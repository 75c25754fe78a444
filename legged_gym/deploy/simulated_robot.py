"""A Go2 in C MuJoCo that speaks as the real one does: commands in, states out, in Unitree's messages."""

from __future__ import annotations

import math
from collections import deque
from pathlib import Path

import mujoco
import numpy as np

from legged_gym import LEGGED_GYM_ROOT_DIR
from legged_gym.deploy.courses import FRICTION, Course
from legged_gym.deploy.messages import GO2_JOINTS, LOW_STATE, NUM_MOTORS, is_command, new_command, sealed
from legged_gym.deploy.mujoco_robot import NOISE
from legged_gym.deploy.mujoco_world import SIM_DT, build_model
from legged_gym.deploy.remote import Remote, encode
from legged_gym.deploy.state_machine import DAMP_KD, LYING, cubic

URDF = Path(LEGGED_GYM_ROOT_DIR, "resources", "robots", "go2", "urdf", "go2.urdf")
ARMATURE = 0.01  # [kg·m²] of a motor's rotor behind its gear, as in the training
WATCHDOG_S = 0.1  # [s] without a command after which the motors only damp
HOLD_KP, HOLD_KD = (
    60.0,
    3.0,
)  # [N·m/rad], [N·m·s/rad] of the motion service, which holds the robot before anyone commands it
LIE_DOWN_S = 2.0  # [s]
TEMPERATURE = 35  # [°C] of everything
MAX_JOINT_POSITION = 10.0  # [rad] targets beyond mean "do not control the position", as NO_POSITION does
SETTLE_S = 1.0  # [s] that a robot on its belly is left alone for before anything begins
FOLDED, HALF_FOLDED = tuple(LYING.values()), (0.0, 1.0, -2.05)
# Joint angles [rad] of hip, thigh and calf of the right and of the left legs, and the trunk's roll [rad].
STARTS = {
    "belly": (FOLDED, FOLDED, 0.0),
    "crouch": ((0.0, 1.15, -2.2), (0.0, 1.15, -2.2), 0.0),
    "standing": ((0.0, 0.9, -1.5), (0.0, 0.9, -1.5), 0.0),
    "tilted": (HALF_FOLDED, (0.0, 1.36, -2.72), math.radians(-20.0)),
}


class SimulatedGo2:
    """The robot on its terrain. Arrays of joints are in the SDK's order.

    Attributes:
        model, data: MuJoCo's.
        held: whether the motion service still holds the pose, because no command has been obeyed yet.
        refused: commands that were not obeyed.
        remote: state of the remote control that the robot hears; None: none.
        torques: of the motors in the last step [N·m], (12,).
        temperature: of each motor [°C], (12,).
    """

    def __init__(
        self,
        course: Course,
        start: str = "belly",
        *,
        noise: float = 1.0,
        latency_s: tuple[float, float] = (0.0, 0.004),
        seed: int = 1,
        urdf: Path = URDF,
    ) -> None:
        """
        Args:
            course: the ground.
            start: one of STARTS.
            noise: factor on the training's sensor noise.
            latency_s: range of the time until a command reaches the motors, drawn for each.
            seed: of noise and latency.
        """
        if start not in STARTS:
            raise ValueError(f"unknown start '{start}'; known: {', '.join(STARTS)} (--start)")
        self.model = build_model(urdf, course, FRICTION, armature=ARMATURE)
        self.data = mujoco.MjData(self.model)
        self._joints = np.array([self.model.joint(name).id for name in GO2_JOINTS])
        self._qpos, self._dofs = self.model.jnt_qposadr[self._joints], self.model.jnt_dofadr[self._joints]
        self._max_torque = self.model.jnt_actfrcrange[self._joints, 1]
        self._noise, self._latency_s = noise, latency_s
        self._rng = np.random.default_rng(seed)
        self.remote: Remote | None = Remote()
        self.refused = 0
        self.torques = np.zeros(NUM_MOTORS)
        self.temperature = np.full(NUM_MOTORS, TEMPERATURE)
        self._place(start)

    @property
    def time(self) -> float:
        """[s]"""
        return float(self.data.time)

    @property
    def joint_pos(self) -> np.ndarray:
        """[rad] (12,)"""
        return self.data.qpos[self._qpos].copy()

    @property
    def joint_vel(self) -> np.ndarray:
        """[rad/s] (12,)"""
        return self.data.qvel[self._dofs].copy()

    def obey(self, command: np.ndarray) -> bool:
        """Take a LOW_CMD record to the motors, after the latency; False: it is no good command and changes nothing."""
        motors = command["motor_cmd"][:NUM_MOTORS]
        numbers = np.stack([motors[name] for name in ("q", "dq", "tau", "kp", "kd")])
        if not is_command(command) or not np.isfinite(numbers).all():
            self.refused += 1
            return False
        self.held = False
        self._obeyed_at = self.time
        self._pending.append((self.time + self._rng.uniform(*self._latency_s), motors.copy()))
        return True

    def lie_down(self) -> None:
        """What the motion service does on request, if it still holds the robot."""
        self._hold_from, self._hold_since = self.joint_pos, self.time
        self._hold_pose = _pose("belly")

    def step(self) -> None:
        """2 ms of physics."""
        while self._pending and self._pending[0][0] <= self.time:
            self._motors = self._pending.popleft()[1]
        self.torques = np.clip(self._motor_torques(), -self._max_torque, self._max_torque)
        self.data.qfrc_applied[self._dofs] = self.torques
        before = self.data.qvel[:3].copy()
        mujoco.mj_step(self.model, self.data)
        self.data.xfrc_applied[:] = 0.0
        self._acceleration_w = (self.data.qvel[:3] - before) / SIM_DT - self.model.opt.gravity

    def push(self, force: tuple[float, float, float], torque: tuple[float, float, float]) -> None:
        """Act on the trunk in the next step. force [N], torque [N·m], world frame."""
        self.data.xfrc_applied[1] = (*force, *torque)

    def commanded_kp(self) -> np.ndarray:
        """Stiffness that the motors act with [N·m/rad], (12,)."""
        if self.held:
            return np.full(NUM_MOTORS, HOLD_KP)
        return np.zeros(NUM_MOTORS) if self.damped_by_watchdog() else self._motors["kp"].copy()

    def damped_by_watchdog(self) -> bool:
        return not self.held and self.time - self._obeyed_at > WATCHDOG_S

    def state(self) -> np.ndarray:
        """What the robot says of itself, a LOW_STATE record. The feet's forces and the battery's cells are left out."""
        state = np.zeros((), LOW_STATE)
        state["head"], state["level_flag"] = (0xFE, 0xEF), 0xFF
        imu, motors = state["imu_state"], state["motor_state"][:NUM_MOTORS]
        quat, rng, noise = self.data.qpos[3:7], self._rng, self._noise
        rotation = np.zeros(9)
        mujoco.mju_quat2Mat(rotation, quat)
        tilt = np.zeros(4)  # of gravity by its noise
        mujoco.mju_mulQuat(tilt, quat, _small_turn(noise * rng.uniform(-1, 1, 2) * NOISE["projected_gravity"]))
        imu["quaternion"] = tilt
        imu["gyroscope"] = self.data.qvel[3:6] + noise * rng.uniform(-1, 1, 3) * NOISE["base_ang_vel"]
        imu["accelerometer"] = rotation.reshape(3, 3).T @ self._acceleration_w
        imu["rpy"] = _roll_pitch_yaw(tilt)
        imu["temperature"] = TEMPERATURE
        motors["mode"] = 1
        motors["q"] = self.joint_pos + noise * rng.uniform(-1, 1, NUM_MOTORS) * NOISE["joint_pos"]
        motors["dq"] = self.joint_vel + noise * rng.uniform(-1, 1, NUM_MOTORS) * NOISE["joint_vel"]
        motors["tau_est"], motors["temperature"] = self.torques, self.temperature
        state["tick"] = round(self.time * 1000)
        state["wireless_remote"] = np.frombuffer(encode(self.remote), np.uint8)
        state["power_v"], state["bms_state"]["soc"] = 29.0, 80
        return sealed(state)

    def base_speeds(self) -> tuple[float, float, float]:
        """vx, vy [m/s] of the trunk along and across its heading, yaw rate [rad/s] about the vertical axis."""
        yaw = _roll_pitch_yaw(self.data.qpos[3:7])[2]
        vx, vy = self.data.qvel[:2]
        rate_w = np.zeros(3)
        mujoco.mju_rotVecQuat(rate_w, self.data.qvel[3:6], self.data.qpos[3:7])
        c, s = math.cos(yaw), math.sin(yaw)
        return c * vx + s * vy, c * vy - s * vx, float(rate_w[2])

    def _place(self, start: str) -> None:
        """Put the robot down at rest, held by its motion service."""
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[self._qpos] = _pose(start)
        roll = STARTS[start][2]
        self.data.qpos[3:7] = (math.cos(roll / 2), math.sin(roll / 2), 0.0, 0.0)
        self.data.qpos[2] = 1.0
        while self.data.qpos[2] > 0:
            mujoco.mj_forward(self.model, self.data)
            if self.data.ncon:
                break
            self.data.qpos[2] -= 0.005
        self._hold_from = self._hold_pose = _pose(start)
        self._hold_since = -LIE_DOWN_S
        self._acceleration_w = -self.model.opt.gravity.copy()
        self._motors = new_command()["motor_cmd"][:NUM_MOTORS].copy()
        self._pending: deque[tuple[float, np.ndarray]] = deque()  # (time at which it takes effect, MOTOR_CMD records)
        self.held, self._obeyed_at = start != "belly", -SETTLE_S
        if start == "belly":
            while self.data.time < SETTLE_S:
                self.step()
            self._hold_from = self._hold_pose = self.joint_pos
            self.data.time, self._obeyed_at, self.held = 0.0, 0.0, True

    def _motor_torques(self) -> np.ndarray:
        """[N·m] (12,), before the limits."""
        pos, vel = self.joint_pos, self.joint_vel
        if self.held:
            goal = self._hold_from + (self._hold_pose - self._hold_from) * cubic(
                (self.time - self._hold_since) / LIE_DOWN_S
            )
            return HOLD_KP * (goal - pos) - HOLD_KD * vel
        if self.damped_by_watchdog():
            return -DAMP_KD * vel
        motors = self._motors
        kp = np.where(np.abs(motors["q"]) < MAX_JOINT_POSITION, motors["kp"], 0.0)
        return np.where(
            motors["mode"] == 1,
            motors["tau"] + kp * (np.where(kp > 0, motors["q"], 0.0) - pos) + motors["kd"] * (motors["dq"] - vel),
            0.0,
        )


def _pose(start: str) -> np.ndarray:
    right, left, _ = STARTS[start]
    return np.array([*right, *left, *right, *left])


def _small_turn(angles: np.ndarray) -> np.ndarray:
    """Quaternion of a small turn about x and y [rad]."""
    quat = np.array([1.0, *(angles / 2), 0.0])
    return quat / np.linalg.norm(quat)


def _roll_pitch_yaw(quat: np.ndarray) -> tuple[float, float, float]:
    """[rad] of a quaternion w, x, y, z."""
    w, x, y, z = quat
    pitch = math.asin(max(-1.0, min(1.0, 2 * (w * y - z * x))))
    return (
        math.atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y)),
        pitch,
        math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)),
    )
