"""The solver of the MuJoCo Warp engine against C MuJoCo's, on the same constraint problems."""

import mujoco
import mujoco_warp as mjw
import numpy as np
import pytest
import warp as wp
from worlds import DEVICES

from isaacgym.engine.mujoco.newton import NewtonSolver

STATES = 20
CONVERGED = 1e-12
ROWS, CONTACTS = 120, 400

# Every kind of row that the solver knows: equality, dry friction, limits, and contacts.
ARM = """
<mujoco>
  <option timestep="0.005"/>
  <default><joint damping="0"/><geom type="capsule" size="0.05" mass="1"/></default>
  <worldbody>
    <geom type="plane" size="5 5 1" mass="0"/>
    <body pos="0 0 0.3">
      <freejoint/>
      <geom fromto="-0.2 0 0 0.2 0 0"/>
      <body pos="0.2 0 0">
        <joint name="a" axis="0 1 0" frictionloss="0.8" limited="true" range="-0.5 0.5"/>
        <geom fromto="0 0 0 0.3 0 0"/>
        <body pos="0.3 0 0"><joint name="b" axis="0 1 0" frictionloss="0.3"/><geom fromto="0 0 0 0 0.3 0"/></body>
      </body>
      <body pos="-0.2 0 0">
        <joint name="c" axis="0 0 1" limited="true" range="-0.3 0.9"/><geom fromto="0 0 0 -0.3 0 0"/>
      </body>
    </body>
  </worldbody>
  <equality><joint joint1="b" joint2="c" polycoef="0.1 0.5 0 0 0"/></equality>
</mujoco>
"""


def snake(links: int) -> str:
    """A chain on the ground with more degrees of freedom than a warp has threads.

    M's condition number is 1e4; MuJoCo Warp's own solver is off by up to 2e-3 in such states.
    """
    body = '<joint axis="0 {} {}"/><geom fromto="0 0 0 0.1 0 0"/>'
    inner = "".join(f'<body pos="0.1 0 0">{body.format(k % 2, 1 - k % 2)}' for k in range(links)) + "</body>" * links
    return f"""
<mujoco>
  <option timestep="0.005"/>
  <default><geom type="capsule" size="0.03" mass="0.3" contype="0"/><joint armature="0.02"/></default>
  <worldbody>
    <geom type="plane" size="5 5 1" contype="1" mass="0"/>
    <body pos="0 0 0.1"><freejoint/><geom fromto="0 0 0 0.1 0 0"/>{inner}</body>
  </worldbody>
</mujoco>
"""


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("xml", "kinds", "rounding"), [(ARM, 4, 3e-4), (snake(34), 1, 1e-3)], ids=["every kind of row", "40 dofs"]
)
def test_accelerations_and_forces_are_those_of_c_mujoco(xml, kinds, rounding, device):
    """rounding: of the largest value, float32 against float64 with stiff contacts."""
    model = mujoco.MjModel.from_xml_string(xml)
    model.opt.jacobian = mujoco.mjtJacobian.mjJAC_DENSE
    model.opt.iterations, model.opt.ls_iterations, model.opt.tolerance = 100, 50, CONVERGED
    data = mujoco.MjData(model)
    rng = np.random.default_rng(1)
    seen = set()
    with wp.ScopedDevice(device):
        warp_model = mjw.put_model(model)
        for state in range(STATES):
            mujoco.mj_resetData(model, data)
            data.qpos[2] = rng.uniform(0.02, 0.1)
            data.qpos[7:] = rng.uniform(-0.8, 0.8, model.nq - 7)
            data.qvel[:] = rng.uniform(-1.0, 1.0, model.nv) if state else 0.0  # at rest, dry friction has no slope
            data.qfrc_applied[6:] = rng.uniform(-5.0, 5.0, model.nv - 6)
            data.xfrc_applied[1:] = rng.uniform(-5.0, 5.0, (model.nbody - 1, 6))
            mujoco.mj_forward(model, data)
            seen |= set(data.efc_type.tolist())
            warp_data = mjw.put_data(model, data, nconmax=CONTACTS, njmax=ROWS + data.nefc)
            for values in (warp_data.qacc_warmstart, warp_data.qacc, warp_data.efc.force):
                values.zero_()  # C MuJoCo's solution
            NewtonSolver(model, warp_model, warp_data).solve()
            forces = warp_data.efc.force.numpy()[0, : data.nefc]
            for ours, theirs in ((warp_data.qacc.numpy()[0], data.qacc), (forces, data.efc_force)):
                scale = np.abs(theirs).max(initial=0.0)
                np.testing.assert_allclose(ours, theirs, rtol=0, atol=rounding * scale)
    assert len(seen) == kinds
