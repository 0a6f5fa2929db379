"""Run a function on recorded arrays (``record``), with stand-ins for NumPy, ``math`` and the library.

``Follower`` copies the function with these stand-ins, and all functions, methods and objects of the learner's that it
refers to. The originals are not changed, and what the recorded run writes stays in the copies.
"""

from __future__ import annotations

import functools
import inspect
import types
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import Tensor, enable_grad
from .function_forms.sources import INSTALLED, PACKAGE, is_the_learners, names_in
from .library_forms import kernel_form, raw_form
from .numpy_table import Unrecorded
from .recorded import Recorded, elementwise, joined, plain
from .tape import Step, Tape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

LIBRARY = __package__.partition(".")[0]


def record(fn: Callable[..., Any], arrays: Sequence[Any], wanted: Sequence[bool], options: Mapping[str, Any]) -> Tape:
    """The tape of one call of fn.

    fn          arrays → (value, vjp), or (a tuple of values, vjp)
    arrays      the arguments; those with a true entry in ``wanted`` are recorded
    options     keyword arguments of fn

    Raises ``Unrecorded`` if the call fails on recorded arrays or no output depends on a recorded argument.
    """
    tape, arguments = Tape(), []
    for array, follow in zip(arrays, wanted):
        leaf = Tensor(array.copy(), requires_grad=True) if follow else None
        tape.leaves.append(None if leaf is None else tape.add(leaf, Step("input", [], [], leaf.data)))
        arguments.append(array if leaf is None else Recorded(leaf, tape.note))
    try:
        with enable_grad():
            value, _ = Follower(tape)(fn)(*arguments, **options)
    except Unrecorded:
        raise
    except Exception as error:
        raise Unrecorded(str(error)) from None
    for y in value if isinstance(value, (tuple, list)) else (value,):
        tape.outputs.append(tape.step_of(y.tensor) if isinstance(y, Recorded) else None)
    if not any(tape.outputs):
        raise Unrecorded("no output depends on a recorded argument")
    return tape


class Follower:
    """Maps an object to its copy with stand-ins, the same copy for the same object."""

    def __init__(self, tape: Tape) -> None:
        self.tape, self.copies, self.alive = tape, {}, []
        self.numpy = _Numpy(tape)

    def __call__(self, value: Any) -> Any:
        if id(value) not in self.copies:
            self.alive.append(value)                        # so that its id stays its own
            made = self._copy(value)
            self.copies.setdefault(id(value), made)
        return self.copies[id(value)]

    def tensors(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """A function of tensors, applied to recorded arrays."""
        return Recorded(Tensor(0.0), self.tape.note).record(function, *args, **options)

    def _copy(self, value: Any) -> Any:
        if value is np:
            return self.numpy
        if isinstance(value, types.ModuleType):
            own = value.__name__ in ("math", f"{LIBRARY}.ops", f"{LIBRARY}.kernels")
            return _Module(value, self) if own else value
        if hasattr(value, "raw") and hasattr(value, "input_name"):
            return _Operation(value, self)
        if isinstance(value, np.vectorize):
            return elementwise(value, "vectorize")
        if isinstance(value, types.BuiltinFunctionType):
            return elementwise(value, value.__name__) if value.__module__ == "math" else getattr(
                self.numpy, value.__name__, value) if value.__module__ == "numpy" else value
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, types.MethodType):
            return types.MethodType(self(value.__func__), self(value.__self__))
        if isinstance(value, functools.partial):
            return functools.partial(self(value.func), *map(self, value.args),
                                     **{k: self(v) for k, v in value.keywords.items()})
        if type(value) in (list, tuple):
            return type(value)(map(self, value))
        if type(value) is dict:
            return {k: self(v) for k, v in value.items()}
        if type(value) is np.ndarray:
            return value.copy()                             # so that changes in place stay in the copy
        if isinstance(value, type):
            return self._class(value)
        return self._object(value)

    def _function(self, fn: types.FunctionType) -> Any:
        file = fn.__code__.co_filename
        if file.startswith(INSTALLED) and not file.startswith(PACKAGE):
            return fn
        if fn.__module__ == f"{LIBRARY}.kernels" and kernel_form(fn, self.tensors):
            form = kernel_form(fn, self.tensors)
            return lambda *args, **options: (form if _recorded(args) else fn)(*args, **options)
        cells = tuple(types.CellType() for _ in fn.__closure__ or ())
        scope = {**fn.__globals__, "float": _Float}
        copy = types.FunctionType(fn.__code__, scope, fn.__name__, fn.__defaults__, cells or None)
        self.copies[id(fn)] = copy                          # before its surroundings, which may refer to it
        copy.__kwdefaults__ = fn.__kwdefaults__
        for name in names_in(fn.__code__) & fn.__globals__.keys():
            scope[name] = self(fn.__globals__[name])
        for new, old, name in zip(cells, fn.__closure__ or (), fn.__code__.co_freevars):
            try:
                new.cell_contents = old.cell_contents if name == "__class__" else self(old.cell_contents)
            except ValueError:                              # an empty cell
                pass
        return copy

    def _class(self, cls: type) -> type:
        """A subclass whose methods are copies."""
        if not _of_the_learner(cls):
            return cls
        methods = {}
        for base in reversed(cls.__mro__):
            if _of_the_learner(base):
                for name, member in vars(base).items():
                    kind = type(member)
                    if isinstance(member, types.FunctionType):
                        methods[name] = self(member)
                    elif kind in (staticmethod, classmethod):
                        methods[name] = kind(self(member.__func__))
        try:
            return type(cls)(cls.__name__, (cls,), {**methods, "__slots__": ()})
        except TypeError:                                   # a final class, such as an enumeration
            return cls

    def _object(self, value: Any) -> Any:
        """A copy of an object of the learner's, with copies of its attributes."""
        if not _of_the_learner(type(value)) or not hasattr(value, "__dict__") or isinstance(value, Tensor):
            return value
        try:
            copy = object.__new__(self(type(value)))
        except TypeError:
            return value
        self.copies[id(value)] = copy
        copy.__dict__.update({name: self(member) for name, member in vars(value).items()})
        return copy


