"""Losses: the number that training minimizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import kernels
from ..arrays import expect_floating
from ..autograd import differentiable
from ..kernels.reference import sigmoid
from ..number_checks import check_fraction, check_integer
from .arithmetic import _floats

if TYPE_CHECKING:
    from ..typing import TensorLike, ValueAndVjp

REDUCTIONS = ("mean", "sum", "none")


def _check_reduction(operation, reduction):
    if reduction not in REDUCTIONS:
        raise ValueError(f"{operation}: reduction is {reduction!r}, expected one of {', '.join(REDUCTIONS)}")


@differentiable
def mse_loss(x: TensorLike, target: TensorLike, *, reduction: str = "mean") -> ValueAndVjp:
    """L = mean (x − t)².   dx = 2 (x − t) dL / N,  dt = −dx, for N entries.

    reduction = "sum" leaves out 1/N, "none" returns every square. x and target t have the same shape.
    """
    _check_reduction("mse_loss", reduction)
    if np.shape(x) != np.shape(target):
        raise ValueError(f"mse_loss: x has shape {np.shape(x)} and target {np.shape(target)}: expected one shape")
    x, target = _floats(x, target)
    difference = x - target
    square = difference * difference
    scale = 2 / max(square.size, 1) if reduction == "mean" else 2

    def vjp(dL):
        dx = difference * (dL * scale)
        return dx, -dx

    return square.mean() if reduction == "mean" else square.sum() if reduction == "sum" else square, vjp


@differentiable
def cross_entropy(logits: TensorLike, targets: TensorLike, *, ignore_index: int = -100, label_smoothing: float = 0.0,
                  reduction: str = "mean") -> ValueAndVjp:
    """L = −mean over rows of Σᵥ tᵥ ln pᵥ,   p = softmax(logits).   dlogits = (p − t) dL / N.

    The softmax's Jacobian and the logarithm's 1/p cancel.   Book (3.5); with ignored rows (12.2).

    t is 1 at the target class and 0 elsewhere. With label smoothing ε it is (1 − ε) onehot + ε/V.

    logits (…, V)    targets integers (…), in 0…V−1    L one number in nats ("mean", "sum") or (…) ("none").
    Rows whose target is ``ignore_index`` add nothing, and "mean" is over the other rows (NaN if there are none, as in
    PyTorch). The classes are the last axis here; in PyTorch they are the second of more than two axes.
    """
    _check_reduction("cross_entropy", reduction)
    expect_floating("cross_entropy", logits=logits)
    targets = np.asarray(targets)
    if targets.dtype.kind not in "iu":
        raise TypeError(f"cross_entropy: targets are {targets.dtype}, expected integers")
    if logits.ndim == 0 or logits.shape[:-1] != targets.shape:
        raise ValueError(f"cross_entropy: logits have shape {logits.shape}, "
                         f"targets {targets.shape}: expected (…, V) and (…)")
    label_smoothing = check_fraction("cross_entropy", "label_smoothing", label_smoothing)
    ignore_index = check_integer("cross_entropy", "ignore_index", ignore_index)
    V = logits.shape[-1]
    flat, t = logits.reshape(targets.size, V), targets.reshape(-1)              # (N, V), (N,)
    counted = t != ignore_index
    wrong = t[counted & ((t < 0) | (t >= V))]
    if wrong.size:
        raise ValueError(f"cross_entropy: a target is {wrong[0]}, "
                         f"expected 0…{V - 1}, or {ignore_index} to leave a row out")
    N = np.count_nonzero(counted) if reduction == "mean" else 1
    if V == 0 or t.size == 0:                                                   # nothing to sum: NaN for a mean, else 0
        value = np.zeros(targets.shape, flat.dtype) if reduction == "none" else flat.dtype.type(0 if N else np.nan)
        return value, lambda dL: (np.zeros_like(logits), None)

    losses, backward = kernels.cross_entropy(flat, np.where(counted, t.astype(np.int64), -1), label_smoothing)
    if reduction == "none":
        value = losses.reshape(targets.shape)
    else:
        value = losses.sum() / flat.dtype.type(N) if N else flat.dtype.type(np.nan)

    def vjp(dL):
        each = np.broadcast_to(np.reshape(dL, -1) / flat.dtype.type(N) if N else dL * np.nan, t.shape)
        dlogits = backward(np.where(counted, each, 0).astype(flat.dtype, copy=False))
        return dlogits.reshape(logits.shape), None

    return value, vjp


@differentiable
def binary_cross_entropy_with_logits(x: TensorLike, target: TensorLike, *, reduction: str = "mean") -> ValueAndVjp:
    """L = −mean (t ln σ(x) + (1 − t) ln(1 − σ(x))) = mean (max(x, 0) − x t + ln(1 + e^{−|x|})).

    dx = (σ(x) − t) dL / N,  dt = −x dL / N.   x and target t have the same shape, t in [0, 1].
    """
    _check_reduction("binary_cross_entropy_with_logits", reduction)
    if np.shape(x) != np.shape(target):
        raise ValueError("binary_cross_entropy_with_logits: "
                         f"x has shape {np.shape(x)} and target {np.shape(target)}: expected one shape")
    x, target = _floats(x, target)
    losses = np.maximum(x, 0) - x * target + np.log1p(np.exp(-np.abs(x)))
    N = max(losses.size, 1) if reduction == "mean" else 1

    def vjp(dL):
        return (sigmoid(x) - target) * (dL / N), -x * (dL / N)

    return losses.mean() if reduction == "mean" else losses.sum() if reduction == "sum" else losses, vjp
