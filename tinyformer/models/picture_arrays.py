"""The pictures that models read: (N, channels, side, side), or the same numbers as rows (N, channels · side²)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import ops
from ..arrays import plain_array
from ..autograd import Tensor

if TYPE_CHECKING:
    from ..typing import TensorLike


def as_pictures(model: str, x: TensorLike, channels: int, side: int) -> Tensor:
    """``x`` as a tensor (N, channels, side, side). ValueError, which names the ``model``, for another size."""
    x = x if isinstance(x, Tensor) else Tensor(plain_array(model, x))
    if x.shape[1:] not in ((channels, side, side), (channels * side * side,)):
        raise ValueError(f"{model}: pictures have shape {x.shape}, expected (N, {channels}, {side}, {side}) "
                         f"or (N, {channels * side * side})")
    return ops.reshape(x, shape=(len(x), channels, side, side))
