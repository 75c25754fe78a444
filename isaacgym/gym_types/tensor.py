"""The descriptor in which tensors enter and leave the gym."""

from typing import Any

from isaacgym.gym_types.enums import TensorDataType


class Tensor:
    """What `acquire_*_tensor` returns and setters take: a torch tensor with the descriptor fields of Isaac Gym.

    It holds a reference, so the memory lives as long as the descriptor (NVIDIA's does not).
    """

    __slots__ = ("tensor", "own_data")

    def __init__(self, tensor: Any, own_data: bool = False) -> None:
        self.tensor = tensor
        self.own_data = own_data

    @property
    def data_ptr(self) -> int:
        return self.tensor.data_ptr()

    data_address = data_ptr

    @property
    def device(self) -> int:
        """CUDA device index, -1 for the CPU."""
        device = self.tensor.device
        return -1 if device.type == "cpu" else device.index or 0

    @property
    def dtype(self) -> TensorDataType:
        return TensorDataType["DTYPE_" + str(self.tensor.dtype).removeprefix("torch.").upper()]

    @property
    def ndim(self) -> int:
        return self.tensor.ndim

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.tensor.shape)

    def __repr__(self) -> str:
        return f"Tensor(shape={self.shape}, dtype={self.dtype.name}, device={self.device})"
