"""Rotary positions."""

from __future__ import annotations

from .... import ops
from ..graph import Graph, Value
from . import converts


@converts(ops.rotary)
def rotary(g: Graph, x: Value, *, cos: Value, sin: Value) -> Value:
    """(x₁ cos − x₂ sin, x₂ cos + x₁ sin); the tables are slices of the longest one."""
    x1, x2 = g.Split(x, [x.lengths(-1)[0] // 2] * 2, axis=-1, outputs=2)
    return g.Concat(g.Sub(g.Mul(x1, cos), g.Mul(x2, sin)), g.Add(g.Mul(x2, cos), g.Mul(x1, sin)), axis=-1)
