"""Operations that make an axis (or several, or all) one number. ``axis`` is None, an integer or a tuple, as in NumPy."""

from __future__ import annotations

import builtins

import numpy as np

from ..autograd import FLOATS, differentiable


def _expand(y, shape, axis):
    """``y``, reduced along ``axis`` from an array of ``shape``, with the reduced axes back at length one."""
    if axis is None:
        return np.reshape(y, (1,) * len(shape))
    axes = {a % len(shape) for a in (axis if isinstance(axis, tuple) else (axis,))}
    return np.reshape(y, tuple(1 if a in axes else n for a, n in enumerate(shape)))


@differentiable(method="sum")
def sum(x, *, axis=None, keepdims=False):
    """y = Σ x.   dx = dy, copied to every entry that was added."""
    shape = x.shape
    return (np.sum(x, axis=axis, keepdims=keepdims),
            lambda dy: np.broadcast_to(_expand(dy, shape, axis), shape))


@differentiable(method="mean")
def mean(x, *, axis=None, keepdims=False):
    """y = Σ x / n.   dx = dy / n."""
    y = np.mean(x, axis=axis, keepdims=keepdims)
    shape, count = x.shape, x.size // builtins.max(np.size(y), 1)               # entries of x in one of y
    return y, lambda dy: np.broadcast_to(_expand(dy / count, shape, axis), shape)


@differentiable(method="var")
def var(x, *, axis=None, keepdims=False, correction=1):
    """y = Σ (x − mean x)² / (n − correction).   dx = 2 (x − mean x) dy / (n − correction).

    correction = 1 (PyTorch's default) makes it an unbiased estimate, 0 the plain mean square. Where n ≤ correction the
    estimate divides by 0: 0/0 is NaN, as in PyTorch.
    """
    if x.dtype not in FLOATS:
        raise TypeError(f"var: x is {x.dtype}, expected float32 or float64")
    n = x.size // builtins.max(np.sum(x, axis=axis, keepdims=True).size, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        centred = x - np.sum(x, axis=axis, keepdims=True) / x.dtype.type(n)
        weight = np.divide(1, builtins.max(n - correction, 0), dtype=x.dtype)
        y = np.sum(centred * centred, axis=axis, keepdims=keepdims) * weight

    def vjp(dy):
        with np.errstate(invalid="ignore"):
            return centred * _expand(dy * (2 * weight), centred.shape, axis)

    return y, vjp


def _select(x, y, axis):
    """vjp of max and min: dy to the entries equal to the extreme, in equal shares (as PyTorch's amax and amin)."""
    def vjp(dy):
        chosen = x == _expand(y, x.shape, axis)
        shares = chosen / np.sum(chosen, axis=axis, keepdims=True, dtype=x.dtype)
        return shares.astype(x.dtype, copy=False) * _expand(dy, x.shape, axis)

    return vjp


@differentiable(method="max")
def max(x, *, axis=None, keepdims=False):
    """y = max x.   dx = dy at the largest entry; equals share it."""
    y = np.max(x, axis=axis, keepdims=keepdims)
    return y, _select(x, y, axis)


@differentiable(method="min")
def min(x, *, axis=None, keepdims=False):
    """y = min x.   dx = dy at the smallest entry; equals share it."""
    y = np.min(x, axis=axis, keepdims=keepdims)
    return y, _select(x, y, axis)


@differentiable(method="logsumexp")
def logsumexp(x, *, axis=None, keepdims=False):
    """y = ln Σ eˣ, computed as m + ln Σ eˣ⁻ᵐ with m = max x.   dx = softmax(x) dy.   All −inf gives −inf, gradient 0;
    so does an axis without entries."""
    m = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    m = np.where(np.isfinite(m), m, np.zeros_like(m))
    with np.errstate(divide="ignore", over="ignore"):
        e = np.exp(x - m)
        total = np.sum(e, axis=axis, keepdims=True)
        full = m + np.log(total)
    y = full if keepdims else np.reshape(full, np.sum(x, axis=axis).shape)

    def vjp(dy):
        with np.errstate(invalid="ignore"):
            p = e / total                                   # exp(x − y) would carry the rounding of a large y
        return np.where(full == -np.inf, np.zeros_like(p), p) * _expand(dy, x.shape, axis)

    return y, vjp


@differentiable(method="cumsum")
def cumsum(x, *, axis):
    """yₜ = x₀ + … + xₜ along ``axis``.   dxₜ = dyₜ + dyₜ₊₁ + …"""
    def vjp(dy):
        return np.flip(np.cumsum(np.flip(dy, axis), axis=axis), axis)

    return np.cumsum(x, axis=axis), vjp
