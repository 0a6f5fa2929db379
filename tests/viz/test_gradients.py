"""Gradients through time: they vanish and explode as the theory says, and clipping bounds what they do."""

import numpy as np
import pytest

from tinyformer import nn, optim
from tinyformer.viz import draw_state_gradients, state_gradients

T = 30


def orthogonal(rng, n):
    return np.linalg.qr(rng.normal(size=(n, n)))[0]


def at_rest(layer, rho, rng):
    """The layer without biases and with recurrent weights ρ times a rotation: at x = 0 its state stays 0."""
    for parameter in layer.parameters():
        parameter.data[...] = 0
    layer.weight_hh_l0.data[...] = np.tile(rho * orthogonal(rng, layer.hidden_size), (layer.gates, 1))
    return layer


@pytest.mark.parametrize("rho", (0.5, 1.0, 1.4))
def test_an_rnn_at_rest_multiplies_by_its_weights(rng, rho):
    layer = at_rest(nn.RNN(3, 5, dtype=np.float64), rho, rng)
    np.testing.assert_allclose(state_gradients(layer, np.zeros((T, 3))), rho ** np.arange(T, -1.0, -1), rtol=1e-10)


@pytest.mark.parametrize("open", (-1.0, 0.0, 5.0))
def test_an_lstm_at_rest_multiplies_by_its_forget_gate(rng, open):
    layer = at_rest(nn.LSTM(3, 5, dtype=np.float64), 0, rng)
    layer.bias_ih_l0.data[5:10] = open
    forget = 1 / (1 + np.exp(-open))
    expected = 0.5 * forget ** np.arange(T, -1.0, -1)                           # the output gate is half open
    expected[-1] = 1
    np.testing.assert_allclose(state_gradients(layer, np.zeros((T, 3))), expected, rtol=1e-10)


@pytest.mark.parametrize("name", ("RNN", "GRU", "LSTM"))
def test_the_norm_is_that_of_numeric_jacobians(rng, name):
    """Where nothing is at rest. The step t is taken from the state that the first t times lead to."""
    layer = getattr(nn, name)(2, 3, dtype=np.float64)
    x = rng.normal(size=(6, 2))
    norms = state_gradients(layer, x)
    for t in range(1, 6):
        _, state = layer(x[:t])
        parts = [s.data for s in (state if name == "LSTM" else (state,))]

        def last(parts):
            _, end = layer(x[t:], tuple(parts) if name == "LSTM" else parts[0])
            return (end[0] if name == "LSTM" else end).data[0]

        columns = []
        for part in parts:
            for i in range(3):
                kept = part[0, i]
                part[0, i] = kept + 1e-6
                above = last(parts)
                part[0, i] = kept - 1e-6
                columns.append((above - last(parts)) / 2e-6)
                part[0, i] = kept
        assert norms[t] == pytest.approx(np.linalg.norm(np.stack(columns, axis=1), 2), rel=1e-6)


def test_clipping_bounds_the_step_and_keeps_its_direction(rng):
    layer = at_rest(nn.RNN(3, 5, dtype=np.float64), 2.5, rng)
    _, h = layer(np.zeros((2 * T, 1, 3)))
    h.sum().backward()
    before = np.concatenate([p.grad.ravel() for p in layer.parameters()])
    assert np.linalg.norm(before) > 1e20                                        # exploded
    optim.clip_grad_norm_(layer.parameters(), 1.0)
    after = np.concatenate([p.grad.ravel() for p in layer.parameters()])
    assert np.linalg.norm(after) == pytest.approx(1, rel=1e-5)
    np.testing.assert_allclose(after, before / np.linalg.norm(before), rtol=1e-5)


def test_bad_input(rng):
    with pytest.raises(ValueError, match="one layer in one direction"):
        state_gradients(nn.GRU(3, 4, bidirectional=True), np.zeros((5, 3)))
    with pytest.raises(ValueError, match="first axis is time"):
        state_gradients(nn.GRU(3, 4, batch_first=True), np.zeros((5, 3)))
    with pytest.raises(ValueError, match=r"x has shape \(5, 1, 3\), expected \(T, I\)"):
        state_gradients(nn.GRU(3, 4), np.zeros((5, 1, 3)))


def test_a_picture_is_drawn(tmp_path):
    path = tmp_path / "reach.png"
    draw_state_gradients({"RNN": 0.8 ** np.arange(20.0)[::-1], "zero": np.zeros(20)}, path)
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
