"""Convolutions of pictures: matrix products on patches, with the same weights at every place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import kernels
from ..arrays import expect_floating
from ..autograd import differentiable
from ..kernels.convolution import Windows
from ..number_checks import check_integer
from .windows import fitting, pair, pictures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..typing import Array, TensorLike, ValueAndVjp


@differentiable(multilinear=True, selective=True)
def conv2d(x: TensorLike, weight: TensorLike, bias: TensorLike | None = None, *, stride: int | Sequence[int] = 1,
           padding: int | Sequence[int] | str = 0, dilation: int | Sequence[int] = 1, groups: int = 1) -> ValueAndVjp:
    """y[o, p, q] = b[o] + Σ W[o, c, i, j] x[c, s p + d i − pad, s q + d j − pad], the sum over c, i and j.

    dx[c, u, v] = Σ W[o, c, i, j] dy[o, p, q] over the (p, q, i, j) that read pixel (u, v),
    dW[o, c, i, j] = Σ dy[o, p, q] x[c, s p + d i − pad, …] over the pictures and (p, q),   db = Σ dy.

    x (N, C, H, W) or (C, H, W)    weight W (O, C/groups, kh, kw)    bias b (O,) or None    y (N, O, H′, W′)

    H′ = ⌊(H + 2 pad − d (kh − 1) − 1)/s⌋ + 1. Pixels outside of x are 0. Options are an integer or a pair (rows,
    columns). padding "same" keeps H and W at stride 1, "valid" is 0. With ``groups``, the channels of y in a group see
    only those of x in the same group. Like every framework this computes a cross-correlation: W is not turned around.

    Raises ValueError for shapes and options that do not fit.   Source: LeCun et al. (1989); book (3.10), (3.11).
    """
    batch = pictures("conv2d", x)
    expect_floating("conv2d", weight=weight, bias=bias)
    if weight.ndim != 4 or 0 in weight.shape[2:]:
        raise ValueError(f"conv2d: weight has shape {weight.shape}, expected (out, in/groups, height, width)")
    groups = _divisor("conv2d", groups, batch.shape[1], len(weight))
    if batch.shape[1] != groups * weight.shape[1]:
        raise ValueError(f"conv2d: x has {batch.shape[1]} channels in its shape {x.shape}, but weight is "
                         f"{weight.shape} with groups {groups}: expected {groups * weight.shape[1]} channels")
    _check_bias("conv2d", bias, len(weight))
    kernel = weight.shape[2:]
    stride, dilation = (pair("conv2d", name, value, 1) for name, value in (("stride", stride), ("dilation", dilation)))
    total, before = _padding(padding, kernel, stride, dilation)
    out = fitting("conv2d", batch, kernel, stride, total, dilation)
    windows = Windows(stride, before, dilation, groups)
    y, biased = kernels.conv2d(batch, weight, windows, out, bias), bias is not None

    def vjp(dy, wanted=(True, True, biased)):
        dy, (for_x, for_weight, for_bias) = dy.reshape(y.shape), wanted
        dx = kernels.conv2d_input_gradient(dy, weight, windows, batch.shape[2:]).reshape(x.shape) if for_x else None
        dW = kernels.conv2d_weight_gradient(dy, batch, windows, kernel) if for_weight else None
        return dx, dW, dy.sum(axis=(0, 2, 3)) if for_bias else None

    return y if x.ndim == 4 else y[0], vjp


@differentiable(multilinear=True, selective=True)
def conv_transpose2d(x: TensorLike, weight: TensorLike, bias: TensorLike | None = None, *,
                     stride: int | Sequence[int] = 1, padding: int | Sequence[int] = 0,
                     output_padding: int | Sequence[int] = 0, groups: int = 1,
                     dilation: int | Sequence[int] = 1) -> ValueAndVjp:
    """y = b + the gradient dx that ``conv2d`` with the same W has for dy = x: every pixel of x adds W x to its patch.

    dx = conv2d(dy, W),   dW as for ``conv2d``, with x and dy exchanged,   db = Σ dy.

    x (N, C, H, W) or (C, H, W)    weight W (C, O/groups, kh, kw)    bias b (O,) or None    y (N, O, H′, W′)

    H′ = s (H − 1) − 2 pad + d (kh − 1) + 1 + output_padding. Several heights have a convolution of height H;
    output_padding, less than the stride or the dilation, chooses among them. Other options as for ``conv2d``.

    Raises ValueError for shapes and options that do not fit together.   Source: Zeiler et al. (2010).
    """
    name = "conv_transpose2d"
    batch = pictures(name, x)
    expect_floating(name, weight=weight, bias=bias)
    if weight.ndim != 4 or 0 in weight.shape[2:]:
        raise ValueError(f"{name}: weight has shape {weight.shape}, expected (in, out/groups, height, width)")
    if batch.shape[1] != len(weight):
        raise ValueError(f"{name}: x has {batch.shape[1]} channels in its shape {x.shape}, but weight is "
                         f"{weight.shape}: expected {len(weight)} channels")
    groups = _divisor(name, groups, batch.shape[1], None)
    _check_bias(name, bias, groups * weight.shape[1])
    stride, dilation, padding, more = (pair(name, option, value, least) for option, value, least in (
        ("stride", stride, 1), ("dilation", dilation, 1), ("padding", padding, 0),
        ("output_padding", output_padding, 0)))
    if any(m >= max(s, d) for m, s, d in zip(more, stride, dilation)):
        raise ValueError(f"{name}: output_padding is {more}, expected less than the stride {stride} or the dilation "
                         f"{dilation}")
    kernel = weight.shape[2:]
    shape = tuple(s * (n - 1) - 2 * p + d * (k - 1) + 1 + m for n, s, p, d, k, m in zip(
        batch.shape[2:], stride, padding, dilation, kernel, more))
    if min(shape) < 1 or 0 in batch.shape[2:]:
        raise ValueError(f"{name}: x has shape {x.shape}, which with kernel {kernel}, stride {stride} and padding "
                         f"{padding} gives {shape[0]} × {shape[1]} pixels: expected at least 1 × 1")
    windows = Windows(stride, padding, dilation, groups)
    y, biased = kernels.conv2d_input_gradient(batch, weight, windows, shape), bias is not None
    if bias is not None:
        y = y + bias[:, None, None]

    def vjp(dy, wanted=(True, True, biased)):
        dy, (for_x, for_weight, for_bias) = dy.reshape(y.shape), wanted
        dx = kernels.conv2d(dy, weight, windows, batch.shape[2:]).reshape(x.shape) if for_x else None
        dW = kernels.conv2d_weight_gradient(batch, dy, windows, kernel) if for_weight else None
        return dx, dW, dy.sum(axis=(0, 2, 3)) if for_bias else None

    return y if x.ndim == 4 else y[0], vjp


def _divisor(operation: str, groups: int, channels: int, out: int | None) -> int:
    groups = check_integer(operation, "groups", groups, at_least=1)
    if channels % groups or (out or 0) % groups:
        counts = f"the {channels} channels of x" + (f" and of the {out} of weight" if out is not None else "")
        raise ValueError(f"{operation}: groups is {groups}, expected a divisor of {counts}")
    return groups


def _check_bias(operation: str, bias: Array | None, out: int) -> None:
    if bias is not None and bias.shape != (out,):
        raise ValueError(f"{operation}: bias has shape {bias.shape}, but y has {out} channels: expected ({out},)")


def _padding(padding, kernel, stride, dilation):
    """Pixels added in all, and those of them above and to the left; "same" puts an odd pixel below and to the right."""
    if padding == "same":
        if stride != (1, 1):
            raise ValueError(f"conv2d: padding is 'same' with a stride of {stride}, expected a stride of 1")
        total = tuple(d * (k - 1) for d, k in zip(dilation, kernel))
        return total, tuple(n // 2 for n in total)
    if isinstance(padding, str) and padding != "valid":
        raise ValueError(f"conv2d: padding is {padding!r}, expected integers, 'same' or 'valid'")
    before = pair("conv2d", "padding", 0 if padding == "valid" else padding, 0)
    return tuple(2 * n for n in before), before
