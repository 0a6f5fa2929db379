"""The three forms of function that can be checked, with one interface.

A ``CheckedFunction`` has the names and the arrays of its arguments, and two methods: ``values(arrays)`` returns the
tuple of its outputs; ``linearize(arrays)`` also returns the map from the gradients of the outputs to those of the
arguments.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import Tensor, no_grad
from ..graph import topological_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray


class Unreadable(Exception):
    """vjp returned something other than one gradient for each input."""


def checked_function(fn: Callable[..., Any], inputs: Sequence[Any], options: Mapping[str, Any]) -> CheckedFunction:
    """``fn`` with these arguments, in the form that it has.

    The form is found by calling fn with arrays, and with tensors if that does not return (value, vjp). Raises
    ValueError if no argument is a floating-point array, TypeError if fn returns neither (value, vjp) nor tensors, and
    whatever fn raises.
    """
    if not callable(fn):
        raise TypeError(f"check: fn is of type {type(fn).__name__}, "
                        "expected a function; its inputs follow it: check(fn, x)")
    if not hasattr(fn, "named_parameters"):
        inputs = differentiable(inputs)
    arguments = _arguments(fn, inputs, options)
    if hasattr(fn, "raw"):
        return _with_floats(Operation(fn, *arguments))
    if hasattr(fn, "named_parameters"):
        return _with_floats(TensorFunction(fn, *arguments))
    raw, tensors = _with_floats(RawFunction(fn, *arguments)), TensorFunction(fn, *arguments)
    returned, refused = None, None
    try:                                                    # its result for arrays shows which of the two forms it has
        returned = fn(*copies(raw.arrays), **raw.options)
    except Exception as error:
        refused = error
    if isinstance(returned, tuple) and len(returned) == 2 and callable(returned[1]):
        return raw
    try:
        tensors.values(tensors.arrays)
    except Exception as error:
        if refused is not None and not isinstance(refused, AttributeError):     # an array has no attributes of a tensor
            raise refused from error
        if isinstance(error, TypeError) and "float32" in str(error):
            raise TypeError(f"{error} (check computes in float64: convert each module that fn uses with "
                            f".to(np.float64))"
                            ) from error
        if refused is None and not isinstance(returned, Tensor):
            raise TypeError(f"check: {raw.name} returned {type(returned).__name__} for arrays, expected (value, vjp); "
                            f"on tensors it fails: {error}") from error
        raise
    return tensors


def _arguments(fn: Any, inputs: Sequence[Any], options: Mapping[str, Any]
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
    last_vjp        the vjp of the latest call, whose variables are evidence for the doctor; None if there is no single
                    vjp
    """

    sums: bool = False
    last_vjp: Callable[..., Any] | None = None

    def __init__(self, fn: Callable[..., Any], names: list[str], values: Sequence[Any], given: list[bool],
                 options: Mapping[str, Any]) -> None:
        self.fn, self.names, self.given, self.options = fn, names, given, options
        self.name = getattr(fn, "__name__", type(fn).__name__)
        self.arrays = [_float64(v) for v in values]
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

    def _with_count(self, gradients: list[Any], expected: int) -> list[Any]:
        if len(gradients) != expected:
            came = "1 gradient" if len(gradients) == 1 else f"{len(gradients)} gradients"
            raise Unreadable(f"vjp returned {came}, expected {expected}: one for each of {', '.join(self.names)} "
                             f"(None for an input without a gradient; an option stands after * in the signature)")
        return gradients

    def close(self) -> None:
        """Restore what the check has changed, such as the parameters of a module."""


def _with_floats(checked: CheckedFunction) -> CheckedFunction:
    """The function, or a ValueError if none of its arguments can be differentiated."""
    if not any(checked.wanted):
        came = ", ".join(f"{name} is {_kind(value)}" for name, value in zip(checked.names, checked.arrays))
        raise ValueError(f"check: {checked.name} has no floating-point input to differentiate{came and f' ({came})'}; "
                         f"expected an array of floats, such as np.array([1.0, 2.0])")
    return checked


def _kind(value: Any) -> str:
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


def _float64(value: Any) -> Any:
    if isinstance(value, Tensor):
        value = value.data
    if isinstance(value, np.ndarray):
        return np.array(value, np.float64 if value.dtype.kind == "f" else value.dtype, order="C")
    return value


def _as_list(result: Any) -> list[Any]:
    """The result of a vjp as a list: the engine accepts a tuple, a list, or a single array."""
    if isinstance(result, dict):
        raise Unreadable("vjp returned a dict, expected a tuple with one gradient for each input, in their order")
    return list(result) if isinstance(result, (tuple, list)) else [result]


