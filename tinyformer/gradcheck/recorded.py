"""An array that answers NumPy with the library's operations, so that a forward pass becomes the engine's graph."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import ops
from ..autograd import Tensor
from .numpy_table import FUNCTIONS, METHODS, OPAQUE, UFUNCS, VALUES, Unrecorded, added_at, mapped, opaque, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

METHODS_OF_ARRAYS = {"dot", "sum", "mean", "var", "std", "max", "min", "prod", "cumsum", "cumprod", "diagonal", "trace",
                     "clip", "squeeze", "swapaxes", "repeat", "take", "argmax", "argmin", "argsort", "any", "all",
                     "copy", "round", "nonzero"}
# ``f(x)`` and ``x.f`` without a gradient: comparisons, rounding, tests.
CONSTANT = {np.sign, np.floor, np.ceil, np.rint, np.trunc, np.heaviside}


class Recorded(np.lib.mixins.NDArrayOperatorsMixin):
    """A tensor in the clothes of an array: NumPy's functions and operators on it call operations of the library.

    note        called with each new tensor
    base        (array, index) if it is a view of another recorded array, which in-place changes must reach
    written     what the base became when this view was last changed in place
    """

    __slots__ = ("tensor", "note", "base", "written")
    __hash__ = object.__hash__

    def __init__(self, tensor: Tensor, note: Callable[[Tensor], None], base: Any = None) -> None:
        self.tensor, self.note, self.base, self.written = tensor, note, base, None

    shape = property(lambda self: self.tensor.data.shape)
    ndim = property(lambda self: self.tensor.data.ndim)
    size = property(lambda self: self.tensor.data.size)
    dtype = property(lambda self: self.tensor.data.dtype)
    T = property(lambda self: self.transpose())
    flat = property(lambda self: self.reshape(-1))

    def __repr__(self) -> str:
        return repr(self.tensor.data)

    def __format__(self, spec: str) -> str:
        return format(self.tensor.data.item() if spec else self.tensor.data, spec)

    def __len__(self) -> int:
        return len(self.tensor.data)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self.tensor.data)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise Unrecorded("the forward pass converts an array")

    def __float__(self) -> Any:
        raise Unrecorded("the forward pass converts an array to a number")

    __int__ = __index__ = __float__

    # -- NumPy's protocols

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **given: Any) -> Any:
        given = {k: v for k, v in given.items() if k in ("axis", "keepdims") or k == "where" and v is not True}
        if method == "at":
            return self._at(ufunc, *inputs)
        if method == "outer":
            first, second = (np.ndim(plain(x)) for x in inputs)
            return ufunc(np.reshape(inputs[0], np.shape(plain(inputs[0])) + (1,) * second), inputs[1], **given)
        function = UFUNCS.get(ufunc) if method == "__call__" and not given else METHODS.get((ufunc, method))
        if function is None:
            values = [plain(x) for x in inputs]
            result = getattr(ufunc, method)(*values, **given)
            if ufunc in CONSTANT or np.asarray(result).dtype.kind != "f":
                return result
            if given.get("where", True) is not True or ufunc.nout > 1:
                raise Unrecorded(ufunc.__name__)
            function = functools.partial(mapped if method == "__call__" else opaque, kind=ufunc.__name__,
                                         function=lambda *a: getattr(ufunc, method)(*a, **given))
        result = self.record(function, *inputs, **(given if method != "__call__" else {}))
        if out is None:
            return result
        if not isinstance(out[0], Recorded):
            raise Unrecorded("the forward pass writes into an array that is not recorded")
        return out[0]._become(np.broadcast_to(result, out[0].shape) if result.shape != out[0].shape else result)

    def __array_function__(self, function: Any, types: Any, args: Any, given: Any) -> Any:
        if function in FUNCTIONS:
            return self.record(FUNCTIONS[function], *args, **given)
        values, options = plain(args), plain(given)
        result = function(*values, **options)
        if function in VALUES:
            return Recorded(Tensor(result), self.note) if result.dtype.kind == "f" else result
        if not isinstance(result, (np.ndarray, np.floating)) or np.asarray(result).dtype.kind != "f":
            if isinstance(result, (tuple, list)) and any(np.asarray(r).dtype.kind in "fc" for r in result) \
                    or np.asarray(result).dtype.kind == "c":
                raise Unrecorded(function.__name__)
            return result                                   # indices, shapes, tests: they have no gradient
        floats = [i for i, a in enumerate(args) if isinstance(a, Recorded)]
        if sum(args[i].size for i in floats) > OPAQUE or not floats:
            raise Unrecorded(function.__name__)

        def at(*changed: Any) -> Any:
            called = list(values)
            for i, a in zip(floats, changed):
                called[i] = a
            return function(*called, **options)
        return self.record(functools.partial(opaque, function=at, kind=function.__name__), *(args[i] for i in floats))

    def record(self, function: Callable[..., Any], *args: Any, **given: Any) -> Any:
        """``function`` of tensors, applied to recorded arrays."""
        result = function(*_tensors(args), **_tensors(given))
        if isinstance(result, (list, tuple)):
            return [self._recorded(one) for one in result]
        return self._recorded(result)

    def _recorded(self, result: Any) -> Any:
        if not isinstance(result, Tensor):
            return result
        self.note(result)
        return Recorded(result, self.note)

    # -- indexing, and changes in place

    def __getitem__(self, index: Any) -> Any:
        taken = self.record(ops.getitem, self, _index(plain(index)))
        views = all(not isinstance(i, (np.ndarray, list)) for i in (index if isinstance(index, tuple) else (index,)))
        if views:
            taken.base = self, index
        return taken

    def __setitem__(self, index: Any, value: Any) -> None:
        value = joined(value)
        index, node = plain(index), value.tensor.node if isinstance(value, Recorded) else None
        if node is not None and value.written is self.tensor:
            return                                          # x[i] += y: the change in place has written x[i] already
        same = node is not None and node.operation is ops.getitem and node.call[0][1] is index
        if same and getattr(index, "dtype", None) == bool and node.call[0][0].shape == self.shape == index.shape:
            self._become(self.record(ops.where, index, Recorded(node.inputs[0], self.note), self))      # x[m] = y[m]
        else:
            value = np.asarray(value, np.float64) if not isinstance(value, Recorded) else value
            self._become(self.record(functools.partial(written, index=index), self, value))

    def _at(self, ufunc: np.ufunc, x: Any, index: Any, value: Any) -> None:
        if ufunc not in (np.add, np.subtract) or not isinstance(x, Recorded):
            raise Unrecorded(f"{ufunc.__name__}.at")
        value = value if isinstance(value, Recorded) else np.asarray(value, np.float64)
        x._become(self.record(functools.partial(added_at, index=plain(index)), x,
                              value if ufunc is np.add else np.negative(value)))

    def _become(self, new: Recorded) -> Recorded:
        self.tensor = new.tensor
        if self.base is not None:
            array, index = self.base
            array._become(array.record(functools.partial(written, index=index), array, self))
            self.written = array.tensor
        return self

    # -- methods

    def __getattr__(self, name: str) -> Any:
        if name in METHODS_OF_ARRAYS:
            return functools.partial(getattr(np, name), self)
        raise AttributeError(name)

    def reshape(self, *shape: Any, **_: Any) -> Any:
        """As ``np.reshape``."""
        return np.reshape(self, shape[0] if len(shape) == 1 else shape)

    def ravel(self, *_: Any) -> Any:
        """As ``np.ravel``."""
        return np.reshape(self, -1)

    flatten = ravel

    def transpose(self, *axes: Any) -> Any:
        """As ``np.transpose``."""
        return np.transpose(self, axes[0] if len(axes) == 1 else axes or None)

    def astype(self, dtype: Any, **_: Any) -> Any:
        """Unchanged for a floating-point type: the record is in float64. Otherwise a plain array."""
        return self if np.dtype(dtype).kind == "f" else self.tensor.data.astype(dtype)

    def item(self, *index: Any) -> Any:
        """The only entry, still recorded."""
        return self[index] if index else np.reshape(self, ())

    def fill(self, value: Any) -> None:
        """``self[...] = value``."""
        self[...] = value


def plain(x: Any) -> Any:
    """The values of recorded arrays, also in tuples, lists and dicts; anything else unchanged."""
    if isinstance(x, Recorded):
        return x.tensor.data
    if type(x) in (tuple, list):
        return type(x)(map(plain, x))
    return {k: plain(v) for k, v in x.items()} if type(x) is dict else x


def _index(index: Any) -> Any:
    """The index with arrays for NumPy's integers, so that a look-up remains distinct from a fixed place."""
    if isinstance(index, tuple):
        return tuple(map(_index, index))
    return np.asarray(index) if isinstance(index, np.integer) else index