def _of_the_learner(cls: type) -> bool:
    """Whether a class has methods in Python that belong neither to a library nor to tinyformer."""
    codes = [inspect.unwrap(m).__code__ for m in vars(cls).values() if isinstance(m, types.FunctionType)]
    return any(map(is_the_learners, codes))


def _recorded(args: Sequence[Any]) -> bool:
    return any(isinstance(a, Recorded) for a in args)


class _Operation:
    """An operation of the library, whose raw form takes recorded arrays."""

    def __init__(self, operation: Any, follow: Follower) -> None:
        self._operation, self._follow, self.__name__ = operation, follow, operation.__name__
        self.input_name = operation.input_name

    def raw(self, *args: Any, **options: Any) -> Any:
        form = raw_form(self._operation, self._follow.tensors) if _recorded(args) else self._operation.raw
        return form(*args, **options)

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self._operation(*args, **options)


class _Module:
    """A module whose members are followed."""

    def __init__(self, module: types.ModuleType, follow: Follower) -> None:
        self._module, self._follow = module, follow

    def __getattr__(self, name: str) -> Any:
        return self._follow(getattr(self._module, name))


class _AlsoRecorded(type):
    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, (cls.__base__, Recorded))


class _Float(float, metaclass=_AlsoRecorded):
    """``float``, which leaves recorded numbers as they are."""

    dtype = np.dtype(np.float64)                            # what NumPy takes it for, as in ``astype(float)``

    def __new__(cls, value: Any = 0.0) -> Any:
        return np.reshape(value, ()) if isinstance(value, Recorded) else float(value)


class _Array(np.ndarray, metaclass=_AlsoRecorded):
    """``np.ndarray`` for isinstance, true for recorded arrays too."""


class _Numpy:
    """NumPy, with recorded results for the functions that create arrays."""

    ndarray = _Array

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        for name in ("zeros", "ones", "empty", "full", "eye", "identity", "zeros_like", "ones_like", "empty_like",
                     "full_like"):
            setattr(self, name, functools.partial(self._new, getattr(np, name.replace("empty", "zeros"))))

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def _new(self, function: Callable[..., Any], *args: Any, **given: Any) -> Any:
        filled = args[1:] + tuple(given.values())
        array = function(*map(plain, args), **{k: plain(v) for k, v in given.items()})
        if array.dtype.kind != "f":
            return array
        tensor = Tensor(array.astype(np.float64), requires_grad=True)
        self._tape.add(tensor, Step("constant", [], [], tensor.data))
        made = Recorded(tensor, self._tape.note)
        if function in (np.full, np.full_like) and _recorded(filled):
            made[...] = next(v for v in filled if isinstance(v, Recorded))
        return made

    def vectorize(self, function: Any, *args: Any, **given: Any) -> Any:
        return elementwise(np.vectorize(function, *args, **given), "vectorize")

    def array(self, x: Any, *args: Any, **given: Any) -> Any:
        x = joined(x)
        return np.copy(x) if isinstance(x, Recorded) else np.array(x, *args, **given)

    def asarray(self, x: Any, *args: Any, **given: Any) -> Any:
        x = joined(x)
        dtype = given.get("dtype", args[0] if args else None)
        return (x if dtype is None else x.astype(dtype)) if isinstance(x, Recorded) else np.asarray(x, *args, **given)

    asanyarray = ascontiguousarray = asarray
