"""Recurrent layers: ONNX has them as operators, with the gates in another order and an axis for the direction."""

from __future__ import annotations

from typing import Any

from .... import ops
from ..graph import Graph, Value
from ..library import onnx
from . import converts


@converts(ops.lstm)
def lstm(g: Graph, x: Value, h0: Value, c0: Value, *weights: Value | None, **options: Any) -> list[Value]:
    """LSTM: our gates i, f, g, o become i, o, f, g."""
    return _recurrent(g, "LSTM", (0, 3, 1, 2), x, [h0, c0], weights, **options)


@converts(ops.gru)
def gru(g: Graph, x: Value, h0: Value, *weights: Value | None, **options: Any) -> list[Value]:
    """GRU: our gates r, z, n become z, r, n; the reset gate acts after the product, as in PyTorch."""
    return _recurrent(g, "GRU", (1, 0, 2), x, [h0], weights, linear_before_reset=1, **options)


@converts(ops.rnn)
def rnn(g: Graph, x: Value, h0: Value, *weights: Value | None, nonlinearity: str = "tanh",
        **options: Any) -> list[Value]:
    """RNN."""
    return _recurrent(g, "RNN", (0,), x, [h0], weights, activations=[nonlinearity.capitalize()], **options)


def _recurrent(g: Graph, op_type: str, order: tuple[int, ...], x: Value, states: list[Value],
               weights: tuple[Value | None, ...], lengths: Value | None = None, reverse: bool = False,
               **attributes: Any) -> list[Value]:
    """[y (T, B, H), last states (B, H)] of one layer in one direction."""
    W, R, *biases = [weight for weight in weights if weight is not None]
    H = states[0].lengths(-1)[0]

    def gates(weight: Value) -> Value:
        if len(order) == 1:
            return weight
        parts = g.Split(weight, [H] * len(order), axis=0, outputs=len(order))
        return g.Concat(*(parts[i] for i in order), axis=0)

    bias = g.Unsqueeze(g.Concat(*map(gates, biases), axis=0), [0]) if biases else None
    ends = None if lengths is None else g.Cast(lengths, to=onnx().TensorProto.INT32)
    y, *last = g.node(op_type, x, g.Unsqueeze(gates(W), [0]), g.Unsqueeze(gates(R), [0]), bias, ends,
                      *(g.Unsqueeze(state, [0]) for state in states), outputs=1 + len(states), hidden_size=H,
                      direction="reverse" if reverse else "forward", **attributes)
    last = [g.Squeeze(state, [0]) for state in last]
    if lengths is not None:                                 # a sequence without steps keeps its state; ONNX gives zeros
        moved = g.Unsqueeze(g.Greater(lengths, 0), [1])
        last = [g.Where(moved, after, before) for after, before in zip(last, states)]
    return [g.Squeeze(y, [1]), *last]
