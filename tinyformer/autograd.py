"""The engine: tensors that remember how they were made, and the one backward pass through them.

An operation is a function from arrays to ``(value, vjp)``. ``vjp`` (vector–Jacobian product) maps the gradient
of the output to the gradients of the inputs:

    y = f(x₁, …, xₙ)        vjp(dy) = (Jᵀ₁ dy, …, Jᵀₙ dy)        Jᵢ = ∂y/∂xᵢ

``@differentiable`` lifts such a function from arrays to tensors. It is the only place that records the graph;
``Tensor.backward`` is the only place that walks it. ``graph.Node`` is one recorded application: it checks gradients and
sums them over broadcast axes.
The engine knows no operation: operations register themselves as methods of ``Tensor``.

Source: reverse accumulation, Linnainmaa (1970); chapter 2 builds a small version of this file.
"""

from __future__ import annotations

import functools
import inspect
import operator
import threading
import weakref
from contextlib import ContextDecorator, contextmanager
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from . import writes
from .arrays import FLOATS, as_array, constant, named, plain_array, refuse_masked
from .graph import DETACHED, Node, topological_order
from .protocols import ArrayProtocols, Count, operand

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import ArrayLike, DTypeLike
    from typing_extensions import Self

    from .typing import Array, Differentiable, Index, Operation, P, TensorLike, ValueAndVjp, ValuesAndVjp


# ------------------------------------------------------------------------------------------------ recording

class _Recording(threading.local):
    on = True
    observer: Callable[[Any, Sequence[Any], dict[str, Any], Sequence[Any]], object] | None = None


_recording = _Recording()


class no_grad(ContextDecorator):
    """Within ``with no_grad():`` (or a function decorated ``@no_grad()``) operations record no graph."""

    def __init__(self) -> None:
        self._outer: list[bool] = []

    def __enter__(self) -> no_grad:
        self._outer.append(_recording.on)
        _recording.on = False
        return self

    def __exit__(self, *_: object) -> None:
        _recording.on = self._outer.pop()


class enable_grad(no_grad):
    """Within ``with enable_grad():`` operations record their graph, also inside ``no_grad``."""

    def __enter__(self) -> enable_grad:
        super().__enter__()
        _recording.on = True
        return self


def is_recording() -> bool:
    """Whether operations record a graph: not within ``no_grad``."""
    return _recording.on


@contextmanager
def observed(observer: Callable[[Any, Sequence[Any], dict[str, Any], Sequence[Any]], object]) -> Iterator[None]:
    """Within ``with observed(f):`` each application calls ``f(operation, arrays, options, output arrays)``.

    Other than the graph, the observer also sees operations whose inputs need no gradient.
    """
    outer, _recording.observer = _recording.observer, observer
    try:
        yield
    finally:
        _recording.observer = outer


# ------------------------------------------------------------------------------------------------ tensors

