"""Pairs, views and few labels: tiny trainings of pictures of 28 × 28 that no one has to fetch."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tinyformer.data import Dataset, Examples
from tinyformer.data.captions import attributes, held_out
from tinyformer.models import load_model
from tinyformer.train import evaluate, load_recipe, open_run, train
from tinyformer.train import pair_sets
from tinyformer.train.retrieval import distinct, majority, nearest, retrieval
from tinyformer.train.tasks import classification, pictures, views

TINY = ("train.max_steps=6", "train.batch_size=20", "train.warmup_steps=2", "train.eval_every=3",
        "train.checkpoint_every=3", "model.n_hidden=8", "model.n_embd=8")


@pytest.fixture(autouse=True)
def bars(monkeypatch):
    """Ten classes of bars: the class k has k + 3 columns. No picture of a training is drawn, which takes longer."""
    rng = np.random.default_rng(0)

    def draw(n):
        y = np.arange(n) % 10
        x = 0.1 * rng.random((n, 28, 28)).astype(np.float32)
        for picture, kind in zip(x, y):
            picture[4:24, 10:13 + kind] += 0.8
        return Examples(x.reshape(n, 784), y)

    dataset = Dataset("mnist-5k", draw(120), draw(130), draw(40), tuple("0123456789"))
    words = Dataset("cmudict", *(Examples(["cat", "dog", "tad", "god"] * 40, ["K AE T", "D AO G", "T AE D", "G AO D"]
                                          * 40) for _ in range(3)), ())
    for module in (pictures, views):
        monkeypatch.setattr(module, "load", lambda name: dataset)
    monkeypatch.setattr(pair_sets, "load", lambda name: {"mnist-5k": dataset, "cmudict": words}[name])
    monkeypatch.setattr(pair_sets, "KNOWN", 50)
    monkeypatch.setattr("tinyformer.train.run.draw_losses", lambda *_, **__: None)
    return dataset


def test_retrieval_in_both_directions():
    texts, owner = distinct(["a", "b", "a", "c"])
    assert texts == ["a", "b", "c"] and list(owner) == [0, 1, 0, 2]
    similarity = np.array([[.9, .1, .2], [.3, .8, .1], [.7, .9, .0], [.1, .2, .1]])
    found = retrieval(similarity, owner)
    assert (found["to_text"], found["to_picture"]) == (0.5, pytest.approx(1 / 3))
    assert found["at_1"] == pytest.approx((0.5 + 1 / 3) / 2)
    assert retrieval(similarity, owner, owner == 0) == {"to_text": 0.5, "to_picture": 1.0, "at_1": 0.75}


def test_nearest_neighbors_and_their_majority(rng):
    known, x = rng.standard_normal((20, 3)), rng.standard_normal((5, 3))
    distances = ((x[:, None] - known) ** 2).sum(-1)
    np.testing.assert_array_equal(nearest(x, known, 3), np.argsort(distances, axis=1)[:, :3])
    np.testing.assert_array_equal(majority(np.array([[1, 2, 2], [3, 1, 0]])), [2, 0])


def test_clip_is_trained_resumed_and_evaluated(tmp_path):
    recipe = load_recipe("clip-mnist", TINY)
    train(recipe, tmp_path)
    recipe.train.max_steps = 9
    train(recipe, tmp_path, resume=True)
    figures = evaluate(tmp_path)
    assert {"zero_shot_accuracy", "retrieval_at_1", "retrieval_at_1_held_out", "retrieval_chance",
            "pixel_knn_accuracy"} <= set(figures)
    assert json.loads((tmp_path / "evaluation.json").read_text())["pairs"] == 40
    model = load_model(tmp_path)
    assert model.similarity(np.zeros((2, 1, 28, 28), "f"), model.captions).shape == (2, 10)


def test_training_never_shows_a_held_out_combination(rng):
    pairs = pair_sets.CaptionedDigits()
    x, digits = pairs.pictures(500, rng)
    assert len(x) == len(digits) == 500 and not held_out(digits, attributes(x)).any()
    first, again = pairs.part("test"), pairs.part("test")
    np.testing.assert_array_equal(first[0], again[0])
    assert first[1] == again[1] and pairs.apart(first[0], "test").shape == (40,)


def test_spellings_and_phonemes(tmp_path):
    train(load_recipe("clip-mnist", [*TINY, "data.set=cmudict", "train.lr=0.01", "train.max_steps=40"]), tmp_path)
    figures = evaluate(tmp_path)
    assert figures["retrieval_at_1"] == 1 and "zero_shot_accuracy" not in figures
    assert load_model(tmp_path).similarity(["cat", "dog"], ["K AE T", "D AO G"]).shape == (2, 2)


def test_an_encoder_without_labels_then_few_labels(tmp_path):
    train(load_recipe("simclr-mnist", TINY), tmp_path / "simclr")
    figures = evaluate(tmp_path / "simclr")
    assert {"probe_accuracy", "knn_accuracy", "pixel_probe_accuracy", "pixel_knn_accuracy"} <= set(figures)
    settings = [*TINY, f"data.encoder={tmp_path / 'simclr'}", "data.labels=20"]
    train(load_recipe("prototypes-mnist", settings), tmp_path / "few")
    run = open_run(tmp_path / "few")
    assert len(run.task.train.y) == 20 and (np.bincount(run.task.train.y) == 2).all()
    assert evaluate(tmp_path / "few")["examples"] == 40


@pytest.mark.parametrize("recipe, settings, own", [
    ("simclr-mnist", TINY, []), ("vae-mnist", [*TINY[:-1], "model.encoder=convolutional"], ["model.n_embd=32"])])
def test_the_encoder_is_where_the_training_starts(tmp_path, recipe, settings, own):
    train(load_recipe(recipe, settings), tmp_path / "first")
    train(load_recipe("prototypes-mnist", [*TINY, *own, f"data.encoder={tmp_path / 'first'}", "train.lr=0",
                                           "train.min_lr=0", "data.labels=0"]), tmp_path / "same")
    first, same = load_model(tmp_path / "first").encoder, load_model(tmp_path / "same").encoder
    for one, other in zip(first.parameters(), same.parameters(), strict=True):
        np.testing.assert_array_equal(one.data, other.data)


@pytest.mark.parametrize("settings, message", [
    (["data.labels=5"], "data.labels: got 5, expected 0 .all. or at least 10, one of each class"),
    (["data.labels=500"], "data.labels: got 500, but the training split has 12 examples of class 0, expected at least"),
    (["data.encoder=nowhere"], "nowhere")])
def test_what_few_labels_refuse(tmp_path, settings, message):
    with pytest.raises((ValueError, OSError), match=message):
        train(load_recipe("prototypes-mnist", [*TINY, *settings]), tmp_path / "run")


def test_an_encoder_must_be_one(tmp_path):
    train(load_recipe("mlp-mnist", [*TINY[:-1], "train.max_steps=2"]), tmp_path / "mlp")
    with pytest.raises(ValueError, match="data.encoder: .* is a MLP, which has no encoder"):
        train(load_recipe("prototypes-mnist", [*TINY, f"data.encoder={tmp_path / 'mlp'}"]), tmp_path / "run")
    with pytest.raises(ValueError, match="data.encoder: the model of this recipe is a MLP"):
        train(load_recipe("mlp-mnist", [*TINY[:-1], f"data.encoder={tmp_path / 'mlp'}"]), tmp_path / "run")


@pytest.mark.parametrize("settings", [{}, {"rotate": 10.0}, {"scale": 0.2}, {"shift": 2}, {"cut_out": 5},
                                      {"mix_up": 0.4}], ids=str)
def test_augmentation_changes_batches_only(settings, bars):
    task = pictures.Pictures(pictures.PictureSettings(**settings))
    before = task.train.x.copy()
    x, y = task.batch(None, 64, np.random.default_rng(1))
    plain, labels = pictures.Pictures(pictures.PictureSettings()).batch(None, 64, np.random.default_rng(1))
    assert x.shape == (64, 784) and x.dtype == np.float32 and y.shape == (64,)
    assert np.array_equal(x, plain) == (not settings)
    if "mix_up" not in settings:
        np.testing.assert_array_equal(y, labels)
    np.testing.assert_array_equal(task.train.x, before)


def test_words_of_training_texts_are_swapped_and_drawn(tmp_path, monkeypatch):
    words = [f"good film {i % 7} and fun" for i in range(40)]
    dataset = Dataset("movie-snippets", *(Examples(words, np.arange(40) % 2) for _ in range(3)), ("no", "yes"))
    monkeypatch.setattr(classification, "load", lambda name: dataset)
    for settings in ({"swap": 0.5}, {"back_off": 0.5}):
        task = classification.Classification(classification.TextSettings(**settings, min_count=1))
        ids = task.tokenizer.encode(words[0])
        found = [task.changed(ids, np.random.default_rng(seed)) for seed in range(20)]
        assert any(not np.array_equal(row, ids) for row in found) and all(len(row) == len(ids) for row in found)
        if "swap" in settings:
            assert all(sorted(row) == sorted(ids) for row in found)
        assert min(map(min, found)) >= 2                    # never <pad> or <unk>


@pytest.mark.parametrize("name", ("mlp-mnist", "clip-mnist", "simclr-mnist"))
def test_a_loss_that_is_not_finite_on_few_examples_is_explained_by_them(bars, name):
    """Each training batch has a finite loss, so only these examples can say which operation overflows."""
    recipe = load_recipe(name, ["model.n_hidden=8"])
    task = recipe.task(recipe.data)
    model = recipe.model_class(recipe.model_config(**task.sizes()))
    task.prepare(model)
    bars.validation.x[:10] = 3e38
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError) as caught:
        task.measure(model)
    assert str(caught.value).startswith("the validation loss is nan: the first operation whose output is not finite is")
