"""What every form of function has in common.

A ``CheckedFunction`` has the names and the arrays of its arguments, and two methods: ``values(arrays)`` returns the
tuple of its outputs; ``linearize(arrays)`` also returns the map from the gradients of the outputs to those of the
arguments.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

from ...autograd import Tensor, no_grad
from .state import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray


class Unreadable(Exception):
    """The gradients cannot be read: vjp returned something other than one for each input, or refused.

    ``code`` is the code of the finding.
    """

    def __init__(self, message: str, code: str = "returns") -> None:
        super().__init__(message)
        self.code = code


def arguments_of(fn: Any, inputs: Sequence[Any], options: Mapping[str, Any]
               ) -> tuple[list[str], list[Any], list[bool], Mapping[str, Any]]:
    """(names, values, given, options) of a call: all positional parameters, including defaults, and the other options.

    ``given`` says which parameters the caller passed.
    """
    try:
        signature = inspect.signature(fn.forward if hasattr(fn, "named_parameters") else fn)
        bound = signature.bind(*inputs, **options)
    except (TypeError, ValueError):                         # fn has no signature, or one that does not fit the call
        return [f"input {i}" for i in range(len(inputs))], list(inputs), [True] * len(inputs), options
    passed = set(bound.arguments)
    bound.apply_defaults()
    names, given = [], []
    for p in signature.parameters.values():
        if p.kind is p.VAR_POSITIONAL:
            several = [f"{p.name}[{i}]" for i in range(len(bound.arguments[p.name]))]
        else:
            several = [p.name] if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) else []
        names += several
        given += [p.name in passed] * len(several)
    return names, list(bound.args), given, bound.kwargs


def copies(values: Iterable[Any]) -> list[Any]:
    """The values as a list, with arrays copied."""
    return [v.copy() if isinstance(v, np.ndarray) else v for v in values]


class CheckedFunction:
    """A function and its arguments.

    name            the name of the function
    names           the name of each argument
    given           for each argument, whether the caller passed it
    arrays          the arguments: floating-point arrays and tensors as float64 copies, everything else unchanged
    wanted          for each argument, whether it is differentiated
    options         the keyword arguments
    sums            whether a gradient may have the shape to which its input is broadcast
    notes           what a reader of the report must know about how the function was asked, whole sentences
    """

    sums: bool = False
    notes: tuple[str, ...] = ()

    def __init__(self, fn: Callable[..., Any], names: list[str], values: Sequence[Any], given: list[bool],
                 options: Mapping[str, Any]) -> None:
        self.before = Snapshot(fn)
        self.fn, self.names, self.given, self.options = fn, names, given, options
        self.name = getattr(fn, "__name__", type(fn).__name__)
        self.arrays = [float64(v) for v in values]
        self.wanted = [isinstance(a, np.ndarray) and a.dtype == np.float64 for a in self.arrays]

    def values(self, arrays: Sequence[Any]) -> tuple[NDArray[Any], ...]:
        """The outputs, as a tuple of arrays."""
        with no_grad():
            return self.linearize(arrays)[0]

    def linearize(self, arrays: Sequence[Any]) -> tuple[tuple[NDArray[Any], ...], Callable[[Sequence[Any]], list[Any]]]:
        """(values, pull_back): the outputs, and the map from their gradients to a list of those of the arguments.

        ``pull_back`` raises ``Unreadable`` if the number of gradients is wrong.
        """
        raise NotImplementedError

    @property
    def steps(self) -> Callable[..., Any] | None:
        """The function for the doctor's record: called on recording arrays, it returns (value, anything).

        None if the forward pass is not written in NumPy and cannot be translated to it.
        """
        return None

    def kept(self) -> dict[str, Any]:
        """{name: value} of what the latest call keeps for its backward pass: evidence for the doctor."""
        return {}

    def _with_count(self, gradients: list[Any], expected: int) -> list[Any]:
        if len(gradients) != expected:
            came = "1 gradient" if len(gradients) == 1 else f"{len(gradients)} gradients"
            raise Unreadable(f"vjp returned {came}, expected {expected}: one for each of {', '.join(self.names)} "
                             f"(None for an input without a gradient; an option stands after * in the signature)")
        return gradients

    def _for_each_argument(self, gradients: list[Any], expected: int) -> list[Any]:
        """One gradient for each argument, None where the vjp gives none.

        It may give one for each argument, for each that the caller passed, or for each floating-point input alone.
        """
        floats = [given and wanted for given, wanted in zip(self.given, self.wanted)]
        for those in ([True] * expected, self.given, floats):
            if len(gradients) == sum(those):
                each = iter(gradients)
                return [next(each) if has else None for has in those]
        return self._with_count(gradients, expected)

    def close(self) -> None:
        """Restore what the calls have changed: what an object keeps, running means, parameters, random generators."""
        self.before.restore()


def with_floats(checked: CheckedFunction) -> CheckedFunction:
    """The function, or a ValueError if none of its arguments can be differentiated."""
    if not any(checked.wanted):
        came = ", ".join(f"{name} is {kind_of(value)}" for name, value in zip(checked.names, checked.arrays))
        raise ValueError(f"check: {checked.name} has no floating-point input to differentiate{came and f' ({came})'}; "
                         f"expected an array of floats, such as np.array([1.0, 2.0])")
    return checked


def kind_of(value: Any) -> str:
    """An argument in words, for messages."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    return "None" if value is None else f"of type {type(value).__name__}"