class Tensor(ArrayProtocols):
    """An array, whether its gradient is wanted, and the operation that made it.

    data            ndarray of float32, float64, an integer type or bool
    grad            ndarray like ``data`` once a backward pass has arrived, else None
    requires_grad   True for what is to be learned and for everything computed from it
    node            the operation that made it; None for a leaf (what the user made)

    ``data`` and ``grad`` become arrays whatever is assigned to them. Assigning ``data`` leaves graphs that were
    recorded before with the old array, and their gradients are those at the old values. ``p -= step`` and
    ``p[i] = value`` under ``no_grad``, optimizers, ``load_state_dict`` and ``nn.init`` change the array itself:
    ``backward`` through an operation that still reads the old values is then refused. Operations copy the plain arrays
    that they are given. A change of a tensor's own array (``p.data[i] = value``) is not noticed: make none between the
    forward and the backward pass.
    """

    __slots__ = ("_data", "_grad", "requires_grad", "node", "slot", "__weakref__")

    requires_grad: bool
    node: Node | None
    slot: int                               # which output of the node it is

    def __init__(self, data: TensorLike | ArrayLike, requires_grad: bool = False):
        self._data = data if type(data) is np.ndarray and data.dtype in FLOATS else _as_array(data)
        if requires_grad and self._data.dtype not in FLOATS:
            raise TypeError(f"tensor: only float32 and float64 can require a gradient, not {self._data.dtype}")
        self._grad = None
        self.requires_grad = requires_grad
        self.node = None
        self.slot = 0

    # -- what it is

    def _set_data(self, value: TensorLike) -> None:
        value = _as_array(value)
        if self.requires_grad and value.dtype not in FLOATS:
            raise TypeError(f"data: this tensor requires a gradient; expected float32 or float64, not {value.dtype}")
        self._data = value

    def _set_grad(self, value: TensorLike | None) -> None:
        if value is not None:                               # Python numbers take the type of the data
            typed = isinstance(value, (Tensor, np.ndarray, np.generic))
            value = _as_array(value, None if typed else self.dtype)
            value = value if value.flags.writeable else value.copy()            # clipping writes into it
        self._grad = value

    if not TYPE_CHECKING:                                   # tensor_methods.pyi declares these
        data = property(operator.attrgetter("_data"), _set_data)
        grad = property(operator.attrgetter("_grad"), _set_grad)
        shape = property(operator.attrgetter("_data.shape"))
        ndim = property(operator.attrgetter("_data.ndim"))
        size = property(lambda self: Count(self._data.shape), doc="The number of entries; ``size()`` is the shape.")
        dtype = property(operator.attrgetter("_data.dtype"))
        is_leaf = property(lambda self: self.node is None, doc="Whether no operation has made it.")

    def __repr__(self) -> str:
        made = f", made by {self.node.operation.__name__}" if self.node else ""
        wants = ", requires_grad=True" if self.requires_grad and not self.node else ""
        return f"tensor({np.array2string(self.data, separator=', ', prefix='tensor(')}{wants}{made})"

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if self.node is not None:
            raise RuntimeError(f"deepcopy: this tensor was computed by {self.node.operation.__name__}, and only leaves "
                               f"can be copied with their gradient; copy tensor.detach()")
        copied = memo[id(self)] = type(self).__new__(type(self))
        Tensor.__init__(copied, self.data.copy(), self.requires_grad)
        copied.grad = None if self.grad is None else np.array(self.grad)
        return copied

    def detach(self) -> Tensor:
        """A tensor on the same array, outside the graph."""
        return Tensor(self.data)

    def detach_(self) -> Tensor:
        """Take the tensor itself out of the graph, and return it.

        A backward pass through what was computed from it before is refused, since it would stop here.
        """
        if self.node is not None:
            self.node, self.slot, self.requires_grad = None, DETACHED, False
        self.requires_grad = False
        return self

    # -- in place: only where no graph is recorded

    def __iadd__(self, other: TensorLike) -> Self: return self._in_place("+=", np.add, other)
    def __isub__(self, other: TensorLike) -> Self: return self._in_place("-=", np.subtract, other)
    def __imul__(self, other: TensorLike) -> Self: return self._in_place("*=", np.multiply, other)
    def __itruediv__(self, other: TensorLike) -> Self: return self._in_place("/=", np.divide, other)
    def __ipow__(self, other: TensorLike) -> Self: return self._in_place("**=", np.power, other)

    def _in_place(self, sign: str, ufunc: np.ufunc, other: TensorLike) -> Any:
        """Change a leaf that requires a gradient within its own array, under ``no_grad``.

        Other tensors are not changed: ``x += y`` is ``x = x + y`` for them, so that no graph is spoiled.
        """
        if not self.requires_grad or self.node is not None:
            return NotImplemented
        if _recording.on:
            raise RuntimeError(f"{sign}: a leaf that requires a gradient cannot change in place while the graph is "
                               f"recorded; do it under no_grad()")
        value = operand(sign, other, self.dtype)
        try:
            ufunc(self.data, value, out=self.data, casting="same_kind")
        except (ValueError, TypeError) as error:
            raise named(error, sign, [self.data, value]) from None
        writes.note(self.data)
        return self

    def __setitem__(self, index: Index, value: TensorLike) -> None:
        """Change entries within its own array: of any tensor under ``no_grad``, else only outside of graphs."""
        if _recording.on and (self.requires_grad or isinstance(value, Tensor) and value.requires_grad):
            raise RuntimeError("setitem: entries of what requires a gradient cannot change, nor be set to what "
                               "requires one, while the graph is recorded; do it under no_grad(), "
                               "or compute a new tensor with where")
        index = tuple(map(_data, index)) if isinstance(index, tuple) else _data(index)
        refuse_masked("setitem", index)
        value = _as_array(value)
        try:
            self.data[index] = value
        except (ValueError, TypeError, IndexError) as error:
            raise named(error, "setitem", [self.data, value]) from None
        writes.note(self.data)

    # -- the backward pass

    def retain_grad(self) -> None:
        """Keep this tensor's gradient in ``grad`` although it is not a leaf."""
        if not self.requires_grad:
            raise ValueError("retain_grad: this tensor does not require a gradient")
        if self.node is not None and all(kept() is not self for _, kept in self.node.retained):
            self.node.retained.append((self.slot, weakref.ref(self)))

    def backward(self, gradient: TensorLike | None = None, retain_graph: bool = False) -> None:
        """Add ∂self/∂leaf to ``leaf.grad`` for every leaf that requires a gradient.

        gradient        dL/d self, of self's shape; may be left out for a single number (then it is 1)
        retain_graph    keep the graph for another backward pass; otherwise it is freed on the way
        """
        if not self.requires_grad:
            raise ValueError("backward: this tensor does not require a gradient: nothing it was computed from does, "
                             "or it was computed under no_grad")
        if gradient is None:
            if self.size != 1:
                raise ValueError(f"backward: shape {self.shape} is not a single number; "
                                 f"pass the gradient of the output, of the same shape")
            gradient = np.ones(self.shape, self.dtype)
        gradient = plain_array("backward", _data(gradient), self.dtype)
        if gradient.shape != self.shape:
            raise ValueError(f"backward: gradient has shape {gradient.shape}, expected {self.shape}")

        if self.node is None:
            _accumulate(self, gradient)
            return
        order = topological_order(self)
        arrived = {self.node: {self.slot: gradient}}        # gradients of each node's outputs, as far as they came
        while order:
            node = order.pop()                              # popped, so that what it holds can go at once
            dys = arrived.pop(node, None)
            if dys is None:                                 # its vjp said None all the way: nothing depends on it
                continue
            for slot, kept in node.retained:
                if slot in dys and (tensor := kept()) is not None:
                    _accumulate(tensor, dys[slot])
            gradients = node.pull_back([dys.get(slot) for slot in range(len(node.outputs))])
            for tensor, dx in zip(node.inputs, gradients):
                if dx is None or tensor is None:
                    continue
                if tensor.node is None:
                    _accumulate(tensor, dx)
                else:
                    slots = arrived.setdefault(tensor.node, {})
                    slots[tensor.slot] = np.asarray(slots[tensor.slot] + dx) if tensor.slot in slots else dx
            if not retain_graph:
                node.free()


