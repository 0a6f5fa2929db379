"""The gradient of each example, by one pass over the batch, is that of the example alone."""

from __future__ import annotations

import numpy as np
import pytest

from tinyformer import nn, no_grad, ops
from tinyformer.models import (GPT, MLP, BertClassifier, BertClassifierConfig, GPTConfig, LeNet, LeNetConfig,
                               LinearConfig, LinearRegression, Llama, LlamaConfig, LSTMClassifier, LSTMConfig,
                               MLPConfig, Recurrent, RecurrentConfig, ViT, ViTConfig)
from tinyformer.privacy import gradient_factors, per_example, per_example_gradients, per_example_norms

B, T, V = 5, 6, 11


def vectors(rng):
    return rng.normal(size=(B, 7)), rng.integers(0, 3, B)


def tokens(rng):
    ids, targets = rng.integers(0, V, (2, B, T))
    ids[:, 3] = ids[:, 1]                                   # repeated tokens
    targets[0, 3:] = -100                                   # padding
    return ids, targets


def texts(rng):
    ids = rng.integers(1, V, (B, T))
    ids[1:, 4:] = 0                                         # padding
    return ids, rng.integers(0, 3, B)


SMALL = dict(vocab_size=V, block_size=8, n_layer=1, n_head=2, n_embd=8)
# name: (model, batch, whether one pass over the batch does it, without a run of each example)
MODELS = {
    "mlp": (lambda: MLP(MLPConfig(7, 3, n_hidden=6)), vectors, True),
    "lenet": (lambda: LeNet(LeNetConfig(144, 3, 2, 3, 5, 4)), lambda rng: (rng.random((B, 144)),
                                                                           rng.integers(0, 3, B)), True),
    "vit": (lambda: ViT(ViTConfig(n_features=64, n_classes=3, patch=4, n_layer=1, n_head=2, n_embd=8, dropout=0.0)),
            lambda rng: (rng.random((B, 64)), rng.integers(0, 3, B)), True),
    "mlp with a penalty": (lambda: MLP(MLPConfig(7, 3, n_hidden=6, l2=0.1)), vectors, False),
    "linear": (lambda: LinearRegression(LinearConfig(7, 2)), lambda rng: (rng.normal(size=(B, 7)),
                                                                          rng.normal(size=(B, 2))), False),
    "gpt, tied embedding": (lambda: GPT(GPTConfig(**SMALL, bias=True)), tokens, True),
    "llama": (lambda: Llama(LlamaConfig(**SMALL, n_kv_head=1)), tokens, True),
    "gru": (lambda: Recurrent(RecurrentConfig(vocab_size=V, n_embd=4, n_hidden=5, kind="gru")), tokens, True),
    "lstm classifier": (lambda: LSTMClassifier(LSTMConfig(vocab_size=V, n_classes=3, n_embd=4, n_hidden=5,
                                                          dropout=0.0)), texts, True),
    "bert classifier": (lambda: BertClassifier(BertClassifierConfig(**SMALL, n_classes=3, dropout=0.0)), texts, False),
}


def alone(model, x, y):
    """The gradient of each example by a run of its own: an array (B, *shape) for each parameter."""
    found = []
    for n in range(len(x)):
        model.zero_grad()
        model.loss(x[n:n + 1], y[n:n + 1]).backward()
        found.append([np.zeros(p.shape) if p.grad is None else p.grad for p in model.parameters()])
    model.zero_grad()
    return [np.stack(gradients) for gradients in zip(*found)]


@pytest.mark.parametrize("name", MODELS)
def test_equal_to_each_example_alone(name, rng, monkeypatch):
    make, batch, at_once = MODELS[name]
    model, (x, y) = make().to(np.float64), batch(rng)
    for p in model.parameters():
        p.data = p.data + 0.1 * rng.normal(size=p.shape)
    expected = alone(model, x, y)
    runs, one_by_one = [], per_example._alone
    monkeypatch.setattr(per_example, "_alone", lambda losses: runs.append(1) or one_by_one(losses))
    found = gradient_factors(model, x, y)
    assert bool(runs) != at_once
    for (key, _), g, e in zip(model.named_parameters(), found.arrays(), expected):
        np.testing.assert_allclose(g, e, rtol=0, atol=1e-10, err_msg=key)
    norms = np.sqrt(sum((e.reshape(B, -1) ** 2).sum(axis=1) for e in expected))
    np.testing.assert_allclose(found.norms(), norms, rtol=1e-10)
    np.testing.assert_allclose(per_example_norms(model, x, y), norms, rtol=1e-10)
    s = rng.random(B)
    for g, e in zip(found.weighted_sum(s), expected):
        np.testing.assert_allclose(g, np.tensordot(s, e, 1), rtol=0, atol=1e-10)
    assert all(p.grad is None for p in model.parameters())


