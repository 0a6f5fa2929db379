"""From recorded forward passes to an ONNX graph: each application through the table, each operand by its source."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .constants import varying_constant
from .graph import Graph, Value, Varying
from .recording import Recording, Source
from .table import CONVERTERS


def convert(recordings: Sequence[Recording], graph: Graph, weights: Mapping[str, np.ndarray],
            longest: Callable[[], Recording]) -> dict[str, Value]:
    """Write the forward pass of ``recordings`` into ``graph``; the outputs by name.

    longest     returns the recording of a pass at the greatest length, from which tables are taken

    ValueError for an operation that the table lacks and for a pass whose operations change with the inputs' sizes.
    """
    return _Conversion(recordings, graph, weights, longest).outputs()


class _Conversion:
    def __init__(self, recordings, graph, weights, longest):
        self.recordings, self.graph, self.weights, self.longest = recordings, graph, weights, longest
        self.results: dict[tuple[int, int], Value] = {}

    def outputs(self) -> dict[str, Value]:
        names = [[application.name for application in recording.applications] for recording in self.recordings]
        if any(other != names[0] for other in names):
            raise ValueError("the operations of a forward pass change with the sizes of its inputs")
        for i in self.recordings[0].needed():
            self.apply(i)
        return {name: self.value([r.outputs[name] for r in self.recordings],
                                 [r.source(r.outputs[name]) for r in self.recordings], lambda r: r.outputs[name])
                for name in self.recordings[0].outputs}

    def apply(self, i: int) -> None:
        applications = [recording.applications[i] for recording in self.recordings]
        first = applications[0]
        if first.operation not in CONVERTERS:
            raise ValueError(f"the operation {first.name} has no ONNX form in the table of interop.onnx")
        operands = [self.value([a.operands[j] for a in applications], [a.sources[j] for a in applications],
                               lambda r: r.applications[i].operands[j]) for j in range(len(first.operands))]
        options = {name: self.value([a.options[name] for a in applications],
                                    [a.option_sources[name] for a in applications],
                                    lambda r: r.applications[i].options[name]) for name in first.options}
        try:
            made = CONVERTERS[first.operation](self.graph, *operands, **options)
        except ValueError as error:
            raise ValueError(f"{first.name}: {error}") from None
        for slot, value in enumerate(made if isinstance(made, list) else [made]):
            self.results[i, slot] = Value(value.name, [a.outputs[slot] for a in applications])

    def value(self, found: list[Any], sources: list[Source | None], at: Callable[[Recording], Any]) -> Any:
        """An operand: a ``Value`` for arrays; for other values themselves, or ``Varying`` where they differ."""
        source = sources[0]
        if any(other != source for other in sources):
            raise ValueError("an operand comes from different places for inputs of different sizes")
        if source is not None:
            if source.kind == "result":
                return self.results[source.key]
            return (self.graph.weight(source.key, self.weights[source.key]) if source.kind == "weight"
                    else Value(self.graph.given(source.key), found))
        if all(_equal(other, found[0]) for other in found):
            if isinstance(found[0], np.ndarray):
                return Value(self.graph.constant(found[0]).name, found)
            return found[0]
        if all(isinstance(value, np.ndarray) for value in found):
            return Value(varying_constant(self.graph, found, lambda: at(self.longest())).name, found)
        return Varying(found)


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        return len(a) == len(b) and all(map(_equal, a, b))
    return a is b or a == b
