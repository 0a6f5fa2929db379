"""Pooling: each window of a picture becomes one number, its maximum or its mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import kernels
from ..autograd import differentiable
from ..kernels.convolution import Windows, col2im, padded
from ..number_checks import check_integer
from .windows import fitting, pair, pictures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..typing import TensorLike, ValueAndVjp


@differentiable
def max_pool2d(x: TensorLike, *, kernel_size: int | Sequence[int], stride: int | Sequence[int] | None = None,
               padding: int | Sequence[int] = 0,
               dilation: int | Sequence[int] = 1, ceil_mode: bool = False, return_indices: bool = False) -> ValueAndVjp:
    """y[c, p, q] = max over (i, j) of x[c, s p + d i − pad, s q + d j − pad].

    dx = dy at the pixel that was the maximum. Of equal pixels the first gets all of dy; NaN counts as the largest.

    x (N, C, H, W) or (C, H, W)    y (N, C, H′, W′), H′ = ⌊(H + 2 pad − d (kernel_size − 1) − 1)/s⌋ + 1

    stride None is kernel_size. ``padding`` is at most half of kernel_size, and its pixels are never the maximum.
    ``ceil_mode`` rounds H′ up: the last window may stick out. ``return_indices`` returns (y, indices), where an index
    is W·row + column of the maximum, as in PyTorch.

    Raises ValueError for options that do not fit.   Source: Boureau et al. (2010); book (3.12).
    """
    batch = pictures("max_pool2d", x)
    kernel, stride, padding = _window("max_pool2d", kernel_size, stride, padding)
    dilation = pair("max_pool2d", "dilation", dilation, 1)
    out = fitting("max_pool2d", batch, kernel, stride, (2 * padding[0], 2 * padding[1]), dilation, ceil_mode)
    y, indices = kernels.max_pool2d(batch, kernel, Windows(stride, padding, dilation), out)

    def vjp(dy):
        dy = dy[0] if return_indices else dy
        return kernels.max_pool2d_gradient(dy.reshape(y.shape), indices, batch.shape[2:]).reshape(x.shape)

    shape = y.shape if x.ndim == 4 else y.shape[1:]
    y_out = y.reshape(shape)
    return (y_out, indices.reshape(shape)) if return_indices else y_out, vjp


@differentiable(multilinear=True)
def avg_pool2d(x: TensorLike, *, kernel_size: int | Sequence[int], stride: int | Sequence[int] | None = None,
               padding: int | Sequence[int] = 0,
               ceil_mode: bool = False, count_include_pad: bool = True,
               divisor_override: int | None = None) -> ValueAndVjp:
    """y[c, p, q] = Σ x[c, s p + i − pad, s q + j − pad] / n over the window (i, j).

    dx = Σ dy / n over the windows that a pixel is in.

    x (N, C, H, W) or (C, H, W)    y (N, C, H′, W′), as for ``max_pool2d``

    n counts the pixels of the window, with those of the padding unless ``count_include_pad`` is False, and never those
    behind the padding, into which ``ceil_mode`` lets the last window stick out. ``divisor_override`` replaces n.

    Raises ValueError for options that do not fit.   Source: LeCun et al. (1989).
    """
    name = "avg_pool2d"
    batch = pictures(name, x)
    kernel, stride, padding = _window(name, kernel_size, stride, padding)
    out = fitting(name, batch, kernel, stride, (2 * padding[0], 2 * padding[1]), (1, 1), ceil_mode)
    windows, shape = Windows(stride, padding, (1, 1)), batch.shape[2:]
    if divisor_override is None:
        rows, columns = (_counts(*axis, count_include_pad) for axis in zip(shape, kernel, stride, padding, out))
        n = rows[:, None] * columns
    else:
        n = np.full(out, check_integer(name, "divisor_override", divisor_override, at_least=1))
    share = (1 / np.maximum(n, 1)).astype(x.dtype)                              # (H′, W′)
    whole = padded(batch, windows, windows.extent(kernel, out), 0)
    y = np.zeros((*batch.shape[:2], *out), x.dtype)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            y += whole[(..., *windows.slices(i, j, out))]
    y *= share

    def vjp(dy):
        g = dy.reshape(y.shape) * share
        patches = np.broadcast_to(g[:, :, None, None], (*g.shape[:2], *kernel, *out))
        return col2im(patches, windows, shape).reshape(x.shape)

    return y if x.ndim == 4 else y[0], vjp


def _window(operation, kernel_size, stride, padding):
    kernel = pair(operation, "kernel_size", kernel_size, 1)
    stride = kernel if stride is None else pair(operation, "stride", stride, 1)
    padding = pair(operation, "padding", padding, 0)
    if any(2 * p > k for p, k in zip(padding, kernel)):
        raise ValueError(f"{operation}: padding is {padding}, expected at most half of kernel_size {kernel}")
    return kernel, stride, padding


def _counts(size, kernel, stride, padding, out, with_padding):
    """How many pixels each window covers along one axis."""
    start = np.arange(out) * stride - padding
    end = np.minimum(start + kernel, size + padding)
    return end - start if with_padding else np.maximum(np.minimum(end, size) - np.maximum(start, 0), 0)
