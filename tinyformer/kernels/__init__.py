"""Kernels: functions from arrays to arrays, such as matrix multiplication and attention, with a choice of backends.

Operations call ``kernels.matmul``, ``kernels.attention``, …; ``backend`` chooses the code that runs. A backend is a
module with functions of these names. ``reference``, the NumPy backend, replaces the functions that another backend
lacks. It is always available, it states the contract of each function, and it is the oracle for every other backend.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import backend
from .memory import keep_freed_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike

    from ..typing import Array, Vjp
    from .convolution import Pair, Windows

__all__ = ["adamw", "attention", "backend", "block_step", "conv2d", "conv2d_input_gradient", "conv2d_weight_gradient",
           "cross_entropy", "dropout", "embedding_gradient", "gelu", "gelu_tanh", "layer_norm", "linear", "linear_gelu",
           "lstm", "matmul", "max_pool2d", "max_pool2d_gradient", "rms_norm", "silu", "softmax", "sum_of_squares"]

keep_freed_memory()


def matmul(a: ArrayLike, b: ArrayLike) -> Array:
    """The matrix product a b over the last two axes; leading axes broadcast.

    a (…, M, K) or (K,)    b (…, K, N) or (K,)    returns (…, M, N), of the same type
    """
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype != b.dtype:
        raise TypeError(f"matmul: a is {a.dtype} and b is {b.dtype}; expected one type")
    if a.ndim == 0 or b.ndim == 0 or a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ValueError(f"matmul: a has shape {a.shape} and b has shape {b.shape}: "
                         f"expected the last axis of a to be as long as the second last of b")
    return backend.live().matmul(a, b)


def attention(q: Array, k: Array, v: Array, bias: Array | None = None, keep: Array | None = None, *,
              is_causal: bool = False, scale: float = 1.0, bias_gradient: bool = True) -> tuple[Array, Vjp]:
    """softmax(scale · q kᵀ + bias) v, as ``(value, vjp)``; see ``reference.attention`` for the contract."""
    return backend.live().attention(q, k, v, bias, keep, is_causal=is_causal, scale=scale, bias_gradient=bias_gradient)


# ``reference`` states the contracts of these functions under the same names.

def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """x Wᵀ + b for rows x."""
    return backend.function("linear")(x, weight, bias)


def linear_gelu(x: Array, weight: Array, bias: Array | None = None) -> tuple[Array, Vjp]:
    """GELU(x Wᵀ + b), as ``(value, vjp)``; the vjp gives the gradient of the GELU's argument."""
    return backend.function("linear_gelu")(x, weight, bias)


def layer_norm(x: Array, weight: Array | None, bias: Array | None, eps: float) -> tuple[Array, Vjp]:
    """γ ⊙ (x − μ)/σ + β for rows x, as ``(value, vjp)``."""
    return backend.function("layer_norm")(x, weight, bias, eps)


def rms_norm(x: Array, weight: Array | None, eps: float) -> tuple[Array, Vjp]:
    """γ ⊙ x/r for rows x, as ``(value, vjp)``."""
    return backend.function("rms_norm")(x, weight, eps)


def softmax(x: Array) -> tuple[Array, Vjp]:
    """Softmax along the last axis, as ``(value, vjp)``."""
    return backend.function("softmax")(x)


def cross_entropy(logits: Array, targets: Array, smoothing: float = 0.0) -> tuple[Array, Vjp]:
    """The loss of each row, as ``(losses, vjp)``."""
    return backend.function("cross_entropy")(logits, targets, smoothing)


def gelu(x: Array) -> tuple[Array, Vjp]:
    """x Φ(x), as ``(value, vjp)``."""
    return backend.function("gelu")(x)


def gelu_tanh(x: Array) -> tuple[Array, Vjp]:
    """GELU in its tanh form, as ``(value, vjp)``."""
    return backend.function("gelu_tanh")(x)


def silu(x: Array) -> tuple[Array, Vjp]:
    """x σ(x), as ``(value, vjp)``."""
    return backend.function("silu")(x)


def dropout(x: Array, draws: Array, p: float) -> tuple[Array, Vjp]:
    """x / (1 − p) where the draw is at least p, else 0, as ``(value, vjp)``."""
    return backend.function("dropout")(x, draws, p)


def embedding_gradient(indices: Array, dy: Array, V: int) -> Array:
    """dW (V, C): for each index, the sum of the rows of dy with that index."""
    return backend.function("embedding_gradient")(indices, dy, V)


def conv2d(x: Array, weight: Array, windows: Windows, out: Pair, bias: Array | None = None) -> Array:
    """b + the sum of W ⊙ x over each of the patches that ``windows`` describes. ``convolution`` states the contract."""
    return backend.function("conv2d")(x, weight, windows, out, bias)


def conv2d_input_gradient(dy: Array, weight: Array, windows: Windows, shape: Pair) -> Array:
    """dx of ``conv2d``, with x of the height and width ``shape``."""
    return backend.function("conv2d_input_gradient")(dy, weight, windows, shape)


def conv2d_weight_gradient(dy: Array, x: Array, windows: Windows, kernel: Pair) -> Array:
    """dW of ``conv2d``."""
    return backend.function("conv2d_weight_gradient")(dy, x, windows, kernel)


def max_pool2d(x: Array, kernel: Pair, windows: Windows, out: Pair) -> tuple[Array, Array]:
    """The maximum of each window, and the pixel where it lies."""
    return backend.function("max_pool2d")(x, kernel, windows, out)


def max_pool2d_gradient(dy: Array, indices: Array, shape: Pair) -> Array:
    """dx of ``max_pool2d``, with x of the height and width ``shape``."""
    return backend.function("max_pool2d_gradient")(dy, indices, shape)


def lstm(a: Array, h0: Array, c0: Array, weight: Array, lengths: Array | None = None,
         reverse: bool = False) -> tuple[tuple[Array, Array], Callable[..., Any]]:
    """The recurrent part of an LSTM, as ``((h, c), vjp)``; overwrites ``a``. ``recurrence`` states the contract."""
    return backend.function("lstm")(a, h0, c0, weight, lengths, reverse)


def block_step(x: Array, keys: Array, values: Array, past: int | Array, weights: Sequence[Any], eps: float) -> Array:
    """One Transformer layer at one new position of each row; writes into ``keys`` and ``values``."""
    return backend.function("block_step")(x, keys, values, past, weights, eps)


def adamw(parameters: Sequence[tuple[Any, ...]]) -> None:
    """One step of AdamW for all parameters, in place."""
    backend.function("adamw")(parameters)


def sum_of_squares(arrays: Sequence[Array]) -> float:
    """Σ x² over all entries of all arrays."""
    return backend.function("sum_of_squares")(arrays)
