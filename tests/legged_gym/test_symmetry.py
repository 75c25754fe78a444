"""The mirror of observations and actions, against a robot that the simulator moves in it."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from small_envs import build, small_cfg
from torch.nn import functional

from isaacgym import gymtorch
from legged_gym.envs.base.observations import frame_layout
from legged_gym.envs.base.symmetry import joint_reflection, make_mirror

SETTLING = 0.02  # Aliengo's trunk is not quite symmetric: its centre of mass lies 4 mm to the left
LEFT_RIGHT = torch.tensor([3, 4, 5, 0, 1, 2, 9, 10, 11, 6, 7, 8])  # FL, FR, RL, RR: hip, thigh, calf
SIGNS = torch.tensor([-1.0, 1.0, 1.0]).repeat(4)


@pytest.fixture(scope="module")
def twins() -> Any:
    """Two equal Aliengos on a plane, without anything random."""
    cfg = small_cfg("aliengo_flat")
    cfg.env.num_envs = 2
    cfg.noise.add_noise = False
    cfg.commands.heading_command = False
    for name in dir(cfg.domain_rand):
        if name.startswith("randomize") or name in ("disturbance", "push_robots", "delay"):
            setattr(cfg.domain_rand, name, False)
    return build(cfg)


def test_a_robot_in_the_mirror_moves_and_observes_as_the_mirror_says(twins: Any) -> None:
    env, action = twins, torch.arange(12).sin()
    env.reset()
    root, dof_pos, dof_vel = env.root_states, env.dof_pos, env.dof_vel
    root[0, 3:7] = functional.normalize(torch.tensor([0.1, -0.2, 0.3, 0.9]), dim=0)
    root[0, 7:13] = torch.tensor([0.3, -0.4, 0.1, 0.5, -0.6, 0.7])
    dof_pos[0], dof_vel[0] = env.default_dof_pos[0] + 0.1 * torch.arange(12).cos(), torch.linspace(-1, 1, 12)
    # Seen at the plane y = 0, y of a position or velocity and x and z of a rotation change sign.
    root[1, 2:] = root[0, 2:] * torch.tensor([1, -1, 1, -1, 1, 1, -1, 1, -1, 1, -1])
    dof_pos[1], dof_vel[1] = dof_pos[0, LEFT_RIGHT] * SIGNS, dof_vel[0, LEFT_RIGHT] * SIGNS
    env.gym.set_actor_root_state_tensor(env.sim, gymtorch.unwrap_tensor(env.root_states))
    env.gym.set_dof_state_tensor(env.sim, gymtorch.unwrap_tensor(env.dof_state))
    env.commands[:, :3] = torch.tensor([[0.7, -0.3, 0.5], [0.7, 0.3, -0.5]])
    for _ in range(4):
        result = env.step(torch.stack((action, action[LEFT_RIGHT] * SIGNS)))
    for mirrored_obs, obs in (
        (env.mirror.observations(result.obs)[:, : 4 * 45], result.obs[:, : 4 * 45]),  # frames of these four steps
        (env.mirror.critic_observations(result.privileged_obs), result.privileged_obs),
    ):
        assert not torch.allclose(obs[0], obs[1], atol=0.3)
        assert torch.allclose(mirrored_obs[0], obs[1], atol=SETTLING)
    assert torch.equal(env.mirror.actions(action), action[LEFT_RIGHT] * SIGNS)


def test_the_scan_is_mirrored_from_left_to_right() -> None:
    asset = SimpleNamespace(left_names=["L"], right_names=["R"], mirror_reversed=[])
    mirror = make_mirror(asset, ["L_knee", "R_knee"], frame_layout(2, 6), num_frames=1, scan=(2, 3))
    frame = torch.arange(27.0)  # 3 + 3 + 3 + 2 + 2 + 2 + 3 + 3 + 6 columns
    assert mirror.critic_observations(frame)[21:].tolist() == [23, 22, 21, 26, 25, 24]


def test_a_joint_without_a_partner_is_named() -> None:
    with pytest.raises(ValueError, match="joint 'left_hip' has no partner on the other side"):
        joint_reflection(["left_hip", "waist"], {"left": "right"}, [])
