"""Normalization: over the features of a token (layer, RMS), groups of channels, or the examples of a batch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .. import kernels
from ..arrays import expect_floating
from ..autograd import differentiable
from ..number_checks import check_integer, check_number
from .products import rows

if TYPE_CHECKING:
    from ..typing import Array, TensorLike, ValueAndVjp


def _check_features(operation, x, weight, bias=None):
    for name, parameter in (("weight", weight), ("bias", bias)):
        if parameter is not None and (x.ndim == 0 or parameter.shape != x.shape[-1:]):
            raise ValueError(f"{operation}: {name} has shape {parameter.shape}, "
                             f"but x is {x.shape}: expected {x.shape[-1:]}")


@differentiable
def layer_norm(x: TensorLike, weight: TensorLike | None = None, bias: TensorLike | None = None, *,
               eps: float = 1e-5) -> ValueAndVjp:
    """y = γ ⊙ x̂ + β,   x̂ = (x − μ)/σ,   σ² = mean (x − μ)² + ε, over the last axis.

    dx = (g − mean g − x̂ ⊙ mean(g ⊙ x̂)) / σ with g = γ ⊙ dy,   dγ = Σ dy ⊙ x̂,   dβ = Σ dy, over all rows.

    x (…, C)    weight γ (C,) or None    bias β (C,) or None.   Source: Ba et al. (2016); book (10.3), (10.4).
    """
    expect_floating("layer_norm", x=x, weight=weight, bias=bias)
    _check_features("layer_norm", x, weight, bias)
    eps = check_number("layer_norm", "eps", eps, at_least=0)
    y, backward = kernels.layer_norm(rows(x), weight, bias, eps)

    def vjp(dy):
        dx, dweight, dbias = backward(rows(dy))
        return dx.reshape(x.shape), dweight, dbias

    return y.reshape(x.shape), vjp


@differentiable
def rms_norm(x: TensorLike, weight: TensorLike | None = None, *, eps: float = 1e-5) -> ValueAndVjp:
    """y = γ ⊙ x̂,   x̂ = x/r,   r² = mean x² + ε, over the last axis: layer normalization without the mean.

    dx = (g − x̂ ⊙ mean(g ⊙ x̂)) / r with g = γ ⊙ dy,   dγ = Σ dy ⊙ x̂ over all rows.

    x (…, C)    weight γ (C,) or None.   Source: Zhang and Sennrich (2019); book (13.1) to (13.3).
    """
    expect_floating("rms_norm", x=x, weight=weight)
    _check_features("rms_norm", x, weight)
    eps = check_number("rms_norm", "eps", eps, at_least=0)
    y, backward = kernels.rms_norm(rows(x), weight, eps)

    def vjp(dy):
        dx, dweight = backward(rows(dy))
        return dx.reshape(x.shape), dweight

    return y.reshape(x.shape), vjp


@differentiable
def group_norm(x: TensorLike, weight: TensorLike | None = None, bias: TensorLike | None = None, *, num_groups: int,
               eps: float = 1e-5) -> ValueAndVjp:
    """y = γ ⊙ x̂ + β,   x̂ = (x − μ)/σ,   σ² = mean (x − μ)² + ε, over the channels of a group and all their pixels.

    dx = (g − mean g − x̂ ⊙ mean(g ⊙ x̂)) / σ with g = γ ⊙ dy,   dγ = Σ dy ⊙ x̂,   dβ = Σ dy, over all axes but 1.

    x (N, C, …), num_groups divides C    weight γ (C,) or None    bias β (C,) or None.   Source: Wu and He (2018).
    """
    expect_floating("group_norm", x=x, weight=weight, bias=bias)
    num_groups = check_integer("group_norm", "num_groups", num_groups, at_least=1)
    if x.ndim < 2:
        raise ValueError(f"group_norm: x has shape {x.shape}, expected (N, C, …)")
    if x.shape[1] % num_groups:
        raise ValueError(f"group_norm: num_groups is {num_groups}, expected a divisor of the {x.shape[1]} channels "
                         f"of x, whose shape is {x.shape}")
    for name, array in (("weight", weight), ("bias", bias)):
        if array is not None and array.shape != (x.shape[1],):
            raise ValueError(f"group_norm: {name} has shape {array.shape}, "
                             f"but x is {x.shape}: expected {(x.shape[1],)}")
    eps = check_number("group_norm", "eps", eps, at_least=0)
    grouped = (x.shape[0] * num_groups, math.prod(x.shape[1:]) // num_groups)  # a row for each picture and group
    axes, column = (0, *range(2, x.ndim)), (-1,) + (1,) * (x.ndim - 2)
    xhat, backward = kernels.layer_norm(x.reshape(grouped), None, None, eps)
    xhat = xhat.reshape(x.shape)
    y = xhat if weight is None else xhat * weight.reshape(column)
    if bias is not None:
        y = y + bias.reshape(column)

    def vjp(dy):
        g = dy if weight is None else dy * weight.reshape(column)
        return (backward(g.reshape(grouped))[0].reshape(x.shape),
                None if weight is None else (dy * xhat).sum(axis=axes),
                None if bias is None else dy.sum(axis=axes))

    return y, vjp


@differentiable
def batch_norm(x: TensorLike, weight: TensorLike | None = None, bias: TensorLike | None = None, *,
               mean: Array | None = None, var: Array | None = None, eps: float = 1e-5) -> ValueAndVjp:
    """y = γ ⊙ (x − μ)/σ + β with μ and σ² = variance + ε of each channel (axis 1), over all other axes.

    Training (``mean`` and ``var`` are None): μ and σ are those of the batch, and dx = (g − mean g − x̂ ⊙ mean(g ⊙ x̂))
    / σ with g = γ ⊙ dy and means over the same axes. Evaluation: ``mean`` and ``var`` are constants, and dx = g / σ.

    x (N, C), (N, C, T), (N, C, H, W)    weight γ, bias β, mean, var (C,).   Source: Ioffe and Szegedy
    (2015); book (3.8), (3.9).
    """
    expect_floating("batch_norm", x=x, weight=weight, bias=bias)
    if x.ndim < 2:
        raise ValueError(f"batch_norm: x has shape {x.shape}, expected (N, C) or (N, C, …)")
    axes = (0, *range(2, x.ndim))
    column = (1, -1) + (1,) * (x.ndim - 2)                                      # (C,) as (1, C, 1)
    for name, array in (("weight", weight), ("bias", bias), ("mean", mean), ("var", var)):
        if array is not None and array.shape != (x.shape[1],):
            raise ValueError(f"batch_norm: {name} has shape {array.shape}, "
                             f"but x is {x.shape}: expected {(x.shape[1],)}")
    eps = check_number("batch_norm", "eps", eps, at_least=0)
    training = mean is None
    if training:
        xhat = x - x[(slice(1), slice(None), *(slice(1),) * (x.ndim - 2))]      # a large mean would lose digits
        for _ in range(2):                                                      # the second time what rounding left
            xhat -= xhat.mean(axis=axes, keepdims=True)
        inverse = _inverse_deviation(xhat, axes, eps)
        xhat *= inverse
    else:
        inverse = (1 / np.sqrt(var + x.dtype.type(eps))).reshape(column)
        xhat = (x - mean.reshape(column)) * inverse
    y = xhat if weight is None else xhat * weight.reshape(column)
    if bias is not None:
        y = y + bias.reshape(column)

    def vjp(dy):
        g = dy if weight is None else dy * weight.reshape(column)
        dx = g
        if training:
            dx = g - g.mean(axis=axes, keepdims=True) - xhat * (g * xhat).mean(axis=axes, keepdims=True)
        return (dx * inverse,
                None if weight is None else (dy * xhat).sum(axis=axes),
                None if bias is None else dy.sum(axis=axes))

    return y, vjp


def _inverse_deviation(d, axes, eps):
    """1/√(mean d² + ε) over ``axes``. Where squares leave the range of d's type, d is divided by its largest entry."""
    with np.errstate(over="ignore", under="ignore"):
        variance = (d * d).mean(axis=axes, keepdims=True) + d.dtype.type(eps)
    if np.all((variance > 1e-25) & (variance < np.inf)):
        return 1 / np.sqrt(variance)
    top = np.abs(d).max(axis=axes, keepdims=True, initial=0)
    top[top == 0] = 1
    d = d / top
    with np.errstate(divide="ignore", invalid="ignore"):
        return 1 / np.hypot(top * np.sqrt((d * d).mean(axis=axes, keepdims=True)), d.dtype.type(np.sqrt(eps)))
