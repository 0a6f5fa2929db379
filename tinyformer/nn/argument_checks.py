"""Checks of the inputs that a layer is called with, and of the values that a model computed.

``number_checks`` checks the numbers that a layer is made with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import FLOATS, constant
from ..autograd import Tensor

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..typing import Array, TensorLike


def as_input(layer: Any, x: TensorLike, like: Tensor | Array | None = None, argument: str = "x") -> Tensor:
    """``x`` as a tensor of ``like``'s type, a parameter or buffer of the layer (None: any floating-point type).

    Floating-point arrays are constants and are converted. A tensor must have the type: an implicit conversion would
    hide in the graph. Raises TypeError for other tensors, and for integers, which are no features.
    """
    if not isinstance(x, Tensor):
        x = np.asarray(constant(type(layer).__name__, x))
        if like is not None and x.dtype.kind == "f":
            x = x.astype(like.dtype, copy=False)
        x = Tensor(x)
    if x.dtype != (x.dtype if like is None else like.dtype) or x.dtype not in FLOATS:
        expected = "float32 or float64" if like is None else like.dtype
        advice = f"; convert one: x.astype({expected}) or layer.to({str(x.dtype)!r})" if x.dtype in FLOATS else ""
        raise TypeError(f"{type(layer).__name__}: {argument} is {x.dtype}, expected {expected}{advice}")
    return x


def check_finite(what: str, array: ArrayLike) -> None:
    """Raise ValueError unless all of ``array``, which a model computed, is finite. ``what`` names it, in the plural."""
    if not np.isfinite(array).all():
        raise ValueError(f"{what} are not all finite; its weights are damaged or its training diverged")
