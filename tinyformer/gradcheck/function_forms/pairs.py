"""Forward and backward as two functions: ``check((forward, backward), *inputs)``.

What ``backward`` takes shows how the two belong together:

    forward(x, w) -> out, cache         backward(dout, cache) -> dx, dw         (CS231n; also several cached values)
    forward(x, w) -> out                backward(dout, x, w) -> dx, dw          (any of forward's parameters, by name)
    forward(x, w) -> out                backward(dout) -> dx, dw                (what they share is kept outside)
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

from .base import CheckedFunction, Unreadable, arguments_of, as_list, copies, differentiable, with_floats
from .sources import unpacked_names
from .state import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

VALUE = {"out", "output", "y", "z", "value"}                # names under which backward may ask for the value
CACHE = {"cache", "ctx", "context", "memory", "saved"}
FORMS = ("expected backward(dout, cache) with forward(…) -> out, cache; or backward(dout, x, …) with forward's own "
         "parameters; or backward(dout)")


def adapt(fn: Any, inputs: Sequence[Any], options: Mapping[str, Any]) -> CheckedFunction | None:
    """A tuple or list of two functions; None for anything else."""
    if not isinstance(fn, (tuple, list)):
        return None
    if len(fn) != 2 or not all(map(callable, fn)):
        raise TypeError(f"check: got a {type(fn).__name__} of {len(fn)}, expected two functions: (forward, backward)")
    forward, backward = fn
    names, values, given, rest = arguments_of(forward, differentiable(inputs), options)
    return with_floats(Pair(forward, backward, names, values, given, rest))


class Pair(CheckedFunction):
    """Two functions. Each backward pass starts from the state that its forward pass has left.

    Each forward pass starts from the state before the check, random generators included.
    """

    def __init__(self, forward: Callable[..., Any], backward: Callable[..., Any], names: list[str],
                 values: Sequence[Any], given: list[bool], options: Mapping[str, Any], *owners: Any) -> None:
        super().__init__(forward, names, values, given, options)
        self.backward, self.owners = backward, (forward, backward, *owners)
        self.before = Snapshot(*self.owners)
        self.asked = _parameters(backward)
        self.cached: tuple[Any, ...] = ()
        self.caches = 0                                     # how many values after the first are for backward alone
        try:
            self.caches = self._caches(self._forward(copies(self.arrays)))
        finally:
            self.before.restore()

    # -- how the two belong together

    def _forward(self, arrays: Sequence[Any]) -> Any:
        return self.fn(*_deep(arrays), **self.options)

    def _caches(self, returned: Any) -> int:
        rest = [p for p in self.asked[1:] if p not in self.names and p not in VALUE]
        if not self.asked:
            raise TypeError(f"check: backward takes no upstream gradient; {FORMS}")
        plain = len(self.asked) == 1 + len(self.names) and not isinstance(returned, tuple)
        if len(self.asked) == 1 or not rest or plain:
            return 0
        if isinstance(returned, tuple) and 2 <= len(returned) == len(self.asked):
            return len(returned) - 1
        raise TypeError(f"check: backward takes {', '.join(self.asked)}, and {self.name} returns "
                        f"{f'{len(returned)} values' if isinstance(returned, tuple) else 'one value'}; {FORMS}")

    def _ask(self, dys: Sequence[Any], outputs: Any, arrays: Sequence[Any]) -> Any:
        dout = tuple(dys) if len(dys) > 1 else dys[0]
        if self.caches:
            given = [dout, *self.cached]
            return self.backward(*(given[::-1] if self.asked[0] in CACHE else given))
        if len(self.asked) == 1:
            return self.backward(dout)
        by_name = {**dict.fromkeys(VALUE, outputs), **dict(zip(self.names, arrays))}
        if all(p in by_name for p in self.asked[1:]):
            return self.backward(dout, *(by_name[p] for p in self.asked[1:]))
        if self.asked[-1] not in by_name and all(p in by_name for p in self.asked[:-1]):
            return self.backward(*(by_name[p] for p in self.asked[:-1]), dout)      # backward(x, dout)
        return self.backward(dout, *arrays)

    # -- the two passes

    def _run(self, arrays: Sequence[Any]) -> tuple[Any, tuple[NDArray[Any], ...]]:
        self.before.restore()
        returned = self._forward(arrays)
        if self.caches:
            returned, *cached = returned
            self.cached = tuple(cached)
        outputs = returned if isinstance(returned, tuple) else (returned,)
        return returned, tuple(array_in(y, self.name) for y in outputs)

    def values(self, arrays: Sequence[Any]) -> tuple[NDArray[Any], ...]:
        """The outputs of the forward pass."""
        return self._run(arrays)[1]

    def linearize(self, arrays: Sequence[Any]) -> tuple[tuple[NDArray[Any], ...], Callable[[Sequence[Any]], list[Any]]]:
        """The outputs, and the backward pass."""
        returned, outputs = self._run(arrays)
        after, cached = Snapshot(*self.owners, self.cached), self.cached

        def pull_back(dys):
            after.restore()
            self.cached = cached
            return self._gradients(self._ask(dys, returned, self._inputs(arrays)), dys, arrays)
        return outputs, pull_back

    def _inputs(self, arrays: Sequence[Any]) -> Sequence[Any]:
        return arrays

    def _gradients(self, found: Any, dys: Sequence[Any], arrays: Sequence[Any]) -> list[Any]:
        return spread(self, found, len(arrays))

    @property
    def steps(self) -> Callable[..., Any] | None:
        """The forward pass without what it caches."""
        forward, caches = self.fn, self.caches

        def value(*arrays, **options):
            returned = forward(*_deep(arrays), **options)
            return (returned[0] if caches else returned), None
        return value

    def kept(self) -> dict[str, Any]:
        """The cached values, under the names that ``backward`` gives them."""
        found: dict[str, Any] = {}
        for parameter, value in zip(self.asked if self.asked[0] in CACHE else self.asked[1:], self.cached):
            if isinstance(value, (tuple, list)):
                names = unpacked_names(self.backward, parameter, len(value))
                found.update(zip(names or [f"{parameter}[{i}]" for i in range(len(value))], value))
            else:
                found.update(value if isinstance(value, dict) else {parameter: value})
        return found


def spread(checked: CheckedFunction, found: Any, n: int) -> list[Any]:
    """What a backward pass returned as one gradient for each argument: of all, of those given, or of the floats."""
    if isinstance(found, dict):
        gradients = [next((found[k] for k in gradient_names(name) if k in found), None) for name in checked.names]
        if found and all(g is None for g in gradients):
            raise Unreadable(f"the gradients are a dict with {', '.join(map(str, found))}, "
                             f"expected names such as {', '.join(f'd{name}' for name in checked.names[:3])}")
        return [array_in(g) for g in gradients]
    return checked._for_each_argument([array_in(g) for g in as_list(found)], n)


def gradient_names(name: str) -> list[str]:
    """The names under which code keeps the gradient of ``name``."""
    return [f"d{name}", f"d_{name}", f"grad_{name}", f"{name}_grad", f"g{name}", f"grad{name}", name]


def array_in(value: Any, name: str = "") -> Any:
    """The array in a value: itself, a number, or the ``data`` of an object of the learner's own class."""
    while hasattr(value, "data") and not isinstance(value, (np.ndarray, np.generic, memoryview)):
        value = value.data
    if value is None and not name:
        return None
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.asarray(None)
    if array.dtype == object and name:
        raise TypeError(f"check: {name} returned {type(value).__name__}, expected an array or a number")
    return array


def _parameters(function: Any) -> list[str]:
    """The names of the positional parameters that a call must give."""
    try:
        return [p.name for p in inspect.signature(function).parameters.values()
                if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty]
    except (TypeError, ValueError):
        return ["dout"]


def _deep(arguments: Sequence[Any]) -> list[Any]:
    """The arguments, with copies of dicts and lists, which a forward pass may change (CS231n's ``bn_param``)."""
    def copied(v):
        if type(v) is dict:
            return {k: copied(w) for k, w in v.items()}
        return [copied(w) for w in v] if type(v) is list else v.copy() if isinstance(v, np.ndarray) else v
    return [a if isinstance(a, np.ndarray) else copied(a) for a in arguments]