class Odd(nn.Module):
    """Shared tensors on the way: part of a matrix, a product of parameters, a vector added to each example, padding."""

    def __init__(self):
        self.table = nn.Embedding(V, 4, padding_idx=0, dtype=np.float64)
        self.both = nn.Parameter(np.linspace(-1, 1, 24).reshape(6, 4))
        self.scale, self.shift = nn.Parameter(np.full(4, 1.5)), nn.Parameter(np.linspace(0, 1, T * 4).reshape(T, 4))
        self.unused = nn.Parameter(np.ones(3))

    def forward(self, ids):
        h = self.table(ids) + self.shift * self.scale                           # (B, T, 4)
        h = ops.linear(h.transpose(1, 0, 2), self.both[2:])                     # (T, B, 4): examples second
        return (ops.tanh(h) @ self.both[:4].transpose(1, 0)).sum(axis=0)


def test_shared_tensors_and_a_second_axis_of_examples(rng):
    model, ids, y = Odd(), rng.integers(0, 3, (B, T)), rng.integers(0, 4, B)
    parameters = list(model.parameters())
    model.scale.grad = np.full(4, 7.0)

    def losses(x, y):
        return ops.cross_entropy(model(x), y, reduction="none")

    found = per_example_gradients(losses, parameters, ids, y)
    assert np.array_equal(model.scale.grad, np.full(4, 7.0)) and model.table.weight.grad is None
    of = dict(zip((name for name, _ in model.named_parameters()), found))
    assert not of["table.weight"][:, 0].any() and not of["unused"].any() and of["both"].any(axis=(1, 2)).all()
    for n in range(B):
        model.zero_grad()
        losses(ids[n:n + 1], y[n:n + 1]).sum().backward()
        for p, g in zip(parameters, found):
            np.testing.assert_allclose(g[n], 0 if p.grad is None else p.grad, rtol=0, atol=1e-12)


@pytest.mark.parametrize("options", [{"stride": 2, "padding": (1, 0)}, {"padding": "same", "dilation": 2},
                                     {"groups": 2}, {"bias": False}])
def test_convolutions(rng, options):
    layer, x = nn.Conv2d(2, 4, 3, dtype=np.float64, **options), rng.normal(size=(B, 2, 7, 6))
    inner = nn.Parameter(rng.normal(size=(2, 7, 6)))

    def losses(x, y):
        return ops.tanh(layer(ops.tanh(ops.add(x, inner)))).sum(axis=(1, 2, 3))

    parameters = [inner, *layer.parameters()]
    found = per_example_gradients(losses, parameters, x, x)
    for n in range(B):
        for p in parameters:
            p.grad = None
        losses(x[n:n + 1], x).sum().backward()
        for p, g in zip(parameters, found):
            np.testing.assert_allclose(g[n], p.grad, rtol=0, atol=1e-12)


