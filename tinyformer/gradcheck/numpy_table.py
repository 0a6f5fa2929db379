"""NumPy's functions in terms of the library's operations, so that a forward pass in NumPy becomes the engine's graph.

``UFUNCS``, ``METHODS`` and ``FUNCTIONS`` map a NumPy function to one of tensors. What ``tinyformer.ops`` lacks stands
here as a further operation. A function in none of the tables is measured: ``mapped`` and ``opaque`` are operations
whose derivatives are central differences of fourth order.
"""

from __future__ import annotations

import string
from typing import Any

import numpy as np

from .. import ops
from ..autograd import Tensor, differentiable
from ..graph import unbroadcast

OPAQUE = 400                    # the most entries of an array whose Jacobian is measured


class Unrecorded(Exception):
    """The forward pass has an operation that cannot be recorded."""


# ------------------------------------------------------------------------------------------------ further operations

@differentiable
def moved(x, *, source, kind, fill=0.0):
    """y = x at the flat indices ``source``, ``fill`` where the index is −1.   dx adds up dy at these indices."""
    inside, flat = source.reshape(-1) >= 0, source.reshape(-1)
    y = np.where(source >= 0, x.reshape(-1)[source] if x.size else fill, fill)
    return y, lambda dy: np.bincount(flat[inside], np.ravel(dy)[inside], x.size).reshape(x.shape)


@differentiable
def written(x, value, *, index):
    """y = x after ``x[index] = value``.   The gradient at the index goes to ``value``, the rest to x."""
    y = x.copy()
    y[index] = value

    def vjp(dy):
        dx = dy.copy()
        dx[index] = 0
        return dx, unbroadcast(np.asarray(dy[index]), np.shape(value))
    return y, vjp


@differentiable
def added_at(x, value, *, index):
    """y = x after ``np.add.at(x, index, value)``.   dx = dy, d value = dy at the index."""
    y = x.copy()
    np.add.at(y, index, value)
    return y, lambda dy: (dy, unbroadcast(np.asarray(dy[index]), np.shape(value)))


@differentiable
def prod(x, *, axis=None, keepdims=False):
    """y = ∏ x.   dxᵢ = dy ∏ of the other entries."""
    axes = tuple(range(x.ndim)) if axis is None else axis
    kept = np.prod(x, axis=axes, keepdims=True)
    with np.errstate(all="ignore"):
        slope = np.where(x == 0, np.prod(np.where(x == 0, 1, x), axis=axes, keepdims=True)
                         * ((x == 0).sum(axis=axes, keepdims=True) == 1), kept / x)
    return np.prod(x, axis=axis, keepdims=keepdims), lambda dy: slope * np.reshape(dy, kept.shape)


@differentiable
def mapped(*inputs, function, kind):
    """An elementwise function of the inputs, such as SciPy's erf, with measured derivatives."""
    y = np.asarray(function(*inputs), np.float64)

    def slope(i):
        h = 1e-3 * np.maximum(1, np.abs(inputs[i]))
        return _difference(lambda step: function(*(x + step * h if j == i else x for j, x in enumerate(inputs)))) / h
    return y, lambda dy: tuple(dy * slope(i) if isinstance(x, np.ndarray) else None for i, x in enumerate(inputs))


@differentiable
def opaque(*inputs, function, kind):
    """Any function of the inputs, such as ``np.linalg.inv``, with a measured Jacobian."""
    y = np.asarray(function(*inputs), np.float64)

    def pulled(i, dy):
        x, dx = inputs[i], np.zeros(inputs[i].size)
        for k in range(x.size):
            h = np.zeros(x.size)
            h[k] = 1e-3 * max(1, abs(x.flat[k]))
            dx[k] = np.sum(dy * _difference(lambda step: function(*(
                a + step * h.reshape(x.shape) if j == i else a for j, a in enumerate(inputs))))) / h[k]
        return dx.reshape(x.shape)
    return y, lambda dy: tuple(pulled(i, dy) if isinstance(x, np.ndarray) else None for i, x in enumerate(inputs))


def _difference(f):
    """f′(0), with an error of fourth order in the step 1."""
    return (8 * (f(1) - f(-1)) - (f(2) - f(-2))) / 12


# ------------------------------------------------------------------------------------------------ functions of tensors

def _move(function):
    """A NumPy function that only moves or repeats entries, found by what it does to the numbers of the entries."""
    def applied(x, *args, **given):
        source = function(np.arange(x.size).reshape(x.shape), *args, **given)
        return moved(x, source=np.asarray(source), kind=function.__name__)
    return applied


def _over(operation):
    """A reduction, with NumPy's parameters."""
    def applied(x, axis=None, dtype=None, out=None, keepdims=False, **rest):
        if out is not None or any(value is not None and value is not True for value in rest.values()):
            raise Unrecorded(operation.__name__)
        return operation(x, axis=axis, keepdims=bool(keepdims) and keepdims is not np._NoValue)
    return applied


