"""The operations under PyTorch's names and signatures, for code that was written against ``torch.nn.functional``.

Nothing is computed here that ``ops`` does not compute: what has the same signature there is the same function, the rest is
turned to fit. Arguments may be arrays or tensors.
"""

from __future__ import annotations

import math

import numpy as np

from .. import ops
from ..number_checks import check_fraction, check_number
from ..ops import (binary_cross_entropy_with_logits, gelu, leaky_relu, linear, mse_loss, relu, scaled_dot_product_attention,
                   sigmoid, silu, tanh)

__all__ = ["batch_norm", "binary_cross_entropy_with_logits", "cross_entropy", "dropout", "embedding", "gelu", "layer_norm",
           "leaky_relu", "linear", "log_softmax", "mse_loss", "relu", "rms_norm", "scaled_dot_product_attention", "sigmoid",
           "silu", "softmax", "softplus", "tanh"]


def softmax(x, dim=-1):
    """e^{xᵢ} / Σⱼ e^{xⱼ} along the axis ``dim``."""
    return ops.softmax(x, axis=dim)


def log_softmax(x, dim=-1):
    """xᵢ − ln Σⱼ e^{xⱼ} along the axis ``dim``."""
    return ops.log_softmax(x, axis=dim)


def softplus(x, beta=1.0, threshold=20.0):
    """ln(1 + e^{βx}) / β; where βx exceeds ``threshold`` simply x, as in PyTorch."""
    beta = check_number("softplus", "beta", beta, above=0)
    threshold = check_number("softplus", "threshold", threshold, finite=False)
    x = ops.multiply(x, beta)
    y = ops.where(x.data > threshold, x, ops.softplus(x))
    return y if beta == 1 else y / beta


def embedding(indices, weight, padding_idx=None):
    """The rows ``indices`` of ``weight`` (V, C); the row ``padding_idx`` gets no gradient."""
    return ops.embedding(indices, weight, padding_idx=padding_idx)


def dropout(x, p=0.5, training=True):
    """x with entries set to zero with probability p and the rest scaled by 1/(1 − p); x itself unless ``training``."""
    return ops.dropout(x, p=p) if training and p else x


# ------------------------------------------------------------------------------------------------ normalisation

def layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Layer norm over the last axes, of lengths ``normalized_shape`` (an integer or a tuple); weight and bias of that shape."""
    return _over_last_axes(ops.layer_norm, x, normalized_shape, weight, bias, eps=eps)


def rms_norm(x, normalized_shape, weight=None, eps=None):
    """RMS norm over the last axes, of lengths ``normalized_shape``. eps None is the machine epsilon of x's type."""
    return _over_last_axes(ops.rms_norm, x, normalized_shape, weight, eps=np.finfo(x.dtype).eps if eps is None else eps)


def _over_last_axes(norm, x, shape, *parameters, eps):
    """``norm``, which knows one axis, over the last ``len(shape)`` axes made one."""
    shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    if not shape or x.shape[-len(shape):] != shape:
        raise ValueError(f"{norm.__name__}: x has shape {x.shape}, expected its last axes to be normalized_shape {shape}")
    if len(shape) == 1:
        return norm(x, *parameters, eps=eps)
    for name, parameter in zip(("weight", "bias"), parameters):
        if parameter is not None and parameter.shape != shape:
            raise ValueError(f"{norm.__name__}: {name} has shape {parameter.shape}, expected {shape}")
    flat = ops.reshape(x, shape=(*x.shape[:-len(shape)], math.prod(shape)))
    parameters = [None if p is None else ops.reshape(p, shape=(p.size,)) for p in parameters]
    return ops.reshape(norm(flat, *parameters, eps=eps), shape=x.shape)


def batch_norm(x, running_mean=None, running_var=None, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    """Batch norm over all axes but 1, by the batch's own mean and variance in training, else by the running ones.

    In training the running ones (arrays (C,), or None) move in place: r ← (1 − momentum) r + momentum · measured, where the
    measured variance is the unbiased one, while the normalisation uses the biased one (as PyTorch and the paper do).
    """
    momentum = check_fraction("batch_norm", "momentum", momentum)
    if not training:
        if running_mean is None or running_var is None:
            raise ValueError("batch_norm: running_mean and running_var are needed unless training")
        return ops.batch_norm(x, weight, bias, mean=running_mean, var=running_var, eps=eps)
    if x.ndim > 1 and x.size < 2 * x.shape[1]:
        raise ValueError(f"batch_norm: x has shape {x.shape}: training needs more than one value for each channel")
    y = ops.batch_norm(x, weight, bias, eps=eps)            # before the running ones move: it may refuse the shapes
    if running_mean is not None:
        axes = (0, *range(2, x.ndim))
        measured = np.asarray(x)
        running_mean += momentum * (measured.mean(axis=axes) - running_mean)
        running_var += momentum * (measured.var(axis=axes, ddof=1) - running_var)
    return y


# ------------------------------------------------------------------------------------------------ losses

def cross_entropy(logits, targets, *, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    """Cross-entropy with PyTorch's axes: logits (V,), (N, V) or (N, V, d₁, …), targets integers (), (N,) or (N, d₁, …).

    ``ops.cross_entropy`` has the classes on the last axis. Weights of classes and targets that are probabilities are not taken.
    """
    if logits.ndim > 2:
        logits = ops.transpose(logits, axes=(0, *range(2, logits.ndim), 1))
    return ops.cross_entropy(logits, targets, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing)
