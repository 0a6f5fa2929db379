"""The operations under PyTorch's names and signatures, for code that was written with ``torch.nn.functional``.

Nothing is computed here that ``ops`` does not compute. Functions with the same signature there are the same functions,
the others adapt the arguments. Arguments may be arrays or tensors.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import ops
from ..arrays import plain_array
from ..autograd import Tensor
from ..names import module_attributes
from ..number_checks import check_fraction, check_integer, check_number
from ..ops import (binary_cross_entropy_with_logits, gelu, linear, mse_loss, relu, scaled_dot_product_attention,
                   sigmoid, silu, tanh)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..typing import Array, TensorLike

__all__ = ["avg_pool2d", "batch_norm", "binary_cross_entropy_with_logits", "conv1d", "conv2d", "conv_transpose2d",
           "cross_entropy", "dropout", "embedding", "gelu", "grid_sample", "group_norm", "layer_norm", "leaky_relu",
           "linear", "log_softmax", "max_pool2d", "mse_loss", "normalize", "relu", "rms_norm",
           "scaled_dot_product_attention", "sigmoid", "silu", "softmax", "softplus", "tanh"]

if not TYPE_CHECKING:                                       # to a type checker an unknown name is an error
    __getattr__, __dir__ = module_attributes(__name__, __all__)


def softmax(x: TensorLike, dim: int = -1) -> Tensor:
    """yᵢ = e^{xᵢ} / Σⱼ e^{xⱼ} along the axis ``dim``."""
    return ops.softmax(x, axis=check_integer("softmax", "dim", dim))


def log_softmax(x: TensorLike, dim: int = -1) -> Tensor:
    """yᵢ = xᵢ − ln Σⱼ e^{xⱼ} along the axis ``dim``."""
    return ops.log_softmax(x, axis=check_integer("log_softmax", "dim", dim))


def leaky_relu(x: TensorLike, negative_slope: float = 0.01) -> Tensor:
    """y = x for x > 0, else a x with a = ``negative_slope``."""
    return ops.leaky_relu(x, negative_slope=negative_slope)


def softplus(x: TensorLike, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """y = ln(1 + e^{βx}) / β; where βx exceeds ``threshold``, y = x, as in PyTorch. beta is above 0."""
    beta = check_number("softplus", "beta", beta, above=0)
    threshold = check_number("softplus", "threshold", threshold, finite=False)
    x = ops.multiply(x, beta)
    above, y = x.data > threshold, ops.softplus(x)
    y = ops.where(above, x, y) if above.any() else y
    return y if beta == 1 else y / beta


def embedding(indices: TensorLike, weight: TensorLike, padding_idx: int | None = None) -> Tensor:
    """The rows ``indices`` of ``weight`` (V, C); the row ``padding_idx`` gets no gradient."""
    return ops.embedding(indices, weight, padding_idx=padding_idx)


def dropout(x: TensorLike, p: float = 0.5, training: bool = True) -> Tensor:
    """x with entries set to 0 with probability p and the rest scaled by 1/(1 − p); x itself unless ``training``."""
    p = check_fraction("dropout", "p", p)
    if training and p:
        return ops.dropout(x, p=p)
    return x if isinstance(x, Tensor) else Tensor(x)


def grid_sample(input: TensorLike, grid: TensorLike, mode: str = "bilinear", padding_mode: str = "zeros",
                align_corners: bool = False) -> Tensor:
    """The pictures ``input`` (N, C, H, W) at the places ``grid`` (N, h, w, 2), as in ``ops.grid_sample``.

    Only mode "bilinear" and padding_mode "zeros" are supported.
    """
    for name, value, expected in (("mode", mode, "bilinear"), ("padding_mode", padding_mode, "zeros")):
        if value != expected:
            raise ValueError(f"grid_sample: {name} is {value!r}, expected {expected!r}")
    return ops.grid_sample(input, grid, align_corners=align_corners)


def conv1d(x: TensorLike, weight: TensorLike, bias: TensorLike | None = None, stride: int | Sequence[int] = 1,
           padding: int | Sequence[int] | str = 0, dilation: int | Sequence[int] = 1, groups: int = 1) -> Tensor:
    """y[o, t] = b[o] + Σ W[o, c, i] x[c, stride t + dilation i − padding]: ``conv2d`` of pictures one pixel high.

    x (N, C, L) or (C, L)    weight W (O, C/groups, k)    bias b (O,) or None    y (N, O, L′)
    """
    x, weight = (array if isinstance(array, Tensor) else plain_array("conv1d", array) for array in (x, weight))
    for name, array, axes in (("x", x, (2, 3)), ("weight", weight, (3,))):
        if array.ndim not in axes:
            expected = "(N, C, L) or (C, L)" if name == "x" else "(out, in/groups, length)"
            raise ValueError(f"conv1d: {name} has shape {array.shape}, expected {expected}")
    groups = check_integer("conv1d", "groups", groups, at_least=1)
    stride, dilation = _one("conv1d", "stride", stride, 1), _one("conv1d", "dilation", dilation, 1)
    if not isinstance(padding, str):
        padding = (0, _one("conv1d", "padding", padding, 0))
    elif padding not in ("same", "valid"):
        raise ValueError(f"conv1d: padding is {padding!r}, expected an integer, 'same' or 'valid'")
    y = ops.conv2d(ops.reshape(x, shape=(*x.shape[:-1], 1, x.shape[-1])),
                   ops.reshape(weight, shape=(*weight.shape[:2], 1, weight.shape[2])), bias, stride=(1, stride),
                   padding=padding, dilation=(1, dilation), groups=groups)
    return ops.reshape(y, shape=(*y.shape[:-2], y.shape[-1]))


def conv2d(x: TensorLike, weight: TensorLike, bias: TensorLike | None = None, stride: int | Sequence[int] = 1,
           padding: int | Sequence[int] | str = 0, dilation: int | Sequence[int] = 1, groups: int = 1) -> Tensor:
    """y[o, p, q] = b[o] + Σ W[o, c, i, j] x[c, s p + d i − pad, s q + d j − pad], as in ``ops.conv2d``.

    x (N, C, H, W) or (C, H, W)    weight W (O, C/groups, kh, kw)    bias b (O,) or None    y (N, O, H′, W′)
    """
    return ops.conv2d(x, weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)


def conv_transpose2d(x: TensorLike, weight: TensorLike, bias: TensorLike | None = None,
                     stride: int | Sequence[int] = 1, padding: int | Sequence[int] = 0,
                     output_padding: int | Sequence[int] = 0, groups: int = 1,
                     dilation: int | Sequence[int] = 1) -> Tensor:
    """y = b + the gradient of ``conv2d`` with respect to its input, for the upstream gradient x.

    x (N, C, H, W) or (C, H, W)    weight W (C, O/groups, kh, kw)    bias b (O,) or None    y (N, O, H′, W′)
    """
    return ops.conv_transpose2d(x, weight, bias, stride=stride, padding=padding, output_padding=output_padding,
                                groups=groups, dilation=dilation)


def max_pool2d(x: TensorLike, kernel_size: int | Sequence[int], stride: int | Sequence[int] | None = None,
               padding: int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, ceil_mode: bool = False,
               return_indices: bool = False) -> Tensor:
    """The maximum of each window of x (N, C, H, W) or (C, H, W), as in ``ops.max_pool2d``."""
    return ops.max_pool2d(x, kernel_size=kernel_size, stride=stride, padding=padding, dilation=dilation,
                          ceil_mode=ceil_mode, return_indices=return_indices)


def avg_pool2d(x: TensorLike, kernel_size: int | Sequence[int], stride: int | Sequence[int] | None = None,
               padding: int | Sequence[int] = 0, ceil_mode: bool = False, count_include_pad: bool = True,
               divisor_override: int | None = None) -> Tensor:
    """The mean of each window of x (N, C, H, W) or (C, H, W), as in ``ops.avg_pool2d``."""
    return ops.avg_pool2d(x, kernel_size=kernel_size, stride=stride, padding=padding, ceil_mode=ceil_mode,
                          count_include_pad=count_include_pad, divisor_override=divisor_override)


def _one(operation: str, name: str, value: Any, at_least: int) -> int:
    """An integer, or a sequence of one."""
    return check_integer(operation, name, value[0] if isinstance(value, (tuple, list)) and len(value) == 1 else value,
                         at_least)


# ------------------------------------------------------------------------------------------------ normalization

def group_norm(x: TensorLike, num_groups: int, weight: TensorLike | None = None, bias: TensorLike | None = None,
               eps: float = 1e-5) -> Tensor:
    """Normalization of each picture over groups of its channels; weight and bias (C,).

        y = γ ⊙ (x − μ)/√(σ² + eps) + β
    """
    return ops.group_norm(x, weight, bias, num_groups=num_groups, eps=eps)


def layer_norm(x: TensorLike, normalized_shape: int | Sequence[int], weight: TensorLike | None = None,
               bias: TensorLike | None = None, eps: float = 1e-5) -> Tensor:
    """Layer norm over the last axes, of lengths ``normalized_shape``; weight and bias have that shape.

        y = γ ⊙ (x − μ)/√(σ² + eps) + β
    """
    return _over_last_axes(ops.layer_norm, x, normalized_shape, weight, bias, eps=eps)


def rms_norm(x: TensorLike, normalized_shape: int | Sequence[int], weight: TensorLike | None = None,
             eps: float | None = None) -> Tensor:
    """RMS norm over the last axes, of lengths ``normalized_shape``. eps None is the machine epsilon of x's type.

        y = γ ⊙ x/√(mean x² + eps)
    """
    x = x if isinstance(x, Tensor) else plain_array("rms_norm", x)
    eps = float(np.finfo(x.dtype).eps) if eps is None else check_number("rms_norm", "eps", eps, at_least=0)
    return _over_last_axes(ops.rms_norm, x, normalized_shape, weight, eps=eps)


def _over_last_axes(norm: Callable[..., Tensor], x: Any, normalized_shape: Any, *parameters: Any, eps: Any) -> Tensor:
    """``norm``, which works on one axis, over the last ``len(normalized_shape)`` axes made one."""
    name = norm.__name__
    x = x if isinstance(x, Tensor) else plain_array(name, x)
    lengths = normalized_shape if isinstance(normalized_shape, (tuple, list)) else [normalized_shape]
    shape = tuple(check_integer(name, "normalized_shape", n, at_least=0) for n in lengths)
    if not shape or x.shape[-len(shape):] != shape:
        raise ValueError(f"{name}: x has shape {x.shape}, expected its last axes to be normalized_shape {shape}")
    if len(shape) == 1:
        return norm(x, *parameters, eps=eps)
    for what, parameter in zip(("weight", "bias"), parameters):
        if parameter is not None and parameter.shape != shape:
            raise ValueError(f"{name}: {what} has shape {parameter.shape}, expected {shape}")
    flat = ops.reshape(x, shape=(*x.shape[:-len(shape)], math.prod(shape)))
    parameters = tuple(None if p is None else ops.reshape(p, shape=(p.size,)) for p in parameters)
    return ops.reshape(norm(flat, *parameters, eps=eps), shape=x.shape)


def normalize(x: TensorLike, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """x / max(‖x‖, eps) along ``dim``: vectors of length 1. Only the Euclidean norm, p = 2, is supported."""
    if check_number("normalize", "p", p) != 2:
        raise ValueError(f"normalize: p is {p}, expected 2")
    return ops.normalize(x, axis=check_integer("normalize", "dim", dim), eps=eps)


def batch_norm(x: TensorLike, running_mean: Array | None = None, running_var: Array | None = None,
               weight: TensorLike | None = None, bias: TensorLike | None = None, training: bool = False,
               momentum: float = 0.1, eps: float = 1e-5) -> Tensor:
    """Batch norm over all axes but 1, by the batch's own mean and variance in training, else by the running ones.

    In training the running ones (arrays (C,), or None) move in place: r ← (1 − momentum) r + momentum · measured, where
    the measured variance is the unbiased one, while the normalization uses the biased one (as PyTorch and the paper
    do).

    Raises ValueError without running statistics in evaluation, and for fewer than two values a channel in training.
    """
    momentum = check_fraction("batch_norm", "momentum", momentum)
    if not training:
        if running_mean is None or running_var is None:
            raise ValueError("batch_norm: running_mean and running_var are needed unless training")
        return ops.batch_norm(x, weight, bias, mean=running_mean, var=running_var, eps=eps)
    measured = plain_array("batch_norm", x)
    if measured.ndim > 1 and measured.size < 2 * measured.shape[1]:
        raise ValueError(f"batch_norm: x has shape {measured.shape}: "
                         "training needs more than one value for each channel")
    y = ops.batch_norm(x, weight, bias, eps=eps)            # before the running ones move: it may refuse the shapes
    axes = (0, *range(2, measured.ndim))
    first = measured.swapaxes(0, 1).reshape(measured.shape[1], -1)[:, 0]       # (C,)
    shifted = measured - first.reshape(1, -1, *(1,) * (measured.ndim - 2))      # a large mean would lose digits
    if running_mean is not None:
        running_mean += momentum * (first + shifted.mean(axis=axes) - running_mean)
    if running_var is not None:
        running_var += momentum * (shifted.var(axis=axes, ddof=1) - running_var)
    return y


# ------------------------------------------------------------------------------------------------ losses

def cross_entropy(logits: TensorLike, targets: TensorLike, *, ignore_index: int = -100, reduction: str = "mean",
                  label_smoothing: float = 0.0) -> Tensor:
    """Cross-entropy, in nats, with PyTorch's axes: logits (V,), (N, V), (N, V, d₁, …); targets (), (N,), (N, d₁, …).

    ``ops.cross_entropy`` has the classes on the last axis. Weights of classes and targets that are probabilities are
    not supported.
    """
    if np.ndim(logits) > 2:
        shape, given = np.shape(logits), np.shape(targets)
        if given != (shape[0], *shape[2:]):
            raise ValueError(f"cross_entropy: logits have shape {shape}, targets {given}: expected (N, V, d₁, …) and "
                             f"(N, d₁, …); ops.cross_entropy has the classes V on the last axis")
        logits = ops.transpose(logits, axes=(0, *range(2, np.ndim(logits)), 1))
    return ops.cross_entropy(logits, targets, ignore_index=ignore_index, reduction=reduction,
                             label_smoothing=label_smoothing)
