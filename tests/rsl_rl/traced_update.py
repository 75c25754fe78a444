"""Training whose fused functions are traced by torch.compile, but not fused, against plain training.

Each is traced in one piece, takes and returns nothing but tensors and plain tuples and lists of them, and is not traced
again in the second iteration. Argument: a class of policies. Fails with an AssertionError.
"""

import sys
from collections.abc import Callable
from typing import Any

import torch
from test_exploration import MirroredPointMassEnv, point_mass_cfg

from rsl_rl.algorithms import PPO
from rsl_rl.modules import him_estimator
from rsl_rl.runners import HIMOnPolicyRunner, OnPolicyRunner
from rsl_rl.runners.episode_stats import _note_step
from rsl_rl.utils.recorded import Fused, Recorded

FUSED = {
    "ActorCritic": {"_decide_on_actions", "_chosen_samples", "mean_kl", "_ppo_losses", "_note_step"},
    "HIMActorCritic": {"_decide_on_actions", "_chosen_samples", "mean_kl", "_ppo_losses", "_note_step", "swap_loss"},
}
TOLERANCE = 1e-5  # what is traced may compute a gradient by other steps

traced: set[str] = set()  # names of functions
compile_function = torch.compile


def trace(function: Callable[..., Any], **_: Any) -> Callable[..., Any]:
    compiled = compile_function(function, backend="aot_eager", fullgraph=True)

    def checked(*arguments: Any) -> Any:
        result = compiled(*arguments)
        check_plain((arguments, result))
        traced.add(function.__name__)
        return result

    return checked


def check_plain(value: Any) -> None:
    if type(value) in (tuple, list):
        for part in value:
            check_plain(part)
    else:
        plain = value is None or type(value) in (bool, float) or isinstance(value, torch.Tensor)
        assert plain, f"{type(value)} is not plain"


def train(policy: str, fuses: bool) -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    Recorded.fuses = fuses
    cfg = point_mass_cfg(mirror_fraction=0.5, quiet_fraction=0.25, entropy_coef=0.01)
    runner_class, algorithm = {
        "ActorCritic": (OnPolicyRunner, "PPO"),
        "HIMActorCritic": (HIMOnPolicyRunner, "HIMPPO"),
    }[policy]
    cfg["runner"] |= {"policy_class_name": policy, "algorithm_class_name": algorithm}
    runner = runner_class(MirroredPointMassEnv(32), cfg)
    runner.stats._note = Fused(_note_step)
    runner.learn(1)
    counts = torch._dynamo.utils.counters["stats"]
    num_graphs = counts["unique_graphs"]
    runner.learn(1)
    assert counts["unique_graphs"] == num_graphs, "something was traced again, which may happen while CUDA records"
    parameters = runner.alg.actor_critic.named_parameters()
    results = {f"gradient of {name}": parameter.grad for name, parameter in parameters if parameter.grad is not None}
    results |= {f"stored {name}": values for name, values in vars(runner.alg.rollout).items()}
    results |= {f"episodes' {name}": values for name, values in vars(runner.stats).items()}
    results = {name: value for name, value in results.items() if isinstance(value, torch.Tensor)}
    return results | runner.alg.actor_critic.state_dict() | {"learning rate": runner.alg.lr}


if __name__ == "__main__":
    policy = sys.argv[1]
    torch.set_num_threads(1)
    torch.compile = trace  # type: ignore[assignment]
    PPO._on_cuda = True  # type: ignore[assignment, method-assign]  # what is enabled there
    Recorded.__call__ = Recorded._run  # type: ignore[method-assign]  # but for graphs
    him_estimator.swap_loss = him_estimator._fused_swap_loss  # type: ignore[assignment]
    plain, other = train(policy, fuses=False), train(policy, fuses=True)
    assert traced == FUSED[policy], f"traced: {traced}"
    assert plain["episodes' rollout_dones"].any(), "no episode ended"
    for name, values in plain.items():
        assert torch.allclose(other[name].float(), values.float(), rtol=TOLERANCE, atol=TOLERANCE), f"{name} differs"
