"""Layers that normalize: over the features of a token (layer, RMS), groups of channels, or a batch."""

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


class _BatchNorm(Module):
    """What batch norm of sequences and of pictures have in common."""

    axes: tuple[int, ...]
    shapes: str

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
        if x.ndim not in self.axes or x.shape[1] != self.num_features:
            raise ValueError(f"{type(self).__name__}: x has shape {x.shape}, expected "
                             f"{self.shapes.replace('C', str(self.num_features))}")
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


class BatchNorm1d(_BatchNorm):
    """y = γ ⊙ (x − μ)/√(σ² + eps) + β for each channel.   x (N, C), or (N, C, L), where each position is an example.

    In training μ and σ² are the batch's own, and the buffers running_mean and running_var (C,) move towards them by
    ``momentum`` (None: they are the plain average of all batches so far, which num_batches_tracked counts). In
    evaluation μ and σ² are the running ones, or still the batch's with ``track_running_stats=False``, which has no
    buffers.

    weight γ and bias β (C,) start at 1 and 0; ``affine=False`` has neither.

    Raises TypeError or ValueError unless num_features is an integer of at least 1, eps a finite number of at least 0
    and momentum None or 0 ≤ momentum ≤ 1.   Source: Ioffe and Szegedy (2015); book (3.8).
    """

    axes, shapes = (2, 3), "(N, C) or (N, C, L)"


class BatchNorm2d(_BatchNorm):
    """y = γ ⊙ (x − μ)/√(σ² + eps) + β for each channel of pictures x (N, C, H, W), where each pixel is an example.

    Everything else is as in ``BatchNorm1d``.   Source: Ioffe and Szegedy (2015), §3.2; book (3.8).
    """

    axes, shapes = (4,), "(N, C, H, W)"


class GroupNorm(Module):
    """y = γ ⊙ (x − μ)/√(σ² + eps) + β, with μ and σ² over a group of channels of one picture.   x (N, C, …)

    The C = num_channels channels make num_groups groups of neighbors: 1 normalizes the whole picture, C each channel.
    No batch is needed, so training and evaluation are the same. weight γ and bias β (C,) start at 1 and 0;
    ``affine=False`` has neither.

    Raises TypeError or ValueError unless num_groups and num_channels are integers of at least 1, the first divides the
    second, and eps is a finite number of at least 0.   Source: Wu and He (2018).
    """

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True,
                 dtype: DTypeLike = np.float32) -> None:
        self.num_groups = check_integer(self, "num_groups", num_groups, at_least=1)
        self.num_channels = check_integer(self, "num_channels", num_channels, at_least=1)
        if self.num_channels % self.num_groups:
            raise ValueError(f"GroupNorm: num_groups is {num_groups}, expected a divisor of num_channels "
                             f"{num_channels}")
        self.eps = check_number(self, "eps", eps, at_least=0)
        self.affine = affine
        self.weight = Parameter(np.ones(self.num_channels, dtype)) if affine else None
        self.bias = Parameter(np.zeros(self.num_channels, dtype)) if affine else None

    def forward(self, x: TensorLike) -> Tensor:
        """γ ⊙ (x − μ)/√(σ² + eps) + β."""
        x = as_input(self, x, self.weight)
        if x.ndim < 2 or x.shape[1] != self.num_channels:
            raise ValueError(f"GroupNorm: x has shape {x.shape}, expected (N, {self.num_channels}, …)")
        return F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Sizes and options."""
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"


def _as_shape(layer: Any, normalized_shape: Any) -> tuple[int, ...]:
    lengths = normalized_shape if isinstance(normalized_shape, (tuple, list)) else [normalized_shape]
    if not lengths:
        raise ValueError(f"{type(layer).__name__}: normalized_shape is {normalized_shape!r}, expected a length or more")
    return tuple(check_integer(layer, "normalized_shape", n, at_least=1) for n in lengths)
