"""Dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import kernels
from ..arrays import expect_floating
from ..autograd import differentiable
from ..number_checks import check_fraction
from ..rng import generator

if TYPE_CHECKING:
    from ..typing import Array, RNGLike, Shape, TensorLike, ValueAndVjp


def keep_mask(shape: Shape, p: float, dtype: np.dtype[Any], rng: RNGLike = None) -> Array:
    """Dropout's mask, scaled: each entry is 0 with probability p, else 1/(1 − p)."""
    keep = _draws(shape, p, rng) >= p
    return keep.astype(dtype) * dtype.type(1 / (1 - p) if p < 1 else 0)


def _draws(shape: Shape, p: float, rng: RNGLike) -> Array:
    """A random number in [0, 1) for each entry. Dropout keeps the entries whose number is at least p."""
    return generator(rng).random(shape, dtype=np.float32)


@differentiable
def dropout(x: TensorLike, *, p: float = 0.5, rng: RNGLike = None) -> ValueAndVjp:
    """y = x ⊙ m / (1 − p), each entry of m 0 with probability p, else 1.   dx = dy ⊙ m / (1 − p).

    The factor 1/(1 − p) preserves the expected value, so evaluation needs no scale. At p = 1 output and gradient are
    zeros. rng is a generator or a seed; None means the framework's generator.

    Source: Srivastava et al. (2014); book (3.7).
    """
    expect_floating("dropout", x=x)
    p = check_fraction("dropout", "p", p)
    if p == 1:
        return np.zeros_like(x), np.zeros_like
    return kernels.dropout(x, _draws(x.shape, p, rng), p)
