"""The true rule for the gradient of each NumPy operation that a forward pass may use: what ``tape`` notes.

Operations that only move entries (reshape, indexing, joining, repeating) share one rule: they are done to the entries' own
numbers, and the gradient is added up where each entry came from. Which rule answers for which function: ``dispatch``.
"""

from __future__ import annotations

import numpy as np

from ..autograd import unbroadcast
from .tape import Node, Unrecorded
from .traced import Traced, note, value_of


def _parents(operands):
    return [x._node if isinstance(x, Traced) else None for x in operands]


def unknown(tape, kind, f, x):
    """An elementwise function without a rule of ours, such as SciPy's erf: its slope is measured."""
    X = value_of(x)
    h = 6e-6 * np.maximum(1, np.abs(X))
    return elementwise(tape, kind, (x,), np.asarray(f(X)), ((f(X + h) - f(X - h)) / (2 * h),))


def elementwise(tape, kind, inputs, z, slopes):
    """A node whose gradient is dz times a slope, entry by entry, summed over broadcast axes."""
    values = [value_of(x) for x in inputs]
    return note(tape, Node(kind, _parents(inputs), values, z, [scaled(s, np.shape(x)) for s, x in zip(slopes, values)],
                          slopes=list(slopes)))


def scaled(slope, shape):
    """dz ↦ slope ⊙ dz, summed to ``shape``."""
    def pull(dz):
        dx = np.asarray(dz * slope)
        return dx if dx.shape == shape else unbroadcast(dx, shape)
    return pull


def matmul(tape, x, y):
    X, Y = value_of(x), value_of(y)

    def for_x(dz, Y=Y):
        dZ = dz[..., None] if Y.ndim == 1 else dz
        dZ = dZ[..., None, :] if X.ndim == 1 else dZ
        dx = dZ @ (Y[:, None] if Y.ndim == 1 else Y).swapaxes(-1, -2)
        return unbroadcast(dx[..., 0, :] if X.ndim == 1 else dx, X.shape)

    def for_y(dz, X=X):
        dZ = dz[..., None] if Y.ndim == 1 else dz
        dZ = dZ[..., None, :] if X.ndim == 1 else dZ
        dy = (X[None, :] if X.ndim == 1 else X).swapaxes(-1, -2) @ dZ
        return unbroadcast(dy[..., 0] if Y.ndim == 1 else dy, Y.shape)

    return note(tape, Node("matmul", _parents((x, y)), [X, Y], np.asarray(X @ Y), [for_x, for_y]))


def einsum(tape, equation, *operands, **_):
    values = [value_of(x) for x in operands]
    terms, out = einsum_terms(equation, [np.ndim(v) for v in values])
    if any(len(set(t)) < len(t) for t in terms):
        raise Unrecorded("einsum")
    return note(tape, Node("einsum", _parents(operands), values, np.asarray(np.einsum(",".join(terms) + "->" + out, *values)),
                          [einsum_pull(terms, out, values, i) for i in range(len(terms))], terms=terms, out=out))


def einsum_terms(equation, ndims):
    """The letters of each operand and of the result, those that "..." stands for written out."""
    left, arrow, out = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if not arrow:
        out = "..." * ("." in left) + "".join(sorted(a for a in set(left) - {",", "."} if left.count(a) == 1))
    spare = [a for a in "ZYXWVUTSRQPON" if a not in equation]
    many = [n - len(t.replace("...", "")) for t, n in zip(terms, ndims)]
    rest = "".join(spare[:max([n for n, t in zip(many, terms) if "." in t], default=0)])
    return [t.replace("...", rest[len(rest) - n:]) for t, n in zip(terms, many)], out.replace("...", rest)


def einsum_pull(terms, out, values, i):
    """dz ↦ the gradient of operand i."""
    others = [j for j in range(len(terms)) if j != i]
    seen = set(out).union(*(terms[j] for j in others))
    kept = "".join(a for a in terms[i] if a in seen)

    def back(dz):
        dx = np.einsum(",".join([out, *(terms[j] for j in others)]) + "->" + kept, dz, *(values[j] for j in others))
        return np.broadcast_to(dx.reshape([n if a in seen else 1 for a, n in zip(terms[i], values[i].shape)]), values[i].shape)
    return back


