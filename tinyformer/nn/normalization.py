"""Layers that normalize: over the features of a token (layer, RMS) or over the examples of a batch (batch)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..number_checks import check_fraction, check_integer, check_number
from . import functional as F
from .argument_checks import as_input
from .module import Module, Parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import DTypeLike

    from ..autograd import Tensor
    from ..typing import Array, TensorLike


class LayerNorm(Module):
    """y = γ ⊙ (x − μ)/√(σ² + eps) + β, with μ and σ² over the last axes, of lengths ``normalized_shape``.

    weight γ and bias β have that shape and start at 1 and 0; ``elementwise_affine=False`` has neither, ``bias=False``
    no β.

    Raises TypeError or ValueError unless normalized_shape is one or several integers of at least 1 and eps a finite
    number of at least 0.   Source: Ba et al. (2016); book (10.3).
    """

    def __init__(self, normalized_shape: int | Sequence[int], eps: float = 1e-5, elementwise_affine: bool = True,
                 bias: bool = True, dtype: DTypeLike = np.float32) -> None:
        self.normalized_shape = _as_shape(self, normalized_shape)
        self.eps = check_number(self, "eps", eps, at_least=0)
        self.elementwise_affine = elementwise_affine
        self.weight = Parameter(np.ones(self.normalized_shape, dtype)) if elementwise_affine else None
        self.bias = Parameter(np.zeros(self.normalized_shape, dtype)) if elementwise_affine and bias else None

    def forward(self, x: TensorLike) -> Tensor:
        """γ ⊙ (x − μ)/√(σ² + eps) + β."""
        return F.layer_norm(as_input(self, x, self.weight), self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Shape and options."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class RMSNorm(Module):
    """y = γ ⊙ x/√(mean x² + eps), the mean over the last axes, of lengths ``normalized_shape``.

    weight γ has that shape and starts at 1. eps None is the machine epsilon of x's type, as in PyTorch.

    Raises TypeError or ValueError unless normalized_shape is one or several integers of at least 1 and eps None or a
    finite number of at least 0.   Source: Zhang and Sennrich (2019); book (13.1).
    """

    def __init__(self, normalized_shape: int | Sequence[int], eps: float | None = None, elementwise_affine: bool = True,
                 dtype: DTypeLike = np.float32) -> None:
        self.normalized_shape = _as_shape(self, normalized_shape)
        self.eps = None if eps is None else check_number(self, "eps", eps, at_least=0)
        self.elementwise_affine = elementwise_affine
        self.weight = Parameter(np.ones(self.normalized_shape, dtype)) if elementwise_affine else None

    def forward(self, x: TensorLike) -> Tensor:
        """γ ⊙ x/√(mean x² + eps)."""
        return F.rms_norm(as_input(self, x, self.weight), self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """Shape and options."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class BatchNorm1d(Module):
    """y = γ ⊙ (x − μ)/√(σ² + eps) + β for each channel.   x (N, C), or (N, C, L), where each position is an example.

    In training μ and σ² are the batch's own, and the buffers running_mean and running_var (C,) move towards them by
    ``momentum`` (None: they are the plain average of all batches so far, which num_batches_tracked counts). In
    evaluation μ and σ² are the running ones, or still the batch's with ``track_running_stats=False``, which has no
    buffers.

    weight γ and bias β (C,) start at 1 and 0; ``affine=False`` has neither.

    Raises TypeError or ValueError unless num_features is an integer of at least 1, eps a finite number of at least 0
    and momentum None or 0 ≤ momentum ≤ 1.   Source: Ioffe and Szegedy (2015); book (3.8).
    """

    running_mean: Array | None
    running_var: Array | None
    num_batches_tracked: Array | None

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
                 track_running_stats: bool = True, dtype: DTypeLike = np.float32) -> None:
        self.num_features = check_integer(self, "num_features", num_features, at_least=1)
        self.eps = check_number(self, "eps", eps, at_least=0)
        self.momentum = None if momentum is None else check_fraction(self, "momentum", momentum)
        self.affine = affine
        self.track_running_stats = track_running_stats
        self.weight = Parameter(np.ones(self.num_features, dtype)) if affine else None
        self.bias = Parameter(np.zeros(self.num_features, dtype)) if affine else None
        self.running_mean = self.running_var = self.num_batches_tracked = None
        if track_running_stats:
            self.register_buffer("running_mean", np.zeros(self.num_features, dtype))
            self.register_buffer("running_var", np.ones(self.num_features, dtype))
            self.register_buffer("num_batches_tracked", np.array(0))

    def forward(self, x: TensorLike) -> Tensor:
        """γ ⊙ (x − μ)/√(σ² + eps) + β; in training the running statistics are updated."""
        x = as_input(self, x, self.weight if self.affine else self.running_mean)
        if x.ndim not in (2, 3) or x.shape[1] != self.num_features:
            C = self.num_features
            raise ValueError(f"BatchNorm1d: x has shape {x.shape}, expected (N, {C}) or (N, {C}, L)")
        if self.num_batches_tracked is None or not self.training:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias,
                                training=self.num_batches_tracked is None, eps=self.eps)
        momentum = 1 / (int(self.num_batches_tracked) + 1) if self.momentum is None else self.momentum
        y = F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, True, momentum, self.eps)
        self.num_batches_tracked += 1
        return y

    def extra_repr(self) -> str:
        """Sizes and options."""
        return (f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
                f"track_running_stats={self.track_running_stats}")


def _as_shape(layer: Any, normalized_shape: Any) -> tuple[int, ...]:
    lengths = normalized_shape if isinstance(normalized_shape, (tuple, list)) else [normalized_shape]
    if not lengths:
        raise ValueError(f"{type(layer).__name__}: normalized_shape is {normalized_shape!r}, expected a length or more")
    return tuple(check_integer(layer, "normalized_shape", n, at_least=1) for n in lengths)
