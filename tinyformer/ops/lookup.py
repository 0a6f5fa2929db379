"""Rows of a table by their numbers."""

from __future__ import annotations

import numpy as np

from .. import kernels
from ..autograd import differentiable
from ..number_checks import check_integer


@differentiable
def embedding(indices, weight, *, padding_idx=None):
    """y = W[indices]: the product of one-hot rows with W, without the zeros.   dW[v] = Σ dy over the places where v stood.

    indices integers (…)    weight W (V, C)    y (…, C).   The row ``padding_idx`` gets no gradient.   Book (7.2), (7.3).
    """
    indices = np.asarray(indices)
    if indices.dtype.kind not in "iu":
        raise TypeError(f"embedding: indices are {indices.dtype}, expected integers")
    if indices.size and (indices.min() < 0 or indices.max() >= len(weight)):
        raise ValueError(f"embedding: indices lie in {indices.min()}…{indices.max()}, expected 0…{len(weight) - 1}")

    V, C = weight.shape
    if padding_idx is not None:
        padding_idx = check_integer("embedding", "padding_idx", padding_idx, -V, V - 1)

    def vjp(dy):
        dW = kernels.embedding_gradient(indices.reshape(-1), dy.reshape(indices.size, C), V)
        if padding_idx is not None:
            dW[padding_idx] = 0
        return None, dW

    return weight[indices], vjp
