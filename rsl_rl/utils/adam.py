"""Adam whose learning rate is a tensor on the device, so that adapting it needs no host synchronisation."""

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn
from torch.optim import Adam

from rsl_rl.utils import ranks


def make_adam(parameters: Iterable[nn.Parameter], lr: float | Tensor) -> Adam:
    # The fused kernel is the one implementation that reads a tensor rate in place on both the CPU and CUDA.
    return Adam(parameters, lr=lr, fused=True)


def step_if_finite(optimizer: Adam, loss: Tensor, parameters: Iterable[nn.Parameter], max_grad_norm: float) -> Tensor:
    """One step down the loss, its gradient clipped, that is left out if the loss or a gradient is not finite.

    With several ranks, loss and gradient are means over all of them. Returns 1 if the step was left out, else 0; 0-d,
    on the device. No host synchronisation.
    """
    parameters = list(parameters)
    optimizer.zero_grad()
    loss.backward()
    mean_loss = ranks.average_gradients(loss.detach(), parameters)
    norm = nn.utils.clip_grad_norm_(parameters, max_grad_norm)
    skipped = (~(mean_loss.isfinite() & norm.isfinite())).float()
    # What mixed-precision training tells the fused kernel with; torch does not declare it.
    optimizer.found_inf = skipped  # type: ignore[attr-defined]
    for group in optimizer.param_groups:
        group["capturable"] = loss.is_cuda  # by a CUDA graph
    optimizer.step()
    return skipped


def adam_state(optimizer: Adam) -> dict[str, Any]:
    """The optimiser's state dict with plain numbers for learning rates, as other loaders expect."""
    state = optimizer.state_dict()
    groups = [{**group, "lr": float(group["lr"])} for group in state["param_groups"]]
    return {"state": state["state"], "param_groups": groups}


def load_adam_state(optimizer: Adam, state: dict[str, Any]) -> float:
    """Take over the moments from `adam_state` and return the learning rate that was saved.

    The optimiser keeps its own settings and its own learning-rate tensor (the very object, which others share):
    checkpoints of other programs were written by another Adam implementation and hold a number.
    """
    saved_groups = state["param_groups"]
    own_groups = optimizer.state_dict()["param_groups"]
    own_rates = [group["lr"] for group in optimizer.param_groups]
    groups = [{**own, "params": saved["params"]} for own, saved in zip(own_groups, saved_groups, strict=True)]
    optimizer.load_state_dict({"state": state["state"], "param_groups": groups})
    for group, rate in zip(optimizer.param_groups, own_rates, strict=True):
        group["lr"] = rate
    return float(saved_groups[0]["lr"])