def _tensors(x: Any) -> Any:
    if isinstance(x, Recorded):
        return x.tensor
    if type(x) in (tuple, list):
        return type(x)(map(_tensors, x))
    return {k: _tensors(v) for k, v in x.items()} if type(x) is dict else x


def elementwise(function: Callable[..., Any], kind: str) -> Callable[..., Any]:
    """A function of numbers, such as ``math.exp``, that also takes recorded arrays."""
    def applied(*args: Any, **given: Any) -> Any:
        first = next((a for a in args if isinstance(a, Recorded)), None)
        if first is None:
            return function(*args, **given)
        ufunc = getattr(np, kind, None)
        if isinstance(ufunc, np.ufunc) and getattr(math, kind, None) is function:
            return ufunc(*args, **given)
        each = function if isinstance(function, np.vectorize) else np.vectorize(function, otypes=[float])
        return first.record(functools.partial(mapped, function=lambda *a: each(*a, **given), kind=kind), *args)
    return applied


def joined(x: Any) -> Any:
    """``np.array`` of nested lists with recorded arrays, as stacks."""
    if isinstance(x, (list, tuple)) and any(isinstance(v, (Recorded, list, tuple)) for v in x):
        parts = [joined(v) for v in x]
        if any(isinstance(v, Recorded) for v in parts):
            return np.stack([v if isinstance(v, Recorded) else np.asarray(v, np.float64) for v in parts])
    return x
