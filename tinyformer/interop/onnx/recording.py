"""What a forward pass does, as a list of applications of operations, and where each of their operands comes from.

The engine calls the recorder for each operation. An operand is recognized by its memory: an array that lies where an
input, a weight or an earlier result lies is that array, also where a model passes on ``tensor.data``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ...autograd import no_grad, observed
from .recorded_arrays import recorded


class Source(NamedTuple):
    """Where an array comes from: an "input" or a "weight" by its name, or a "result" by (application, output)."""

    kind: str
    key: Any


@dataclass
class Application:
    """One application of an operation.

    operands    the arrays and other values that it was applied to, as they are
    sources     for each operand its ``Source``, None for a value that the forward pass made otherwise
    """

    operation: Any
    operands: list[Any]
    sources: list[Source | None]
    options: dict[str, Any]
    option_sources: dict[str, Source | None]
    outputs: list[np.ndarray]

    @property
    def name(self) -> str:
        """The name of the operation."""
        return self.operation.__name__


class Recording:
    """The applications of one forward pass, the arrays of its inputs and what it returned."""

    def __init__(self, inputs: Mapping[str, np.ndarray], weights: Mapping[str, np.ndarray]) -> None:
        self.inputs = inputs
        self.applications: list[Application] = []
        self.outputs: dict[str, np.ndarray] = {}
        self._places: dict[Any, tuple[Source, np.ndarray]] = {}     # kept, so that no other takes its memory
        for kind, arrays in (("weight", weights), ("input", inputs)):
            for name, array in arrays.items():
                self._places.setdefault(_place(array), (Source(kind, name), array))

    def run(self, forward: Callable[..., Mapping[str, Any]]) -> None:
        """Record ``forward(**inputs)``, which returns the named outputs."""
        given = {name: recorded(array, self) for name, array in self.inputs.items()}
        with no_grad(), observed(self.observe):
            self.outputs = {name: np.asarray(output) for name, output in forward(**given).items()}

    def observe(self, operation: Any, arrays: Sequence[Any], options: dict[str, Any],
                outputs: Sequence[np.ndarray]) -> None:
        """Note one application."""
        self.applications.append(Application(
            operation, list(arrays), [self.source(value) for value in arrays], dict(options),
            {name: self.source(value) for name, value in options.items()}, list(outputs)))
        for slot, array in enumerate(outputs):
            self._places[_place(array)] = Source("result", (len(self.applications) - 1, slot)), array

    def source(self, value: Any) -> Source | None:
        """Where ``value`` comes from."""
        found = self._places.get(_place(value)) if isinstance(value, np.ndarray) else None
        return found and found[0]

    def needed(self) -> list[int]:
        """The numbers of the applications that the outputs depend on, in their order."""
        found, wanted = set(), [self.source(array) for array in self.outputs.values()]
        while wanted:
            source = wanted.pop()
            if source is not None and source.kind == "result" and source.key[0] not in found:
                found.add(source.key[0])
                application = self.applications[source.key[0]]
                wanted += [*application.sources, *application.option_sources.values()]
        return sorted(found)


def _place(array: np.ndarray) -> Any:
    """Where an array lies and how its entries are laid out; two arrays with one place have the same entries."""
    if not array.size:
        return id(array)
    steps = tuple(step for step, n in zip(array.strides, array.shape) if n > 1)
    return array.__array_interface__["data"][0], array.shape, steps, array.dtype.str
