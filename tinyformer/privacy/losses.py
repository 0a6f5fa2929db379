"""The loss of each example, from models whose ``loss`` is the mean over a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import ops
from ..autograd import Tensor

if TYPE_CHECKING:
    from ..nn import Module

__all__: list[str] = []

MEANS = {operation.__name__: operation for operation in (ops.cross_entropy, ops.mse_loss,
                                                         ops.binary_cross_entropy_with_logits)}


def example_losses(model: Module, x: Any, y: Any) -> Tensor:
    """(B,): ``model.loss(x[n:n+1], y[n:n+1])`` of each example n.

    If the last operation of ``model.loss`` is a mean of cross-entropies or squares, its terms are averaged for each
    example. Otherwise each example runs alone: a penalty, for instance, is part of the loss of every example.
    """
    B, loss = len(x), model.loss(x, y)                                          # type: ignore[attr-defined]
    node = loss.node
    operation = MEANS.get(node.operation.__name__) if node is not None else None
    if node is None or operation is None:
        return _alone(model, x, y)
    arrays, options = node.call
    inputs = [array if tensor is None else tensor for array, tensor in zip(arrays, node.inputs)]
    terms = operation(*inputs, **{**options, "reduction": "none"})
    if terms.ndim == 0 or terms.shape[0] != B:
        return _alone(model, x, y)
    terms = terms.reshape(B, -1)
    counted = np.ones(terms.shape, bool)
    if operation is ops.cross_entropy:
        counted = (np.asarray(arrays[1]) != options.get("ignore_index", -100)).reshape(B, -1)
    weights = counted.astype(terms.dtype)
    if options.get("reduction", "mean") == "mean":
        weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1)
    return (terms * weights).sum(axis=1)


def _alone(model: Module, x: Any, y: Any) -> Tensor:
    losses = (model.loss(x[n:n + 1], y[n:n + 1]).reshape(1) for n in range(len(x)))     # type: ignore[attr-defined]
    return ops.concatenate(*losses)
