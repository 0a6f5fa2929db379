"""Convolutions and pooling of pictures (N, C, H, W)."""

from __future__ import annotations

from typing import Any

from .... import ops
from ....ops.windows import pair
from ..graph import Graph, Value
from . import converts


def _two(name: str, value: Any) -> list[int]:
    return list(pair("export", name, value, 0))


def _batched(g: Graph, x: Value, compute: Any) -> Value:
    """``compute(x)`` of pictures, or of a single one (C, H, W)."""
    return compute(x) if x.ndim == 4 else g.Squeeze(compute(g.Unsqueeze(x, [0])), [0])


@converts(ops.conv2d)
def conv2d(g: Graph, x: Value, weight: Value, bias: Value | None = None, *, stride: Any = 1, padding: Any = 0,
           dilation: Any = 1, groups: int = 1) -> Value:
    """Conv."""
    dilations = _two("dilation", dilation)
    if padding == "same":                                   # an odd pixel comes below and to the right
        total = [d * (k - 1) for d, k in zip(dilations, weight.samples[0].shape[2:])]
        pads = [n // 2 for n in total] + [n - n // 2 for n in total]
    else:
        pads = _two("padding", 0 if padding == "valid" else padding) * 2
    return _batched(g, x, lambda x: g.Conv(x, weight, bias, strides=_two("stride", stride), pads=pads,
                                           dilations=dilations, group=groups))


@converts(ops.conv_transpose2d)
def conv_transpose2d(g: Graph, x: Value, weight: Value, bias: Value | None = None, *, stride: Any = 1,
                     padding: Any = 0, output_padding: Any = 0, groups: int = 1, dilation: Any = 1) -> Value:
    """ConvTranspose."""
    return _batched(g, x, lambda x: g.ConvTranspose(
        x, weight, bias, strides=_two("stride", stride), pads=_two("padding", padding) * 2,
        output_padding=_two("output_padding", output_padding), dilations=_two("dilation", dilation), group=groups))


@converts(ops.max_pool2d)
def max_pool2d(g: Graph, x: Value, *, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
               ceil_mode: bool = False, return_indices: bool = False) -> Value:
    """MaxPool."""
    if return_indices:
        raise ValueError("the indices of the maxima, expected the maxima alone")
    kernel = _two("kernel_size", kernel_size)
    return _batched(g, x, lambda x: g.MaxPool(
        x, kernel_shape=kernel, strides=kernel if stride is None else _two("stride", stride),
        pads=_two("padding", padding) * 2, dilations=_two("dilation", dilation), ceil_mode=int(ceil_mode)))


@converts(ops.avg_pool2d)
def avg_pool2d(g: Graph, x: Value, *, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
               count_include_pad: bool = True, divisor_override: int | None = None) -> Value:
    """AveragePool."""
    if divisor_override is not None:
        raise ValueError("divisor_override, which ONNX's AveragePool lacks")
    kernel = _two("kernel_size", kernel_size)
    return _batched(g, x, lambda x: g.AveragePool(
        x, kernel_shape=kernel, strides=kernel if stride is None else _two("stride", stride),
        pads=_two("padding", padding) * 2, ceil_mode=int(ceil_mode), count_include_pad=int(count_include_pad)))
