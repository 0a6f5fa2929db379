"""Whole training steps: the same curve on every backend, the same bits for any number of threads."""

from __future__ import annotations

import os

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer import nn, ops, optim
from tinyformer.kernels import backend, reference
from tinyformer.kernels.compiled import Compiled
from tinyformer.models import GPT, GPTConfig


@pytest.fixture(autouse=True)
def as_it_was():
    live, threads = backend.info()["live"], backend.get_num_threads()
    yield
    backend.use(live)
    backend.set_num_threads(threads)


def use(name):
    try:
        backend.use(name)
    except RuntimeError as error:
        if os.environ.get("TINYFORMER_REQUIRE_NATIVE"):
            raise
        pytest.skip(str(error))


class Encoder(nn.Module):
    """BERT-like: two post-norm layers with the exact GELU, padding hidden; a class for each token."""

    def __init__(self):
        self.embedding = nn.Embedding(50, 32)
        self.layers = nn.ModuleList([nn.TransformerEncoderLayer(32, 4, 96, 0.1, "gelu", batch_first=True)
                                     for _ in range(2)])
        self.head = nn.Linear(32, 50)

    def loss(self, ids, targets):
        x, padding = self.embedding(ids), ids == 0
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=padding)
        return ops.cross_entropy(self.head(x), np.where(padding, -100, targets), label_smoothing=0.1)


class Recurrent(nn.Module):
    def __init__(self):
        self.embedding, self.lstm, self.head = nn.Embedding(50,
                                                            24), nn.LSTM(24, 40, batch_first=True), nn.Linear(40, 50)

    def loss(self, ids, targets):
        return ops.cross_entropy(self.head(self.lstm(self.embedding(ids))[0]), targets)


MODELS = {
    "gpt": lambda: GPT(GPTConfig(vocab_size=50, block_size=40, n_layer=2, n_head=4, n_embd=32, dropout=0.1)),
    "encoder": Encoder,
    "lstm": Recurrent,
}
every_model = pytest.mark.parametrize("model", MODELS)


def train(model, steps=6):
    """(losses, gradient norms, the last weights) of a few steps of ``model``, always from the same start."""
    tfm.seed(3)
    rng = np.random.default_rng(5)
    model = MODELS[model]()
    optimizer = optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)
    losses, norms = [], []
    for _ in range(steps):
        ids = (rng.integers(0, 50, (16, 1)) + 3 * np.arange(41)) % 50           # each token is the last one and 3
        loss = model.loss(ids[:, :-1], ids[:, 1:])
        loss.backward()
        norms.append(optim.clip_grad_norm_(model.parameters(), 1.0))
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.data))
    return losses, norms, [p.data for p in model.parameters()]


@every_model
@pytest.mark.parametrize("name", ["native", "cffi"])
def test_every_backend_gives_the_same_curve(model, name):
    backend.use("numpy")
    losses, norms, _ = train(model)
    use(name)
    got, got_norms, _ = train(model)
    assert losses[-1] < 0.95 * losses[0] and norms != got_norms                  # it learns, and other code computed it
    np.testing.assert_allclose(got, losses, rtol=2e-6)
    np.testing.assert_allclose(got_norms, norms, rtol=5e-5)


@every_model
def test_a_training_step_has_the_same_bits_for_any_number_of_threads(model):
    use("native")
    backend.set_num_threads(1)
    expected = train(model, 3)
    for n in (2, 3, 7):
        backend.set_num_threads(n)
        losses, norms, weights = train(model, 3)
        assert losses == expected[0] and norms == expected[1]
        assert all(np.array_equal(a, b) for a, b in zip(weights, expected[2], strict=True))


@every_model
def test_training_leaves_nothing_to_numpy(model, monkeypatch):
    """With the native backend no kernel of the reference is called."""
    use("native")

    def left(name):
        def called(*args, **options):
            raise AssertionError(f"{name} was left to NumPy")
        return called

    names = [name for name in vars(Compiled) if not name.startswith("_")]
    for name in names:
        # it is called, with what is left: nothing
        if name != "adamw":
            monkeypatch.setattr(reference, name, left(name))
    monkeypatch.setattr(reference, "adamw", lambda parameters: [left("adamw")() for _ in parameters])
    assert {"gelu", "layer_norm", "cross_entropy", "dropout", "attention", "adamw", "sum_of_squares",
            "lstm"} <= set(names)
    train(model, 1)
