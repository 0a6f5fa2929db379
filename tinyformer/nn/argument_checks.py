"""What layers check of what they are given: sizes when they are made, inputs when they are called. And what came out of them."""

from __future__ import annotations

import numpy as np

from ..arrays import FLOATS, constant
from ..autograd import Tensor


def as_input(layer, x, like=None, argument="x"):
    """``x`` as a tensor of ``like``'s type, a parameter or buffer of the layer (None: any floating-point type).

    Floating-point arrays are constants and are converted; a tensor must have the type, since a conversion that nobody wrote
    would hide in the graph. Integers are an error: they are not features.
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


def check_sizes(layer, **sizes):
    """An error that names the first of ``sizes`` that is no whole number of at least 1."""
    for name, n in sizes.items():
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
            raise TypeError(f"{type(layer).__name__}: {name} is {n!r}, expected a whole number")
        if n < 1:
            raise ValueError(f"{type(layer).__name__}: {name} is {n}, expected at least 1")


def check_finite(what, array):
    """An error unless all of ``array``, which a model made and someone is about to rely on, is finite."""
    if not np.isfinite(array).all():
        raise ValueError(f"{what} are not all finite; its weights are damaged or its training diverged")
