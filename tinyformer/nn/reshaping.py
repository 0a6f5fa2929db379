"""Layers that change the shape of their input, or nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .. import ops
from ..number_checks import check_integer
from .argument_checks import as_input
from .module import Module

if TYPE_CHECKING:
    from ..autograd import Tensor
    from ..typing import TensorLike


class Flatten(Module):
    """The axes from ``start_dim`` to ``end_dim`` as one axis, by default all but the batch: (B, …) → (B, n).

    Both axes may count from the end. Raises TypeError unless they are integers; when called, ValueError if x has no
    such axes or if end_dim is before start_dim.
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim = check_integer(self, "start_dim", start_dim)
        self.end_dim = check_integer(self, "end_dim", end_dim)

    def forward(self, x: TensorLike) -> Tensor:
        """x with its axes start_dim … end_dim made one."""
        x = as_input(self, x)
        n = max(x.ndim, 1)                                  # a single number becomes a vector of one entry
        start = check_integer(self, "start_dim", self.start_dim, -n, n - 1) % n
        end = check_integer(self, "end_dim", self.end_dim, -n, n - 1) % n
        if start > end:
            raise ValueError(f"Flatten: start_dim is {self.start_dim} and end_dim {self.end_dim}, expected end_dim not "
                             f"before start_dim in the shape {x.shape}")
        return ops.reshape(x, shape=(*x.shape[:start], math.prod(x.shape[start:end + 1]), *x.shape[end + 1:]))

    def extra_repr(self) -> str:
        """The axes."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Identity(Module):
    """y = x. It takes the place of a layer that is left out; other arguments are ignored, as in PyTorch."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def forward(self, x: Any) -> Any:
        """x itself."""
        return x
