"""The map from NumPy functions to the rules in ``rules``.

Traced arrays call ``ufunc_rule`` for ufuncs and their methods (``np.add``, ``np.add.reduce``), and ``function_rule``
for all other functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import rules
from .tape import Unrecorded
from .traced import Traced, value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .tape import Tape

# The local derivatives of each elementwise operation: f(value, x, …) → ∂z/∂x, …
SLOPES = {
    np.add: lambda z, x, y: (1.0, 1.0),
    np.subtract: lambda z, x, y: (1.0, -1.0),
    np.multiply: lambda z, x, y: (y, x),
    np.divide: lambda z, x, y: (1 / y, -z / y),
    np.power: lambda z, x, y: (y * x ** np.where(np.equal(y, 0), 1, y - 1.0), z * np.log(np.where(x > 0, x, 1))),
    np.maximum: lambda z, x, y: (np.where(x == y, 0.5, x > y), np.where(x == y, 0.5, y > x)),
    np.minimum: lambda z, x, y: (np.where(x == y, 0.5, x < y), np.where(x == y, 0.5, y < x)),
    np.negative: lambda z, x: (-1.0,),
    np.positive: lambda z, x: (1.0,),
    np.exp: lambda z, x: (z,),
    np.expm1: lambda z, x: (z + 1,),
    np.log: lambda z, x: (1 / x,),
    np.log1p: lambda z, x: (1 / (1 + x),),
    np.log2: lambda z, x: (1 / (x * np.log(2)),),
    np.sqrt: lambda z, x: (0.5 / z,),
    np.square: lambda z, x: (2 * x,),
    np.reciprocal: lambda z, x: (-z * z,),
    np.tanh: lambda z, x: (1 - z * z,),
    np.sin: lambda z, x: (np.cos(x),),
    np.cos: lambda z, x: (-np.sin(x),),
    np.abs: lambda z, x: (np.sign(x),),
    np.fabs: lambda z, x: (np.sign(x),),
    np.logaddexp: lambda z, x, y: (np.exp(x - z), np.exp(y - z)),
}

# Functions whose derivative is 0 or undefined. They are computed on the plain values and not recorded.
CONSTANT = {np.sign, np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal, np.isnan,
            np.isfinite, np.isinf, np.floor, np.ceil, np.rint, np.trunc, np.logical_not, np.heaviside, np.signbit,
            np.logical_and, np.logical_or}
UNRECORDED = {np.argmax, np.argmin, np.argsort, np.shape, np.ndim, np.size, np.isclose, np.allclose, np.any, np.all,
              np.zeros_like, np.ones_like, np.empty_like, np.full_like, np.array_equal, np.nonzero, np.argwhere,
              np.argpartition, np.unique}

MOVES = {np.reshape, np.transpose, np.moveaxis, np.swapaxes, np.expand_dims, np.squeeze, np.broadcast_to, np.flip,
         np.roll, np.repeat, np.tile, np.take, np.atleast_2d, np.ravel, np.rollaxis, np.flipud, np.fliplr, np.rot90,
         np.diagonal, np.take_along_axis, np.delete, np.lib.stride_tricks.sliding_window_view}


def _difference(tape, x, axis=-1):
    n = x.shape[axis]
    return np.take(x, np.arange(1, n), axis) - np.take(x, np.arange(n - 1), axis)


OTHERS = {
    np.sum: lambda tape, *a, **k: rules.reduce(tape, "sum", *a, **k),
    np.mean: lambda tape, *a, **k: rules.reduce(tape, "mean", *a, **k),
    np.max: lambda tape, *a, **k: rules.reduce(tape, "max", *a, **k),
    np.min: lambda tape, *a, **k: rules.reduce(tape, "min", *a, **k),
    np.var: rules.variance,
    np.std: lambda tape, *a, **k: np.sqrt(rules.variance(tape, *a, **k)),
    np.cumsum: rules.cumsum,
    np.cumprod: rules.cumprod,
    np.prod: rules.product,
    np.sort: rules.sort,
    np.clip: rules.clip,
    np.pad: rules.pad,
    np.concatenate: rules.concatenate,
    np.stack: rules.stack,
    np.vstack: lambda tape, arrays: rules.concatenate(tape, [np.atleast_2d(a) for a in arrays], 0),
    np.hstack: lambda tape, arrays: rules.concatenate(tape, arrays, 0 if arrays[0].ndim == 1 else 1),
    np.split: rules.split,
    np.array_split: rules.split,
    np.einsum: rules.einsum,
    np.tensordot: rules.tensordot,
    np.dot: rules.dot,
    np.inner: lambda tape, x, y: rules.dot(tape, x, np.swapaxes(y, -1, -2) if y.ndim > 1 else y),
    np.outer: lambda tape, x, y: np.reshape(x, (-1, 1)) * np.reshape(y, (1, -1)),
    np.tril: lambda tape, x, k=0: x * np.tril(np.ones(x.shape), k),
    np.triu: lambda tape, x, k=0: x * np.triu(np.ones(x.shape), k),
    np.diff: _difference,
    np.copy: lambda tape, x, **_: x * 1.0,
    np.trace: lambda tape, x: np.sum(np.diagonal(x)),
    np.linalg.norm: lambda tape, x, axis=None, keepdims=False: np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims)),
}


def ufunc_rule(tape: Tape, ufunc: np.ufunc, method: str, inputs: Sequence[Any], given: Mapping[str, Any]) -> Any:
    """Apply ``ufunc``, or its ``method``, to the inputs and record it. Raises ``Unrecorded`` if there is no rule."""
    given = {k: v for k, v in given.items() if k in ("axis", "keepdims") or k == "where" and v is not True}
    if method == "reduce" and ufunc in (np.add, np.maximum, np.minimum):
        return rules.reduce(tape, {np.add: "sum", np.maximum: "max", np.minimum: "min"}[ufunc], *inputs, **given)
    values = [value_of(x) for x in inputs]
    if method == "reduce" and ufunc is np.multiply:
        return rules.product(tape, *inputs, **given)
    if method == "accumulate" and ufunc in (np.add, np.multiply):
        return (rules.cumsum if ufunc is np.add else rules.cumprod)(tape, *inputs, **given)
    if method == "at" and ufunc in (np.add, np.subtract) and isinstance(inputs[0], Traced):
        return rules.add_at(tape, inputs[0], inputs[1], inputs[2] if ufunc is np.add else np.negative(inputs[2]))
    if method == "outer" and not given:
        return ufunc(np.reshape(inputs[0], np.shape(values[0]) + (1,) * np.ndim(values[1])), inputs[1])
    if method != "__call__" or given:
        raise Unrecorded(f"{ufunc.__name__}.{method}")
    if ufunc in CONSTANT:
        return ufunc(*values)
    if ufunc is np.matmul:
        return rules.matmul(tape, *inputs)
    z = np.asarray(ufunc(*values))
    if ufunc not in SLOPES:
        if len(values) != 1 or z.dtype.kind != "f":
            raise Unrecorded(ufunc.__name__)
        return rules.unknown(tape, ufunc.__name__, ufunc, inputs[0])
    return rules.elementwise(tape, ufunc.__name__, inputs, z, SLOPES[ufunc](z, *values))


def function_rule(tape: Tape, function: Callable[..., Any], args: Sequence[Any], given: Mapping[str, Any]) -> Any:
    """Apply a NumPy function to ``args`` and ``given`` and record it. Raises ``Unrecorded`` if there is no rule."""
    if function in MOVES:
        return rules.moved(tape, function.__name__, lambda a: function(a, *args[1:], **given), args[0], args=args[1:])
    if function is np.where and len(args) == 3:
        return rules.where(tape, *args)
    if function in OTHERS:
        return OTHERS[function](tape, *args, **given)
    if function in UNRECORDED:
        return function(*map(value_of, args), **given)
    raise Unrecorded(function.__name__)
