"""Classifiers: fillings change nothing, gradients are right, what they look at adds up."""

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer import ops
from tinyformer.data.sparse import SparseRows
from tinyformer.models import MODELS, BagOfWords, BayesBag, load_model

V, T = 12, 9
SIZES = {"average": {}, "lstm": {"n_hidden": 6, "n_layer": 2}, "lstm-sigmoid": {"n_hidden": 6},
         "lstm-vectors": {"n_hidden": 6},
         "attention-lstm": {"n_hidden": 6}, "encoder": {"n_head": 2, "n_inner": 10}}


def build(name, **more):
    model = MODELS[name]
    return model(model.Config(vocab_size=V, n_classes=2, block_size=T, n_embd=8, **SIZES[name], **more)).to(np.float64)


@pytest.fixture(params=SIZES)
def name(request):
    return request.param


def texts(rng):
    ids = rng.integers(1, V, (4, T))
    for row, length in zip(ids, (9, 1, 4, 6)):
        row[length:] = 0
    return ids, np.array([0, 1, 1, 0])


def test_a_text_alone_gives_what_it_gives_among_longer_ones(name, rng):
    model, (ids, _) = build(name, dropout=0.5, word_dropout=0.5).eval(), texts(rng)
    together = model(ids).data
    for row, logits in zip(ids, together):
        np.testing.assert_allclose(model(row[None, :(row != 0).sum()]).data[0], logits, atol=1e-12)
    p = model.probabilities(ids)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_allclose(p, np.exp(together) / np.exp(together).sum(axis=1, keepdims=True))


def test_gradients_against_differences(name, rng):
    model, (ids, labels) = build(name), texts(rng)
    model.loss(ids, labels).backward()
    for key, parameter in model.named_parameters():
        direction = rng.standard_normal(parameter.shape)
        if key == "embedding.weight":
            direction[0] = 0                                # the row of fillings is not learned
        start, losses = parameter.data, []
        for step in (1e-6, -1e-6):
            parameter.data = start + step * direction
            losses.append(model.loss(ids, labels).item())
        parameter.data = start
        assert (parameter.grad * direction).sum() == pytest.approx((losses[0] - losses[1]) / 2e-6, rel=1e-4,
                                                                   abs=1e-8), key


def test_noise_is_for_training_alone(name, rng):
    ids, _ = texts(rng)
    model = build(name, dropout=0.5, word_dropout=0.3)
    assert not np.allclose(model(ids).data, model(ids).data)
    model.eval()
    np.testing.assert_array_equal(model(ids).data, model(ids).data)


def test_saved_and_loaded(name, rng, tmp_path):
    model, (ids, _) = build(name).to(np.float32).eval(), texts(rng)
    model.save_pretrained(tmp_path)
    again = load_model(tmp_path)
    assert type(again) is type(model)
    np.testing.assert_array_equal(again(ids).data, model(ids).data)


def test_contributions_are_the_slope_of_the_log_odds(name, rng):
    """Against differences: a token's vector grown by a millionth."""
    model, ids = build(name).eval(), np.array([[3, 5, 7, 3]])
    found = model.contributions(ids, 1)
    assert found.shape == (4,)
    if name == "attention-lstm":
        assert found.sum() == pytest.approx(1) and (found > 0).all()
        return
    vectors, mask = model.embedding(ids).data, ids != 0

    def log_odds(t, step):
        moved = vectors.copy()
        moved[0, t] *= 1 + step
        logits = model.read(tfm.tensor(moved), mask).data[0]
        return logits[1] - logits[0]

    for t in range(4):
        assert found[t] == pytest.approx((log_odds(t, 1e-6) - log_odds(t, -1e-6)) / 2e-6, abs=1e-6)


def test_vectors_that_are_given_are_not_learned():
    model = build("lstm-vectors")
    assert "embedding.weight" not in dict(model.named_parameters()) and "vectors" in model.state_dict()
    with pytest.raises(ValueError, match="n_classes is 3, expected 2"):
        model = MODELS["lstm-sigmoid"]
        model(model.Config(vocab_size=V, n_classes=3))


def test_the_printed_sizes():
    """E's: embedding 256 → two layers of 512 → 2; B's: width 512, two layers, 2,048 inside."""
    lstm, encoder = MODELS["lstm"], MODELS["encoder"]
    count = lstm(lstm.Config(vocab_size=100, n_classes=2, n_embd=256, n_hidden=512, n_layer=2)).num_parameters()
    assert count == 100 * 256 + 4 * 512 * (256 + 512 + 2) + 4 * 512 * (1024 + 2) + 2 * 513
    layer = 4 * 512 * 513 + 2 * 512 * 2048 + 2048 + 512 + 4 * 512
    assert encoder(encoder.Config(vocab_size=100, n_classes=2, n_embd=512, n_head=8, n_layer=2,
                                  n_inner=2048)).num_parameters() == (
        100 * 512 + 2 * layer + 1024 + 2 * 513)


