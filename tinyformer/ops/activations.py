"""Activation functions, softmax and log-softmax."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import kernels
from ..arrays import expect_floating
from ..autograd import differentiable
from ..kernels.reference import sigmoid as stable_sigmoid
from ..number_checks import check_integer, check_number

if TYPE_CHECKING:
    from ..typing import TensorLike, ValueAndVjp


@differentiable(method="relu")
def relu(x: TensorLike) -> ValueAndVjp:
    """y = max(x, 0).   dx = 0 where x ≤ 0, else dy. At NaN, dx = dy, as in PyTorch.   Book (3.2)."""
    return np.maximum(x, 0), lambda dy: dy * ~(x <= 0)


@differentiable
def leaky_relu(x: TensorLike, *, negative_slope: float = 0.01) -> ValueAndVjp:
    """y = x for x > 0, else a x with a = ``negative_slope``.   dx = dy for x > 0, else a dy."""
    expect_floating("leaky_relu", x=x)
    negative_slope = check_number("leaky_relu", "negative_slope", negative_slope)
    slope = np.where(x > 0, x.dtype.type(1), x.dtype.type(negative_slope))
    return x * slope, lambda dy: dy * slope


@differentiable(method="sigmoid")
def sigmoid(x: TensorLike) -> ValueAndVjp:
    """y = 1 / (1 + e⁻ˣ).   dx = y (1 − y) dy.   Computed from e^{−|x|}, which cannot overflow."""
    y = stable_sigmoid(x)
    return y, lambda dy: dy * y * (1 - y)


@differentiable(method="tanh")
def tanh(x: TensorLike) -> ValueAndVjp:
    """y = tanh x.   dx = (1 − y²) dy."""
    y = np.tanh(x)
    return y, lambda dy: dy * (1 - y * y)


@differentiable
def silu(x: TensorLike) -> ValueAndVjp:
    """y = x σ(x).   dx = σ(x) (1 + x (1 − σ(x))) dy.   Source: Elfwing et al. (2017); book (13.5)."""
    return kernels.silu(x)


@differentiable
def softplus(x: TensorLike) -> ValueAndVjp:
    """y = ln(1 + eˣ), computed as max(x, 0) + ln(1 + e^{−|x|}).   dx = σ(x) dy."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))), lambda dy: dy * stable_sigmoid(x)


@differentiable
def gelu(x: TensorLike, *, approximate: str = "none") -> ValueAndVjp:
    """y = x Φ(x), with Φ the standard normal distribution function, φ its density.   dx = (Φ(x) + x φ(x)) dy.

    approximate = "tanh" is GPT-2's form: y = x (1 + t)/2, t = tanh u, u = √(2/π) (x + 0.044715 x³).
    dx = ((1 + t)/2 + x (1 − t²) u′/2) dy, u′ = √(2/π) (1 + 3·0.044715 x²).

    Source: Hendrycks and Gimpel (2016); book (12.4).
    """
    if approximate == "tanh":
        return kernels.gelu_tanh(x)
    if approximate != "none":
        raise ValueError(f"gelu: approximate is {approximate!r}, expected 'none' or 'tanh'")
    return kernels.gelu(x)


@differentiable(method="softmax")
def softmax(x: TensorLike, *, axis: int = -1) -> ValueAndVjp:
    """pᵢ = e^{xᵢ} / Σⱼ e^{xⱼ} along ``axis``.   dx = p ⊙ (dp − Σ p ⊙ dp).   Book (9.3), (9.4).

    The Jacobian is diag(p) − p pᵀ, and the formula is its product with dp. If all entries are −inf, p and dx are zeros.
    """
    expect_floating("softmax", x=x)
    axis = _checked_axis("softmax", axis, x)
    p, backward = kernels.softmax(np.moveaxis(x, axis, -1))
    return np.moveaxis(p, -1, axis), lambda dp: np.moveaxis(backward(np.moveaxis(dp, axis, -1)), -1, axis)


@differentiable(method="log_softmax")
def log_softmax(x: TensorLike, *, axis: int = -1) -> ValueAndVjp:
    """yᵢ = xᵢ − ln Σⱼ e^{xⱼ} along ``axis``.   dx = dy − softmax(x) Σ dy."""
    expect_floating("log_softmax", x=x)
    axis = _checked_axis("log_softmax", axis, x)
    shifted = x - np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    y = shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))
    return y, lambda dy: dy - np.exp(y) * np.sum(dy, axis=axis, keepdims=True)


def _checked_axis(operation, axis, x):
    if np.ndim(x) == 0:
        raise ValueError(f"{operation}: x is a single number, expected at least one axis")
    return check_integer(operation, "axis", axis, -x.ndim, x.ndim - 1)
