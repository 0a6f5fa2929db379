"""Recurrent layers: several layers, in one or both directions, built from the operations of one layer and direction."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from .. import ops
from ..autograd import Tensor
from ..number_checks import check_fraction, check_integer
from . import functional as F, init
from .argument_checks import as_input
from .module import Module, Parameter

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, DTypeLike

    from ..typing import TensorLike

State = TypeVar("State")                                # Tensor, or tuple[Tensor, Tensor] of an LSTM


class _Weights(Module):
    """Weights and biases of a step, under PyTorch's names; all start uniform in ±1/√hidden_size."""

    gates = 1                                               # rows of weights for each unit
    states = 1                                              # arrays of the state
    hidden_size: int
    _operation: Callable[..., tuple[Tensor, ...]]

    def _add_weights(self, inputs: int, bias: bool, dtype: DTypeLike, suffix: str = "") -> None:
        rows = self.gates * self.hidden_size
        shapes = {"weight_ih": (rows, inputs), "weight_hh": (rows, self.hidden_size),
                  "bias_ih": (rows,), "bias_hh": (rows,)}
        for name, shape in shapes.items():
            if name.startswith("weight") or bias:
                setattr(self, name + suffix, Parameter(np.empty(shape, dtype)))

    def reset_parameters(self) -> None:
        """Re-initialize weights and biases."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _run(self, x: Tensor, state: list[Tensor], suffix: str = "", **options: Any) -> tuple[Tensor, ...]:
        """(y, *last state) of one layer in one direction."""
        weights = [getattr(self, name + suffix, None) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        return self._operation(x, *state, *weights, **options)

    def _initial(self, given: Any, shape: tuple[int, ...], like: Tensor) -> tuple[Tensor, ...]:
        """The initial state as a tuple of tensors of ``shape``; zeros where none is given."""
        if given is None:
            return (Tensor(np.zeros(shape, like.dtype)),) * self.states
        if (self.states > 1) != isinstance(given, (tuple, list)) or (self.states > 1 and len(given) != self.states):
            raise TypeError(f"{type(self).__name__}: expected the state hx as "
                            f"{'a pair (h, c)' if self.states > 1 else 'one tensor'}, got {type(given).__name__}")
        state = tuple(as_input(self, h, like, part) for part, h in zip("hc", given if self.states > 1 else (given,)))
        for part, h in zip("hc", state):
            if h.shape != shape:
                raise ValueError(f"{type(self).__name__}: "
                                 f"the initial state {part} has shape {h.shape}, expected {shape}")
        return state


class _Recurrent(_Weights, Generic[State]):
    """What RNN, GRU and LSTM share.

    Layer l + 1 reads the outputs of layer l, of both directions side by side. Bidirectional layers also read the
    sequence from its end, with weights of their own (names with ``_reverse``).

    x (T, B, input_size), with ``batch_first`` (B, T, input_size), a single sequence (T, input_size).
    y (T, B, D·hidden_size), or with x's other axes: the last layer's states, D = 2 if bidirectional, else 1.
    hx and the last state that is returned: (num_layers·D, B, hidden_size) each, all directions of a layer before the
    next layer, whatever ``batch_first`` says; (num_layers·D, hidden_size) for a single sequence. Without hx the state
    starts at 0.

    ``lengths``, integers (B,) from 1 to T, are the lengths of the sequences. Entries of x beyond them are not read, y
    is 0 there, the last state is the state at the sequence's own end, and the reverse direction starts there. PyTorch
    computes the same with packed sequences; it needs their sorting, their type and the padding before and after. This
    class does not.

    ``dropout`` acts in training on the outputs of each layer but the last.

    Raises TypeError or ValueError unless the sizes are integers of at least 1 and 0 ≤ dropout ≤ 1.
    """

    weight_ih_l0: Parameter

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
                 batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, *,
                 dtype: DTypeLike = np.float32) -> None:
        self.input_size = check_integer(self, "input_size", input_size, at_least=1)
        self.hidden_size = check_integer(self, "hidden_size", hidden_size, at_least=1)
        self.num_layers = check_integer(self, "num_layers", num_layers, at_least=1)
        self.batch_first = batch_first
        self.dropout = check_fraction(self, "dropout", dropout)
        self.bidirectional = bidirectional
        self._directions = ("", "_reverse") if bidirectional else ("",)
        for layer in range(self.num_layers):
            for direction in self._directions:
                inputs = self.input_size if layer == 0 else len(self._directions) * self.hidden_size
                self._add_weights(inputs, bias, dtype, f"_l{layer}{direction}")
        self.reset_parameters()

    def forward(self, x: TensorLike, hx: Any = None, lengths: ArrayLike | None = None) -> tuple[Tensor, State]:
        """(y, last state)."""
        name, first = type(self).__name__, self.weight_ih_l0
        x = as_input(self, x, first)
        single = x.ndim == 2
        if x.ndim not in (2, 3) or x.shape[-1] != self.input_size:
            axes = "(B, T, I)" if self.batch_first else "(T, B, I)"
            raise ValueError(f"{name}: x has shape {x.shape}, expected {axes}, or (T, I), with I = {self.input_size}")
        if single:
            x = x.reshape((len(x), 1, self.input_size))
            lengths = None if lengths is None else np.reshape(lengths, 1)
        elif self.batch_first:
            x = x.swapaxes(0, 1)
        T, B, D = *x.shape[:2], len(self._directions)
        if T == 0:
            raise ValueError(f"{name}: x has shape {x.shape} with no time step, expected at least one")
        if lengths is not None and np.min(lengths, initial=1) < 1:
            raise ValueError(f"{name}: a length is {np.min(lengths)}, expected at least 1")
        shape = (self.num_layers * D, self.hidden_size) if single else (self.num_layers * D, B, self.hidden_size)
        state = self._initial(hx, shape, first)
        last = []                                           # of each layer and direction: (B, H) each
        for layer in range(self.num_layers):
            if layer:
                x = F.dropout(x, self.dropout, self.training)
            outputs = []                                    # of each direction: (T, B, H)
            for direction in self._directions:
                initial = [h[len(last)].reshape((B, self.hidden_size)) for h in state]
                y, *final = self._run(x, initial, f"_l{layer}{direction}", lengths=lengths, reverse=bool(direction))
                outputs.append(y)
                last.append(final)
            x = ops.concatenate(outputs, axis=-1) if D > 1 else outputs[0]
        hn: Any = tuple(ops.stack(parts).reshape(shape) for parts in zip(*last))
        y = x.reshape((T, -1)) if single else x.swapaxes(0, 1) if self.batch_first else x
        return y, hn if self.states > 1 else hn[0]

    def extra_repr(self) -> str:
        """Sizes, and the options that are not the defaults."""
        text = f"{self.input_size}, {self.hidden_size}"
        for name, default in (("num_layers", 1), ("batch_first", False), ("dropout", 0.0), ("bidirectional", False)):
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text


class RNN(_Recurrent[Tensor]):
    """h_t = φ(x_t Wᵢᵀ + bᵢ + h_{t−1} Wₕᵀ + bₕ), with φ the ``nonlinearity`` "tanh" or "relu"; returns (y, h_n).

    weight_ih_l0 (hidden_size, input_size), weight_hh_l0 (hidden_size, hidden_size), bias_ih_l0, bias_hh_l0, and so on.
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh",
                 bias: bool = True, batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, *,
                 dtype: DTypeLike = np.float32) -> None:
        self.nonlinearity = _checked_nonlinearity(self, nonlinearity)
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype=dtype)

    def _operation(self, *arguments: Any, **options: Any) -> tuple[Tensor, ...]:
        return ops.rnn(*arguments, nonlinearity=self.nonlinearity, **options)


