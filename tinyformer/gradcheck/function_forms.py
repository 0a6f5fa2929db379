"""The three kinds of function that can be checked, behind one face.

A subject knows its arguments by name and as arrays, and answers two questions: ``values(arrays)``, the tuple of its outputs,
and ``linearize(arrays)``, the same with a function from the gradients of the outputs to a list of those of the arguments.
"""

from __future__ import annotations

import inspect

import numpy as np

from ..autograd import Tensor, no_grad, topological_order


class Unreadable(Exception):
    """What vjp returned is not one gradient for each input."""


def open_subject(fn, inputs, options):
    """``fn`` with these arguments, as a subject."""
    if not hasattr(fn, "named_parameters"):
        inputs = differentiable(inputs)
    arguments = _arguments(fn, inputs, options)
    if hasattr(fn, "raw"):
        return _with_floats(Operation(fn, *arguments))
    if hasattr(fn, "named_parameters"):
        return _with_floats(TensorFunction(fn, *arguments))
    raw, tensors = _with_floats(RawFunction(fn, *arguments)), TensorFunction(fn, *arguments)
    returned, refused = None, None
    try:                                                    # its answer to arrays tells which of the two it is
        returned = fn(*copies(raw.arrays), **raw.options)
    except Exception as error:
        refused = error
    if isinstance(returned, tuple) and len(returned) == 2 and callable(returned[1]):
        return raw
    try:
        tensors.values(tensors.arrays)
    except Exception as error:
        if refused is not None and not isinstance(refused, AttributeError):     # an array lacks what a tensor has
            raise refused
        if isinstance(error, TypeError) and "float32" in str(error):
            raise TypeError(f"{error} (check is in float64: convert a module that fn uses with .to(np.float64))") from error
        if refused is None and not isinstance(returned, Tensor):
            raise TypeError(f"check: {raw.name} returned {type(returned).__name__} for arrays, expected (value, vjp); "
                            f"on tensors it fails: {error}") from error
        raise
    return tensors


def _arguments(fn, inputs, options):
    """(names, values, given, options): every positional parameter, by keyword and by default too, and what is left.

    ``given`` says which of them the caller passed.
    """
    try:
        signature = inspect.signature(fn.forward if hasattr(fn, "named_parameters") else fn)
        bound = signature.bind(*inputs, **options)
    except (TypeError, ValueError):                         # no signature, or a call that only fn itself understands
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


def copies(values):
    """The values, with arrays copied."""
    return [v.copy() if isinstance(v, np.ndarray) else v for v in values]


class Subject:
    """A function and its arguments.

    names, given    of each argument: what it is called, whether the caller passed it
    arrays          the arguments: floating-point arrays and tensors as float64 copies, all else as it came
    wanted          which of them are differentiated
    sums            whether gradients may have the shape an input was broadcast to
    last_vjp        the vjp of the latest call: the doctor asks what it refers to; None where there is no single one
    """

    sums, last_vjp = False, None

    def __init__(self, fn, names, values, given, options):
        self.fn, self.names, self.given, self.options = fn, names, given, options
        self.name = getattr(fn, "__name__", type(fn).__name__)
        self.arrays = [_float64(v) for v in values]
        self.wanted = [isinstance(a, np.ndarray) and a.dtype == np.float64 for a in self.arrays]

    def values(self, arrays):
        """The outputs, as a tuple of arrays."""
        with no_grad():
            return self.linearize(arrays)[0]

    def _counted(self, gradients, expected):
        if len(gradients) != expected:
            came = "1 gradient" if len(gradients) == 1 else f"{len(gradients)} gradients"
            raise Unreadable(f"vjp returned {came}, expected {expected}: one for each of {', '.join(self.names)} "
                             f"(None where there is none)")
        return gradients

    def close(self):
        """Put back what was borrowed."""


def _with_floats(subject):
    """The subject, or a ValueError if it has nothing to differentiate."""
    if not any(subject.wanted):
        came = ", ".join(f"{name} is {_kind(value)}" for name, value in zip(subject.names, subject.arrays))
        raise ValueError(f"check: {subject.name} has no floating-point input to differentiate{came and f' ({came})'}; "
                         f"expected an array of floats, such as np.array([1.0, 2.0])")
    return subject


def _kind(value):
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    return "None" if value is None else f"of type {type(value).__name__}"


def differentiable(values):
    """``values``, or if none of them is a floating-point array or tensor, with Python floats, NumPy scalars, lists and tuples of
    numbers as arrays. Beside arrays such values are options."""
    if any(isinstance(value, np.ma.MaskedArray) for value in values):
        raise TypeError("check: an input is a masked array, whose mask the check would drop; expected an array such as x.filled(0)")
    if any(isinstance(value, (np.ndarray, Tensor)) and value.dtype.kind == "f" for value in values):
        return values
    return [_array(value) for value in values]


