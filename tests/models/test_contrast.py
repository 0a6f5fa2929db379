"""CLIP, SimCLR and the prototype network: vectors that are compared."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer.data.captions import PLAIN, WORDS
from tinyformer.models import (CLIP, CLIPConfig, PrototypeConfig, PrototypeNetwork, SimCLR, SimCLRConfig, load_model)
from tinyformer.optim import Adam
from tinyformer.text import WordTokenizer
from tinyformer.text.pairs import PairTokenizer


@pytest.fixture
def clip():
    tfm.seed(1)
    model = CLIP(CLIPConfig(n_features=64, vocab_size=len(WORDS) + 2, n_embd=8, n_hidden=16, n_head=2))
    model.tokenizer = WordTokenizer(WORDS)
    return model.eval()


@pytest.fixture
def pictures(rng):
    return rng.random((5, 1, 8, 8)).astype("f")


def test_similarities_are_cosines_and_independent_of_each_other(clip, pictures):
    texts = ["the digit zero", "a small thick seven, leaning left, at the top left", "a one"]
    found = clip.similarity(pictures, texts).data
    assert found.shape == (5, 3) and np.abs(found).max() <= 1 + 1e-6
    for i in range(5):
        for j, text in enumerate(texts):                    # alone: without padding, without neighbors
            assert clip.similarity(pictures[i:i + 1], [text]).data[0, 0] == pytest.approx(found[i, j], abs=1e-5)
    np.testing.assert_allclose(clip.similarity(pictures.reshape(5, 64), texts).data, found, atol=1e-6)
    again = clip.similarity(pictures.astype(float), texts).data
    np.testing.assert_array_equal(again, found)
    buffers = {name: value.copy() for name, value in clip.state_dict().items()}
    np.testing.assert_array_equal(clip.train().similarity(pictures, texts).data, found)     # batch norm stands still
    assert clip.training and all(np.array_equal(value, buffers[name]) for name, value in clip.state_dict().items())


def test_the_order_of_words_counts(clip, pictures):
    one, other = clip.similarity(pictures, ["a one, leaning left", "left leaning, one a"]).data.T
    assert np.abs(one - other).max() > 1e-4


def test_the_folder_keeps_the_tokenizer(clip, pictures, tmp_path):
    clip.save_pretrained(tmp_path)
    again = load_model(tmp_path)
    assert again.captions == list(PLAIN) and again.captions[0] == "the digit zero" and len(again.captions) == 10
    np.testing.assert_array_equal(again.similarity(pictures, PLAIN).data, clip.similarity(pictures, PLAIN).data)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(ValueError, match="CLIP: the model has no tokenizer for texts"):
        load_model(tmp_path).similarity(pictures, PLAIN)


@pytest.mark.parametrize("images, texts, message", [
    (np.zeros((1, 64), "f"), ["a purple seven"], r"CLIP: 'a purple seven' has unknown words \(purple\), expected"),
    (np.zeros((1, 64), "f"), ["  "], "CLIP: a text is empty"),
    (np.zeros((1, 64), "f"), [], "CLIP: texts is \\[\\], expected a list"),
    (np.zeros((1, 64), "f"), None, "CLIP: texts is None, expected a list"),
    (np.zeros((1, 64), "f"), ["a one", 1], "CLIP: texts is .*, expected a list"),
    (np.zeros((1, 64), "f"), "a one", "CLIP: texts is 'a one', expected a list"),
    (np.zeros((1, 64), "f"), ["a one " * 20], "CLIP: 'a one .* has 40 tokens, expected at most"),
    (np.zeros((1, 3, 8, 8), "f"), ["a one"], r"pictures have shape \(1, 3, 8, 8\), expected \(N, 1, 8, 8\)"),
    (np.zeros((1, 49), "f"), ["a one"], "pictures have shape")])
def test_what_clip_refuses(clip, images, texts, message):
    with pytest.raises(ValueError, match=message):
        clip.similarity(images, texts)


def test_clip_learns_pairs(clip, rng):
    x, ids = rng.random((6, 64)).astype("f"), clip.ids(PLAIN[:6])
    optimizer = Adam(clip.parameters(), lr=0.01)
    losses = []
    clip.train()
    for _ in range(60):
        loss = clip.loss(x, ids)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[0] > 1 and losses[-1] < 0.1
    assert (clip.similarity(x, PLAIN[:6]).data.argmax(axis=1) == np.arange(6)).all()


def test_the_temperature_is_learned_up_to_a_bound(clip, rng):
    clip.logit_scale.data[...] = 9.0
    x, ids = rng.random((6, 64)).astype("f"), clip.ids(PLAIN[:6])
    expected = tfm.ops.contrastive_loss(clip.encode(x), clip.encode_ids(ids), math.log(100))
    assert clip.loss(x, ids).item() == pytest.approx(expected.item(), rel=1e-6)


def test_two_text_towers():
    tokenizer = PairTokenizer.train(["cat", "dog"], ["K AE T", "D AO G"], "characters", "words")
    model = CLIP(CLIPConfig(n_features=0, vocab_size=tokenizer.vocab_size, n_embd=8, n_head=2))
    model.tokenizer = tokenizer
    assert model.similarity(["cat", "dog", "tac"], ["K AE T", "D AO G"]).shape == (3, 2)
    with pytest.raises(ValueError, match="'cow' has unknown words"):
        model.similarity(["cow"], ["K AE T"])


def test_simclr_learns_to_tell_pictures_apart(rng):
    tfm.seed(1)
    model = SimCLR(SimCLRConfig(n_features=64, n_hidden=16, n_embd=8, n_projection=4))
    x = rng.random((12, 64)).astype("f")
    optimizer = Adam(model.parameters(), lr=0.01)
    first = model.loss(x, x).item()
    for _ in range(60):
        loss = model.loss(x, (x + 0.05 * rng.standard_normal(x.shape)).astype("f"))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert loss.item() < 0.5 * first and model(x).shape == (12, 8)
    assert model.eval().loss(x[:1], x[:1]).item() == pytest.approx(0, abs=1e-6)         # nothing to confuse it with


@pytest.fixture
def network():
    tfm.seed(1)
    return PrototypeNetwork(PrototypeConfig(n_features=64, n_classes=3, n_hidden=16, n_embd=8))


def test_logits_are_minus_squared_distances_to_the_means(network, rng):
    x, y = rng.random((9, 64)).astype("f"), np.arange(9) % 3
    network.eval().set_prototypes(x, y)
    z = network.encoder(x).data
    means = np.stack([z[y == k].mean(axis=0) for k in range(3)])
    np.testing.assert_allclose(network.prototypes, means, atol=1e-6)
    np.testing.assert_allclose(network(x).data, -((z[:, None] - means) ** 2).sum(-1), atol=1e-4)
    assert network.predict(x).shape == (9,)


def test_training_classifies_the_second_half_by_the_first(network, rng):
    x, y = rng.random((12, 64)).astype("f"), np.tile([0, 1, 2], 4)
    loss = network.loss(x, y).item()
    z = network.encoder(x).data                             # in training mode: the same batch, the same statistics
    means = np.stack([z[:6][y[:6] == k].mean(axis=0) for k in range(3)])
    logits = -((z[6:, None] - means) ** 2).sum(-1)
    expected = tfm.ops.cross_entropy(logits, y[6:]).item()
    assert loss == pytest.approx(expected, rel=1e-4)
    np.testing.assert_allclose(network.prototypes, 0.1 * means, rtol=1e-4, atol=1e-6)


def test_a_class_that_the_first_half_lacks_is_left_out(network, rng):
    x = rng.random((8, 64)).astype("f")
    with_it = network.loss(x, np.array([0, 1, 0, 1, 0, 1, 2, 2])).item()
    z = network.encoder(x).data
    means = np.stack([z[[0, 2]].mean(axis=0), z[[1, 3]].mean(axis=0)])
    expected = tfm.ops.cross_entropy(-((z[4:6, None] - means) ** 2).sum(-1), np.array([0, 1])).item()
    assert with_it == pytest.approx(expected, rel=1e-3)
    np.testing.assert_array_equal(network.prototypes[2], 0)


def test_a_new_network_keeps_its_prototypes_in_the_folder(network, rng, tmp_path):
    x = rng.random((6, 64)).astype("f")
    network.set_prototypes(x, np.arange(6) % 3)
    network.save_pretrained(tmp_path)
    np.testing.assert_array_equal(load_model(tmp_path)(x).data, network.eval()(x).data)


@pytest.mark.parametrize("call, message", [
    (lambda m: m.loss(np.zeros((1, 64), "f"), [0]), "a batch has 1 examples, expected at least 2"),
    (lambda m: m.loss(np.zeros((4, 64), "f"), [0, 0, 1, 1]), "no class occurs in both halves"),
    (lambda m: m.set_prototypes(np.zeros((4, 64), "f"), [0, 0, 0, 0]), "no example of class 1, expected at least one"),
    (lambda m: m(np.zeros((4, 63), "f")), "pictures have shape"),
    (lambda m: PrototypeNetwork(PrototypeConfig(n_features=50, n_classes=2)), "n_features is 50, expected side"),
    (lambda m: SimCLRConfig(n_features=64, temperature=0), "temperature is 0")])
def test_what_they_refuse(network, call, message):
    with pytest.raises(ValueError, match=message):
        call(network)
