"""Recurrent layers: gradients, lengths, dropout, and what is refused. Their values stand in tests/parity."""

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer import nn, ops

LAYERS = ("RNN", "GRU", "LSTM")


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("options", ({}, {"num_layers": 2, "bidirectional": True, "batch_first": True},
                                     {"bias": False}))
def test_gradients(check_layer, rng, name, options):
    layer = getattr(nn, name)(2, 2, **options)
    check_layer(layer, rng.normal(size=(2, 3, 2)))
    check_layer(layer, rng.normal(size=(2, 3, 2)), lengths=[3, 1] if options.get("batch_first") else [2, 1, 2])


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("both", (False, True))
def test_each_sequence_is_as_if_it_were_alone(rng, name, both):
    layer = getattr(nn, name)(3, 4, num_layers=2, bidirectional=both, dtype=np.float64)
    x, lengths = rng.normal(size=(7, 5, 3)), np.array([7, 1, 4, 2, 5])
    y, last = layer(x, lengths=lengths)
    last = last if isinstance(last, tuple) else (last,)
    for b, n in enumerate(lengths):
        y_alone, alone = layer(x[:n, b])
        np.testing.assert_allclose(y.data[:n, b], y_alone.data, rtol=1e-13, atol=1e-13)
        assert not y.data[n:, b].any()
        for h, h_alone in zip(last, alone if isinstance(alone, tuple) else (alone,)):
            np.testing.assert_allclose(h.data[:, b], h_alone.data, rtol=1e-13, atol=1e-13)


def test_the_state_carries_on(rng):
    """A sequence in two pieces, the state handed on, is the whole sequence; cells one by one are too."""
    x = rng.normal(size=(6, 2, 3))
    for name in LAYERS:
        layer, cell = getattr(nn, name)(3, 4, dtype=np.float64), getattr(nn, name + "Cell")(3, 4, dtype=np.float64)
        cell.load_state_dict({k.removesuffix("_l0"): v for k, v in layer.state_dict().items()})
        whole, _ = layer(x)
        first, state = layer(x[:4])
        second, _ = layer(x[4:], state)
        np.testing.assert_allclose(ops.concatenate([first, second]), whole, rtol=1e-13, atol=1e-13)
        state = None
        for t in range(6):
            state = cell(x[t], state)
            h = state[0] if name == "LSTM" else state
            np.testing.assert_allclose(h.data, whole.data[t], rtol=1e-13, atol=1e-13)


def test_dropout_lies_between_the_layers(rng):
    x = rng.normal(size=(5, 4, 3))
    layer = nn.LSTM(3, 64, num_layers=2, dropout=0.5, dtype=np.float64)
    a, b = layer(x)[0], layer(x)[0]
    assert (a.data != b.data).all()                             # the last layer's outputs are not dropped
    layer.eval()
    np.testing.assert_array_equal(layer(x)[0].data, layer(x)[0].data)
    one = nn.LSTM(3, 4, dropout=0.5, dtype=np.float64)
    np.testing.assert_array_equal(one(x)[0].data, one(x)[0].data)


def test_no_sequences(rng):
    for name in LAYERS:
        y, last = getattr(nn, name)(3, 4, num_layers=2, bidirectional=True)(np.zeros((5, 0, 3), "f"))
        assert y.shape == (5, 0, 8) and (last[0] if name == "LSTM" else last).shape == (4, 0, 4)


def test_float32_stays(rng):
    y, (h, c) = nn.LSTM(3, 4, bidirectional=True)(rng.normal(size=(5, 2, 3)), lengths=[5, 2])
    assert y.dtype == h.dtype == c.dtype == np.float32


@pytest.mark.parametrize("call, error, says", [
    (lambda layer: layer(np.zeros((5, 2, 4))), ValueError,
     r"LSTM: x has shape \(5, 2, 4\), expected \(T, B, I\), or \(T, I\), with I = 3"),
    (lambda layer: layer(np.zeros(3)), ValueError, r"x has shape \(3,\)"),
    (lambda layer: layer(np.zeros((0, 2, 3))), ValueError, r"x has shape \(0, 2, 3\) with no time step"),
    (lambda layer: layer(np.zeros((5, 2, 3), int)), TypeError, "x is int64, expected float32"),
    (lambda layer: layer(np.zeros((5, 2, 3)), np.zeros((2, 2, 4))), TypeError,
     r"expected the state hx as a pair \(h, c\), got ndarray"),
    (lambda layer: layer(np.zeros((5, 2, 3)), (np.zeros((2, 2, 4)), np.zeros((2, 2, 4)))), ValueError,
     r"the initial state h has shape \(2, 2, 4\), expected \(1, 2, 4\)"),
    (lambda layer: layer(np.zeros((5, 2, 3)), lengths=[5, 0]), ValueError, "a length is 0, expected at least 1"),
    (lambda layer: layer(np.zeros((5, 2, 3)), lengths=[5, 6]), ValueError,
     r"lengths lie in 5…6, expected 0…5, the time steps of x"),
    (lambda layer: layer(np.zeros((5, 2, 3)), lengths=[5]), ValueError, r"lengths has shape \(1,\), expected \(2,\)"),
    (lambda layer: layer(np.zeros((5, 2, 3)), lengths=[5.0, 2.0]), TypeError, "lengths are float64, expected integers"),
])
def test_what_does_not_fit_is_refused(call, error, says):
    with pytest.raises(error, match=says):
        call(nn.LSTM(3, 4))


@pytest.mark.parametrize("make, says", [
    (lambda: nn.LSTM(0, 4), "input_size is 0"), (lambda: nn.GRU(3, 4, num_layers=0), "num_layers is 0"),
    (lambda: nn.RNN(3, 4, dropout=1.5), "dropout is 1.5"),
    (lambda: nn.RNN(3, 4, nonlinearity="elu"), "nonlinearity is 'elu'"),
    (lambda: nn.RNNCell(3, 4, nonlinearity="elu"), "nonlinearity is 'elu'"),
    (lambda: nn.LSTMCell(3, -1), "hidden_size is -1"),
    (lambda: nn.GRUCell(3, 4)(np.zeros((2, 5))), r"GRUCell: x has shape \(2, 5\)"),
    (lambda: nn.RNN(3, 4)(np.zeros((2, 2, 3)), np.zeros((2, 4))), r"the initial state h has shape \(2, 4\)")])
def test_what_cannot_be_made(make, says):
    with pytest.raises(ValueError, match=says):
        make()


def test_repr():
    assert repr(nn.LSTM(3, 4, num_layers=2, bidirectional=True)) == "LSTM(3, 4, num_layers=2, bidirectional=True)"
    assert repr(nn.GRUCell(3, 4)) == "GRUCell(3, 4)"


def test_it_learns_to_remember(rng):
    """The model outputs the first of five numbers at the end: the loss falls far below that of the best constant."""
    tfm.seed(0)
    lstm, head = nn.LSTM(1, 8), nn.Linear(8, 1)
    optimizer = tfm.optim.Adam([*lstm.parameters(), *head.parameters()], lr=0.03)
    x = rng.uniform(-1, 1, size=(5, 64, 1)).astype("f")
    for _ in range(150):
        loss = ((head(lstm(x)[1][0][0]) - x[0]) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1 * x[0].var()