def tensordot(tape, x, y, axes=2):
    m, n = np.ndim(value_of(x)), np.ndim(value_of(y))
    one, two = ([*range(m - axes, m)], [*range(axes)]) if isinstance(axes, (int, np.integer)) else map(np.atleast_1d, axes)
    first, second = "abcdefgh"[:m], list("ijklmnop"[:n])
    for a, b in zip(one, two):
        second[b] = first[a]
    second = "".join(second)
    out = [a for a in first + second if (first + second).count(a) == 1]
    return einsum(tape, f"{first},{second}->{''.join(out)}", x, y)


def product(tape, x, axis=None, keepdims=False, **_):
    X = value_of(x)
    value = np.asarray(np.prod(X, axis=axis, keepdims=keepdims))
    if not X.all():
        raise Unrecorded("prod")
    slope = _expanded(value, X, axis) / X
    return note(tape, Node("prod", _parents([x]), [X], value, [lambda dz: slope * _expanded(dz, X, axis)], slopes=[slope],
                           axis=axis))


def cumprod(tape, x, axis=None, **_):
    if axis is None:
        x, axis = np.reshape(x, -1), 0
    X = value_of(x)
    value = np.cumprod(X, axis)
    if not X.all():
        raise Unrecorded("cumprod")
    return note(tape, Node("cumprod", _parents([x]), [X], value,
                           [lambda dz: np.flip(np.cumsum(np.flip(dz * value, axis), axis), axis) / X], axis=axis))


def add_at(tape, x, index, value):
    """``np.add.at``: x itself is another node afterwards."""
    X, V = value_of(x), value_of(value)
    changed = X.copy()
    np.add.at(changed, index, V)
    x._node = note(tape, Node("add", _parents([x, value]), [X, V], changed,
                              [lambda dz: dz, lambda dz: unbroadcast(np.asarray(dz[index]), np.shape(V))]))._node


def sort(tape, x, axis=-1, **_):
    return np.take_along_axis(x, np.argsort(value_of(x), axis=axis), axis)


def _expanded(y, x, axis):
    return np.expand_dims(y, tuple(range(x.ndim)) if axis is None else axis) if np.ndim(y) != x.ndim else y


def reduce(tape, kind, x, axis=None, keepdims=False, **rest):
    if any(v is not None for v in rest.values()):
        raise Unrecorded(kind)
    X = value_of(x)
    value = np.asarray(getattr(np, kind)(X, axis=axis, keepdims=keepdims))
    n = X.size / max(value.size, 1)
    if kind in ("sum", "mean"):
        slope = np.full(X.shape, 1 / n if kind == "mean" else 1.0)
    else:
        chosen = X == _expanded(value, X, axis)
        slope = chosen / chosen.sum(axis=axis, keepdims=True)
    return note(tape, Node(kind, _parents([x]), [X], value, [lambda dz: slope * _expanded(dz, X, axis)], slopes=[slope],
                           axis=axis))


def variance(tape, x, axis=None, keepdims=False, ddof=0, correction=None, **rest):
    if any(v is not None for v in rest.values()):
        raise Unrecorded("var")
    centered = x - np.mean(x, axis=axis, keepdims=True)
    total = np.sum(centered * centered, axis=axis, keepdims=keepdims)
    return total / (x.size / max(total.size, 1) - (ddof if correction is None else correction))


def cumsum(tape, x, axis=None, **_):
    if axis is None:
        x, axis = np.reshape(x, -1), 0
    X = value_of(x)
    return note(tape, Node("cumsum", _parents([x]), [X], np.cumsum(X, axis),
                          [lambda dz: np.flip(np.cumsum(np.flip(dz, axis), axis), axis)], axis=axis))