class GRU(_Recurrent[Tensor]):
    """Gated recurrent units (``ops.gru`` has the formulas); returns (y, h_n).

    weight_ih_l0 (3·hidden_size, input_size) holds the reset gate, the update gate and the candidate, in this order.
    """

    gates = 3
    _operation = staticmethod(ops.gru)


class LSTM(_Recurrent[tuple[Tensor, Tensor]]):
    """Long short-term memory (``ops.lstm`` has the formulas); returns (y, (h_n, c_n)), and hx is such a pair.

    weight_ih_l0 (4·hidden_size, input_size) holds the input gate, the forget gate, the candidate and the output gate,
    in this order. PyTorch's ``proj_size`` is not supported: put a ``Linear`` after the layer.
    """

    gates = 4
    states = 2
    _operation = staticmethod(ops.lstm)


# ------------------------------------------------------------------------------------------------ a single step

class _Cell(_Weights, Generic[State]):
    """One step of a layer: x (B, input_size) or (input_size,) and the state before (by default 0) → the state after.

    Raises TypeError or ValueError unless input_size and hidden_size are integers of at least 1.
    """

    weight_ih: Parameter

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, *, dtype: DTypeLike = np.float32) -> None:
        self.input_size = check_integer(self, "input_size", input_size, at_least=1)
        self.hidden_size = check_integer(self, "hidden_size", hidden_size, at_least=1)
        self._add_weights(self.input_size, bias, dtype)
        self.reset_parameters()

    def forward(self, x: TensorLike, hx: Any = None) -> State:
        """The state after this step."""
        x = as_input(self, x, self.weight_ih)
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            raise ValueError(f"{type(self).__name__}: x has shape {x.shape}, "
                             f"expected (B, I) or (I,) with I = {self.input_size}")
        shape = (*x.shape[:-1], self.hidden_size)
        state = self._initial(hx, shape, self.weight_ih)
        B = len(x) if x.ndim == 2 else 1
        _, *last = self._run(x.reshape((1, B, self.input_size)), [h.reshape((B, self.hidden_size)) for h in state])
        after: Any = tuple(h.reshape(shape) for h in last)
        return after if self.states > 1 else after[0]

    def extra_repr(self) -> str:
        """Sizes."""
        return f"{self.input_size}, {self.hidden_size}"


class RNNCell(_Cell[Tensor]):
    """One step of an RNN: h′ from x and h."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", *,
                 dtype: DTypeLike = np.float32) -> None:
        self.nonlinearity = _checked_nonlinearity(self, nonlinearity)
        super().__init__(input_size, hidden_size, bias, dtype=dtype)

    _operation = RNN._operation


class GRUCell(_Cell[Tensor]):
    """One step of a GRU: h′ from x and h."""

    gates = GRU.gates
    _operation = staticmethod(ops.gru)


class LSTMCell(_Cell[tuple[Tensor, Tensor]]):
    """One step of an LSTM: (h′, c′) from x and (h, c)."""

    gates = LSTM.gates
    states = LSTM.states
    _operation = staticmethod(ops.lstm)


def _checked_nonlinearity(layer: Module, nonlinearity: str) -> str:
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(f"{type(layer).__name__}: nonlinearity is {nonlinearity!r}, expected 'tanh' or 'relu'")
    return nonlinearity
