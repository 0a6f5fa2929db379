"""The forward pass of a function of arrays, recorded as a graph: what the doctor tries its suspicions on.

``record(fn, arrays, wanted)`` runs fn on ``Traced`` arrays, which note every NumPy operation with its rule for the gradient.
From the notes comes the true gradient, and that of the same function with any one rule exchanged for a wrong one: if that is
what the learner's vjp gives, number for number, the mistake is found, and with it the place in their forward pass.

The rules stand in ``rules.py``. What cannot be recorded raises ``Unrecorded``, and the doctor does without.
"""

from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np

from ..autograd import unbroadcast
from .plain import Library, Lifted

HERE = str(Path(__file__).parent)
NUMPY = str(Path(np.__file__).parent)


class Unrecorded(Exception):
    """Something in the forward pass cannot be followed."""


class Node:
    """One NumPy operation that was applied.

    kind        its name, such as "tanh" or "matmul"
    parents     the nodes of its operands, None for constants
    operands    their values
    value       what came out
    pulls       for each operand, the function from the gradient of the value to that of the operand
    extra       what rules need besides: slopes, axes
    site        where in the source it stands; equal for the turns of a loop
    """

    __slots__ = ("kind", "parents", "operands", "value", "pulls", "extra", "site", "number")

    def __init__(self, kind, parents, operands, value, pulls, **extra):
        self.kind, self.parents, self.operands, self.value, self.pulls = kind, parents, operands, value, pulls
        self.extra, self.site, self.number = extra, None, -1


class Tape:
    """The nodes in the order in which they were made; ``leaves`` are those of the arguments, ``outputs`` those of the values."""

    def __init__(self):
        self.nodes, self.leaves, self.outputs = [], [], []

    def note(self, node):
        node.site, node.number = _site(), len(self.nodes)
        self.nodes.append(node)
        return Traced(node, self)

    def gradients(self, cotangents, edits=None, only=None):
        """{node number: gradient} for every node that the outputs depend on.

        edits       {(node number, operand): function of the gradient}, rules to be used instead
        only        numbers of the nodes whose gradients matter; None: all
        """
        edits = edits or {}
        arrived = {}
        for node, c in zip(self.outputs, cotangents):
            if node is not None:
                arrived[node.number] = arrived.get(node.number, 0) + c
        for node in reversed(self.nodes):
            dz = arrived.get(node.number)
            if dz is None:
                continue
            for i, parent in enumerate(node.parents):
                if parent is not None and (only is None or parent.number in only):
                    pull = edits.get((node.number, i), node.pulls[i])
                    if pull is not None:
                        dx = pull(dz)
                        arrived[parent.number] = arrived[parent.number] + dx if parent.number in arrived else dx
        return arrived

    def gradient(self, i, cotangents, edits=None, only=None):
        """The gradient of argument i."""
        leaf = self.leaves[i]
        found = self.gradients(cotangents, edits, only).get(leaf.number)
        return np.zeros(leaf.value.shape) if found is None else np.broadcast_to(found, leaf.value.shape)


def _site():
    """The instructions that led here, from the recorded function down: (code, offset) each."""
    frame, place = sys._getframe(2), []
    while frame is not None:
        code = frame.f_code
        if code is record.__code__:
            break
        # pytest's word for a frame that is of no interest: what only passes the call on to the function of interest.
        if not code.co_filename.startswith((HERE, NUMPY)) and "__tracebackhide__" not in code.co_varnames:
            place.append((code, frame.f_lasti, frame.f_lineno))
        frame = frame.f_back
    return tuple(place)


# ------------------------------------------------------------------------------------------------ recording

def record(fn, arrays, wanted, options):
    """The tape of fn run on the arrays, of which those ``wanted`` are followed."""
    tape = Tape()
    arguments = []
    for array, follow in zip(arrays, wanted):
        traced = tape.note(Node("input", [], [], array.copy(), [])) if follow else array
        tape.leaves.append(traced._node if follow else None)
        arguments.append(traced)
    try:
        value, _ = _within(fn, tape)(*arguments, **options)
    except Unrecorded:
        raise
    except Exception as error:
        raise Unrecorded(str(error)) from None
    for y in value if isinstance(value, tuple) else (value,):
        tape.outputs.append(y._node if isinstance(y, Traced) else None)
    if not any(tape.outputs):
        raise Unrecorded("no value was followed")
    return tape


def _within(fn, tape, depth=0):
    """fn with a NumPy whose new arrays are followed too, in the functions that it calls as well: ``y = np.zeros(…); y[t] = h`` would
    lose h otherwise."""
    if not isinstance(fn, types.FunctionType) or fn.__code__.co_filename.startswith(NUMPY) or depth > 3:
        return fn
    proxies = {name: _followed(value, tape, depth) for name, value in fn.__globals__.items()
               if name in _names(fn.__code__) and value is not fn}
    cells = tuple(types.CellType(_within(cell.cell_contents, tape, depth + 1))
                  if _filled(cell) and isinstance(cell.cell_contents, types.FunctionType) else cell for cell in fn.__closure__ or ())
    copy = types.FunctionType(fn.__code__, {**fn.__globals__, **proxies}, fn.__name__, fn.__defaults__, cells or None)
    copy.__kwdefaults__ = fn.__kwdefaults__
    return copy