def _accumulate(tensor: Tensor, gradient: Array) -> None:
    """tensor.grad += gradient, in an array that is the tensor's own."""
    if tensor.grad is None:
        tensor.grad = np.array(gradient)
    else:
        tensor.grad = np.asarray(tensor.grad + gradient)        # the sum of two 0-d arrays is a number, no array


def unreached(named_parameters: Iterable[tuple[str, Tensor]]) -> list[str]:
    """Names of the parameters that require a gradient and that no backward pass has reached since it was cleared.

    >>> loss.backward(); unreached(model.named_parameters())
    """
    return [name for name, tensor in named_parameters if tensor.requires_grad and tensor.grad is None]


# ------------------------------------------------------------------------------------------------ operations

@overload
def differentiable(function: Callable[P, ValueAndVjp]) -> Operation[P, Tensor]: ...
@overload
def differentiable(function: Callable[P, ValuesAndVjp]) -> Operation[P, tuple[Tensor, ...]]: ...
@overload
def differentiable(function: None = None, *, method: str | tuple[str, ...] | None = None, multilinear: bool = False,
                   selective: bool = False) -> Differentiable: ...
def differentiable(function: Callable[..., Any] | None = None, *, method: str | tuple[str, ...] | None = None,
                   multilinear: bool = False, selective: bool = False) -> Any:
    """Lift ``function(*arrays, **options) -> (value, vjp)`` to tensors.

    Positional parameters of ``function`` are its inputs: ``vjp`` returns one gradient for each, in order, None for
    those that have none (indices, masks). Parameters after ``*`` are options. A ``value`` that is a tuple of arrays
    makes the operation one of several outputs, whose ``vjp`` is given a tuple of gradients.

    The gradients may have the shape that an input was broadcast to: they are summed here. The function itself stays
    at hand as ``.raw``.

    method          a name, or several, under which ``Tensor`` gets the operation as a method
    multilinear     linear in each of its inputs: the gradient of an input does not read that input
    selective       ``vjp(dy, wanted)`` also receives, as a truth value for each input, which gradients are needed, and
                    may return None for the others; ``wanted`` has a default that asks for all

    The operation raises TypeError if ``function`` does not return (value, vjp), and for inputs of two floating-point
    types. ``backward`` raises ValueError for gradients of the wrong number or shape. ``gradcheck.check`` compares them
    with numeric gradients.

    >>> @differentiable
    ... def power(x, *, n=3):
    ...     return x ** n, lambda dy: n * x ** (n - 1) * dy
    >>> power(tensor([1.0, 2.0]), n=2)
    tensor([1., 4.])
    """
    if function is None:
        return functools.partial(differentiable, method=method, multilinear=multilinear, selective=selective)
    name = function.__name__
    parameters = inspect.signature(function).parameters.values()
    inputs = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    options = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    required = sum(p.default is p.empty for p in inputs)
    known = [p.name for p in inputs] + options

    def bind(args: tuple[Any, ...], given: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Missing inputs from keywords or defaults; surplus positional arguments are options in their order."""
        if variadic:                                        # concatenate([a, b], axis) as well as concatenate(a, b)
            listed = (0 < len(args) <= 1 + len(options) and isinstance(args[0], (list, tuple))
                      and all(isinstance(arg, int) for arg in args[1:]))
            return (tuple(args[0]), {**dict(zip(options, args[1:])), **given}) if listed else (args, given)
        surplus = args[len(inputs):]
        if len(surplus) > len(options):
            raise TypeError(f"{name}: got {len(args)} arguments, expected at most {len(inputs) + len(options)}")
        given = {**dict(zip(options, surplus)), **given}
        args = args[:len(inputs)]
        for p in inputs[len(args):]:
            if p.name not in given and p.default is p.empty:
                raise TypeError(f"{name}: the argument {p.name} is missing")
            args = *args, given.pop(p.name, p.default)
        return args, given

    @functools.wraps(function)
    def operation(*args: Any, **given: Any) -> Any:
        if variadic or len(args) != len(inputs):
            args, given = bind(args, given)
        tensors, arrays, typed = _unwrap(name, args)
        recording = _recording.on and any(t is not None and t.requires_grad for t in tensors)
        if recording:                                       # the caller may reuse an array before the backward pass
            arrays = [_copied(array) if array is arg else array for array, arg in zip(arrays, args)]
        try:
            result = function(*arrays, **given)
        except (ValueError, TypeError, IndexError, AttributeError) as error:
            raise named(error, name, arrays, lifted.input_name, required, known) from None
        if not (isinstance(result, tuple) and len(result) == 2 and (result[1] is None or callable(result[1]))):
            came = f"({', '.join(type(one).__name__ for one in result)})" if isinstance(result, tuple) else type(
                result).__name__
            raise TypeError(f"{name}: the function returned {came}, expected (value, vjp), where vjp maps the gradient "
                            f"of the value to those of the inputs")
        value, vjp = result
        several = isinstance(value, tuple)
        if not typed:                                       # integers and Python numbers alone: float32, as tensor(0.5)
            value = tuple(map(_narrowed, value)) if several else _narrowed(value)
        outputs = tuple(map(Tensor, value)) if several else (Tensor(value),)
        if _recording.observer is not None:
            _recording.observer(operation, arrays, given, [tensor.data for tensor in outputs])
        if recording:
            node = Node(operation, tensors, vjp, tuple((t.shape, t.dtype) for t in outputs), (arrays, given))
            for slot, tensor in enumerate(outputs):
                if tensor.dtype in FLOATS:
                    tensor.requires_grad, tensor.node, tensor.slot = True, node, slot
        return outputs if several else outputs[0]

    lifted: Any = operation                                 # a plain function, with attributes
    lifted.raw, lifted.multilinear, lifted.selective = function, multilinear, selective
    lifted.input_name = lambda i: inputs[i].name if i < len(inputs) else f"input {i}"
    function.lifted = lifted
    for alias in (method,) if isinstance(method, str) else method or ():
        setattr(Tensor, alias, lifted)
    return lifted


def _unwrap(name: str, args: Sequence[Any]) -> tuple[list[Tensor | None], list[Any], bool]:
    """Each argument as a Tensor or None; what the function works on; and whether any of it has a floating-point type.

    Tensors of two floating-point types are refused rather than promoted. Constants follow the tensors: a NumPy
    number counts as a Python number, a floating-point array or list takes the tensors' type.
    """
    tensors, arrays, dtype, constants, typed = [], [], None, False, False
    for arg in args:
        if isinstance(arg, Tensor):
            tensors.append(arg)
            arg = arg.data
            if arg.dtype in FLOATS:
                if dtype is not None and arg.dtype != dtype:
                    raise TypeError(f"{name}: inputs are {dtype} and {arg.dtype}; convert one with astype")
                dtype = arg.dtype
        else:
            tensors.append(None)
            constants = constants or arg is not None
            untyped = isinstance(arg, list)
            arg = constant(name, arg)
            typed = typed or not untyped and isinstance(arg, np.ndarray) and arg.dtype.kind == "f"
        arrays.append(arg)
    if constants and dtype is not None:
        arrays = [a.astype(dtype) if isinstance(a, np.ndarray) and a.dtype.kind == "f" and a.dtype != dtype else a
                  for a in arrays]
    return tensors, arrays, typed or dtype is not None


def _copied(value: Any) -> Any:
    """``value`` with a copy of each plain array in it: of itself, or of those of an index."""
    if type(value) is np.ndarray:
        return value.copy(order="K")
    return tuple(map(_copied, value)) if type(value) is tuple else value


def _narrowed(value: Any) -> Any:
    """``value`` in float32 where NumPy made float64 out of integers."""
    return np.asarray(value, np.float32) if np.asarray(value).dtype == np.float64 else value


def _data(value: Any) -> Any:
    return value.data if isinstance(value, Tensor) else value


def _as_array(data: TensorLike | ArrayLike, dtype: DTypeLike | None = None) -> Array:
    """An array that a tensor can hold: a tensor's own; Python floats become float32, arrays keep their type."""
    return as_array(_data(data), data.dtype if dtype is None and isinstance(data, Tensor) else dtype)


def tensor(array: TensorLike | ArrayLike, requires_grad: bool = False, dtype: DTypeLike | None = None) -> Tensor:
    """A tensor on a copy of ``array`` (an array, a number, or nested lists of numbers).

    Python floats become float32; arrays keep their type unless ``dtype`` says otherwise.
    """
    return Tensor(_as_array(array, dtype).copy(), requires_grad)
