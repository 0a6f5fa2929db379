"""Run a function on traced arrays (``record``), with substitutes for NumPy and for the library's operations."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph import unbroadcast
from .numpy_steps import Library, Lifted, kernel
from .rules import unknown
from .tape import NUMPY, Node, Tape, Unrecorded
from .traced import Traced, note, value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray


def record(fn: Callable[..., Any], arrays: Sequence[Any], wanted: Sequence[bool], options: Mapping[str, Any]) -> Tape:
    """The tape of one call of fn.

    fn          arrays → (value, vjp), or (a tuple of values, vjp)
    arrays      the arguments; those with a true entry in ``wanted`` are recorded
    options     keyword arguments of fn

    Raises ``Unrecorded`` if the call fails on traced arrays or no output depends on a recorded argument.
    """
    tape = Tape()
    arguments = []
    for array, follow in zip(arrays, wanted):
        leaf = tape.note(Node("input", [], [], array.copy(), [])) if follow else None
        tape.leaves.append(leaf)
        arguments.append(Traced(leaf, tape) if follow else array)
    try:
        value, _ = _within(fn, tape)(*arguments, **options)
    except Unrecorded:
        raise
    except Exception as error:
        raise Unrecorded(str(error)) from None
    for y in value if isinstance(value, tuple) else (value,):
        tape.outputs.append(y._node if isinstance(y, Traced) else None)
    if not any(tape.outputs):
        raise Unrecorded("no output depends on a recorded argument")
    return tape


def _within(fn: Any, tape: Tape, depth: int = 0) -> Any:
    """fn, and the functions that it calls, with a NumPy whose new arrays are recorded too.

    Without it, ``y = np.zeros(…); y[t] = h`` would lose h.
    """
    if not isinstance(fn, types.FunctionType) or fn.__code__.co_filename.startswith(NUMPY) or depth > 3:
        return fn
    proxies = {name: _followed(value, tape, depth) for name, value in fn.__globals__.items()
               if name in _names(fn.__code__) and value is not fn}
    cells = tuple(types.CellType(_within(cell.cell_contents, tape, depth + 1))
                  if _filled(cell) and isinstance(cell.cell_contents, types.FunctionType) else cell
                  for cell in fn.__closure__ or ())
    copy = types.FunctionType(fn.__code__, {**fn.__globals__, **proxies}, fn.__name__, fn.__defaults__, cells or None)
    copy.__kwdefaults__ = fn.__kwdefaults__
    return copy


def _names(code: types.CodeType) -> set[str]:
    """The global names in a code object and in the functions and comprehensions within it."""
    return set(code.co_names).union(*(_names(c) for c in code.co_consts if isinstance(c, types.CodeType)))


def _followed(value: Any, tape: Tape, depth: int) -> Any:
    """The substitute for an object to which a forward pass refers."""
    library = __package__.partition(".")[0]
    if value is np:
        return _Numpy(tape)
    if hasattr(value, "raw") and hasattr(value, "input_name"):
        return Lifted(value, Traced, lambda operation, args, options: _opaque(tape, operation, args, options))
    if isinstance(value, types.ModuleType) and value.__name__ in (f"{library}.ops", f"{library}.kernels"):
        return Library(value, lambda member: _followed(member, tape, depth))
    if getattr(value, "__module__", None) == f"{library}.kernels" and kernel(value, Traced):
        return kernel(value, Traced)
    if isinstance(value, np.vectorize):
        return lambda x: unknown(tape, "vectorize", value, x) if isinstance(x, Traced) else value(x)
    return _within(value, tape, depth + 1)


def _opaque(tape: Tape, operation: Any, args: Sequence[Any], options: Mapping[str, Any]) -> Traced:
    """An operation of the library as one node, with its own vjp."""
    values = [value_of(a) for a in args]
    value, vjp = operation.raw(*values, **options)
    if isinstance(value, tuple):
        raise Unrecorded(operation.__name__)

    def pull(i):
        def back(dz):
            gradients = vjp(np.asarray(dz))
            return unbroadcast(np.asarray(gradients[i] if isinstance(gradients, tuple) else gradients),
                               np.shape(values[i]))
        return back
    parents = [a._node if isinstance(a, Traced) else None for a in args]
    return note(tape, Node(operation.__name__, parents, values, np.asarray(value), [pull(i) for i in range(len(args))]))


def _filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


class _Numpy:
    """NumPy, with recorded results for the functions that create arrays."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def __getattr__(self, name):
        return getattr(np, name)

    def _new(self, array: NDArray[Any]) -> Any:
        return Traced(self._tape.note(Node("constant", [], [], array, [])),
                      self._tape) if array.dtype.kind == "f" else array

    def zeros(self, *args, **given):
        return self._new(np.zeros(*args, **given))

    def empty(self, *args, **given):
        return self._new(np.zeros(*args, **given))

    def ones(self, *args, **given):
        return self._new(np.ones(*args, **given))

    def zeros_like(self, x, **given):
        return self._new(np.zeros_like(value_of(x), **given))

    def empty_like(self, x, **given):
        return self.zeros_like(x, **given)

    def ones_like(self, x, **given):
        return self._new(np.ones_like(value_of(x), **given))

    def full(self, *args, **given):
        return self._new(np.full(*args, **given))

    def full_like(self, x, *args, **given):
        return self._new(np.full_like(value_of(x), *args, **given))

    def ascontiguousarray(self, x, *args, **given):
        return self.asarray(x, *args, **given)

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
