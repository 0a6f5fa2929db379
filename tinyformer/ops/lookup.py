"""Embedding: rows of a table by index."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import kernels
from ..autograd import differentiable
from ..number_checks import check_integer

if TYPE_CHECKING:
    from ..typing import TensorLike, ValueAndVjp


@differentiable
def embedding(indices: TensorLike, weight: TensorLike, *, padding_idx: int | None = None) -> ValueAndVjp:
    """y = W[indices]: the product of one-hot rows with W, without the zeros.

    dW[v] = Σ dy over the positions with index v. The row ``padding_idx`` gets no gradient.

    indices integers (…)    weight W (V, C)    y (…, C).   Book (7.2), (7.3).
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
