"""Arrays that note on a tape what is done to them."""

from __future__ import annotations

import numpy as np

from .tape import Unrecorded


def value_of(x):
    """The plain array behind x."""
    return x._node.value if isinstance(x, Traced) else x


class Traced:
    """An array that notes on a tape what is done to it. It looks like an ndarray as far as forward passes look at one."""

    __slots__ = ("_node", "_tape")
    __hash__ = object.__hash__

    def __init__(self, node, tape):
        self._node, self._tape = node, tape

    shape = property(lambda self: self._node.value.shape)
    ndim = property(lambda self: self._node.value.ndim)
    size = property(lambda self: self._node.value.size)
    dtype = property(lambda self: self._node.value.dtype)
    T = property(lambda self: self.transpose())

    def __len__(self):
        return len(self._node.value)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __bool__(self):
        return bool(self._node.value)

    def __array__(self, *_, **__):
        raise Unrecorded("an array was taken out of the record")

    def __float__(self):
        raise Unrecorded("a number was taken out of the record")

    item = __float__

    # -- what NumPy asks

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **given):
        from .dispatch import ufunc_rule
        result = ufunc_rule(self._tape, ufunc, method, inputs, given)
        if out is not None:
            target = out[0]
            if not isinstance(target, Traced):
                raise Unrecorded("written into an array that is not followed")
            target._node = result._node
            return target
        return result

    def __array_function__(self, function, types, args, given):
        from .dispatch import function_rule
        return function_rule(self._tape, function, args, given)

    # -- operators, through the ufuncs

    def __add__(self, other): return np.add(self, other)
    def __radd__(self, other): return np.add(other, self)
    def __sub__(self, other): return np.subtract(self, other)
    def __rsub__(self, other): return np.subtract(other, self)
    def __mul__(self, other): return np.multiply(self, other)
    def __rmul__(self, other): return np.multiply(other, self)
    def __truediv__(self, other): return np.divide(self, other)
    def __rtruediv__(self, other): return np.divide(other, self)
    def __pow__(self, other): return np.power(self, other)
    def __rpow__(self, other): return np.power(other, self)
    def __matmul__(self, other): return np.matmul(self, other)
    def __rmatmul__(self, other): return np.matmul(other, self)
    def __neg__(self): return np.negative(self)
    def __abs__(self): return np.abs(self)
    def __lt__(self, other): return value_of(self) < value_of(other)
    def __le__(self, other): return value_of(self) <= value_of(other)
    def __gt__(self, other): return value_of(self) > value_of(other)
    def __ge__(self, other): return value_of(self) >= value_of(other)
    def __eq__(self, other): return value_of(self) == value_of(other)
    def __ne__(self, other): return value_of(self) != value_of(other)

    # -- indexing

    def __getitem__(self, index):
        from .rules import getitem
        return getitem(self._tape, self, index)

    def __setitem__(self, index, value):
        from .rules import setitem
        self._node = setitem(self._tape, self, index, value)._node

    # -- methods, through the functions

    def copy(self): return np.multiply(self, 1.0)
    def astype(self, dtype, **_): return self
    def dot(self, other): return np.dot(self, other)
    def sum(self, *args, **given): return np.sum(self, *args, **given)
    def mean(self, *args, **given): return np.mean(self, *args, **given)
    def var(self, *args, **given): return np.var(self, *args, **given)
    def std(self, *args, **given): return np.std(self, *args, **given)
    def max(self, *args, **given): return np.max(self, *args, **given)
    def min(self, *args, **given): return np.min(self, *args, **given)
    def prod(self, *args, **given): return np.prod(self, *args, **given)
    def cumsum(self, *args, **given): return np.cumsum(self, *args, **given)
    def cumprod(self, *args, **given): return np.cumprod(self, *args, **given)
    def diagonal(self, *args, **given): return np.diagonal(self, *args, **given)
    def trace(self): return np.trace(self)
    def clip(self, *args, **given): return np.clip(self, *args, **given)
    def argmax(self, *args, **given): return np.argmax(value_of(self), *args, **given)
    def any(self, *args, **given): return np.any(value_of(self), *args, **given)
    def all(self, *args, **given): return np.all(value_of(self), *args, **given)
    def argsort(self, *args, **given): return np.argsort(value_of(self), *args, **given)
    def argmin(self, *args, **given): return np.argmin(value_of(self), *args, **given)
    def reshape(self, *shape, **_): return np.reshape(self, shape[0] if len(shape) == 1 else shape)
    def ravel(self): return np.reshape(self, -1)
    def flatten(self): return np.reshape(self, -1)
    def squeeze(self, axis=None): return np.squeeze(self, axis)
    def swapaxes(self, a, b): return np.swapaxes(self, a, b)
    def repeat(self, *args, **given): return np.repeat(self, *args, **given)
    def take(self, *args, **given): return np.take(self, *args, **given)

    def transpose(self, *axes):
        return np.transpose(self, axes[0] if len(axes) == 1 else axes or None)


def note(tape, node):
    """The node put on the tape, and its value as an array that is followed on."""
    return Traced(tape.note(node), tape)