class RawFunction(CheckedFunction):
    """A function of arrays that returns ``(value, vjp)``.

    The raw form of an operation need not sum over broadcast axes.
    """

    def __init__(self, fn: Callable[..., Any], *arguments: Any) -> None:
        super().__init__(fn, *arguments)
        self.sums = hasattr(fn, "lifted")

    def linearize(self, arrays: Sequence[Any]) -> tuple[tuple[NDArray[Any], ...], Callable[[Sequence[Any]], list[Any]]]:
        """The outputs, and the vjp with its result as a list."""
        value, vjp = self.fn(*arrays, **self.options)
        self.last_vjp = vjp
        values = tuple(map(np.asarray, value)) if isinstance(value, tuple) else (np.asarray(value),)

        def pull_back(dys):
            gradients = _as_list(vjp(tuple(dys) if len(dys) > 1 else dys[0]))
            if len(gradients) != len(arrays) and not self.sums:             # the engine needs one for each
                floats = [given and wanted for given, wanted in zip(self.given, self.wanted)]
                for those in (self.given,
                              floats):          # one for each argument passed, or for each float input alone
                    if len(gradients) == sum(those):
                        each = iter(gradients)
                        return [next(each) if has else None for has in those]
            return self._with_count(gradients, len(arrays))

        return values, pull_back


class _OnTensors(CheckedFunction):
    last_outputs: tuple[Tensor, ...] = ()                   # the doctor reads the graph from them

    def _call(self, arrays: Sequence[Any]) -> tuple[list[Tensor | None], tuple[Tensor, ...]]:
        """The tensors of the differentiated arguments (None for the others), and the outputs."""
        tensors = [Tensor(a, requires_grad=True) if wanted else None for a, wanted in zip(arrays, self.wanted)]
        outputs = self.fn(*(a if t is None else t for a, t in zip(arrays, tensors)), **self.options)
        outputs = tuple(outputs) if isinstance(outputs, (tuple, list)) else (outputs,)
        for output in outputs:
            if not isinstance(output, Tensor):
                raise TypeError(f"check: {self.name} returned {type(output).__name__}, "
                                "expected a Tensor or a tuple of them")
        self.last_outputs = outputs
        return tensors, outputs


class Operation(_OnTensors):
    """An operation, called on tensors.

    Its vjp is called directly, so that the engine does not reject a wrong gradient first.
    """

    sums = True

    def linearize(self, arrays: Sequence[Any]) -> tuple[tuple[NDArray[Any], ...], Callable[[Sequence[Any]], list[Any]]]:
        """The outputs, and the vjp of the operation's node."""
        tensors, outputs = self._call(arrays)
        node = next((y.node for y in outputs if y.node is not None), None)
        self.last_vjp = node and node.vjp

        def pull_back(dys):
            gradients = [None] * len(arrays)
            if node is not None:
                result = self._with_count(_as_list(node.vjp(tuple(dys) if len(dys) > 1 else dys[0])), len(node.inputs))
                for i, tensor in enumerate(tensors):
                    gradients[i] = next((dx for source, dx in zip(node.inputs, result)
                                         if source is tensor and tensor is not None), None)
            return gradients

        return tuple(y.data for y in outputs), pull_back


class TensorFunction(_OnTensors):
    """A function of tensors or a module, differentiated by ``backward``. A module's parameters count as inputs."""

    def __init__(self, fn: Callable[..., Any], names: list[str], values: Sequence[Any], given: list[bool],
                 options: Mapping[str, Any]) -> None:
        self.parameters = list(getattr(fn, "named_parameters", list)())
        learned = [(name, p) for name, p in self.parameters if p.requires_grad]
        super().__init__(fn, names + [name for name, _ in learned], [*values, *(p.data for _, p in learned)],
                         given + [True] * len(learned), options)
        self.differentiated = [p for _, p in learned]
        self.originals = [(p, p.data, p.grad) for _, p in self.parameters]
        for _, p in self.parameters:
            p.data = _float64(p.data)

    def close(self) -> None:
        """Restore the data and the gradients of the parameters."""
        for parameter, data, grad in self.originals:
            parameter.data, parameter.grad = data, grad

    def linearize(self, arrays: Sequence[Any]) -> tuple[tuple[NDArray[Any], ...], Callable[[Sequence[Any]], list[Any]]]:
        """The outputs, and ``backward`` from them to the arguments and the parameters."""
        n = len(arrays) - len(self.differentiated)
        for parameter, array in zip(self.differentiated, arrays[n:]):
            parameter.data = array
        tensors, outputs = self._call(arrays[:n])
        tensors += self.differentiated

        def pull_back(dys):
            graph = topological_order(*outputs)
            leaves = [t for node in graph for t in node.inputs if t is not None and t.node is None]
            before = [(t, t.grad) for t in leaves]          # keep the gradients of leaves that fn closes over
            for tensor in tensors:
                if tensor is not None:
                    tensor.grad = None
            for y, dy in zip(outputs, dys):
                if y.requires_grad:
                    y.backward(dy, retain_graph=True)
            gradients = [None if tensor is None else tensor.grad for tensor in tensors]
            for tensor, grad in before:
                tensor.grad = grad
            return gradients

        return tuple(y.data for y in outputs), pull_back
