"""Digits are replaced by strokes: no test reads the real ones."""

import numpy as np
import pytest

from tinyformer.data import Dataset, Examples
from tinyformer.train import load_recipe
from tinyformer.train.tasks import pictures


def draw(n, rng):
    """``n`` pictures of 4 × 4 with a stroke in one of four places."""
    x, y = 0.2 * rng.random((n, 4, 4)).astype(np.float32), rng.integers(0, 4, n)
    for picture, kind in zip(x, y):
        picture[kind] += 1
    return Examples(x.reshape(n, 16), y)


@pytest.fixture(autouse=True)
def strokes(monkeypatch):
    """400 pictures to train on, of four classes."""
    rng = np.random.default_rng(0)
    dataset = Dataset("mnist-5k", draw(400, rng), draw(50, rng), draw(100, rng), tuple("0123"))
    monkeypatch.setattr(pictures, "load", lambda name: dataset)
    return dataset


@pytest.fixture
def recipe():
    """A federation's recipe, with a small model."""
    return load_recipe("mlp-mnist-federated", ["model.n_hidden=8", "data.shift=0"])
