"""Recurrent layers: stacked and in both directions, out of the operations of one layer and one direction."""

from __future__ import annotations

import math

import numpy as np

from .. import ops
from ..autograd import Tensor
from . import functional as F, init
from .argument_checks import as_input, check_sizes
from .module import Module, Parameter


class _Weights(Module):
    """Weights and biases of steps, under PyTorch's names; all start uniform in ±1/√hidden_size."""

    gates = 1                                               # how many rows of weights a unit has
    states = 1                                              # how many arrays its state has

    def _add_weights(self, inputs, bias, dtype, suffix=""):
        rows = self.gates * self.hidden_size
        shapes = {"weight_ih": (rows, inputs), "weight_hh": (rows, self.hidden_size), "bias_ih": (rows,), "bias_hh": (rows,)}
        for name, shape in shapes.items():
            if name.startswith("weight") or bias:
                setattr(self, name + suffix, Parameter(np.empty(shape, dtype)))

    def reset_parameters(self):
        """Draw weights and biases anew."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _run(self, x, state, suffix="", **options):
        """(y, *last state) of one layer in one direction."""
        weights = [getattr(self, name + suffix, None) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        return self._operation(x, *state, *weights, **options)

    def _initial(self, given, shape, like):
        """The initial state as a tuple of tensors of ``shape``; zeros where none is given."""
        if given is None:
            return (Tensor(np.zeros(shape, like.dtype)),) * self.states
        if (self.states > 1) != isinstance(given, (tuple, list)) or (self.states > 1 and len(given) != self.states):
            raise TypeError(f"{type(self).__name__}: expected the state hx as "
                            f"{'a pair (h, c)' if self.states > 1 else 'one tensor'}, got {type(given).__name__}")
        state = tuple(as_input(self, h, like, part) for part, h in zip("hc", given if self.states > 1 else (given,)))
        for part, h in zip("hc", state):
            if h.shape != shape:
                raise ValueError(f"{type(self).__name__}: the initial state {part} has shape {h.shape}, expected {shape}")
        return state


class _Recurrent(_Weights):
    """What RNN, GRU and LSTM share.

    Layer l + 1 reads the outputs of layer l, both directions side by side. Bidirectional layers read the sequence a second time
    from its end, with weights of their own (names with ``_reverse``).

    x (T, B, input_size), with ``batch_first`` (B, T, input_size), one sequence alone (T, input_size).
    y (T, B, D·hidden_size), laid out as x: the last layer's states, D = 2 if bidirectional, else 1.
    hx and the last state that is returned: (num_layers·D, B, hidden_size) each, a layer's directions one after the other,
    whatever ``batch_first`` says; (num_layers·D, hidden_size) for one sequence. Without hx the state starts at 0.

    ``lengths``, whole numbers (B,) from 1 to T, says how long each sequence is. What stands in x beyond is not read, y is 0
    there, the last state is that at the sequence's own end, and the way back starts there. This is what PyTorch's packed
    sequences compute, without their sorting, their type, and the padding before and after: so those are not taken.

    ``dropout`` acts in training on the outputs of each layer but the last.
    """

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False,
                 *, dtype=np.float32):
        check_sizes(self, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        if not 0 <= dropout <= 1:
            raise ValueError(f"{type(self).__name__}: dropout is {dropout}, expected 0 ≤ dropout ≤ 1")
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.batch_first = batch_first
        self.dropout = dropout
        self.bidirectional = bidirectional
        self._directions = ("", "_reverse") if bidirectional else ("",)
        for layer in range(num_layers):
            for direction in self._directions:
                inputs = input_size if layer == 0 else len(self._directions) * hidden_size
                self._add_weights(inputs, bias, dtype, f"_l{layer}{direction}")
        self.reset_parameters()

    def forward(self, x, hx=None, lengths=None):
        """(y, last state)."""
        name, first = type(self).__name__, self.weight_ih_l0
        x = as_input(self, x, first)
        one = x.ndim == 2
        if x.ndim not in (2, 3) or x.shape[-1] != self.input_size:
            axes = "(B, T, I)" if self.batch_first else "(T, B, I)"
            raise ValueError(f"{name}: x has shape {x.shape}, expected {axes}, or (T, I), with I = {self.input_size}")
        if one:
            x = x.reshape(len(x), 1, self.input_size)
            lengths = None if lengths is None else np.reshape(lengths, 1)
        elif self.batch_first:
            x = x.swapaxes(0, 1)
        T, B, D = *x.shape[:2], len(self._directions)
        if T == 0:
            raise ValueError(f"{name}: x has no time, expected at least one")
        if lengths is not None and np.min(lengths, initial=1) < 1:
            raise ValueError(f"{name}: a length is {np.min(lengths)}, expected at least 1")
        shape = (self.num_layers * D, self.hidden_size) if one else (self.num_layers * D, B, self.hidden_size)
        state = self._initial(hx, shape, first)
        last = []                                           # of each layer and direction: (B, H) each
        for layer in range(self.num_layers):
            if layer:
                x = F.dropout(x, self.dropout, self.training)
            ways = []
            for direction in self._directions:
                began = [h[len(last)].reshape(B, self.hidden_size) for h in state]
                y, *ended = self._run(x, began, f"_l{layer}{direction}", lengths=lengths, reverse=bool(direction))
                ways.append(y)
                last.append(ended)
            x = ops.concatenate(ways, axis=-1) if D > 1 else y
        hn = tuple(ops.stack(parts).reshape(shape) for parts in zip(*last))
        y = x.reshape(T, -1) if one else x.swapaxes(0, 1) if self.batch_first else x
        return y, hn if self.states > 1 else hn[0]

    def extra_repr(self):
        said = f"{self.input_size}, {self.hidden_size}"
        for name, default in (("num_layers", 1), ("batch_first", False), ("dropout", 0.0), ("bidirectional", False)):
            if getattr(self, name) != default:
                said += f", {name}={getattr(self, name)}"
        return said


class RNN(_Recurrent):
    """h_t = φ(x_t Wᵢᵀ + bᵢ + h_{t−1} Wₕᵀ + bₕ),  φ = tanh, or relu as ``nonlinearity`` says; returns (y, h_n).

    weight_ih_l0 (hidden_size, input_size), weight_hh_l0 (hidden_size, hidden_size), bias_ih_l0, bias_hh_l0, and so on.
    """

    def __init__(self, input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True, batch_first=False, dropout=0.0,
                 bidirectional=False, *, dtype=np.float32):
        self.nonlinearity = _known(self, nonlinearity)
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype=dtype)

    def _operation(self, *arguments, **options):
        return ops.rnn(*arguments, nonlinearity=self.nonlinearity, **options)


class GRU(_Recurrent):
    """Gated recurrent units (``ops.gru`` has the formulas); returns (y, h_n).

    weight_ih_l0 (3·hidden_size, input_size) holds the reset gate, the update gate and the candidate, in this order.
    """

    gates = 3
    _operation = staticmethod(ops.gru)


class LSTM(_Recurrent):
    """Long short-term memory (``ops.lstm`` has the formulas); returns (y, (h_n, c_n)), and hx is such a pair.

    weight_ih_l0 (4·hidden_size, input_size) holds the input gate, the forget gate, the candidate and the output gate, in this
    order. PyTorch's ``proj_size`` is not taken: put a ``Linear`` behind the layer.
    """

    gates = 4
    states = 2
    _operation = staticmethod(ops.lstm)


# ------------------------------------------------------------------------------------------------ one time only

class _Cell(_Weights):
    """One step of a layer: x (B, input_size) or (input_size,) and the state before it (0 if not given) → the state after it."""

    def __init__(self, input_size, hidden_size, bias=True, *, dtype=np.float32):
        check_sizes(self, input_size=input_size, hidden_size=hidden_size)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self._add_weights(input_size, bias, dtype)
        self.reset_parameters()

    def forward(self, x, hx=None):
        """The state after this step."""
        x = as_input(self, x, self.weight_ih)
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            raise ValueError(f"{type(self).__name__}: x has shape {x.shape}, expected (B, I) or (I,) with I = {self.input_size}")
        shape = (*x.shape[:-1], self.hidden_size)
        state = self._initial(hx, shape, self.weight_ih)
        B = len(x) if x.ndim == 2 else 1
        _, *after = self._run(x.reshape(1, B, self.input_size), [h.reshape(B, self.hidden_size) for h in state])
        after = tuple(h.reshape(shape) for h in after)
        return after if self.states > 1 else after[0]

    def extra_repr(self):
        return f"{self.input_size}, {self.hidden_size}"


class RNNCell(_Cell):
    """One step of an RNN: h′ from x and h."""

    def __init__(self, input_size, hidden_size, bias=True, nonlinearity="tanh", *, dtype=np.float32):
        self.nonlinearity = _known(self, nonlinearity)
        super().__init__(input_size, hidden_size, bias, dtype=dtype)

    _operation = RNN._operation


class GRUCell(_Cell):
    """One step of a GRU: h′ from x and h."""

    gates = GRU.gates
    _operation = staticmethod(ops.gru)


class LSTMCell(_Cell):
    """One step of an LSTM: (h′, c′) from x and (h, c)."""

    gates = LSTM.gates
    states = LSTM.states
    _operation = staticmethod(ops.lstm)


def _known(layer, nonlinearity):
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(f"{type(layer).__name__}: nonlinearity is {nonlinearity!r}, expected 'tanh' or 'relu'")
    return nonlinearity