def moved(tape, kind, move, x, value=None, **extra):
    """``move`` does no more than place entries of x, perhaps several times (−1: not one of them)."""
    X = value_of(x)
    source = move(np.arange(X.size).reshape(X.shape))

    flat = source.reshape(-1)
    once = flat.size == 0 or flat.min() >= 0 and len(np.unique(flat)) == flat.size

    def back(dz):
        if once:
            dx = np.zeros(X.size)
            dx[flat] = dz.reshape(-1) if dz.shape == source.shape else np.broadcast_to(dz, source.shape).reshape(-1)
            return dx.reshape(X.shape)
        inside = source.reshape(-1) >= 0                    # what a padding put beside the entries comes from none of them
        return np.bincount(source.reshape(-1)[inside], np.broadcast_to(dz, source.shape).reshape(-1)[inside],
                           X.size).reshape(X.shape)

    return note(tape, Node(kind, _parents([x]), [X], np.asarray(move(X) if value is None else value), [back], source=source,
                           **extra))


def pad(tape, x, widths, mode="constant", **given):
    if mode != "constant":
        raise Unrecorded("pad")
    return moved(tape, "pad", lambda a: np.pad(a, widths, constant_values=-1), x, np.pad(value_of(x), widths, **given))


def getitem(tape, x, index):
    return moved(tape, "getitem", lambda a: a[index], x, index=index)


def setitem(tape, x, index, value):
    X, V = value_of(x), value_of(value)
    taken = value._node if isinstance(value, Traced) and value._node.kind == "getitem" else None
    if taken is not None and isinstance(index, np.ndarray) and index.dtype == bool and taken.extra["index"] is index \
            and taken.parents[0] is not None and taken.operands[0].shape == X.shape == index.shape:
        return where(tape, index, Traced(taken.parents[0], tape), x)            # x[m] = y[m]
    changed = X.copy()
    changed[index] = V

    def around(dz):
        dx = dz.copy()
        dx[index] = 0
        return dx

    return note(tape, Node("setitem", _parents([x, value]), [X, V], changed,
                          [around, lambda dz: unbroadcast(np.asarray(dz[index]), np.shape(V))]))


def concatenate(tape, arrays, axis=0, **_):
    values = [np.asarray(value_of(a)) for a in arrays]
    ends = np.cumsum([0] + [v.shape[axis] for v in values])

    def part(i):
        return lambda dz: np.moveaxis(np.moveaxis(dz, axis, 0)[ends[i]:ends[i + 1]], 0, axis)
    return note(tape, Node("concatenate", _parents(arrays), values, np.concatenate(values, axis),
                          [part(i) for i in range(len(values))], axis=axis))


def stack(tape, arrays, axis=0, **_):
    return concatenate(tape, [np.expand_dims(a, axis) for a in arrays], axis)


def where(tape, condition, x, y):
    condition, X, Y = value_of(condition), value_of(x), value_of(y)
    z = np.where(condition, X, Y)
    return elementwise(tape, "where", (x, y), z, (np.where(condition, 1.0, 0.0), np.where(condition, 0.0, 1.0)))


def clip(tape, x, low=None, high=None, **given):
    low, high = given.get("min", given.get("a_min", low)), given.get("max", given.get("a_max", high))
    X = value_of(x)
    inside = np.ones(X.shape, bool) if low is None else X >= low
    inside = inside if high is None else inside & (X <= high)
    return elementwise(tape, "clip", (x,), np.clip(X, low, high), (inside * 1.0,))


def split(tape, x, parts, axis=0):
    n = x.shape[axis]
    ends = [n // parts * i for i in range(1, parts)] if isinstance(parts, (int, np.integer)) else list(parts)
    index = (slice(None),) * (axis % x.ndim)
    return [x[(*index, slice(a, b))] for a, b in zip([0, *ends], [*ends, n])]


def dot(tape, x, y):
    if np.ndim(value_of(x)) == 0 or np.ndim(value_of(y)) == 0:
        return x * y
    if np.ndim(value_of(y)) > 2:
        raise Unrecorded("dot")
    return matmul(tape, x, y)