def _names(code):
    """The global names in a piece of code and in the functions and comprehensions within it."""
    return set(code.co_names).union(*(_names(c) for c in code.co_consts if isinstance(c, types.CodeType)))


def _followed(value, tape, depth):
    """What stands in the place of a name that a forward pass refers to."""
    def lifted(operation):
        return Lifted(operation, Traced, lambda operation, args, options: _opaque(tape, operation, args, options))

    from .rules import unknown
    if value is np:
        return _Numpy(tape)
    if hasattr(value, "raw") and hasattr(value, "input_name"):
        return lifted(value)
    if isinstance(value, types.ModuleType) and value.__name__ == f"{__package__.partition('.')[0]}.ops":
        return Library(value, lifted)
    if isinstance(value, np.vectorize):
        return lambda x: unknown(tape, "vectorize", value, x) if isinstance(x, Traced) else value(x)
    return _within(value, tape, depth + 1)


def _opaque(tape, operation, args, options):
    """An operation of the library as one step, with its own vjp."""
    values = [_value(a) for a in args]
    value, vjp = operation.raw(*values, **options)
    if isinstance(value, tuple):
        raise Unrecorded(operation.__name__)

    def pull(i):
        def back(dz):
            gradients = vjp(np.asarray(dz))
            return unbroadcast(np.asarray(gradients[i] if isinstance(gradients, tuple) else gradients), np.shape(values[i]))
        return back
    parents = [a._node if isinstance(a, Traced) else None for a in args]
    return tape.note(Node(operation.__name__, parents, values, np.asarray(value), [pull(i) for i in range(len(args))]))


def _filled(cell):
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


class _Numpy:
    """numpy, but for the functions that make arrays out of nothing or out of lists."""

    def __init__(self, tape):
        self._tape = tape

    def __getattr__(self, name):
        return getattr(np, name)

    def _new(self, array):
        return self._tape.note(Node("constant", [], [], array, [])) if array.dtype.kind == "f" else array

    def zeros(self, *args, **given):
        return self._new(np.zeros(*args, **given))

    def empty(self, *args, **given):
        return self._new(np.zeros(*args, **given))

    def ones(self, *args, **given):
        return self._new(np.ones(*args, **given))

    def zeros_like(self, x, **given):
        return self._new(np.zeros_like(_value(x), **given))

    def empty_like(self, x, **given):
        return self.zeros_like(x, **given)

    def ones_like(self, x, **given):
        return self._new(np.ones_like(_value(x), **given))

    def full(self, *args, **given):
        return self._new(np.full(*args, **given))

    def full_like(self, x, *args, **given):
        return self._new(np.full_like(_value(x), *args, **given))

    def vectorize(self, *args, **given):
        return _followed(np.vectorize(*args, **given), self._tape, 0)

    def array(self, x, *args, **given):
        return self.asarray(x.copy() if isinstance(x, Traced) else x, *args, **given)

    def asarray(self, x, *args, **given):
        if isinstance(x, Traced):
            return x
        if isinstance(x, (list, tuple)) and any(isinstance(v, Traced) for v in x):
            return np.stack([np.asarray(v) if not isinstance(v, Traced) else v for v in x])
        return np.asarray(x, *args, **given)


def _value(x):
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
        from .rules import ufunc_rule
        result = ufunc_rule(self._tape, ufunc, method, inputs, given)
        if out is not None:
            target = out[0]
            if not isinstance(target, Traced):
                raise Unrecorded("written into an array that is not followed")
            target._node = result._node
            return target
        return result

    def __array_function__(self, function, types, args, given):
        from .rules import function_rule
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
    def __lt__(self, other): return _value(self) < _value(other)
    def __le__(self, other): return _value(self) <= _value(other)
    def __gt__(self, other): return _value(self) > _value(other)
    def __ge__(self, other): return _value(self) >= _value(other)
    def __eq__(self, other): return _value(self) == _value(other)
    def __ne__(self, other): return _value(self) != _value(other)

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
    def cumsum(self, *args, **given): return np.cumsum(self, *args, **given)
    def clip(self, *args, **given): return np.clip(self, *args, **given)
    def argmax(self, *args, **given): return np.argmax(_value(self), *args, **given)
    def any(self, *args, **given): return np.any(_value(self), *args, **given)
    def all(self, *args, **given): return np.all(_value(self), *args, **given)
    def argsort(self, *args, **given): return np.argsort(_value(self), *args, **given)
    def argmin(self, *args, **given): return np.argmin(_value(self), *args, **given)
    def reshape(self, *shape, **_): return np.reshape(self, shape[0] if len(shape) == 1 else shape)
    def ravel(self): return np.reshape(self, -1)
    def flatten(self): return np.reshape(self, -1)
    def squeeze(self, axis=None): return np.squeeze(self, axis)
    def swapaxes(self, a, b): return np.swapaxes(self, a, b)
    def repeat(self, *args, **given): return np.repeat(self, *args, **given)
    def take(self, *args, **given): return np.take(self, *args, **given)

    def transpose(self, *axes):
        return np.transpose(self, axes[0] if len(axes) == 1 else axes or None)
