"""The library's operations and kernels as steps: ``ops.composed`` where it has them, otherwise as one node."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import ops
from ..kernels.reference import normal
from ..ops import composed
from ..ops.composed import _repeat_heads as repeat_heads
from .numpy_table import Unrecorded, mapped

if TYPE_CHECKING:
    from collections.abc import Callable


def _cross_entropy(logits, targets):
    return -ops.mean(ops.getitem(composed.log_softmax(logits), (np.arange(targets.size), targets.reshape(-1))))


def _attention(q, k, v, mask=None, keep=None, is_causal=False, scale=None, **_):
    if q.ndim > 2 and q.shape[-3] != k.shape[-3]:           # grouped heads
        k, v = (repeat_heads(each, q.shape[-3] // k.shape[-3]) for each in (k, v))
    scores = q @ k.swapaxes(-1, -2) * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    if is_causal:
        scores = ops.where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)
    if mask is not None:
        scores = ops.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    p = composed.softmax(scores)
    return (p if keep is None else p * keep) @ v


def _layer_norm(x, weight=None, bias=None, eps=1e-5):
    return composed.layer_norm(x, 1.0 if weight is None else weight, 0.0 if bias is None else bias, eps)


# Where an own form shows more than the one in ``composed``: a look-up instead of a product with one-hot rows.
OPERATIONS = {
    **{name: getattr(composed, name) for name in composed.__all__},
    "embedding": lambda indices, weight: ops.getitem(weight, indices),
    "cross_entropy": _cross_entropy,
    "layer_norm": _layer_norm,
    "rms_norm": lambda x, weight=None, eps=1e-5: composed.rms_norm(x, 1.0 if weight is None else weight, eps),
    "relu": lambda x: ops.maximum(x, 0.0),
    "scaled_dot_product_attention": lambda q, k, v, mask=None, is_causal=False, scale=None: _attention(
        q, k, v, mask, None, is_causal, scale),
}


def _losses(logits, targets, smoothing=0.0):
    logp, valid = composed.log_softmax(logits), targets >= 0        # a negative target is ignored
    losses = -ops.getitem(logp, (np.arange(len(targets)), np.where(valid, targets, 0)))
    if smoothing:
        losses = (1 - smoothing) * losses - smoothing * ops.mean(logp, axis=1)
    return losses * valid


def _lstm(a, h0, c0, weight, lengths=None, reverse=False):
    if lengths is not None:
        raise Unrecorded("lstm with lengths")
    h, c, H = [h0], [c0], h0.shape[1]
    for t in reversed(range(len(a))) if reverse else range(len(a)):
        z = ops.getitem(a, t) + h[-1] @ ops.transpose(weight)
        i, f, g, o = (z[:, k * H:(k + 1) * H] for k in range(4))
        c.append(composed.sigmoid(f) * c[-1] + composed.sigmoid(i) * ops.tanh(g))
        h.append(composed.sigmoid(o) * ops.tanh(c[-1]))
    order = slice(None, None, -1) if reverse else slice(None)
    return ops.stack(*h[order]), ops.stack(*c[order])


# Kernels return (value, vjp), except for the products. The vjp is not needed here.
PRODUCTS = {"matmul": ops.matmul, "linear": composed.linear}
KERNELS = {
    "linear_gelu": lambda *a: composed.gelu_tanh(composed.linear(*a)), "softmax": composed.softmax,
    "layer_norm": _layer_norm, "rms_norm": OPERATIONS["rms_norm"], "cross_entropy": _losses,
    "silu": composed.silu, "gelu_tanh": composed.gelu_tanh,
    "gelu": lambda x: x * mapped(x, function=lambda v: normal(v)[0], kind="Φ"),
    "dropout": lambda x, draws, p: x * ((draws >= p) / (1 - p)), "lstm": _lstm, "attention": _attention,
}


def raw_form(operation: Any, tensors: Callable[..., Any]) -> Callable[..., Any]:
    """``operation.raw`` on recorded arrays. ``tensors`` applies a function of tensors to them."""
    steps = OPERATIONS.get(operation.__name__)

    def applied(*args: Any, **options: Any) -> Any:
        if steps is not None:
            try:
                return tensors(steps, *args, **options), None
            except TypeError:                               # an option that this form does not have
                pass
        value = tensors(operation, *args, **options)
        return tuple(value) if isinstance(value, list) else value, None
    return applied


def kernel_form(kernel: Any, tensors: Callable[..., Any]) -> Callable[..., Any] | None:
    """A kernel on recorded arrays, or None if it has no such form."""
    steps = KERNELS.get(kernel.__name__)
    if kernel.__name__ in PRODUCTS:
        return lambda *args, **options: tensors(PRODUCTS[kernel.__name__], *args, **options)

    def applied(*args: Any, **options: Any) -> Any:
        value = tensors(steps, *args, **options)
        return tuple(value) if isinstance(value, list) else value, None
    return applied if steps else None
