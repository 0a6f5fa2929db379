"""Embedding."""

from __future__ import annotations

from .... import ops
from ..graph import Graph, Value
from . import converts


@converts(ops.embedding)
def embedding(g: Graph, indices: Value, weight: Value, *, padding_idx: int | None = None) -> Value:
    """W[indices]; ``padding_idx`` matters in training only."""
    return g.Gather(weight, indices, axis=0)
