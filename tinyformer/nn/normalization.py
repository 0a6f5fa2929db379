"""Layers that normalise: over the features of a token (layer, RMS) or over the examples of a batch (batch)."""

from __future__ import annotations

import numpy as np

from . import functional as F
from .checks import as_input
from .module import Module, Parameter


class LayerNorm(Module):
    """y = γ ∘ (x − μ)/√(σ² + eps) + β, with μ and σ² over the last axes, of lengths ``normalized_shape``.

    weight γ and bias β have that shape and start at 1 and 0; ``elementwise_affine=False`` has neither, ``bias=False`` no β.
    """

    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True, dtype=np.float32):
        self.normalized_shape = _as_shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.weight = Parameter(np.ones(self.normalized_shape, dtype)) if elementwise_affine else None
        self.bias = Parameter(np.zeros(self.normalized_shape, dtype)) if elementwise_affine and bias else None

    def forward(self, x):
        x = x if self.weight is None else as_input(self, x, self.weight.dtype)
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self):
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class RMSNorm(Module):
    """y = γ ∘ x/√(mean x² + eps), the mean over the last axes, of lengths ``normalized_shape``.

    weight γ has that shape and starts at 1. eps None is the machine epsilon of x's type, as in PyTorch.
    """

    def __init__(self, normalized_shape, eps=None, elementwise_affine=True, dtype=np.float32):
        self.normalized_shape = _as_shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.weight = Parameter(np.ones(self.normalized_shape, dtype)) if elementwise_affine else None

    def forward(self, x):
        x = x if self.weight is None else as_input(self, x, self.weight.dtype)
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self):
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


def _as_shape(shape):
    return (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
