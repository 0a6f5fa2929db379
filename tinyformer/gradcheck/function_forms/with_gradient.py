"""Functions that return a loss and its gradients at once: ``loss, grad = svm_loss(W, X, y)``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .base import CheckedFunction, as_list, copies
from .pairs import gradient_names, spread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray


def has_gradient(returned: Any) -> bool:
    """Whether a result is (a number, gradients): arrays, or a dict of arrays."""
    if not isinstance(returned, tuple) or len(returned) < 2 or not _is_number(returned[0]):
        return False
    rest = returned[1:]
    if len(rest) == 1 and isinstance(rest[0], (dict, list, tuple)):
        rest = list(rest[0].values() if isinstance(rest[0], dict) else rest[0])
    return len(rest) > 0 and all(g is None or isinstance(g, np.ndarray) or _is_number(g) for g in rest)


def _is_number(value: Any) -> bool:
    return isinstance(value, (float, np.floating)) or isinstance(value, np.ndarray) and value.ndim == 0 \
        and value.dtype.kind == "f"


class WithGradient(CheckedFunction):
    """A function that returns (loss, gradient), (loss, gradient, …) or (loss, {name: gradient})."""

    notes = ("it returns (loss, gradients), so its gradients are multiplied by a random upstream gradient",)

    def __init__(self, fn: Any, *arguments: Any) -> None:
        super().__init__(fn, *arguments)
        _, *found = fn(*copies(self.arrays), **self.options)
        self.single = len(found) == 1
        found = found[0] if self.single else found
        if isinstance(found, dict):
            self.wanted = [wanted and any(n in found for n in gradient_names(name))
                           for name, wanted in zip(self.names, self.wanted)]
        elif sum(self.wanted) > len(as_list(found)):        # gradients of some inputs, found by their shapes
            shapes = [np.shape(g) for g in as_list(found)]
            for i, a in enumerate(self.arrays):
                self.wanted[i] = self.wanted[i] and a.shape in shapes
                if self.wanted[i]:
                    shapes.remove(a.shape)
            if not any(self.wanted):
                raise TypeError(f"check: {self.name} returns a gradient of shape {shapes[0]}, and no input has it")

    def linearize(self, arrays: Sequence[Any]) -> tuple[tuple[NDArray[Any], ...], Callable[[Sequence[Any]], list[Any]]]:
        """The loss, and its gradients times the upstream gradient."""
        loss, *found = self.fn(*arrays, **self.options)

        def pull_back(dys):
            gradients = spread(self, found[0] if self.single else tuple(found), len(arrays))
            return [None if g is None else dys[0] * g for g in gradients]
        return (np.asarray(loss),), pull_back

    @property
    def steps(self) -> Callable[..., Any] | None:
        """The function without its gradients."""
        fn = self.fn

        def value(*arrays, **options):
            return fn(*arrays, **options)[0], None
        return value
