"""Dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..number_checks import check_fraction
from . import functional as F
from .argument_checks import as_input
from .module import Module

if TYPE_CHECKING:
    from ..autograd import Tensor
    from ..typing import TensorLike


class Dropout(Module):
    """In training, each entry of x becomes 0 with probability p, and the rest is scaled by 1/(1 − p); else y = x.

    Raises TypeError or ValueError unless 0 ≤ p ≤ 1.   Source: Srivastava et al. (2014); book (3.7).
    """

    def __init__(self, p: float = 0.5) -> None:
        self.p = check_fraction(self, "p", p)

    def forward(self, x: TensorLike) -> Tensor:
        """x with entries dropped, in training."""
        return F.dropout(as_input(self, x), self.p, self.training)

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}"
