"""LeNet: its wiring, its gradients, and pictures that it refuses."""

import dataclasses

import numpy as np
import pytest

from tinyformer.gradcheck import check
from tinyformer.models import LeNet, LeNetConfig, load_model
from tinyformer.optim import Adam

TINY = LeNetConfig(n_features=196, n_classes=3, n_channels=2, n_channels_2=3, n_hidden=7, n_hidden_2=5)


def test_the_network_of_1998():
    """Its layers' parameters, as in the paper where the wiring is the same: 156 and 48,120 and 10,164."""
    model = LeNet(LeNetConfig())
    sizes = {name: p.size for name, p in model.named_parameters()}
    assert sizes["convolutions.0.weight"] + sizes["convolutions.0.bias"] == 156
    assert sizes["hidden.1.weight"] + sizes["hidden.1.bias"] == 48_120
    assert sizes["hidden.4.weight"] + sizes["hidden.4.bias"] == 10_164
    assert sum(sizes.values()) == 61_706
    assert model.eval().features(np.zeros((2, 784), np.float32)).shape == (2, 84)


def test_rows_and_pictures_are_the_same(rng):
    model, x = LeNet(TINY), rng.random((4, 1, 14, 14), dtype=np.float32)
    np.testing.assert_array_equal(model(x).data, model(x.reshape(4, 196)).data)
    assert model(x[:0]).shape == (0, 3) and model.predict(x).shape == (4,)


def test_gradients(rng):
    model = LeNet(TINY).to(np.float64)
    report = check(model, rng.normal(size=(3, 1, 14, 14)))
    assert report.ok, report


def test_it_learns_where_a_stroke_leads_wherever_it_lies(rng):
    """Horizontal, vertical or diagonal strokes in noise, anywhere in the picture."""
    def draw(n):
        x, y = 0.2 * rng.random((n, 14, 14), dtype=np.float32), rng.integers(0, 3, n)
        for picture, kind in zip(x, y):
            row, column = rng.integers(0, 8, 2)
            steps = np.arange(6)
            picture[row + steps * (kind != 0), column + steps * (kind != 1)] += 1
        return x.reshape(n, 196), y

    model = LeNet(dataclasses.replace(TINY, n_channels=6, n_channels_2=12, n_hidden=24, n_hidden_2=12))
    optimizer, (x, y) = Adam(model.parameters(), lr=0.01), draw(300)
    for _ in range(80):
        model.loss(x, y).backward()
        optimizer.step()
        optimizer.zero_grad()
    x, y = draw(200)
    assert np.mean(model.eval().predict(x) == y) > 0.95


def test_saved_and_made_again(tmp_path, rng):
    model, x = LeNet(TINY).eval(), rng.random((2, 196), dtype=np.float32)
    model.save_pretrained(tmp_path)
    np.testing.assert_array_equal(load_model(tmp_path)(x).data, model(x).data)


@pytest.mark.parametrize("shape", [(2, 1, 28, 28), (2, 195), (2, 3, 14, 14), (14, 14), (196,)])
def test_pictures_of_another_size_are_refused(shape):
    with pytest.raises(ValueError, match=r"LeNet: pictures have shape .*, expected \(N, 1, 14, 14\) or \(N, 196\)"):
        LeNet(TINY)(np.zeros(shape, np.float32))


@pytest.mark.parametrize("n", [783, 121])
def test_sizes_that_it_cannot_have(n):
    with pytest.raises(ValueError, match=f"LeNet: n_features is {n}, expected the pixels of a square picture"):
        LeNet(LeNetConfig(n_features=n))
