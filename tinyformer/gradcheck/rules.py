"""The gradient of each NumPy operation that a forward pass may use, as nodes of a tape.

Operations that only move entries (reshape, indexing, joining, repeating) share one rule. The operation is applied to
the flat indices of the entries, and the gradient is added up at the index from which each entry came. ``dispatch`` maps
NumPy functions to these rules. Every rule takes the tape first and returns a ``Traced`` array.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph import unbroadcast
from .tape import Node, Unrecorded
from .traced import Traced, note, value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from .tape import Tape


def _parents(operands: Sequence[Any]) -> list[Node | None]:
    return [x._node if isinstance(x, Traced) else None for x in operands]


def unknown(tape: Tape, kind: str, f: Callable[[Any], Any], x: Any) -> Traced:
    """An elementwise function without a rule, such as SciPy's erf.

    Its derivative is measured by central differences.
    """
    X = value_of(x)
    h = 6e-6 * np.maximum(1, np.abs(X))
    return elementwise(tape, kind, (x,), np.asarray(f(X)), ((f(X + h) - f(X - h)) / (2 * h),))


def elementwise(tape: Tape, kind: str, inputs: Sequence[Any], z: NDArray[Any], slopes: Sequence[Any]) -> Traced:
    """An elementwise operation z of the inputs: dx = dz ⊙ ∂z/∂x, summed over broadcast axes.

    ``slopes`` are the ∂z/∂x.
    """
    values = [value_of(x) for x in inputs]
    return note(tape, Node(kind, _parents(inputs), values, z, [scaled(s, np.shape(x)) for s, x in zip(slopes, values)],
                          slopes=list(slopes)))


def scaled(slope: Any, shape: tuple[int, ...]) -> Callable[[Any], NDArray[Any]]:
    """dz ↦ slope ⊙ dz, summed to ``shape``."""
    def pull(dz: Any) -> NDArray[Any]:
        dx = np.asarray(dz * slope)
        return dx if dx.shape == shape else unbroadcast(dx, shape)
    return pull


def matmul(tape: Tape, x: Any, y: Any) -> Traced:
    """z = x y: dx = dz yᵀ, dy = xᵀ dz, summed over broadcast batch axes. Vectors count as rows (x) or columns (y)."""
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


def einsum(tape: Tape, equation: str, *operands: Any, **_: Any) -> Traced:
    """``np.einsum``. The gradient of an operand is the einsum of dz with all other operands."""
    values = [value_of(x) for x in operands]
    terms, out = einsum_terms(equation, [np.ndim(v) for v in values])
    if any(len(set(t)) < len(t) for t in terms):
        raise Unrecorded("einsum")
    return note(tape, Node("einsum", _parents(operands), values,
                           np.asarray(np.einsum(",".join(terms) + "->" + out, *values)),
                          [einsum_pull(terms, out, values, i) for i in range(len(terms))], terms=terms, out=out))


def einsum_terms(equation: str, ndims: Sequence[int]) -> tuple[list[str], str]:
    """The letters of each operand and of the result, with letters in place of "..."."""
    left, arrow, out = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if not arrow:
        out = "..." * ("." in left) + "".join(sorted(a for a in set(left) - {",", "."} if left.count(a) == 1))
    spare = [a for a in "ZYXWVUTSRQPON" if a not in equation]
    many = [n - len(t.replace("...", "")) for t, n in zip(terms, ndims)]
    rest = "".join(spare[:max([n for n, t in zip(many, terms) if "." in t], default=0)])
    return [t.replace("...", rest[len(rest) - n:]) for t, n in zip(terms, many)], out.replace("...", rest)


def einsum_pull(terms: Sequence[str], out: str, values: Sequence[Any], i: int) -> Callable[[Any], NDArray[Any]]:
    """dz ↦ the gradient of operand i of an einsum. An axis that only operand i has is broadcast."""
    others = [j for j in range(len(terms)) if j != i]
    seen = set(out).union(*(terms[j] for j in others))
    kept = "".join(a for a in terms[i] if a in seen)

    def back(dz):
        dx = np.einsum(",".join([out, *(terms[j] for j in others)]) + "->" + kept, dz, *(values[j] for j in others))
        return np.broadcast_to(dx.reshape([n if a in seen else 1 for a, n in zip(terms[i], values[i].shape)]),
                               values[i].shape)
    return back


def tensordot(tape: Tape, x: Any, y: Any, axes: Any = 2) -> Traced:
    """``np.tensordot``, as an einsum."""
    m, n = np.ndim(value_of(x)), np.ndim(value_of(y))
    if isinstance(axes, (int, np.integer)):
        axes = [*range(m - axes, m)], [*range(axes)]
    one, two = map(np.atleast_1d, axes)
    first, second = "abcdefgh"[:m], list("ijklmnop"[:n])
    for a, b in zip(one, two):
        second[b] = first[a]
    second = "".join(second)
    out = [a for a in first + second if (first + second).count(a) == 1]
    return einsum(tape, f"{first},{second}->{''.join(out)}", x, y)


def product(tape: Tape, x: Any, axis: Any = None, keepdims: bool = False, **_: Any) -> Traced:
    """z = ∏ x along an axis: dx = dz z / x. Raises ``Unrecorded`` if an entry of x is 0."""
    X = value_of(x)
    value = np.asarray(np.prod(X, axis=axis, keepdims=keepdims))
    if not X.all():
        raise Unrecorded("prod")
    slope = _expanded(value, X, axis) / X
    return note(tape, Node("prod", _parents([x]), [X], value, [lambda dz: slope * _expanded(dz, X, axis)],
                           slopes=[slope],
                           axis=axis))


def cumprod(tape: Tape, x: Any, axis: int | None = None, **_: Any) -> Traced:
    """z_t = x_0 … x_t along an axis: dx_t = Σ_{s ≥ t} dz_s z_s / x_t. Raises ``Unrecorded`` if an entry of x is 0."""
    if axis is None:
        x, axis = np.reshape(x, -1), 0
    X = value_of(x)
    value = np.cumprod(X, axis)
    if not X.all():
        raise Unrecorded("cumprod")
    return note(tape, Node("cumprod", _parents([x]), [X], value,
                           [lambda dz: np.flip(np.cumsum(np.flip(dz * value, axis), axis), axis) / X], axis=axis))


def add_at(tape: Tape, x: Traced, index: Any, value: Any) -> None:
    """``np.add.at``, which changes x in place: x refers to a new node afterwards."""
    X, V = value_of(x), value_of(value)
    changed = X.copy()
    np.add.at(changed, index, V)
    x._node = note(tape, Node("add", _parents([x, value]), [X, V], changed,
                              [lambda dz: dz, lambda dz: unbroadcast(np.asarray(dz[index]), np.shape(V))]))._node


def sort(tape: Tape, x: Any, axis: int = -1, **_: Any) -> Traced:
    """``np.sort``, as indexing with ``np.argsort``."""
    return np.take_along_axis(x, np.argsort(value_of(x), axis=axis), axis)


def _expanded(y: Any, x: NDArray[Any], axis: Any) -> Any:
    return np.expand_dims(y, tuple(range(x.ndim)) if axis is None else axis) if np.ndim(y) != x.ndim else y


def reduce(tape: Tape, kind: str, x: Any, axis: Any = None, keepdims: bool = False, **rest: Any) -> Traced:
    """"sum", "mean", "max" or "min" along an axis. Entries that tie for the maximum share its gradient."""
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


def variance(tape: Tape, x: Any, axis: Any = None, keepdims: bool = False, ddof: int = 0, correction: int | None = None,
             **rest: Any) -> Traced:
    """``np.var``, as a mean, a difference, a square and a sum."""
    if any(v is not None for v in rest.values()):
        raise Unrecorded("var")
    centered = x - np.mean(x, axis=axis, keepdims=True)
    total = np.sum(centered * centered, axis=axis, keepdims=keepdims)
    return total / (x.size / max(total.size, 1) - (ddof if correction is None else correction))


def cumsum(tape: Tape, x: Any, axis: int | None = None, **_: Any) -> Traced:
    """z_t = x_0 + … + x_t along an axis: dx_t = Σ_{s ≥ t} dz_s."""
    if axis is None:
        x, axis = np.reshape(x, -1), 0
    X = value_of(x)
    return note(tape, Node("cumsum", _parents([x]), [X], np.cumsum(X, axis),
                          [lambda dz: np.flip(np.cumsum(np.flip(dz, axis), axis), axis)], axis=axis))


def moved(tape: Tape, kind: str, move: Callable[[Any], Any], x: Any, value: Any = None, **extra: Any) -> Traced:
    """An operation ``move`` that only moves or repeats entries of x.

    The index −1 stands for an entry that is not from x.
    """
    X = value_of(x)
    source = move(np.arange(X.size).reshape(X.shape))

    flat = source.reshape(-1)
    once = flat.size == 0 or flat.min() >= 0 and len(np.unique(flat)) == flat.size

    def back(dz):
        if once:
            dx = np.zeros(X.size)
            dx[flat] = dz.reshape(-1) if dz.shape == source.shape else np.broadcast_to(dz, source.shape).reshape(-1)
            return dx.reshape(X.shape)
        inside = source.reshape(-1) >= 0                    # padding comes from no entry of x
        return np.bincount(source.reshape(-1)[inside], np.broadcast_to(dz, source.shape).reshape(-1)[inside],
                           X.size).reshape(X.shape)

    return note(tape, Node(kind, _parents([x]), [X], np.asarray(move(X) if value is None else value), [back],
                           source=source,
                           **extra))


def pad(tape: Tape, x: Any, widths: Any, mode: str = "constant", **given: Any) -> Traced:
    """``np.pad`` with constants. Raises ``Unrecorded`` for other modes."""
    if mode != "constant":
        raise Unrecorded("pad")
    return moved(tape, "pad", lambda a: np.pad(a, widths, constant_values=-1), x, np.pad(value_of(x), widths, **given))


def getitem(tape: Tape, x: Any, index: Any) -> Traced:
    """x[index]: the gradients are added at the entries that were taken."""
    return moved(tape, "getitem", lambda a: a[index], x, index=index)


def setitem(tape: Tape, x: Any, index: Any, value: Any) -> Traced:
    """The array x after ``x[index] = value``: the gradient at ``index`` goes to ``value``, the rest to x."""
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


def concatenate(tape: Tape, arrays: Sequence[Any], axis: int = 0, **_: Any) -> Traced:
    """``np.concatenate``: each array gets its part of the gradient."""
    values = [np.asarray(value_of(a)) for a in arrays]
    ends = np.cumsum([0] + [v.shape[axis] for v in values])

    def part(i):
        return lambda dz: np.moveaxis(np.moveaxis(dz, axis, 0)[ends[i]:ends[i + 1]], 0, axis)
    return note(tape, Node("concatenate", _parents(arrays), values, np.concatenate(values, axis),
                          [part(i) for i in range(len(values))], axis=axis))


def stack(tape: Tape, arrays: Sequence[Any], axis: int = 0, **_: Any) -> Traced:
    """``np.stack``, as a concatenation."""
    return concatenate(tape, [np.expand_dims(a, axis) for a in arrays], axis)


def where(tape: Tape, condition: Any, x: Any, y: Any) -> Traced:
    """``np.where``: x gets the gradient where the condition is true, y elsewhere."""
    condition, X, Y = value_of(condition), value_of(x), value_of(y)
    z = np.where(condition, X, Y)
    return elementwise(tape, "where", (x, y), z, (np.where(condition, 1.0, 0.0), np.where(condition, 0.0, 1.0)))


def clip(tape: Tape, x: Any, low: Any = None, high: Any = None, **given: Any) -> Traced:
    """``np.clip``: the gradient passes where low ≤ x ≤ high."""
    low, high = given.get("min", given.get("a_min", low)), given.get("max", given.get("a_max", high))
    X = value_of(x)
    inside = np.ones(X.shape, bool) if low is None else X >= low
    inside = inside if high is None else inside & (X <= high)
    return elementwise(tape, "clip", (x,), np.clip(X, low, high), (inside * 1.0,))


def split(tape: Tape, x: Any, parts: Any, axis: int = 0) -> list[Traced]:
    """``np.split``, as indexing."""
    n = x.shape[axis]
    ends = [n // parts * i for i in range(1, parts)] if isinstance(parts, (int, np.integer)) else list(parts)
    index = (slice(None),) * (axis % x.ndim)
    return [x[(*index, slice(a, b))] for a, b in zip([0, *ends], [*ends, n])]


def dot(tape: Tape, x: Any, y: Any) -> Traced:
    """``np.dot`` of scalars, vectors and matrices. Raises ``Unrecorded`` if y has more than two axes."""
    if np.ndim(value_of(x)) == 0 or np.ndim(value_of(y)) == 0:
        return x * y
    if np.ndim(value_of(y)) > 2:
        raise Unrecorded("dot")
    return matmul(tape, x, y)
