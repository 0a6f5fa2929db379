"""The linear layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..number_checks import check_integer
from . import functional as F, init
from .argument_checks import as_input
from .module import Module, Parameter

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from ..autograd import Tensor
    from ..typing import TensorLike


class Linear(Module):
    """y = x Wᵀ + b.   x (…, in_features)    y (…, out_features)

    weight W (out_features, in_features) and bias b (out_features,) start uniform in ±1/√in_features.

    Raises TypeError or ValueError unless in_features and out_features are integers of at least 1.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, dtype: DTypeLike = np.float32) -> None:
        self.in_features = check_integer(self, "in_features", in_features, at_least=1)
        self.out_features = check_integer(self, "out_features", out_features, at_least=1)
        self.weight = Parameter(np.empty((self.out_features, self.in_features), dtype))
        self.bias = Parameter(np.empty(self.out_features, dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Re-initialize weight and bias."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features)
            init.uniform_(self.bias, -bound, bound)

    def forward(self, x: TensorLike) -> Tensor:
        """y = x Wᵀ + b."""
        return F.linear(as_input(self, x, self.weight), self.weight, self.bias)

    def extra_repr(self) -> str:
        """Sizes and options."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