def _array(value):
    """A float, a NumPy scalar or a list of floats as an array; anything else as it is."""
    if isinstance(value, (float, np.floating)):
        return np.asarray(value)
    if isinstance(value, (list, tuple)):
        try:
            array = np.asarray(value)
        except ValueError:                                  # rows of different lengths
            return value
        return array if array.dtype.kind == "f" else value
    return value


def _float64(value):
    if isinstance(value, Tensor):
        value = value.data
    if isinstance(value, np.ndarray):
        return np.array(value, np.float64 if value.dtype.kind == "f" else value.dtype, order="C")
    return value


def _as_list(result):
    """What vjp returned, as a list: the engine takes a tuple, a list, or an array alone."""
    if isinstance(result, dict):
        raise Unreadable("vjp returned a dict, expected a tuple with one gradient for each input, in their order")
    return list(result) if isinstance(result, (tuple, list)) else [result]


class RawFunction(Subject):
    """From arrays to ``(value, vjp)``. One that belongs to a lifted operation may leave broadcast axes unsummed."""

    def __init__(self, fn, *arguments):
        super().__init__(fn, *arguments)
        self.sums = hasattr(fn, "lifted")

    def linearize(self, arrays):
        value, vjp = self.fn(*arrays, **self.options)
        self.last_vjp = vjp
        values = tuple(map(np.asarray, value)) if isinstance(value, tuple) else (np.asarray(value),)

        def pull_back(dys):
            gradients = _as_list(vjp(tuple(dys) if len(dys) > 1 else dys[0]))
            if len(gradients) != len(arrays) and not self.sums:             # the engine wants one for each
                floats = [given and wanted for given, wanted in zip(self.given, self.wanted)]
                for those in (self.given, floats):          # without parameters at their defaults; float inputs alone
                    if len(gradients) == sum(those):
                        each = iter(gradients)
                        return [next(each) if has else None for has in those]
            return self._counted(gradients, len(arrays))

        return values, pull_back


class _OnTensors(Subject):
    def _call(self, arrays):
        """The tensors of the differentiated arguments (None for others), and the outputs."""
        tensors = [Tensor(a, requires_grad=True) if wanted else None for a, wanted in zip(arrays, self.wanted)]
        outputs = self.fn(*(a if t is None else t for a, t in zip(arrays, tensors)), **self.options)
        outputs = tuple(outputs) if isinstance(outputs, (tuple, list)) else (outputs,)
        for output in outputs:
            if not isinstance(output, Tensor):
                raise TypeError(f"check: {self.name} returned {type(output).__name__}, expected a Tensor or a tuple of them")
        self.last_outputs = outputs                         # the doctor asks by what steps they were made
        return tensors, outputs


class Operation(_OnTensors):
    """A lifted operation: called on tensors, its one vjp asked directly, so that what is wrong can be reported whole."""

    sums = True

    def linearize(self, arrays):
        tensors, outputs = self._call(arrays)
        node = next((y.node for y in outputs if y.node is not None), None)
        self.last_vjp = node and node.vjp

        def pull_back(dys):
            gradients = [None] * len(arrays)
            if node is not None:
                result = self._counted(_as_list(node.vjp(tuple(dys) if len(dys) > 1 else dys[0])), len(node.inputs))
                for i, tensor in enumerate(tensors):
                    gradients[i] = next((dx for source, dx in zip(node.inputs, result)
                                         if source is tensor and tensor is not None), None)
            return gradients

        return tuple(y.data for y in outputs), pull_back


class TensorFunction(_OnTensors):
    """Any function of tensors, through ``backward``. A module's parameters count as inputs, by their names."""

    def __init__(self, fn, names, values, given, options):
        self.parameters = list(getattr(fn, "named_parameters", list)())
        learned = [(name, p) for name, p in self.parameters if p.requires_grad]
        super().__init__(fn, names + [name for name, _ in learned], [*values, *(p.data for _, p in learned)],
                         given + [True] * len(learned), options)
        self.borrowed = [p for _, p in learned]
        self.kept = [(p, p.data, p.grad) for _, p in self.parameters]
        for _, p in self.parameters:
            p.data = _float64(p.data)

    def close(self):
        for parameter, data, grad in self.kept:
            parameter.data, parameter.grad = data, grad

    def linearize(self, arrays):
        n = len(arrays) - len(self.borrowed)
        for parameter, array in zip(self.borrowed, arrays[n:]):
            parameter.data = array
        tensors, outputs = self._call(arrays[:n])
        tensors += self.borrowed

        def pull_back(dys):
            graph = topological_order(*outputs)
            bystanders = [t for node in graph for t in node.inputs if t is not None and t.node is None]
            before = [(t, t.grad) for t in bystanders]      # leaves that fn closes over: their gradients are not ours
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
