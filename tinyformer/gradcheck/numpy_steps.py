"""The library's operations and kernels as plain NumPy steps, so that a forward pass that calls them can be recorded."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..kernels.reference import normal
from .rules import unknown
from .tape import Unrecorded

if TYPE_CHECKING:
    import types
    from collections.abc import Callable


def _softmax(x, axis=-1):
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def _log_softmax(x, axis=-1):
    return x - np.log(np.sum(np.exp(x), axis=axis, keepdims=True))


def _linear(x, weight, bias=None):
    y = x @ weight.T
    return y if bias is None else y + bias


def _affine(xhat, weight, bias):
    y = xhat if weight is None else xhat * weight
    return y if bias is None else y + bias


def _layer_norm(x, weight=None, bias=None, eps=1e-5):
    centered = x - np.mean(x, axis=-1, keepdims=True)
    return _affine(centered / np.sqrt(np.mean(centered * centered, axis=-1, keepdims=True) + eps), weight, bias)


def _rms_norm(x, weight=None, eps=1e-5):
    return _affine(x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps), weight, None)


def _attention(q, k, v, mask=None, is_causal=False, scale=None):
    scores = q @ np.swapaxes(k, -1, -2) * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    if is_causal:
        scores = np.where(np.tril(np.ones(scores.shape[-2:], bool)), scores, -1e30)
    if mask is not None:
        scores = np.where(mask, scores, -1e30)
    return _softmax(scores) @ v


def _cross_entropy(logits, targets):
    picked = np.reshape(_log_softmax(logits), (-1, logits.shape[-1]))[np.arange(targets.size), targets.reshape(-1)]
    return -np.mean(picked)


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


PLAIN = {
    "linear": _linear, "matmul": lambda x, y: x @ y, "softmax": _softmax, "log_softmax": _log_softmax,
    "relu": lambda x: np.maximum(x, 0), "sigmoid": _sigmoid, "tanh": np.tanh, "silu": lambda x: x * _sigmoid(x),
    "exp": np.exp,
    "log": np.log, "sqrt": np.sqrt, "abs": np.abs, "negative": np.negative, "add": np.add, "subtract": np.subtract,
    "multiply": np.multiply, "divide": np.divide, "maximum": np.maximum, "minimum": np.minimum, "where": np.where,
    "sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min, "layer_norm": _layer_norm, "rms_norm": _rms_norm,
    "scaled_dot_product_attention": _attention, "cross_entropy": _cross_entropy, "embedding": lambda i, w: w[i],
    "mse_loss": lambda x, t: np.mean((x - t) ** 2), "transpose": lambda x, axes=None: np.transpose(x, axes),
    "reshape": lambda x, shape: np.reshape(x, shape), "getitem": lambda x, i: x[i], "cumsum": np.cumsum,
    "softplus": lambda x: np.log(1 + np.exp(x)), "einsum": np.einsum,
}


def _gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))


def _losses(logits, targets, smoothing=0.0):
    logp, valid = _log_softmax(logits), targets >= 0        # a negative target is ignored
    losses = -logp[np.arange(len(targets)), np.where(valid, targets, 0)]
    if smoothing:
        losses = (1 - smoothing) * losses - smoothing * np.mean(logp, axis=1)
    return losses * valid


def _grouped_attention(q, k, v, bias=None, keep=None, is_causal=False, scale=1.0, **_):
    if k.shape[-3] != q.shape[-3]:
        k, v = (np.repeat(a, q.shape[-3] // k.shape[-3], axis=-3) for a in (k, v))
    scores = q @ np.swapaxes(k, -1, -2) * scale
    if bias is not None:
        scores = scores + bias
    if is_causal:
        scores = np.where(np.tril(np.ones(scores.shape[-2:], bool)), scores, -np.inf)
    p = _softmax(scores)
    return (p if keep is None else p * keep) @ v


def _lstm(a, h0, c0, weight, lengths=None, reverse=False):
    if lengths is not None:
        raise Unrecorded("lstm with lengths")
    h, c, H = [h0], [c0], h0.shape[1]
    for t in reversed(range(len(a))) if reverse else range(len(a)):
        z = a[t] + h[-1] @ weight.T
        i, f, o = _sigmoid(z[:, :H]), _sigmoid(z[:, H:2 * H]), _sigmoid(z[:, 3 * H:])
        c.append(f * c[-1] + i * np.tanh(z[:, 2 * H:3 * H]))
        h.append(o * np.tanh(c[-1]))
    return np.stack(h[::-1] if reverse else h), np.stack(c[::-1] if reverse else c)


# Kernels return (value, vjp), except for the products. The vjp is not needed here.
KERNELS = {
    "matmul": lambda x, y: x @ y, "linear": _linear, "linear_gelu": lambda *a: (_gelu_tanh(_linear(*a)), None),
    "softmax": lambda x: (_softmax(x), None), "layer_norm": lambda *a: (_layer_norm(*a), None),
    "rms_norm": lambda x, weight, eps: (_rms_norm(x, weight, eps), None),
    "cross_entropy": lambda *a: (_losses(*a), None),
    "silu": lambda x: (x * _sigmoid(x), None), "gelu_tanh": lambda x: (_gelu_tanh(x), None),
    "gelu": lambda x: (x * unknown(x._tape, "Φ", lambda v: normal(v)[0], x), None),
    "dropout": lambda x, draws, p: (x * ((draws >= p) / (1 - p)), None),
    "lstm": lambda *a: (_lstm(*a), None),
    "attention": lambda *a, **given: (_grouped_attention(*a, **given), None),
}


def kernel(function: Callable[..., Any], traced: type) -> Callable[..., Any] | None:
    """A kernel, recorded as plain NumPy steps if an argument is of the class ``traced``.

    None if the kernel has no such form.
    """
    plain = KERNELS.get(function.__name__)
    return plain and (lambda *args,
                      **given: (plain if any(isinstance(a, traced) for a in args) else function)(*args, **given))


class Lifted:
    """An operation of the library that can be recorded: as plain NumPy steps if possible, otherwise as one node."""

    def __init__(self, operation: Any, traced: type, opaque: Callable[..., Any]) -> None:
        self._operation, self._traced, self._opaque = operation, traced, opaque
        self.raw = self._raw
        self.__name__ = operation.__name__

    def _raw(self, *args, **options):
        if not any(isinstance(a, self._traced) for a in args):
            return self._operation.raw(*args, **options)
        plain = PLAIN.get(self.__name__)
        if plain is not None:
            try:
                return plain(*args, **options), None
            except TypeError:                               # an option that the plain form does not have
                pass
        return self._opaque(self._operation, args, options), None


class Library:
    """``tinyformer.ops`` or ``tinyformer.kernels``, with members that can be recorded."""

    def __init__(self, module: types.ModuleType, followed: Callable[[Any], Any]) -> None:
        self._module, self._followed = module, followed

    def __getattr__(self, name: str) -> Any:
        return self._followed(getattr(self._module, name))