def _var(x, axis=None, dtype=None, out=None, ddof=0, keepdims=False, correction=None, **_):
    centered = x - ops.mean(x, axis=axis, keepdims=True)
    keepdims = bool(keepdims) and keepdims is not np._NoValue
    total = ops.sum(centered * centered, axis=axis, keepdims=keepdims)
    return total / (x.size / max(int(total.size), 1) - (correction if isinstance(correction, (int, float)) else ddof))


def _cumsum(x, axis=None, **_):
    return ops.cumsum(x, axis=axis) if axis is not None else ops.cumsum(ops.reshape(x, shape=-1), axis=0)


def _where(condition, *branches):
    if len(branches) != 2:
        return np.where(_plain(condition))
    return ops.where(np.asarray(_plain(condition)) != 0, *branches)


def _clip(x, low=None, high=None, **given):
    low, high = given.get("min", given.get("a_min", low)), given.get("max", given.get("a_max", high))
    return ops.clip(x, min=low, max=high)


def _pad(x, widths, mode="constant", constant_values=0.0):
    source = np.pad(np.arange(x.size).reshape(x.shape), widths, mode,
                    **({"constant_values": -1} if mode == "constant" else {}))
    return moved(x, source=source, kind="pad", fill=constant_values)


def _split(x, parts, axis=0):
    n = x.shape[axis]
    ends = np.cumsum([n // parts + (i < n % parts) for i in range(parts)])[:-1] \
        if isinstance(parts, (int, np.integer)) else list(parts)
    index = (slice(None),) * (axis % x.ndim)
    return [ops.getitem(x, (*index, slice(a, b))) for a, b in zip([0, *ends], [*ends, n])]


def _einsum(equation, *operands, **_):
    """``np.einsum`` as ``ops.einsum``, which takes no "…", no repeated letter in a term and no implicit result."""
    equation = equation.replace(" ", "")
    left, arrow, out = equation.partition("->")
    terms = left.split(",")
    if not arrow:
        out = "..." * ("." in left) + "".join(sorted(a for a in set(left) - {",", "."} if left.count(a) == 1))
    spare = [a for a in reversed(string.ascii_letters) if a not in equation]
    many = [np.ndim(_plain(a)) - len(t.replace("...", "")) for t, a in zip(terms, operands)]
    rest = "".join(spare[:max([n for n, t in zip(many, terms) if "." in t], default=0)])
    terms = [t.replace("...", rest[len(rest) - n:]) for t, n in zip(terms, many)]
    operands = list(operands)
    for i, term in enumerate(terms):                        # "ii": the diagonal first
        for letter in set(term):
            while terms[i].count(letter) > 1:
                first, second = (k for k, a in enumerate(terms[i]) if a == letter) if terms[i].count(letter) == 2 \
                    else [k for k, a in enumerate(terms[i]) if a == letter][:2]
                operands[i] = _move(np.diagonal)(operands[i], 0, first, second)
                terms[i] = "".join(a for k, a in enumerate(terms[i]) if k not in (first, second)) + letter
    arrays = [a if isinstance(a, Tensor) else np.asarray(a, np.float64) for a in operands]
    return ops.einsum(f"{','.join(terms)}->{out.replace('...', rest)}", *arrays)


def _tensordot(x, y, axes=2):
    m, n = np.ndim(_plain(x)), np.ndim(_plain(y))
    if isinstance(axes, (int, np.integer)):
        axes = [*range(m - axes, m)], [*range(axes)]
    first, second = "abcdefgh"[:m], list("ijklmnop"[:n])
    for a, b in zip(*map(np.atleast_1d, axes)):
        second[b] = first[a]
    out = [a for a in (*first, *second) if (first + "".join(second)).count(a) == 1]
    return _einsum(f"{first},{''.join(second)}->{''.join(out)}", x, y)


def _dot(x, y, out=None):
    m, n = np.ndim(_plain(x)), np.ndim(_plain(y))
    if m == 0 or n == 0:
        return ops.multiply(x, y)
    return ops.matmul(x, y) if n <= 2 else _tensordot(x, y, (m - 1, n - 2))


def _outer(x, y, out=None):
    return ops.multiply(ops.reshape(x, shape=(-1, 1)), ops.reshape(y, shape=(1, -1)))


def _inner(x, y):
    return _dot(x, y if np.ndim(_plain(y)) < 2 else ops.transpose(y))


def _norm(x, ord=None, axis=None, keepdims=False):
    if ord not in (None, 2, "fro") or ord == 2 and axis is None and x.ndim > 1:
        raise Unrecorded("norm")
    return ops.sqrt(ops.sum(x * x, axis=axis, keepdims=keepdims))


def _triangle(function):
    return lambda x, k=0: ops.multiply(x, function(np.ones(x.shape), k))


def _diag(x, k=0):
    if x.ndim == 2:
        return _move(np.diagonal)(x, k)
    n = len(x) + abs(k)
    source = np.full((n, n), -1)
    source[np.arange(len(x)) + max(-k, 0), np.arange(len(x)) + max(k, 0)] = np.arange(len(x))
    return moved(x, source=source, kind="diag")


def _diff(x, n=1, axis=-1):
    before, after = ((slice(None),) * (axis % x.ndim) + (part,) for part in (slice(None, -1), slice(1, None)))
    return x if n == 0 else _diff(ops.getitem(x, after) - ops.getitem(x, before), n - 1, axis)


def _sort(x, axis=-1, **_):
    return _move(np.take_along_axis)(x, np.argsort(x.data, axis=axis), axis)


def _joined(arrays, axis=0, **_):
    return ops.concatenate(*arrays, axis=axis)


def _stack(arrays, axis=0, **_):
    """A concatenation of arrays with a new axis, so that each array has a step of its own."""
    return _joined([_move(np.expand_dims)(a if isinstance(a, Tensor) else Tensor(np.asarray(a, np.float64)), axis)
                    for a in arrays], axis)


def _plain(x: Any) -> Any:
    return x.data if isinstance(x, Tensor) else x


UFUNCS = {
    np.add: ops.add, np.subtract: ops.subtract, np.multiply: ops.multiply, np.divide: ops.divide, np.power: ops.power,
    np.float_power: ops.power, np.negative: ops.negative, np.exp: ops.exp, np.log: ops.log, np.sqrt: ops.sqrt,
    np.absolute: ops.abs, np.fabs: ops.abs, np.tanh: ops.tanh, np.maximum: ops.maximum, np.minimum: ops.minimum,
    np.fmax: ops.maximum, np.fmin: ops.minimum, np.matmul: ops.matmul, np.positive: lambda x: x,
    np.square: lambda x: ops.power(x, 2.0), np.reciprocal: lambda x: ops.divide(1.0, x),
}

METHODS = {
    (np.add, "reduce"): _over(ops.sum), (np.maximum, "reduce"): _over(ops.max), (np.minimum, "reduce"): _over(ops.min),
    (np.multiply, "reduce"): _over(prod), (np.add, "accumulate"): _cumsum,
}

MOVES = (np.moveaxis, np.swapaxes, np.expand_dims, np.squeeze, np.flip, np.roll, np.repeat, np.tile, np.take,
         np.atleast_1d, np.atleast_2d, np.ravel, np.rollaxis, np.flipud, np.fliplr, np.rot90, np.diagonal,
         np.take_along_axis, np.delete, np.broadcast_to, np.resize, np.lib.stride_tricks.sliding_window_view)

FUNCTIONS = {
    **{function: _move(function) for function in MOVES},
    np.reshape: lambda x, shape, **_: ops.reshape(x, shape=shape),
    np.transpose: lambda x, axes=None: ops.transpose(x, axes=axes),
    np.sum: _over(ops.sum), np.mean: _over(ops.mean), np.max: _over(ops.max), np.min: _over(ops.min),
    np.prod: _over(prod), np.var: _var, np.std: lambda *a, **k: ops.sqrt(_var(*a, **k)),
    np.cumsum: _cumsum, np.sort: _sort, np.clip: _clip, np.pad: _pad, np.where: _where,
    np.concatenate: _joined, np.stack: _stack,
    np.vstack: lambda arrays, **_: _joined([a if np.ndim(_plain(a)) > 1 else ops.reshape(a, shape=(1, -1))
                                            for a in arrays]),
    np.hstack: lambda arrays, **_: _joined(arrays, 0 if np.ndim(_plain(arrays[0])) == 1 else 1),
    np.column_stack: lambda arrays: _joined([a if np.ndim(_plain(a)) > 1 else ops.reshape(a, shape=(-1, 1))
                                             for a in arrays], 1),
    np.split: _split, np.array_split: _split, np.einsum: _einsum, np.tensordot: _tensordot, np.dot: _dot,
    np.vdot: lambda x, y: _dot(ops.reshape(x, shape=-1), ops.reshape(y, shape=-1)),
    np.inner: _inner, np.outer: _outer, np.tril: _triangle(np.tril), np.triu: _triangle(np.triu), np.diff: _diff,
    np.copy: lambda x, **_: x, np.trace: lambda x: ops.sum(_move(np.diagonal)(x)),
    np.diag: _diag, np.linalg.norm: _norm,
}
# NumPy < 2 has other names for some of them.
FUNCTIONS.update({getattr(np, old): FUNCTIONS[new] for old, new in (("amax", np.max), ("amin", np.min))
                  if hasattr(np, old)})

# Functions of the values alone: their results have no gradient, or none that is not zero.
VALUES = {np.zeros_like, np.ones_like, np.empty_like, np.full_like}
