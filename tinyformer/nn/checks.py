"""The one check that layers make of what they are given."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor


def as_input(layer, x, dtype, argument="x"):
    """``x`` as a tensor of ``dtype``, the layer's type. Floating-point arrays are constants and take that type; tensors must
    have it, since a conversion that nobody wrote would hide in the graph. Integers are an error: they are not features.
    """
    if not isinstance(x, Tensor):
        x = np.asarray(x)
        if x.dtype.kind == "f":
            return Tensor(x.astype(dtype, copy=False))
    if x.dtype != dtype:
        advice = "" if x.dtype.kind != "f" else f"; convert one: x.astype({dtype}) or layer.to({str(x.dtype)!r})"
        raise TypeError(f"{type(layer).__name__}: {argument} is {x.dtype}, expected {dtype}{advice}")
    return x
