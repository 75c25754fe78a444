"""What tensors and host calls say after `prepare_sim`, before anything was simulated: how the actors were placed."""

from __future__ import annotations

import pytest
import torch

from isaacgym import gymapi, gymtorch
from isaacgym.gymapi import Transform, Vec3

GYM = gymapi.acquire_gym()
TOL = 1e-6  # [m] single precision
HANGING = (  # two links with unlike centres of mass, which fall differently
    '<robot name="r"><link name="a"><inertial><mass value="1"/><inertia ixx=".1" iyy=".1" izz=".1"/></inertial>'
    '<collision><geometry><sphere radius="0.1"/></geometry></collision></link><link name="b"><inertial>'
    '<origin xyz=".3 0 0"/><mass value="2"/><inertia ixx=".1" iyy=".1" izz=".1"/></inertial></link>'
    '<joint name="j" type="continuous"><parent link="a"/><child link="b"/><origin xyz=".5 0 0"/><axis xyz="0 1 0"/>'
    "</joint></robot>"
)


@pytest.mark.parametrize(("engine", "num_actors"), [("tree", 1), ("mujoco", 1), ("auto", 2)])
def test_bodies_rest_where_they_were_placed_and_nothing_touches(tmp_path, engine, num_actors):
    (tmp_path / "r.urdf").write_text(HANGING)
    params = gymapi.SimParams(dt=0.02, up_axis=1, gravity=(0.0, 0.0, -9.81), engine=engine)
    sim = GYM.create_sim(0, -1, gymapi.SIM_PHYSX, params)
    GYM.add_ground(sim, gymapi.PlaneParams(normal=Vec3(0, 0, 1)))
    asset = GYM.load_asset(sim, str(tmp_path), "r.urdf", gymapi.AssetOptions())
    foot = Transform()
    GYM.create_asset_force_sensor(asset, 0, foot)
    env = GYM.create_env(sim, Vec3(), Vec3(), 1)
    for k in range(num_actors):
        GYM.create_actor(env, asset, Transform(Vec3(0, k, 0.09)), "r", 0, 1)  # 1 cm in the ground
    GYM.prepare_sim(sim)
    bodies = gymtorch.wrap_tensor(GYM.acquire_rigid_body_state_tensor(sim))
    GYM.refresh_rigid_body_state_tensor(sim)
    placed = [[x, k, 0.09, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0] for k in range(num_actors) for x in (0.0, 0.5)]
    torch.testing.assert_close(bodies, torch.tensor(placed), atol=TOL, rtol=0)
    state = GYM.get_actor_rigid_body_states(env, 0, gymapi.STATE_ALL)[1]
    assert state["pose"]["p"].tolist() == pytest.approx((0.5, 0.0, 0.09), abs=TOL)
    assert state["vel"]["linear"].tolist() == (0, 0, 0)
    contacts = gymtorch.wrap_tensor(GYM.acquire_net_contact_force_tensor(sim))
    wrenches = gymtorch.wrap_tensor(GYM.acquire_force_sensor_tensor(sim))
    GYM.refresh_net_contact_force_tensor(sim)
    GYM.refresh_force_sensor_tensor(sim)
    assert not contacts.any() and not wrenches.any()
    GYM.simulate(sim)
    GYM.refresh_net_contact_force_tensor(sim)
    GYM.refresh_force_sensor_tensor(sim)
    assert contacts[0, 2] > 0 and wrenches[0, 2] > 0
