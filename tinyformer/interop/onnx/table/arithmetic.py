"""Entrywise arithmetic. ONNX broadcasts as NumPy does, but does not mix types: integers are cast."""

from __future__ import annotations

from typing import Any

import numpy as np

from .... import ops
from ..graph import Graph, Value, Varying
from . import converts


def operands(g: Graph, *values: Any) -> list[Value]:
    """Arrays and numbers as values of one type: float32 if any of them has it, else int64."""
    kinds = {value.dtype.kind if isinstance(value, Value) else np.asarray(value).dtype.kind for value in values}
    dtype = np.float32 if "f" in kinds else np.int64
    return [g.cast(_number(g, value), dtype) for value in values]


def _number(g: Graph, value: Any) -> Value:
    if isinstance(value, Varying):                          # such as the length of the text
        return Value(g.scalar(g.size_of(value)).name, list(map(np.asarray, value)))
    return value if isinstance(value, Value) else Value(g.constant(value).name, [np.asarray(value)])


def _entrywise(op_type: str) -> Any:
    def converter(g: Graph, *values: Any) -> Value:
        return g.node(op_type, *operands(g, *values))
    return converter


for _operation, _op_type in ((ops.add, "Add"), (ops.subtract, "Sub"), (ops.multiply, "Mul"), (ops.divide, "Div"),
                             (ops.power, "Pow"), (ops.maximum, "Max"), (ops.minimum, "Min"), (ops.negative, "Neg"),
                             (ops.exp, "Exp"), (ops.log, "Log"), (ops.sqrt, "Sqrt"), (ops.abs, "Abs")):
    converts(_operation)(_entrywise(_op_type))


@converts(ops.where)
def where(g: Graph, condition: Value, x: Any, y: Any) -> Value:
    """Where."""
    return g.Where(condition, *operands(g, x, y))


@converts(ops.clip)
def clip(g: Graph, x: Value, *, min: float | None = None, max: float | None = None) -> Value:
    """Clip."""
    return g.Clip(x, None if min is None else float(min), None if max is None else float(max))


@converts(ops.astype)
def astype(g: Graph, x: Value, *, dtype: Any) -> Value:
    """Cast."""
    return g.cast(x, dtype)
