"""Reductions over one axis, several axes or all of them."""

from __future__ import annotations

import math
from typing import Any

from .... import ops
from ..graph import Graph, Value
from . import converts

Axis = int | tuple[int, ...] | None


def axes(x: Value, axis: Axis) -> list[int] | None:
    """The axes as ONNX lists them; None, which is all, for a single number, too."""
    found = range(x.ndim) if axis is None else [axis] if isinstance(axis, int) else axis
    return list(found) or None


def _reduction(op_type: str) -> Any:
    def converter(g: Graph, x: Value, *, axis: Axis = None, keepdims: bool = False) -> Value:
        return g.node(op_type, x, axes(x, axis), keepdims=int(keepdims))
    return converter


converts(ops.sum)(_reduction("ReduceSum"))
converts(ops.mean)(_reduction("ReduceMean"))
converts(ops.max)(_reduction("ReduceMax"))
converts(ops.min)(_reduction("ReduceMin"))


@converts(ops.var)
def var(g: Graph, x: Value, *, axis: Axis = None, keepdims: bool = False, correction: int = 1) -> Value:
    """Σ (x − mean x)² / (n − correction)"""
    chosen = axes(x, axis)
    sizes = [g.size_of(x.lengths(a)) for a in chosen or []]
    if not all(isinstance(size, int) for size in sizes):
        raise ValueError("over an axis whose length depends on the input, expected a fixed one")
    n = math.prod(size for size in sizes if isinstance(size, int))
    centered = g.Sub(x, g.ReduceMean(x, chosen, keepdims=1))
    return g.Div(g.ReduceSumSquare(centered, chosen, keepdims=int(keepdims)), float(max(n - correction, 0)))


@converts(ops.std)
def std(g: Graph, x: Value, *, axis: Axis = None, keepdims: bool = False, correction: int = 1) -> Value:
    """√var"""
    return g.Sqrt(var(g, x, axis=axis, keepdims=keepdims, correction=correction))


@converts(ops.cumsum)
def cumsum(g: Graph, x: Value, *, axis: int) -> Value:
    """CumSum."""
    return g.CumSum(x, axis)
