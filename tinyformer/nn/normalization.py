"""Layers that normalise: over the features of a token (layer, RMS) or over the examples of a batch (batch)."""

from __future__ import annotations

import numpy as np

from . import functional as F
from .argument_checks import as_input, check_sizes
from .module import Module, Parameter


class LayerNorm(Module):
    """y = γ ∘ (x − μ)/√(σ² + eps) + β, with μ and σ² over the last axes, of lengths ``normalized_shape``.

    weight γ and bias β have that shape and start at 1 and 0; ``elementwise_affine=False`` has neither, ``bias=False`` no β.
    """

    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True, dtype=np.float32):
        self.normalized_shape = _as_shape(self, normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.weight = Parameter(np.ones(self.normalized_shape, dtype)) if elementwise_affine else None
        self.bias = Parameter(np.zeros(self.normalized_shape, dtype)) if elementwise_affine and bias else None

    def forward(self, x):
        return F.layer_norm(as_input(self, x, self.weight), self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self):
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class RMSNorm(Module):
    """y = γ ∘ x/√(mean x² + eps), the mean over the last axes, of lengths ``normalized_shape``.

    weight γ has that shape and starts at 1. eps None is the machine epsilon of x's type, as in PyTorch.
    """

    def __init__(self, normalized_shape, eps=None, elementwise_affine=True, dtype=np.float32):
        self.normalized_shape = _as_shape(self, normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.weight = Parameter(np.ones(self.normalized_shape, dtype)) if elementwise_affine else None

    def forward(self, x):
        return F.rms_norm(as_input(self, x, self.weight), self.normalized_shape, self.weight, self.eps)

    def extra_repr(self):
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class BatchNorm1d(Module):
    """y = γ ∘ (x − μ)/√(σ² + eps) + β for each channel.   x (N, C), or (N, C, L) with the positions counted as examples.

    In training μ and σ² are the batch's own, and the buffers running_mean and running_var (C,) move towards them by
    ``momentum`` (None: they are the plain average of all batches so far, which num_batches_tracked counts). In evaluation μ
    and σ² are the running ones, or still the batch's with ``track_running_stats=False``, which has no buffers.

    weight γ and bias β (C,) start at 1 and 0; ``affine=False`` has neither.   Source: Ioffe and Szegedy (2015).
    """

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True, dtype=np.float32):
        check_sizes(self, num_features=num_features)
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self.weight = Parameter(np.ones(num_features, dtype)) if affine else None
        self.bias = Parameter(np.zeros(num_features, dtype)) if affine else None
        self.running_mean = self.running_var = self.num_batches_tracked = None
        if track_running_stats:
            self.register_buffer("running_mean", np.zeros(num_features, dtype))
            self.register_buffer("running_var", np.ones(num_features, dtype))
            self.register_buffer("num_batches_tracked", np.array(0))

    def forward(self, x):
        x = as_input(self, x, self.weight if self.affine else self.running_mean)
        if x.ndim not in (2, 3) or x.shape[1] != self.num_features:
            C = self.num_features
            raise ValueError(f"BatchNorm1d: x has shape {x.shape}, expected (N, {C}) or (N, {C}, L)")
        if not self.track_running_stats or not self.training:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias,
                                training=not self.track_running_stats, eps=self.eps)
        momentum = 1 / (int(self.num_batches_tracked) + 1) if self.momentum is None else self.momentum
        y = F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, True, momentum, self.eps)
        self.num_batches_tracked += 1
        return y

    def extra_repr(self):
        return (f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
                f"track_running_stats={self.track_running_stats}")


def _as_shape(layer, normalized_shape):
    shape = tuple(normalized_shape) if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
    for n in shape:
        check_sizes(layer, normalized_shape=n)
    return shape
