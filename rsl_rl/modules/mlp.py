"""Multi-layer perceptrons."""

from collections.abc import Callable, Iterator, Mapping, Sequence
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


WIDTH_MULTIPLE = 8  # 16-bit numbers in 16 bytes: tensor cores read rows that begin at multiples of that at full speed

_hidden_dtype: torch.dtype | None = None  # see `mixed_precision`


def fast_dtype(device: torch.device | str) -> torch.dtype | None:
    """The 16-bit type whose products are fast: float16 on CUDA, bfloat16 on x86 CPUs that multiply it; else None."""
    if torch.device(device).type == "cuda":
        return torch.float16
    instructions: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # older torch cannot tell
    return torch.bfloat16 if instructions.get("avx512_bf16") or instructions.get("amx_bf16") else None


@contextmanager
def mixed_precision(dtype: torch.dtype | None) -> Iterator[None]:
    """Within it, an MLP computes its hidden layers in this 16-bit type, forward and backward; see `MLP`. None: not."""
    global _hidden_dtype
    before, _hidden_dtype = _hidden_dtype, dtype
    try:
        yield
    finally:
        _hidden_dtype = before


class MLP(nn.Sequential):
    """Linear layers with activations between them, for inputs (N, num_inputs).

    Within `mixed_precision`, hidden layers have 16 bits, which halves their memory traffic and doubles the rate of
    their products. Float16 has the 10 bits of mantissa of TF32, to which a GPU rounds float32 factors anyway, bfloat16
    has 7. Products are summed up in float32, and on CUDA so are kept the gradients of parameters; inputs, outputs and
    the last layer are float32. Gradients of hidden layers are scaled by N inside, for they are small, with losses being
    means over N samples. In float16, inputs beyond 65504 become infinite. Inputs of other shapes are left in float32.
    """

    def forward(self, x: Tensor) -> Tensor:
        if _hidden_dtype is None or x.dim() != 2:
            return super().forward(x)  # type: ignore[no-untyped-call]
        *layers, last = self
        hidden = _to_half(x, _hidden_dtype)
        for layer in layers:
            hidden = _half_linear(hidden, layer.weight, layer.bias) if isinstance(layer, nn.Linear) else layer(hidden)
        return last(_to_single(hidden[:, : last.in_features]))


class ToHalf(torch.autograd.Function):
    """Rows (N, K) in a 16-bit type, filled up with zeros to a multiple of WIDTH_MULTIPLE numbers."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, dtype: torch.dtype) -> Tensor:
        ctx.width = x.shape[1]
        rounded = x.new_empty(len(x), _padded(ctx.width), dtype=dtype)
        rounded[:, : ctx.width] = x
        rounded[:, ctx.width :] = 0.0
        return rounded

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad[:, : ctx.width].float() / len(grad), None


class ToSingle(torch.autograd.Function):
    """Undoes ToHalf but for the padding; its gradient is scaled by the number of rows."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.dtype = x.dtype
        return x.float()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return (grad * len(grad)).to(ctx.dtype)


class HalfLinear(torch.autograd.Function):
    """x Wᵀ + b in 16 bits with x from ToHalf and W, b in float32.

    The gradient of b is a product too: torch's sum over 102,400 rows of 256 numbers takes 120 µs on an H100.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.width = weight.shape[1]
        weight = weight.to(x.dtype)
        if x.shape[1] > ctx.width:  # padding by nothing would be a copy
            weight = functional.pad(weight, (0, x.shape[1] - ctx.width))
        ctx.save_for_backward(x, weight)
        return functional.linear(x, weight, bias.to(x.dtype))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        ones = grad.new_ones(len(grad), WIDTH_MULTIPLE)
        grad_x = grad @ weight if ctx.needs_input_grad[0] else None
        grad_weight = _float32_product(grad.T, x)[:, : ctx.width] / len(grad)
        return grad_x, grad_weight, _float32_product(grad.T, ones)[:, 0] / len(grad)


# torch does not declare the types of `apply`
_to_half: Callable[[Tensor, torch.dtype], Tensor] = ToHalf.apply
_to_single: Callable[[Tensor], Tensor] = ToSingle.apply
_half_linear: Callable[[Tensor, Tensor, Tensor], Tensor] = HalfLinear.apply


def _float32_product(a: Tensor, b: Tensor) -> Tensor:
    """a b of 16-bit matrices, summed up in float32 and, but for bfloat16 on a CPU, not rounded after that."""
    if a.is_cuda:
        return torch.mm(a, b, out_dtype=torch.float32)
    return (a @ b).float() if a.dtype == torch.bfloat16 else a.float() @ b.float()


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
