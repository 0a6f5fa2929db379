"""Position encodings: sines added to the embedding (sinusoidal), or features rotated by an angle (rotary)."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import differentiable

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from ..typing import Array, TensorLike, ValueAndVjp


@functools.lru_cache(maxsize=16)
def sinusoidal(T: int, C: int, dtype: DTypeLike = np.float32) -> Array:
    """The table (T, C): sin(t/10000^{2i/C}) in column 2i, cos of the same in column 2i + 1.

    Source: Vaswani et al. (2017), §3.5; book (10.1). The table is constant and has no gradient.
    """
    angle = np.arange(T)[:, None] / 10000.0 ** (np.arange(0, C, 2) / C)                     # (T, ⌈C/2⌉)
    table = np.empty((T, C), dtype)
    table[:, 0::2], table[:, 1::2] = np.sin(angle), np.cos(angle[:, :C // 2])
    table.setflags(write=False)
    return table


def rotary_frequencies(D: int, base: float = 10000.0, factor: float = 1.0, low: float = 1.0, high: float = 4.0,
                       original: int = 8192) -> Array:
    """fᵢ = base^{−2i/D} (D/2,): the angle in radians by which feature pair i rotates from one position to the next.

    factor > 1 slows the low frequencies down for contexts longer than the ``original`` context, as Llama 3.1 does. A
    pair with fewer than ``low`` rotations in the original context is slowed down by the factor. A pair with more than
    ``high`` rotations keeps its frequency. In between:

        f′ = (1 − s) f/factor + s f,   s = (original f/2π − low) / (high − low)
    """
    if D % 2:
        raise ValueError(f"rotary: the head width is {D}, expected an even one")
    f = float(base) ** (-np.arange(0, D, 2) / D)
    s = np.clip((original * f / (2 * np.pi) - low) / (high - low), 0, 1)
    return (1 - s) * f / factor + s * f


@functools.lru_cache(maxsize=16)
def rotary_tables(T: int, D: int, base: float = 10000.0, dtype: DTypeLike = np.float32,
                  **stretch: Any) -> tuple[Array, Array]:
    """cos and sin of t · fᵢ, each (T, D/2), with the frequencies fᵢ of ``rotary_frequencies(D, base, **stretch)``."""
    angle = np.arange(T)[:, None] * rotary_frequencies(D, base, **stretch)
    tables = np.cos(angle).astype(dtype), np.sin(angle).astype(dtype)
    for table in tables:
        table.setflags(write=False)
    return tables


@differentiable
def rotary(x: TensorLike, *, cos: Array, sin: Array) -> ValueAndVjp:
    """Rotate feature pair (i, i + D/2) of position t by the angle θ = t · base^{−2i/D}.

    ``rotary_tables`` gives cos and sin.

        y₁ = x₁ cos θ − x₂ sin θ        dx₁ =  dy₁ cos θ + dy₂ sin θ
        y₂ = x₂ cos θ + x₁ sin θ        dx₂ = −dy₁ sin θ + dy₂ cos θ

    The inverse of a rotation is its transpose, so the gradient is rotated by −θ. x (…, T, D) with halves x₁ and x₂;
    cos, sin (T, D/2).
    Source: Su et al. (2021), book (10.2), in the "rotate half" layout of Llama's published checkpoints.
    """
    half = x.shape[-1] // 2
    if x.shape[-1] % 2 or cos.shape[-1] != half or sin.shape != cos.shape:
        raise ValueError(f"rotary: x is {x.shape}, cos {cos.shape} and sin {sin.shape}: "
                         "expected tables of half x's last axis")

    cos, sin = cos.astype(x.dtype, copy=False), sin.astype(x.dtype, copy=False)

    def turn(x, sin):
        x1, x2 = x[..., :half], x[..., half:]
        return np.concatenate([x1 * cos - x2 * sin, x2 * cos + x1 * sin], axis=-1)

    return turn(x, sin), lambda dy: turn(dy, -sin)
