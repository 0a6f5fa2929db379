"""Bounds on gradients, between ``backward`` and the optimiser's step."""

from __future__ import annotations

import math
import numbers

import numpy as np

from .. import kernels
from ..autograd import Tensor


def clip_grad_norm_(parameters, max_norm):
    """Shorten the gradients, as one long vector, to length ``max_norm`` if it is longer. Returns the length before (float).

        ‖g‖ = √Σ g²        g ← g · min(1, max_norm / (‖g‖ + 10⁻⁶))

    The direction stays. If the length is NaN or infinite the gradients are left as they are, for the caller to see.
    Parameters without a gradient count as zero.   Source: Pascanu et al. (2013), algorithm 1; book (5.7); the 10⁻⁶ is PyTorch's.
    """
    _expect_bound("clip_grad_norm_", "max_norm", max_norm)
    gradients = _gradients("clip_grad_norm_", parameters)
    norm = _length(gradients)
    scale = float(max_norm) / (norm + 1e-6)
    if math.isfinite(norm) and scale < 1:
        for g in gradients:
            np.multiply(g, scale, out=g)
    return norm


def clip_grad_value_(parameters, clip_value):
    """Hold every number of every gradient within [−clip_value, clip_value]. This may turn the gradient's direction."""
    _expect_bound("clip_grad_value_", "clip_value", clip_value)
    for g in _gradients("clip_grad_value_", parameters):
        np.clip(g, -float(clip_value), float(clip_value), out=g)


def _length(gradients):
    """√Σ g² (float). Where the squares leave the range of their type: m · √Σ (g/m)², with m = max |g|, in float64."""
    with np.errstate(over="ignore", under="ignore"):
        squares = kernels.sum_of_squares(gradients)
    if 1e-30 < squares < math.inf or math.isnan(squares):
        return math.sqrt(squares)
    largest = max((float(np.abs(g).max()) for g in gradients if g.size), default=0.0)
    if largest == 0 or not math.isfinite(largest):
        return largest
    return largest * math.sqrt(kernels.sum_of_squares([g.astype(np.float64) / largest for g in gradients]))


def _gradients(operation, parameters):
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    for i, parameter in enumerate(parameters):
        if not isinstance(parameter, Tensor):
            raise TypeError(f"{operation}: parameter {i} is a {type(parameter).__name__}, expected a Tensor")
    return [parameter.grad for parameter in parameters if parameter.grad is not None]


def _expect_bound(operation, name, bound):
    if isinstance(bound, bool) or not isinstance(bound, numbers.Real) or not bound >= 0:
        raise ValueError(f"{operation}: {name} is {bound!r}, expected a number of at least 0")
