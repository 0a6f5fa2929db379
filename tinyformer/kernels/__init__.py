"""Arrays in, arrays out: matrix multiplication, softmax attention and the rest of a training step, and the choice of who
does them.

Operations call ``kernels.matmul``, ``kernels.attention``, …; which code answers is decided in ``backend``. A backend is a
module with functions of these names; for those that it lacks ``reference`` answers. That is the NumPy one: it is always there,
it holds the contract of each function, and it is the oracle of every other.
"""

from __future__ import annotations

import numpy as np

from . import backend
from .memory import keep_freed_memory

__all__ = ["adamw", "attention", "backend", "block_step", "cross_entropy", "dropout", "embedding_gradient", "gelu", "gelu_tanh",
           "layer_norm", "linear", "linear_gelu", "lstm", "matmul", "rms_norm", "silu", "softmax", "sum_of_squares"]

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


# The contracts of these stand with the functions of the same name in ``reference``.

def linear(x, weight, bias=None):
    """x Wᵀ + b for rows x."""
    return backend.function("linear")(x, weight, bias)


def linear_gelu(x, weight, bias=None):
    """GELU(x Wᵀ + b), as ``(value, vjp)``; the vjp leads back to the GELU's argument."""
    return backend.function("linear_gelu")(x, weight, bias)


def layer_norm(x, weight, bias, eps):
    """γ ⊙ (x − μ)/σ + β for rows x, as ``(value, vjp)``."""
    return backend.function("layer_norm")(x, weight, bias, eps)


def rms_norm(x, weight, eps):
    """γ ⊙ x/r for rows x, as ``(value, vjp)``."""
    return backend.function("rms_norm")(x, weight, eps)


def softmax(x):
    """Softmax along the last axis, as ``(value, vjp)``."""
    return backend.function("softmax")(x)


def cross_entropy(logits, targets, smoothing=0.0):
    """The loss of each row, as ``(losses, vjp)``."""
    return backend.function("cross_entropy")(logits, targets, smoothing)


def gelu(x):
    """x Φ(x), as ``(value, vjp)``."""
    return backend.function("gelu")(x)


def gelu_tanh(x):
    """GELU in its tanh form, as ``(value, vjp)``."""
    return backend.function("gelu_tanh")(x)


def silu(x):
    """x σ(x), as ``(value, vjp)``."""
    return backend.function("silu")(x)


def dropout(x, draws, p):
    """x / (1 − p) where the draw is at least p, else 0, as ``(value, vjp)``."""
    return backend.function("dropout")(x, draws, p)


def embedding_gradient(indices, dy, V):
    """The sums of the rows of dy that share an index."""
    return backend.function("embedding_gradient")(indices, dy, V)


def lstm(a, h0, c0, weight, lengths=None, reverse=False):
    """The recurrent part of an LSTM, as ``((h, c), vjp)``; ``a`` is overwritten. The contract stands in ``recurrence``."""
    return backend.function("lstm")(a, h0, c0, weight, lengths, reverse)


def block_step(x, keys, values, past, weights, eps):
    """One layer of a Transformer at one new position of each row; ``keys`` and ``values`` are written to."""
    return backend.function("block_step")(x, keys, values, past, weights, eps)


def adamw(parameters):
    """One step of AdamW for all parameters, in place."""
    backend.function("adamw")(parameters)


def sum_of_squares(arrays):
    """Σ x² over all numbers of all arrays."""
    return backend.function("sum_of_squares")(arrays)
