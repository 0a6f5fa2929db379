"""Elementwise arithmetic. Inputs broadcast; the engine sums their gradients back."""

from __future__ import annotations

import numpy as np

from ..autograd import FLOATS, Tensor, differentiable


def _floats(*values):
    """The values, with integer and boolean arrays in the type of the floating-point ones (NumPy would go to float64)."""
    dtype = next((v.dtype for v in values if isinstance(v, np.ndarray) and v.dtype in FLOATS), None)
    if dtype is None:
        return values
    return tuple(v.astype(dtype) if isinstance(v, np.ndarray) and v.dtype.kind in "iub" else v for v in values)


def _like(gradient, value):
    """The gradient for an operand, or None where the operand is a Python number and nobody will ask."""
    return gradient() if isinstance(value, np.ndarray) else None


@differentiable(method=("__add__", "__radd__"))
def add(x, y):
    """z = x + y.   dx = dz, dy = dz."""
    x, y = _floats(x, y)
    return x + y, lambda dz: (dz, dz)


@differentiable(method="__sub__")
def subtract(x, y):
    """z = x − y.   dx = dz, dy = −dz."""
    x, y = _floats(x, y)
    return x - y, lambda dz: (dz, -dz)


@differentiable(method=("__mul__", "__rmul__"), multilinear=True)
def multiply(x, y):
    """z = x y, entry by entry.   dx = y dz, dy = x dz."""
    x, y = _floats(x, y)
    return x * y, lambda dz: (_like(lambda: dz * y, x), _like(lambda: dz * x, y))


@differentiable(method="__truediv__")
def divide(x, y):
    """z = x / y.   dx = dz / y, dy = −x dz / y²."""
    x, y = _floats(x, y)
    z = x / y
    return z, lambda dz: (dz / y, _like(lambda: -dz * z / y, y))


@differentiable(method="__neg__")
def negative(x):
    """z = −x.   dx = −dz."""
    return -x, lambda dz: -dz


@differentiable(method="__pow__")
def power(x, y):
    """z = xʸ.   dx = y xʸ⁻¹ dz (0 where y = 0), dy = z ln x dz (0 where x = 0 and y ≥ 0; NaN for x < 0)."""
    x, y = _floats(x, y)
    z = x ** y

    def vjp(dz):
        def for_x():
            slope = y * x ** np.where(np.equal(y, 0), 1, y - 1).astype(z.dtype)
            return dz * np.where(np.equal(y, 0), 0, slope).astype(z.dtype)

        def for_y():
            flat = np.equal(x, 0) & np.greater_equal(y, 0)              # 0ʸ is constant for y > 0
            with np.errstate(divide="ignore", invalid="ignore"):
                return dz * np.where(flat, 0, z * np.log(np.asarray(x, z.dtype)))
        return _like(for_x, x), _like(for_y, y)

    return z, vjp


@differentiable(method="exp")
def exp(x):
    """y = eˣ.   dx = y dy."""
    y = np.exp(x)
    return y, lambda dy: dy * y


@differentiable(method="log")
def log(x):
    """y = ln x.   dx = dy / x."""
    return np.log(x), lambda dy: dy / x


@differentiable(method="sqrt")
def sqrt(x):
    """y = √x.   dx = dy / (2 y)."""
    y = np.sqrt(x)
    return y, lambda dy: dy / (2 * y)


@differentiable(method=("abs", "__abs__"))
def abs(x):
    """y = |x|.   dx = sign(x) dy, 0 at the kink x = 0 and at NaN, as in PyTorch."""
    return np.abs(x), lambda dy: dy * np.nan_to_num(np.sign(x), nan=0.0)


def _extremum(x, y, choose, wins):
    """The larger or smaller of two. Each gets the gradient unless the other wins: half of it where they are equal, all of it where
    either is NaN, as in PyTorch."""
    x, y = _floats(x, y)
    z = choose(x, y)

    def vjp(dz):
        equal = np.equal(x, y)
        share_x, share_y = (np.where(equal, 0.5, ~lost).astype(z.dtype) for lost in (wins(y, x), wins(x, y)))
        return dz * share_x, dz * share_y

    return z, vjp


@differentiable(method="maximum")
def maximum(x, y):
    """z = max(x, y), entry by entry.   The gradient goes to the larger one; equals share it."""
    return _extremum(x, y, np.maximum, np.greater)


@differentiable(method="minimum")
def minimum(x, y):
    """z = min(x, y), entry by entry.   The gradient goes to the smaller one; equals share it."""
    return _extremum(x, y, np.minimum, np.less)


@differentiable
def where(condition, x, y):
    """z = x where ``condition`` (boolean) holds, else y.   dx = dz where it holds, dy = dz where it does not."""
    if getattr(condition, "dtype", type(condition)) != bool:
        raise TypeError(f"where: condition is {getattr(condition, 'dtype', type(condition).__name__)}, expected bool")
    x, y = _floats(x, y)
    z = np.where(condition, x, y)
    dtype = next((v.dtype for v in (x, y) if isinstance(v, np.ndarray) and v.dtype in FLOATS), z.dtype)

    def vjp(dz):
        zero = np.zeros((), dz.dtype)
        return None, np.where(condition, dz, zero), np.where(condition, zero, dz)

    return z.astype(dtype, copy=False), vjp


@differentiable(method="clip")
def clip(x, *, min=None, max=None):
    """y = x held within [min, max]; either may be None.   dx = dy where min ≤ x ≤ max, else 0."""
    if min is None and max is None:
        raise ValueError("clip: expected min, max or both")
    inside = np.ones(x.shape, bool)
    if min is not None:
        inside &= x >= min
    if max is not None:
        inside &= x <= max
    return np.clip(x, min, max), lambda dy: dy * inside


@differentiable(method="astype")
def astype(x, *, dtype):
    """x in the type ``dtype``.   dx = dy in x's type."""
    before = x.dtype
    return x.astype(dtype), lambda dy: dy.astype(before)


Tensor.__rsub__ = lambda self, other: subtract(other, self)
Tensor.__rtruediv__ = lambda self, other: divide(other, self)
Tensor.__rpow__ = lambda self, other: power(other, self)
