import math

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer import nn


def test_gradients(check_layer, rng):
    check_layer(nn.Linear(4, 3), rng.normal(size=(2, 5, 4)))
    check_layer(nn.Linear(4, 3, bias=False), rng.normal(size=4))
    check_layer(nn.Embedding(6, 3), rng.integers(0, 6, (2, 7)))
    check_layer(nn.Dropout(0.4).eval(), rng.normal(size=(3, 4)))


def test_dropout_gradient(check_layer, rng):
    class Repeated(nn.Module):
        """Dropout that drops the same entries at each call, as a numeric derivative needs."""

        def __init__(self):
            self.dropout = nn.Dropout(0.4)

        def forward(self, x):
            tfm.seed(5)
            return self.dropout(x)

    check_layer(Repeated(), rng.normal(size=(5, 6)))


def test_linear_starts_uniform():
    layer = nn.Linear(400, 300)
    for parameter in (layer.weight, layer.bias):
        assert np.abs(parameter.data).max() <= 0.05 and np.abs(parameter.data).max() > 0.049
        assert parameter.data.std() == pytest.approx(0.05 / math.sqrt(3), rel=0.1)
        assert parameter.dtype == np.float32 and parameter.requires_grad
    assert nn.Linear(2, 3, dtype=np.float64).weight.dtype == np.float64


def test_embedding_starts_normal_and_its_padding_row_stays_zero():
    layer = nn.Embedding(300, 100, padding_idx=-2)
    assert layer.padding_idx == 298
    np.testing.assert_array_equal(layer.weight.data[298], 0)
    rest = np.delete(layer.weight.data, 298, axis=0)
    assert abs(rest.mean()) < 0.03 and rest.std() == pytest.approx(1, rel=0.03)
    layer(np.array([298, 1])).sum().backward()
    assert not layer.weight.grad[298].any() and layer.weight.grad[1].all()


def test_seed_decides():
    tfm.seed(1)
    a = nn.Linear(3, 4)
    tfm.seed(1)
    np.testing.assert_array_equal(a.weight.data, nn.Linear(3, 4).weight.data)
    assert (a.weight.data != nn.Linear(3, 4).weight.data).all()


def test_dropout_drops_in_training_alone():
    layer, x = nn.Dropout(0.3), np.ones((200, 300), np.float32)
    y = np.asarray(layer(x))
    assert (y == 0).mean() == pytest.approx(0.3, abs=5 * math.sqrt(0.21 / y.size))
    np.testing.assert_allclose(y[y != 0], 1 / 0.7, rtol=1e-6)
    np.testing.assert_array_equal(layer.eval()(x), x)
    np.testing.assert_array_equal(nn.Dropout(0.0)(x), x)


def test_arrays_follow_the_layer_and_tensors_must_have_its_type():
    layer, x = nn.Linear(3, 2), np.ones((4, 3))
    assert layer(x).dtype == layer(x.astype(np.float16)).dtype == layer(x.tolist()).dtype == np.float32
    with pytest.raises(TypeError, match=r"Linear: x is float64, expected float32; convert one: x.astype\(float32\)"):
        layer(tfm.tensor(x))
    with pytest.raises(TypeError, match="Linear: x is int64, expected float32$"):
        layer(np.ones((4, 3), int))


def test_bad_input():
    with pytest.raises(ValueError, match=r"linear: x has 5 features in its last axis, but weight is \(2, 3\)"):
        nn.Linear(3, 2)(np.ones((4, 5)))
    with pytest.raises(TypeError, match="embedding: indices are float32, expected integers"):
        nn.Embedding(3, 2)(np.ones(4, np.float32))
    with pytest.raises(ValueError, match="embedding: indices lie in 0…3, expected 0…2"):
        nn.Embedding(3, 2)(np.arange(4))
    with pytest.raises(ValueError, match="Embedding: padding_idx is 3, expected an integer from -3 to 2"):
        nn.Embedding(3, 2, padding_idx=3)
    with pytest.raises(ValueError, match="Dropout: p is 1.5, expected 0 ≤ p ≤ 1"):
        nn.Dropout(1.5)
    with pytest.raises(TypeError, match="Dropout: x is int64, expected float32 or float64"):
        nn.Dropout(0.5)(np.arange(3))
    with pytest.raises(TypeError, match="int64"):
        nn.Linear(2, 3, dtype=np.int64)
    with pytest.raises(ValueError, match="Linear: out_features is 0, expected an integer of at least 1"):
        nn.Linear(2, 0)
    with pytest.raises(TypeError, match="Embedding: embedding_dim is 2.0, expected an integer of at least 1"):
        nn.Embedding(3, 2.0)


def test_repr():
    assert repr(nn.Embedding(5, 3, padding_idx=-1)) == "Embedding(5, 3, padding_idx=4)"
    assert repr(nn.Dropout(0.25)) == "Dropout(p=0.25)"
