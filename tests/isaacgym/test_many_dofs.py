"""More than 60 degrees of freedom, where MuJoCo Warp's Jacobian is sparse, against C MuJoCo."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
import torch

from isaacgym import gymapi, gymtorch
from isaacgym.engine.model import build_spec

GYM = gymapi.acquire_gym()
LIMBS, LINKS = 4, 5  # 60 hinges in groups of three, as humanoids with ball joints have them, and a free base
STEPS = 60  # it falls for 25 of them
TOL = 2e-3  # [m], [rad] after contacts of soft, thin limbs, in single precision


def spider() -> str:
    axes = "".join(
        f'<joint name="{{0}}{name}" axis="{axis}" armature=".01"/>'
        for name, axis in zip("xyz", ("1 0 0", "0 1 0", "0 0 1"), strict=True)
    )
    limbs = ""
    for limb in range(LIMBS):
        angle = 2.0 * np.pi * limb / LIMBS
        for link in range(LINKS):
            pos = "0 0 -.1" if link else f"{0.15 * np.cos(angle)} {0.15 * np.sin(angle)} 0"
            limbs += f'<body name="b{limb}_{link}" pos="{pos}">{axes.format(f"j{limb}_{link}")}'
            limbs += '<geom type="capsule" fromto="0 0 -.03 0 0 -.07" size=".02"/>'
        limbs += "</body>" * LINKS
    base = f'<body name="root"><freejoint/><geom type="sphere" size=".1"/>{limbs}</body>'
    return f"<mujoco><worldbody>{base}</worldbody></mujoco>"


@pytest.mark.parametrize("self_collision", [False, True])
def test_a_robot_of_66_degrees_of_freedom_falls_as_in_c_mujoco(tmp_path, self_collision):
    (tmp_path / "spider.xml").write_text(spider())
    params = gymapi.SimParams(dt=0.004, substeps=1, up_axis=1, gravity=(0.0, 0.0, -9.81))
    sim = GYM.create_sim(0, -1, gymapi.SIM_PHYSX, params)
    GYM.add_ground(sim, gymapi.PlaneParams(normal=gymapi.Vec3(0, 0, 1)))
    asset = GYM.load_asset(sim, str(tmp_path), "spider.xml", gymapi.AssetOptions(default_dof_drive_mode=3))
    for _ in range(2):
        env = GYM.create_env(sim, gymapi.Vec3(), gymapi.Vec3(), 1)
        GYM.create_actor(env, asset, gymapi.Transform(gymapi.Vec3(0, 0, 0.57)), "spider", 0, int(not self_collision))
    GYM.prepare_sim(sim)
    torques = torch.zeros(2, 60)
    torques[1] = 0.02 * torch.sin(torch.arange(60.0))
    GYM.set_dof_actuation_force_tensor(sim, gymtorch.unwrap_tensor(torques))
    model = build_spec(asset.robot, 0.004, native_ground=True, self_collision=self_collision).compile()
    model.dof_armature[6:] = 0.01
    data = mujoco.MjData(model)
    mujoco.mj_setConst(model, data)
    data.qpos[2], data.qfrc_applied[6:] = 0.57, torques[1]
    for _ in range(STEPS):
        GYM.simulate(sim)
        mujoco.mj_step(model, data)
    assert data.ncon > 0
    dofs = gymtorch.wrap_tensor(GYM.acquire_dof_state_tensor(sim))
    roots = gymtorch.wrap_tensor(GYM.acquire_actor_root_state_tensor(sim))
    GYM.refresh_dof_state_tensor(sim)
    GYM.refresh_actor_root_state_tensor(sim)
    np.testing.assert_allclose(roots[1, :3], data.qpos[:3], atol=TOL)
    np.testing.assert_allclose(dofs.view(2, 60, 2)[1, :, 0], data.qpos[7:], atol=TOL)
