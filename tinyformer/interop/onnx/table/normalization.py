"""Normalization in evaluation mode."""

from __future__ import annotations

import numpy as np

from .... import ops
from ..graph import Graph, Value
from . import converts


@converts(ops.layer_norm)
def layer_norm(g: Graph, x: Value, weight: Value | None = None, bias: Value | None = None, *,
               eps: float = 1e-5) -> Value:
    """ONNX's operator needs γ; ones stand for a missing one."""
    if weight is None:
        weight = g.constant(np.ones(x.lengths(-1)[0], np.float32))
    return g.LayerNormalization(x, weight, bias, axis=-1, epsilon=float(eps))


@converts(ops.rms_norm)
def rms_norm(g: Graph, x: Value, weight: Value | None = None, *, eps: float = 1e-5) -> Value:
    """x / √(mean x² + ε) ⊙ γ: ONNX has RMSNormalization only since opset 23."""
    r = g.Sqrt(g.Add(g.ReduceMean(g.Mul(x, x), [-1], keepdims=1), float(eps)))
    y = g.Div(x, r)
    return y if weight is None else g.Mul(y, weight)


@converts(ops.batch_norm)
def batch_norm(g: Graph, x: Value, weight: Value | None = None, bias: Value | None = None, *,
               mean: Value | None = None, var: Value | None = None, eps: float = 1e-5) -> Value:
    """BatchNormalization with the running statistics."""
    if mean is None or var is None:
        raise ValueError("it uses the statistics of the batch, which belong to training; expected running statistics")
    channels = x.lengths(1)[0]
    weight = g.constant(np.ones(channels, np.float32)) if weight is None else weight
    bias = g.constant(np.zeros(channels, np.float32)) if bias is None else bias
    return g.BatchNormalization(x, weight, bias, mean, var, epsilon=float(eps))


@converts(ops.group_norm)
def group_norm(g: Graph, x: Value, weight: Value | None = None, bias: Value | None = None, *, num_groups: int,
               eps: float = 1e-5) -> Value:
    """Each group as one row of an instance norm; γ and β of each channel come after it."""
    rows = g.Reshape(x, [0, num_groups, -1])
    ones, zeros = np.ones(num_groups, np.float32), np.zeros(num_groups, np.float32)
    y = g.Reshape(g.InstanceNormalization(rows, ones, zeros, epsilon=float(eps)), g.Shape(x))
    column = [-1] + [1] * (x.ndim - 2)
    y = y if weight is None else g.Mul(y, g.Reshape(weight, column))
    return y if bias is None else g.Add(y, g.Reshape(bias, column))
