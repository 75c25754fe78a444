"""Humanoids with light fingers, which impacts make unstable in C MuJoCo as well."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isaacgym import gymapi, gymtorch
from tests.isaacgym.robots import humanoid_urdf
from tests.isaacgym.worlds import ALIENGO

GYM = gymapi.acquire_gym()
FINGER = (
    '<link name="{name}"><inertial><origin xyz="0 0 -.01"/><mass value=".01"/>'
    '<inertia ixx="1e-6" iyy="1e-6" izz="3e-7"/></inertial>'
    '<collision><origin xyz="0 0 -.012"/><geometry><capsule radius=".006" length=".014"/></geometry></collision></link>'
    '<joint name="{name}" type="revolute"><parent link="{parent}"/><child link="{name}"/><origin xyz="{at}"/>'
    '<axis xyz="0 1 0"/><limit lower="-.1" upper="1.6" effort="1" velocity="9"/></joint>'
)


def with_hands(folder: Path) -> Path:
    """Three fingers of three links of 10 g at each wrist."""
    fingers = ""
    for side in ("left", "right"):
        for finger in range(3):
            parent = f"{side}_wrist_yaw"
            for link in range(3):
                name, at = f"{side}_{finger}_{link}", "0 0 -.025" if link else f"{0.02 * (finger - 1)} 0 -.06"
                fingers += FINGER.format(name=name, parent=parent, at=at)
                parent = name
    path = folder / "humanoid.urdf"
    path.write_text(humanoid_urdf().replace("</robot>", f"{fingers}</robot>"))
    return path


def dropped(path: Path, seconds: float, armature: float, dt: float = 1.0 / 60.0) -> np.ndarray:
    """Joint speeds after a fall from 1.5 m in two attitudes, (2, num_dofs)."""
    params = gymapi.SimParams(dt=dt, substeps=2, up_axis=1, gravity=(0.0, 0.0, -9.81))
    sim = GYM.create_sim(0, -1, gymapi.SIM_PHYSX, params)
    GYM.add_ground(sim, gymapi.PlaneParams(normal=gymapi.Vec3(0, 0, 1)))
    options = gymapi.AssetOptions(armature=armature, collapse_fixed_joints=True, replace_cylinder_with_capsule=True)
    asset = GYM.load_asset(sim, str(path.parent), path.name, options)
    random = np.random.default_rng(0)
    for k in range(2):
        quat = random.normal(size=4)
        env = GYM.create_env(sim, gymapi.Vec3(), gymapi.Vec3(), 1)
        pose = gymapi.Transform(gymapi.Vec3(0, 0, 1.5), gymapi.Quat(*quat / np.linalg.norm(quat)))
        GYM.create_actor(env, asset, pose, "robot", k, 1)
    GYM.prepare_sim(sim)
    for _ in range(round(seconds / dt)):
        GYM.simulate(sim)
    GYM.refresh_dof_state_tensor(sim)
    return gymtorch.wrap_tensor(GYM.acquire_dof_state_tensor(sim)).view(2, -1, 2)[..., 1].numpy()


def test_light_joints_are_named_in_one_line_and_armature_holds_them(tmp_path, caplog):
    path = with_hands(tmp_path)
    dropped(path, 0.0, armature=0.0)
    (said,) = caplog.messages
    assert "the joints left_0_0, left_0_1, left_0_2 and 15 more move less than 0.0001 kg·m²" in said
    assert "armature to 0.0003" in said and "\n" not in said
    caplog.clear()
    speeds = dropped(path, 3.0, armature=3e-4)
    assert np.isfinite(speeds).all() and np.abs(speeds).max() < 100.0 and not caplog.messages


@pytest.mark.parametrize("file", ["aliengo", "hands with short steps"])
def test_nothing_is_said_of_joints_that_hold(tmp_path, caplog, file):
    path, dt = (ALIENGO, 0.01) if file == "aliengo" else (with_hands(tmp_path), 0.002)
    dropped(path, 0.0, armature=0.0, dt=dt)
    assert not caplog.messages


FLAP = (
    '<robot name="flap"><link name="frame"><inertial><mass value="1"/><inertia ixx=".1" iyy=".1" izz=".1"/></inertial>'
    '</link><link name="flap"><inertial><mass value=".2"/><inertia ixx="{0}" iyy="{0}" izz="{0}"/></inertial></link>'
    '<joint name="hinge_{2}" type="continuous"><parent link="frame"/><child link="flap"/>'
    '<origin xyz="0 0 {1}"/><axis xyz="0 1 0"/></joint></robot>'
)


@pytest.mark.parametrize("light", [None, 0, 1, 5])
def test_the_lightest_of_joints_in_other_sizes_counts(tmp_path, caplog, light):
    """Six flaps on frames of several heights, of which one turns below 1e-4 kg·m², each beside a block."""
    sim = GYM.create_sim(0, -1, gymapi.SIM_PHYSX, gymapi.SimParams(dt=0.01, substeps=1, gravity=(0.0, 0.0, -9.81)))
    block = GYM.create_box(sim, 0.1, 0.1, 0.1)
    for number in range(6):
        inertia = 5e-5 if number == light else 2e-4 + 1e-5 * number
        path = tmp_path / f"{number}.urdf"
        path.write_text(FLAP.format(inertia, 0.1 + 0.01 * number, light))
        asset = GYM.load_asset(sim, str(tmp_path), path.name, gymapi.AssetOptions(fix_base_link=True))
        env = GYM.create_env(sim, gymapi.Vec3(), gymapi.Vec3(), 1)
        GYM.create_actor(env, asset, gymapi.Transform(), "flap", 0, 1)
        GYM.create_actor(env, block, gymapi.Transform(gymapi.Vec3(2, 0, 0)), "block", 0, 0)
    GYM.prepare_sim(sim)
    said = [message for message in caplog.messages if f"hinge_{light}" in message]
    assert len(said) == (light is not None) and len(sim.groups) == 1
