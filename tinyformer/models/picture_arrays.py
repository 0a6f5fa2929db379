"""The pictures that models read: (N, channels, side, side), or the same numbers as rows (N, channels · side²)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .. import ops
from ..arrays import plain_array
from ..autograd import Tensor

if TYPE_CHECKING:
    from ..typing import TensorLike


def as_pictures(model: str, x: TensorLike, channels: int, side: int) -> Tensor:
    """``x`` as a tensor (N, channels, side, side). ValueError, which names the ``model``, for another size."""
    x = _tensor(model, x)
    if x.shape[1:] not in ((channels, side, side), (channels * side * side,)):
        raise ValueError(f"{model}: pictures have shape {x.shape}, expected (N, {channels}, {side}, {side}) "
                         f"or (N, {channels * side * side})")
    return ops.reshape(x, shape=(len(x), channels, side, side))


def as_rows(model: str, x: TensorLike, n_features: int) -> Tensor:
    """``x`` as a tensor (N, n_features). ValueError, which names the ``model``, for another size."""
    x = _tensor(model, x)
    if x.ndim not in (2, 4) or math.prod(x.shape[1:]) != n_features:
        raise ValueError(f"{model}: pictures have shape {x.shape}, expected (N, {n_features}) or (N, channels, height, "
                         f"width) with that many numbers each")
    return ops.reshape(x, shape=(len(x), n_features))


def _tensor(model, x):
    return x if isinstance(x, Tensor) else Tensor(plain_array(model, x))
