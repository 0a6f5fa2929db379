"""What models do to ids and masks with NumPy, before or beside the operations on tensors."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..graph import Graph, Value, Varying
from ..recorded_arrays import astype
from . import converts, shapes
from .arithmetic import operands

converts(operator.getitem)(shapes.getitem)
converts(np.reshape)(lambda g, x, shape: shapes.reshape(g, x, shape=shape))
converts(np.concatenate)(shapes.concatenate)
converts(astype)(lambda g, x, dtype: g.cast(x, dtype))


def _comparison(op_type: str) -> Any:
    def converter(g: Graph, x: Any, y: Any) -> Value:
        equal = g.node(op_type.removeprefix("Not"), *operands(g, x, y))
        return g.Not(equal) if op_type.startswith("Not") else equal
    return converter


for _function, _op_type in ((np.equal, "Equal"), (np.not_equal, "NotEqual"), (np.less, "Less"),
                            (np.less_equal, "LessOrEqual"), (np.greater, "Greater"),
                            (np.greater_equal, "GreaterOrEqual")):
    converts(_function)(_comparison(_op_type))


def _boolean(op_type: str) -> Any:
    def converter(g: Graph, *values: Value) -> Value:
        if any(value.dtype != bool for value in values):
            raise ValueError("bits of integers, expected booleans")
        return g.node(op_type, *values)
    return converter


for _function, _op_type in ((np.logical_and, "And"), (np.logical_or, "Or"), (np.bitwise_and, "And"),
                            (np.bitwise_or, "Or"), (np.logical_not, "Not"), (np.invert, "Not")):
    converts(_function)(_boolean(_op_type))


def _entrywise(op_type: str, floating: bool = False) -> Any:
    def converter(g: Graph, *values: Any) -> Value:
        x, *rest = operands(g, *values, *([np.float32(0)] if floating else []))
        return g.node(op_type, x, *rest[:len(values) - 1])
    return converter


for _function, _op_type in ((np.add, "Add"), (np.subtract, "Sub"), (np.multiply, "Mul"), (np.maximum, "Max"),
                            (np.minimum, "Min")):
    converts(_function)(_entrywise(_op_type))
converts(np.true_divide)(_entrywise("Div", floating=True))


@converts(np.where)
def where(g: Graph, condition: Value, x: Any, y: Any) -> Value:
    """Where."""
    return g.Where(condition, *operands(g, x, y))


@converts(np.add.reduce)
def add_reduce(g: Graph, x: Value, axis: Any = 0, keepdims: bool = False, **_: Any) -> Value:
    """ReduceSum; booleans count as 0 and 1."""
    axes = list(range(x.ndim)) if axis is None else [axis] if isinstance(axis, int) else list(axis)
    x = g.cast(x, np.int64) if x.dtype == bool else x
    return g.ReduceSum(x, axes, keepdims=int(keepdims))


@converts(np.zeros_like)
def zeros_like(g: Graph, x: Value, dtype: Any = None, **_: Any) -> Value:
    """Expand."""
    return g.Expand(np.zeros((), x.dtype if dtype is None else dtype), g.Shape(x))


@converts(operator.setitem)
def setitem(g: Graph, x: Value, index: Any, value: Any) -> Value:
    """x[:, i, …] = a number, as the entries where a mask of that column is True."""
    parts = index if isinstance(index, tuple) else (index,)
    at = [axis for axis, part in enumerate(parts) if part != slice(None)]
    if len(at) != 1 or not isinstance(parts[at[0]], int) or parts[at[0]] < 0 or not np.isscalar(value):
        raise ValueError(f"entries {index} are set, expected one place of one axis, set to one number")
    n = g.size_of(x.lengths(at[0]))
    column = g.Equal(g.Range(np.int64(0), g.scalar(n), np.int64(1)), parts[at[0]])
    column = g.Unsqueeze(column, list(range(1, x.ndim - at[0]))) if x.ndim - at[0] > 1 else column
    if x.dtype == bool:                                     # for which ONNX Runtime has no Where
        return g.Or(x, column) if value else g.And(x, g.Not(column))
    return g.Where(column, np.asarray(value, x.dtype), x)


@converts(np.lib.stride_tricks.sliding_window_view)
def sliding_window_view(g: Graph, x: Value, window_shape: int | tuple[int, ...], axis: int = 0, **_: Any) -> Value:
    """Gather of the places t, t + 1, …, t + n − 1 for each t; the window becomes the last axis."""
    if isinstance(window_shape, tuple) or isinstance(x, Varying) or axis % x.ndim != x.ndim - 1:
        raise ValueError("windows over several axes, expected one window along the last axis")
    count = g.size_of([n - window_shape + 1 for n in x.lengths(axis)])
    starts = g.Unsqueeze(g.Range(np.int64(0), g.scalar(count), np.int64(1)), [1])
    return g.Gather(x, g.Add(starts, np.arange(window_shape)), axis=axis % x.ndim)
