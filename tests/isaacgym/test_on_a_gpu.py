"""Cameras, several actors and self-collision on a GPU against the same on the CPU, which C MuJoCo checks elsewhere."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from isaacgym import gymapi, gymtorch
from isaacgym.gymapi import FOLLOW_TRANSFORM, IMAGE_COLOR, IMAGE_DEPTH, IMAGE_SEGMENTATION, Quat, Transform, Vec3
from tests.isaacgym.test_several_actors import ARM, Stage

pytestmark = pytest.mark.gpu
GYM = gymapi.acquire_gym()
CUDA = "cuda:0"
NUM_ENVS, NUM_ACTORS = 3, 3
ARM_ACTOR, BOX, BALL = range(NUM_ACTORS)
TOL = 5e-3  # [m], [rad] between CPU and GPU after contacts, single precision
DEPTH_TOL = 0.01  # [m]
SAME_PIXELS = 0.99  # share; rays along an edge may go either way
FLAPS = (
    '<robot name="flaps"><link name="base"><inertial><mass value="2"/><inertia ixx=".02" iyy=".02" izz=".02"/>'
    '</inertial><collision><geometry><box size=".1 .1 .1"/></geometry></collision></link>'
    + "".join(
        f'<link name="{side}"><inertial><origin xyz="0 0 -.15"/><mass value=".5"/><inertia ixx=".01" iyy=".01" '
        'izz=".01"/></inertial><collision><origin xyz="0 0 -.2"/><geometry><sphere radius=".06"/></geometry>'
        f'</collision></link><joint name="{side}_hinge" type="continuous"><parent link="base"/><child link="{side}"/>'
        f'<origin xyz="0 {y} -.1"/><axis xyz="1 0 0"/></joint>'
        for side, y in (("left", 0.1), ("right", -0.1))
    )
    + "</robot>"
)


def arm_box_and_ball(folder, device: str) -> Stage:
    """The arm swings, the ball falls on the box and is struck off; cameras look at them in every env."""
    stage = Stage(num_envs=NUM_ENVS, spacing=4.0, device=device)
    (folder / "arm.urdf").write_text(ARM)
    arm = stage.load(folder / "arm.urdf", fix_base_link=True, default_dof_drive_mode=gymapi.DOF_MODE_POS)
    box, ball = stage.box(0.4, 0.3, 0.2, density=300.0), stage.ball(0.08, density=800.0)
    for env in stage.envs:
        GYM.create_actor(env, arm, Transform(Vec3(-0.4, 0, 0.9)), "arm", 0, 1, 2)
        GYM.set_actor_dof_properties(env, ARM_ACTOR, {"stiffness": 60.0, "damping": 6.0})
        GYM.create_actor(env, box, Transform(Vec3(0.3, 0, 0.1)), "box", 0, 0, 3)
        GYM.create_actor(env, ball, Transform(Vec3(0.32, 0.02 * env.index, 0.4)), "ball", 0, 0, 4)
        GYM.set_rigid_body_color(env, BOX, 0, gymapi.MESH_VISUAL, Vec3(1, 0, 0))
    stage.prepare()
    return stage


class Twins(NamedTuple):
    cpu: Stage
    cuda: Stage

    def alike(self, name: str, atol: float = TOL) -> None:
        """Positions; velocities after contacts jump."""
        width = 1 if name == "dof" else 7
        own, other = (getattr(stage, name)[..., :width] for stage in self)
        assert (own.device.type, other.device.type) == ("cpu", "cuda")
        torch.testing.assert_close(other.cpu(), own, atol=atol, rtol=0)


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Twins:
    folder = tmp_path_factory.mktemp("robots")
    return Twins(*(arm_box_and_ball(folder, device) for device in ("cpu", CUDA)))


def at(device: torch.device | str, *numbers: int) -> gymapi.Tensor:
    return gymtorch.unwrap_tensor(torch.tensor(numbers, dtype=torch.int32, device=device))


# --- several actors ---------------------------------------------------------------------------------------------------


def test_several_actors_move_as_on_the_cpu(twins: Twins):
    """Targets of one arm, set by its index, and a ball that falls on a box."""
    for stage in twins:
        targets = torch.full((NUM_ENVS, 2), 0.5, device=stage.root.device)
        tensor = gymtorch.unwrap_tensor(targets)
        GYM.set_dof_position_target_tensor_indexed(stage.sim, tensor, at(targets.device, NUM_ACTORS, -1), 2)
        stage.step(60)
    twins.alike("root"), twins.alike("dof"), twins.alike("body")
    assert twins.cuda.dof[1, :, 0].min() > 0.2 and twins.cuda.dof[0].abs().max() < 0.1
    assert twins.cuda.root[:, BALL, 2].max() < 0.35  # it has come down
    assert torch.isfinite(twins.cuda.contact).all()


def test_indexed_setters_reach_the_actors_that_they_name(twins: Twins):
    for stage in twins:
        device = stage.root.device
        stage.root[1, BALL, :3] = torch.tensor([1.0, 0.3, 1.5], device=device)
        stage.root[1, BALL, 7:] = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], device=device)
        stage.root[2, BOX, 2] = 0.8
        stage.root[0, BALL, 2] = 9.0  # not named
        stage.dof[2, :, 0] = torch.tensor([0.2, -0.3], device=device)
        root, dof = (gymtorch.unwrap_tensor(state.view(-1, state.shape[-1])) for state in (stage.root, stage.dof))
        GYM.set_actor_root_state_tensor_indexed(
            stage.sim, root, at(device, NUM_ACTORS + BALL, 2 * NUM_ACTORS + BOX, -1), 3
        )
        GYM.set_dof_state_tensor_indexed(stage.sim, dof, at(device, 2 * NUM_ACTORS + ARM_ACTOR), 1)
        stage.refresh()
    twins.alike("root"), twins.alike("dof")
    moved = twins.cuda.root.cpu()
    torch.testing.assert_close(moved[1, BALL, :3], torch.tensor([1.0, 0.3, 1.5]))
    torch.testing.assert_close(moved[1, BALL, 7:], torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]))
    assert moved[2, BOX, 2] == 0.8 and moved[0, BALL, 2] < 1.0
    torch.testing.assert_close(twins.cuda.dof[2, :, 0].cpu(), torch.tensor([0.2, -0.3]))
    for stage in twins:
        stage.step(10)
    twins.alike("root"), twins.alike("dof")


def test_indices_and_states_of_another_device_are_refused(twins: Twins):
    sim, root = twins.cuda.sim, gymtorch.unwrap_tensor(twins.cuda.root.view(-1, 13))
    with pytest.raises(ValueError, match="actor indices must be on cuda:0, the simulation's device, got cpu"):
        GYM.set_actor_root_state_tensor_indexed(sim, root, at("cpu", 0), 1)
    with pytest.raises(ValueError, match="got .* on cpu"):
        GYM.set_actor_root_state_tensor(sim, gymtorch.unwrap_tensor(torch.zeros(NUM_ENVS * NUM_ACTORS, 13)))


def test_an_index_above_all_actors_is_skipped(twins: Twins):
    """A check would wait for the GPU."""
    sim, before = twins.cuda.sim, twins.cuda.root.clone()
    root = gymtorch.unwrap_tensor((before + 1.0).view(-1, 13))
    GYM.set_actor_root_state_tensor_indexed(sim, root, at(CUDA, NUM_ENVS * NUM_ACTORS, 10**6), 2)
    twins.cuda.refresh()
    torch.testing.assert_close(twins.cuda.root, before, atol=1e-5, rtol=0)


def test_forces_and_efforts_without_tensors_act_once(twins: Twins):
    """A push at the ball of env 1, which is in the air: its weight is 4/3 π r³ · 800 kg."""
    mass = 800.0 * 4.0 / 3.0 * np.pi * 0.08**3
    stage = twins.cuda
    first = GYM.find_actor_rigid_body_handle(stage.envs[1], BALL, "sphere")
    before = stage.root[1, BALL, 7].item()
    GYM.apply_body_forces(stage.envs[1], first, Vec3(mass, 0, 0))
    stage.step(2)
    assert stage.root[1, BALL, 7].item() - before == pytest.approx(0.005, abs=1e-4)
    twins.cpu.step(2)


# --- cameras ----------------------------------------------------------------------------------------------------------


def pictures(stage: Stage, kinds=(IMAGE_DEPTH, IMAGE_SEGMENTATION, IMAGE_COLOR)) -> list[Tensor]:
    """Of a camera that stands in each env and one on its box, (2 · envs, height, width, ...) of each kind."""
    properties = gymapi.CameraProperties(width=64, height=48, horizontal_fov=80.0, enable_tensors=True)
    sim, views = stage.sim, []
    for env in stage.envs:
        fixed, riding = (GYM.create_camera_sensor(env, properties) for _ in range(2))
        GYM.set_camera_location(fixed, env, Vec3(1.2, 0.8, 0.7), Vec3(0, 0, 0.4))
        mount = Transform(Vec3(0.0, 0.0, 0.5), Quat.from_euler_zyx(0, 0.4, 3.0))
        box = GYM.find_actor_rigid_body_handle(env, BOX, "box")
        GYM.attach_camera_to_body(riding, env, box, mount, FOLLOW_TRANSFORM)
        views += [(env, fixed), (env, riding)]
    tensors = [
        [gymtorch.wrap_tensor(GYM.get_camera_image_gpu_tensor(sim, *view, kind)) for view in views] for kind in kinds
    ]
    GYM.render_all_camera_sensors(sim)
    GYM.start_access_image_tensors(sim)
    stacked = [torch.stack(of_kind) for of_kind in tensors]
    GYM.end_access_image_tensors(sim)
    assert all(tensor.device == stage.root.device for of_kind in tensors for tensor in of_kind)
    host = GYM.get_camera_image(sim, *views[0], IMAGE_DEPTH)
    assert (host == stacked[0][0].cpu().numpy()).all()
    for env, camera in views:
        GYM.destroy_camera_sensor(sim, env, camera)
    return stacked


def test_cameras_see_what_they_see_on_the_cpu(twins: Twins):
    """Both simulations are on this machine, so the CPU's cameras must not take its GPU either."""
    twins.cuda.root.copy_(twins.cpu.root)
    twins.cuda.dof.copy_(twins.cpu.dof)
    for stage in twins:
        GYM.set_actor_root_state_tensor(stage.sim, gymtorch.unwrap_tensor(stage.root.view(-1, 13)))
        GYM.set_dof_state_tensor(stage.sim, gymtorch.unwrap_tensor(stage.dof.view(-1, 2)))
        stage.step()
    (depth, ids, colour), theirs = pictures(twins.cpu), [image.cpu() for image in pictures(twins.cuda)]
    assert torch.isclose(theirs[0], depth, rtol=0, atol=DEPTH_TOL).float().mean() > SAME_PIXELS  # -inf is as -inf
    assert (theirs[1] == ids).float().mean() > SAME_PIXELS and set(ids.unique().tolist()) == {0, 2, 3, 4}
    difference = (theirs[2].int() - colour.int()).abs().amax(dim=-1)
    assert (difference <= 3).float().mean() > SAME_PIXELS
    assert colour[..., 0].float().std() > 10.0  # there is something to see


