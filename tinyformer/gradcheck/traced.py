"""Arrays that record on a tape every operation applied to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .tape import Unrecorded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .tape import Node, Tape


def value_of(x: Any) -> Any:
    """The plain array behind a ``Traced`` array; anything else unchanged."""
    return x._node.value if isinstance(x, Traced) else x


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    """A method that applies ``function`` to its array."""
    return lambda self, *args, **given: function(self, *args, **given)


def _unrecorded(function: Callable[..., Any]) -> Callable[..., Any]:
    """A method that applies ``function`` to the plain array."""
    return lambda self, *args, **given: function(self._node.value, *args, **given)


# Any: to infer the types of these overloaded functions takes type checkers minutes.
_RECORDED: Any = (np.dot, np.sum, np.mean, np.var, np.std, np.max, np.min, np.prod, np.cumsum, np.cumprod, np.diagonal,
                  np.trace, np.clip, np.squeeze, np.swapaxes, np.repeat, np.take)
_UNRECORDED: Any = (np.any, np.all, np.argmax, np.argmin, np.argsort)


class Traced:
    """An array that records every operation on a tape.

    It has the part of ndarray's interface that forward passes use.
    """

    __slots__ = ("_node", "_tape")
    __hash__ = object.__hash__

    def __init__(self, node: Node, tape: Tape) -> None:
        self._node, self._tape = node, tape

    shape = property(lambda self: self._node.value.shape)
    ndim = property(lambda self: self._node.value.ndim)
    size = property(lambda self: self._node.value.size)
    dtype = property(lambda self: self._node.value.dtype)
    T = property(lambda self: self.transpose())

    def __len__(self) -> int:
        return len(self._node.value)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self._node.value)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise Unrecorded("the forward pass converts an array")

    def __float__(self) -> Any:
        raise Unrecorded("the forward pass converts an array to a number")

    item = __float__

    # -- NumPy's protocols

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **given: Any) -> Any:
        from .dispatch import ufunc_rule
        result = ufunc_rule(self._tape, ufunc, method, inputs, given)
        if out is not None:
            target = out[0]
            if not isinstance(target, Traced):
                raise Unrecorded("the forward pass writes into an array that is not recorded")
            target._node = result._node
            return target
        return result

    def __array_function__(self, function: Any, types: Any, args: Any, given: Any) -> Any:
        from .dispatch import function_rule
        return function_rule(self._tape, function, args, given)

    # -- operators, through the ufuncs

    def __add__(self, other: Any) -> Any: return np.add(self, other)
    def __radd__(self, other: Any) -> Any: return np.add(other, self)
    def __sub__(self, other: Any) -> Any: return np.subtract(self, other)
    def __rsub__(self, other: Any) -> Any: return np.subtract(other, self)
    def __mul__(self, other: Any) -> Any: return np.multiply(self, other)
    def __rmul__(self, other: Any) -> Any: return np.multiply(other, self)
    def __truediv__(self, other: Any) -> Any: return np.divide(self, other)
    def __rtruediv__(self, other: Any) -> Any: return np.divide(other, self)
    def __pow__(self, other: Any) -> Any: return np.power(self, other)
    def __rpow__(self, other: Any) -> Any: return np.power(other, self)
    def __matmul__(self, other: Any) -> Any: return np.matmul(self, other)
    def __rmatmul__(self, other: Any) -> Any: return np.matmul(other, self)
    def __neg__(self) -> Any: return np.negative(self)
    def __abs__(self) -> Any: return np.abs(self)
    def __lt__(self, other: Any) -> Any: return value_of(self) < value_of(other)
    def __le__(self, other: Any) -> Any: return value_of(self) <= value_of(other)
    def __gt__(self, other: Any) -> Any: return value_of(self) > value_of(other)
    def __ge__(self, other: Any) -> Any: return value_of(self) >= value_of(other)
    def __eq__(self, other: Any) -> Any: return value_of(self) == value_of(other)
    def __ne__(self, other: Any) -> Any: return value_of(self) != value_of(other)

    # -- indexing

    def __getitem__(self, index: Any) -> Any:
        from .rules import getitem
        return getitem(self._tape, self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        from .rules import setitem
        self._node = setitem(self._tape, self, index, value)._node

    # -- methods, through the functions

    copy = _method(lambda x: np.multiply(x, 1.0))
    astype = _method(lambda x, *_, **__: x)
    reshape = _method(lambda x, *shape, **_: np.reshape(x, shape[0] if len(shape) == 1 else shape))
    ravel = flatten = _method(lambda x: np.reshape(x, -1))
    transpose = _method(lambda x, *axes: np.transpose(x, axes[0] if len(axes) == 1 else axes or None))
    (dot, sum, mean, var, std, max, min, prod, cumsum, cumprod, diagonal, trace, clip, squeeze, swapaxes, repeat,
     take) = map(_method, _RECORDED)
    any, all, argmax, argmin, argsort = map(_unrecorded, _UNRECORDED)


def note(tape: Tape, node: Node) -> Traced:
    """Append the node to the tape. Returns its value as a ``Traced`` array."""
    return Traced(tape.note(node), tape)
