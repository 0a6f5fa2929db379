"""Dropout."""

from __future__ import annotations

import numpy as np

from .. import kernels
from ..autograd import differentiable
from ..number_checks import check_fraction
from ..rng import generator


def keep_mask(shape, p, dtype, rng=None):
    """An array of 1/(1 − p), each entry 0 with probability p: dropout's mask with its scale. All of it is 0 at p = 1."""
    keep = _draws(shape, p, rng) >= p
    return keep.astype(dtype) * dtype.type(1 / (1 - p) if p < 1 else 0)


def _draws(shape, p, rng):
    """A number in [0, 1) for each entry: it stays if its number is at least p."""
    return generator(rng).random(shape, dtype=np.float32)


@differentiable
def dropout(x, *, p=0.5, rng=None):
    """y = x ∘ m / (1 − p), each entry of m 0 with probability p, else 1.   dx = dy ∘ m / (1 − p).

    p = 1 gives zeros, and zeros as the gradient. The scale keeps the expected value, so nothing is to be done at evaluation. rng is a generator or a seed; by default
    the framework's generator.   Source: Srivastava et al. (2014); book (3.7).
    """
    p = check_fraction("dropout", "p", p)
    if p == 1:
        return np.zeros_like(x), np.zeros_like
    return kernels.dropout(x, _draws(x.shape, p, rng), p)
