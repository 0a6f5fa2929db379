"""A loss that is a plain function, in the form of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ..autograd import Tensor
from ..nn import Module
from ..writes import write

if TYPE_CHECKING:
    from numpy.typing import NDArray


class LossFunction(Module):
    """The module whose ``loss`` is the function ``function`` and whose parameters are ``tensors``, numbered from 0."""

    def __init__(self, function: Callable[..., Tensor], tensors: list[Tensor]):
        self.loss = function
        self._tensors = {f"parameter {i}": tensor for i, tensor in enumerate(tensors)}

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """("parameter 0", tensor) and so on."""
        yield from self._tensors.items()

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """{name: array} of the tensors; the arrays are the tensors' own."""
        return {name: tensor.data for name, tensor in self._tensors.items()}

    def load_state_dict(self, state: dict[str, NDArray[Any]], strict: bool = True) -> tuple[list[str], list[str]]:
        """Copy the arrays of ``state`` into the tensors. ValueError, before any is changed, for another shape."""
        for name, tensor in self._tensors.items():
            if state[name].shape != tensor.shape:
                raise ValueError(f"{name} has shape {state[name].shape}, expected {tensor.shape}")
        for name, tensor in self._tensors.items():
            write(tensor.data, state[name])
        return [], []
