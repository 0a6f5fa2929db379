"""Losses as layers. Each is a function of ``nn.functional`` with its options; none has parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..number_checks import check_fraction, check_integer
from ..ops.losses import REDUCTIONS
from . import functional as F
from .argument_checks import as_input
from .module import Module

if TYPE_CHECKING:
    from ..autograd import Tensor
    from ..typing import TensorLike


class _Loss(Module):
    """What the losses share: ``reduction`` is "mean" or "sum" over all entries, or "none"."""

    def __init__(self, *, reduction: str = "mean") -> None:
        if reduction not in REDUCTIONS:
            raise ValueError(f"{type(self).__name__}: reduction is {reduction!r}, "
                             f"expected one of {', '.join(REDUCTIONS)}")
        self.reduction = reduction

    def extra_repr(self) -> str:
        """The options."""
        return f"reduction={self.reduction!r}"


class CrossEntropyLoss(_Loss):
    """L = −mean ln pₜ with p = softmax(logits) and the target class t of each row, in nats.

    logits (V,), (N, V) or (N, V, d₁, …)    targets integers (), (N,) or (N, d₁, …), in 0…V−1

    ignore_index        rows with this target add nothing, and "mean" is over the rest
    label_smoothing     ε: the target distribution is (1 − ε) onehot + ε/V
    reduction           "mean", "sum" or "none"

    PyTorch's weights of classes and targets that are probabilities are not supported. Raises TypeError or ValueError
    unless ignore_index is an integer, 0 ≤ label_smoothing ≤ 1 and reduction one of the three.   Source: book (3.5).
    """

    def __init__(self, *, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0) -> None:
        super().__init__(reduction=reduction)
        self.ignore_index = check_integer(self, "ignore_index", ignore_index)
        self.label_smoothing = check_fraction(self, "label_smoothing", label_smoothing)

    def forward(self, logits: TensorLike, targets: TensorLike) -> Tensor:
        """The loss, a single number, or one for each target without a reduction."""
        return F.cross_entropy(as_input(self, logits, argument="logits"), targets, ignore_index=self.ignore_index,
                               reduction=self.reduction, label_smoothing=self.label_smoothing)

    def extra_repr(self) -> str:
        """The options."""
        return (f"ignore_index={self.ignore_index}, reduction={self.reduction!r}, "
                f"label_smoothing={self.label_smoothing}")


class MSELoss(_Loss):
    """L = mean (x − t)².   x and target t have one shape, else ValueError.

    reduction   "mean", "sum" or "none". PyTorch would broadcast unequal shapes, with a warning.
    """

    def forward(self, x: TensorLike, target: TensorLike) -> Tensor:
        """The loss, a single number, or one for each entry without a reduction."""
        return F.mse_loss(as_input(self, x), target, reduction=self.reduction)


class BCEWithLogitsLoss(_Loss):
    """L = −mean (t ln σ(x) + (1 − t) ln(1 − σ(x))), in nats.   Logits x and target t in [0, 1] have one shape.

    reduction   "mean", "sum" or "none". PyTorch's weights are not supported.
    """

    def forward(self, x: TensorLike, target: TensorLike) -> Tensor:
        """The loss, a single number, or one for each entry without a reduction."""
        return F.binary_cross_entropy_with_logits(as_input(self, x), target, reduction=self.reduction)
