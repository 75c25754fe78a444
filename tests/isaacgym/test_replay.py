"""MuJoCo Warp's launches, recorded once and replayed, do what they do one by one."""

from __future__ import annotations

import pytest
import torch

from isaacgym import gymapi, gymtorch
from isaacgym.engine.engine import Engine
from tests.isaacgym.worlds import ALIENGO

GYM = gymapi.acquire_gym()
NUM_ENVS, STEPS = 3, 100


def restless_robots() -> list[torch.Tensor]:
    """Robots that touch themselves fall and kick, while gravity, friction, masses and forces on them change."""
    params = gymapi.SimParams(dt=0.005, substeps=2, up_axis=1, gravity=(0.0, 0.0, -9.81))
    sim = GYM.create_sim(0, -1, gymapi.SIM_PHYSX, params)
    GYM.add_ground(sim, gymapi.PlaneParams(normal=gymapi.Vec3(0, 0, 1)))
    options = gymapi.AssetOptions(collapse_fixed_joints=True, replace_cylinder_with_capsule=True)
    options.default_dof_drive_mode = gymapi.DOF_MODE_EFFORT
    asset = GYM.load_asset(sim, str(ALIENGO.parent), ALIENGO.name, options)
    for k in range(NUM_ENVS):
        env = GYM.create_env(sim, gymapi.Vec3(), gymapi.Vec3(), 1)
        GYM.create_actor(env, asset, gymapi.Transform(gymapi.Vec3(0, 0, 0.35 + 0.05 * k)), "robot", k, 0)
    GYM.prepare_sim(sim)
    random = torch.Generator().manual_seed(3)
    for step in range(STEPS):
        torques = 25.0 * torch.randn(NUM_ENVS, 12, generator=random)
        GYM.set_dof_actuation_force_tensor(sim, gymtorch.unwrap_tensor(torques))
        if step % 15 == 7:
            shapes = GYM.get_actor_rigid_shape_properties(sim.envs[1], 0)
            for shape in shapes:
                shape.friction = 0.02 * step
            GYM.set_actor_rigid_shape_properties(sim.envs[1], 0, shapes)
            bodies = GYM.get_actor_rigid_body_properties(sim.envs[2], 0)
            bodies[0].mass += 1.0
            GYM.set_actor_rigid_body_properties(sim.envs[2], 0, bodies, recomputeInertia=True)
            forces = torch.zeros(NUM_ENVS, 17, 3)
            forces[:, 0, 0] = 30.0
            GYM.apply_rigid_body_force_tensors(sim, gymtorch.unwrap_tensor(forces), None, gymapi.LOCAL_SPACE)
            params = GYM.get_sim_params(sim)
            params.gravity.x += 0.5
            GYM.set_sim_params(sim, params)
        GYM.simulate(sim)
    engine = sim.running
    return [engine.qpos.clone(), engine.qvel.clone(), engine.contact_forces.clone()]


def test_a_replay_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    replayed = restless_robots()
    monkeypatch.setattr(Engine, "_can_record", False)
    launched = restless_robots()
    assert all(torch.equal(one, other) for one, other in zip(replayed, launched, strict=True))
    assert replayed[2].abs().max() > 100.0  # they do touch the ground