def differentiable(values: Sequence[Any]) -> Sequence[Any]:
    """``values`` unchanged if one of them is a floating-point array or tensor.

    Otherwise Python floats, NumPy scalars, and lists and tuples of floats become arrays. Next to arrays, such values
    are options. Raises TypeError for a masked array.
    """
    if any(isinstance(value, np.ma.MaskedArray) for value in values):
        raise TypeError("check: an input is a masked array, and the check would ignore its mask; "
                        "expected an array such as x.filled(0)")
    if any(isinstance(value, (np.ndarray, Tensor)) and value.dtype.kind == "f" for value in values):
        return values
    return [_array(value) for value in values]


def _array(value: Any) -> Any:
    """A float, a NumPy scalar or a list of floats as an array; anything else unchanged."""
    if isinstance(value, (float, np.floating)):
        return np.asarray(value)
    if isinstance(value, (list, tuple)):
        try:
            array = np.asarray(value)
        except ValueError:                                  # rows of different lengths
            return value
        return array if array.dtype.kind == "f" else value
    return value


def float64(value: Any) -> Any:
    """A floating-point array or tensor as a float64 array; other arrays as copies, anything else unchanged."""
    if isinstance(value, Tensor):
        value = value.data
    if isinstance(value, np.ndarray):
        return np.array(value, np.float64 if value.dtype.kind == "f" else value.dtype, order="C")
    return value


def as_list(result: Any) -> list[Any]:
    """The result of a vjp as a list: the engine accepts a tuple, a list, or a single array."""
    if isinstance(result, dict):
        raise Unreadable("vjp returned a dict, expected a tuple with one gradient for each input, in their order")
    return list(result) if isinstance(result, (tuple, list)) else [result]


def closure(function: Any) -> dict[str, Any]:
    """{name: value} of the enclosing variables to which a function refers."""
    function, names = inspect.unwrap(function), {}
    for name, cell in zip(getattr(getattr(function, "__code__", None), "co_freevars", ()),
                          getattr(function, "__closure__", None) or ()):
        try:
            names[name] = cell.cell_contents
        except ValueError:                                  # an empty cell
            pass
    return names


def instance_of(cls: Any) -> Any:
    """An object of a class that needs no arguments. Raises TypeError for another class."""
    try:
        return cls()
    except TypeError as error:
        raise TypeError(f"check: {cls.__name__} is a class that needs arguments ({error}); "
                        f"expected an object: check({cls.__name__}(…), x)") from None
