"""Drives whose gains would ask for more than their effort, of light links as grippers have them, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isaacgym import gymapi, gymtorch
from isaacgym.gymapi import AssetOptions, Transform, Vec3

GYM = gymapi.acquire_gym()
DT, MASS, G = 1.0 / 60.0, 0.015, 9.81  # [s], [kg] of a finger, [m/s²]
FINGER = (
    '<robot name="finger"><link name="hand"/><link name="finger"><inertial><mass value="0.015"/>'
    '<inertia ixx="1e-5" iyy="1e-5" izz="1e-5"/></inertial><collision><geometry><box size=".02 .02 .02"/></geometry>'
    '</collision></link><joint name="slide" type="prismatic"><parent link="hand"/><child link="finger"/>'
    '<axis xyz="{axis}"/><limit lower="-5" upper="5" effort="{effort}" velocity="1"/></joint></robot>'
)


class Finger:
    """One on a slide, in its own env, and beside it a fixed wall if there is one."""

    def __init__(self, folder, axis, effort, stiffness, damping, engine="auto", wall=None, gravity=0.0) -> None:
        (folder / "finger.urdf").write_text(FINGER.format(axis=axis, effort=effort))
        params = gymapi.SimParams(dt=DT, substeps=1, gravity=(0.0, 0.0, -gravity))
        params.engine = engine
        self.sim = sim = GYM.create_sim(0, -1, gymapi.SIM_PHYSX, params)
        options = AssetOptions(fix_base_link=True, default_dof_drive_mode=gymapi.DOF_MODE_POS)
        asset = GYM.load_asset(sim, str(folder), "finger.urdf", options)
        env = GYM.create_env(sim, Vec3(), Vec3(), 1)
        GYM.create_actor(env, asset, Transform(Vec3(0, 0, 1)), "finger", 0, 0)
        properties = GYM.get_actor_dof_properties(env, 0)
        properties["stiffness"], properties["damping"] = stiffness, damping
        GYM.set_actor_dof_properties(env, 0, properties)
        if wall is not None:
            box = GYM.create_box(sim, 0.1, 0.1, 0.1, AssetOptions(fix_base_link=True))
            GYM.create_actor(env, box, Transform(Vec3(*wall)), "wall", 0, 0)
        GYM.prepare_sim(sim)
        self.dof = gymtorch.wrap_tensor(GYM.acquire_dof_state_tensor(sim))

    def go(self, target: float, steps: int) -> np.ndarray:
        """Positions and velocities after each step, (steps, 2)."""
        GYM.set_dof_position_target_tensor(self.sim, gymtorch.unwrap_tensor(torch.tensor([target])))
        states = []
        for _ in range(steps):
            GYM.simulate(self.sim)
            GYM.refresh_dof_state_tensor(self.sim)
            states.append(self.dof[0].tolist())
        return np.array(states)


@pytest.mark.parametrize("engine", ["tree", "mujoco"])
@pytest.mark.parametrize(("stiffness", "damping"), [(1e6, 100.0), (1e3, 5.0), (20.0, 0.3), (2.0, 0.0)])
def test_the_force_at_the_end_of_a_step_is_bounded(tmp_path, engine, stiffness, damping):
    """Of the implicit law's force f, v' = v + h · f / m, with what the effort leaves of it; nothing else acts."""
    effort = 0.4
    finger = Finger(tmp_path, "1 0 0", effort, stiffness, damping, engine)
    position = velocity = 0.0
    for target in (0.04, -0.02):
        states = finger.go(target, 30)
        for row in states:
            implicit = damping + DT * stiffness
            force = (stiffness * (target - position) - implicit * velocity) / (1.0 + DT * implicit / MASS)
            velocity += DT * np.clip(force, -effort, effort) / MASS
            position += DT * velocity
            np.testing.assert_allclose(row, [position, velocity], rtol=1e-3, atol=1e-4)


def test_a_finger_with_the_gains_of_a_cabinet_task_stays_where_it_should_be(tmp_path):
    """k = 1e6 N/m and 200 N on 15 g: the full effort for one step would throw it by 3.7 m."""
    finger = Finger(tmp_path, "1 0 0", 200.0, 1e6, 100.0)
    for target in (0.04, 0.0, 0.02):
        states = finger.go(target, 20)
        np.testing.assert_allclose(states[5:], np.broadcast_to([target, 0.0], (15, 2)), atol=1e-4)


@pytest.mark.parametrize("stiffness", [500.0, 1e4, 1e6])
def test_a_blocked_drive_presses_with_its_effort(tmp_path, stiffness):
    """Against a wall 2 cm away."""
    finger = Finger(tmp_path, "1 0 0", 3.0, stiffness, 10.0, wall=(0.08, 0.0, 1.0))
    states = finger.go(0.2, 120)
    assert states[-1] == pytest.approx([0.02, 0.0], abs=2e-3)
    forces = gymtorch.wrap_tensor(GYM.acquire_net_contact_force_tensor(finger.sim))
    GYM.refresh_net_contact_force_tensor(finger.sim)
    assert forces[1:, 0].tolist() == pytest.approx([-3.0, 3.0], rel=0.02)


@pytest.mark.parametrize("stiffness", [10.0, 1e3, 1e6])
def test_a_drive_too_weak_for_the_weight_lets_it_fall(tmp_path, stiffness):
    """With half the effort that the weight takes, by g / 4 · t², t from up to 0.15 s later on; with twice, it holds."""
    weak, strong = (Finger(tmp_path, "0 0 1", k * MASS * G, stiffness, 0.0, gravity=G) for k in (0.5, 2.0))
    fallen = -weak.go(0.0, 60)[-1, 0]
    assert G / 4.0 * 0.85**2 < fallen < G / 4.0 * 1.06
    assert np.abs(strong.go(0.0, 60)[-1] - [-MASS * G / stiffness, 0.0]).max() < 1e-2
