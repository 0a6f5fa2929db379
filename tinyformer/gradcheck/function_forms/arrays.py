"""Functions of arrays that return ``(value, vjp)``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .base import CheckedFunction, as_list, closure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray


class RawFunction(CheckedFunction):
    """A function of arrays that returns ``(value, vjp)``.

    The raw form of an operation need not sum over broadcast axes.
    """

    def __init__(self, fn: Callable[..., Any], *arguments: Any) -> None:
        super().__init__(fn, *arguments)
        self.sums = hasattr(fn, "lifted")
        self._vjp: Callable[..., Any] | None = None

    @property
    def steps(self) -> Callable[..., Any] | None:
        """The function itself."""
        return self.fn

    def kept(self) -> dict[str, Any]:
        """The variables of the latest vjp."""
        return closure(self._vjp) if self._vjp else {}

    def linearize(self, arrays: Sequence[Any]) -> tuple[tuple[NDArray[Any], ...], Callable[[Sequence[Any]], list[Any]]]:
        """The outputs, and the vjp with its result as a list."""
        value, vjp = self.fn(*arrays, **self.options)
        self._vjp = vjp
        values = tuple(map(np.asarray, value)) if isinstance(value, tuple) else (np.asarray(value),)

        def pull_back(dys):
            gradients = as_list(vjp(tuple(dys) if len(dys) > 1 else dys[0]))
            place = self._with_count if self.sums else self._for_each_argument       # the engine needs one for each
            return place(gradients, len(arrays))

        return values, pull_back
