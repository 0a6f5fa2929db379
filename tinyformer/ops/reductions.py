"""Reductions over one axis, several axes or all of them: ``axis`` is an integer, a tuple or None, as in NumPy."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import expect_floating
from ..autograd import differentiable

if TYPE_CHECKING:
    from ..typing import Axis, TensorLike, ValueAndVjp


def _expand(y, shape, axis):
    """``y``, reduced along ``axis`` from an array of ``shape``, with the reduced axes restored as length 1."""
    if axis is None:
        return np.reshape(y, (1,) * len(shape))
    axes = {a % len(shape) for a in (axis if isinstance(axis, tuple) else (axis,))}
    return np.reshape(y, tuple(1 if a in axes else n for a, n in enumerate(shape)))


@differentiable(method="sum")
def sum(x: TensorLike, *, axis: Axis = None, keepdims: bool = False) -> ValueAndVjp:
    """y = Σ x.   dx = dy for every term of the sum."""
    shape = x.shape
    return (np.sum(x, axis=axis, keepdims=keepdims),
            lambda dy: np.broadcast_to(_expand(dy, shape, axis), shape))


@differentiable(method="mean")
def mean(x: TensorLike, *, axis: Axis = None, keepdims: bool = False) -> ValueAndVjp:
    """y = Σ x / n.   dx = dy / n, for n entries."""
    y = np.mean(x, axis=axis, keepdims=keepdims)
    shape, count = x.shape, x.size // builtins.max(np.size(y), 1)               # entries of x per entry of y
    return y, lambda dy: np.broadcast_to(_expand(dy / count, shape, axis), shape)


def _count_for(name, x, axis, correction):
    """The number n of entries that each estimate is made of; errors in the operation's ``name``."""
    expect_floating(name, x=x)
    n = x.size // builtins.max(np.sum(x, axis=axis, keepdims=True).size, 1)
    if 0 < n < correction:
        raise ValueError(f"{name}: {n} entries with a correction of {correction}; expected at least {correction}")
    return n


@differentiable(method="var")
def var(x: TensorLike, *, axis: Axis = None, keepdims: bool = False, correction: int = 1) -> ValueAndVjp:
    """y = Σ (x − mean x)² / (n − correction).   dx = 2 (x − mean x) dy / (n − correction).

    correction = 1 (PyTorch's default) gives the unbiased estimate, 0 the mean squared deviation. If n = correction, the
    divisor is 0: the result is NaN for n = 1, as in PyTorch. ValueError if n < correction.
    """
    n = _count_for("var", x, axis, correction)
    with np.errstate(divide="ignore", invalid="ignore"):
        centered = x - np.sum(x, axis=axis, keepdims=True) / x.dtype.type(n)
        weight = np.divide(1, builtins.max(n - correction, 0), dtype=x.dtype)
        y = np.sum(centered * centered, axis=axis, keepdims=keepdims) * weight

    def vjp(dy):
        with np.errstate(invalid="ignore"):
            return centered * _expand(dy * (2 * weight), centered.shape, axis)

    return y, vjp


@differentiable(method="std")
def std(x: TensorLike, *, axis: Axis = None, keepdims: bool = False, correction: int = 1) -> ValueAndVjp:
    """y = √var(x).   dx = (x − mean x) dy / ((n − correction) y), 0 where y = 0, as in PyTorch.

    Options and errors are those of ``var``.
    """
    _count_for("std", x, axis, correction)
    variance, variance_vjp = var.raw(x, axis=axis, keepdims=keepdims, correction=correction)
    y = np.sqrt(variance)

    def vjp(dy):
        with np.errstate(divide="ignore", invalid="ignore"):
            return variance_vjp(np.where(y == 0, np.zeros_like(dy), dy / (2 * y)))

    return y, vjp


def _select(x, y, axis):
    """The vjp of max and min: entries equal to the extremum get equal shares of dy, as in PyTorch's amax and amin."""
    def vjp(dy):
        chosen = x == _expand(y, x.shape, axis)
        shares = chosen / np.sum(chosen, axis=axis, keepdims=True, dtype=x.dtype)
        return shares.astype(x.dtype, copy=False) * _expand(dy, x.shape, axis)

    return vjp


@differentiable(method="max")
def max(x: TensorLike, *, axis: Axis = None, keepdims: bool = False) -> ValueAndVjp:
    """y = max x.   dx = dy at the largest entry; equal entries get equal shares."""
    y = np.max(x, axis=axis, keepdims=keepdims)
    return y, _select(x, y, axis)


@differentiable(method="min")
def min(x: TensorLike, *, axis: Axis = None, keepdims: bool = False) -> ValueAndVjp:
    """y = min x.   dx = dy at the smallest entry; equal entries get equal shares."""
    y = np.min(x, axis=axis, keepdims=keepdims)
    return y, _select(x, y, axis)


@differentiable(method="logsumexp")
def logsumexp(x: TensorLike, *, axis: Axis = None, keepdims: bool = False) -> ValueAndVjp:
    """y = ln Σ eˣ, computed as m + ln Σ eˣ⁻ᵐ with m = max x.   dx = softmax(x) dy.

    Where all entries are −inf, or there are none, y is −inf and the gradient is 0.
    """
    expect_floating("logsumexp", x=x)
    m = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    m = np.where(np.isfinite(m), m, np.zeros_like(m))
    with np.errstate(divide="ignore", over="ignore"):
        e = np.exp(x - m)
        total = np.sum(e, axis=axis, keepdims=True)
        full = m + np.log(total)
    y = full if keepdims else np.squeeze(full, axis=axis)

    def vjp(dy):
        with np.errstate(invalid="ignore"):
            p = e / total                                   # exp(x − y) would carry the rounding of a large y
        return np.where(full == -np.inf, np.zeros_like(p), p) * _expand(dy, x.shape, axis)

    return y, vjp


@differentiable(method="cumsum")
def cumsum(x: TensorLike, *, axis: int) -> ValueAndVjp:
    """yₜ = x₀ + … + xₜ along ``axis``.   dxₜ = dyₜ + dyₜ₊₁ + …"""
    def vjp(dy):
        return np.flip(np.cumsum(np.flip(dy, axis), axis=axis), axis)

    return np.cumsum(x, axis=axis), vjp
