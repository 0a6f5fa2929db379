"""Scaled dot-product attention from matrix products and a softmax: opset 23 has it as one operator, older ones not."""

from __future__ import annotations

import math

import numpy as np

from .... import ops
from ..constants import causal_mask
from ..graph import Graph, Value
from . import converts

LOWEST = float(np.finfo(np.float32).min)


@converts(ops.scaled_dot_product_attention)
def attention(g: Graph, q: Value, k: Value, v: Value, mask: Value | None = None, *, is_causal: bool = False,
              scale: float | None = None, dropout_p: float = 0.0, rng: object = None) -> Value:
    """softmax(Q Kᵀ · scale + mask) V"""
    return weights_and_output(g, q, k, v, mask, is_causal, scale, dropout_p)[0]


@converts(ops.attention_with_weights)
def attention_with_weights(g: Graph, q: Value, k: Value, v: Value, mask: Value | None = None, *,
                           is_causal: bool = False, scale: float | None = None, dropout_p: float = 0.0,
                           rng: object = None) -> list[Value]:
    """(O, W)"""
    return weights_and_output(g, q, k, v, mask, is_causal, scale, dropout_p)


def weights_and_output(g: Graph, q: Value, k: Value, v: Value, mask: Value | None, is_causal: bool,
                       scale: float | None, dropout_p: float) -> list[Value]:
    """[O, W]. Heads of queries that share a head of keys become an axis of their own, along which keys broadcast."""
    if dropout_p:
        raise ValueError("it drops weights, which belongs to training; expected evaluation mode")
    width = q.lengths(-1)[0]
    shared = q.lengths(-3)[0] // k.lengths(-3)[0] if q.ndim > 2 else 1
    queries, keys, values = q, k, v
    if shared > 1:                                          # (B, H, T, D) as (B, G, H/G, T, D)
        if q.ndim != 4:
            raise ValueError(f"grouped heads in {q.ndim} axes, expected (B, H, T, D)")
        queries = g.Reshape(q, [0, k.lengths(-3)[0], shared, -1, width])
        keys, values = g.Unsqueeze(k, [2]), g.Unsqueeze(v, [2])
    order = list(range(k.ndim + (shared > 1)))
    order[-2:] = order[-1], order[-2]
    scores = g.MatMul(g.Mul(queries, 1 / math.sqrt(width) if scale is None else float(scale)),
                      g.Transpose(keys, perm=order))
    for allowed in _masks(g, q, k, mask, is_causal):
        if shared > 1 and mask is not None and allowed.samples and allowed.ndim > 2:
            if allowed.ndim != 4 or allowed.lengths(1)[0] != 1:
                raise ValueError("grouped heads with a mask of each head, expected one mask for all heads")
            allowed = Value(g.Unsqueeze(allowed, [2]).name, allowed.samples)
        if allowed.samples and allowed.dtype == np.float32:
            scores = g.Add(scores, allowed)
        else:
            scores = g.Where(allowed, scores, LOWEST)
    P = g.Softmax(scores, axis=-1)
    if mask is not None and mask.dtype == bool:             # a query without any key gives zeros
        P = g.Where(allowed, P, 0.0)
    out = g.MatMul(P, values)
    if shared > 1:
        heads = q.lengths(-3)[0]
        out = g.Reshape(out, [0, heads, -1, v.lengths(-1)[0]])
        P = g.Reshape(P, g.Concat(g.Shape(q, end=3), g.Shape(k, start=2, end=3), axis=0))
    return [out, P]


def _masks(g, q, k, mask, is_causal):
    """The causal mask and the given one, each where there is one."""
    found = []
    if is_causal:
        found.append(causal_mask(g, g.size_of(q.lengths(-2)), g.size_of(k.lengths(-2))))
    return found if mask is None else [*found, mask]


@converts(ops.residual_self_attention)
def residual_self_attention(g: Graph, h: Value, Wq: Value, Wk: Value, Wv: Value) -> Value:
    """h + softmax(Q Kᵀ) V"""
    q, k, v = (g.MatMul(h, g.Transpose(W, perm=[1, 0])) for W in (Wq, Wk, Wv))
    order = list(range(h.ndim))
    order[-2:] = order[-1], order[-2]
    return g.Add(h, g.MatMul(g.Softmax(g.MatMul(q, g.Transpose(k, perm=order)), axis=-1), v))
