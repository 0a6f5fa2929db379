"""The ONNX graph while it is written: named values, nodes, constants and sizes that are computed at run time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from .library import onnx
from .sizes import Size, fit

OPSET = 20                      # has Gelu in both forms and LayerNormalization; ONNX Runtime runs it since version 1.17

PASSES = 3                      # forward passes that are recorded, at different sizes


class Value:
    """A value of the graph.

    samples     its arrays in the recorded forward passes; empty for what a converter computes in between
    """

    def __init__(self, name: str, samples: Sequence[np.ndarray] = ()) -> None:
        self.name, self.samples = name, list(samples)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.samples[0].ndim

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the entries in the graph: float32, int64 or bool."""
        return stored(self.samples[0]).dtype

    def lengths(self, axis: int) -> list[int]:
        """The length of one axis in each forward pass."""
        return [sample.shape[axis] for sample in self.samples]


class Varying(list[Any]):
    """A value that differs between the forward passes: one entry for each of them."""


def stored(array: Any) -> np.ndarray:
    """``array`` in the type that the graph has for it: float32, int64 or bool."""
    array = np.asarray(array)
    return array.astype({"f": np.float32, "b": np.bool_}.get(array.dtype.kind, np.int64), copy=False)


class Graph:
    """Nodes and constants. ``graph.MatMul(x, y)`` adds the node of that ONNX operator and returns its output.

    symbols     {symbol: its size in each forward pass}
    """

    def __init__(self, symbols: Mapping[str, Sequence[int]]) -> None:
        self.symbols = symbols
        self.nodes: list[Any] = []
        self.initializers: dict[str, np.ndarray] = {}
        self.places: dict[str, tuple[str, int]] = {}        # symbol: an input and its axis that has this length
        self.broadcast: dict[str, str] = {}                 # an input that may have length 1: an input of its shape
        self._made: dict[Any, Any] = {}

    def __getattr__(self, op_type: str) -> Callable[..., Any]:
        if not op_type[:1].isupper():
            raise AttributeError(op_type)
        return partial(self.node, op_type)

    def node(self, op_type: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
        """Add a node; its output as a ``Value``, or several as a list.

        An input is a ``Value``, None for one that is left out, or a constant. ``attributes`` that are None are left
        out.
        """
        helper = onnx().helper
        names = ["" if value is None else (value if isinstance(value, Value) else self.constant(value)).name
                 for value in inputs]
        while names and not names[-1]:
            names.pop()
        made = [Value(f"{op_type}_{len(self.nodes)}" + (f"_{slot}" if slot else "")) for slot in range(outputs)]
        self.nodes.append(helper.make_node(op_type, names, [value.name for value in made], name=made[0].name,
                                           **{k: v for k, v in attributes.items() if v is not None}))
        return made[0] if outputs == 1 else made

    def weight(self, name: str, array: np.ndarray) -> Value:
        """A parameter or a buffer under its name in the model's state dict; further mentions are the same value."""
        self.initializers.setdefault(name, stored(array))
        return Value(name, [array] * PASSES)

    def given(self, name: str) -> str:
        """The name of the value of an input; one that may be left out is repeated to its full shape."""
        if name not in self.broadcast:
            return name
        like = Value(self.broadcast[name])
        return self.once(("given", name), lambda: self.Expand(Value(name), self.Shape(like))).name

    def constant(self, value: Any) -> Value:
        """A constant; equal ones are stored once."""
        array = stored(value)
        key = array.dtype.str, array.shape, array.tobytes()
        return self.once(key, lambda: self.weight(f"constant_{len(self.initializers)}", array))

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """What ``make()`` returned the first time for this ``key``: layers share a mask, shapes share a size."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    # -- sizes

    def size_of(self, lengths: Sequence[int]) -> int | Size:
        """The integer, or what gives it from the inputs' sizes, that had these values in the forward passes."""
        return fit(lengths, self.symbols)

    def size(self, size: int | Size) -> Value:
        """A size as an int64 vector of one entry."""
        return self.once(("size", size), lambda: self._computed(size))

    def scalar(self, size: int | Size) -> Value:
        """A size as a single int64."""
        return self.once(("scalar", size), lambda: self.constant(size) if isinstance(size, int)
                         else self.Squeeze(self.size(size), [0]))

    def shape(self, sizes: Sequence[int | Size]) -> Value:
        """Several sizes as an int64 vector."""
        if all(isinstance(size, int) for size in sizes):
            return self.constant(np.array(sizes, np.int64))
        return self.once(("shape", *sizes), lambda: self.Concat(*map(self.size, sizes), axis=0))

    def _computed(self, size: int | Size) -> Value:
        if isinstance(size, int):
            return self.constant([size])
        total: Value | None = None
        for factor in size.factors:
            lengths = [self._symbol(symbol) for symbol in factor]
            term = lengths[0] if len(lengths) == 1 else self.Add(*lengths)
            total = term if total is None else self.Mul(total, term)
        total = total if size.scale == 1 else self.Mul(total, [size.scale])
        assert total is not None
        return self.Add(total, [size.offset]) if size.offset else total

    def _symbol(self, symbol: str) -> Value:
        name, axis = self.places[symbol]
        return self.once(("symbol", symbol), lambda: self.Shape(Value(name), start=axis, end=axis + 1))

    # -- types

    def cast(self, value: Value, dtype: Any) -> Value:
        """``value`` in the type float32, int64 or bool."""
        helper = onnx().helper
        wanted = stored(np.zeros((), dtype)).dtype
        return value if value.samples and value.dtype == wanted else self.Cast(
            value, to=helper.np_dtype_to_tensor_dtype(wanted))
