"""Functions of the learner's own autograd class: micrograd's ``Value``, a ``Variable``, a ``Tensor``.

Such an object has ``data`` (a number or an array), ``grad`` and ``backward()``. The inputs are objects of the class, or
lists of them: ``check(f, Value(2.0), [Value(1.0), Value(-1.0)])``. What ``fn.parameters()`` returns counts as an input.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

from ...autograd import Tensor
from .base import CheckedFunction, arguments_of, with_floats
from .pairs import array_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

UPSTREAM = {"grad", "gradient", "grad_output", "dy", "dout", "gy", "g"}     # parameters of ``backward`` for its start


def adapt(fn: Any, inputs: Sequence[Any], options: Mapping[str, Any]) -> CheckedFunction | None:
    """A function that is given objects of the learner's class; None for anything else."""
    if not callable(fn) or not any(is_variable(v) or _is_list(v) for v in inputs):
        return None
    names, values, given, rest = arguments_of(fn, inputs, options)
    learned = getattr(fn, "parameters", None)
    parameters = [p for p in learned() if is_variable(p)] if callable(learned) else []
    return with_floats(OwnAutograd(fn, names, values, given, rest, parameters))


def is_variable(value: Any) -> bool:
    """Whether a value is of a class with ``data``, ``grad`` and ``backward`` that is no library's."""
    return not isinstance(value, (Tensor, type)) and hasattr(value, "data") and hasattr(value, "grad") \
        and callable(getattr(value, "backward", None)) and not hasattr(value, "requires_grad_")


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) > 0 and all(map(is_variable, value))


class OwnAutograd(CheckedFunction):
    """A function of variables, differentiated by the ``backward`` of their class."""

    def __init__(self, fn: Any, names: list[str], values: Sequence[Any], given: list[bool],
                 options: Mapping[str, Any], parameters: list[Any]) -> None:
        self.models, self.parameters = list(values), parameters
        arrays = [np.array([array_in(v) for v in value], float) if _is_list(value) else
                  np.array(array_in(value), float) if is_variable(value) else value for value in values]
        learned = [np.array(array_in(p), float) for p in parameters]
        self.single = bool(learned) and all(a.ndim == 0 for a in learned)      # micrograd: many numbers
        more = ["parameters"] if self.single else [f"parameters[{i}]" for i in range(len(learned))]
        super().__init__(fn, names + more, arrays + ([np.array(learned)] if self.single else learned),
                         given + [True] * len(more), options)

    def _like(self, model: Any, array: NDArray[Any]) -> Any:
        """A new object of the model's class with this value."""
        return type(model)(float(array) if np.ndim(model.data) == 0 and not isinstance(model.data, np.ndarray)
                           else array.copy())

    def _call(self, arrays: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """(the variables of each argument, the outputs)"""
        self.before.restore()
        variables: list[Any] = []
        for model, array in zip(self.models, arrays):
            variables.append([self._like(m, a) for m, a in zip(model, array)] if _is_list(model) else
                             self._like(model, array) if is_variable(model) else array)
        learned = arrays[len(self.models):]
        for p, array in zip(self.parameters, learned[0] if self.single else learned):
            p.data = float(array) if self.single else array.copy()
            p.grad = 0.0 if self.single else None if p.grad is None else np.zeros_like(array)
        returned = self.fn(*variables, **self.options)
        outputs = list(returned) if isinstance(returned, (list, tuple)) else [returned]
        for y in outputs:
            if not is_variable(y):
                raise TypeError(f"check: {self.name} returned {type(y).__name__}, expected an object with data, grad "
                                f"and backward")
        return variables, outputs

    def values(self, arrays: Sequence[Any]) -> tuple[NDArray[Any], ...]:
        """The data of the outputs."""
        return tuple(np.asarray(array_in(y), float) for y in self._call(arrays)[1])

    def linearize(self, arrays: Sequence[Any]) -> tuple[tuple[NDArray[Any], ...], Callable[[Sequence[Any]], list[Any]]]:
        """The outputs, and the backward pass of their class, each on a new graph."""
        arrays = [a.copy() if isinstance(a, np.ndarray) else a for a in arrays]

        def pull_back(dys):
            total: list[Any] = [np.zeros(np.shape(a)) if wanted else None for a, wanted in zip(arrays, self.wanted)]
            for k, dy in enumerate(dys):
                variables, outputs = self._call(arrays)
                scale = self._backward(outputs[k], dy)
                leaves = [*variables, *([self.parameters] if self.single else self.parameters)]
                for i, leaf in enumerate(leaves):
                    if self.wanted[i]:
                        total[i] = total[i] + scale * _gradient_of(leaf)
            return total
        return self.values(arrays), pull_back

    def _backward(self, y: Any, dy: NDArray[Any]) -> float:
        """Start the backward pass of y with dy. Returns the factor that is still missing."""
        asked = [p for p in inspect.signature(y.backward).parameters if p in UPSTREAM]
        if asked:
            y.backward(**{asked[0]: dy})
            return 1.0
        if np.ndim(array_in(y)) == 0:
            y.backward()                                    # which starts with 1
            return float(dy)
        y.grad = type(y)(dy) if is_variable(y.grad) else dy
        y.backward()
        return 1.0

    def kept(self) -> dict[str, Any]:
        """Nothing: the graph is the learner's own."""
        return {}


def _gradient_of(leaf: Any) -> Any:
    if isinstance(leaf, list):
        return np.array([_gradient_of(v) for v in leaf], float)
    gradient = array_in(leaf.grad)
    return np.zeros(np.shape(array_in(leaf))) if gradient is None else np.asarray(gradient, float)
