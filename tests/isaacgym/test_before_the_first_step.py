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


TENSORS = {  # with a body, no joints and a force sensor
    "actor_root_state": (1, 13),
    "dof_state": (0, 2),
    "rigid_body_state": (1, 13),
    "net_contact_force": (1, 3),
    "force_sensor": (1, 6),
    "dof_force": (0,),
}


def placed_box():
    """A simulation that is not prepared, of a box at 2 m."""
    sim = GYM.create_sim(0, -1, gymapi.SIM_PHYSX, gymapi.SimParams(up_axis=1, gravity=(0.0, 0.0, -9.81)))
    asset = GYM.create_box(sim, 0.1, 0.1, 0.1, gymapi.AssetOptions())
    GYM.create_asset_force_sensor(asset, 0, Transform())
    GYM.create_actor(GYM.create_env(sim, Vec3(), Vec3(), 1), asset, Transform(Vec3(0, 0, 2)), "box", 0, 1)
    return sim


@pytest.mark.parametrize("name", TENSORS)
def test_tensors_can_be_acquired_and_refreshed_before_prepare_sim(name):
    sim = placed_box()
    tensor = gymtorch.wrap_tensor(getattr(GYM, f"acquire_{name}_tensor")(sim))
    assert tensor.shape == TENSORS[name]
    assert GYM.prepare_sim(sim)  # once more
    assert getattr(GYM, f"refresh_{name}_tensor")(placed_box())
    GYM.simulate(sim)
    assert getattr(GYM, f"refresh_{name}_tensor")(sim)
    if name in ("actor_root_state", "rigid_body_state"):
        assert 0.0 < 2.0 - tensor[0, 2] < 0.01  # it is the live one


def test_a_destroyed_simulation_says_so():
    sim = placed_box()
    GYM.simulate(sim)
    GYM.destroy_sim(sim)
    for call in (GYM.simulate, GYM.prepare_sim, GYM.refresh_dof_state_tensor):
        with pytest.raises(RuntimeError, match="the simulation was ended by destroy_sim; create another one"):
            call(sim)


def test_mistaken_arguments_are_named():
    sim = placed_box()
    with pytest.raises(TypeError, match=r"create_actor takes a gymapi.Transform as the actor's pose, got Vec3"):
        GYM.create_actor(sim.envs[0], GYM.get_actor_asset(sim.envs[0], 0), Vec3(), "box", 0, 1)
    for call in (GYM.set_actor_root_state_tensor, GYM.set_dof_actuation_force_tensor):
        with pytest.raises(TypeError, match=r"expected a gym tensor, gymtorch.unwrap_tensor\(tensor\), got Tensor"):
            call(sim, torch.zeros(1, 13))
