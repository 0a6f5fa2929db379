"""Layers as classes: objects with ``forward`` and ``backward``, in the styles of teaching libraries.

    layer.forward(x) -> y, layer.backward(dy) -> dx         what the two share is kept in attributes
    layer.W, layer.dW; layer.params["W"], layer.grads["W"]  parameters, whose gradients backward leaves there
    layer.output, layer.dinputs                             in place of returned values
    Function.forward(ctx, x), Function.backward(ctx, dy)    static, with a context
    layer(x) -> Variable, layer.backward(dy)                where __call__ keeps what backward needs

A class is made without arguments. Parameters that have a gradient after a backward pass count as inputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .base import CheckedFunction, arguments_of, copies, differentiable, float64, instance_of, with_floats
from .pairs import Pair, array_in, gradient_names, spread
from .state import MISSING, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

PARAMETERS, GRADIENTS = ("params", "parameters", "weights"), ("grads", "gradients", "derivatives")
OUTPUT, INPUT_GRADIENT = ("output", "out"), ("dinputs", "dinput", "dx", "dX", "grad_input")
NOTE = "forward and backward are methods of one object, so each backward pass follows its own forward pass"


def adapt(fn: Any, inputs: Sequence[Any], options: Mapping[str, Any]) -> CheckedFunction | None:
    """An object or a class with ``backward`` and ``forward`` or ``__call__``; None for anything else."""
    if not callable(getattr(fn, "backward", None)) or hasattr(fn, "named_parameters") or hasattr(fn, "raw") \
            or not (callable(getattr(fn, "forward", None)) or callable(fn)):
        return None
    name = fn.__name__ if isinstance(fn, type) else type(fn).__name__
    if isinstance(fn, type):
        if _is_static(fn, "forward"):
            return _with_context(fn, inputs, options)
        fn = instance_of(fn)
    forward = getattr(fn, "forward", fn)
    names, values, given, rest = arguments_of(forward, differentiable(inputs), options)
    before = Snapshot(fn)
    failed = None
    try:
        for called in (forward, fn) if callable(fn) and forward is not fn else (forward,):
            try:
                layer = Layer(fn, called, name, list(names), list(values), list(given), rest)
                layer.try_backward()
            except (AttributeError, TypeError) as error:    # ``__call__`` may keep what backward needs
                failed = failed or error
                before.restore()
                continue
            return with_floats(layer)
    except Exception:
        before.restore()
        raise
    assert failed is not None
    raise failed


def _is_static(cls: type, name: str) -> bool:
    return any(isinstance(vars(base).get(name), staticmethod) for base in cls.__mro__)


class Context:
    """A context for static forward and backward functions: it keeps whatever they store."""

    def save_for_backward(self, *values: Any) -> None:
        """Keep the values under PyTorch's and minitorch's names."""
        self.saved_tensors = self.saved_values = values


def _with_context(cls: Any, inputs: Sequence[Any], options: Mapping[str, Any]) -> CheckedFunction:
    context = Context()

    def forward(*arrays, **rest):
        return cls.forward(context, *arrays, **rest)

    def backward(dout):
        return cls.backward(context, dout)

    names, values, given, rest = arguments_of(cls.forward, [context, *differentiable(inputs)], options)
    pair = Pair(forward, backward, names[1:], values[1:], given[1:], rest, context, cls)
    pair.name = cls.__name__
    return with_floats(pair)


class Slot:
    """A place for an array: an attribute of an object, or an entry of a dict or list.

    The holder may itself be a Slot: ``self.grads["W"]`` stays the place if backward makes a new dict ``self.grads``.
    """

    def __init__(self, holder: Any, key: Any) -> None:
        self.holder, self.key = holder, key

    def get(self) -> Any:
        """What is there; MISSING if nothing is."""
        holder = self.holder.get() if isinstance(self.holder, Slot) else self.holder
        if isinstance(holder, (dict, list)):
            try:
                return holder[self.key]
            except (KeyError, IndexError):
                return MISSING
        return getattr(holder, self.key, MISSING)

    def set(self, value: Any) -> None:
        """Put a value there."""
        _put(self.holder, self.key, value)


def _put(holder: Any, key: Any, value: Any) -> None:
    if isinstance(holder, (dict, list)):
        holder[key] = value
    else:
        setattr(holder, key, value)


class Layer(Pair):
    """An object with forward and backward. Parameters whose gradients backward leaves behind count as inputs."""

    notes = (NOTE,)

    def __init__(self, layer: Any, forward: Callable[..., Any], name: str, names: list[str], values: list[Any],
                 given: list[bool], options: Mapping[str, Any]) -> None:
        self.layer, self.n, self.parameters = layer, len(names), []
        super().__init__(forward, layer.backward, names, values, given, options, layer)
        self.name = name

    def try_backward(self) -> None:
        """Run both passes once, to see which parameters get a gradient."""
        with np.errstate(all="ignore"):
            outputs, pull_back = self.linearize(copies(self.arrays))
            pull_back([np.ones(y.shape) for y in outputs])
        found = [(name, slot, gradient, slot.get()) for name, slot, gradient in _parameters_of(self.layer)]
        self.before.restore()
        # What the two passes have put there is no parameter, such as the input that a layer keeps.
        found = self.parameters = [(name, slot, gradient) for name, slot, gradient, array in found
                                   if slot.get() is array]
        for name, slot, _ in found:
            # The same array may stand in several places; all of them get the float64 copy.
            array, wide = slot.get(), float64(slot.get())
            for place in _places(self.layer):
                if place.get() is array:
                    place.set(wide)
            self.names.append(name)
            self.arrays.append(wide.copy())
            self.wanted.append(True)
            self.given.append(True)
        self.float64 = Snapshot(*self.owners)

    def _forward(self, arrays: Sequence[Any]) -> Any:
        if self.parameters:
            self.float64.restore()
            for (_, slot, _), array in zip(self.parameters, arrays[self.n:]):
                slot.get()[...] = array
        returned = super()._forward(arrays[:self.n])
        return self._left(OUTPUT) if returned is None else returned

    def _left(self, names: Sequence[str]) -> Any:
        return next((getattr(self.layer, name) for name in names if getattr(self.layer, name, None) is not None), None)

    def _inputs(self, arrays: Sequence[Any]) -> Sequence[Any]:
        return arrays[:self.n]

    def _gradients(self, found: Any, dys: Sequence[Any], arrays: Sequence[Any]) -> list[Any]:
        if found is None:
            found = self._left(INPUT_GRADIENT)
        if isinstance(found, (tuple, list)) and self.parameters and len(found) == len(arrays):
            return spread(self, found, len(arrays))
        # Copies, since the next backward pass may add to the same arrays.
        left = copies([array_in(gradient.get()) for _, _, gradient in self.parameters])
        names, given, wanted = self.names, self.given, self.wanted
        try:
            self.names, self.given, self.wanted = names[:self.n], given[:self.n], wanted[:self.n]
            return spread(self, found, self.n) + left
        finally:
            self.names, self.given, self.wanted = names, given, wanted

    @property
    def steps(self) -> Callable[..., Any] | None:
        """The forward pass of a copy of the layer, whose parameters are the recorded arrays."""
        forward, layer, n = self.fn, self.layer, self.n
        places = [[(place.holder, place.key) for place in _places(layer) if place.get() is slot.get()]
                  for _, slot, _ in self.parameters]

        def value(*arrays, **options):
            for several, array in zip(places, arrays[n:]):
                for holder, key in several:
                    _put(holder, key, array)
            returned = forward(*arrays[:n], **options)
            if returned is None:
                returned = layer.output
            return returned, None
        return value

    def kept(self) -> dict[str, Any]:
        """The attributes of the layer."""
        return {f"self.{name}": value for name, value in vars(self.layer).items()} if hasattr(
            self.layer, "__dict__") else {}


def _places(layer: Any) -> Iterator[Slot]:
    """The attributes of a layer, and the entries of dicts and lists among them."""
    for name, value in list(vars(layer).items()):
        yield Slot(layer, name)
        if isinstance(value, dict):
            yield from (Slot(value, key) for key in value)
        elif isinstance(value, list):
            yield from (Slot(value, i) for i in range(len(value)))


def _parameters_of(layer: Any) -> Iterator[tuple[str, Slot, Slot]]:
    """(name, where the array is, where its gradient is) of each parameter that has a gradient now."""
    found: set[int] = set()

    def known(slot: Slot, gradient: Slot) -> bool:
        array, g = slot.get(), gradient.get()
        return isinstance(array, np.ndarray) and array.dtype.kind == "f" and id(array) not in found \
            and g is not MISSING and g is not None and np.size(g) > 0

    attributes = vars(layer)
    for first in PARAMETERS:
        for second in GRADIENTS:
            arrays, gradients = attributes.get(first), attributes.get(second)
            if isinstance(arrays, dict) and isinstance(gradients, dict):
                pairs = [(str(k), Slot(arrays, k), Slot(Slot(layer, second), next(
                    (g for g in (k, *gradient_names(str(k))) if g in gradients), k))) for k in arrays]
            elif isinstance(arrays, list) and isinstance(gradients, list) and len(arrays) == len(gradients):
                pairs = [(f"{first}[{i}]", Slot(arrays, i), Slot(Slot(layer, second), i)) for i in range(len(arrays))]
            else:
                continue
            for name, slot, gradient in pairs:
                if known(slot, gradient):
                    found.add(id(slot.get()))
                    yield name, slot, gradient
    for name in list(attributes):
        for other in gradient_names(name)[:-1]:
            slot, gradient = Slot(layer, name), Slot(layer, other)
            if other in attributes and known(slot, gradient):
                found.add(id(slot.get()))
                yield name, slot, gradient
                break
    for name, value in list(attributes.items()):            # objects with data and grad
        for data in ("data", "value"):
            if not isinstance(value, np.ndarray) and hasattr(value, "grad") and hasattr(value, "__dict__"):
                slot, gradient = Slot(value, data), Slot(value, "grad")
                if known(slot, gradient):
                    found.add(id(slot.get()))
                    yield name, slot, gradient
