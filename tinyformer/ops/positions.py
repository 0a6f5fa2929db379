"""Where a token stands: sines added to it (sinusoidal), or its features turned by an angle (rotary)."""

from __future__ import annotations

import functools

import numpy as np

from ..autograd import differentiable


@functools.lru_cache(maxsize=16)
def sinusoidal(T, C, dtype=np.float32):
    """The table (T, C): sin(t/10000^{2i/C}) in column 2i, cos of the same in column 2i + 1.

    Source: Vaswani et al. (2017), §3.5; book (10.1). It is constant, so there is no gradient.
    """
    angle = np.arange(T)[:, None] / 10000.0 ** (np.arange(0, C, 2) / C)                     # (T, ⌈C/2⌉)
    table = np.empty((T, C), dtype)
    table[:, 0::2], table[:, 1::2] = np.sin(angle), np.cos(angle[:, :C // 2])
    table.setflags(write=False)
    return table


def rotary_frequencies(D, base=10000.0, factor=1.0, low=1.0, high=4.0, original=8192):
    """fᵢ = base^{−2i/D} (D/2,), the angle in radians by which pair i turns from one position to the next.

    factor > 1 stretches the slow turns for contexts longer than the ``original`` one, as Llama 3.1 does: those that went
    round fewer than ``low`` times in it are slowed down by the factor, those with more than ``high`` stay, in between it is

        f′ = (1 − s) f/factor + s f,   s = (original f/2π − low) / (high − low)
    """
    if D % 2:
        raise ValueError(f"rotary: the head width is {D}, expected an even one")
    f = float(base) ** (-np.arange(0, D, 2) / D)
    s = np.clip((original * f / (2 * np.pi) - low) / (high - low), 0, 1)
    return (1 - s) * f / factor + s * f


@functools.lru_cache(maxsize=16)
def rotary_tables(T, D, base=10000.0, dtype=np.float32, **stretch):
    """cos and sin, each (T, D/2), of t · fᵢ, with the frequencies of ``rotary_frequencies``."""
    angle = np.arange(T)[:, None] * rotary_frequencies(D, base, **stretch)
    tables = np.cos(angle).astype(dtype), np.sin(angle).astype(dtype)
    for table in tables:
        table.setflags(write=False)
    return tables


@differentiable
def rotary(x, *, cos, sin):
    """Turn feature pair (i, i + D/2) of position t by the angle θ = t · base^{−2i/D}; ``rotary_tables`` gives cos and sin.

        y₁ = x₁ cos θ − x₂ sin θ        dx₁ =  dy₁ cos θ + dy₂ sin θ
        y₂ = x₂ cos θ + x₁ sin θ        dx₂ = −dy₁ sin θ + dy₂ cos θ

    A rotation is undone by its transpose, so the gradient is turned back. x (…, T, D), halves x₁ and x₂; cos, sin (T, D/2).
    Source: Su et al. (2021), book (10.2), in the "rotate half" layout of Llama's published checkpoints.
    """
    half = x.shape[-1] // 2
    if x.shape[-1] % 2 or cos.shape[-1] != half or sin.shape != cos.shape:
        raise ValueError(f"rotary: x is {x.shape}, cos {cos.shape} and sin {sin.shape}: expected tables of half x's last axis")

    cos, sin = cos.astype(x.dtype, copy=False), sin.astype(x.dtype, copy=False)

    def turn(x, sin):
        x1, x2 = x[..., :half], x[..., half:]
        return np.concatenate([x1 * cos - x2 * sin, x2 * cos + x1 * sin], axis=-1)

    return turn(x, sin), lambda dy: turn(dy, -sin)
