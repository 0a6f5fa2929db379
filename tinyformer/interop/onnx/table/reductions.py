"""Reductions over one axis, several axes or all of them."""

from __future__ import annotations

from typing import Any

from .... import ops
from ..graph import Graph, Value
from . import converts

Axis = int | tuple[int, ...] | None


def axes(x: Value, axis: Axis) -> list[int]:
    """The axes as ONNX lists them."""
    return list(range(x.ndim)) if axis is None else [axis] if isinstance(axis, int) else list(axis)


def _reduction(op_type: str) -> Any:
    def converter(g: Graph, x: Value, *, axis: Axis = None, keepdims: bool = False) -> Value:
        return g.node(op_type, x, axes(x, axis), keepdims=int(keepdims))
    return converter


converts(ops.sum)(_reduction("ReduceSum"))
converts(ops.mean)(_reduction("ReduceMean"))
converts(ops.max)(_reduction("ReduceMax"))
converts(ops.min)(_reduction("ReduceMin"))


@converts(ops.cumsum)
def cumsum(g: Graph, x: Value, *, axis: int) -> Value:
    """CumSum."""
    return g.CumSum(x, axis)
