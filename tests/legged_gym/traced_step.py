"""A step that torch.compile traced, but did not fuse, against the plain step: every bit is the same.

Also of robots that fell and start anew. Argument: the physics engine. Fails with an AssertionError.
"""

import sys

import torch
from small_envs import small_cfg

from legged_gym.envs import task_registry
from legged_gym.utils.helpers import get_args

STEPS = 20


def walk(traced: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Observations of both kinds and rewards, (steps, envs, …), and which episodes ended, (steps, envs)."""
    args = get_args(["--headless", "--sim_device", "cpu", "--seed", "3", "--engine", sys.argv[1]])
    env, _ = task_registry.make_env("aliengo", args, small_cfg("aliengo"))
    env._resets_by_mask = True  # as with a recorded step
    if traced:
        for part in (*env._apply_torques, env._read_state, env._follow_commands, env._finish):
            part._fused = torch.compile(part._function, backend="aot_eager")
    torch.manual_seed(5)
    env.reset()
    env.episode_length_buf[::2] = env.max_episode_length - STEPS // 2
    seen, ended = [], []
    for action in torch.randn(STEPS, env.num_envs, env.num_actions):
        result = env.step(action)
        seen.append(torch.cat((result.obs, result.privileged_obs, result.rewards[:, None]), dim=1))
        ended.append(result.dones.clone())
    return torch.stack(seen), torch.stack(ended)


if __name__ == "__main__":
    plain, traced = walk(traced=False), walk(traced=True)
    assert plain[1].any(), "no episode ended"
    assert torch._dynamo.utils.counters["frames"]["ok"] > 0, "nothing was traced"
    assert not torch._dynamo.utils.counters["graph_break"], "a part was traced in pieces, which take longer to prepare"
    for name, one, other in zip(("values", "ends of episodes"), plain, traced, strict=True):
        assert torch.equal(one, other), f"{name} differ"
