"""Arrays in, arrays out: the two hot spots, matrix multiplication and softmax attention, and the choice of who does them.

Operations call ``kernels.matmul`` and ``kernels.attention``; which code answers is decided in ``backend``. A backend is a
module with these two functions. ``reference`` is the NumPy one: it is always there, and the oracle of every other.
"""

from __future__ import annotations

import numpy as np

from . import backend
from .memory import keep_freed_memory

__all__ = ["attention", "backend", "matmul"]

keep_freed_memory()


def matmul(a, b):
    """a b over the last two axes; the axes before them broadcast.

    a (…, M, K) or (K,)    b (…, K, N) or (K,)    returns (…, M, N), of the type that both have
    """
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype != b.dtype:
        raise TypeError(f"matmul: a is {a.dtype} and b is {b.dtype}; expected one type")
    if a.ndim == 0 or b.ndim == 0 or a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ValueError(f"matmul: a has shape {a.shape} and b has shape {b.shape}: "
                         f"expected the last axis of a to be as long as the second last of b")
    return backend.live().matmul(a, b)


def attention(q, k, v, bias=None, keep=None, *, is_causal=False, scale=1.0, bias_gradient=True):
    """softmax(scale · q kᵀ + bias) v, as ``(value, vjp)``; see ``reference.attention`` for the contract."""
    return backend.live().attention(q, k, v, bias, keep, is_causal=is_causal, scale=scale, bias_gradient=bias_gradient)
