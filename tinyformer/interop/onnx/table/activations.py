"""Activation functions, softmax and the like."""

from __future__ import annotations

from .... import ops
from ..graph import Graph, Value
from . import converts
from .reductions import Axis, axes

converts(ops.relu)(lambda g, x: g.Relu(x))
converts(ops.sigmoid)(lambda g, x: g.Sigmoid(x))
converts(ops.tanh)(lambda g, x: g.Tanh(x))
converts(ops.softplus)(lambda g, x: g.Softplus(x))
converts(ops.silu)(lambda g, x: g.Mul(x, g.Sigmoid(x)))
converts(ops.gelu)(lambda g, x, *, approximate="none": g.Gelu(x, approximate=approximate))
converts(ops.leaky_relu)(lambda g, x, *, negative_slope=0.01: g.LeakyRelu(x, alpha=float(negative_slope)))
converts(ops.softmax)(lambda g, x, *, axis=-1: g.Softmax(x, axis=axis))
converts(ops.log_softmax)(lambda g, x, *, axis=-1: g.LogSoftmax(x, axis=axis))


@converts(ops.logsumexp)
def logsumexp(g: Graph, x: Value, *, axis: Axis = None, keepdims: bool = False) -> Value:
    """ReduceLogSumExp."""
    return g.ReduceLogSumExp(x, axes(x, axis), keepdims=int(keepdims))


@converts(ops.normalize)
def normalize(g: Graph, x: Value, *, axis: int = -1, eps: float = 1e-12) -> Value:
    """x / max(‖x‖, ε)"""
    return g.Div(x, g.Max(g.ReduceL2(x, [axis], keepdims=1), float(eps)))
