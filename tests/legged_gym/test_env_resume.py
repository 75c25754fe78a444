"""Training on robots that goes on bit for bit, and what the state of an environment refuses."""

from pathlib import Path
from typing import Any

import pytest
import torch
from small_envs import small_cfg
from torch import Tensor

from legged_gym.envs import task_registry
from legged_gym.utils.helpers import get_args

FLAGS = ["--headless", "--sim_device", "cpu", "--num_envs", "4", "--seed", "7"]
GPU_FLAGS = ["--headless", "--sim_device", "cuda:0", "--num_envs", "64", "--seed", "7", "--deterministic", "on"]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def make_runner(task: str, engine: str, folder: Path | None, flags: list[str] = FLAGS) -> Any:
    """A runner of 5 steps per iteration whose robots are reset, pushed and disturbed all the time."""
    args = get_args([*flags, "--engine", engine])
    env_cfg, (_, train_cfg) = small_cfg(task), task_registry.get_cfgs(task)
    env_cfg.env.episode_length_s = 0.2  # ten steps
    env_cfg.domain_rand.push_interval_s = 0.06
    env_cfg.domain_rand.disturbance_interval = 4  # so that forces wait for the next step after 1 + 3 · 5 steps
    env_cfg.domain_rand.randomize_restitution = True
    train_cfg.runner.num_steps_per_env = 5
    train_cfg.policy.actor_hidden_dims = train_cfg.policy.critic_hidden_dims = [32]
    env, _ = task_registry.make_env(task, args, env_cfg, train_cfg)
    runner, _ = task_registry.make_alg_runner(env, task, args, train_cfg, log_root=None)
    runner.log_dir = folder
    return runner


def random_numbers(device: str) -> Tensor:
    return torch.cuda.get_rng_state() if torch.device(device).type == "cuda" else torch.get_rng_state()


def everything(runner: Any) -> dict[str, Tensor]:
    """All numbers that the next step depends on."""
    env, gym = runner.env, runner.env.gym
    tensors = {f"env {name}": value for name, value in vars(env).items() if isinstance(value, Tensor)}
    tensors |= {f"simulation {name}": value for name, value in gym.get_sim_snapshot(env.sim).items()}
    tensors |= {"random": random_numbers(env.device), "speeds": env.command_ranges["lin_vel_x"], "lr": runner.alg.lr}
    return {name: value.clone() for name, value in (tensors | runner.alg.actor_critic.state_dict()).items()}


@pytest.mark.parametrize(
    ("task", "engine"), [("aliengo", "tree"), ("aliengo_flat", "tree"), ("aliengo_flat", "mujoco")]
)
def test_three_and_three_iterations_equal_six(task: str, engine: str, tmp_path: Path) -> None:
    check_three_and_three_equal_six(task, engine, tmp_path, FLAGS)


@pytest.mark.gpu
@pytest.mark.parametrize("task", ["aliengo", "aliengo_flat"])
def test_three_and_three_deterministic_iterations_equal_six_on_a_gpu(task: str, tmp_path: Path) -> None:
    try:
        check_three_and_three_equal_six(task, "tree", tmp_path, GPU_FLAGS)
    finally:
        torch.use_deterministic_algorithms(False)


def check_three_and_three_equal_six(task: str, engine: str, tmp_path: Path, flags: list[str]) -> None:
    whole = make_runner(task, engine, None, flags)
    whole.learn(6, init_at_random_ep_len=True)
    expected = everything(whole)

    make_runner(task, engine, tmp_path, flags).learn(3, init_at_random_ep_len=True)
    resumed = make_runner(task, engine, tmp_path, flags)
    torch.manual_seed(99)
    resumed.env.reset()  # the new process need not be in the same state
    resumed.load(tmp_path / "model_3.pt")
    resumed.learn(3, init_at_random_ep_len=True)
    actual = everything(resumed)
    assert resumed.env.common_step_counter == whole.env.common_step_counter
    assert actual.keys() == expected.keys()
    different = [name for name in expected if not torch.equal(actual[name].nan_to_num(), expected[name].nan_to_num())]
    assert different == []


def test_another_config_is_named_and_changes_nothing(flat_env: Any) -> None:
    state = flat_env.get_state()
    state["config"]["control.action_scale"] = "0.125"
    state["tensors"]["commands"][:] = 17.0
    with pytest.raises(ValueError, match=r"config has changed: control.action_scale \(0.125 → 0.5\)"):
        flat_env.set_state(state)
    assert not (flat_env.commands == 17.0).any()


def test_a_state_of_another_simulation_changes_nothing(flat_env: Any) -> None:
    state = flat_env.get_state()
    state["tensors"]["commands"][:] = 17.0
    state["simulation"]["engine.qpos"] = state["simulation"]["engine.qpos"][:-1]
    with pytest.raises(ValueError, match=r"'engine.qpos' was saved with the shape \(5, 19\) and is \(6, 19\) here"):
        flat_env.set_state(state)
    assert not (flat_env.commands == 17.0).any()
