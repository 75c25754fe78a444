"""Other simulations of an environment's robot, whose speed `benchmark.py` compares ours with."""

from collections.abc import Callable
from typing import Any, NamedTuple

import mujoco
import mujoco_warp as mjw
import numpy as np
import warp as wp

from isaacgym.engine.model import build_spec

CONTACTS_PER_ROBOT = 64  # capacity; MuJoCo's height fields give several contacts for each shape
CONSTRAINT_ROWS = 4 * CONTACTS_PER_ROBOT


class Yardstick(NamedTuple):
    """A simulation that can be timed."""

    step: Callable[[], None]  # all of its robots, by one simulation step
    reset: Callable[[], None]  # back to the start


def c_mujoco(env: Any) -> Yardstick:
    """C MuJoCo: one robot that stands on a plane, held by the environment's gains, in one thread."""
    engine = env.sim.engine
    model = build_spec(engine.robot, engine.dt, native_ground=True).compile()
    data = mujoco.MjData(model)
    stance = env.default_dof_pos.flatten().double().cpu().numpy()
    kp, kd = (gains.double().cpu().numpy() for gains in (env.p_gains, env.d_gains))

    def reset() -> None:
        mujoco.mj_resetData(model, data)
        data.qpos[2], data.qpos[7:] = env.base_init_state[2].item(), stance

    def step() -> None:
        data.qfrc_applied[6:] = kp * (stance - data.qpos[7:]) - kd * data.qvel[6:]
        mujoco.mj_step(model, data)

    return Yardstick(step, reset)


def native_height_field(env: Any) -> Yardstick:
    """MuJoCo Warp with its own height-field collision: the environment's robots as they are now, torques held."""
    engine = env.sim.engine
    model = on_height_field(env)
    with wp.ScopedDevice(engine.device):
        warp_model = mjw.put_model(model)
        warp_model.opt.warn_overflow = 0
        num = env.num_envs
        data = mjw.make_data(model, nworld=num, naconmax=num * CONTACTS_PER_ROBOT, njmax=CONSTRAINT_ROWS)
    start = {name: getattr(engine, name).clone() for name in ("qpos", "qvel")}
    torques = engine.torques.clone()
    graphs: list[wp.Graph] = []

    def reset() -> None:
        for name, values in start.items():
            wp.to_torch(getattr(data, name)).copy_(values)
        wp.to_torch(data.qfrc_applied)[:, -torques.shape[1] :] = torques

    def step() -> None:
        with wp.ScopedDevice(engine.device):
            if not wp.get_device().is_cuda:
                mjw.step(warp_model, data)
                return
            if not graphs:
                mjw.step(warp_model, data)  # loads its kernels
                with wp.ScopedCapture() as capture:
                    mjw.step(warp_model, data)
                graphs.append(capture.graph)
            wp.capture_launch(graphs[0])

    return Yardstick(step, reset)


def on_height_field(env: Any) -> mujoco.MjModel:
    """The environment's robot over its terrain's samples as a height field of MuJoCo's."""
    engine, cfg = env.sim.engine, env.cfg.terrain
    spec = build_spec(engine.robot, engine.dt, native_ground=True)
    heights = env.terrain.height_field_raw * cfg.vertical_scale  # (x, y) [m]
    low, span = heights.min(), max(float(np.ptp(heights)), cfg.vertical_scale)
    half = (np.array(heights.shape) - 1) / 2 * cfg.horizontal_scale
    # MuJoCo's rows run along y, and its heights from 0 to 1 over the geom's origin
    samples = ((heights - low) / span).T
    rows, cols = samples.shape
    spec.add_hfield(name="terrain", nrow=rows, ncol=cols, size=[*half, span, 1.0], userdata=samples.ravel())
    ground = spec.geoms[0]
    ground.type, ground.hfieldname = mujoco.mjtGeom.mjGEOM_HFIELD, "terrain"
    ground.pos = [*(half - cfg.border_size), low]
    return spec.compile()
