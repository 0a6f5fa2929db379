"""Dropout of p = 1 in each layer: everything is dropped, no number is NaN, and evaluation is unchanged."""

import numpy as np
import pytest

from tinyformer import nn

X = np.random.default_rng(0).standard_normal((3, 2, 4)).astype("f")

LAYERS = {
    "Dropout": (lambda p: nn.Dropout(p), lambda layer: layer(X)),
    **{kind.__name__: (lambda p, kind=kind: kind(4, 4, num_layers=2, dropout=p), lambda layer: layer(X)[0])
       for kind in (nn.RNN, nn.GRU, nn.LSTM)},
    "MultiheadAttention": (lambda p: nn.MultiheadAttention(4, 2, dropout=p), lambda layer: layer(X, X, X)[0]),
    "MultiheadAttention, no weights": (lambda p: nn.MultiheadAttention(4, 2, dropout=p),
                                       lambda layer: layer(X, X, X, need_weights=False)[0]),
    "Transformer": (lambda p: nn.Transformer(4, 2, 1, 1, 8, dropout=p), lambda layer: layer(X, X)),
}


@pytest.mark.parametrize("make, call", LAYERS.values(), ids=LAYERS)
def test_everything_is_dropped_and_nothing_is_nan(make, call):
    layer, plain = make(1.0), make(0.0)
    plain.load_state_dict(layer.state_dict())
    y = call(layer)
    assert np.isfinite(y.data).all() and not np.array_equal(y.data, call(plain).data)
    if y.requires_grad:
        y.sum().backward()
        assert all(np.isfinite(p.grad).all() for p in layer.parameters() if p.grad is not None)
    np.testing.assert_array_equal(call(layer.eval()).data, call(plain.eval()).data)


def test_attention_that_is_dropped_whole_leaves_the_bias():
    layer = nn.MultiheadAttention(4, 2, dropout=1.0)
    layer.out_proj.bias.data[:] = [1, 2, 3, 4]
    for need_weights in (False, True):
        y, _ = layer(X, X, X, need_weights=need_weights)
        np.testing.assert_array_equal(y.data, np.broadcast_to(np.float32([1, 2, 3, 4]), X.shape))


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_a_second_layer_whose_input_is_dropped_reads_zeros(kind):
    layer = kind(4, 4, num_layers=2, dropout=1.0)
    other = X[::-1].copy()
    np.testing.assert_array_equal(layer(X)[0].data, layer(other)[0].data)      # nothing of x is left
