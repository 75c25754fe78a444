"""Multi-layer perceptrons."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

# In place where the gradient can be told from the result: half the memory, and a layer's input is in the cache.
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "elu": partial(nn.ELU, inplace=True),
    "selu": partial(nn.SELU, inplace=True),
    "relu": partial(nn.ReLU, inplace=True),
    "lrelu": partial(nn.LeakyReLU, inplace=True),
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


WIDTH_MULTIPLE = 8  # float16 numbers in 16 bytes: tensor cores read rows that begin at multiples of that at full speed

_mixed_precision = False  # see `mixed_precision`


@contextmanager
def mixed_precision(enabled: bool = True) -> Iterator[None]:
    """Within it, an MLP computes its hidden layers in float16, forward and backward; see `MLP`."""
    global _mixed_precision
    before, _mixed_precision = _mixed_precision, enabled
    try:
        yield
    finally:
        _mixed_precision = before


class MLP(nn.Sequential):
    """Linear layers with activations between them, for inputs (N, num_inputs).

    Within `mixed_precision`, hidden layers are float16, which halves their memory traffic and doubles the rate of their
    products. Float16 has the 10 bits of mantissa of TF32, to which a GPU rounds float32 factors anyway. Products are
    summed up, and gradients of parameters kept, in float32; inputs, outputs and the last layer are float32. Gradients
    of hidden layers are scaled by N inside, for they are small, with losses being means over N samples.
    Inputs beyond 65504 become infinite. Inputs of other shapes are left in float32.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not _mixed_precision or x.dim() != 2:
            return super().forward(x)  # type: ignore[no-untyped-call]
        *layers, last = self
        hidden = _to_float16(x)
        for layer in layers:
            if isinstance(layer, nn.Linear):
                hidden = _float16_linear(hidden, layer.weight, layer.bias)
            else:
                hidden = layer(hidden)
        return last(_to_float32(hidden[:, : last.in_features]))


class ToFloat16(torch.autograd.Function):
    """Rows (N, K) in float16, filled up with zeros to a multiple of WIDTH_MULTIPLE numbers."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.width = x.shape[1]
        rounded = x.new_empty(len(x), _padded(ctx.width), dtype=torch.float16)
        rounded[:, : ctx.width] = x
        rounded[:, ctx.width :] = 0.0
        return rounded

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad[:, : ctx.width].float() / len(grad)


class ToFloat32(torch.autograd.Function):
    """Undoes ToFloat16 but for the padding; its gradient is scaled by the number of rows."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.float()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return (grad * len(grad)).half()


class Float16Linear(torch.autograd.Function):
    """x Wᵀ + b in float16 with x from ToFloat16 and W, b in float32.

    The gradient of b is a product too: torch's sum over 102,400 rows of 256 numbers takes 120 µs on an H100.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.width = weight.shape[1]
        weight = functional.pad(weight.half(), (0, x.shape[1] - ctx.width))
        ctx.save_for_backward(x, weight)
        return functional.linear(x, weight, bias.half())

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        ones = grad.new_ones(len(grad), WIDTH_MULTIPLE)
        grad_x = grad @ weight if ctx.needs_input_grad[0] else None
        grad_weight = _float32_product(grad.T, x)[:, : ctx.width] / len(grad)
        return grad_x, grad_weight, _float32_product(grad.T, ones)[:, 0] / len(grad)


# torch does not declare the types of `apply`
_to_float16: Callable[[Tensor], Tensor] = ToFloat16.apply
_to_float32: Callable[[Tensor], Tensor] = ToFloat32.apply
_float16_linear: Callable[[Tensor, Tensor, Tensor], Tensor] = Float16Linear.apply


def _float32_product(a: Tensor, b: Tensor) -> Tensor:
    """a b of float16 matrices, summed up and kept in float32; CPUs have no such product."""
    return torch.mm(a, b, out_dtype=torch.float32) if a.is_cuda else a.float() @ b.float()


def _padded(width: int) -> int:
    return -(-width // WIDTH_MULTIPLE) * WIDTH_MULTIPLE


def make_mlp(sizes: Sequence[int], activation: str) -> MLP:
    """Linear layers from sizes[0] inputs to sizes[-1] outputs, with the activation between them and none at the end.

    Linear layers sit at the even places 0, 2, 4, …, which gives parameters their names in checkpoints.
    """
    if activation not in ACTIVATIONS:
        raise ValueError(f"unknown activation '{activation}'; known: {', '.join(ACTIVATIONS)}")
    layers: list[nn.Module] = []
    for num_inputs, num_outputs in pairwise(sizes):
        layers += [nn.Linear(num_inputs, num_outputs), ACTIVATIONS[activation]()]
    return MLP(*layers[:-1])