@pytest.mark.parametrize("ids", (np.zeros((2, T + 1), int), np.zeros((2, 0), int), np.zeros(3, int)))
def test_ids_of_another_shape(name, ids):
    with pytest.raises(ValueError, match=r"expected \(B, T\) with 1 ≤ T ≤ 9"):
        build(name)(ids)


@pytest.mark.parametrize("name, field, message", (
    ("average", {"dropout": 1.5}, "AverageConfig: dropout is 1.5"), ("lstm", {"n_hidden": 0}, "n_hidden is 0"),
    ("encoder", {"n_head": 3}, "n_embd 128 cannot be divided among n_head 3"), ("bow", {"l2": -1.0}, "l2 is -1.0"),
    ("lstm", {"n_layer": 2.0}, "LSTMConfig: n_layer is 2.0, expected an integer"),
    ("bayes-bow", {"smoothing": 0}, "BayesBagConfig: smoothing is 0, expected a finite number above 0")))
def test_configs_that_cannot_be(name, field, message):
    with pytest.raises(ValueError, match=message):
        MODELS[name].Config(vocab_size=5, n_classes=2, **field)


# ------------------------------------------------------------------------------------------------ bag of words

def rows(rng, N=30, F=8):
    full = rng.random((N, F)) * (rng.random((N, F)) < 0.5)
    return full, SparseRows.of((np.flatnonzero(row), row[row != 0]) for row in full)


def test_sparse_linear_is_linear(rng):
    full, x = rows(rng)
    x.values = x.values.astype(np.float64)
    full = full.astype(np.float32).astype(np.float64)
    W, b, dy = rng.standard_normal((3, 8)), rng.standard_normal(3), rng.standard_normal((30, 3))
    y, vjp = ops.sparse_linear.raw(x.rows, x.columns, x.values, W, b, N=30)
    expected, dense = ops.linear.raw(full, W, b)
    np.testing.assert_allclose(y, expected, atol=1e-12)
    for found, wanted in zip(vjp(dy)[3:], dense(dy)[1:]):
        np.testing.assert_allclose(found, wanted, atol=1e-12)
    with pytest.raises(ValueError, match="columns lie in 0…7, expected 0…4"):
        ops.sparse_linear.raw(x.rows, x.columns, x.values, W[:, :5], b, N=30)


def test_a_bags_contributions_add_up_to_the_log_odds(rng):
    _, x = rows(rng)
    model = BagOfWords(BagOfWords.Config(8, 2)).eval()
    model.weight.data[:], model.bias.data[:] = rng.standard_normal((2, 8)), (0.3, -0.4)
    one = x[np.array([4])]
    p = model.probabilities(one)[0]
    log_odds = model.contributions(one, 1).sum() + model.bias.data[1] - model.bias.data[0]
    assert log_odds == pytest.approx(np.log(p[1] / p[0]), abs=1e-5)


def test_naive_bayes_features_by_hand():
    """Two texts of each class, three features: what occurs counts ln of its share in a class over that in the rest."""
    x = SparseRows.of([([0, 1], [.5, .5]), ([0], [1.]), ([1, 2], [.3, .7]), ([2], [1.])])
    model = BayesBag(BayesBag.Config(3, 2, smoothing=0.5)).eval()
    model.prepare(x, np.array([0, 0, 1, 1]))
    r = np.log((np.array([2.5, 1.5, 0.5]) / 4.5) / (np.array([0.5, 1.5, 2.5]) / 4.5))
    np.testing.assert_allclose(model.ratio, [r, -r], rtol=1e-6)
    model.weight.data[:], model.bias.data[:] = [[1, 2, 3], [4, 5, 6]], (0.5, 0.25)
    value = r[:2] / np.hypot(*r[:2])
    np.testing.assert_allclose(model(x[np.array([0])]).data, [[value @ [1, 2] + 0.5, -value @ [4, 5] + 0.25]],
                               rtol=1e-5)
    p = model.probabilities(x[np.array([0])])[0]
    assert model.contributions(x[np.array([0])], 1).sum() - 0.25 == pytest.approx(np.log(p[1] / p[0]), abs=1e-5)
