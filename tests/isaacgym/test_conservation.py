"""What free flight conserves. MuJoCo's semi-implicit Euler errs in proportion to its step: errors must halve with it.

C MuJoCo computes momenta and energy of the engines' states.
"""

from __future__ import annotations

from typing import NamedTuple

import mujoco
import numpy as np
import pytest
import torch

from isaacgym.engine.model import build_spec
from tests.isaacgym.worlds import ALIENGO, STANCE, World

DURATION = 0.3  # [s]
STEPS = (0.002, 0.001)  # [s]
HALVED = (0.4, 0.6)  # error of the second over that of the first
REMAINDER = 0.02  # of a quantity extrapolated to step 0


class Conserved(NamedTuple):
    linear: np.ndarray  # momentum [kg·m/s]
    angular: np.ndarray  # momentum about the centre of mass [kg·m²/s]
    energy: float  # [J]
    mass: float  # [kg]


def conserved(world: World, model: mujoco.MjModel) -> Conserved:
    data, engine = mujoco.MjData(model), world.sim.engine
    data.qpos[:], data.qvel[:] = engine.qpos[0].numpy(), engine.qvel[0].numpy()
    mujoco.mj_forward(model, data)
    mujoco.mj_subtreeVel(model, data)
    mass = model.body_subtreemass[1]
    return Conserved(mass * data.subtree_linvel[1], data.subtree_angmom[1], data.energy.sum(), mass)


def fly(engine: str, dt: float, torque: float, gravity: float) -> tuple[Conserved, Conserved]:
    """Quantities at the start and after a tumbling flight with joint torques of this amplitude [N·m]."""
    world = World(ALIENGO, dt=dt, gravity=(0.0, 0.0, -gravity), engine=engine)
    model = build_spec(world.asset.robot, dt, gravity=(0.0, 0.0, -gravity)).compile()
    model.opt.enableflags |= mujoco.mjtEnableBit.mjENBL_ENERGY
    world.set_root([0.0, 0.0, 5.0], linear=[0.3, -0.5, 0.7], angular=[0.8, 1.1, -0.6])
    world.set_dofs(STANCE)
    world.step()
    start = conserved(world, model)
    for step in range(round(DURATION / dt)):
        world.set_torques(torch.tensor([[torque * np.sin(9.0 * step * dt + joint) for joint in range(12)]]).float())
        world.step()
    return start, conserved(world, model)


def check_conserved(errors: list[np.ndarray], size: float) -> None:
    """errors: at each of STEPS; size: of the quantity."""
    coarse, fine = (np.linalg.norm(error) for error in errors)
    assert HALVED[0] < fine / coarse < HALVED[1]
    assert np.linalg.norm(2 * errors[1] - errors[0]) < REMAINDER * size


@pytest.mark.parametrize("engine", ["tree", "mujoco"])
def test_internal_torques_change_no_momentum(engine: str) -> None:
    flights = [fly(engine, dt, torque=3.0, gravity=0.0) for dt in STEPS]
    for quantity in ("linear", "angular"):
        start = getattr(flights[0][0], quantity)
        check_conserved(
            [getattr(end, quantity) - getattr(begin, quantity) for begin, end in flights], np.linalg.norm(start)
        )


@pytest.mark.parametrize("engine", ["tree", "mujoco"])
def test_a_passive_robot_in_flight_keeps_its_energy(engine: str) -> None:
    flights = [fly(engine, dt, torque=0.0, gravity=9.81) for dt in STEPS]
    errors = [np.array([end.energy - begin.energy]) for begin, end in flights]
    start = flights[0][0]
    check_conserved(errors, 0.5 * start.linear @ start.linear / start.mass)  # of the translation