def test_pictures_are_drawn_on_the_stream_that_torch_uses(twins: Twins):
    expected = pictures(twins.cuda, (IMAGE_DEPTH,))[0].clone()
    torch.cuda.synchronize()
    with torch.cuda.stream(torch.cuda.Stream()):
        again = pictures(twins.cuda, (IMAGE_DEPTH,))[0].cpu()
    assert torch.isclose(again, expected.cpu(), rtol=0, atol=1e-4).float().mean() > SAME_PIXELS


# --- self-collision ---------------------------------------------------------------------------------------------------


def test_a_robot_meets_itself_as_on_the_cpu(tmp_path):
    """In space, torques press two flaps together, each held off by the other's sphere."""
    (tmp_path / "flaps.urdf").write_text(FLAPS)
    stages = []
    for device in ("cpu", CUDA):
        stage = Stage(num_envs=2, gravity=0.0, device=device)
        stage.add(stage.load(tmp_path / "flaps.urdf", default_dof_drive_mode=gymapi.DOF_MODE_EFFORT), (0, 0, 5))
        stage.prepare()
        torques = torch.tensor([[-0.3, 0.3], [-0.2, 0.3]], device=stage.root.device)
        GYM.set_dof_actuation_force_tensor(stage.sim, gymtorch.unwrap_tensor(torques))
        stage.step(150)
        stages.append(stage)
    twins = Twins(*stages)
    twins.alike("root", 0.02), twins.alike("dof", 0.02)
    left, right = twins.cuda.contact[0, 1].cpu(), twins.cuda.contact[0, 2].cpu()
    torch.testing.assert_close(left, -right, atol=1e-3, rtol=0)
    # levers of 0.2 m and little more than the spheres' radii to close: the torque is 0.3 = 0.2 cos(q) · force
    angle = twins.cuda.dof[0, 0, 0].abs().item()
    assert left.norm().item() == pytest.approx(0.3 / (0.2 * np.cos(angle)), rel=0.1)
