"""Entrywise arithmetic. Inputs broadcast; the engine sums each gradient to the shape of its input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import FLOATS, Tensor, differentiable

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import DTypeLike

    from ..typing import TensorLike, ValueAndVjp


def _floats(*values: Any) -> tuple[Any, ...]:
    """The values, with integer and boolean arrays in the floating-point type of the others. (NumPy takes float64.)"""
    dtype = next((v.dtype for v in values if isinstance(v, np.ndarray) and v.dtype in FLOATS), None)
    if dtype is None:
        return values
    return tuple(v.astype(dtype) if isinstance(v, np.ndarray) and v.dtype.kind in "iub" else v for v in values)


def _like(gradient: Callable[[], Any], value: Any) -> Any:
    """The gradient for an operand, or None where the operand is a Python number, which needs none."""
    return gradient() if isinstance(value, np.ndarray) else None


@differentiable(method=("__add__", "__radd__"))
def add(x: TensorLike, y: TensorLike) -> ValueAndVjp:
    """z = x + y.   dx = dz, dy = dz."""
    x, y = _floats(x, y)
    return x + y, lambda dz: (dz, dz)


@differentiable(method="__sub__")
def subtract(x: TensorLike, y: TensorLike) -> ValueAndVjp:
    """z = x − y.   dx = dz, dy = −dz."""
    x, y = _floats(x, y)
    return x - y, lambda dz: (dz, -dz)


@differentiable(method=("__mul__", "__rmul__"), multilinear=True)
def multiply(x: TensorLike, y: TensorLike) -> ValueAndVjp:
    """z = x y, entry by entry.   dx = y dz, dy = x dz."""
    x, y = _floats(x, y)
    return x * y, lambda dz: (_like(lambda: dz * y, x), _like(lambda: dz * x, y))


@differentiable(method="__truediv__")
def divide(x: TensorLike, y: TensorLike) -> ValueAndVjp:
    """z = x / y.   dx = dz / y, dy = −x dz / y²."""
    x, y = _floats(x, y)
    z = x / y
    return z, lambda dz: (dz / y, _like(lambda: -dz * z / y, y))


@differentiable(method="__neg__")
def negative(x: TensorLike) -> ValueAndVjp:
    """z = −x.   dx = −dz."""
    return -x, lambda dz: -dz


@differentiable(method="__pow__")
def power(x: TensorLike, y: TensorLike) -> ValueAndVjp:
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
def exp(x: TensorLike) -> ValueAndVjp:
    """y = eˣ.   dx = y dy."""
    y = np.exp(x)
    return y, lambda dy: dy * y


@differentiable(method="log")
def log(x: TensorLike) -> ValueAndVjp:
    """y = ln x.   dx = dy / x."""
    return np.log(x), lambda dy: dy / x


@differentiable(method="sqrt")
def sqrt(x: TensorLike) -> ValueAndVjp:
    """y = √x.   dx = dy / (2 y)."""
    y = np.sqrt(x)
    return y, lambda dy: dy / (2 * y)


@differentiable(method=("abs", "__abs__"))
def abs(x: TensorLike) -> ValueAndVjp:
    """y = |x|.   dx = sign(x) dy, 0 at the kink x = 0 and at NaN, as in PyTorch."""
    return np.abs(x), lambda dy: dy * np.nan_to_num(np.sign(x), nan=0.0)


def _extremum(x, y, choose, wins):
    """The larger or the smaller of x and y, entry by entry.

    The chosen entry gets the gradient. Equal entries get half each; where x or y is NaN, both get all of it, as in
    PyTorch.
    """
    x, y = _floats(x, y)
    z = choose(x, y)

    def vjp(dz):
        equal = np.equal(x, y)
        share_x, share_y = (np.where(equal, 0.5, ~lost).astype(z.dtype) for lost in (wins(y, x), wins(x, y)))
        return dz * share_x, dz * share_y

    return z, vjp


@differentiable(method="maximum")
def maximum(x: TensorLike, y: TensorLike) -> ValueAndVjp:
    """z = max(x, y), entry by entry.   The gradient goes to the larger entry; equal entries get half each."""
    return _extremum(x, y, np.maximum, np.greater)


@differentiable(method="minimum")
def minimum(x: TensorLike, y: TensorLike) -> ValueAndVjp:
    """z = min(x, y), entry by entry.   The gradient goes to the smaller entry; equal entries get half each."""
    return _extremum(x, y, np.minimum, np.less)


@differentiable
def where(condition: TensorLike, x: TensorLike, y: TensorLike) -> ValueAndVjp:
    """z = x where ``condition`` (boolean) holds, else y.   dx = dz where ``condition`` holds, dy = dz elsewhere."""
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
def clip(x: TensorLike, *, min: TensorLike | None = None, max: TensorLike | None = None) -> ValueAndVjp:
    """y = x limited to [min, max]; one of them may be None.   dx = dy where min ≤ x ≤ max, else 0."""
    if min is None and max is None:
        raise ValueError("clip: expected min, max or both")
    inside = np.ones(x.shape, bool)
    if min is not None:
        inside &= x >= min
    if max is not None:
        inside &= x <= max
    return np.clip(x, min, max), lambda dy: dy * inside


@differentiable(method="astype")
def astype(x: TensorLike, *, dtype: DTypeLike) -> ValueAndVjp:
    """x converted to ``dtype``.   dx = dy, converted to the type of x."""
    before = x.dtype
    return x.astype(dtype), lambda dy: dy.astype(before)


Tensor.__rsub__ = lambda self, other: subtract(other, self)
Tensor.__rtruediv__ = lambda self, other: divide(other, self)
Tensor.__rpow__ = lambda self, other: power(other, self)