def test_examples_that_are_mixed_run_alone(rng):
    model, (x, y) = MLP(MLPConfig(7, 3, n_hidden=6)).to(np.float64), vectors(rng)

    def losses(x, y):
        return ops.cross_entropy(model(x) - ops.mean(x), y, reduction="none") + 0 * ops.mean(model(x))

    found = per_example_gradients(losses, model.parameters(), x, y)
    for n in range(B):
        model.zero_grad()
        losses(x[n:n + 1], y[n:n + 1]).sum().backward()
        for p, g in zip(model.parameters(), found):
            np.testing.assert_allclose(g[n], p.grad, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", (0, 1))
def test_small_batches(rng, size):
    model, (x, y) = MLP(MLPConfig(7, 3, n_hidden=6)).to(np.float64), vectors(rng)
    found = gradient_factors(model, x[:size], y[:size])
    assert len(found) == len(found.norms()) == size
    for p, g, total in zip(model.parameters(), found.arrays(), found.weighted_sum(np.ones(size))):
        assert g.shape == (size, *p.shape)
        np.testing.assert_array_equal(total, g.sum(axis=0))


def test_float32_stays(rng):
    model, (x, y) = MLP(MLPConfig(7, 3, n_hidden=6)), vectors(rng)
    found = gradient_factors(model, x.astype(np.float32), y)
    assert {a.dtype for a in (*found.arrays(), found.norms(), *found.weighted_sum(np.ones(B)))} == {np.dtype("f4")}


@pytest.mark.parametrize("scale", (1e-30, 1e25))
@pytest.mark.parametrize("T", (1, 2, 50))                   # by products, by Gram matrices, one example after the other
def test_squares_beyond_float32(rng, T, scale):
    table, layer = nn.Embedding(V, 3), nn.Linear(3, 4)
    ids = rng.integers(0, V, (B, T))

    def losses(x, y):
        return layer(table(x)).sum(axis=(1, 2)) * np.float32(scale)

    parameters = [table.weight, layer.weight, layer.bias]
    found = per_example._factors(losses, parameters, ids, ids)
    expected = np.sqrt(sum((g.reshape(B, -1).astype(np.float64) ** 2).sum(axis=1) for g in found.arrays()))
    assert found.norms().dtype == np.float32
    np.testing.assert_allclose(found.norms(), expected, rtol=1e-5)


def test_long_sequences_store_no_gram_matrix(rng):
    """T² is larger than the matrix: the norms come from one example's gradient after the other."""
    layer, x = nn.Linear(2, 3, dtype=np.float64), rng.normal(size=(B, 50, 2))
    found = per_example._factors(lambda x, y: ops.tanh(layer(x)).sum(axis=(1, 2)), list(layer.parameters()), x, x)
    expected = sum((g.reshape(B, -1) ** 2).sum(axis=1) for g in found.arrays())
    np.testing.assert_allclose(found.norms() ** 2, expected, rtol=1e-12)


def test_batch_norm_is_refused(rng):
    model, (x, y) = MLP(MLPConfig(7, 3, n_hidden=6, batch_norm=True)), vectors(rng)
    for size in (1, B):
        with pytest.raises(ValueError, match="batch norm mixes the examples|more than one value"):
            per_example_norms(model, x[:size].astype(np.float32), y[:size])
    model.eval()                                            # its statistics are constants there
    assert per_example_norms(model, x.astype(np.float32), y).shape == (B,)


def test_losses_of_another_shape(rng):
    model, (x, y) = MLP(MLPConfig(7, 3, n_hidden=6)).to(np.float64), vectors(rng)
    with pytest.raises(ValueError, match=r"has shape \(\), expected a Tensor \(5,\)"):
        per_example_gradients(model.loss, model.parameters(), x, y)
    with pytest.raises(ValueError, match="is a float, expected a Tensor"):
        per_example_gradients(lambda x, y: 1.0, model.parameters(), x, y)


@pytest.mark.parametrize("parameters, kind, message", [
    (lambda w: w, TypeError, "parameters is a Parameter, expected a list of tensors, such as model.parameters()"),
    (lambda w: nn.Linear(7, 3), TypeError, "parameters is a Linear, expected a list of tensors"),
    (lambda w: w.data, TypeError, r"parameters\[0\] is a ndarray, expected a Tensor"),
    (lambda w: [w, w.data], TypeError, r"parameters\[1\] is a ndarray, expected a Tensor"),
    (lambda w: [w * 2], ValueError, r"parameters\[0\] was computed by multiply, expected a leaf")])
def test_parameters_that_are_none(rng, parameters, kind, message):
    w, (x, y) = nn.Parameter(rng.normal(size=(7, 3))), vectors(rng)
    with pytest.raises(kind, match=f"per-example gradients: {message}"):
        per_example_gradients(lambda x, y: ops.cross_entropy(x @ w, y, reduction="none"), parameters(w), x, y)


def test_a_loss_that_is_no_function(rng):
    with pytest.raises(TypeError, match=r"loss is a int, expected a function loss\(x, y\) of a batch"):
        per_example_gradients(3, [nn.Parameter(np.ones(2))], *vectors(rng))


def test_switched_off_gradients_are_no_zeros(rng):
    model, (x, y) = MLP(MLPConfig(7, 3, n_hidden=6)).to(np.float64), vectors(rng)
    with no_grad(), pytest.raises(RuntimeError, match=r"outside of no_grad\(\)"):
        per_example_norms(model, x, y)
