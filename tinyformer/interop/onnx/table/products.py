"""Matrix products."""

from __future__ import annotations

from .... import ops
from ..graph import Graph, Value
from . import converts

converts(ops.matmul)(lambda g, x, y: g.MatMul(x, y))


@converts(ops.linear)
def linear(g: Graph, x: Value, weight: Value, bias: Value | None = None) -> Value:
    """y = x Wᵀ + b"""
    if x.ndim == 2:
        return g.Gemm(x, weight, bias, transB=1)
    transposed = g.once(("transposed", weight.name), lambda: g.Transpose(weight, perm=[1, 0]))
    y = g.MatMul(x, transposed)
    return y if bias is None else g.Add(y, bias)


@converts(ops.linear_gelu)
def linear_gelu(g: Graph, x: Value, weight: Value, bias: Value | None = None) -> Value:
    """GELU(x Wᵀ + b)"""
    return g.Gelu(linear(g, x, weight, bias), approximate="tanh")


@converts(ops.einsum)
def einsum(g: Graph, equation: str, *arrays: Value) -> Value:
    """Einsum."""
    return g.Einsum(*arrays, equation=equation.replace(" ", ""))


@converts(ops.squared_distances)
def squared_distances(g: Graph, x: Value, c: Value) -> Value:
    """‖x_n − c_k‖²"""
    return g.ReduceSumSquare(g.Sub(g.Unsqueeze(x, [1]), c), [2], keepdims=0)
